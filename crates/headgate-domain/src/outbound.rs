//! The outbound contract: what an app puts on a lane queue, parsed into a message or a refusal.
//!
//! Owns `headgate.outbound/1` (schemas/outbound-message.v1.json). An error names the field and the
//! reason and never quotes a value, so it may be published and logged. Does not decide whether the
//! message may be sent: that is `policy`.

mod parameters;
mod payload;

use serde_json::{Map, Value};

pub use self::parameters::{ButtonParameter, Parameter, Parameters, Value as ParameterValue};
pub use self::payload::{Payload, basis_from_json, basis_json};

use crate::consent::Topic;
use crate::identity::{Bsuid, Phone, SubjectId};
use crate::lane::Purpose;
use crate::refusal::{Code, Refusal};
use crate::retention::CONTENT_DAYS;
use crate::time::{DAY, Timestamp};

/// The schema every message names.
pub const SCHEMA: &str = "headgate.outbound/1";
/// A message may be 64 KiB (docs/reference/outbound.md).
pub const MAX_BYTES: usize = 64 * 1024;
/// Content is sealed under the day of acceptance, so nothing is planned further ahead than this; under a period of
/// content that is short, no further than a week before its end.
pub const MAX_AHEAD_MS: i64 = {
    let before_its_end = CONTENT_DAYS - 7;
    if before_its_end < 60 {
        before_its_end * DAY
    } else {
        60 * DAY
    }
};

/// Meta's message types; `status` marks a message as read.
const TYPES: [&str; 11] = [
    "text",
    "template",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "reaction",
];

/// Who a message is for. Its `Debug` shows nothing of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// By phone number.
    Phone(Phone),
    /// By Meta's business-scoped user id.
    Bsuid(Bsuid),
    /// By our own id, so that the app need not keep the number.
    Subject(SubjectId),
}

/// Why the business may write: the answer to "why did you write to this person".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The person opted in.
    Consent,
    /// The person just did something that asks for this message.
    UserAction {
        /// When.
        at: Timestamp,
    },
    /// The message belongs to a contract with the person.
    Contract {
        /// The app's reference of the contract; ciphertext at rest.
        reference: String,
    },
    /// Headgate itself writes, because of something the person did; no app can give this basis.
    System {
        /// Which of the closed list of such messages it is.
        kind: crate::system::Kind,
    },
}

impl Basis {
    /// The stored word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::UserAction { .. } => "user_action",
            Self::Contract { .. } => "contract",
            Self::System { .. } => "system",
        }
    }
}

/// What kind of message it is, as far as the rules care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A template message.
    Template {
        /// Template name.
        name: String,
        /// Language code.
        language: String,
        /// What it is given.
        parameters: Parameters,
    },
    /// Anything Meta only delivers inside the customer service window.
    FreeForm,
    /// Marks a message of the person as read.
    MarkAsRead,
}

/// A message an app wants sent.
#[derive(Clone)]
pub struct OutboundMessage {
    /// The app's id of the message; never sent to Meta, never logged.
    pub id: String,
    /// Phone number id or alias to send from.
    pub from: String,
    /// Who it is for.
    pub to: Recipient,
    /// The app's own key of the person.
    pub reference: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// Why it may be sent.
    pub basis: Basis,
    /// The kind.
    pub kind: Kind,
    /// Meta's own message object; wamids are not in it yet.
    pub message: Map<String, Value>,
    /// The `message_ref` whose wamid belongs into the message, where Meta expects one.
    pub message_ref: Option<String>,
    /// Not to be sent before.
    pub not_before: Option<Timestamp>,
    /// Not to be sent after; `None` is the purpose's default.
    pub expires_at: Option<Timestamp>,
    /// The only app-chosen text that appears in clear.
    pub campaign: Option<String>,
    /// What it is about, within its purpose: a yes or no to that topic alone counts then.
    pub topic: Option<Topic>,
}

