//! `headgate breach drill`: an invented breach on this machine, from the first count to the drafts.
//!
//! Starts a gateway of its own in this process, with the functions as they are deployed, and invented people who agree
//! and are written to. Then everything is done as on the day: the scope, the clocks, the drafts. Fails unless the scope
//! counts exactly whom it invented. What takes time on the day, filling in the blanks, no machine can rehearse.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use headgate_aws::breach::Census;
use headgate_aws::queue::{Queue, Reader};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::profiles::BreachTimes;
use headgate_domain::retention::CONTENT_DAYS;
use headgate_domain::time::{HOUR, Timestamp};
use local_cloud::Calendar;
use serde_json::{Value, json};

use super::{Asked, count, notice, print, report};
use crate::cli::BreachDrillArgs;
use crate::stage::{Options, Stage};

/// Invented people: with a number of Canada, who are written to, and with a user id of Germany, whom the region of the
/// shipped configuration is refused for.
const CANADIANS: usize = 9;
const GERMANS: usize = 4;
/// Everything is on this machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was done, and how long it took.
struct Step {
    what: &'static str,
    took: Duration,
}

/// Plays it.
///
/// # Errors
/// When something does not start, or the scope counts other people than there are.
pub(super) async fn run(args: &BreachDrillArgs) -> Result<ExitCode> {
    // What the functions log is of no use here.
    headgate_lambda::log::capture(Arc::new(|_line| {}));
    let mut steps = Vec::new();
    let begun = Instant::now();
    let options = Options {
        first_port: None,
        data_dir: None,
        graph_url: None,
        calendar: Calendar::at_fixed_morning(),
        per_second: None,
        sends: true,
    };
    let stage = Box::pin(Stage::start(options)).await?;
    note(&mut steps, "a gateway on this machine", begun);
    let outcome = Box::pin(play(args, &stage, &mut steps)).await;
    let stopped = stage.stop().await;
    let (scope, drafts) = outcome?;
    stopped?;
    let took = steps.iter().map(|step| {
        let seconds = step.took.as_secs_f64();
        json!({ "step": step.what, "seconds": (seconds * 1_000.0).round() / 1_000.0 })
    });
    if args.json {
        let mut told = notice::as_json(&drafts);
        told["scope"] = scope;
        told["steps"] = took.collect();
        println!("{told}");
        return Ok(ExitCode::SUCCESS);
    }
    print(&scope);
    println!("\ndrafts");
    for draft in &drafts {
        println!("  {:>3} blanks  {}", draft.blanks(), draft.file);
    }
    println!("\nhow long it took");
    for step in &steps {
        println!("  {:>7.1} s  {}", step.took.as_secs_f64(), step.what);
    }
    match &args.out {
        Some(folder) => println!(
            "\nThe drafts are in {}. Now your part: fill in the blanks, and note how long that takes.",
            folder.display()
        ),
        None => {
            println!("\nWith --out FOLDER the drafts are written, to be filled in as on the day.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn note(steps: &mut Vec<Step>, what: &'static str, since: Instant) {
    let took = since.elapsed();
    steps.push(Step { what, took });
}

async fn play(
    args: &BreachDrillArgs,
    stage: &Stage,
    steps: &mut Vec<Step>,
) -> Result<(Value, Vec<notice::Draft>)> {
    let begun = Instant::now();
    furnish(stage).await?;
    note(steps, "invented people agree and are written to", begun);

    let begun = Instant::now();
    let now = stage.now();
    let asked = asked(stage, now);
    let found = count(&census(stage)?, &asked, true).await?;
    let scope = report(&asked, &found, None, &stage.config);
    note(steps, "scope: who and what was within reach", begun);
    let people = &scope["people"];
    let expected =
        json!([{ "country": "CA", "people": CANADIANS }, { "country": "DE", "people": GERMANS }]);
    if people["by_country"] != expected || people["written_to"] != json!(CANADIANS) {
        bail!("the scope counts other people than were invented: {people}");
    }

    let begun = Instant::now();
    let read = serde_json::from_value(scope.clone()).context("the scope is not one")?;
    let drafts = notice::drafts(&read, &stage.config, stage.now());
    if let Some(folder) = &args.out {
        notice::write(folder, &drafts)?;
    }
    note(steps, "clocks and drafts", begun);
    Ok((scope, drafts))
}

/// Everybody agrees, and those of Canada get a message.
async fn furnish(stage: &Stage) -> Result<()> {
    let people: Vec<Value> = (0..CANADIANS)
        .map(|n| json!({ "phone": format!("+161355501{:02}", 10 + n) }))
        .chain((0..GERMANS).map(|n| json!({ "bsuid": format!("DE.2000{n:04}") })))
        .collect();
    let now = stage.now();
    let consent = |(n, to): (usize, &Value)| {
        json!({
            "schema": headgate_domain::consent::SCHEMA, "id": format!("drill-{n}"), "to": to,
            "purpose": [Purpose::Utility.word()], "action": "given", "method": "agent",
            "notice": "I agree to messages about my orders on WhatsApp.", "locale": "en",
            "occurred_at": now.to_string(), "evidence": { "agent": "drill", "reference": format!("drill-{n}") },
        })
        .to_string()
    };
    let message = |(n, to): (usize, &Value)| {
        json!({
            "schema": headgate_domain::outbound::SCHEMA, "id": format!("drill-{n}"), "from": "main", "to": to,
            "purpose": Purpose::Utility.word(),
            "message": { "type": "template", "template": { "name": "order_shipped",
                "language": { "code": "en_US" }, "components": [] } },
        })
        .to_string()
    };
    let events = Reader::new(&stage.aws, &stage.queue_url("AppEvents")?);
    let consents: Vec<String> = people.iter().enumerate().map(consent).collect();
    queue(stage, "Consents")?.send_batch(&consents).await?;
    until(&events, "subject.opted_in", people.len()).await?;
    let written = people.iter().enumerate().take(CANADIANS);
    let messages: Vec<String> = written.map(message).collect();
    queue(stage, "Utility")?.send_batch(&messages).await?;
    until(&events, "message.accepted", CANADIANS).await
}

fn queue(stage: &Stage, name: &str) -> Result<Queue> {
    Ok(Queue::new(&stage.aws, &stage.queue_url(name)?))
}

/// Reads what apps are told until so many different events of a type came.
async fn until(events: &Reader, kind: &str, many: usize) -> Result<()> {
    let begun = Instant::now();
    let mut seen = std::collections::HashSet::new();
    while seen.len() < many {
        if begun.elapsed() > PATIENCE {
            bail!(
                "only {} of {many} {kind} came within {} s",
                seen.len(),
                PATIENCE.as_secs()
            );
        }
        let received = events
            .receive(1)
            .await
            .context("app-events cannot be read")?;
        for message in &received {
            let event: Value =
                serde_json::from_str(&message.body).context("an app event is not JSON")?;
            if event["type"] == kind {
                seen.insert(event["event_id"].to_string());
            }
        }
        let deleted = events.delete(&received).await;
        deleted.context("app events cannot be deleted")?;
    }
    Ok(())
}

/// Somebody had the tables for the last six hours; it was known an hour ago.
fn asked(stage: &Stage, now: Timestamp) -> Asked {
    let access = (now.plus_millis(-6 * HOUR), now.plus_millis(1));
    Asked {
        access,
        content: (access.0.day().plus(-CONTENT_DAYS).start(), access.1),
        numbers: stage.config.numbers.iter().map(|n| n.id.clone()).collect(),
        lanes: PURPOSES.to_vec(),
        is_whole: true,
        has_inbound: true,
        times: BreachTimes {
            known_at: now.plus_millis(-HOUR),
            assessed_at: None,
            people_told_at: None,
        },
        now,
    }
}

fn census(stage: &Stage) -> Result<Census> {
    let names = stage.cloud.function_environment("IntakeFunction")?;
    let name = |variable: &str| {
        let name = names.get(variable);
        name.with_context(|| format!("the template gives IntakeFunction no {variable}"))
    };
    Ok(Census::new(
        &stage.aws,
        name("HEADGATE_TABLE_MESSAGES")?,
        name("HEADGATE_TABLE_SUBJECTS")?,
    ))
}
