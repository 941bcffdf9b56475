//! What can be asked for: every command and flag, with its help. Decides nothing else.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use headgate_domain::consent::METHODS;
use headgate_domain::lane::Purpose;

use crate::{commands, demo, dev, text};

mod breach;
mod ledger;
mod operate;
mod pepper;
mod privacy;
mod purge;
mod report;
mod vault;
pub use breach::*;
pub use ledger::*;
pub use operate::*;
pub use pepper::*;
pub use privacy::*;
pub use purge::*;
pub use report::*;
pub use vault::*;

/// A WhatsApp gateway: run it on this machine, prove it, and talk to it as an app does.
///
/// Without a command: the demo, then how to go on.
#[derive(Debug, Parser)]
#[command(name = "headgate", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "Start with `headgate demo`, then `headgate dev` in one terminal and \
`headgate send --help` in another.\nThe client commands take --env-file; without one they use \
.headgate/dev.env if it exists, else the AWS_* and HEADGATE_QUEUE_* variables of the environment.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the main job on real input and check every promise: exit 0 only if all held.
    Demo(DemoArgs),
    /// Start everything on this machine and stay up until Ctrl-C.
    Dev(DevArgs),
    /// Put one message on its lane queue.
    Send(Box<SendArgs>),
    /// Record that a person said yes, with the proof.
    OptIn(OptInArgs),
    /// Record that a person said no.
    OptOut(OptOutArgs),
    /// Register a wording people agree to, or show one.
    Notice(NoticeArgs),
    /// Load what Do-Not-Call registers said of numbers.
    Dnc(DncArgs),
    /// Import a file of earlier consents.
    Consent(ConsentArgs),
    /// Cancel messages that have not left yet.
    Cancel(CancelArgs),
    /// Show what apps are told: one line for each event of the app-events queue.
    Events(EventsArgs),
    /// Answer why somebody was written to, with what proves it.
    Why(WhyArgs),
    /// Download what a person attached to a message.
    Media(MediaArgs),
    /// Show how full the queues are, and where the calendar of a local run stands.
    Status(ClientArgs),
    /// Hold back a producer, let it go on, or show who is held back.
    Producer(ProducerArgs),
    /// Show what is in force for each number, hold one back, or let it go on.
    Number(NumberArgs),
    /// Make, show or take back the tokens of the HTTP API for consents.
    Token(TokenArgs),
    /// See, put back or throw away what could not be dealt with.
    Dlq(DlqArgs),
    /// Export the consent ledger, verify an export, prove what is in it.
    Ledger(LedgerArgs),
    /// The purge after 90 days: what is due, and the signed evidence of what was done.
    Purge(PurgeArgs),
    /// The key that numbers and evidence are sealed under: ask for the next.
    Vault(VaultArgs),
    /// The peppers that people and the suppression list are named by: put the next in force.
    Pepper(PepperArgs),
    /// What people ask about their own data: the agenda, receipts, and erasing again after a restore.
    Privacy(PrivacyArgs),
    /// After a breach: how many people and what data were within reach, and until when whom has to be told.
    Breach(BreachArgs),
    /// Count messages per day and template, and what became of them; no person, and nothing below ten.
    Report(ReportArgs),
    /// Turn the calendar of a running `headgate dev`.
    Clock(ClockArgs),
}

/// `headgate demo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = DEMO_HELP)]
pub struct DemoArgs {
    /// How many good messages go through the lanes.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pub messages: u32,
    /// What Meta allows the number, in messages a second, inbound ones included.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(10..=1_000))]
    pub rate: u32,
    /// Print one JSON object instead of the table and the plot.
    #[arg(long)]
    pub json: bool,
}

const DEMO_HELP: &str = "How it is judged, on the simulator's own record of arrivals:\n  \
worst_window        the most sends that arrived in any sliding second, refused ones included;\n                      \
worst_window_with_inbound counts what people wrote, too, as Meta does\n  \
utilisation         accepted arrivals / (rate x seconds from the first to the last arrival),\n                      \
all messages being accepted before the first is sent, so that there is always a backlog\n  \
sent_after_opt_out  marketing arrivals for a person later than 5 s after the webhook answered\n                      \
their STOP, or than 2.5 s after the app was told subject.opted_out: a message\n                      \
may leave on a judgement that is two seconds old\n  \
duplicates_sent     arrivals beyond the first for one message record\n  \
lost                accepted messages without a final outcome";

