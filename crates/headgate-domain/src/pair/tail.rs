//! What a holder leaves behind of the pair limit.
//!
//! Owns the form. Names people by the keys it was given, which are pseudonyms.

/// Who owes how much when a holder lets go, in milliseconds until it is paid; empty for a number that
/// was never used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tail {
    /// What everybody who is not listed owes at most.
    pub everybody: u32,
    /// Those who owe most.
    pub listed: Vec<(String, u32)>,
}
