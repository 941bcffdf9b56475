//! The binary: reads the command line, runs the command, says in one line what went wrong.
#![allow(
    clippy::print_stderr,
    reason = "a command line talks to whoever called it"
)]

use std::process::ExitCode;

use clap::Parser as _;
use headgate::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(headgate::cli::run(Cli::parse())).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
