//! In the background: what is under an older vault key is sealed anew under the newest, and what leads to people, or
//! stands on the suppression list, under older names is moved to the names of the newest pepper.
//!
//! Walks through the table of people, a minute of every five, from where the last one ended. Each begins once nobody
//! can be writing under the version before any more, and goes round until a round finds nothing. What does not open
//! is counted and told; it does not keep a walk from ending, but keeps the older keys: the purge destroys them once no
//! round has found anything under them for as long as backups reach back.

use std::time::{Duration, Instant};

use headgate_aws::privacy_requests::{Errand, Walk};
use headgate_aws::subjects::{Cursor, Walked};
use headgate_domain::time::{DAY, MINUTE, Timestamp};
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

/// The walks of a run end after this long: the function has other things to do.
const TIME: Duration = Duration::from_mins(1);
/// Whoever had read which vault key is newest has forgotten it by then (five minutes), and whatever a function was
/// doing with it is done (fifteen).
const SETTLED_MS: i64 = 20 * MINUTE;
/// What a walk could not move is looked for again this long after: what does not open may have been mended; and who
/// was erased, and is known again since, has a number that their entry on the list can be moved by.
const AGAIN_MS: i64 = 30 * DAY;

impl PrivacyWorker {
    /// Goes on with the walks that are to be made.
    pub(crate) async fn walk(&self, now: Timestamp) -> Result<(), WorkerError> {
        let started = Instant::now();
        for errand in [Errand::Reseal, Errand::Rename, Errand::Relist] {
            if let Some(version) = self.moves_to(errand, now).await? {
                Box::pin(self.go_on(errand, version, started, now)).await?;
            }
        }
        Ok(())
    }

    /// The version to move to, if it is time.
    async fn moves_to(&self, errand: Errand, now: Timestamp) -> Result<Option<u32>, WorkerError> {
        let people = &self.eraser.subjects;
        let peppers = people.peppers().version();
        let version = match errand {
            Errand::Reseal => {
                let in_force = people.keyring().vault_in_force().await?;
                let settled = in_force.filter(|(_, since)| now >= since.plus_millis(SETTLED_MS));
                settled.map(|(newest, _since)| newest.number())
            }
            Errand::Rename => {
                let known = self.requests.walk(errand).await?;
                // Restored from before: under the names of then nobody is found who was moved since.
                if known.is_some_and(|walk| walk.version > peppers.number()) {
                    return Err(WorkerError::PeppersWentBack);
                }
                let from = peppers.moves_pointers_at();
                from.filter(|from| now >= *from)
                    .map(|_from| peppers.number())
            }
            Errand::Relist => {
                let from = peppers.moves_entries_at();
                from.filter(|from| now >= *from)
                    .map(|_from| peppers.number())
            }
        };
        Ok(version)
    }

    async fn go_on(
        &self,
        errand: Errand,
        version: u32,
        started: Instant,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let known = self.requests.walk(errand).await?;
        let mut walk = match known.filter(|walk| walk.version == version) {
            Some(walk) => match walk.ended_at {
                None => walk,
                Some(ended) if again_at(errand, &walk, ended).is_some_and(|at| now >= at) => {
                    walk.next_round(now)
                }
                Some(_ended) => return Ok(()),
            },
            None => Walk::round(version, 1, now),
        };
        while walk.ended_at.is_none() && started.elapsed() <= TIME {
            let page = Box::pin(self.page(errand, walk.after.as_ref(), now)).await?;
            walk.rows = walk.rows.saturating_add(page.rows);
            walk.older = walk.older.saturating_add(page.older);
            walk.unopened = walk.unopened.saturating_add(page.unopened);
            walk.after = page.next;
            if walk.after.is_none() {
                told(errand, &walk);
                walk.clear_since = (walk.older == 0).then(|| walk.clear_since.unwrap_or(now));
                if walk.older == walk.unopened {
                    walk.ended_at = Some(now);
                } else {
                    walk = walk.next_round(now);
                }
            }
            self.requests.put_walk(errand, &walk).await?;
        }
        Ok(())
    }

    async fn page(
        &self,
        errand: Errand,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Result<Walked, WorkerError> {
        let people = &self.eraser.subjects;
        if errand == Errand::Reseal {
            return Ok(people.reseal_page(after).await?);
        }
        let is_list = errand == Errand::Relist;
        let mut page = people.rename_page(after, is_list, now).await?;
        if is_list {
            let found = self.eraser.consents.relist(&page.identifiers, now).await?;
            page.walked.older = page.walked.older.saturating_add(found);
        }
        Ok(page.walked)
    }
}

/// When it is walked once more, though it has ended.
fn again_at(errand: Errand, walk: &Walk, ended: Timestamp) -> Option<Timestamp> {
    let later = Some(ended.plus_millis(AGAIN_MS));
    match errand {
        Errand::Rename => None,
        Errand::Relist => later,
        Errand::Reseal if walk.has_outlived_the_older() => None,
        // What a table brought back from a backup has under an older key is found before that key goes.
        Errand::Reseal => walk.certain_at().or(later),
    }
}

fn told(errand: Errand, walk: &Walk) {
    let count = |number: u64| Field::number(i64::try_from(number).unwrap_or(i64::MAX));
    log(
        Level::Info,
        "walked",
        &[
            ("errand", Field::code(errand.word())),
            ("version", count(u64::from(walk.version))),
            ("round", count(walk.round)),
            ("rows", count(walk.rows)),
            ("older", count(walk.older)),
            ("unopened", count(walk.unopened)),
        ],
    );
}
