//! The functions: how they are built, what starts them, where they log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::template::{Template, functions, many, read, target};

#[test]
fn every_folder_of_functions_is_deployed_and_nothing_else_is() {
    let template = Template::root();
    let deployed: BTreeSet<&str> = template
        .ids_of("AWS::Serverless::Function")
        .into_iter()
        .collect();
    let expected: Vec<String> = functions()
        .into_iter()
        .map(|(id, _)| format!("{id}Function"))
        .collect();
    assert_eq!(deployed, expected.iter().map(String::as_str).collect());
    for (id, name) in functions() {
        let id = format!("{id}Function");
        let metadata = &template.section("Resources")[&id]["Metadata"];
        assert_eq!(metadata["BuildMethod"], "rust-cargolambda");
        assert_eq!(metadata["BuildProperties"]["Binary"], name.as_str());
        // From its own folder: a build of the workspace would unify features with the tools'.
        let code = format!("functions/{name}");
        assert_eq!(template.properties(&id)["CodeUri"], code.as_str());
        let function_name = format!("${{Deployment}}-{name}");
        assert_eq!(
            target(&template.properties(&id)["FunctionName"]),
            function_name
        );
    }
}

#[test]
fn functions_are_arm64_binaries_on_amazon_linux_2023() {
    let template = Template::root();
    let globals = &template.section("Globals")["Function"];
    assert_eq!(globals["Architectures"], json!(["arm64"]));
    assert_eq!(globals["Runtime"], "provided.al2023");
    assert_eq!(globals["Handler"], "bootstrap");
    for (id, _) in functions() {
        let properties = template.properties(&format!("{id}Function"));
        for property in ["Architectures", "Runtime", "Handler"] {
            assert!(properties[property].is_null(), "{id} overrides {property}");
        }
    }
}

#[test]
fn the_sender_alone_may_start_itself_again() {
    let template = Template::root();
    for (id, _) in functions() {
        let allowed = &template.properties(&format!("{id}Function"))["RecursiveLoop"];
        let expected = if id == "Sender" {
            json!("Allow")
        } else {
            Value::Null
        };
        assert_eq!(*allowed, expected, "RecursiveLoop of {id}");
    }
}

/// (function, event source, batch size)
const SOURCES: [(&str, &str, i64); 10] = [
    ("ConsentImport", "ImportsQueue", 1),
    ("Intake", "AuthenticationQueue", 10),
    ("Intake", "ConsentsQueue", 10),
    ("Intake", "MarketingQueue", 10),
    ("Intake", "ServiceQueue", 10),
    ("Intake", "SystemQueue", 10),
    ("Intake", "UtilityQueue", 10),
    ("NotificationProcessor", "NotificationsQueue", 10),
    ("PrivacyWorker", "PrivacyRequestsQueue", 10),
    ("Sender", "WakeQueue", 1),
];

/// The events of every function: function, event name, event.
fn events(template: &Template) -> Vec<(String, String, Value)> {
    let mut out = Vec::new();
    for (id, _) in functions() {
        let events = &template.properties(&format!("{id}Function"))["Events"];
        for (name, event) in events.as_object().into_iter().flatten() {
            out.push((id.clone(), name.clone(), event.clone()));
        }
    }
    out
}

