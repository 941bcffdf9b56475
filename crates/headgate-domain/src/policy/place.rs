//! The rules about where a person's data may be and whom a register keeps from advertising.
//!
//! Owns rules 6 and 7 as far as the person's profiles make them. Reads what the deployment declared and
//! what the registers said; it asks no register, and takes the deployment's word for its transfers.

use super::{Facts, Request};
use crate::do_not_call::{Verdict, verdict};
use crate::profiles::{EffectiveProfile, Profiles};
use crate::refusal::Code;
use crate::time::Timestamp;

/// Whether every profile of the person allows the deployment's region, and the one Meta stores the number's
/// messages in, each by itself or by a recorded transfer.
pub(super) fn is_allowed(
    request: &Request<'_>,
    facts: &Facts<'_>,
    profile: EffectiveProfile,
) -> bool {
    let stored = request.number.storage;
    let stored = stored.and_then(|s| Profiles::compiled_in().meta_storage(s));
    std::iter::once(facts.region).chain(stored).all(|region| {
        profile
            .forbidding(region)
            .all(|forbids| facts.config.transfers_to(forbids, region))
    })
}

/// Whether a register the profiles name keeps the person from advertising, or was not asked. Where a
/// consent stands in for the check, one that is on record does.
pub(super) fn registers(
    facts: &Facts<'_>,
    profile: EffectiveProfile,
    consent_on_record: bool,
    now: Timestamp,
) -> Result<(), Code> {
    for register in profile.registers(consent_on_record) {
        match verdict(register, facts.checks, now) {
            Verdict::Unchecked => return Err(Code::DncUnchecked),
            Verdict::Listed => return Err(Code::Suppressed),
            Verdict::Clear => {}
        }
    }
    Ok(())
}
