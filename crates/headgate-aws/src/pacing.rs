//! The pacer's own table: the lease, the cursors, the claims, debts and counts, and what is due later.
//!
//! Owns the form in which the values of `headgate_domain::holder` are stored, and the conditions that keep
//! a holder whose lease is gone from overwriting the work of the next. Decides nothing.

mod claims;
mod dues;
mod erasing;
mod recipients;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use headgate_domain::holder::{Cursors, LeaseView, Left, Legacy, Phase};
use headgate_domain::lane::Purpose;
use headgate_domain::pacing::Tail;
use headgate_domain::pair::Tail as PairTail;
use headgate_domain::time::{HOUR, Timestamp};

use crate::item::{Attributes, Item, all, b, key, ms, n, partition, s, taken, was_taken};
use crate::{Aws, AwsError};

pub use erasing::Senders;
pub use headgate_domain::holder::{Claim, DueEntry as Due, DueKind};
pub use recipients::Recipient;

/// The pacing table.
#[derive(Clone)]
pub struct Pacing {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// The lease of a portfolio as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What the holder goes by.
    pub view: LeaseView,
    /// When it was renewed, by the holder's wall clock: a hint for intake, never for the lease.
    pub heartbeat_at: Timestamp,
}

impl Pacing {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// The lease of a portfolio, read consistently; `None` when nobody ever held it.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn lease(&self, portfolio: &str) -> Result<Option<Lease>, AwsError> {
        let item = self.get(lease_key(portfolio)).await?;
        Ok(item.as_ref().map(lease_of))
    }

    /// Takes the lease that was read as `seen`; the new epoch, or `None` when somebody else was faster.
    ///
    /// `holder` must be unique to this attempt: by it a repeated call recognises its own write.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn take(
        &self,
        portfolio: &str,
        seen: Option<&LeaseView>,
        holder: &str,
        now: Timestamp,
    ) -> Result<Option<u64>, AwsError> {
        let epoch = seen.map_or(1, |l| l.epoch.saturating_add(1));
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lease_key(portfolio)))
            .update_expression(
                "SET holder = :me, epoch = :epoch, hb = :zero, heartbeat_at = :now, phase = :run",
            )
            .expression_attribute_values(":me", s(holder))
            .expression_attribute_values(":epoch", n(epoch))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":run", s(word(Phase::Run)));
        call = match seen {
            None => call.condition_expression("attribute_not_exists(pk)"),
            Some(lease) => call
                .condition_expression("epoch = :seen AND (hb = :beat OR phase = :free)")
                .expression_attribute_values(":seen", n(lease.epoch))
                .expression_attribute_values(":beat", n(lease.heartbeat))
                .expression_attribute_values(":free", s(word(Phase::Free))),
        };
        match call
            .send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e))
        {
            Ok(_) => Ok(Some(epoch)),
            Err(e) if e.is("ConditionalCheckFailedException") => {
                let item = self.get(lease_key(portfolio)).await?;
                let mine = item.as_ref().is_some_and(|i| {
                    i.text("holder") == Some(holder) && lease_of(i).view.epoch == epoch
                });
                Ok(mine.then_some(epoch))
            }
            Err(e) => Err(e),
        }
    }

    /// Renews the lease, or moves it to another phase; `false` when it is no longer ours.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer; the holder then runs into its own fence.
    pub async fn renew(
        &self,
        portfolio: &str,
        epoch: u64,
        phase: Phase,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lease_key(portfolio)))
            .update_expression("SET heartbeat_at = :now, phase = :phase ADD hb :one")
            .condition_expression("epoch = :epoch AND phase <> :free")
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":phase", s(word(phase)))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":epoch", n(epoch))
            .expression_attribute_values(":free", s(word(Phase::Free)))
            .send()
            .await;
        // A repeated release meets its own write: it is free, which is what was asked for.
        was_taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))
    }

    /// What the last holder that gave the lease up in order left behind.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn legacy(&self, portfolio: &str) -> Result<Option<Legacy>, AwsError> {
        let item = self.get(legacy_key(portfolio)).await?;
        Ok(item.as_ref().and_then(legacy_of))
    }

    /// Leaves something behind for the next holders; what a later term left stays.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it: then the lease may not be given up.
    pub async fn put_legacy(&self, portfolio: &str, legacy: &Legacy) -> Result<(), AwsError> {
        let mut item = legacy_key(portfolio);
        item.insert("epoch".to_owned(), n(legacy.epoch));
        item.insert("at".to_owned(), ms(legacy.at));
        let numbers = legacy.numbers.iter().map(left_item).collect();
        item.insert("numbers".to_owned(), AttributeValue::L(numbers));
        self.put_newer(item, legacy.epoch).await
    }

    /// The stored cursors of a number.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn cursors(&self, number: &str) -> Result<Cursors, AwsError> {
        let item = self.get(cursors_key(number)).await?.unwrap_or_default();
        let cursor = |(name, value): (&String, &AttributeValue)| {
            let mut letters = name.chars();
            let lane = Purpose::from_letter(letters.next()?)?;
            let shard = u8::try_from(letters.next()?.to_digit(10)?).ok()?;
            let ulid = value.as_s().ok()?;
            (letters.next().is_none()).then(|| (lane, shard, ulid.clone()))
        };
        Ok(item.iter().filter_map(cursor).collect())
    }

    /// Stores the cursors of a number; a later term's stay.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take them.
    pub async fn put_cursors(
        &self,
        number: &str,
        epoch: u64,
        cursors: &Cursors,
    ) -> Result<(), AwsError> {
        let mut item = cursors_key(number);
        item.insert("epoch".to_owned(), n(epoch));
        for (lane, shard, ulid) in cursors {
            item.insert(format!("{}{shard}", lane.letter()), s(ulid.as_str()));
        }
        self.put_newer(item, epoch).await
    }

    /// Puts an item unless a later term has; that it has is no error.
    async fn put_newer(&self, item: Item, epoch: u64) -> Result<(), AwsError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR epoch <= :epoch")
            .expression_attribute_values(":epoch", n(epoch))
            .send()
            .await;
        taken(answer.map_err(|e| AwsError::of("PutItem", &e)))
    }

    async fn put(&self, item: Item) -> Result<(), AwsError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// A page of a partition, from `between` on, read consistently.
    async fn query(
        &self,
        pk: &str,
        between: Option<(&str, &str)>,
        limit: i32,
    ) -> Result<Vec<Item>, AwsError> {
        let mut call = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", s(pk))
            .limit(limit)
            .consistent_read(true);
        call = match between {
            Some((start, end)) => call
                .key_condition_expression("pk = :pk AND sk BETWEEN :start AND :end")
                .expression_attribute_values(":start", s(start))
                .expression_attribute_values(":end", s(end)),
            None => call.key_condition_expression("pk = :pk"),
        };
        let answer = call.send().await.map_err(|e| AwsError::of("Query", &e))?;
        Ok(answer.items.unwrap_or_default())
    }

    /// All of a partition, read consistently; without debts that are paid at `unpaid`.
    async fn query_all(&self, pk: &str, unpaid: Option<Timestamp>) -> Result<Vec<Item>, AwsError> {
        let query = partition(&self.client, &self.table, pk);
        all(match unpaid {
            Some(now) => query
                .filter_expression("paid_at > :now")
                .expression_attribute_values(":now", ms(now)),
            None => query,
        })
        .await
    }

    async fn get(&self, wanted: Item) -> Result<Option<Item>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(wanted))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item)
    }

    async fn delete(&self, wanted: Item) -> Result<(), AwsError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(wanted))
            .return_values(ReturnValue::None)
            .send()
            .await
            .map(|_deleted| ())
            .map_err(|e| AwsError::of("DeleteItem", &e))
    }
}

