#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use headgate_aws::privacy_requests::Request;
use headgate_domain::config::Config;
use headgate_domain::consent::{Consent, Standing, State, Subject, Validity};
use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{Denial, Extension, RequestId, State as RequestState};
use headgate_domain::profiles::Right;
use headgate_domain::region::Country;
use headgate_domain::system::Locale;
use headgate_domain::time::Timestamp;
use http::StatusCode;

use super::preferences::Choice;
use super::*;
use crate::answer::{answer, bare};
use crate::layout::{CONTENT_SECURITY_POLICY, STYLE};
use crate::locale::{LANGUAGES, Source};

fn maple() -> Config {
    Config::from_toml(include_str!("../../../config/headgate.toml")).unwrap()
}

fn hostile() -> Config {
    let mut config = maple();
    config.controller.name = "<script>alert('x')</script>\"{number}".to_owned();
    config.controller.privacy_contact = "a@b.example\"><script>".to_owned();
    config.controller.privacy_policy_url = Some("javascript:alert(1)".to_owned());
    config
}

/// The languages that are shipped, and one that is written from right to left.
const ARABIC: Source = Source {
    tag: "ar",
    texts: include_str!("../tests/languages/ar.toml"),
    countries: include_str!("../tests/languages/ar.countries.tsv"),
};

fn library() -> Library {
    Library::read(&[&LANGUAGES[..], &[ARABIC]].concat()).unwrap()
}

fn frame<'a>(library: &'a Library, tag: &str, config: Option<&'a Config>) -> Frame<'a> {
    Frame {
        language: library.choose(Some(tag), None),
        library,
        config,
        base: "https://privacy.maple.example",
    }
}

fn offer(purposes: &[Purpose], topic: Option<&str>) -> Offer {
    Offer {
        purposes: purposes.to_vec(),
        topic: topic.map(|name| Topic::parse(name).unwrap()),
    }
}

fn standings() -> [Standing; 9] {
    [
        Standing::Unknown,
        Standing::Requested,
        Standing::Given("L0.0".to_owned()),
        Standing::RenewDue("L0.0".to_owned()),
        Standing::Expired,
        Standing::Withdrawn,
        Standing::Invalidated,
        Standing::Refused,
        Standing::Suspended,
    ]
}

/// Somebody who stands so for each purpose and each topic.
fn choices(standing: Option<&Standing>, meta_stop: bool) -> Choices {
    let choice = |purpose, topic: Option<&str>| Choice {
        purpose,
        topic: topic.map(|name| Topic::parse(name).unwrap()),
        standing: standing.cloned(),
        is_switched_off: meta_stop && purpose == Purpose::Marketing,
    };
    Choices {
        each: vec![
            choice(Purpose::Marketing, None),
            choice(Purpose::Marketing, Some("offers")),
            choice(Purpose::Marketing, Some("events")),
            choice(Purpose::Utility, None),
        ],
        is_not_sold: false,
        is_restricted: false,
        done: None,
    }
}

fn every_page() -> Vec<Page> {
    let both = offer(&[Purpose::Marketing, Purpose::Utility], None);
    let everything = Stop {
        scope: Scope::Everything,
        topic: None,
    };
    let standings = standings().into_iter().map(Some);
    let choices = standings.chain([None]).flat_map(|standing| {
        let choices = choices(standing.as_ref(), false);
        [
            choices.clone(),
            choices.clone().not_sold(),
            Choices {
                is_restricted: true,
                ..choices.clone()
            },
            choices.without(&everything),
        ]
    });
    let choices = choices.chain([self::choices(None, true), Choices::unreadable()]);
    let mut pages = vec![
        Page::View(View::OptIn(both.clone())),
        Page::View(View::OptIn(offer(&[Purpose::Marketing], None))),
        Page::View(View::OptIn(offer(&[Purpose::Marketing], Some("offers")))),
        Page::View(View::Unsubscribe("token".to_owned())),
        Page::View(View::ConfirmLink(Some("A".repeat(72)))),
        Page::View(View::ConfirmLink(None)),
        Page::NotTicked("A".repeat(72)),
        Page::Pressed(Said::Confirmed),
        Page::Pressed(Said::Already),
        Page::Pressed(Said::Over),
        Page::Pressed(Said::Automatic),
        Page::View(View::Privacy),
        Page::View(View::DoNotSell { signal: false }),
        Page::View(View::DoNotSell { signal: true }),
        Page::NoneTicked(both.clone()),
        Page::Changed(both),
        Page::Confirm("7K3QZ0M1XA".to_owned()),
        Page::Unsubscribed(Scope::Marketing),
        Page::Unsubscribed(Scope::Utility),
        Page::Unsubscribed(Scope::Everything),
        Page::Refused(Refused::NotFound),
        Page::Refused(Refused::Method("GET, HEAD")),
        Page::Refused(Refused::TooLarge),
        Page::Refused(Refused::WrongType),
        Page::Refused(Refused::CrossSite),
        Page::Refused(Refused::Unavailable),
    ];
    pages.extend(choices.map(Page::Choices));
    pages
}

