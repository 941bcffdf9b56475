//! The system lane: the few messages Headgate itself writes, and the only ones a suppressed person
//! can get.
//!
//! Owns `headgate.system/1` (schemas/system-message.v1.json), the closed list of kinds and their
//! texts (config/locales/system, compiled in). No text comes from outside: what a message can vary
//! is a code or a reference of a few characters, so whoever could write to the queue could still
//! not say anything. The wording of the opt-in question is the business's own, from the configuration; the
//! queue names it. One message per kind and cause. Whether the person's window is open is asked
//! by `policy`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::consent::{NoticeId, Question, no_payload, yes_payload};
use crate::lane::Purpose;
use crate::optout::languages_of;
use crate::outbound::{
    Basis, Fields, Kind as MessageKind, OutboundMessage, Parameters, Recipient, is_label,
};
use crate::refusal::{Code, Refusal};
use crate::region::Country;
use crate::time::{HOUR, MINUTE, Timestamp};

/// The schema every system message names.
pub const SCHEMA: &str = "headgate.system/1";
/// Within what the ids of system messages are unique: no app can take one.
pub const SCOPE: &str = "system";
/// A system message holds no text, so it is short.
const MAX_BYTES: usize = 4 * 1024;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $minutes:literal;)*) => {
        /// What a system message is (closed list).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in JSON.
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word,)* } }

            /// How long after its cause it is of use.
            pub const fn lifetime_ms(self) -> i64 {
                let minutes: i64 = match self { $(Self::$variant => $minutes,)* };
                minutes.saturating_mul(MINUTE)
            }
        }
    };
}

kinds! {
    /// "You will receive …": the person's yes has arrived.
    OptinConfirmation = "optin_confirmation", 5;
    /// "You will not receive …": the person's no has arrived; at most one, within five minutes.
    OptoutConfirmation = "optout_confirmation", 5;
    /// "You will not be written to any more": the same after a no to everything.
    OptoutAllConfirmation = "optout_all_confirmation", 5;
    /// "Did you mean stop?": what the person wrote could mean no.
    AskBack = "ask_back", 5;
    /// Where a person finds a copy of their data; the link is made at the last moment, and stands on no queue.
    PrivacyExport = "privacy_export", 1_440;
    /// A privacy request was received, or done.
    PrivacyReceipt = "privacy_receipt", 1_440;
    /// An objection is in force: from now on nothing is written but answers and what the person asks for.
    PrivacyObjection = "privacy_objection", 1_440;
    /// The person's data is kept and not used from now on, and how they end that.
    PrivacyRestriction = "privacy_restriction", 1_440;
    /// The restriction ends: said before the data is used again (GDPR 18(3)).
    PrivacyRestrictionEnd = "privacy_restriction_end", 1_440;
    /// A correction was asked for: the person is to write what is wrong.
    PrivacyRectification = "privacy_rectification", 1_440;
    /// What was asked for takes longer, and why.
    PrivacyExtended = "privacy_extended", 1_440;
    /// The business has done what was asked for.
    PrivacyDone = "privacy_done", 1_440;
    /// The business does not do what was asked for, and why.
    PrivacyDenied = "privacy_denied", 1_440;
    /// Somebody out of an approved file is asked once, by a template of marketing: the only kind that
    /// begins a conversation, so it is judged like an app's marketing.
    ImportConfirmation = "import_confirmation", 1_440;
    /// What can be said here, and to whom else (HELP).
    Help = "help", 5;
    /// Whom to turn to in the person's country (CONTACT, R-313).
    Contact = "contact", 5;
    /// Nothing of the person is sold or shared, and where to see that.
    DoNotSellConfirmation = "do_not_sell_confirmation", 5;
    /// Whether somebody who scanned a code or came by an advertisement wants to be written to.
    OptinQuestion = "optin_question", 60;
}

impl Kind {
    /// Whether it asks for a yes, and so never reaches somebody who said no.
    pub const fn is_question(self) -> bool {
        matches!(self, Self::OptinQuestion | Self::ImportConfirmation)
    }

    /// Whether it tells of a request about the person's own data: it carries the reference of one.
    pub const fn is_about_a_request(self) -> bool {
        match self {
            Self::PrivacyExport
            | Self::PrivacyReceipt
            | Self::PrivacyObjection
            | Self::PrivacyRestriction
            | Self::PrivacyRestrictionEnd
            | Self::PrivacyRectification
            | Self::PrivacyExtended
            | Self::PrivacyDone
            | Self::PrivacyDenied => true,
            Self::OptinConfirmation
            | Self::OptoutConfirmation
            | Self::OptoutAllConfirmation
            | Self::AskBack
            | Self::ImportConfirmation
            | Self::Help
            | Self::Contact
            | Self::DoNotSellConfirmation
            | Self::OptinQuestion => false,
        }
    }

