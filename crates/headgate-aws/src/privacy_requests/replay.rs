//! How far a run has come that erases again what a restored table has brought back.

use headgate_domain::privacy::RequestId;

use super::PrivacyRequests;
use crate::AwsError;
use crate::item::{Attributes, Item, key, n, s};

const SORT: &str = "replay";

/// A run through the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The last request of the journal that was erased again.
    pub after: Option<RequestId>,
    /// How many erasures were gone through.
    pub entries: u64,
    /// How many erasures there are.
    pub of: u64,
    /// How many keys were put back on the suppression list.
    pub tombstones: u64,
    /// How many rows had come back, and are gone again.
    pub rows: u64,
    /// Whether it has come to the end.
    pub is_done: bool,
}

impl PrivacyRequests {
    /// How far a run has come; nothing, when it has not begun.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn replay(&self, run: &RequestId) -> Result<Option<Replay>, AwsError> {
        let item = self.get(replay_key(run)).await?;
        let count = |item: &Item, name| u64::try_from(item.number(name)?).ok();
        let read = |item: &Item| {
            Some(Replay {
                after: item.text("after").and_then(|id| RequestId::parse(id).ok()),
                entries: count(item, "entries")?,
                of: count(item, "of")?,
                tombstones: count(item, "tombstones")?,
                rows: count(item, "rows")?,
                is_done: item.flag("done"),
            })
        };
        Ok(item.as_ref().and_then(read))
    }

    /// Notes how far a run has come.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_replay(&self, run: &RequestId, replay: &Replay) -> Result<(), AwsError> {
        let mut item = replay_key(run);
        if let Some(after) = &replay.after {
            item.insert("after".to_owned(), s(after.as_str()));
        }
        for (name, count) in [
            ("entries", replay.entries),
            ("of", replay.of),
            ("tombstones", replay.tombstones),
            ("rows", replay.rows),
        ] {
            item.insert(name.to_owned(), n(count));
        }
        let done = aws_sdk_dynamodb::types::AttributeValue::Bool(replay.is_done);
        item.insert("done".to_owned(), done);
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item)).send().await;
        put.map(|_put| ()).map_err(|e| AwsError::of("PutItem", &e))
    }
}

fn replay_key(run: &RequestId) -> Item {
    key(format!("replay#{run}"), SORT)
}
