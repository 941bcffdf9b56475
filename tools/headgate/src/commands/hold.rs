//! `headgate privacy hold`: what a court or a claim wants kept.
//!
//! Writes what is held, why and by whose word; the worker copies, hands out and destroys. Sees no message. A number that
//! a person is looked up by is read, looked up and forgotten: it is in no argument, no answer and no table.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use console::Term;
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::privacy::{Hold, HoldId, Scope, Task};
use headgate_domain::time::{DAY, Day, Timestamp};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use zeroize::Zeroize as _;

use crate::cli::{ClientArgs, HoldAction, HoldArgs, HoldPlaceArgs};
use crate::connection::Connection;

/// Between two looks whether a copy is made.
const LOOK: Duration = Duration::from_secs(2);
/// A number, however it is written.
const LONGEST_INPUT: u64 = 256;

/// Runs what was asked for.
///
/// # Errors
/// When something cannot be read or written, or the hold is none.
pub async fn run(args: &HoldArgs) -> Result<ExitCode> {
    match &args.action {
        HoldAction::Place(args) => place(args).await,
        HoldAction::List { client } => list(client).await,
        HoldAction::Lift { hold, client } => lift(hold, client).await,
        HoldAction::Disclose { hold, client } => disclose(hold, client).await,
    }
}

