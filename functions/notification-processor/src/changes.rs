//! What a notice of Meta's changes in the live controls.
//!
//! Owns the table in docs/notifications.md: which field and event restricts what, until when, and
//! what is only worth somebody's attention. Promises that nothing is loosened by a notice that
//! cannot be dated or understood: a word nobody knows is kept and named in the log, and changes
//! nothing. Reads no store and writes none.

use headgate_aws::controls::{Cause, NumberChange, Owner, PortfolioChange, TemplateChange};
use headgate_domain::config::{Category, Config, TemplateStatus};
use headgate_domain::lane::Purpose;
use headgate_domain::live::{Pause, Quality};
use headgate_domain::time::{DAY, Timestamp};
use headgate_webhook::notification::Other;

mod account;
mod value;

use value::{Fields, word};

/// Messages a second after Meta's upgrade.
const UPGRADED: u32 = 1000;
/// How long a word about bad quality stops marketing; then the risk score is alone with it.
const FLAGGED_MS: i64 = DAY;

/// One thing to be written or said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// To a number.
    Number(String, NumberChange),
    /// To a portfolio.
    Portfolio(String, PortfolioChange),
    /// To a template, by name and language.
    Template(String, String, TemplateChange),
    /// To everything.
    Account(Cause, Option<Pause>),
    /// To a purpose.
    Purpose(Purpose, Cause, Option<Pause>),
    /// Somebody should look; a code of ours.
    Attention(&'static str),
    /// A word we do not know, of the named field.
    Unknown(String),
}

impl Change {
    /// Whether it lets more be sent than before; such a change needs a date.
    fn loosens(&self, at: Timestamp) -> bool {
        let lifts = |pause: &Option<Pause>| !pause.as_ref().is_some_and(|pause| pause.holds(at));
        match self {
            Self::Number(
                _,
                NumberChange::Pause(_, pause) | NumberChange::MarketingPause(_, pause),
            )
            | Self::Portfolio(_, PortfolioChange::Pause(_, pause))
            | Self::Account(_, pause)
            | Self::Purpose(_, _, pause) => lifts(pause),
            Self::Number(_, NumberChange::Quality(quality)) => *quality == Quality::Green,
            Self::Number(_, NumberChange::PerSecond(_) | NumberChange::Share(_))
            | Self::Portfolio(_, PortfolioChange::Tier(_)) => true,
            Self::Template(_, _, TemplateChange::Status(status)) => {
                *status == TemplateStatus::Approved
            }
            Self::Template(_, _, TemplateChange::Category(category)) => {
                *category != Category::Marketing
            }
            Self::Attention(_) | Self::Unknown(_) => false,
        }
    }
}

/// What a notice changes, and the moment it counts from. The moment is Meta's, but never after ours:
/// a date in the future would shut out everything that follows.
pub(crate) fn of(notice: &Other, config: &Config, now: Timestamp) -> (Timestamp, Vec<Change>) {
    let at = notice.at.map_or(now, |at| at.min(now));
    if notice.word() == "unknown_field" {
        // Its name is what there is to keep.
        return (at, vec![unknown(Some(&notice.field))]);
    }
    let Some(fields) = Fields::read(notice.value.reveal()) else {
        return (at, vec![Change::Attention("notice_unreadable")]);
    };
    let mut changes = by_field(notice.word(), &fields, config, at);
    if notice.at.is_none() {
        let all = changes.len();
        changes.retain(|change| !change.loosens(at));
        if changes.len() < all {
            changes.push(Change::Attention("notice_undated"));
        }
    }
    (at, changes)
}

fn by_field(field: &str, fields: &Fields, config: &Config, at: Timestamp) -> Vec<Change> {
    match field {
        "account_update" => account::update(fields, at),
        "account_review_update" => account::review(fields, at),
        "account_alerts" => account::alert(fields),
        "phone_number_quality_update" => number(fields, config, at),
        "business_capability_update" => capability(fields, config),
        "message_template_status_update" | "message_template_quality_update" => template(fields),
        "template_category_update" => category(fields),
        "message_template_components_update" => {
            vec![Change::Attention("template_components_changed")]
        }
        "security" => vec![Change::Attention("number_pin_changed")],
        "messages" if !fields.list("errors").is_empty() => {
            vec![Change::Attention("number_reports_errors")]
        }
        "messages.statuses" => vec![unknown(fields.word("status").as_deref())],
        "user_preferences" => preference(fields),
        _ => Vec::new(),
    }
}

/// One that is neither stop nor resume. A sign-up in WhatsApp is no consent: nobody knows its wording.
fn preference(fields: &Fields) -> Vec<Change> {
    match fields.word("value").as_deref() {
        Some("SIGNUP" | "RESUME") => Vec::new(),
        other => vec![unknown(other)],
    }
}

