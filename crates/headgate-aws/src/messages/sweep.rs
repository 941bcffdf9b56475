//! Sweeping: rows that are past their time are found without reading any other, and deleted, a page at a time.
//!
//! Outbox rows are found by their own key, which is ordered by time. What people wrote and the ids of apps are
//! found by the index `by_day`, in which only they are (docs/adr/0034). A page begins where the last one ended,
//! so a row that a replica still shows after its deletion is not counted twice.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, Select};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::record::{MAX_SHARDS, outbox_pk, ulid_floor};
use headgate_domain::retention::{
    SWEEP_SHARDS, Store, content_ttl, store_of, sweep_digit, sweep_shard,
};
use headgate_domain::time::{Day, Timestamp};

use super::Messages;
use crate::AwsError;
use crate::item::{Attributes, Item, batch_write, deletions, key, n, s};

/// Rows looked at in one step: at 1 KB each a page of half of what DynamoDB gives at once.
const PAGE: i32 = 500;
/// Deletions on their way at once.
const AT_ONCE: usize = 16;
/// The most that one request deletes.
const BATCH: usize = 25;

/// A part of the table that is swept on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// An outbox partition.
    Outbox {
        /// Meta's phone number id.
        number: &'a str,
        /// The lane.
        lane: Purpose,
        /// The outbox shard.
        shard: u8,
    },
    /// A partition of the index by day: what people wrote, and the ids of apps.
    ByDay {
        /// Below [`SWEEP_SHARDS`].
        shard: u8,
    },
}

impl<'a> Part<'a> {
    /// The partitions of the index by day.
    pub fn of_index() -> Vec<Self> {
        (0..SWEEP_SHARDS)
            .map(|shard| Self::ByDay { shard })
            .collect()
    }

    /// The outbox partitions of numbers.
    pub fn of_outbox(numbers: &'a BTreeSet<String>) -> Vec<Self> {
        let parts = numbers.iter().flat_map(|number| {
            PURPOSES.into_iter().flat_map(move |lane| {
                (0..MAX_SHARDS).map(move |shard| Self::Outbox {
                    number,
                    lane,
                    shard,
                })
            })
        });
        parts.collect()
    }
}

/// Where the next page of a part begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark(Item);

/// What one step of a sweep deleted, or a look counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Swept {
    /// How many rows of each store.
    pub rows: BTreeMap<Store, u64>,
    /// What one of them had sealed, to be tried whether anything opens it.
    pub sample: Option<Vec<u8>>,
    /// Where to go on; `None` when nothing of the part is left from before that day.
    pub next: Option<Mark>,
}

impl Messages {
    /// Deletes up to a page of a part's rows of the days before one, from a mark on.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer; whatever was deleted stays deleted, and the same step can be
    /// taken again.
    pub async fn sweep(
        &self,
        part: Part<'_>,
        before: Day,
        from: Option<Mark>,
    ) -> Result<Swept, AwsError> {
        match part {
            Part::Outbox {
                number,
                lane,
                shard,
            } => {
                let pk = outbox_pk(number, lane, shard);
                self.sweep_outbox(pk, before, from).await
            }
            Part::ByDay { shard } => self.sweep_by_day(shard, before, from).await,
        }
    }

