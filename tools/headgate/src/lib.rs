//! The command line: runs the gateway on one machine, proves it, and talks to it as an app does.
//!
//! ```text
//!  demo ─┐
//!        ├─► stage: local cloud + the six functions + a simulated Meta, all in this process
//!  dev ──┘
//!  send, cancel, opt-in, opt-out, events, status, clock ──► SQS, by an env file or the AWS environment
//!  media ──► the Graph API, with the token of the secret that the environment names
//!  producer, number, dlq ──► SQS and the controls, with the rights of an operator
//! ```
//!
//! A host tool, never deployed. Promises that the clients use nothing an app could not use: queues,
//! their URLs, and for the calendar of a local run its loopback control address. The commands of an
//! operator use what the template's `OperatorPolicy` grants, and no more.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to whoever called it"
)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::duration_suboptimal_units,
    reason = "a host tool: counts and times of a bounded run, in the units people know"
)]
#![allow(
    clippy::indexing_slicing,
    reason = "a host tool: members are set in JSON objects that were made a line above"
)]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "texts for people and test runs, where nobody waits for an allocation"
)]

pub mod canary;
pub mod cli;
pub mod commands;
pub mod connection;
pub mod control;
pub mod demo;
pub mod dev;
pub mod env_file;
mod handlers;
pub mod own_runtime;
pub mod secrets;
mod simulated_meta;
pub mod stage;
pub mod text;