/// Whether intake should send a wake: nobody holds the lease, its holder is about to stop, or it fell silent.
pub fn needs_wake(lease: Option<&Lease>, now: Timestamp) -> bool {
    const SILENT_MS: i64 = 3_000;
    lease.is_none_or(|l| match l.view.phase {
        Phase::Free | Phase::Idle => true,
        // Skew between two wall clocks is far below an hour; a beat from further ahead means the calendar was turned.
        Phase::Run => !(-HOUR..SILENT_MS).contains(&now.millis_since(l.heartbeat_at)),
    })
}

const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Run => "RUN",
        Phase::Idle => "IDLE",
        Phase::Free => "FREE",
    }
}

fn lease_key(portfolio: &str) -> Item {
    key(format!("L#{portfolio}"), "L")
}

fn lease_of(item: &Item) -> Lease {
    let count = |name| {
        item.number(name)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0)
    };
    Lease {
        view: LeaseView {
            epoch: count("epoch"),
            heartbeat: count("hb"),
            phase: match item.text("phase") {
                Some("FREE") => Phase::Free,
                Some("IDLE") => Phase::Idle,
                Some(_) | None => Phase::Run,
            },
        },
        heartbeat_at: item.time("heartbeat_at").unwrap_or_default(),
    }
}

fn legacy_key(portfolio: &str) -> Item {
    key(format!("L#{portfolio}"), "left")
}

fn cursors_key(number: &str) -> Item {
    key(format!("K#{number}"), "K")
}

fn left_item(left: &Left) -> AttributeValue {
    let debts = left.pairs.listed.iter();
    let open = left.open.iter().flat_map(|slot| slot.to_be_bytes());
    AttributeValue::M(Item::from([
        ("number".to_owned(), s(left.number.as_str())),
        ("tail".to_owned(), b(left.tail.to_bytes())),
        ("everybody".to_owned(), n(left.pairs.everybody)),
        (
            "pairs".to_owned(),
            AttributeValue::M(debts.map(|(who, debt)| (who.clone(), n(debt))).collect()),
        ),
        ("open".to_owned(), b(open.collect())),
    ]))
}

fn legacy_of(item: &Item) -> Option<Legacy> {
    let numbers = item.get("numbers")?.as_l().ok()?;
    Some(Legacy {
        epoch: u64::try_from(item.number("epoch")?).ok()?,
        at: item.time("at")?,
        numbers: numbers
            .iter()
            .filter_map(|value| left_of(value.as_m().ok()?))
            .collect(),
    })
}

fn left_of(item: &Item) -> Option<Left> {
    let count = |value: i64| u32::try_from(value).ok();
    let debts = item.get("pairs")?.as_m().ok()?;
    let listed = debts.keys().filter_map(|who| {
        let debt = count(debts.number(who)?)?;
        Some((who.clone(), debt))
    });
    let slots = item.bytes("open")?.chunks_exact(2);
    Some(Left {
        number: item.text("number")?.to_owned(),
        tail: Tail::from_bytes(item.bytes("tail")?)?,
        pairs: PairTail {
            everybody: count(item.number("everybody")?)?,
            listed: listed.collect(),
        },
        open: slots
            .filter_map(|slot| Some(u16::from_be_bytes(slot.try_into().ok()?)))
            .collect(),
    })
}
