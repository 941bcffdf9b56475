//! `dlq redrive` and `dlq discard`: entries leave the dead-letter queue, one way or the other.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_aws::keyring::Keyring;
use headgate_aws::queue::{Queue, Reader, Received};
use headgate_domain::time::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::content::{Stays, again};
use super::entry::{Entry, Kind};
use super::taking::{Taken, WORK_SECONDS, keep, release, says_which, take, warn};
use crate::cli::{DlqDiscardArgs, DlqPickArgs, QueueArg};
use crate::connection::Connection;

/// What became of the entries of a command.
#[derive(Default)]
struct Tally {
    redriven: usize,
    stayed: Vec<(String, Stays)>,
}

/// Puts entries back on their queues.
pub(super) async fn redrive(pick: &DlqPickArgs) -> Result<ExitCode> {
    says_which(pick)?;
    let connection = Connection::open(pick.client.env_file.as_deref())?;
    let all = take(&connection, pick.queue, pick.max, WORK_SECONDS).await?;
    warn(&connection, pick.queue);
    let kept = keep(all, pick).await?;
    let (now, bar) = match prepared(&connection, &kept, pick).await {
        Ok(prepared) => prepared,
        Err(error) => {
            release(kept).await.ok();
            return Err(error);
        }
    };
    let mut tally = Tally::default();
    let mut kept = kept.into_iter();
    while let Some(taken) = kept.next() {
        let outcome = back(&connection, taken, now, &bar, &mut tally).await;
        if let Err(error) = outcome {
            bar.finish_and_clear();
            release(kept.collect()).await.ok();
            let done = tally.redriven;
            return Err(error).with_context(|| {
                format!("{done} were put back; the rest is where it was, so just try again")
            });
        }
    }
    bar.finish_and_clear();
    say(&tally, pick.client.json, &connection.env_flag());
    Ok(if tally.stayed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What can fail before anything is touched.
async fn prepared(
    connection: &Connection,
    kept: &[Taken],
    pick: &DlqPickArgs,
) -> Result<(Timestamp, ProgressBar)> {
    for taken in kept.iter().filter(|taken| taken.queue != QueueArg::Wake) {
        connection.queue_url(&taken.queue.variable())?;
    }
    if needs_keys(kept) {
        connection.keyring()?;
    }
    let total: usize = kept.iter().map(|taken| taken.entries.len()).sum();
    Ok((connection.now().await?, bar(total, pick.client.json)?))
}

fn needs_keys(kept: &[Taken]) -> bool {
    kept.iter().any(|taken| {
        let sealed = |entry: &Entry| matches!(entry.kind, Kind::Letter(_));
        taken.queue == QueueArg::Notifications && taken.entries.iter().any(sealed)
    })
}

fn bar(total: usize, json: bool) -> Result<ProgressBar> {
    if json {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(u64::try_from(total)?);
    bar.set_style(ProgressStyle::with_template(
        "putting back {bar:40} {pos}/{len}",
    )?);
    Ok(bar)
}

/// Puts back what was taken from one queue; what could not be stays, and is visible again at once.
async fn back(
    connection: &Connection,
    taken: Taken,
    now: Timestamp,
    bar: &ProgressBar,
    tally: &mut Tally,
) -> Result<()> {
    let Taken {
        queue,
        reader,
        mut entries,
    } = taken;
    let target = connection.queue(&queue.variable()).ok();
    let keyring = connection.keyring().ok();
    let mut left: Vec<Received> = Vec::new();
    let mut failure = None;
    while let Some(parts) = next_content(&mut entries) {
        let count = parts.len();
        let outcome = if failure.is_none() {
            one(&parts, target.as_ref(), keyring.as_ref(), now, &reader).await
        } else {
            Ok(Some(""))
        };
        match outcome {
            Ok(None) => tally.redriven += count,
            Ok(Some(why)) => {
                for entry in &parts {
                    if failure.is_none() {
                        tally.stayed.push((entry.message.id.clone(), why));
                    }
                }
                left.extend(parts.into_iter().map(|entry| entry.message));
            }
            Err(error) => {
                failure = Some(error);
                left.extend(parts.into_iter().map(|entry| entry.message));
            }
        }
        bar.inc(u64::try_from(count)?);
    }
    let released = reader.release(&left).await;
    match failure {
        Some(error) => Err(error),
        None => released.context("SQS did not put the rest back at once; it comes back by itself"),
    }
}

/// The next entry, with the other parts of its content.
fn next_content(entries: &mut Vec<Entry>) -> Option<Vec<Entry>> {
    let first = entries.pop()?;
    let mut parts = vec![];
    let mut index = 0;
    while let Some(entry) = entries.get(index) {
        if first.belongs_with(entry) {
            parts.push(entries.swap_remove(index));
        } else {
            index += 1;
        }
    }
    parts.insert(0, first);
    Some(parts)
}

/// Sends one content, then removes its entries: in this order, so that nothing is lost in between.
async fn one(
    parts: &[Entry],
    target: Option<&Queue>,
    keyring: Option<&Keyring>,
    now: Timestamp,
    reader: &Reader,
) -> Result<Option<Stays>> {
    let again = match again(parts, keyring, now).await? {
        Ok(again) => again,
        Err(why) => return Ok(Some(why)),
    };
    let target = target.context("the queue to put it back on is not known")?;
    let attributes: Vec<(&str, &str)> = again
        .encoding
        .iter()
        .map(|word| ("encoding", word.as_str()))
        .collect();
    target
        .send(again.body.reveal(), &attributes)
        .await
        .context("SQS did not take it back")?;
    for entry in parts {
        reader
            .delete(std::slice::from_ref(&entry.message))
            .await
            .context(
                "it was put back and is still here, too: redriving it again changes nothing, its id protects it",
            )?;
    }
    Ok(None)
}

fn say(tally: &Tally, json: bool, flag: &str) {
    if json {
        let stayed: Vec<Value> = tally
            .stayed
            .iter()
            .map(|(id, why)| json!({"id": id, "why": why}))
            .collect();
        println!("{}", json!({"redriven": tally.redriven, "stayed": stayed}));
        return;
    }
    if tally.redriven == 0 && tally.stayed.is_empty() {
        println!("nothing to put back");
        return;
    }
    println!("put back: {}", tally.redriven);
    for (id, why) in &tally.stayed {
        println!("stays: {}  {why}", id.get(..8).unwrap_or(id));
    }
    println!("what comes of them: headgate events --follow{flag}, and headgate dlq list{flag}");
}

/// Deletes entries, if that is really meant.
pub(super) async fn discard(args: &DlqDiscardArgs) -> Result<ExitCode> {
    let pick = &args.pick;
    says_which(pick)?;
    let connection = Connection::open(pick.client.env_file.as_deref())?;
    let all = take(&connection, pick.queue, pick.max, WORK_SECONDS).await?;
    warn(&connection, pick.queue);
    let kept = keep(all, pick).await?;
    let count: usize = kept.iter().map(|taken| taken.entries.len()).sum();
    if !args.yes {
        release(kept).await?;
        bail!("{count} would be discarded for good, and nothing was: add --yes to mean it");
    }
    for taken in kept {
        let messages: Vec<Received> = taken.entries.into_iter().map(|e| e.message).collect();
        taken.reader.delete(&messages).await.with_context(|| {
            format!(
                "not all of {} were discarded: try again",
                taken.queue.word()
            )
        })?;
    }
    if pick.client.json {
        println!("{}", json!({"discarded": count}));
    } else {
        println!("discarded: {count}");
    }
    Ok(ExitCode::SUCCESS)
}
