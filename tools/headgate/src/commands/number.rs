//! `headgate number`: what is in force for each number, and holding one back.
//!
//! A person's pause stands beside Meta's and the risk score's: of several the longest counts, and lifting
//! one lifts no other. Deliberately sets no speed and no limit: those are learnt, or configured.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_aws::controls::{NumberChange, Owner};
use headgate_domain::config::{Config, Number};
use headgate_domain::live::{Known, Live, Pause};
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};

use super::producer::{UNREADABLE, asked, phrase, say, told};
use crate::cli::{ClientArgs, NumberAction, NumberArgs, PauseArgs};
use crate::connection::Connection;

/// Runs what was asked for.
///
/// # Errors
/// When there is no such number, or the controls do not answer.
pub async fn run(args: &NumberArgs) -> Result<ExitCode> {
    match &args.action {
        NumberAction::List(client) => list(client).await,
        NumberAction::Pause(args) => pause(args).await,
        NumberAction::Resume { name, client } => resume(name, client).await,
    }
}

async fn pause(args: &PauseArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let pause = asked(args, connection.now().await?)?;
    let name = change(&connection, &args.name, Some(&pause)).await?;
    say("number", &name, Some(&pause), args.client.json);
    Ok(ExitCode::SUCCESS)
}

async fn resume(name: &str, client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let id = change(&connection, name, None).await?;
    let now = connection.now().await?;
    let live = connection.controls()?.live().await.context(UNREADABLE)?;
    let left = live.numbers.get(&id).and_then(|n| n.pause.as_ref());
    if let Some(other) = left.filter(|pause| pause.holds(now)) {
        if client.json {
            println!("{}", json!({"number": id, "pause": told(other)}));
        } else {
            println!(
                "your pause is lifted, and {id} is still {}: somebody else's",
                phrase(other)
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    say("number", &id, None, client.json);
    Ok(ExitCode::SUCCESS)
}

/// Writes a person's pause of a number, or its end; the number's id.
async fn change(connection: &Connection, name: &str, pause: Option<&Pause>) -> Result<String> {
    let controls = connection.controls()?;
    let config = controls.config().await.context(UNREADABLE)?;
    let Some(number) = config.number(name) else {
        let known: Vec<&str> = config.numbers.iter().map(|n| n.id.as_str()).collect();
        bail!(
            "there is no number {name}: the configuration has {}",
            known.join(", ")
        );
    };
    let change = NumberChange::Pause(Owner::Person, pause.cloned());
    controls
        .set_number(&number.id, &change, connection.now().await?)
        .await
        .context("the controls did not take it")?;
    Ok(number.id.clone())
}

async fn list(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let controls = connection.controls()?;
    let config = controls.config().await.context(UNREADABLE)?;
    let known = controls.known().await.context(UNREADABLE)?;
    let now = connection.now().await?;
    let live = known.live();
    let rows: Vec<Value> = config
        .numbers
        .iter()
        .map(|number| row(&config, &known, &live, number, now))
        .collect();
    if client.json {
        println!("{}", json!({"numbers": rows}));
    } else {
        print!("{}", table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in force for one number.
fn row(config: &Config, known: &Known, live: &Live, number: &Number, now: Timestamp) -> Value {
    let entry = live.numbers.get(&number.id);
    let risk = known.numbers.get(&number.id).map(|n| n.risk.at(now).level);
    let everything = [
        live.account.as_ref(),
        live.portfolios
            .get(&number.portfolio)
            .and_then(|p| p.pause.as_ref()),
        entry.and_then(|n| n.pause.as_ref()),
    ];
    let holds = |pause: &&Pause| pause.holds(now);
    let pause = everything
        .into_iter()
        .flatten()
        .filter(holds)
        .max_by_key(|pause| pause.until.map_or(i64::MAX, Timestamp::millis));
    let marketing = entry.and_then(|n| n.marketing_pause.as_ref()).filter(holds);
    let quality = known
        .numbers
        .get(&number.id)
        .and_then(|n| n.quality_at(now));
    json!({
        "number": number.id,
        "alias": number.alias,
        "portfolio": number.portfolio,
        "per_second": live.per_second(number),
        "share_permille": live.share_permille(number, now),
        "daily_limit": live.limit(config, &number.portfolio).map_or_else(|| json!("unlimited"), Value::from),
        "quality": quality.map(headgate_domain::live::Quality::word),
        "risk": risk.unwrap_or_default().word(),
        "inbound_total": entry.map_or(0, |n| n.inbound_total),
        "pause": pause.map(told),
        "marketing_pause": marketing.map(told),
    })
}

fn table(rows: &[Value]) -> String {
    let mut out = format!(
        "{:<20}{:<12}{:>6}{:>8}{:>12}  {:<9}{:<18}pause\n",
        "number", "alias", "per s", "used", "people/day", "quality", "risk"
    );
    for row in rows {
        let text = |name: &str| match row.get(name) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => "-".to_owned(),
            Some(other) => other.to_string(),
        };
        let share = row
            .get("share_permille")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        out.push_str(&format!(
            "{:<20}{:<12}{:>6}{:>7}%{:>12}  {:<9}{:<18}{}\n",
            text("number"),
            text("alias"),
            text("per_second"),
            share / 10,
            text("daily_limit"),
            text("quality"),
            text("risk"),
            halts(row)
        ));
    }
    out
}

fn halts(row: &Value) -> String {
    let mut halts = Vec::new();
    for (what, name) in [("", "pause"), ("marketing ", "marketing_pause")] {
        let Some(pause) = row.get(name).filter(|p| p.is_object()) else {
            continue;
        };
        let text = |name: &str| pause.get(name).and_then(Value::as_str);
        let end = text("until").map_or_else(String::new, |at| format!(" until {at}"));
        halts.push(format!("{what}{}{end}", text("reason").unwrap_or_default()));
    }
    if halts.is_empty() {
        "none".to_owned()
    } else {
        halts.join(", ")
    }
}
