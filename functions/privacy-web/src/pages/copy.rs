//! A copy of a person's data, for whoever has the link: a door, the copy to be read, and the file.
//!
//! Opening the door changes nothing, so that no preview of the link uses a download up. What is read is the same
//! document as the file; what this page has no words for is in the file.

use headgate_aws::privacy_requests::Export;
use headgate_domain::consent::{State, Topic};
use headgate_domain::lane::Purpose;
use headgate_domain::record;
use headgate_domain::time::Timestamp;
use serde_json::Value;

use super::{Frame, opt_in, pair, privacy};
use crate::html::Escaped;
use crate::layout::{Width, document};
use crate::locale::Copy;

/// The volumes of a copy that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volumes {
    open: Vec<usize>,
    of: usize,
    until: Timestamp,
}

impl Volumes {
    /// Nothing when none can be.
    pub(crate) fn of(export: &Export, now: Timestamp) -> Option<Self> {
        let open = export.open(now);
        (!open.is_empty()).then(|| Self {
            open,
            of: export.volumes(),
            until: export.expires_at,
        })
    }
}

/// Two buttons for each volume; or that there is nothing any more.
pub(super) fn door(frame: &Frame<'_>, volumes: Option<&Volumes>) -> String {
    let texts = &frame.language.texts.copy;
    let Some(volumes) = volumes else {
        let main = frame.heading(&texts.title, &texts.gone);
        return document(
            frame,
            Width::Form,
            &frame.say(&texts.title),
            &main,
            Some(""),
        );
    };
    let until = volumes.until.to_string();
    let day = until.split_once('T').map_or("", |(day, _time)| day);
    let button = |kind: &str, class: &str, label: &str| {
        format!(
            "<button type=\"submit\" name=\"as\" value=\"{kind}\"{class}>{}</button>\n",
            frame.show(label)
        )
    };
    let buttons =
        button("page", "", &texts.read) + &button("file", " class=\"second\"", &texts.file);
    let forms = volumes.open.iter().map(|number| {
        let buttons = if volumes.of == 1 {
            buttons.clone()
        } else {
            let legend = frame.show(&part(texts, *number, volumes.of));
            format!("<fieldset>\n<legend>{legend}</legend>\n{buttons}</fieldset>\n")
        };
        format!(
            "<form method=\"post\">\n{language}<input type=\"hidden\" name=\"volume\" value=\"{number}\">\n{buttons}</form>\n",
            language = frame.language_field(),
        )
    });
    let main = format!(
        "{heading}{forms}<p class=\"small\">{limits}</p>\n",
        heading = frame.heading(&texts.title, &texts.lead),
        forms = forms.collect::<String>(),
        limits = frame.show(&texts.limits.replace("{date}", day)),
    );
    document(
        frame,
        Width::Form,
        &frame.say(&texts.title),
        &main,
        Some(""),
    )
}

/// Which of how many volumes it is.
fn part(texts: &Copy, number: usize, of: usize) -> String {
    let number = texts.part.replace("{number}", &number.to_string());
    number.replace("{of}", &of.to_string())
}

