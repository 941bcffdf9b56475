//! A request to be erased is carried out, and what came back later is erased again.
//!
//! The apps are told before anything is destroyed: from there on it is continued until it is done, and afterwards
//! nobody could say any more which of their people is meant.

use headgate_aws::cancel::Cancelled;
use headgate_aws::erasure::Begun;
use headgate_aws::keyring::KeyringError;
use headgate_aws::messages::{Record, body_place_key};
use headgate_aws::privacy_requests::Request;
use headgate_aws::subjects::Group;
use headgate_domain::control_message::NotCancelled;
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::outbound::Payload;
use headgate_domain::privacy::{Receipt, RequestId, SECOND_PASS_MS, State, origin};
use headgate_domain::profiles::Right;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

/// Why a message of somebody who is erased is not sent.
const REASON: &str = "erased";
/// Events that are told in one call.
const TOLD: usize = 10;

impl PrivacyWorker {
    /// Erases whom a request is of.
    pub(crate) async fn erase(
        &self,
        request: &Request,
        subject: &SubjectId,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let id = &request.id;
        let senders = self.senders().await?;
        let begun = self.eraser.begin(id, subject, &senders, now);
        let mut begun = Box::pin(begun).await?;
        self.tell_apps(request, &begun, now).await?;
        self.eraser.prove(&mut begun, now).await?;
        let stores = self.eraser.destroy(&begun, &senders, now).await?;
        self.close_others(&begun.entry.group, now).await?;
        // What was said while it was done is from before, too.
        let now = (self.clock)();
        self.eraser.mark(&begun, now).await?;
        let again_at = now.plus_millis(SECOND_PASS_MS);
        let receipt = Receipt {
            origin: origin(&self.deployment),
            request: id.clone(),
            completed_at: now,
            ledger: begun.entry.ledger,
            stores,
            destroyed: begun.entry.salts,
            again_on: again_at.day(),
        };
        // Where an earlier attempt has signed one, that one is the person's.
        let note = self.signed(&receipt).await?;
        let note = self.evidence.put_receipt(id, &note, now).await?;
        let times = (now, Some(again_at));
        self.requests
            .close(request, State::Fulfilled, Some(&note), times)
            .await?;
        let rows = receipt.stores.iter().map(|store| store.matched);
        let rows = rows.fold(0, u64::saturating_add);
        log(
            Level::Info,
            "erased",
            &[
                ("request", Field::safe(id)),
                (
                    "rows",
                    Field::number(i64::try_from(rows).unwrap_or(i64::MAX)),
                ),
                ("keys", Field::count(receipt.destroyed.len())),
            ],
        );
        Ok(())
    }

    /// What else they had asked for ends with their data.
    async fn close_others(&self, group: &Group, now: Timestamp) -> Result<(), WorkerError> {
        for subject in &group.subjects {
            for right in Right::ALL.into_iter().filter(|one| *one != Right::Erasure) {
                if let Some(open) = self.requests.find_open(subject, right).await? {
                    self.close(&open, State::Withdrawn, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Looks for what came back after an erasure.
    pub(crate) async fn again(&self, id: &RequestId) -> Result<(), WorkerError> {
        let Some(entry) = self.requests.entry(id).await? else {
            return Ok(());
        };
        let senders = self.senders().await?;
        let rows = self.eraser.again(&entry, &senders).await?;
        log(
            Level::Info,
            "erased_again",
            &[
                ("request", Field::safe(id)),
                (
                    "rows",
                    Field::number(i64::try_from(rows).unwrap_or(i64::MAX)),
                ),
            ],
        );
        Ok(())
    }

    async fn signed(&self, receipt: &Receipt) -> Result<String, WorkerError> {
        let key = self.key.public_key().await?;
        let signature = self.key.sign(&receipt.text()).await?;
        Ok(receipt.note(&key, &signature))
    }

    /// Cancels what waits for the person, and tells the apps of that and of the erasure.
    async fn tell_apps(
        &self,
        request: &Request,
        begun: &Begun,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let group = &begun.entry.group;
        let theirs = self.eraser.messages.all_of(&group.subjects).await?;
        let records = self.eraser.messages.load(&theirs.records(), now).await?;
        let mut events = Vec::new();
        for record in records {
            events.extend(self.cancel(record, begun, now).await?);
        }
        let reference = begun.person.subject.as_ref();
        let reference = reference.and_then(|subject| subject.reference.clone());
        for subject in &group.subjects {
            let same = [request.id.as_str(), subject.as_str()];
            let event = Event::new("subject.erased", now, &same)
                .with_subject(Some(subject))
                .with_reference(reference.clone())
                .with("request", request.id.as_str());
            events.push(event);
        }
        for some in events.chunks(TOLD) {
            self.bus.publish(some).await?;
        }
        Ok(())
    }

    /// Cancels one record that waits; the event for its app, when it is cancelled for this reason.
    async fn cancel(
        &self,
        record: Record,
        begun: &Begun,
        now: Timestamp,
    ) -> Result<Option<Event>, WorkerError> {
        let is_over = NotCancelled::of(record.state).is_some();
        if is_over || record.reason.is_some() {
            return Ok(None);
        }
        let done = self.cancellations.cancel(&record.reference, REASON, now);
        match done.await? {
            Cancelled::For(Some(reason)) if reason == REASON => {}
            Cancelled::For(_) | Cancelled::Stood(_) | Cancelled::Absent => return Ok(None),
        }
        let id = self.id_of(&record, now).await?;
        let subject = begun.person.subject.as_ref();
        let mut event = Event::of_message("message.cancelled", now, &record.reference)
            .with("purpose", record.purpose.word())
            .with("reason", REASON)
            .with_id(id)
            .with_subject(Some(&record.subject))
            .with_reference(subject.and_then(|subject| subject.reference.clone()));
        if let Some(campaign) = &record.campaign {
            event = event.with("campaign", campaign.as_str());
        }
        Ok(Some(event))
    }

    /// The app's id of a record; none when it cannot be opened any more.
    async fn id_of(&self, record: &Record, now: Timestamp) -> Result<Option<String>, WorkerError> {
        let keyring = self.eraser.subjects.keyring();
        let place_key = body_place_key(&record.reference);
        let place = Place {
            table: "messages",
            key: &place_key,
            field: "body",
        };
        let opened = async {
            let salt = keyring.salt(&record.subject).await?;
            let body = keyring.open_content(record.day, now, &salt, &place, &record.body);
            body.await
        };
        match opened.await {
            Ok(body) => Ok(Payload::from_bytes(body.reveal()).map(|payload| payload.id)),
            Err(KeyringError::NoKey | KeyringError::NotOpened | KeyringError::PastRetention) => {
                Ok(None)
            }
            Err(error @ KeyringError::Aws(_)) => Err(error.into()),
        }
    }
}
