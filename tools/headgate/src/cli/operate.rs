//! The commands of whoever runs a deployment: cancel, pause, dead letters. Flags and help only.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use headgate_domain::api_token::Scope;
use headgate_domain::import::FileHash;

use super::{ClientArgs, PurposeArg};
use crate::text;

/// `headgate why`.
#[derive(Clone, Debug, Args)]
#[command(after_help = WHY_HELP)]
pub struct WhyArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The message, as events name it: msg_…
    #[arg(value_name = "MESSAGE_ID")]
    pub message: String,
    /// Open the evidence and show it; it may be personal.
    #[arg(long)]
    pub reveal: bool,
}

const WHY_HELP: &str = "Exit 0: every proof holds. Exit 1: one does not, and which is said.";

/// `headgate notice`.
#[derive(Clone, Debug, Args)]
#[command(after_help = NOTICE_HELP)]
pub struct NoticeArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// What to do.
    #[command(subcommand)]
    pub action: NoticeAction,
}

const NOTICE_HELP: &str = "Example:\n  \
headgate notice add checkout.en.txt --locale en\n\n\
The answer is the notice's id, which a consent record may give as `notice` instead of the text.";

/// What to do with a wording.
#[derive(Clone, Debug, Subcommand)]
pub enum NoticeAction {
    /// Register a wording; it is the controller's of the configuration in force.
    Add {
        /// The file with the text, as people see it; - for standard input.
        file: std::path::PathBuf,
        /// Its language, BCP 47, as consent records give it.
        #[arg(long, default_value = "")]
        locale: String,
    },
    /// Show a registered wording.
    Show {
        /// Its id.
        id: String,
    },
}

/// `headgate dnc`.
#[derive(Clone, Debug, Args)]
pub struct DncArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DncAction,
}

/// What to do with checks of registers.
#[derive(Clone, Debug, Subcommand)]
pub enum DncAction {
    /// Load a file of checks: all of it, or nothing when a line is wrong.
    Load(DncLoadArgs),
}

/// `headgate dnc load`.
#[derive(Clone, Debug, Args)]
#[command(after_help = DNC_HELP)]
pub struct DncLoadArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The file, UTF-8, one check a line below the header.
    pub file: std::path::PathBuf,
    /// Read the file and say what is wrong with it; load nothing.
    #[arg(long)]
    pub dry_run: bool,
}

const DNC_HELP: &str = "The file:\n  \
phone,registry,result,checked_on\n  \
+16135550123,SG_DNC_NO_TEXT,clear,2026-11-28\n\n\
The result is listed or clear. A check counts for as many days as the policy profile says\n\
(docs/compliance/profiles.md). Numbers are stored as keyed pseudonyms, never as they are.";

/// `headgate cancel`.
#[derive(Clone, Debug, Args)]
#[command(after_help = CANCEL_HELP)]
pub struct CancelArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The lane the messages were put on; ids are counted by lane.
    #[arg(long)]
    pub lane: PurposeArg,
    /// Your ids of the messages.
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}

const CANCEL_HELP: &str = "Example:\n  \
headgate cancel --lane marketing autumn-0001 autumn-0002\n\n\
The answer is an event: message.cancelled, or message.not_cancelled for one that is already on its way.\n\
Only the producer that put a message on the queue can cancel it.";

/// `headgate producer`.
#[derive(Clone, Debug, Args)]
#[command(after_help = PRODUCER_HELP)]
pub struct ProducerArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ProducerAction,
}

const PRODUCER_HELP: &str = "Examples:\n  \
headgate producer pause AROAEXAMPLESHOP00000 --reason abuse --for 2h\n  \
headgate producer resume AROAEXAMPLESHOP00000\n\n\
A producer is the principal of SQS's SenderId: the unique id of its role, without the session name.\n\
A pause acts within 5 seconds, on what is queued, too.";

/// What to do with a producer.
#[derive(Clone, Debug, Subcommand)]
pub enum ProducerAction {
    /// Hold back everything of a producer: what it queued, and what it puts on a queue.
    Pause(PauseArgs),
    /// Let a producer send again.
    Resume {
        /// The principal, as `producer list` shows it.
        #[arg(value_name = "PRINCIPAL")]
        name: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Show which producers are paused, since when and until when.
    List(ClientArgs),
}

/// Whom or what to pause, why, and for how long.
#[derive(Clone, Debug, Args)]
pub struct PauseArgs {
    /// A producer's principal, or a number's id or alias.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Why, as one word that may be seen by everybody: lower case, digits, underscores.
    #[arg(long, value_name = "WORD", default_value = "operator", value_parser = text::parse_word)]
    pub reason: String,
    /// For how long: 2h, 30m, 1d [default: until it is resumed].
    #[arg(long = "for", value_name = "SPAN", value_parser = text::parse_span)]
    pub span: Option<Duration>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
}

/// `headgate number`.
#[derive(Clone, Debug, Args)]
#[command(after_help = NUMBER_HELP)]
pub struct NumberArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: NumberAction,
}

