//! `headgate demo`: the main job on real input, judged on what Meta's side saw.
//!
//! Real functions, real AWS SDKs, real sockets, real time; only the calendar is turned, at the end, to
//! see yesterday's content become unreadable. The judge is the simulator's own record of arrivals, not
//! the gateway's word. The same at every hour of the day: the calendar starts at a fixed morning.

mod files;
mod flow;
mod forgery;
mod letters;
mod measure;
mod plot;
mod promises;
mod purge;
mod report;
mod scenario;
mod search;
mod watch;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use local_cloud::Calendar;

use crate::cli::DemoArgs;
use crate::stage::{Options, Stage};
use report::Report;

/// Runs the demo; exit 0 only if every promise held.
///
/// # Errors
/// When it could not be carried to its end.
pub async fn run(args: &DemoArgs) -> Result<ExitCode> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    headgate_lambda::log::capture(Arc::new(move |line| {
        sink.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line.to_owned());
    }));
    let show = Show { quiet: args.json };
    show.say(&format!(
        "Headgate demo: {} messages through all lanes, {} a second allowed.\n",
        args.messages, args.rate
    ));
    let bar = show.bar(
        "starting the local cloud, the functions and a simulated Meta",
        None,
    );
    let stage = Stage::start(Options {
        first_port: None,
        data_dir: None,
        graph_url: None,
        calendar: Calendar::at_fixed_morning(),
        per_second: Some(args.rate),
        sends: false,
    })
    .await?;
    bar.finish_and_clear();
    let outcome = flow::run(args, &stage, &show, &lines).await;
    let stopped = stage.stop().await;
    let report: Report = outcome?;
    stopped?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.table());
    }
    Ok(if report.held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What happens without a command: the demo, then how to go on.
///
/// # Errors
/// As for [`run`].
pub async fn run_by_default() -> Result<ExitCode> {
    let code = run(&DemoArgs {
        messages: 600,
        rate: 80,
        json: false,
    })
    .await?;
    println!(
        "\nHow to go on:\n  \
         cargo run -q -- dev      everything on this machine, for your own app in any language\n  \
         cargo run -q -- --help   send, cancel, opt-in, opt-out, events, status, dlq, producer, number, clock\n  \
         README.md                from the first message to your own AWS account"
    );
    Ok(code)
}

/// Where progress is shown.
pub(crate) struct Show {
    quiet: bool,
}

impl Show {
    /// One line for people.
    fn say(&self, text: &str) {
        if !self.quiet {
            println!("{text}");
        }
    }

    /// A bar, or a spinner where the end is not known; nothing without a terminal.
    fn bar(&self, what: &'static str, length: Option<usize>) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let (bar, style) = match length {
            Some(length) => (
                ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX)),
                "  {msg:<46} {bar:32} {pos}/{len}",
            ),
            None => (ProgressBar::new_spinner(), "  {spinner} {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    }
}
