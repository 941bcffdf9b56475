//! Takes entries off dead-letter queues for a moment, and puts back what was not dealt with.
//!
//! Promises that each entry is seen once, and that nothing taken stays hidden: what is not deleted is put
//! back at once, also when something fails; if the command is killed SQS puts it back by itself.

use std::collections::HashSet;

use anyhow::{Context as _, Result, bail};
use headgate_aws::queue::{Reader, Received};
use tokio::task::JoinSet;

use super::entry::Entry;
use crate::cli::{DlqPickArgs, QueueArg};
use crate::connection::Connection;

/// How long a look may take.
pub(super) const LOOK_SECONDS: i32 = 60;
/// How long it may take to deal with what was taken.
pub(super) const WORK_SECONDS: i32 = 600;
/// A long poll asks every server of a queue, so that one empty answer means empty.
const POLL_SECONDS: i32 = 1;
/// Shorter beginnings of ids would be matched by chance.
const SHORTEST_ID: usize = 6;

/// What was taken from one queue.
pub(super) struct Taken {
    pub(super) queue: QueueArg,
    pub(super) reader: Reader,
    pub(super) entries: Vec<Entry>,
}

impl Taken {
    /// Puts everything back.
    pub(super) async fn release(self) -> Result<()> {
        let messages: Vec<Received> = self.entries.into_iter().map(|e| e.message).collect();
        self.reader
            .release(&messages)
            .await
            .context("SQS did not put the entries back at once; they come back by themselves")
    }
}

/// The queues that [`take`] does not look at, because nobody said where their dead letters are.
pub(super) fn not_looked_at(connection: &Connection, only: Option<QueueArg>) -> Vec<QueueArg> {
    let is_unknown =
        |queue: &QueueArg| connection.queue_url(&queue.dead_letter_variable()).is_err();
    let all = QueueArg::ALL.into_iter().filter(|_| only.is_none());
    all.filter(is_unknown).collect()
}

/// What to set, so that a queue is looked at.
pub(super) fn to_set(queue: QueueArg) -> String {
    format!("HEADGATE_QUEUE_{}_URL", queue.dead_letter_variable())
}

/// Says which queues are not looked at: what somebody searches for may be there.
pub(super) fn warn(connection: &Connection, only: Option<QueueArg>) {
    eprint!("{}", said(&not_looked_at(connection, only)));
}

/// A line for each queue that is not looked at.
pub(super) fn said(unknown: &[QueueArg]) -> String {
    let line = |queue: &QueueArg| {
        let (word, variable) = (queue.word(), to_set(*queue));
        format!("not looked at: {word}: {variable} is not set (an output of the stack)\n")
    };
    unknown.iter().map(line).collect()
}

/// Takes up to `max` entries of each queue, all queues at the same time.
pub(super) async fn take(
    connection: &Connection,
    only: Option<QueueArg>,
    max: usize,
    hide_seconds: i32,
) -> Result<Vec<Taken>> {
    let mut tasks = JoinSet::new();
    for queue in QueueArg::ALL {
        if only.is_some_and(|only| only != queue) {
            continue;
        }
        let name = queue.dead_letter_variable();
        if only.is_none() && connection.queue_url(&name).is_err() {
            continue;
        }
        let reader = connection.reader(&name)?;
        tasks.spawn(async move { one(queue, reader, max, hide_seconds).await });
    }
    if tasks.is_empty() {
        bail!(
            "no dead-letter queue is known: set HEADGATE_QUEUE_<QUEUE>_DLQ_URL (outputs of the stack), or pass --env-file of a running `headgate dev`"
        );
    }
    let (mut all, mut failure) = (Vec::new(), None);
    while let Some(taken) = tasks.join_next().await {
        match taken.context("a look broke off")? {
            Ok(taken) => all.push(taken),
            Err(error) => failure = Some(error),
        }
    }
    if let Some(error) = failure {
        release(all).await.ok();
        return Err(error);
    }
    all.sort_by_key(|taken| taken.queue);
    Ok(all)
}

/// Puts everything back.
pub(super) async fn release(all: Vec<Taken>) -> Result<()> {
    for taken in all {
        taken.release().await?;
    }
    Ok(())
}

