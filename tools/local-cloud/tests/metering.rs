//! The meter against items of known sizes, and the gate: which requests were performed, and which were answered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::float_cmp,
    clippy::panic,
    missing_docs,
    reason = "tests may fail loudly; units are whole or half"
)]

mod support;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use local_cloud::{Crash, LocalCloud, Units};
use support::{cloud, dynamodb, sqs};

type Item = HashMap<String, AttributeValue>;

fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn key(pk: &str) -> Item {
    [("pk".to_owned(), s(pk)), ("sk".to_owned(), s("1"))].into()
}

/// An item of exactly so many bytes, as DynamoDB counts: names and values.
fn sized(pk: &str, bytes: usize) -> Item {
    let rest = bytes - ("pk".len() + pk.len() + "sk".len() + 1 + "body".len());
    let mut item = key(pk);
    item.insert("body".to_owned(), s("x".repeat(rest)));
    item
}

struct Bench {
    cloud: LocalCloud,
    db: aws_sdk_dynamodb::Client,
    table: String,
}

impl Bench {
    async fn start() -> Self {
        let cloud = cloud().await;
        Self {
            db: dynamodb(&cloud),
            table: cloud.output("Data.ItemsTable").unwrap(),
            cloud,
        }
    }

    async fn put(&self, item: Item) {
        let put = self.db.put_item().table_name(&self.table);
        put.set_item(Some(item)).send().await.unwrap();
    }

    /// What `work` used of the table.
    async fn units(&self, work: impl Future<Output = ()>) -> Units {
        let before = self.cloud.meter();
        work.await;
        self.cloud.meter().since(&before).table(&self.table, None)
    }
}

fn wrote(units: f64) -> Units {
    Units {
        requests: 1,
        refused: 0,
        write: units,
        read: 0.0,
    }
}

#[tokio::test]
async fn a_write_is_billed_by_the_kilobyte_begun_and_by_the_larger_of_old_and_new() {
    let bench = Bench::start().await;
    assert_eq!(bench.units(bench.put(sized("A#1", 1024))).await, wrote(1.0));
    assert_eq!(bench.units(bench.put(sized("A#2", 1025))).await, wrote(2.0));
    assert_eq!(bench.units(bench.put(sized("A#2", 100))).await, wrote(2.0));
    let deleted = bench.units(async {
        let delete = bench.db.delete_item().table_name(&bench.table);
        let done = delete.set_key(Some(key("A#1"))).send().await;
        done.unwrap();
    });
    assert_eq!(deleted.await, wrote(1.0));
}

#[tokio::test]
async fn an_index_is_billed_as_a_write_of_its_own() {
    let bench = Bench::start().await;
    let mut item = sized("A#1", 1500);
    item.insert("owner".to_owned(), s("o"));
    assert_eq!(
        bench.units(bench.put(item)).await,
        wrote(3.0),
        "2 and 1 of KEYS_ONLY"
    );
}

#[tokio::test]
async fn a_refused_write_is_billed_at_the_larger_item() {
    let bench = Bench::start().await;
    bench.put(sized("A#1", 3000)).await;
    let refused = bench.units(async {
        let put = bench.db.put_item().table_name(&bench.table);
        put.set_item(Some(sized("A#1", 100)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .unwrap_err();
    });
    let expected = Units {
        requests: 1,
        refused: 1,
        write: 3.0,
        read: 0.0,
    };
    assert_eq!(refused.await, expected);
    let update = bench.units(async {
        let update = bench.db.update_item().table_name(&bench.table);
        update
            .set_key(Some(key("nothing")))
            .update_expression("SET body = :b")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":b", s("b"))
            .send()
            .await
            .unwrap_err();
    });
    assert_eq!(update.await.write, 1.0, "at least one");
}

#[tokio::test]
async fn a_transaction_is_billed_twice_whether_it_is_done_or_cancelled() {
    let bench = Bench::start().await;
    let transact = async |first: &str| {
        let put = Put::builder()
            .table_name(&bench.table)
            .set_item(Some(sized(first, 1500)))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .unwrap();
        let check = ConditionCheck::builder()
            .table_name(&bench.table)
            .set_key(Some(key("absent")))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .unwrap();
        let items = [
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().condition_check(check).build(),
        ];
        let call = bench.db.transact_write_items();
        call.set_transact_items(Some(items.into()))
            .send()
            .await
            .is_ok()
    };
    let done = bench.units(async { assert!(transact("A#1").await) }).await;
    assert_eq!(done.write, 6.0, "(2 + 1) twice");
    let cancelled = bench.units(async { assert!(!transact("A#1").await) }).await;
    assert_eq!((cancelled.write, cancelled.refused), (6.0, 2));
}

#[tokio::test]
async fn reads_are_billed_by_four_kilobytes_and_half_when_they_may_be_late() {
    let bench = Bench::start().await;
    bench.put(sized("A#1", 4097)).await;
    for (consistent, expected) in [(true, 2.0), (false, 1.0)] {
        let read = bench.units(async {
            let get = bench.db.get_item().table_name(&bench.table);
            let got = get
                .set_key(Some(key("A#1")))
                .consistent_read(consistent)
                .send()
                .await;
            assert!(got.unwrap().item.is_some());
        });
        assert_eq!(read.await.read, expected);
    }
    let query = bench.units(async {
        let query = bench.db.query().table_name(&bench.table);
        let found = query
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s("A#2"))
            .consistent_read(true)
            .send()
            .await
            .unwrap();
        assert_eq!(found.count, 0);
    });
    assert!(query.await.read <= 1.0, "what finds nothing costs little");
}

