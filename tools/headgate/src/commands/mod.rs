//! The client commands: each does one thing an app or an operator could do, against a local run or an account.

pub mod approve;
pub mod breach;
pub mod cancel;
pub mod clock;
pub mod consent;
pub mod dlq;
pub mod dnc;
pub mod events;
pub mod hold;
pub mod import;
pub mod ledger;
pub mod media;
pub mod notice;
pub mod number;
pub mod pepper;
pub mod privacy;
pub mod producer;
pub mod purge;
mod purge_run;
pub mod report;
pub mod send;
pub mod status;
pub mod token;
pub mod vault;
pub mod why;
