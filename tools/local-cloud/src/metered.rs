//! What stands in front of dynoxide: the gate, the count of calls, and the meter.
//!
//! Promises that a request reaches dynoxide as it came, except that it also asks for `ConsumedCapacity`; a client that
//! did not ask finds a member more in the answer, which SDKs pass over.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dynoxide::Database;
use dynoxide::types::{Item, item_size, write_capacity_units};
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Service;
use crate::counters::Tally;
use crate::gate::{Call, Gate, Pass};
use crate::meter::{Gauge, Units};
use crate::upstream::Upstream;

const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
];
const READS: [&str; 5] = [
    "GetItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "TransactGetItems",
];

/// What counts and bills, beside every service.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    pub(crate) tally: Tally,
    pub(crate) gauge: Gauge,
    pub(crate) gate: Gate,
}

/// The door to dynoxide.
pub(crate) struct Metered {
    pub(crate) upstream: Upstream,
    pub(crate) database: Database,
    pub(crate) watch: Watch,
    /// Table → the attributes of its key.
    pub(crate) keys: BTreeMap<String, Vec<String>>,
}

/// The one member of an answer that matters here.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "ConsumedCapacity")]
    consumed: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Consumed),
    Many(Vec<Consumed>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consumed {
    table_name: String,
    capacity_units: f64,
    read_capacity_units: Option<f64>,
}

impl Metered {
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Bytes>) -> Response<Bytes> {
        let operation = crate::host::operation(&request);
        self.watch.tally.count(Service::Dynamodb, &operation);
        let place = || text_after(request.body(), b"\"TableName\":\"").to_owned();
        let call = || Call {
            service: "Dynamodb".to_owned(),
            operation: operation.clone(),
            place: place(),
        };
        match self.watch.gate.admit(call) {
            Pass::Through => self.perform(&operation, request).await,
            Pass::Last(call) => {
                self.perform(&operation, request).await;
                self.watch.gate.shut_behind(call);
                match self.watch.gate.forever().await {}
            }
            Pass::Never => match self.watch.gate.forever().await {},
        }
    }

    async fn perform(&self, operation: &str, request: Request<Bytes>) -> Response<Bytes> {
        let writes = WRITES.contains(&operation);
        if !writes && !READS.contains(&operation) {
            return self.upstream.pass(request).await;
        }
        let asked = request.body().clone();
        let response = self.upstream.pass(request.map(ask_for_figures)).await;
        if response.status() == StatusCode::OK {
            self.bill(operation, writes, &asked, response.body());
        } else if writes && refuses_a_condition(response.body()) {
            self.bill_refusal(operation, &asked);
        }
        response
    }

    fn bill(&self, operation: &str, writes: bool, asked: &[u8], answer: &[u8]) {
        let Ok(Told {
            consumed: Some(consumed),
        }) = serde_json::from_slice(answer)
        else {
            return;
        };
        let consumed = match consumed {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        let kind = if consumed.len() == 1 { kind(asked) } else { "" };
        for table in consumed {
            let mut units = Units {
                requests: 1,
                ..Units::default()
            };
            // A transaction repeated under its token is billed as a read.
            if writes && table.read_capacity_units.is_none() {
                units.write = table.capacity_units;
            } else {
                units.read = table.capacity_units;
            }
            self.watch
                .gauge
                .add(&table.table_name, operation, kind, units);
        }
    }

    /// Bills a write whose condition did not hold, and each item of a transaction that was cancelled.
    fn bill_refusal(&self, operation: &str, asked: &[u8]) {
        let Ok(asked_for) = serde_json::from_slice::<Value>(asked) else {
            return;
        };
        let (parts, factor): (Vec<&Value>, f64) = match asked_for.get("TransactItems") {
            Some(items) => {
                let items = items.as_array().into_iter().flatten();
                let parts = items.filter_map(|item| item.as_object()?.values().next());
                (parts.collect(), 2.0)
            }
            None => (vec![&asked_for], 1.0),
        };
        for part in parts {
            let table = part
                .get("TableName")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let units = Units {
                requests: 1,
                refused: 1,
                write: factor * write_capacity_units(self.size(table, part)),
                read: 0.0,
            };
            let kind = if factor > 1.0 { "" } else { kind(asked) };
            self.watch.gauge.add(table, operation, kind, units);
        }
    }

    /// The larger of the item that a write brings and the one that is there.
    fn size(&self, table: &str, write: &Value) -> usize {
        let brought: Option<Item> = write
            .get("Item")
            .and_then(|item| serde_json::from_value(item.clone()).ok());
        let key = write.get("Key").cloned().or_else(|| {
            let item = write.get("Item")?;
            let names = self.keys.get(table)?.iter();
            let key: serde_json::Map<String, Value> = names
                .filter_map(|name| Some((name.clone(), item.get(name)?.clone())))
                .collect();
            Some(key.into())
        });
        let request = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
        let there = serde_json::from_value(request)
            .ok()
            .and_then(|request| self.database.get_item(request).ok())
            .and_then(|answer| answer.item);
        let sizes = [brought, there].into_iter().flatten();
        sizes.map(|item| item_size(&item)).max().unwrap_or_default()
    }
}

/// Puts the wish for figures in front of a body that does not have it.
fn ask_for_figures(body: Bytes) -> Bytes {
    const WISH: &[u8] = b"{\"ReturnConsumedCapacity\":\"TOTAL\",";
    match body.strip_prefix(b"{") {
        Some(rest) if find(&body, b"\"ReturnConsumedCapacity\"").is_none() && rest != b"}" => {
            [WISH, rest].concat().into()
        }
        _ => body,
    }
}

fn refuses_a_condition(answer: &[u8]) -> bool {
    find(answer, b"#ConditionalCheckFailedException").is_some()
        || find(answer, b"#TransactionCanceledException").is_some()
}

/// The letters before the `#` of the partition key, as far as a body shows one.
fn kind(body: &[u8]) -> &str {
    let key = text_after(body, b"pk\":{\"S\":\"");
    key.split_once('#').map_or("", |(kind, _)| kind)
}

/// What stands between `before` and the next quotation mark.
pub(crate) fn text_after<'a>(body: &'a [u8], before: &[u8]) -> &'a str {
    let Some(at) = find(body, before) else {
        return "";
    };
    let rest = body.get(at + before.len()..).unwrap_or_default();
    let end = rest.iter().position(|b| *b == b'"').unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    // A jump from letter to letter is fast even without optimisation.
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|b| *b == first)?;
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(wanted)) {
            return Some(at);
        }
        from = at + 1;
    }
}
