//! What may be shown, and the only way to show the rest.
//!
//! Owns three types of promise. [`Personal`] holds what names a person: it can be compared and
//! stored, and seen only through a call whose name says so. [`Secret`] holds key material: it
//! is wiped when dropped. [`LogSafe`] marks the types whose `Display` may enter a log line.
//!
//! Deliberately absent: masks. A value that "keeps the last two digits" is still the value to
//! anyone with a list of candidates, so there is nothing between hidden and revealed.

mod log_safe;
mod personal;
mod secret;

pub use log_safe::LogSafe;
pub use personal::Personal;
pub use secret::Secret;
