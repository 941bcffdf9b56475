//! Whom the simulated account knows: which user id belongs to which phone, and open windows.

use crate::text;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The other end of a message.
#[derive(Clone)]
pub(crate) struct Subject {
    /// Digits, when the message is addressed by phone.
    pub(crate) phone: Option<Arc<str>>,
    pub(crate) bsuid: Arc<str>,
    pub(crate) profile: Option<Arc<Profile>>,
}

/// What Meta tells about a person who has written.
#[derive(PartialEq)]
pub(crate) struct Profile {
    pub(crate) name: Option<String>,
    pub(crate) username: Option<String>,
}

/// A window is open this long after the last message from the person.
const WINDOW_SECONDS: i64 = 24 * 60 * 60;

#[derive(Default)]
pub(crate) struct People {
    bsuid_of: HashMap<Arc<str>, Arc<str>>,
    profiles: HashMap<Arc<str>, Arc<Profile>>,
    last_inbound: HashMap<(usize, Arc<str>), i64>,
    last_sent: HashMap<(usize, Arc<str>), Arc<str>>,
    stopped: HashSet<Arc<str>>,
}

impl People {
    /// The person behind a phone number.
    pub(crate) fn by_phone(&self, digits: &str, seed: u64) -> Subject {
        let bsuid = match self.bsuid_of.get(digits) {
            Some(bsuid) => Arc::clone(bsuid),
            None => text::bsuid_for(seed, digits).into(),
        };
        Subject {
            phone: Some(digits.into()),
            profile: self.profiles.get(&bsuid).cloned(),
            bsuid,
        }
    }

    /// The person behind a user id.
    pub(crate) fn by_bsuid(&self, bsuid: &str) -> Subject {
        Subject {
            phone: None,
            bsuid: bsuid.into(),
            profile: self.profiles.get(bsuid).cloned(),
        }
    }

    /// Learns who somebody is from a message of theirs.
    pub(crate) fn introduce(&mut self, subject: &Subject) {
        if let Some(phone) = &subject.phone {
            self.bsuid_of
                .insert(Arc::clone(phone), Arc::clone(&subject.bsuid));
        }
        if let Some(profile) = &subject.profile {
            self.profiles
                .insert(Arc::clone(&subject.bsuid), Arc::clone(profile));
        }
    }

    /// Opens or refreshes the customer service window.
    pub(crate) fn heard(&mut self, number: usize, subject: &Subject, now: i64) {
        self.last_inbound
            .insert((number, Arc::clone(&subject.bsuid)), now);
    }

    /// Whether a free-form message may still go out.
    pub(crate) fn window_is_open(&self, number: usize, subject: &Subject, now: i64) -> bool {
        self.last_inbound
            .get(&(number, Arc::clone(&subject.bsuid)))
            .is_some_and(|heard| now.saturating_sub(*heard) < WINDOW_SECONDS)
    }

    pub(crate) fn sent(&mut self, number: usize, subject: &Subject, wamid: &Arc<str>) {
        self.last_sent
            .insert((number, Arc::clone(&subject.bsuid)), Arc::clone(wamid));
    }

    /// The message a button belongs to.
    pub(crate) fn last_sent(&self, number: usize, subject: &Subject) -> Option<Arc<str>> {
        self.last_sent
            .get(&(number, Arc::clone(&subject.bsuid)))
            .cloned()
    }

    /// Meta's own switch for marketing messages.
    pub(crate) fn prefer(&mut self, subject: &Subject, stop: bool) {
        if stop {
            self.stopped.insert(Arc::clone(&subject.bsuid));
        } else {
            self.stopped.remove(&subject.bsuid);
        }
    }

    pub(crate) fn has_stopped_marketing(&self, subject: &Subject) -> bool {
        self.stopped.contains(&subject.bsuid)
    }
}
