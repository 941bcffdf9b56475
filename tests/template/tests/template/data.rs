//! Tables, queues, keys and secrets: what is kept, for how long, and that it outlives the stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::template::{Template, many, read, target};

/// (table, has a sort key, days of point-in-time recovery; 0 is off)
const TABLES: [(&str, &str, bool, i64); 9] = [
    ("ConsentLedgerTable", "consent-ledger", true, 35),
    ("ControlsTable", "controls", true, 35),
    ("EvidenceTable", "evidence", true, 35),
    ("KeysTable", "keys", false, 0),
    ("MessagesTable", "messages", true, 7),
    ("PacingTable", "pacing", true, 0),
    ("PrivacyRequestsTable", "privacy-requests", true, 0),
    ("SubjectsTable", "subjects", true, 35),
    ("SuppressionTable", "suppression", false, 35),
];

#[test]
fn the_tables_are_those_of_the_design_with_their_keys_and_their_recovery() {
    let template = Template::data();
    let ids: Vec<&str> = TABLES.iter().map(|(id, ..)| *id).collect();
    assert_eq!(template.ids_of("AWS::DynamoDB::Table"), ids);
    for (id, name, sort_key, days) in TABLES {
        let table = template.properties(id);
        assert_eq!(
            target(&table["TableName"]),
            format!("${{Deployment}}-{name}")
        );
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
        let mut schema = vec![json!({ "AttributeName": "pk", "KeyType": "HASH" })];
        if sort_key {
            schema.push(json!({ "AttributeName": "sk", "KeyType": "RANGE" }));
        }
        assert_eq!(table["KeySchema"], json!(schema), "{id}");
        let recovery = &table["PointInTimeRecoverySpecification"];
        if days == 0 {
            assert!(recovery.is_null(), "{id} must not be recoverable");
        } else {
            assert_eq!(recovery["PointInTimeRecoveryEnabled"], true);
            assert_eq!(recovery["RecoveryPeriodInDays"], days, "{id}");
        }
    }
}

#[test]
fn every_table_expires_by_the_same_attribute_and_rests_under_a_customer_key() {
    let template = Template::data();
    for (id, ..) in TABLES {
        let table = template.properties(id);
        let ttl = json!({ "AttributeName": "ttl", "Enabled": true });
        assert_eq!(table["TimeToLiveSpecification"], ttl, "{id}");
        let encryption = &table["SSESpecification"];
        assert_eq!(encryption["SSEEnabled"], true);
        assert_eq!(encryption["SSEType"], "KMS");
        assert_eq!(
            target(&encryption["KMSMasterKeyId"]),
            "QueueKey.Arn",
            "{id}"
        );
    }
}

#[test]
fn the_keys_table_has_no_recovery_no_stream_and_refuses_every_other_copy() {
    let template = Template::data();
    let table = template.properties("KeysTable");
    for copy in [
        "PointInTimeRecoverySpecification",
        "StreamSpecification",
        "KinesisStreamSpecification",
        "GlobalSecondaryIndexes",
    ] {
        assert!(table[copy].is_null(), "the keys table has {copy}");
    }
    let statements = many(&table["ResourcePolicy"]["PolicyDocument"]["Statement"]);
    let arn =
        "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Deployment}-keys";
    let mut refused = BTreeSet::new();
    for statement in &statements {
        // Grants are the roles': a policy that grants is one more place to look for them.
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(statement["Principal"], "*");
        assert_eq!(target(&statement["Resource"]), arn);
        if statement["Condition"].is_null() {
            let actions = many(&statement["Action"]).into_iter();
            refused.extend(actions.map(|action| action.as_str().unwrap()));
        }
    }
    // To everybody, whoever deploys included.
    let expected = [
        "dynamodb:CreateBackup",
        "dynamodb:EnableKinesisStreamingDestination",
        "dynamodb:ExportTableToPointInTime",
        "dynamodb:PartiQLDelete",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLSelect",
        "dynamodb:PartiQLUpdate",
        "dynamodb:Query",
        "dynamodb:RestoreTableToPointInTime",
        "dynamodb:Scan",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateKinesisStreamingDestination",
    ];
    assert_eq!(refused, expected.into());
}