const NUMBER_HELP: &str = "Examples:\n  \
headgate number list\n  \
headgate number pause main --reason maintenance --for 30m\n  \
headgate number resume main";

/// What to do with a number.
#[derive(Clone, Debug, Subcommand)]
pub enum NumberAction {
    /// Show what is in force for each number: speed, daily limit, quality, pauses.
    List(ClientArgs),
    /// Send nothing from a number.
    Pause(PauseArgs),
    /// Send from a number again.
    Resume {
        /// The number's id or alias.
        #[arg(value_name = "NUMBER")]
        name: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}

/// `headgate token`.
#[derive(Clone, Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct TokenArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: TokenAction,
}

const TOKEN_HELP: &str = "Examples:\n  \
headgate token create --scope consents:write --expires 90d --name shop\n  \
headgate token create --scope consents:write --scope consents:attest --expires 30d --name crm\n  \
headgate token list\n  \
headgate token revoke tok_abcdefghijklmnop\n\n\
A token is for a system that cannot use an IAM role: with one it can, it writes to the consents queue.\n\
It is shown once. Who holds consents:attest is believed when they say that somebody agreed.";

/// What to do with API tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token and show it, once.
    Create(TokenCreateArgs),
    /// Show every token: its name, its scopes, when it ends, the day it was last used.
    List(ClientArgs),
    /// Take a token back; the next request with it is refused.
    Revoke {
        /// The token's id, as `token list` shows it.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}

/// What a new token may do, for how long, and whose it is.
#[derive(Clone, Debug, Args)]
pub struct TokenCreateArgs {
    /// What it may do; repeat for several.
    #[arg(long, required = true, value_parser = text::parse_scope)]
    pub scope: Vec<Scope>,
    /// For how long: 90d, 12h, 30m; a year at most.
    #[arg(long, value_name = "SPAN", value_parser = text::parse_span)]
    pub expires: Duration,
    /// Which system has it; appears in clear in lists.
    #[arg(long, value_name = "WORD", default_value = "unnamed", value_parser = text::parse_system_name)]
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
}

/// `headgate dlq`.
#[derive(Clone, Debug, Args)]
#[command(after_help = DLQ_HELP)]
pub struct DlqArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DlqAction,
}

const DLQ_HELP: &str = "Examples:\n  \
headgate dlq list\n  \
headgate dlq show 5f3a91c2\n  \
headgate dlq redrive --queue utility --reason panicked\n  \
headgate dlq discard 5f3a91c2 --yes\n\n\
Ids are SQS's; the first eight characters of one are enough. While a command looks at an entry, nobody\n\
else sees it; it is put back at once, or comes back by itself within minutes if the command is killed.";

/// What to do with dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum DlqAction {
    /// Count the entries of every dead-letter queue by reason, and list them.
    List(DlqListArgs),
    /// Show one entry; its content only with --reveal.
    Show(DlqShowArgs),
    /// Put entries on their queue again, to be judged afresh; gone from here once SQS has them there.
    Redrive(DlqPickArgs),
    /// Delete entries for good.
    Discard(DlqDiscardArgs),
}

/// The queues that have a dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum QueueArg {
    /// Login codes.
    Authentication,
    /// Answers within 24 hours.
    Service,
    /// About something the person has.
    Utility,
    /// What promotes.
    Marketing,
    /// Confirmations and receipts.
    System,
    /// Consent records.
    Consents,
    /// Files of earlier consents.
    Imports,
    /// What people ask about their own data.
    PrivacyRequests,
    /// What Meta sent.
    Notifications,
    /// What wakes the sender.
    Wake,
    /// What apps are told.
    AppEvents,
}

impl QueueArg {
    /// Every queue, in the order they are shown.
    pub const ALL: [Self; 11] = [
        Self::Authentication,
        Self::Service,
        Self::Utility,
        Self::Marketing,
        Self::System,
        Self::Consents,
        Self::Imports,
        Self::PrivacyRequests,
        Self::Notifications,
        Self::Wake,
        Self::AppEvents,
    ];

    /// As queues and people call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Service => "service",
            Self::Utility => "utility",
            Self::Marketing => "marketing",
            Self::System => "system",
            Self::Consents => "consents",
            Self::Imports => "imports",
            Self::PrivacyRequests => "privacy-requests",
            Self::Notifications => "notifications",
            Self::Wake => "wake",
            Self::AppEvents => "app-events",
        }
    }

    /// As it stands in `HEADGATE_QUEUE_<name>_URL`.
    pub fn variable(self) -> String {
        self.word().to_uppercase().replace('-', "_")
    }

    /// The same of its dead-letter queue.
    pub fn dead_letter_variable(self) -> String {
        format!("{}_DLQ", self.variable())
    }

    /// As the template's outputs call it.
    pub const fn logical(self) -> &'static str {
        match self {
            Self::Authentication => "Authentication",
            Self::Service => "Service",
            Self::Utility => "Utility",
            Self::Marketing => "Marketing",
            Self::System => "System",
            Self::Consents => "Consents",
            Self::Imports => "Imports",
            Self::PrivacyRequests => "PrivacyRequests",
            Self::Notifications => "Notifications",
            Self::Wake => "Wake",
            Self::AppEvents => "AppEvents",
        }
    }
}