    /// The kind of message that puts a question.
    pub fn of(question: &Question) -> Self {
        if question.is_of_import() {
            Self::ImportConfirmation
        } else {
            Self::OptinQuestion
        }
    }

    /// The lane it travels on.
    pub const fn lane(self) -> Purpose {
        match self {
            Self::ImportConfirmation => Purpose::Marketing,
            Self::OptinConfirmation
            | Self::OptoutConfirmation
            | Self::OptoutAllConfirmation
            | Self::AskBack
            | Self::PrivacyExport
            | Self::PrivacyReceipt
            | Self::PrivacyObjection
            | Self::PrivacyRestriction
            | Self::PrivacyRestrictionEnd
            | Self::PrivacyRectification
            | Self::PrivacyExtended
            | Self::PrivacyDone
            | Self::PrivacyDenied
            | Self::Help
            | Self::Contact
            | Self::DoNotSellConfirmation
            | Self::OptinQuestion => Purpose::Service,
        }
    }

    /// The kind behind a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// A system message as a function of ours puts it on the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemMessage {
    /// What it is.
    pub kind: Kind,
    /// What caused it: the same cause never makes two messages of one kind.
    pub cause: String,
    /// Who it is for.
    pub to: Recipient,
    /// The number the person knows, as phone number id or alias.
    pub from: String,
    /// The language of its text.
    pub locale: Locale,
    /// The reference of the request it tells of.
    pub token: Option<String>,
    /// When the person did what it answers, where that is known: it is of use for so long after that.
    pub said_at: Option<Timestamp>,
    /// What an opt-in question, or that to an imported person, asks.
    pub question: Option<Wanted>,
}

/// What an opt-in question asks: names of what is in the configuration, and no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The entry whose wording it shows.
    pub entry: String,
    /// The wording; the question is not put when the entry has another by now.
    pub notice: NoticeId,
    /// What binds the buttons to it.
    pub token: String,
}

impl SystemMessage {
    /// Parses one message of the system queue.
    ///
    /// # Errors
    /// A [`Refusal`]; on this queue it means that something is wrong with us, not with an app.
    pub fn parse(body: &str) -> Result<Self, Refusal> {
        if body.len() > MAX_BYTES {
            return Err(Code::TooLarge.into());
        }
        let fields = Fields::parse(body)?;
        fields.only(&[
            "schema", "kind", "cause", "to", "from", "locale", "token", "said_at", "question",
        ])?;
        fields.schema(SCHEMA)?;
        let kind = Kind::from_word(fields.text("kind")?).ok_or(Refusal::at(
            Code::Malformed,
            "kind",
            "is not a kind of system message",
        ))?;
        let cause = fields.text("cause")?.to_owned();
        let is_name = |text: &str, most: usize| {
            (1..=most).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
        };
        if !is_name(&cause, 96) {
            return Err(Refusal::at(
                Code::Malformed,
                "cause",
                "must be 1 to 96 of A-Z a-z 0-9 . _ : -",
            ));
        }
        let (to, reference) = fields.recipient()?;
        if reference.is_some() {
            return Err(Refusal::at(Code::Malformed, "to", "may not hold a ref"));
        }
        let locale = match fields.optional_text("locale", "locale", 16)? {
            None => Locale::En,
            Some(tag) => Locale::from_tag(&tag).ok_or(Refusal::at(
                Code::Malformed,
                "locale",
                "is not a language there are texts in",
            ))?,
        };
        let token = fields.optional_text("token", "token", 24)?;
        let is_bad = token.as_deref().is_some_and(|text| !is_name(text, 24));
        if token.is_some() != kind.is_about_a_request() || is_bad {
            return Err(Refusal::at(
                Code::Malformed,
                "token",
                "belongs to the kinds privacy_… alone: 1 to 24 of A-Z a-z 0-9 . _ : -",
            ));
        }
        let question = wanted(fields.get("question"))?;
        if question.is_some() != kind.is_question() {
            return Err(bad_question());
        }
        Ok(Self {
            kind,
            cause,
            to,
            from: fields.text("from")?.to_owned(),
            locale,
            token,
            said_at: fields.optional_time("said_at", "said_at")?,
            question,
        })
    }

    /// The id under which it is known, the same for the same cause.
    pub fn id(&self) -> String {
        Self::id_of(self.kind, &self.cause)
    }

