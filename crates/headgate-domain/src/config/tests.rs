//! A configuration is what it says, or is refused by its place.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
use super::*;

const GOOD: &str = r#"
    [controller]
    name = "Maple Outfitters"
    privacy_contact = "privacy@maple.example"
    [[numbers]]
    id = "106540352242922"
    alias = "main"
    display = "+16135550100"
    portfolio = "portfolio-1"
"#;

#[test]
fn a_configuration_survives_its_stored_form() {
    let config = Config::from_toml(GOOD).unwrap();
    assert_eq!(Config::from_json(&config.to_json()), Ok(config.clone()));
    assert_eq!(
        config.number("main").and_then(|n| n.per_second),
        None,
        "learnt"
    );
    assert!(
        !config.consents.may_attest("anyone"),
        "nobody attests unless named"
    );
}

#[test]
fn a_role_is_the_same_producer_in_every_session_and_another_role_in_none() {
    let granted = GOOD.to_owned()
        + "producers = [\"AROASHOP\"]\n[consents]\nattesters = [\"AROASHOP:x\", \"\"]";
    let config = Config::from_toml(&granted).unwrap();
    let number = config.number("main").unwrap();
    for session in ["AROASHOP", "AROASHOP:", "AROASHOP:function-7"] {
        assert!(number.may_send(session), "{session}");
        assert!(config.consents.may_attest(session), "{session}");
    }
    for other in ["", ":AROASHOP", "AROASHOPPER:x", "AROAOTHER:AROASHOP", "*"] {
        assert!(!number.may_send(other), "{other}");
        assert!(!config.consents.may_attest(other), "{other}");
    }
    let open = Config::from_toml(GOOD).unwrap();
    assert!(open.number("main").unwrap().may_send("AROAOTHER:x"));
}

#[test]
fn an_error_names_its_place() {
    let twice = format!(
        "{GOOD}\n[[numbers]]\nid = \"1\"\nalias = \"main\"\ndisplay = \"+16135550101\"\nportfolio = \"p\""
    );
    let error = Config::from_toml(&twice).unwrap_err().to_string();
    assert!(error.contains("numbers[1]"), "{error}");
    let typo = GOOD.replace("alias", "allias");
    assert!(
        Config::from_toml(&typo)
            .unwrap_err()
            .to_string()
            .contains("allias")
    );
}

#[test]
fn a_template_without_a_status_is_not_approved() {
    let text = format!(
        "{GOOD}\n[[templates]]\nname = \"x\"\nlanguage = \"en_US\"\ncategory = \"utility\""
    );
    assert_eq!(
        Config::from_toml(&text)
            .unwrap()
            .template("x", "en_US")
            .map(|t| t.status),
        Some(TemplateStatus::Pending)
    );
}

#[test]
fn limits_and_grants_are_read_and_keep_their_defaults() {
    let plain = Config::from_toml(GOOD).unwrap();
    assert_eq!(plain.abuse.per_recipient_per_hour, 5);
    assert!(plain.abuse.allows(None), "everywhere");
    let main = plain.number("main").unwrap();
    assert!(plain.may_produce("AROAANY:x", Purpose::Marketing, main));
    assert_eq!(plain.daily_limit("portfolio-1"), None, "learnt");

    let full = Config::from_toml(&format!(
        "{GOOD}lanes = [\"utility\", \"marketing\"]\n\
         [portfolios.portfolio-1]\ndaily_limit = \"unlimited\"\n\
         [abuse]\ndestinations = [\"CA\"]\n\
         [[producers]]\nprincipal = \"AROASHOP\"\nlanes = [\"utility\", \"service\"]\nnumbers = [\"main\"]\n"
    ))
    .unwrap();
    assert_eq!(Config::from_json(&full.to_json()), Ok(full.clone()));
    let limit = full.daily_limit("portfolio-1").unwrap();
    assert_eq!(limit.people(), None);
    let canada = crate::region::Country::parse("CA").ok();
    let chile = crate::region::Country::parse("CL").ok();
    assert!(full.abuse.allows(canada));
    assert!(!full.abuse.allows(chile) && !full.abuse.allows(None));
    let main = full.number("main").unwrap();
    let may = |who: &str, lane| full.may_produce(who, lane, main);
    assert!(may("AROASHOP:x", Purpose::Utility));
    assert!(!may("AROASHOP:x", Purpose::Marketing), "not granted");
    assert!(!may("AROASHOP:x", Purpose::Service), "not the number's");
    assert!(!may("AROAOTHER", Purpose::Utility), "not named");
    let some = Config::from_toml(&format!(
        "{GOOD}[portfolios.portfolio-1]\ndaily_limit = 2000\n"
    ));
    let some = some.unwrap().daily_limit("portfolio-1").unwrap();
    assert_eq!(some.people(), Some(2_000));
}

