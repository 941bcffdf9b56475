//! Unwrapped keys, for as long as they may be kept: a key that was destroyed opens nothing anywhere after that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

/// Unwrapped keys are forgotten after this long.
pub(super) const KEPT: Duration = Duration::from_mins(5);

/// An unwrapped key, wiped when nobody has it any more.
pub(super) type Key = Arc<Zeroizing<[u8; 32]>>;

#[derive(Clone, Default)]
pub(super) struct KeyCache(Arc<Mutex<HashMap<String, (Instant, Key)>>>);

impl KeyCache {
    /// A key that was put less than five minutes ago. What is older is let go of, whichever is asked for.
    pub(super) fn get(&self, id: &str, now: Instant) -> Option<Key> {
        let mut keys = self.0.lock().ok()?;
        keys.retain(|_, (since, _)| now.saturating_duration_since(*since) < KEPT);
        keys.get(id).map(|(_, key)| Arc::clone(key))
    }

    /// Keeps a key from now on.
    pub(super) fn put(&self, id: &str, key: &Key, now: Instant) {
        if let Ok(mut keys) = self.0.lock() {
            keys.insert(id.to_owned(), (now, Arc::clone(key)));
        }
    }

    /// Lets go of a key at once.
    pub(super) fn forget(&self, id: &str) {
        if let Ok(mut keys) = self.0.lock() {
            keys.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    /// What is destroyed elsewhere is forgotten here five minutes after it was unwrapped, however often it was used
    /// since; and nothing of it is left in memory, whoever asks for what.
    #[test]
    fn a_key_is_kept_for_five_minutes_and_not_longer_for_being_used() {
        let (cache, began) = (KeyCache::default(), Instant::now());
        let after = |time: Duration| began.checked_add(time).unwrap();
        let key: Key = Arc::new(Zeroizing::new([7; 32]));
        cache.put("day#1", &key, began);
        cache.put("day#2", &key, after(Duration::from_mins(4)));
        for seconds in [0, 60, 299] {
            let now = after(Duration::from_secs(seconds));
            assert!(cache.get("day#1", now).is_some(), "{seconds}");
        }
        assert!(cache.get("day#2", after(KEPT)).is_some());
        assert_eq!(Arc::strong_count(&key), 2, "the first is let go of");
        assert!(cache.get("day#1", after(KEPT)).is_none());
        cache.forget("day#2");
        assert!(cache.get("day#2", after(KEPT)).is_none());
        assert_eq!(Arc::strong_count(&key), 1);
    }
}