/// Renders every page in every language, with and without a configuration.
fn for_every_page(config: &Config, check: impl Fn(&Page, &Frame<'_>, &str)) {
    let library = library();
    for language in library.all() {
        for config in [Some(config), None] {
            let frame = frame(&library, language.tag(), config);
            for page in every_page() {
                check(&page, &frame, &page.render(&frame));
            }
        }
    }
}

fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

#[test]
fn no_page_runs_or_loads_anything() {
    for_every_page(&maple(), |_, _, html| {
        for forbidden in [
            "<script",
            "javascript:",
            "<img",
            "<link",
            "<use",
            "<image",
            "<iframe",
            "@import",
            "url(",
            " onclick",
            " onload",
            " style=",
        ] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        assert!(html.contains(&format!("<style>{STYLE}</style>")));
    });
}

#[test]
fn a_configuration_cannot_become_markup() {
    for_every_page(&hostile(), |_, _, html| {
        assert!(!html.contains("<script"));
        assert!(!html.contains("href=\"javascript"));
        assert!(
            !html.contains("b.example\""),
            "an attribute was closed early"
        );
    });
}

#[test]
fn every_page_has_a_language_a_title_one_heading_and_its_landmarks() {
    for_every_page(&maple(), |_, frame, html| {
        assert!(html.starts_with("<!doctype html>"));
        let tag = frame.language.tag();
        let direction = if tag == "ar" { "rtl" } else { "ltr" };
        assert!(html.contains(&format!("<html lang=\"{tag}\" dir=\"{direction}\">")));
        assert!(html.contains("name=\"viewport\""));
        for once in ["<title>", "<h1>", "<main>", "<header>", "<footer>"] {
            assert_eq!(html.matches(once).count(), 1, "{once}");
        }
    });
}

#[test]
fn every_control_is_bound_to_a_label_and_every_reference_exists() {
    for_every_page(&maple(), |_, _, html| {
        let ids = attributes(html, "id");
        let labels = attributes(html, "for");
        for input in html
            .split("<input")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap())
        {
            if !input.contains("type=\"hidden\"") {
                let id = attributes(input, "id");
                assert!(id.len() == 1 && labels.contains(&id[0]), "{input}");
            }
        }
        for reference in labels.iter().chain(&attributes(html, "aria-describedby")) {
            assert_eq!(
                ids.iter().filter(|id| id == &reference).count(),
                1,
                "{reference}"
            );
        }
        assert_eq!(
            html.matches("<fieldset").count(),
            html.matches("<legend>").count()
        );
    });
}

#[test]
fn nothing_is_ticked_for_the_person() {
    for_every_page(&maple(), |page, _, html| {
        let expected = usize::from(matches!(page, Page::View(View::Unsubscribe(_))));
        assert_eq!(html.matches(" checked").count(), expected);
        assert!(!html.contains("type=\"checkbox\"") || expected == 0);
    });
}

#[test]
fn the_notice_names_the_business_whatsapp_the_purposes_and_the_way_out() {
    let (library, config) = (library(), maple());
    for language in library.all() {
        let frame = frame(&library, language.tag(), Some(&config));
        let both = offer(&[Purpose::Marketing, Purpose::Utility], None);
        let text = notice(&frame, &both, &[Purpose::Utility]);
        for needed in [
            "Maple Outfitters",
            "WhatsApp",
            "STOP",
            "https://maple.example/privacy",
        ] {
            assert!(text.contains(needed), "{needed} in {}", language.tag());
        }
        assert_eq!(text.matches("[x]").count(), 1);
        assert!(text.chars().count() < 2_000, "a consent record takes 4,096");
        let html = Page::View(View::OptIn(both.clone())).render(&frame);
        for line in text
            .lines()
            .filter(|line| !line.starts_with('[') && !line.contains("https"))
        {
            assert!(
                html.contains(&Escaped(line).to_string()),
                "what is stored was not shown: {line}"
            );
        }
        assert!(html.contains(&format!("value=\"{}\"", wording(&frame, &both))));
    }
}

