//! Claims: what may be on its way to Meta, one item per slot of a number.
//!
//! A slot is used again when its block is settled, so nothing is ever deleted: a write per block is all
//! that a claim costs.

use futures_util::future::try_join_all;
use headgate_domain::holder::{Claim, ShortRef, decode, encode};
use headgate_domain::record::{RecordRef, outbox_pk};
use headgate_domain::time::{DAY, Timestamp};

use super::Pacing;
use crate::AwsError;
use crate::item::{Attributes, Item, b, key, n, s};

/// Records that are looked for at once.
const AT_ONCE: usize = 64;

/// A claim as it is stored.
struct Stored {
    epoch: u64,
    block: u64,
    slot: u16,
    references: Vec<ShortRef>,
}

impl Pacing {
    /// Writes a claim, or rewrites it; a newer one in its slot stays, and that is an error. Only when it
    /// is written may the first byte of any of its records leave.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; then nothing of it may be sent.
    pub async fn put_claim(
        &self,
        number: &str,
        claim: &Claim,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let mut item = key(format!("C#{number}"), format!("{:05}", claim.slot));
        item.insert("epoch".to_owned(), n(claim.epoch));
        item.insert("block".to_owned(), n(claim.block));
        item.insert("refs".to_owned(), b(encode(&claim.references)));
        item.insert("ttl".to_owned(), n(now.plus_millis(8 * DAY).seconds()));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(pk) OR epoch < :epoch OR (epoch = :epoch AND #block <= :block)",
            )
            .expression_attribute_names("#block", "block")
            .expression_attribute_values(":epoch", n(claim.epoch))
            .expression_attribute_values(":block", n(claim.block))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// The claims of terms later than `after`, and those in the slots `open` of whatever term, with
    /// those of their records that still exist in the table `messages`.
    ///
    /// # Errors
    /// [`AwsError`] when a table cannot be read.
    pub async fn claims(
        &self,
        messages: &str,
        number: &str,
        after: u64,
        open: &[u16],
    ) -> Result<Vec<Claim>, AwsError> {
        let mut claims: Vec<Claim> = Vec::new();
        let mut wanted: Vec<(usize, ShortRef)> = Vec::new();
        for stored in self.stored_claims(number).await? {
            if stored.epoch <= after && !open.contains(&stored.slot) {
                continue;
            }
            let place = claims.len();
            wanted.extend(stored.references.into_iter().map(|short| (place, short)));
            claims.push(Claim {
                epoch: stored.epoch,
                block: stored.block,
                slot: stored.slot,
                references: Vec::new(),
            });
        }
        for chunk in wanted.chunks(AT_ONCE) {
            let finding = chunk
                .iter()
                .map(|(_, short)| self.find(messages, number, short));
            let found = try_join_all(finding).await?;
            for ((place, short), found) in chunk.iter().zip(found) {
                if let Some(claim) = claims.get_mut(*place) {
                    let found = found.into_iter().map(|r| (r, short.attempt));
                    claim.references.extend(found);
                }
            }
        }
        Ok(claims)
    }

    /// Whether a record is claimed for a later attempt than `made`: it may be on its way.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn is_claimed(&self, reference: &RecordRef, made: u32) -> Result<bool, AwsError> {
        let claims = self.stored_claims(&reference.number).await?;
        let mut references = claims.iter().flat_map(|c| &c.references);
        Ok(references.any(|short| short.attempt > made && short.is(reference)))
    }

    async fn stored_claims(&self, number: &str) -> Result<Vec<Stored>, AwsError> {
        let items = self.query_all(&format!("C#{number}"), None).await?;
        Ok(items.iter().filter_map(stored_of).collect())
    }

    /// The records a short reference means: one, in practice.
    async fn find(
        &self,
        messages: &str,
        number: &str,
        short: &ShortRef,
    ) -> Result<Vec<RecordRef>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(messages)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(outbox_pk(number, short.lane, short.shard)))
            .expression_attribute_values(":prefix", s(short.prefix.as_str()))
            .projection_expression("sk")
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let ulids = answer.items().iter().filter_map(|item| item.text("sk"));
        Ok(ulids
            .map(|ulid| RecordRef {
                number: number.to_owned(),
                lane: short.lane,
                shard: short.shard,
                ulid: ulid.to_owned(),
            })
            .collect())
    }
}

fn stored_of(item: &Item) -> Option<Stored> {
    let count = |name| u64::try_from(item.number(name)?).ok();
    Some(Stored {
        epoch: count("epoch")?,
        block: count("block")?,
        slot: item.text("sk")?.parse().ok()?,
        references: decode(item.bytes("refs")?)?,
    })
}
