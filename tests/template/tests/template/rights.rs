//! The rights that matter most, one sentence each: who may read a secret, destroy a key, change a fact.
//!
//! That roles and keys agree at all is `access`'s question.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    access::{Grant, grants, people},
    template::{Template, functions, many, read, target},
};

/// Action to the functions whose role has it, for one resource.
fn who_may(resource: &str) -> BTreeMap<String, Vec<String>> {
    let template = Template::root();
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, name) in functions() {
        for grant in grants(&template, &id) {
            if grant
                .resources
                .contains(&format!("Data.Outputs.{resource}Arn"))
            {
                for action in grant.actions {
                    out.entry(action).or_default().push(name.clone());
                }
            }
        }
    }
    out
}

#[test]
fn a_secret_is_read_by_one_function() {
    let expected = |name: &str| {
        BTreeMap::from([(
            "secretsmanager:GetSecretValue".to_owned(),
            vec![name.to_owned()],
        )])
    };
    assert_eq!(who_may("WebhookSecret"), expected("webhook"));
    assert_eq!(who_may("GraphSendSecret"), expected("sender"));
}

#[test]
fn the_ledger_can_only_grow() {
    let may = who_may("ConsentLedgerTable");
    let actions: Vec<&str> = may.keys().map(String::as_str).collect();
    assert_eq!(
        actions,
        [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem"
        ]
    );
    // Whoever signs what the ledger is cannot write it, and whoever writes it cannot sign.
    for (action, by) in &may {
        let writes = action != "dynamodb:GetItem" && action != "dynamodb:Query";
        let signer = by.iter().any(|name| name == "ledger-checkpoint");
        assert!(!(writes && signer), "{action}");
    }
    assert_eq!(who_may("LedgerKey")["kms:Sign"], ["ledger-checkpoint"]);
    assert_eq!(who_may("EvidenceKey")["kms:Sign"], ["retention-purge"]);
    assert_eq!(who_may("ReceiptKey")["kms:Sign"], ["privacy-worker"]);
}

#[test]
fn nobody_lifts_a_suppression_by_deleting_it() {
    assert!(
        who_may("SuppressionTable")
            .keys()
            .all(|action| !action.contains("Delete"))
    );
}

#[test]
fn keys_are_destroyed_by_the_purge_alone_and_salts_by_the_worker_alone() {
    let template = Template::root();
    let may = who_may("KeysTable");
    // Twice the worker: salts, and the keys of holds.
    let destroyers = ["privacy-worker", "privacy-worker", "retention-purge"];
    assert_eq!(may["dynamodb:DeleteItem"], destroyers);
    assert_eq!(may["dynamodb:UpdateItem"], ["privacy-worker"]);
    for (id, name) in functions() {
        for grant in grants(&template, &id) {
            let writes = grant.actions.iter().any(|action| {
                ["PutItem", "DeleteItem", "UpdateItem"]
                    .map(|w| action.ends_with(w))
                    .contains(&true)
            });
            if writes && grant.resources == ["Data.Outputs.KeysTableArn"] {
                let leading = &grant.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                let expected = match (name.as_str(), grant.sid.as_str()) {
                    ("retention-purge", "MintKeys" | "DestroyKeys") => json!(["day#*", "vault#*"]),
                    ("privacy-worker", "MintHolds" | "DestroyHolds") => json!(["hold_*"]),
                    _ => json!(["salt#*", "evidence-salt#*"]),
                };
                assert_eq!(*leading, expected, "{name}: {}", grant.sid);
            }
        }
    }
}

/// Whether a vault key is needed follows from one row of the table of requests, and the purge reads no other.
#[test]
fn the_purge_reads_of_requests_how_far_the_walk_has_come() {
    let grants = grants(&Template::root(), "RetentionPurge");
    let mut about = grants.iter().filter(|grant| {
        let resources = &grant.resources;
        resources.iter().any(|r| r.contains("PrivacyRequests"))
    });
    let walk = about.next().unwrap();
    assert_eq!(walk.actions, ["dynamodb:GetItem"]);
    let leading = &walk.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    assert_eq!(*leading, json!(["reseal"]));
    assert!(about.next().is_none());
}

