//! A person's choices, one by one: each can be stopped here, and none can be started here.
//!
//! Owns what is shown of a subject, which is where they stand for two purposes and for the topics of
//! each. A yes leads to the opt-in form, because a page never says yes for anybody.

use headgate_domain::config::Config;
use headgate_domain::consent::{Standing, Subject, Topic, Validity};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;

use super::Frame;
use super::opt_in::label;
use crate::decide::{NO_SALE, OFFERED, Stop};
use crate::html::{Escaped, fill};
use crate::layout::{STOPPED, TICK, Width, document};
use crate::locale::Preferences;

/// One choice: a purpose, or a topic of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) purpose: Purpose,
    pub(crate) topic: Option<Topic>,
    /// Where the person stands; `None` when it could not be read.
    pub(crate) standing: Option<Standing>,
    /// Whether they said no with WhatsApp's own switch.
    pub(crate) is_switched_off: bool,
}

/// Where somebody stands for what the pages offer, each purpose before its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) each: Vec<Choice>,
    /// Whether they asked that their data be neither sold nor shared.
    pub(crate) is_not_sold: bool,
    /// Whether nothing is sent to them whatever they chose, because their data is to be kept and not used.
    pub(crate) is_restricted: bool,
    /// What was done just now; the record of it is on its way.
    pub(crate) done: Option<Done>,
}

/// What somebody did on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Something was stopped.
    Stopped,
    /// They asked that their data be neither sold nor shared.
    NotSold,
}

impl Choice {
    /// Whether messages come by the person's own yes.
    fn is_on(&self) -> bool {
        let is_yes = matches!(
            self.standing,
            Some(Standing::Given(_) | Standing::RenewDue(_))
        );
        is_yes && !self.is_switched_off
    }

    /// Whether there is something to stop: what was said that is no no, what an order or contract may need
    /// without it, and what could not be read.
    fn may_stop(&self) -> bool {
        if self.is_switched_off {
            return false;
        }
        match self.standing {
            None
            | Some(
                Standing::Given(_)
                | Standing::RenewDue(_)
                | Standing::Requested
                | Standing::Suspended,
            ) => true,
            Some(Standing::Withdrawn) => false,
            Some(
                Standing::Unknown | Standing::Expired | Standing::Invalidated | Standing::Refused,
            ) => self.purpose == Purpose::Utility,
        }
    }

    /// Whether a yes is missing, or soon to be given again.
    fn may_start(&self) -> bool {
        let has_yes = matches!(self.standing, None | Some(Standing::Given(_)));
        !has_yes && !self.is_switched_off
    }

    /// Whether messages may come that an order or contract needs, without a yes to them.
    fn has_contract_only(&self) -> bool {
        self.purpose == Purpose::Utility
            && self.standing.is_some()
            && self.may_stop()
            && !self.is_on()
    }
}

impl Choices {
    /// What is shown while nothing can be read: a no is possible all the same.
    pub(crate) fn unreadable() -> Self {
        let unread = |purpose| Choice {
            purpose,
            topic: None,
            standing: None,
            is_switched_off: false,
        };
        Self {
            each: OFFERED.map(unread).into(),
            is_not_sold: false,
            is_restricted: false,
            done: None,
        }
    }

    /// The choices of a person, by the rules of their country; who is not on record was never asked. Without
    /// the configuration nothing is known to expire, and there are no topics.
    pub(crate) fn of(subject: Option<&Subject>, config: Option<&Config>, now: Timestamp) -> Self {
        let country = subject.and_then(Subject::country);
        let validity = config.map(|config| Validity::of(config.profile_of(country)));
        let consents = config.map(|config| &config.consents);
        let renew = consents.map_or(&[][..], |consents| &consents.renew_notices);
        let one = |purpose, topic: Option<&Topic>| Choice {
            purpose,
            topic: topic.cloned(),
            standing: Some(subject.map_or(Standing::Unknown, |subject| {
                let validity = validity.unwrap_or_default();
                subject.standing(purpose, topic, validity, renew, now)
            })),
            is_switched_off: purpose == Purpose::Marketing && subject.is_some_and(|s| s.meta_stop),
        };
        let with_topics = |purpose| {
            let topics = consents.into_iter().flat_map(move |c| c.topics_of(purpose));
            let topics = topics.map(move |declared| one(purpose, Some(&declared.name)));
            std::iter::once(one(purpose, None)).chain(topics)
        };
        Self {
            each: OFFERED.into_iter().flat_map(with_topics).collect(),
            is_not_sold: subject.is_some_and(|subject| subject.do_not_sell.is_some()),
            is_restricted: subject.is_some_and(|subject| subject.restricted_at.is_some()),
            done: None,
        }
    }

