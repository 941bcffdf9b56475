//! Policy: may this message go to this person now? (R-202, R-205, R-302, R-314)
//!
//! `authorize` is the one place that says yes. It is asked when a message is accepted and again
//! when it is claimed, with what is known at that moment, so an opt-out takes effect on everything
//! not yet on the wire (invariant I8). A yes is a [`SendPermit`], which nothing else can make.
//! It does not count people against the portfolio's limit, nor messages against a ceiling: the
//! sender's budget and intake's ceilings do, which alone know what was counted.
//!
//! # The rules, in order
//! The first rule that refuses wins. Only a message that no rule refuses can be told to wait; then the
//! longest wait counts, and its code is given.
//!
//! | # | Rule | Code |
//! |---|---|---|
//! | 1 | it has not expired | `expired` |
//! | 2 | its template is known, in use, of the lane's category, and gets what it takes (R-202) | `template_unknown`, `template_unapproved`, `template_paused`, `template_disabled`, `template_parked`, `purpose_mismatch`, `template_parameters` |
//! | 3 | a code is a template message, a message of our own an answer, or the question to an imported person a template of marketing | `purpose_mismatch` |
//! | 4 | the person has not opted out, here or with Meta's switch; our own answers excepted, but for the questions whether to be written to. Their data is not restricted; messages about their own request excepted (R-311) | `suppressed`, `meta_stopped`, `restricted` |
//! | 5 | the person is who they were when the message was accepted and, for a code, when the number was last proven; our own answers excepted | `identity_changed` |
//! | 6 | Meta delivers the purpose to the person's country, and the person's profiles allow the regions their data is in; our own answers excepted (R-311) | `region_blocked`, `region_not_allowed` |
//! | 7 | no register keeps the person from advertising; the person agreed, asked for the code, has just written (R-313), or stands requested by an approved file whose message is on, from a number of good quality (R-402) | `dnc_unchecked`, `suppressed`, `no_consent`, `consent_unconfirmed`, `identity_changed`, `no_user_action`, `window_closed`, `number_paused` |
//! | 8 | a free-form message has an open window | `window_closed` |
//! | 9 | messages reach the person | `recipient_unreachable` |
//! | 10 | no hour of the day is night everywhere the person may be | `quiet_hours` |
//! | 11 | nothing is paused: account, its sending of the purpose, portfolio, number, its marketing, producer | `account_paused`, `number_paused`, `producer_paused` |
//! | 12 | Meta does not hold marketing back from the person, and no cap is reached | `frequency_cap` |
//! | 13 | it is day where the person is | `quiet_hours` |
//!
//! Rules 1 to 10 refuse; 11 to 13 tell the message to wait. A pause without an end refuses at intake,
//! where the app can be told, and waits at the claim: nothing that was accepted is thrown away by a pause.

mod contract;
mod import;
mod place;
mod wait;

use crate::config::{Config, Number};
use crate::consent::{Asking, Standing, State, Subject, Topic, Validity};
use crate::do_not_call::RegisterCheck;
use crate::lane::Purpose;
use crate::live::Live;
use crate::outbound::{Basis, Kind};
use crate::profiles::{ProcessingRegion, Profiles};
use crate::recent::Recent;
use crate::refusal::{Code, Refusal};
use crate::region::Country;
use crate::system::Kind as System;
use crate::time::{HOUR, MINUTE, Timestamp};

pub use self::wait::{ENDLESS_PAUSE_MS, longest_cap_hours};

/// The customer service window: 24 hours from the person's last message (Meta's rule).
pub const SERVICE_WINDOW_MS: i64 = 24 * HOUR;
/// How old the person's own action behind an authentication message may be.
pub const USER_ACTION_MS: i64 = 15 * MINUTE;
/// How far a producer's clock may run ahead of ours.
const CLOCK_SKEW_MS: i64 = 5 * MINUTE;

