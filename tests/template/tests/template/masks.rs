//! The second net: what CloudWatch masks in a log group, whoever wrote it (R-304, R-404).
//!
//! Owns that every log group has it, that all have the same, and that it keeps to CloudWatch's limits
//! (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL-custom-data-identifiers.html, read 2026-11). Whether a line
//! should have been written at all is not its question.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use crate::template::{Template, functions, many};

/// CloudWatch takes ten of our own, each of so many characters.
const MOST: usize = 10;
const LONGEST: usize = 200;
const MANAGED: &str = "arn:aws:dataprotection::aws:data-identifier/";
/// What is masked by CloudWatch's own knowledge.
const OF_CLOUDWATCH: [&str; 9] = [
    "AwsSecretKey",
    "EmailAddress",
    "PhoneNumber-BR",
    "PhoneNumber-DE",
    "PhoneNumber-ES",
    "PhoneNumber-FR",
    "PhoneNumber-GB",
    "PhoneNumber-IT",
    "PhoneNumber-US",
];

fn mapping(template: &Template) -> &Value {
    &template.section("Mappings")["LogProtection"]
}

fn expressions(template: &Template) -> Vec<(&str, &str)> {
    let all = mapping(template)["Regex"].as_object().unwrap();
    all.iter()
        .map(|(name, expression)| (name.as_str(), expression.as_str().unwrap()))
        .collect()
}

#[test]
fn every_log_group_masks_the_same() {
    let (root, edge) = (Template::root(), Template::edge());
    assert_eq!(mapping(&root), mapping(&edge));
    let identifiers = json!({ "Fn::FindInMap": ["LogProtection", "Policy", "Identifiers"] });
    let mut groups = 0;
    for template in Template::all() {
        for id in template.ids_of("AWS::Logs::LogGroup") {
            let policy = &template.properties(id)["DataProtectionPolicy"];
            assert_eq!(policy["Version"], "2021-06-01", "{id}");
            let custom: Vec<(&str, &Value)> =
                many(&policy["Configuration"]["CustomDataIdentifier"])
                    .into_iter()
                    .map(|one| {
                        (
                            one["Name"].as_str().unwrap(),
                            &one["Regex"]["Fn::FindInMap"][2],
                        )
                    })
                    .collect();
            let names: BTreeSet<&str> = custom.iter().map(|(name, _)| *name).collect();
            let known: BTreeSet<&str> = expressions(&root).iter().map(|(name, _)| *name).collect();
            assert_eq!(names, known, "{id}");
            assert!(
                custom.iter().all(|(name, regex)| **regex == **name),
                "{id} mixes expressions up"
            );
            // One to find, one to mask, of exactly the same.
            assert_eq!(
                policy["Statement"],
                json!([
                    { "Sid": "audit", "DataIdentifier": identifiers, "Operation": { "Audit": { "FindingsDestination": {} } } },
                    { "Sid": "mask", "DataIdentifier": identifiers, "Operation": { "Deidentify": { "MaskConfig": {} } } },
                ]),
                "{id}"
            );
            groups += 1;
        }
    }
    assert!(groups > functions().len());
}

#[test]
fn the_identifiers_keep_to_what_cloudwatch_takes() {
    let root = Template::root();
    let expressions = expressions(&root);
    assert!(expressions.len() <= MOST);
    for (name, expression) in &expressions {
        assert!(expression.len() <= LONGEST, "{name}");
        let is_taken =
            |byte: u8| byte.is_ascii_alphanumeric() || b"_#=@/;,- ^$?[]{}|\\*+.".contains(&byte);
        assert!(
            expression.bytes().all(is_taken),
            "{name} has a letter that CloudWatch does not take"
        );
    }
    let mut expected: BTreeSet<String> =
        OF_CLOUDWATCH.map(|name| format!("{MANAGED}{name}")).into();
    expected.extend(expressions.iter().map(|(name, _)| (*name).to_owned()));
    let listed = many(&mapping(&root)["Policy"]["Identifiers"]);
    let found: BTreeSet<String> = listed
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert_eq!((found.len(), found), (listed.len(), expected));
}

/// A mask that hides what we need is switched off by the first who is in a hurry.
#[test]
fn our_own_expressions_find_what_they_are_for_and_no_line_of_ours() {
    let root = Template::root();
    let token = "A".repeat(40);
    let signature = format!("sha256={}", "0a".repeat(32));
    let api = format!(
        "hgt_{}_{}_{}",
        "a".repeat(8),
        "b".repeat(52),
        "c2".repeat(4)
    );
    let leaks = [
        (
            "MetaMessageId",
            "id wamid.HBgLMTU1NTAxMDAxMDAVAgARGBI= x".to_owned(),
        ),
        ("MetaAccessToken", format!("Bearer EAA{token}")),
        ("MetaSignature", signature),
        ("PhoneNumberE164", "to +16135550147".to_owned()),
        ("BusinessScopedUserId", "\"CA.9173460285517391\"".to_owned()),
        (
            "BusinessScopedUserId",
            "\"CA.ENT.9173460285517391\"".to_owned(),
        ),
        ("ApiToken", api),
    ];
    let ours = [
        r#"{"event":"purged","level":"INFO","manifest":7,"swept":1000000,"timestamp":"2026-11-29T18:31:35.000Z"}"#,
        r#"{"event":"withdrawal_queued","level":"INFO","subject":"sub_cpcxkzmsscsydxfgdmj62yf4ci"}"#,
        r#"{"event":"panic","file":"functions/intake/src/lib.rs","level":"ERROR","line":7}"#,
        r#"{"event":"visited","agent":"chrome","request":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","source":"AeMChgRXcK6rX1V1"}"#,
        r#"{"record":"106540352242922.s.0.01M8K8GXWP4NY4AZ5YAVJZ3S0A","code":131026,"token":"tok_uhojxl4juxazhigd"}"#,
        r#"{"error":"GetItem failed: ProvisionedThroughputExceededException","number":"106540352242922"}"#,
    ];
    let mut tried = BTreeSet::new();
    for (name, expression) in expressions(&root) {
        let regex = Regex::new(expression).unwrap();
        for (_, leak) in leaks.iter().filter(|(of, _)| *of == name) {
            assert!(regex.is_match(leak), "{name} does not see {leak}");
            tried.insert(name);
        }
        for line in ours {
            assert!(!regex.is_match(line), "{name} would mask a part of {line}");
        }
    }
    assert_eq!(tried.len(), expressions(&root).len());
}
