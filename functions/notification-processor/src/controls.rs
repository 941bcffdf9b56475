//! Writing what a notice, or the code of a failed message, changes in the live controls.
//!
//! Owns the calls and the log lines that alarms watch. What changes is `changes`'s, who may
//! overwrite what the table's. A change that cannot be written fails the record: a ban must not be
//! lost.

use std::collections::BTreeMap;
use std::fmt;

use headgate_aws::AwsError;
use headgate_aws::controls::{Cause, NumberChange, Owner};
use headgate_domain::config::Config;
use headgate_domain::event::Event;
use headgate_domain::lane::Purpose;
use headgate_domain::live::{Live, Pause};
use headgate_domain::time::{MINUTE, Timestamp};
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::LogSafe;
use headgate_webhook::notification::Other;

use crate::changes::{self, Change};
use crate::config::Ports;
use crate::outcome::{Effects, Failure};

/// How long the code of one failed message stops others like it; then one is tried again.
const CODE_HALT_MS: i64 = 15 * MINUTE;

/// What somebody must look at now.
const URGENT: [&str; 6] = [
    "account_banned",
    "account_ban_scheduled",
    "account_restricted",
    "account_rejected",
    "account_alert_critical",
    "number_pin_changed",
];

/// Meta's id of a business number.
pub(crate) struct NumberId<'a>(pub(crate) &'a str);

impl fmt::Display for NumberId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// An id of the configuration, which Meta made up; not a number anybody can call.
impl LogSafe for NumberId<'_> {}

/// Acts on a notice.
pub(crate) async fn apply(
    ports: &Ports,
    config: &Config,
    notice: &Other,
    now: Timestamp,
) -> Result<Effects, Failure> {
    let mut effects = Effects::default();
    let (at, changes) = changes::of(notice, config, now);
    let field = notice.word();
    for change in &changes {
        if !write(ports, field, change, at).await? {
            continue;
        }
        if !matches!(change, Change::Attention(_) | Change::Unknown(_)) {
            log(
                Level::Info,
                "control_changed",
                &[("field", Field::code(field))],
            );
        }
        effects.events.extend(announced(change, at));
    }
    Ok(effects)
}

/// Whether it was new.
async fn write(
    ports: &Ports,
    field: &'static str,
    change: &Change,
    at: Timestamp,
) -> Result<bool, AwsError> {
    let controls = &ports.controls;
    match change {
        Change::Number(id, change) => controls.set_number(id, change, at).await,
        Change::Portfolio(id, change) => controls.set_portfolio(id, change, at).await,
        Change::Template(name, language, change) => {
            controls.set_template(name, language, *change, at).await
        }
        Change::Account(cause, pause) => {
            controls
                .set_account(Owner::Meta(*cause), pause.as_ref(), at)
                .await
        }
        Change::Purpose(purpose, cause, pause) => {
            controls
                .set_purpose(*purpose, Owner::Meta(*cause), pause.as_ref(), at)
                .await
        }
        Change::Attention(code) => {
            let fields = [("field", Field::code(field)), ("code", Field::code(code))];
            let level = if URGENT.contains(code) {
                Level::Error
            } else {
                Level::Warn
            };
            log(level, "notice_needs_attention", &fields);
            Ok(true)
        }
        Change::Unknown(word) => {
            log(
                Level::Warn,
                "notice_word_unknown",
                &[("field", Field::code(field))],
            );
            controls.keep_unknown(field, word, at).await.map(|()| true)
        }
    }
}

/// What apps hear of a number that Meta stops, in the words of the risk score's own steps.
fn announced(change: &Change, at: Timestamp) -> Option<Event> {
    let Change::Number(id, NumberChange::MarketingPause(_owner, pause)) = change else {
        return None;
    };
    let kind = if pause.is_some() {
        "number.marketing_paused"
    } else {
        "number.resumed"
    };
    let mut event = Event::new(kind, at, &[id, &at.to_string(), "meta"])
        .with("number", id.as_str())
        .with("reason", "quality");
    if let Some(until) = pause.as_ref().and_then(|pause| pause.until) {
        event = event.with("until", until.to_string());
    }
    Some(event)
}

