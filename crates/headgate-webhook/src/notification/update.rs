//! The facts a notification can hold.
//!
//! Owns the types that leave this crate and how each is read from its piece. What names a person
//! is in a type that does not print.

use headgate_domain::identity::{Bsuid, Phone, Wamid};
use headgate_domain::record::State;
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use serde_json::value::RawValue;

use super::shape::{Contacts, Piece};

/// One thing Meta tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Update {
    /// What became of a message we sent.
    Status(Status),
    /// A person wrote.
    Inbound(Inbound),
    /// A person used `WhatsApp`'s own switch for marketing messages.
    Preference(Preference),
    /// Anything else; some of it concerns numbers, templates and accounts.
    Other(Other),
    /// A part that has not the shape of what it must be. It is kept, and somebody is told.
    Unreadable {
        /// Its position among the updates of the notification.
        index: usize,
        /// What is wrong with it, in words of ours.
        why: &'static str,
        /// The part as Meta sent it.
        raw: Personal<String>,
    },
}

impl Update {
    /// What it is, in a word fit for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Status(status) => status.status.word(),
            Self::Inbound(_) => "inbound",
            Self::Preference(_) => "user_preferences",
            Self::Other(other) => other.word(),
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// A delivery status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Meta's id of our number; absent when the notification does not say.
    pub number: Option<String>,
    /// Meta's id of the message, where it has the form of one: our own reference is what finds the record.
    pub wamid: Option<Wamid>,
    /// Where the message stands.
    pub status: StatusWord,
    /// When, by Meta's clock, in whole seconds.
    pub at: Timestamp,
    /// Our `biz_opaque_callback_data`, or somebody else's.
    pub opaque: Option<String>,
    /// Meta's error codes, on failures.
    pub errors: Vec<u32>,
    /// Whom it was sent to, when Meta gives the number; absent for groups.
    pub to_phone: Option<Phone>,
    /// Whom it was sent to, when Meta gives the id.
    pub to_bsuid: Option<Bsuid>,
    /// The status object as Meta sent it.
    pub raw: Personal<String>,
}

/// The words of a delivery status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusWord {
    /// It left Meta.
    Sent,
    /// It reached the person's device.
    Delivered,
    /// The person opened it.
    Read,
    /// The person played it (voice).
    Played,
    /// It will not arrive.
    Failed,
}

impl StatusWord {
    const ALL: [Self; 5] = [
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Played,
        Self::Failed,
    ];

    /// Meta's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    /// The state a message record moves to.
    pub const fn state(self) -> State {
        match self {
            Self::Sent => State::Sent,
            Self::Delivered => State::Delivered,
            Self::Read => State::Read,
            Self::Played => State::Played,
            Self::Failed => State::Failed,
        }
    }
}

/// A message from a person. The number, the id or both may be absent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// Meta's id of our number; absent when the notification does not say.
    pub number: Option<String>,
    /// Meta's id of the message.
    pub wamid: Wamid,
    /// When, by Meta's clock, in whole seconds.
    pub at: Timestamp,
    /// Who wrote, by number.
    pub from_phone: Option<Phone>,
    /// Who wrote, by business-scoped user id.
    pub from_bsuid: Option<Bsuid>,
    /// The name the person shows.
    pub profile_name: Option<Personal<String>>,
    /// Meta's word for the kind of message: `text`, `button`, `interactive` and others.
    pub kind: String,
    /// What the person wrote or saw on the button: a body, a button's text, a reply's title, a caption, or
    /// what any of these was changed to. Whatever the kind says: a no is heard wherever it stands.
    pub text: Option<Personal<String>>,
    /// What the button stands for: a payload, a reply's id. The business wrote it.
    pub payload: Option<Personal<String>>,
    /// The key of the account, when the identity check is switched on at Meta.
    pub identity_key: Option<Personal<String>>,
    /// What a notice of Meta's says has become of the account; then `from_…` is what it was before.
    pub notice: Option<AccountNotice>,
    /// The advertisement the person came by; Meta tells it with the first message only.
    pub referral: Option<Box<Referral>>,
    /// The message object as Meta sent it.
    pub raw: Personal<String>,
}

