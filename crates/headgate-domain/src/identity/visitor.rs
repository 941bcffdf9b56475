//! Visitors: a source address, as a log may have it.
//!
//! Owns the keyed hash: 11 characters that are the same all day, another the next, and lead nowhere without
//! the key. What counts as one source is the caller's to say.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headgate_redact::LogSafe;

use super::Pepper;
use crate::time::Day;

/// Keeps these hashes apart from every other use of the pepper.
const LABEL: &str = "headgate/visitor/v1";
/// 8 bytes of a hash: enough to tell the visitors of a day apart.
const TAG_BYTES: usize = 8;

/// A source for one day.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Visitor(String);

impl Visitor {
    /// The visitor behind a source on a day.
    pub fn of(links: &Pepper, deployment: &str, day: Day, source: &str) -> Self {
        let mac = links.mac(&[LABEL, deployment, &day.to_string(), source]);
        Self(URL_SAFE_NO_PAD.encode(mac.get(..TAG_BYTES).unwrap_or_default()))
    }
}

impl fmt::Display for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A keyed hash that no other day repeats.
impl LogSafe for Visitor {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn a_visitor_is_one_for_a_day_and_leads_nowhere_without_the_key() {
        let visitor = |byte: u8, deployment: &str, day: &str, source: &str| {
            let links = Pepper::new([byte; 32]);
            Visitor::of(&links, deployment, Day::parse(day).unwrap(), source)
        };
        let one = visitor(1, "main", "2026-11-29", "203.0.113.7");
        assert_eq!(one, visitor(1, "main", "2026-11-29", "203.0.113.7"));
        for other in [
            visitor(1, "main", "2026-11-30", "203.0.113.7"),
            visitor(2, "main", "2026-11-29", "203.0.113.7"),
            visitor(1, "other", "2026-11-29", "203.0.113.7"),
            visitor(1, "main", "2026-11-29", "203.0.113.8"),
        ] {
            assert_ne!(one, other);
        }
        let shown = one.to_string();
        assert!(shown.len() == 11 && !shown.contains("203"), "{shown}");
    }
}
