//! The system messages: what survives the queue, and what each says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]
use super::*;
use crate::identity::SubjectId;

const NOTICE: &str = "I would like to have offers.";

fn message(kind: Kind) -> SystemMessage {
    let token = kind.is_about_a_request();
    SystemMessage {
        kind,
        cause: format!("in_m1_{}", "A".repeat(43)),
        to: Recipient::Subject(SubjectId::from_random([7; 16])),
        from: "main".to_owned(),
        locale: Locale::ZhHant,
        token: token.then(|| "402913".to_owned()),
        said_at: Some(Timestamp::from_seconds(1_795_000_000)),
        question: kind.is_question().then(|| Wanted {
            entry: "shop-door".to_owned(),
            notice: NoticeId::of("Yes", "en", "Maple Outfitters"),
            token: "T".repeat(43),
        }),
    }
}

#[test]
fn every_kind_survives_the_queue_and_has_a_text_in_every_language() {
    let texts = Texts::read().unwrap();
    for kind in Kind::ALL.iter().copied() {
        let sent = message(kind);
        assert_eq!(SystemMessage::parse(&to_json(&sent)), Ok(sent.clone()));
        for locale in Locale::ALL {
            let sent = SystemMessage {
                locale,
                ..sent.clone()
            };
            let at = Timestamp::from_seconds(1_795_000_000);
            let filling = Filling {
                export: "",
                business: "Maple Outfitters",
                contact: "care@maple.example",
                page: "https://privacy.maple.example",
                notice: NOTICE,
                template: ("ask_imported", "en_US"),
            };
            let out = sent.outbound(&texts, &filling, at);
            assert_eq!(
                (out.purpose, &out.basis),
                (kind.lane(), &Basis::System { kind })
            );
            assert!(out.expires_at.unwrap() > at);
            assert!(out.id.len() <= 128);
            if kind == Kind::ImportConfirmation {
                assert_eq!(out.purpose, Purpose::Marketing);
                assert!(matches!(out.kind, MessageKind::Template { .. }));
                continue;
            }
            assert_eq!(out.kind, MessageKind::FreeForm);
            let text = if matches!(kind, Kind::AskBack | Kind::OptinQuestion) {
                &out.message["interactive"]["body"]["text"]
            } else {
                &out.message["text"]["body"]
            };
            let body = text.as_str().unwrap();
            assert!(body.contains("Maple Outfitters"), "{body}");
            assert!(!body.contains('{') && body.chars().count() < 400, "{body}");
            assert_eq!(body.contains(NOTICE), kind == Kind::OptinQuestion, "{body}");
            // The link to a copy says more than its reference.
            let shows_token = kind.is_about_a_request() && kind != Kind::PrivacyExport;
            assert_eq!(body.contains("402913"), shows_token, "{body}");
        }
    }
}

#[test]
fn the_message_to_an_imported_person_is_a_template_whose_buttons_are_bound_to_the_question() {
    let texts = Texts::read().unwrap();
    let filling = Filling {
        export: "",
        business: "Maple Outfitters",
        contact: "",
        page: "",
        notice: NOTICE,
        template: ("ask_imported", "de"),
    };
    let sent = message(Kind::ImportConfirmation);
    let out = sent.outbound(&texts, &filling, Timestamp::from_seconds(1_795_000_000));
    let token = &sent.question.unwrap().token;
    let button = |index: &str, payload: String| {
        json!({
            "type": "button", "sub_type": "quick_reply", "index": index,
            "parameters": [{ "type": "payload", "payload": payload }],
        })
    };
    let expected = json!({
        "name": "ask_imported", "language": { "code": "de" },
        "components": [button("0", yes_payload(token)), button("1", no_payload(token))],
    });
    assert_eq!(out.message["template"], expected);
    let MessageKind::Template { parameters, .. } = out.kind else {
        panic!("not a template");
    };
    assert!(!parameters.unreadable && parameters.buttons.iter().all(|b| b.fits));
}

#[test]
fn a_late_answer_is_none() {
    let texts = Texts::read().unwrap();
    let filling = Filling {
        export: "",
        business: "Maple Outfitters",
        contact: "care@maple.example",
        page: "https://privacy.maple.example",
        notice: "",
        template: ("", ""),
    };
    let said_at = Timestamp::from_seconds(1_795_000_000);
    let queued_at = said_at.plus_millis(4 * MINUTE);
    let out = message(Kind::OptoutConfirmation).outbound(&texts, &filling, queued_at);
    assert_eq!(
        out.expires_at,
        Some(said_at.plus_millis(5 * MINUTE)),
        "five minutes after the person's word, not after ours"
    );
}

