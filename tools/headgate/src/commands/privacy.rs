//! `headgate privacy`: what people ask about their own data, as an operator may see it, and the check of a receipt.
//!
//! Erases nobody: that is privacy-worker's alone. What can be asked for is put on its agenda.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use headgate_aws::privacy_requests::{PrivacyRequests, Request};
use headgate_domain::note::PublicKey;
use headgate_domain::privacy::{Denial, Extension, Receipt, RequestId, State, Task};
use headgate_domain::profiles::Right;
use headgate_domain::time::DAY;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::{ClientArgs, PrivacyAction, PrivacyArgs, PrivacyVerifyArgs};
use crate::connection::Connection;

/// Further ahead there is nothing on the agenda.
const AHEAD_MS: i64 = 1_000 * DAY;
/// Between two looks at how far a run has come.
const LOOK: Duration = Duration::from_secs(2);

/// Runs what was asked for.
///
/// # Errors
/// When something cannot be read or written. A receipt that does not hold is an answer.
pub async fn run(args: &PrivacyArgs) -> Result<ExitCode> {
    match &args.action {
        PrivacyAction::Agenda { client } => agenda(client).await,
        PrivacyAction::Show { request, client } => show(request, client).await,
        PrivacyAction::Withdraw { request, client } => withdraw(request, client).await,
        PrivacyAction::Lift {
            request,
            told,
            client,
        } => lift(request, *told, client).await,
        PrivacyAction::Fulfil { request, client } => {
            let done = "is closed within five minutes";
            plan(request, client, is_answerable, Task::Fulfil, done).await
        }
        PrivacyAction::Deny {
            request,
            reason,
            client,
        } => deny(request, reason, client).await,
        PrivacyAction::Extend {
            request,
            reason,
            client,
        } => extend(request, reason, client).await,
        PrivacyAction::Key { client } => key(client).await,
        PrivacyAction::Verify(args) => examine(args),
        PrivacyAction::ReplayAfterRestore { client } => replay(client).await,
        PrivacyAction::Hold(args) => super::hold::run(args).await,
    }
}