/// An action that DynamoDB does not know in a table's policy keeps the table from being made, here unseen.
#[test]
fn a_tables_policy_names_only_what_dynamodb_takes_in_one() {
    // The operations of rbac-iam-actions.html (read 2026-11) that may copy, read or write, by the names IAM has for them.
    const TAKEN: [&str; 21] = [
        "BatchGetItem",
        "BatchWriteItem",
        "ConditionCheckItem",
        "CreateBackup",
        "DeleteItem",
        "EnableKinesisStreamingDestination",
        "ExportTableToPointInTime",
        "GetItem",
        "PartiQLDelete",
        "PartiQLInsert",
        "PartiQLSelect",
        "PartiQLUpdate",
        "PutItem",
        "Query",
        "RestoreTableToPointInTime",
        "Scan",
        "UpdateContinuousBackups",
        "UpdateItem",
        "UpdateKinesisStreamingDestination",
        "UpdateTable",
        "UpdateTimeToLive",
    ];
    let template = Template::data();
    let mut seen = 0;
    for (id, ..) in TABLES {
        let policy = &template.properties(id)["ResourcePolicy"]["PolicyDocument"]["Statement"];
        for action in many(policy)
            .into_iter()
            .flat_map(|one| many(&one["Action"]))
        {
            let action = action.as_str().unwrap().strip_prefix("dynamodb:").unwrap();
            assert!(TAKEN.contains(&action), "{id}: {action}");
            seen += 1;
        }
    }
    assert!(seen > 12);
    // AWS Backup is refused where alone it can be, and the page says so with the words to use.
    let runbook = read("docs/operations.md");
    assert!(runbook.contains("\"dynamodb:StartAwsBackupJob\""));
}

#[test]
fn no_table_has_a_stream() {
    let template = Template::data();
    for (id, ..) in TABLES {
        assert!(
            template.properties(id)["StreamSpecification"].is_null(),
            "{id}"
        );
    }
}

