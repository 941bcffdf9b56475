//! The rules that tell a message to wait: pauses, Meta's own cap, ours, and the night.
//!
//! A message waits until none of them speaks against it, so the waits are taken together before the
//! night is asked for: what would end at midnight ends in the morning.

use super::{Facts, Moment, No, Request};
use crate::config::Config;
use crate::lane::Purpose;
use crate::live::Pause;
use crate::profiles::{Hours, Offsets, Profiles, free_from};
use crate::refusal::Code;
use crate::region::Country;
use crate::time::{MINUTE, Timestamp};

/// When to ask again about a pause without an end. Soon enough that nobody waits for it, seldom
/// enough that a backlog costs little.
pub const ENDLESS_PAUSE_MS: i64 = 5 * MINUTE;

/// The earliest moment at which the message would be sent.
pub(super) fn earliest(request: &Request<'_>, now: Timestamp) -> Timestamp {
    request.not_before.map_or(now, |t| t.max(now))
}

/// Rules 10 to 13.
pub(super) fn for_its_time(
    request: &Request<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<(), No> {
    let earliest = earliest(request, now);
    let night = nights(request, facts.config);
    // No moment of any day is free: it will not become better by waiting.
    let day = free_from(earliest, &night).ok_or(Code::QuietHours)?;
    let mut wait = Wait {
        until: earliest,
        code: None,
    };
    for (pause, code) in pauses(request, facts) {
        match pause.until {
            Some(until) => wait.at_least(until, code),
            None if request.at == Moment::Intake => return Err(code.into()),
            None => wait.at_least(now.plus_millis(ENDLESS_PAUSE_MS), code),
        }
    }
    if request.purpose == Purpose::Marketing
        && let Some(until) = facts.subject.health.marketing_cooldown_until()
    {
        wait.at_least(until, Code::FrequencyCap);
    }
    for (max, hours) in caps(facts.config, request.purpose, request.to) {
        // Room at one moment is room at every later one, as long as nothing else is sent.
        if let Some(until) = facts.recent.room_at(request.purpose, max, hours, earliest) {
            wait.at_least(until, Code::FrequencyCap);
        }
    }
    let free = if wait.until == earliest {
        day
    } else {
        free_from(wait.until, &night).ok_or(Code::QuietHours)?
    };
    if free > wait.until {
        // A wait that ends at night is told by what made it wait first.
        wait = Wait {
            until: free,
            code: wait.code.or(Some(Code::QuietHours)),
        };
    }
    match wait.code {
        Some(code) => Err(No::NotYet {
            until: wait.until,
            code,
        }),
        None => Ok(()),
    }
}

struct Wait {
    until: Timestamp,
    code: Option<Code>,
}

impl Wait {
    fn at_least(&mut self, until: Timestamp, code: Code) {
        if until > self.until {
            self.until = until;
            self.code = Some(code);
        }
    }
}

/// Everything paused that the message needs.
fn pauses<'a>(request: &Request<'a>, facts: &Facts<'a>) -> impl Iterator<Item = (&'a Pause, Code)> {
    let live = facts.live;
    let number = live.numbers.get(&request.number.id);
    let portfolio = live.portfolios.get(&request.number.portfolio);
    let marketing = number
        .filter(|_number| request.purpose == Purpose::Marketing)
        .and_then(|n| n.marketing_pause.as_ref());
    [
        (live.account.as_ref(), Code::AccountPaused),
        (live.purposes.get(&request.purpose), Code::AccountPaused),
        (live.purposes.get(&request.purpose), Code::AccountPaused),
        (
            portfolio.and_then(|p| p.pause.as_ref()),
            Code::AccountPaused,
        ),
        (number.and_then(|n| n.pause.as_ref()), Code::NumberPaused),
        (marketing, Code::NumberPaused),
        (live.producers.get(facts.producer), Code::ProducerPaused),
    ]
    .into_iter()
    .filter_map(|(pause, code)| Some((pause?, code)))
}

/// The caps on a purpose in a country: the deployment's own, else the project's.
fn caps(
    config: &Config,
    purpose: Purpose,
    country: Option<Country>,
) -> impl Iterator<Item = (u16, u16)> {
    let own = move |c: &&crate::config::Cap| c.concerns(purpose, country);
    let has_own = config.caps.iter().any(|c| own(&c));
    let project = Profiles::compiled_in()
        .caps()
        .iter()
        .filter(move |c| !has_own && c.purpose == purpose)
        .map(|c| (c.max, c.hours));
    config
        .caps
        .iter()
        .filter(own)
        .map(|c| (c.max, c.hours))
        .chain(project)
}

/// The longest span of a cap on a purpose, in hours: how long what was sent has to be remembered.
/// `None` when the purpose has no cap.
pub fn longest_cap_hours(config: &Config, purpose: Purpose) -> Option<u16> {
    let project = Profiles::compiled_in()
        .caps()
        .iter()
        .filter(|c| c.purpose == purpose)
        .map(|c| c.hours);
    let own = config
        .caps
        .iter()
        .filter(|c| c.purpose == purpose)
        .map(|c| c.hours);
    project.chain(own).max()
}

/// The hours in which the purpose is quiet where the person is, by every profile that applies.
fn nights(request: &Request<'_>, config: &Config) -> Vec<(Hours, Offsets)> {
    let profiles = Profiles::compiled_in();
    let offsets = request
        .to
        .and_then(|country| profiles.offsets(country))
        .unwrap_or(Offsets::EVERYWHERE);
    let by_law = config.profile_of(request.to).quiet_hours(request.purpose);
    let by_choice = config
        .quiet_hours
        .iter()
        .filter(|quiet| quiet.concerns(request.purpose, request.to))
        .map(|quiet| Hours::new(quiet.start, quiet.end));
    by_law.chain(by_choice).map(|h| (h, offsets)).collect()
}
