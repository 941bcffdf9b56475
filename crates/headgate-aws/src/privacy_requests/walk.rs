//! How far the walks through the table of people have come: what is under an older key, or under an older name, is
//! moved on in the background.

use headgate_domain::retention::vault_backup_days;
use headgate_domain::time::{DAY, Timestamp};

use super::PrivacyRequests;
use crate::AwsError;
use crate::item::{Attributes, Item, key, ms, n, s};
use crate::subjects::Cursor;

/// What a walk moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Seals anew under the newest vault key.
    Reseal,
    /// Moves what leads to people under the names of the newest pepper.
    Rename,
    /// Does so, and moves what stands on the suppression list.
    Relist,
}

impl Errand {
    /// Its name, in tables and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reseal => "reseal",
            Self::Rename => "rename",
            Self::Relist => "relist",
        }
    }
}

/// A walk through the table of people, in rounds: the last one finds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The version it moves to.
    pub version: u32,
    /// Which time it goes through the table, from 1.
    pub round: u64,
    /// Where it goes on; nothing at the beginning of a round.
    pub after: Option<Cursor>,
    /// Rows this round has seen: with something sealed; or people.
    pub rows: u64,
    /// What was under an older version.
    pub older: u64,
    /// What of it stays there: it does not open, though the person's salt is there.
    pub unopened: u64,
    /// When the round began.
    pub begun_at: Timestamp,
    /// When a round had found nothing under an older version, or nothing that opens.
    pub ended_at: Option<Timestamp>,
    /// Since when every round has found nothing under an older version.
    pub clear_since: Option<Timestamp>,
}

impl Walk {
    /// The beginning of a round.
    pub const fn round(version: u32, round: u64, now: Timestamp) -> Self {
        Self {
            version,
            round,
            after: None,
            rows: 0,
            older: 0,
            unopened: 0,
            begun_at: now,
            ended_at: None,
            clear_since: None,
        }
    }

    /// When no backup can bring back anything under an older version any more, if nothing is found there until then.
    pub fn certain_at(&self) -> Option<Timestamp> {
        // And two weeks more: who restores a table looks at it before it is put in service.
        let days = vault_backup_days().saturating_add(14);
        self.clear_since
            .map(|since| since.plus_millis(days.saturating_mul(DAY)))
    }

    /// Whether a round has found nothing under an older version since then: the keys of these open nothing any more
    /// that anybody could need.
    pub fn has_outlived_the_older(&self) -> bool {
        let ended = self.ended_at.zip(self.certain_at());
        ended.is_some_and(|(ended, certain)| ended >= certain)
    }

    /// The round after this one.
    #[must_use]
    pub fn next_round(&self, now: Timestamp) -> Self {
        Self {
            clear_since: self.clear_since,
            ..Self::round(self.version, self.round.saturating_add(1), now)
        }
    }
}

impl PrivacyRequests {
    /// How far the walk has come; nothing before the first.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn walk(&self, errand: Errand) -> Result<Option<Walk>, AwsError> {
        let item = self.get(key(errand.word(), errand.word())).await?;
        Ok(item.as_ref().and_then(read))
    }

    /// Notes how far it has come.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_walk(&self, errand: Errand, walk: &Walk) -> Result<(), AwsError> {
        let mut item = key(errand.word(), errand.word());
        if let Some(after) = &walk.after {
            item.insert("after_pk".to_owned(), s(&after.pk));
            item.insert("after_sk".to_owned(), s(&after.sk));
        }
        if let Some(ended_at) = walk.ended_at {
            item.insert("ended_at".to_owned(), ms(ended_at));
        }
        if let Some(clear_since) = walk.clear_since {
            item.insert("clear_since".to_owned(), ms(clear_since));
        }
        item.insert("begun_at".to_owned(), ms(walk.begun_at));
        item.insert("version".to_owned(), n(walk.version));
        for (name, count) in [
            ("round", walk.round),
            ("rows", walk.rows),
            ("older", walk.older),
            ("unopened", walk.unopened),
        ] {
            item.insert(name.to_owned(), n(count));
        }
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item)).send().await;
        put.map(|_put| ()).map_err(|e| AwsError::of("PutItem", &e))
    }
}

fn read(item: &Item) -> Option<Walk> {
    let count = |name| u64::try_from(item.number(name)?).ok();
    let text = |name: &str| item.text(name).map(str::to_owned);
    Some(Walk {
        version: u32::try_from(item.number("version")?).ok()?,
        round: count("round")?,
        after: text("after_pk")
            .zip(text("after_sk"))
            .map(|(pk, sk)| Cursor { pk, sk }),
        rows: count("rows")?,
        older: count("older")?,
        unopened: count("unopened")?,
        begun_at: item.time("begun_at")?,
        ended_at: item.time("ended_at"),
        clear_since: item.time("clear_since"),
    })
}
