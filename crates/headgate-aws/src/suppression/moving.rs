//! Moving an entry to the key of a newer pepper: what it says, at once with its leaving the older one.
//!
//! Nobody may delete a row of this table, lest a no be lifted so: the older row is emptied, and runs out.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use headgate_domain::identity::Pseudonym;
use headgate_domain::lane::PURPOSES;
use headgate_domain::time::Timestamp;

use super::{Suppression, since};
use crate::AwsError;
use crate::item::{Attributes, Item, batch_get, n, s, transact};

/// How the no was said that came last.
const METHOD: &str = "method";
const PURPOSES_SET: &str = "purposes";

impl Suppression {
    /// The entries under some keys.
    ///
    /// # Errors
    /// [`AwsError`] when the list cannot be read.
    pub(crate) async fn entries(&self, keys: &[Pseudonym]) -> Result<Vec<Item>, AwsError> {
        let keys = keys
            .iter()
            .map(|key| [("pk".to_owned(), s(key.as_str()))].into());
        let items = batch_get(&self.client, &self.table, keys.collect()).await?;
        Ok(items.into_iter().filter(says_something).collect())
    }

    /// Moves an entry as it was read to another key; `false` when either has changed meanwhile.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub(crate) async fn move_entry(
        &self,
        entry: &Item,
        to: &Pseudonym,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let there = self.entries(std::slice::from_ref(to)).await?;
        let there = there.into_iter().next().unwrap_or_default();
        let filled = self.filled(entry, &there, to)?;
        let updates = filled.into_iter().chain([self.emptied(entry, now)?]);
        let items = updates.map(|update| TransactWriteItem::builder().update(update).build());
        transact(&self.client, items.collect()).await
    }

    /// The newer row with what the older says, too: of each purpose the later no. Nothing, when it says all of it.
    fn filled(
        &self,
        entry: &Item,
        there: &Item,
        to: &Pseudonym,
    ) -> Result<Option<Update>, AwsError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(to.as_str()));
        let (mut set, mut as_read) = (Vec::new(), Vec::new());
        for (index, purpose) in PURPOSES.into_iter().enumerate() {
            let name = since(purpose);
            let [old, new] = [entry, there].map(|item| item.number(&name));
            update = update.expression_attribute_names(format!("#a{index}"), &name);
            match new {
                Some(at) => {
                    as_read.push(format!("#a{index} = :n{index}"));
                    update = update.expression_attribute_values(format!(":n{index}"), n(at));
                }
                None => as_read.push(format!("attribute_not_exists(#a{index})")),
            }
            if let Some(at) = old.filter(|at| new.is_none_or(|new| new < *at)) {
                set.push(format!("#a{index} = :o{index}"));
                update = update.expression_attribute_values(format!(":o{index}"), n(at));
            }
        }
        if let Some(method) = entry.text(METHOD).filter(|_method| !set.is_empty()) {
            set.push("#m = :m".to_owned());
            update = update
                .expression_attribute_names("#m", METHOD)
                .expression_attribute_values(":m", s(method));
        }
        let mut expression = String::new();
        if !set.is_empty() {
            expression = format!("SET {}", set.join(", "));
        }
        if !entry.set(PURPOSES_SET).is_empty() {
            expression.push_str(" ADD purposes :p");
            let purposes = AttributeValue::Ss(entry.set(PURPOSES_SET).to_vec());
            update = update.expression_attribute_values(":p", purposes);
        }
        if expression.is_empty() {
            return Ok(None);
        }
        update
            .update_expression(expression.trim_start())
            .condition_expression(as_read.join(" AND "))
            .build()
            .map(Some)
            .map_err(|_build| AwsError::new("TransactWriteItems", "request not built"))
    }

    /// The older row without anything.
    fn emptied(&self, entry: &Item, now: Timestamp) -> Result<Update, AwsError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(entry.text("pk").unwrap_or_default()))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#m", METHOD)
            .expression_attribute_values(":now", n(now.seconds()));
        let (mut remove, mut as_read) = (vec![PURPOSES_SET.to_owned(), "#m".to_owned()], vec![]);
        for (index, purpose) in PURPOSES.into_iter().enumerate() {
            let (name, value) = (since(purpose), format!(":a{index}"));
            remove.push(format!("#a{index}"));
            update = update.expression_attribute_names(format!("#a{index}"), &name);
            match entry.number(&name) {
                Some(at) => {
                    as_read.push(format!("#a{index} = {value}"));
                    update = update.expression_attribute_values(value, n(at));
                }
                None => as_read.push(format!("attribute_not_exists(#a{index})")),
            }
        }
        match entry.get(PURPOSES_SET) {
            Some(purposes) => {
                as_read.push("purposes = :p".to_owned());
                update = update.expression_attribute_values(":p", purposes.clone());
            }
            None => as_read.push("attribute_not_exists(purposes)".to_owned()),
        }
        update
            .update_expression(format!("SET #ttl = :now REMOVE {}", remove.join(", ")))
            .condition_expression(as_read.join(" AND "))
            .build()
            .map_err(|_build| AwsError::new("TransactWriteItems", "request not built"))
    }
}

/// Whether a row says anything of anybody: one that was emptied stands until it runs out.
fn says_something(item: &Item) -> bool {
    let since = PURPOSES.map(since);
    !item.set(PURPOSES_SET).is_empty() || since.iter().any(|name| item.contains_key(name))
}
