//! `headgate privacy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ClientArgs;

/// `headgate privacy`.
#[derive(Clone, Debug, Args)]
#[command(after_help = PRIVACY_HELP)]
pub struct PrivacyArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: PrivacyAction,
}

const PRIVACY_HELP: &str = "Examples:\n  \
headgate privacy agenda\n  \
headgate privacy show dsr_k3m7q2xv5n6rj4thw2ya\n  \
headgate privacy key > receipts.pem\n  \
headgate privacy verify receipt.txt --key receipts.pem\n  \
headgate privacy replay-after-restore\n\n\
Requests are carried out by privacy-worker, every five minutes. Nobody is erased from here, and no request leads to a \
person. verify needs files alone: no network, no account.";

/// What to do about what people ask.
#[derive(Clone, Debug, Subcommand)]
pub enum PrivacyAction {
    /// Show what is to be done and when, and which requests are overdue.
    Agenda {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Show where a request stands, with its receipt.
    Show {
        /// The reference, as the person has it.
        #[arg(value_name = "DSR")]
        request: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Print the public key that receipts are signed by, as PEM.
    Key {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Verify a receipt.
    Verify(PrivacyVerifyArgs),
    /// After a table was restored from a backup: suppress and erase again whoever was erased since.
    ReplayAfterRestore {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}

/// `headgate privacy verify`.
#[derive(Clone, Debug, Args)]
pub struct PrivacyVerifyArgs {
    /// The receipt, as the page shows it.
    #[arg(value_name = "FILE")]
    pub receipt: PathBuf,
    /// The public key you trust, as PEM.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