#[test]
fn another_wording_has_another_name() {
    let (library, config) = (library(), maple());
    let mut renamed = maple();
    renamed.controller.name = "Maple & Sons".to_owned();
    let version = |tag: &str, config, offered: &[Purpose]| {
        wording(&frame(&library, tag, Some(config)), &offer(offered, None))
    };
    let first = version("en", &config, &[Purpose::Marketing]);
    assert_eq!(first, version("en", &config, &[Purpose::Marketing]));
    assert_ne!(first, version("en", &renamed, &[Purpose::Marketing]));
    assert_ne!(first, version("zh-Hans", &config, &[Purpose::Marketing]));
    assert_ne!(
        first,
        version("en", &config, &[Purpose::Marketing, Purpose::Utility])
    );
}

#[test]
fn the_code_page_leads_to_the_business_number_with_the_message_written() {
    let (library, config) = (library(), maple());
    let frame = frame(&library, "en", Some(&config));
    let html = Page::Confirm("7K3QZ0M1XA".to_owned()).render(&frame);
    assert!(html.contains("href=\"https://wa.me/16135550100?text=CONFIRM%207K3QZ0M1XA\""));
    assert!(html.contains("<strong>CONFIRM 7K3QZ0M1XA</strong>"));
    assert!(html.contains("+16135550100"));
}

