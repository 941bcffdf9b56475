//! Intake: what apps put on a lane queue is authorized and goes into the outbox; what they put on
//! the consents queue goes into the ledger; what our own functions put on the system queue goes the
//! way of a lane.
//!
//! Owns the batch: ten records beside each other, then one look at each pacer's lease, then the
//! events. Promises: the lane is the queue's, never the body's; a refusal is an event and
//! the record is done; whatever we could not do comes again, later each time, and doing it again
//! leaves one trace; what can never be done is set aside, sealed; the message is written before the
//! lease is read, so no wake is lost. It calls nobody but AWS and decides nothing that
//! `headgate_domain::policy` decides.

mod again;
mod answer;
mod canonical;
mod config;
mod confirmations;
mod consents;
mod control;
mod error;
mod foresight;
mod grants;
mod outbound;
mod person;
mod placing;
mod poison;
mod references;
mod speaker;
mod system;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use headgate_aws::Aws;
use headgate_aws::bus::Bus;
use headgate_aws::cancel::Cancellations;
use headgate_aws::ceilings::Ceilings;
use headgate_aws::confirm_links::ConfirmLinks;
use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::keyring::Keyring;
use headgate_aws::ledger::Ledger;
use headgate_aws::messages::Messages;
use headgate_aws::pacing::{Pacing, needs_wake};
use headgate_aws::peppers::{Peppers, pepper};
use headgate_aws::queue::Queue;
use headgate_aws::subjects::{LinkRequests, Subjects};
use headgate_aws::suppression::Suppression;
use headgate_aws::visibility::Visibility;
use headgate_domain::event::Event;
use headgate_domain::identity::Pepper;
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::system::Texts;
use headgate_lambda::batch::{self, BatchItemFailure, BatchResponse, SqsEvent, SqsRecord};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::survive;
use headgate_lambda::settings::Settings;

pub use config::StartError;
use config::{Config, Origin, Queues};
use error::IntakeError;
use foresight::Foreseen;
use outbound::{Arrival, Via};

/// A batch of a lane holds ten records; none of them waits for another.
const CONCURRENCY: usize = 10;

/// Intake, connected and with its peppers.
pub struct Intake {
    aws: Aws,
    clock: Clock,
    region: ProcessingRegion,
    deployment: String,
    privacy_url: String,
    consent_api: String,
    queues: Queues,
    controls: Controls,
    confirm_links: ConfirmLinks,
    link_requests: LinkRequests,
    consents: Consents,
    messages: Messages,
    pacing: Pacing,
    ceilings: Ceilings,
    cancellations: Cancellations,
    visibility: Visibility,
    bus: Bus,
    wake: Queue,
    texts: Texts,
    message_ref: Pepper,
    links: Pepper,
}

/// What came of a record that is done.
#[derive(Default)]
struct Answer {
    events: Vec<Event>,
    /// The portfolio whose pacer has something new in its outbox.
    portfolio: Option<String>,
}

/// The answers of a batch, by SQS message id.
type Answers = Vec<(String, Answer)>;