async fn one(queue: QueueArg, reader: Reader, max: usize, hide_seconds: i32) -> Result<Taken> {
    let (mut seen, mut entries) = (HashSet::new(), Vec::new());
    while entries.len() < max {
        let more = match reader.take(POLL_SECONDS, hide_seconds).await {
            Ok(more) => more,
            Err(error) => {
                let taken = Taken {
                    queue,
                    reader,
                    entries,
                };
                taken.release().await.ok();
                return Err(error).with_context(|| {
                    format!("the dead letters of {} cannot be read", queue.word())
                });
            }
        };
        let before = entries.len();
        let (fresh, again): (Vec<Received>, Vec<Received>) = more
            .into_iter()
            .partition(|message| seen.insert(message.id.clone()));
        drop(again);
        entries.extend(fresh.into_iter().map(|message| Entry::of(queue, message)));
        if entries.len() == before {
            break;
        }
    }
    Ok(Taken {
        queue,
        reader,
        entries,
    })
}

/// Keeps of what was taken what was picked, parts of one content together, and puts the rest back.
pub(super) async fn keep(all: Vec<Taken>, pick: &DlqPickArgs) -> Result<Vec<Taken>> {
    if let Err(error) = check(&all, pick) {
        release(all).await.ok();
        return Err(error);
    }
    let mut kept = Vec::new();
    for taken in all {
        let Taken {
            queue,
            reader,
            entries,
        } = taken;
        let picked: Vec<bool> = entries.iter().map(|e| is_picked(e, pick)).collect();
        // A content that was split is picked as a whole.
        let is_chosen = |entry: &Entry| {
            let mut all = entries.iter().zip(&picked);
            all.any(|(other, is_picked)| *is_picked && other.belongs_with(entry))
        };
        let chosen: Vec<bool> = entries
            .iter()
            .zip(&picked)
            .map(|(entry, is_picked)| *is_picked || is_chosen(entry))
            .collect();
        let mut flags = chosen.into_iter();
        let (entries, rest): (Vec<Entry>, Vec<Entry>) = entries
            .into_iter()
            .partition(|_| flags.next() == Some(true));
        let rest = Taken {
            queue,
            reader: reader.clone(),
            entries: rest,
        };
        rest.release().await?;
        if !entries.is_empty() {
            kept.push(Taken {
                queue,
                reader,
                entries,
            });
        }
    }
    Ok(kept)
}

/// Refuses a pick that names nothing, and ids that name nothing or more than one thing.
fn check(all: &[Taken], pick: &DlqPickArgs) -> Result<()> {
    let entries = || all.iter().flat_map(|taken| &taken.entries);
    for id in &pick.ids {
        let found = entries().filter(|e| names(id, e)).count();
        if found != 1 {
            bail!("{}", not_one(id, found));
        }
    }
    Ok(())
}

/// What to say when an id does not name exactly one entry.
pub(super) fn not_one(id: &str, found: usize) -> String {
    if id.len() < SHORTEST_ID {
        format!("{id} is too short for an id: give at least {SHORTEST_ID} characters")
    } else if found == 0 {
        format!(
            "no entry has the id {id}: `headgate dlq list` shows them (--max, if there are many)"
        )
    } else {
        format!("{id} is the beginning of {found} ids: give more of it")
    }
}

/// Whether an id, or the beginning of one, is this entry's.
pub(super) fn names(id: &str, entry: &Entry) -> bool {
    id.len() >= SHORTEST_ID && entry.message.id.starts_with(id)
}

fn is_picked(entry: &Entry, pick: &DlqPickArgs) -> bool {
    let by_reason = pick.reason.as_deref().is_some_and(|r| r == entry.reason());
    pick.all || by_reason || pick.ids.iter().any(|id| names(id, entry))
}

/// A pick must say what it means.
pub(super) fn says_which(pick: &DlqPickArgs) -> Result<()> {
    if pick.ids.is_empty() && pick.reason.is_none() && !pick.all {
        bail!(
            "which entries? give their ids, or --reason WORD, or --all (with --queue, only of that queue)"
        );
    }
    Ok(())
}