/// `headgate dlq list`.
#[derive(Clone, Debug, Args)]
pub struct DlqListArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// Only this queue's.
    #[arg(long)]
    pub queue: Option<QueueArg>,
    /// Look at no more than so many of each queue.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub max: usize,
}

/// `headgate dlq show`.
#[derive(Clone, Debug, Args)]
pub struct DlqShowArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The entry's id, or its beginning.
    pub id: String,
    /// Only look on this queue's.
    #[arg(long)]
    pub queue: Option<QueueArg>,
    /// Open the content and print it: it may hold a phone number, a name, what somebody wrote.
    #[arg(long)]
    pub reveal: bool,
}

/// Which entries.
#[derive(Clone, Debug, Args)]
pub struct DlqPickArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// Ids of entries, or their beginnings.
    #[arg(value_name = "ID", conflicts_with_all = ["all", "reason"])]
    pub ids: Vec<String>,
    /// Only this queue's.
    #[arg(long)]
    pub queue: Option<QueueArg>,
    /// Every entry with this reason, as `dlq list` shows it.
    #[arg(long, value_name = "WORD")]
    pub reason: Option<String>,
    /// Every entry.
    #[arg(long, conflicts_with = "reason")]
    pub all: bool,
    /// Take no more than so many of each queue.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub max: usize,
}

/// `headgate dlq discard`.
#[derive(Clone, Debug, Args)]
pub struct DlqDiscardArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub pick: DlqPickArgs,
    /// Really: what is discarded cannot be brought back.
    #[arg(long)]
    pub yes: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Parser as _, ValueEnum as _};

    use super::QueueArg;
    use crate::cli::Cli;

    /// An alarm tells of each; a queue that is missing here could be neither seen nor redriven.
    #[test]
    fn every_dead_letter_queue_of_the_template_can_be_named() {
        let template = include_str!("../../../../infra/data.yaml");
        let queues: BTreeSet<&str> = template
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix("DeadLetterQueue:"))
            .collect();
        let known: BTreeSet<&str> = QueueArg::ALL.iter().map(|queue| queue.logical()).collect();
        assert_eq!(known, queues);
        assert_eq!(QueueArg::ALL, QueueArg::value_variants());
        for queue in QueueArg::ALL {
            let name = format!("QueueName: !Sub ${{Deployment}}-{}-dlq\n", queue.word());
            assert!(template.contains(&name), "{name}");
            let said = format!("headgate dlq list --queue {}", queue.word());
            assert!(Cli::try_parse_from(said.split(' ')).is_ok(), "{said}");
        }
    }

    #[test]
    fn what_is_stopped_or_thrown_away_is_named() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parse("headgate cancel --lane marketing a-1 a-2"));
        assert!(!parse("headgate cancel --lane system a-1"));
        assert!(!parse("headgate cancel --lane marketing"));
        assert!(parse(
            "headgate producer pause AROASHOP --reason abuse --for 2h --json"
        ));
        assert!(!parse("headgate producer pause AROASHOP --reason Alice"));
        assert!(parse("headgate number list"));
        assert!(parse("headgate dlq redrive --queue app-events --all"));
        assert!(!parse("headgate dlq redrive 5f3a91c2 --all"));
    }
}

/// `headgate consent`.
#[derive(Clone, Debug, Args)]
pub struct ConsentArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ConsentAction,
}

/// What to do with consents.
#[derive(Clone, Debug, Subcommand)]
pub enum ConsentAction {
    /// Ask the people of a file: each gets a link of their own, and nobody is opted in by a file.
    Import(ImportArgs),
    /// Let a message ask the people of an imported file, once; for somebody else than who imported it.
    Approve(ApproveArgs),
}

/// `headgate consent approve`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Who may approve, who is written to and how often: docs/import.md")]
pub struct ApproveArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The SHA-256 of the file, as `headgate consent import` told it.
    #[arg(value_name = "SHA256", value_parser = file_hash)]
    pub file: FileHash,
    /// Approve; without it, only what the file asks is shown.
    #[arg(long)]
    pub yes: bool,
}

fn file_hash(text: &str) -> Result<FileHash, &'static str> {
    FileHash::parse(text).ok_or("expected the 64 lower-case hexadecimal digits of a SHA-256")
}

/// `headgate consent import`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The form of the file, every code of the report and what happens next: docs/import.md"
)]
pub struct ImportArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The file, CSV in UTF-8.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Look at the file and report; nothing leaves this machine.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the report goes, a line per row [default: the file's name and .report.csv].
    #[arg(long, value_name = "REPORT")]
    pub report: Option<PathBuf>,
}
