//! Meta's webhook, from bytes to facts.
//!
//! Owns what the wire looks like: the signature, the handshake, the shapes of notifications, and
//! how a body travels through our own queue. Promises that a body is parsed only when it was
//! verified (I3). It does no I/O and decides nothing.

pub mod handshake;
pub mod notification;
pub mod overflow;
pub mod queue_body;
pub mod signature;
