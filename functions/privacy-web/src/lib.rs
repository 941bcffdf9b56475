//! The public pages: opting in, stopping, choices, and what is stored.
//!
//! Owns the I/O around the rules in [`decide`]: it reads the configuration, stores a consent
//! request, queues a withdrawal. A stranger on the opt-in page causes no outgoing message and leaves
//! no number; only the person's own message makes a request a consent. It erases nothing, and
//! of the subject behind a link it reads where they stand, to show it to whoever has the link (ADR 0021).

mod answer;
mod config;
mod confirm;
mod decide;
mod html;
mod layout;
mod locale;
mod pages;
mod visitor;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use headgate_aws::confirm_links::ConfirmLinks;
use headgate_aws::controls::Controls;
use headgate_aws::peppers::pepper;
use headgate_aws::privacy_requests::{Chosen, PrivacyRequests};
use headgate_aws::queue::Queue;
use headgate_aws::subjects::{ConsentRequest, ConsentRequests, LinkRequests, SubjectStates};
use headgate_aws::{Aws, AwsError, AwsSettings, random};
use headgate_domain::config::Config as Rules;
use headgate_domain::confirm_link::{ConfirmKey, ConfirmToken};
use headgate_domain::do_not_sell::{self, Way};
use headgate_domain::identity::{Pepper, SubjectId, Visitor};
use headgate_domain::privacy::{Choice, ExportLink, RequestId};
use headgate_domain::system::Locale;
use headgate_domain::time::{HOUR, Timestamp};
use headgate_domain::{consent, link, optin_code};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::survive;
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::{LogSafe, Personal};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

pub use config::Config;
pub use locale::{InvalidLocale, LANGUAGES, Source};

use decide::{Asked, Copy, Decision, Door, Facts, Refused, Stop, Tokens, View};
use locale::Library;
use pages::{Choices, Frame, Page, Stands, Volumes};
use visitor::Visitors;

/// How long a code from the opt-in page waits for the person's message.
const REQUEST_LIFE_MS: i64 = 72 * HOUR;

/// The function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// AWS did not give what is needed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The texts of a language are not complete.
    #[error(transparent)]
    Locale(#[from] InvalidLocale),
}

/// Each of its parts is.
impl LogSafe for StartError {}

/// The function.
pub struct PrivacyWeb {
    deployment: String,
    base: String,
    origin: String,
    links: Arc<Pepper>,
    library: Library,
    controls: Controls,
    requests: ConsentRequests,
    confirm: ConfirmKey,
    confirm_links: ConfirmLinks,
    link_requests: LinkRequests,
    asked: PrivacyRequests,
    subjects: SubjectStates,
    consents: Queue,
    visitors: Mutex<Visitors>,
    clock: Clock,
}