/// Objects and lines go by the periods of their bucket and group (docs/adr/0042).
#[test]
fn the_purge_can_delete_no_object_and_nobody_a_log() {
    let template = Template::root();
    let mut everybody: Vec<(String, Vec<Grant>)> = functions()
        .into_iter()
        .map(|(id, name)| (name, grants(&template, &id)))
        .collect();
    let people = people(&template).into_iter();
    everybody.extend(people.map(|(name, grants)| (name.to_owned(), grants)));
    let mut deletes_objects = BTreeSet::new();
    for (name, grants) in everybody {
        for action in grants.iter().flat_map(|grant| &grant.actions) {
            if name == "retention-purge" {
                assert!(!action.starts_with("s3:"), "{action}");
            }
            if action.starts_with("s3:Delete") {
                deletes_objects.insert(name.clone());
            }
            let of_logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
            let is_known = !action.starts_with("logs:") || of_logs.contains(&action.as_str());
            assert!(is_known, "{name}: {action}");
        }
    }
    let expected = ["consent-import", "notification-processor"];
    assert_eq!(deletes_objects, expected.map(str::to_owned).into());
}

/// A walk that reads more than its right names is refused in an account, and nowhere else.
#[test]
fn the_walks_may_read_what_they_read() {
    let source = |name: &str| read(&format!("crates/headgate-aws/src/subjects/{name}.rs"));
    let (renaming, resealing) = (source("renaming"), source("resealing"));
    let between = |text: &str, from: &str, to: &str| {
        let rest = text.split(from).nth(1).unwrap();
        rest.split(to).next().unwrap().to_owned()
    };
    let reads = between(&renaming, "const READ: &str = \"", "\"");
    let mut names: BTreeSet<String> = reads.split(", ").map(|n| n.replace('#', "")).collect();
    let sealed = between(&resealing, "const SEALED: [&str; 6] = [", "];");
    let sealed = sealed.replace("super::identity::KEY", "\"identity_key\"");
    names.extend(sealed.split('"').skip(1).step_by(2).map(str::to_owned));
    names.extend(["pk", "sk", "subject"].map(str::to_owned));
    assert_eq!(names.len(), 13, "{names:?}");
    let grants = grants(&Template::root(), "PrivacyWorker");
    let scan = grants
        .iter()
        .find(|grant| grant.actions == ["dynamodb:Scan"]);
    let may = &scan.unwrap().condition["ForAllValues:StringEquals"]["dynamodb:Attributes"];
    let may: BTreeSet<String> = many(may)
        .into_iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(may, names);
}