async fn place(args: &HoldPlaceArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let now = connection.now().await?;
    let day = |text: &str| -> Result<Timestamp> {
        let day = Day::parse(text).map_err(|_day| anyhow!("a day is yyyy-mm-dd"))?;
        Ok(day.start())
    };
    let scope = match (&args.subject, &args.phone, &args.from, &args.until) {
        (Some(subject), None, None, None) => Scope::Subject(SubjectId::parse(subject)?),
        (None, Some(dash), None, None) => Scope::Subject(of_number(&connection, dash).await?),
        (None, None, Some(from), Some(until)) => Scope::Range {
            from: day(from)?,
            until: day(until)?,
        },
        _ => bail!("give --subject, or --phone -, or --from and --until"),
    };
    let hold = Hold {
        id: HoldId::from_random(headgate_aws::random()?),
        scope,
        reason: args.reason.clone(),
        approver: args.approved_by.clone(),
        placed_at: now,
        expires_at: now.plus_millis(i64::from(args.days).saturating_mul(DAY)),
        lifted_at: None,
    };
    hold.check()?;
    connection
        .privacy_requests()?
        .place_hold(&hold)
        .await
        .context("the hold could not be placed")?;
    if args.client.json {
        println!("{}", as_json(&hold, now));
    } else {
        println!(
            "{} is placed until {}; the worker copies what there is within five minutes",
            hold.id, hold.expires_at
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Whom a number leads to, which is read from standard input, or asked for without being shown.
///
/// # Privacy
/// No error repeats what was given.
async fn of_number(connection: &Connection, dash: &str) -> Result<SubjectId> {
    if dash != "-" {
        bail!(
            "--phone: give -, and the number on standard input: what stands on a command line is kept by the shell \
             and shown to everybody on this machine"
        );
    }
    let mut given = if std::io::stdin().is_terminal() {
        let terminal = Term::stderr();
        terminal.write_str("telephone number, E.164 with +; it is not shown: ")?;
        terminal.read_secure_line()?
    } else {
        let mut given = String::new();
        let mut input = std::io::stdin().take(LONGEST_INPUT);
        input
            .read_to_string(&mut given)
            .map_err(|_quotes_it| anyhow!("standard input is no text"))?;
        given
    };
    let phone = Phone::parse(given.trim());
    given.zeroize();
    let phone = phone.map_err(|invalid| anyhow!("--phone: {invalid}"))?;
    let found = connection
        .pointers(connection.now().await?)
        .await?
        .find(&Identifier::Phone(phone))
        .await;
    found
        .context("the subjects table cannot be read")?
        .context("--phone: nobody is known by this number: nothing is kept of it, and there is nothing to hold")
}

async fn list(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let holds = connection.privacy_requests()?.holds().await;
    let holds = holds.context("the holds cannot be read")?;
    if client.json {
        let holds: Vec<Value> = holds.iter().map(|hold| as_json(hold, now)).collect();
        println!("{}", json!({ "holds": holds }));
    } else if holds.is_empty() {
        println!("nothing is held");
    } else {
        for hold in &holds {
            let stands = match (hold.lifted_at, hold.is_in_force(now)) {
                (Some(at), _) => format!("lifted {at}"),
                (None, true) => format!("until {}", hold.expires_at),
                (None, false) => format!("ended {}", hold.expires_at),
            };
            let about = match &hold.scope {
                Scope::Subject(subject) => subject.to_string(),
                Scope::Range { from, until } => format!("{} to {}", from.day(), until.day()),
            };
            println!(
                "{}  {stands}  {about}  {} ({})",
                hold.id, hold.reason, hold.approver
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(hold: &Hold, now: Timestamp) -> Value {
    let scope = match &hold.scope {
        Scope::Subject(subject) => json!({ "subject": subject.as_str() }),
        Scope::Range { from, until } => json!({ "from": from, "until": until }),
    };
    json!({
        "hold": hold.id.as_str(), "scope": scope, "reason": hold.reason, "approver": hold.approver,
        "placed_at": hold.placed_at, "expires_at": hold.expires_at, "lifted_at": hold.lifted_at,
        "in_force": hold.is_in_force(now),
    })
}

async fn lift(hold: &str, client: &ClientArgs) -> Result<ExitCode> {
    let id = HoldId::parse(hold.trim())?;
    let connection = Connection::open(client.env_file.as_deref())?;
    let now = connection.now().await?;
    let lifted = connection.privacy_requests()?.lift_hold(&id, now).await;
    if !lifted.context("the hold could not be lifted")? {
        bail!("there is no hold {id}, or it was lifted before");
    }
    if client.json {
        println!("{}", json!({ "hold": id.as_str(), "lifted_at": now }));
    } else {
        println!("{id} is lifted; what it kept is destroyed within five minutes");
    }
    Ok(ExitCode::SUCCESS)
}

/// Has a copy made, and waits until it is.
async fn disclose(hold: &str, client: &ClientArgs) -> Result<ExitCode> {
    let id = HoldId::parse(hold.trim())?;
    let connection = Connection::open(client.env_file.as_deref())?;
    let (now, requests) = (connection.now().await?, connection.privacy_requests()?);
    let found = requests
        .hold(&id)
        .await
        .context("the hold cannot be read")?;
    if !found.is_some_and(|hold| hold.is_in_force(now)) {
        bail!("there is no hold {id} in force: what it kept is destroyed");
    }
    let before = requests.disclosed(&id).await?;
    requests
        .plan(&Task::Disclose(id.clone()), now)
        .await
        .context("the agenda cannot be written")?;
    let bar = if client.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner().with_message("the worker looks every five minutes")
    };
    let link = loop {
        let link = requests
            .disclosed(&id)
            .await
            .context("the hold cannot be read")?;
        if let Some(link) = link.filter(|link| Some(link) != before.as_ref()) {
            break link;
        }
        bar.tick();
        tokio::time::sleep(LOOK).await;
    };
    bar.finish_and_clear();
    let url = format!(
        "{}/e/{link}",
        connection
            .find("HEADGATE_PRIVACY_URL")
            .context("HEADGATE_PRIVACY_URL is not set")?
            .trim_end_matches('/')
    );
    if client.json {
        println!("{}", json!({ "hold": id.as_str(), "url": url }));
    } else {
        println!("{url}\nfor three days, three times; whoever has it can read all of it");
    }
    Ok(ExitCode::SUCCESS)
}