#[test]
fn the_indexes_of_messages_carry_keys_alone() {
    let template = Template::data();
    let indexes = &template.properties("MessagesTable")["GlobalSecondaryIndexes"];
    let index = |name: &str, hash: &str, range: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [
                { "AttributeName": hash, "KeyType": "HASH" },
                { "AttributeName": range, "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        })
    };
    let expected = [
        index("by_subject", "subject", "sk"),
        index("by_day", "sweep", "day"),
    ];
    assert_eq!(*indexes, json!(expected));
}

#[test]
fn tables_buckets_keys_and_secrets_outlive_the_stack() {
    for template in Template::all() {
        for (id, resource) in template.resources() {
            let kind = resource["Type"].as_str().unwrap();
            // What stands at the edge holds nothing, and is made again in minutes.
            if id == "Edge" {
                continue;
            }
            let precious = [
                "AWS::DynamoDB::Table",
                "AWS::KMS::Key",
                "AWS::S3::Bucket",
                // Without it a bucket that is kept could be read by others.
                "AWS::S3::BucketPolicy",
                "AWS::SecretsManager::Secret",
                "AWS::Serverless::Application",
            ];
            if precious.contains(&kind) {
                // Kept when the stack goes; removed only when its own first creation fails, which
                // would otherwise leave a name that blocks the next attempt.
                assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
                assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
            }
        }
    }
}

const QUEUES: [(&str, &str, i64); 11] = [
    ("AppEvents", "app-events", 180),
    ("Authentication", "authentication", 180),
    ("Consents", "consents", 180),
    ("Imports", "imports", 1800),
    ("Marketing", "marketing", 180),
    ("Notifications", "notifications", 360),
    ("PrivacyRequests", "privacy-requests", 1800),
    ("Service", "service", 180),
    ("System", "system", 180),
    ("Utility", "utility", 180),
    ("Wake", "wake", 540),
];

#[test]
fn every_queue_keeps_four_days_and_sets_aside_in_its_own_dead_letter_queue_for_fourteen() {
    let template = Template::data();
    assert_eq!(template.ids_of("AWS::SQS::Queue").len(), 2 * QUEUES.len());
    for (id, name, visibility) in QUEUES {
        let queue = template.properties(&format!("{id}Queue"));
        assert_eq!(
            target(&queue["QueueName"]),
            format!("${{Deployment}}-{name}")
        );
        assert_eq!(queue["MessageRetentionPeriod"], 4 * 86_400);
        assert_eq!(queue["VisibilityTimeout"], visibility);
        let redrive = &queue["RedrivePolicy"];
        assert_eq!(
            target(&redrive["deadLetterTargetArn"]),
            format!("{id}DeadLetterQueue.Arn")
        );
        assert_eq!(redrive["maxReceiveCount"], 100);
        let dead = template.properties(&format!("{id}DeadLetterQueue"));
        assert_eq!(
            target(&dead["QueueName"]),
            format!("${{Deployment}}-{name}-dlq")
        );
        assert_eq!(dead["MessageRetentionPeriod"], 14 * 86_400);
        assert_eq!(dead["RedriveAllowPolicy"]["redrivePermission"], "byQueue");
        let sources = many(&dead["RedriveAllowPolicy"]["sourceQueueArns"]);
        assert_eq!(sources.len(), 1);
        assert!(target(sources[0]).ends_with(&format!(":${{Deployment}}-{name}")));
        for queue in [queue, dead] {
            assert_eq!(target(&queue["KmsMasterKeyId"]), "QueueKey.Arn");
        }
    }
}

/// What an operator reads dead letters by, and puts them back by: docs/operations.md.
#[test]
fn every_queue_and_its_dead_letters_are_outputs_of_the_stack() {
    let root = Template::root();
    for (id, ..) in QUEUES {
        for queue in [format!("{id}Queue"), format!("{id}DeadLetterQueue")] {
            let output = &root.section("Outputs")[&format!("{queue}Url")];
            // A wake is put there by nobody outside, not even again.
            if queue == "WakeQueue" {
                assert!(output.is_null());
                continue;
            }
            let expected = format!("Data.Outputs.{queue}Url");
            assert_eq!(target(&output["Value"]), expected, "{queue}");
        }
    }
}

/// The policy statements of each queue.
fn queue_policies(template: &Template) -> BTreeMap<String, Vec<Value>> {
    let mut out = BTreeMap::new();
    for id in template.ids_of("AWS::SQS::QueuePolicy") {
        let policy = template.properties(id);
        let statements: Vec<Value> = many(&policy["PolicyDocument"]["Statement"])
            .into_iter()
            .cloned()
            .collect();
        for queue in many(&policy["Queues"]) {
            let before = out.insert(target(queue), statements.clone());
            assert!(before.is_none(), "the last policy of a queue wins: {id}");
        }
    }
    out
}

#[test]
fn every_queue_refuses_plain_transport_and_every_writer_but_its_own() {
    let template = Template::data();
    let policies = queue_policies(&template);
    for queue in template.ids_of("AWS::SQS::Queue") {
        let statements = policies
            .get(queue)
            .unwrap_or_else(|| panic!("{queue} has no policy"));
        let denies = |sid: &str| {
            let statement = statements.iter().find(|statement| statement["Sid"] == sid);
            let statement = statement.unwrap_or_else(|| panic!("{queue} has no {sid}"));
            assert_eq!(statement["Effect"], "Deny");
            assert_eq!(statement["Principal"], "*");
            assert_eq!(target(&statement["Resource"]), format!("{queue}.Arn"));
            statement.clone()
        };
        let transport = denies("TransportIsEncrypted");
        assert_eq!(transport["Action"], "sqs:*");
        assert_eq!(
            transport["Condition"],
            json!({ "Bool": { "aws:SecureTransport": "false" } })
        );
        let writers = denies("NobodyElseWrites");
        assert_eq!(writers["Action"], "sqs:SendMessage");
        assert!(
            writers["Condition"].is_object(),
            "{queue} could not be written at all"
        );
    }
}

#[test]
fn a_queue_is_read_by_its_function_alone() {
    let policies = queue_policies(&Template::data());
    for (queue, reader) in [
        ("AppEventsQueue", "producer-*"),
        ("AuthenticationQueue", "intake"),
        ("ConsentsQueue", "intake"),
        ("ImportsQueue", "consent-import"),
        ("MarketingQueue", "intake"),
        ("NotificationsQueue", "notification-processor"),
        ("PrivacyRequestsQueue", "privacy-worker"),
        ("ServiceQueue", "intake"),
        ("SystemQueue", "intake"),
        ("UtilityQueue", "intake"),
        ("WakeQueue", "sender"),
    ] {
        let statement = policies[queue]
            .iter()
            .find(|statement| statement["Sid"] == "NobodyElseReads")
            .unwrap_or_else(|| panic!("anybody may read {queue}"));
        let allowed = many(&statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]);
        assert_eq!(allowed.len(), 1);
        assert!(
            target(allowed[0]).ends_with(&format!(":role/${{Deployment}}-{reader}")),
            "{queue}"
        );
    }
}

