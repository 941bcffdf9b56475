//! `headgate send`: one message onto the lane queue of its purpose.
//!
//! Does not wait for the answer: reading `app-events` here would take it away from the app.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::{BasisArg, SendArgs};
use crate::connection::Connection;
use crate::text::random_id;

/// Sends the message.
///
/// # Errors
/// When the message cannot be made from the flags, or SQS does not take it.
pub async fn run(args: &SendArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let (purpose, body) = if let Some(path) = &args.file {
        from_file(path, args)?
    } else {
        let now = connection.now().await?;
        let purpose = args
            .purpose
            .map(Purpose::from)
            .context("--purpose is missing: authentication, service, utility or marketing")?;
        let number = connection.find("HEADGATE_DEV_PHONE_NUMBER_ID");
        (purpose, from_flags(args, purpose, now, number)?.to_string())
    };
    connection
        .lane(purpose)?
        .send(&body, &[])
        .await
        .context("SQS did not take the message")?;
    let id = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|b| b.get("id")?.as_str().map(str::to_owned));
    let flag = connection.env_flag();
    let opt_in = purpose.is_business_initiated().then(|| person_flag(args)).flatten().map(|person| {
        format!("headgate opt-in {person} --purpose {purpose} --source agent --notice 'the wording they agreed to'{flag}")
    });
    if args.client.json {
        println!(
            "{}",
            json!({"id": id, "queue": purpose.word(), "queued": true, "opt_in_command": opt_in})
        );
    } else {
        println!(
            "queued on {purpose}: {}",
            id.as_deref().unwrap_or("(no id)")
        );
        println!("watch with: headgate events --follow{flag}");
        if let Some(command) = opt_in {
            println!("if it is refused with no_consent, record the opt-in: {command}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn person_flag(args: &SendArgs) -> Option<String> {
    let phone = args.to_phone.as_ref().map(|p| format!("--phone {p}"));
    let subject = args.to_subject.as_ref().map(|s| format!("--subject {s}"));
    let bsuid = args.to_bsuid.as_ref().map(|b| format!("--bsuid {b}"));
    phone.or(subject).or(bsuid)
}

/// The body as it stands in a file; only the queue is worked out.
fn from_file(path: &Path, args: &SendArgs) -> Result<(Purpose, String)> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    let stated = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|b| Purpose::from_word(b.get("purpose")?.as_str()?));
    let purpose = args.purpose.map(Purpose::from).or(stated).context(
        "the file does not say on which lane it belongs: give it a \"purpose\" (authentication, service, utility, marketing), or pass --purpose",
    )?;
    Ok((purpose, text))
}

fn from_flags(
    args: &SendArgs,
    purpose: Purpose,
    now: Timestamp,
    number: Option<&str>,
) -> Result<Value> {
    let mut to = Map::new();
    for (key, value) in [
        ("phone", &args.to_phone),
        ("subject", &args.to_subject),
        ("bsuid", &args.to_bsuid),
        ("ref", &args.reference),
    ] {
        if let Some(value) = value {
            to.insert(key.to_owned(), json!(value));
        }
    }
    if to.is_empty() {
        bail!(
            "who is it for? add --to-phone, --to-subject or --to-bsuid, or --file with a whole body"
        );
    }
    let message = match (&args.template, &args.text) {
        (Some(name), _) => template(args, name),
        (None, Some(text)) => json!({"type": "text", "text": {"body": text}}),
        (None, None) => bail!(
            "what should it say? add --template NAME or --text TEXT, or --file with a whole body"
        ),
    };
    let from = args
        .from
        .as_deref()
        .or(number)
        .context("--from is missing: a phone number id or alias of config/headgate.toml")?;
    let id = args.id.clone().map_or_else(|| random_id("cli-"), Ok)?;
    let mut body = json!({
        "schema": headgate_domain::outbound::SCHEMA, "id": id, "from": from, "to": to,
        "purpose": purpose.word(), "message": message,
    });
    let optional = [
        ("not_before", &args.not_before),
        ("expires_at", &args.expires_at),
        ("topic", &args.topic),
        ("campaign", &args.campaign),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            body[key] = json!(value);
        }
    }
    if let Some(basis) = basis(args, purpose, now)? {
        body["basis"] = basis;
    }
    Ok(body)
}

fn basis(args: &SendArgs, purpose: Purpose, now: Timestamp) -> Result<Option<Value>> {
    Ok(match args.basis {
        None if purpose == Purpose::Authentication => {
            bail!(
                "an authentication message needs the person's own action: add --basis user-action (and --basis-at, if it was not now)"
            )
        }
        None => None,
        Some(BasisArg::Consent) => Some(json!({"kind": "consent"})),
        Some(BasisArg::UserAction) => {
            let at = args.basis_at.clone().unwrap_or_else(|| now.to_string());
            Some(json!({"kind": "user_action", "at": at}))
        }
        Some(BasisArg::Contract) => {
            let reference = args
                .contract
                .as_deref()
                .context("--basis contract needs --contract REFERENCE")?;
            Some(json!({"kind": "contract", "reference": reference}))
        }
    })
}

fn template(args: &SendArgs, name: &str) -> Value {
    let text = |text: &String| json!({"type": "text", "text": text});
    let mut components = Vec::new();
    let params: Vec<Value> = args.code.iter().chain(&args.params).map(text).collect();
    if !params.is_empty() {
        components.push(json!({"type": "body", "parameters": params}));
    }
    if let Some(code) = &args.code {
        // An authentication template's button carries the code again (Meta, authentication templates, 2026-09).
        components.push(
            json!({"type": "button", "sub_type": "url", "index": "0", "parameters": [text(code)]}),
        );
    }
    json!({"type": "template", "template": {"name": name, "language": {"code": args.language}, "components": components}})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use clap::Parser as _;
    use headgate_domain::outbound::OutboundMessage;

    use super::*;
    use crate::cli::{Cli, Command};

    fn built(line: &str) -> Result<Value> {
        let Some(Command::Send(args)) = Cli::try_parse_from(line.split(' ')).unwrap().command
        else {
            panic!("not send")
        };
        let purpose = args.purpose.map(Purpose::from).unwrap();
        from_flags(
            &args,
            purpose,
            Timestamp::from_millis(1_795_000_000_000),
            Some("106540352242922"),
        )
    }

    #[test]
    fn what_the_flags_make_is_the_outbound_contract() {
        for line in [
            "headgate send --to-phone +16135550123 --purpose utility --template order_shipped --ref customer-77",
            "headgate send --to-bsuid CA.1000000000000001 --purpose service --text hello --id a-1",
            "headgate send --to-phone +16135550123 --purpose authentication --template login_code --code 493817 --basis user-action",
            "headgate send --to-phone +16135550123 --purpose utility --template order_shipped --basis contract --contract order-1",
            "headgate send --to-phone +16135550123 --purpose marketing --template autumn_sale --campaign autumn --from main",
        ] {
            let body = built(line).unwrap().to_string();
            let parsed = OutboundMessage::parse(&body, Timestamp::from_millis(1_795_000_000_000));
            assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = |line| built(line).unwrap_err().to_string();
        assert!(error("headgate send --purpose utility").contains("--to-phone"));
        assert!(error("headgate send --to-bsuid CA.1 --purpose utility").contains("--template"));
        let line = "headgate send --to-phone +16135550123 --purpose authentication --template login_code --code 1";
        assert!(error(line).contains("--basis user-action"));
    }
}
