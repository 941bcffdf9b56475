//! Who uses the keys that pseudonyms are made with, and who hears of it when it is somebody else.
//!
//! Owns that the alarms are about exactly these keys and exactly the roles their policies let in. That a trail tells
//! EventBridge of them is not in our hands: docs/operations.md says so.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Template, many, target};

/// The roles that the policy of a key lets make a pepper, without the deployment's name.
fn roles(policy: &Value) -> BTreeSet<String> {
    let statements = many(&policy["Statement"]).into_iter();
    statements
        .filter(|statement| statement["Sid"] == "MakePepper")
        .flat_map(|statement| many(&statement["Condition"]["ArnLike"]["aws:PrincipalArn"]))
        .map(|arn| {
            target(arn)
                .rsplit_once("role/${Deployment}-")
                .unwrap()
                .1
                .to_owned()
        })
        .collect()
}

#[test]
fn the_alarms_watch_every_key_of_a_pepper_and_know_every_role_that_may_use_one() {
    let (root, data) = (Template::root(), Template::data());
    let (mut keys, mut known) = (BTreeSet::new(), BTreeSet::new());
    for id in data.ids_of("AWS::KMS::Key") {
        let properties = data.properties(id);
        if properties["KeySpec"] == "HMAC_256" {
            keys.insert(format!("Data.Outputs.{id}Arn"));
            known.extend(roles(&properties["KeyPolicy"]));
        }
    }
    assert_eq!(keys.len(), 4);
    let rule = root.properties("PepperUseRule");
    // GenerateMac is read-only: a rule that is merely enabled never hears of it.
    assert_eq!(
        rule["State"],
        "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    );
    assert!(
        rule["EventBusName"].is_null(),
        "AWS's own events are on the default bus"
    );
    let pattern = &rule["EventPattern"];
    assert_eq!(
        (&pattern["source"], &pattern["detail-type"]),
        (&json!(["aws.kms"]), &json!(["AWS API Call via CloudTrail"]))
    );
    assert_eq!(
        pattern["detail"]["eventName"],
        json!(["GenerateMac", "VerifyMac"])
    );
    let watched = many(&pattern["detail"]["resources"]["ARN"])
        .into_iter()
        .map(target);
    assert_eq!(watched.collect::<BTreeSet<_>>(), keys);
    assert_eq!(target(&rule["Targets"][0]["Arn"]), "PepperUseLogGroup.Arn");

    let filter = root.properties("PepperStrangerMetric");
    assert_eq!(target(&filter["LogGroupName"]), "PepperUseLogGroup");
    let pattern = target(&filter["FilterPattern"]);
    let named: BTreeSet<String> = pattern
        .match_indices("assumed-role/${Deployment}-")
        .map(|(at, before)| {
            pattern[at + before.len()..]
                .split_once("/*")
                .unwrap()
                .0
                .to_owned()
        })
        .collect();
    assert_eq!(
        named, known,
        "a role is a stranger, or a stranger is one of ours"
    );
    // Every one of them must differ, and who has no name is a stranger.
    assert_eq!(pattern.matches(" && ").count() + 1, known.len());
    assert!(pattern.starts_with("{ ($.detail.userIdentity.arn NOT EXISTS) || ("));
    // CloudWatch takes 1,024 characters, and the name of a deployment may have 32.
    let longer = known.len() * (32 - "${Deployment}".len());
    assert!(pattern.len() + longer <= 1_024);

    for (alarm, threshold) in [("PepperStrangerAlarm", 0), ("PepperBurstAlarm", 1_000)] {
        let alarm = root.properties(alarm);
        assert_eq!(alarm["Threshold"], threshold);
        assert_eq!(
            (&alarm["Statistic"], &alarm["ComparisonOperator"]),
            (&json!("Sum"), &json!("GreaterThanThreshold"))
        );
    }
}

/// One call is enough for good, so a person who makes one is heard of each time, with leave or without.
#[test]
fn a_person_who_makes_a_pepper_rings_the_alarm() {
    let (root, data) = (Template::root(), Template::data());
    let mut by_hand = Vec::new();
    for id in data.ids_of("AWS::KMS::Key") {
        let properties = data.properties(id);
        if properties["KeySpec"] != "HMAC_256" {
            continue;
        }
        for statement in many(&properties["KeyPolicy"]["Statement"]) {
            let sid = statement["Sid"].as_str().unwrap();
            if !["Administer", "MakePepper"].contains(&sid) {
                let arn = &statement["Condition"]["ArnLike"]["aws:PrincipalArn"];
                let arns: Vec<String> = many(arn).into_iter().map(target).collect();
                by_hand.push(format!("{id} {sid} {}", arns.join(" ")));
            }
        }
    }
    let approver = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Deployment}-approver";
    assert_eq!(
        by_hand,
        [format!("IdentityMacKey MakePepperByHand {approver}")]
    );
    let known = target(&root.properties("PepperStrangerMetric")["FilterPattern"]);
    assert!(!known.contains("-approver"), "{known}");
}

/// EventBridge may write what the rule hears, and nobody else may write that an alarm listens to.
#[test]
fn only_the_rule_writes_what_the_alarms_listen_to() {
    let root = Template::root();
    let policy = &root.properties("PepperUseLogPolicy")["PolicyDocument"];
    let policy: Value = serde_json::from_str(&target(policy)).unwrap();
    for statement in many(&policy["Statement"]) {
        assert_eq!(statement["Resource"], "${PepperUseLogGroup.Arn}");
        assert_eq!(
            statement["Principal"],
            json!({ "Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"] })
        );
        if statement["Action"] == json!(["logs:PutLogEvents"]) {
            assert_eq!(
                statement["Condition"],
                json!({ "ArnEquals": { "aws:SourceArn": "${PepperUseRule.Arn}" } })
            );
        } else {
            assert_eq!(statement["Action"], json!(["logs:CreateLogStream"]));
        }
    }
}