impl Intake {
    /// Reads the settings and computes the peppers.
    ///
    /// # Errors
    /// [`StartError`] that names what is missing, or the call that failed.
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        // Boxed: four KMS calls beside each other are a future of 22 kB.
        Box::pin(Self::connect(settings, clock)).await
    }

    async fn connect(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = Config::new(settings)?;
        let aws = Aws::new(&config.aws)?;
        let deployment = config.deployment.as_str();
        let controls = Controls::new(&aws, &config.controls);
        let of = |key| Peppers::open(&aws, &controls, key, deployment);
        let (identity, suppression, message_ref, links) = tokio::try_join!(
            of(&config.identity_mac),
            of(&config.suppression_mac),
            pepper(&aws, &config.message_ref_mac, deployment),
            pepper(&aws, &config.links_mac, deployment),
        )?;
        let keyring = Keyring::new(&aws, &config.keys, &config.data_key, deployment);
        let subjects = Subjects::new(&aws, &config.subjects, keyring, identity);
        let entries = Suppression::new(&aws, &config.suppression);
        let ledger = Ledger::new(&aws, &config.ledger);
        Ok(Self {
            clock,
            confirm_links: ConfirmLinks::new(&aws, &config.privacy_requests),
            link_requests: LinkRequests::new(&aws, &config.subjects),
            consents: Consents::new(subjects, entries, ledger, suppression, controls.clone()),
            controls,
            messages: Messages::new(&aws, &config.messages),
            pacing: Pacing::new(&aws, &config.pacing),
            ceilings: Ceilings::new(&aws, &config.pacing, &config.messages),
            cancellations: Cancellations::new(&aws, &config.messages),
            visibility: Visibility::new(&aws),
            texts: Texts::read()?,
            bus: Bus::new(&aws, &config.bus),
            wake: Queue::new(&aws, &config.wake_url),
            region: config.aws.region()?,
            deployment: config.deployment,
            privacy_url: config.privacy_url,
            consent_api: config.consent_api,
            queues: config.queues,
            aws,
            message_ref,
            links,
        })
    }

    /// Handles a batch; what it returns comes again.
    pub async fn handle(&self, event: SqsEvent) -> BatchResponse {
        // A panic here costs only the foresight: the record at fault meets it again, alone.
        let foreseen = survive(Box::pin(self.foresee(&event)))
            .await
            .unwrap_or_default();
        let foreseen = &foreseen;
        let handles = self.handles(&event);
        let answers = Mutex::new(Answers::new());
        let done = &answers;
        let mut response = batch::run(event, CONCURRENCY, |record| async move {
            let answer = self.dealt_with(&record, foreseen).await?;
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((record.message_id, answer));
            Ok::<(), IntakeError>(())
        })
        .await;
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Every message of the batch is written by now: only then may the leases be read.
        let (asleep, unheard) = tokio::join!(self.wake_pacers(&answers), self.publish(&answers));
        let listed: BTreeSet<String> = response
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.clone())
            .collect();
        let again: BTreeSet<&str> = asleep
            .into_iter()
            .chain(unheard)
            .filter(|id| !listed.contains(*id))
            .collect();
        response
            .batch_item_failures
            .extend(again.into_iter().map(|id| BatchItemFailure {
                item_identifier: id.to_owned(),
            }));
        self.defer(&response, &handles).await;
        response
    }

    /// What came of a record; poison is done once it is set aside.
    async fn dealt_with(
        &self,
        record: &SqsRecord,
        foreseen: &Foreseen,
    ) -> Result<Answer, IntakeError> {
        let attempt = survive(Box::pin(self.answer(record, foreseen)));
        match attempt.await.unwrap_or(Err(IntakeError::Panicked)) {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.quarantine(record, error).await?;
                Ok(Answer::default())
            }
        }
    }

    async fn answer(&self, record: &SqsRecord, foreseen: &Foreseen) -> Result<Answer, IntakeError> {
        let now = (self.clock)();
        self.consents.refresh(now).await?;
        let source = self.source(record).ok_or(IntakeError::UnknownQueue)?;
        let unsealed = self.unsealed(record, source, now).await?;
        let Some(record) = unsealed.as_deref() else {
            return Ok(Answer::default());
        };
        match source.origin {
            Origin::Lane(lane) => {
                self.outbound(Arrival {
                    via: Via::Lane(lane),
                    record,
                    foreseen,
                    now,
                })
                .await
            }
            Origin::Consents => self.consent(record, now).await,
            Origin::System => self.system(record, foreseen, now).await,
        }
    }

    /// Wakes the pacers that are not awake; the records of those that could not be asked come again.
    async fn wake_pacers<'a>(&self, answers: &'a Answers) -> Vec<&'a str> {
        let portfolios: BTreeSet<&str> = answers
            .iter()
            .filter_map(|(_, answer)| answer.portfolio.as_deref())
            .collect();
        let mut asleep = Vec::new();
        for portfolio in portfolios {
            if let Err(error) = self.wake_pacer(portfolio).await {
                log(
                    Level::Error,
                    "wake_failed",
                    &[("error", Field::safe(&error))],
                );
                let concerned = answers
                    .iter()
                    .filter(|(_, answer)| answer.portfolio.as_deref() == Some(portfolio));
                asleep.extend(concerned.map(|(id, _)| id.as_str()));
            }
        }
        asleep
    }

    async fn wake_pacer(&self, portfolio: &str) -> Result<(), IntakeError> {
        let lease = self.pacing.lease(portfolio).await?;
        if needs_wake(lease.as_ref(), (self.clock)()) {
            let body = serde_json::json!({ "portfolio": portfolio }).to_string();
            self.wake.send(&body, &[]).await?;
        }
        Ok(())
    }

    /// Publishes what the batch has to tell; when that fails, all who had something to tell come again.
    async fn publish<'a>(&self, answers: &'a Answers) -> Vec<&'a str> {
        let events: Vec<Event> = answers
            .iter()
            .flat_map(|(_, answer)| answer.events.iter().cloned())
            .collect();
        let Err(error) = self.bus.publish(&events).await else {
            return Vec::new();
        };
        log(
            Level::Error,
            "publish_failed",
            &[("error", Field::safe(&IntakeError::from(error)))],
        );
        answers
            .iter()
            .filter(|(_, answer)| !answer.events.is_empty())
            .map(|(id, _)| id.as_str())
            .collect()
    }

    const fn subjects(&self) -> &Subjects {
        self.consents.subjects()
    }

    const fn keyring(&self) -> &Keyring {
        self.subjects().keyring()
    }
}

impl Answer {
    fn event(event: Event) -> Self {
        Self {
            events: vec![event],
            portfolio: None,
        }
    }
}