/// `headgate dev`.
#[derive(Clone, Debug, Args)]
pub struct DevArgs {
    /// The first of the ports, counted up in a fixed order; free ones if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=65_520))]
    pub port: Option<u16>,
    /// Where KEY=VALUE lines go once everything is ready.
    #[arg(long, value_name = "F", default_value = crate::env_file::DEFAULT_PATH)]
    pub env_file: PathBuf,
    /// Keep data and secrets here, so that they survive a restart; in memory if absent.
    #[arg(long, value_name = "D")]
    pub data_dir: Option<PathBuf>,
    /// Send to this Graph API instead of the simulator, which then does not run.
    #[arg(long, value_name = "URL")]
    pub graph_url: Option<String>,
    /// Print one JSON object (what the env file holds) when ready, and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// How a client command finds the gateway.
#[derive(Clone, Debug, Args)]
pub struct ClientArgs {
    /// The env file of a running `headgate dev` [default: .headgate/dev.env if it exists, else the environment].
    #[arg(long, value_name = "F")]
    pub env_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A purpose, which is also a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PurposeArg {
    /// A code the person asked for within the last 15 minutes.
    Authentication,
    /// An answer within 24 hours of the person's last message.
    Service,
    /// About something the person already has with the business.
    Utility,
    /// Anything that promotes.
    Marketing,
}

impl From<PurposeArg> for Purpose {
    fn from(purpose: PurposeArg) -> Self {
        match purpose {
            PurposeArg::Authentication => Self::Authentication,
            PurposeArg::Service => Self::Service,
            PurposeArg::Utility => Self::Utility,
            PurposeArg::Marketing => Self::Marketing,
        }
    }
}

/// Why the business may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BasisArg {
    /// The person opted in (the default).
    Consent,
    /// The person just asked for this message; required for authentication.
    UserAction,
    /// The message belongs to a contract; utility only, with --contract.
    Contract,
}

/// `headgate send`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SEND_HELP)]
pub struct SendArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// The recipient's phone number, E.164 with +.
    #[arg(long, value_name = "PHONE", group = "to")]
    pub to_phone: Option<String>,
    /// The recipient's subject id, as events give it.
    #[arg(long, value_name = "SUBJECT", group = "to")]
    pub to_subject: Option<String>,
    /// The recipient's business-scoped user id, as Meta gives it.
    #[arg(long, value_name = "BSUID", group = "to")]
    pub to_bsuid: Option<String>,
    /// Your own key of the person; comes back in every event about them.
    #[arg(long = "ref", value_name = "KEY", requires = "to")]
    pub reference: Option<String>,
    /// What the message is for; also the queue it goes to.
    #[arg(long)]
    pub purpose: Option<PurposeArg>,
    /// Send this approved template.
    #[arg(long, value_name = "NAME", group = "content", requires = "to")]
    pub template: Option<String>,
    /// Send this text, which needs an open service window.
    #[arg(long, group = "content", requires = "to")]
    pub text: Option<String>,
    /// Send a whole headgate.outbound/1 body from a file, or - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "content"])]
    pub file: Option<PathBuf>,
    /// The template's language.
    #[arg(long, default_value = "en_US")]
    pub language: String,
    /// A parameter of the template's body; repeat in order.
    #[arg(long = "param", value_name = "TEXT", requires = "template")]
    pub params: Vec<String>,
    /// The one-time code of an authentication template, for its body and its button.
    #[arg(long, requires = "template", conflicts_with = "params")]
    pub code: Option<String>,
    /// Your id of the message; repeating it with the same content changes nothing [default: a random one].
    #[arg(long)]
    pub id: Option<String>,
    /// Phone number id or alias to send from [default: the number of the local run].
    #[arg(long)]
    pub from: Option<String>,
    /// Why you may write.
    #[arg(long, value_enum)]
    pub basis: Option<BasisArg>,
    /// When the person asked, for --basis user-action [default: now].
    #[arg(long, value_name = "TIME")]
    pub basis_at: Option<String>,
    /// The contract or order, for --basis contract.
    #[arg(long, value_name = "REFERENCE")]
    pub contract: Option<String>,
    /// Not before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub not_before: Option<String>,
    /// Not after this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,
    /// What it is about within its purpose, as people agree to topics.
    #[arg(long)]
    pub topic: Option<String>,
    /// The campaign; appears in clear in reports, so never name a person with it.
    #[arg(long)]
    pub campaign: Option<String>,
}