impl OutboundMessage {
    /// Parses and checks the shape of one queue message.
    ///
    /// # Errors
    /// A [`Refusal`] with code `too_large`, `malformed`, `invalid_recipient`,
    /// `identifier_looks_personal`, `expired` or `not_before_too_far`.
    pub fn parse(body: &str, now: Timestamp) -> Result<Self, Refusal> {
        if body.len() > MAX_BYTES {
            return Err(Code::TooLarge.into());
        }
        let fields = Fields::parse(body)?;
        fields.only(&[
            "schema",
            "id",
            "from",
            "to",
            "purpose",
            "basis",
            "message",
            "not_before",
            "expires_at",
            "campaign",
            "topic",
        ])?;
        fields.schema(SCHEMA)?;
        let id = fields.id()?.to_owned();
        let from = fields.text("from")?.to_owned();
        let (to, reference) = fields.recipient()?;
        let purpose = Purpose::from_word(fields.text("purpose")?).ok_or(Refusal::at(
            Code::Malformed,
            "purpose",
            "must be authentication, service, utility or marketing",
        ))?;
        let basis = fields.basis(purpose)?;
        let (kind, message, message_ref) = fields.message()?;
        let campaign = fields.campaign()?;
        let topic = fields.topic(purpose)?;
        let not_before = fields
            .optional_time("not_before", "not_before")?
            .filter(|t| *t > now);
        let expires_at = fields.optional_time("expires_at", "expires_at")?;
        if expires_at.is_some_and(|t| t <= now) {
            return Err(Refusal::at(
                Code::Expired,
                "expires_at",
                "has already passed",
            ));
        }
        if let (Some(start), Some(end)) = (not_before, expires_at)
            && end <= start
        {
            return Err(Refusal::at(
                Code::Malformed,
                "expires_at",
                "is not after not_before",
            ));
        }
        for (field, time) in [("not_before", not_before), ("expires_at", expires_at)] {
            if time.is_some_and(|t| t.millis_since(now) > MAX_AHEAD_MS) {
                return Err(Refusal::at(
                    Code::NotBeforeTooFar,
                    field,
                    "is more than 60 days ahead",
                ));
            }
        }
        Ok(Self {
            id,
            from,
            to,
            reference,
            purpose,
            basis,
            kind,
            message,
            message_ref,
            not_before,
            expires_at,
            campaign,
            topic,
        })
    }

    /// When the message stops being of use.
    pub fn expiry(&self, now: Timestamp) -> Timestamp {
        self.expires_at.unwrap_or_else(|| {
            self.not_before
                .unwrap_or(now)
                .plus_millis(self.purpose.default_expiry_ms())
        })
    }
}

/// Kind, Meta's object, and the `message_ref` that was taken out of it.
type Message = (Kind, Map<String, Value>, Option<String>);

/// The id an app gave, if it can be read at all: so that even a malformed message can be answered by name.
pub fn readable_id(body: &str) -> Option<String> {
    let fields = Fields::parse(body).ok()?;
    fields.id().ok().map(str::to_owned)
}

