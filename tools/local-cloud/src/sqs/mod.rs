//! Standard queues: the part of SQS that Headgate uses, with the limits AWS enforces.
//!
//! Promises: every acknowledged send survives a `kill -9` when a journal is open, a deleted message stays deleted,
//! a message that was received too often moves to its dead-letter queue, a stale receipt handle deletes nothing.
//! Deliberately has no FIFO queues and no policies.
//!
//! Why not `winterbaume-sqs`: its state view leaves messages out, so they could not survive a
//! restart; it drops binary attributes, answers errors without the code the SDKs read, and enforces no batch limits.

mod attributes;
mod checks;
mod engine;
mod journal;
mod operations;
mod types;
mod wire;

pub(crate) use engine::Engine;
pub(crate) use operations::{Sqs, answer};
pub(crate) use types::{QueueSettings, Redrive};