#[test]
fn queues_start_exactly_the_functions_the_design_says() {
    let template = Template::root();
    let mut found: Vec<(String, String, i64)> = events(&template)
        .into_iter()
        .filter(|(_, _, event)| event["Type"] == "SQS")
        .map(|(function, _, event)| {
            let properties = &event["Properties"];
            let queue = target(&properties["Queue"]);
            let queue = queue.strip_prefix("Data.Outputs.").unwrap();
            let queue = queue.strip_suffix("Arn").unwrap().to_owned();
            (function, queue, properties["BatchSize"].as_i64().unwrap())
        })
        .collect();
    found.sort();
    let expected: Vec<(String, String, i64)> = SOURCES
        .iter()
        .map(|(function, queue, batch)| ((*function).into(), (*queue).into(), *batch))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_queue_event_answers_item_by_item() {
    for (function, name, event) in events(&Template::root()) {
        if event["Type"] == "SQS" {
            assert_eq!(
                event["Properties"]["FunctionResponseTypes"],
                json!(["ReportBatchItemFailures"]),
                "{name} of {function}: one poison item would return its whole batch"
            );
        }
    }
}

#[test]
fn nothing_starts_before_event_sources_are_enabled() {
    let root = Template::root();
    assert_eq!(
        root.section("Parameters")["EnableEventSources"]["Default"],
        "false"
    );
    for (function, name, event) in events(&root) {
        let state = match event["Type"].as_str().unwrap() {
            "SQS" => json!({ "field": "Enabled", "then": true, "else": false }),
            "Schedule" => json!({ "field": "State", "then": "ENABLED", "else": "DISABLED" }),
            other => panic!("{name} of {function} is a {other}"),
        };
        assert_eq!(
            event["Properties"][state["field"].as_str().unwrap()],
            json!({ "Fn::If": ["EventSourcesOn", state["then"], state["else"]] }),
            "{name} of {function}"
        );
    }
    let nested = &root.properties("Data")["Parameters"]["EventSources"];
    assert_eq!(
        *nested,
        json!({ "Fn::If": ["EventSourcesOn", "ENABLED", "DISABLED"] })
    );
    let rule = Template::data();
    let rule = rule.properties("WakeRule");
    assert_eq!(target(&rule["State"]), "EventSources");
    assert_eq!(rule["ScheduleExpression"], "rate(1 minute)");
    assert_eq!(target(&rule["Targets"][0]["Arn"]), "WakeQueue.Arn");
}

#[test]
fn the_purge_runs_every_hour() {
    let template = Template::root();
    let events = &template.properties("RetentionPurgeFunction")["Events"];
    assert_eq!(events["Hourly"]["Properties"]["Schedule"], "rate(1 hour)");
}

#[test]
fn the_ledger_is_checked_every_hour_and_a_missing_day_is_noticed() {
    let template = Template::root();
    let events = &template.properties("LedgerCheckpointFunction")["Events"];
    assert_eq!(events["Hourly"]["Properties"]["Schedule"], "rate(1 hour)");
    // A checkpoint comes with the first run of a day: at most 25 hours after the one before.
    notices_a_day_without(&template, "CheckpointMade", "CheckpointMissing");
    let failed = template.properties("LedgerCheckpointFailedAlarm");
    let watched = target(&failed["Dimensions"][0]["Value"]);
    assert_eq!(watched, "LedgerCheckpointFunction");
}

/// An alarm that adds up the lines a metric counts.
fn sums<'a>(template: &'a Template, metric: &str, alarm: &str) -> &'a Value {
    let counted = template.properties(&format!("{metric}Metric"));
    let counted = &counted["MetricTransformations"][0];
    let alarm = template.properties(&format!("{alarm}Alarm"));
    assert_eq!(alarm["MetricName"], counted["MetricName"]);
    assert_eq!(alarm["Namespace"], counted["MetricNamespace"]);
    assert_eq!(
        (&counted["MetricValue"], &alarm["Statistic"]),
        (&json!("1"), &json!("Sum"))
    );
    alarm
}

/// What comes once a day is missed when 26 hours in a row have none, silence included.
fn notices_a_day_without(template: &Template, metric: &str, alarm: &str) {
    let alarm = sums(template, metric, alarm);
    assert_eq!(
        (&alarm["ComparisonOperator"], &alarm["Threshold"]),
        (&json!("LessThanThreshold"), &json!(1))
    );
    assert_eq!(alarm["TreatMissingData"], "breaching");
    assert_eq!(alarm["Period"], 3_600);
    // More than 25, because a run may be late; not many more, because a day is what counts.
    let hours = alarm["EvaluationPeriods"].as_i64().unwrap();
    assert!((26..=30).contains(&hours), "{hours}");
    assert!(alarm["DatapointsToAlarm"].is_null(), "all of them");
    let enabled = json!({ "Fn::If": ["EventSourcesOn", true, false] });
    assert_eq!(alarm["ActionsEnabled"], enabled);
}