/// A JSON object being read field by field; every complaint names the field.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn parse(body: &str) -> Result<Self, Refusal> {
        match serde_json::from_str(body) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Refusal::at(Code::Malformed, "$", "must be a JSON object")),
            Err(_) => Err(Refusal::at(Code::Malformed, "$", "is not valid JSON")),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        if self.0.keys().all(|k| known.contains(&k.as_str())) {
            Ok(())
        } else {
            Err(Refusal::at(
                Code::Malformed,
                "$",
                "has a member the schema does not know; check the spelling",
            ))
        }
    }

    pub(crate) fn schema(&self, expected: &'static str) -> Result<(), Refusal> {
        if self.text("schema")? == expected {
            Ok(())
        } else {
            Err(Refusal::at(
                Code::Malformed,
                "schema",
                "names another schema or version",
            ))
        }
    }

    pub(crate) fn text(&self, key: &'static str) -> Result<&str, Refusal> {
        match self.0.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(Value::String(_)) => Err(Refusal::at(Code::Malformed, key, "is empty")),
            Some(_) => Err(Refusal::at(Code::Malformed, key, "must be a string")),
            None => Err(Refusal::at(Code::Malformed, key, "is missing")),
        }
    }

    pub(crate) fn optional_text(
        &self,
        key: &str,
        path: &'static str,
        max: usize,
    ) -> Result<Option<String>, Refusal> {
        text_in(&self.0, key, path, max)
    }

    pub(crate) fn optional_time(
        &self,
        key: &str,
        path: &'static str,
    ) -> Result<Option<Timestamp>, Refusal> {
        match self.optional_text(key, path, 40)? {
            None => Ok(None),
            Some(text) => Timestamp::parse(&text).map(Some).map_err(|_invalid| {
                Refusal::at(
                    Code::Malformed,
                    path,
                    "must be RFC 3339, such as 2026-11-22T10:00:00Z",
                )
            }),
        }
    }

    pub(crate) fn id(&self) -> Result<&str, Refusal> {
        let id = self.text("id")?;
        if is_identifier(id, 128) {
            Ok(id)
        } else {
            Err(Refusal::at(
                Code::Malformed,
                "id",
                "must be 1 to 128 of A-Z a-z 0-9 . _ : -",
            ))
        }
    }

    pub(crate) fn recipient(&self) -> Result<(Recipient, Option<String>), Refusal> {
        let to = object(self.0.get("to"), "to")?;
        if !to
            .keys()
            .all(|k| ["phone", "bsuid", "subject", "ref"].contains(&k.as_str()))
        {
            return Err(Refusal::at(
                Code::Malformed,
                "to",
                "may hold phone, bsuid or subject, and ref",
            ));
        }
        let reference = text_in(to, "ref", "to.ref", 64)?;
        let given = (
            text_in(to, "phone", "to.phone", 64)?,
            text_in(to, "bsuid", "to.bsuid", 160)?,
            text_in(to, "subject", "to.subject", 64)?,
        );
        let recipient = match given {
            (Some(phone), None, None) => Phone::parse(&phone).map(Recipient::Phone).map_err(|_invalid| {
                Refusal::at(Code::InvalidRecipient, "to.phone", "is not a possible number; write it as + and country code, such as +16135550123")
            }),
            (None, Some(bsuid), None) => Bsuid::parse(&bsuid)
                .map(Recipient::Bsuid)
                .map_err(|_invalid| Refusal::at(Code::InvalidRecipient, "to.bsuid", "is not a business-scoped user id as Meta gives it")),
            (None, None, Some(subject)) => SubjectId::parse(&subject)
                .map(Recipient::Subject)
                .map_err(|_invalid| Refusal::at(Code::UnknownSubject, "to.subject", "is not a subject id (sub_ and 26 characters)")),
            _ => Err(Refusal::at(Code::Malformed, "to", "must hold exactly one of phone, bsuid, subject")),
        }?;
        Ok((recipient, reference))
    }

    fn basis(&self, purpose: Purpose) -> Result<Basis, Refusal> {
        let Some(value) = self.0.get("basis").filter(|v| !v.is_null()) else {
            return if purpose == Purpose::Authentication {
                Err(Code::NoUserAction.into())
            } else {
                Ok(Basis::Consent)
            };
        };
        let basis = Self(object(Some(value), "basis")?.clone());
        let kind = basis.get("kind").and_then(Value::as_str);
        // What stands here answers "why did you write to this person": nothing in it may be passed over.
        let known: &[&str] = match kind {
            Some("user_action") => &["kind", "at"],
            Some("contract") => &["kind", "reference"],
            Some(_) | None => &["kind"],
        };
        if !basis.0.keys().all(|k| known.contains(&k.as_str())) {
            return Err(Refusal::at(
                Code::Malformed,
                "basis",
                "may hold kind, and at for user_action or reference for contract",
            ));
        }
        match kind {
            Some("consent") if purpose == Purpose::Authentication => Err(Code::NoUserAction.into()),
            Some("consent") => Ok(Basis::Consent),
            Some("user_action") => basis
                .optional_time("at", "basis.at")?
                .map(|at| Basis::UserAction { at })
                .ok_or(Refusal::at(
                    Code::Malformed,
                    "basis.at",
                    "is missing: when the person asked for this message",
                )),
            Some("contract") if purpose != Purpose::Utility => Err(Refusal::at(
                Code::Malformed,
                "basis.kind",
                "contract is for the utility purpose only",
            )),
            Some("contract") => basis
                .optional_text("reference", "basis.reference", 128)?
                .map(|reference| Basis::Contract { reference })
                .ok_or(Refusal::at(
                    Code::Malformed,
                    "basis.reference",
                    "is missing: the contract or order the message belongs to",
                )),
            Some(_) | None => Err(Refusal::at(
                Code::Malformed,
                "basis.kind",
                "must be consent, user_action or contract",
            )),
        }
    }

    fn campaign(&self) -> Result<Option<String>, Refusal> {
        let Some(campaign) = self.optional_text("campaign", "campaign", 64)? else {
            return Ok(None);
        };
        if campaign.contains('@') || has_digit_run(&campaign, 7) {
            return Err(Refusal::at(
                Code::IdentifierLooksPersonal,
                "campaign",
                "contains an @ or seven digits in a row",
            ));
        }
        if is_identifier(&campaign, 64) {
            Ok(Some(campaign))
        } else {
            Err(Refusal::at(
                Code::Malformed,
                "campaign",
                "must be 1 to 64 of A-Z a-z 0-9 . _ : -",
            ))
        }
    }

    fn topic(&self, purpose: Purpose) -> Result<Option<Topic>, Refusal> {
        let Some(name) = self.optional_text("topic", "topic", 32)? else {
            return Ok(None);
        };
        if !purpose.is_business_initiated() {
            return Err(Refusal::at(
                Code::Malformed,
                "topic",
                "belongs on utility and marketing messages only",
            ));
        }
        Topic::parse(&name).map(Some).map_err(|_name| {
            Refusal::at(
                Code::Malformed,
                "topic",
                "must be 1 to 32 of a-z 0-9 _ -, without seven digits in a row",
            )
        })
    }

    fn message(&self) -> Result<Message, Refusal> {
        let mut message = object(self.0.get("message"), "message")?.clone();
        for (key, path) in [
            ("messaging_product", "message.messaging_product"),
            ("recipient_type", "message.recipient_type"),
            ("to", "message.to"),
            ("recipient", "message.recipient"),
            (
                "biz_opaque_callback_data",
                "message.biz_opaque_callback_data",
            ),
            ("message_id", "message.message_id"),
        ] {
            if message.contains_key(key) {
                return Err(Refusal::at(
                    Code::Malformed,
                    path,
                    "is set by Headgate; leave it out (give message_ref where Meta expects a message id)",
                ));
            }
        }
        if message.contains_key("status") {
            return mark_as_read(message);
        }
        let kind = text_in(&message, "type", "message.type", 32)?.ok_or(Refusal::at(
            Code::Malformed,
            "message.type",
            "is missing",
        ))?;
        let Some(kind) = TYPES.into_iter().find(|t| *t == kind) else {
            return Err(Refusal::at(
                Code::Malformed,
                "message.type",
                "is not a message type of Meta's",
            ));
        };
        if message
            .keys()
            .any(|k| k != "type" && k != "context" && k != kind)
        {
            return Err(Refusal::at(
                Code::Malformed,
                "message",
                "may hold type, the object named by type, and context",
            ));
        }
        match (kind, message.get(kind)) {
            ("contacts", Some(Value::Array(list))) if !list.is_empty() => {}
            (named, Some(Value::Object(_))) if named != "contacts" => {}
            _ => {
                return Err(Refusal::at(
                    Code::Malformed,
                    "message",
                    "lacks the object named by type",
                ));
            }
        }
        if kind == "text" {
            let body = message
                .get("text")
                .and_then(|t| t.get("body"))
                .and_then(Value::as_str);
            if !body.is_some_and(|b| (1..=4_096).contains(&b.chars().count())) {
                return Err(Refusal::at(
                    Code::Malformed,
                    "message.text.body",
                    "must be 1 to 4096 characters",
                ));
            }
        }
        let mut message_ref = take_ref(&mut message, "context", "message.context.message_id")?;
        // A reaction has one target: of two references only one could be put in.
        if message.contains_key("context") && (kind == "reaction" || message_ref.is_none()) {
            return Err(Refusal::at(
                Code::Malformed,
                "message.context",
                "must be an object with message_ref, and absent from a reaction",
            ));
        }
        if kind == "reaction" {
            let target = take_ref(&mut message, "reaction", "message.reaction.message_id")?;
            if target.is_none() {
                return Err(Refusal::at(
                    Code::Malformed,
                    "message.reaction.message_ref",
                    "is missing: the message_ref of the message to react to",
                ));
            }
            message_ref = target;
        }
        let kind = if kind == "template" {
            template(&message)?
        } else {
            Kind::FreeForm
        };
        Ok((kind, message, message_ref))
    }
}

