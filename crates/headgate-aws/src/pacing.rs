//! The pacer's own table: the lease, the cursors, the claims and what is due later (sending.md).
//!
//! The lease needs no synchronised clocks: it is taken over only when (epoch, heartbeat) stood
//! still for three seconds on the taker's own clock, or its holder gave it up.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use headgate_domain::lane::Purpose;
use headgate_domain::record::RecordRef;
use headgate_domain::time::{DAY, HOUR, Timestamp};

use crate::item::{Attributes, Item, key, ms, n, s};
use crate::{Aws, AwsError};

/// The pacing table.
#[derive(Clone)]
pub struct Pacing {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// What the lease's holder is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Sending.
    Run,
    /// About to stop for want of work; still looking once more.
    Idle,
    /// Nobody holds the lease.
    Free,
}

impl Phase {
    const fn word(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::Idle => "IDLE",
            Self::Free => "FREE",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "FREE" => Self::Free,
            "IDLE" => Self::Idle,
            _ => Self::Run,
        }
    }
}

/// The lease of a portfolio as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which term.
    pub epoch: u64,
    /// How often it was renewed.
    pub heartbeat: u64,
    /// When, by the holder's wall clock: a hint for intake, never for the lease.
    pub heartbeat_at: Timestamp,
    /// What the holder is doing.
    pub phase: Phase,
}

/// Something to look at later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// Known not to have been accepted by Meta: send again.
    Retry,
    /// Outcome unknown: the policy decides when its timer runs out.
    Ambiguous,
    /// Waits for its `not_before`.
    Scheduled,
}

impl DueKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Ambiguous => "ambiguous",
            Self::Scheduled => "scheduled",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Retry, Self::Ambiguous, Self::Scheduled]
            .into_iter()
            .find(|k| k.word() == word)
    }
}

/// An entry that is due at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// What.
    pub reference: RecordRef,
    /// Why.
    pub kind: DueKind,
    /// The attempt that was made, or is to be made.
    pub attempt: u32,
}

