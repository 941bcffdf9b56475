//! The consent ledger: 16 hash-chained shards, appended to by transaction and never changed.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{Entry, Fact, Hash, Head, shard};
use tokio::sync::Mutex;

use crate::item::{Attributes, Item, key, n, s};
use crate::{Aws, AwsError};

const SHARDS: usize = 16;
const TRIES: u32 = 12;

/// The ledger table.
#[derive(Clone)]
pub struct Ledger {
    client: aws_sdk_dynamodb::Client,
    table: String,
    /// The heads as last seen: a stale one costs a retry, never a fork.
    heads: Arc<[Mutex<Option<Head>>; SHARDS]>,
}

impl Ledger {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            heads: Arc::new(std::array::from_fn(|_| Mutex::new(None))),
        }
    }

    /// Appends a fact about a subject; returns the event's id, `L<shard>.<seq>`.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn append(&self, subject: &SubjectId, fact: &Fact) -> Result<String, AwsError> {
        let shard = shard(subject);
        let pk = format!("L#{shard:x}");
        let Some(slot) = self.heads.get(usize::from(shard)) else {
            return Err(AwsError::new("appending to the ledger", "no such shard"));
        };
        let mut seen = slot.lock().await;
        for attempt in 0..TRIES {
            let head = match *seen {
                Some(head) => head,
                None => self.head(&pk).await?,
            };
            let entry = head
                .append(fact)
                .map_err(|_full| AwsError::new("appending to the ledger", "shard is full"))?;
            match self.write(&pk, &head, &entry).await {
                Ok(()) => {
                    *seen = Some(entry.head());
                    return Ok(format!("L{shard:x}.{}", entry.seq));
                }
                Err(e)
                    if e.is("TransactionCanceledException")
                        || e.is("TransactionConflictException") =>
                {
                    *seen = None;
                    // The transaction may have been ours, repeated by the SDK after a lost answer.
                    if self.holds(&pk, &entry).await? {
                        return Ok(format!("L{shard:x}.{}", entry.seq));
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(
                        u64::from(attempt).saturating_mul(15),
                    ))
                    .await;
                }
                Err(e) => return Err(e),
            }
        }
        Err(AwsError::new("appending to the ledger", "contended"))
    }

    /// A page of a shard's entries, from a place on, in order.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn entries(&self, shard: u8, from: u64) -> Result<Vec<Entry>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk >= :from")
            .filter_expression("attribute_exists(leaf)")
            .expression_attribute_values(":pk", s(format!("L#{shard:x}")))
            .expression_attribute_values(":from", s(sk(from)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        Ok(answer.items().iter().filter_map(entry_of).collect())
    }

    async fn head(&self, pk: &str) -> Result<Head, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(pk, "H")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let Some(item) = answer.item else {
            return Ok(Head::GENESIS);
        };
        let next_seq = item.number("seq").and_then(|n| u64::try_from(n).ok());
        let chain = item.text("chain").and_then(|t| Hash::parse(t).ok());
        match (next_seq, chain) {
            (Some(next_seq), Some(chain)) => Ok(Head { next_seq, chain }),
            _ => Err(AwsError::new("reading the ledger head", "unreadable")),
        }
    }

    async fn holds(&self, pk: &str, entry: &Entry) -> Result<bool, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(pk, sk(entry.seq))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer
            .item
            .as_ref()
            .and_then(entry_of)
            .is_some_and(|stored| stored == *entry))
    }

    async fn write(&self, pk: &str, head: &Head, entry: &Entry) -> Result<(), AwsError> {
        let unbuilt = |_build| AwsError::new("TransactWriteItems", "request not built");
        let mut item = key(pk, sk(entry.seq));
        item.insert("event".to_owned(), s(entry.event.as_str()));
        item.insert("leaf".to_owned(), s(entry.leaf.to_string()));
        item.insert("chain".to_owned(), s(entry.chain.to_string()));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(unbuilt)?;
        let next = entry.head();
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(pk, "H")))
            .update_expression("SET seq = :next, #chain = :chain")
            .expression_attribute_names("#chain", "chain")
            .expression_attribute_values(":next", n(next.next_seq))
            .expression_attribute_values(":chain", s(next.chain.to_string()));
        update = if head.next_seq == 0 {
            update.condition_expression("attribute_not_exists(pk)")
        } else {
            update
                .condition_expression("seq = :seen AND #chain = :was")
                .expression_attribute_values(":seen", n(head.next_seq))
                .expression_attribute_values(":was", s(head.chain.to_string()))
        };
        let update = update.build().map_err(unbuilt)?;
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(update).build())
            .send()
            .await
            .map(|_written| ())
            .map_err(|e| AwsError::of("TransactWriteItems", &e))
    }
}

fn sk(seq: u64) -> String {
    format!("E#{seq:012}")
}

fn entry_of(item: &Item) -> Option<Entry> {
    Some(Entry {
        seq: item
            .get("sk")
            .and_then(|v: &AttributeValue| v.as_s().ok())?
            .strip_prefix("E#")?
            .parse()
            .ok()?,
        event: item.text("event")?.to_owned(),
        leaf: Hash::parse(item.text("leaf")?).ok()?,
        chain: Hash::parse(item.text("chain")?).ok()?,
    })
}