    /// The same with what was stopped just now.
    pub(crate) fn without(mut self, stop: &Stop) -> Self {
        for choice in &mut self.each {
            let is_whole = stop.topic.is_none();
            let is_meant = stop.scope.purposes().contains(&choice.purpose);
            if is_meant && (is_whole || choice.topic == stop.topic) {
                choice.standing = Some(Standing::Withdrawn);
            }
        }
        self.done = Some(Done::Stopped);
        self
    }

    /// The same with the request not to sell or share made just now.
    pub(crate) fn not_sold(mut self) -> Self {
        self.is_not_sold = true;
        self.done = Some(Done::NotSold);
        self
    }
}

/// The page.
pub(super) fn page(frame: &Frame<'_>, choices: &Choices) -> String {
    let texts = &frame.language.texts.preferences;
    let done = choices.done.map_or_else(String::new, |done| {
        let text = frame.show(match done {
            Done::Stopped => &texts.stopped,
            Done::NotSold => &frame.language.texts.do_not_sell.noted,
        });
        format!("<div class=\"done\" role=\"status\">{TICK}<p>{text}</p></div>\n")
    });
    let cards = OFFERED.map(|purpose| {
        let mut its = choices.each.iter().filter(|c| c.purpose == purpose);
        let whole = its.next();
        let topics: Vec<&Choice> = its.collect();
        whole.map_or_else(String::new, |whole| card(frame, whole, &topics))
    });
    let everything = if choices.each.iter().any(Choice::may_stop) {
        let text = frame.say(&texts.stop_everything);
        button(frame, "everything", None, &text, "quiet")
    } else {
        String::new()
    };
    // What is said to come in any case does not come then.
    let (restricted, always) = if choices.is_restricted {
        let in_force = frame.show(&frame.language.texts.request.restriction_in_force);
        let panel = format!("<div class=\"panel\">\n<p>{in_force}</p>\n</div>\n");
        (panel, String::new())
    } else {
        let [heading, text] = [&texts.always_heading, &texts.always].map(|text| frame.show(text));
        let always = format!("<h2>{heading}</h2>\n<p>{text}</p>\n");
        (String::new(), always)
    };
    let main = format!(
        "{heading}{done}{restricted}<ul class=\"cards\">\n{cards}</ul>\n{everything}{always}{sale}",
        heading = frame.heading(&texts.title, &texts.lead),
        cards = cards.concat(),
        sale = sale(frame, choices.is_not_sold),
    );
    let title = frame.say(&texts.title);
    // After a no the address is the same, and asking for it again changes nothing.
    document(frame, Width::Form, &title, &main, Some(""))
}

/// Whether the person asked that their data be neither sold nor shared, and the button that does. What a
/// business must show of such a request is that it was honoured (11 CCR 7025(c)(6)).
fn sale(frame: &Frame<'_>, is_not_sold: bool) -> String {
    let texts = &frame.language.texts.do_not_sell;
    let state = if is_not_sold {
        let honoured = frame.show(&texts.honoured);
        format!("<p class=\"state on\">{TICK}<span>{honoured}</span></p>\n")
    } else {
        button(frame, NO_SALE, None, &frame.say(&texts.note), "second")
    };
    format!(
        "<section class=\"panel\">\n<h2>{title}</h2>\n<p>{lead}</p>\n{state}</section>\n",
        title = frame.show(&texts.title),
        lead = frame.show(&texts.lead),
    )
}

/// What a choice is shown as: a class, an icon, and words that say the same.
fn state<'a>(texts: &'a Preferences, choice: &Choice) -> (&'static str, &'static str, &'a str) {
    if choice.is_switched_off {
        return ("off", STOPPED, &texts.switched_off);
    }
    match &choice.standing {
        None => ("off", "", &texts.unknown),
        Some(Standing::Given(_)) => ("on", TICK, &texts.on),
        Some(Standing::RenewDue(_)) => ("on", TICK, &texts.renew_due),
        Some(Standing::Unknown) if choice.has_contract_only() => ("on", TICK, &texts.contract_only),
        Some(Standing::Unknown | Standing::Withdrawn) => ("off", STOPPED, &texts.off),
        Some(Standing::Requested) => ("off", STOPPED, &texts.requested),
        Some(Standing::Expired) => ("off", STOPPED, &texts.expired),
        Some(Standing::Invalidated) => ("off", STOPPED, &texts.invalidated),
        Some(Standing::Refused) => ("off", STOPPED, &texts.refused),
        Some(Standing::Suspended) => ("off", STOPPED, &texts.suspended),
    }
}

