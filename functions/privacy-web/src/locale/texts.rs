//! The shape of a language's file: every text the pages have, once.

use headgate_domain::privacy::{Denial, Extension};
use headgate_domain::processors::{DataClass, TransferInstrument};
use serde::Deserialize;

use crate::decide::Refused;

pub(crate) mod copy;

/// Which way a language is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    Ltr,
    Rtl,
}

impl Direction {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ltr => "ltr",
            Self::Rtl => "rtl",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) direction: Direction,
}

/// A title and a sentence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) title: String,
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Common {
    pub(crate) language_label: String,
    pub(crate) privacy_link: String,
    pub(crate) requests_link: String,
    pub(crate) do_not_sell_link: String,
    pub(crate) policy_link: String,
    pub(crate) quiet: String,
    pub(crate) error_prefix: String,
    pub(crate) this_business: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptIn {
    pub(crate) step: String,
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) notice: Vec<String>,
    pub(crate) legend: String,
    pub(crate) marketing: String,
    pub(crate) marketing_hint: String,
    pub(crate) utility: String,
    pub(crate) utility_hint: String,
    pub(crate) submit: String,
    pub(crate) next: String,
    pub(crate) none_ticked: String,
    pub(crate) changed: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    pub(crate) step: String,
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) code_label: String,
    pub(crate) open: String,
    pub(crate) by_hand: String,
    pub(crate) expires: String,
}

/// The page on which somebody asks for what a law gives them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) legend: String,
    pub(crate) access: String,
    pub(crate) access_hint: String,
    pub(crate) rectification: String,
    pub(crate) rectification_hint: String,
    pub(crate) objection: String,
    pub(crate) objection_hint: String,
    pub(crate) restriction: String,
    pub(crate) restriction_hint: String,
    pub(crate) lift: String,
    pub(crate) lift_hint: String,
    pub(crate) erasure: String,
    pub(crate) erasure_hint: String,
    pub(crate) what_title: String,
    pub(crate) what: Vec<String>,
    pub(crate) submit: String,
    pub(crate) next: String,
    pub(crate) code_title: String,
    pub(crate) code_lead: String,
    pub(crate) message_erasure: String,
    pub(crate) message_access: String,
    pub(crate) message_rectification: String,
    pub(crate) message_objection: String,
    pub(crate) message_restriction: String,
    pub(crate) message_lift: String,
    pub(crate) expires: String,
    pub(crate) see: String,
}

/// The copy of somebody's data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) gone: String,
    pub(crate) part: String,
    pub(crate) read: String,
    pub(crate) file: String,
    pub(crate) limits: String,
    pub(crate) what: String,
    pub(crate) you: String,
    pub(crate) choices: String,
    pub(crate) messages: String,
    pub(crate) recipients: String,
    pub(crate) from_you: String,
    pub(crate) to_you: String,
    pub(crate) about: String,
    pub(crate) made_label: String,
    pub(crate) until_label: String,
    pub(crate) left_out: String,
    pub(crate) held: String,
    pub(crate) stopped: String,
    pub(crate) nothing: String,
    pub(crate) yes: String,
    pub(crate) proofs: String,
    pub(crate) sources: String,
    pub(crate) categories: String,
    pub(crate) registers: String,
    pub(crate) listed: String,
    pub(crate) not_listed: String,
    pub(crate) fields: copy::Fields,
    pub(crate) purposes: copy::Purposes,
    pub(crate) states: copy::States,
    pub(crate) ways: copy::Ways,
    pub(crate) outcomes: copy::Outcomes,
    pub(crate) kinds: copy::Kinds,
    pub(crate) origins: copy::Origins,
}