/// The advertisement or post behind a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Referral {
    /// Meta's word for what it is: `ad` or `post`.
    pub source_type: String,
    /// Meta's id of it.
    pub source_id: String,
    /// Where it is shown.
    pub source_url: Option<Personal<String>>,
    /// What it says.
    pub headline: Option<Personal<String>>,
    /// The click, which is one person's.
    pub click: Option<Personal<String>>,
}

/// What has become of the account of a person (`system` messages; read 2026-09-11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccountNotice {
    /// It has another number, and with it another user id. At least one of the two is told.
    Moved {
        /// The number now.
        phone: Option<Phone>,
        /// The user id now.
        bsuid: Option<Bsuid>,
    },
    /// Its key has changed: a new device, or a new holder of the number.
    NewKey,
}

/// A choice made in `WhatsApp` itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preference {
    /// Meta's id of our number; absent when the notification does not say.
    pub number: Option<String>,
    /// Who chose, by number.
    pub phone: Option<Phone>,
    /// Who chose, by business-scoped user id.
    pub bsuid: Option<Bsuid>,
    /// What they chose.
    pub choice: Choice,
    /// When, by Meta's clock, in whole seconds.
    pub at: Timestamp,
    /// The preference object as Meta sent it.
    pub raw: Personal<String>,
}

/// Stop or resume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// No marketing messages from this business any more.
    Stop,
    /// Marketing messages again.
    Resume,
}

/// An update about something else than a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Other {
    /// Meta's name of the field, as it came: not for logs, see [`Other::word`].
    pub field: String,
    /// The business account, or for some fields the portfolio.
    pub entry_id: String,
    /// When, where the entry says so.
    pub at: Option<Timestamp>,
    /// The value as Meta sent it.
    pub value: Personal<String>,
}

/// The fields Meta lists (webhooks overview, read 2026-09-11) and the two kinds we add.
const FIELDS: [&str; 30] = [
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "automatic_events",
    "business_capability_update",
    "business_username_updates",
    "calls",
    "flows",
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
    "history",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messages",
    "messages.statuses",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_app_state_sync",
    "smb_message_echoes",
    "standby",
    "template_category_update",
    "template_correct_category_detection",
    "user_preferences",
];

impl Other {
    /// The field in a word fit for logs and metrics: one of a closed list, or `unknown_field`.
    pub fn word(&self) -> &'static str {
        FIELDS
            .into_iter()
            .find(|known| *known == self.field)
            .unwrap_or("unknown_field")
    }
}

/// Meta's are 12 characters in its examples; a longer text than this is no key.
const LONGEST_KEY: usize = 256;

/// Reads a message from a person.
pub(super) fn inbound(
    raw: &RawValue,
    number: Option<&str>,
    contacts: &Contacts,
    alone: bool,
    entry_time: Option<Timestamp>,
) -> Result<Update, &'static str> {
    let message = Piece::read(raw).ok_or("a message is not a readable object")?;
    let contact = contacts.of(&message, alone);
    let text = [
        "text.body",
        "button.text",
        "interactive.button_reply.title",
        "interactive.list_reply.title",
        "image.caption",
        "video.caption",
        "document.caption",
        "edit.message.text.body",
        "edit.message.image.caption",
        "edit.message.video.caption",
        "edit.message.document.caption",
    ];
    let payload = [
        "button.payload",
        "interactive.button_reply.id",
        "interactive.list_reply.id",
    ];
    let notice = account_notice(&message);
    let (from_phone, from_bsuid) = match &notice {
        // The contact beside it may be the one from before or the one of now.
        Some(AccountNotice::Moved { phone, bsuid }) => (
            message
                .phone("from")
                .filter(|from| Some(from) != phone.as_ref()),
            message
                .bsuid("system.previous_user_id")
                .or_else(|| message.bsuid("from_user_id"))
                .filter(|from| Some(from) != bsuid.as_ref()),
        ),
        Some(AccountNotice::NewKey) | None => (
            message.phone("from").or_else(|| contact?.phone("wa_id")),
            message
                .bsuid("from_user_id")
                .or_else(|| contact?.bsuid("user_id")),
        ),
    };
    Ok(Update::Inbound(Inbound {
        number: number.map(str::to_owned),
        wamid: wamid(&message)?,
        at: at(&message, entry_time)?,
        from_phone,
        from_bsuid,
        profile_name: contact.and_then(|contact| contact.personal("profile.name")),
        kind: message.text("type").unwrap_or_default(),
        text: text.into_iter().find_map(|path| message.personal(path)),
        payload: payload.into_iter().find_map(|path| message.personal(path)),
        identity_key: contact
            .and_then(|contact| contact.personal("identity_key_hash"))
            .or_else(|| message.personal("identity_key_hash"))
            .or_else(|| message.personal("identity.hash"))
            .filter(|key| key.reveal().len() <= LONGEST_KEY),
        referral: referral(&message).map(Box::new),
        notice,
        raw: Personal::new(raw.get().to_owned()),
    }))
}

