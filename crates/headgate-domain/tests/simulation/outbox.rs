//! The outbox in memory: a million marketing messages that are computed, not kept, and the codes.

use std::collections::{BTreeMap, HashMap};

use headgate_domain::holder::{Seen, ShortRef, Ticket};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{MAX_SHARDS, RecordRef, State, ulid};
use headgate_domain::time::{HOUR, Timestamp};

use crate::chance::mixed;

pub(crate) const NUMBER: &str = "106540352242922";
const BACKLOG: u64 = 1_000_000;
/// The campaign was loaded at this distance of two messages, in milliseconds.
const LOADED_EVERY: i64 = 3;
pub(crate) const PAGE: usize = 100;

/// What is stored about a record beside its address.
#[derive(Clone, Copy)]
struct Row {
    state: State,
    attempt: u32,
}

const UNTOUCHED: Row = Row {
    state: State::Queued,
    attempt: 0,
};

pub(crate) struct Outbox {
    loaded_from: Timestamp,
    /// Rows of the campaign that are not as they were loaded.
    moved: HashMap<u64, Row>,
    codes: BTreeMap<(u8, String), Row>,
    expires: Timestamp,
}

impl Outbox {
    /// The campaign was loaded an hour before `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            loaded_from: now.plus_millis(-HOUR),
            moved: HashMap::new(),
            codes: BTreeMap::new(),
            expires: now.plus_millis(HOUR * 24),
        }
    }

    pub(crate) fn put_code(&mut self, shard: u8, ulid: String) {
        self.codes.insert((shard, ulid), UNTOUCHED);
    }

    /// Up to a page of a shard behind a place, and how far it reached if there may be more.
    pub(crate) fn page(&self, lane: Purpose, shard: u8, from: &str) -> (Vec<Seen>, Option<String>) {
        let records: Vec<Seen> = match lane {
            Purpose::Authentication => self
                .codes
                .range((shard, from.to_owned())..(shard + 1, String::new()))
                .filter(|((_, ulid), _)| ulid.as_str() > from)
                .take(PAGE)
                .map(|((_, ulid), row)| self.seen(lane, shard, ulid.clone(), *row))
                .collect(),
            Purpose::Marketing => {
                let places = (self.place_near(from)..BACKLOG)
                    .filter(|place| place % u64::from(MAX_SHARDS) == u64::from(shard));
                places
                    .map(|place| (place, self.ulid_at(place)))
                    .filter(|(_, ulid)| ulid.as_str() > from)
                    .take(PAGE)
                    .map(|(place, ulid)| self.seen(lane, shard, ulid, self.row_at(place)))
                    .collect()
            }
            Purpose::Service | Purpose::Utility => Vec::new(),
        };
        let full = records.len() == PAGE;
        let last = records.last().map(|r| r.ticket.reference.ulid.clone());
        (records, last.filter(|_| full))
    }

    pub(crate) fn load(&self, reference: &RecordRef) -> Option<Seen> {
        let row = match reference.lane {
            Purpose::Authentication => {
                *self.codes.get(&(reference.shard, reference.ulid.clone()))?
            }
            Purpose::Service | Purpose::Utility | Purpose::Marketing => {
                self.row_at(self.place_of(&reference.ulid)?)
            }
        };
        Some(self.seen(reference.lane, reference.shard, reference.ulid.clone(), row))
    }

    /// Moves a record up; lower ranks change nothing.
    pub(crate) fn note(&mut self, reference: &RecordRef, state: State, attempt: u32) {
        let Some(seen) = self.load(reference) else {
            return;
        };
        if state.rank() < seen.state.rank() {
            return;
        }
        let row = Row { state, attempt };
        match (reference.lane, self.place_of(&reference.ulid)) {
            (Purpose::Marketing, Some(place)) => {
                self.moved.insert(place, row);
            }
            (_, _) => {
                self.codes
                    .insert((reference.shard, reference.ulid.clone()), row);
            }
        }
    }

    /// The records a short reference means.
    pub(crate) fn find(&self, short: &ShortRef) -> Vec<RecordRef> {
        let found = match short.lane {
            Purpose::Marketing => (self.place_near(&short.prefix)..BACKLOG)
                .take(4)
                .map(|place| self.ulid_at(place))
                .find(|ulid| ulid.starts_with(&short.prefix)),
            Purpose::Authentication | Purpose::Service | Purpose::Utility => self
                .codes
                .range((short.shard, short.prefix.clone())..)
                .map(|((_, ulid), _)| ulid.clone())
                .next()
                .filter(|ulid| ulid.starts_with(&short.prefix)),
        };
        found
            .into_iter()
            .map(|ulid| reference(short.lane, short.shard, ulid))
            .collect()
    }

    fn seen(&self, lane: Purpose, shard: u8, ulid: String, row: Row) -> Seen {
        let campaign = (lane == Purpose::Marketing).then(|| format!("campaign-{shard}"));
        Seen {
            ticket: Ticket {
                attempt: row.attempt,
                campaign,
                recipient: format!("sub_{ulid}"),
                reference: reference(lane, shard, ulid),
                expires_at: self.expires,
                due: None,
            },
            state: row.state,
        }
    }

    fn row_at(&self, place: u64) -> Row {
        self.moved.get(&place).copied().unwrap_or(UNTOUCHED)
    }

    fn ulid_at(&self, place: u64) -> String {
        let after = i64::try_from(place).unwrap() * LOADED_EVERY;
        random_ulid(self.loaded_from.plus_millis(after), place)
    }

    fn place_of(&self, wanted: &str) -> Option<u64> {
        let place = self.place_near(wanted);
        (place..BACKLOG)
            .take(4)
            .find(|place| self.ulid_at(*place) == wanted)
    }

    /// A place at or a little before that of a ULID, or of its beginning.
    fn place_near(&self, ulid: &str) -> u64 {
        let after = millis_of(ulid) - self.loaded_from.millis();
        u64::try_from(after / LOADED_EVERY - 1).unwrap_or(0)
    }
}

pub(crate) fn random_ulid(at: Timestamp, n: u64) -> String {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&mixed(n).to_be_bytes());
    ulid(at, random)
}

fn reference(lane: Purpose, shard: u8, ulid: String) -> RecordRef {
    RecordRef {
        number: NUMBER.to_owned(),
        lane,
        shard,
        ulid,
    }
}

/// The time in a ULID; zero for what is too short to have one.
fn millis_of(ulid: &str) -> i64 {
    const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let Some(time) = ulid.get(..10) else { return 0 };
    time.chars().fold(0, |all, letter| {
        (all << 5) | i64::try_from(ALPHABET.find(letter).unwrap()).unwrap()
    })
}