/// The page that shows where a request stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) title: String,
    pub(crate) unknown: String,
    pub(crate) waiting: String,
    pub(crate) held: String,
    pub(crate) running: String,
    pub(crate) fulfilled: String,
    pub(crate) not_done: String,
    pub(crate) access_waiting: String,
    pub(crate) access_done: String,
    pub(crate) rectification_waiting: String,
    pub(crate) rectification_done: String,
    pub(crate) objection_done: String,
    pub(crate) restriction_in_force: String,
    pub(crate) restriction_over: String,
    pub(crate) refused: String,
    pub(crate) complain: String,
    pub(crate) received: String,
    pub(crate) planned: String,
    pub(crate) due: String,
    pub(crate) closed: String,
    pub(crate) receipt_title: String,
    pub(crate) receipt: String,
    pub(crate) extensions: Extensions,
    pub(crate) denials: Denials,
}

/// Why a request takes longer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extensions {
    complexity: String,
    number_of_requests: String,
}

impl Extensions {
    /// The sentence for a reason.
    pub(crate) const fn of(&self, why: Extension) -> &String {
        match why {
            Extension::Complexity => &self.complexity,
            Extension::NumberOfRequests => &self.number_of_requests,
        }
    }
}

/// Why a request is not carried out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Denials {
    suspected_fraud: String,
    insuf_verification: String,
    no_match: String,
    claim_not_covered: String,
    outside_jurisdiction: String,
    too_many_requests: String,
    other: String,
}

