//! The question whether somebody wants to be written to: who is asked, and what their answer is.
//!
//! Owns the way from a scanned code or an advertisement to a question, and from the button under it, or a word
//! like START, to a yes. Neither the scan nor the click is a yes; the person stands `requested` at most
//! until they answer. What is recorded are names of the configuration and pseudonyms. Whether an answer holds
//! against a no that was said in between is the domain's rule.

use headgate_aws::consents::Notice;
use headgate_domain::config::{Entry, EntryKind};
use headgate_domain::consent::{
    Action, Answer, Asking, NoticeId, Question, Standing, Validity, answer_in,
};
use headgate_domain::event::Event;
use headgate_domain::profiles::Profiles;
use headgate_domain::region::Country;
use headgate_domain::system::{Kind, Locale, SystemMessage, Wanted};
use headgate_domain::time::HOUR;
use headgate_webhook::notification::Referral;
use serde_json::{Value, json};

use crate::hearing::{Heard, Reaction};
use crate::outcome::Failure;
use crate::people::identifiers;
use crate::says::{Said, say};

/// Somebody who scanned a code longer ago has put the telephone away.
const ASKED_WITHIN_MS: i64 = HOUR;
/// How a yes by the button counts whose question an advertisement led to: the click itself is none.
const BUTTON: &str = "in_thread_button";
/// How a yes by a word counts.
const WORD: &str = "keyword_start";

