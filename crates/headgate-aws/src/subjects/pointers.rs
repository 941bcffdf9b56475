//! Where the pointer of an identifier stands: under one name, but while one pepper follows another under the old or the
//! new one.
//!
//! A pointer is moved whole, in one transaction, from the old name to the new one and never back. So whoever finds none
//! looks under the new name once more, and whoever writes a new one asks that none stands under the other name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use headgate_domain::identity::{Identifier, SubjectId};
use headgate_domain::time::Timestamp;

use super::Subjects;
use super::identifiers::{changed_since, subject_in};
use crate::item::{Attributes, Item, batch_get, batch_get_some, changed, key, transact};
use crate::peppers::Peppers;
use crate::{Aws, AwsError};

/// The pointer of an identifier, or where a new one would stand.
pub(super) struct Pointer {
    /// The partition it stands in.
    pub(super) pk: String,
    /// The pointer, if there is one.
    pub(super) standing: Option<Item>,
    /// Where another would have to be absent for a new one.
    pub(super) other: Option<String>,
}

impl Pointer {
    /// The name it stands under.
    pub(super) fn name(&self) -> &str {
        name_in(&self.pk).unwrap_or_default()
    }

    pub(super) fn subject(&self, name: &str) -> Option<SubjectId> {
        subject_in(self.standing.as_ref()?, name)
    }

    pub(super) fn changed_since(&self, at: Timestamp) -> bool {
        let standing = self.standing.as_ref();
        standing.is_some_and(|item| changed_since(item, at))
    }
}

/// The name in a partition of pointers.
pub(super) fn name_in(pk: &str) -> Option<&str> {
    pk.strip_prefix("I#")
}

/// The partition of a name.
pub(super) fn partition(name: &str) -> String {
    format!("I#{name}")
}

impl Subjects {
    /// The pointer of an identifier.
    pub(super) async fn pointer(&self, identifier: &Identifier) -> Result<Pointer, AwsError> {
        let one = std::slice::from_ref(identifier);
        let standing = self.pointers(one).await?.into_values().next();
        let new = self.new_pointer(identifier);
        let stands_at = standing.as_ref().and_then(|item| item.text("pk"));
        Ok(Pointer {
            pk: stands_at.map_or(new.pk, str::to_owned),
            standing,
            other: new.other,
        })
    }

    /// Where the pointer of an identifier that has none is written.
    pub(super) fn new_pointer(&self, identifier: &Identifier) -> Pointer {
        let pk = partition(self.peppers.new_pointer(identifier).as_str());
        let names = self.names(identifier).into_iter();
        let other = names.map(|name| partition(&name)).find(|name| *name != pk);
        Pointer {
            pk,
            standing: None,
            other,
        }
    }

    /// The name that the pointer of an identifier stands under; with one pepper there is one.
    pub(super) async fn name_in_force(&self, identifier: &Identifier) -> Result<String, AwsError> {
        let new = self.new_pointer(identifier);
        let pointer = match new.other {
            Some(_) => self.pointer(identifier).await?,
            None => new,
        };
        Ok(pointer.name().to_owned())
    }

