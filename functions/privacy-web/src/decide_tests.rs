#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use headgate_domain::confirm_link::ConfirmKey;
use headgate_domain::time::Timestamp;
use http::HeaderValue;

use super::*;

const ORIGIN: &str = "https://privacy.maple.example";
const FORM: &str = "application/x-www-form-urlencoded";
const GOOD: &str = "good-token";

/// The links that were made here.
struct Known;

impl Tokens for Known {
    fn person(&self, token: &str) -> Option<SubjectId> {
        (token == GOOD).then(subject)
    }

    fn to_confirm(&self, token: &str) -> Option<ConfirmToken> {
        key().open("main", token).ok()
    }
}

fn key() -> ConfirmKey {
    ConfirmKey::new([3; 32])
}

fn confirm_token() -> String {
    key().token("main", [5; 16], Timestamp::from_seconds(1_795_000_000))
}

struct Sent {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn sent(method: &str, target: &str) -> Sent {
    Sent {
        method: method.parse().unwrap(),
        target: target.to_owned(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    }
}

fn form(target: &str, body: &str) -> Sent {
    let mut sent = sent("POST", target).with("content-type", FORM);
    sent.body = body.as_bytes().to_vec();
    sent
}

fn offer(purposes: &[Purpose], topic: Option<&str>) -> Offer {
    Offer {
        purposes: purposes.to_vec(),
        topic: topic.map(|name| Topic::parse(name).unwrap()),
    }
}

fn subject() -> SubjectId {
    SubjectId::from_random([7; 16])
}

impl Sent {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn facts(&self) -> Facts<'_> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        Facts {
            method: &self.method,
            path,
            query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn decided(&self) -> Decision {
        decide(&self.facts(), ORIGIN, &Known)
    }
}

const TARGETS: [&str; 14] = [
    "/opt-in",
    "/opt-in?purpose=marketing",
    "/u/good-token",
    "/u/bad",
    "/u/",
    "/p/good-token",
    "/p/bad",
    "/do-not-sell",
    "/.well-known/gpc.json",
    "/privacy",
    "/requests",
    "/r/dsr_aaaaaaaaaaaaaaaaaaaa",
    "/e/aaaaaaaaaaaaaaaaaaaaaaaa",
    "/nowhere",
];

#[test]
fn no_method_but_post_ever_writes() {
    let body = &format!(
        "purpose=marketing&scope=everything&wording=x&agree=yes&ask=erasure&as=file&token={}",
        confirm_token()
    );
    for method in [
        "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND",
    ] {
        let to_confirm = format!("/c/{}", confirm_token());
        for target in TARGETS.into_iter().chain([to_confirm.as_str()]) {
            let mut sent = form(target, body);
            sent.method = method.parse().unwrap();
            match sent.decided() {
                Decision::Show(_)
                | Decision::ShowChoices(_)
                | Decision::ShowRequest(_)
                | Decision::ShowCopy(_)
                | Decision::NotTicked(_)
                | Decision::Refuse(_) => {}
                Decision::Ask(_)
                | Decision::GiveCode(_)
                | Decision::HandOut(..)
                | Decision::Withdraw(..)
                | Decision::DoNotSell(_)
                | Decision::Press(..) => {
                    panic!("{method} {target} writes")
                }
            }
        }
    }
}

#[test]
fn a_get_on_a_link_shows_a_button_and_a_post_is_the_withdrawal() {
    assert_eq!(
        sent("GET", "/u/good-token").decided(),
        Decision::Show(View::Unsubscribe(GOOD.to_owned()))
    );
    assert_eq!(
        sent("HEAD", "/u/good-token").decided(),
        Decision::Show(View::Unsubscribe(GOOD.to_owned()))
    );
    for (body, scope) in [
        ("scope=marketing", Scope::Marketing),
        ("scope=utility", Scope::Utility),
        ("scope=everything", Scope::Everything),
        ("", Scope::Marketing),
        ("scope=%3Cscript%3E", Scope::Marketing),
    ] {
        for (target, door) in [
            ("/u/good-token", Door::Unsubscribe),
            ("/p/good-token", Door::Preferences),
        ] {
            let stop = Stop { scope, topic: None };
            assert_eq!(
                form(target, body).decided(),
                Decision::Withdraw(subject(), stop, door),
                "{target} {body}"
            );
        }
    }
}

/// A topic narrows what a form says, on the page that shows topics; no other word widens it.
#[test]
fn a_topic_is_stopped_alone_on_the_page_that_shows_it() {
    let stopped = |target: &str, body: &str| match form(target, body).decided() {
        Decision::Withdraw(_, stop, _) => {
            let topic = stop.topic.as_ref().map(|topic| topic.as_str().to_owned());
            Ok((stop.scope, topic))
        }
        Decision::Refuse(refused) => Err(refused),
        Decision::Show(_)
        | Decision::ShowChoices(_)
        | Decision::ShowRequest(_)
        | Decision::GiveCode(_)
        | Decision::ShowCopy(_)
        | Decision::HandOut(..)
        | Decision::Ask(_)
        | Decision::NotTicked(_)
        | Decision::DoNotSell(_)
        | Decision::Press(..) => panic!("{body}"),
    };
    let offers = Some("offers".to_owned());
    for (target, body, expected) in [
        (
            "/p/good-token",
            "scope=marketing&topic=offers",
            Ok((Scope::Marketing, offers.clone())),
        ),
        (
            "/p/good-token",
            "scope=utility&topic=offers",
            Ok((Scope::Utility, offers)),
        ),
        (
            "/p/good-token",
            "scope=everything&topic=offers",
            Ok((Scope::Everything, None)),
        ),
        (
            "/p/good-token",
            "topic=offers",
            Ok((Scope::Marketing, None)),
        ),
        (
            "/p/good-token",
            "scope=marketing&topic=%2B16135550100",
            Err(Refused::NotFound),
        ),
        (
            "/u/good-token",
            "scope=marketing&topic=offers",
            Ok((Scope::Marketing, None)),
        ),
        (
            "/p/bad",
            "scope=marketing&topic=offers",
            Err(Refused::NotFound),
        ),
    ] {
        assert_eq!(stopped(target, body), expected, "{target} {body}");
    }
}

#[test]
fn a_link_to_confirm_looks_the_same_for_everybody_who_opens_it() {
    let made = confirm_token();
    for text in [made.clone(), "A".repeat(72)] {
        let target = format!("/c/{text}");
        for method in ["GET", "HEAD"] {
            let opened = sent(method, &target).with("user-agent", "Mozilla/5.0");
            let page = View::ConfirmLink(Some(text.clone()));
            assert_eq!(opened.decided(), Decision::Show(page));
            let fetched = sent(method, &target).with("user-agent", "WhatsApp/2.25.1 A");
            assert_eq!(fetched.decided(), Decision::Show(View::ConfirmLink(None)));
        }
    }
    for text in ["", "short", &made[1..], &"=".repeat(72)] {
        let target = format!("/c/{text}");
        let refused = Decision::Refuse(Refused::NotFound);
        assert_eq!(sent("GET", &target).decided(), refused, "{text}");
        assert_eq!(form(&target, "agree=yes").decided(), refused, "{text}");
    }
}

#[test]
fn a_link_is_pressed_with_its_token_in_the_form_and_the_box_ticked() {
    let (made, forged) = (confirm_token(), "A".repeat(72));
    let pressed = |text: &str, body: &str| form(&format!("/c/{text}"), body).decided();
    let refused = Decision::Refuse(Refused::NotFound);
    assert!(matches!(
        pressed(&made, &format!("token={made}&agree=yes")),
        Decision::Press(..)
    ));
    for unticked in ["", "&agree=", "&agree=no", "&agree=YES"] {
        assert_eq!(
            pressed(&made, &format!("token={made}{unticked}")),
            Decision::NotTicked(made.clone())
        );
    }
    assert_eq!(pressed(&made, "agree=yes"), refused);
    assert_eq!(
        pressed(&made, &format!("token={forged}&agree=yes")),
        refused
    );
    assert_eq!(
        pressed(&forged, &format!("token={forged}&agree=yes")),
        refused
    );
}

#[test]
fn a_link_that_was_not_made_here_looks_like_no_page_at_all() {
    for target in [
        "/u/bad",
        "/u/",
        "/u/good-token/more",
        "/u",
        "/p/bad",
        "/p/",
        "/p",
        "/U/good-token",
        "/.well-known/",
        "/nowhere",
        "/",
        "//opt-in",
    ] {
        assert_eq!(
            sent("GET", target).decided(),
            Decision::Refuse(Refused::NotFound),
            "{target}"
        );
        assert_eq!(
            form(target, "scope=everything").decided(),
            Decision::Refuse(Refused::NotFound),
            "{target}"
        );
    }
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        assert_eq!(
            sent(method, "/opt-in").decided(),
            Decision::Refuse(Refused::Method("GET, HEAD, POST"))
        );
        assert_eq!(
            sent(method, "/u/bad").decided(),
            Decision::Refuse(Refused::Method("GET, HEAD, POST"))
        );
    }
    let request = format!("/r/dsr_{}", "a".repeat(20));
    for target in [
        "/privacy",
        "/do-not-sell",
        "/.well-known/gpc.json",
        &request,
    ] {
        assert_eq!(
            form(target, "a=b").decided(),
            Decision::Refuse(Refused::Method("GET, HEAD"))
        );
    }
}

#[test]
fn only_a_small_form_from_our_own_page_is_read() {
    let refused = |sent: Sent| match sent.decided() {
        Decision::Refuse(refused) => Some(refused),
        Decision::Show(_)
        | Decision::ShowChoices(_)
        | Decision::ShowRequest(_)
        | Decision::GiveCode(_)
        | Decision::ShowCopy(_)
        | Decision::HandOut(..)
        | Decision::Ask(_)
        | Decision::NotTicked(_)
        | Decision::Press(..)
        | Decision::DoNotSell(_)
        | Decision::Withdraw(..) => None,
    };
    for target in ["/opt-in", "/u/good-token", "/p/good-token"] {
        for wrong in [
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
            "",
            "application/x-www-form-urlencodedx",
        ] {
            assert_eq!(
                refused(form(target, "a=b").with("content-type", wrong)),
                Some(Refused::WrongType),
                "{wrong}"
            );
        }
        let right = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
        assert_eq!(
            refused(form(target, "a=b").with("content-type", right)),
            None
        );
        assert_eq!(refused(form(target, &"a".repeat(MAX_BODY))), None);
        assert_eq!(
            refused(form(target, &"a".repeat(MAX_BODY + 1))),
            Some(Refused::TooLarge)
        );
        for (site, expected) in [
            ("same-origin", None),
            ("cross-site", Some(Refused::CrossSite)),
            ("same-site", Some(Refused::CrossSite)),
            ("none", Some(Refused::CrossSite)),
        ] {
            assert_eq!(
                refused(form(target, "a=b").with("sec-fetch-site", site)),
                expected,
                "{site}"
            );
            assert_eq!(
                refused(
                    form(target, "a=b")
                        .with("sec-fetch-site", site)
                        .with("origin", "null")
                ),
                expected,
                "{site}"
            );
        }
        assert_eq!(refused(form(target, "a=b").with("origin", ORIGIN)), None);
        assert_eq!(refused(form(target, "a=b").with("origin", "null")), None);
        assert_eq!(
            refused(form(target, "a=b").with("origin", "https://evil.example")),
            Some(Refused::CrossSite)
        );
        assert_eq!(
            refused(
                form(target, "a=b").with("origin", "https://privacy.maple.example.evil.example")
            ),
            Some(Refused::CrossSite)
        );
    }
}

#[test]
fn a_form_asks_only_for_what_the_page_offered() {
    let asked = |target: &str, body: &str| match form(target, body).decided() {
        Decision::Ask(asked) => asked,
        Decision::Show(_)
        | Decision::ShowChoices(_)
        | Decision::ShowRequest(_)
        | Decision::GiveCode(_)
        | Decision::ShowCopy(_)
        | Decision::HandOut(..)
        | Decision::Refuse(_)
        | Decision::NotTicked(_)
        | Decision::Press(..)
        | Decision::DoNotSell(_)
        | Decision::Withdraw(..) => panic!("not a request"),
    };
    let both = asked(
        "/opt-in",
        "purpose=utility&purpose=marketing&wording=w1&lang=zh-Hant",
    );
    assert_eq!(
        both,
        Asked {
            offered: offer(&OFFERED, None),
            ticked: OFFERED.to_vec(),
            wording: "w1".to_owned()
        }
    );
    let smuggled = asked(
        "/opt-in?purpose=marketing",
        "purpose=utility&purpose=authentication&purpose=service",
    );
    assert_eq!(
        smuggled,
        Asked {
            offered: offer(&[Purpose::Marketing], None),
            ticked: vec![],
            wording: String::new()
        }
    );
}

#[test]
fn unknown_purposes_select_nothing() {
    for target in [
        "/opt-in",
        "/opt-in?purpose=",
        "/opt-in?purpose=%3Cscript%3E",
        "/opt-in?purpose=authentication,service",
    ] {
        assert_eq!(
            sent("GET", target).decided(),
            Decision::Show(View::OptIn(offer(&OFFERED, None))),
            "{target}"
        );
    }
    assert_eq!(
        sent("GET", "/opt-in?purpose=utility&purpose=utility").decided(),
        Decision::Show(View::OptIn(offer(&[Purpose::Utility], None)))
    );
}

#[test]
fn a_topic_is_offered_of_one_purpose_alone() {
    for (query, purposes, topic) in [
        (
            "purpose=marketing&topic=offers",
            &[Purpose::Marketing][..],
            Some("offers"),
        ),
        ("topic=offers", &OFFERED, None),
        ("purpose=marketing,utility&topic=offers", &OFFERED, None),
        (
            "purpose=marketing&topic=%3Cscript%3E",
            &[Purpose::Marketing],
            None,
        ),
        ("purpose=marketing&topic=", &[Purpose::Marketing], None),
    ] {
        let shown = sent("GET", &format!("/opt-in?{query}")).decided();
        let expected = View::OptIn(offer(purposes, topic));
        assert_eq!(shown, Decision::Show(expected), "{query}");
    }
}

#[test]
fn a_form_is_answered_in_the_language_it_was_shown_in() {
    let sent = form("/opt-in?lang=en", "lang=zh-Hant").with("accept-language", "zh-CN");
    assert_eq!(sent.facts().language().as_deref(), Some("zh-Hant"));
    let sent = self::sent("GET", "/opt-in?lang=en").with("accept-language", "zh-CN");
    assert_eq!(sent.facts().language().as_deref(), Some("en"));
    assert_eq!(sent.facts().accept_language(), Some("zh-CN"));
}

#[test]
fn only_the_signal_itself_is_global_privacy_control() {
    for (value, signal) in [("1", true), ("0", false), ("true", false), ("", false)] {
        let sent = sent("GET", "/do-not-sell").with("sec-gpc", value);
        assert_eq!(
            sent.decided(),
            Decision::Show(View::DoNotSell { signal }),
            "{value}"
        );
    }
    let sent = sent("GET", "/do-not-sell");
    assert_eq!(
        sent.decided(),
        Decision::Show(View::DoNotSell { signal: false })
    );
}

#[test]
fn a_request_not_to_sell_is_a_form_of_the_page_with_the_choices() {
    let sale = |target: &str| form(target, "scope=sale&topic=offers").decided();
    assert_eq!(sale("/p/good-token"), Decision::DoNotSell(subject()));
    assert_eq!(sale("/p/bad"), Decision::Refuse(Refused::NotFound));
    let stop = Stop {
        scope: Scope::Marketing,
        topic: None,
    };
    let least = Decision::Withdraw(subject(), stop, Door::Unsubscribe);
    assert_eq!(sale("/u/good-token"), least, "the word is none there");
    assert_eq!(
        sale("/do-not-sell"),
        Decision::Refuse(Refused::Method("GET, HEAD"))
    );
}

#[test]
fn the_signal_of_a_browser_is_somebodys_with_their_link_alone() {
    let signalled = |sent: &Sent| super::signalled(&sent.facts(), &Known);
    for target in TARGETS {
        for method in ["GET", "POST"] {
            let with = sent(method, target).with("sec-gpc", "1");
            let is_theirs = target.contains("good-token");
            let expected = is_theirs.then(subject);
            assert_eq!(signalled(&with), expected, "{method} {target}");
            assert_eq!(signalled(&sent(method, target)), None);
            let off = sent(method, target).with("sec-gpc", "0");
            assert_eq!(signalled(&off), None);
        }
        // A scanner's question, and what is no visit at all.
        for method in ["HEAD", "OPTIONS", "PUT", "DELETE"] {
            let with = sent(method, target).with("sec-gpc", "1");
            assert_eq!(signalled(&with), None, "{method} {target}");
        }
    }
}

#[test]
fn a_link_shows_the_choices_of_its_person_and_nobody_elses() {
    for method in ["GET", "HEAD"] {
        let good = sent(method, "/p/good-token");
        assert_eq!(good.decided(), Decision::ShowChoices(subject()));
    }
}

#[test]
fn a_machine_has_to_ask_for_a_problem_document() {
    for (accept, expected) in [
        ("application/json", true),
        ("application/problem+json", true),
        ("text/html,application/xhtml+xml,*/*;q=0.8", false),
        ("text/html, application/json", false),
        ("*/*", false),
    ] {
        assert_eq!(
            sent("GET", "/nowhere")
                .with("accept", accept)
                .facts()
                .wants_json(),
            expected,
            "{accept}"
        );
    }
    assert!(!sent("GET", "/nowhere").facts().wants_json());
}

#[test]
fn a_code_is_given_for_the_button_alone_and_a_reference_shows_a_request() {
    assert_eq!(
        sent("GET", "/requests").decided(),
        Decision::Show(View::Requests)
    );
    assert_eq!(
        sent("HEAD", "/requests").decided(),
        Decision::Show(View::Requests)
    );
    for choice in Choice::OFFERED {
        let body = format!("ask={}", choice.word());
        assert_eq!(
            form("/requests", &body).decided(),
            Decision::GiveCode(choice)
        );
    }
    let link = ExportLink::parse(&"a".repeat(24)).unwrap();
    let path = format!("/e/{}", link.reveal());
    let shown = Decision::ShowCopy(link.clone());
    assert_eq!(sent("GET", &path).decided(), shown);
    assert_eq!(form(&path, "as=anything").decided(), shown);
    let file = |volume| Decision::HandOut(link.clone(), Copy::File, volume);
    assert_eq!(form(&path, "as=file").decided(), file(1));
    assert_eq!(form(&path, "as=file&volume=12").decided(), file(12));
    for other in ["", "-1", "1.5", "99999999999999999999", "all"] {
        let body = format!("as=file&volume={other}");
        assert_eq!(form(&path, &body).decided(), shown, "{other}");
    }
    for other in ["", "ask=", "ask=portability", "lang=en", "ask=erasur%65%00"] {
        let decided = form("/requests", other).decided();
        assert_eq!(decided, Decision::Show(View::Requests), "{other}");
    }
    let id = RequestId::from_random([5; 12]);
    let shown = sent("GET", &format!("/r/{id}")).decided();
    assert_eq!(shown, Decision::ShowRequest(id));
    for other in [
        "/r/",
        "/r/dsr_",
        "/r/sub_aaaaaaaaaaaaaaaaaaaa",
        "/r/dsr_aaaaaaaaaaaaaaaaaaaa/x",
    ] {
        let decided = sent("GET", other).decided();
        assert_eq!(decided, Decision::Refuse(Refused::NotFound), "{other}");
    }
}
