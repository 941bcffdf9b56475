//! `headgate opt-in` and `headgate opt-out`: a consent record onto the consents queue.
//!
//! The record attests what a person said elsewhere; whether this caller may attest is the gateway's decision.

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use headgate_domain::consent::{ConsentRecord, SCHEMA};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::{ClientArgs, OptInArgs, OptOutArgs, Person, PurposeArg};
use crate::connection::Connection;
use crate::text::random_id;

/// Records a yes.
///
/// # Errors
/// When SQS does not take the record.
pub async fn opt_in(args: &OptInArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let now = connection.now().await?;
    let body = yes(args, now)?;
    queue(&connection, &args.client, &body).await
}

/// Records a no.
///
/// # Errors
/// When SQS does not take the record.
pub async fn opt_out(args: &OptOutArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let now = connection.now().await?;
    let body = no(args, now)?;
    queue(&connection, &args.client, &body).await
}

async fn queue(connection: &Connection, client: &ClientArgs, body: &Value) -> Result<ExitCode> {
    connection
        .queue("CONSENTS")?
        .send(&body.to_string(), &[])
        .await
        .context("SQS did not take the record")?;
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    if client.json {
        println!("{}", json!({"id": id, "queue": "consents", "queued": true}));
    } else {
        println!("queued on consents: {id}");
        println!(
            "watch for subject.opted_in, subject.opted_out or consent.refused with: headgate events --follow{}",
            connection.env_flag()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn yes(args: &OptInArgs, now: Timestamp) -> Result<Value> {
    let mut body = record(
        &args.person,
        args.reference.as_deref(),
        &args.purpose,
        &args.topic,
        "given",
        &args.source,
        args.id.clone(),
    )?;
    body["evidence"] = match &args.evidence {
        Some(text) => serde_json::from_str(text).context("--evidence is not JSON")?,
        None => json!({"recorded_with": "headgate opt-in", "reference": body["id"]}),
    };
    body["notice"] = json!(args.notice);
    body["occurred_at"] = json!(args.occurred_at.clone().unwrap_or_else(|| now.to_string()));
    if let Some(locale) = &args.locale {
        body["locale"] = json!(locale);
    }
    checked(&body, now)?;
    Ok(body)
}

/// What the gateway would refuse is not put on the queue: the answer here comes at once.
fn checked(body: &Value, now: Timestamp) -> Result<()> {
    ConsentRecord::parse(&body.to_string(), now)
        .map(|_record| ())
        .map_err(|refusal| {
            let why = refusal.why.unwrap_or(refusal.code.word());
            anyhow!("{} {why}", refusal.field.unwrap_or("the record"))
        })
}

fn no(args: &OptOutArgs, now: Timestamp) -> Result<Value> {
    let both = [PurposeArg::Marketing, PurposeArg::Utility];
    let purposes = if args.purpose.is_empty() {
        &both
    } else {
        args.purpose.as_slice()
    };
    let mut body = record(
        &args.person,
        None,
        purposes,
        &args.topic,
        "withdrawn",
        &args.source,
        args.id.clone(),
    )?;
    body["occurred_at"] = json!(args.occurred_at.clone().unwrap_or_else(|| now.to_string()));
    checked(&body, now)?;
    Ok(body)
}

fn record(
    person: &Person,
    reference: Option<&str>,
    purposes: &[PurposeArg],
    topics: &[String],
    action: &str,
    method: &str,
    id: Option<String>,
) -> Result<Value> {
    let mut to = Map::new();
    let named = [
        ("phone", person.phone.as_deref()),
        ("subject", person.subject.as_deref()),
        ("bsuid", person.bsuid.as_deref()),
        ("ref", reference),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            to.insert(key.to_owned(), json!(value));
        }
    }
    let purposes: Vec<&str> = purposes.iter().map(|p| Purpose::from(*p).word()).collect();
    let id = id.map_or_else(|| random_id("consent-"), Ok)?;
    Ok(
        json!({"schema": SCHEMA, "id": id, "to": to, "purpose": purposes, "topics": topics, "action": action, "method": method}),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use clap::Parser as _;
    use headgate_domain::consent::Action;

    use super::*;
    use crate::cli::{Cli, Command};

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn parsed(line: &str) -> ConsentRecord {
        let body = match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Some(Command::OptIn(args)) => yes(&args, NOW).unwrap(),
            Some(Command::OptOut(args)) => no(&args, NOW).unwrap(),
            _ => panic!("not a consent"),
        };
        ConsentRecord::parse(&body.to_string(), NOW).unwrap()
    }

    #[test]
    fn a_yes_says_when_it_was_said_whether_or_not_a_flag_does() {
        let line = "headgate opt-in --phone +16135550123 --purpose marketing --source agent";
        assert_eq!(parsed(line).occurred_at, NOW);
        let earlier = NOW.plus_millis(-60_000);
        let flagged = parsed(&format!("{line} --occurred-at {earlier}"));
        assert_eq!(flagged.occurred_at, earlier);
    }

    #[test]
    fn what_the_flags_make_is_a_consent_record() {
        let yes = parsed(
            r#"headgate opt-in --phone +16135550123 --purpose marketing --topic offers --source web_checkbox --evidence {"form":"f","page":"p"}"#,
        );
        assert_eq!(yes.action, Action::Given);
        assert_eq!(yes.evidence.as_deref(), Some(r#"{"form":"f","page":"p"}"#));
        assert_eq!(yes.topics.len(), 1);
        let no = parsed("headgate opt-out --bsuid CA.1000000000000001");
        assert_eq!(no.action, Action::Withdrawn);
        assert_eq!(no.purposes, [Purpose::Marketing, Purpose::Utility]);
    }
}
