//! The copy as a page: every word of a closed list in every language, and what is to be known before the rest.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use headgate_domain::config::Config;
use headgate_domain::consent::METHODS;
use headgate_domain::lane::PURPOSES;
use headgate_domain::processors::Register;
use serde_json::json;

use super::*;
use crate::locale::{LANGUAGES, Library, Source};

/// The languages that are shipped, and one that is written from right to left.
const ARABIC: Source = Source {
    tag: "ar",
    texts: include_str!("../../tests/languages/ar.toml"),
    countries: include_str!("../../tests/languages/ar.countries.tsv"),
};

const STATES: [&str; 5] = ["given", "withdrawn", "requested", "invalidated", "refused"];
const OUTCOMES: [&str; 12] = [
    "QUEUED",
    "SCHEDULED",
    "ACCEPTED",
    "HELD",
    "AMBIGUOUS",
    "SENT",
    "DELIVERED",
    "READ",
    "PLAYED",
    "FAILED",
    "UNKNOWN",
    "CANCELLED",
];
const KINDS: [&str; 9] = [
    "image", "sticker", "video", "audio", "document", "location", "contacts", "reaction", "poll",
];

/// A copy with every word of every closed list in it.
fn copy() -> Value {
    let at = "2026-11-29T09:00:12.345Z";
    let choices: Vec<Value> = METHODS
        .iter()
        .chain(&["import", "erasure"])
        .enumerate()
        .map(|(n, method)| {
            json!({ "purpose": PURPOSES[n % 4].word(), "topic": null, "state": STATES[n % 5],
                "since": at, "method": method, "event": "L3.17", "history": [] })
        })
        .chain([json!({ "purpose": "marketing", "topic": "offers", "state": "given", "since": at, "method": "qr_scan" })])
        .collect();
    let sent = OUTCOMES.iter().map(|state| {
        json!({ "direction": "to_you", "at": at, "purpose": "utility", "state": state, "template": "order_shipped",
            "consent_event": null, "message": { "type": "template", "template": { "name": "order_shipped" } } })
    });
    let written = KINDS.iter().map(|kind| {
        json!({ "direction": "from_you", "at": at, "message": { "type": kind }, "profile_name": "Ada" })
    });
    let more = [
        json!({ "direction": "from_you", "at": at, "message": { "type": "text", "text": { "body": "<b>my parcel</b>" } } }),
        json!({ "direction": "to_you", "at": at, "message": null }),
    ];
    let messages: Vec<Value> = sent.chain(written).chain(more).collect();
    json!({
        "schema": "headgate.export/1", "request": "dsr_aaaaaaaaaaaaaaaaaaaa", "generated_at": at,
        "available_until": "2026-12-02T09:00:00.000Z", "profiles": ["CA_CASL"], "leaves_out_before": null,
        "you": { "phone": "+16135550123", "user_id": "CA.1", "known_to_the_business_as": "crm-<1>", "country": "CA",
            "known_since": at, "last_wrote_at": at, "stopped_marketing_in_whatsapp": true, "restricted_since": at,
            "do_not_sell_since": at },
        "choices": choices, "suppressed": PURPOSES.map(Purpose::word),
        "registers": [{ "registry": "CA_NATIONAL_DNCL", "checked_on": "2026-11-28", "listed": true },
            { "registry": "US_NATIONAL_DNC", "checked_on": "2026-11-27", "listed": false }],
        "proofs": [{ "event": "L3.17", "proof": "scan-7" }], "messages": messages,
        "categories": ["identifiers", "profile_names", "message_content", "media", "delivery_status",
            "consent_records", "technical_logs"],
        "sources": ["you", "whatsapp", "business", "registers"], "under_legal_hold": false, "kept": {},
    })
}

fn page(tag: &str, copy: &Value) -> String {
    let library = Library::read(&[&LANGUAGES[..], &[ARABIC]].concat()).unwrap();
    let config = Config::from_toml(include_str!("../../../../config/headgate.toml")).unwrap();
    let frame = Frame {
        language: library.choose(Some(tag), None),
        library: &library,
        config: Some(&config),
        base: "https://privacy.maple.example",
    };
    read(&frame, copy)
}

/// What is read of a page: the text between its tags, below the heading.
fn shown(page: &str) -> Vec<&str> {
    let main = page.split_once("</h1>").unwrap().1;
    let main = main.split_once("</main>").unwrap().0;
    let texts = main.split('<').filter_map(|part| part.split_once('>'));
    let texts = texts.flat_map(|(_tag, text)| text.split(" · "));
    texts
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect()
}