#[test]
fn a_day_without_evidence_of_the_purge_is_noticed() {
    let template = Template::root();
    notices_a_day_without(&template, "PurgeRecorded", "PurgeMissing");
    counts(
        &template,
        "PurgeRecorded",
        "RetentionPurgeLogGroup",
        "purged",
        "functions/retention-purge/src/lib.rs",
    );
}

/// Any is too many: each line that is counted is one that somebody must look at.
fn notices_any(template: &Template, metric: &str, alarm: &str, seconds: i64) {
    let alarm = sums(template, metric, alarm);
    is_raised_by_one(alarm);
    assert_eq!(alarm["Period"], seconds);
}

fn is_raised_by_one(alarm: &Value) {
    assert_eq!(
        (&alarm["ComparisonOperator"], &alarm["Threshold"]),
        (&json!("GreaterThanThreshold"), &json!(0))
    );
    assert_eq!(alarm["EvaluationPeriods"], 1);
    // Nothing is counted where nothing is wrong.
    assert_eq!(alarm["TreatMissingData"], "notBreaching");
    assert!(alarm["ActionsEnabled"].is_null());
}

#[test]
fn a_request_past_its_day_is_noticed_for_as_long_as_it_is_open() {
    let template = Template::root();
    // The agenda comes back to it each hour at least, and logs it each time.
    notices_any(&template, "RequestOverdue", "RequestsOverdue", 3_600);
    notices_any(&template, "RequestDueSoon", "RequestsDueSoon", 3_600);
    counts(
        &template,
        "RequestOverdue",
        "PrivacyWorkerLogGroup",
        "request_overdue",
        "functions/privacy-worker/src/lib.rs",
    );
}

/// What docs/notifications.md prints in bold, and what the sender is told by an answer.
#[test]
fn what_meta_says_of_the_account_raises_an_alarm() {
    let template = Template::root();
    for (metric, group, pattern, source) in [
        (
            "AccountNotice",
            "NotificationProcessorLogGroup",
            r#"{ ($.event = "notice_needs_attention" && $.level = "ERROR") || ($.event = "halted_by_code") }"#,
            "functions/notification-processor/src/controls.rs",
        ),
        (
            "SendingBlocked",
            "SenderLogGroup",
            r#"{ ($.event = "sending_blocked" && $.level = "ERROR") || ($.event = "credentials_refused") }"#,
            "functions/sender/src/answers.rs",
        ),
    ] {
        notices_any(&template, metric, "AccountNotice", 300);
        let filter = template.properties(&format!("{metric}Metric"));
        assert_eq!(target(&filter["LogGroupName"]), group);
        assert_eq!(filter["FilterPattern"], pattern);
        let events = pattern.split("$.event = ").skip(1);
        for event in events.map(|rest| rest.split('"').nth(1).unwrap()) {
            let logged = read(source).contains(&format!("\"{event}\""));
            assert!(logged, "nobody logs {event}");
            let runbook = read("docs/operations.md");
            assert!(runbook.contains(&format!("`{event}`")), "{event}");
        }
    }
    // The page prints in bold what the function logs as an error, and the runbook says what to do about each.
    let source = read("functions/notification-processor/src/controls.rs");
    let (_, urgent) = source.split_once("const URGENT").unwrap();
    let (urgent, _) = urgent.split_once("];").unwrap();
    let urgent: BTreeSet<&str> = urgent.split('"').skip(1).step_by(2).collect();
    let (page, runbook) = (read("docs/notifications.md"), read("docs/operations.md"));
    let bold: BTreeSet<&str> = page
        .split("**`")
        .skip(1)
        .map(|rest| rest.split('`').next().unwrap())
        .collect();
    assert_eq!(bold, urgent);
    for code in urgent {
        assert!(runbook.contains(&format!("`{code}`")), "{code}");
    }
}

/// A finding is an incident, in whichever group: all have the same policy (masks.rs).
#[test]
fn a_finding_in_any_log_group_raises_an_alarm() {
    let template = Template::root();
    let alarm = template.properties("LogLineMaskedAlarm");
    is_raised_by_one(alarm);
    // No group and no dimension is named, so that none is left out.
    let expected = json!([{
        "Id": "findings",
        "Expression": "SELECT SUM(LogEventsWithFindings) FROM \"AWS/Logs\"",
        "Period": 300,
        "ReturnData": true,
    }]);
    assert_eq!(alarm["Metrics"], expected);
}

