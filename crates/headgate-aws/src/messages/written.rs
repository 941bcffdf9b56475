//! Who wrote in a time, found by the index that the sweep goes by: nobody else's rows are read.

use std::collections::BTreeSet;

use headgate_domain::identity::SubjectId;
use headgate_domain::retention::{SWEEP_SHARDS, sweep_digit};
use headgate_domain::time::Timestamp;

use super::Messages;
use super::sweep::in_time;
use crate::AwsError;
use crate::item::{Attributes, Item, batch_get, key, s};

/// What was written on one day may come on a later one: Meta hands over again for seven days.
const LATE_DAYS: i64 = 8;
/// Rows that are read at a time.
const PAGE: i32 = 100;

impl Messages {
    /// Whoever wrote something between two moments that is still there.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn writers(
        &self,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<BTreeSet<SubjectId>, AwsError> {
        let mut writers = BTreeSet::new();
        let last = until.day().plus(LATE_DAYS);
        for shard in 0..SWEEP_SHARDS {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("by_day")
                .key_condition_expression("#sweep = :shard AND #day BETWEEN :from AND :last")
                .expression_attribute_names("#sweep", "sweep")
                .expression_attribute_names("#day", "day")
                .expression_attribute_values(":shard", s(sweep_digit(shard)))
                .expression_attribute_values(":from", s(from.day().to_string()))
                .expression_attribute_values(":last", s(last.to_string()))
                .limit(PAGE);
            let mut pages = query.into_paginator().send();
            // A page at a time: a busy month is more than fits.
            while let Some(page) = pages.next().await {
                let page = page.map_err(|e| AwsError::of("Query", &e))?;
                let written = page.items().iter().filter_map(|item| {
                    let pk = item.text("pk")?;
                    pk.starts_with("N#").then(|| key(pk, "N"))
                });
                let rows = batch_get(&self.client, &self.table, written.collect()).await?;
                let is_of_then = |row: &&Item| {
                    let at = row.time("at").filter(|at| from <= *at && *at < until);
                    at.is_some() && in_time(row, now)
                };
                let of_then = rows.iter().filter(is_of_then);
                writers
                    .extend(of_then.filter_map(|row| SubjectId::parse(row.text("subject")?).ok()));
            }
        }
        Ok(writers)
    }
}
