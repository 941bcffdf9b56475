//! A day of message records, as many as one likes, written at once past every request: what a purge finds.
//!
//! Promises rows of the form that the adapters themselves write, each sealed under the key of its day and the salt of
//! its person. Deliberately knows nothing of how they go.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "only tests and benches call it, with numbers of their own"
)]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::keyring::{Keyring, KeyringError, Salt};
use headgate_aws::messages::{Inbound, Messages, Record, body_place_key, inbound_place_key};
use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::record::{RecordRef, State, shard, ulid};
use headgate_domain::retention::sweep_shard;
use headgate_domain::sealing::Place;
use headgate_domain::time::{DAY, Day, Timestamp};
use serde_json::{Value, json};

use crate::Stage;

/// A number of config/headgate.toml.
const NUMBER: &str = "106540352242922";
/// People who write and are written to.
const PEOPLE: u8 = 100;
/// Rows written at once.
const CHUNK: usize = 5_000;
/// A message as apps send it, with its names and values, is about as long.
const CONTENT: usize = 400;

/// How many rows of a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows {
    /// Messages of apps.
    pub outbox: usize,
    /// What people wrote.
    pub inbound: usize,
    /// Ids of apps.
    pub ids: usize,
}

/// A sealed value, as a backup would have it, and all that opens it but the key.
pub struct Kept {
    day: Day,
    salt: Salt,
    key: String,
    envelope: Vec<u8>,
}

impl Kept {
    /// Opens it by a reader that is told that the day is not over; `Ok` is whether it opened.
    ///
    /// # Errors
    /// When the keys could not be asked.
    pub async fn opens(&self, keyring: &Keyring) -> Result<bool, KeyringError> {
        let place = Place {
            table: "messages",
            key: &self.key,
            field: "body",
        };
        let opened = keyring
            .open_content(
                self.day,
                self.day.start(),
                &self.salt,
                &place,
                &self.envelope,
            )
            .await;
        match opened {
            Ok(_content) => Ok(true),
            Err(KeyringError::NoKey | KeyringError::NotOpened) => Ok(false),
            Err(error @ (KeyringError::PastRetention | KeyringError::Aws(_))) => Err(error),
        }
    }

    /// The sealed value.
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }
}

impl Stage {
    /// Loads rows of a day, at least one of each kind, whose key it makes, and keeps copies of some sealed values
    /// chosen evenly at random. `said` hears how many rows there are so far. What is in the table already is read
    /// once: the larger of two days comes last.
    pub async fn load_day(
        &self,
        day: Day,
        rows: Rows,
        keep: usize,
        mut said: impl FnMut(usize),
    ) -> Vec<Kept> {
        let keyring = self.keyring();
        keyring.mint_day(day, day.start()).await.unwrap();
        let loading = Loading::new(self, keyring, day).await;
        let mut chosen = BTreeSet::new();
        for n in 0_u64.. {
            if chosen.len() == keep.min(rows.outbox - 1) {
                break;
            }
            let place = scattered(n ^ 0x5eed) % u64::try_from(rows.outbox - 1).unwrap();
            chosen.insert(usize::try_from(place).unwrap());
        }
        let mut kept = Vec::with_capacity(chosen.len());
        let mut items = Vec::with_capacity(CHUNK);
        // The models are rows, too.
        let rows = Rows {
            outbox: rows.outbox - 1,
            inbound: rows.inbound - 1,
            ids: rows.ids - 1,
        };
        let total = rows.outbox + rows.inbound + rows.ids;
        for n in 0..total {
            let item = if n < rows.outbox {
                let (item, copy) = loading.outbox(n, rows.outbox).await;
                if chosen.contains(&n) {
                    kept.push(copy);
                }
                item
            } else if n < rows.outbox + rows.inbound {
                loading.inbound(n).await
            } else {
                loading.id(n)
            };
            items.push(item);
            if items.len() == CHUNK || n + 1 == total {
                let chunk = std::mem::replace(&mut items, Vec::with_capacity(CHUNK));
                self.cloud().load(&loading.table, chunk).await.unwrap();
                said(n + 1);
            }
        }
        kept
    }
}

struct Loading {
    keyring: Keyring,
    day: Day,
    table: String,
    people: Vec<(SubjectId, Salt)>,
    content: Vec<u8>,
    /// A row of each store, as the adapter wrote it.
    models: [Value; 3],
}