impl Denials {
    /// The sentence for a reason.
    pub(crate) const fn of(&self, why: Denial) -> &String {
        match why {
            Denial::SuspectedFraud => &self.suspected_fraud,
            Denial::InsufficientVerification => &self.insuf_verification,
            Denial::NoMatch => &self.no_match,
            Denial::ClaimNotCovered => &self.claim_not_covered,
            Denial::OutsideJurisdiction => &self.outside_jurisdiction,
            Denial::TooManyRequests => &self.too_many_requests,
            Denial::Other => &self.other,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) notice: Vec<String>,
    pub(crate) legend: String,
    pub(crate) agree: String,
    pub(crate) agree_hint: String,
    pub(crate) submit: String,
    pub(crate) nothing: String,
    pub(crate) not_ticked: String,
    pub(crate) stop: String,
    pub(crate) confirmed: Plain,
    pub(crate) already: Plain,
    pub(crate) over: Plain,
    pub(crate) automatic: Plain,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribe {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) legend: String,
    pub(crate) marketing: String,
    pub(crate) marketing_hint: String,
    pub(crate) everything: String,
    pub(crate) everything_hint: String,
    pub(crate) submit: String,
    pub(crate) more: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribed {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) again: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preferences {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) on: String,
    pub(crate) off: String,
    pub(crate) some_topics: String,
    pub(crate) contract_only: String,
    pub(crate) renew_due: String,
    pub(crate) requested: String,
    pub(crate) expired: String,
    pub(crate) invalidated: String,
    pub(crate) refused: String,
    pub(crate) suspended: String,
    pub(crate) switched_off: String,
    pub(crate) unknown: String,
    pub(crate) stopped: String,
    pub(crate) stop_marketing: String,
    pub(crate) stop_utility: String,
    pub(crate) stop_everything: String,
    pub(crate) stop_topic: String,
    pub(crate) again_marketing: String,
    pub(crate) again_utility: String,
    pub(crate) again_topic: String,
    pub(crate) again_hint: String,
    pub(crate) always_heading: String,
    pub(crate) always: String,
}

/// What there is, and what is said of it.
pub(crate) trait Row {
    fn pair(&self) -> (&str, &str);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    what: String,
    how_long: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsedFor {
    what: String,
    why: String,
}

impl Row for Stored {
    fn pair(&self) -> (&str, &str) {
        (&self.what, &self.how_long)
    }
}

impl Row for UsedFor {
    fn pair(&self) -> (&str, &str) {
        (&self.what, &self.why)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataClasses {
    identifiers: String,
    profile_names: String,
    message_content: String,
    media: String,
    delivery_status: String,
    consent_records: String,
    technical_logs: String,
}

impl DataClasses {
    /// The words for a class.
    pub(crate) fn of(&self, class: DataClass) -> &str {
        match class {
            DataClass::Identifiers => &self.identifiers,
            DataClass::ProfileNames => &self.profile_names,
            DataClass::MessageContent => &self.message_content,
            DataClass::Media => &self.media,
            DataClass::DeliveryStatus => &self.delivery_status,
            DataClass::ConsentRecords => &self.consent_records,
            DataClass::TechnicalLogs => &self.technical_logs,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfers {
    not_transferred: String,
    adequacy_decision: String,
    standard_contractual_clauses: String,
    binding_corporate_rules: String,
    certification: String,
}

impl Transfers {
    /// The words for what a transfer rests on.
    pub(crate) fn of(&self, instrument: TransferInstrument) -> &str {
        match instrument {
            TransferInstrument::NotTransferred => &self.not_transferred,
            TransferInstrument::AdequacyDecision => &self.adequacy_decision,
            TransferInstrument::StandardContractualClauses => &self.standard_contractual_clauses,
            TransferInstrument::BindingCorporateRules => &self.binding_corporate_rules,
            TransferInstrument::Certification => &self.certification,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privacy {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) contents_label: String,
    pub(crate) responsible_heading: String,
    pub(crate) responsible: String,
    pub(crate) name_label: String,
    pub(crate) address_label: String,
    pub(crate) questions_label: String,
    pub(crate) officer_heading: String,
    pub(crate) email_label: String,
    pub(crate) telephone_label: String,
    pub(crate) hours_label: String,
    pub(crate) purposes_heading: String,
    pub(crate) purposes: Vec<UsedFor>,
    pub(crate) stored_heading: String,
    pub(crate) stored: Vec<Stored>,
    pub(crate) recipients_heading: String,
    pub(crate) recipients: String,
    pub(crate) transport: String,
    pub(crate) seen_label: String,
    pub(crate) where_label: String,
    pub(crate) transfer_label: String,
    pub(crate) contract_label: String,
    pub(crate) engages_label: String,
    pub(crate) certificates_label: String,
    pub(crate) valid_until: String,
    pub(crate) data_classes: DataClasses,
    pub(crate) transfers: Transfers,
    pub(crate) regions_heading: String,
    pub(crate) regions: String,
    pub(crate) rights_heading: String,
    pub(crate) rights: Vec<String>,
    pub(crate) contacts_heading: String,
    pub(crate) contacts: String,
    pub(crate) authorities_heading: String,
    pub(crate) authorities: String,
    pub(crate) authority_anywhere: String,
    pub(crate) security_heading: String,
    pub(crate) security: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoNotSell {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) signal_heading: String,
    pub(crate) honoured: String,
    pub(crate) honoured_text: String,
    pub(crate) absent: String,
    pub(crate) absent_text: String,
    pub(crate) note: String,
    pub(crate) noted: String,
    pub(crate) more_heading: String,
    pub(crate) more: Vec<String>,
}

/// Every word of the pages in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) language: About,
    pub(crate) common: Common,
    pub(crate) opt_in: OptIn,
    pub(crate) confirm: Confirm,
    pub(crate) link: Link,
    pub(crate) unsubscribe: Unsubscribe,
    pub(crate) unsubscribed: Unsubscribed,
    pub(crate) preferences: Preferences,
    pub(crate) privacy: Privacy,
    pub(crate) do_not_sell: DoNotSell,
    pub(crate) requests: Requests,
    pub(crate) request: Request,
    pub(crate) copy: Copy,
    not_found: Plain,
    method_not_allowed: Plain,
    too_large: Plain,
    wrong_type: Plain,
    cross_site: Plain,
    unavailable: Plain,
}

impl Texts {
    /// The words for a refusal.
    pub(crate) const fn refusal(&self, refused: Refused) -> &Plain {
        match refused {
            Refused::NotFound => &self.not_found,
            Refused::Method(_) => &self.method_not_allowed,
            Refused::TooLarge => &self.too_large,
            Refused::WrongType => &self.wrong_type,
            Refused::CrossSite => &self.cross_site,
            Refused::Unavailable => &self.unavailable,
        }
    }
}
