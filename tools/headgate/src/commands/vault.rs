//! `headgate vault`: asks for the next vault key, and shows what came of it. An operator cannot mint one, and the purge
//! cannot be called.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use headgate_aws::privacy_requests::{Errand, Walk};
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
                    "unopened": walk.unopened, "begun_at": walk.begun_at, "ended_at": walk.ended_at,
                    "clear_since": walk.clear_since, "older_keys_go_at": walk.certain_at() })
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
    println!("{}", older_keys(&walk));
    Ok(ExitCode::SUCCESS)
}

/// What becomes of the older keys.
fn older_keys(walk: &Walk) -> String {
    let Some(at) = walk.certain_at() else {
        return match walk.ended_at {
            Some(_) => "the older keys stay: what does not open may need one; who it is about can be erased"
                .to_owned(),
            None => "the older keys stay until it has ended, and as long as backups reach back".to_owned(),
        };
    };
    if walk.has_outlived_the_older() {
        let version = walk.version;
        format!(
            "the purge destroys the keys before vault#{version} within a day of {at}; its manifest says so"
        )
    } else {
        format!("the older keys go on {at}, when another round finds nothing under them")
    }
}

#[cfg(test)]
mod tests {
    use headgate_domain::time::{DAY, Timestamp};

    use super::*;

    #[test]
    fn the_older_keys_are_told_to_stay_until_no_backup_needs_them() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let mut walk = Walk::round(2, 2, now);
        assert!(older_keys(&walk).contains("stay until it has ended"));
        walk.ended_at = Some(now);
        assert!(older_keys(&walk).contains("can be erased"));
        walk.clear_since = Some(now);
        let at = now.plus_millis(49 * DAY);
        assert!(older_keys(&walk).contains(&format!("go on {at}, when")));
        walk.ended_at = Some(at);
        assert!(older_keys(&walk).contains("destroys the keys before vault#2"));
    }
}
