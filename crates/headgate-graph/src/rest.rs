//! Whom a refusal concerns, and what should rest because of it.
//!
//! Owns the two vocabularies that the table of codes and the outcomes share. They say what Meta's
//! documentation says; how long a rest really is, and who keeps it, is decided by who reads them.

use std::time::Duration;

/// Whom a code concerns: the smallest thing that would fare no better with another message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// This message; another one to the same person may go.
    Message,
    /// The person.
    Recipient,
    /// The template in its language.
    Template,
    /// The business number.
    Number,
    /// The business account, and with it all of its numbers.
    Account,
    /// Token or permission.
    Credential,
    /// The app, with all of its accounts.
    App,
}

impl Scope {
    /// The scope in a word for records and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Recipient => "recipient",
            Self::Template => "template",
            Self::Number => "number",
            Self::Account => "account",
            Self::Credential => "credential",
            Self::App => "app",
        }
    }
}

/// What should rest because of a refusal, beyond the message itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// No marketing to the person for a while: 131049, and the experiment of 130472.
    PersonMarketing {
        /// Not shorter than this.
        at_least: Duration,
    },
    /// 131050: the person stopped marketing. An opt-out, until they say otherwise.
    PersonStoppedMarketing,
    /// 131026: the person cannot be reached, until they write.
    PersonUnreachable,
    /// 130403: the business has blocked the person.
    PersonBlocked,
    /// 137000: behind the address may be somebody else now.
    IdentityChanged,
    /// 130497: the account may not write to people of that country.
    Country,
    /// 132015: the template is paused, until Meta says otherwise.
    TemplatePaused,
    /// 132016, 132007, 132068: the template or its flow is switched off.
    TemplateDisabled,
    /// 132001: there is no approved template of that name in that language.
    TemplateMissing,
    /// 134101: Meta is still learning the template; 132069: its flow is slowed down.
    TemplateSyncing {
        /// Not shorter than this.
        at_least: Duration,
    },
    /// 131048: people block or report the number; no marketing from it for hours.
    NumberMarketing {
        /// Not shorter than this.
        at_least: Duration,
    },
    /// 33, 131037, 131045, 133010: the number cannot send until somebody sets it right.
    Number,
    /// 131064: no templates of the account until Meta lifts it.
    AccountTemplates,
    /// 131042: nothing of the account until a bill is paid.
    AccountBilling,
    /// 368, 131031: Meta blocked the account.
    Account,
    /// 17, 32, 613: the app asks too much.
    App {
        /// Not shorter than this.
        at_least: Duration,
    },
}

impl Rest {
    /// What rests, in a word for records and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PersonMarketing { .. } => "person_marketing",
            Self::PersonStoppedMarketing => "person_stopped_marketing",
            Self::PersonUnreachable => "person_unreachable",
            Self::PersonBlocked => "person_blocked",
            Self::IdentityChanged => "identity_changed",
            Self::Country => "country",
            Self::TemplatePaused => "template_paused",
            Self::TemplateDisabled => "template_disabled",
            Self::TemplateMissing => "template_missing",
            Self::TemplateSyncing { .. } => "template_syncing",
            Self::NumberMarketing { .. } => "number_marketing",
            Self::Number => "number",
            Self::AccountTemplates => "account_templates",
            Self::AccountBilling => "account_billing",
            Self::Account => "account",
            Self::App { .. } => "app",
        }
    }

    /// How long at least, where it passes by itself; otherwise until Meta or somebody says so.
    pub const fn at_least(self) -> Option<Duration> {
        match self {
            Self::PersonMarketing { at_least }
            | Self::TemplateSyncing { at_least }
            | Self::NumberMarketing { at_least }
            | Self::App { at_least } => Some(at_least),
            Self::PersonStoppedMarketing
            | Self::PersonUnreachable
            | Self::PersonBlocked
            | Self::IdentityChanged
            | Self::Country
            | Self::TemplatePaused
            | Self::TemplateDisabled
            | Self::TemplateMissing
            | Self::Number
            | Self::AccountTemplates
            | Self::AccountBilling
            | Self::Account => None,
        }
    }
}
