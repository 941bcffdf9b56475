#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn stop(scope: Scope, keyword: &str) -> Intent {
    opt_out(keyword, scope)
}

fn plain(text: &str) -> Intent {
    classify(text, &Context::default())
}

fn is_opt_out(intent: &Intent) -> bool {
    matches!(intent, Intent::OptOut { .. })
}

fn file() -> Value {
    serde_json::from_str(include_str!("../../../../config/optout-keywords.json")).unwrap()
}

/// Every term of one list, with its language.
fn terms(list: &str) -> Vec<(String, String)> {
    let file = file();
    let languages = file["languages"].as_object().unwrap();
    let of = |(code, language): (&String, &Value)| {
        // Only some languages have open phrases.
        let terms = language
            .get(list)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let code = code.clone();
        terms
            .into_iter()
            .map(move |term| (code.clone(), term.as_str().unwrap().to_owned()))
    };
    languages.into_iter().flat_map(of).collect()
}

fn in_language(text: &str, language: &str) -> Intent {
    let context = Context {
        language: Some(language),
        ..Context::default()
    };
    classify(text, &context)
}

#[test]
fn the_golden_messages_are_read_as_written_down() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden.json")).unwrap();
    assert_eq!(cases.len(), 34);
    for case in &cases {
        let word = |name: &str| case.get(name).and_then(Value::as_str);
        let profile = word("profile").unwrap_or_default();
        let context = Context {
            recent_marketing: word("context") == Some("marketing"),
            optin_question_open: word("context") == Some("optin_question"),
            words_bind: profile.starts_with("US") || profile == "CA_CASL",
            language: word("lang"),
        };
        let answer = match classify(word("in").unwrap(), &context) {
            Intent::OptOut { .. } => "OPT_OUT",
            Intent::OptIn { .. } => "OPT_IN_KEYWORD",
            Intent::Help => "HELP",
            Intent::Contact => "CONTACT",
            Intent::AccessRequest => "DSAR_ACCESS",
            Intent::ErasureRequest => "DSAR_ERASURE",
            Intent::DoNotSell => "DO_NOT_SELL_SHARE",
            Intent::Ask { .. } => "ASK",
            Intent::None => "NONE",
        };
        assert_eq!(answer, word("out").unwrap(), "{case}");
    }
}

#[test]
fn all_twenty_three_languages_are_there() {
    assert_eq!(file()["languages"].as_object().unwrap().len(), 23);
}

#[test]
fn every_stop_term_stops_in_its_language() {
    for (language, term) in terms("stop_exact") {
        assert!(
            is_opt_out(&in_language(&term, &language)),
            "{language} {term}"
        );
        let loud = format!("  {}!!! 🙏🏽", term.to_uppercase());
        // Capitals of Turkish dotless i do not lower-case back; the folded form still matches.
        assert!(
            is_opt_out(&in_language(&loud, &language)),
            "{language} {loud}"
        );
    }
}

#[test]
fn every_stop_phrase_stops_inside_a_longer_message() {
    let open = terms("stop_phrase_open");
    assert!(open.len() > 50, "an absent list is an empty one");
    for (language, phrase) in terms("stop_phrase").into_iter().chain(open) {
        let message = if text::is_unspaced(&phrase) {
            format!("你好{phrase}吧")
        } else {
            format!("hello, {phrase}. bye")
        };
        assert!(
            is_opt_out(&in_language(&message, &language)),
            "{language} {message}"
        );
    }
}

#[test]
fn a_guard_keeps_a_phrase_from_stopping() {
    for (_, guard) in terms("phrase_guards") {
        let message = format!("{guard} / stop messaging me");
        assert!(!is_opt_out(&plain(&message)), "{message}");
    }
    for text in [
        "don't stop, I like these",
        "can't stop smiling",
        "别停",
        "退订酒店怎么操作",
        "non-stop flight?",
    ] {
        assert_eq!(plain(text), Intent::None, "{text}");
    }
}

