//! What an outcome of the Graph API means to the holder.

use headgate_domain::holder::{Answer, Holdback};
use headgate_domain::identity::Wamid;
use headgate_graph::{NotAccepted, Outcome, Rest};
use headgate_lambda::log::{Field, Level, log};

/// An answer, and what is to be written down with it.
pub(crate) struct Told {
    pub(crate) answer: Answer,
    pub(crate) wamid: Option<Wamid>,
    pub(crate) code: Option<u32>,
}

/// Reads an outcome; what needs somebody's attention is logged.
pub(crate) fn told(outcome: &Outcome) -> Told {
    if let Some(code) = outcome.unknown_code() {
        log(
            Level::Warn,
            "graph_code_unknown",
            &[("code", Field::number(i64::from(code)))],
        );
    }
    let plain = |answer| Told {
        answer,
        wamid: None,
        code: None,
    };
    match outcome {
        Outcome::Accepted { wamid, held } => Told {
            answer: Answer::Accepted { held: *held },
            wamid: Some(wamid.clone()),
            code: None,
        },
        Outcome::Done => plain(Answer::Done),
        Outcome::NotAccepted(why) => {
            log(
                Level::Warn,
                "not_accepted",
                &[("reason", Field::code(why.word()))],
            );
            plain(Answer::NotAccepted(match why {
                NotAccepted::Throttled => Holdback::Throttled,
                NotAccepted::Pair => Holdback::Pair,
                NotAccepted::AppLimit { .. } => Holdback::AppLimit,
                NotAccepted::Unreachable(_) => Holdback::Unreachable,
            }))
        }
        Outcome::Failed { code, rest, .. } => {
            let answer = match rest.as_ref().and_then(everybodys) {
                Some(why) => {
                    // What passes by itself needs nobody.
                    let level = if why == Holdback::Blocked {
                        Level::Error
                    } else {
                        Level::Warn
                    };
                    log(
                        level,
                        "sending_blocked",
                        &[("code", Field::number(i64::from(*code)))],
                    );
                    Answer::NotAccepted(why)
                }
                None => Answer::Failed,
            };
            Told {
                answer,
                wamid: None,
                code: Some(*code),
            }
        }
        Outcome::Credential { code } => {
            log(
                Level::Error,
                "credentials_refused",
                &[("code", Field::number(i64::from(*code)))],
            );
            plain(Answer::NotAccepted(Holdback::Credential))
        }
        Outcome::Ambiguous {
            why, code, pause, ..
        } => Told {
            answer: Answer::Ambiguous {
                why,
                rest_ms: pause.map_or(0, |p| u64::try_from(p.as_millis()).unwrap_or(u64::MAX)),
            },
            wamid: None,
            code: *code,
        },
    }
}

/// A refusal that every other message of the number would get as well: the message is not at fault, so it
/// waits, and so do the others.
const fn everybodys(rest: &Rest) -> Option<Holdback> {
    match rest {
        Rest::NumberMarketing { .. } => Some(Holdback::Unwanted),
        Rest::Number | Rest::AccountBilling | Rest::Account | Rest::AccountTemplates => {
            Some(Holdback::Blocked)
        }
        Rest::App { .. } => Some(Holdback::AppLimit),
        Rest::PersonMarketing { .. }
        | Rest::PersonStoppedMarketing
        | Rest::PersonUnreachable
        | Rest::PersonBlocked
        | Rest::IdentityChanged
        | Rest::Country
        | Rest::TemplatePaused
        | Rest::TemplateDisabled
        | Rest::TemplateMissing
        | Rest::TemplateSyncing { .. } => None,
    }
}
