//! What a message says about being written to: no, yes again, or yes to our opt-in page.
//!
//! Owns the reading of words and buttons and what each may change. The person's own text is read
//! and not kept: what proves an act is the pseudonym of the message and a term of our list.
//!
//! A no is heard in whatever holds words; a yes only in a message or on a button. A misspelt STOP is
//! asked about, and a no where the person cannot be asked any more. A word like "no" or "cancel", which
//! mostly means something else, is a no after marketing and where the law binds it, and asked about
//! otherwise.
//!
//! An answer is one message of the system lane, within five minutes of what it answers, and never two for
//! one cause: 47 CFR 64.1200(a)(12) allows one confirmation of an opt-out.

use headgate_aws::consents::Notice;
use headgate_domain::config::Config;
use headgate_domain::consent::{Action, Consent, Kind, NoticeId, Question, Subject};
use headgate_domain::do_not_sell::{DoNotSell, Way};
use headgate_domain::event::Event;
use headgate_domain::identity::Pseudonym;
use headgate_domain::lane::Purpose;
use headgate_domain::optin_code;
use headgate_domain::optout::{Context, Intent, Scope, classify};
use headgate_domain::outbound::Recipient;
use headgate_domain::privacy::{Ask, OBJECTED, Wish};
use headgate_domain::profiles::Right;
use headgate_domain::region::Country;
use headgate_domain::system::{Kind as Answer, Locale, SystemMessage};
use headgate_domain::time::{HOUR, MINUTE, Timestamp};
use headgate_redact::Personal;
use headgate_webhook::notification::Inbound;
use serde_json::json;

use crate::config::Ports;
use crate::outcome::Failure;
use crate::people::identifiers;
use crate::says::{Said, not_to_be_sold, say};
use crate::surroundings;

/// How a person says something with a word of theirs.
const KEYWORD: &str = "keyword";
/// How a person says something with a button of ours.
const QUICK_REPLY: &str = "quick_reply";
/// What is recorded of words like "do not sell my info".
const DO_NOT_SELL: &str = "do not sell";

/// An answer that comes later than this after the person's message is none.
const FIVE_MINUTES: i64 = 5 * MINUTE;
/// So long after a confirmation a further no needs none.
const CONFIRMED_FOR_MS: i64 = 24 * HOUR;

/// A message that is being listened to.
pub(crate) struct Heard<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) config: &'a Config,
    pub(crate) inbound: &'a Inbound,
    pub(crate) person: &'a Subject,
    pub(crate) name: &'a Pseudonym,
    pub(crate) now: Timestamp,
}

/// What a message leads to.
#[derive(Default)]
pub(crate) struct Reaction {
    /// What apps are told.
    pub(crate) events: Vec<Event>,
    /// What the person is answered, at most one message.
    pub(crate) answer: Option<SystemMessage>,
    /// What they ask about their own data.
    pub(crate) ask: Option<Ask>,
}

