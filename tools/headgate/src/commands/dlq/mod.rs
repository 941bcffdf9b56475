//! `headgate dlq`: what could not be dealt with, seen, put back or thrown away.
//!
//! Promises that looking loses nothing, that an entry leaves its dead-letter queue only when SQS has it
//! on its own queue again or somebody said --yes, and that content is opened only with --reveal or to be
//! sent back. What comes of a redrive is the function's decision: it judges afresh.

mod content;
mod entry;
mod listing;
mod taking;
mod working;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{DlqAction, DlqArgs};

/// Runs what was asked for.
///
/// # Errors
/// When SQS does not answer, or what was asked for names nothing.
pub async fn run(args: &DlqArgs) -> Result<ExitCode> {
    match &args.action {
        DlqAction::List(args) => listing::list(args).await,
        DlqAction::Show(args) => listing::show(args).await,
        DlqAction::Redrive(pick) => working::redrive(pick).await,
        DlqAction::Discard(args) => working::discard(args).await,
    }
}
