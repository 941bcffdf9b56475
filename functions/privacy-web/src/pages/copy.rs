//! A copy of a person's data, for whoever has the link: a door, the copy to be read, and the file.
//!
//! Opening the door changes nothing, so that no preview of the link uses a download up. What is read is the same
//! document as the file; what this page has no words for is in the file.

use headgate_aws::privacy_requests::Export;
use serde_json::Value;

use super::Frame;
use crate::html::Escaped;
use crate::layout::{Width, document};

/// The two buttons; or that there is nothing any more.
pub(super) fn door(frame: &Frame<'_>, export: Option<&Export>) -> String {
    let texts = &frame.language.texts.copy;
    let Some(export) = export else {
        let main = frame.heading(&texts.title, &texts.gone);
        return document(
            frame,
            Width::Form,
            &frame.say(&texts.title),
            &main,
            Some(""),
        );
    };
    let until = export.expires_at.to_string();
    let day = until.split_once('T').map_or("", |(day, _time)| day);
    let button = |kind: &str, label: &str| {
        format!(
            "<button type=\"submit\" name=\"as\" value=\"{kind}\">{}</button>\n",
            frame.show(label)
        )
    };
    let main = format!(
        "{heading}<form method=\"post\">\n{language}{page}{file}<p class=\"small\">{limits}</p>\n</form>\n",
        heading = frame.heading(&texts.title, &texts.lead),
        language = frame.language_field(),
        page = button("page", &texts.read),
        file = button("file", &texts.file),
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

/// The copy, to be read.
pub(super) fn read(frame: &Frame<'_>, copy: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let mut main = frame.heading(&texts.title, &texts.what);
    let you: String = members(copy.get("you"))
        .map(|(name, value)| row(&name, &value))
        .collect();
    section(&mut main, frame, &texts.you, &format!("<dl>\n{you}</dl>\n"));
    let choices: String = list(copy, "choices").map(choice).collect();
    section(
        &mut main,
        frame,
        &texts.choices,
        &format!("<ul>\n{choices}</ul>\n"),
    );
    let messages: String = list(copy, "messages")
        .map(|one| message(frame, one))
        .collect();
    section(
        &mut main,
        frame,
        &texts.messages,
        &format!("<ol class=\"messages\">\n{messages}</ol>\n"),
    );
    let others = list(copy, "recipients").filter_map(Value::as_str);
    let others: String = others.map(item).collect();
    section(
        &mut main,
        frame,
        &texts.recipients,
        &format!("<ul>\n{others}</ul>\n"),
    );
    document(frame, Width::Text, &frame.say(&texts.title), &main, None)
}

fn section(main: &mut String, frame: &Frame<'_>, title: &str, body: &str) {
    let title = frame.show(title);
    for part in ["<h2>", &title, "</h2>\n", body] {
        main.push_str(part);
    }
}

fn item(text: &str) -> String {
    format!("<li>{}</li>\n", Escaped(text))
}

fn list<'a>(copy: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    copy.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The members that say something, as text.
fn members(value: Option<&Value>) -> impl Iterator<Item = (String, String)> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.replace('_', " "), said(value)?)))
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.to_string())
        }
    }
}

fn row(name: &str, value: &str) -> String {
    format!("<dt>{}</dt>\n<dd>{}</dd>\n", Escaped(name), Escaped(value))
}

fn choice(one: &Value) -> String {
    let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = [
        text("purpose"),
        text("topic"),
        text("state"),
        text("since"),
        text("method"),
    ];
    let what: Vec<&str> = what.into_iter().filter(|word| !word.is_empty()).collect();
    item(&what.join(" · "))
}

fn message(frame: &Frame<'_>, one: &Value) -> String {
    let texts = &frame.language.texts.copy;
    let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
    let whose = if text("direction") == "from_you" {
        &texts.from_you
    } else {
        &texts.to_you
    };
    let body = one.get("message").map_or_else(String::new, words_of);
    format!(
        "<li><p class=\"small\">{} · {}</p>\n<p>{}</p></li>\n",
        Escaped(text("at")),
        frame.show(whose),
        Escaped(&body)
    )
}

/// The words of a message, wherever Meta's form has them; without any, its kind.
fn words_of(message: &Value) -> String {
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
    let kind = message.get("type").and_then(Value::as_str);
    found.or(kind).unwrap_or_default().to_owned()
}