#[test]
fn a_message_stays_invisible_six_times_longer_than_its_function_may_run() {
    let (root, data) = (Template::root(), Template::data());
    for (function, queue, _) in SOURCES {
        let timeout = root.properties(&format!("{function}Function"))["Timeout"].as_i64();
        let visibility = data.properties(queue)["VisibilityTimeout"].as_i64();
        assert!(
            visibility.unwrap() >= 6 * timeout.unwrap(),
            "{queue} would hand out a message that {function} still works on"
        );
    }
}

#[test]
fn every_function_has_its_own_log_group_and_there_is_no_other_but_those_of_the_edge() {
    let template = Template::root();
    let mut expected = BTreeSet::new();
    for (id, name) in functions() {
        let group = format!("{id}LogGroup");
        let logging = &template.properties(&format!("{id}Function"))["LoggingConfig"];
        assert_eq!(target(&logging["LogGroup"]), group);
        assert_eq!(logging["LogFormat"], "JSON");
        assert_eq!(logging["SystemLogLevel"], "WARN");
        let properties = template.properties(&group);
        assert_eq!(
            target(&properties["LogGroupName"]),
            format!("/aws/lambda/${{Deployment}}-{name}")
        );
        assert_eq!(target(&properties["RetentionInDays"]), "LogRetentionDays");
        expected.insert(group);
    }
    assert_eq!(
        template.section("Parameters")["LogRetentionDays"]["Default"],
        30
    );
    // What CloudTrail tells of the keys of pseudonyms.
    expected.insert("PepperUseLogGroup".to_owned());
    let groups: BTreeSet<String> = template
        .ids_of("AWS::Logs::LogGroup")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(groups, expected);
    for group in &groups {
        assert_eq!(
            target(&template.properties(group)["KmsKeyId"]),
            "LogsKey.Arn",
            "{group}"
        );
    }
    assert!(Template::data().ids_of("AWS::Logs::LogGroup").is_empty());
    let edge = Template::edge();
    let mut days = BTreeMap::new();
    for group in edge.ids_of("AWS::Logs::LogGroup") {
        let properties = edge.properties(group);
        assert_eq!(target(&properties["KmsKeyId"]), "LogsKeyArn", "{group}");
        days.insert(group, properties["RetentionInDays"].as_i64().unwrap());
    }
    let expected = [
        ("ConsentAccessLogGroup", 90),
        ("HooksAccessLogGroup", 90),
        ("HooksFirewallLogGroup", 30),
        ("PrivacyAccessLogGroup", 90),
    ];
    assert_eq!(days, expected.into());
}

#[test]
fn every_dead_letter_queue_and_the_purge_raise_an_alarm() {
    let (root, data) = (Template::root(), Template::data());
    let watched: BTreeSet<String> = root
        .ids_of("AWS::CloudWatch::Alarm")
        .into_iter()
        .flat_map(|id| many(&root.properties(id)["Dimensions"]))
        .map(|dimension| target(&dimension["Value"]))
        .collect();
    for queue in data.ids_of("AWS::SQS::Queue") {
        let name = target(&data.properties(queue)["QueueName"]);
        assert_eq!(
            watched.contains(&name),
            name.ends_with("-dlq"),
            "alarm on {name}"
        );
    }
    assert!(watched.contains("RetentionPurgeFunction"));
}

/// A metric counts the lines of an event that somebody logs, and one alarm watches it.
fn counts(template: &Template, metric: &str, group: &str, event: &str, source: &str) {
    let filter = template.properties(&format!("{metric}Metric"));
    assert_eq!(target(&filter["LogGroupName"]), group);
    let pattern = format!("{{ $.event = \"{event}\" }}");
    assert_eq!(filter["FilterPattern"], pattern);
    let logged = read(source).contains(&format!("\"{event}\""));
    assert!(logged, "nobody logs {event}");
    let metric = target(&filter["MetricTransformations"][0]["MetricName"]);
    let alarms = template.ids_of("AWS::CloudWatch::Alarm").into_iter();
    let watching = alarms.filter(|id| template.properties(id).to_string().contains(&metric));
    assert_eq!(watching.count(), 1, "{metric}");
}

