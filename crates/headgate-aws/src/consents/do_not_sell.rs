//! Recording that somebody's data be neither sold nor shared: on the person's row first, then in the ledger.
//!
//! Owns that it is proven once and told once, however often it is said: whoever is cut off between the two
//! writes is completed by the redelivery, or by whoever says it next.

use headgate_domain::do_not_sell::{DoNotSell, PURPOSE};
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{EventType, Fact, evidence_commitment, subject_commitment};
use headgate_domain::time::Timestamp;
use serde_json::Value;

use super::Consents;
use crate::keyring::KeyringError;

impl Consents {
    /// Records the choice of a person; the event that apps are told, when it is new. Of who is not on record
    /// nothing is.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; repeating is safe.
    pub async fn do_not_sell(
        &self,
        subject: &SubjectId,
        reference: Option<&str>,
        said: &DoNotSell,
        evidence: &Value,
        now: Timestamp,
    ) -> Result<Option<Event>, KeyringError> {
        let states = self.subjects.states(std::slice::from_ref(subject)).await?;
        let Some(person) = states.first() else {
            return Ok(None);
        };
        if let Some(standing) = &person.same_as {
            let recorded = self.do_not_sell(standing, reference, said, evidence, now);
            return Box::pin(recorded).await;
        }
        let known = match &person.do_not_sell {
            Some(known) => known.clone(),
            None => match self.subjects.note_do_not_sell(subject, said).await? {
                Some(known) => known,
                None => return Ok(None),
            },
        };
        let tell = |event: &str| known.told(subject, reference.map(str::to_owned), event);
        if let Some(event) = &known.event {
            return Ok((known.source == said.source).then(|| tell(event)));
        }
        let event = self.prove_choice(subject, &known, evidence, now).await?;
        let is_first = self.subjects.prove_do_not_sell(subject, &event).await?;
        Ok(is_first.then(|| tell(&event)))
    }

    async fn prove_choice(
        &self,
        subject: &SubjectId,
        choice: &DoNotSell,
        evidence: &Value,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let salt = self.subjects.keyring().evidence_salt(subject).await?;
        let commitment = subject_commitment(&salt, subject);
        let mut fact = Fact::new(
            now,
            EventType::ConsentWithdrawn,
            commitment,
            &self.deployment,
        );
        fact.purpose = Some(PURPOSE.to_owned());
        // Nothing was processed on any ground: there is no sale to take back.
        fact.basis = None;
        fact.method = Some(choice.way.word().to_owned());
        fact.claimed_at = (choice.at != now).then_some(choice.at);
        if let Some(law) = self.law(subject).await? {
            fact.jurisdictions = law.ids().into_iter().map(str::to_owned).collect();
            fact.profile_digest = Some(law.digest());
        }
        let proof = (!evidence.is_null()).then(|| evidence.to_string().into_bytes());
        let commit = |bytes: &Vec<u8>| evidence_commitment(&salt, bytes);
        fact.evidence = proof.as_ref().map(commit);
        let event = self.ledger.append(subject, &fact).await?;
        if let Some(bytes) = proof {
            self.subjects.put_evidence(subject, &event, &bytes).await?;
        }
        Ok(event)
    }
}
