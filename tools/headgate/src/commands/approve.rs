//! `headgate consent approve`: a second principal lets a message ask the people of an imported file.
//!
//! Shows what the gateway knows of the file, which names nobody; with `--yes` puts the approval and follows.
//! Who approves is what S3 says of the caller, so nothing here can claim to be somebody else.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use headgate_aws::objects::{Bucket, Found};
use headgate_domain::import::{FileHash, Left, Messages, Progress, Stage, Writing};
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::cli::ApproveArgs;
use crate::connection::Connection;

const BETWEEN_LOOKS: Duration = Duration::from_millis(300);
/// Whom a local run takes the approver for.
const LOCAL_APPROVER: &str = "approver";

/// Shows an import, or approves of it.
///
/// # Errors
/// When there is no such import, the approval counts for nothing, or the gateway cannot be reached.
pub async fn run(args: &ApproveArgs) -> Result<ExitCode> {
    let connection = Connection::open_as(args.client.env_file.as_deref(), Some(LOCAL_APPROVER))?;
    let bucket = connection.imports()?;
    let file = args.file.as_str();
    let import: Progress = read(&bucket, &Progress::key(file))
        .await?
        .context("there is no import of this file: reports are kept for six days")?;
    let known: Option<Messages> = read(&bucket, &Messages::key(file)).await?;
    if !args.yes {
        show(args, &import, known.as_ref());
        return Ok(ExitCode::SUCCESS);
    }
    if import.stage != Stage::Done {
        bail!("the import of this file is not finished");
    }
    if let Some(open) = known.as_ref().filter(|known| known.stage.is_open()) {
        show(args, &import, Some(open));
        return Ok(ExitCode::SUCCESS);
    }
    let before = known.map(|known| known.approved_at);
    bucket
        .put(&Messages::approval_key(file), b"{}".to_vec())
        .await
        .context("the imports bucket did not take the approval: only the role <deployment>-approver may put one")?;
    let messages = follow(args, &bucket, &import, before).await?;
    if messages.stage == Writing::Refused {
        bail!("nobody is written to. {}", messages.why.unwrap_or_default());
    }
    show(args, &import, Some(&messages));
    Ok(ExitCode::SUCCESS)
}

async fn read<T: DeserializeOwned>(bucket: &Bucket, key: &str) -> Result<Option<T>> {
    match bucket.find(key).await? {
        Found::Object(bytes) => Ok(Some(
            serde_json::from_slice(&bytes).with_context(|| format!("{key} is unreadable"))?,
        )),
        Found::Missing | Found::TooLarge => Ok(None),
    }
}

/// Waits until this approval is carried out, as far as it goes today.
async fn follow(
    args: &ApproveArgs,
    bucket: &Bucket,
    import: &Progress,
    before: Option<headgate_domain::time::Timestamp>,
) -> Result<Messages> {
    let style = ProgressStyle::with_template("asking    {bar:30} {pos}/{len} rows {eta}")?;
    let bar = if args.client.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(import.rows).with_style(style)
    };
    let (record, approval) = (
        Messages::key(args.file.as_str()),
        Messages::approval_key(args.file.as_str()),
    );
    loop {
        // First whether it is carried out, then what came of it.
        let is_gone = matches!(exists(bucket, &approval).await, Some(false));
        if let Some(messages) = read::<Messages>(bucket, &record).await? {
            let is_new = before.is_none_or(|before| messages.approved_at > before) || is_gone;
            bar.set_position(messages.rows);
            if is_new && messages.stage != Writing::Running {
                bar.finish_and_clear();
                return Ok(messages);
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Whether an object is there; `None` when this role may not look.
async fn exists(bucket: &Bucket, key: &str) -> Option<bool> {
    let found = bucket.find(key).await.ok()?;
    Some(!matches!(found, Found::Missing))
}

fn show(args: &ApproveArgs, import: &Progress, messages: Option<&Messages>) {
    let brought_by = import.brought_by.as_deref().unwrap_or("unknown");
    if args.client.json {
        let about = json!({
            "file": import.file, "rows": import.rows, "brought_by": brought_by,
            "requested": import.counts.of("requested"), "attested": import.attested,
            "messages": messages,
        });
        println!("{about}");
        return;
    }
    let hash: &FileHash = &args.file;
    println!("{} rows, SHA-256 {}", import.rows, hash.as_str());
    println!(
        "  {:>9}  asked by a link of their own",
        import.counts.of("requested")
    );
    println!(
        "  {:>9}  of these with a record of an earlier yes: a message may ask them, once",
        import.attested
    );
    println!("  brought by {brought_by}");
    let Some(messages) = messages else {
        println!("nobody has been written to; approve with --yes");
        return;
    };
    let stage = match messages.stage {
        Writing::Running => "being written to",
        Writing::Waiting => "the day's share is used: it goes on tomorrow",
        Writing::Done => "everybody is written to who may be",
        Writing::Stopped => {
            "stopped: the number has lost quality or is paused; approve anew when it is well again"
        }
        Writing::Refused => "refused",
    };
    println!("  approved by {}: {stage}", messages.approved_by);
    println!("  {:>9}  messages on their way", messages.asked);
    for (word, count) in &messages.left {
        let left = Left::ALL.iter().find(|left| left.word() == word);
        println!(
            "  {count:>9}  {word:<18} {}",
            left.map_or("", |l| l.sentence())
        );
    }
}