/// A purpose with its topics.
fn card(frame: &Frame<'_>, whole: &Choice, topics: &[&Choice]) -> String {
    let texts = &frame.language.texts.preferences;
    let Some((name, hint)) = label(&frame.language.texts.opt_in, whole.purpose) else {
        return String::new();
    };
    let (stop, again) = if whole.purpose == Purpose::Marketing {
        (&texts.stop_marketing, &texts.again_marketing)
    } else {
        (&texts.stop_utility, &texts.again_utility)
    };
    // What was chosen of its topics counts beside a no to the rest.
    let has_some = !whole.is_on() && topics.iter().any(|topic| topic.is_on());
    let (class, icon, text) = if has_some {
        ("on", TICK, texts.some_topics.as_str())
    } else {
        state(texts, whole)
    };
    let shown = shown(frame, whole, (class, icon, text));
    let stop = if whole.may_stop() || has_some {
        let text = frame.say(stop);
        button(frame, whole.purpose.word(), None, &text, "second")
    } else {
        String::new()
    };
    let again = way_to_yes(frame, whole, &frame.say(again));
    let of_topics: String = topics.iter().map(|one| topic(frame, one)).collect();
    let of_topics = if of_topics.is_empty() {
        String::new()
    } else {
        format!("<ul class=\"topics\">\n{of_topics}</ul>\n")
    };
    let is_started_here = frame.config.is_some();
    let leads_on = whole.may_start() || topics.iter().any(|topic| topic.may_start());
    let confirm = if is_started_here && leads_on {
        format!("<p class=\"small\">{}</p>\n", frame.show(&texts.again_hint))
    } else {
        String::new()
    };
    format!(
        "<li>\n<h2>{name}</h2>\n<p class=\"small\">{hint}</p>\n{shown}{stop}{again}{of_topics}{confirm}</li>\n",
        name = frame.show(name),
        hint = frame.show(hint),
    )
}

/// A topic within its card.
fn topic(frame: &Frame<'_>, choice: &Choice) -> String {
    let texts = &frame.language.texts.preferences;
    let topic = choice.topic.as_ref();
    let Some(name) = topic.and_then(|topic| frame.topic(choice.purpose, topic)) else {
        return String::new();
    };
    let named = |sentence: &str| fill(sentence, &[("topic", name)]);
    let shown = shown(frame, choice, state(texts, choice));
    let stop = if choice.may_stop() {
        let text = named(&texts.stop_topic);
        button(frame, choice.purpose.word(), topic, &text, "second")
    } else {
        String::new()
    };
    let again = way_to_yes(frame, choice, &named(&texts.again_topic));
    format!(
        "<li>\n<h3>{name}</h3>\n{shown}{stop}{again}</li>\n",
        name = Escaped(name),
    )
}

fn shown(frame: &Frame<'_>, choice: &Choice, (class, icon, text): (&str, &str, &str)) -> String {
    let texts = &frame.language.texts.preferences;
    let state = frame.show(text);
    let state = format!("<p class=\"state {class}\">{icon}<span>{state}</span></p>\n");
    if choice.has_contract_only() && choice.standing != Some(Standing::Unknown) {
        let contract = frame.show(&texts.contract_only);
        format!("{state}<p class=\"small\">{contract}</p>\n")
    } else {
        state
    }
}

/// The way to a yes; `text` is not yet escaped.
fn way_to_yes(frame: &Frame<'_>, choice: &Choice, text: &str) -> String {
    if !choice.may_start() || frame.config.is_none() {
        return String::new();
    }
    let topic = choice.topic.as_ref();
    let topic = topic.map_or_else(String::new, |topic| format!("&amp;topic={topic}"));
    format!(
        "<p><a href=\"{base}/opt-in?purpose={purpose}{topic}&amp;lang={lang}\">{text}</a></p>\n",
        base = Escaped(frame.base),
        purpose = choice.purpose.word(),
        lang = frame.language.tag(),
        text = Escaped(text),
    )
}

fn button(
    frame: &Frame<'_>,
    scope: &str,
    topic: Option<&Topic>,
    text: &str,
    class: &str,
) -> String {
    let topic = topic.map_or_else(String::new, |topic| {
        format!("<input type=\"hidden\" name=\"topic\" value=\"{topic}\">\n")
    });
    format!(
        "<form method=\"post\">\n{language}<input type=\"hidden\" name=\"scope\" value=\"{scope}\">\n\
         {topic}<button type=\"submit\" class=\"{class}\">{text}</button>\n</form>\n",
        language = frame.language_field(),
        text = Escaped(text),
    )
}
