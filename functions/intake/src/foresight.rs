//! Foresight: what the records of a batch will need to know of people, in four reads for all of
//! them instead of four for each.
//!
//! Owns no decision. Every read is a consistent one, made after the records arrived, and lives as
//! long as the batch. What is not foreseen (somebody new, a read that failed) is read by the
//! record itself, so that a failure stays one record's failure.

use std::collections::HashMap;

use headgate_aws::keyring::{KeyringError, Salt};
use headgate_domain::consent::Subject;
use headgate_domain::identity::{Identifier, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::{OutboundMessage, Recipient};
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsEvent;

use crate::Intake;
use crate::person::identifier;

/// What is known of the people of a batch.
#[derive(Default)]
pub(crate) struct Foreseen {
    found: HashMap<Identifier, SubjectId>,
    /// Those whose row and salt were read.
    pub(crate) people: HashMap<SubjectId, (Subject, Salt)>,
    /// Suppression keys that were looked up, and what they cover.
    pub(crate) suppressed: HashMap<String, Vec<Purpose>>,
}

impl Foreseen {
    /// Who an identifier leads to.
    pub(crate) fn by_identifier(&self, identifier: &Identifier) -> Option<&(Subject, Salt)> {
        self.people.get(self.found.get(identifier)?)
    }
}

impl Intake {
    /// Reads what is known of the recipients of a batch; nothing when it cannot be read.
    pub(crate) async fn foresee(&self, event: &SqsEvent) -> Foreseen {
        let now = (self.clock)();
        let of_lanes = event
            .records
            .iter()
            .filter(|record| self.is_of_a_lane(record));
        let messages = of_lanes.filter_map(|record| OutboundMessage::parse(&record.body, now).ok());
        let recipients: Vec<Recipient> = messages.map(|message| message.to).collect();
        if recipients.is_empty() {
            return Foreseen::default();
        }
        self.look_ahead(&recipients, now).await.unwrap_or_default()
    }

    async fn look_ahead(
        &self,
        recipients: &[Recipient],
        now: Timestamp,
    ) -> Result<Foreseen, KeyringError> {
        self.consents.refresh(now).await?;
        let mut addressed = Vec::new();
        let mut ids = Vec::new();
        for to in recipients {
            match identifier(to) {
                Ok(identifier) => addressed.push(identifier),
                Err(id) => ids.push(id.clone()),
            }
        }
        let found = self.subjects().find_all(&addressed).await?;
        ids.extend(found.values().cloned());
        let people = self.subjects().load_all(&ids).await?;
        let known = people
            .values()
            .flat_map(|(subject, _)| subject.identifiers());
        let identifiers: Vec<Identifier> = known.chain(addressed).collect();
        let keys = self.consents.all_suppression_keys(&identifiers);
        let covered = self.consents.suppression().covering(&keys).await?;
        // A key without an entry was looked up too: nobody said no under it.
        let mut suppressed: HashMap<String, Vec<Purpose>> =
            keys.into_iter().map(|key| (key, Vec::new())).collect();
        suppressed.extend(covered);
        Ok(Foreseen {
            found,
            people,
            suppressed,
        })
    }
}
