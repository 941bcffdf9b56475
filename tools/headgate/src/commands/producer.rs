//! `headgate producer`: holds a producer back, or lets it go on.
//!
//! Writes one live control; intake and sender read it within two seconds of each other's look. What a
//! pause means for a message is the gateway's decision.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_domain::live::Pause;
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::cli::{ClientArgs, PauseArgs, ProducerAction, ProducerArgs};
use crate::connection::Connection;

/// Runs what was asked for.
///
/// # Errors
/// When the name cannot be a principal, or the controls do not answer.
pub async fn run(args: &ProducerArgs) -> Result<ExitCode> {
    match &args.action {
        ProducerAction::Pause(args) => pause(args).await,
        ProducerAction::Resume { name, client } => resume(name, client).await,
        ProducerAction::List(client) => list(client).await,
    }
}

async fn pause(args: &PauseArgs) -> Result<ExitCode> {
    let principal = principal(&args.name)?;
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let pause = asked(args, connection.now().await?)?;
    connection
        .controls()?
        .pause_producer(principal, &pause)
        .await
        .context("the controls did not take the pause")?;
    say("producer", principal, Some(&pause), args.client.json);
    Ok(ExitCode::SUCCESS)
}

async fn resume(name: &str, client: &ClientArgs) -> Result<ExitCode> {
    let principal = principal(name)?;
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let controls = connection.controls()?;
    let live = controls.live().await.context(UNREADABLE)?;
    if live.producer_pause(principal, now).is_none() {
        bail!(
            "{principal} is not paused: `headgate producer list{}` shows who is",
            connection.env_flag()
        );
    }
    controls
        .resume_producer(principal, now)
        .await
        .context("the controls did not take it")?;
    say("producer", principal, None, client.json);
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let live = connection.controls()?.live().await.context(UNREADABLE)?;
    let paused: Vec<(&String, &Pause)> = live
        .producers
        .iter()
        .filter(|(_, pause)| pause.holds(now))
        .collect();
    if client.json {
        let paused: Vec<Value> = paused
            .iter()
            .map(|(name, pause)| json!({"producer": name, "pause": told(pause)}))
            .collect();
        println!("{}", json!({"paused": paused}));
    } else if paused.is_empty() {
        println!("no producer is paused");
    } else {
        for (name, pause) in paused {
            println!("{name:<24}{}", phrase(pause));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What to say when the controls cannot be read.
pub(super) const UNREADABLE: &str = "the controls cannot be read";

/// The pause that the flags describe.
pub(super) fn asked(args: &PauseArgs, now: Timestamp) -> Result<Pause> {
    let until = match args.span {
        Some(span) => {
            let ms = i64::try_from(span.as_millis()).context("--for is too long")?;
            Some(now.plus_millis(ms))
        }
        None => None,
    };
    Ok(Pause {
        reason: args.reason.clone(),
        since: now,
        until,
    })
}

/// Says what was done.
pub(super) fn say(kind: &str, name: &str, pause: Option<&Pause>, json: bool) {
    if json {
        println!("{}", json!({kind: name, "pause": pause.map(told)}));
    } else if let Some(pause) = pause {
        println!("{name} is {}; it acts within 5 seconds", phrase(pause));
    } else {
        println!("{name} may send again, within 5 seconds");
    }
}

/// A pause in JSON.
pub(super) fn told(pause: &Pause) -> Value {
    json!({
        "reason": pause.reason,
        "since": pause.since.to_string(),
        "until": pause.until.map(|at| at.to_string()),
    })
}

/// A pause in words.
pub(super) fn phrase(pause: &Pause) -> String {
    let end = pause
        .until
        .map_or_else(|| "until resumed".to_owned(), |at| format!("until {at}"));
    format!("paused ({}) since {} {end}", pause.reason, pause.since)
}

/// The stable part of a `SenderId`: what messages are attributed to.
fn principal(name: &str) -> Result<&str> {
    let stable = name.split(':').next().unwrap_or_default();
    if name.starts_with("arn:") || stable.len() < 4 || !stable.bytes().all(is_of_an_id) {
        bail!(
            "a producer is the unique id of its role, such as AROAEXAMPLESHOP00000: `aws iam get-role --role-name ROLE --query Role.RoleId`"
        );
    }
    Ok(stable)
}

const fn is_of_an_id(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_session_belongs_to_its_role_and_a_name_is_no_id() {
        assert_eq!(
            principal("AROAEXAMPLESHOP00000:i-0abc").unwrap(),
            "AROAEXAMPLESHOP00000"
        );
        for wrong in [
            "arn:aws:iam::1:role/shop",
            "headgate-producer-shop",
            "",
            ":x",
        ] {
            assert!(principal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pause_ends_when_it_was_told_to_or_by_being_lifted() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let pause = |line: &str| {
            let parsed = Cli::try_parse_from(line.split(' ')).unwrap().command;
            let Some(Command::Producer(ProducerArgs {
                action: ProducerAction::Pause(args),
            })) = parsed
            else {
                panic!("not a pause")
            };
            asked(&args, now).unwrap()
        };
        let short = pause("headgate producer pause AROASHOP --for 2h --reason abuse");
        assert_eq!(short.until, Some(now.plus_millis(7_200_000)));
        assert!(short.holds(now) && !short.holds(now.plus_millis(7_200_000)));
        assert_eq!(pause("headgate producer pause AROASHOP").until, None);
    }
}
