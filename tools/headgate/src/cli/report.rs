//! `headgate report`.

use clap::Args;

use super::ClientArgs;

/// `headgate report`.
#[derive(Clone, Debug, Args)]
#[command(after_help = REPORT_HELP)]
pub struct ReportArgs {
    /// The first day (UTC) [default: six days before the last].
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// The last day (UTC), included [default: the last that has settled].
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
}

const REPORT_HELP: &str = "Examples:\n  \
headgate report\n  \
headgate report --from 2026-11-01 --until 2026-11-14 --json\n\n\
Counts a day once, when it has been over for two whole days, and says the same of it ever after. Fewer than ten are \
never told: docs/reports.md. It reads no person, no text and no reference.";