const SEND_HELP: &str = "Examples:\n  \
headgate send --to-phone +16135550123 --purpose utility --template order_shipped\n  \
headgate send --to-phone +16135550123 --purpose authentication --template login_code --code 493817 --basis user-action\n  \
headgate send --file message.json\n\n\
The answer is an event: `headgate events --follow` shows message.accepted or message.refused with the reason.";

/// Whose consent.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Person {
    /// By phone number, E.164 with +.
    #[arg(long)]
    pub phone: Option<String>,
    /// By subject id.
    #[arg(long)]
    pub subject: Option<String>,
    /// By business-scoped user id.
    #[arg(long)]
    pub bsuid: Option<String>,
}

/// `headgate opt-in`.
#[derive(Clone, Debug, Args)]
pub struct OptInArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub person: Person,
    /// What the person said yes to; repeat for several.
    #[arg(long, required = true)]
    pub purpose: Vec<PurposeArg>,
    /// How the person said it.
    #[arg(long, value_parser = PossibleValuesParser::new(METHODS))]
    pub source: String,
    /// The wording the person agreed to.
    #[arg(
        long,
        default_value = "I agree to receive messages from this business on WhatsApp."
    )]
    pub notice: String,
    /// A topic of the purpose that alone is agreed to, as the configuration declares it; repeat for several.
    #[arg(long)]
    pub topic: Vec<String>,
    /// What proves it: a JSON object that names what the source asks for, see schemas/consent-record.v1.json
    /// [default: this record, as the reference].
    #[arg(long, value_name = "JSON")]
    pub evidence: Option<String>,
    /// The language of the wording.
    #[arg(long, value_name = "TAG")]
    pub locale: Option<String>,
    /// When it happened, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub occurred_at: Option<String>,
    /// Your id of the record [default: a random one].
    #[arg(long)]
    pub id: Option<String>,
    /// Your own key of the person.
    #[arg(long = "ref", value_name = "KEY")]
    pub reference: Option<String>,
}

/// `headgate opt-out`.
#[derive(Clone, Debug, Args)]
pub struct OptOutArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub person: Person,
    /// What the person said no to; repeat for several [default: marketing and utility].
    #[arg(long)]
    pub purpose: Vec<PurposeArg>,
    /// A topic of the purpose that alone is meant, as the configuration declares it; repeat for several.
    #[arg(long, requires = "purpose")]
    pub topic: Vec<String>,
    /// How the person said it.
    #[arg(long, value_parser = PossibleValuesParser::new(METHODS), default_value = "agent")]
    pub source: String,
    /// When it happened, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub occurred_at: Option<String>,
    /// Your id of the record [default: a random one].
    #[arg(long)]
    pub id: Option<String>,
}

/// `headgate events`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Printing deletes: what is shown here, no other reader of the queue will see."
)]
pub struct EventsArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// Go on waiting for events, until Ctrl-C; otherwise end when the queue is empty.
    #[arg(long)]
    pub follow: bool,
    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// `headgate media`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MEDIA_HELP)]
pub struct MediaArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: MediaAction,
}

const MEDIA_HELP: &str = "Example:\n  \
headgate media get 400000000000001 --out receipt.jpg\n\n\
The id is in the event inbound.message, under data.message.<type>.id, and good for seven days.\n\
The access token is read from the secret that HEADGATE_SECRET_GRAPH_SEND names, and shown to Meta alone.";

/// What to do with media.
#[derive(Clone, Debug, Subcommand)]
pub enum MediaAction {
    /// Download it into a new file, and compare it with Meta's hash.
    Get(MediaGetArgs),
}

