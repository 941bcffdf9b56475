//! `headgate purge`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ClientArgs;

/// `headgate purge`.
#[derive(Clone, Debug, Args)]
#[command(after_help = PURGE_HELP)]
pub struct PurgeArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: PurgeAction,
}

const PURGE_HELP: &str = "Examples:\n  \
headgate purge plan\n  \
headgate purge run --dry-run\n  \
headgate purge evidence purge-2026\n  \
headgate purge verify purge-2026 --key trusted.pem\n\n\
The purge itself runs each hour by its schedule; run does it now, in a local run. verify needs files alone: no \
network, no account. Exit 0 only if everything holds, and nothing is overdue.";

/// What to do about the purge.
#[derive(Clone, Debug, Subcommand)]
pub enum PurgeAction {
    /// Show which days can be read, which goes next, and whether any should be gone.
    Plan {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Run the purge of a local run now, or show what a run would do.
    Run {
        /// Destroy and delete nothing: show the keys that are due, and how many rows would go.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Write every signed manifest and the public key into a folder.
    Evidence {
        /// The folder; one with an export is not written over.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Verify such a folder, and name the first manifest that does not hold.
    Verify(PurgeVerifyArgs),
}

/// `headgate purge verify`.
#[derive(Clone, Debug, Args)]
pub struct PurgeVerifyArgs {
    /// The folder of the export.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The public key you trust, as PEM [default: the one in the export, which says nothing of who signed].
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The deployment whose evidence it must be [default: the one the export names].
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