impl Heard<'_> {
    /// The question that was put to this person, if an answer of the message's moment counts.
    pub(crate) fn question(&self) -> Option<&Question> {
        let at = self.inbound.at;
        self.person
            .asked
            .as_ref()
            .filter(|asked| asked.is_open(at) && self.person.is_theirs(asked.at))
    }

    /// The question, when the message came by a configured way and the person may be asked.
    pub(crate) async fn ask(&self) -> Result<Option<SystemMessage>, Failure> {
        let Some((entry, origin)) = self.way_in() else {
            return Ok(None);
        };
        let number = self.inbound.number.as_ref();
        let number = number.and_then(|id| self.config.numbers.iter().find(|ours| ours.id == *id));
        let (Some(number), true) = (number, self.is_recent()) else {
            return Ok(None);
        };
        let (locale, text) = entry.wording(self.country());
        let notice = NoticeId::of(text, locale.tag(), &self.config.controller.name);
        if !self.may_be_asked(entry).await? {
            return Ok(None);
        }
        let about = [self.name.as_str(), &entry.name, notice.as_str()];
        let question = Question {
            at: self.inbound.at.min(self.now),
            entry: entry.name.clone(),
            method: entry.kind.method().to_owned(),
            message: self.name.as_str().to_owned(),
            token: self.ports.binding(&self.person.id, about),
            purpose: entry.purpose,
            topics: entry.topics.clone(),
            notice: notice.clone(),
            locale: locale.tag().to_owned(),
            origin: origin.to_string(),
        };
        let subjects = &self.ports.subjects;
        if !subjects.note_question(&self.person.id, &question).await? {
            return Ok(None);
        }
        self.request(&question, text).await?;
        Ok(Some(SystemMessage {
            kind: Kind::OptinQuestion,
            cause: question.cause(),
            to: headgate_domain::outbound::Recipient::Subject(self.person.id.clone()),
            from: number.id.clone(),
            locale,
            token: None,
            said_at: Some(question.at),
            question: Some(Wanted {
                entry: question.entry,
                notice,
                token: question.token,
            }),
        }))
    }

    fn is_recent(&self) -> bool {
        self.now.millis_since(self.inbound.at) < ASKED_WITHIN_MS
    }

    /// The entry a message came by, and what is kept of the way.
    fn way_in(&self) -> Option<(&Entry, Value)> {
        let text = self.inbound.text.as_ref();
        let text = text.filter(|_text| self.inbound.kind == "text");
        if let Some(entry) = text.and_then(|text| self.config.entry_in(text.reveal())) {
            return Some((entry, json!({ "code": entry.code })));
        }
        let referral = self.inbound.referral.as_ref()?;
        let entry = self.config.entry_of_ad(&referral.source_id)?;
        Some((entry, self.kept(referral)))
    }

    /// Of an advertisement: what it is, and hashes of what it says and of the click.
    fn kept(&self, referral: &Referral) -> Value {
        let is_word = |text: &str| {
            (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let word = |text: &str| is_word(text).then(|| text.to_owned());
        let host = referral
            .source_url
            .as_ref()
            .and_then(|url| host(url.reveal()));
        let headline = referral
            .headline
            .as_ref()
            .map(|headline| headgate_domain::consent::text_hash(headline.reveal()));
        let click = referral
            .click
            .as_ref()
            .map(|click| self.ports.click(click.reveal()).as_str().to_owned());
        json!({
            "source_type": word(&referral.source_type),
            "source_id": word(&referral.source_id),
            "source_url_host": host,
            "headline_hash": headline,
            "ctwa_clid": click,
        })
    }

    async fn may_be_asked(&self, entry: &Entry) -> Result<bool, Failure> {
        let country = self.country();
        if Profiles::compiled_in().is_blocked(entry.purpose, country) {
            return Ok(false);
        }
        let suppressed = self.suppressed().await?;
        let asking = Asking {
            purpose: entry.purpose,
            topics: &entry.topics,
            validity: self.validity(country),
            renew: &self.config.consents.renew_notices,
        };
        Ok(self.person.may_be_asked(&asking, &suppressed, self.now))
    }

    fn validity(&self, country: Option<Country>) -> Validity {
        Validity::of(self.config.profile_of(country))
    }

    /// What the list covers under any name of the person.
    async fn suppressed(&self) -> Result<Vec<headgate_domain::lane::Purpose>, Failure> {
        let known = identifiers(self.person.phone.as_ref(), self.person.bsuid.as_ref());
        let named = identifiers(
            self.inbound.from_phone.as_ref(),
            self.inbound.from_bsuid.as_ref(),
        );
        let consents = &self.ports.consents;
        let mut keys = consents.all_suppression_keys(known.iter().chain(&named));
        keys.sort_unstable();
        keys.dedup();
        let covered = consents.suppression().covering(&keys).await?;
        Ok(covered
            .into_iter()
            .flat_map(|(_, purposes)| purposes)
            .collect())
    }

    /// That the person was asked, of whom nothing was known: nothing is proven by it.
    async fn request(&self, question: &Question, text: &str) -> Result<(), Failure> {
        let renew = &self.config.consents.renew_notices;
        let validity = self.validity(self.country());
        for topic in question.each() {
            let standing = self
                .person
                .standing(question.purpose, topic, validity, renew, self.now);
            if standing != Standing::Unknown {
                continue;
            }
            let said = Said {
                topic,
                at: question.at,
                notice: Some(Notice {
                    id: question.notice.clone(),
                    text: Some(text.to_owned()),
                }),
                locale: Some(&question.locale),
                evidence: self.evidence(question, json!({})),
                ..self.said(Action::Requested, &question.method, "")
            };
            say(self.ports, &said, question.purpose, self.now).await?;
        }
        Ok(())
    }

    /// What a button under a question of ours says; `None` for any other message. A button that is not bound to
    /// this person's own question says nothing.
    pub(crate) async fn pressed(&self) -> Result<Option<Reaction>, Failure> {
        let Some(payload) = &self.inbound.payload else {
            return Ok(None);
        };
        let Some((answer, token)) = answer_in(payload.reveal()) else {
            return Ok(None);
        };
        let asked = self.person.asked.as_ref();
        let Some(question) = asked.filter(|asked| asked.token == token) else {
            return Ok(Some(Reaction::default()));
        };
        let evidence = json!({ "payload": payload.reveal() });
        let reaction = match answer {
            // A no counts whenever it comes.
            Answer::No => Reaction {
                events: self.no(question, evidence).await?,
                ..Reaction::default()
            },
            Answer::Yes if self.question().is_none() => Reaction::default(),
            Answer::Yes => {
                let method = match question.method.as_str() {
                    scan if scan == EntryKind::Qr.method() => scan,
                    _ => BUTTON,
                };
                let events = self.yes(question, method, evidence).await?;
                let answer = self.confirmed(&events);
                Reaction {
                    events,
                    answer,
                    ask: None,
                }
            }
        };
        Ok(Some(reaction))
    }

    /// A word like START after a notice (docs/consent.md).
    pub(crate) async fn yes_by_word(
        &self,
        question: &Question,
        keyword: &str,
    ) -> Result<Vec<Event>, Failure> {
        self.yes(question, WORD, json!({ "keyword": keyword }))
            .await
    }

    async fn yes(
        &self,
        question: &Question,
        method: &str,
        answer: Value,
    ) -> Result<Vec<Event>, Failure> {
        // The wording that was shown is part of the proof: without it there is none.
        let Some(text) = self.shown(question) else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        for topic in question.each() {
            let said = Said {
                topic,
                asked_at: Some(question.at),
                notice: Some(Notice {
                    id: question.notice.clone(),
                    text: Some(text.to_owned()),
                }),
                locale: Some(&question.locale),
                evidence: self.evidence(question, answer.clone()),
                ..self.said(Action::Given, method, "")
            };
            events.extend(say(self.ports, &said, question.purpose, self.now).await?);
        }
        Ok(events)
    }

    async fn no(&self, question: &Question, answer: Value) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for topic in question.each() {
            let said = Said {
                topic,
                notice: Some(Notice {
                    id: question.notice.clone(),
                    text: None,
                }),
                locale: Some(&question.locale),
                evidence: self.evidence(question, answer.clone()),
                ..self.said(Action::Refused, BUTTON, "")
            };
            events.extend(say(self.ports, &said, question.purpose, self.now).await?);
        }
        Ok(events)
    }

    /// The wording that the person saw, from the configuration; `None` when that has another one by now.
    fn shown(&self, question: &Question) -> Option<&str> {
        if question.is_of_import() {
            let text = self.config.import_text(&question.notice)?;
            return Some(&text.notice);
        }
        let entry = self.config.entry(&question.entry)?;
        let locale = Locale::ALL
            .into_iter()
            .find(|locale| locale.tag() == question.locale)?;
        entry.text_of(locale, &question.notice, &self.config.controller.name)
    }

    /// The minimum of docs/consent.md for every way in, and for the answer.
    fn evidence(&self, question: &Question, answer: Value) -> Value {
        let entry = self.config.entry(&question.entry);
        let origin: Value = serde_json::from_str(&question.origin).unwrap_or_default();
        let mut evidence = json!({
            "entry": question.entry,
            "way": question.method,
            "origin": origin,
            "campaign": entry.and_then(|entry| entry.campaign.as_deref()),
            "location": entry.and_then(|entry| entry.location.as_deref()),
            "message": question.message,
            "asked_at": question.at.to_string(),
            "notice": question.notice.as_str(),
            "template": Kind::of(question).word(),
        });
        let Value::Object(answer) = answer else {
            return evidence;
        };
        if let Value::Object(members) = &mut evidence
            && !answer.is_empty()
        {
            members.insert("reply".to_owned(), self.name.as_str().into());
            members.extend(answer);
        }
        evidence
    }

    fn confirmed(&self, events: &[Event]) -> Option<SystemMessage> {
        let is_open = !events.is_empty() && !self.person.meta_stop;
        is_open
            .then(|| {
                let cause = format!("yes-{}-{}", self.person.id, self.inbound.at.seconds());
                self.answering(Kind::OptinConfirmation, "", cause)
            })
            .flatten()
    }
}

/// The host of an address, in a form fit to be kept.
fn host(url: &str) -> Option<String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let is_host = (1..=253).contains(&authority.len())
        && authority
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    is_host.then(|| authority.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_host_alone_is_kept() {
        assert_eq!(
            host("https://Ad.example/1?x=2").as_deref(),
            Some("ad.example")
        );
        for none in [
            "",
            "ad.example",
            "https://",
            "https://a:b@ad.example/",
            "ftp://ad.example",
        ] {
            assert_eq!(host(none), None, "{none}");
        }
    }
}
