//! Meta's error codes, by what they mean for a send.
//!
//! Owns the table of Meta's page of error codes, as it was read on 2026-09-11: every
//! documented code has a row, and what has no row is unknown. Meta asks to go by the code, not by
//! the HTTP status or the text. What each class leads to is in `outcome`.
//! docs/reference/graph-codes.md is written from it; data/codes.tsv lists, apart from it, what it
//! has to hold. It also serves for the failures that come in status notifications.

use std::time::Duration;

use crate::rest::{Rest, Scope};

/// What a code means for the message that got it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Too fast for the number; not accepted.
    Throttled,
    /// Too fast for the person; not accepted.
    Pair,
    /// Too many calls; not accepted.
    AppLimit,
    /// Token or permission; not looked at.
    Credential,
    /// Trouble on Meta's side; the message may have gone out.
    Trouble,
    /// The number is being upgraded, for a minute at most; the message may have gone out.
    Maintenance,
    /// A documented no.
    Refused,
}

impl Class {
    /// The class in a word for records and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Pair => "pair",
            Self::AppLimit => "app_limit",
            Self::Credential => "credential",
            Self::Trouble => "trouble",
            Self::Maintenance => "maintenance",
            Self::Refused => "refused",
        }
    }
}

/// What the documentation says about a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meaning {
    /// What it means for the message.
    pub class: Class,
    /// Whom it concerns.
    pub scope: Scope,
    /// What should rest because of it.
    pub rest: Option<Rest>,
}

/// A code or a documented run of them.
pub(crate) struct Row {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) meaning: Meaning,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the page made from the table")
    )]
    pub(crate) says: &'static str,
}

/// What a code means; `None` when it is not documented.
pub fn meaning(code: u32) -> Option<Meaning> {
    let after = TABLE.partition_point(|row| row.first <= code);
    let row = TABLE.get(after.checked_sub(1)?)?;
    (code <= row.last).then_some(row.meaning)
}

/// "at least 24 hours, growing".
const COOL_DOWN: Option<Rest> = Some(Rest::PersonMarketing {
    at_least: Duration::from_hours(24),
});
/// "for hours": Meta says no number; a fast retry makes it worse.
const SPAM: Option<Rest> = Some(Rest::NumberMarketing {
    at_least: Duration::from_hours(4),
});
/// Meta learns a new template within ten minutes.
const SYNCING: Option<Rest> = Some(Rest::TemplateSyncing {
    at_least: Duration::from_mins(10),
});
/// A slowed flow may be sent ten times an hour.
const SLOWED: Option<Rest> = Some(Rest::TemplateSyncing {
    at_least: Duration::from_hours(1),
});
/// Graph's general limits are counted over an hour; Meta tells no end.
const ASKS_TOO_MUCH: Option<Rest> = Some(Rest::App {
    at_least: Duration::from_mins(5),
});

macro_rules! table {
    ($($first:literal $(to $last:literal)?: $class:ident $scope:ident $rest:expr, $says:literal;)*) => {
        &[$(Row {
            first: $first,
            last: { let _first: u32 = $first; $(let _first: u32 = $last;)? _first },
            meaning: Meaning { class: Class::$class, scope: Scope::$scope, rest: $rest },
            says: $says,
        }),*]
    };
}

