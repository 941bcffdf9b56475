//! docs/reference/configuration.md and the configuration say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use headgate_domain::config::{
    Abuse, Authority, Button, ButtonKind, Cap, Category, Config, Consents, Contact, Controller,
    DailyLimit, DataProtectionOfficer, Events, Header, ImportMessage, ImportText, Number,
    Portfolio, Processing, Producer, QuietHours, Region, Template, TemplateStatus, Transfer,
};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::processors::{Date, TransferInstrument};
use headgate_domain::profiles::Minute;
use headgate_domain::region::Country;
use headgate_domain::time::Day;
use headgate_domain::wording::Wording;
use serde_json::Value;

use super::in_repository;

/// Every field once, spelled out: a new one does not compile before it stands here, and fails below
/// before it is documented.
fn complete() -> Config {
    Config {
        controller: Controller {
            name: "n".into(),
            legal_name: Some("n".into()),
            address: Some("a".into()),
            privacy_contact: "c".into(),
            privacy_policy_url: Some("u".into()),
            countries: vec![],
            profiles: vec![],
        },
        data_protection_officer: Some(DataProtectionOfficer {
            name: "n".into(),
            email: "dpo@maple.example".into(),
            telephone: Some("+16135550100".into()),
            address: Some("a".into()),
        }),
        contacts: vec![Contact {
            country: Country::parse("CA").unwrap(),
            name: "n".into(),
            email: "care@maple.example".into(),
            telephone: "+16135550100".into(),
            hours: Wording::One("h".into()),
        }],
        processing: Processing {
            regions: vec![Region {
                id: "ca-central-1".into(),
                country: Country::parse("CA").unwrap(),
            }],
        },
        authorities: vec![Authority {
            country: Country::parse("CA").unwrap(),
            name: "n".into(),
            url: "https://authority.example".into(),
        }],
        numbers: vec![Number {
            id: "1".into(),
            alias: "main".into(),
            display: "+16135550100".into(),
            portfolio: "p".into(),
            per_second: Some(20),
            pace_permille: Some(900),
            storage: Country::parse("CA").ok(),
            producers: vec![],
            lanes: vec![],
        }],
        portfolios: [(
            "p".to_owned(),
            Portfolio {
                daily_limit: Some(DailyLimit::People(2_000)),
            },
        )]
        .into(),
        producers: vec![Producer {
            principal: "A".into(),
            lanes: vec![],
            numbers: vec![],
        }],
        abuse: Abuse::default(),
        caps: vec![Cap {
            purpose: Purpose::Marketing,
            max: 1,
            hours: 1,
            countries: vec![],
        }],
        quiet_hours: vec![QuietHours {
            purpose: Purpose::Utility,
            start: Minute::parse("22:00").unwrap(),
            end: Minute::parse("07:00").unwrap(),
            countries: vec![],
        }],
        templates: vec![Template {
            name: "t".into(),
            language: "en_US".into(),
            category: Category::Utility,
            header: Some(Header::Text),
            body_parameters: 1,
            body_names: vec!["a".into()],
            buttons: vec![Button {
                index: 0,
                kind: ButtonKind::Url,
                optional: false,
            }],
            other_components: vec![],
            status: TemplateStatus::Approved,
        }],
        transfers: vec![Transfer {
            profile: "EU_GDPR".into(),
            regions: vec![],
            instrument: TransferInstrument::AdequacyDecision,
            concluded: Date(Day::parse("2026-10-01").unwrap()),
            approved_by: "a".into(),
        }],
        consents: consents(),
        events: Events {
            inbound_numbers: true,
            statuses: PURPOSES.to_vec(),
        },
    }
}

fn consents() -> Consents {
    Consents {
        import_message: Some(ImportMessage {
            from: "main".into(),
            template: "t".into(),
            per_day: 1,
            texts: vec![ImportText {
                locale: "en".into(),
                language: "en_US".into(),
                notice: "n".into(),
            }],
        }),
        ..Consents::default()
    }
}