    /// The id of the message of a kind and a cause.
    pub fn id_of(kind: Kind, cause: &str) -> String {
        format!("{SCOPE}.{}.{cause}", kind.word())
    }

    /// What goes into the outbox: a text of the service lane that rests on nothing but its kind, or the template
    /// of marketing that asks an imported person. `caused_at` is when it was put on the queue, so that waiting does not make it last longer.
    pub fn outbound(
        &self,
        texts: &Texts,
        filling: &Filling<'_>,
        caused_at: Timestamp,
    ) -> OutboundMessage {
        let words = texts.of(self.locale);
        let since = self.said_at.map_or(caused_at, |said| said.min(caused_at));
        let expires_at = since.plus_millis(self.kind.lifetime_ms().min(24 * HOUR));
        let Some(text) = words.of(self.kind) else {
            return self.by_template(filling, expires_at);
        };
        let body = text
            .replace("{business}", filling.business)
            .replace("{token}", self.token.as_deref().unwrap_or_default())
            .replace("{contact}", filling.contact)
            .replace("{page}", filling.page)
            .replace("{export}", filling.export)
            .replace("{notice}", filling.notice);
        let message = match self.kind {
            Kind::AskBack => ask_back(&body, &words.buttons),
            Kind::OptinQuestion => self.asked(&body, &words.question),
            Kind::OptinConfirmation
            | Kind::OptoutConfirmation
            | Kind::OptoutAllConfirmation
            | Kind::PrivacyExport
            | Kind::PrivacyReceipt
            | Kind::PrivacyObjection
            | Kind::PrivacyRestriction
            | Kind::PrivacyRestrictionEnd
            | Kind::PrivacyRectification
            | Kind::PrivacyExtended
            | Kind::PrivacyDone
            | Kind::PrivacyDenied
            | Kind::ImportConfirmation
            | Kind::Help
            | Kind::Contact
            | Kind::DoNotSellConfirmation => text_message(&body),
        };
        self.written(MessageKind::FreeForm, message, expires_at)
    }

    /// The template with its two buttons; what it says stands at Meta.
    fn by_template(&self, filling: &Filling<'_>, expires_at: Timestamp) -> OutboundMessage {
        let (name, language) = filling.template;
        let token = self.token_of_question();
        let button = |index: usize, payload: String| {
            json!({
                "type": "button", "sub_type": "quick_reply", "index": index.to_string(),
                "parameters": [{ "type": "payload", "payload": payload }],
            })
        };
        let components = json!([button(0, yes_payload(token)), button(1, no_payload(token))]);
        let kind = MessageKind::Template {
            name: name.to_owned(),
            language: language.to_owned(),
            parameters: Parameters::read(Some(&components)),
        };
        let template = json!({
            "name": name, "language": { "code": language }, "components": components,
        });
        let message = Map::from_iter([
            ("type".to_owned(), "template".into()),
            ("template".to_owned(), template),
        ]);
        self.written(kind, message, expires_at)
    }

    fn written(
        &self,
        kind: MessageKind,
        message: Map<String, Value>,
        expires_at: Timestamp,
    ) -> OutboundMessage {
        OutboundMessage {
            id: self.id(),
            from: self.from.clone(),
            to: self.to.clone(),
            reference: None,
            purpose: self.kind.lane(),
            basis: Basis::System { kind: self.kind },
            kind,
            message,
            message_ref: None,
            not_before: None,
            expires_at: Some(expires_at),
            campaign: None,
            topic: None,
        }
    }
}

impl SystemMessage {
    fn token_of_question(&self) -> &str {
        let question = self.question.as_ref();
        question.map_or("", |question| &question.token)
    }

    /// A question with two answers, each bound to it.
    fn asked(&self, body: &str, answers: &Answers) -> Map<String, Value> {
        let token = self.token_of_question();
        let (yes, no) = (yes_payload(token), no_payload(token));
        question(body, &[(&yes, &answers.yes), (&no, &answers.no)])
    }
}

fn wanted(value: Option<&Value>) -> Result<Option<Wanted>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let map = value.as_object().filter(|map| map.len() == 3);
    let text = |name: &str| map?.get(name)?.as_str();
    let is_token = |text: &&str| {
        text.len() == 43
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let wanted = || {
        Some(Wanted {
            entry: text("entry").filter(|name| is_label(name))?.to_owned(),
            notice: NoticeId::parse(text("notice")?).ok()?,
            token: text("token").filter(is_token)?.to_owned(),
        })
    };
    wanted().map(Some).ok_or_else(bad_question)
}

