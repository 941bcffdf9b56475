//! `headgate pepper`: puts the next peppers in force, and shows how far what stands under older names has been moved.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_aws::privacy_requests::{Errand, PrivacyRequests, Walk};
use headgate_domain::identity::PepperVersion;
use serde_json::{Value, json};

use crate::cli::{ClientArgs, PepperAction, PepperArgs};
use crate::connection::Connection;

/// Runs what was asked for.
///
/// # Errors
/// When what stands under the peppers before has not been moved yet, or a table does not answer.
pub async fn run(args: &PepperArgs) -> Result<ExitCode> {
    match &args.action {
        PepperAction::Rotate { client } => rotate(client).await,
        PepperAction::Status { client } => status(client).await,
    }
}

async fn rotate(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let controls = connection.controls()?;
    let before = in_force(&connection).await?;
    let requests = connection.privacy_requests()?;
    let renamed = requests.walk(Errand::Rename).await;
    let renamed = renamed.context("the table does not answer")?;
    // The controls went back: what is asked for is a version that there was.
    let is_known = renamed.is_some_and(|walk| walk.version > before.number());
    if before != PepperVersion::FIRST && !is_known {
        let walk = walk(&requests, Errand::Relist, before).await?;
        if walk.is_none_or(|walk| walk.round == 1 && walk.ended_at.is_none()) {
            bail!(
                "version {} is not everywhere yet: two versions are looked up and a third would be found by nobody. \
                 `headgate pepper status` says how long it takes",
                before.number()
            );
        }
    }
    let next = controls.next_peppers(before, now).await;
    if !next.context("the controls did not take it")? {
        bail!("somebody else has put another version in force: see `headgate pepper status`");
    }
    if client.json {
        println!(
            "{}",
            json!({ "version": before.number().saturating_add(1), "since": now })
        );
    } else {
        println!(
            "version {} is in force since {now}; `headgate pepper status` shows how it spreads",
            before.number().saturating_add(1)
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let version = in_force(&connection).await?;
    let requests = connection.privacy_requests()?;
    let people = walk(&requests, Errand::Rename, version).await?;
    let list = walk(&requests, Errand::Relist, version).await?;
    if client.json {
        let told = json!({
            "version": version.number(), "since": version.since(),
            "people": { "from": version.moves_pointers_at(), "walk": people.as_ref().map(in_json) },
            "list": { "from": version.moves_entries_at(), "walk": list.as_ref().map(in_json) },
        });
        println!("{told}");
        return Ok(ExitCode::SUCCESS);
    }
    let renamed = requests.walk(Errand::Rename).await;
    let renamed = renamed.context("the table does not answer")?;
    if let Some(walk) = renamed.filter(|walk| walk.version > version.number()) {
        println!(
            "version {} is in force, though version {} was: the controls are from before (docs/operations.md)",
            version.number(),
            walk.version
        );
        return Ok(ExitCode::FAILURE);
    }
    let Some(since) = version.since() else {
        println!("version 1 is in force: no other was ever asked for");
        return Ok(ExitCode::SUCCESS);
    };
    println!("version {} is in force since {since}", version.number());
    for (what, from, walk) in [
        ("what leads to people", version.moves_pointers_at(), people),
        ("the suppression list", version.moves_entries_at(), list),
    ] {
        match (walk, from) {
            (Some(walk), _) => tell(what, &walk),
            (None, Some(from)) => println!("{what}: moves from {from} on"),
            (None, None) => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(what: &str, walk: &Walk) {
    match walk.ended_at {
        Some(at) => println!("{what}: round {}, ended {at}", walk.round),
        None => println!("{what}: round {}, begun {}", walk.round, walk.begun_at),
    }
    println!("  {:>9}  people seen", walk.rows);
    println!(
        "  {:>9}  times something stood under an older name",
        walk.older
    );
    println!(
        "  {:>9}  of these it stays there: the person does not open",
        walk.unopened
    );
}

async fn in_force(connection: &Connection) -> Result<PepperVersion> {
    let version = connection.controls()?.pepper_version().await;
    version.context("the controls do not answer")
}

/// The walk to a version, if it has begun.
async fn walk(
    requests: &PrivacyRequests,
    errand: Errand,
    version: PepperVersion,
) -> Result<Option<Walk>> {
    let walk = requests.walk(errand).await;
    let walk = walk.context("the table does not answer")?;
    Ok(walk.filter(|walk| walk.version == version.number()))
}

fn in_json(walk: &Walk) -> Value {
    json!({ "round": walk.round, "people": walk.rows, "older": walk.older, "unopened": walk.unopened,
            "begun_at": walk.begun_at, "ended_at": walk.ended_at })
}