/// The least that is accepted; what is not in it has a default.
const LEAST: &str = r#"
    [controller]
    name = "n"
    privacy_contact = "c"
    [data_protection_officer]
    name = "n"
    email = "dpo@maple.example"
    [[contacts]]
    country = "CA"
    name = "n"
    email = "care@maple.example"
    telephone = "+16135550100"
    hours = "h"
    [processing]
    [[authorities]]
    country = "CA"
    name = "n"
    url = "https://authority.example"
    [[numbers]]
    id = "1"
    alias = "main"
    display = "+16135550100"
    portfolio = "p"
    [[templates]]
    name = "t"
    language = "en_US"
    category = "utility"
    [[producers]]
    principal = "A"
    lanes = []
    [[caps]]
    purpose = "marketing"
    max = 1
    hours = 1
    [[quiet_hours]]
    purpose = "utility"
    start = "22:00"
    end = "07:00"
    [[transfers]]
    profile = "EU_GDPR"
    regions = ["ca-central-1"]
    instrument = "adequacy_decision"
    concluded = "2026-10-01"
    approved_by = "a"
    [abuse]
    [consents]
    [events]
"#;

/// `section.key` and its value, for every key.
fn keys(config: &Config) -> BTreeMap<String, Value> {
    let value: Value = serde_json::from_str(&config.to_json()).unwrap();
    let mut keys = BTreeMap::new();
    for (section, inner) in value.as_object().unwrap() {
        let inner = match section.as_str() {
            // A section for each id, and none when there are none.
            "portfolios" => inner.as_object().unwrap().values().next(),
            _ => inner.get(0).or(Some(inner)),
        };
        let Some(inner) = inner else { continue };
        for (key, value) in inner.as_object().unwrap() {
            keys.insert(format!("{section}.{key}"), value.clone());
        }
    }
    keys
}

/// The rows of the page: key, and default as JSON, or nothing when the key is required.
fn rows() -> BTreeMap<String, Option<Value>> {
    let page = fs::read_to_string(in_repository("docs/reference/configuration.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let key = cells
            .next()?
            .strip_prefix('`')?
            .strip_suffix('`')?
            .to_owned();
        let default = cells.nth(1)?;
        let default = default.strip_prefix('`').and_then(|d| d.strip_suffix('`'));
        Some((key, default.map(|d| serde_json::from_str(d).unwrap())))
    };
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(row)
        .collect()
}

#[test]
fn every_key_is_documented_and_nothing_else() {
    let documented: BTreeSet<String> = rows().into_keys().collect();
    let existing: BTreeSet<String> = keys(&complete()).into_keys().collect();
    assert_eq!(documented, existing);
}

#[test]
fn a_documented_default_is_the_default_and_what_has_none_is_required() {
    let least = keys(&Config::from_toml(LEAST).unwrap());
    let line = |key: &str| format!("    {} =", key.split_once('.').unwrap().1);
    for (key, default) in rows() {
        if let Some(default) = default {
            assert_eq!(least.get(&key).unwrap_or(&Value::Null), &default, "{key}");
        } else {
            let section = key.split_once('.').unwrap().0;
            let (before, after) = LEAST.split_once(&format!("[{section}]")).unwrap();
            let without = after
                .split_once(&line(&key))
                .map(|(a, b)| format!("{a}{}", b.split_once('\n').unwrap().1))
                .unwrap();
            assert!(
                Config::from_toml(&format!("{before}[{section}]{without}")).is_err(),
                "{key} is not required"
            );
        }
    }
}

#[test]
fn the_configuration_in_the_repository_is_accepted_and_names_every_key() {
    let text = fs::read_to_string(in_repository("config/headgate.toml")).unwrap();
    Config::from_toml(&text).unwrap();
    for key in keys(&complete()).keys() {
        let name = key.split_once('.').unwrap().1;
        assert!(
            text.lines()
                .any(|l| l.trim_start_matches("# ").starts_with(&format!("{name} =")))
                // A table, or a list of them.
                || text.contains(&format!("[{key}]")),
            "{key}"
        );
    }
}
