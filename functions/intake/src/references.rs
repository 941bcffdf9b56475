//! The wamid behind a `message_ref`: apps never see one, because it holds the number.
//!
//! A reference is good for the person it was given for and as long as its content opens; anything
//! else is `unknown_message_ref`, in the same words, so that nothing can be learned by trying.

use headgate_aws::keyring::{KeyringError, Salt};
use headgate_aws::messages::{body_place_key, inbound_place_key};
use headgate_domain::identity::{Kind, Pseudonym, Wamid};
use headgate_domain::record::RecordRef;
use headgate_domain::refusal::Code;
use headgate_domain::sealing::Place;
use headgate_domain::time::{Day, Timestamp};
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::Personal;

use crate::Intake;
use crate::error::Stop;
use crate::person::Person;

/// What a `message_ref` names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// Something the person wrote.
    Inbound(Pseudonym),
    /// Something we sent.
    Record(RecordRef),
}

fn named(reference: &str) -> Option<Named> {
    if let Some(pseudonym) = reference.strip_prefix("in_") {
        let pseudonym = Pseudonym::parse(pseudonym).ok()?;
        return (pseudonym.kind() == Some(Kind::Message)).then_some(Named::Inbound(pseudonym));
    }
    RecordRef::from_message_id(reference).map(Named::Record)
}

impl Intake {
    /// The wamid behind a reference to a message with this person.
    pub(crate) async fn wamid(
        &self,
        reference: &str,
        person: &Person,
        now: Timestamp,
    ) -> Result<Wamid, Stop> {
        let opened = match named(reference).ok_or(Code::UnknownMessageRef)? {
            Named::Inbound(pseudonym) => self.inbound_wamid(&pseudonym, person, now).await?,
            Named::Record(record) => self.record_wamid(&record, person, now).await?,
        };
        let wamid = opened.and_then(|text| Wamid::parse(text.reveal()).ok());
        Ok(wamid.ok_or(Code::UnknownMessageRef)?)
    }

    async fn inbound_wamid(
        &self,
        pseudonym: &Pseudonym,
        person: &Person,
        now: Timestamp,
    ) -> Result<Option<Personal<String>>, Stop> {
        let Some(inbound) = self
            .messages
            .inbound(pseudonym, now)
            .await?
            .filter(|inbound| inbound.subject == person.subject.id)
        else {
            return Ok(None);
        };
        let key = inbound_place_key(pseudonym);
        let place = Place {
            table: "messages",
            key: &key,
            field: "body",
        };
        let Some(body) = self
            .opened(inbound.day, now, &person.salt, &place, &inbound.body)
            .await?
        else {
            return Ok(None);
        };
        let json: Option<serde_json::Value> = serde_json::from_slice(body.reveal()).ok();
        Ok(json.and_then(|body| {
            body.get("wamid")?
                .as_str()
                .map(|wamid| Personal::new(wamid.to_owned()))
        }))
    }

    async fn record_wamid(
        &self,
        record: &RecordRef,
        person: &Person,
        now: Timestamp,
    ) -> Result<Option<Personal<String>>, Stop> {
        let Some(stored) = self
            .messages
            .wamid(record, now)
            .await?
            .filter(|stored| stored.subject == person.subject.id)
        else {
            return Ok(None);
        };
        let key = body_place_key(record);
        let place = Place {
            table: "messages",
            key: &key,
            field: "wamid",
        };
        let opened = self
            .opened(stored.day, now, &person.salt, &place, &stored.sealed)
            .await?;
        Ok(opened
            .and_then(|bytes| String::from_utf8(bytes.into_revealed()).ok())
            .map(Personal::new))
    }

    /// Content that may still be read; `None` when it may not, or cannot.
    async fn opened(
        &self,
        day: Day,
        now: Timestamp,
        salt: &Salt,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Option<Personal<Vec<u8>>>, Stop> {
        match self
            .keyring()
            .open_content(day, now, salt, place, sealed)
            .await
        {
            Ok(plain) => Ok(Some(plain)),
            Err(KeyringError::PastRetention | KeyringError::NoKey) => Ok(None),
            Err(error @ KeyringError::NotOpened) => {
                // Trying again would not open it either; somebody should know.
                log(
                    Level::Error,
                    "sealed_value_damaged",
                    &[("error", Field::safe(&crate::IntakeError::from(error)))],
                );
                Ok(None)
            }
            Err(error @ KeyringError::Aws(_)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn only_references_we_give_out_name_anything() {
        let hash = "A".repeat(43);
        assert!(matches!(
            named(&format!("in_m1_{hash}")),
            Some(Named::Inbound(_))
        ));
        assert!(matches!(
            named("msg_106540352242922.u.0.01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            Some(Named::Record(_))
        ));
        for foreign in [
            "",
            "in_",
            "wamid.x",
            &format!("in_s1_{hash}"),
            &format!("m1_{hash}"),
            "msg_1#2.u.0.01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert_eq!(named(foreign), None, "{foreign}");
        }
    }
}