#[test]
fn the_question_back_has_three_answers_of_which_one_is_a_no() {
    use crate::optout::{Context, Intent, classify};
    let texts = Texts::read().unwrap();
    for locale in Locale::ALL {
        let buttons = &texts.of(locale).buttons;
        let read = |text: &str| classify(text, &Context::default());
        assert!(matches!(read(ANSWER_STOP), Intent::OptOut { .. }));
        for other in [
            ANSWER_OTHER,
            ANSWER_NEITHER,
            &buttons.other,
            &buttons.neither,
        ] {
            assert_eq!(read(other), Intent::None, "{other}");
        }
        for title in [&buttons.stop, &buttons.other, &buttons.neither] {
            assert!(title.chars().count() <= 20, "{title}: Meta's limit");
        }
    }
}

#[test]
fn the_opt_in_question_has_two_answers_that_are_bound_to_it_and_fits_above_buttons() {
    let texts = Texts::read().unwrap();
    let longest = "字".repeat(800);
    for locale in Locale::ALL {
        let filling = Filling {
            export: "",
            business: &"M".repeat(60),
            contact: "",
            page: "",
            notice: &longest,
            template: ("", ""),
        };
        let sent = SystemMessage {
            locale,
            ..message(Kind::OptinQuestion)
        };
        let out = sent.outbound(&texts, &filling, Timestamp::from_seconds(1_795_000_000));
        let interactive = &out.message["interactive"];
        let body = interactive["body"]["text"].as_str().unwrap();
        assert!(
            body.contains(&longest) && body.chars().count() <= 1_024,
            "{}",
            locale.tag()
        );
        let buttons = interactive["action"]["buttons"].as_array().unwrap();
        let ids: Vec<_> = buttons
            .iter()
            .map(|b| b["reply"]["id"].as_str().unwrap())
            .collect();
        let token = "T".repeat(43);
        assert_eq!(ids, [yes_payload(&token), no_payload(&token)]);
        for button in buttons {
            let title = button["reply"]["title"].as_str().unwrap();
            assert!(title.chars().count() <= 20, "{title}: Meta's limit");
        }
    }
}

#[test]
fn somebody_is_answered_in_the_language_of_their_word_or_their_country() {
    let of = |term, country: &str| Locale::of_person(term, Country::parse(country).ok());
    assert_eq!(of("退訂", "CA"), Locale::ZhHant);
    assert_eq!(of("stop", "BR"), Locale::Pt);
    assert_eq!(of("arrêt", "FR"), Locale::En, "no text in French yet");
    assert_eq!(of("", "DE"), Locale::De);
    assert_eq!(of("", "?"), Locale::En);
}

#[test]
fn nothing_that_could_carry_a_text_is_taken() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut body: Value =
            serde_json::from_str(&to_json(&message(Kind::PrivacyExport))).unwrap();
        change(&mut body);
        SystemMessage::parse(&body.to_string())
            .err()
            .and_then(|r| r.field)
    };
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(refused(&|b| b["text"] = "buy now".into()), Some("$"));
    assert_eq!(refused(&|b| b["kind"] = "newsletter".into()), Some("kind"));
    assert_eq!(refused(&|b| b["token"] = "buy now".into()), Some("token"));
    let question = json!({ "entry": "shop-door", "notice": "n_e5hfhwtv5jwz6xmcq5ifa2r7mnwihxnn", "token": "T".repeat(43) });
    assert_eq!(
        refused(&|b| b["question"] = question.clone()),
        Some("question")
    );
    let asked = |change: &dyn Fn(&mut Value)| {
        let mut body: Value =
            serde_json::from_str(&to_json(&message(Kind::OptinQuestion))).unwrap();
        change(&mut body);
        SystemMessage::parse(&body.to_string())
            .err()
            .and_then(|r| r.field)
    };
    assert_eq!(asked(&|_| {}), None);
    for (member, value) in [
        ("entry", json!("buy now")),
        ("notice", json!("Buy now")),
        ("token", json!("T")),
        ("text", json!("buy now")),
    ] {
        assert_eq!(
            asked(&|b| b["question"][member] = value.clone()),
            Some("question")
        );
    }
    assert_eq!(asked(&|b| b["question"] = Value::Null), Some("question"));
    assert_eq!(
        refused(&|b| b["token"] = "A".repeat(25).into()),
        Some("token")
    );
    assert_eq!(
        refused(&|b| b["kind"] = "optout_confirmation".into()),
        Some("token")
    );
    assert_eq!(refused(&|b| b["locale"] = "xx".into()), Some("locale"));
    assert_eq!(refused(&|b| b["cause"] = "two words".into()), Some("cause"));
    assert_eq!(
        refused(&|b| b["schema"] = "headgate.outbound/1".into()),
        Some("schema")
    );
    assert_eq!(
        refused(&|b| b["to"]["ref"] = "customer-1".into()),
        Some("to")
    );
}