    /// Counts a page of what [`Self::sweep`] would delete, and deletes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn count_sweep(
        &self,
        part: Part<'_>,
        before: Day,
        from: Option<Mark>,
    ) -> Result<Swept, AwsError> {
        Ok(counted(self.shown(part, before, from, false).await?))
    }

    /// Counts a page of what is still there of what [`Self::sweep`] should have deleted, as the table itself has it:
    /// an index, and a replica, show for a moment what is gone.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn count_left(
        &self,
        part: Part<'_>,
        before: Day,
        from: Option<Mark>,
    ) -> Result<Swept, AwsError> {
        let (shown, next) = self.shown(part, before, from, true).await?;
        if matches!(part, Part::Outbox { .. }) {
            return Ok(counted((shown, next)));
        }
        let looks: Vec<_> = shown
            .into_iter()
            .map(|item| async move {
                let is_there = self.is_old(&item, before).await?;
                Ok::<_, AwsError>(is_there.then_some(item))
            })
            .collect();
        let items: Vec<Option<Item>> = stream::iter(looks)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(counted((items.into_iter().flatten().collect(), next)))
    }

    /// A page of what is past its time in a part, and where the next begins. An index cannot be read consistently.
    async fn shown(
        &self,
        part: Part<'_>,
        before: Day,
        from: Option<Mark>,
        is_consistent: bool,
    ) -> Result<(Vec<Item>, Option<Mark>), AwsError> {
        let answer = match part {
            Part::Outbox {
                number,
                lane,
                shard,
            } => {
                let pk = outbox_pk(number, lane, shard);
                let page = self.outbox_page(pk, "pk, sk", before, from);
                answer_of(page.consistent_read(is_consistent)).await?
            }
            Part::ByDay { shard } => self.day_page(shard, before, from).await?,
        };
        Ok(page_of(answer))
    }

    /// Whether the table has a row that the index shows, and it is not younger by now.
    async fn is_old(&self, item: &Item, before: Day) -> Result<bool, AwsError> {
        let [pk, sk] = ["pk", "sk"].map(|name| item.text(name).unwrap_or_default());
        let look = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .filter_expression("#day < :before")
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":sk", s(sk))
            .expression_attribute_values(":before", s(before.to_string()))
            .select(Select::Count)
            .consistent_read(true);
        Ok(answer_of(look).await?.count > 0)
    }

    async fn sweep_outbox(
        &self,
        pk: String,
        before: Day,
        from: Option<Mark>,
    ) -> Result<Swept, AwsError> {
        let answer = answer_of(self.outbox_page(pk, "pk, sk, body", before, from)).await?;
        let (items, next) = page_of(answer);
        let deletes = deletions(&items)?;
        // An outbox row is never written again under its key, so it needs no second look before it goes.
        let batches: Vec<_> = deletes
            .chunks(BATCH)
            .map(|batch| batch_write(&self.client, &self.table, batch.to_vec()))
            .collect();
        stream::iter(batches)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let mut swept = Swept {
            next,
            sample: items
                .iter()
                .find_map(|item| item.bytes("body").map(<[u8]>::to_vec)),
            ..Swept::default()
        };
        swept.add(Store::Outbox, items.len());
        Ok(swept)
    }

    async fn sweep_by_day(
        &self,
        shard: u8,
        before: Day,
        from: Option<Mark>,
    ) -> Result<Swept, AwsError> {
        let answer = self.day_page(shard, before, from).await?;
        let (items, next) = page_of(answer);
        let mut swept = Swept {
            next,
            ..Swept::default()
        };
        let deletes: Vec<_> = items
            .iter()
            .filter_map(|item| {
                let store = store_of(item.text("pk")?)?;
                Some(self.delete_old(store, key_of(item), before))
            })
            .collect();
        let mut deletes = stream::iter(deletes).buffer_unordered(AT_ONCE);
        while let Some(deleted) = deletes.next().await {
            let Some((store, row)) = deleted? else {
                continue;
            };
            swept.add(store, 1);
            if swept.sample.is_none() {
                swept.sample = row.bytes("body").map(<[u8]>::to_vec);
            }
        }
        Ok(swept)
    }

    /// Deletes a row unless it is younger: an app may use its id again once the first use is forgotten, and the
    /// index may still show the first one then. `None` when it was gone already, or is young.
    async fn delete_old(
        &self,
        store: Store,
        key: Item,
        before: Day,
    ) -> Result<Option<(Store, Item)>, AwsError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression("#day < :before")
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":before", s(before.to_string()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("DeleteItem", &e)) {
            Ok(answer) => Ok(answer.attributes.map(|row| (store, row))),
            Err(e) if e.is("ConditionalCheckFailedException") => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn outbox_page(
        &self,
        pk: String,
        attributes: &str,
        before: Day,
        from: Option<Mark>,
    ) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk < :end")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":end", s(ulid_floor(before.start())))
            .projection_expression(attributes)
            .limit(PAGE)
            .set_exclusive_start_key(from.map(|Mark(key)| key))
    }

    async fn day_page(
        &self,
        shard: u8,
        before: Day,
        from: Option<Mark>,
    ) -> Result<QueryOutput, AwsError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_day")
            .key_condition_expression("#sweep = :shard AND #day < :before")
            .expression_attribute_names("#sweep", "sweep")
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":shard", s(sweep_digit(shard)))
            .expression_attribute_values(":before", s(before.to_string()))
            .limit(PAGE)
            .set_exclusive_start_key(from.map(|Mark(key)| key));
        answer_of(page).await
    }
}

impl Swept {
    /// How many rows of all stores.
    pub fn total(&self) -> u64 {
        self.rows.values().copied().fold(0, u64::saturating_add)
    }

    fn add(&mut self, store: Store, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        if rows > 0 {
            let sum = self.rows.entry(store).or_default();
            *sum = sum.saturating_add(rows);
        }
    }
}

async fn answer_of(query: QueryFluentBuilder) -> Result<QueryOutput, AwsError> {
    let answer = query.send().await;
    answer.map_err(|e| AwsError::of("Query", &e))
}

/// A page as counts.
fn counted((items, next): (Vec<Item>, Option<Mark>)) -> Swept {
    let mut swept = Swept {
        next,
        ..Swept::default()
    };
    for store in items.iter().filter_map(|item| store_of(item.text("pk")?)) {
        swept.add(store, 1);
    }
    swept
}

fn page_of(answer: QueryOutput) -> (Vec<Item>, Option<Mark>) {
    let next = answer.last_evaluated_key.filter(|key| !key.is_empty());
    (answer.items.unwrap_or_default(), next.map(Mark))
}

fn key_of(item: &Item) -> Item {
    let [pk, sk] = ["pk", "sk"].map(|name| item.text(name).unwrap_or_default());
    key(pk, sk)
}

/// Gives a row its time: the day it is of, the place where the sweep finds it, and the end that every reader and
/// DynamoDB's own deletion go by.
pub(super) fn to_be_swept(item: &mut Item, day: Day) {
    let shard = sweep_shard(item.text("pk").unwrap_or_default());
    item.insert("day".to_owned(), s(day.to_string()));
    item.insert("sweep".to_owned(), s(shard));
    item.insert("ttl".to_owned(), n(content_ttl(day.start())));
}

/// Whether a row may still be read: DynamoDB deletes late, and so may we.
pub(super) fn in_time(item: &Item, now: Timestamp) -> bool {
    item.number("ttl").is_none_or(|ttl| now.seconds() < ttl)
}