/// Reads what a message says of an advertisement; `None` where that does not name one.
fn referral(message: &Piece) -> Option<Referral> {
    Some(Referral {
        source_id: message.text("referral.source_id")?,
        source_type: message.text("referral.source_type").unwrap_or_default(),
        source_url: message.personal("referral.source_url"),
        headline: message.personal("referral.headline"),
        click: message.personal("referral.ctwa_clid"),
    })
}

/// Reads what a `system` message says; `None` for one that says nothing about the account.
fn account_notice(message: &Piece) -> Option<AccountNotice> {
    if message.text("type")? != "system" {
        return None;
    }
    match message.text("system.type")?.as_str() {
        "user_changed_number" | "user_changed_user_id" => {
            let phone = message.phone("system.wa_id");
            let bsuid = message.bsuid("system.user_id");
            (phone.is_some() || bsuid.is_some()).then_some(AccountNotice::Moved { phone, bsuid })
        }
        "customer_identity_changed" => Some(AccountNotice::NewKey),
        _ => None,
    }
}

/// Reads a status; `None` for a word that is none of ours, which moves no record.
pub(super) fn status(
    raw: &RawValue,
    number: Option<&str>,
    entry_time: Option<Timestamp>,
) -> Result<Option<Status>, &'static str> {
    let piece = Piece::read(raw).ok_or("a status is not a readable object")?;
    let word = piece.text("status").unwrap_or_default();
    let Some(status) = StatusWord::ALL.into_iter().find(|s| s.word() == word) else {
        return Ok(None);
    };
    // A group's id stands where a person's number would.
    let to_a_person = piece
        .text("recipient_type")
        .is_none_or(|kind| kind == "individual");
    Ok(Some(Status {
        number: number.map(str::to_owned),
        wamid: wamid(&piece).ok(),
        status,
        at: at(&piece, entry_time)?,
        opaque: piece.text("biz_opaque_callback_data"),
        errors: piece.codes("errors"),
        to_phone: piece.phone("recipient_id").filter(|_phone| to_a_person),
        to_bsuid: piece
            .bsuid("recipient_user_id")
            .filter(|_bsuid| to_a_person),
        raw: Personal::new(raw.get().to_owned()),
    }))
}

/// Reads a preference; `None` for one that is neither stop nor resume. An unknown category may
/// restrict, but it does not allow.
pub(super) fn preference(
    raw: &RawValue,
    number: Option<&str>,
    entry_time: Option<Timestamp>,
) -> Result<Option<Preference>, &'static str> {
    let piece = Piece::read(raw).ok_or("a user preference is not a readable object")?;
    let marketing = piece
        .text("category")
        .is_some_and(|c| c == "marketing_messages");
    let choice = match piece.text("value").as_deref() {
        Some("stop") => Choice::Stop,
        Some("resume") if marketing => Choice::Resume,
        Some(_) | None => return Ok(None),
    };
    let (phone, bsuid) = (piece.phone("wa_id"), piece.bsuid("user_id"));
    if phone.is_none() && bsuid.is_none() {
        return Err("a user preference names nobody");
    }
    let number = number.map(str::to_owned);
    let at = at(&piece, entry_time)?;
    Ok(Some(Preference {
        number,
        phone,
        bsuid,
        choice,
        at,
        raw: Personal::new(raw.get().to_owned()),
    }))
}

fn wamid(piece: &Piece) -> Result<Wamid, &'static str> {
    let text = piece.text("id").ok_or("a message id is missing")?;
    Wamid::parse(&text).map_err(|_same_for_all| "a message id has not the form of one")
}

/// The time of a fact; consent facts are ordered by it, so it is never made up.
fn at(piece: &Piece, entry_time: Option<Timestamp>) -> Result<Timestamp, &'static str> {
    piece
        .moment("timestamp")
        .or(entry_time)
        .ok_or("an update has no time")
}