#[test]
fn a_phrase_without_its_object_is_about_messages_and_one_about_something_else_is_asked_about() {
    for text in [
        "don't send me any more, thanks",
        "Please stop sending me these offers",
        "stop sending me!",
        "不想再收到你们的广告",
        "请不要再发了,谢谢",
        "no me manden más por favor",
        "não me mande mais propaganda",
        "Hören Sie auf, mir zu schreiben",
        "ich widerspreche",
    ] {
        assert!(is_opt_out(&plain(text)), "{text}");
    }
    for text in [
        "don't send me any more boxes of that size",
        "stop sending me the wrong size",
        "不想再收到坏的了",
        "no me manden más de una caja",
        "ich widerspreche der Rechnung",
    ] {
        assert_eq!(plain(text), Intent::Ask { nearly: None }, "{text}");
    }
}

#[test]
fn every_doubtful_word_stops_after_marketing_in_its_language_and_is_asked_about_otherwise() {
    for (language, term) in terms("stop_contextual") {
        let context = Context {
            recent_marketing: true,
            language: Some(&language),
            ..Context::default()
        };
        let after = classify(&term, &context);
        assert!(is_opt_out(&after), "{language} {term} {after:?}");
    }
    for (language, term) in terms("start_contextual") {
        let context = Context {
            optin_question_open: true,
            language: Some(&language),
            ..Context::default()
        };
        let answer = classify(&term, &context);
        assert!(
            matches!(answer, Intent::OptIn { .. }),
            "{language} {term} {answer:?}"
        );
    }
}

#[test]
fn every_request_is_read_as_its_own_kind() {
    let kinds: [(&str, Intent); 5] = [
        ("contact_exact", Intent::Contact),
        ("dsar_access_exact", Intent::AccessRequest),
        ("dsar_erasure_exact", Intent::ErasureRequest),
        ("do_not_sell_exact", Intent::DoNotSell),
        ("help_exact", Intent::Help),
    ];
    for (list, intent) in kinds {
        for (language, term) in terms(list) {
            assert_eq!(in_language(&term, &language), intent, "{language} {term}");
        }
    }
    for (language, term) in terms("start_exact") {
        let answer = in_language(&term, &language);
        assert!(matches!(answer, Intent::OptIn { .. }), "{language} {term}");
    }
}

#[test]
fn the_keyword_named_is_ours_and_not_the_persons() {
    assert_eq!(plain("  S\u{200b}TOP!! 🙏"), stop(Scope::Marketing, "stop"));
    assert_eq!(plain("退 訂"), stop(Scope::Marketing, "退訂"));
    assert_eq!(
        plain("this is Ada, please stop sending me these promos"),
        stop(Scope::Marketing, "stop sending me")
    );
    assert_eq!(
        plain("START"),
        opt_in(&Term {
            text: "start".into()
        })
    );
}

fn scope_of(text: &str) -> Option<Scope> {
    if let Intent::OptOut { scope, .. } = plain(text) {
        Some(scope)
    } else {
        None
    }
}

#[test]
fn some_words_reach_further_than_marketing() {
    for text in [
        "STOPALL",
        "stop all",
        "Do not contact me",
        "delete my number now",
        "删除我的号码",
        "唔好煩我！",
        "Löschen Sie meine Nummer",
    ] {
        assert_eq!(scope_of(text), Some(Scope::All), "{text}");
    }
    for text in ["stop", "退订", "stop sending me this"] {
        assert_eq!(scope_of(text), Some(Scope::Marketing), "{text}");
    }
}

#[test]
fn politeness_changes_nothing() {
    for text in [
        "please unsubscribe",
        "Unsubscribe, please!",
        "please stop now, thank you",
        "请退订谢谢",
        "請，退訂",
        "麻烦取消订阅",
        "配信停止お願いします",
        "stop por favor",
        "谢谢 remove me",
        "unsubscribe me 请",
        "请 退 订",
        "麻 烦 退 订",
    ] {
        assert!(is_opt_out(&plain(text)), "{text}");
    }
    assert_eq!(plain("thanks"), Intent::None);
    assert_eq!(plain("谢谢"), Intent::None);
    assert_eq!(plain("stopthanks"), Intent::None);
}

#[test]
fn a_doubtful_word_stops_only_after_marketing_and_is_asked_about_otherwise() {
    let after_marketing = Context {
        recent_marketing: true,
        ..Context::default()
    };
    let question = Context {
        optin_question_open: true,
        ..Context::default()
    };
    let both = Context {
        recent_marketing: true,
        ..question
    };
    assert_eq!(
        classify("cancel", &after_marketing),
        stop(Scope::Marketing, "cancel")
    );
    let ask = Intent::Ask { nearly: None };
    assert_eq!(classify("cancel", &Context::default()), ask);
    assert_eq!(classify("no", &question), Intent::None);
    assert_eq!(classify("no", &both), ask);
    assert!(is_opt_out(&classify("stop", &both)));
}

