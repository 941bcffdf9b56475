//! `headgate purge`: what is due, the evidence of what was done, and its verification from files alone.
//!
//! Running it now, or seeing what that would do, is `purge_run`'s. Promises that `verify` needs no network and believes nothing but
//! a public key.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_domain::note::PublicKey;
use headgate_domain::retention::{PurgeReport, days_to_destroy, days_to_mint, due, verify};
use headgate_domain::time::{Day, HOUR};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::{ClientArgs, PurgeAction, PurgeArgs, PurgeVerifyArgs};
use crate::connection::Connection;

/// The public key in an export.
const KEY: &str = "key.pem";
/// The manifests in an export.
const MANIFESTS: &str = "manifests";
/// Of which deployment an export is.
const DEPLOYMENT: &str = "deployment";

/// Runs what was asked for.
///
/// # Errors
/// When something cannot be read or written. Evidence that does not hold is an answer.
pub async fn run(args: &PurgeArgs) -> Result<ExitCode> {
    match &args.action {
        PurgeAction::Plan { client } => plan(client).await,
        PurgeAction::Run { dry_run, client } => super::purge_run::run(*dry_run, client).await,
        PurgeAction::Evidence { folder, client } => evidence(folder, client).await,
        PurgeAction::Verify(args) => examine(args),
    }
}

