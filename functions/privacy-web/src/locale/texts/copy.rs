//! The words of a copy of somebody's data: what its fields are called, and what the words of closed lists mean.

use headgate_domain::consent::State;
use headgate_domain::lane::Purpose;
use headgate_domain::record;
use serde::Deserialize;

/// What is known of a person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) phone: String,
    pub(crate) user_id: String,
    pub(crate) known_to_the_business_as: String,
    pub(crate) country: String,
    pub(crate) known_since: String,
    pub(crate) last_wrote_at: String,
    pub(crate) stopped_marketing: String,
    pub(crate) restricted_since: String,
    pub(crate) do_not_sell_since: String,
}

/// Purposes that the opt-in form has no words for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Purposes {
    authentication: String,
    service: String,
}

impl Purposes {
    /// The words for such a purpose.
    pub(crate) const fn of(&self, purpose: Purpose) -> Option<&String> {
        match purpose {
            Purpose::Authentication => Some(&self.authentication),
            Purpose::Service => Some(&self.service),
            Purpose::Utility | Purpose::Marketing => None,
        }
    }
}

/// Where somebody stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct States {
    given: String,
    withdrawn: String,
    requested: String,
    invalidated: String,
    refused: String,
}

impl States {
    /// The words for a state.
    pub(crate) const fn of(&self, state: State) -> &String {
        match state {
            State::Given => &self.given,
            State::Withdrawn => &self.withdrawn,
            State::Requested => &self.requested,
            State::Invalidated => &self.invalidated,
            State::Refused => &self.refused,
        }
    }
}

/// How something was said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ways {
    chat: String,
    whatsapp: String,
    page: String,
    app: String,
    paper: String,
    spoken: String,
    record: String,
}

impl Ways {
    /// The words for a method; for one that is no way of the person's own, that it is on record.
    pub(crate) fn of(&self, method: &str) -> &String {
        match method {
            "keyword" | "keyword_start" | "message_in" | "in_thread_button" | "quick_reply"
            | "whatsapp_flow" | "ctwa_ad" | "qr_scan" => &self.chat,
            "meta_switch" => &self.whatsapp,
            "web_checkbox" | "checkout_checkbox" | "link" => &self.page,
            "app" => &self.app,
            "paper" => &self.paper,
            "ivr" | "in_person" | "agent" => &self.spoken,
            _ => &self.record,
        }
    }
}

/// What became of a message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcomes {
    waiting: String,
    sent: String,
    delivered: String,
    read: String,
    failed: String,
    unknown: String,
    cancelled: String,
}

impl Outcomes {
    /// The words for a state of a message.
    pub(crate) const fn of(&self, state: record::State) -> &String {
        use record::State;
        match state {
            State::Queued | State::Scheduled | State::Held => &self.waiting,
            State::Accepted | State::Sent => &self.sent,
            State::Delivered => &self.delivered,
            State::Read | State::Played => &self.read,
            State::Failed => &self.failed,
            State::Ambiguous | State::Unknown => &self.unknown,
            State::Cancelled => &self.cancelled,
        }
    }
}

/// What a message without words is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kinds {
    image: String,
    video: String,
    audio: String,
    document: String,
    location: String,
    contacts: String,
    reaction: String,
    other: String,
    pub(crate) gone: String,
}

impl Kinds {
    /// The words for a type of Meta's.
    pub(crate) fn of(&self, kind: &str) -> &String {
        match kind {
            "image" | "sticker" => &self.image,
            "video" => &self.video,
            "audio" | "voice" => &self.audio,
            "document" => &self.document,
            "location" => &self.location,
            "contacts" => &self.contacts,
            "reaction" => &self.reaction,
            _ => &self.other,
        }
    }
}

/// Where data comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origins {
    you: String,
    whatsapp: String,
    business: String,
    registers: String,
}

impl Origins {
    /// The words for a source; nothing for one that is unknown here.
    pub(crate) fn of(&self, source: &str) -> Option<&String> {
        match source {
            "you" => Some(&self.you),
            "whatsapp" => Some(&self.whatsapp),
            "business" => Some(&self.business),
            "registers" => Some(&self.registers),
            _ => None,
        }
    }
}
