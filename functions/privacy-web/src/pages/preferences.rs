//! A person's choices, one by one: each can be stopped here, and none can be started here.
//!
//! Owns what is shown of a subject, which is where they stand for two purposes. A yes leads to the
//! opt-in form, because a page never says yes for anybody.

use headgate_domain::consent::{State, Subject};
use headgate_domain::lane::Purpose;

use super::Frame;
use super::opt_in::label;
use crate::decide::{OFFERED, Scope};
use crate::html::Escaped;
use crate::layout::{STOPPED, TICK, Width, document};

/// Where a person stands for a purpose, as far as the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They said yes.
    On,
    /// They said no.
    Off,
    /// Neither.
    Unasked,
    /// They said no with WhatsApp's own switch.
    SwitchedOff,
    /// It could not be read: a no is possible all the same.
    Unknown,
}

impl Standing {
    /// What is on record of somebody; who is not on record was never asked.
    pub(crate) fn of(subject: Option<&Subject>, purpose: Purpose) -> Self {
        let Some(subject) = subject else {
            return Self::Unasked;
        };
        let consent = subject.consent(purpose);
        match consent {
            _ if purpose == Purpose::Marketing && subject.meta_stop => Self::SwitchedOff,
            Some(c) if c.state == State::Given && subject.is_theirs(c.agreed_at()) => Self::On,
            Some(c) if c.state == State::Withdrawn => Self::Off,
            Some(_) | None => Self::Unasked,
        }
    }
}

/// Where somebody stands for what the pages offer, in the order of [`OFFERED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) standings: [Standing; 2],
    /// What was stopped just now; the record of it is on its way.
    pub(crate) stopped: Option<Scope>,
}

impl Choices {
    /// What is shown while nothing can be read.
    pub(crate) const UNKNOWN: Self = Self {
        standings: [Standing::Unknown; 2],
        stopped: None,
    };

    /// The choices of a person.
    pub(crate) fn of(subject: Option<&Subject>) -> Self {
        Self {
            standings: OFFERED.map(|purpose| Standing::of(subject, purpose)),
            stopped: None,
        }
    }

    /// The same with what was stopped just now.
    pub(crate) fn without(mut self, scope: Scope) -> Self {
        for (standing, purpose) in self.standings.iter_mut().zip(OFFERED) {
            if scope.purposes().contains(&purpose) && *standing != Standing::SwitchedOff {
                *standing = Standing::Off;
            }
        }
        self.stopped = Some(scope);
        self
    }
}

/// The page.
pub(super) fn page(frame: &Frame<'_>, choices: Choices) -> String {
    let texts = &frame.language.texts.preferences;
    let done = choices.stopped.map_or_else(String::new, |_scope| {
        let text = frame.show(&texts.stopped);
        format!("<div class=\"done\" role=\"status\">{TICK}<p>{text}</p></div>\n")
    });
    let cards: String = OFFERED
        .into_iter()
        .zip(choices.standings)
        .map(|(purpose, standing)| card(frame, purpose, standing))
        .collect();
    let may_stop = choices.standings.iter().any(|s| is_open(*s));
    let everything = if may_stop {
        button(frame, "everything", &texts.stop_everything, "quiet")
    } else {
        String::new()
    };
    let main = format!(
        "{heading}{done}<ul class=\"cards\">\n{cards}</ul>\n{everything}\
         <h2>{always_heading}</h2>\n<p>{always}</p>\n",
        heading = frame.heading(&texts.title, &texts.lead),
        always_heading = frame.show(&texts.always_heading),
        always = frame.show(&texts.always),
    );
    let title = frame.say(&texts.title);
    // After a no the address is the same, and asking for it again changes nothing.
    document(frame, Width::Form, &title, &main, Some(""))
}

/// Whether there is something left to stop.
const fn is_open(standing: Standing) -> bool {
    match standing {
        Standing::On | Standing::Unasked | Standing::Unknown => true,
        Standing::Off | Standing::SwitchedOff => false,
    }
}

fn card(frame: &Frame<'_>, purpose: Purpose, standing: Standing) -> String {
    let texts = &frame.language.texts.preferences;
    let Some((name, hint)) = label(&frame.language.texts.opt_in, purpose) else {
        return String::new();
    };
    let is_marketing = purpose == Purpose::Marketing;
    let (stop, again) = if is_marketing {
        (&texts.stop_marketing, &texts.again_marketing)
    } else {
        (&texts.stop_utility, &texts.again_utility)
    };
    let (class, icon, state) = match standing {
        Standing::On => ("on", TICK, &texts.on),
        Standing::Unasked if !is_marketing => ("on", TICK, &texts.contract_only),
        Standing::Off | Standing::Unasked => ("off", STOPPED, &texts.off),
        Standing::SwitchedOff => ("off", STOPPED, &texts.switched_off),
        Standing::Unknown => ("off", "", &texts.unknown),
    };
    // Of marketing that was never asked for there is nothing to stop.
    let stops = is_open(standing) && !(is_marketing && standing == Standing::Unasked);
    let starts = matches!(standing, Standing::Off | Standing::Unasked) && frame.config.is_some();
    let stop = if stops {
        button(frame, purpose.word(), stop, "second")
    } else {
        String::new()
    };
    let again = if starts {
        format!(
            "<p><a href=\"{base}/opt-in?purpose={word}&amp;lang={lang}\">{again}</a></p>\n<p class=\"small\">{hint}</p>\n",
            base = Escaped(frame.base),
            word = purpose.word(),
            lang = frame.language.tag(),
            again = frame.show(again),
            hint = frame.show(&texts.again_hint),
        )
    } else {
        String::new()
    };
    format!(
        "<li>\n<h2>{name}</h2>\n<p class=\"small\">{hint}</p>\n<p class=\"state {class}\">{icon}<span>{state}</span></p>\n{stop}{again}</li>\n",
        name = frame.show(name),
        hint = frame.show(hint),
        state = frame.show(state),
    )
}

fn button(frame: &Frame<'_>, scope: &str, text: &str, class: &str) -> String {
    format!(
        "<form method=\"post\">\n{language}<input type=\"hidden\" name=\"scope\" value=\"{scope}\">\n\
         <button type=\"submit\" class=\"{class}\">{text}</button>\n</form>\n",
        language = frame.language_field(),
        text = frame.show(text),
    )
}
