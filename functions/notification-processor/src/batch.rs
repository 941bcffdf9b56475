//! One batch of notifications, from reading to answer.
//!
//! The order: every unit of work, up to sixteen at a time; then, shared by the batch, the salts of
//! whoever is told about, the events, the answers, the marks of inbound messages that are done; last what is
//! set aside, so that a record handed over again is rarely set aside twice. A failure at any
//! place is that of the records it touched. A notification that was stored is fetched first, and
//! deleted when nothing more can fail.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use headgate_domain::config::Config;
use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::privacy::Ask;
use headgate_domain::system::to_json;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::{BatchItemFailure, BatchResponse, SqsEvent};
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::survive;

use crate::calls::calls;
use crate::config::Ports;
use crate::outcome::{Effects, Failure, hopeless};
use crate::overflow::{aside, bring};
use crate::updates::{Step, Unit, read};
use crate::{controls, health, inbound, preferences, scores, statuses};

/// Units of work at a time: enough to hide DynamoDB's latency, few enough for its connections.
const CONCURRENCY: usize = 16;
/// The queue gives up after 100 receives and moves the message as it is: we are a little faster.
const EXHAUSTED: u32 = 90;
/// Calls of `PutEvents` at a time.
const PUBLISHES: usize = 4;

/// The state of a batch: what is still to be done for each record, and which have failed.
struct Batch<'a> {
    ports: &'a Ports,
    now: Timestamp,
    effects: Vec<Effects>,
    failures: BTreeMap<usize, Failure>,
}

/// Handles a batch.
pub(crate) async fn handle(ports: &Ports, event: SqsEvent, now: Timestamp) -> BatchResponse {
    let mut units = Vec::new();
    let mut batch = Batch {
        ports,
        now,
        effects: Vec::new(),
        failures: BTreeMap::new(),
    };
    let records = event.records.iter();
    let brought = join_all(records.map(|record| bring(&ports.overflow, record))).await;
    for (index, (record, brought)) in event.records.iter().zip(brought).enumerate() {
        let (work, rest) = match brought {
            Ok(brought) => read(index, record, brought, now),
            Err(failure) => {
                batch.note(index, Some(failure));
                Default::default()
            }
        };
        units.extend(work);
        batch.effects.push(rest);
    }
    let ready = async {
        ports.consents.refresh(now).await?;
        ports.controls.config().await
    };
    match ready.await {
        Ok(config) => batch.run(&config, units).await,
        Err(error) => {
            for index in 0..event.records.len() {
                batch.failures.insert(index, error.clone().into());
            }
        }
    }
    batch.forestall(&event).await;
    batch.answer(&event)
}