#[test]
fn a_misspelling_names_the_word_it_comes_near_to() {
    assert_eq!(
        classify("stpo", &Context::default()),
        Intent::Ask {
            nearly: Some("stop".to_owned())
        }
    );
}

#[test]
fn where_the_law_says_so_the_word_is_enough() {
    let bound = Context {
        words_bind: true,
        ..Context::default()
    };
    for text in [
        "stop",
        "quit",
        "END",
        "revoke",
        "opt out",
        "Cancel.",
        "unsubscribe",
        "stpo",
        "unsubcribe",
    ] {
        assert!(is_opt_out(&classify(text, &bound)), "{text}");
    }
    for text in [
        "step",
        "shop",
        "ended",
        "spot",
        "cancel my order",
        "the end",
    ] {
        assert_eq!(classify(text, &bound), Intent::None, "{text}");
    }
}

#[test]
fn what_hangs_on_context_is_what_is_worth_looking_up() {
    let context = Context::default();
    for text in ["cancel", "no", "baja", "取消"] {
        assert!(hangs_on_context(text, &context), "{text}");
    }
    for text in ["STOP", "hello", "cancel my order", "stpo", "HELP"] {
        assert!(!hangs_on_context(text, &context), "{text}");
    }
    assert_eq!(languages_of("退訂"), ["zh-Hant"]);
    assert!(languages_of("stop").len() > 1);
    assert!(languages_of("no such word").is_empty());
}

#[test]
fn yes_is_an_answer_only_to_a_question() {
    let question = Context {
        optin_question_open: true,
        ..Context::default()
    };
    assert_eq!(plain("yes"), Intent::None);
    assert!(matches!(classify("Yes!", &question), Intent::OptIn { .. }));
    assert!(matches!(classify("同意", &question), Intent::OptIn { .. }));
}

#[test]
fn button_payloads_are_read_too() {
    for payload in ["OPT_OUT", "STOP", "STOP_PROMOTIONS", "UNSUBSCRIBE"] {
        assert!(is_opt_out(&plain(payload)), "{payload}");
    }
    for payload in ["OPT_IN", "START"] {
        assert!(matches!(plain(payload), Intent::OptIn { .. }), "{payload}");
    }
}

#[test]
fn long_messages_are_not_searched() {
    let phrase = "stop messaging me";
    let within = format!("{} {phrase}", "a ".repeat(190).trim());
    let beyond = format!("{} {phrase}", "a ".repeat(200).trim());
    assert!(is_opt_out(&plain(&within)));
    assert_eq!(plain(&beyond), Intent::None);
    assert_eq!(plain(&"stop ".repeat(2_000)), Intent::None);
    assert_eq!(plain(""), Intent::None);
    assert_eq!(plain("🙏 ... !"), Intent::None);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), marketing: bool, question: bool, bind: bool) {
        let context = Context {
            recent_marketing: marketing,
            optin_question_open: question,
            words_bind: bind,
            language: None,
        };
        let once = classify(&text, &context);
        prop_assert_eq!(classify(&text, &context), once);
    }

    #[test]
    fn nothing_around_a_stop_word_hides_it(
        before in "[ .,!?;:'\"()#*_~\u{200b}\u{2060}🙏…-]{0,6}",
        after in "[ .,!?;:'\"()#*_~\u{200b}\u{fe0f}❤🛑…-]{0,6}",
    ) {
        for word in ["StOp", "退订", "إيقاف", "अनसब्सक्राइब"] {
            let text = format!("{before}{word}{after}");
            prop_assert!(is_opt_out(&plain(&text)), "{}", text);
        }
    }

    #[test]
    fn ordinary_talk_with_a_stop_in_it_is_left_alone(left in "[a-z]{5,8}", right in "[a-z]{5,8}") {
        // "Stop kirim" is Indonesian, and means it.
        prop_assume!(right != "kirim");
        let text = format!("{left} bus stop {right}");
        prop_assert_eq!(plain(&text), Intent::None);
    }
}
