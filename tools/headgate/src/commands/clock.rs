//! `headgate clock`: turns the calendar of a running `headgate dev`; an account's calendar cannot be turned.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::ClientArgs;
use crate::connection::Connection;
use crate::control;

/// Moves the calendar forward and waits until every schedule on the way has run.
///
/// # Errors
/// When there is no local run, or a schedule failed.
pub async fn advance(by: Duration, args: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.env_file.as_deref())?;
    let url = connection.control_url().context("only the clock of a local run can be turned: start `headgate dev` first, or pass --env-file")?;
    let ms = u64::try_from(by.as_millis()).context("that is too far")?;
    let body = json!({"by_ms": ms});
    let bar = if args.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
    };
    bar.set_style(ProgressStyle::with_template(
        "turning the calendar {bar:40} {pos}/{len} runs",
    )?);
    let turned = control::call(url, "POST", "/clock/advance", Some(&body));
    tokio::pin!(turned);
    let answer = loop {
        tokio::select! {
            answer = &mut turned => break answer?,
            () = tokio::time::sleep(Duration::from_millis(250)) => {
                let progress = control::call(url, "GET", "/clock", None).await?;
                let count = |key: &str| progress.get(key).and_then(Value::as_u64).unwrap_or(0);
                bar.set_length(count("runs"));
                bar.set_position(count("runs_done"));
            }
        }
    };
    bar.finish_and_clear();
    if args.json {
        println!("{answer}");
    } else {
        println!(
            "the calendar stands at {}",
            answer
                .get("now")
                .and_then(Value::as_str)
                .unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}