/// The table's own policy refuses everybody else: who has a grant and is not named in it would be refused, too.
#[test]
fn the_table_of_keys_lets_through_whoever_has_a_grant() {
    let data = Template::data();
    let policy = &data.properties("KeysTable")["ResourcePolicy"]["PolicyDocument"]["Statement"];
    let let_through = |sid: &str| -> BTreeSet<String> {
        let statement = many(policy).into_iter().find(|one| one["Sid"] == sid);
        let arns = &statement.unwrap()["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
        let arns = many(arns).into_iter().map(target);
        arns.map(|arn| arn.rsplit_once("${Deployment}-").unwrap().1.to_owned())
            .collect()
    };
    let granted = |writes: bool| -> BTreeSet<String> {
        let may = who_may("KeysTable");
        let of_kind = |action: &String| {
            let reads = ["GetItem", "BatchGetItem"].map(|read| format!("dynamodb:{read}"));
            reads.contains(action) != writes
        };
        let actions = may.into_iter().filter(|(action, _)| of_kind(action));
        actions.flat_map(|(_, names)| names).collect()
    };
    // The operator opens poison, and is told apart by a statement of its own.
    let mut readers = granted(false);
    readers.insert("operator".to_owned());
    assert_eq!(let_through("NobodyElseReads"), readers);
    assert_eq!(let_through("NobodyElseWrites"), granted(true));
}

/// What Meta says about a number is noted beside the configuration, under a key of its own.
#[test]
fn the_configuration_is_read_and_never_written() {
    let template = Template::root();
    let mut writers = Vec::new();
    let mut all: Vec<(String, Vec<Grant>)> = functions()
        .into_iter()
        .map(|(id, name)| (name, grants(&template, &id)))
        .collect();
    all.extend(people(&template).map(|(name, grants)| (name.to_owned(), grants)));
    for (name, grants) in all {
        for grant in grants {
            let on_controls = grant.resources == ["Data.Outputs.ControlsTableArn"];
            let reads = ["dynamodb:GetItem", "dynamodb:Query"];
            if on_controls && !grant.actions.iter().all(|a| reads.contains(&a.as_str())) {
                let leading = &grant.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                let (expected, action) = match (name.as_str(), grant.sid.as_str()) {
                    ("operator", "RotatePeppers") => (json!(["peppers"]), "PutItem"),
                    ("operator", _) => (json!(["live"]), "UpdateItem"),
                    ("reporter", _) => (json!(["report"]), "PutItem"),
                    _ => (json!(["live", "stats", "unknown"]), "UpdateItem"),
                };
                assert_eq!(*leading, expected, "{name}: {}", grant.sid);
                assert_eq!(grant.actions, [format!("dynamodb:{action}")], "{name}");
                writers.push(name.clone());
            }
        }
    }
    let expected = ["notification-processor", "operator", "operator", "reporter"];
    assert_eq!(writers, expected);
}

/// A ceiling that could be lowered by deleting its count, or a lease taken by intake, would be none.
#[test]
fn intake_touches_of_pacing_what_is_due_and_what_it_counts() {
    let template = Template::root();
    let writes: Vec<(Vec<String>, Value)> = grants(&template, "Intake")
        .into_iter()
        .filter(|grant| grant.resources == ["Data.Outputs.PacingTableArn"])
        .filter(|grant| !grant.condition.is_null())
        .map(|grant| {
            let leading = &grant.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            (grant.actions, leading.clone())
        })
        .collect();
    let due = ["dynamodb:DeleteItem", "dynamodb:PutItem"].map(str::to_owned);
    let counted = ["dynamodb:UpdateItem"].map(str::to_owned);
    assert_eq!(
        writes,
        [
            (due.to_vec(), json!(["D#*"])),
            (counted.to_vec(), json!(["A#*"]))
        ]
    );
}

/// A hold on a time keeps what everybody wrote then: whoever places one sees nothing of it, and whoever has it handed
/// out places none.
#[test]
fn nobody_places_a_hold_and_reads_what_it_keeps() {
    let template = Template::root();
    let [(_, approver), _, _, (_, operator), _] = people(&template);
    let on_holds = |grants: Vec<Grant>| -> BTreeSet<String> {
        let holds = grants.into_iter().filter(|grant| {
            let leading = &grant.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            grant.resources == ["Data.Outputs.PrivacyRequestsTableArn"]
                && leading.to_string().contains("\"holds\"")
        });
        holds.flat_map(|grant| grant.actions).collect()
    };
    let actions = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("dynamodb:{name}"))
            .collect()
    };
    let (writes, reads): (BTreeSet<String>, _) = (
        actions(&["PutItem", "UpdateItem"]),
        actions(&["GetItem", "Query"]),
    );
    assert_eq!(on_holds(approver), writes);
    assert_eq!(on_holds(operator), reads);
}

/// Dead letters, pauses, tokens, and the one salt of nobody: not a table with people in it.
#[test]
fn the_operator_reaches_no_table_with_people_in_it_and_no_secret() {
    let template = Template::root();
    let [(_, approver), _, _, (_, operator), _] = people(&template);
    let of_the_approver: BTreeSet<String> = approver
        .into_iter()
        .flat_map(|grant| grant.resources)
        .filter(|resource| !resource.contains("Queue") && !resource.contains("ImportsBucket"))
        .collect();
    // One bucket; and holds are placed there.
    let requests = "Data.Outputs.PrivacyRequestsTableArn".to_owned();
    assert_eq!(of_the_approver, BTreeSet::from([requests]));
    let reached: BTreeSet<String> = operator
        .into_iter()
        .flat_map(|grant| grant.resources)
        .filter(|resource| !resource.contains("Queue"))
        .collect();
    // The ledger names nobody: its events hold commitments.
    let expected = [
        "ControlsTable",
        "DataKey",
        "KeysTable",
        "PrivacyRequestsTable",
        "ConsentLedgerTable",
        "LedgerKey",
        "EvidenceTable",
        "EvidenceKey",
        "ReceiptKey",
    ];
    let mut expected: BTreeSet<String> = expected.map(|id| format!("Data.Outputs.{id}Arn")).into();
    for (bucket, objects) in [
        ("Checkpoints", &["*"][..]),
        ("Imports", &["files/*", "reports/*"]),
    ] {
        let bucket = format!("Data.Outputs.{bucket}BucketArn");
        expected.extend(objects.iter().map(|of| format!("${{{bucket}}}/{of}")));
        expected.insert(bucket);
    }
    assert_eq!(reached, expected);
}