/// The copy, to be read: in the reader's language whatever it has words for.
pub(super) fn read(frame: &Frame<'_>, copy: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let privacy = &frame.language.texts.privacy;
    let choices: String = list(copy, "choices")
        .map(|one| choice(frame, one))
        .collect();
    let choices = format!(
        "{}<p>{}</p>\n",
        items(frame, "ul", &choices),
        frame.show(&texts.proofs)
    );
    let stopped = words(copy, "suppressed").map(|word| item(&purpose(frame, word)));
    let registers = list(copy, "registers").map(|one| register(frame, one));
    let messages = list(copy, "messages").map(|one| message(frame, one));
    let sources = words(copy, "sources").filter_map(|word| texts.origins.of(word));
    let classes =
        list(copy, "categories").filter_map(|one| serde_json::from_value(one.clone()).ok());
    let classes = classes.map(|class| item(&frame.show(privacy.data_classes.of(class))));
    let mut parts = vec![
        ("you", &texts.you, you(frame, copy.get("you"))),
        ("choices", &texts.choices, choices),
        (
            "stopped",
            &texts.stopped,
            items(frame, "ul", &stopped.collect::<String>()),
        ),
        (
            "messages",
            &texts.messages,
            items(frame, "ol", &messages.collect::<String>()),
        ),
    ];
    if list(copy, "registers").next().is_some() {
        let answers = items(frame, "ul", &registers.collect::<String>());
        parts.push(("registers", &texts.registers, answers));
    }
    // What the law has people told beside the data; the file says it in the language the person was asked in.
    let authorities = frame.config.map_or(&[][..], |config| &config.authorities);
    parts.extend([
        (
            "purposes",
            &privacy.purposes_heading,
            privacy::rows(frame, &privacy.purposes),
        ),
        (
            "kept",
            &privacy.stored_heading,
            privacy::rows(frame, &privacy.stored),
        ),
        (
            "categories",
            &texts.categories,
            items(frame, "ul", &classes.collect::<String>()),
        ),
        (
            "sources",
            &texts.sources,
            items(
                frame,
                "ul",
                &sources
                    .map(|text| item(&frame.show(text)))
                    .collect::<String>(),
            ),
        ),
        (
            "recipients",
            &texts.recipients,
            privacy::recipients(frame, privacy),
        ),
        (
            "rights",
            &privacy.rights_heading,
            frame.list(&privacy.rights),
        ),
        (
            "authorities",
            &privacy.authorities_heading,
            privacy::complaints(frame, privacy, authorities),
        ),
        (
            "responsible",
            &privacy.responsible_heading,
            privacy::responsible(frame, privacy),
        ),
    ]);
    let parts = parts.into_iter().map(|(id, heading, body)| {
        let heading = frame.show(heading);
        format!(
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n{body}</section>\n"
        )
    });
    let main = format!(
        "{}{}{}",
        frame.heading(&texts.title, &texts.what),
        about(frame, copy),
        parts.collect::<String>()
    );
    document(frame, Width::Text, &frame.say(&texts.title), &main, None)
}

/// What is to be known before the rest: what is not in it, what is kept in spite of all, and of when it is.
fn about(frame: &Frame<'_>, copy: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let left_out = text(copy, "leaves_out_before")
        .map(|since| texts.left_out.replace("{date}", &read_moment(since)));
    let is_held = copy.get("under_legal_hold").and_then(Value::as_bool) == Some(true);
    let count = |name| copy.get("volume")?.get(name)?.as_u64();
    let count = |name| count(name).and_then(|count| usize::try_from(count).ok());
    let volume = count("number").zip(count("of").filter(|of| *of > 1));
    let facts = volume
        .map(|(number, of)| part(texts, number, of))
        .into_iter()
        .chain(left_out)
        .chain(is_held.then(|| texts.held.clone()));
    let facts: Vec<String> = facts.collect();
    let dates = [
        (&texts.made_label, "generated_at"),
        (&texts.until_label, "available_until"),
    ];
    let dates = dates.map(|(label, name)| {
        let at = text(copy, name).map(moment);
        at.map_or_else(String::new, |at| pair(&frame.show(label), &at))
    });
    format!(
        "<section class=\"panel\" aria-labelledby=\"about\">\n<h2 id=\"about\">{}</h2>\n{facts}<dl>\n{}</dl>\n</section>\n",
        frame.show(&texts.about),
        dates.concat(),
        facts = frame.each(&facts, "p"),
    )
}

/// What is known of the person; what is not known is left out.
fn you(frame: &Frame<'_>, known: Option<&Value>) -> String {
    let texts = &frame.language.texts.copy;
    let fields = &texts.fields;
    let Some(known) = known else {
        return items(frame, "ul", "");
    };
    let as_it_is = |name| text(known, name).map(|value| Escaped(value).to_string());
    let at = |name| text(known, name).map(moment);
    let country = text(known, "country").map(|c| Escaped(frame.language.country(c)).to_string());
    let stopped = known
        .get("stopped_marketing_in_whatsapp")
        .and_then(Value::as_bool);
    let stopped = stopped
        .filter(|is_off| *is_off)
        .map(|_off| frame.show(&texts.yes));
    let rows = [
        (&fields.phone, as_it_is("phone")),
        (&fields.user_id, as_it_is("user_id")),
        (
            &fields.known_to_the_business_as,
            as_it_is("known_to_the_business_as"),
        ),
        (&fields.country, country),
        (&fields.known_since, at("known_since")),
        (&fields.last_wrote_at, at("last_wrote_at")),
        (&fields.stopped_marketing, stopped),
        (&fields.restricted_since, at("restricted_since")),
        (&fields.do_not_sell_since, at("do_not_sell_since")),
    ];
    let rows = rows.map(|(label, value)| {
        value.map_or_else(String::new, |value| pair(&frame.show(label), &value))
    });
    format!("<dl>\n{}</dl>\n", rows.concat())
}