/// Every documented code, in order.
pub(crate) const TABLE: &[Row] = table! {
    0: Credential Credential None, "token expired, withdrawn, or the app is blocked";
    1: Trouble Message None, "unknown: invalid request or server error";
    2: Trouble Message None, "Meta is down or overloaded for a moment";
    3: Credential Credential None, "capability or permission";
    4: AppLimit App None, "the app calls too often";
    10: Credential Credential None, "permission not granted, or taken away";
    17: Refused App ASKS_TOO_MUCH, "general Graph rate limit of a user";
    32: Refused App ASKS_TOO_MUCH, "general Graph rate limit of a page";
    33: Refused Number Some(Rest::Number), "the phone number id does not exist any more";
    100: Refused Message None, "unsupported or misspelt parameter, length, or mismatch of ids";
    102: Credential Credential None, "no session";
    104: Credential Credential None, "token missing";
    190: Credential Credential None, "token invalid or expired";
    200 to 299: Credential Credential None, "permission missing";
    368: Refused Account Some(Rest::Account), "account restricted or disabled for a policy";
    613: Refused App ASKS_TOO_MUCH, "general Graph rate limit of a call";
    80_007: AppLimit Account None, "the account calls too often";
    80_008: Refused Account None, "the account manages too often; sends go on";
    130_403: Refused Recipient Some(Rest::PersonBlocked), "the business has blocked this person";
    130_429: Throttled Number None, "the number sends too fast";
    130_472: Refused Recipient COOL_DOWN, "the person is in an experiment of Meta's with marketing";
    130_497: Refused Recipient Some(Rest::Country), "the account may not write to people of this country";
    131_000: Trouble Message None, "something went wrong";
    131_005: Credential Credential None, "access denied";
    131_008: Refused Message None, "a parameter is missing";
    131_009: Refused Message None, "a parameter is invalid";
    131_016: Trouble Message None, "service unavailable";
    131_020: Refused Message None, "groups";
    131_021: Refused Message None, "the recipient is the sender";
    131_026: Refused Recipient Some(Rest::PersonUnreachable), "undeliverable: not on WhatsApp, old app, or terms not accepted";
    131_030: Refused Recipient None, "the recipient is not on the list of a test number";
    131_031: Refused Account Some(Rest::Account), "account locked for a policy, or two-step PIN mismatch";
    131_035: Refused Number None, "No Storage: a notification was lost";
    131_036: Refused Message None, "No Storage: the content is gone";
    131_037: Refused Number Some(Rest::Number), "display name of a 555 number not approved";
    131_041: Refused Message None, "groups";
    131_042: Refused Account Some(Rest::AccountBilling), "payment or eligibility";
    131_044: Refused Account None, "payment for calling";
    131_045: Refused Number Some(Rest::Number), "the number's registration is at fault";
    131_047: Refused Message None, "more than 24 hours since the person wrote";
    131_048: Refused Number SPAM, "too many people block or report the number";
    131_049: Refused Recipient COOL_DOWN, "the person has had enough marketing for now";
    131_050: Refused Recipient Some(Rest::PersonStoppedMarketing), "the person stopped marketing";
    131_051: Refused Message None, "message type not supported";
    131_052: Refused Message None, "the person's media cannot be downloaded";
    131_053: Refused Message None, "media cannot be uploaded";
    131_055: Refused Message None, "method not allowed";
    131_056: Pair Recipient None, "too many messages to this person in a short time";
    131_057: Maintenance Number None, "the number is being upgraded";
    131_059: Refused Message None, "bad cursor";
    131_062: Refused Message None, "this message needs a phone number, not a user id";
    131_063: Refused Template None, "marketing templates are switched off on this endpoint";
    131_064: Refused Account Some(Rest::AccountTemplates), "limited for templates in the wrong category";
    131_200 to 131_299: Refused Message None, "groups";
    132_000: Refused Message None, "number of template parameters";
    132_001: Refused Template Some(Rest::TemplateMissing), "template missing in that language, or not approved";
    132_005: Refused Message None, "the text with its parameters is too long";
    132_007: Refused Template Some(Rest::TemplateDisabled), "the template's content is against a policy";
    132_012: Refused Message None, "format of a template parameter";
    132_015: Refused Template Some(Rest::TemplatePaused), "template paused";
    132_016: Refused Template Some(Rest::TemplateDisabled), "template disabled";
    132_018: Refused Message None, "a template parameter is not valid";
    132_068: Refused Template Some(Rest::TemplateDisabled), "the template's flow is blocked";
    132_069: Refused Template SLOWED, "the template's flow is slowed down";
    133_000: Refused Number None, "an earlier deregistration failed";
    133_004: Trouble Message None, "server unavailable for a moment";
    133_005: Refused Number None, "two-step PIN wrong";
    133_006: Refused Number None, "the number must be verified first";
    133_008: Refused Number None, "too many two-step PINs tried";
    133_009: Refused Number None, "two-step PIN entered too fast";
    133_010: Refused Number Some(Rest::Number), "the number is not registered";
    133_015: Refused Number None, "the number was deleted a moment ago";
    133_016: Refused Number None, "registered and deregistered too often";
    134_011: Refused Account None, "terms of payments not accepted";
    134_100: Refused Template None, "only marketing on this endpoint";
    134_101: Refused Template SYNCING, "Meta is still learning the template";
    134_102: Refused Template None, "template not available on this endpoint";
    135_000: Refused Message None, "an error in the request's parameters";
    136_024: Refused Number None, "verification code";
    136_025: Refused Number None, "verification code";
    137_000: Refused Recipient Some(Rest::IdentityChanged), "the person's identity key is another one now";
    138_000 to 138_099: Refused Message None, "calling";
    139_000 to 139_099: Refused Message None, "flows";
    139_100 to 139_103: Refused Account None, "list of blocked people";
    147_001 to 147_005: Refused Number None, "business username";
    1_752_041: Refused Account None, "already set up for marketing messages";
    2_388_012: Refused Number None, "moving a number";
    2_388_019: Refused Account None, "too many templates";
    2_388_039 to 2_388_040: Refused Template None, "format of a new template";
    2_388_047: Refused Template None, "format of a new template";
    2_388_072 to 2_388_073: Refused Template None, "format of a new template";
    2_388_091: Refused Number None, "moving a number";
    2_388_093: Refused Number None, "moving a number";
    2_388_103: Refused Number None, "moving a number";
    2_388_293: Refused Template None, "format of a new template";
    2_388_299: Refused Template None, "format of a new template";
    2_494_100: Refused Number None, "the number is in maintenance";
    2_494_164 to 2_494_179: Refused Account None, "sign-up in the app";
    2_593_107 to 2_593_109: Refused Number None, "synchronising with the app";
};

#[cfg(test)]
mod tests;