fn mark_as_read(mut message: Map<String, Value>) -> Result<Message, Refusal> {
    if message.get("status").and_then(Value::as_str) != Some("read") {
        return Err(Refusal::at(
            Code::Malformed,
            "message.status",
            "must be read",
        ));
    }
    if message
        .keys()
        .any(|k| !["status", "message_ref", "typing_indicator"].contains(&k.as_str()))
    {
        return Err(Refusal::at(
            Code::Malformed,
            "message",
            "may hold status, message_ref and typing_indicator",
        ));
    }
    let message_ref =
        text_in(&message, "message_ref", "message.message_ref", 128)?.ok_or(Refusal::at(
            Code::Malformed,
            "message.message_ref",
            "is missing: which message was read",
        ))?;
    message.remove("message_ref");
    Ok((Kind::MarkAsRead, message, Some(message_ref)))
}

fn template(message: &Map<String, Value>) -> Result<Kind, Refusal> {
    let template = object(message.get("template"), "message.template")?;
    let name = text_in(template, "name", "message.template.name", 512)?.ok_or(Refusal::at(
        Code::Malformed,
        "message.template.name",
        "is missing",
    ))?;
    let language = template
        .get("language")
        .and_then(|l| l.get("code"))
        .and_then(Value::as_str)
        .ok_or(Refusal::at(
            Code::Malformed,
            "message.template.language.code",
            "is missing",
        ))?;
    Ok(Kind::Template {
        name,
        language: language.to_owned(),
        parameters: Parameters::read(template.get("components")),
    })
}