/// A list, or that there is nothing.
fn items(frame: &Frame<'_>, tag: &str, items: &str) -> String {
    if items.is_empty() {
        return format!(
            "<p>{}</p>\n",
            frame.show(&frame.language.texts.copy.nothing)
        );
    }
    format!("<{tag}>\n{items}</{tag}>\n")
}

/// `markup` in a list.
fn item(markup: &str) -> String {
    format!("<li>{markup}</li>\n")
}

fn list<'a>(copy: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    copy.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn words<'a>(copy: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    list(copy, name).filter_map(Value::as_str)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// A moment as people read it, in the one time that is the same everywhere.
fn read_moment(at: &str) -> String {
    let parts = at
        .split_once('T')
        .and_then(|(day, time)| Some((day, time.get(..5)?)));
    parts.map_or_else(|| at.to_owned(), |(day, time)| format!("{day} {time} UTC"))
}

fn moment(at: &str) -> String {
    format!(
        "<time datetime=\"{}\">{}</time>",
        Escaped(at),
        Escaped(&read_moment(at))
    )
}

/// The words for a purpose, as markup; a word nobody knows as it is.
fn purpose(frame: &Frame<'_>, word: &str) -> String {
    let texts = &frame.language.texts;
    let of = |purpose| {
        let label = opt_in::label(&texts.opt_in, purpose).map(|(label, _hint)| label);
        label.or_else(|| texts.copy.purposes.of(purpose).map(String::as_str))
    };
    let known = Purpose::from_word(word).and_then(of);
    known.map_or_else(|| Escaped(word).to_string(), |label| frame.show(label))
}

/// The words for what a choice is about: a topic by its label.
fn subject_of(frame: &Frame<'_>, one: &Value) -> String {
    let word = text(one, "purpose").unwrap_or_default();
    let Some(topic) = text(one, "topic") else {
        return purpose(frame, word);
    };
    let declared = Purpose::from_word(word).zip(Topic::parse(topic).ok());
    let label =
        declared.and_then(|(purpose, topic)| frame.topic(purpose, &topic).map(str::to_owned));
    let label = label.unwrap_or_else(|| topic.to_owned());
    format!("{} · {}", purpose(frame, word), Escaped(&label))
}

fn choice(frame: &Frame<'_>, one: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let state = text(one, "state").map(|word| frame.show(texts.states.of(State::from_word(word))));
    let parts = [
        Some(subject_of(frame, one)),
        state,
        text(one, "since").map(moment),
        text(one, "method").map(|method| frame.show(texts.ways.of(method))),
    ];
    item(&between(parts))
}

fn register(frame: &Frame<'_>, one: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let is_listed = one.get("listed").and_then(Value::as_bool);
    let said = is_listed.map(|is_listed| {
        frame.show(if is_listed {
            &texts.listed
        } else {
            &texts.not_listed
        })
    });
    let as_it_is = |name| text(one, name).map(|value| Escaped(value).to_string());
    item(&between([
        as_it_is("registry"),
        as_it_is("checked_on"),
        said,
        None,
    ]))
}

/// A dot between is read in every language.
fn between(parts: [Option<String>; 4]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" · ")
}

fn message(frame: &Frame<'_>, one: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let is_own = text(one, "direction") == Some("from_you");
    let whose = if is_own {
        &texts.from_you
    } else {
        &texts.to_you
    };
    let outcome = text(one, "state").and_then(record::State::from_word);
    let head = between([
        text(one, "at").map(moment),
        Some(frame.show(whose)),
        text(one, "purpose").map(|word| purpose(frame, word)),
        outcome.map(|state| frame.show(texts.outcomes.of(state))),
    ]);
    // What people wrote is in whatever language they wrote it in.
    let body = match one.get("message").filter(|message| !message.is_null()) {
        None => frame.show(&texts.kinds.gone),
        Some(message) => match words_of(message) {
            Some(words) => Escaped(words).to_string(),
            None => frame.show(texts.kinds.of(text(message, "type").unwrap_or_default())),
        },
    };
    format!("<li><p class=\"small\">{head}</p>\n<p dir=\"auto\">{body}</p></li>\n")
}

/// The words of a message, wherever Meta's form has them.
fn words_of(message: &Value) -> Option<&str> {
    let places = [
        "/text/body",
        "/image/caption",
        "/video/caption",
        "/document/caption",
        "/interactive/body/text",
        "/interactive/button_reply/title",
        "/interactive/list_reply/title",
        "/button/text",
        "/template/name",
    ];
    let found = places
        .iter()
        .find_map(|place| message.pointer(place)?.as_str());
    found.filter(|words| !words.is_empty())
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
