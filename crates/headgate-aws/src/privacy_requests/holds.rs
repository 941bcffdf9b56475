//! Legal holds: what is held, why, by whose word, and until when.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{HOLD_KEPT_MS, Hold, HoldId, Scope, Task};
use headgate_domain::time::Timestamp;

use super::{PrivacyRequests, agenda_item, unbuilt};
use crate::AwsError;
use crate::item::{Attributes, Item, key, ms, n, s, was_taken};

const HOLDS: &str = "holds";

impl PrivacyRequests {
    /// Places a hold and has it carried out, both or neither.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn place_hold(&self, hold: &Hold) -> Result<(), AwsError> {
        let task = agenda_item(hold.placed_at, &Task::Keep(hold.id.clone()));
        let mut call = self.client.transact_write_items();
        for item in [written(hold), task] {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .build()
                .map_err(unbuilt)?;
            call = call.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let sent = call.send().await.map(drop);
        sent.map_err(|e| AwsError::of("TransactWriteItems", &e))
    }

    /// Lifts a hold and has what it kept destroyed; `false` when there is none, or it was lifted before.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn lift_hold(&self, id: &HoldId, now: Timestamp) -> Result<bool, AwsError> {
        let until = now.plus_millis(HOLD_KEPT_MS);
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(HOLDS, id.as_str())))
            .update_expression("SET lifted_at = :now, #ttl = :until REMOVE #link")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(lifted_at)")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":until", n(until.seconds()))
            .send()
            .await;
        let is_lifted = was_taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))?;
        if is_lifted {
            self.plan(&Task::Keep(id.clone()), now).await?;
        }
        Ok(is_lifted)
    }

    /// Every hold there is or was, the oldest first.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn holds(&self) -> Result<Vec<Hold>, AwsError> {
        let mut holds: Vec<Hold> = self.all(HOLDS).await?.iter().filter_map(read).collect();
        holds.sort_by_key(|hold| hold.placed_at);
        Ok(holds)
    }

    /// One hold.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, AwsError> {
        let item = self.get(key(HOLDS, id.as_str())).await?;
        Ok(item.as_ref().and_then(read))
    }

    /// Where what a hold has kept can be fetched by whoever asked for it.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn disclosed(&self, id: &HoldId) -> Result<Option<String>, AwsError> {
        let item = self.get(key(HOLDS, id.as_str())).await?;
        Ok(item.and_then(|item| item.text("link").map(str::to_owned)))
    }

    /// Says where what a hold has kept can be fetched.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_disclosed(&self, id: &HoldId, link: &str) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(HOLDS, id.as_str())))
            .update_expression("SET #link = :link")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":link", s(link))
            .send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }
}

fn written(hold: &Hold) -> Item {
    let mut item = key(HOLDS, hold.id.as_str());
    match &hold.scope {
        Scope::Subject(subject) => {
            item.insert("subject".to_owned(), s(subject.as_str()));
        }
        Scope::Range { from, until } => {
            item.insert("from".to_owned(), ms(*from));
            item.insert("until".to_owned(), ms(*until));
        }
    }
    item.insert("reason".to_owned(), s(hold.reason.as_str()));
    item.insert("approver".to_owned(), s(hold.approver.as_str()));
    item.insert("placed_at".to_owned(), ms(hold.placed_at));
    item.insert("expires_at".to_owned(), ms(hold.expires_at));
    if let Some(lifted_at) = hold.lifted_at {
        item.insert("lifted_at".to_owned(), ms(lifted_at));
    }
    let until = hold.expires_at.plus_millis(HOLD_KEPT_MS);
    item.insert(
        "ttl".to_owned(),
        AttributeValue::N(until.seconds().to_string()),
    );
    item
}

fn read(item: &Item) -> Option<Hold> {
    let scope = match item.text("subject") {
        Some(subject) => Scope::Subject(SubjectId::parse(subject).ok()?),
        None => Scope::Range {
            from: item.time("from")?,
            until: item.time("until")?,
        },
    };
    Some(Hold {
        id: HoldId::parse(item.text("sk")?).ok()?,
        scope,
        reason: item.text("reason")?.to_owned(),
        approver: item.text("approver")?.to_owned(),
        placed_at: item.time("placed_at")?,
        expires_at: item.time("expires_at")?,
        lifted_at: item.time("lifted_at"),
    })
}