/// What is to be done, and what should have been.
async fn agenda(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let (now, requests) = (connection.now().await?, connection.privacy_requests()?);
    let planned = requests
        .due(now.plus_millis(AHEAD_MS))
        .await
        .context("the agenda cannot be read")?;
    let mut rows = Vec::with_capacity(planned.len());
    let mut overdue = 0_usize;
    for (at, task) in &planned {
        let request = match task.request() {
            Some(id) => requests
                .find(id)
                .await
                .context("a request cannot be read")?,
            None => None,
        };
        let is_overdue = request.as_ref().is_some_and(|request| request.due_at < now);
        overdue = overdue.saturating_add(usize::from(is_overdue));
        rows.push((*at, task, request, is_overdue));
    }
    if client.json {
        let rows = rows.iter().map(|(at, task, request, is_overdue)| {
            json!({
                "at": at, "task": task.word(), "about": task.about(),
                "due_at": request.as_ref().map(|request| request.due_at),
                "overdue": is_overdue,
            })
        });
        println!(
            "{}",
            json!({ "now": now, "tasks": rows.collect::<Vec<_>>() })
        );
    } else if rows.is_empty() {
        println!("nothing is to be done");
    } else {
        for (at, task, request, is_overdue) in &rows {
            let due = request.as_ref().map_or_else(String::new, |request| {
                format!("  due by {}", request.due_at)
            });
            let late = if *is_overdue { "  OVERDUE" } else { "" };
            println!("{at}  {:<6} {}{due}{late}", task.word(), task.about());
        }
    }
    Ok(if overdue > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn show(request: &str, client: &ClientArgs) -> Result<ExitCode> {
    let id = RequestId::parse(request.trim())?;
    let connection = Connection::open(client.env_file.as_deref())?;
    let found = connection.privacy_requests()?.find(&id).await;
    let Some(request) = found.context("the request cannot be read")? else {
        return Err(anyhow!(
            "nothing is known under {id}: the message that proves it has not come, or it was closed two years ago"
        ));
    };
    if client.json {
        println!("{}", as_json(&request));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{id}: {}, {}", request.right.word(), request.state.word());
    println!("arrived      {}", request.received_at);
    match request.closed_at {
        Some(at) => println!("done         {at}"),
        None => println!(
            "planned for  {}\ndue by law   {}",
            request.run_at, request.due_at
        ),
    }
    if let Some(why) = request.extension {
        println!("extended     {}", why.word());
    }
    if let Some(why) = request.denial {
        println!("denied       {}", why.word());
    }
    if let Some(receipt) = &request.receipt {
        println!("\n{receipt}");
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(request: &Request) -> Value {
    json!({
        "request": request.id.as_str(), "right": request.right.word(),
        "state": request.state.word(), "received_at": request.received_at,
        "run_at": request.run_at, "due_at": request.due_at,
        "closed_at": request.closed_at, "receipt": request.receipt,
        "extension": request.extension.map(Extension::word),
        "denial": request.denial.map(Denial::word),
    })
}

/// Has the worker close a request.
async fn withdraw(request: &str, client: &ClientArgs) -> Result<ExitCode> {
    let may = |request: &Request| {
        let may = request.state.may_become(State::Withdrawn);
        may.then_some(()).ok_or("is carried out, or closed")
    };
    let done = "is closed within five minutes";
    plan(request, client, may, Task::Withdraw, done).await
}

/// Has the worker end a restriction.
async fn lift(request: &str, was_told: bool, client: &ClientArgs) -> Result<ExitCode> {
    let may = |request: &Request| {
        let may = request.right == Right::Restriction && !request.state.is_closed();
        may.then_some(())
            .ok_or("is no restriction that is in force")
    };
    if was_told {
        let done = "ends within five minutes";
        return plan(request, client, may, Task::LiftTold, done).await;
    }
    let done = "ends within five minutes, if the person has written within 24 hours and so can be told; if show says \
         then that it stands, tell them by another way and add --told";
    plan(request, client, may, Task::Lift, done).await
}

/// Whether it waits for what the business says.
fn is_answerable(request: &Request) -> Result<(), &'static str> {
    if request.right != Right::Rectification {
        return Err(
            "is no rectification: what else people ask for is carried out by privacy-worker",
        );
    }
    let is_open = !request.state.is_closed();
    is_open.then_some(()).ok_or("is closed")
}

async fn deny(request: &str, reason: &str, client: &ClientArgs) -> Result<ExitCode> {
    let why = Denial::from_word(reason).context("the reason is none of the list")?;
    let task = |id| Task::Deny(id, why);
    let done = "is closed within five minutes; the page of the request says why, and so does a message, if the person \
         has written within 24 hours: if not, tell them by another way";
    plan(request, client, is_answerable, task, done).await
}

async fn extend(request: &str, reason: &str, client: &ClientArgs) -> Result<ExitCode> {
    let why = Extension::from_word(reason).context("the reason is none of the list")?;
    let may = |request: &Request| {
        is_answerable(request)?;
        let is_first = request.extension.is_none();
        is_first.then_some(()).ok_or("was extended before")
    };
    let task = |id| Task::Extend(id, why);
    let done = "is extended within five minutes, if the laws of the person allow it: show says until when. The page of \
         the request says why, and so does a message, if the person has written within 24 hours: if not, tell them by \
         another way";
    plan(request, client, may, task, done).await
}

/// Puts something on the agenda about a request of which it may be done; `done` says what comes of it.
async fn plan(
    request: &str,
    client: &ClientArgs,
    may: impl Fn(&Request) -> Result<(), &'static str>,
    task: impl Fn(RequestId) -> Task,
    done: &str,
) -> Result<ExitCode> {
    let id = RequestId::parse(request.trim())?;
    let connection = Connection::open(client.env_file.as_deref())?;
    let (now, requests) = (connection.now().await?, connection.privacy_requests()?);
    let found = requests
        .find(&id)
        .await
        .context("the request cannot be read")?;
    let Some(found) = found else {
        return Err(anyhow!("nothing is known under {id}"));
    };
    may(&found).map_err(|why| anyhow!("{id} {why}"))?;
    let planned = requests.plan(&task(id.clone()), now).await;
    planned.context("the agenda cannot be written")?;
    if client.json {
        println!("{}", json!({ "request": id.as_str() }));
    } else {
        println!("{id} {done}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn key(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let key = connection.receipt_key()?.public_key().await;
    let pem = key.context("KMS did not give the public key")?.to_pem();
    if client.json {
        println!("{}", json!({ "pem": pem }));
    } else {
        print!("{pem}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Verifies a receipt from files alone.
fn examine(args: &PrivacyVerifyArgs) -> Result<ExitCode> {
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let key =
        PublicKey::from_pem(&read(&args.key)?).with_context(|| args.key.display().to_string())?;
    let note = read(&args.receipt)?;
    // What is copied from a page may have lost its last line break, and gained others.
    let note = format!("{}\n", note.replace('\r', "").trim());
    let (code, answer) = match Receipt::of_note(&note, &key) {
        Ok(receipt) => {
            let rows = receipt.stores.iter().map(|store| store.matched);
            let rows = rows.fold(0, u64::saturating_add);
            let keys = receipt.destroyed.len();
            if !args.json {
                println!(
                    "holds: {} of {}, completed {}; {rows} rows deleted, {keys} keys destroyed",
                    receipt.request, receipt.origin, receipt.completed_at
                );
            }
            let request = receipt.request.as_str();
            let about = json!({ "holds": true, "request": request, "rows": rows, "keys": keys });
            (ExitCode::SUCCESS, about)
        }
        Err(fault) => {
            if !args.json {
                println!("does not hold: {fault}");
            }
            let about = json!({ "holds": false, "finding": fault.to_string() });
            (ExitCode::FAILURE, about)
        }
    };
    if args.json {
        println!("{answer}");
    }
    Ok(code)
}

/// Has the worker go through the journal, and waits until it has.
async fn replay(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let (now, requests) = (connection.now().await?, connection.privacy_requests()?);
    let run = RequestId::from_random(headgate_aws::random()?);
    requests
        .plan(&Task::Replay(run.clone()), now)
        .await
        .context("the agenda cannot be written")?;
    let bar = bar(client.json)?;
    let done = wait(&requests, &run, &bar).await?;
    bar.finish_and_clear();
    if client.json {
        println!("{done}");
    } else {
        println!(
            "{} erasures were gone through, {} keys are on the suppression list, {} rows had come back and are gone",
            done["entries"], done["tombstones"], done["rows"]
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn wait(requests: &PrivacyRequests, run: &RequestId, bar: &ProgressBar) -> Result<Value> {
    loop {
        let found = requests.replay(run).await;
        if let Some(replay) = found.context("the run cannot be read")? {
            bar.set_length(replay.of);
            bar.set_position(replay.entries);
            if replay.is_done {
                return Ok(json!({
                    "run": run.as_str(), "entries": replay.entries,
                    "tombstones": replay.tombstones, "rows": replay.rows,
                }));
            }
        }
        bar.tick();
        tokio::time::sleep(LOOK).await;
    }
}

fn bar(is_json: bool) -> Result<ProgressBar> {
    if is_json {
        return Ok(ProgressBar::hidden());
    }
    let style =
        ProgressStyle::with_template("{spinner} erasing again {wide_bar} {pos}/{len}  {msg}")?;
    let bar = ProgressBar::new(0).with_style(style);
    bar.set_message("the worker looks every five minutes");
    Ok(bar)
}
