//! A record of the system queue: what Headgate itself writes to a person, on the service lane's way.
//!
//! Owns the translation. Only our own functions may write to the queue, so what is no system
//! message is poison and not a refusal: nobody who could correct it would be told.

use headgate_domain::config::Config;
use headgate_domain::privacy::{ExportLink, RequestId};
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::system::{Filling, Kind, SystemMessage};
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};

use crate::answer::About;
use crate::error::{IntakeError, Stop};
use crate::foresight::Foreseen;
use crate::outbound::{Arrival, Via, accept_as};
use crate::{Answer, Intake};

impl Intake {
    /// Handles one record of the system queue.
    pub(crate) async fn system(
        &self,
        record: &SqsRecord,
        foreseen: &Foreseen,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        let said = SystemMessage::parse(&record.body).map_err(|refusal| {
            log_refused(&refusal);
            IntakeError::NotSystem
        })?;
        let config = self.controls.config().await?;
        let caused_at = record.sent_at().unwrap_or(now).min(now);
        let contact = self.contact(&config, &said).await?;
        let mut about = About {
            id: Some(said.id()),
            ..About::default()
        };
        let arrival = Arrival {
            via: Via::System(said.kind.lane()),
            record,
            foreseen,
            now,
        };
        let Some(shown) = shown(&config, &said) else {
            return self.refuse(arrival, about, &reworded()).await;
        };
        let reference = said
            .token
            .as_deref()
            .filter(|_| said.kind == Kind::PrivacyExport);
        let reference = reference.and_then(|token| RequestId::parse(token).ok());
        let export = reference.map(|id| ExportLink::of(&self.links, &self.deployment, id.as_str()));
        let filling = Filling {
            export: export.as_ref().map_or("", ExportLink::reveal),
            business: &config.controller.name,
            contact: &contact,
            page: &self.privacy_url,
            notice: shown.notice,
            template: shown.template,
        };
        let mut message = said.outbound(&self.texts, &filling, caused_at);
        match self.accept(arrival, &mut message, &mut about).await {
            Ok(placed) => Ok(accept_as(now, about, placed)),
            Err(Stop::Refused(refusal)) => self.refuse(arrival, about, &refusal).await,
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

impl Intake {
    /// Whom a person is to turn to: the contact for their country, or where privacy questions go.
    async fn contact(&self, config: &Config, said: &SystemMessage) -> Result<String, IntakeError> {
        let general = config.controller.privacy_contact.clone();
        if said.kind != Kind::Contact {
            return Ok(general);
        }
        let person = match self
            .subject(&said.to, said.said_at.unwrap_or_default())
            .await
        {
            Ok(person) => person,
            // Whoever it is, they are refused when the message is placed.
            Err(Stop::Refused(_)) => return Ok(general),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let country = person.country();
        Ok(config.contact_for(country).map_or(general, |contact| {
            let hours = contact.hours.of(said.locale.tag());
            format!(
                "{}, {}, {}, {hours}",
                contact.name, contact.email, contact.telephone
            )
        }))
    }
}

/// What of a message the configuration says.
#[derive(Clone, Copy, Default)]
struct Shown<'a> {
    notice: &'a str,
    template: (&'a str, &'a str),
}

/// The wording of a question; `None` when the configuration has another one by now, or none. Any other
/// message shows none.
fn shown<'a>(config: &'a Config, said: &SystemMessage) -> Option<Shown<'a>> {
    let Some(wanted) = &said.question else {
        return Some(Shown::default());
    };
    if said.kind == Kind::ImportConfirmation {
        let message = config.consents.import_message.as_ref()?;
        let text = config.import_text(&wanted.notice)?;
        return Some(Shown {
            notice: &text.notice,
            template: (&message.template, &text.language),
        });
    }
    let entry = config.entry(&wanted.entry)?;
    let text = entry.text_of(said.locale, &wanted.notice, &config.controller.name)?;
    Some(Shown {
        notice: text,
        ..Shown::default()
    })
}

/// What the person would agree to is not what was recorded that they are asked.
fn reworded() -> Refusal {
    Refusal::at(
        Code::Malformed,
        "question.notice",
        "is not the wording of the configuration any more: it was changed while the question waited",
    )
}

fn log_refused(refusal: &Refusal) {
    let field = Field::code(refusal.field.unwrap_or("$"));
    let code = Field::code(refusal.code.word());
    log(
        Level::Error,
        "system_message_malformed",
        &[("code", code), ("field", field)],
    );
}
