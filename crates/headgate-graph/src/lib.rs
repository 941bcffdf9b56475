//! The Graph API client: the only code that calls Meta.
//!
//! Owns the request, the connections and the reading of the answer into one of six outcomes. It
//! promises that a send whose outcome is unknown is called [`Outcome::Ambiguous`] and nothing
//! else (I6): there is no idempotency key, so a repeated send is a second message. It does not
//! pace, retry, follow redirects or use a proxy, and it sends only with a `SendPermit` (I3). Media are
//! downloaded from Meta's host alone. No text that leaves it holds an address: Meta takes secrets in
//! query strings.

mod address;
mod answer;
mod client;
mod codes;
mod connection;
#[cfg(fuzzing)]
pub mod fuzzing;
mod media;
mod outcome;
mod rest;
mod unanswered;

pub use client::{GraphClient, InvalidClient, MOST_CONNECTIONS, Timeouts, VERSION};
pub use codes::{Class, Meaning, meaning};
pub use media::{Media, MediaClient, MediaError};
pub use outcome::{NotAccepted, Outcome, Unreachable};
pub use rest::{Rest, Scope};

#[cfg(test)]
mod tests;
