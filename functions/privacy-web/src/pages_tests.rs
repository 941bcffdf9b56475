#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use headgate_domain::config::Config;
use http::StatusCode;

use super::*;
use crate::answer::{answer, bare};
use crate::layout::{CONTENT_SECURITY_POLICY, STYLE};
use crate::locale::{LOCALES, Library};

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

fn every_page() -> Vec<Page> {
    let both = vec![Purpose::Marketing, Purpose::Utility];
    vec![
        Page::View(View::OptIn(both.clone())),
        Page::View(View::OptIn(vec![Purpose::Marketing])),
        Page::View(View::Unsubscribe),
        Page::View(View::Privacy),
        Page::NoneTicked(both.clone()),
        Page::Changed(both),
        Page::Confirm("7K3QZ0M1XA".to_owned()),
        Page::Unsubscribed(Scope::Marketing),
        Page::Unsubscribed(Scope::Everything),
        Page::Refused(Refused::NotFound),
        Page::Refused(Refused::Method("GET, HEAD")),
        Page::Refused(Refused::TooLarge),
        Page::Refused(Refused::WrongType),
        Page::Refused(Refused::CrossSite),
        Page::Refused(Refused::Unavailable),
    ]
}

/// Renders every page in every language, with and without a configuration.
fn for_every_page(config: &Config, check: impl Fn(&Page, &Frame<'_>, &str)) {
    let library = Library::read().unwrap();
    for locale in LOCALES {
        for config in [Some(config), None] {
            let frame = Frame {
                texts: library.of(locale),
                locale,
                config,
                base: "https://privacy.maple.example",
            };
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
        assert!(html.contains(&format!("<html lang=\"{}\">", frame.locale.tag())));
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
        let expected = usize::from(matches!(page, Page::View(View::Unsubscribe)));
        assert_eq!(html.matches(" checked").count(), expected);
        assert!(!html.contains("type=\"checkbox\"") || expected == 0);
    });
}

#[test]
fn the_notice_names_the_business_whatsapp_the_purposes_and_the_way_out() {
    let (library, config) = (Library::read().unwrap(), maple());
    for locale in LOCALES {
        let frame = Frame {
            texts: library.of(locale),
            locale,
            config: Some(&config),
            base: "https://p.example",
        };
        let both = [Purpose::Marketing, Purpose::Utility];
        let text = notice(&frame, &both, &[Purpose::Utility]);
        for needed in [
            "Maple Outfitters",
            "WhatsApp",
            "STOP",
            "https://maple.example/privacy",
        ] {
            assert!(text.contains(needed), "{needed} in {}", locale.tag());
        }
        assert_eq!(text.matches("[x]").count(), 1);
        assert!(text.chars().count() < 2_000, "a consent record takes 4,096");
        let html = Page::View(View::OptIn(both.to_vec())).render(&frame);
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
    let (library, config) = (Library::read().unwrap(), maple());
    let mut renamed = maple();
    renamed.controller.name = "Maple & Sons".to_owned();
    let version = |locale, config, offered: &[Purpose]| {
        wording(
            &Frame {
                texts: library.of(locale),
                locale,
                config: Some(config),
                base: "",
            },
            offered,
        )
    };
    let first = version(Locale::En, &config, &[Purpose::Marketing]);
    assert_eq!(first, version(Locale::En, &config, &[Purpose::Marketing]));
    assert_ne!(first, version(Locale::En, &renamed, &[Purpose::Marketing]));
    assert_ne!(
        first,
        version(Locale::ZhHans, &config, &[Purpose::Marketing])
    );
    assert_ne!(
        first,
        version(Locale::En, &config, &[Purpose::Marketing, Purpose::Utility])
    );
}

#[test]
fn the_code_page_leads_to_the_business_number_with_the_message_written() {
    let (library, config) = (Library::read().unwrap(), maple());
    let frame = Frame {
        texts: library.of(Locale::En),
        locale: Locale::En,
        config: Some(&config),
        base: "",
    };
    let html = Page::Confirm("7K3QZ0M1XA".to_owned()).render(&frame);
    assert!(html.contains("href=\"https://wa.me/16135550100?text=CONFIRM%207K3QZ0M1XA\""));
    assert!(html.contains("CONFIRM 7K3QZ0M1XA</strong>"));
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