#[tokio::test]
async fn units_are_told_by_the_letters_of_the_partition_key() {
    let bench = Bench::start().await;
    bench.put(sized("L#p", 100)).await;
    bench.put(sized("C#n", 1100)).await;
    let meter = bench.cloud.meter();
    assert_eq!(meter.table(&bench.table, Some("L")).write, 1.0);
    assert_eq!(meter.table(&bench.table, Some("C")).write, 2.0);
    assert_eq!(meter.table(&bench.table, None).write, 3.0);
}

#[tokio::test]
async fn loading_costs_nothing_and_is_found() {
    let bench = Bench::start().await;
    let items = (0..300).map(|n| {
        serde_json::json!({"pk": {"S": "A#1"}, "sk": {"S": format!("{n:04}")}, "owner": {"S": "o"}})
    });
    let loaded = bench.cloud.load(&bench.table, items.collect()).await;
    assert_eq!(loaded.unwrap(), 300);
    assert_eq!(bench.cloud.meter().table(&bench.table, None).requests, 0);
    let query = bench.db.query().table_name(&bench.table);
    let found = query
        .index_name("by_owner")
        .key_condition_expression("#o = :o")
        .expression_attribute_names("#o", "owner")
        .expression_attribute_values(":o", s("o"))
        .send()
        .await;
    assert_eq!(found.unwrap().count, 300);
}

#[tokio::test]
async fn queues_are_billed_by_request_and_counted_by_message() {
    let bench = Bench::start().await;
    let url = bench.cloud.output("Data.BulkQueueUrl").unwrap();
    let sqs = sqs(&bench.cloud);
    let send = async |body: String| {
        let sent = sqs.send_message().queue_url(&url).message_body(body);
        sent.send().await.unwrap();
    };
    send("small".to_owned()).await;
    send("x".repeat(65 * 1024)).await;
    let got = sqs.receive_message().queue_url(&url);
    let got = got.max_number_of_messages(10).send().await.unwrap();
    for message in got.messages() {
        let delete = sqs.delete_message().queue_url(&url);
        let handle = message.receipt_handle().unwrap();
        delete.receipt_handle(handle).send().await.unwrap();
    }
    let name = url.rsplit('/').next().unwrap();
    let used = bench.cloud.meter().queue(name);
    assert_eq!((used.sent, used.received, used.deleted), (2, 2, 2));
    assert_eq!(used.receives, 1);
    // 1 and 2 to send, 2 for an answer of 65 KiB, 1 and 1 to delete.
    assert_eq!(used.billed, 7);
}

/// Puts an item as a process would that dies at the gate; whether the item is there afterwards.
async fn dies(bench: &Bench, crash: Crash) -> bool {
    let gate = bench.cloud.gate();
    gate.arm(2, crash);
    let process = {
        let (db, table) = (dynamodb(&bench.cloud), bench.table.clone());
        tokio::spawn(async move {
            for pk in ["A#1", "A#2", "A#3"] {
                let put = db.put_item().table_name(&table);
                put.set_item(Some(sized(pk, 50))).send().await.unwrap();
            }
        })
    };
    let call = gate.shut().await;
    assert_eq!(
        (call.operation.as_str(), call.place.as_str()),
        ("PutItem", bench.table.as_str())
    );
    assert!(!process.is_finished(), "nobody answers it");
    process.abort();
    process.await.unwrap_err();
    gate.open();
    let get = async |pk: &str| {
        let get = bench.db.get_item().table_name(&bench.table);
        let got = get.set_key(Some(key(pk))).consistent_read(true);
        got.send().await.unwrap().item.is_some()
    };
    assert!(get("A#1").await && !get("A#3").await);
    get("A#2").await
}

#[tokio::test]
async fn a_process_that_dies_before_a_request_leaves_nothing_of_it() {
    let bench = Bench::start().await;
    assert!(!dies(&bench, Crash::Before).await);
}

#[tokio::test]
async fn a_process_that_dies_before_the_answer_leaves_what_it_asked_for() {
    let bench = Bench::start().await;
    assert!(dies(&bench, Crash::Unanswered).await);
}

#[tokio::test]
async fn what_waited_at_a_shut_gate_is_never_performed() {
    let bench = Bench::start().await;
    let gate = bench.cloud.gate();
    gate.arm(1, Crash::Before);
    let processes: Vec<_> = ["A#1", "A#2"]
        .map(|pk| {
            let (db, table) = (dynamodb(&bench.cloud), bench.table.clone());
            tokio::spawn(async move {
                let put = db.put_item().table_name(&table);
                put.set_item(Some(sized(pk, 50))).send().await.ok();
            })
        })
        .into();
    gate.shut().await;
    let both = async {
        while gate.seen() < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    both.await;
    for process in processes {
        process.abort();
        process.await.ok();
    }
    gate.open();
    let scan = bench.db.scan().table_name(&bench.table).send().await;
    assert_eq!(scan.unwrap().count, 0);
}

#[tokio::test]
async fn another_server_behind_a_front_passes_the_same_gate() {
    let bench = Bench::start().await;
    // Any server that speaks HTTP/1.1 will do: here, the tables themselves.
    let behind = bench.cloud.endpoint(local_cloud::Service::Dynamodb);
    let url = bench.cloud.front("Graph", &behind).await.unwrap();
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let client = reqwest::Client::new();
    let seen = bench.cloud.gate().seen();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().starts_with("healthy"));
    assert_eq!(
        bench.cloud.gate().seen(),
        seen + 2,
        "the front and what is behind it"
    );
    bench.cloud.gate().arm(1, Crash::Before);
    let asking = tokio::spawn(client.get(&url).send());
    let call = bench.cloud.gate().shut().await;
    assert_eq!(
        (call.service.as_str(), call.operation.as_str()),
        ("Graph", "GET")
    );
    asking.abort();
}
