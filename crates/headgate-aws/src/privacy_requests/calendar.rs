//! How far the calendar of people of whom nothing is known has been worked off.

use headgate_domain::time::Day;

use super::{AGENDA, PrivacyRequests};
use crate::AwsError;
use crate::item::{Attributes, key, s};

/// Behind every moment of the agenda.
const PLACE: &str = "~calendar";

impl PrivacyRequests {
    /// The last day that was worked off to its end.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn worked_off(&self) -> Result<Option<Day>, AwsError> {
        let item = self.get(key(AGENDA, PLACE)).await?;
        Ok(item.and_then(|item| Day::parse(item.text("day")?).ok()))
    }

    /// Notes that a day was worked off to its end.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_worked_off(&self, day: Day) -> Result<(), AwsError> {
        let mut item = key(AGENDA, PLACE);
        item.insert("day".to_owned(), s(day.to_string()));
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item)).send().await;
        put.map(|_put| ()).map_err(|e| AwsError::of("PutItem", &e))
    }
}