/// Whatever has a word in the file has words on the page, of the page's language.
#[test]
fn every_field_and_every_word_of_a_closed_list_is_said_in_the_readers_language() {
    let copy = copy();
    let english = page("en", &copy);
    let english: Vec<&str> = shown(&english);
    for word in [
        "Number",
        "Known since",
        "You agreed",
        "in the chat",
        "arrived",
        "A picture",
    ] {
        assert!(english.contains(&word), "{word}");
    }
    let words: Vec<&str> = STATES
        .iter()
        .chain(&OUTCOMES)
        .chain(&KINDS)
        .chain(&METHODS)
        .chain(&[
            "true",
            "false",
            "null",
            "you",
            "whatsapp",
            "business",
            "registers",
            "identifiers",
        ])
        .copied()
        .chain(PURPOSES.map(Purpose::word))
        .collect();
    // Names, and what people wrote, are the same in every language.
    let mut same = vec![
        "+16135550123",
        "CA.1",
        "crm-&lt;1&gt;",
        "order_shipped",
        "&lt;b&gt;my parcel&lt;/b&gt;",
        "CA_NATIONAL_DNCL",
        "US_NATIONAL_DNC",
        "Maple Outfitters Ltd.",
        "privacy@maple.example",
        "100 Example Street, Ottawa ON K1A 0A1, Canada",
    ];
    let processors = &Register::compiled_in().processors;
    let subs = processors.iter().flat_map(|one| &one.sub_processors);
    same.extend(subs.map(String::as_str));
    for language in LANGUAGES.iter().chain([&ARABIC]) {
        let page = page(language.tag, &copy);
        let shown = shown(&page);
        for text in &shown {
            assert!(!words.contains(text), "{}: {text}", language.tag);
            let is_time = text
                .chars()
                .next()
                .is_some_and(|first| first.is_ascii_digit());
            let is_name = same.contains(text) || is_time || text.contains("Privacy Commissioner");
            // The business and the register of processors have no Arabic.
            let is_own = ["en", "ar"].contains(&language.tag) || is_name || !english.contains(text);
            // Labels that two languages share, as in the files themselves.
            let is_shared = ["Name", "E-mail", "ca-central-1"].contains(text);
            assert!(is_own || is_shared, "{}: {text}", language.tag);
        }
        for name in &same[..7] {
            assert!(shown.contains(name), "{}: {name}", language.tag);
        }
    }
}

/// What is missing, and what is kept in spite of an erasure, is said before the data.
#[test]
fn what_a_copy_leaves_out_and_what_is_held_is_said_first() {
    let plain = copy();
    let mut held = copy();
    held["under_legal_hold"] = true.into();
    let mut guarded = copy();
    guarded["leaves_out_before"] = "2026-11-20T10:30:00.000Z".into();
    let top = |tag: &str, copy: &Value| {
        let page = page(tag, copy);
        page.split_once("<h2 id=\"you\">").unwrap().0.to_owned()
    };
    let (law, since) = (
        "legal claim obliges Maple Outfitters",
        "2026-11-20 10:30 UTC is left out",
    );
    for (copy, is_held, is_guarded) in [
        (&plain, false, false),
        (&held, true, false),
        (&guarded, false, true),
    ] {
        let top = top("en", copy);
        assert_eq!(
            (top.contains(law), top.contains(since)),
            (is_held, is_guarded)
        );
        assert!(top.contains("2026-11-29 09:00 UTC") && top.contains("2026-12-02 09:00 UTC"));
    }
    for language in LANGUAGES {
        assert!(top(language.tag, &guarded).contains("2026-11-20 10:30 UTC"));
        let longer = top(language.tag, &held).len() > top(language.tag, &plain).len() + 40;
        assert!(longer, "{}", language.tag);
    }
}

#[test]
fn what_the_law_has_people_told_beside_their_data_is_on_the_page() {
    for (tag, texts) in [
        (
            "en",
            [
                "What your data is used for",
                "Permanently, so that you stay unsubscribed",
                "You may complain",
                "Where this data comes from",
            ],
        ),
        (
            "de",
            [
                "Robinsonlisten: ob Ihre Nummer",
                "Telefonnummern und Nutzerkennungen",
                "90 Tage",
                "Office of the Privacy Commissioner",
            ],
        ),
    ] {
        let page = page(tag, &copy());
        for text in texts {
            assert!(page.contains(text), "{tag}: {text}");
        }
        for processor in &Register::compiled_in().processors {
            assert!(
                page.contains(&Escaped(&processor.name).to_string()),
                "{tag}"
            );
        }
    }
}

/// One heading of the first rank, sections that are named by theirs, and no markup that is not ours.
#[test]
fn the_page_can_be_walked_by_its_headings_and_nothing_written_becomes_markup() {
    for language in LANGUAGES.iter().chain([&ARABIC]) {
        let page = page(language.tag, &copy());
        assert!(page.contains(&format!("<html lang=\"{}\"", language.tag)));
        assert_eq!(page.matches("<h1>").count(), 1);
        let named: Vec<&str> = page
            .split("<section")
            .skip(1)
            .map(|part| {
                part.split("aria-labelledby=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
            })
            .collect();
        assert!(named.len() > 10);
        for id in named {
            assert_eq!(
                page.matches(&format!("<h2 id=\"{id}\">")).count(),
                1,
                "{id}"
            );
        }
        assert_eq!(
            page.matches("<ul>").count() + page.matches("<ul class").count(),
            page.matches("</ul>").count()
        );
        assert!(!page.contains("<b>my parcel"));
    }
}

/// A copy of an earlier build, and what is none, are shown as far as they go.
#[test]
fn what_is_not_in_a_copy_is_left_out() {
    for copy in [
        json!({}),
        json!({ "you": { "phone": null } }),
        Value::Null,
        json!({ "choices": [{}], "messages": [{}] }),
    ] {
        let page = page("en", &copy);
        assert!(page.contains("Nothing") && !page.contains("null"), "{copy}");
    }
}