/// `headgate media get`.
#[derive(Clone, Debug, Args)]
pub struct MediaGetArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "the flattened fields have their own help")]
    pub client: ClientArgs,
    /// Meta's id of the media.
    #[arg(value_name = "MEDIA_ID")]
    pub id: String,
    /// The file to write; never one that exists.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The most that is taken, in megabytes; Meta sends no more than 100.
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=2_000))]
    pub max_size: u64,
}

/// `headgate clock`.
#[derive(Clone, Debug, Args)]
pub struct ClockArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: ClockAction,
}

/// What to do with the calendar.
#[derive(Clone, Debug, Subcommand)]
pub enum ClockAction {
    /// Move it forward, running every schedule on the way; never back.
    Advance {
        /// How far: 91d, 12h, 30m, 45s.
        #[arg(value_parser = text::parse_span)]
        by: Duration,
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}

/// Runs what was asked for.
///
/// # Errors
/// Whatever kept the command from its work, in words that say what to do.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        None => demo::run_by_default().await,
        Some(Command::Demo(args)) => demo::run(&args).await,
        Some(Command::Dev(args)) => dev::run(&args).await,
        Some(Command::Send(args)) => commands::send::run(&args).await,
        Some(Command::OptIn(args)) => commands::consent::opt_in(&args).await,
        Some(Command::OptOut(args)) => commands::consent::opt_out(&args).await,
        Some(Command::Notice(args)) => commands::notice::run(&args).await,
        Some(Command::Dnc(DncArgs {
            action: DncAction::Load(args),
        })) => commands::dnc::load(&args).await,
        Some(Command::Consent(ConsentArgs {
            action: ConsentAction::Import(args),
        })) => commands::import::run(&args).await,
        Some(Command::Consent(ConsentArgs {
            action: ConsentAction::Approve(args),
        })) => commands::approve::run(&args).await,
        Some(Command::Cancel(args)) => commands::cancel::run(&args).await,
        Some(Command::Producer(args)) => commands::producer::run(&args).await,
        Some(Command::Token(args)) => Box::pin(commands::token::run(&args)).await,
        Some(Command::Number(args)) => commands::number::run(&args).await,
        Some(Command::Dlq(args)) => commands::dlq::run(&args).await,
        Some(Command::Why(args)) => commands::why::run(&args).await,
        Some(Command::Events(args)) => commands::events::run(&args).await,
        Some(Command::Media(MediaArgs {
            action: MediaAction::Get(args),
        })) => commands::media::get(&args).await,
        Some(Command::Ledger(args)) => commands::ledger::run(&args).await,
        Some(Command::Breach(args)) => Box::pin(commands::breach::run(&args)).await,
        Some(Command::Report(args)) => Box::pin(commands::report::run(&args)).await,
        Some(Command::Vault(args)) => Box::pin(commands::vault::run(&args)).await,
        Some(Command::Pepper(args)) => Box::pin(commands::pepper::run(&args)).await,
        Some(Command::Purge(args)) => Box::pin(commands::purge::run(&args)).await,
        Some(Command::Privacy(args)) => Box::pin(commands::privacy::run(&args)).await,
        Some(Command::Status(args)) => commands::status::run(&args).await,
        Some(Command::Clock(ClockArgs {
            action: ClockAction::Advance { by, client },
        })) => commands::clock::advance(by, &client).await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_recipient_is_named_in_one_way_only() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parse(
            "headgate send --to-phone +16135550123 --purpose utility --template order_shipped"
        ));
        assert!(!parse(
            "headgate send --to-phone +16135550123 --to-bsuid CA.1 --purpose utility --template x"
        ));
        assert!(!parse(
            "headgate send --file m.json --text hello --to-bsuid CA.1"
        ));
        assert!(parse(
            "headgate opt-in --bsuid CA.1 --purpose marketing --purpose utility --source web_checkbox"
        ));
        assert!(!parse(
            "headgate opt-in --purpose marketing --source web_checkbox"
        ));
        assert!(!parse(
            "headgate opt-in --phone +16135550123 --purpose marketing --source hearsay"
        ));
        assert!(parse("headgate clock advance 91d --env-file x --json"));
        assert!(parse("headgate"));
    }
}
