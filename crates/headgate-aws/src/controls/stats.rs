//! Hourly counters of a number, for the risk score.
//!
//! Owns one row a number and hour. Counts, never people. An addition that is repeated counts twice;
//! the score lives with that, because rates hardly change.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::ReturnValue;
use headgate_domain::risk::{Counts, WINDOW_HOURS, hour};
use headgate_domain::time::{DAY, HOUR, Timestamp};

use super::Controls;
use crate::AwsError;
use crate::item::{Attributes, Item, key, n, s};

/// How long a row is kept; reports look back a month.
const KEEP_MS: i64 = 35 * DAY;

impl Controls {
    /// Adds to the hour of `now`; what it has counted by then.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; it may have been counted all the same.
    pub async fn count(
        &self,
        number: &str,
        more: &Counts,
        now: Timestamp,
    ) -> Result<Counts, AwsError> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key("stats", sort_key(number, hour(now)))))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", n(now.plus_millis(KEEP_MS).seconds()))
            .return_values(ReturnValue::AllNew);
        let mut adds = Vec::new();
        for (name, value) in Counts::NAMES.into_iter().zip(more.values()) {
            if value > 0 {
                adds.push(format!("#{name} :{name}"));
                call = call
                    .expression_attribute_names(format!("#{name}"), name)
                    .expression_attribute_values(format!(":{name}"), n(value));
            }
        }
        if adds.is_empty() {
            return Ok(Counts::default());
        }
        let answer = call
            .update_expression(format!("SET #ttl = :ttl ADD {}", adds.join(", ")))
            .send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e))?;
        Ok(counts(&answer.attributes.unwrap_or_default()))
    }

    /// The hours that the risk score looks at, by their number since 1970.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn hours(
        &self,
        number: &str,
        now: Timestamp,
    ) -> Result<BTreeMap<i64, Counts>, AwsError> {
        let first = hour(now).saturating_sub(WINDOW_HOURS);
        // A day of hours is a few kilobytes, so one page.
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :stats AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":stats", s("stats"))
            .expression_attribute_values(":first", s(sort_key(number, first)))
            .expression_attribute_values(":last", s(sort_key(number, hour(now))))
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let by_key: BTreeMap<String, Counts> = answer
            .items
            .unwrap_or_default()
            .iter()
            .filter_map(|item| Some((item.text("sk")?.to_owned(), counts(item))))
            .collect();
        Ok((first..=hour(now))
            .filter_map(|at| Some((at, *by_key.get(&sort_key(number, at))?)))
            .collect())
    }
}

/// `<number>#<yyyymmddhh>`.
fn sort_key(number: &str, hour: i64) -> String {
    let start = Timestamp::from_millis(hour.saturating_mul(HOUR)).to_string();
    let digits: String = start
        .chars()
        .filter(char::is_ascii_digit)
        .take(10)
        .collect();
    format!("{number}#{digits}")
}

fn counts(item: &Item) -> Counts {
    Counts::from_values(
        Counts::NAMES
            .map(|name| u64::try_from(item.number(name).unwrap_or_default()).unwrap_or_default()),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn the_key_of_an_hour_is_its_date_and_sorts_by_time() {
        let at = |text| hour(Timestamp::parse(text).unwrap());
        assert_eq!(
            sort_key("1001", at("2026-11-23T09:59:59Z")),
            "1001#2026112309"
        );
        assert!(
            sort_key("1001", at("2026-12-31T23:00:00Z"))
                < sort_key("1001", at("2027-01-01T00:00:00Z"))
        );
    }
}
