//! Refusals: the closed list of reasons why a message is not sent, each in words to act on.
//!
//! A refusal is policy saying no; it is a value, counted and audited, and nobody is paged for it.
//! A failure (we could not) is something else and lives at the boundary that failed.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $sentence:literal, $fix:literal;)*) => {
        /// Why a message was refused (closed list: docs/reference/refusals.md).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The word apps match on.
            pub const fn word(self) -> &'static str { match self { $(Code::$variant => $word,)* } }

            /// What is wrong, in one sentence.
            pub const fn sentence(self) -> &'static str { match self { $(Code::$variant => $sentence,)* } }

            /// What to do about it, in one sentence.
            pub const fn remedy(self) -> &'static str { match self { $(Code::$variant => $fix,)* } }
        }
    };
}

codes! {
    /// The body is not the outbound contract.
    Malformed = "malformed", "The message does not follow headgate.outbound/1.", "Correct the named field; schemas/outbound-message.v1.json describes every field.";
    /// Above 64 KiB.
    TooLarge = "too_large", "The message is larger than 64 KiB.", "Send media by id or link instead of inside the message.";
    /// The id was used with other content.
    DuplicateId = "duplicate_id", "This id was already used on this lane for a message with other content.", "Use a new id for a new message; repeat an id only with the same content.";
    /// A campaign that looks like a person.
    IdentifierLooksPersonal = "identifier_looks_personal", "The campaign contains an @ or seven digits in a row, so it may name a person.", "Name the campaign without personal data: it appears in metrics and reports.";
    /// Purpose and queue disagree.
    LaneMismatch = "lane_mismatch", "The purpose is not the one of the queue the message came by.", "Put the message on the queue of its purpose.";
    /// Template category and lane disagree.
    PurposeMismatch = "purpose_mismatch", "The template's category is not allowed for this purpose.", "Use a template of the purpose's category, or the queue of the template's category.";
    /// From is not known or not granted.
    UnknownSender = "unknown_sender", "The field from names no phone number that this deployment may send with.", "Use a phone number id or alias of config/headgate.toml.";
    /// The recipient cannot exist.
    InvalidRecipient = "invalid_recipient", "The recipient is not a possible phone number or business-scoped user id.", "Give the phone as E.164 with + and country code, or the bsuid as Meta gave it.";
    /// No such subject.
    UnknownSubject = "unknown_subject", "No subject with this id is known, or its number is not stored.", "Address the person by phone or bsuid, or use the subject of an event.";
    /// No such reference.
    UnknownMessageRef = "unknown_message_ref", "The message_ref names no message that is still stored.", "Use the message_ref of an inbound.message event of the last 90 days.";
    /// Authentication without an act of the person.
    NoUserAction = "no_user_action", "An authentication message needs the person's own action, at most 15 minutes old.", "Give basis {\"kind\":\"user_action\",\"at\":…} with the time at which the person asked for the code.";
    /// Nobody said yes.
    NoConsent = "no_consent", "There is no recorded opt-in of this person for this purpose.", "Record the opt-in with its proof, then send again.";
    /// Asked, not yet confirmed.
    ConsentUnconfirmed = "consent_unconfirmed", "The person's opt-in is requested but not yet confirmed by a message from them.", "Wait for subject.opted_in.";
    /// The person said no.
    Suppressed = "suppressed", "The person has opted out.", "Do not write again unless the person opts in by an act of their own.";
    /// The person said no to Meta.
    MetaStopped = "meta_stopped", "The person stopped marketing messages of this business in WhatsApp.", "Only the person can lift this, in WhatsApp.";
    /// The person wants their data kept and not used.
    Restricted = "restricted", "The person has asked that their data be kept and not used.", "Write to them again after subject.unrestricted: the person ends it, or whoever runs this deployment after telling them.";
    /// No window.
    WindowClosed = "window_closed", "The person has not written within the last 24 hours, so only a template message may be sent.", "Send a template message, or wait for the person to write.";
    /// No such template.
    TemplateUnknown = "template_unknown", "No template of this name and language is known.", "Check name and language, or add the template to config/headgate.toml.";
    /// Not approved.
    TemplateUnapproved = "template_unapproved", "The template is not approved by Meta.", "Wait for Meta's approval, or use an approved template.";
    /// Paused by Meta.
    TemplatePaused = "template_paused", "Meta has paused the template.", "Improve the template; it may be used again when Meta unpauses it.";
    /// Disabled by Meta.
    TemplateDisabled = "template_disabled", "Meta has disabled the template.", "Use another template.";
    /// Parked by review.
    TemplateParked = "template_parked", "The template is parked until it is reviewed again.", "Have a second person re-approve the template.";
    /// Parameters do not fit.
    TemplateParameters = "template_parameters", "The parameters do not fit the template.", "Give exactly the parameters the template defines.";
    /// Content looks risky.
    ContentRisk = "content_risk", "The content contains vocabulary of a prohibited category.", "Change the content, or have it reviewed.";
    /// At night.
    QuietHours = "quiet_hours", "It is a quiet hour where the person lives.", "Send by day there, or give expires_at enough time: a message that may wait is sent when the quiet hours end.";
    /// Too often.
    FrequencyCap = "frequency_cap", "The person has received as many messages of this purpose as the policy, or Meta, allows.", "Send later, or give expires_at enough time: a message that may wait is sent when there is room.";
    /// Abuse ceiling.
    AbuseCeiling = "abuse_ceiling", "The ceiling that protects people from being flooded with codes is reached.", "Wait an hour; if the volume is right, raise the ceiling in the configuration.";
    /// Country not on the list.
    DestinationNotAllowed = "destination_not_allowed", "The recipient's country is not on this deployment's list of destinations.", "Add the country to the allow-list if the business serves it.";
    /// Region not allowed by profile.
    RegionNotAllowed = "region_not_allowed", "The person's policy profile does not allow processing in this deployment's region.", "Serve the person from a deployment in an allowed region, or declare in [[transfers]] what the transfer rests on.";
    /// Region blocked by Meta.
    RegionBlocked = "region_blocked", "Meta does not deliver this purpose to the recipient's country, such as marketing to the United States.", "Use another channel for this person.";
    /// Do-Not-Call not checked.
    DncUnchecked = "dnc_unchecked", "The person's profile requires a Do-Not-Call check that is not on record.", "Load the register's answer with headgate dnc load, or record a consent where the law lets one stand in for it.";
    /// Number paused.
    NumberPaused = "number_paused", "Sending from this phone number is paused.", "See number.* events for the reason.";
    /// Account paused.
    AccountPaused = "account_paused", "Sending for this WhatsApp Business account is paused.", "See account.* events for the reason.";
    /// Producer paused.
    ProducerPaused = "producer_paused", "Messages of this producer are paused.", "Ask whoever runs this deployment: headgate producer resume lifts it.";
    /// Cannot be reached.
    RecipientUnreachable = "recipient_unreachable", "Earlier messages to this person could not be delivered.", "Check the number with the person by another channel.";
    /// Recycled number.
    IdentityChanged = "identity_changed", "Somebody else may be behind this number or user id now, so what the person before agreed to does not count.", "Ask the person again. For login codes, prove the number by another channel and record a consent with purpose authentication.";
    /// Too late.
    Expired = "expired", "The message was not sent before it expired.", "Send it again with a later expires_at if it is still of use.";
    /// Too early.
    NotBeforeTooFar = "not_before_too_far", "not_before or expires_at is more than 60 days ahead, or later than a week before the end of a shorter retention period.", "Schedule at most 60 days ahead: content is kept under the key of the day of acceptance.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A refusal: a code, and for a malformed message the field and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code apps match on.
    pub code: Code,
    /// JSON path of the field at fault, such as `to.phone`, when one field is.
    pub field: Option<&'static str>,
    /// What is wrong with the field; never quotes its value.
    pub why: Option<&'static str>,
}

impl Refusal {
    /// A refusal that needs no field.
    pub const fn of(code: Code) -> Self {
        Self {
            code,
            field: None,
            why: None,
        }
    }

    /// A refusal that points at a field.
    pub const fn at(code: Code, field: &'static str, why: &'static str) -> Self {
        Self {
            code,
            field: Some(field),
            why: Some(why),
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::of(code)
    }
}
