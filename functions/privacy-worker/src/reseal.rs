//! In the background: what is under an older vault key is sealed anew under the newest.
//!
//! A walk through the table of people, a minute of every five, from where the last one ended. It begins once nobody
//! can be sealing under the version before any more, and goes round until a round finds nothing. What does not open
//! is counted and told; it does not keep the walk from ending, and whoever destroys an old key has to look at it.

use std::time::{Duration, Instant};

use headgate_aws::privacy_requests::Reseal;
use headgate_domain::time::{MINUTE, Timestamp};
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

/// A run of the walk ends after this long: the function has other things to do.
const TIME: Duration = Duration::from_mins(1);
/// Whoever had read which version is newest has forgotten it by then (five minutes), and whatever a function was
/// doing with it is done (fifteen).
const SETTLED_MS: i64 = 20 * MINUTE;

impl PrivacyWorker {
    /// Goes on with the walk, if there is one to be made.
    pub(crate) async fn reseal(&self, now: Timestamp) -> Result<(), WorkerError> {
        let people = &self.eraser.subjects;
        let Some((newest, since)) = people.keyring().vault_in_force().await? else {
            // There was never more than one.
            return Ok(());
        };
        if now < since.plus_millis(SETTLED_MS) {
            return Ok(());
        }
        let version = newest.number();
        let known = self.requests.reseal().await?;
        let mut walk = match known.filter(|walk| walk.version == version) {
            Some(walk) if walk.ended_at.is_some() => return Ok(()),
            Some(walk) => walk,
            None => round(version, 1, now),
        };
        let started = Instant::now();
        loop {
            let page = Box::pin(people.reseal_page(walk.after.as_ref())).await?;
            walk.rows = walk.rows.saturating_add(page.rows);
            walk.older = walk.older.saturating_add(page.older);
            walk.unopened = walk.unopened.saturating_add(page.unopened);
            walk.after = page.next;
            if walk.after.is_none() {
                told(&walk);
                if walk.older == walk.unopened {
                    walk.ended_at = Some(now);
                } else {
                    walk = round(version, walk.round.saturating_add(1), now);
                }
            }
            self.requests.put_reseal(&walk).await?;
            if walk.ended_at.is_some() || started.elapsed() > TIME {
                return Ok(());
            }
        }
    }
}

const fn round(version: u32, round: u64, now: Timestamp) -> Reseal {
    Reseal {
        version,
        round,
        after: None,
        rows: 0,
        older: 0,
        unopened: 0,
        begun_at: now,
        ended_at: None,
    }
}

fn told(walk: &Reseal) {
    let count = |number: u64| Field::number(i64::try_from(number).unwrap_or(i64::MAX));
    log(
        Level::Info,
        "resealed",
        &[
            ("version", count(u64::from(walk.version))),
            ("round", count(walk.round)),
            ("rows", count(walk.rows)),
            ("older", count(walk.older)),
            ("unopened", count(walk.unopened)),
        ],
    );
}