impl PrivacyWeb {
    /// Reads the settings and computes the pepper of the links; without them it does not start (I5).
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        Self::in_languages(&LANGUAGES, settings, clock).await
    }

    /// The same with other languages than those that are shipped.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn in_languages(
        languages: &[Source],
        settings: &Settings,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let config = Config::read(settings)?;
        let library = Library::read(languages)?;
        let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
        let links = Arc::new(pepper(&aws, &config.kms_mac_links, &config.deployment).await?);
        Ok(Self {
            origin: origin(&config.privacy_url),
            controls: Controls::new(&aws, &config.table_controls),
            requests: ConsentRequests::new(&aws, &config.table_subjects),
            confirm: ConfirmKey::of(&links),
            confirm_links: ConfirmLinks::new(&aws, &config.table_privacy_requests),
            link_requests: LinkRequests::new(&aws, &config.table_subjects),
            asked: PrivacyRequests::new(&aws, &config.table_privacy_requests),
            subjects: SubjectStates::new(&aws, &config.table_subjects),
            consents: Queue::new(&aws, &config.queue_consents_url),
            deployment: config.deployment,
            base: config.privacy_url,
            links,
            library,
            visitors: Mutex::default(),
            clock,
        })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        match survive(self.answer(&request)).await {
            Ok(response) => response,
            Err(panicked) => {
                log(
                    Level::Error,
                    "request_failed",
                    &[("error", Field::safe(&panicked))],
                );
                answer::bare(StatusCode::SERVICE_UNAVAILABLE, Bytes::new())
            }
        }
    }

    /// Writes down that somebody was here, and nothing of who it was.
    fn note_visit(&self, request: &Request<Bytes>) {
        let mut visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = |day, address: &str| Visitor::of(&self.links, &self.deployment, day, address);
        let (fields, is_new) = visitors.fields(request, (self.clock)().day(), hash);
        log(Level::Info, "visited", &fields);
        if is_new {
            log(Level::Info, "new_visitor", &[]);
        }
    }

    async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.note_visit(request);
        let facts = Facts {
            method: request.method(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            body: request.body(),
        };
        let asked = facts.language();
        let language = self
            .library
            .choose(asked.as_deref(), facts.accept_language());
        let config = match self.controls.config().await {
            Ok(config) => Some(config),
            Err(error) => {
                log(
                    Level::Error,
                    "configuration_unreadable",
                    &[("error", Field::safe(&error))],
                );
                None
            }
        };
        let frame = Frame {
            language,
            library: &self.library,
            config: config.as_deref(),
            base: &self.base,
        };
        let decision = decide::decide(&facts, &self.origin, self);
        let mut page = self.act(decision, &frame).await;
        if let Some(subject) = decide::signalled(&facts, self)
            && self.heed(&subject).await
            && let Page::Choices(choices) = &mut page
        {
            choices.is_not_sold = true;
        }
        answer::answer(
            &page,
            &frame,
            facts.wants_json(),
            request.method() == Method::HEAD,
        )
    }

    /// Does what was decided; what could not be made durable did not happen, and is said to.
    async fn act(&self, decision: Decision, frame: &Frame<'_>) -> Page {
        let done = match decision {
            // A no must always be possible, so its page does without the configuration.
            Decision::Show(view @ View::Unsubscribe(_)) => return Page::View(view),
            Decision::ShowChoices(subject) => {
                return Page::Choices(self.choices(&subject, frame.config).await);
            }
            Decision::Show(_)
            | Decision::Ask(_)
            | Decision::NotTicked(_)
            | Decision::GiveCode(_)
                if frame.config.is_none() =>
            {
                return Page::Refused(Refused::Unavailable);
            }
            Decision::Show(View::OptIn(offer)) => {
                return Page::View(View::OptIn(frame.declared(offer)));
            }
            Decision::Show(view) => return Page::View(view),
            Decision::Refuse(refused) => return Page::Refused(refused),
            Decision::Ask(asked) => self.ask(asked, frame).await,
            Decision::GiveCode(choice) => self.give_code(choice, frame).await,
            Decision::ShowCopy(link) => match self.asked.export(&link).await {
                Ok(export) => Ok(Page::Copy(
                    export.and_then(|export| Volumes::of(&export, (self.clock)())),
                )),
                Err(error) => Err(error),
            },
            Decision::HandOut(link, form, volume) => {
                Box::pin(self.hand_out(&link, form, volume)).await
            }
            Decision::ShowRequest(id) => match self.asked.find(&id).await {
                Ok(request) => Ok(Page::Request(Stands::of(request))),
                Err(error) => Err(error),
            },
            Decision::NotTicked(token) => return Page::NotTicked(token),
            Decision::Press(token, presser) => Box::pin(self.press(&token, &presser)).await,
            Decision::DoNotSell(subject) => match self.not_to_be_sold(&subject, Way::Link).await {
                Ok(()) => {
                    let choices = self.choices(&subject, frame.config).await;
                    Ok(Page::Choices(choices.not_sold()))
                }
                Err(error) => Err(error),
            },
            Decision::Withdraw(_, stop, _) if !frame.has(&stop) => {
                return Page::Refused(Refused::NotFound);
            }
            Decision::Withdraw(subject, stop, door) => match self.withdraw(&subject, &stop).await {
                Ok(()) => Ok(match door {
                    Door::Unsubscribe => Page::Unsubscribed(stop.scope),
                    Door::Preferences => {
                        let choices = self.choices(&subject, frame.config).await;
                        Page::Choices(choices.without(&stop))
                    }
                }),
                Err(error) => Err(error),
            },
        };
        done.unwrap_or_else(|error| {
            log(
                Level::Error,
                "not_stored",
                &[("error", Field::safe(&error))],
            );
            Page::Refused(Refused::Unavailable)
        })
    }

    /// Stores a consent request under the hash of a fresh code.
    async fn ask(&self, asked: Asked, frame: &Frame<'_>) -> Result<Page, AwsError> {
        let offered = frame.declared(asked.offered);
        if asked.wording != pages::wording(frame, &offered) {
            return Ok(Page::Changed(offered));
        }
        if asked.ticked.is_empty() {
            return Ok(Page::NoneTicked(offered));
        }
        let now = (self.clock)();
        let code = optin_code::from_random(random()?);
        let request = ConsentRequest {
            notice: pages::notice(frame, &offered, &asked.ticked),
            asks: asked
                .ticked
                .iter()
                .map(|purpose| (*purpose, offered.topic.clone()))
                .collect(),
            locale: frame.language.tag().to_owned(),
            requested_at: now,
        };
        self.requests
            .put(
                &optin_code::hash(&code),
                &request,
                now.plus_millis(REQUEST_LIFE_MS),
            )
            .await?;
        log(
            Level::Info,
            "consent_requested",
            &[("purposes", Field::count(request.asks.len()))],
        );
        Ok(Page::Confirm(code))
    }

    /// Keeps what is asked for under the hash of a fresh code. A stranger here causes no message and names nobody.
    async fn give_code(&self, choice: Choice, frame: &Frame<'_>) -> Result<Page, AwsError> {
        let code = optin_code::from_random(random()?);
        let chosen = Chosen {
            request: RequestId::from_random(random()?),
            choice,
            locale: Locale::from_tag(frame.language.tag()).unwrap_or(Locale::En),
        };
        let hash = optin_code::hash(&code);
        self.asked.put_code(&hash, &chosen, (self.clock)()).await?;
        log(Level::Info, "code_given", &[]);
        Ok(Page::Code(code, chosen))
    }

    /// Hands a volume of a copy out to whoever has the link, so often and so long as may be.
    async fn hand_out(
        &self,
        link: &ExportLink,
        form: Copy,
        volume: usize,
    ) -> Result<Page, AwsError> {
        let now = (self.clock)();
        let copy = self.asked.fetch_export(link, &self.deployment, volume, now);
        let Some(copy) = copy.await? else {
            // What is left of it can still be fetched.
            let export = self.asked.export(link).await?;
            return Ok(Page::Copy(export.and_then(|e| Volumes::of(&e, now))));
        };
        log(Level::Info, "copy_handed_out", &[]);
        Ok(match form {
            Copy::File => Page::CopyFile(volume, copy),
            Copy::Page => {
                let value = serde_json::from_slice(copy.reveal()).unwrap_or_default();
                Page::CopyRead(Personal::new(value))
            }
        })
    }

    /// Where a person stands. When that cannot be read, a no is possible all the same.
    async fn choices(&self, subject: &SubjectId, config: Option<&Rules>) -> Choices {
        match self.subjects.load(std::slice::from_ref(subject)).await {
            Ok(found) => Choices::of(found.first(), config, (self.clock)()),
            Err(error) => {
                let fields = [("error", Field::safe(&error))];
                log(Level::Error, "choices_unreadable", &fields);
                Choices::unreadable()
            }
        }
    }

    /// Takes the signal of a browser as its person's request; whether it is on record, or on its way.
    async fn heed(&self, subject: &SubjectId) -> bool {
        let found = self.subjects.load(std::slice::from_ref(subject)).await;
        let is_known = found.is_ok_and(|found| found.iter().any(|s| s.do_not_sell.is_some()));
        if is_known {
            return true;
        }
        let queued = self.not_to_be_sold(subject, Way::Gpc).await;
        queued
            .inspect_err(|error| {
                let fields = [("error", Field::safe(error))];
                log(Level::Error, "not_stored", &fields);
            })
            .is_ok()
    }

    /// Queues that a person's data be neither sold nor shared; returning means that SQS has it.
    async fn not_to_be_sold(&self, subject: &SubjectId, way: Way) -> Result<(), AwsError> {
        self.consents
            .send(&do_not_sell::record(subject, way), &[])
            .await?;
        let fields = [
            ("subject", Field::subject(subject)),
            ("method", Field::code(way.word())),
        ];
        log(Level::Info, "do_not_sell_queued", &fields);
        Ok(())
    }

    /// Queues a withdrawal; returning means that SQS has it.
    async fn withdraw(&self, subject: &SubjectId, stop: &Stop) -> Result<(), AwsError> {
        let record = withdrawal(subject, stop, random()?, (self.clock)());
        self.consents.send(&record, &[]).await?;
        log(
            Level::Info,
            "withdrawal_queued",
            &[("subject", Field::subject(subject))],
        );
        Ok(())
    }
}