    /// The pointers of several identifiers; those that have none are absent.
    pub(super) async fn pointers<'a>(
        &self,
        identifiers: &'a [Identifier],
    ) -> Result<HashMap<&'a Identifier, Item>, AwsError> {
        let read = |keys| batch_get(&self.client, &self.table, keys);
        find(&self.peppers, identifiers, read).await
    }

    /// Writes a pointer that is as it was found; `false` when it is not any more.
    pub(super) async fn write_pointer(
        &self,
        pointer: &Pointer,
        update: UpdateBuilder,
        as_seen: &str,
    ) -> Result<bool, AwsError> {
        let update = self.pointer_update(pointer, update, as_seen)?;
        let Some(absent) = self.pointer_absent(pointer)? else {
            let call = self
                .client
                .update_item()
                .table_name(update.table_name)
                .set_key(Some(update.key))
                .update_expression(update.update_expression)
                .set_condition_expression(update.condition_expression)
                .set_expression_attribute_values(update.expression_attribute_values);
            return changed(call).await;
        };
        let update = TransactWriteItem::builder().update(update).build();
        transact(&self.client, vec![update, absent]).await
    }

    /// The update of a pointer where it stands, or of a new one.
    pub(super) fn pointer_update(
        &self,
        pointer: &Pointer,
        update: UpdateBuilder,
        as_seen: &str,
    ) -> Result<Update, AwsError> {
        let still = if pointer.standing.is_some() {
            " AND attribute_exists(pk)"
        } else {
            ""
        };
        update
            .table_name(&self.table)
            .set_key(Some(key(&pointer.pk, "I")))
            .condition_expression(format!("{as_seen}{still}"))
            .build()
            .map_err(|_build| AwsError::new("UpdateItem", "request not built"))
    }

    /// What has to hold for a new pointer: that none stands under the other name.
    pub(super) fn pointer_absent(
        &self,
        pointer: &Pointer,
    ) -> Result<Option<TransactWriteItem>, AwsError> {
        let (None, Some(other)) = (&pointer.standing, &pointer.other) else {
            return Ok(None);
        };
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key(other, "I")))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|_build| AwsError::new("TransactWriteItems", "request not built"))?;
        Ok(Some(
            TransactWriteItem::builder().condition_check(check).build(),
        ))
    }
}

/// The pointers of identifiers.
async fn find<'a, F>(
    peppers: &Peppers,
    identifiers: &'a [Identifier],
    read: impl Fn(Vec<Item>) -> F,
) -> Result<HashMap<&'a Identifier, Item>, AwsError>
where
    F: Future<Output = Result<Vec<Item>, AwsError>>,
{
    let mut names: HashMap<String, &Identifier> = HashMap::new();
    let mut newest = HashMap::new();
    for identifier in identifiers {
        for (index, name) in peppers.pointers(identifier).iter().enumerate() {
            let pk = partition(name.as_str());
            if index == 0 {
                newest.insert(identifier, pk.clone());
            }
            names.insert(pk, identifier);
        }
    }
    let keys = names.keys().map(|pk| key(pk.as_str(), "I")).collect();
    let mut items = read(keys).await?;
    if names.len() > newest.len() {
        // One that was moved between the two reads of it was found under neither name.
        let found: Vec<&Identifier> = items
            .iter()
            .filter_map(|item| whose(item, &names))
            .collect();
        let missed = newest
            .iter()
            .filter(|(identifier, _)| !found.contains(identifier));
        let keys: Vec<Item> = missed.map(|(_, pk)| key(pk.as_str(), "I")).collect();
        items.extend(read(keys).await?);
    }
    let found = items.into_iter().filter_map(|item| {
        let identifier = whose(&item, &names)?;
        Some((identifier, item))
    });
    Ok(found.collect())
}

fn whose<'a>(item: &Item, names: &HashMap<String, &'a Identifier>) -> Option<&'a Identifier> {
    names.get(item.text("pk")?).copied()
}

/// Who an identifier leads to, for whoever may open nothing: the pepper alone finds the pointer.
#[derive(Clone)]
pub struct Pointers {
    client: aws_sdk_dynamodb::Client,
    table: String,
    peppers: Peppers,
}

impl Pointers {
    /// The pointers in the subjects table.
    pub fn new(aws: &Aws, table: &str, peppers: Peppers) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            peppers,
        }
    }

    /// Reads again which pepper is in force.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn refresh(&self, now: Timestamp) -> Result<(), AwsError> {
        self.peppers.refresh(now).await
    }

    /// The subject of an identifier, if there is one.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, identifier: &Identifier) -> Result<Option<SubjectId>, AwsError> {
        let one = std::slice::from_ref(identifier);
        // No more of it: a person who asks by hand may read nothing else.
        let read = |keys| batch_get_some(&self.client, &self.table, keys, "pk, sk, subject");
        let found = find(&self.peppers, one, read).await?;
        let mut pointers = found.into_values();
        Ok(pointers
            .next()
            .and_then(|pointer| subject_in(&pointer, "subject")))
    }
}
