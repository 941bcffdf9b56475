//! Functions as Lambda runs them: environments, event source mappings, schedules, APIs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use bytes::Bytes;
use futures_util::FutureExt;
use local_cloud::{Handler, HttpHandler, LocalCloud, MatchedRoute};
use serde_json::{Value, json};
use support::{cloud, dynamodb, options, sqs};

/// Waits for a condition that something else brings about.
async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    for _ in 0..18_000 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happened that {what}");
}

fn recording(
    answer: impl Fn(&Value) -> Result<Value, String> + Send + Sync + 'static,
) -> (Handler, Arc<Mutex<Vec<Value>>>) {
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let log = Arc::clone(&seen);
    let answer = Arc::new(answer);
    let handler: Handler = Arc::new(move |event| {
        let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
        async move {
            let answer = answer(&event);
            log.lock().unwrap().push(event);
            answer
        }
        .boxed()
    });
    (handler, seen)
}

async fn send(cloud: &LocalCloud, output: &str, bodies: &[&str]) {
    let sqs = sqs(cloud);
    for chunk in bodies.chunks(10) {
        let entries = chunk.iter().enumerate().map(|(i, body)| {
            SendMessageBatchRequestEntry::builder()
                .id(i.to_string())
                .message_body(*body)
                .build()
                .unwrap()
        });
        sqs.send_message_batch()
            .queue_url(cloud.output(output).unwrap())
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_function_sees_the_variables_of_the_template_as_lambda_would_set_them() {
    let cloud = cloud().await;
    let env = cloud.function_environment("Worker").unwrap();
    assert_eq!(env["DEPLOYMENT"], "local");
    assert_eq!(env["SHARED"], "own");
    assert_eq!(env["TABLE"], "headgate-local-Data-ItemsTable");
    assert!(env["QUEUE_URL"].starts_with(&env["AWS_ENDPOINT_URL_SQS"]));
    assert!(env["QUEUE_URL"].ends_with("/local-work"));
    assert!(env["DATA_KEY"].starts_with("arn:aws:kms:eu-west-1:123456789012:key/"));
    assert_eq!(
        env["PUBLIC_URL"],
        format!("{}/p", cloud.api_url("PublicApi").unwrap())
    );
    assert_eq!(env["JOINED"], "a-y-q");
    assert!(!env.contains_key("ABSENT"));
    assert_eq!(
        cloud.function_property("Worker", "Timeout").unwrap(),
        Some(json!(7))
    );
    assert_eq!(cloud.output("Region").as_deref(), Some("eu-west-1"));
    assert_eq!(cloud.output("Data.Nothing"), None);
    assert!(cloud.function_environment("Data").is_err());
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn a_mapping_deletes_what_succeeded_and_the_rest_ends_in_the_dead_letter_queue() {
    let cloud = cloud().await;
    let (handler, seen) = recording(|event| {
        let failed: Vec<Value> = event["Records"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["body"] == "poison")
            .map(|r| json!({"itemIdentifier": r["messageId"]}))
            .collect();
        Ok(json!({"batchItemFailures": failed}))
    });
    cloud.connect("Worker", handler).unwrap();
    send(&cloud, "Data.WorkQueueUrl", &["good", "poison", "good"]).await;
    until("the poison is in the dead-letter queue", async || {
        cloud.counters().queues["local-work"].moved_to_dead_letter == 1
    })
    .await;
    assert!(cloud.idle().await);
    let records: Vec<Value> = seen
        .lock()
        .unwrap()
        .iter()
        .flat_map(|e| e["Records"].as_array().unwrap().clone())
        .collect();
    let count = |body: &str| records.iter().filter(|r| r["body"] == body).count();
    assert_eq!((count("good"), count("poison")), (2, 2));
    let record = records.iter().find(|r| r["body"] == "good").unwrap();
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:eu-west-1:123456789012:local-work"
    );
    assert_eq!(record["awsRegion"], "eu-west-1");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["md5OfBody"], "755f85c2723bb39381c7379a604160d8");
    assert!(
        record["attributes"]["SentTimestamp"].is_string()
            && record["attributes"]["SenderId"].is_string()
    );
    let dump = cloud.dump().await.unwrap();
    assert_eq!(
        dump.iter()
            .filter(|(_, text)| text.contains("poison"))
            .count(),
        1
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn a_batch_comes_back_as_a_whole_when_the_handler_fails_panics_or_answers_nonsense() {
    let cloud = cloud().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler: Handler = Arc::new(move |_| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call != 0, "the first call panics");
            Ok(json!({"batchItemFailures": [{"itemIdentifier": ""}]}))
        }
        .boxed()
    });
    cloud.connect("Worker", handler).unwrap();
    send(&cloud, "Data.WorkQueueUrl", &["a", "b"]).await;
    until("both are in the dead-letter queue", async || {
        cloud.counters().queues["local-work"].moved_to_dead_letter == 2
    })
    .await;
    assert_eq!(cloud.counters().queues["local-work"].deleted, 0);
    assert_eq!(cloud.counters().queues["local-work"].received, 4);
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn a_disabled_mapping_leaves_messages_alone_until_it_is_enabled() {
    let mut options = options(None);
    options
        .parameters
        .insert("Polling".to_owned(), "false".to_owned());
    let cloud = LocalCloud::start(options).await.unwrap();
    let (handler, seen) = recording(|_| Ok(Value::Null));
    cloud.connect("Worker", handler).unwrap();
    send(&cloud, "Data.WorkQueueUrl", &["a"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(seen.lock().unwrap().is_empty());
    assert!(!cloud.idle().await);
    cloud.set_mapping_enabled("Worker", "WorkQueue", true);
    until("the queue is empty", async || cloud.idle().await).await;
    cloud.set_mapping_enabled("Worker", "WorkQueue", false);
    tokio::time::sleep(Duration::from_millis(100)).await;
    send(&cloud, "Data.WorkQueueUrl", &["b"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    cloud.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_batches_are_collected_and_four_run_at_a_time() {
    let cloud = cloud().await;
    let (running, most, sizes) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let handler: Handler = {
        let (running, most, sizes) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&sizes));
        Arc::new(move |event| {
            let (running, most, sizes) =
                (Arc::clone(&running), Arc::clone(&most), Arc::clone(&sizes));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sizes
                    .lock()
                    .unwrap()
                    .push(event["Records"].as_array().unwrap().len());
                // Until four are at it; a fifth would show.
                for _ in 0..1_000 {
                    if most.load(Ordering::SeqCst) >= 4 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(Value::Null)
            }
            .boxed()
        })
    };
    send(&cloud, "Data.BulkQueueUrl", &["x"; 400]).await;
    cloud.connect("Bulk", handler).unwrap();
    until("the queue is empty", async || cloud.idle().await).await;
    assert_eq!(sizes.lock().unwrap().iter().sum::<usize>(), 400);
    assert_eq!(sizes.lock().unwrap().iter().max(), Some(&50));
    assert_eq!(most.load(Ordering::SeqCst), 4);
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn turning_the_calendar_runs_every_hourly_and_daily_occurrence_in_order() {
    let cloud = cloud().await;
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    for function in ["Worker", "Bulk"] {
        let (order, calendar) = (Arc::clone(&order), cloud.calendar());
        let handler: Handler = Arc::new(move |event| {
            let (order, now) = (Arc::clone(&order), calendar.now_ms());
            async move {
                let time = event["time"].as_str().unwrap_or("tick").to_owned();
                if time != "tick" {
                    assert!(
                        now.rem_euclid(3_600_000) < 60_000,
                        "the calendar stands at the occurrence"
                    );
                    assert_eq!(event["detail-type"], "Scheduled Event");
                }
                order
                    .lock()
                    .unwrap()
                    .push(format!("{function} {}", time.get(11..16).unwrap_or("tick")));
                Ok(Value::Null)
            }
            .boxed()
        });
        cloud.connect(function, handler).unwrap();
    }
    let before = cloud.calendar().now_ms();
    let mut heard = Vec::new();
    cloud
        .turn_calendar(Duration::from_hours(20), |done, total| {
            heard.push((done, total));
        })
        .await
        .unwrap();
    assert!(cloud.calendar().now_ms() - before >= 20 * 3_600_000);
    let order = order.lock().unwrap().clone();
    // 09:00 in the morning: 10:00 … 05:00, with the daily run at 03:00, and one tick at the end.
    let mut expected: Vec<String> = (10..29)
        .map(|h| format!("Worker {:02}:00", h % 24))
        .collect();
    expected.insert(17, "Bulk 03:00".to_owned());
    expected.push("Worker 05:00".to_owned());
    expected.push("Worker tick".to_owned());
    let mut sorted_pair = order.clone();
    if sorted_pair[17] == "Worker 03:00" {
        sorted_pair.swap(17, 18);
    }
    assert_eq!(sorted_pair, expected);
    assert_eq!(heard.last(), Some(&(22, 22)));
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn an_api_serves_its_routes_byte_for_byte_and_nothing_else() {
    let cloud = cloud().await;
    let handler: HttpHandler = Arc::new(|request: http::Request<Bytes>| {
        async move {
            assert!(request.uri().path() != "/p/panic", "this path panics");
            let route = request.extensions().get::<MatchedRoute>().unwrap().clone();
            http::Response::builder()
                .status(201)
                .header("x-route", route.resource)
                .header("x-query", request.uri().query().unwrap_or_default())
                .body(request.into_body())
                .unwrap()
        }
        .boxed()
    });
    let url = cloud.api_url("PublicApi").unwrap();
    // reqwest insists on a TLS provider, though nothing here is TLS.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let post = |path: &str, body: Vec<u8>| client.post(format!("{url}{path}")).body(body).send();
    assert_eq!(post("/webhook", vec![]).await.unwrap().status(), 502);
    cloud.connect_http("Web", handler).unwrap();
    let answer = post("/webhook?a=%20b", body.clone()).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["x-route"], "/webhook");
    assert_eq!(answer.headers()["x-query"], "a=%20b");
    assert_eq!(answer.bytes().await.unwrap(), body);
    let answer = client.get(format!("{url}/p/abc")).send().await.unwrap();
    assert_eq!(answer.headers()["x-route"], "/p/{token}");
    for path in ["/", "/p", "/webhook/", "/live/webhook"] {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        assert_eq!(
            answer.text().await.unwrap(),
            r#"{"message":"Missing Authentication Token"}"#
        );
    }
    assert_eq!(
        client
            .get(format!("{url}/webhook"))
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(
        client
            .get(format!("{url}/p/panic"))
            .send()
            .await
            .unwrap()
            .status(),
        502
    );
    // The host closes the connection without reading: a client may see the answer or the reset.
    if let Ok(answer) = post("/webhook", vec![0; 10 * 1024 * 1024 + 1]).await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(
        post("/webhook", vec![0; 10 * 1024 * 1024])
            .await
            .unwrap()
            .status(),
        201
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn expired_items_go_by_the_calendar() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let cloud = cloud().await;
    let (db, table) = (dynamodb(&cloud), cloud.output("Data.ItemsTable").unwrap());
    let expires = cloud.calendar().now_ms() / 1000 + 3_600;
    db.put_item()
        .table_name(&table)
        .item("pk", AttributeValue::S("a".into()))
        .item("sk", AttributeValue::S("1".into()))
        .item(
            "secret",
            AttributeValue::B(aws_smithy_types::Blob::new("plain text")),
        )
        .item("ttl", AttributeValue::N(expires.to_string()))
        .send()
        .await
        .unwrap();
    assert_eq!(cloud.sweep_expired().await.unwrap(), 0);
    let dump = cloud.dump().await.unwrap();
    assert!(
        dump.iter()
            .any(|(place, text)| place.contains("a/1") && text.contains("cGxhaW4gdGV4dA=="))
    );
    assert!(dump.iter().any(|(_, text)| text == "plain text"));
    cloud
        .turn_calendar(Duration::from_secs(3_700), |_, _| {})
        .await
        .unwrap();
    assert_eq!(cloud.sweep_expired().await.unwrap(), 1);
    cloud.stop().await.unwrap();
}