/// What the code of a failed message stops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stopped {
    /// Everything.
    Account,
    /// Everything that needs a template.
    Templates,
    /// One number.
    Number(String),
}

/// What a code says about more than its message, and in which word (docs/notifications.md).
pub(crate) fn stopped_by(code: u32, number: &str) -> Option<(Stopped, &'static str)> {
    match code {
        368 | 131_031 => Some((Stopped::Account, "locked")),
        131_042 => Some((Stopped::Account, "payment")),
        131_064 => Some((Stopped::Templates, "templates_limited")),
        131_037 => Some((Stopped::Number(number.to_owned()), "display_name")),
        131_045 | 133_010 => Some((Stopped::Number(number.to_owned()), "not_registered")),
        _ => None,
    }
}

/// Halts what codes have stopped, each once a batch, and not again while a halt has long to go.
pub(crate) async fn halt(
    ports: &Ports,
    stopped: &BTreeMap<(Stopped, &'static str), Timestamp>,
    now: Timestamp,
) -> Result<(), Failure> {
    for ((what, reason), at) in stopped {
        let at = (*at).min(now);
        let pause = Pause {
            reason: (*reason).to_owned(),
            since: at,
            until: Some(at.plus_millis(CODE_HALT_MS)),
        };
        if !pause.holds(now) || is_halted(&*ports.controls.live().await?, what, &pause) {
            continue;
        }
        log(
            Level::Error,
            "halted_by_code",
            &[("reason", Field::code(reason))],
        );
        let owner = Owner::Meta(Cause::Code);
        let controls = &ports.controls;
        match what {
            Stopped::Account => {
                controls.set_account(owner, Some(&pause), at).await?;
            }
            Stopped::Templates => {
                for purpose in TEMPLATES {
                    controls
                        .set_purpose(purpose, owner, Some(&pause), at)
                        .await?;
                }
            }
            Stopped::Number(id) => {
                let change = NumberChange::Pause(owner, Some(pause));
                controls.set_number(id, &change, at).await?;
            }
        }
    }
    Ok(())
}

/// What needs a template, in Meta's sense.
const TEMPLATES: [Purpose; 3] = [
    Purpose::Authentication,
    Purpose::Utility,
    Purpose::Marketing,
];

/// Whether a halt that is there lasts nearly as long: failures come by the hundred.
fn is_halted(live: &Live, what: &Stopped, pause: &Pause) -> bool {
    let lasts = |known: Option<&Pause>| {
        let enough = pause.until.map(|end| end.plus_millis(-CODE_HALT_MS / 3));
        known.is_some_and(|known| {
            known
                .until
                .is_none_or(|end| enough.is_some_and(|enough| end >= enough))
        })
    };
    match what {
        Stopped::Account => lasts(live.account.as_ref()),
        Stopped::Templates => TEMPLATES
            .iter()
            .all(|purpose| lasts(live.purposes.get(purpose))),
        Stopped::Number(id) => lasts(live.numbers.get(id).and_then(|known| known.pause.as_ref())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_is_renewed_only_when_it_is_about_to_end() {
        let at = Timestamp::from_seconds(1_795_341_600);
        let pause = |until: Option<i64>| Pause {
            reason: "locked".into(),
            since: at,
            until: until.map(|ms| at.plus_millis(ms)),
        };
        let wanted = pause(Some(CODE_HALT_MS));
        let halted = |known: Option<Pause>| {
            let live = Live {
                account: known,
                ..Live::default()
            };
            is_halted(&live, &Stopped::Account, &wanted)
        };
        assert!(!halted(None));
        assert!(halted(Some(pause(None))));
        assert!(halted(Some(pause(Some(12 * MINUTE)))));
        assert!(!halted(Some(pause(Some(5 * MINUTE)))));
        assert!(!is_halted(&Live::default(), &Stopped::Templates, &wanted));
    }

    #[test]
    fn most_codes_concern_one_message_only() {
        for code in [131_026, 131_047, 131_049, 132_000, 0, u32::MAX] {
            assert_eq!(stopped_by(code, "1001"), None, "{code}");
        }
        assert_eq!(
            stopped_by(133_010, "1001"),
            Some((Stopped::Number("1001".into()), "not_registered"))
        );
    }
}