impl Loading {
    async fn new(stage: &Stage, keyring: Keyring, day: Day) -> Self {
        let environment = stage.environment("IntakeFunction");
        let table = environment.get("HEADGATE_TABLE_MESSAGES").unwrap().clone();
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let subject = SubjectId::from_random([n; 16]);
            let salt = keyring.create_salts(&subject).await.unwrap();
            people.push((subject, salt));
        }
        let subject = people.first().unwrap().0.clone();
        let messages = Messages::new(&stage.aws(), &table);
        let record = record(subject.clone(), day);
        assert!(messages.put(&record).await.unwrap());
        let written = inbound(subject, day);
        messages.put_inbound(&written).await.unwrap();
        let id = pseudonym('i', day, u64::MAX);
        let whose = (&record.reference, &record.subject);
        let claimed = messages.claim_id(&id, whose, "mac", day.start());
        claimed.await.unwrap();
        let items = stage.cloud().items(&table).await.unwrap();
        let day_of = |item: &&Value| item["day"]["S"] == day.to_string();
        let of_day: Vec<&Value> = items.iter().filter(day_of).collect();
        let models = ["O#", "N#", "I#"].map(|kind| {
            let is_one = |item: &&&Value| item["pk"]["S"].as_str().unwrap().starts_with(kind);
            let found = of_day.iter().find(is_one).expect("it was just put");
            (*found).clone()
        });
        Self {
            keyring,
            day,
            table,
            people,
            content: vec![b'm'; CONTENT],
            models,
        }
    }

    async fn outbox(&self, n: usize, of: usize) -> (Value, Kept) {
        let (subject, salt) = self.people.get(n % self.people.len()).unwrap();
        let lane = *PURPOSES.get(n % PURPOSES.len()).unwrap();
        let campaign = format!("campaign-{}", n % 40);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&scattered(n as u64).to_be_bytes());
        let into_day = i64::try_from(n).unwrap() * (DAY - 1) / i64::try_from(of).unwrap();
        let reference = RecordRef {
            number: NUMBER.to_owned(),
            lane,
            shard: shard(lane, 80, Some(&campaign), 0),
            ulid: ulid(self.day.start().plus_millis(into_day), random),
        };
        let key = body_place_key(&reference);
        let envelope = self.sealed(salt, &key).await;
        let item = with(
            &self.models[0],
            &[
                ("pk", json!({ "S": reference.pk() })),
                ("sk", json!({ "S": reference.ulid })),
                ("subject", json!({ "S": subject.as_str() })),
                ("purpose", json!({ "S": lane.word() })),
                ("campaign", json!({ "S": campaign })),
                ("body", json!({ "B": STANDARD.encode(&envelope) })),
            ],
        );
        let copy = Kept {
            day: self.day,
            salt: salt.clone(),
            key,
            envelope,
        };
        (item, copy)
    }

    async fn inbound(&self, n: usize) -> Value {
        let (subject, salt) = self.people.get(n % self.people.len()).unwrap();
        let name = pseudonym('m', self.day, n as u64);
        let envelope = self.sealed(salt, &inbound_place_key(&name)).await;
        let pk = format!("N#{}", name.as_str());
        with(
            &self.models[1],
            &[
                ("sweep", json!({ "S": sweep_shard(&pk) })),
                ("pk", json!({ "S": pk })),
                ("subject", json!({ "S": subject.as_str() })),
                ("body", json!({ "B": STANDARD.encode(envelope) })),
            ],
        )
    }

    fn id(&self, n: usize) -> Value {
        let (subject, _salt) = self.people.get(n % self.people.len()).unwrap();
        let pk = format!("I#{}", pseudonym('i', self.day, n as u64).as_str());
        let sweep = json!({ "S": sweep_shard(&pk) });
        with(
            &self.models[2],
            &[
                ("sweep", sweep),
                ("pk", json!({ "S": pk })),
                ("subject", json!({ "S": subject.as_str() })),
            ],
        )
    }

    async fn sealed(&self, salt: &Salt, key: &str) -> Vec<u8> {
        let place = Place {
            table: "messages",
            key,
            field: "body",
        };
        self.keyring
            .seal_content(self.day, salt, &place, &self.content)
            .await
            .unwrap()
    }
}

fn record(subject: SubjectId, day: Day) -> Record {
    let at = day.start();
    Record {
        reference: RecordRef {
            number: NUMBER.to_owned(),
            lane: Purpose::Utility,
            shard: 0,
            ulid: ulid(at, [0xff; 10]),
        },
        state: State::Delivered,
        attempt: 1,
        subject,
        purpose: Purpose::Utility,
        campaign: Some("campaign-0".to_owned()),
        template: Some("order_shipped".to_owned()),
        consent_event: Some("L0.000000000001".to_owned()),
        producer: "AROAEXAMPLEID".to_owned(),
        accepted_at: at,
        not_before: None,
        expires_at: at.plus_millis(DAY),
        day,
        body: Vec::new(),
        reason: None,
    }
}

fn inbound(subject: SubjectId, day: Day) -> Inbound {
    let at: Timestamp = day.start();
    Inbound {
        reference: pseudonym('m', day, u64::MAX),
        subject,
        at,
        kind: "text".to_owned(),
        day,
        body: Vec::new(),
        done: true,
    }
}

/// A pseudonym of the right form, and nobody's.
fn pseudonym(kind: char, day: Day, n: u64) -> Pseudonym {
    let of_day = scattered(day.start().millis().unsigned_abs());
    let [a, b, c] = [0_u64, 1, 2].map(|part| scattered(of_day ^ n ^ (part << 56)));
    let hash = format!("{a:016x}{b:016x}{c:016x}");
    Pseudonym::parse(&format!("{kind}1_{}", &hash[..43])).unwrap()
}

/// As good as random, and the same in every run (splitmix64).
fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A copy of an item with other values.
fn with(model: &Value, values: &[(&str, Value)]) -> Value {
    let mut copy = model.clone();
    for (name, value) in values {
        copy[*name] = value.clone();
    }
    copy
}