/// When a message is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When it is accepted: a no can still be told to the app.
    Intake,
    /// When it is about to be sent.
    Claim,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// When it is asked.
    pub at: Moment,
    /// The number it is sent from.
    pub number: &'a Number,
    /// Where the person is, as far as the address of the message tells ([`Country::of`]).
    pub to: Option<Country>,
    /// What the message is for.
    pub purpose: Purpose,
    /// What it is about within that.
    pub topic: Option<&'a Topic>,
    /// Why it may be sent.
    pub basis: &'a Basis,
    /// What kind of message it is.
    pub kind: &'a Kind,
    /// When it stops being of use.
    pub expires_at: Timestamp,
    /// When it was accepted, or would be.
    pub accepted_at: Timestamp,
    /// Not to be sent before: the person's action is judged as of then, or of acceptance if that is later.
    pub not_before: Option<Timestamp>,
}

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The configuration in force.
    pub config: &'a Config,
    /// What has changed since: pauses, and templates as Meta has them.
    pub live: &'a Live,
    /// The person.
    pub subject: &'a Subject,
    /// Purposes that a suppression entry of any of the person's identifiers covers.
    pub suppressed: &'a [Purpose],
    /// The AWS region the deployment runs in.
    pub region: &'a ProcessingRegion,
    /// What registers said of the person's numbers; needed where [`needs_checks`] says so.
    pub checks: &'a [RegisterCheck],
    /// What the person was sent lately.
    pub recent: &'a Recent,
    /// Who wants it sent: the principal of the producer.
    pub producer: &'a str,
}

/// Why a message may not be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum No {
    /// It may not be sent.
    Refused(Refusal),
    /// It may be sent later, if nothing changes: it is judged again then.
    NotYet {
        /// When to ask again.
        until: Timestamp,
        /// Why it waits.
        code: Code,
    },
}

