//! The texts of every language: whole, translated, with every place in its sentence.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use headgate_domain::optin_code::find_privacy_in;
use headgate_domain::optout::{Context, Intent, classify};

use super::*;

fn library() -> Library {
    Library::read(&LANGUAGES).unwrap()
}

#[test]
fn every_language_has_every_text() {
    let library = library();
    let shape = |texts: &Texts| {
        (
            texts.opt_in.notice.len(),
            texts.privacy.purposes.len(),
            texts.privacy.stored.len(),
            texts.privacy.rights.len(),
            texts.privacy.security.len(),
            texts.do_not_sell.more.len(),
        )
    };
    for language in library.all() {
        let expected = shape(&library.first.texts);
        assert_eq!(shape(&language.texts), expected, "{}", language.tag());
    }
}

/// A text that is the same in two languages was most likely forgotten; a place that is missing or has
/// another name in one language would be empty on its page.
#[test]
fn no_text_is_left_untranslated_and_every_place_is_in_every_language() {
    let tables = LANGUAGES.map(|l| l.texts.parse::<toml::Table>().unwrap());
    let mut texts = tables.iter().map(|table| {
        let mut out = Vec::new();
        flatten("", &toml::Value::Table(table.clone()), &mut out);
        out
    });
    let english = texts.next().unwrap();
    // Names of things, and words that two languages share.
    let shared = [
        "language.direction",
        "privacy.name_label",
        "privacy.email_label",
    ];
    for (language, other) in LANGUAGES.iter().skip(1).zip(texts) {
        for ((key, english), (same_key, text)) in english.iter().zip(&other) {
            assert_eq!(key, same_key, "{}", language.tag);
            let is_shared = shared.contains(&key.as_str());
            assert!(is_shared || english != text, "{} {key}", language.tag);
            for place in [
                "{business}",
                "{number}",
                "{of}",
                "{date}",
                "{years}",
                "{topic}",
                "STOP",
                "WhatsApp",
            ] {
                if place != "WhatsApp" || key.starts_with("opt_in.notice") {
                    assert_eq!(
                        english.contains(place),
                        text.contains(place),
                        "{} {key} {place}",
                        language.tag
                    );
                }
            }
        }
    }
}

/// What people are told to write is heard as what they are told it means.
#[test]
fn the_words_to_write_in_the_chat_are_heard_there() {
    let library = library();
    for language in library.all() {
        let advice = language.texts.do_not_sell.more.join(" ");
        let mut quoted = advice.split(['"', '„', '“', '”', '«', '»', '「', '」']);
        let is_heard =
            quoted.any(|words| classify(words, &Context::default()) == Intent::DoNotSell);
        assert!(is_heard, "{}: {advice}", language.tag());
    }
}

/// The message that a code is sent in says what it is for, and means nothing else in the chat.
#[test]
fn the_messages_of_requests_are_heard_as_the_code_alone() {
    let library = library();
    for language in library.all() {
        let texts = &language.texts.requests;
        for words in [
            &texts.message_access,
            &texts.message_rectification,
            &texts.message_objection,
            &texts.message_restriction,
            &texts.message_lift,
            &texts.message_erasure,
        ] {
            let message = format!("{words} PRIVACY 7K3QZ0M1XA");
            assert!(find_privacy_in(&message).is_some(), "{message}");
            for recent_marketing in [false, true] {
                let context = Context {
                    recent_marketing,
                    words_bind: recent_marketing,
                    ..Context::default()
                };
                let intent = classify(&message, &context);
                assert_eq!(intent, Intent::None, "{} {message}", language.tag());
            }
        }
    }
}

fn flatten(at: &str, value: &toml::Value, out: &mut Vec<(String, String)>) {
    if let Some(table) = value.as_table() {
        for (key, inner) in table {
            flatten(format!("{at}.{key}").trim_start_matches('.'), inner, out);
        }
    } else if let Some(list) = value.as_array() {
        for (i, inner) in list.iter().enumerate() {
            flatten(&format!("{at}[{i}]"), inner, out);
        }
    } else {
        let text = value.as_str().unwrap_or_default();
        out.push((at.to_owned(), text.to_owned()));
    }
}

#[test]
fn a_language_with_a_text_too_many_or_too_few_is_refused_by_its_name() {
    let lacks: &'static str = LANGUAGES[5].texts.split_once("[unavailable]").unwrap().0;
    let mut sources = LANGUAGES.to_vec();
    sources[5].texts = lacks;
    assert_eq!(Library::read(&sources).unwrap_err(), InvalidLocale("de"));
    assert!(Library::read(&[]).is_err());
}

#[test]
fn a_country_is_called_by_its_name_in_the_language() {
    let library = library();
    for (tag, name) in [
        ("en", "Germany"),
        ("de", "Deutschland"),
        ("zh-Hant", "德國"),
    ] {
        let language = library.all().find(|l| l.tag() == tag).unwrap();
        assert_eq!(language.country("DE"), name);
        assert_eq!(language.country("ca-central-1"), "ca-central-1");
    }
}

#[test]
fn the_page_speaks_what_the_browser_asks_for_unless_told_otherwise() {
    let library = library();
    for (asked, header, expected) in [
        (None, None, "en"),
        (None, Some("fr-CA, fr;q=0.9"), "en"),
        (None, Some("zh-TW,zh;q=0.9,en;q=0.8"), "zh-Hant"),
        (None, Some("zh-HK"), "zh-Hant"),
        (None, Some("zh-CN,zh;q=0.9"), "zh-Hans"),
        (None, Some("zh"), "zh-Hans"),
        (None, Some("zh-Hans-HK"), "zh-Hans"),
        (None, Some("en;q=0.2, zh-Hant;q=0.8"), "zh-Hant"),
        (None, Some("zh;q=0, en;q=0.1"), "en"),
        (None, Some("zh;q=<script>"), "en"),
        (None, Some("pt-BR,pt;q=0.9,en;q=0.8"), "pt"),
        (None, Some("es-419"), "es"),
        (None, Some("de-AT;q=0.9, fr"), "de"),
        (Some("zh-Hans"), Some("en"), "zh-Hans"),
        (Some("EN"), Some("zh"), "en"),
        (Some("DE"), Some("zh"), "de"),
        (Some("\"><script>"), Some("zh-TW"), "zh-Hant"),
        (Some(""), None, "en"),
    ] {
        let chosen = library.choose(asked, header).tag();
        assert_eq!(chosen, expected, "{asked:?} {header:?}");
    }
}
