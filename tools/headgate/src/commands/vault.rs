//! `headgate vault`: asks for the next vault key, and shows what came of it. An operator cannot mint one, and the purge
//! cannot be called.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use headgate_aws::privacy_requests::Errand;
use serde_json::json;

use crate::cli::{ClientArgs, VaultAction, VaultArgs};
use crate::connection::Connection;

/// Runs what was asked for.
///
/// # Errors
/// When the controls do not take it, or a table does not answer.
pub async fn run(args: &VaultArgs) -> Result<ExitCode> {
    match &args.action {
        VaultAction::Rotate { client } => rotate(client).await,
        VaultAction::Status { client } => status(client).await,
    }
}

async fn rotate(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let asked = connection.controls()?.ask_for_vault(now).await;
    asked.context("the controls did not take it")?;
    if client.json {
        println!("{}", json!({ "asked_at": now }));
    } else {
        println!(
            "asked at {now}: the purge mints it within the hour and says so in its manifest (`minted vault#…`)"
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let requests = connection.privacy_requests()?;
    let walk = requests.walk(Errand::Reseal).await;
    let walk = walk.context("the table does not answer")?;
    if client.json {
        let told = walk.map(|walk| {
            json!({ "version": walk.version, "round": walk.round, "rows": walk.rows, "older": walk.older,
                    "unopened": walk.unopened, "begun_at": walk.begun_at, "ended_at": walk.ended_at })
        });
        println!("{}", json!({ "walk": told }));
        return Ok(ExitCode::SUCCESS);
    }
    let Some(walk) = walk else {
        println!(
            "no walk was made: there was never a second vault key, or the worker has not looked since"
        );
        return Ok(ExitCode::SUCCESS);
    };
    println!(
        "to vault#{}, round {}, begun {}",
        walk.version, walk.round, walk.begun_at
    );
    println!("  {:>9}  rows with something sealed seen", walk.rows);
    println!("  {:>9}  of them under an older key", walk.older);
    println!(
        "  {:>9}  of these do not open, though the person's salt is there",
        walk.unopened
    );
    match walk.ended_at {
        Some(at) => println!("ended {at}: nothing that opens is under an older key"),
        None => println!("it goes on, a minute of every five"),
    }
    Ok(ExitCode::SUCCESS)
}