/// Whoever counts after a breach learns ids, days and countries: no number, no text, no key.
#[test]
fn the_investigator_reads_four_attributes_of_a_message_and_the_country_of_a_person() {
    let template = Template::root();
    let [_, _, (_, investigator), ..] = people(&template);
    let told: Vec<String> = investigator.iter().map(attributes_of).collect();
    assert_eq!(
        told,
        [
            "ControlsTableArn dynamodb:GetItem dynamodb:Query ",
            "MessagesTableArn dynamodb:Query pk sk subject day",
            "${MessagesTableArn}/index/by_day dynamodb:Query pk sk sweep day",
            "MessagesTableArn dynamodb:BatchGetItem pk sk subject",
            "SubjectsTableArn dynamodb:Scan sk same_as phone_country bsuid_country",
            "SubjectsTableArn dynamodb:BatchGetItem pk sk same_as phone_country bsuid_country",
            "QueueKeyArn kms:Decrypt ",
        ]
    );
}

/// Whom a number leads to, and nothing of them; the pepper is more than that, so it is a policy of its own.
#[test]
fn a_hold_by_number_needs_the_pepper_of_numbers_and_one_attribute_of_a_pointer() {
    let template = Template::root();
    let [(_, approver), (_, by_number), ..] = people(&template);
    let told: Vec<String> = by_number.iter().map(attributes_of).collect();
    assert_eq!(
        told,
        [
            "IdentityMacKeyArn kms:GenerateMac ",
            "SubjectsTableArn dynamodb:BatchGetItem pk sk subject",
            "ControlsTableArn dynamodb:GetItem ",
        ]
    );
    let leading = &by_number[2].condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    assert_eq!(*leading, json!(["peppers"]));
    let leading = &by_number[1].condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    assert_eq!(*leading, json!(["I#*"]));
    for grant in approver {
        let reaches = grant.resources.join(" ");
        assert!(
            !reaches.contains("Mac") && !reaches.contains("Subjects"),
            "{}",
            grant.sid
        );
    }
}

/// Whoever reports learns days, templates and states, and not whose; the counts of single hours are out of reach.
#[test]
fn the_reporter_reads_the_day_the_template_and_the_state_of_a_message() {
    let template = Template::root();
    let [.., (_, reporter)] = people(&template);
    let told: Vec<String> = reporter.iter().map(attributes_of).collect();
    assert_eq!(
        told,
        [
            "ControlsTableArn dynamodb:GetItem dynamodb:Query ",
            "ControlsTableArn dynamodb:PutItem ",
            "MessagesTableArn dynamodb:Query pk sk day template state",
            "QueueKeyArn kms:Decrypt kms:GenerateDataKey ",
        ]
    );
    let leading =
        |grant: &Grant| grant.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"].clone();
    let leading: Vec<Value> = reporter.iter().map(leading).collect();
    assert_eq!(
        leading,
        [
            json!(["config", "live", "report"]),
            json!(["report"]),
            json!(["O#*"]),
            Value::Null
        ]
    );
}

/// What a statement reaches, by what, and of which attributes.
fn attributes_of(grant: &Grant) -> String {
    let resource = grant.resources.join(" ").replace("Data.Outputs.", "");
    let attributes = &grant.condition["ForAllValues:StringEquals"]["dynamodb:Attributes"];
    let attributes: Vec<String> = many(attributes).into_iter().map(target).collect();
    if !attributes.is_empty() {
        // Without it, whoever names no attributes gets all.
        let batch = grant.actions == ["dynamodb:BatchGetItem"];
        let operator = ["StringEquals", "StringEqualsIfExists"][usize::from(batch)];
        let select = &grant.condition[operator]["dynamodb:Select"];
        assert_eq!(*select, "SPECIFIC_ATTRIBUTES", "{}", grant.sid);
    }
    let actions = grant.actions.join(" ");
    format!("{resource} {actions} {}", attributes.join(" "))
}

/// Who could write a token could give itself every scope: that is a person's act.
#[test]
fn the_operator_alone_makes_api_tokens() {
    let template = Template::root();
    let mut found = Vec::new();
    let mut all: Vec<(String, Vec<Grant>)> = functions()
        .into_iter()
        .map(|(id, name)| (name, grants(&template, &id)))
        .collect();
    all.extend(people(&template).map(|(name, grants)| (name.to_owned(), grants)));
    for (name, grants) in all {
        for grant in grants {
            if grant.resources != ["Data.Outputs.PrivacyRequestsTableArn"] {
                continue;
            }
            let leading = &grant.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            assert!(leading.is_array(), "{name}: {} reaches all", grant.sid);
            if leading.to_string().contains("api-token") {
                found.push(format!("{name} {}", grant.actions.join(" ")));
            }
        }
    }
    assert_eq!(
        found,
        [
            "consent-api dynamodb:GetItem",
            "operator dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem"
        ]
    );
}