/// R-406: what is watched, and from where the numbers come.
#[test]
fn peaks_and_bursts_raise_an_alarm() {
    let (root, edge) = (Template::root(), Template::edge());
    // Counted from log lines of these words; a word that nobody logs would count nothing.
    for (id, group, event, source) in [
        (
            "SignatureRefused",
            "WebhookLogGroup",
            "signature_refused",
            "functions/webhook/src/lib.rs",
        ),
        (
            "TokenRefused",
            "ConsentApiLogGroup",
            "token_refused",
            "functions/consent-api/src/door.rs",
        ),
        (
            "ClientCertificateRefused",
            "WebhookLogGroup",
            "client_certificate_refused",
            "functions/webhook/src/lib.rs",
        ),
        (
            "CheckpointMade",
            "LedgerCheckpointLogGroup",
            "checkpoint_made",
            "functions/ledger-checkpoint/src/lib.rs",
        ),
        (
            "NewVisitor",
            "PrivacyWebLogGroup",
            "new_visitor",
            "functions/privacy-web/src/lib.rs",
        ),
        (
            "MessageRefused",
            "IntakeLogGroup",
            "message_refused",
            "functions/intake/src/outbound.rs",
        ),
    ] {
        counts(&root, id, group, event, source);
    }
    let lanes: BTreeSet<String> = many(&root.properties("SendingUnusualAlarm")["Metrics"])
        .into_iter()
        .filter(|metric| metric["MetricStat"].is_object())
        .map(|metric| target(&metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]))
        .collect();
    let expected = ["authentication", "marketing", "service", "utility"];
    assert_eq!(
        lanes,
        expected
            .map(|lane| format!("${{Deployment}}-{lane}"))
            .into()
    );
    for (template, id) in [
        (&root, "SendingUnusualAlarm"),
        (&root, "RefusalsUnusualAlarm"),
        (&root, "PrivacyVisitorsUnusualAlarm"),
        (&edge, "HooksTrafficUnusualAlarm"),
    ] {
        let alarm = template.properties(id);
        let metrics = many(&alarm["Metrics"]);
        let band = metrics
            .iter()
            .find(|metric| metric["Id"] == alarm["ThresholdMetricId"]);
        let band = band.unwrap()["Expression"].as_str().unwrap();
        let of = band.strip_prefix("ANOMALY_DETECTION_BAND(").unwrap();
        let (of, _width) = of.split_once(", ").unwrap();
        assert!(
            metrics.iter().any(|metric| metric["Id"] == of),
            "{id}: {of}"
        );
    }
    for id in ["HooksBlockedAlarm", "PrivacyBlockedAlarm"] {
        let alarm = edge.properties(id);
        assert_eq!(alarm["MetricName"], "BlockedRequests");
        let acl = target(&alarm["Dimensions"][0]["Value"]);
        let named = id.replace("BlockedAlarm", "WebAcl");
        assert_eq!(acl, target(&edge.properties(&named)["Name"]));
    }
}

/// Whoever is woken by an alarm finds its name as a heading, and every heading of the kind an alarm.
#[test]
fn every_alarm_has_a_runbook_and_every_runbook_an_alarm() {
    let mut alarms = BTreeSet::new();
    for template in Template::all() {
        for id in template.ids_of("AWS::CloudWatch::Alarm") {
            let alarm = template.properties(id);
            let description = alarm["AlarmDescription"].as_str().unwrap();
            assert!(description.contains("docs/operations.md"), "{id}");
            let actions = json!({ "Fn::If": [
                "HasAlarmTopic", [{ "Ref": "AlarmTopicArn" }], { "Ref": "AWS::NoValue" },
            ] });
            assert_eq!(alarm["AlarmActions"], actions, "{id} tells nobody");
            let name = target(&alarm["AlarmName"]);
            alarms.insert(name.strip_prefix("${Deployment}-").unwrap().to_owned());
        }
    }
    let runbooks: BTreeSet<String> = read("docs/operations.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### Alarm: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(runbooks, alarms);
}
