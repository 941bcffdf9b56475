//! That somebody's data is kept and not used, in their row: judged by whoever judges a message.

use headgate_domain::identity::SubjectId;
use headgate_domain::time::{DAY, Timestamp};

use super::Subjects;
use crate::AwsError;
use crate::item::{changed, ms};

/// So long a row lives on at least.
const ROW_MS: i64 = 30 * DAY;
/// Since when.
pub(super) const AT: &str = "restricted_at";

impl Subjects {
    /// Restricts the use of somebody's data from a moment on; the first counts. A row that would run out by itself lives
    /// until the calendar, which looks three days before that, has seen it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn restrict(
        &self,
        subject: &SubjectId,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        self.keep(subject, now.plus_millis(ROW_MS)).await?;
        let update = self
            .row_of(subject)
            .update_expression("SET #at = if_not_exists(#at, :at)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#at", AT)
            .expression_attribute_values(":at", ms(at));
        changed(update).await.map(drop)
    }

    /// Lifts the restriction of somebody's data, if it is as old as was seen.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn lift_restriction(
        &self,
        subject: &SubjectId,
        seen: Timestamp,
    ) -> Result<(), AwsError> {
        let update = self
            .row_of(subject)
            .update_expression("REMOVE #at")
            .condition_expression("#at = :seen")
            .expression_attribute_names("#at", AT)
            .expression_attribute_values(":seen", ms(seen));
        changed(update).await.map(drop)
    }
}
