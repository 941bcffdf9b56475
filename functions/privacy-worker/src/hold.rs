//! Legal holds: what is to outlive its time is copied under a key of the hold's own, and goes with it.
//!
//! The purge and the sweep know nothing of holds. An erasure that was not begun waits for them; one that was is
//! carried through, because what is half destroyed helps nobody.

use std::collections::BTreeSet;

use headgate_aws::evidence::{Held, held_place_key};
use headgate_aws::keyring::KeyringError;
use headgate_aws::messages::{body_place_key, inbound_place_key};
use headgate_aws::subjects::Group;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::PURPOSES;
use headgate_domain::privacy::{ExportLink, Hold, HoldId, Scope, into_volumes};
use headgate_domain::record::{MAX_SHARDS, ulid_floor};
use headgate_domain::sealing::Place;
use headgate_domain::time::{Day, HOUR, Timestamp};
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::Personal;
use serde_json::{Value, json};

use crate::access::object;
use crate::{PrivacyWorker, WorkerError};

/// The schema of what is handed out.
const SCHEMA: &str = "headgate.held/1";
/// What is new is copied this often: well before its day is over.
const AGAIN_MS: i64 = 12 * HOUR;
/// Rows of an outbox partition that are looked at in one go.
const PAGE: i32 = 500;