/// A block of records that were claimed before their first byte left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The term it was made in.
    pub epoch: u64,
    /// Its number within the term.
    pub block: u64,
    /// The records and the attempt each was claimed for.
    pub references: Vec<(RecordRef, u32)>,
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
        seen: Option<&Lease>,
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
            .expression_attribute_values(":run", s(Phase::Run.word()));
        call = match seen {
            None => call.condition_expression("attribute_not_exists(pk)"),
            Some(lease) => call
                .condition_expression("epoch = :seen AND (hb = :beat OR phase = :free)")
                .expression_attribute_values(":seen", n(lease.epoch))
                .expression_attribute_values(":beat", n(lease.heartbeat))
                .expression_attribute_values(":free", s(Phase::Free.word())),
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
                    i.text("holder") == Some(holder) && lease_of(i).epoch == epoch
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
            .expression_attribute_values(":phase", s(phase.word()))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":epoch", n(epoch))
            .expression_attribute_values(":free", s(Phase::Free.word()))
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(_) => Ok(true),
            // A repeated release meets its own write: it is free, which is what was asked for.
            Err(e) if e.is("ConditionalCheckFailedException") => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The stored cursor of a lane's shard.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn cursor(
        &self,
        number: &str,
        lane: Purpose,
        shard: u8,
    ) -> Result<Option<String>, AwsError> {
        let item = self
            .get(key(format!("K#{number}"), cursor_sk(lane, shard)))
            .await?;
        Ok(item
            .as_ref()
            .and_then(|i| i.text("ulid"))
            .map(str::to_owned))
    }

    /// Stores a cursor; it only moves forward.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_cursor(
        &self,
        number: &str,
        lane: Purpose,
        shard: u8,
        ulid: &str,
    ) -> Result<(), AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("K#{number}"), cursor_sk(lane, shard))))
            .update_expression("SET #ulid = :ulid")
            .condition_expression("attribute_not_exists(pk) OR #ulid < :ulid")
            .expression_attribute_names("#ulid", "ulid")
            .expression_attribute_values(":ulid", s(ulid))
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Err(e) if !e.is("ConditionalCheckFailedException") => Err(e),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Writes a claim; only then may the first byte of any of its records leave.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; then nothing of it may be sent.
    pub async fn put_claim(
        &self,
        number: &str,
        claim: &Claim,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let mut item = key(format!("C#{number}"), claim_sk(claim.epoch, claim.block));
        let refs = claim
            .references
            .iter()
            .map(|(reference, attempt)| reference.opaque(*attempt))
            .collect();
        item.insert("refs".to_owned(), AttributeValue::Ss(refs));
        item.insert("ttl".to_owned(), n(now.plus_millis(8 * DAY).seconds()));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// Removes a claim whose records are all settled.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn drop_claim(&self, number: &str, epoch: u64, block: u64) -> Result<(), AwsError> {
        self.delete(key(format!("C#{number}"), claim_sk(epoch, block)))
            .await
    }

    /// The claims that are still open, of any term.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn claims(&self, number: &str) -> Result<Vec<Claim>, AwsError> {
        let items = self.query(&format!("C#{number}"), None, 1_000).await?;
        Ok(items
            .iter()
            .filter_map(|item| {
                let (epoch, block) = item.text("sk")?.split_once('#')?;
                let references = item
                    .set("refs")
                    .iter()
                    .filter_map(|text| RecordRef::from_opaque(text))
                    .collect();
                Some(Claim {
                    epoch: epoch.parse().ok()?,
                    block: block.parse().ok()?,
                    references,
                })
            })
            .collect())
    }

    /// Notes that a record is to be looked at later.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_due(&self, portfolio: &str, due: &Due) -> Result<(), AwsError> {
        let mut item = due_key(portfolio, due);
        item.insert("kind".to_owned(), s(due.kind.word()));
        item.insert("attempt".to_owned(), n(due.attempt));
        item.insert("ttl".to_owned(), n(due.at.plus_millis(8 * DAY).seconds()));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// What is due at a time, oldest first, behind an entry that was looked at already.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn due(
        &self,
        portfolio: &str,
        now: Timestamp,
        behind: Option<&Due>,
        limit: i32,
    ) -> Result<Vec<Due>, AwsError> {
        let end = format!("{:013}#~", now.millis().max(0));
        let start = behind.map_or_else(|| "0".to_owned(), due_sk);
        let items = self
            .query(&format!("D#{portfolio}"), Some((&start, &end)), limit)
            .await?;
        Ok(items.iter().filter_map(due_of).collect())
    }

    /// When the next entry is due, if there is any.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn next_due(&self, portfolio: &str) -> Result<Option<Timestamp>, AwsError> {
        let items = self.query(&format!("D#{portfolio}"), None, 1).await?;
        Ok(items.iter().filter_map(due_of).map(|d| d.at).next())
    }

    /// Removes an entry that has been looked at.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn drop_due(&self, portfolio: &str, due: &Due) -> Result<(), AwsError> {
        self.delete(due_key(portfolio, due)).await
    }

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
            // BETWEEN takes both ends; an entry is its own start only when it was looked at already.
            Some((start, end)) => call
                .key_condition_expression("pk = :pk AND sk BETWEEN :start AND :end")
                .expression_attribute_values(":start", s(format!("{start}~")))
                .expression_attribute_values(":end", s(end)),
            None => call.key_condition_expression("pk = :pk"),
        };
        let answer = call.send().await.map_err(|e| AwsError::of("Query", &e))?;
        Ok(answer.items.unwrap_or_default())
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
    lease.is_none_or(|l| match l.phase {
        Phase::Free | Phase::Idle => true,
        // Skew between two wall clocks is far below an hour; a beat from further ahead means the calendar was turned.
        Phase::Run => !(-HOUR..SILENT_MS).contains(&now.millis_since(l.heartbeat_at)),
    })
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
        epoch: count("epoch"),
        heartbeat: count("hb"),
        heartbeat_at: item.time("heartbeat_at").unwrap_or_default(),
        phase: Phase::from_word(item.text("phase").unwrap_or_default()),
    }
}

fn cursor_sk(lane: Purpose, shard: u8) -> String {
    format!("{}#{shard}", lane.letter())
}

fn claim_sk(epoch: u64, block: u64) -> String {
    format!("{epoch:010}#{block:08}")
}

fn due_key(portfolio: &str, due: &Due) -> Item {
    key(format!("D#{portfolio}"), due_sk(due))
}

fn due_sk(due: &Due) -> String {
    format!("{:013}#{}", due.at.millis().max(0), due.reference)
}

fn due_of(item: &Item) -> Option<Due> {
    let (at, reference) = item.text("sk")?.split_once('#')?;
    Some(Due {
        at: Timestamp::from_millis(at.parse().ok()?),
        reference: RecordRef::parse(reference)?,
        kind: DueKind::from_word(item.text("kind")?)?,
        attempt: item
            .number("attempt")
            .and_then(|a| u32::try_from(a).ok())
            .unwrap_or(1),
    })
}
