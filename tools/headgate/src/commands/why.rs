//! `headgate why`: why somebody was written to, and whether what proves it is still what was written.
//!
//! Follows a message to the ledger event it rests on, reads the event's shard from its first entry to its
//! end, and holds the person and the evidence against what the event committed to. Believes no table by
//! itself. Shows neither number nor body; the evidence only when asked to.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_aws::messages::Record;
use headgate_domain::ledger::{Entry, Head, evidence_commitment, subject_commitment, verify_from};
use headgate_domain::record::RecordRef;
use headgate_redact::Personal;
use serde_json::{Value, json};

use crate::cli::WhyArgs;
use crate::connection::Connection;

/// What was looked at, and whether it holds.
struct Check {
    what: &'static str,
    holds: bool,
    told: String,
}

/// Everything that is known about the ground of a message.
struct Answer {
    record: Record,
    event: Option<Value>,
    evidence: Option<Personal<Vec<u8>>>,
    checks: Vec<Check>,
}

/// Answers for one message.
///
/// # Errors
/// When there is no such message, or the tables do not answer.
pub async fn run(args: &WhyArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let reference = RecordRef::from_message_id(&args.message)
        .context("that is no message id: events name messages msg_…")?;
    let now = connection.now().await?;
    let records = connection
        .messages()?
        .load(std::slice::from_ref(&reference), now)
        .await
        .context("the messages table does not answer")?;
    let Some(record) = records.into_iter().next() else {
        bail!("there is no such message, or its retention is over");
    };
    let answer = answer(&connection, record).await?;
    let holds = answer.checks.iter().all(|check| check.holds);
    if args.client.json {
        println!("{}", in_json(&answer, args.reveal));
    } else {
        print!("{}", in_words(&answer, args.reveal));
    }
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn answer(connection: &Connection, record: Record) -> Result<Answer> {
    let mut answer = Answer {
        event: None,
        evidence: None,
        checks: Vec::new(),
        record,
    };
    let Some(id) = answer.record.consent_event.clone() else {
        return Ok(answer);
    };
    let (shard, seq) = place(&id).context("the message names no ledger event that can be read")?;
    let (entry, chain) = chain(connection, shard, seq).await?;
    answer.checks.push(chain);
    let Some(entry) = entry else {
        answer.checks.push(Check {
            what: "event",
            holds: false,
            told: format!("{id} is not in the ledger"),
        });
        return Ok(answer);
    };
    let event: Value = serde_json::from_str(&entry.event).context("the event cannot be read")?;
    let keyring = connection.keyring()?;
    let subject = &answer.record.subject;
    let committed = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
    match keyring.evidence_salt(subject).await {
        Err(_gone) => answer.checks.push(Check {
            what: "person",
            holds: true,
            told: "was erased: nothing leads from the event to anybody any more".to_owned(),
        }),
        Ok(salt) => {
            let is_theirs = committed("subject").as_deref()
                == Some(subject_commitment(&salt, subject).as_str());
            answer.checks.push(Check {
                what: "person",
                holds: is_theirs,
                told: if is_theirs {
                    format!("the event is about {subject}: its commitment opens with their salt")
                } else {
                    "the event is about somebody else".to_owned()
                },
            });
            let proof = connection.people()?.evidence(&keyring, subject, &id).await;
            let (check, evidence) = match proof {
                Ok(Some(proof)) => {
                    let holds = committed("evidence").as_deref()
                        == Some(evidence_commitment(&salt, proof.reveal()).as_str());
                    let told = if holds {
                        "opens, and is what the event committed to"
                    } else {
                        "opens, and is not what the event committed to"
                    };
                    (holds.then_some(told).ok_or(told), Some(proof))
                }
                Ok(None) if committed("evidence").is_none() => (Ok("none was given"), None),
                Ok(None) => (Err("the event has some, and the table has none"), None),
                Err(_closed) => (Err("does not open: may this role use the keys?"), None),
            };
            answer.checks.push(Check {
                what: "evidence",
                holds: check.is_ok(),
                told: check.unwrap_or_else(|told| told).to_owned(),
            });
            answer.evidence = evidence;
        }
    }
    answer.event = Some(event);
    Ok(answer)
}

/// Reads a whole shard: the entry at a place, and whether the chain holds to its end.
async fn chain(connection: &Connection, shard: u8, seq: u64) -> Result<(Option<Entry>, Check)> {
    let ledger = connection.ledger()?;
    let (mut head, mut wanted, mut broken) = (Head::GENESIS, None, None);
    loop {
        let page = ledger
            .entries(shard, head.next_seq)
            .await
            .context("the ledger does not answer")?;
        if page.is_empty() {
            break;
        }
        if let Some(entry) = page.iter().find(|entry| entry.seq == seq) {
            wanted = Some(entry.clone());
        }
        match verify_from(shard, head, &page) {
            Ok(proven) => head = proven,
            Err(fault) => {
                broken = Some(fault);
                break;
            }
        }
    }
    let told = match &broken {
        None => format!(
            "shard {shard:x} holds from its first entry to its {}th",
            head.next_seq
        ),
        Some(fault) => format!("shard {shard:x}: {fault}"),
    };
    let check = Check {
        what: "ledger",
        holds: broken.is_none(),
        told,
    };
    Ok((wanted, check))
}

/// Shard and place of `L3.17`.
fn place(id: &str) -> Option<(u8, u64)> {
    let (shard, seq) = id.strip_prefix('L')?.split_once('.')?;
    Some((u8::from_str_radix(shard, 16).ok()?, seq.parse().ok()?))
}

fn ground(record: &Record) -> &'static str {
    match record.purpose {
        headgate_domain::lane::Purpose::Authentication => {
            "the person asked for the code: an action of theirs, told by the app"
        }
        headgate_domain::lane::Purpose::Service => {
            "the person had just written: an open service window"
        }
        headgate_domain::lane::Purpose::Utility | headgate_domain::lane::Purpose::Marketing => {
            "no consent is on record for it"
        }
    }
}

