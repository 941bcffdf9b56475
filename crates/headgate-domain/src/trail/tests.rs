//! Events in the shapes of AWS, and what they are taken for.
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "tests may fail loudly, and a table is as long as it is"
)]

use serde_json::json;

use super::*;

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const AT: &str = "2026-11-20T10:00:00Z";

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn trail() -> Trail {
    let window = (
        moment("2026-11-20T09:00:00Z"),
        moment("2026-11-20T12:00:00Z"),
    );
    Trail::new(
        "main",
        window,
        BTreeMap::from([(KEY.to_owned(), "identity")]),
    )
}

/// A session of a role, named by somebody's address.
fn role(name: &str) -> Value {
    json!({ "type": "AssumedRole", "accountId": "111122223333",
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{name}/alice@maple.example"),
        "sessionContext": { "sessionIssuer": { "type": "Role", "userName": name } } })
}

fn event(source: &str, name: &str, parameters: &Value) -> Value {
    json!({ "eventID": format!("{source}/{name}/{parameters}"), "eventTime": AT, "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name, "userIdentity": role("developer"), "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7", "requestParameters": parameters, "eventCategory": "Management" })
}

fn opened(deployment: &str, key: &str) -> Value {
    let context = json!({ "headgate:deployment": deployment, "headgate:key": key });
    event(
        "kms",
        "Decrypt",
        &json!({ "keyId": KEY, "encryptionContext": context }),
    )
}

fn told(events: &[Value]) -> Told {
    let mut trail = trail();
    for event in events {
        trail.read(event);
    }
    trail.told()
}

#[test]
fn what_each_event_is_of_a_deployment() {
    let secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:main/graph-send-AbCdEf";
    let table = "arn:aws:dynamodb:eu-central-1:111122223333:table/main-messages";
    let backup = format!("{table}/backup/01763000000000-0123abcd");
    let export = format!("{table}/export/01763000000000-0123abcd");
    let queue = "https://sqs.eu-central-1.amazonaws.com/111122223333/main-app-events";
    let function = "arn:aws:lambda:eu-central-1:111122223333:function:main-sender";
    let on_table = |mut event: Value| {
        event["resources"] = json!([{ "type": "AWS::DynamoDB::Table", "ARN": table }]);
        event
    };
    for (event, deed, what) in [
        (
            opened("main", "day#2026-11-19"),
            Deed::OpenedKey,
            "day#2026-11-19",
        ),
        (opened("main", "vault#1"), Deed::OpenedKey, "vault#1"),
        (
            event("kms", "GenerateMac", &json!({ "keyId": KEY })),
            Deed::MadeNames,
            "key identity",
        ),
        (
            event("kms", "CreateGrant", &json!({ "keyId": KEY })),
            Deed::Changed,
            "key identity",
        ),
        (
            event(
                "secretsmanager",
                "GetSecretValue",
                &json!({ "secretId": secret }),
            ),
            Deed::ReadSecret,
            "secret main/graph-send-AbCdEf",
        ),
        (
            event(
                "secretsmanager",
                "PutSecretValue",
                &json!({ "secretId": "main/webhook" }),
            ),
            Deed::Changed,
            "secret main/webhook",
        ),
        (
            event("dynamodb", "Scan", &json!({ "tableName": "main-keys" })),
            Deed::Read,
            "main-keys",
        ),
        (
            on_table(event("dynamodb", "BatchGetItem", &json!({}))),
            Deed::Read,
            "main-messages",
        ),
        (
            event("dynamodb", "PutItem", &json!({ "tableName": table })),
            Deed::Wrote,
            "main-messages",
        ),
        (
            event(
                "dynamodb",
                "ExportTableToPointInTime",
                &json!({ "tableArn": table, "exportArn": export }),
            ),
            Deed::Copied,
            "main-messages",
        ),
        (
            event(
                "dynamodb",
                "RestoreTableFromBackup",
                &json!({ "backupArn": backup }),
            ),
            Deed::Copied,
            "main-messages",
        ),
        (
            event(
                "dynamodb",
                "UpdateTable",
                &json!({ "tableName": "main-keys" }),
            ),
            Deed::Changed,
            "main-keys",
        ),
        (
            event(
                "s3",
                "GetObject",
                &json!({ "bucketName": "main-ledger-111122223333", "key": "1" }),
            ),
            Deed::Read,
            "main-ledger-111122223333",
        ),
        (
            event("sqs", "ReceiveMessage", &json!({ "queueUrl": queue })),
            Deed::Read,
            "main-app-events",
        ),
        (
            event(
                "lambda",
                "UpdateFunctionCode20150331v2",
                &json!({ "functionName": function }),
            ),
            Deed::Changed,
            "main-sender",
        ),
        (
            event(
                "sqs",
                "StartMessageMoveTask",
                &json!({ "sourceArn": "arn:aws:sqs:eu-central-1:111122223333:main-utility-dlq" }),
            ),
            Deed::Changed,
            "main-utility-dlq",
        ),
        (
            event(
                "secretsmanager",
                "BatchGetSecretValue",
                &json!({ "secretIdList": ["other/one", "main/webhook"] }),
            ),
            Deed::ReadSecret,
            "secret main/webhook",
        ),
        (
            event(
                "sts",
                "AssumeRole",
                &json!({ "roleArn": "arn:aws:iam::111122223333:role/main-sender" }),
            ),
            Deed::TookRole,
            "role main-sender",
        ),
        (
            event(
                "iam",
                "AttachRolePolicy",
                &json!({ "roleName": "main-sender" }),
            ),
            Deed::Changed,
            "role main-sender",
        ),
    ] {
        let told = told(std::slice::from_ref(&event));
        let acts: Vec<&Act> = told.acts.keys().collect();
        let expected = (deed, what.to_owned(), "role developer".to_owned());
        assert_eq!(acts, [&expected], "{event}");
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
    for event in [
        opened("other", "day#2026-11-19"),
        event(
            "kms",
            "Decrypt",
            &json!({ "keyId": KEY, "encryptionContext": { "aws:dynamodb:tableName": "main-keys" } }),
        ),
        event(
            "kms",
            "GenerateMac",
            &json!({ "keyId": "arn:aws:kms:eu-central-1:111122223333:key/other" }),
        ),
        event("dynamodb", "Scan", &json!({ "tableName": "orders" })),
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
        assert_eq!(told(std::slice::from_ref(&event)).acts.len(), 0, "{event}");
    }
}

/// Its own functions are not told of, whoever calls a role by such a name in another account is.
#[test]
fn who_is_a_function_and_who_only_sounds_like_one() {
    for (identity, by) in [
        (role("main-privacy-worker"), None),
        (role("main-operator"), Some("role main-operator")),
        (role("main-2-sender"), Some("role main-2-sender")),
        (
            json!({ "type": "IAMUser", "userName": "main-sender" }),
            Some("user main-sender"),
        ),
        (json!({ "type": "Root" }), Some("root")),
        (
            json!({ "type": "AWSService", "invokedBy": "dynamodb.amazonaws.com" }),
            Some("service dynamodb.amazonaws.com"),
        ),
        (Value::Null, Some("a caller of no kind")),
    ] {
        let mut event = opened("main", "day#2026-11-19");
        event["userIdentity"] = identity;
        let told = told(&[event]);
        let callers: Vec<&str> = told.acts.keys().map(|(_, _, by)| by.as_str()).collect();
        assert_eq!(callers, by.into_iter().collect::<Vec<_>>());
        assert_eq!(told.by_functions, u64::from(by.is_none()));
        assert_eq!(told.is_opened("day#2026-11-19"), by.is_some());
    }
    let mut start = event(
        "sts",
        "AssumeRole",
        &json!({ "roleArn": "arn:aws:iam::111122223333:role/main-sender" }),
    );
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
    let mut refused = opened("main", "day#2026-11-18");
    refused["errorCode"] = json!("AccessDenied");
    let done = opened("main", "day#2026-11-19");
    let mut again = done.clone();
    again["eventID"] = json!("another");
    again["eventTime"] = json!("2026-11-20T11:00:00Z");
    let mut late = done.clone();
    late["eventID"] = json!("late");
    late["eventTime"] = json!("2026-11-20T12:00:00Z");
    let mut blurred = done.clone();
    blurred["eventTime"] = json!("noon");
    let told = told(&[refused, done.clone(), done, again, late, blurred, json!(7)]);
    assert!(!told.is_opened("day#2026-11-18") && told.is_opened("day#2026-11-19"));
    let times: Vec<Times> = told.acts.into_values().collect();
    let at = moment(AT);
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
}

#[test]
fn whether_reading_would_show_is_known_from_the_first_reading_that_does() {
    let scan = event("dynamodb", "Scan", &json!({ "tableName": "main-keys" }));
    assert!(!told(&[opened("main", "vault#1")]).has_data_events);
    let mut data = scan;
    data["eventCategory"] = json!("Data");
    data["userIdentity"] = role("main-sender");
    assert!(told(&[data]).has_data_events);
}