impl PrivacyWorker {
    /// Copies what a hold keeps, or, when it is over, destroys its key and what it has kept; when to look again.
    pub(crate) async fn keep(
        &self,
        id: &HoldId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, WorkerError> {
        let Some(hold) = self.requests.hold(id).await? else {
            return Ok(None);
        };
        let keyring = self.eraser.subjects.keyring();
        if !hold.is_in_force(now) {
            // The key first: with it the copies are unreadable, in backups too.
            keyring.destroy_hold(id).await?;
            let rows = self.evidence.delete_held(id).await?;
            let fields = [("hold", Field::safe(id)), ("rows", Field::count(rows))];
            log(Level::Info, "hold_over", &fields);
            return Ok(None);
        }
        keyring.mint_hold(id, now).await?;
        let kept: BTreeSet<String> = self
            .evidence
            .held(id)
            .await?
            .into_iter()
            .map(|h| h.name)
            .collect();
        let mut copies = 0_usize;
        for group in self.people_of(&hold, now).await? {
            copies = copies.saturating_add(self.copy_for(&hold, &group, &kept, now).await?);
        }
        if copies > 0 {
            let fields = [("hold", Field::safe(id)), ("copies", Field::count(copies))];
            log(Level::Info, "held", &fields);
        }
        Ok(Some(hold.expires_at.min(now.plus_millis(AGAIN_MS))))
    }

    /// The holds that are in force.
    pub(crate) async fn holds(&self, now: Timestamp) -> Result<Vec<Hold>, WorkerError> {
        let mut holds = self.requests.holds().await?;
        holds.retain(|hold| hold.is_in_force(now));
        Ok(holds)
    }

    /// Whether an erasure of a person waits for a hold.
    pub(crate) async fn is_held(&self, group: &Group, now: Timestamp) -> Result<bool, WorkerError> {
        self.is_held_by(&self.holds(now).await?, group, now).await
    }

    /// The same of holds that were read before.
    pub(crate) async fn is_held_by(
        &self,
        holds: &[Hold],
        group: &Group,
        now: Timestamp,
    ) -> Result<bool, WorkerError> {
        if holds.is_empty() {
            return Ok(false);
        }
        let messages = self.moments(group, now).await?;
        for hold in holds {
            let is_about = hold.stops_an_erasure(&group.subjects, messages.iter().copied(), now);
            // The messages themselves may be past their time; the copies are not.
            if is_about || self.evidence.keeps_of(&hold.id, &group.subjects).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// When the messages of a person were accepted or written.
    async fn moments(&self, group: &Group, now: Timestamp) -> Result<Vec<Timestamp>, WorkerError> {
        let store = &self.eraser.messages;
        let theirs = store.all_of(&group.subjects).await?;
        let records = store.load(&theirs.records(), now).await?;
        let mut moments: Vec<Timestamp> = records.iter().map(|one| one.accepted_at).collect();
        for name in theirs.inbound() {
            moments.extend(store.inbound(&name, now).await?.map(|inbound| inbound.at));
        }
        Ok(moments)
    }

    /// The people whom a hold is about.
    async fn people_of(&self, hold: &Hold, now: Timestamp) -> Result<Vec<Group>, WorkerError> {
        let subjects = match &hold.scope {
            Scope::Subject(subject) => BTreeSet::from([subject.clone()]),
            Scope::Range { from, until } => {
                let mut people = self.written_to((*from, *until), now).await?;
                let messages = &self.eraser.messages;
                people.extend(messages.writers((*from, *until), now).await?);
                people
            }
        };
        let mut groups = Vec::new();
        let mut seen: BTreeSet<SubjectId> = BTreeSet::new();
        for subject in subjects {
            if seen.contains(&subject) {
                continue;
            }
            let person = self.eraser.subjects.person(&subject).await?;
            seen.extend(person.group.subjects.iter().cloned());
            groups.push(person.group);
        }
        Ok(groups)
    }

    /// Whom something was accepted for in a time.
    async fn written_to(
        &self,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<BTreeSet<SubjectId>, WorkerError> {
        let (store, end) = (&self.eraser.messages, ulid_floor(until));
        let mut subjects = BTreeSet::new();
        for number in &self.numbers().await? {
            for lane in PURPOSES {
                for shard in 0..MAX_SHARDS {
                    let mut cursor = ulid_floor(from);
                    loop {
                        let page = store
                            .page(number, lane, shard, (&cursor, PAGE), now)
                            .await?;
                        let within = page.seen.iter().map(|seen| &seen.ticket);
                        let within = within.filter(|ticket| ticket.reference.ulid < end);
                        let found =
                            within.filter_map(|ticket| SubjectId::parse(&ticket.recipient).ok());
                        subjects.extend(found);
                        match page.next.filter(|next| *next < end) {
                            Some(next) => cursor = next,
                            None => break,
                        }
                    }
                }
            }
        }
        Ok(subjects)
    }

    async fn copy_for(
        &self,
        hold: &Hold,
        group: &Group,
        kept: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<usize, WorkerError> {
        let store = &self.eraser.messages;
        let theirs = store.all_of(&group.subjects).await?;
        let mut copies = 0_usize;
        for record in store.load(&theirs.records(), now).await? {
            let name = body_place_key(&record.reference);
            let is_new = !kept.contains(&name) && hold.covers(&group.subjects, record.accepted_at);
            if is_new {
                let about = json!({
                    "direction": "to_person", "purpose": record.purpose.word(),
                    "state": record.state.word(), "template": record.template,
                    "consent_event": record.consent_event,
                });
                let at = (&record.subject, record.accepted_at, record.day);
                let outcome = self.copy_one(hold, &name, at, about, &record.body, now);
                copies = copies.saturating_add(usize::from(outcome.await?));
            }
        }
        for reference in theirs.inbound() {
            let name = inbound_place_key(&reference);
            let Some(inbound) = store.inbound(&reference, now).await? else {
                continue;
            };
            if !kept.contains(&name) && hold.covers(&group.subjects, inbound.at) {
                let about = json!({ "direction": "from_person" });
                let at = (&inbound.subject, inbound.at, inbound.day);
                let outcome = self.copy_one(hold, &name, at, about, &inbound.body, now);
                copies = copies.saturating_add(usize::from(outcome.await?));
            }
        }
        Ok(copies)
    }

    /// Copies one message; `false` when it does not open any more.
    async fn copy_one(
        &self,
        hold: &Hold,
        name: &str,
        (subject, at, day): (&SubjectId, Timestamp, Day),
        about: Value,
        body: &[u8],
        now: Timestamp,
    ) -> Result<bool, WorkerError> {
        let Some(body) = self.opened((subject, day, body), name, now).await? else {
            return Ok(false);
        };
        let mut copy = about;
        let body: Value = serde_json::from_slice(body.reveal()).unwrap_or_default();
        if let Some(copy) = copy.as_object_mut() {
            copy.insert("at".to_owned(), at.to_string().into());
            copy.insert("subject".to_owned(), subject.as_str().into());
            copy.insert("content".to_owned(), body);
        }
        let copy = Personal::new(copy.to_string().into_bytes());
        let keyring = self.eraser.subjects.keyring();
        let salt = match keyring.salt(subject).await {
            Ok(salt) => salt,
            Err(KeyringError::NoKey) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let key = held_place_key(&hold.id, name);
        let sealed = keyring
            .seal_held(&hold.id, &salt, &place(&key), copy.reveal())
            .await?;
        let kept = Held {
            name: name.to_owned(),
            subject: subject.clone(),
            at,
            sealed,
        };
        self.evidence.put_kept_of(&hold.id, subject).await?;
        Ok(self.evidence.put_held(&hold.id, &kept).await?)
    }

    /// Makes a copy of what a hold has kept, for whoever asked for it, behind a link.
    pub(crate) async fn disclose(&self, id: &HoldId, now: Timestamp) -> Result<(), WorkerError> {
        let Some(hold) = self
            .requests
            .hold(id)
            .await?
            .filter(|hold| hold.is_in_force(now))
        else {
            return Ok(());
        };
        let keyring = self.eraser.subjects.keyring();
        let mut messages = Vec::new();
        let kept = self.evidence.held(id).await?;
        let people: Vec<SubjectId> = kept.iter().map(|held| held.subject.clone()).collect();
        let salts = keyring.salts(&people).await?;
        for held in kept {
            let Some(salt) = salts.get(&held.subject) else {
                continue;
            };
            let key = held_place_key(id, &held.name);
            let place = place(&key);
            match keyring.open_held(id, salt, &place, &held.sealed).await {
                Ok(copy) => {
                    let copy: Value = serde_json::from_slice(copy.reveal()).unwrap_or_default();
                    messages.push((held.at, copy));
                }
                Err(
                    KeyringError::NoKey | KeyringError::NotOpened | KeyringError::PastRetention,
                ) => {}
                Err(error @ KeyringError::Aws(_)) => return Err(error.into()),
            }
        }
        messages.sort_by_key(|(at, _copy)| *at);
        let messages: Vec<Value> = messages.into_iter().map(|(_at, copy)| copy).collect();
        let count = messages.len();
        let head = json!({
            "schema": SCHEMA, "hold": id.as_str(), "reason": hold.reason, "approver": hold.approver,
            "generated_at": now,
        });
        let volumes = into_volumes(&object(head), vec![("messages", messages)]);
        let link = ExportLink::of(&self.links, &self.deployment, &format!("{id}/{now}"));
        let stored = self
            .requests
            .put_export(&link, &self.deployment, &volumes, now);
        stored.await?;
        self.requests.put_disclosed(id, link.reveal()).await?;
        let fields = [("hold", Field::safe(id)), ("copies", Field::count(count))];
        log(Level::Info, "hold_disclosed", &fields);
        Ok(())
    }
}

const fn place(key: &str) -> Place<'_> {
    Place {
        table: "evidence",
        key,
        field: "body",
    }
}