impl Batch<'_> {
    async fn run(&mut self, config: &Config, units: Vec<Unit>) {
        let (ports, now) = (self.ports, self.now);
        let results: Vec<_> = stream::iter(units)
            .map(|unit| take(ports, config, unit, now))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        for (record, effects, failure) in results {
            if let Some(slot) = self.effects.get_mut(record) {
                slot.append(effects);
            }
            self.note(record, failure);
        }
        self.control().await;
        self.score(config).await;
        self.tell_moves().await;
        self.publish().await;
        self.answer_people().await;
        self.pass_on().await;
        self.finish().await;
        self.set_aside().await;
        self.clear().await;
    }

    fn note(&mut self, record: usize, failure: Option<Failure>) {
        if let Some(failure) = failure {
            self.failures.entry(record).or_insert(failure);
        }
    }

    /// Halts what codes have stopped, and forgets what bad was known of people who were reached.
    async fn control(&mut self) {
        for record in 0..self.effects.len() {
            let Some(effects) = self.effects.get_mut(record) else {
                continue;
            };
            let stopped = std::mem::take(&mut effects.stopped);
            let halted = controls::halt(self.ports, &stopped, self.now).await;
            self.note(record, halted.err());
        }
        let reached = self
            .effects
            .iter_mut()
            .enumerate()
            .flat_map(|(record, effects)| {
                let reached = std::mem::take(&mut effects.reached);
                reached.into_iter().map(move |reached| (record, reached))
            });
        for (record, failure) in health::reached(self.ports, reached.collect()).await {
            self.note(record, Some(failure));
        }
    }

    /// Counts, once a number and batch, and judges each number; a step is told with the first record.
    async fn score(&mut self, config: &Config) {
        let mut all = Effects::default();
        for effects in &mut self.effects {
            all.append(Effects {
                inbound: std::mem::take(&mut effects.inbound),
                counts: std::mem::take(&mut effects.counts),
                ..Effects::default()
            });
        }
        scores::count_inbound(self.ports, &all.inbound).await;
        for (number, counts) in &all.counts {
            let event = scores::judge(self.ports, config, number, counts, self.now).await;
            if let Some(first) = self.effects.first_mut() {
                first.events.extend(event);
            }
        }
    }

    /// Turns moves into events; one read of salts for a hundred people.
    async fn tell_moves(&mut self) {
        // A notification that tells the same twice moves a record once; a second look can seem to
        // have been the first, because both have the batch's time.
        let mut seen = HashSet::new();
        let moves: Vec<_> = self
            .effects
            .iter_mut()
            .enumerate()
            .flat_map(|(record, effects)| {
                std::mem::take(&mut effects.moves)
                    .into_iter()
                    .map(move |moved| (record, moved))
            })
            .filter(|(_record, moved)| seen.insert(moved.key()))
            .collect();
        if moves.is_empty() {
            return;
        }
        let subjects: Vec<SubjectId> = moves
            .iter()
            .map(|(_record, moved)| moved.record.subject.clone())
            .collect();
        let salts = match self.ports.keyring.salts(&subjects).await {
            Ok(salts) => salts,
            Err(error) => {
                for (record, _moved) in moves {
                    self.note(record, Some(error.clone().into()));
                }
                return;
            }
        };
        for (record, moved) in moves {
            match statuses::event(
                self.ports,
                &moved,
                salts.get(&moved.record.subject),
                self.now,
            )
            .await
            {
                Ok(event) => {
                    if let Some(slot) = self.effects.get_mut(record) {
                        slot.events.extend(event);
                    }
                }
                Err(failure) => self.note(record, Some(failure)),
            }
        }
    }

    /// Publishes everything, in full calls, each happening once.
    async fn publish(&mut self) {
        let events = self
            .effects
            .iter_mut()
            .enumerate()
            .flat_map(|(record, effects)| {
                std::mem::take(&mut effects.events)
                    .into_iter()
                    .map(move |event| (record, event))
            });
        let mut seen = HashSet::new();
        let calls = calls(events.filter(|(_record, event)| seen.insert(event.event_id.clone())));
        let bus = &self.ports.bus;
        let results: Vec<_> = stream::iter(calls)
            .map(|(records, events)| async move { (records, bus.publish(&events).await) })
            .buffer_unordered(PUBLISHES)
            .collect()
            .await;
        for (records, result) in results {
            if let Err(error) = result {
                for record in records {
                    self.note(record, Some(error.clone().into()));
                }
            }
        }
    }

    /// Puts the answers on the system queue; one that comes twice has the same cause, and is sent once.
    async fn answer_people(&mut self) {
        for record in 0..self.effects.len() {
            let Some(effects) = self.effects.get_mut(record) else {
                continue;
            };
            let answers = std::mem::take(&mut effects.answers);
            let bodies: Vec<String> = answers.iter().map(to_json).collect();
            if !bodies.is_empty() {
                let sent = self.ports.system.send_batch(&bodies).await;
                self.note(record, sent.err().map(Failure::from));
            }
        }
    }

    /// Passes on what people ask about their own data; what comes twice finds the same request open.
    async fn pass_on(&mut self) {
        for record in 0..self.effects.len() {
            let Some(effects) = self.effects.get_mut(record) else {
                continue;
            };
            let asks = std::mem::take(&mut effects.asks);
            let bodies: Vec<String> = asks.iter().map(Ask::to_json).collect();
            if !bodies.is_empty() {
                let sent = self.ports.privacy_requests.send_batch(&bodies).await;
                self.note(record, sent.err().map(Failure::from));
            }
        }
    }

    /// Marks inbound messages as done. Those of a record that failed stay open: what they caused
    /// is repeated, and has no further effect.
    async fn finish(&mut self) {
        let done = finished(&self.effects, &self.failures);
        let messages = &self.ports.messages;
        let results: Vec<_> = stream::iter(done)
            .map(|(record, name)| async move { (record, messages.inbound_done(&name).await) })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        for (record, result) in results {
            self.note(record, result.err().map(Failure::from));
        }
    }

    async fn set_aside(&mut self) {
        for record in 0..self.effects.len() {
            if self.failures.contains_key(&record) {
                continue;
            }
            let poison = self
                .effects
                .get_mut(record)
                .map(|effects| std::mem::take(&mut effects.poison))
                .unwrap_or_default();
            for piece in poison {
                if let Err(failure) = self.ports.quarantine.put(&piece, self.now).await {
                    self.note(record, Some(failure));
                    break;
                }
            }
        }
    }

    /// Deletes what was stored of the records that are done.
    async fn clear(&mut self) {
        for record in 0..self.effects.len() {
            if self.failures.contains_key(&record) {
                continue;
            }
            let stored = self.effects.get_mut(record);
            if let Some(key) = stored.and_then(|effects| effects.stored.take()) {
                let deleted = self.ports.overflow.delete(key.as_str()).await;
                self.note(record, deleted.err().map(Failure::from));
            }
        }
    }

    /// Sets aside, sealed, what the queue would soon move to the dead letters in clear. What cannot be sealed either
    /// comes again.
    async fn forestall(&mut self, event: &SqsEvent) {
        for (index, record) in event.records.iter().enumerate() {
            let is_due = record.receive_count() >= EXHAUSTED;
            if !is_due || !self.failures.contains_key(&index) {
                continue;
            }
            let poison = aside(record, None, "exhausted", TRIED);
            if self.ports.quarantine.put(&poison, self.now).await.is_ok() {
                self.failures.remove(&index);
            }
        }
    }

    fn answer(&self, event: &SqsEvent) -> BatchResponse {
        let ignored = self
            .effects
            .iter()
            .fold(0_usize, |sum, effects| sum.saturating_add(effects.ignored));
        let done = self.effects.iter().fold(0_usize, |sum, effects| {
            sum.saturating_add(effects.done.len())
        });
        log(
            Level::Info,
            "notifications_handled",
            &[
                ("records", Field::count(event.records.len())),
                ("inbound", Field::count(done)),
                ("ignored", Field::count(ignored)),
                ("failed", Field::count(self.failures.len())),
            ],
        );
        let failed = self.failures.iter().filter_map(|(index, failure)| {
            let record = event.records.get(*index)?;
            let receives = Field::number(i64::from(record.receive_count()));
            log(
                Level::Error,
                "record_failed",
                &[("error", Field::safe(failure)), ("receives", receives)],
            );
            Some(BatchItemFailure {
                item_identifier: record.message_id.clone(),
            })
        });
        BatchResponse {
            batch_item_failures: failed.collect(),
        }
    }
}