/// Since October 2025 this tells the speed, not the quality; the older words are still understood.
fn number(fields: &Fields, config: &Config, at: Timestamp) -> Vec<Change> {
    let dialled = fields.digits("display_phone_number");
    let Some(number) = config
        .numbers
        .iter()
        .find(|number| value::digits(&number.display) == dialled)
    else {
        return vec![Change::Attention("number_unknown")];
    };
    let mut changes = Vec::new();
    let mut change = |change| changes.push(Change::Number(number.id.clone(), change));
    let meta = Owner::Meta(Cause::Quality);
    match fields.word("event").as_deref() {
        Some("THROUGHPUT_UPGRADE") => change(NumberChange::PerSecond(UPGRADED)),
        Some("FLAGGED") => {
            change(NumberChange::Quality(Quality::Red));
            let pause = Pause {
                reason: "quality_red".into(),
                since: at,
                until: Some(at.plus_millis(FLAGGED_MS)),
            };
            change(NumberChange::MarketingPause(meta, Some(pause)));
        }
        Some("UNFLAGGED") => {
            change(NumberChange::Quality(Quality::Green));
            change(NumberChange::MarketingPause(meta, None));
        }
        Some("ONBOARDING" | "UPGRADE" | "DOWNGRADE") => {}
        other => changes.push(unknown(other)),
    }
    let tier = fields
        .known("max_daily_conversations_per_business")
        .or_else(|| fields.known("current_limit"));
    changes.extend(tier.map(|tier| limit(&number.portfolio, tier)));
    changes
}

/// A limit is the portfolio's, and the notice names the account only: with several portfolios it could be any.
fn capability(fields: &Fields, config: &Config) -> Vec<Change> {
    let Some(tier) = fields.known("max_daily_conversations_per_business") else {
        return Vec::new();
    };
    match config.portfolios().as_slice() {
        [only] => vec![limit(only, tier)],
        _ => vec![Change::Attention("portfolio_ambiguous")],
    }
}

fn limit(portfolio: &str, tier: &serde_json::Value) -> Change {
    match value::tier(tier) {
        Some(tier) => Change::Portfolio(portfolio.to_owned(), PortfolioChange::Tier(tier)),
        None => Change::Unknown(word(tier.as_str().unwrap_or("limit"))),
    }
}

fn template(fields: &Fields) -> Vec<Change> {
    let Some((name, language)) = fields.template() else {
        return vec![Change::Attention("template_unnamed")];
    };
    let mut changes = Vec::new();
    let mut change =
        |change| changes.push(Change::Template(name.clone(), language.clone(), change));
    let title = fields.word("other_info.title");
    let event = match title.as_deref() {
        // The title says what the event is about; an end of a pause is never called one.
        Some("UNPAUSE") => Some("APPROVED".to_owned()),
        _ => fields.word("event"),
    };
    match event.as_deref() {
        Some("APPROVED" | "REINSTATED" | "UNARCHIVED") => {
            change(TemplateChange::Status(TemplateStatus::Approved));
            match fields.word("message_template_category").as_deref() {
                None => {}
                Some(word) => match value::category(word) {
                    Some(category) => change(TemplateChange::Category(category)),
                    None => changes.push(unknown(Some(word))),
                },
            }
        }
        Some("PENDING" | "IN_APPEAL" | "REJECTED") => {
            change(TemplateChange::Status(TemplateStatus::Pending));
        }
        Some("PAUSED") => change(TemplateChange::Status(TemplateStatus::Paused)),
        Some("DISABLED" | "DELETED" | "PENDING_DELETION" | "ARCHIVED") => {
            change(TemplateChange::Status(TemplateStatus::Disabled));
        }
        Some("FLAGGED") => changes.push(Change::Attention("template_flagged")),
        Some("LOCKED" | "LIMIT_EXCEEDED") => {}
        // Meta's own example of a quality update carries the other field's name.
        None => changes.extend(quality(fields)),
        other => changes.push(unknown(other)),
    }
    changes
}

/// Meta pauses a bad template itself and says so; a red score comes before.
fn quality(fields: &Fields) -> Option<Change> {
    match fields.word("new_quality_score").as_deref() {
        Some("RED") => Some(Change::Attention("template_quality_red")),
        Some("GREEN" | "YELLOW" | "UNKNOWN") => None,
        other => Some(unknown(other)),
    }
}

fn category(fields: &Fields) -> Vec<Change> {
    let Some((name, language)) = fields.template() else {
        return vec![Change::Attention("template_unnamed")];
    };
    // The announcement names the category to come as the correct one, and as the new one that of today.
    if fields.word("previous_category").is_none() {
        return vec![Change::Attention("template_category_announced")];
    }
    let new = fields.word("new_category");
    match new.as_deref().and_then(value::category) {
        Some(category) => vec![
            Change::Template(name, language, TemplateChange::Category(category)),
            Change::Attention("template_category_changed"),
        ],
        None => vec![unknown(new.as_deref())],
    }
}

fn unknown(found: Option<&str>) -> Change {
    Change::Unknown(word(found.unwrap_or("none")))
}

#[cfg(test)]
mod tests;