/// The kind of a message that was checked when it was accepted.
pub fn kind_of(message: &Map<String, Value>) -> Kind {
    if message.contains_key("status") {
        return Kind::MarkAsRead;
    }
    if message.contains_key("template") {
        template(message).unwrap_or(Kind::FreeForm)
    } else {
        Kind::FreeForm
    }
}

/// Puts the wamid behind a `message_ref` where Meta expects it.
pub fn insert_wamid(message: &mut Map<String, Value>, wamid: &str) {
    if message.contains_key("status") {
        message.insert("message_id".into(), Value::String(wamid.to_owned()));
    }
    for key in ["context", "reaction"] {
        if let Some(Value::Object(inner)) = message.get_mut(key) {
            inner.insert("message_id".into(), Value::String(wamid.to_owned()));
        }
    }
}

fn take_ref(
    message: &mut Map<String, Value>,
    holder: &str,
    wamid_path: &'static str,
) -> Result<Option<String>, Refusal> {
    let Some(Value::Object(holder)) = message.get_mut(holder) else {
        return Ok(None);
    };
    if holder.contains_key("message_id") {
        return Err(Refusal::at(
            Code::Malformed,
            wamid_path,
            "is set by Headgate; give message_ref instead",
        ));
    }
    match holder.remove("message_ref") {
        None => Ok(None),
        Some(Value::String(reference)) if (1..=128).contains(&reference.chars().count()) => {
            Ok(Some(reference))
        }
        Some(_) => Err(Refusal::at(
            Code::Malformed,
            "message",
            "message_ref must be a string of 1 to 128 characters",
        )),
    }
}

fn object<'a>(
    value: Option<&'a Value>,
    path: &'static str,
) -> Result<&'a Map<String, Value>, Refusal> {
    match value {
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(Refusal::at(Code::Malformed, path, "must be an object")),
        None => Err(Refusal::at(Code::Malformed, path, "is missing")),
    }
}

fn text_in(
    map: &Map<String, Value>,
    key: &str,
    path: &'static str,
    max: usize,
) -> Result<Option<String>, Refusal> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => {
            Err(Refusal::at(Code::Malformed, path, "is empty"))
        }
        Some(Value::String(text)) if text.chars().count() > max => {
            Err(Refusal::at(Code::Malformed, path, "is too long"))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::at(Code::Malformed, path, "must be a string")),
    }
}

/// Whether a text may be kept in clear: a short name of our characters that is no address and no number.
pub(crate) fn is_label(text: &str) -> bool {
    is_identifier(text, 64) && !has_digit_run(text, 7)
}

fn is_identifier(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

/// Whether so many digits stand in a row: that may be somebody's number.
pub(crate) fn has_digit_run(text: &str, length: usize) -> bool {
    let mut run = 0_usize;
    text.bytes().any(|b| {
        run = if b.is_ascii_digit() {
            run.saturating_add(1)
        } else {
            0
        };
        run >= length
    })
}

#[cfg(test)]
#[path = "outbound_tests.rs"]
mod tests;
