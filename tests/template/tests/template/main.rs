//! template.yaml and the stacks of infra/, held to the design: one module per question.
//!
//! Reads files only. Whether AWS accepts the template is the linters' question, in `.ci/run`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod access;
mod apis;
mod bucket;
mod data;
mod firewall;
mod functions;
mod iam_doc;
mod log_calls;
mod logging_doc;
mod masks;
mod peppers;
mod retention;
mod rights;
mod settings;
mod template;
mod trail;