fn bad_question() -> Refusal {
    Refusal::at(
        Code::Malformed,
        "question",
        "belongs to optin_question and import_confirmation alone, and holds entry, notice and token",
    )
}

/// What a text is filled in with that is the same for every message of a deployment, or of a country.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// The name people know the business by.
    pub business: &'a str,
    /// Whom to turn to.
    pub contact: &'a str,
    /// Where people see and change what they chose.
    pub page: &'a str,
    /// The secret behind the link to a copy of the person's data, where that is what is written of.
    pub export: &'a str,
    /// The wording that is shown, for an opt-in question.
    pub notice: &'a str,
    /// Name and language of the template that asks an imported person.
    pub template: (&'a str, &'a str),
}

fn text_message(body: &str) -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), "text".into()),
        ("text".to_owned(), json!({ "body": body })),
    ])
}

/// A question with three answers. What stands behind the first is an opt-out like that of a business's own
/// button; the others are passed on to the app like any reply.
fn ask_back(body: &str, buttons: &Buttons) -> Map<String, Value> {
    let buttons = [
        (ANSWER_STOP, &buttons.stop),
        (ANSWER_OTHER, &buttons.other),
        (ANSWER_NEITHER, &buttons.neither),
    ];
    question(body, &buttons)
}

/// A text with buttons under it: what stands behind each, and what is on it.
fn question(body: &str, buttons: &[(&str, &String)]) -> Map<String, Value> {
    let button = |(id, title): &(&str, &String)| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let buttons: Vec<Value> = buttons.iter().map(button).collect();
    let interactive =
        json!({ "type": "button", "body": { "text": body }, "action": { "buttons": buttons } });
    Map::from_iter([
        ("type".to_owned(), "interactive".into()),
        ("interactive".to_owned(), interactive),
    ])
}

/// What stands behind "yes, stop": one of the payloads that are an opt-out (`config/optout-keywords.json`).
pub const ANSWER_STOP: &str = "STOP_PROMOTIONS";
/// What stands behind "I meant something else".
pub const ANSWER_OTHER: &str = "headgate.other";
/// What stands behind "neither".
pub const ANSWER_NEITHER: &str = "headgate.neither";

/// A language there are texts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locale {
    /// English.
    En,
    /// Chinese, traditional script.
    ZhHant,
    /// Chinese, simplified script.
    ZhHans,
    /// Spanish.
    Es,
    /// Portuguese.
    Pt,
    /// German.
    De,
}

impl Locale {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::En,
        Self::ZhHant,
        Self::ZhHans,
        Self::Es,
        Self::Pt,
        Self::De,
    ];

    /// The tag in JSON.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhHant => "zh-Hant",
            Self::ZhHans => "zh-Hans",
            Self::Es => "es",
            Self::Pt => "pt",
            Self::De => "de",
        }
    }

    /// The language to answer somebody in: that of the term they used, where one language alone has it,
    /// else the one most spoken where they are.
    pub fn of_person(term: &str, country: Option<Country>) -> Self {
        let spoken = country.map_or(Self::En, Self::spoken_in);
        let languages = languages_of(term);
        let mut known = languages.iter().filter_map(|code| Self::from_tag(code));
        match (known.next(), known.next()) {
            (Some(only), None) if languages.len() == 1 => only,
            _ => spoken,
        }
    }

    fn spoken_in(country: Country) -> Self {
        match country.as_str() {
            "CN" | "SG" => Self::ZhHans,
            "HK" | "MO" | "TW" => Self::ZhHant,
            "AR" | "BO" | "CL" | "CO" | "CR" | "CU" | "DO" | "EC" | "ES" | "GQ" | "GT" | "HN"
            | "MX" | "NI" | "PA" | "PE" | "PY" | "SV" | "UY" | "VE" => Self::Es,
            "AO" | "BR" | "CV" | "GW" | "MZ" | "PT" | "ST" | "TL" => Self::Pt,
            "AT" | "CH" | "DE" | "LI" => Self::De,
            _ => Self::En,
        }
    }

    /// The language of a tag.
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.tag() == tag)
    }
}

/// The texts of one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    optin_confirmation: String,
    optout_confirmation: String,
    optout_all_confirmation: String,
    ask_back: String,
    privacy_export: String,
    privacy_receipt: String,
    privacy_objection: String,
    privacy_restriction: String,
    privacy_restriction_end: String,
    privacy_rectification: String,
    privacy_extended: String,
    privacy_done: String,
    privacy_denied: String,
    help: String,
    contact: String,
    do_not_sell_confirmation: String,
    optin_question: String,
    buttons: Buttons,
    question: Answers,
}

