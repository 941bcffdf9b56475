//! config/retention.toml against the templates, and the page made of it: docs/compliance/retention.md.
//!
//! `UPDATE_DOCS=1 cargo test -p headgate-template-tests` rewrites the page; otherwise a difference fails.

use std::{env, fmt::Write as _, fs};

use headgate_domain::retention::{
    CONTENT_DAYS, Class, Key, Logs, Period, Place, Plan, Queues, Way, plan,
};
use serde_json::{Value, json};

use crate::template::{Template, in_repository, read, target};

const PATH: &str = "docs/compliance/retention.md";

const HEAD: &str = "\
# What is kept, where, for how long

One reader, one question: until when is a kind of data here, what makes it unreadable, and how long may a backup still have its bytes?

Generated from [config/retention.toml](../../config/retention.toml), which is held against template.yaml and infra/ by a test; \
`UPDATE_DOCS=1 cargo test -p headgate-template-tests` writes it again. Everything is encrypted at rest under keys of the account; \
*Key* is what seals it beyond that. How the purge works and proves it: [retention.md](../retention.md).

";

const TAIL: &str = "
*Backups* is for how many days after it is gone a point-in-time restore can bring the bytes back. What was sealed under a \
destroyed key is ciphertext there, and stays it. Whoever deletes a whole table leaves a backup of AWS's own of it for 35 days, of \
a table with recovery; the same holds for that.

*By its age* is the service's own work, and a little late: DynamoDB deletes within days after the time, and no reader gets a row \
in between; S3 at the midnight after the period or some time after that; CloudWatch typically up to 72 hours after it. The purge \
deletes no objects and no lines of logs, and its manifests say nothing of them: \
[why](../adr/0042-what-the-purge-leaves-to-others.md).

The period of content is one for everybody. Longer periods that a law of one country asks for in a store of its own (India, \
365 days, `IN_DPDP`) are **not built**: content there goes with all other ([profiles.md](profiles.md), C1). Media are not \
downloaded, one-time codes are content of a message, and tags, campaigns' audiences and copies for analysis do not exist: they \
have no row.
";

fn place(class: &Class) -> String {
    match &class.store {
        Place::Table { table, rows: None } => format!("table `{table}`"),
        Place::Table {
            table,
            rows: Some(rows),
        } => {
            let rows: Vec<String> = rows.split(' ').map(|kind| format!("`{kind}`")).collect();
            format!("table `{table}`, {}", rows.join(" "))
        }
        Place::Bucket { bucket } => format!("bucket {bucket}"),
        Place::Queues { queues } => match queues {
            Queues::Work => "every queue".to_owned(),
            Queues::DeadLetter => "every dead-letter queue".to_owned(),
        },
        Place::Logs { logs } => match logs {
            Logs::Function => "logs of the functions".to_owned(),
            Logs::Access => "access logs".to_owned(),
            Logs::Firewall => "logs of the firewall".to_owned(),
            Logs::KeyUse => "logs of the use of keys".to_owned(),
        },
    }
}

const fn key(key: Key) -> &'static str {
    match key {
        Key::Day => "of the day, and the person's salt",
        Key::DayAlone => "of the day alone",
        Key::Vault => "vault, and the person's salt",
        Key::Hold => "of the hold",
        Key::Queue => "of the queues",
        Key::Logs => "of the logs",
        Key::None => "–",
    }
}

const fn way(way: Way) -> &'static str {
    match way {
        Way::KeyDestroyed => "its key is destroyed",
        Way::Destroyed => "the purge destroys it",
        Way::Swept => "the purge deletes the row",
        Way::Expires => "by its age",
        Way::Forgotten => "forgotten when nobody is in touch",
        Way::Erased => "a person's request",
        Way::DeletedWhenHandled => "deleted once handled",
        Way::Stays => "it stays",
    }
}

fn period(period: &Period) -> String {
    match period {
        Period::Content => format!("{CONTENT_DAYS} days"),
        Period::Days(days) => format!("{days} days"),
        Period::Until(what) => format!("until {what}"),
    }
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    out.push_str("| Class | What | Store | Key | Period | How it goes | Backups, days |\n|---|---|---|---|---|---|---|\n");
    for class in &plan().classes {
        let ways: Vec<&str> = class.goes.iter().map(|one| way(*one)).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            class.id,
            class.data,
            place(class),
            key(class.key),
            period(&class.period),
            ways.join("; "),
            class.backup_days,
        )
        .unwrap();
    }
    out.push_str(TAIL);
    out
}

#[test]
fn the_page_on_retention_is_what_the_file_says() {
    let page = page();
    let path = in_repository(PATH);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "{PATH} differs from config/retention.toml: read the change, then run\n  \
         UPDATE_DOCS=1 cargo test -p headgate-template-tests"
    );
}

fn classes(is: impl Fn(&Place) -> bool) -> Vec<&'static Class> {
    let found: Vec<&Class> = plan()
        .classes
        .iter()
        .filter(|class| is(&class.store))
        .collect();
    assert!(!found.is_empty(), "there is no such class");
    found
}