/// The roles that the statement of a queue's policy lets through, without the deployment's prefix.
fn exempt(policies: &BTreeMap<String, Vec<Value>>, queue: &str, sid: &str) -> Vec<String> {
    let statement = policies[queue]
        .iter()
        .find(|statement| statement["Sid"] == sid)
        .unwrap_or_else(|| panic!("{queue} has no {sid}"));
    assert_eq!(statement["Effect"], "Deny", "{queue}: {sid}");
    many(&statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"])
        .into_iter()
        .map(target)
        .map(|arn| {
            let (_, role) = arn.rsplit_once(":role/${Deployment}-").expect("a role");
            role.to_owned()
        })
        .collect()
}

/// The operator is in each list because a redrive is a write; no function and no app is.
#[test]
fn a_queue_is_written_by_the_roles_of_the_design_and_by_a_redrive() {
    let policies = queue_policies(&Template::data());
    for (queue, writers) in [
        ("AppEventsQueue", vec![]),
        ("AuthenticationQueue", vec!["producer-*"]),
        (
            "ConsentsQueue",
            vec!["consent-api", "privacy-web", "sender", "producer-*"],
        ),
        // S3 is let through by the bucket, and is no role.
        ("ImportsQueue", vec![]),
        ("MarketingQueue", vec!["producer-*"]),
        ("NotificationsQueue", vec!["webhook"]),
        // Who writes here can have anybody erased.
        ("PrivacyRequestsQueue", vec!["notification-processor"]),
        ("ServiceQueue", vec!["producer-*"]),
        // No app: these are the only messages a suppressed person can get.
        (
            "SystemQueue",
            vec![
                "notification-processor",
                "privacy-web",
                "privacy-worker",
                "consent-import",
            ],
        ),
        ("UtilityQueue", vec!["producer-*"]),
    ] {
        let mut expected = writers;
        expected.push("operator");
        assert_eq!(
            exempt(&policies, queue, "NobodyElseWrites"),
            expected,
            "{queue}"
        );
    }
    // A wake is a hint, and one comes each minute: nothing to redrive.
    let wakes = exempt(&policies, "WakeQueue", "NobodyElseWrites");
    assert_eq!(wakes, ["intake", "sender"]);
}

#[test]
fn notifications_and_system_messages_are_allowed_by_no_policy_but_the_roles_own() {
    let policies = queue_policies(&Template::data());
    for queue in ["NotificationsQueue", "PrivacyRequestsQueue", "SystemQueue"] {
        let denies = |statement: &Value| statement["Effect"] == "Deny";
        assert!(policies[queue].iter().all(denies), "{queue}");
    }
}

#[test]
fn poison_is_put_aside_by_the_function_that_met_it_and_taken_up_by_the_operator_alone() {
    let policies = queue_policies(&Template::data());
    for (id, ..) in QUEUES {
        let dead = format!("{id}DeadLetterQueue");
        assert_eq!(
            exempt(&policies, &dead, "NobodyElseReads"),
            ["operator"],
            "{dead}"
        );
        let writers = exempt(&policies, &dead, "NobodyElseWrites");
        let expected: &[&str] = match id {
            "AppEvents" => &[],
            "Imports" => &["consent-import"],
            "Notifications" => &["notification-processor"],
            "PrivacyRequests" => &["privacy-worker"],
            "Wake" => &["sender"],
            _ => &["intake"],
        };
        assert_eq!(writers, expected, "{dead}");
    }
}

/// Whoever redrives could otherwise read what every function may read.
#[test]
fn the_operator_opens_poison_and_nothing_of_a_person() {
    let template = Template::data();
    let table = template.properties("KeysTable");
    let statement = many(&table["ResourcePolicy"]["PolicyDocument"]["Statement"])
        .into_iter()
        .find(|statement| statement["Sid"] == "OperatorOpensQuarantineAlone")
        .expect("the statement");
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(
        statement["Action"],
        json!(["dynamodb:BatchGetItem", "dynamodb:GetItem"])
    );
    let leading = &statement["Condition"]["ForAnyValue:StringNotLike"]["dynamodb:LeadingKeys"];
    // 128 zero bits: `SubjectId::from_random([0; 16])`, which stands for no person.
    let quarantine = format!("salt#sub_{}", "a".repeat(26));
    assert_eq!(*leading, json!(["day#*", quarantine]));
}

#[test]
fn app_events_carry_one_envelope_a_body() {
    let template = Template::data();
    let rule = template.properties("AppEventsRule");
    assert_eq!(rule["EventPattern"], json!({ "source": ["headgate"] }));
    assert_eq!(target(&rule["EventBusName"]), "EventBus");
    let targets = many(&rule["Targets"]);
    assert_eq!(targets.len(), 1);
    assert_eq!(target(&targets[0]["Arn"]), "AppEventsQueue.Arn");
    assert_eq!(targets[0]["InputPath"], "$.detail");
}

#[test]
fn peppers_are_four_hmac_keys_and_the_rest_rotate_by_themselves() {
    let template = Template::data();
    for id in template.ids_of("AWS::KMS::Key") {
        let key = template.properties(id);
        if id.ends_with("MacKey") {
            assert_eq!(key["KeySpec"], "HMAC_256", "{id}");
            assert_eq!(key["KeyUsage"], "GENERATE_VERIFY_MAC", "{id}");
        } else if ["EvidenceKey", "LedgerKey", "ReceiptKey"].contains(&id) {
            // A pair cannot rotate by itself, and who keeps its public half would not want it to.
            assert_eq!(key["KeySpec"], "ECC_NIST_P256", "{id}");
            assert_eq!(key["KeyUsage"], "SIGN_VERIFY", "{id}");
        } else {
            assert_eq!(key["EnableKeyRotation"], true, "{id}");
        }
    }
    let macs = template.ids_of("AWS::KMS::Key");
    assert_eq!(macs.iter().filter(|id| id.ends_with("MacKey")).count(), 4);
}

#[test]
fn secrets_are_made_without_a_value() {
    let template = Template::data();
    let secrets = template.ids_of("AWS::SecretsManager::Secret");
    assert_eq!(secrets, ["GraphSendSecret", "WebhookSecret"]);
    for id in secrets {
        let secret = template.properties(id);
        assert!(secret["SecretString"].is_null() && secret["GenerateSecretString"].is_null());
        assert_eq!(target(&secret["KmsKeyId"]), "SecretsKey.Arn");
    }
}