impl Heard<'_> {
    /// Records what the message says about being written to, and words the answer to it.
    pub(crate) async fn react(&self) -> Result<Reaction, Failure> {
        if let Some(reaction) = Box::pin(self.pressed()).await? {
            return Ok(reaction);
        }
        let around = Box::pin(surroundings::of(self)).await?;
        let intent = self.certain(intent(self.inbound, &around.context()));
        // A no counts wherever it stands, in a caption or an edited message too; a yes does not.
        if let Intent::OptOut { scope, keyword } = &intent {
            let method = method(&self.inbound.kind).unwrap_or(KEYWORD);
            return self.opt_out(*scope, keyword, method).await;
        }
        if let Some(question) = Box::pin(self.ask()).await? {
            return Ok(Reaction {
                answer: Some(question),
                ..Reaction::default()
            });
        }
        let Some(method) = method(&self.inbound.kind) else {
            return Ok(Reaction::default());
        };
        match intent {
            Intent::OptIn { keyword } => {
                let question = around.question_shown().then(|| self.question()).flatten();
                Box::pin(self.opt_in(&keyword, method, question)).await
            }
            Intent::DoNotSell => self.do_not_sell(method).await,
            Intent::Ask { .. } => Ok(self.answer_once_an_hour(Answer::AskBack)),
            Intent::Help => Ok(self.answer_once_an_hour(Answer::Help)),
            Intent::Contact => Ok(self.answer_once_an_hour(Answer::Contact)),
            Intent::ErasureRequest => Ok(Reaction {
                ask: Some(self.asking_for(Wish::Right(Right::Erasure))),
                ..Reaction::default()
            }),
            Intent::AccessRequest => Ok(Reaction {
                ask: Some(self.asking_for(Wish::Right(Right::Access))),
                ..Reaction::default()
            }),
            Intent::OptOut { .. } | Intent::None => Ok(Reaction {
                events: self.confirmation().await?,
                answer: None,
                ask: self.code_of_the_page(),
            }),
        }
    }

    /// A request about the person's own data. Their message proves that it is theirs.
    fn asking_for(&self, wish: Wish) -> Ask {
        let number = self.inbound.number.as_ref();
        let ours = number.filter(|id| self.config.number(id).is_some());
        Ask {
            wish,
            subject: self.person.id.clone(),
            source: self.name.as_str().to_owned(),
            at: self.inbound.at.min(self.now),
            number: ours.cloned(),
            locale: Locale::of_person("", self.country()),
        }
    }

    /// `PRIVACY <code>`: what was chosen on the page for requests, proven by this message.
    fn code_of_the_page(&self) -> Option<Ask> {
        let text = self.inbound.text.as_ref()?;
        let code = optin_code::find_privacy_in(text.reveal())?;
        Some(self.asking_for(Wish::Code(optin_code::hash(&code))))
    }

    /// A misspelt STOP is asked about where the person can be asked; where not, the no wins.
    fn certain(&self, intent: Intent) -> Intent {
        if let Intent::Ask {
            nearly: Some(keyword),
        } = &intent
            && self.answering(Answer::AskBack, "", String::new()).is_none()
        {
            return Intent::OptOut {
                scope: Scope::Marketing,
                keyword: keyword.clone(),
            };
        }
        intent
    }

    /// A no. A second one while the first is in force means everything.
    async fn opt_out(
        &self,
        scope: Scope,
        keyword: &str,
        method: &str,
    ) -> Result<Reaction, Failure> {
        let before = self.no_in_force();
        let scope = if before.is_some() { Scope::All } else { scope };
        let events = self.withdraw(scope, keyword, method).await?;
        let is_confirmed =
            before.is_some_and(|at| self.inbound.at.millis_since(at).abs() <= CONFIRMED_FOR_MS);
        if events.is_empty() || is_confirmed {
            return Ok(Reaction {
                events,
                ..Reaction::default()
            });
        }
        let kind = match scope {
            Scope::Marketing => Answer::OptoutConfirmation,
            Scope::All => Answer::OptoutAllConfirmation,
        };
        // Two messages of one second are confirmed once.
        let cause = format!("no-{}-{}", self.person.id, self.inbound.at.seconds());
        Ok(Reaction {
            events,
            answer: self.answering(kind, keyword, cause),
            ask: None,
        })
    }

    /// When the person said no by a word before, other than with this message, if nothing has opened what
    /// that closed. Only of a message that comes at once: of late ones nobody knows which others are still to
    /// come, and the state must not hang on their order.
    fn no_in_force(&self) -> Option<Timestamp> {
        if !self.is_fresh() {
            return None;
        }
        let marketing = self.person.consent(Purpose::Marketing)?;
        let said = |kind| marketing.history.latest(kind).map(|said| said.at);
        let before = said(Kind::NoByWord).filter(|at| *at != self.inbound.at)?;
        let opened = said(Kind::Yes).max(said(Kind::Again));
        let earlier = before.min(self.inbound.at);
        opened.is_none_or(|at| at <= earlier).then_some(before)
    }

    async fn withdraw(
        &self,
        scope: Scope,
        keyword: &str,
        method: &str,
    ) -> Result<Vec<Event>, Failure> {
        let purposes: &[Purpose] = match scope {
            Scope::Marketing => &[Purpose::Marketing],
            Scope::All => &OBJECTED,
        };
        let mut events = Vec::new();
        for purpose in purposes {
            let said = self.said(Action::Withdrawn, method, keyword);
            events.extend(say(self.ports, &said, *purpose, self.now).await?);
        }
        Ok(events)
    }

    /// Nothing of anybody is sold here; apps are told, and whoever says so wants no marketing either.
    async fn do_not_sell(&self, method: &str) -> Result<Reaction, Failure> {
        let mut events = self.withdraw(Scope::Marketing, DO_NOT_SELL, method).await?;
        let choice = DoNotSell {
            at: self.inbound.at.min(self.now),
            way: Way::from_word(method).unwrap_or(Way::Keyword),
            source: self.name.as_str().to_owned(),
            event: None,
        };
        let evidence = json!({ "message": self.name.as_str(), "keyword": DO_NOT_SELL });
        events.extend(not_to_be_sold(self.ports, self.person, &choice, evidence, self.now).await?);
        let cause = format!("sell-{}-{}", self.person.id, self.inbound.at.seconds());
        Ok(Reaction {
            events,
            answer: self.answering(Answer::DoNotSellConfirmation, DO_NOT_SELL, cause),
            ask: None,
        })
    }

    /// An answer that says the same to everybody: two machines that answer each other get no further.
    fn answer_once_an_hour(&self, kind: Answer) -> Reaction {
        let hour = self.inbound.at.millis().div_euclid(HOUR);
        let cause = format!("{}-{}-{hour}", kind.word(), self.person.id);
        Reaction {
            answer: self.answering(kind, "", cause),
            ..Reaction::default()
        }
    }

    /// The answer, if one can still be of use and there is a number to send it from.
    pub(crate) fn answering(
        &self,
        kind: Answer,
        keyword: &str,
        cause: String,
    ) -> Option<SystemMessage> {
        let number = self.inbound.number.as_ref()?;
        let number = self.config.numbers.iter().find(|ours| ours.id == *number)?;
        self.is_fresh().then(|| SystemMessage {
            kind,
            cause,
            to: Recipient::Subject(self.person.id.clone()),
            from: number.id.clone(),
            locale: Locale::of_person(keyword, self.country()),
            token: None,
            said_at: Some(self.inbound.at.min(self.now)),
            question: None,
        })
    }

    fn is_fresh(&self) -> bool {
        self.now.millis_since(self.inbound.at) < FIVE_MINUTES
    }

    pub(crate) fn country(&self) -> Option<Country> {
        identifiers(
            self.inbound.from_phone.as_ref(),
            self.inbound.from_bsuid.as_ref(),
        )
        .iter()
        .find_map(Country::of)
    }

    /// A word like START is a yes to a question that was shown within a day, and otherwise re-opens what a word like STOP closed,
    /// and nothing else: by itself it is no consent, because no notice was shown. It may come before the STOP it answers, so it is
    /// remembered of everybody of whom anything is known.
    async fn opt_in(
        &self,
        keyword: &str,
        method: &str,
        question: Option<&Question>,
    ) -> Result<Reaction, Failure> {
        let mut events = match question {
            Some(question) => self.yes_by_word(question, keyword).await?,
            None => Vec::new(),
        };
        for purpose in [Purpose::Marketing, Purpose::Utility] {
            if self
                .person
                .consent(purpose)
                .is_some_and(|consent| self.agreed_themselves(consent))
            {
                let said = self.said(Action::Given, method, keyword);
                events.extend(say(self.ports, &said, purpose, self.now).await?);
            }
        }
        // Meta's own switch is lifted in WhatsApp alone: with it on, nothing would come.
        let is_open = !events.is_empty() && !self.person.meta_stop;
        let cause = format!("yes-{}-{}", self.person.id, self.inbound.at.seconds());
        Ok(Reaction {
            events,
            answer: is_open
                .then(|| self.answering(Answer::OptinConfirmation, keyword, cause))
                .flatten(),
            ask: None,
        })
    }

    /// What a predecessor on the number agreed to is not opened again by a word.
    fn agreed_themselves(&self, consent: &Consent) -> bool {
        let yes = consent.history.latest(Kind::Yes);
        yes.is_none_or(|yes| self.person.is_theirs(yes.at))
    }

    /// `CONFIRM <code>`: the person answers a form on our opt-in page, or the link of an imported row;
    /// the wording of either is the notice.
    async fn confirmation(&self) -> Result<Vec<Event>, Failure> {
        let code = self
            .inbound
            .text
            .as_ref()
            .and_then(|text| optin_code::find_in(text.reveal()));
        let Some(request_hash) = code.map(|code| optin_code::hash(&code)) else {
            return Ok(Vec::new());
        };
        let Some(request) = self
            .ports
            .subjects
            .use_request(&request_hash, &self.person.id, self.now, self.name.as_str())
            .await?
        else {
            return Ok(Vec::new());
        };
        let config = self.ports.controls.config().await?;
        let notice = Notice {
            id: NoticeId::of(&request.notice, &request.locale, &config.controller.name),
            text: Some(request.notice.clone()),
        };
        let mut events = Vec::new();
        for (purpose, topic) in &request.asks {
            let said = Said {
                topic: topic.as_ref(),
                notice: Some(notice.clone()),
                locale: Some(&request.locale),
                evidence: json!({ "request": request_hash, "message": self.name.as_str() }),
                ..self.said(Action::Given, "message_in", "")
            };
            events.extend(say(self.ports, &said, *purpose, self.now).await?);
        }
        Ok(events)
    }

    /// The keyword is a term of our list, so it may be kept; the person's own text is not.
    pub(crate) fn said<'a>(&'a self, action: Action, method: &'a str, keyword: &str) -> Said<'a> {
        Said {
            subject: &self.person.id,
            reference: self.person.reference.as_deref(),
            topic: None,
            action,
            at: self.inbound.at,
            asked_at: None,
            method,
            notice: None,
            locale: None,
            evidence: json!({ "message": self.name.as_str(), "keyword": keyword }),
            source: self.name.as_str(),
        }
    }
}

