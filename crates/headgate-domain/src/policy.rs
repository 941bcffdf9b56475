//! Policy: may this message go to this person now? (R-205, R-302, R-314)
//!
//! `authorize` is the one place that says yes. It is asked when a message is accepted and again
//! when it is claimed, with what is known at that moment, so an opt-out takes effect on everything
//! not yet on the wire (invariant I8). A yes is a [`SendPermit`], which nothing else can make.

use crate::config::{Config, TemplateStatus};
use crate::consent::{State, Subject};
use crate::lane::Purpose;
use crate::outbound::{Basis, Kind};
use crate::refusal::{Code, Refusal};
use crate::time::{HOUR, MINUTE, Timestamp};

/// The customer service window: 24 hours from the person's last message (whatsapp-cloud-api.md 3).
pub const SERVICE_WINDOW_MS: i64 = 24 * HOUR;
/// How old the person's own action behind an authentication message may be (decisions.md).
pub const USER_ACTION_MS: i64 = 15 * MINUTE;
/// How far a producer's clock may run ahead of ours.
const CLOCK_SKEW_MS: i64 = 5 * MINUTE;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the message is for.
    pub purpose: Purpose,
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
    /// The person.
    pub subject: &'a Subject,
    /// Purposes that a suppression entry of any of the person's identifiers covers.
    pub suppressed: &'a [Purpose],
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
/// The [`Refusal`], with a code from the closed list.
pub fn authorize(
    request: &Request<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<SendPermit, Refusal> {
    if request.expires_at <= now {
        return Err(Code::Expired.into());
    }
    template(request, facts.config)?;
    // The action is what the app says it is, so it opens the way for a code and for nothing else.
    if request.purpose == Purpose::Authentication && !matches!(request.kind, Kind::Template { .. })
    {
        return Err(Refusal::at(
            Code::PurposeMismatch,
            "message.type",
            "must be template on the authentication lane",
        ));
    }
    if facts.suppressed.contains(&request.purpose) || has_refused_utility(request, facts) {
        return Err(Code::Suppressed.into());
    }
    if request.purpose == Purpose::Marketing && facts.subject.meta_stop {
        return Err(Code::MetaStopped.into());
    }
    let window_open = facts
        .subject
        .last_inbound_at
        .is_some_and(|at| now.millis_since(at) < SERVICE_WINDOW_MS);
    let consent_event = match request.purpose {
        Purpose::Authentication => user_action(request)?,
        Purpose::Service if window_open => None,
        Purpose::Service => return Err(Code::WindowClosed.into()),
        Purpose::Utility | Purpose::Marketing => consent(request, facts.subject)?,
    };
    // An open window does not stand in for consent, and consent does not open a window.
    if matches!(request.kind, Kind::FreeForm) && !window_open {
        return Err(Code::WindowClosed.into());
    }
    Ok(SendPermit {
        consent_event,
        _made_by_authorize: (),
    })
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
        Basis::Consent | Basis::Contract { .. } => Err(Code::NoUserAction.into()),
    }
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

/// A business-initiated message needs a recorded yes. A contract carries a utility message only for
/// a person who has opted in to *something* from this business: Meta's own opt-in rule (compliance.md 1.3).
fn consent(request: &Request<'_>, subject: &Subject) -> Result<Option<String>, Refusal> {
    match subject.consent(request.purpose) {
        Some(c) if c.state == State::Given => return Ok(Some(c.event.clone())),
        Some(c) if c.state == State::Withdrawn => return Err(Code::Suppressed.into()),
        Some(_) | None => {}
    }
    if let Basis::Contract { .. } = request.basis
        && request.purpose == Purpose::Utility
        && subject.has_any_consent()
    {
        let any = subject
            .consents
            .iter()
            .flatten()
            .find(|c| c.state == State::Given);
        return Ok(any.map(|c| c.event.clone()));
    }
    match subject.consent(request.purpose) {
        Some(_requested) => Err(Code::ConsentUnconfirmed.into()),
        None => Err(Code::NoConsent.into()),
    }
}

fn template(request: &Request<'_>, config: &Config) -> Result<(), Refusal> {
    let Kind::Template {
        name,
        language,
        body_parameters,
    } = request.kind
    else {
        return Ok(());
    };
    let template = config
        .template(name, language)
        .ok_or(Code::TemplateUnknown)?;
    match template.status {
        TemplateStatus::Approved => {}
        TemplateStatus::Pending => return Err(Code::TemplateUnapproved.into()),
        TemplateStatus::Paused => return Err(Code::TemplatePaused.into()),
        TemplateStatus::Disabled => return Err(Code::TemplateDisabled.into()),
        TemplateStatus::Parked => return Err(Code::TemplateParked.into()),
    }
    if !template.category.is_allowed_for(request.purpose) {
        return Err(Code::PurposeMismatch.into());
    }
    if template.body_parameters != *body_parameters {
        return Err(Refusal::at(
            Code::TemplateParameters,
            "message.template.components",
            "the body's number of parameters differs from the template's",
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