impl No {
    /// The code, whichever it is.
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::NotYet { code, .. } => *code,
        }
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Code> for No {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// Proof that policy said yes; needed to call Meta, and made only by [`authorize`].
///
/// ```compile_fail
/// let forged = headgate_domain::policy::SendPermit { consent_event: None, _made_by_authorize: () };
/// ```
#[derive(Debug)]
#[must_use]
pub struct SendPermit {
    consent_event: Option<String>,
    _made_by_authorize: (),
}

impl SendPermit {
    /// The ledger event that proves the consent the permit rests on, when it rests on one.
    pub fn consent_event(&self) -> Option<&str> {
        self.consent_event.as_deref()
    }
}

/// Decides whether a message may be sent now; the first rule that says no wins.
///
/// # Errors
/// [`No`]: refused, or not yet, with a code from the closed list.
pub fn authorize(
    request: &Request<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<SendPermit, No> {
    let consent_event = refuse(request, facts, now)?;
    wait::for_its_time(request, facts, now)?;
    Ok(SendPermit {
        consent_event,
        _made_by_authorize: (),
    })
}

/// The ledger event a message rests on that was told to wait, for its record; what it rests on when it
/// is sent is judged then.
pub fn rests_on(request: &Request<'_>, facts: &Facts<'_>, now: Timestamp) -> Option<String> {
    refuse(request, facts, now).ok().flatten()
}

/// Rules 1 to 10: the ledger event a yes would rest on.
fn refuse(
    request: &Request<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<Option<String>, Refusal> {
    if request.expires_at <= now {
        return Err(Code::Expired.into());
    }
    contract::keeps(request, facts)?;
    // The action is what the app says it is, so it opens the way for a code and for nothing else.
    if request.purpose == Purpose::Authentication && !matches!(request.kind, Kind::Template { .. })
    {
        return Err(Refusal::at(
            Code::PurposeMismatch,
            "message.type",
            "must be template on the authentication lane",
        ));
    }
    if let Basis::System { kind } = request.basis
        && !is_in_its_lane(*kind, request)
    {
        return Err(Code::PurposeMismatch.into());
    }
    let said_no =
        facts.suppressed.contains(&request.purpose) || has_refused_utility(request, facts);
    if said_no && !is_answer(request) {
        return Err(Code::Suppressed.into());
    }
    if !may_be_put(request, facts, now) {
        return Err(Code::Suppressed.into());
    }
    if request.purpose == Purpose::Marketing && facts.subject.meta_stop {
        return Err(Code::MetaStopped.into());
    }
    if facts.subject.restricted_at.is_some() && !is_about_their_request(request) {
        return Err(Code::Restricted.into());
    }
    if !is_answer(request) && !is_for_the_same_person(request, facts.subject) {
        return Err(Code::IdentityChanged.into());
    }
    if Profiles::compiled_in().is_blocked(request.purpose, request.to) {
        return Err(Code::RegionBlocked.into());
    }
    let profile = facts.config.profile_of(request.to);
    if !is_answer(request) && !place::is_allowed(request, facts, profile) {
        return Err(Code::RegionNotAllowed.into());
    }
    let window_open = is_window_open(facts.subject, now);
    let consent_event = match request.purpose {
        Purpose::Authentication => user_action(request)?,
        Purpose::Service if window_open => None,
        Purpose::Service => return Err(Code::WindowClosed.into()),
        Purpose::Utility => consent(request, facts, now)?,
        Purpose::Marketing => {
            let is_import = is_import(request);
            let agreed = if is_import {
                import::requested(request, facts, now)
            } else {
                consent(request, facts, now)
            };
            // A no of the person's own is told before a register is asked for; a request is no yes.
            if !matches!(&agreed, Err(refusal) if refusal.code == Code::Suppressed) {
                place::registers(facts, profile, agreed.is_ok() && !is_import, now)?;
            }
            agreed?
        }
    };
    // An open window does not stand in for consent, and consent does not open a window.
    if matches!(request.kind, Kind::FreeForm) && !window_open {
        return Err(Code::WindowClosed.into());
    }
    let unreachable = facts
        .subject
        .health
        .unreachable_until(request.purpose, facts.subject.last_inbound_at);
    if unreachable.is_some_and(|until| wait::earliest(request, now) < until) {
        return Err(Code::RecipientUnreachable.into());
    }
    Ok(consent_event)
}

/// Whether what registers said of a person has to be read before a message to them is judged.
pub fn needs_checks(config: &Config, purpose: Purpose, to: Option<Country>) -> bool {
    purpose == Purpose::Marketing && config.profile_of(to).registers(false).next().is_some()
}

/// Whether the service window is open, for this person: what their predecessor wrote opens nothing.
pub fn is_window_open(subject: &Subject, now: Timestamp) -> bool {
    let changed_at = subject.identity_change.map(|(at, _what)| at);
    subject.last_inbound_at.is_some_and(|at| {
        now.millis_since(at) < SERVICE_WINDOW_MS && changed_at.is_none_or(|changed| at >= changed)
    })
}

/// What was accepted before the person's identity changed was meant for the person before. A code opens
/// an account, so it needs proof that the number is still the account holder's: a consent to
/// authentication that was recorded since.
fn is_for_the_same_person(request: &Request<'_>, subject: &Subject) -> bool {
    if !subject.is_theirs(request.accepted_at) {
        return false;
    }
    request.purpose != Purpose::Authentication
        || subject.identity_change.is_none()
        || subject
            .consent(Purpose::Authentication)
            .is_some_and(|c| c.state == State::Given && subject.is_theirs(c.agreed_at()))
}

fn user_action(request: &Request<'_>) -> Result<Option<String>, Refusal> {
    match request.basis {
        Basis::UserAction { at } => {
            let ahead = at.millis_since(request.accepted_at);
            let judged_at = request
                .not_before
                .map_or(request.accepted_at, |t| t.max(request.accepted_at));
            if ahead <= CLOCK_SKEW_MS && judged_at.millis_since(*at) <= USER_ACTION_MS {
                Ok(None)
            } else {
                Err(Code::NoUserAction.into())
            }
        }
        Basis::Consent | Basis::Contract { .. } | Basis::System { .. } => {
            Err(Code::NoUserAction.into())
        }
    }
}

/// Headgate's own answers to what a person just did: the only messages
/// that reach a person who has opted out, and only in the conversation the person opened.
const fn is_answer(request: &Request<'_>) -> bool {
    matches!(request.basis, Basis::System { .. }) && !is_import(request)
}

/// What Headgate itself says of a request that the person has made.
const fn is_about_their_request(request: &Request<'_>) -> bool {
    match request.basis {
        Basis::System { kind } => kind.is_about_a_request(),
        Basis::Consent | Basis::UserAction { .. } | Basis::Contract { .. } => false,
    }
}

/// The one message to an imported person, which is judged like an app's marketing.
const fn is_import(request: &Request<'_>) -> bool {
    matches!(
        request.basis,
        Basis::System {
            kind: System::ImportConfirmation
        }
    )
}

/// Our own messages are answers, but for the one that is a template of marketing.
fn is_in_its_lane(kind: System, request: &Request<'_>) -> bool {
    let is_template = matches!(request.kind, Kind::Template { .. });
    let is_form = matches!(request.kind, Kind::FreeForm) || is_template;
    request.purpose == kind.lane() && is_form && is_template == (kind == System::ImportConfirmation)
}

/// The questions alone of our own messages do not reach somebody who has said no to what they ask, or has
/// said yes meanwhile.
fn may_be_put(request: &Request<'_>, facts: &Facts<'_>, now: Timestamp) -> bool {
    let is_question = matches!(request.basis, Basis::System { kind } if kind.is_question());
    let asked = facts.subject.asked.as_ref();
    !is_question
        || asked.is_some_and(|asked| {
            let asking = Asking {
                purpose: asked.purpose,
                topics: &asked.topics,
                validity: Validity::of(facts.config.profile_of(request.to)),
                renew: &facts.config.consents.renew_notices,
            };
            facts.subject.may_be_asked(&asking, facts.suppressed, now)
        })
}

/// A template in an open window is a utility message by another lane: a no to those counts there too.
/// An answer in the person's own conversation is not one.
fn has_refused_utility(request: &Request<'_>, facts: &Facts<'_>) -> bool {
    request.purpose == Purpose::Service
        && matches!(request.kind, Kind::Template { .. })
        && (facts.suppressed.contains(&Purpose::Utility)
            || facts
                .subject
                .consent(Purpose::Utility)
                .is_some_and(|c| c.state == State::Withdrawn))
}

/// A business-initiated message needs a recorded yes that still holds. A contract carries a utility message
/// only for a person who has opted in to *something* from this business: Meta's own opt-in rule
/// (docs/consent.md).
fn consent(
    request: &Request<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<Option<String>, Refusal> {
    let standing = facts.subject.standing(
        request.purpose,
        request.topic,
        Validity::of(facts.config.profile_of(request.to)),
        &facts.config.consents.renew_notices,
        now,
    );
    let at_purpose = |reason| Refusal::at(Code::NoConsent, "purpose", reason);
    let refusal = match standing {
        Standing::Given(event) | Standing::RenewDue(event) => return Ok(Some(event)),
        Standing::Withdrawn => return Err(Code::Suppressed.into()),
        Standing::Suspended => Code::IdentityChanged.into(),
        Standing::Requested => Code::ConsentUnconfirmed.into(),
        Standing::Unknown => Code::NoConsent.into(),
        Standing::Expired => {
            at_purpose("was agreed to, and that has expired: ask the person again")
        }
        Standing::Refused => at_purpose("was asked about, and the person said no"),
        Standing::Invalidated => {
            at_purpose("was agreed to, and that turned out to be no consent: ask the person again")
        }
    };
    if let Basis::Contract { .. } = request.basis
        && request.purpose == Purpose::Utility
        && let Some(any) = facts.subject.any_consent()
    {
        return Ok(Some(any.event.clone()));
    }
    Err(refusal)
}

#[cfg(test)]
mod tests;
