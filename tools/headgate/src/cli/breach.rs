//! `headgate breach`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ClientArgs, PurposeArg};

/// `headgate breach`.
#[derive(Clone, Debug, Args)]
#[command(after_help = BREACH_HELP)]
pub struct BreachArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: BreachAction,
}

const BREACH_HELP: &str = "Examples:\n  \
headgate breach scope --from 2026-11-20T08:00:00Z --until 2026-11-21T17:30:00Z --known-at 2026-11-22T09:00:00Z\n  \
headgate breach scope --from … --until … --known-at … --accepted-within --lane marketing --json > scope.json\n  \
headgate breach scope --from … --until … --known-at … --trail AWSLogs/111122223333/CloudTrail\n  \
headgate breach notice scope.json --out notices\n  \
headgate breach drill --out drill\n\n\
It counts and names nobody, and opens nothing. docs/breach.md says what each figure is and what it cannot show.";

/// What to do about a breach.
#[derive(Clone, Debug, Subcommand)]
pub enum BreachAction {
    /// Count the people and the data within reach, and show until when whom has to be told.
    Scope(Box<ScopeArgs>),
    /// Write drafts of what the authorities and the people are told, from what the scope counted.
    Notice(BreachNoticeArgs),
    /// Play an invented breach on this machine: scope, clocks and drafts, and how long each took.
    Drill(BreachDrillArgs),
}

/// `headgate breach notice`.
#[derive(Clone, Debug, Args)]
pub struct BreachNoticeArgs {
    /// What `headgate breach scope --json` printed; - for standard input.
    #[arg(value_name = "SCOPE")]
    pub scope: PathBuf,
    /// The folder the drafts go into; a file that is there is not written over.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
}

/// `headgate breach drill`.
#[derive(Clone, Debug, Args)]
pub struct BreachDrillArgs {
    /// Also write the drafts into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `headgate breach scope`.
#[derive(Clone, Debug, Args)]
pub struct ScopeArgs {
    /// From when somebody had access, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// Until when, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub until: String,
    /// When you knew of it: the clocks count from here, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub known_at: String,
    /// When it was assessed to be one that has to be told [default: when it was known].
    #[arg(long, value_name = "TIME")]
    pub assessed_at: Option<String>,
    /// When the people were told [default: when they have to be].
    #[arg(long, value_name = "TIME")]
    pub people_told_at: Option<String>,
    /// Only what was accepted in that time, as of a leak of what passed through, and not everything the tables held.
    #[arg(long)]
    pub accepted_within: bool,
    /// Only this number, by phone number id or alias; repeat for several.
    #[arg(long, value_name = "NUMBER")]
    pub number: Vec<String>,
    /// Only this lane; repeat for several.
    #[arg(long, value_enum)]
    pub lane: Vec<PurposeArg>,
    /// Log files of `CloudTrail`, .json or .json.gz, or a folder with them: who opened which keys, and what else was done
    /// by others than the functions; repeat for several.
    #[arg(long, value_name = "FILE")]
    pub trail: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
}