/// Shows which keys there are, when each is due, and which should be gone.
async fn plan(client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let (now, keyring) = (connection.now().await?, connection.keyring()?);
    let first = days_to_destroy(now).next().unwrap_or(now.day());
    let last = days_to_mint(now).last().unwrap_or(now.day());
    let length = u64::try_from(last.start().millis_since(first.start()) / (24 * HOUR));
    let bar = bar("looking", length.unwrap_or_default(), client.json)?;
    let mut there: Vec<Day> = Vec::new();
    let mut day = first;
    while day <= last {
        if keyring
            .has(day.into())
            .await
            .context("the keys table does not answer")?
        {
            there.push(day);
        }
        bar.inc(1);
        day = day.plus(1);
    }
    bar.finish_and_clear();
    let overdue: Vec<&Day> = there.iter().filter(|day| due(**day) <= now).collect();
    let next = there.iter().find(|day| due(**day) > now);
    if client.json {
        let about = json!({
            "now": now, "keys": there.len(),
            "overdue": overdue.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "next": next.map(|day| json!({ "day": day.to_string(), "due": due(*day) })),
            "newest": there.last().map(Day::to_string),
        });
        println!("{about}");
    } else {
        println!(
            "{} day keys; content of {} can be read",
            there.len(),
            span(&there)
        );
        if let Some(day) = next {
            println!("next: the key of {day} is destroyed after {}", due(*day));
        }
        for day in &overdue {
            println!("OVERDUE: the key of {day} was due by {}", due(**day));
        }
        if overdue.is_empty() {
            println!("nothing is overdue");
        }
    }
    // The run of this hour may not have come yet.
    let is_late = |day: &&Day| now.millis_since(due(**day)) > 2 * HOUR;
    Ok(if overdue.iter().any(is_late) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn span(days: &[Day]) -> String {
    match (days.first(), days.last()) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "no day".to_owned(),
    }
}

/// Writes every manifest and the public key into a folder.
async fn evidence(folder: &Path, client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let (evidence, key) = (connection.evidence()?, connection.evidence_key()?);
    let manifests = folder.join(MANIFESTS);
    if folder.join(KEY).exists() {
        bail!(
            "{} holds an export already: give another folder",
            folder.display()
        );
    }
    fs::create_dir_all(&manifests)
        .with_context(|| format!("cannot make {}", manifests.display()))?;
    let bar = bar("exporting", 0, client.json)?;
    let mut number = 0_u64;
    while let Some(note) = evidence
        .purge(number)
        .await
        .context("the evidence cannot be read")?
    {
        let file = manifests.join(file_of(number));
        fs::write(&file, note).with_context(|| format!("cannot write {}", file.display()))?;
        number = number.saturating_add(1);
        bar.inc(1);
    }
    bar.finish_and_clear();
    fs::write(folder.join(DEPLOYMENT), connection.deployment()?)?;
    let public = key
        .public_key()
        .await
        .context("KMS did not give the public key")?;
    // Last: a folder without a key is no export, and can be begun again.
    fs::write(folder.join(KEY), public.to_pem())?;
    if client.json {
        println!("{}", json!({ "manifests": number }));
    } else {
        println!("{number} manifests are in {}", folder.display());
        println!(
            "verify them with: headgate purge verify {}",
            folder.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn file_of(number: u64) -> String {
    format!("{number:012}.note")
}

/// Verifies an export.
fn examine(args: &PurgeVerifyArgs) -> Result<ExitCode> {
    let folder = &args.folder;
    let own = folder.join(KEY);
    let pem = args.key.as_deref().unwrap_or(&own);
    let text = fs::read_to_string(pem).with_context(|| format!("cannot read {}", pem.display()))?;
    let key = PublicKey::from_pem(&text).with_context(|| pem.display().to_string())?;
    let deployment = match &args.deployment {
        Some(name) => name.clone(),
        None => fs::read_to_string(folder.join(DEPLOYMENT))
            .context("the export does not say whose it is: give --deployment")?,
    };
    let mut notes = Vec::new();
    for number in 0_u64.. {
        match fs::read_to_string(folder.join(MANIFESTS).join(file_of(number))) {
            Ok(note) => notes.push(note),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => break,
            Err(why) => return Err(why).context(file_of(number)),
        }
    }
    // What stands behind a missing one would not be looked at.
    let files = fs::read_dir(folder.join(MANIFESTS))
        .context("the export has no manifests")?
        .count();
    let bar = bar("verifying", u64::try_from(notes.len())?, args.json)?;
    let seen = bar.wrap_iter(notes.iter().map(String::as_str));
    let verified = verify(seen, &key, deployment.trim());
    bar.finish_and_clear();
    match verified {
        Ok(report) if files == notes.len() => {
            said(&report, args);
            Ok(ExitCode::SUCCESS)
        }
        Ok(_) => Ok(does_not_hold(
            args,
            &format!(
                "manifest {} is missing, and later ones are there",
                notes.len()
            ),
        )),
        Err(fault) => Ok(does_not_hold(args, &fault.to_string())),
    }
}

fn does_not_hold(args: &PurgeVerifyArgs, finding: &str) -> ExitCode {
    if args.json {
        println!("{}", json!({ "holds": false, "finding": finding }));
    } else {
        println!("does not hold: {finding}");
    }
    ExitCode::FAILURE
}

fn said(report: &PurgeReport, args: &PurgeVerifyArgs) {
    let late = |(day, ms): &(Day, i64)| json!({ "day": day.to_string(), "hours": ms / HOUR });
    if args.json {
        let told = json!({
            "holds": true, "manifests": report.manifests, "first": report.first,
            "newest": report.newest, "destroyed": report.destroyed, "vaults_destroyed": report.vaults, "deleted": report.deleted,
            "tried": report.tried, "late": report.late.iter().map(late).collect::<Vec<_>>(),
            "gaps": report.gaps.iter().map(|gap| json!({ "from": gap.from, "to": gap.to })).collect::<Vec<_>>(),
        });
        println!("{told}");
        return;
    }
    println!(
        "holds: {} manifests from {} to {}",
        report.manifests, report.first, report.newest
    );
    println!(
        "  {:>9}  days destroyed, every one that was due by then",
        report.destroyed
    );
    for version in &report.vaults {
        println!("             and vault#{version}, which nothing was under any more");
    }
    println!("  {:>9}  rows deleted after that", report.deleted);
    println!(
        "  {:>9}  values of those days tried: none opens",
        report.tried
    );
    for (day, ms) in &report.late {
        println!("  late: {day} went {} hours after it was due", ms / HOUR);
    }
    for gap in &report.gaps {
        println!("  no manifest from {} to {}", gap.from, gap.to);
    }
    if args.key.is_none() {
        println!(
            "by the key in the export, which says nothing of who signed: give --key to be sure"
        );
    }
}

pub(super) fn bar(what: &'static str, length: u64, json: bool) -> Result<ProgressBar> {
    if json {
        return Ok(ProgressBar::hidden());
    }
    let template = format!("{what:<9} {{bar:30}} {{pos}}/{{len}}");
    Ok(ProgressBar::new(length).with_style(ProgressStyle::with_template(&template)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_days_is_told_by_its_ends() {
        let day = headgate_domain::time::Timestamp::from_seconds(0).day();
        assert_eq!(span(&[]), "no day");
        assert_eq!(
            span(&[day, day.plus(1), day.plus(2)]),
            "1970-01-01 to 1970-01-03"
        );
    }
}
