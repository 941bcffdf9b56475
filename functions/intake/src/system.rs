//! A record of the system queue: what Headgate itself writes to a person, on the service lane's way.
//!
//! Owns the translation. Only our own functions may write to the queue, so what is no system
//! message is poison and not a refusal: nobody who could correct it would be told.

use headgate_domain::refusal::Refusal;
use headgate_domain::system::SystemMessage;
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
        let mut message = said.outbound(&self.texts, &config.controller.name, caused_at);
        let mut about = About {
            id: Some(message.id.clone()),
            ..About::default()
        };
        let arrival = Arrival {
            via: Via::System,
            record,
            foreseen,
            now,
        };
        match self.accept(arrival, &mut message, &mut about).await {
            Ok(placed) => Ok(accept_as(now, about, placed)),
            Err(Stop::Refused(refusal)) => self.refuse(arrival, about, &refusal).await,
            Err(Stop::Failed(error)) => Err(error),
        }
    }
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
