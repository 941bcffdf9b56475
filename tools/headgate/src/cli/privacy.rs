//! `headgate privacy`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use headgate_domain::privacy::{Denial, Extension};

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
headgate privacy fulfil dsr_k3m7q2xv5n6rj4thw2ya\n  \
headgate privacy deny dsr_k3m7q2xv5n6rj4thw2ya --reason no_match\n  \
headgate privacy extend dsr_k3m7q2xv5n6rj4thw2ya --reason complexity\n  \
headgate privacy lift dsr_k3m7q2xv5n6rj4thw2ya --told\n  \
headgate privacy key > receipts.pem\n  \
headgate privacy verify receipt.txt --key receipts.pem\n  \
headgate privacy replay-after-restore\n\n\
Requests are carried out by privacy-worker, every five minutes. Nobody is erased from here, and no request leads to a \
person. verify needs files alone: no network, no account.";

fn denial() -> PossibleValuesParser {
    PossibleValuesParser::new(Denial::ALL.iter().map(|why| why.word()))
}

fn extension() -> PossibleValuesParser {
    PossibleValuesParser::new(Extension::ALL.iter().map(|why| why.word()))
}

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
    /// Close a request that its person has taken back, as long as nothing was begun.
    Withdraw {
        /// The reference, as the person has it.
        #[arg(value_name = "DSR")]
        request: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// End a restriction. The person is told first: in the chat, if they have written there within 24 hours; otherwise
    /// nothing happens, and you tell them by another way.
    Lift {
        /// The reference, as the person has it.
        #[arg(value_name = "DSR")]
        request: String,
        /// They have been told by another way.
        #[arg(long)]
        told: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Close a rectification that you have carried out.
    Fulfil {
        /// The reference, as the person has it.
        #[arg(value_name = "DSR")]
        request: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Close a rectification that you do not carry out.
    Deny {
        /// The reference, as the person has it.
        #[arg(value_name = "DSR")]
        request: String,
        /// Why: the person reads it in their language.
        #[arg(long, value_name = "REASON", value_parser = denial())]
        reason: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Give a rectification the longest time that every law of the person allows, once, before it is due.
    Extend {
        /// The reference, as the person has it.
        #[arg(value_name = "DSR")]
        request: String,
        /// Why: the person reads it in their language.
        #[arg(long, value_name = "REASON", value_parser = extension())]
        reason: String,
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
    /// Legal holds: place, list, disclose, lift.
    Hold(HoldArgs),
    /// After a table was restored from a backup: suppress and erase again whoever was erased since.
    ReplayAfterRestore {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}

/// `headgate privacy hold`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HOLD_HELP)]
pub struct HoldArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: HoldAction,
}

const HOLD_HELP: &str = "Examples:\n  \
headgate privacy hold place --subject sub_… --reason \"claim C-17\" --approved-by \"general counsel\" --days 90\n  \
headgate privacy hold place --from 2026-11-01 --until 2026-11-08 --reason \"order 4711\" --approved-by \"DPO\" --days 30\n  \
headgate privacy hold place --phone - --reason \"claim C-18\" --approved-by \"general counsel\" --days 90 < number.txt\n  \
headgate privacy hold list\n  \
headgate privacy hold disclose hold_…\n  \
headgate privacy hold lift hold_…\n\n\
A hold keeps copies of messages beyond their time, under a key of its own, and lets erasures wait. The subject id of a \
number is in every event about it, and POST /consents/query tells it; --phone - looks it up, with a right of its own \
(docs/privacy-requests.md), and keeps no number. Name nobody in the reason.";

/// What to do about legal holds.
#[derive(Clone, Debug, Subcommand)]
pub enum HoldAction {
    /// Place a hold on a person, or on what was written in a time.
    Place(HoldPlaceArgs),
    /// Show every hold there is or was.
    List {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Lift a hold: what it kept is destroyed, and erasures go on.
    Lift {
        /// The hold.
        #[arg(value_name = "HOLD")]
        hold: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Have a copy made of what a hold has kept, and print where it is, for three days.
    Disclose {
        /// The hold.
        #[arg(value_name = "HOLD")]
        hold: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}

/// `headgate privacy hold place`.
#[derive(Clone, Debug, Args)]
pub struct HoldPlaceArgs {
    /// The person.
    #[arg(long, value_name = "SUBJECT", conflicts_with_all = ["from", "until"])]
    pub subject: Option<String>,
    /// The person by telephone number: give -, and the number on standard input, or when it is asked for. An argument
    /// is kept by the shell.
    #[arg(long, value_name = "-", conflicts_with_all = ["subject", "from", "until"])]
    pub phone: Option<String>,
    /// Everything from the beginning of this day (UTC) on.
    #[arg(long, value_name = "DAY", requires = "until")]
    pub from: Option<String>,
    /// Until the beginning of this day (UTC).
    #[arg(long, value_name = "DAY", requires = "from")]
    pub until: Option<String>,
    /// Why; without naming anybody.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who approved of it.
    #[arg(long, value_name = "WHO")]
    pub approved_by: String,
    /// For how many days, 365 at most.
    #[arg(long, value_name = "DAYS")]
    pub days: u16,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
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
