//! The due list: what is to be looked at later, by lane and time.

use headgate_domain::holder::{DueEntry, DueKind};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::record::RecordRef;
use headgate_domain::time::{DAY, Timestamp};

use super::Pacing;
use crate::AwsError;
use crate::item::{Attributes, Item, key, n, s};

impl Pacing {
    /// Notes that a record is to be looked at later.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_due(&self, portfolio: &str, due: &DueEntry) -> Result<(), AwsError> {
        let mut item = due_key(portfolio, due);
        item.insert("kind".to_owned(), s(word(due.kind)));
        item.insert("attempt".to_owned(), n(due.attempt));
        item.insert("ttl".to_owned(), n(due.at.plus_millis(8 * DAY).seconds()));
        self.put(item).await
    }

    /// What is due in a lane at a time, oldest first, behind an entry that was looked at already.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn due(
        &self,
        portfolio: &str,
        lane: Purpose,
        now: Timestamp,
        behind: Option<&DueEntry>,
        limit: i32,
    ) -> Result<Vec<DueEntry>, AwsError> {
        let end = format!("{:013}#~", now.millis().max(0));
        // BETWEEN takes both ends, and the entry itself was looked at.
        let start = behind.map_or_else(|| "0".to_owned(), |due| format!("{}~", due_sk(due)));
        if start > end {
            return Ok(Vec::new());
        }
        let pk = due_pk(portfolio, lane);
        let items = self.query(&pk, Some((&start, &end)), limit).await?;
        Ok(items.iter().filter_map(due_of).collect())
    }

    /// When the next entry is due, if there is any.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn next_due(&self, portfolio: &str) -> Result<Option<Timestamp>, AwsError> {
        let mut next = None;
        for lane in PURPOSES {
            let items = self.query(&due_pk(portfolio, lane), None, 1).await?;
            let first = items.iter().filter_map(due_of).map(|d| d.at).next();
            next = next.into_iter().chain(first).min();
        }
        Ok(next)
    }

    /// Removes an entry that has been looked at.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn drop_due(&self, portfolio: &str, due: &DueEntry) -> Result<(), AwsError> {
        self.delete(due_key(portfolio, due)).await
    }
}

const fn word(kind: DueKind) -> &'static str {
    match kind {
        DueKind::Retry => "retry",
        DueKind::Ambiguous => "ambiguous",
        DueKind::Scheduled => "scheduled",
    }
}

fn due_pk(portfolio: &str, lane: Purpose) -> String {
    format!("D#{portfolio}#{}", lane.letter())
}

fn due_key(portfolio: &str, due: &DueEntry) -> Item {
    key(due_pk(portfolio, due.reference.lane), due_sk(due))
}

fn due_sk(due: &DueEntry) -> String {
    format!("{:013}#{}", due.at.millis().max(0), due.reference)
}

fn due_of(item: &Item) -> Option<DueEntry> {
    let (at, reference) = item.text("sk")?.split_once('#')?;
    let kinds = [DueKind::Retry, DueKind::Ambiguous, DueKind::Scheduled];
    let kind = item.text("kind")?;
    Some(DueEntry {
        at: Timestamp::from_millis(at.parse().ok()?),
        reference: RecordRef::parse(reference)?,
        kind: kinds.into_iter().find(|k| word(*k) == kind)?,
        attempt: item
            .number("attempt")
            .and_then(|a| u32::try_from(a).ok())
            .unwrap_or(1),
    })
}