/// What is on the buttons of the opt-in question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    yes: String,
    no: String,
}

/// What is on the buttons of the question back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Buttons {
    stop: String,
    other: String,
    neither: String,
}

impl Words {
    /// The text of a kind; `None` for the one whose text is a template's.
    fn of(&self, kind: Kind) -> Option<&str> {
        Some(match kind {
            Kind::OptinConfirmation => &self.optin_confirmation,
            Kind::OptoutConfirmation => &self.optout_confirmation,
            Kind::AskBack => &self.ask_back,
            Kind::PrivacyExport => &self.privacy_export,
            Kind::PrivacyReceipt => &self.privacy_receipt,
            Kind::PrivacyObjection => &self.privacy_objection,
            Kind::PrivacyRestriction => &self.privacy_restriction,
            Kind::PrivacyRestrictionEnd => &self.privacy_restriction_end,
            Kind::PrivacyRectification => &self.privacy_rectification,
            Kind::PrivacyExtended => &self.privacy_extended,
            Kind::PrivacyDone => &self.privacy_done,
            Kind::PrivacyDenied => &self.privacy_denied,
            Kind::ImportConfirmation => return None,
            Kind::OptoutAllConfirmation => &self.optout_all_confirmation,
            Kind::Help => &self.help,
            Kind::Contact => &self.contact,
            Kind::DoNotSellConfirmation => &self.do_not_sell_confirmation,
            Kind::OptinQuestion => &self.optin_question,
        })
    }
}

/// The texts of all languages.
#[derive(Clone, Debug)]
pub struct Texts {
    en: Words,
    zh_hant: Words,
    zh_hans: Words,
    es: Words,
    pt: Words,
    de: Words,
}

/// A file of config/locales/system lacks a text or has one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config/locales/system/{0}.toml does not have exactly the texts of the system messages")]
pub struct InvalidTexts(&'static str);

impl Texts {
    /// Reads the texts that were compiled in.
    ///
    /// # Errors
    /// [`InvalidTexts`], found by a test before it is found at start.
    pub fn read() -> Result<Self, InvalidTexts> {
        let read = |locale: Locale, text| {
            toml::from_str(text).map_err(|_places| InvalidTexts(locale.tag()))
        };
        Ok(Self {
            en: read(
                Locale::En,
                include_str!("../../../config/locales/system/en.toml"),
            )?,
            zh_hant: read(
                Locale::ZhHant,
                include_str!("../../../config/locales/system/zh-Hant.toml"),
            )?,
            zh_hans: read(
                Locale::ZhHans,
                include_str!("../../../config/locales/system/zh-Hans.toml"),
            )?,
            es: read(
                Locale::Es,
                include_str!("../../../config/locales/system/es.toml"),
            )?,
            pt: read(
                Locale::Pt,
                include_str!("../../../config/locales/system/pt.toml"),
            )?,
            de: read(
                Locale::De,
                include_str!("../../../config/locales/system/de.toml"),
            )?,
        })
    }

    const fn of(&self, locale: Locale) -> &Words {
        match locale {
            Locale::En => &self.en,
            Locale::ZhHant => &self.zh_hant,
            Locale::ZhHans => &self.zh_hans,
            Locale::Es => &self.es,
            Locale::Pt => &self.pt,
            Locale::De => &self.de,
        }
    }
}

/// A system message as JSON, for the functions that write to the queue.
pub fn to_json(message: &SystemMessage) -> String {
    let to = match &message.to {
        Recipient::Phone(phone) => json!({ "phone": phone.reveal() }),
        Recipient::Bsuid(bsuid) => json!({ "bsuid": bsuid.reveal() }),
        Recipient::Subject(subject) => json!({ "subject": subject.as_str() }),
    };
    let mut body = json!({
        "schema": SCHEMA,
        "kind": message.kind.word(),
        "cause": message.cause,
        "to": to,
        "from": message.from,
        "locale": message.locale.tag(),
    });
    if let Value::Object(body) = &mut body {
        if let Some(token) = &message.token {
            body.insert("token".to_owned(), token.as_str().into());
        }
        if let Some(at) = message.said_at {
            body.insert("said_at".to_owned(), at.to_string().into());
        }
        if let Some(Wanted {
            entry,
            notice,
            token,
        }) = &message.question
        {
            let question = json!({ "entry": entry, "notice": notice.as_str(), "token": token });
            body.insert("question".to_owned(), question);
        }
    }
    body.to_string()
}

#[cfg(test)]
mod tests;
