//! Who brought a record to the consents queue, and whether they may attest a yes.
//!
//! SQS says which role sent a message, and nobody can forge that. A role speaks for itself, except the
//! HTTP API's: it says whose token brought the record, in an envelope that counts from nobody else.

use headgate_domain::confirm_link::LinkRow;
use headgate_domain::relayed::Relayed;
use headgate_lambda::batch::SqsRecord;

use crate::Intake;
use crate::error::IntakeError;
use crate::outbound::producer;

/// Who speaks.
pub(crate) struct Speaker {
    /// As the ledger has it.
    pub(crate) actor: String,
    /// The consent record, out of its envelope if it came in one.
    pub(crate) record: String,
    /// The link by which the person is to confirm it first.
    pub(crate) link: Option<LinkRow>,
    /// What the API says of its token; `None` of a role that speaks for itself.
    attests: Option<bool>,
}

impl Intake {
    /// Who brought a record.
    pub(crate) fn speaker(&self, record: &SqsRecord) -> Speaker {
        let producer = producer(record);
        if producer != self.consent_api {
            return Speaker {
                actor: format!("producer:{producer}"),
                record: record.body.clone(),
                link: None,
                attests: None,
            };
        }
        match Relayed::parse(&record.body) {
            Some(relayed) => Speaker {
                actor: format!("token:{}", relayed.token),
                record: relayed.record,
                link: relayed.link,
                attests: Some(relayed.attests),
            },
            // What the API did not put in an envelope is nobody's word.
            None => Speaker {
                actor: "token:unknown".to_owned(),
                record: record.body.clone(),
                link: None,
                attests: Some(false),
            },
        }
    }

    /// Whether a yes of theirs counts, or that an earlier one was none. A no is never asked about, so it needs no configuration.
    pub(crate) async fn may_attest(
        &self,
        speaker: &Speaker,
        record: &SqsRecord,
    ) -> Result<bool, IntakeError> {
        if let Some(attests) = speaker.attests {
            return Ok(attests);
        }
        let config = self.controls.config().await?;
        Ok(config.consents.may_attest(producer(record)))
    }
}
