//! `headgate dev`: the whole gateway on this machine, up until it is told to stop.
//!
//! Ready means ready: the env file appears last, complete, and goes away when the run ends.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use local_cloud::Calendar;
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::cli::{DevArgs, QueueArg};
use crate::control::{Control, Progress, Turn};
use crate::env_file;
use crate::simulated_meta::category;
use crate::stage::{Options, PORTS, Stage};

/// How far the calendar of a data directory is from the system clock.
const CALENDAR_FILE: &str = "calendar-offset-ms";

/// Starts everything, says where it listens, and stays up until SIGINT or SIGTERM.
///
/// # Errors
/// When something cannot start, or the state cannot be written at the end.
pub async fn run(args: &DevArgs) -> Result<ExitCode> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    // One that a crash left behind would look ready.
    std::fs::remove_file(&args.env_file).ok();
    let log_file = log_to_file(&args.env_file)?;
    let calendar = Calendar::system();
    if let Some(offset) = args.data_dir.as_deref().and_then(stored_offset) {
        calendar.set_offset_ms(offset);
    }
    let options = Options {
        first_port: args.port,
        data_dir: args.data_dir.clone(),
        graph_url: args
            .graph_url
            .as_deref()
            .map(|url| url.trim_end_matches('/').to_owned()),
        calendar: calendar.clone(),
        per_second: None,
        sends: true,
    };
    let stage = tokio::select! {
        stage = Stage::start(options) => Arc::new(stage?),
        _ = interrupted.recv() => return Ok(ExitCode::SUCCESS),
        _ = terminated.recv() => return Ok(ExitCode::SUCCESS),
    };
    let (stopping, stop) = watch::channel(false);
    let (turns, mut asked) = mpsc::channel::<Turn>(4);
    let progress = Progress::default();
    let control_port = args.port.map(|p| p.saturating_add(PORTS));
    let control = Control::start(
        control_port,
        Arc::clone(&stage),
        turns,
        progress.clone(),
        stop,
    )
    .await?;

    let values = environment(&stage, &control.url)?;
    env_file::write(&args.env_file, &values)?;
    say_ready(args, &stage, &values, &log_file);

    loop {
        tokio::select! {
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
            Some(turn) = asked.recv() => {
                let noted = progress.clone();
                let outcome = stage.cloud.turn_calendar(turn.by, move |done, runs| noted.note(done, runs)).await;
                if let Some(folder) = &args.data_dir {
                    std::fs::write(folder.join(CALENDAR_FILE), calendar.offset_ms().to_string()).ok();
                }
                turn.done.send(outcome).ok();
            }
        }
    }
    if !args.json {
        println!("\nstopping");
    }
    std::fs::remove_file(&args.env_file).ok();
    stopping.send_replace(true);
    control.stopped().await;
    let stage = Arc::try_unwrap(stage).map_err(|_shared| anyhow!("a request is still running"))?;
    stage.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Log lines go beside the env file: they hold nothing personal, and would bury what is said here.
fn log_to_file(env_file: &Path) -> Result<String> {
    let path = env_file.with_extension("log");
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    let file = Mutex::new(
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?,
    );
    headgate_lambda::log::capture(Arc::new(move |line| {
        // A full disk must not stop the gateway.
        writeln!(
            file.lock().unwrap_or_else(PoisonError::into_inner),
            "{line}"
        )
        .ok();
    }));
    Ok(path.display().to_string())
}

