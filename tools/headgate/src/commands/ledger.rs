//! `headgate ledger`: an export from the table and the bucket; verification and proofs from files alone.
//!
//! What verifies is `ledger-audit`'s; here is what is asked for and what is said.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use headgate_aws::checkpoints::Checkpoints;
use headgate_domain::ledger::{Head, PublicKey, SHARDS};
use indicatif::{ProgressBar, ProgressStyle};
use ledger_audit::{
    Export, Given, Proof, Report, prove_consistency, prove_inclusion, receipt, verify,
};
use serde_json::{Value, json};

use crate::cli::{ClientArgs, LedgerAction, LedgerArgs, ProveArgs, VerifyArgs};
use crate::connection::Connection;

/// Runs what was asked for.
///
/// # Errors
/// When something cannot be read or written. A ledger that does not hold is an answer.
pub async fn run(args: &LedgerArgs) -> Result<ExitCode> {
    match &args.action {
        LedgerAction::Export { folder, client } => export(folder, client).await,
        LedgerAction::Verify(args) => examine(args),
        LedgerAction::Prove(args) => prove(args),
        LedgerAction::Receipt { folder, event } => receive(folder, event),
        LedgerAction::Check { proof, key, json } => check(proof, key, *json),
    }
}

async fn export(folder: &Path, client: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(client.env_file.as_deref())?;
    let (ledger, key) = (connection.ledger()?, connection.ledger_key()?);
    let checkpoints = connection.checkpoints()?;
    let export = Export::at(folder);
    export.create()?;
    // Checkpoints first: what they cover is in the table when the entries are read after them.
    let notes = notes(&checkpoints, &export).await?;
    export.write_key(
        &key.public_key()
            .await
            .context("KMS did not give the public key")?,
    )?;
    let heads = ledger.heads().await.context("the ledger cannot be read")?;
    let events = heads.iter().map(|head| head.next_seq).sum();
    let bar = bar("exporting", events, client.json)?;
    for (shard, until) in (0..SHARDS).zip(&heads) {
        let mut file = BufWriter::new(export.shard_file(shard)?);
        let mut next = 0;
        while next < until.next_seq {
            let page = ledger
                .entries(shard, next)
                .await
                .context("the ledger cannot be read")?;
            // What is missing is found by whoever verifies: an export shows what there is.
            let Some(last) = page.last() else { break };
            next = last.seq.saturating_add(1);
            for entry in page.iter().filter(|entry| entry.seq < until.next_seq) {
                Export::write_entry(shard, &mut file, entry)?;
                bar.inc(1);
            }
        }
        file.flush().context("a shard's file cannot be written")?;
    }
    // Last: a folder without heads is no export, and can be begun again.
    export.write_heads(&heads)?;
    bar.finish_and_clear();
    if client.json {
        println!("{}", json!({"events": events, "checkpoints": notes}));
    } else {
        println!(
            "{events} events and {notes} checkpoints are in {}",
            folder.display()
        );
        println!(
            "verify it with: headgate ledger verify {}",
            folder.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn notes(checkpoints: &Checkpoints, export: &Export) -> Result<u64> {
    let mut number = 0_u64;
    while let Some(note) = checkpoints
        .find(number)
        .await
        .context("the checkpoints cannot be read")?
    {
        export.write_note(number, &note)?;
        number = number.saturating_add(1);
    }
    Ok(number)
}

fn examine(args: &VerifyArgs) -> Result<ExitCode> {
    let given = Given {
        key: args.key.as_deref().map(public_key).transpose()?,
        kept: args.kept.as_deref().map(text).transpose()?,
        deployment: args.deployment.clone(),
    };
    let export = Export::at(&args.folder);
    let events = export
        .heads()?
        .iter()
        .map(|head: &Head| head.next_seq)
        .sum();
    let bar = bar("verifying", events, args.json)?;
    let outcome = verify(&export, &given, |taken| bar.inc(taken));
    bar.finish_and_clear();
    match outcome {
        Ok(report) => {
            said(&report, args)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(finding) => {
            if args.json {
                let told = json!({"holds": false, "place": finding.place(), "finding": finding.to_string()});
                println!("{told}");
            } else {
                println!("does not hold: {finding}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn said(report: &Report, args: &VerifyArgs) -> Result<()> {
    if args.json {
        let mut told = serde_json::to_value(report)?;
        told["holds"] = Value::Bool(true);
        println!("{told}");
        return Ok(());
    }
    println!(
        "holds: {} events, {} of them under {} checkpoints{}",
        report.events,
        report.covered,
        report.checkpoints,
        report
            .newest
            .as_ref()
            .map_or_else(String::new, |at| format!(", the newest of {at}")),
    );
    if args.key.is_none() {
        println!("by the key in the export: with --key, by one you trust");
    }
    if args.kept.is_none() {
        println!(
            "nobody's copy was compared: keep the newest checkpoint, and pass it as --kept next time"
        );
    }
    Ok(())
}

fn prove(args: &ProveArgs) -> Result<ExitCode> {
    let (export, given) = (Export::at(&args.folder), Given::default());
    let proof = match (&args.event, args.from, args.to) {
        (Some(event), _, _) => prove_inclusion(&export, &given, event, args.checkpoint),
        (None, Some(from), Some(to)) => prove_consistency(&export, &given, (from, to)),
        (None, _, _) => bail!("name an event, or two checkpoints with --from and --to"),
    };
    println!("{}", serde_json::to_string_pretty(&proof?)?);
    Ok(ExitCode::SUCCESS)
}

fn receive(folder: &Path, event: &str) -> Result<ExitCode> {
    let proof = prove_inclusion(&Export::at(folder), &Given::default(), event, None)?;
    let receipt = receipt(&proof).context("the event is not one of ours")?;
    println!("{}", serde_json::to_string_pretty(&receipt)?);
    Ok(ExitCode::SUCCESS)
}

fn check(proof: &Path, key: &Path, json: bool) -> Result<ExitCode> {
    let proof: Proof = serde_json::from_str(&text(proof)?)
        .map_err(|_quotes_it| anyhow!("the file is not a proof of `headgate ledger prove`"))?;
    let (holds, told) = match proof.check(&public_key(key)?) {
        Ok(checkpoint) => (
            true,
            format!(
                "holds, under checkpoint {} of {}",
                checkpoint.number, checkpoint.at
            ),
        ),
        Err(why) => (false, format!("does not hold: {why}")),
    };
    if json {
        println!("{}", json!({"holds": holds, "finding": told}));
    } else {
        println!("{told}");
    }
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn public_key(path: &Path) -> Result<PublicKey> {
    PublicKey::from_pem(&text(path)?).with_context(|| path.display().to_string())
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn bar(what: &str, events: u64, json: bool) -> Result<ProgressBar> {
    if json {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(events);
    let style = format!("{what} {{bar:40}} {{pos}}/{{len}} {{per_sec}}");
    bar.set_style(ProgressStyle::with_template(&style)?);
    Ok(bar)
}