const TRIED: &str = "the notification was tried until its queue would have given up";

/// Takes the steps of a unit in order; the first failure ends it, and what came before still counts.
async fn take(
    ports: &Ports,
    config: &Config,
    unit: Unit,
    now: Timestamp,
) -> (usize, Effects, Option<Failure>) {
    let mut effects = Effects::default();
    for step in &unit.steps {
        let result = survive(async {
            match step {
                Step::Status(status) => {
                    Box::pin(statuses::settle(ports, config, status, unit.again, now)).await
                }
                Step::Inbound(message, index) => {
                    Box::pin(inbound::receive(ports, config, message, *index, now)).await
                }
                Step::Preference(preference) => {
                    Box::pin(preferences::note(ports, preference, now)).await
                }
                Step::Notice(notice) => Box::pin(controls::apply(ports, config, notice, now)).await,
            }
        })
        .await;
        let failure = match result {
            Ok(Ok(more)) => {
                effects.append(more);
                continue;
            }
            Ok(Err(Failure::Erased)) => {
                effects.ignored = effects.ignored.saturating_add(1);
                continue;
            }
            Ok(Err(failure)) => failure,
            Err(panicked) => panicked.into(),
        };
        match hopeless(step, &failure, unit.again) {
            Some(poison) => effects.poison.push(poison),
            None => return (unit.record, effects, Some(failure)),
        }
    }
    (unit.record, effects, None)
}

/// The inbound messages that are done. A message that is also in a record that failed is not: one
/// event is published for both, and it may have been that record's.
fn finished(effects: &[Effects], failures: &BTreeMap<usize, Failure>) -> Vec<(usize, Pseudonym)> {
    let failed = |record: &usize| failures.contains_key(record);
    let done = |(record, effects): (usize, &Effects)| {
        let names = effects.done.clone();
        names.into_iter().map(move |name| (record, name))
    };
    let all: Vec<_> = effects.iter().enumerate().flat_map(done).collect();
    let open: HashSet<String> = all
        .iter()
        .filter(|(record, _name)| failed(record))
        .map(|(_record, name)| name.as_str().to_owned())
        .collect();
    all.into_iter()
        .filter(|(record, name)| !failed(record) && !open.contains(name.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_aws::AwsError;

    use super::*;

    #[test]
    fn a_message_in_two_records_stays_open_when_one_of_them_failed() {
        let name = |end: char| Pseudonym::parse(&format!("m1_{}", end.to_string().repeat(43)));
        let effects = |ends: &str| Effects {
            done: ends.chars().map(|end| name(end).unwrap()).collect(),
            ..Effects::default()
        };
        let effects = [effects("a"), effects("ab")];
        let failure = || Failure::Aws(AwsError::new("PutEvents", "InternalFailure"));
        let left = |failed: &[usize]| {
            let failures = failed.iter().map(|record| (*record, failure())).collect();
            finished(&effects, &failures)
        };
        assert_eq!(left(&[]).len(), 3);
        assert_eq!(left(&[0]), [(1, name('b').unwrap())]);
        assert_eq!(left(&[1]), []);
    }
}
