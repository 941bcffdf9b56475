//! Which version of the peppers is in force. Only an operator writes it; the version never goes back.

use headgate_domain::identity::PepperVersion;
use headgate_domain::time::Timestamp;

use super::Controls;
use crate::AwsError;
use crate::item::{Attributes, key, ms, n, was_taken};

/// A partition of its own: whoever notes live controls cannot write it.
const PEPPERS: &str = "peppers";

impl Controls {
    /// The version in force, read consistently; the first, as long as nobody has asked for another.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read: under wrong names nobody would be found, and no objection.
    pub async fn pepper_version(&self) -> Result<PepperVersion, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(PEPPERS, PEPPERS)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let Some(item) = answer.item else {
            return Ok(PepperVersion::FIRST);
        };
        item.number("version")
            .and_then(|number| u32::try_from(number).ok())
            .zip(item.time("since"))
            .and_then(|(number, since)| PepperVersion::later(number, since))
            .ok_or_else(|| AwsError::new("GetItem", "no version of the peppers"))
    }

    /// Puts the version after another in force; `false` when that other is not in force any more.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn next_peppers(
        &self,
        before: PepperVersion,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let mut item = key(PEPPERS, PEPPERS);
        item.insert("version".to_owned(), n(before.number().saturating_add(1)));
        item.insert("since".to_owned(), ms(now));
        let is_first = before == PepperVersion::FIRST;
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item));
        let put = if is_first {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("#version = :before")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":before", n(before.number()))
        };
        was_taken(put.send().await.map_err(|e| AwsError::of("PutItem", &e)))
    }
}
