//! The firewalls: nothing of Meta's is stopped, nothing a person sends is written down.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::template::{Template, many, target};

/// The rules of a web ACL in their order; a rule that may be left out, with its condition.
fn rules(template: &Template, acl: &str) -> Vec<(Value, Option<String>)> {
    many(&template.properties(acl)["Rules"])
        .into_iter()
        .map(|rule| match rule["Fn::If"].as_array() {
            Some(parts) => {
                assert_eq!(parts[2], json!({ "Ref": "AWS::NoValue" }));
                (parts[1].clone(), parts[0].as_str().map(str::to_owned))
            }
            None => (rule.clone(), None),
        })
        .collect()
}

/// Whether a rule may end a request.
fn blocks(rule: &Value) -> bool {
    let counts = json!({ "Count": {} });
    rule["Action"] != counts && rule["OverrideAction"] != counts
}

#[test]
fn each_rest_api_has_a_firewall_of_its_own() {
    let template = Template::edge();
    for api in ["Consent", "Hooks", "Privacy"] {
        let association = template.properties(&format!("{api}WebAclAssociation"));
        assert_eq!(
            target(&association["WebACLArn"]),
            format!("{api}WebAcl.Arn")
        );
        let arn = &association["ResourceArn"]["Fn::Sub"];
        let stage = format!("/restapis/${{{api}Api}}/stages/${{Stage}}");
        assert!(arn[0].as_str().unwrap().ends_with(&stage));
        assert_eq!(target(&arn[1]["Stage"]), format!("{api}Api.Stage"));
        let acl = template.properties(&format!("{api}WebAcl"));
        assert_eq!(acl["DefaultAction"], json!({ "Allow": {} }));
        assert_eq!(acl["Scope"], "REGIONAL");
        let condition = |id: String| template.section("Resources")[&id]["Condition"].clone();
        let api_condition = condition(format!("{api}Api"));
        for part in ["WebAcl", "WebAclAssociation"] {
            assert_eq!(condition(format!("{api}{part}")), api_condition);
        }
    }
}

/// Meta calls from few addresses, often, with bodies of up to 3 MB full of other people's words.
#[test]
fn nothing_on_the_hooks_can_stop_a_notification_of_metas() {
    let template = Template::edge();
    let mut counted = Vec::new();
    for (rule, condition) in rules(&template, "HooksWebAcl") {
        if blocks(&rule) {
            // The list of Meta's own addresses, where somebody has given one.
            assert_eq!(condition.as_deref(), Some("LimitsToMeta"));
            let set = &rule["Statement"]["NotStatement"]["Statement"]["IPSetReferenceStatement"];
            assert_eq!(target(&set["Arn"]), "MetaIpSet.Arn");
            continue;
        }
        let group = &rule["Statement"]["ManagedRuleGroupStatement"];
        assert!(group.is_object(), "{}", rule["Name"]);
        assert!(group["RuleActionOverrides"].is_null());
        counted.push(group["Name"].as_str().unwrap().to_owned());
        let text = rule.to_string();
        assert!(!text.contains("RateBased") && !text.contains("SizeConstraint"));
    }
    let expected = [
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
    ];
    assert_eq!(counted, expected);
    // The first 16 KB are looked at for the base price; what lies beyond passes unseen.
    let body = &template.properties("HooksWebAcl")["AssociationConfig"]["RequestBody"];
    assert_eq!(body["API_GATEWAY"]["DefaultSizeInspectionLimit"], "KB_16");
}

#[test]
fn the_list_of_metas_addresses_is_off_while_it_is_empty() {
    let edge = Template::edge();
    let root = Template::root();
    assert_eq!(root.section("Parameters")["MetaRanges"]["Default"], "");
    let condition = json!({ "Fn::And": [
        { "Condition": "HooksAreRest" },
        { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "MetaRanges" }, ""] }] },
    ] });
    assert_eq!(edge.section("Conditions")["LimitsToMeta"], condition);
    let resources = edge.section("Resources");
    for id in ["MetaIpSet", "HooksBlockedAlarm"] {
        assert_eq!(resources[id]["Condition"], "LimitsToMeta");
    }
    let addresses = &edge.properties("MetaIpSet")["Addresses"];
    assert_eq!(
        *addresses,
        json!({ "Fn::Split": [",", { "Ref": "MetaRanges" }] })
    );
    let rule = &root.section("Rules")["RangesHaveFirewall"]["Assertions"][0]["Assert"];
    assert_eq!(
        *rule,
        json!({ "Fn::Equals": [{ "Ref": "EdgeType" }, "rest"] })
    );
}

#[test]
fn the_pages_are_limited_by_address_and_nobody_is_kept_from_saying_stop_by_reputation() {
    let template = Template::edge();
    let rules: BTreeMap<String, Value> = rules(&template, "PrivacyWebAcl")
        .into_iter()
        .map(|(rule, condition)| {
            assert_eq!(condition, None);
            (rule["Name"].as_str().unwrap().to_owned(), rule)
        })
        .collect();
    for (name, limit) in [
        ("requests-per-address", "PrivacyRequestsPerAddress"),
        ("forms-per-address", "PrivacyFormsPerAddress"),
    ] {
        assert!(blocks(&rules[name]));
        let rate = &rules[name]["Statement"]["RateBasedStatement"];
        assert_eq!(rate["AggregateKeyType"], "IP");
        assert_eq!(target(&rate["Limit"]), limit);
    }
    let size = &rules["body-size"]["Statement"]["SizeConstraintStatement"];
    // A body too large to look at is too large.
    assert_eq!(size["FieldToMatch"]["Body"]["OversizeHandling"], "MATCH");
    assert!(blocks(&rules["common"]) && blocks(&rules["known-bad-inputs"]));
    assert!(!blocks(&rules["bad-reputation"]));
    let overrides =
        &rules["common"]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"];
    let counted = json!([{ "Name": "NoUserAgent_HEADER", "ActionToUse": { "Count": {} } }]);
    assert_eq!(*overrides, counted);
}

/// A sample or a log of the privacy API would hold people's addresses and tokens; of the hooks it may
/// hold neither the verify token, which is in a query, nor a signature.
#[test]
fn firewalls_keep_no_samples_and_log_only_the_hooks_without_what_must_not_be_known() {
    fn samples<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if key == "SampledRequestsEnabled" {
                        out.push(value);
                    }
                    samples(value, out);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| samples(item, out)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let template = Template::edge();
    for acl in ["ConsentWebAcl", "HooksWebAcl", "PrivacyWebAcl"] {
        let mut found = Vec::new();
        samples(template.properties(acl), &mut found);
        // One for the list and one for each rule.
        assert_eq!(found.len(), 1 + rules(&template, acl).len(), "{acl}");
        assert!(found.iter().all(|sampled| **sampled == false), "{acl}");
    }
    let logs = template.ids_of("AWS::WAFv2::LoggingConfiguration");
    assert_eq!(logs, ["HooksFirewallLog"]);
    let log = template.properties("HooksFirewallLog");
    assert_eq!(target(&log["ResourceArn"]), "HooksWebAcl.Arn");
    let redacted = json!([
        { "QueryString": {} },
        { "UriPath": {} },
        { "SingleHeader": { "Name": "x-hub-signature-256" } },
    ]);
    assert_eq!(log["RedactedFields"], redacted);
    assert_eq!(
        Template::root().section("Parameters")["WafLog"]["Default"],
        "false"
    );
}
