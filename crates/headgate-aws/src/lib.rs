//! The AWS adapters: the only code that names an AWS SDK (invariant I2).
//!
//! One module per store, each with the calls Headgate makes and no more. Everything that names a
//! person is sealed or pseudonymised here, before it leaves the process. A cargo feature per
//! service, so that a function links only what it calls. Holds no rules: those are
//! `headgate-domain`'s.

mod client;
mod error;

pub use client::{Aws, AwsSettings};
pub use error::AwsError;

#[cfg(feature = "dynamodb")]
pub mod api_records;
#[cfg(feature = "dynamodb")]
pub mod api_tokens;
#[cfg(feature = "store")]
pub mod breach;
#[cfg(feature = "events")]
pub mod bus;
#[cfg(feature = "store")]
pub mod cancel;
#[cfg(feature = "store")]
pub mod ceilings;
#[cfg(feature = "s3")]
pub mod checkpoints;
#[cfg(feature = "dynamodb")]
pub mod confirm_links;
#[cfg(feature = "store")]
pub mod consents;
#[cfg(feature = "store")]
pub mod controls;
#[cfg(feature = "store")]
pub mod erasure;
#[cfg(feature = "store")]
pub mod evidence;
#[cfg(feature = "store")]
pub mod import_messages;
pub mod imports;
#[cfg(feature = "dynamodb")]
mod item;
#[cfg(feature = "store")]
pub mod keyring;
#[cfg(feature = "store")]
pub mod ledger;
#[cfg(feature = "store")]
pub mod messages;
#[cfg(feature = "s3")]
pub mod objects;
#[cfg(feature = "store")]
mod outbox;
#[cfg(feature = "store")]
pub mod pacing;
#[cfg(feature = "kms")]
pub mod peppers;
#[cfg(all(feature = "store", feature = "sqs"))]
pub mod poison;
#[cfg(feature = "store")]
pub mod privacy_requests;
#[cfg(feature = "sqs")]
pub mod queue;
#[cfg(feature = "store")]
pub mod reports;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "kms")]
pub mod signing;
#[cfg(feature = "store")]
pub mod subjects;
#[cfg(feature = "store")]
pub mod suppression;
#[cfg(feature = "sqs")]
pub mod visibility;

/// Fresh random bytes from the operating system.
///
/// # Errors
/// [`AwsError`] when the system has no randomness to give; nothing may be sealed then.
pub fn random<const N: usize>() -> Result<[u8; N], AwsError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|_unavailable| AwsError::new("getrandom", "unavailable"))?;
    Ok(bytes)
}
