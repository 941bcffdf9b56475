//! The HTTP API for consents, for systems that can neither write to a queue nor use an IAM role.
//!
//! Owns the door: whose token it is, what it may, how often it was used, whether each record has the right
//! form, and that what was answered 202 is on the consents queue. Decides nothing about a person: what a record
//! changes is intake's answer, as an event; where somebody stands is read for a token that may ask, and nothing
//! sealed is opened for it. Promises that nothing of a record and no
//! token is logged, that a batch is taken whole or not at all, and that a repetition changes nothing.

mod config;
mod confirmations;
mod decide;
mod door;
mod problem;
mod query;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use headgate_aws::api_records::{ApiRecords, Noted};
use headgate_aws::api_tokens::ApiTokens;
use headgate_aws::confirm_links::ConfirmLinks;
use headgate_aws::controls::Controls;
use headgate_aws::peppers::{Peppers, pepper};
use headgate_aws::queue::Queue;
use headgate_aws::subjects::{Pointers, SubjectStates};
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::api_token::{Presented, Scope, TokenId};
use headgate_domain::confirm_link::ConfirmKey;
use headgate_domain::identity::Pepper;
use headgate_domain::relayed::{Relayed, content_mac, remembered_as};
use headgate_domain::time::{Day, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::survive;
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

pub use config::Config;
pub use decide::{MAX_BODY, MAX_RECORDS};
pub use problem::Kind;

use confirmations::Link;
use decide::{Asked, Route, Taking};
use problem::Problem;

/// Records a token may bring in a minute: ten a second, which no form or till of one business fills.
pub const PER_MINUTE: u32 = 600;

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

/// The function.
pub struct ConsentApi {
    deployment: String,
    tokens: ApiTokens,
    records: ApiRecords,
    consents: Queue,
    links: Arc<Pepper>,
    confirm: ConfirmKey,
    confirm_links: ConfirmLinks,
    controls: Controls,
    pointers: Pointers,
    subjects: SubjectStates,
    privacy_url: String,
    /// The day on which each token's use was last noted from here.
    noted: Mutex<BTreeMap<TokenId, Day>>,
    clock: Clock,
}

impl ConsentApi {
    /// Reads the settings and computes the pepper; without them it does not start (I5).
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = Config::read(settings)?;
        let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
        let controls = Controls::new(&aws, &config.table_controls);
        let (key, deployment) = (config.kms_mac_identity.as_str(), &config.deployment);
        let (links, identity) = tokio::try_join!(
            pepper(&aws, &config.kms_mac_links, deployment),
            Peppers::open(&aws, &controls, key, deployment),
        )?;
        let links = Arc::new(links);
        let people = config.table_subjects.as_str();
        Ok(Self {
            tokens: ApiTokens::new(&aws, &config.table_privacy_requests),
            records: ApiRecords::new(&aws, &config.table_privacy_requests),
            consents: Queue::new(&aws, &config.queue_consents_url),
            confirm: ConfirmKey::of(&links),
            confirm_links: ConfirmLinks::new(&aws, &config.table_privacy_requests),
            controls,
            pointers: Pointers::new(&aws, people, identity),
            subjects: SubjectStates::new(&aws, people),
            privacy_url: config.privacy_url,
            deployment: config.deployment,
            links,
            noted: Mutex::default(),
            clock,
        })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        match survive(Box::pin(self.answer(&request))).await {
            Ok(Ok((status, body))) => problem::answer(status, "application/json", body.to_string()),
            Ok(Err(problem)) => problem.answer(),
            Err(panicked) => {
                log(
                    Level::Error,
                    "request_failed",
                    &[("error", Field::safe(&panicked))],
                );
                Problem::from(Kind::Unavailable).answer()
            }
        }
    }

    async fn answer(&self, request: &Request<Bytes>) -> Result<(StatusCode, Value), Problem> {
        let now = (self.clock)();
        let route = decide::route(request.method(), request.uri().path())?;
        let token = self.admit(request.headers(), now).await?;
        let (headers, body) = (request.headers(), request.body());
        let taking = match route {
            Route::Take(taking) => taking,
            Route::Query => {
                let about = decide::query(headers, body, &token)?;
                self.within_limit(&token, 1, now).await?;
                let stands = self.stands(&token, about, now).await?;
                return Ok((StatusCode::OK, stands));
            }
        };
        let asked = decide::records(taking, headers, body, &token, now)?;
        self.within_limit(&token, asked.len(), now).await?;
        let answers = self.take(taking, &token, &asked, now).await?;
        let done = match taking {
            Taking::Consents => json!({ "records": answers }),
            Taking::Confirmations => json!({ "confirmations": answers }),
        };
        Ok((StatusCode::ACCEPTED, done))
    }

    /// Takes the records of a batch: all are noted before any is queued.
    async fn take(
        &self,
        taking: Taking,
        token: &Presented,
        asked: &[Asked],
        now: Timestamp,
    ) -> Result<Vec<Value>, Problem> {
        let mut names = Vec::with_capacity(asked.len());
        for (index, record) in asked.iter().enumerate() {
            let name = remembered_as(&self.links, &self.deployment, &token.id, &record.said.id);
            // A record to confirm is another than the same bytes as a yes.
            let content = match taking {
                Taking::Consents => content_mac(&self.links, &self.deployment, &record.text),
                Taking::Confirmations => {
                    let marked = format!("confirm {}", record.text);
                    content_mac(&self.links, &self.deployment, &marked)
                }
            };
            let outcome = self.records.note(&name, &content, now).await;
            match outcome.map_err(|e| unavailable(&e))? {
                Noted::Other => return Err(Problem::at(Kind::DuplicateId, index)),
                Noted::Queued => names.push((name, true)),
                Noted::ToQueue => names.push((name, false)),
            }
        }
        let mut answers = Vec::with_capacity(asked.len());
        for (record, (name, is_queued)) in asked.iter().zip(&names) {
            let link = match taking {
                Taking::Consents => None,
                Taking::Confirmations => Some(self.link(token, record, now).await?),
            };
            let status = if *is_queued {
                "repeated"
            } else {
                self.queue(token, record, link.as_ref()).await?;
                // A mark that is lost costs one more entry on the queue, which changes nothing.
                if let Err(error) = self.records.mark_queued(name, now).await {
                    log(
                        Level::Warn,
                        "record_not_marked",
                        &[("error", Field::safe(&error))],
                    );
                }
                "queued"
            };
            let mut answer = json!({ "id": record.said.id, "status": status });
            if let Some(link) = link {
                link.told(&mut answer);
            }
            answers.push(answer);
        }
        log(
            Level::Info,
            "consents_taken",
            &[
                ("token", Field::safe(&token.id)),
                ("records", Field::count(answers.len())),
            ],
        );
        Ok(answers)
    }

    /// Puts one record on the queue; returning means that SQS has it.
    async fn queue(
        &self,
        token: &Presented,
        record: &Asked,
        link: Option<&Link>,
    ) -> Result<(), Problem> {
        let relayed = Relayed {
            token: token.id.clone(),
            attests: token.may(Scope::ConsentsAttest),
            link: link.map(|link| link.row.clone()),
            record: record.text.clone(),
        };
        let body = relayed.body().ok_or(Kind::Malformed)?;
        self.consents
            .send(&body, &[])
            .await
            .map_err(|e| unavailable(&e))
    }
}

/// What could not be made durable did not happen, and is said to.
fn unavailable(error: &AwsError) -> Problem {
    log(Level::Error, "not_stored", &[("error", Field::safe(error))]);
    Kind::Unavailable.into()
}
