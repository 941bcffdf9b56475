//! The one message to an imported person.

use super::*;
use crate::consent::{IMPORTED, NoticeId, Question};
use crate::live::{LiveNumber, Quality};
use crate::system::Kind as System;

const EXTRA: &str = include_str!("../../../tests/import_message.toml");

fn imports() -> Config {
    let on: Config = Config::from_toml(&format!(
        "{}\n{EXTRA}",
        include_str!("../../../../../config/headgate.toml")
    ))
    .unwrap();
    let mut config = config();
    config.consents = on.consents;
    config.templates = on.templates;
    config
}

fn notice(config: &Config) -> NoticeId {
    let message = config.consents.import_message.as_ref().unwrap();
    message.texts[0].notice_id(&config.controller.name)
}

fn asked(config: &Config) -> Question {
    Question {
        at: NOW,
        entry: IMPORTED.to_owned(),
        method: "import".to_owned(),
        message: "m".to_owned(),
        token: "T".repeat(43),
        purpose: Purpose::Marketing,
        topics: Vec::new(),
        notice: notice(config),
        locale: "en".to_owned(),
        origin: "{}".to_owned(),
    }
}

fn payload(index: u8) -> crate::outbound::ButtonParameter {
    crate::outbound::ButtonParameter {
        index,
        kind: crate::config::ButtonKind::QuickReply,
        fits: true,
    }
}

fn question() -> Ask {
    let config = imports();
    let mut subject = with(subject(), Purpose::Marketing, State::Requested);
    subject.asked = Some(asked(&config));
    Ask {
        config,
        subject,
        basis: Basis::System {
            kind: System::ImportConfirmation,
        },
        kind: Kind::Template {
            name: "ask_imported".to_owned(),
            language: "en_US".to_owned(),
            parameters: Parameters {
                buttons: vec![payload(0), payload(1)],
                ..Parameters::default()
            },
        },
        ..Ask::marketing()
    }
}

fn refused(ask: &Ask) -> Code {
    match ask.judge() {
        Err(No::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_rests_on_the_request_and_not_on_a_yes() {
    assert_eq!(question().judge().unwrap().as_deref(), Some("L3.7"));
    for state in [State::Given, State::Withdrawn] {
        let mut ask = question();
        ask.subject = with(ask.subject, Purpose::Marketing, state);
        assert_eq!(refused(&ask), Code::Suppressed, "{}", state.word());
    }
    for state in [State::Refused, State::Invalidated] {
        let mut ask = question();
        ask.subject = with(ask.subject, Purpose::Marketing, state);
        assert_eq!(refused(&ask), Code::NoConsent, "{}", state.word());
    }
    let mut nobody = question();
    nobody.subject.consents = subject().consents;
    assert_eq!(refused(&nobody), Code::NoConsent);
}

#[test]
fn it_is_no_answer_so_a_no_a_stop_and_a_new_owner_keep_it_back() {
    let mut said_no = question();
    said_no.suppressed = vec![Purpose::Marketing];
    assert_eq!(refused(&said_no), Code::Suppressed);
    let mut stopped = question();
    stopped.subject.meta_stop = true;
    assert_eq!(refused(&stopped), Code::Suppressed);
    let mut moved = question();
    let at = NOW.plus_millis(1);
    moved.accepted_at = Some(NOW);
    moved.now = at;
    moved.subject.identity_change = Some((at, IdentityChange::Number));
    assert_eq!(refused(&moved), Code::IdentityChanged);
    let mut american = question();
    american.to = Country::parse("US").ok();
    assert_eq!(refused(&american), Code::RegionBlocked);
}

#[test]
fn it_ends_with_the_setting_the_wording_the_question_and_the_quality() {
    let mut off = question();
    off.config.consents.import_message = None;
    assert_eq!(refused(&off), Code::NoConsent);
    let mut reworded = question();
    let message = reworded.config.consents.import_message.as_mut().unwrap();
    message.texts[0].notice.push('!');
    assert_eq!(refused(&reworded), Code::NoConsent);
    let mut old = question();
    old.now = NOW.plus_millis(72 * HOUR + 1);
    assert_eq!(refused(&old), Code::NoConsent);
    let mut other = question();
    other.subject.asked.as_mut().unwrap().entry = "shop-door".to_owned();
    assert_eq!(refused(&other), Code::NoConsent);
    let mut never = question();
    never.subject.asked = None;
    assert_eq!(refused(&never), Code::Suppressed);
    for quality in [Quality::Yellow, Quality::Red] {
        let mut ask = question();
        let known = LiveNumber {
            quality: Some(quality),
            ..LiveNumber::default()
        };
        ask.live.numbers.insert("106540352242922".to_owned(), known);
        assert_eq!(refused(&ask), Code::NumberPaused, "{}", quality.word());
    }
}

#[test]
fn it_is_a_template_of_marketing_and_nothing_else() {
    let mut form = question();
    form.kind = Kind::FreeForm;
    assert_eq!(refused(&form), Code::PurposeMismatch);
    let mut service = question();
    service.purpose = Purpose::Service;
    assert_eq!(refused(&service), Code::PurposeMismatch);
    let mut answer = question();
    answer.basis = Basis::System {
        kind: System::OptoutConfirmation,
    };
    assert_eq!(refused(&answer), Code::PurposeMismatch);
    // An app cannot borrow the question's ground.
    let mut app = question();
    app.basis = Basis::Consent;
    assert_eq!(refused(&app), Code::ConsentUnconfirmed);
}

#[test]
fn a_setting_that_could_not_ask_is_refused_by_its_place() {
    let base = format!(
        "{}\n{EXTRA}",
        include_str!("../../../../../config/headgate.toml")
    );
    for (from, to, place) in [
        (
            "from = \"main\"\ntemplate",
            "from = \"nobody\"\ntemplate",
            "import_message.from",
        ),
        ("per_day = 250", "per_day = 0", "import_message.per_day"),
        ("locale = \"en\"", "locale = \"fr\"", "import_message.texts"),
        (
            "language = \"en_US\"\nnotice",
            "language = \"de\"\nnotice",
            "texts[0].language",
        ),
        (
            ", { index = 1, kind = \"quick_reply\" }",
            "",
            "texts[0].language",
        ),
        (
            "kind = \"quick_reply\" }]",
            "kind = \"url\" }]",
            "texts[0].language",
        ),
        ("Maple Outfitters has you", "We have you", "texts[0].notice"),
    ] {
        assert!(base.contains(from), "{from}");
        let error = Config::from_toml(&base.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(place), "{place}: {error}");
    }
    let config = Config::from_toml(&base).unwrap();
    assert_eq!(Config::from_json(&config.to_json()), Ok(config.clone()));
    assert!(Config::from_toml(&base.replace("\"shop-door\"", "\"headgate.import\"")).is_err());
}