#[test]
fn every_limit_that_could_not_be_kept_is_refused_by_its_place() {
    for (place, more) in [
        ("portfolios.other", "[portfolios.other]\n"),
        (
            "portfolios.portfolio-1.daily_limit",
            "[portfolios.portfolio-1]\ndaily_limit = 0\n",
        ),
        (
            "daily_limit",
            "[portfolios.portfolio-1]\ndaily_limit = \"many\"\n",
        ),
        (
            "producers[0].principal",
            "[[producers]]\nprincipal = \":x\"\nlanes = []\n",
        ),
        (
            "producers[0].numbers",
            "[[producers]]\nprincipal = \"A\"\nlanes = []\nnumbers = [\"other\"]\n",
        ),
        (
            "producers[1].principal",
            "[[producers]]\nprincipal = \"A:1\"\nlanes = []\n[[producers]]\nprincipal = \"A:2\"\nlanes = []\n",
        ),
        (
            "caps[0].purpose",
            "[[caps]]\npurpose = \"service\"\nmax = 1\nhours = 1\n",
        ),
        (
            "caps[0].max",
            "[[caps]]\npurpose = \"utility\"\nmax = 0\nhours = 1\n",
        ),
        (
            "caps[0].hours",
            "[[caps]]\npurpose = \"utility\"\nmax = 1\nhours = 721\n",
        ),
        (
            "quiet_hours[0].purpose",
            "[[quiet_hours]]\npurpose = \"authentication\"\nstart = \"22:00\"\nend = \"06:00\"\n",
        ),
        (
            "quiet_hours[0]",
            "[[quiet_hours]]\npurpose = \"utility\"\nstart = \"22:00\"\nend = \"22:00\"\n",
        ),
        (
            "time of day",
            "[[quiet_hours]]\npurpose = \"utility\"\nstart = \"22\"\nend = \"23:00\"\n",
        ),
        (
            "abuse.destinations[0]",
            "[abuse]\ndestinations = [\"QQ\"]\n",
        ),
        (
            "two capital letters",
            "[abuse]\ndestinations = [\"Canada\"]\n",
        ),
        (
            "templates[0].body_parameters",
            "[[templates]]\nname = \"t\"\nlanguage = \"en\"\ncategory = \"utility\"\nbody_parameters = 1\nbody_names = [\"a\", \"b\"]\n",
        ),
        (
            "templates[0].body_names",
            "[[templates]]\nname = \"t\"\nlanguage = \"en\"\ncategory = \"utility\"\nbody_names = [\"a\", \"a\"]\n",
        ),
        (
            "templates[0].buttons[1].index",
            "[[templates]]\nname = \"t\"\nlanguage = \"en\"\ncategory = \"utility\"\nbuttons = [{ index = 0, kind = \"url\" }, { index = 0, kind = \"flow\" }]\n",
        ),
    ] {
        let error = Config::from_toml(&format!("{GOOD}{more}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(place), "{place}: {error}");
    }
}

#[test]
fn what_the_pages_could_not_show_is_refused_by_its_place() {
    const CONTACT: &str = "[[contacts]]\ncountry = \"CA\"\nname = \"Care\"\nemail = \"care@maple.example\"\ntelephone = \"+16135550102\"\nhours = \"9 to 17\"\n";
    let config = Config::from_toml(&format!("{GOOD}{CONTACT}")).unwrap();
    assert_eq!(Config::from_json(&config.to_json()), Ok(config.clone()));
    for (place, more) in [
        (
            "data_protection_officer.email",
            "[data_protection_officer]\nname = \"Office\"\nemail = \"no\"\n".to_owned(),
        ),
        (
            "data_protection_officer.name",
            "[data_protection_officer]\nname = \" \"\nemail = \"dpo@maple.example\"\n".to_owned(),
        ),
        (
            "contacts[0].email",
            CONTACT.replace("care@", "care?subject=x@"),
        ),
        ("contacts[0].telephone", CONTACT.replace("+1613", "613 ")),
        (
            "contacts[0].hours",
            CONTACT.replace("\"9 to 17\"", "{ de = \"9 bis 17\" }"),
        ),
        ("contacts[0]", CONTACT.replace("\"CA\"", "\"QQ\"")),
        ("contacts[1].country", CONTACT.repeat(2)),
        (
            "processing.regions[0].id",
            "[processing]\nregions = [{ id = \"Canada\", country = \"CA\" }]\n".to_owned(),
        ),
        (
            "authorities[0].url",
            "[[authorities]]\ncountry = \"CA\"\nname = \"Office\"\nurl = \"javascript:x\"\n"
                .to_owned(),
        ),
    ] {
        let error = Config::from_toml(&format!("{GOOD}{more}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(place), "{place}: {error}");
    }
}

#[test]
fn a_person_is_given_the_contact_of_their_country_or_the_first() {
    let contact = |country: &str| {
        format!(
            "[[contacts]]\ncountry = \"{country}\"\nname = \"Care {country}\"\nemail = \"care@maple.example\"\ntelephone = \"+16135550102\"\nhours = \"9 to 17\"\n"
        )
    };
    let config = Config::from_toml(&format!("{GOOD}{}{}", contact("CA"), contact("SG"))).unwrap();
    let name = |country: Option<&str>| {
        let country = country.and_then(|c| crate::region::Country::parse(c).ok());
        config.contact_for(country).map(|c| c.name.as_str())
    };
    assert_eq!(name(Some("SG")), Some("Care SG"));
    assert_eq!(name(Some("DE")), Some("Care CA"));
    assert_eq!(name(None), Some("Care CA"));
    assert_eq!(Config::from_toml(GOOD).unwrap().contact_for(None), None);
}

#[test]
fn a_topic_is_called_by_its_label_and_a_faulty_one_is_named() {
    let topics = |label: &str| {
        let topics = format!(
            "{GOOD}\n[[consents.topics]]\npurpose = \"utility\"\nname = \"offers\"\n[[consents.topics]]\npurpose = \"marketing\"\nname = \"offers\"\n{label}"
        );
        Config::from_toml(&topics)
    };
    let config = topics("label = { en = \"Offers\", de = \"Angebote\" }").unwrap();
    let offers = Topic::parse("offers").unwrap();
    let label = |purpose, tag| config.consents.topic(purpose, &offers).unwrap().label(tag);
    assert_eq!(label(Purpose::Marketing, "de"), "Angebote");
    assert_eq!(label(Purpose::Marketing, "pt"), "Offers");
    assert_eq!(label(Purpose::Utility, "de"), "offers", "its name");
    for (label, place) in [
        ("label = \" \"", "consents.topics[1].label is empty"),
        (
            "label = { de = \"Angebote\" }",
            "consents.topics[1].label has no text for en",
        ),
        (
            "[[consents.topics]]\npurpose = \"marketing\"\nname = \"offers\"\nlabel = \"Again\"",
            "consents.topics[2] appears twice",
        ),
    ] {
        let error = topics(label).unwrap_err().to_string();
        assert!(error.contains(place), "{place}: {error}");
    }
}

const ENTRY: &str = r#"
    [[consents.topics]]
    purpose = "marketing"
    name = "offers"
    [[consents.entries]]
    name = "shop-door"
    kind = "qr"
    code = "K7M3QP"
    campaign = "autumn"
    purpose = "marketing"
    topics = ["offers"]
    notice = { en = "Maple Outfitters may write to me.", de = "Maple Outfitters darf mir schreiben." }
    [[consents.entries]]
    name = "any-ad"
    kind = "ad"
    purpose = "marketing"
    notice = { en = "Maple Outfitters may write to me." }
    [[consents.entries]]
    name = "one-ad"
    kind = "ad"
    sources = ["700000000000001"]
    purpose = "marketing"
    notice = { en = "Maple Outfitters may write to me." }
"#;

#[test]
fn an_entry_is_found_by_its_code_as_a_word_or_by_the_advertisement() {
    let config = Config::from_toml(&format!("{GOOD}{ENTRY}")).unwrap();
    assert_eq!(Config::from_json(&config.to_json()), Ok(config.clone()));
    for text in ["K7M3QP", "Hello k7m3qp!", "(K7M3QP)\nI saw it", "é K7M3QP"] {
        let found = config.entry_in(text).map(|entry| entry.name.as_str());
        assert_eq!(found, Some("shop-door"), "{text}");
    }
    for text in ["", "K7M3Q", "xK7M3QP", "K7M3QP1", "K7M-3QP", "K7M3QX"] {
        assert_eq!(config.entry_in(text), None, "{text}");
    }
    let of_ad = |id: &str| config.entry_of_ad(id).map(|entry| entry.name.as_str());
    assert_eq!(of_ad("700000000000001"), Some("one-ad"));
    assert_eq!(of_ad("7"), Some("any-ad"));
    let door = config.entry("shop-door").unwrap();
    let shown = |country: &str| {
        let (locale, text) = door.wording(crate::region::Country::parse(country).ok());
        (locale.tag(), text)
    };
    assert_eq!(shown("DE"), ("de", "Maple Outfitters darf mir schreiben."));
    assert_eq!(shown("BR"), ("en", "Maple Outfitters may write to me."));
    let none = Config::from_toml(GOOD).unwrap();
    assert_eq!(none.entry_in("K7M3QP"), None, "off unless configured");
    assert_eq!(none.entry_of_ad("7"), None);
}

#[test]
fn an_entry_that_leads_nowhere_or_to_no_notice_is_refused_by_its_place() {
    for (place, from, to) in [
        ("entries[0].code: expected", "K7M3QP", "K7M3QO"),
        ("entries[0].code: expected", "K7M3QP", "THANKS"),
        ("entries[0].code: expected", "K7M3QP", "123456"),
        ("entries[0].code: expected", "K7M3QP", "k7m3qp"),
        ("entries[0].code: expected", "code = \"K7M3QP\"", ""),
        ("entries[0].name: expected", "shop-door", "shop door"),
        (
            "entries[0].campaign: expected",
            "\"autumn\"",
            "\"call-16135550100\"",
        ),
        (
            "entries[0].sources: belongs",
            "kind = \"qr\"",
            "kind = \"qr\"\nsources = [\"7\"]",
        ),
        ("entries[0].topics: names", "[\"offers\"]", "[\"events\"]"),
        ("entries[0].notice.fr: expected", ", de = ", ", fr = "),
        (
            "entries[0].notice: has no text for en",
            "{ en = \"Maple Outfitters may write to me.\", ",
            "{ ",
        ),
        (
            "entries[0].notice.de: does not name",
            "Maple Outfitters darf",
            "Wir dürfen",
        ),
        (
            "entries[1].code: belongs",
            "name = \"any-ad\"",
            "name = \"any-ad\"\ncode = \"K7M3QX\"",
        ),
        ("entries[1].name appears twice", "any-ad", "shop-door"),
        ("entries[2].sources: expected", "700000000000001", "summer"),
        (
            "entries[2].sources: an entry",
            "sources = [\"700000000000001\"]",
            "",
        ),
    ] {
        let text = ENTRY.replacen(from, to, 1);
        assert_ne!(text, ENTRY, "{place}");
        let error = Config::from_toml(&format!("{GOOD}{text}")).unwrap_err();
        assert!(error.to_string().contains(place), "{place}: {error}");
    }
    for purpose in ["service", "authentication"] {
        let text = ENTRY.replace("topics = [\"offers\"]\n    notice", "notice");
        let text = text.replace(
            "    purpose = \"marketing\"\n    notice",
            &format!("    purpose = \"{purpose}\"\n    notice"),
        );
        let error = Config::from_toml(&format!("{GOOD}{text}")).unwrap_err();
        assert!(error.to_string().contains("entries[0].purpose"), "{error}");
    }
    let long = ENTRY.replacen("may write to me", &"very ".repeat(200), 1);
    let error = Config::from_toml(&format!("{GOOD}{long}")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("entries[0].notice.en: expected 1 to 800"),
        "{error}"
    );
}