#[test]
fn every_answer_carries_every_header() {
    let expected = [
        (
            "strict-transport-security",
            "max-age=63072000; includeSubDomains",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow"),
        ("content-security-policy", CONTENT_SECURITY_POLICY.as_str()),
    ];
    for_every_page(&maple(), |page, frame, _| {
        for wants_json in [false, true] {
            let response = answer(page, frame, wants_json, false);
            for (name, value) in expected {
                assert_eq!(response.headers()[name], value);
            }
            assert!(response.headers().contains_key("permissions-policy"));
            let is_problem = wants_json && matches!(page, Page::Refused(_));
            let media_type = if is_problem {
                "application/problem+json"
            } else {
                "text/html; charset=utf-8"
            };
            assert_eq!(response.headers()["content-type"], media_type);
            assert_eq!(
                response.headers().contains_key("allow"),
                matches!(page, Page::Refused(Refused::Method(_)))
            );
            assert!(!response.body().is_empty());
            let head = answer(page, frame, wants_json, true);
            assert!(head.body().is_empty());
            assert_eq!(
                (head.status(), head.headers()),
                (response.status(), response.headers())
            );
        }
    });
    let broken = bare(StatusCode::SERVICE_UNAVAILABLE, bytes::Bytes::new());
    for (name, value) in expected {
        assert_eq!(broken.headers()[name], value);
    }
}

#[test]
fn the_policy_allows_one_stylesheet_and_our_own_forms() {
    let policy = CONTENT_SECURITY_POLICY.as_str();
    for part in [
        "default-src 'none'",
        "style-src 'sha256-",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{part}");
    }
    assert!(!policy.contains("unsafe"));
}

/// What a person may not learn or do by a page is not on it.
#[test]
fn choices_offer_to_stop_what_runs_and_lead_to_the_form_for_what_does_not() {
    let (library, config) = (library(), maple());
    let frame = frame(&library, "en", Some(&config));
    let texts = &frame.language.texts.preferences;
    for (standing, words, stops, starts) in [
        // One more is not to sell or share. Of marketing that was never asked for there is nothing to stop; messages that a contract needs can
        // be stopped by somebody who was never asked.
        (Standing::Unknown, &texts.contract_only, 3, 4),
        (Standing::Requested, &texts.requested, 6, 4),
        (Standing::Given("L0.0".to_owned()), &texts.on, 6, 0),
        (
            Standing::RenewDue("L0.0".to_owned()),
            &texts.renew_due,
            6,
            4,
        ),
        (Standing::Expired, &texts.expired, 3, 4),
        (Standing::Withdrawn, &texts.off, 1, 4),
        (Standing::Invalidated, &texts.invalidated, 3, 4),
        (Standing::Refused, &texts.refused, 3, 4),
        (Standing::Suspended, &texts.suspended, 6, 4),
    ] {
        let html = Page::Choices(choices(Some(&standing), false)).render(&frame);
        assert!(html.contains(&frame.show(words)), "{}", standing.word());
        let word = standing.word();
        assert_eq!(html.matches("<button").count(), stops, "{word}");
        assert_eq!(html.matches("/opt-in?purpose=").count(), starts, "{word}");
    }
    let unreadable = Page::Choices(Choices::unreadable()).render(&frame);
    assert_eq!(unreadable.matches("<button").count(), 4);
    assert!(!unreadable.contains("/opt-in?purpose="));
    let given = Standing::Given("L0.0".to_owned());
    let switched_off = Page::Choices(choices(Some(&given), true)).render(&frame);
    assert_eq!(
        switched_off.matches("<button").count(),
        3,
        "utility, everything, no sale"
    );
    assert!(!switched_off.contains("purpose=marketing"));
}

#[test]
fn what_was_stopped_just_now_is_shown_so_and_nothing_else_is() {
    let given = Standing::Given("L0.0".to_owned());
    let after = |scope, topic: Option<&str>| {
        let topic = topic.map(|name| Topic::parse(name).unwrap());
        let after = choices(Some(&given), false).without(&Stop { scope, topic });
        let off = |choice: &Choice| choice.standing == Some(Standing::Withdrawn);
        (after.each.iter().map(off).collect::<Vec<_>>(), after)
    };
    let (off, page) = after(Scope::Marketing, Some("offers"));
    assert_eq!(off, [false, true, false, false]);
    let (library, config) = (library(), maple());
    let frame = frame(&library, "en", Some(&config));
    let html = Page::Choices(page).render(&frame);
    assert!(html.contains("role=\"status\""));
    assert!(html.contains("purpose=marketing&amp;topic=offers"));
    assert!(!html.contains("Stop: Offers") && html.contains("Stop: Events"));
    assert_eq!(after(Scope::Marketing, None).0, [true, true, true, false]);
    assert_eq!(after(Scope::Utility, None).0, [false, false, false, true]);
    assert_eq!(after(Scope::Everything, None).0, [true; 4]);
}

#[test]
fn who_said_no_to_the_purpose_and_yes_to_a_topic_reads_both() {
    let (library, config) = (library(), maple());
    let frame = frame(&library, "en", Some(&config));
    let mut some = choices(Some(&Standing::Withdrawn), false);
    some.each[1].standing = Some(Standing::Given("L0.0".to_owned()));
    let html = Page::Choices(some).render(&frame);
    assert!(html.contains(&frame.language.texts.preferences.some_topics));
    for stop in ["Stop news and offers", "Stop: Offers", "Stop everything"] {
        assert!(html.contains(stop), "{stop}");
    }
    assert!(!html.contains("Stop: Events"));
}

/// A person is shown what the rules of their country make of what they said.
#[test]
fn choices_are_the_standing_that_messages_are_judged_by() {
    let config = maple();
    let offers = Topic::parse("offers").unwrap();
    let said = Timestamp::from_seconds(1_795_000_000);
    let mut person = Subject::unknown(SubjectId::from_random([7; 16]));
    let given = Consent::alone(State::Given, said, "L0.0", "paper");
    let refused = Consent::alone(State::Refused, said, "L0.1", "in_thread_button");
    person.consents[3] = Some(given);
    person.topics = vec![(Purpose::Utility, offers.clone(), refused)];
    person.country_on_record = Country::parse("CA").ok();
    let validity = Validity::of(config.profile_of(person.country()));
    let ends = validity.ends(said, said).unwrap();
    for (now, word) in [
        (said, "given"),
        (ends.plus_millis(-1), "renew_due"),
        (ends, "expired"),
    ] {
        let choices = Choices::of(Some(&person), Some(&config), now);
        let words: Vec<_> = choices
            .each
            .iter()
            .map(|choice| choice.standing.as_ref().unwrap().word())
            .collect();
        // Marketing and its two topics; of utility no topic is declared.
        assert_eq!(words, [word, word, word, "unknown"]);
    }
    let stranger = Choices::of(None, Some(&config), said);
    assert!(
        stranger
            .each
            .iter()
            .all(|choice| choice.standing == Some(Standing::Unknown))
    );
    let without = Choices::of(Some(&person), None, ends);
    assert_eq!(without.each.len(), 2);
    assert_eq!(
        without.each[0].standing,
        Some(Standing::Given("L0.0".to_owned()))
    );
}

#[test]
fn a_topic_nobody_declared_is_no_offer_and_nothing_to_stop() {
    let (library, config) = (library(), maple());
    let frame = frame(&library, "de", Some(&config));
    let topic = |name| Topic::parse(name).ok();
    for (name, is_known) in [("offers", true), ("nothing", false)] {
        let declared = frame.declared(offer(&[Purpose::Marketing], Some(name)));
        assert_eq!(declared.topic.is_some(), is_known, "{name}");
        let stop = |scope| Stop {
            scope,
            topic: topic(name),
        };
        assert_eq!(frame.has(&stop(Scope::Marketing)), is_known, "{name}");
        assert!(!frame.has(&stop(Scope::Utility)), "{name}");
    }
    let html = Page::View(View::OptIn(offer(&[Purpose::Marketing], Some("offers")))).render(&frame);
    assert!(html.contains(">Angebote</label>"));
    let asked = notice(
        &frame,
        &offer(&[Purpose::Marketing], Some("offers")),
        &[Purpose::Marketing],
    );
    assert!(
        asked.contains("[x] Angebote: Neuigkeiten und Angebote"),
        "{asked}"
    );
}

#[test]
fn a_request_not_to_sell_is_offered_until_it_is_made_and_then_said_to_be_honoured() {
    let (library, config) = (library(), maple());
    let frame = frame(&library, "en", Some(&config));
    let before = Page::Choices(Choices::unreadable()).render(&frame);
    assert!(before.contains("name=\"scope\" value=\"sale\""));
    assert!(!before.contains("Opt-out request honored"));
    let after = Page::Choices(Choices::unreadable().not_sold()).render(&frame);
    assert!(!after.contains("value=\"sale\""));
    assert!(after.contains("Opt-out request honored") && after.contains("role=\"status\""));
    assert!(after.contains("The systems of Maple Outfitters are told of it."));
}

#[test]
fn whose_data_is_restricted_reads_that_nothing_is_sent_whatever_they_chose() {
    let (library, config) = (library(), maple());
    let frame = frame(&library, "en", Some(&config));
    let mut subject = Subject::unknown(SubjectId::from_random([7; 16]));
    let now = Timestamp::from_seconds(1_795_000_000);
    let page = |subject: &Subject| {
        let choices = Choices::of(Some(subject), Some(&config), now);
        Page::Choices(choices).render(&frame)
    };
    let always = frame.language.texts.preferences.always.clone();
    let before = page(&subject);
    assert!(before.contains(&always) && !before.contains("kept and not used"));
    subject.restricted_at = Some(now);
    let after = page(&subject);
    assert!(after.contains("kept and not used") && !after.contains(&always));
    assert!(
        after.contains("value=\"everything\""),
        "a no is possible all the same"
    );
}

#[test]
fn the_privacy_page_shows_the_configuration_and_the_register() {
    let (library, config) = (library(), maple());
    let html = Page::View(View::Privacy).render(&frame(&library, "de", Some(&config)));
    for shown in [
        "Maple Outfitters Ltd.",
        "dpo@maple.example",
        "href=\"tel:+16135550102\"",
        "Montag bis Freitag",
        "Kanada (ca-central-1)",
        "Office of the Privacy Commissioner of Canada",
        "WhatsApp LLC (Meta), Vereinigte Staaten",
        "Amazon Web Services, Inc.",
        "Standardvertragsklauseln",
        "2026-01-15",
        "gültig bis",
        "entschlüsselt Meta",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    for heading in html.split("<h2 id=\"").skip(1) {
        let id = heading.split('"').next().unwrap();
        assert!(
            html.contains(&format!("href=\"#{id}\"")),
            "{id} is in no list"
        );
    }
}

#[test]
fn the_signal_of_a_browser_is_said_to_be_honoured() {
    let library = library();
    let frame = frame(&library, "en", None);
    let page = |signal| Page::View(View::DoNotSell { signal }).render(&frame);
    assert!(page(true).contains("Opt-out request honored"));
    assert!(!page(false).contains("Opt-out request honored"));
    let statement = Page::View(View::GpcStatement).render(&frame);
    let statement: serde_json::Value = serde_json::from_str(&statement).unwrap();
    assert_eq!(statement["gpc"], true);
}

/// WCAG 2.2, 1.4.3 and 1.4.11: the contrast of two colours.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_and_controls_stand_out_in_light_and_in_dark() {
    for theme in STYLE.lines().filter(|line| line.contains("--bg:")) {
        let colour =
            |name: &str| theme.split(&format!("--{name}:")).nth(1).unwrap()[..7].to_owned();
        for (front, back) in [
            ("ink", "bg"),
            ("ink", "card"),
            ("soft", "bg"),
            ("soft", "card"),
            ("soft", "wash"),
            ("ink", "wash"),
            ("accent", "bg"),
            ("accent", "card"),
            ("on", "accent"),
            ("alert", "card"),
            ("yes", "card"),
            ("yes", "wash"),
            ("accent", "wash"),
            ("on", "deep"),
            ("deep", "wash"),
            ("deep", "card"),
        ] {
            let ratio = contrast(&colour(front), &colour(back));
            assert!(ratio >= 4.5, "{front} on {back}: {ratio:.2}");
        }
        let ratio = contrast(&colour("edge"), &colour("card"));
        assert!(ratio >= 3.0, "edge: {ratio:.2}");
    }
    assert_eq!(
        STYLE.lines().filter(|line| line.contains("--bg:")).count(),
        2
    );
    assert!(STYLE.contains(":focus-visible"));
}

fn request(right: Right, state: RequestState) -> Request {
    let at = Timestamp::from_seconds(1_795_000_000);
    Request {
        id: RequestId::from_random([5; 12]),
        right,
        state,
        subject: None,
        received_at: at,
        due_at: at,
        run_at: at,
        number: None,
        locale: Locale::En,
        closed_at: None,
        receipt: None,
        extension: None,
        denial: None,
    }
}

/// What the page of a request says.
fn request_page(right: Right, state: RequestState) -> String {
    let library = library();
    let config = maple();
    let page = Page::Request(Stands::of(Some(request(right, state))));
    page.render(&frame(&library, "en", Some(&config)))
}

#[test]
fn the_page_of_a_request_speaks_of_what_was_asked_for() {
    for (right, state, words) in [
        (Right::Access, RequestState::Verified, "copy is made within"),
        (
            Right::Access,
            RequestState::Fulfilled,
            "link to it is in the chat",
        ),
        (Right::Access, RequestState::Denied, "was not carried out"),
        (
            Right::Objection,
            RequestState::Verified,
            "objection is in force",
        ),
        (
            Right::Objection,
            RequestState::Fulfilled,
            "objection is in force",
        ),
        (
            Right::Rectification,
            RequestState::Verified,
            "write in the chat",
        ),
        (
            Right::Rectification,
            RequestState::Fulfilled,
            "has corrected your data",
        ),
        (
            Right::Rectification,
            RequestState::Denied,
            "was not carried out",
        ),
        (
            Right::Restriction,
            RequestState::Running,
            "kept and not used",
        ),
        (
            Right::Restriction,
            RequestState::Fulfilled,
            "restriction has ended",
        ),
        (
            Right::Erasure,
            RequestState::Verified,
            "carried out at the time below",
        ),
        (Right::Erasure, RequestState::Held, "A law obliges"),
        (
            Right::Erasure,
            RequestState::Fulfilled,
            "Your data is deleted",
        ),
        (
            Right::Erasure,
            RequestState::Withdrawn,
            "Nothing was deleted",
        ),
    ] {
        let page = request_page(right, state);
        assert!(page.contains(words), "{right:?} {state:?}");
        if state == RequestState::Fulfilled {
            // Whoever has the reference could learn from it that the number has another owner.
            let in_part = request_page(right, RequestState::PartiallyFulfilled);
            assert!(in_part == page, "{right:?}");
        }
        let is_erasure = right == Right::Erasure;
        assert!(
            is_erasure || !page.contains("deleted"),
            "{right:?} {state:?}"
        );
    }
}

#[test]
fn a_request_that_is_denied_or_takes_longer_says_why_and_where_to_complain() {
    let library = library();
    let config = maple();
    let page = |request: Request| {
        let page = Page::Request(Stands::of(Some(request)));
        page.render(&frame(&library, "en", Some(&config)))
    };
    let mut said = Vec::new();
    for why in Denial::ALL {
        let denied = page(Request {
            denial: Some(*why),
            closed_at: Some(Timestamp::from_seconds(1_795_000_000)),
            ..request(Right::Rectification, RequestState::Denied)
        });
        assert!(denied.contains("complain to an authority"), "{why:?}");
        said.push(denied);
    }
    for why in Extension::ALL {
        let longer = page(Request {
            extension: Some(*why),
            ..request(Right::Rectification, RequestState::Verified)
        });
        assert!(longer.contains("It takes longer, because"), "{why:?}");
        assert!(!longer.contains("Carried out from"), "no moment is planned");
        said.push(longer);
    }
    said.sort_unstable();
    said.dedup();
    let reasons = Denial::ALL.len() + Extension::ALL.len();
    assert_eq!(said.len(), reasons, "each reason has a sentence of its own");
}