#[test]
fn the_webhook_knows_one_queue_one_bucket_and_one_secret() {
    let template = Template::root();
    let reached: BTreeSet<String> = grants(&template, "Webhook")
        .into_iter()
        .filter(|grant| {
            grant
                .actions
                .iter()
                .all(|action| !action.starts_with("kms:"))
        })
        .flat_map(|grant| grant.resources)
        .collect();
    let expected = [
        "${Data.Outputs.OverflowBucketArn}/*",
        "Data.Outputs.NotificationsQueueArn",
        "Data.Outputs.WebhookSecretArn",
        "WebhookLogGroup.Arn",
    ];
    assert_eq!(reached, expected.map(str::to_owned).into());
}

/// The webhook cannot read back what it stored. Files come from the operator, who deletes none; an approver reads
/// counts, and no row of a report.
#[test]
fn a_bucket_is_reached_by_who_needs_it_and_by_nobody_else() {
    let template = Template::root();
    let mut found = Vec::new();
    let mut all: Vec<(String, Vec<Grant>)> = functions()
        .into_iter()
        .map(|(id, name)| (name, grants(&template, &id)))
        .collect();
    all.extend(people(&template).map(|(name, grants)| (name.to_owned(), grants)));
    for (name, grants) in all {
        for grant in grants {
            let actions = grant.actions.into_iter();
            let of_s3 = actions.filter(|action| action.starts_with("s3:"));
            let on = grant.resources.join(" ");
            if on.contains("CheckpointsBucket") {
                continue;
            }
            found.extend(of_s3.map(|action| format!("{name} {action} {on}")));
        }
    }
    found.sort();
    let bucket = "Data.Outputs.OverflowBucketArn";
    let imports = "Data.Outputs.ImportsBucketArn";
    assert_eq!(
        found,
        [
            format!("approver s3:GetObject ${{{imports}}}/approvals/*"),
            format!(
                "approver s3:GetObject ${{{imports}}}/reports/*/import.json ${{{imports}}}/reports/*/messages.json"
            ),
            format!("approver s3:ListBucket {imports}"),
            format!("approver s3:PutObject ${{{imports}}}/approvals/*"),
            format!("consent-import s3:DeleteObject ${{{imports}}}/*"),
            format!("consent-import s3:GetObject ${{{imports}}}/*"),
            format!("consent-import s3:ListBucket {imports}"),
            format!("consent-import s3:PutObject ${{{imports}}}/reports/*"),
            format!("notification-processor s3:DeleteObject ${{{bucket}}}/*"),
            format!("notification-processor s3:GetObject ${{{bucket}}}/*"),
            format!("notification-processor s3:ListBucket {bucket}"),
            format!("operator s3:AbortMultipartUpload ${{{imports}}}/files/*"),
            format!("operator s3:GetObject ${{{imports}}}/reports/*"),
            format!("operator s3:ListBucket {imports}"),
            format!("operator s3:PutObject ${{{imports}}}/files/*"),
            format!("webhook s3:PutObject ${{{bucket}}}/*"),
        ]
    );
}

#[test]
fn no_function_writes_the_log_of_another() {
    let template = Template::root();
    for (id, name) in functions() {
        for grant in grants(&template, &id) {
            if grant
                .actions
                .iter()
                .any(|action| action.starts_with("logs:"))
            {
                assert_eq!(grant.resources, [format!("{id}LogGroup.Arn")], "{name}");
            }
        }
    }
}

/// The condition is worth nothing if the keyring stops saying which deployment it is.
#[test]
fn a_field_key_opens_only_for_the_deployment_it_was_made_for() {
    let template = Template::data();
    let key = template.properties("DataKey");
    for statement in many(&key["KeyPolicy"]["Statement"]) {
        if statement["Sid"] != "Administer" {
            let context = &statement["Condition"]["StringEquals"];
            let deployment = &context["kms:EncryptionContext:headgate:deployment"];
            assert_eq!(target(deployment), "Deployment", "{}", statement["Sid"]);
        }
    }
    assert!(read("crates/headgate-aws/src/keyring.rs").contains("\"headgate:deployment\""));
}
