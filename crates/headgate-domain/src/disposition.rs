//! What to do with a piece of work that did not succeed.
//!
//! Owns the one question every boundary error answers. It decides nothing: each error says which
//! of these it is, matched without a wildcard. A refusal is none of them; it is a decision.

use std::time::Duration;

/// The way on after a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// Nothing happened on the far side; do it again.
    Retry,
    /// Nothing happened on the far side; do it again, but not before this much time has passed.
    RetryAfter(Duration),
    /// It will never succeed; repeating it only costs.
    Discard,
    /// It is unknown whether it happened; find out, and do not repeat it (invariant I6).
    Reconcile,
}

impl Disposition {
    /// Whether the work may simply be done again.
    pub const fn may_repeat(self) -> bool {
        match self {
            Self::Retry | Self::RetryAfter(_) => true,
            Self::Discard | Self::Reconcile => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_is_never_simply_repeated() {
        assert!(Disposition::Retry.may_repeat());
        assert!(Disposition::RetryAfter(Duration::from_secs(6)).may_repeat());
        assert!(!Disposition::Reconcile.may_repeat());
        assert!(!Disposition::Discard.may_repeat());
    }
}
