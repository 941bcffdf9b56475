//! What people ask about their own data, carried out.
//!
//! Woken by the requests queue and by the clock. A request is opened, the person is told of it, and it is carried out
//! at its time, from an agenda in the table: nothing depends on a message that comes on time. The only function that
//! may destroy a salt. It writes to nobody but by the system queue, whose texts are fixed, and once a person is erased
//! it could not: so they are told before, and see the receipt on a page.

mod access;
pub mod config;
mod erase;
mod forget;
mod hold;
mod object;
mod receive;
mod rectify;
mod replay;
mod restrict;
mod walk;

use headgate_aws::bus::Bus;
use headgate_aws::cancel::Cancellations;
use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::erasure::Eraser;
use headgate_aws::evidence::Evidence;
use headgate_aws::keyring::{Keyring, KeyringError};
use headgate_aws::ledger::Ledger;
use headgate_aws::messages::Messages;
use headgate_aws::pacing::{Pacing, Senders};
use headgate_aws::peppers::{Peppers, pepper};
use headgate_aws::privacy_requests::{PrivacyRequests, Request};
use headgate_aws::queue::Queue;
use headgate_aws::signing::SigningKey;
use headgate_aws::subjects::Subjects;
use headgate_aws::suppression::Suppression;
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::identity::Pepper;
use headgate_domain::privacy::{RequestId, State, Task};
use headgate_domain::profiles::Right;
use headgate_domain::time::{DAY, HOUR, MINUTE, Timestamp};
use headgate_lambda::batch::{self, SqsEvent};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::{Panicked, survive};
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub use config::Config;

/// Requests of one batch that are opened at a time.
const CONCURRENCY: usize = 4;
/// No task begins after this long: a minute is left for the one that has.
const TIME: Duration = Duration::from_mins(4);
/// People are forgotten for this long at most.
const FORGETTING: Duration = Duration::from_mins(2);
/// After an agenda of less than this there is time for a minute of walks.
const TIME_LEFT: Duration = Duration::from_mins(3);
/// What failed is tried again after this long, so that it never stands before the rest.
const AFTER_A_FAILURE_MS: i64 = 10 * MINUTE;
/// Whoever runs the deployment is told of what waits for people this long before it is due.
pub(crate) const SOON_MS: i64 = 7 * DAY;

/// The function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// AWS did not give what is needed.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Each of its parts is.
impl LogSafe for StartError {}

/// Something was not done; it is done again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The message on the queue is none of ours.
    #[error("the message is no request")]
    Message,
    /// What Lambda hands over is no batch.
    #[error("the event is no batch of a queue")]
    Event,
    /// The right is exercised elsewhere.
    #[error("no request of this kind is carried out here")]
    Right,
    /// The controls are of a time before the peppers were rotated: docs/operations.md says what to do.
    #[error("the version of the peppers went back")]
    PeppersWentBack,
    /// Keys or tables were not available.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// AWS failed; worth trying again.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Something panicked; where is in the log.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// Tasks of the agenda failed; each is in the log, and put off.
    #[error("{0} tasks failed and are put off")]
    Tasks(usize),
}

/// Each of its parts is.
impl LogSafe for WorkerError {}

/// The function.
pub struct PrivacyWorker {
    eraser: Eraser,
    requests: PrivacyRequests,
    cancellations: Cancellations,
    controls: Controls,
    evidence: Evidence,
    key: SigningKey,
    system: Queue,
    links: Pepper,
    bus: Bus,
    deployment: String,
    clock: Clock,
}

