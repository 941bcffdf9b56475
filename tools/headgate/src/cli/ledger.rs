//! `headgate ledger`: export the consent ledger, verify it, prove. Flags and help only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ClientArgs;

/// `headgate ledger`.
#[derive(Clone, Debug, Args)]
#[command(after_help = LEDGER_HELP)]
pub struct LedgerArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: LedgerAction,
}

const LEDGER_HELP: &str = "Examples:\n  \
headgate ledger export audit-2026\n  \
headgate ledger verify audit-2026 --key trusted.pem --kept last-year/checkpoints/000000000364.note\n  \
headgate ledger prove audit-2026 L3.17 > proof.json\n  \
headgate ledger check proof.json --key trusted.pem\n\n\
verify, prove, receipt and check need files alone: no network, no account. Exit 0 only if everything holds.";

/// What to do with the ledger.
#[derive(Clone, Debug, Subcommand)]
pub enum LedgerAction {
    /// Write every entry, checkpoint and the public key into a folder.
    Export {
        /// The folder; one with an export is not written over.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Verify an export, and name the first event or checkpoint that does not hold.
    Verify(VerifyArgs),
    /// Prove that an event is in a checkpoint, or that one checkpoint's tree begins another's.
    Prove(ProveArgs),
    /// Make the receipt of an event for the person it is about: the fields of ISO/IEC TS 27560, with its proof.
    Receipt {
        /// The folder of the export.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The event, such as L3.17.
        #[arg(value_name = "EVENT")]
        event: String,
    },
    /// Check a proof by the public key alone.
    Check {
        /// The proof, as `prove` printed it.
        #[arg(value_name = "FILE")]
        proof: PathBuf,
        /// The public key, as PEM.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `headgate ledger verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// The folder of the export.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The public key you trust, as PEM [default: the one in the export, which says nothing of who signed].
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// A checkpoint you kept: it must be among those of the export.
    #[arg(long, value_name = "FILE")]
    pub kept: Option<PathBuf>,
    /// The deployment whose ledger it must be.
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// Print JSON, and no progress.
    #[arg(long)]
    pub json: bool,
}

/// `headgate ledger prove`.
#[derive(Clone, Debug, Args)]
pub struct ProveArgs {
    /// The folder of the export.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The event, such as L3.17.
    #[arg(value_name = "EVENT", required_unless_present = "from")]
    pub event: Option<String>,
    /// The checkpoint that must have it [default: the newest].
    #[arg(long, value_name = "NUMBER", conflicts_with = "from")]
    pub checkpoint: Option<u64>,
    /// The older of two checkpoints.
    #[arg(long, value_name = "NUMBER", requires = "to", conflicts_with = "event")]
    pub from: Option<u64>,
    /// The newer of them.
    #[arg(long, value_name = "NUMBER", requires = "from")]
    pub to: Option<u64>,
}
