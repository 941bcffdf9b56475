//! The client commands: each does one thing an app could do, against a local run or an account.

pub mod clock;
pub mod consent;
pub mod events;
pub mod send;
pub mod status;