impl PrivacyWorker {
    /// Reads the settings and computes the peppers; without them it does not start (I5).
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = Config::read(settings)?;
        let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
        let controls = Controls::new(&aws, &config.table_controls);
        let deployment = config.deployment.as_str();
        let of = |key| Peppers::open(&aws, &controls, key, deployment);
        let (identity, suppressed, links) = tokio::try_join!(
            of(&config.kms_mac_identity),
            of(&config.kms_mac_suppression),
            pepper(&aws, &config.kms_mac_links, deployment),
        )?;
        let keyring = Keyring::new(
            &aws,
            &config.table_keys,
            &config.kms_key_data,
            &config.deployment,
        );
        let subjects = Subjects::new(&aws, &config.table_subjects, keyring, identity);
        let ledger = Ledger::new(&aws, &config.table_ledger);
        let requests = PrivacyRequests::new(&aws, &config.table_privacy_requests);
        let eraser = Eraser {
            consents: Consents::new(
                subjects.clone(),
                Suppression::new(&aws, &config.table_suppression),
                ledger.clone(),
                suppressed,
                controls.clone(),
            ),
            subjects,
            ledger,
            messages: Messages::new(&aws, &config.table_messages),
            pacing: Pacing::new(&aws, &config.table_pacing),
            requests: requests.clone(),
        };
        Ok(Self {
            eraser,
            requests,
            cancellations: Cancellations::new(&aws, &config.table_messages),
            controls,
            evidence: Evidence::new(&aws, &config.table_evidence),
            key: SigningKey::new(&aws, &config.kms_key_receipt),
            system: Queue::new(&aws, &config.queue_system_url),
            bus: Bus::new(&aws, &config.bus_name),
            links,
            deployment: config.deployment,
            clock,
        })
    }

    /// Opens the requests of a batch, or does what the agenda says is due.
    ///
    /// # Errors
    /// [`WorkerError`] when something due was not done; the next call goes on.
    pub async fn handle(&self, event: Value) -> Result<Value, WorkerError> {
        self.eraser.consents.refresh((self.clock)()).await?;
        if event.get("Records").is_none() {
            let started = Instant::now();
            let worked = Box::pin(self.work_off()).await;
            // What people asked comes first, and what failed of it does not hold this up.
            let walked = if started.elapsed() < TIME_LEFT {
                Box::pin(self.walk((self.clock)())).await
            } else {
                Ok(())
            };
            let done = worked?;
            walked?;
            return Ok(json!({ "done": done }));
        }
        let event: SqsEvent = serde_json::from_value(event).map_err(|_json| WorkerError::Event)?;
        let answer = batch::run(event, CONCURRENCY, |record| async move {
            Box::pin(self.receive(&record.body)).await
        });
        Ok(json!(answer.await))
    }

    /// Everything that is due, each on its own: what fails is put off and does not hold up the rest.
    async fn work_off(&self) -> Result<usize, WorkerError> {
        let (started, mut done, mut failed) = (Instant::now(), 0_usize, 0_usize);
        'agenda: loop {
            let due = self.requests.due((self.clock)()).await?;
            if due.is_empty() {
                break;
            }
            for (at, task) in due {
                if started.elapsed() > TIME {
                    break 'agenda;
                }
                let now = (self.clock)();
                // First: what ends this invocation, by its time or its memory, must not be the first of the next.
                let later = now.plus_millis(AFTER_A_FAILURE_MS);
                self.requests.put_off(&task, at, later).await?;
                let result = Box::pin(survive(self.carry_out(&task, later, now))).await;
                let error = match result.map_err(WorkerError::from) {
                    Ok(Ok(())) => {
                        done = done.saturating_add(1);
                        continue;
                    }
                    Ok(Err(error)) | Err(error) => error,
                };
                failed = failed.saturating_add(1);
                log(
                    Level::Error,
                    "request_failed",
                    &[
                        ("task", Field::code(task.word())),
                        ("about", Field::safe(&task)),
                        ("error", Field::safe(&error)),
                    ],
                );
            }
        }
        let rest = TIME.saturating_sub(started.elapsed());
        if !rest.is_zero()
            && let Err(error) = Box::pin(self.forget_people(FORGETTING.min(rest))).await
        {
            failed = failed.saturating_add(1);
            log(
                Level::Error,
                "people_not_forgotten",
                &[("error", Field::safe(&error))],
            );
        }
        if failed > 0 {
            return Err(WorkerError::Tasks(failed));
        }
        Ok(done)
    }

    /// Does what a task says, and strikes it off, or puts it off to when it is to be looked at again.
    async fn carry_out(
        &self,
        task: &Task,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let later = match task {
            Task::Run(request) => Box::pin(self.run(request, now)).await?,
            Task::Again(request) => {
                self.again(request).await?;
                None
            }
            Task::Replay(run) => {
                Box::pin(self.replay(run)).await?;
                None
            }
            Task::Withdraw(request) => {
                self.withdraw(request, now).await?;
                None
            }
            Task::Lift(request) => {
                Box::pin(self.lift(request, false, now)).await?;
                None
            }
            Task::LiftTold(request) => {
                Box::pin(self.lift(request, true, now)).await?;
                None
            }
            Task::Fulfil(request) => {
                Box::pin(self.answer(request, None, now)).await?;
                None
            }
            Task::Deny(request, denial) => {
                Box::pin(self.answer(request, Some(*denial), now)).await?;
                None
            }
            Task::Extend(request, why) => {
                Box::pin(self.extend(request, *why, now)).await?;
                None
            }
            Task::Keep(hold) => Box::pin(self.keep(hold, now)).await?,
            Task::Disclose(hold) => {
                Box::pin(self.disclose(hold, now)).await?;
                None
            }
        };
        match later {
            Some(later) => self.requests.put_off(task, at, later).await?,
            None => self.requests.done(task, at).await?,
        }
        Ok(())
    }

    /// Carries a request out, if there is anything left to do of it.
    async fn run(&self, id: &RequestId, now: Timestamp) -> Result<Option<Timestamp>, WorkerError> {
        let Some(request) = self.requests.find(id).await? else {
            return Ok(None);
        };
        let Some(subject) = request
            .subject
            .clone()
            .filter(|_id| !request.state.is_closed())
        else {
            return Ok(None);
        };
        let is_due_soon = now <= request.due_at && now >= request.due_at.plus_millis(-SOON_MS);
        // What was begun is carried through; what was not waits for a hold.
        let may_wait = request.right == Right::Erasure && self.requests.entry(id).await?.is_none();
        if may_wait {
            let person = self.eraser.subjects.person(&subject).await?;
            if self.is_held(&person.group, now).await? {
                if request.state != State::Held {
                    log(Level::Info, "request_held", &[("request", Field::safe(id))]);
                }
                self.requests.advance(&request, State::Held).await?;
                if is_due_soon {
                    due_soon(id);
                }
                return Ok(Some(now.plus_millis(HOUR)));
            }
        }
        if now > request.due_at {
            let fields = [("request", Field::safe(id))];
            log(Level::Error, "request_overdue", &fields);
        }
        if request.right == Right::Rectification {
            // The business carries it out, and says so.
            if is_due_soon {
                due_soon(id);
            }
            return Ok(Some(request.due_at.max(now.plus_millis(HOUR))));
        }
        if !self.requests.advance(&request, State::Running).await? {
            // It was taken back, or another call has it and has finished it.
            return Ok(None);
        }
        let request = Request {
            state: State::Running,
            ..request
        };
        match request.right {
            Right::Erasure => Box::pin(self.erase(&request, &subject, now)).await?,
            Right::Access | Right::Portability => {
                Box::pin(self.export(&request, &subject, now)).await?;
            }
            Right::Objection => Box::pin(self.object(&request, &subject, now)).await?,
            Right::Restriction => Box::pin(self.restrict(&request, &subject, now)).await?,
            // Looked after above.
            Right::Rectification => {}
            Right::DoNotSell => return Err(WorkerError::Right),
        }
        Ok(None)
    }

    /// Closes a request of which there is no receipt, and strikes it off the agenda.
    async fn close(
        &self,
        request: &Request,
        state: State,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let times = (now, None);
        if self.requests.close(request, state, None, times).await? {
            log(
                Level::Info,
                "request_closed",
                &[
                    ("request", Field::safe(&request.id)),
                    ("right", Field::code(request.right.word())),
                    ("state", Field::code(state.word())),
                ],
            );
        }
        let run = Task::Run(request.id.clone());
        Ok(self.requests.done(&run, request.run_at).await?)
    }

    /// Closes a request that was taken back, if nothing has been begun.
    async fn withdraw(&self, id: &RequestId, now: Timestamp) -> Result<(), WorkerError> {
        let Some(request) = self.requests.find(id).await? else {
            return Ok(());
        };
        if request.state.may_become(State::Withdrawn) {
            let closed = self
                .requests
                .close(&request, State::Withdrawn, None, (now, None));
            closed.await?;
            let fields = [("request", Field::safe(id))];
            log(Level::Info, "request_withdrawn", &fields);
        }
        Ok(())
    }

    /// Where the limits may remember a person.
    async fn senders(&self) -> Result<Senders, AwsError> {
        let config = self.controls.config().await?;
        Ok(Senders {
            portfolios: config.portfolios.keys().cloned().collect(),
            numbers: self.numbers().await?.into_iter().collect(),
        })
    }

    /// Every number that has messages: the purge remembers those which left the configuration.
    async fn numbers(&self) -> Result<BTreeSet<String>, AwsError> {
        let config = self.controls.config().await?;
        let mut numbers = self.evidence.swept_numbers().await?;
        numbers.extend(config.numbers.iter().map(|number| number.id.clone()));
        Ok(numbers)
    }
}

/// What only people can bring to an end is told before it is late.
fn due_soon(request: &RequestId) {
    let fields = [("request", Field::safe(request))];
    log(Level::Warn, "request_due_soon", &fields);
}
