//! Erasing a person from this table: what the limits remembered of them.
//!
//! It would be forgotten by itself within days, and it names them by their random id. What a holder has in memory
//! of whom it wrote to last it writes down when it rests; the second pass of an erasure finds that.

use headgate_domain::identity::SubjectId;

use super::Pacing;
use crate::AwsError;
use crate::item::{Attributes, Item, batch_get, batch_write, deletions, key};

/// Where a person may be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Senders {
    /// The portfolios.
    pub portfolios: Vec<String>,
    /// The numbers, by their id.
    pub numbers: Vec<String>,
}

impl Pacing {
    /// How many rows remember any of some subjects.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn count_rows(
        &self,
        senders: &Senders,
        subjects: &[SubjectId],
    ) -> Result<u64, AwsError> {
        let mut rows = self.rows_of(senders, subjects).await?.len();
        for portfolio in &senders.portfolios {
            let legacy = self.legacy(portfolio).await?;
            let lefts = legacy.iter().flat_map(|legacy| &legacy.numbers);
            let listed = lefts.flat_map(|left| left.pairs.listed.iter().map(|(who, _)| who));
            let theirs = listed.filter(|who| subjects.iter().any(|id| id.as_str() == *who));
            rows = rows.saturating_add(theirs.count());
        }
        Ok(rows.try_into().unwrap_or(u64::MAX))
    }

    /// Forgets some subjects.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn forget(&self, senders: &Senders, subjects: &[SubjectId]) -> Result<(), AwsError> {
        let rows = self.rows_of(senders, subjects).await?;
        batch_write(&self.client, &self.table, deletions(&rows)?).await?;
        for portfolio in &senders.portfolios {
            let Some(mut legacy) = self.legacy(portfolio).await? else {
                continue;
            };
            let is_theirs = |who: &String| subjects.iter().any(|id| id.as_str() == *who);
            let mut changed = false;
            for left in &mut legacy.numbers {
                let before = left.pairs.listed.len();
                left.pairs.listed.retain(|(who, _debt)| !is_theirs(who));
                changed |= left.pairs.listed.len() < before;
            }
            if changed {
                // What a later term left meanwhile stays; the second pass looks there.
                self.put_legacy(portfolio, &legacy).await?;
            }
        }
        Ok(())
    }

    async fn rows_of(
        &self,
        senders: &Senders,
        subjects: &[SubjectId],
    ) -> Result<Vec<Item>, AwsError> {
        let mut keys = Vec::new();
        for subject in subjects {
            let recipients = senders.portfolios.iter();
            keys.extend(recipients.map(|p| key(format!("R#{p}#{subject}"), "R")));
            let pairs = senders.numbers.iter();
            keys.extend(pairs.map(|number| key(format!("P#{number}"), subject.as_str())));
        }
        let mut found = batch_get(&self.client, &self.table, keys).await?;
        for subject in subjects {
            found.extend(
                self.query_all(&format!("A#recipient#{subject}"), None)
                    .await?,
            );
        }
        found.retain(|item| item.text("pk").is_some());
        Ok(found)
    }
}
