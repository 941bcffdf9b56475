//! The one message to an imported person: what it rests on (R-402, ADR 0031).
//!
//! It rests on the request that an approved file made, which is no yes. So everything that may have changed
//! since it was put on its way is asked again: the setting, the wording, the number's quality, and whether
//! the request still stands.

use super::{Facts, Request};
use crate::consent::State;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;

/// Rule 7 for it: the ledger event of the request.
pub(super) fn requested(
    request: &Request<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<Option<String>, Refusal> {
    let asked = facts
        .subject
        .asked
        .as_ref()
        .filter(|asked| asked.is_of_import() && asked.purpose == request.purpose);
    let asked = asked.filter(|asked| asked.is_open(now)).ok_or(Refusal::at(
        Code::NoConsent,
        "question",
        "is not the one that is open with this person",
    ))?;
    if facts.config.import_text(&asked.notice).is_none() {
        return Err(Refusal::at(
            Code::NoConsent,
            "question.notice",
            "is not that of consents.import_message any more: it was changed or switched off meanwhile",
        ));
    }
    if facts.live.has_lost_quality(request.number) {
        return Err(Refusal::at(
            Code::NumberPaused,
            "from",
            "has lost quality at Meta: nobody is asked on the word of a file until it is green again",
        ));
    }
    let open = asked
        .each()
        .filter_map(|topic| facts.subject.deciding(asked.purpose, topic))
        .find(|consent| consent.state == State::Requested);
    match open {
        Some(consent) => Ok(Some(consent.event.clone())),
        None => Err(Code::NoConsent.into()),
    }
}
