//! An offline server that behaves like Meta's Cloud API for business messaging.
//!
//! Owns the other side of the wire: it answers sends as Meta answers them, keeps Meta's limits with
//! exact sliding windows, posts signed notifications back, and keeps a record of what arrived when.
//! Promises independence: it shares no code with the gateway, so the two cannot agree on a mistake.
//! Deliberately does not do media upload, template management, groups, calls or billing, and never
//! speaks to anything but the loopback address it is given.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a host tool: counters of a bounded run, slices whose bounds are checked where they are made"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "there are many faults, and each place names those it is about"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "stands for an outside party on a host: it has its own clock and its own lasting tasks"
)]

mod acceptance;
mod admin;
mod answer;
mod arrivals;
mod components;
mod connection;
mod content;
mod courier;
mod faults;
mod fields;
mod graph;
mod inbound;
mod interactive;
mod ledger;
mod limits;
mod media;
mod options;
mod people;
mod refusal;
mod secure;
mod serve;
mod shape;
mod simulator;
mod statuses;
mod text;
mod tls;
mod wire;
mod world;

pub use arrivals::{Arrival, NumberWindow, WindowReport};
pub use faults::{Fault, Faults};
pub use ledger::Counters;
pub use options::{Latency, Medium, Number, Options, Person, Template};
pub use simulator::Simulator;
