//! Events in the shapes of AWS, and what they are taken for.
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "tests may fail loudly, and a table is as long as it is"
)]

use serde_json::json;

use super::*;

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const DATA: &str = "arn:aws:kms:eu-central-1:111122223333:key/5678abcd-12ab-34cd-56ef-1234567890ab";
const OTHER: &str =
    "arn:aws:kms:eu-central-1:111122223333:key/9999abcd-12ab-34cd-56ef-1234567890ab";
const TABLE: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/main-messages";
const AT: &str = "2026-11-20T10:00:00Z";

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn trail() -> Trail {
    let window = (
        moment("2026-11-20T09:00:00Z"),
        moment("2026-11-20T12:00:00Z"),
    );
    let keys = [(KEY.to_owned(), "identity"), (DATA.to_owned(), "data")];
    Trail::new("main", window, BTreeMap::from(keys))
}

/// A session of a role, named by somebody's address.
fn role(name: &str) -> Value {
    json!({ "type": "AssumedRole", "accountId": "111122223333",
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{name}/alice@maple.example"),
        "sessionContext": { "sessionIssuer": { "type": "Role", "userName": name } } })
}

fn event(source: &str, name: &str, parameters: &Value) -> Value {
    json!({ "eventID": format!("{source}/{name}/{parameters}"), "eventTime": AT, "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name, "userIdentity": role("developer"), "recipientAccountId": "111122223333", "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.7", "requestParameters": parameters, "eventCategory": "Management" })
}

fn with_context(deployment: &str, key: &str) -> Value {
    json!({ "headgate:deployment": deployment, "headgate:key": key })
}

fn opened(deployment: &str, key: &str) -> Value {
    event(
        "kms",
        "Decrypt",
        &json!({ "keyId": DATA, "encryptionContext": with_context(deployment, key) }),
    )
}

/// As KMS tells it: what was asked for is not there, and the key is in the sentence.
fn refused(source: &str, name: &str, resource: &str) -> Value {
    let mut event = event(source, name, &Value::Null);
    event["errorCode"] = json!("AccessDenied");
    event["errorMessage"] = json!(format!(
        "User: arn:aws:sts::111122223333:assumed-role/main-operator/alice@maple.example is not authorized to perform: \
         {source}:{name} on resource: {resource} because no identity-based policy allows it"
    ));
    event
}

fn told(events: &[Value]) -> Told {
    let mut trail = trail();
    for event in events {
        trail.read(event);
    }
    trail.told()
}

fn acts(told: &Told) -> Vec<(Deed, &str)> {
    told.acts
        .keys()
        .map(|(deed, what, _by)| (*deed, what.as_str()))
        .collect()
}

#[test]
fn what_each_event_is_of_a_deployment() {
    let secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:main/graph-send-AbCdEf";
    let backup = format!("{TABLE}/backup/01763000000000-0123abcd");
    let queue = "https://sqs.eu-central-1.amazonaws.com/111122223333/main-app-events";
    let dead = "arn:aws:sqs:eu-central-1:111122223333:main-utility-dlq";
    let function = "arn:aws:lambda:eu-central-1:111122223333:function:main-sender:7";
    let of_role = "arn:aws:iam::111122223333:role/main-sender";
    let policy = "arn:aws:iam::111122223333:policy/main-operator";
    let re_encrypted =
        json!({ "sourceKeyId": DATA, "sourceEncryptionContext": with_context("main", "vault#2") });
    let mut batch = event(
        "dynamodb",
        "BatchGetItem",
        &json!({ "requestItems": { "main-controls": {}, "orders": {} } }),
    );
    batch["resources"] = json!([{ "type": "AWS::DynamoDB::Table", "ARN": TABLE }]);
    let many = json!({ "secretIdList": ["other/one", "main/webhook", secret] });
    let copied_out = json!({ "bucketName": "mine", "x-amz-copy-source": "main-imports-111122223333/people.csv" });
    let copied_in = json!({ "bucketName": "main-imports-111122223333", "x-amz-copy-source": "/mine/people.csv" });
    let bus = "arn:aws:events:eu-central-1:111122223333:event-bus/main";
    for (event, expected) in [
        (
            opened("main", "day#2026-11-19"),
            vec![(Deed::OpenedKey, "day#2026-11-19")],
        ),
        (
            event("kms", "ReEncrypt", &re_encrypted),
            vec![(Deed::OpenedKey, "vault#2")],
        ),
        (
            refused("kms", "Decrypt", DATA),
            vec![(Deed::OpenedKey, "key data")],
        ),
        (
            event("kms", "GenerateMac", &json!({ "keyId": KEY })),
            vec![(Deed::MadeNames, "key identity")],
        ),
        (
            refused("kms", "GenerateMac", KEY),
            vec![(Deed::MadeNames, "key identity")],
        ),
        (
            event("kms", "CreateGrant", &json!({ "keyId": KEY })),
            vec![(Deed::Changed, "key identity")],
        ),
        (
            event("kms", "PutKeyPolicy", &json!({ "keyId": OTHER })),
            vec![(Deed::Changed, "key 9999abcd-12ab-34cd-56ef-1234567890ab")],
        ),
        (
            event(
                "secretsmanager",
                "GetSecretValue",
                &json!({ "secretId": secret }),
            ),
            vec![(Deed::ReadSecret, "secret main/graph-send")],
        ),
        (
            event("secretsmanager", "BatchGetSecretValue", &many),
            vec![
                (Deed::ReadSecret, "secret main/graph-send"),
                (Deed::ReadSecret, "secret main/webhook"),
            ],
        ),
        (
            refused("secretsmanager", "GetSecretValue", secret),
            vec![(Deed::ReadSecret, "secret main/graph-send")],
        ),
        (
            event(
                "secretsmanager",
                "PutSecretValue",
                &json!({ "secretId": "main/webhook" }),
            ),
            vec![(Deed::Changed, "secret main/webhook")],
        ),
        (
            event("dynamodb", "Scan", &json!({ "tableName": "main-keys" })),
            vec![(Deed::Read, "main-keys")],
        ),
        (
            batch,
            vec![(Deed::Read, "main-controls"), (Deed::Read, "main-messages")],
        ),
        (
            event("dynamodb", "PutItem", &json!({ "tableName": TABLE })),
            vec![(Deed::Wrote, "main-messages")],
        ),
        (
            event(
                "dynamodb",
                "ExportTableToPointInTime",
                &json!({ "tableArn": TABLE }),
            ),
            vec![(Deed::Copied, "main-messages")],
        ),
        (
            event(
                "dynamodb",
                "RestoreTableFromBackup",
                &json!({ "backupArn": backup }),
            ),
            vec![(Deed::Copied, "main-messages")],
        ),
        (
            event(
                "dynamodb",
                "UpdateTable",
                &json!({ "tableName": "main-keys" }),
            ),
            vec![(Deed::Changed, "main-keys")],
        ),
        (
            event(
                "s3",
                "GetObject",
                &json!({ "bucketName": "main-checkpoints-111122223333", "key": "1" }),
            ),
            vec![(Deed::Read, "bucket checkpoints")],
        ),
        (
            event("s3", "CopyObject", &copied_out),
            vec![(Deed::Copied, "bucket imports")],
        ),
        (
            event("s3", "CopyObject", &copied_in),
            vec![(Deed::Wrote, "bucket imports")],
        ),
        (
            event("sqs", "ReceiveMessage", &json!({ "queueUrl": queue })),
            vec![(Deed::Read, "main-app-events")],
        ),
        (
            event("sqs", "StartMessageMoveTask", &json!({ "sourceArn": dead })),
            vec![(Deed::Changed, "main-utility-dlq")],
        ),
        (
            event(
                "lambda",
                "UpdateFunctionCode20150331v2",
                &json!({ "functionName": function }),
            ),
            vec![(Deed::Changed, "function main-sender")],
        ),
        (
            event(
                "lambda",
                "CreateFunction20150331",
                &json!({ "functionName": "mine", "role": of_role }),
            ),
            vec![(Deed::Changed, "role main-sender")],
        ),
        (
            event(
                "lambda",
                "CreateEventSourceMapping20150331",
                &json!({ "functionName": "mine", "eventSourceArn": dead }),
            ),
            vec![(Deed::Changed, "main-utility-dlq")],
        ),
        (
            event("sts", "AssumeRole", &json!({ "roleArn": of_role })),
            vec![(Deed::TookRole, "role main-sender")],
        ),
        (
            event(
                "iam",
                "AttachRolePolicy",
                &json!({ "roleName": "main-sender" }),
            ),
            vec![(Deed::Changed, "role main-sender")],
        ),
        (
            event("iam", "CreateRole", &json!({ "roleName": "main-operator" })),
            vec![(Deed::Changed, "role main-operator")],
        ),
        (
            event(
                "iam",
                "SetDefaultPolicyVersion",
                &json!({ "policyArn": policy }),
            ),
            vec![(Deed::Changed, "policy main-operator")],
        ),
        (
            event(
                "events",
                "PutTargets",
                &json!({ "eventBusName": bus, "rule": "mine" }),
            ),
            vec![(Deed::Changed, "bus")],
        ),
        (
            event(
                "events",
                "DisableRule",
                &json!({ "name": "main-pepper-use" }),
            ),
            vec![(Deed::Changed, "rule main-pepper-use")],
        ),
        (
            event("cloudtrail", "StopLogging", &json!({ "name": "any" })),
            vec![(Deed::Changed, "trail")],
        ),
    ] {
        let told = told(std::slice::from_ref(&event));
        assert_eq!(acts(&told), expected, "{event}");
        assert!(
            told.acts.keys().all(|(_, _, by)| by == "role developer"),
            "{told:?}"
        );
        assert_eq!((told.events, told.by_functions, told.unreadable), (1, 0, 0));
        let text = format!("{told:?}");
        assert!(
            !text.contains("alice") && !text.contains("192.0.2"),
            "{text}"
        );
    }
}

#[test]
fn what_is_of_another_deployment_or_of_nobody_is_not_ours() {
    let of_storage =
        json!({ "keyId": OTHER, "encryptionContext": { "aws:dynamodb:tableName": "main-keys" } });
    let own_key =
        json!({ "keyId": OTHER, "encryptionContext": with_context("main", "day#2026-11-19") });
    let mut grant = event("kms", "CreateGrant", &json!({ "keyId": OTHER }));
    grant["userIdentity"]["invokedBy"] = json!("dynamodb.amazonaws.com");
    for event in [
        opened("other", "day#2026-11-19"),
        // Whoever has a key of their own can say anything of it.
        opened("main", "+16135550123"),
        opened("main", "day#2026-11-19\u{1b}[2J"),
        event("kms", "Decrypt", &own_key),
        event("kms", "Decrypt", &of_storage),
        event("kms", "GenerateMac", &json!({ "keyId": OTHER })),
        grant,
        event("dynamodb", "Scan", &json!({ "tableName": "orders" })),
        // Another deployment, whose name begins with ours.
        event("dynamodb", "Scan", &json!({ "tableName": "main-eu-keys" })),
        event(
            "sqs",
            "ReceiveMessage",
            &json!({ "queueUrl": "https://sqs.eu-central-1.amazonaws.com/1/main-eu-wake" }),
        ),
        event(
            "s3",
            "GetObject",
            &json!({ "bucketName": "main-eu-imports-111122223333" }),
        ),
        event(
            "secretsmanager",
            "GetSecretValue",
            &json!({ "secretId": "main-eu/webhook" }),
        ),
        event(
            "dynamodb",
            "DescribeTable",
            &json!({ "tableName": "main-keys" }),
        ),
        event("iam", "GetRole", &json!({ "roleName": "main-sender" })),
        event(
            "lambda",
            "Invoke",
            &json!({ "functionName": "main-sender" }),
        ),
        event(
            "sts",
            "AssumeRole",
            &json!({ "roleArn": "arn:aws:iam::111122223333:role/main-operator" }),
        ),
        event("ec2", "RunInstances", &Value::Null),
    ] {
        assert_eq!(acts(&told(std::slice::from_ref(&event))), [], "{event}");
    }
}

/// Its own functions are not told of, whoever calls a role by such a name in another account is.
#[test]
fn who_is_a_function_and_who_only_sounds_like_one() {
    let without_issuer = json!({ "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/main-sender/x" });
    let federated = json!({ "type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/alice@maple.example",
        "sessionContext": { "sessionIssuer": { "userName": "broker" } } });
    for (identity, by) in [
        (role("main-privacy-worker"), None),
        (without_issuer, None),
        (role("main-operator"), Some("role main-operator")),
        (role("main-2-sender"), Some("role main-2-sender")),
        (
            json!({ "type": "IAMUser", "userName": "main-sender" }),
            Some("user main-sender"),
        ),
        (
            json!({ "type": "IAMUser", "userName": "alice@maple.example" }),
            Some("user whose name is an address"),
        ),
        (federated, Some("session of user broker")),
        (json!({ "type": "Root" }), Some("root")),
        (
            json!({ "type": "AWSService", "invokedBy": "dynamodb.amazonaws.com" }),
            Some("service dynamodb.amazonaws.com"),
        ),
        (
            json!({ "type": "SAMLUser", "userName": "alice@maple.example" }),
            Some("SAMLUser"),
        ),
        (Value::Null, Some("a caller of no kind")),
    ] {
        let mut event = opened("main", "day#2026-11-19");
        event["userIdentity"] = identity;
        let told = told(&[event]);
        let callers: Vec<&str> = told.acts.keys().map(|(_, _, by)| by.as_str()).collect();
        assert_eq!(callers, by.into_iter().collect::<Vec<_>>());
        assert_eq!(told.by_functions, u64::from(by.is_none()));
        assert_eq!(told.opened("day#2026-11-19"), Some(by.is_some()));
    }
    let role_arn = json!({ "roleArn": "arn:aws:iam::111122223333:role/main-sender" });
    let mut start = event("sts", "AssumeRole", &role_arn);
    start["userIdentity"] = json!({ "type": "AWSService", "invokedBy": "lambda.amazonaws.com" });
    let started = told(&[start]);
    assert_eq!((started.acts.len(), started.by_functions), (0, 1));
    let mut foreign = opened("main", "day#2026-11-19");
    foreign["userIdentity"] = role("main-sender");
    foreign["userIdentity"]["accountId"] = json!("444455556666");
    let told = told(&[foreign]);
    let (_, _, by) = told.acts.keys().next().unwrap();
    assert_eq!(by, "account 444455556666: role main-sender");
}

#[test]
fn what_was_refused_opened_nothing_and_what_came_twice_counts_once() {
    let mut failed = opened("main", "day#2026-11-18");
    failed["errorCode"] = json!("InvalidCiphertextException");
    let done = opened("main", "day#2026-11-19");
    let mut again = done.clone();
    again["eventID"] = json!("another");
    again["eventTime"] = json!("2026-11-20T11:00:00Z");
    let mut late = done.clone();
    late["eventID"] = json!("late");
    late["eventTime"] = json!("2026-11-20T12:00:00Z");
    let mut blurred = done.clone();
    blurred["eventTime"] = json!("noon");
    let told = told(&[failed, done.clone(), done, again, late, blurred, json!(7)]);
    assert_eq!(told.opened("day#2026-11-18"), Some(false));
    assert_eq!(told.opened("day#2026-11-19"), Some(true));
    let at = moment(AT);
    let times: Vec<Times> = told.acts.into_values().collect();
    let expected = [
        Times {
            done: 0,
            refused: 1,
            first: at,
            last: at,
        },
        Times {
            done: 2,
            refused: 0,
            first: at,
            last: moment("2026-11-20T11:00:00Z"),
        },
    ];
    assert_eq!(times, expected);
    assert_eq!((told.events, told.unreadable), (7, 2));
    assert_eq!(told.span, Some((at, moment("2026-11-20T12:00:00Z"))));
    assert_eq!(told.regions, BTreeSet::from(["eu-central-1".to_owned()]));
}

/// A trail may leave out the uses of keys, and what it has no events of it cannot deny.
#[test]
fn what_the_events_would_not_show_is_not_denied() {
    let scan = event("dynamodb", "Scan", &json!({ "tableName": "main-keys" }));
    let silent = told(&[scan.clone(), refused("kms", "Decrypt", DATA)]);
    assert_eq!(
        (silent.opened("day#2026-11-19"), silent.data_of.len()),
        (None, 0)
    );
    let mut of_function = opened("main", "day#2026-11-18");
    of_function["userIdentity"] = role("main-sender");
    let mut data = scan;
    data["eventCategory"] = json!("Data");
    data["userIdentity"] = role("main-sender");
    let told = told(&[of_function, data]);
    assert_eq!(told.opened("day#2026-11-19"), Some(false));
    assert_eq!(told.data_of, BTreeSet::from(["dynamodb"]));
}

#[test]
fn a_function_that_was_changed_or_whose_role_was_taken_is_doubted() {
    let changed = event(
        "lambda",
        "UpdateFunctionCode20150331v2",
        &json!({ "functionName": "main-intake" }),
    );
    let taken = event(
        "sts",
        "AssumeRole",
        &json!({ "roleArn": "arn:aws:iam::111122223333:role/main-sender" }),
    );
    let mut failed = event(
        "iam",
        "AttachRolePolicy",
        &json!({ "roleName": "main-webhook" }),
    );
    failed["errorCode"] = json!("AccessDenied");
    let table = event(
        "dynamodb",
        "UpdateTable",
        &json!({ "tableName": "main-keys" }),
    );
    let told = told(&[changed, taken, failed, table]);
    let doubted = BTreeSet::from(["function main-intake", "role main-sender"]);
    assert_eq!(told.impersonated(), doubted);
}
