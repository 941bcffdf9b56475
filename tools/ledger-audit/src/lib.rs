//! Checks an exported consent ledger without a network, an account or us (docs/ledger.md).
//!
//! Owns the form of an export, the way through it, and proofs as files. Promises constant memory in the number
//! of events, and that what does not hold is named with its place. A crate of its own, so that an auditor can
//! build it, and read all of it, without the SDKs of AWS.

mod export;
mod proof;
mod receipt;
mod verify;

pub use export::{Export, ExportError, Heads, Line};
pub use proof::{Proof, ProofError, prove_consistency, prove_inclusion};
pub use receipt::receipt;
pub use verify::{Finding, Given, Report, verify};
