//! The consent ledger: 16 hash-chained shards, appended to by transaction and never changed.
//!
//! One fact or a block of them goes under one write of the shard's head, all or nothing. The head is
//! written only if it still stands where it was read, so of two writers one appends and the other tries
//! again behind it: nothing forks, nothing is lost.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use futures_util::future::try_join_all;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{
    self, Entry, Fact, HEADS, Hash, Head, SHARDS, Terms, event_id, shard,
};
use tokio::sync::Mutex;

use crate::item::{Attributes, Item, key, n, s};
use crate::{Aws, AwsError};

const TRIES: u32 = 12;
/// The most facts under one write of the head: a transaction takes a hundred items, and the head is one.
pub const BLOCK: usize = 99;

/// The greatest place a sort key has room for.
const LAST_PLACE: u64 = 999_999_999_999;

/// The ledger table.
#[derive(Clone)]
pub struct Ledger {
    client: aws_sdk_dynamodb::Client,
    table: String,
    region: String,
    /// The heads as last seen: a stale one costs a retry, never a fork.
    heads: Arc<[Mutex<Option<Head>>; HEADS]>,
}

impl Ledger {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            region: aws.region().to_owned(),
            heads: Arc::new(std::array::from_fn(|_| Mutex::new(None))),
        }
    }

    /// Appends a fact about a subject; returns the event's id, `L<shard>.<seq>`.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn append(&self, subject: &SubjectId, fact: &Fact) -> Result<String, AwsError> {
        let shard = shard(subject);
        let first = self.append_block(shard, &[fact]).await?;
        Ok(event_id(shard, first))
    }

    /// Appends facts about many subjects, a block of each shard at a time and the shards beside each
    /// other; returns the events' ids in the order of the facts. Facts of one shard keep their order.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take a block. Others may have been taken: whoever repeats the
    /// call has to know what is recorded, or appends block by block.
    pub async fn append_all(&self, facts: &[(SubjectId, Fact)]) -> Result<Vec<String>, AwsError> {
        let mut of_shards: [Vec<(usize, &Fact)>; HEADS] = std::array::from_fn(|_| Vec::new());
        for (index, (subject, fact)) in facts.iter().enumerate() {
            if let Some(of_shard) = of_shards.get_mut(usize::from(shard(subject))) {
                of_shard.push((index, fact));
            }
        }
        let appended = (0..SHARDS).zip(&of_shards).map(|(shard, of_shard)| {
            Box::pin(async move {
                let mut ids = Vec::with_capacity(of_shard.len());
                for block in of_shard.chunks(BLOCK) {
                    let facts: Vec<&Fact> = block.iter().map(|(_, fact)| *fact).collect();
                    let first = self.append_block(shard, &facts).await?;
                    let places = (first..).zip(block);
                    ids.extend(places.map(|(seq, (index, _))| (*index, event_id(shard, seq))));
                }
                Ok::<_, AwsError>(ids)
            })
        });
        let mut ids: Vec<(usize, String)> = try_join_all(appended)
            .await?
            .into_iter()
            .flatten()
            .collect();
        ids.sort_unstable_by_key(|(index, _)| *index);
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }

    /// Appends up to [`BLOCK`] facts to a shard, all or none; returns the place of the first.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take them, or the block is empty or too large.
    pub async fn append_block(&self, shard: u8, facts: &[&Fact]) -> Result<u64, AwsError> {
        const APPENDING: &str = "appending to the ledger";
        let pk = format!("L#{shard:x}");
        let Some(slot) = self.heads.get(usize::from(shard)) else {
            return Err(AwsError::new(APPENDING, "no such shard"));
        };
        if facts.is_empty() || facts.len() > BLOCK {
            return Err(AwsError::new(APPENDING, "not a block"));
        }
        let mut seen = slot.lock().await;
        for attempt in 0..TRIES {
            let head = match *seen {
                Some(head) => head,
                None => self.head(&pk).await?,
            };
            let entries = self
                .entries_of(shard, head, facts)
                .map_err(|_full| AwsError::new(APPENDING, "shard is full"))?;
            let Some(last) = entries.last() else {
                return Err(AwsError::new(APPENDING, "not a block"));
            };
            match self.write(&pk, &head, &entries).await {
                Ok(()) => {
                    *seen = Some(last.head());
                    return Ok(head.next_seq);
                }
                Err(e)
                    if e.is("TransactionCanceledException")
                        || e.is("TransactionConflictException") =>
                {
                    *seen = None;
                    // The transaction may have been ours, repeated by the SDK after a lost answer. The last
                    // entry's chain says everything before it.
                    if self.holds(&pk, last).await? {
                        return Ok(head.next_seq);
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(
                        u64::from(attempt).saturating_mul(15),
                    ))
                    .await;
                }
                Err(e) => return Err(e),
            }
        }
        Err(AwsError::new(APPENDING, "contended"))
    }

    /// The entries that facts make behind a head.
    fn entries_of(
        &self,
        shard: u8,
        mut head: Head,
        facts: &[&Fact],
    ) -> Result<Vec<Entry>, ledger::NotCanonical> {
        let mut entries = Vec::with_capacity(facts.len());
        for fact in facts {
            // A deployment serves one controller.
            let terms = Terms::of_deployment(&fact.tenant, &self.region);
            let entry = head.append(shard, fact, &terms)?;
            head = entry.head();
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The heads of all shards.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn heads(&self) -> Result<[Head; HEADS], AwsError> {
        let names: Vec<String> = (0..SHARDS).map(|shard| format!("L#{shard:x}")).collect();
        let heads = try_join_all(names.iter().map(|pk| self.head(pk))).await?;
        heads
            .try_into()
            .map_err(|_count| AwsError::new("reading the ledger heads", "not all"))
    }

    /// A page of a shard's entries, from a place on, in order; an empty one is the end. What cannot be
    /// read as an entry is left out, and is a gap to whoever verifies.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn entries(&self, shard: u8, from: u64) -> Result<Vec<Entry>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :last")
            .expression_attribute_values(":pk", s(format!("L#{shard:x}")))
            .expression_attribute_values(":from", s(sk(from)))
            .expression_attribute_values(":last", s(sk(LAST_PLACE)))
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

    async fn write(&self, pk: &str, head: &Head, entries: &[Entry]) -> Result<(), AwsError> {
        let unbuilt = |_build| AwsError::new("TransactWriteItems", "request not built");
        let mut items = Vec::with_capacity(entries.len().saturating_add(1));
        let mut next = *head;
        for entry in entries {
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
            items.push(TransactWriteItem::builder().put(put).build());
            next = entry.head();
        }
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
        items.push(TransactWriteItem::builder().update(update).build());
        self.client
            .transact_write_items()
            .set_transact_items(Some(items))
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
