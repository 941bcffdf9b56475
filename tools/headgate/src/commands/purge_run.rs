//! `headgate purge run`: the purge now, in a local run, and what a run would do, anywhere.
//!
//! Destroys nothing by itself and could not: the purge is its function's, under a role of its own that no person
//! has. In an account this says how to start that function.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use headgate_aws::AwsError;
use headgate_aws::messages::Part;
use headgate_domain::retention::{Store, days_to_destroy, sweep_before};
use headgate_domain::time::{Day, Timestamp};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::purge::bar;
use crate::cli::ClientArgs;
use crate::connection::Connection;
use crate::control;

/// How many rows of each store.
type Rows = BTreeMap<Store, u64>;

/// Runs the purge of a local run, or shows what a run would do.
///
/// # Errors
/// When there is no local run to run it in, it failed, or the keys cannot be read.
pub(super) async fn run(dry_run: bool, client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    if dry_run {
        return Box::pin(would_do(&connection, client)).await;
    }
    let Some(url) = connection.control_url() else {
        bail!(
            "in an account the purge is run by its function alone, because nobody else may destroy a key: \
             aws lambda invoke --function-name {}-retention-purge /dev/stdout",
            connection.deployment()?
        );
    };
    let waiting = if client.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner().with_message("destroying what is due, and sweeping")
    };
    waiting.enable_steady_tick(Duration::from_millis(100));
    let answer = control::call(url, "POST", "/purge", None).await;
    waiting.finish_and_clear();
    let answer = answer.context("the purge failed; running it again goes on where it ended")?;
    if client.json {
        println!("{answer}");
    } else {
        let manifest = answer.get("manifest").and_then(Value::as_str);
        print!("{}", manifest.unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run at this moment would do.
struct Would {
    now: Timestamp,
    /// Keys that are due and exist.
    destroy: Vec<Day>,
    /// Rows of earlier days go.
    before: Day,
    /// Whoever may not read messages is told so: the keys are what counts.
    rows: Result<Rows, AwsError>,
}

async fn would_do(connection: &Connection, client: &ClientArgs) -> Result<ExitCode> {
    let (now, keyring) = (connection.now().await?, connection.keyring()?);
    let due: Vec<Day> = days_to_destroy(now).collect();
    let looking = bar("keys", due.len().try_into()?, client.json)?;
    let mut destroy = Vec::new();
    for day in due {
        let is_there = keyring.has(day.into()).await;
        if is_there.context("the keys table does not answer")? {
            destroy.push(day);
        }
        looking.inc(1);
    }
    looking.finish_and_clear();
    let before = sweep_before(now);
    let counting = bar("rows", 0, client.json)?;
    let rows = Box::pin(rows(connection, before, &counting)).await?;
    counting.finish_and_clear();
    let would = Would {
        now,
        destroy,
        before,
        rows,
    };
    if client.json {
        println!("{}", in_json(&would));
    } else {
        print!("{}", in_words(&would));
    }
    Ok(ExitCode::SUCCESS)
}

/// How many rows are past their time.
async fn rows(
    connection: &Connection,
    before: Day,
    bar: &ProgressBar,
) -> Result<Result<Rows, AwsError>> {
    let (messages, evidence) = (connection.messages()?, connection.evidence()?);
    let controls = connection.controls()?;
    let counted = async {
        let (numbers, _are_new) = evidence.outbox_numbers(&controls).await?;
        let parts = [Part::of_index(), Part::of_outbox(&numbers)].concat();
        bar.set_length(u64::try_from(parts.len()).unwrap_or_default());
        let mut rows: Rows = Store::ALL.into_iter().map(|store| (store, 0)).collect();
        for part in parts {
            let mut from = None;
            loop {
                let counted = messages.count_sweep(part, before, from).await?;
                for (store, count) in counted.rows {
                    let sum = rows.entry(store).or_default();
                    *sum = sum.saturating_add(count);
                }
                from = counted.next;
                if from.is_none() {
                    break;
                }
            }
            bar.inc(1);
        }
        Ok(rows)
    };
    Ok(counted.await)
}

fn in_json(would: &Would) -> Value {
    let destroy: Vec<String> = would.destroy.iter().map(Day::to_string).collect();
    let rows = would.rows.as_ref().ok().map(|rows| {
        let rows = rows.iter();
        rows.map(|(store, count)| (store.word().to_owned(), json!(count)))
            .collect::<Value>()
    });
    json!({
        "dry_run": true, "now": would.now, "destroy": destroy, "rows_before": would.before.to_string(),
        "rows": rows, "not_counted": would.rows.as_ref().err().map(ToString::to_string),
    })
}

fn in_words(would: &Would) -> String {
    let mut text = format!("a run at {} would\n", would.now);
    let mut line = |words: String| {
        text.push_str("  ");
        text.push_str(&words);
        text.push('\n');
    };
    if would.destroy.is_empty() {
        line("destroy no key: none is due".to_owned());
    }
    for day in &would.destroy {
        line(format!("destroy the key of {day}"));
    }
    match &would.rows {
        Ok(rows) => {
            for (store, count) in rows {
                let of = store.word();
                line(format!(
                    "delete {count} rows of {of} from before {}",
                    would.before
                ));
            }
        }
        Err(error) => line(format!(
            "delete rows from before {}; they are not counted ({error}): an operator may not read messages",
            would.before
        )),
    }
    text.push_str("nothing was changed\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_read_messages_still_learns_which_keys_would_go() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let day = now.day().plus(-90);
        let would = Would {
            now,
            destroy: vec![day],
            before: day.plus(1),
            rows: Err(AwsError::new("Query", "AccessDeniedException")),
        };
        let text = in_words(&would);
        assert!(
            text.contains(&format!("destroy the key of {day}")),
            "{text}"
        );
        assert!(text.contains("not counted (Query failed: AccessDeniedException)"));
        assert!(in_json(&would)["rows"].is_null());
    }
}