/// How something is said by a kind of message; none for kinds that say nothing in words.
fn method(kind: &str) -> Option<&'static str> {
    match kind {
        "text" => Some(KEYWORD),
        "button" | "interactive" => Some(QUICK_REPLY),
        _ => None,
    }
}

/// What the message asks for. A button stands for what was seen on it and for its payload; a no
/// in either is a no.
fn intent(inbound: &Inbound, context: &Context<'_>) -> Intent {
    // What the business wrote on a button is not misspelt, and asks for nothing.
    let is_typed = inbound.payload.is_none();
    let read = |text: Option<&Personal<String>>| {
        let read = text.map_or(Intent::None, |text| classify(text.reveal(), context));
        if !is_typed && matches!(read, Intent::Ask { .. }) {
            return Intent::None;
        }
        read
    };
    let (text, payload) = (read(inbound.text.as_ref()), read(inbound.payload.as_ref()));
    match (text, payload) {
        (no @ Intent::OptOut { .. }, _) | (_, no @ Intent::OptOut { .. }) => no,
        (Intent::None, payload) => payload,
        (text, _) => text,
    }
}

/// In the United States and Canada some words are an opt-out whatever was meant (47 CFR 64.1200(a)(10)).
pub(crate) fn words_bind(inbound: &Inbound) -> bool {
    let by_phone = inbound
        .from_phone
        .as_ref()
        .and_then(headgate_domain::identity::Phone::region);
    let by_bsuid = || {
        inbound
            .from_bsuid
            .as_ref()
            .and_then(|bsuid| bsuid.country().map(str::to_owned))
    };
    by_phone
        .or_else(by_bsuid)
        .is_some_and(|country| matches!(country.as_str(), "US" | "CA"))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_domain::identity::{Bsuid, Phone, Wamid};

    use super::*;

    pub(crate) fn inbound(kind: &str, text: &str, payload: Option<&str>, phone: &str) -> Inbound {
        Inbound {
            number: None,
            wamid: Wamid::parse("wamid.A").unwrap(),
            at: Timestamp::from_seconds(1_795_341_600),
            from_phone: Phone::parse(phone).ok(),
            from_bsuid: Bsuid::parse("SG.1").ok(),
            profile_name: None,
            kind: kind.into(),
            text: Some(Personal::new(text.into())),
            payload: payload.map(|text| Personal::new(text.into())),
            identity_key: None,
            referral: None,
            notice: None,
            raw: Personal::new("{}".into()),
        }
    }

    fn read(inbound: &Inbound) -> Intent {
        let context = Context {
            words_bind: words_bind(inbound),
            ..Context::default()
        };
        intent(inbound, &context)
    }

    fn is_no(inbound: &Inbound) -> bool {
        matches!(read(inbound), Intent::OptOut { .. })
    }

    #[test]
    fn a_no_on_a_button_or_behind_it_is_a_no() {
        assert!(is_no(&inbound("text", "STOP", None, "+447700900123")));
        assert!(is_no(&inbound(
            "button",
            "Unsubscribe",
            Some("x"),
            "+447700900123"
        )));
        assert!(is_no(&inbound(
            "button",
            "Fine",
            Some("STOP"),
            "+447700900123"
        )));
        assert!(!is_no(&inbound("text", "hello", None, "+447700900123")));
    }

    #[test]
    fn words_bind_where_the_law_says_so_and_the_number_tells_where() {
        assert!(is_no(&inbound("text", "cancel", None, "+16135550100")));
        assert!(!is_no(&inbound("text", "cancel", None, "+447700900123")));
        assert!(!is_no(&inbound(
            "text",
            "cancel",
            None,
            "no number, and the id is from Singapore"
        )));
    }

    #[test]
    fn a_no_is_heard_in_a_caption_and_in_an_edited_message() {
        for kind in ["image", "video", "document", "edit", ""] {
            assert!(
                is_no(&inbound(kind, "STOP", None, "+16135550100")),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_misspelt_stop_is_asked_about_and_where_words_bind_a_no() {
        for text in ["stpo", "Unsubcribe"] {
            let asked = read(&inbound("text", text, None, "+447700900123"));
            assert!(matches!(asked, Intent::Ask { nearly: Some(_) }), "{text}");
            assert!(is_no(&inbound("text", text, None, "+16135550100")));
        }
        for text in ["cancel", "no", "end", "shop", "step"] {
            assert!(
                !is_no(&inbound("text", text, None, "+447700900123")),
                "{text}"
            );
        }
        assert!(!is_no(&inbound(
            "button",
            "Fine",
            Some("stpo"),
            "+447700900123"
        )));
    }

    #[test]
    fn only_words_and_buttons_say_yes() {
        assert_eq!(
            (method("text"), method("button"), method("image")),
            (Some(KEYWORD), Some(QUICK_REPLY), None)
        );
    }
}