fn in_words(answer: &Answer, reveal: bool) -> String {
    let record = &answer.record;
    let mut lines = vec![
        format!("{}  {}", record.reference.message_id(), record.state.word()),
        format!(
            "  accepted  {}, for {}, put on the lane by {}",
            record.accepted_at, record.purpose, record.producer
        ),
    ];
    let id = record.consent_event.as_deref();
    match (&answer.event, id) {
        (Some(event), Some(id)) => {
            let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("none");
            let at = event.get("claimed_at").or(event.get("t"));
            lines.push(format!(
                "  because   {} {} at {}, {}: ledger event {id}",
                field("type"),
                field("purpose"),
                at.and_then(Value::as_str).unwrap_or("an unknown time"),
                field("method"),
            ));
            lines.push(format!("  wording   {}", field("notice")));
        }
        (None, Some(id)) => lines.push(format!("  because   ledger event {id}")),
        (_, None) => lines.push(format!("  because   {}", ground(record))),
    }
    for check in &answer.checks {
        let mark = if check.holds { "holds" } else { "BROKEN" };
        lines.push(format!("  {:<9} {mark}: {}", check.what, check.told));
    }
    if let Some(evidence) = answer.evidence.as_ref().filter(|_| reveal) {
        lines.push(format!(
            "  revealed  {}",
            String::from_utf8_lossy(evidence.reveal())
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn in_json(answer: &Answer, reveal: bool) -> Value {
    let record = &answer.record;
    let checks: Vec<Value> = answer
        .checks
        .iter()
        .map(|check| json!({"what": check.what, "holds": check.holds, "told": check.told}))
        .collect();
    let mut value = json!({
        "message_id": record.reference.message_id(),
        "state": record.state.word(),
        "purpose": record.purpose.word(),
        "accepted_at": record.accepted_at.to_string(),
        "producer": record.producer,
        "ledger_event": record.consent_event,
        "event": answer.event,
        "checks": checks,
    });
    if record.consent_event.is_none() {
        value["ground"] = ground(record).into();
    }
    if let Some(evidence) = answer.evidence.as_ref().filter(|_| reveal) {
        value["evidence"] = String::from_utf8_lossy(evidence.reveal()).into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_event_names_its_shard_and_its_place() {
        assert_eq!(place("Lf.17"), Some((15, 17)));
        for none in ["", "L", "L3", "3.17", "Lg.1", "L3.x"] {
            assert_eq!(place(none), None, "{none}");
        }
    }
}
