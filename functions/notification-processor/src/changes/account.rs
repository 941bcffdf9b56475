//! Notices about the whole account: bans, restrictions, reviews, alerts (docs/notifications.md).
//!
//! Owns what each stops. The end of a ban is written as a halt that ends now, so that sending
//! resumes by the ramp and not at once.

use headgate_aws::controls::Cause;
use headgate_domain::lane::Purpose;
use headgate_domain::live::Pause;
use headgate_domain::time::Timestamp;

use super::value::Fields;
use super::{Change, unknown};

/// What a business starts with a template, in Meta's sense of the word.
const BY_TEMPLATE: [Purpose; 3] = [
    Purpose::Authentication,
    Purpose::Utility,
    Purpose::Marketing,
];

fn pause(reason: &str, since: Timestamp, until: Option<Timestamp>) -> Pause {
    Pause {
        reason: reason.to_owned(),
        since,
        until,
    }
}

fn ban(reason: &str, at: Timestamp) -> Vec<Change> {
    vec![
        Change::Account(Cause::Ban, Some(pause(reason, at, None))),
        Change::Attention("account_banned"),
    ]
}

fn lifted(reason: &str, at: Timestamp) -> Vec<Change> {
    let over = pause(reason, at, Some(at));
    vec![
        Change::Account(Cause::Ban, Some(over)),
        Change::Attention("account_reinstated"),
    ]
}

pub(super) fn update(fields: &Fields, at: Timestamp) -> Vec<Change> {
    match fields.word("event").as_deref() {
        Some("ACCOUNT_DELETED") => ban("account_deleted", at),
        Some("ACCOUNT_OFFBOARDED") => ban("account_offboarded", at),
        Some("PARTNER_APP_UNINSTALLED") => ban("account_app_uninstalled", at),
        Some("ACCOUNT_RECONNECTED") => lifted("account_reconnected", at),
        Some("DISABLED_UPDATE") => match fields.word("ban_info.waba_ban_state").as_deref() {
            Some("DISABLE") => ban("account_disabled", at),
            Some("REINSTATE") => lifted("account_reinstated", at),
            Some("SCHEDULE_FOR_DISABLE") => vec![Change::Attention("account_ban_scheduled")],
            other => vec![unknown(other)],
        },
        Some("ACCOUNT_RESTRICTION") => restrictions(fields, at),
        Some("ACCOUNT_VIOLATION") => vec![Change::Attention("account_violation")],
        Some(
            "AD_ACCOUNT_LINKED"
            | "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE"
            | "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE"
            | "MM_LITE_TERMS_SIGNED"
            | "PARTNER_ADDED"
            | "PARTNER_REMOVED"
            | "PARTNER_APP_INSTALLED"
            | "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE"
            | "VOLUME_BASED_PRICING_TIER_UPDATE",
        ) => Vec::new(),
        other => vec![unknown(other)],
    }
}

/// Each restriction stops what it names, until Meta's date; without one, until somebody lifts it.
fn restrictions(fields: &Fields, at: Timestamp) -> Vec<Change> {
    let mut changes = vec![Change::Attention("account_restricted")];
    for restriction in fields.list("restriction_info") {
        let until = restriction.moment("expiration");
        let halt = pause("account_restricted", at, until);
        let purposes: &[Purpose] = match restriction.word("restriction_type").as_deref() {
            Some("RESTRICTED_CUSTOMER_INITIATED_MESSAGING") => {
                changes.push(Change::Account(Cause::Restriction, Some(halt)));
                continue;
            }
            Some("RESTRICTED_BIZ_INITIATED_MESSAGING") => &BY_TEMPLATE,
            Some("RESTRICTED_UTILITY_TEMPLATES" | "RESTRICTED_DIRECT_SEND_UTILITY_TEMPLATES") => {
                &[Purpose::Utility]
            }
            Some(
                "RESTRICTED_ADD_PHONE_NUMBER_ACTION"
                | "RESTRICTED_BUSINESS_INITIATED_CALLING"
                | "RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING"
                | "RESTRICTED_USER_INITIATED_CALLING"
                | "RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN",
            ) => &[],
            other => {
                changes.push(unknown(other));
                &[]
            }
        };
        for purpose in purposes {
            // Two restrictions may name one purpose; the longer counts.
            let longer = changes.iter_mut().find_map(|change| match change {
                Change::Purpose(named, _cause, Some(pause)) if named == purpose => Some(pause),
                Change::Purpose(..)
                | Change::Number(..)
                | Change::Portfolio(..)
                | Change::Template(..)
                | Change::Account(..)
                | Change::Attention(_)
                | Change::Unknown(_) => None,
            });
            match longer {
                Some(pause) => *pause = pause.clone().longer(halt.clone()),
                None => changes.push(Change::Purpose(
                    *purpose,
                    Cause::Restriction,
                    Some(halt.clone()),
                )),
            }
        }
    }
    changes
}

/// Only an approved account may use the interface; a review that goes on changes nothing.
pub(super) fn review(fields: &Fields, at: Timestamp) -> Vec<Change> {
    match fields.word("decision").as_deref() {
        Some("APPROVED") => vec![Change::Account(Cause::Review, None)],
        Some("REJECTED") => vec![
            Change::Account(Cause::Review, Some(pause("account_rejected", at, None))),
            Change::Attention("account_rejected"),
        ],
        Some("PENDING" | "DEFERRED") => vec![Change::Attention("account_in_review")],
        other => vec![unknown(other)],
    }
}

pub(super) fn alert(fields: &Fields) -> Vec<Change> {
    match fields.word("alert_info.alert_severity").as_deref() {
        Some("CRITICAL") => vec![Change::Attention("account_alert_critical")],
        Some("WARNING") => vec![Change::Attention("account_alert")],
        Some("INFORMATIONAL") => Vec::new(),
        other => vec![unknown(other)],
    }
}