fn stored_offset(folder: &Path) -> Option<i64> {
    std::fs::read_to_string(folder.join(CALENDAR_FILE))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Everything a client needs, as it stands in the env file.
fn environment(stage: &Stage, control_url: &str) -> Result<Vec<(String, String)>> {
    let mut values: Vec<(String, String)> = stage.cloud.aws_environment().into_iter().collect();
    let mut add = |key: &str, value: String| values.push((key.to_owned(), value));
    for queue in QueueArg::ALL {
        let (variable, logical) = (queue.variable(), queue.logical());
        // A wake is put there by nobody outside, not even again.
        if queue != QueueArg::Wake {
            add(
                &format!("HEADGATE_QUEUE_{variable}_URL"),
                stage.queue_url(logical)?,
            );
        }
        add(
            &format!("HEADGATE_QUEUE_{variable}_DLQ_URL"),
            stage.queue_url(&format!("{logical}DeadLetter"))?,
        );
    }
    let intake = stage.cloud.function_environment("IntakeFunction")?;
    for name in [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_CONTROLS",
        "HEADGATE_TABLE_KEYS",
        "HEADGATE_TABLE_MESSAGES",
        "HEADGATE_TABLE_SUBJECTS",
        "HEADGATE_TABLE_CONSENT_LEDGER",
        "HEADGATE_TABLE_SUPPRESSION",
        "HEADGATE_KMS_KEY_DATA",
        "HEADGATE_KMS_MAC_IDENTITY",
        "HEADGATE_KMS_MAC_SUPPRESSION",
    ] {
        let value = intake
            .get(name)
            .with_context(|| format!("the template gives IntakeFunction no {name}"))?;
        add(name, value.clone());
    }
    let tokens = stage.cloud.output("Data.PrivacyRequestsTableName");
    add(
        "HEADGATE_TABLE_PRIVACY_REQUESTS",
        tokens.context("the template has no privacy-requests table")?,
    );
    let checkpoint = stage
        .cloud
        .function_environment("LedgerCheckpointFunction")?;
    for name in ["HEADGATE_BUCKET_CHECKPOINTS", "HEADGATE_KMS_KEY_LEDGER"] {
        let value = checkpoint
            .get(name)
            .with_context(|| format!("the template gives LedgerCheckpointFunction no {name}"))?;
        add(name, value.clone());
    }
    let purge = stage.cloud.function_environment("RetentionPurgeFunction")?;
    for name in ["HEADGATE_TABLE_EVIDENCE", "HEADGATE_KMS_KEY_EVIDENCE"] {
        let value = purge
            .get(name)
            .with_context(|| format!("the template gives RetentionPurgeFunction no {name}"))?;
        add(name, value.clone());
    }
    let worker = stage.cloud.function_environment("PrivacyWorkerFunction")?;
    let key = worker
        .get("HEADGATE_KMS_KEY_RECEIPT")
        .context("the template gives PrivacyWorkerFunction no HEADGATE_KMS_KEY_RECEIPT")?;
    add("HEADGATE_KMS_KEY_RECEIPT", key.clone());
    let import = stage.cloud.function_environment("ConsentImportFunction")?;
    let bucket = import
        .get("HEADGATE_BUCKET_IMPORTS")
        .context("the template gives ConsentImportFunction no HEADGATE_BUCKET_IMPORTS")?;
    add("HEADGATE_BUCKET_IMPORTS", bucket.clone());
    add("HEADGATE_WEBHOOK_URL", stage.webhook_url()?);
    add("HEADGATE_PRIVACY_URL", stage.privacy_url()?);
    add("HEADGATE_CONSENT_API_URL", stage.consent_api_url()?);
    add("HEADGATE_GRAPH_URL", stage.graph_url.clone());
    let sender = stage.cloud.function_environment("SenderFunction")?;
    let secret = sender
        .get("HEADGATE_SECRET_GRAPH_SEND")
        .context("the template gives SenderFunction no HEADGATE_SECRET_GRAPH_SEND")?;
    add("HEADGATE_SECRET_GRAPH_SEND", secret.clone());
    add("HEADGATE_DEV_APP_SECRET", stage.secrets.app_secret.clone());
    add(
        "HEADGATE_DEV_VERIFY_TOKEN",
        stage.secrets.verify_token.clone(),
    );
    let number = stage
        .config
        .numbers
        .first()
        .context("the configuration has no number")?;
    add("HEADGATE_DEV_PHONE_NUMBER_ID", number.id.clone());
    let templates: Vec<String> = stage
        .config
        .templates
        .iter()
        .map(|t| format!("{}={}", category(t.category), t.name))
        .collect();
    add("HEADGATE_DEV_TEMPLATES", templates.join(","));
    add("HEADGATE_DEV_CONTROL_URL", control_url.to_owned());
    if let Some(simulator) = &stage.simulator {
        add("HEADGATE_SIMULATOR_URL", simulator.url());
    }
    Ok(values)
}

fn say_ready(args: &DevArgs, stage: &Stage, values: &[(String, String)], log_file: &str) {
    if args.json {
        let object: Map<String, Value> = values
            .iter()
            .map(|(k, v)| (k.clone(), Value::from(v.clone())))
            .collect();
        println!("{}", Value::Object(object));
        return;
    }
    let value = |key: &str| {
        values
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, v)| v.as_str())
    };
    let file = args.env_file.display().to_string();
    let flag = if file == env_file::DEFAULT_PATH {
        String::new()
    } else {
        format!(" --env-file {file}")
    };
    println!("Headgate is up.\n");
    for (what, url) in [
        ("webhook", value("HEADGATE_WEBHOOK_URL")),
        ("privacy pages", value("HEADGATE_PRIVACY_URL")),
        ("consent API", value("HEADGATE_CONSENT_API_URL")),
        ("Graph API", value("HEADGATE_GRAPH_URL")),
        ("SQS", value("AWS_ENDPOINT_URL_SQS")),
        ("DynamoDB", value("AWS_ENDPOINT_URL_DYNAMODB")),
        ("KMS", value("AWS_ENDPOINT_URL_KMS")),
        ("EventBridge", value("AWS_ENDPOINT_URL_EVENTBRIDGE")),
        ("env file", file.as_str()),
        ("log", log_file),
    ] {
        println!("  {what:<14} {url}");
    }
    println!(
        "\nIn another terminal, the first message. Nobody has agreed to it yet, so it is refused with no_consent:\n\n  \
         headgate send --to-phone +16135550123 --purpose utility --template order_shipped{flag}\n  \
         headgate events{flag}\n\n\
         Record the opt-in, and send again; the events end with message.delivered:\n\n  \
         headgate opt-in --phone +16135550123 --purpose utility --source agent{flag}\n  \
         headgate send --to-phone +16135550123 --purpose utility --template order_shipped{flag}\n  \
         headgate events --follow{flag}\n\n\
         (From a checkout, write `cargo run -q --` for `headgate`.)"
    );
    if let Some(simulator) = &stage.simulator {
        println!(
            "\nThe person says STOP:\n\n  \
             curl -s {}/_sim/inbound -H 'content-type: application/json' \\\n    \
             -d '{{\"from\":\"+16135550123\",\"text\":\"STOP\"}}'",
            simulator.url()
        );
    }
    println!("\nCtrl-C stops.");
}