#[test]
fn the_file_is_read_by_toml_as_by_the_compiler() {
    let read = Plan::from_toml(&read("config/retention.toml")).unwrap();
    assert_eq!((&read, read.content.days), (plan(), CONTENT_DAYS));
}

#[test]
fn every_table_has_classes_and_they_say_for_how_long_it_can_be_restored() {
    let template = Template::data();
    for id in template.ids_of("AWS::DynamoDB::Table") {
        let properties = template.properties(id);
        let name = target(&properties["TableName"]).replace("${Deployment}-", "");
        let recovery = &properties["PointInTimeRecoverySpecification"];
        let days = match recovery["PointInTimeRecoveryEnabled"].as_bool() {
            Some(true) => recovery["RecoveryPeriodInDays"].as_i64().unwrap(),
            Some(false) | None => 0,
        };
        let of = classes(|place| matches!(place, Place::Table { table, .. } if *table == name));
        for class in of {
            assert_eq!(class.backup_days, days, "{}", class.id);
            let expires = class.goes.contains(&Way::Expires);
            let has_ttl = properties["TimeToLiveSpecification"]["Enabled"] == true;
            assert!(!expires || has_ttl, "{}: the table has no ttl", class.id);
        }
    }
}

#[test]
fn what_is_under_a_day_key_goes_with_the_day_and_has_a_backup_no_key_is_in() {
    for class in &plan().classes {
        let under_day = matches!(class.key, Key::Day | Key::DayAlone);
        let goes_with_key = under_day || class.key == Key::Hold;
        assert_eq!(
            goes_with_key,
            class.goes.contains(&Way::KeyDestroyed),
            "{}",
            class.id
        );
        match &class.period {
            Period::Content => {}
            Period::Days(days) => assert!(*days <= CONTENT_DAYS, "{}", class.id),
            Period::Until(_) => assert!(!under_day, "{}", class.id),
        }
        if matches!(&class.store, Place::Table { table, .. } if table == "keys") {
            assert_eq!(
                class.backup_days, 0,
                "{}: a key must not come back",
                class.id
            );
        }
    }
}

/// The days that a class promises.
fn days(class: &Class) -> i64 {
    match class.period {
        Period::Days(days) => days,
        Period::Content | Period::Until(_) => panic!("{} has no days", class.id),
    }
}

#[test]
fn every_bucket_has_a_class_and_its_lifecycle_is_the_period() {
    let template = Template::data();
    for id in template.ids_of("AWS::S3::Bucket") {
        let name = id.trim_end_matches("Bucket");
        let properties = template.properties(id);
        for class in classes(|place| matches!(place, Place::Bucket { bucket } if bucket == name)) {
            let rules = &properties["LifecycleConfiguration"]["Rules"];
            if matches!(class.period, Period::Until(_)) {
                assert!(properties["ObjectLockEnabled"] == true, "{id}");
                continue;
            }
            // One rule, in force, of everything in the bucket: a prefix or a tag would leave the rest for ever.
            let expected = json!([{
                "Id": "expire", "Status": "Enabled", "ExpirationInDays": days(class),
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
            }]);
            assert_eq!(*rules, expected, "{id}");
            assert!(
                properties["VersioningConfiguration"].is_null(),
                "{id} keeps versions"
            );
            assert_eq!(class.backup_days, 0);
        }
    }
}

#[test]
fn queues_keep_for_the_period_of_their_class() {
    let template = Template::data();
    for id in template.ids_of("AWS::SQS::Queue") {
        let kind = if id.ends_with("DeadLetterQueue") {
            Queues::DeadLetter
        } else {
            Queues::Work
        };
        for class in classes(|place| matches!(place, Place::Queues { queues } if *queues == kind)) {
            let seconds = &template.properties(id)["MessageRetentionPeriod"];
            assert_eq!(*seconds, days(class) * 86_400, "{id}");
        }
    }
}

#[test]
fn logs_are_kept_for_the_period_of_their_class() {
    let default = &Template::root().section("Parameters")["LogRetentionDays"]["Default"].clone();
    for template in Template::all() {
        for id in template.ids_of("AWS::Logs::LogGroup") {
            let properties = template.properties(id);
            let kind = if id.ends_with("UseLogGroup") {
                Logs::KeyUse
            } else if id.ends_with("FirewallLogGroup") {
                Logs::Firewall
            } else if id.ends_with("AccessLogGroup") {
                Logs::Access
            } else {
                Logs::Function
            };
            let stated = &properties["RetentionInDays"];
            let stated: &Value = if stated.is_object() {
                assert_eq!(target(stated), "LogRetentionDays", "{id}");
                default
            } else {
                stated
            };
            for class in classes(|place| matches!(place, Place::Logs { logs } if *logs == kind)) {
                assert_eq!(*stated, days(class), "{id}");
            }
        }
    }
}