impl Tokens for PrivacyWeb {
    fn person(&self, token: &str) -> Option<SubjectId> {
        link::verify(&self.links, &self.deployment, token)
    }

    fn to_confirm(&self, token: &str) -> Option<ConfirmToken> {
        self.confirm.open(&self.deployment, token).ok()
    }
}

/// The consent record of a withdrawal by link (`schemas/consent-record.v1.json`).
fn withdrawal(subject: &SubjectId, stop: &Stop, random: [u8; 16], at: Timestamp) -> String {
    let purposes: Vec<&str> = stop
        .scope
        .purposes()
        .iter()
        .map(|purpose| purpose.word())
        .collect();
    json!({
        "schema": consent::SCHEMA,
        "id": format!("link-{:032x}", u128::from_be_bytes(random)),
        "to": { "subject": subject.as_str() },
        "purpose": purposes,
        "topics": stop.topic.as_slice(),
        "action": "withdrawn",
        "method": "link",
        "occurred_at": at.to_string(),
    })
    .to_string()
}

/// Scheme, host and port of an address: what a browser calls the origin.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_domain::consent::{Action, ConsentRecord, Topic};
    use headgate_domain::lane::Purpose;

    use super::decide::Scope;
    use super::*;

    #[test]
    fn a_withdrawal_is_a_record_that_intake_accepts() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let subject = SubjectId::from_random([7; 16]);
        let stop = |scope, topic: Option<&str>| Stop {
            scope,
            topic: topic.map(|name| Topic::parse(name).unwrap()),
        };
        let body = withdrawal(
            &subject,
            &stop(Scope::Utility, Some("visits")),
            [9; 16],
            now,
        );
        let record = ConsentRecord::parse(&body, now).unwrap();
        assert_eq!(record.purposes, [Purpose::Utility]);
        assert_eq!(record.topics, [Topic::parse("visits").unwrap()]);
        let body = withdrawal(&subject, &stop(Scope::Everything, None), [9; 16], now);
        let record = ConsentRecord::parse(&body, now).unwrap();
        assert!(record.topics.is_empty());
        assert_eq!(record.action, Action::Withdrawn);
        assert_eq!(record.purposes, [Purpose::Marketing, Purpose::Utility]);
        assert_eq!(record.method, "link");
        assert_eq!(record.occurred_at, now);
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(
            origin("https://privacy.maple.example"),
            "https://privacy.maple.example"
        );
        assert_eq!(
            origin("https://x.execute-api.eu-west-1.amazonaws.com/v1"),
            "https://x.execute-api.eu-west-1.amazonaws.com"
        );
        assert_eq!(origin("http://127.0.0.1:4010"), "http://127.0.0.1:4010");
    }
}
