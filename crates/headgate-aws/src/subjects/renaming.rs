//! Moving pointers under the names of the pepper in force, on a walk through the table.
//!
//! Whoever has a row has their identifiers sealed in it, so every name can be made anew. A pointer is moved whole, with
//! the row that says by which names an erasure finds it, or not at all; what changed since it was read is met again in
//! the next round. A pointer that leads to nobody is dropped.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, Select, TransactWriteItem, Update};
use headgate_domain::identity::{Identifier, Pseudonym, SubjectId};
use headgate_domain::time::{DAY, Timestamp};

use super::erasing::ABOUT;
use super::identifiers::subject_in;
use super::pointers::{name_in, partition};
use super::resealing::{Cursor, Walked};
use super::{Subjects, calendar};
use crate::AwsError;
use crate::item::{Attributes, Item, batch_get, changed, key, taken, transact};
use crate::keyring::{KeyringError, Salt};

/// Rows that are read at a time: their salts are one request.
const PAGE: i32 = 100;
/// What of a row the walk reads.
const READ: &str = "pk, sk, subject, was, changed_at, idents, #about, phone, bsuid";
/// What a pointer says.
const SAYS: [&str; 3] = ["subject", "was", "changed_at"];
/// Who had an identifier before is of use as long as Meta repeats what was said then, seven days, and a day.
const LATE_MS: i64 = 8 * DAY;

/// What one page of the walk came to.
#[derive(Debug, Default)]
pub struct Renamed {
    /// The people on it, those among them with something under an older name, and those of whom it stays there.
    pub walked: Walked,
    /// Whoever was opened.
    pub identifiers: Vec<Identifier>,
}

impl Subjects {
    /// Moves what is found on one page of the table, in the order that the table has. Who is named by the newest pepper
    /// alone is opened only if everybody is asked for.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; the page can be walked again.
    pub async fn rename_page(
        &self,
        after: Option<&Cursor>,
        everybody: bool,
        now: Timestamp,
    ) -> Result<Renamed, KeyringError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .projection_expression(READ)
            .expression_attribute_names("#about", ABOUT)
            .select(Select::SpecificAttributes)
            .limit(PAGE)
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|after| key(&after.pk, &after.sk)))
            .send()
            .await
            .map_err(|e| AwsError::of("Scan", &e))?;
        let mut page = Renamed::default();
        page.walked.next = answer.last_evaluated_key.as_ref().and_then(Cursor::of);
        let items = answer.items.unwrap_or_default();
        let (people, others): (Vec<Item>, Vec<Item>) = items
            .into_iter()
            .partition(|item| item.text("sk") == Some("S"));
        page.walked.rows = people.len().try_into().unwrap_or(u64::MAX);
        let pointers: Vec<Item> = others
            .into_iter()
            .filter(|item| self.is_older(item))
            .collect();
        Box::pin(self.rename_pointers(&pointers, &mut page, now)).await?;
        let opened = people.iter().filter(|row| everybody || self.has_older(row));
        let opened: Vec<&Item> = opened.collect();
        let ids: Vec<SubjectId> = opened.iter().filter_map(|row| whose(row)).collect();
        let salts = self.keyring.salts(&ids).await?;
        for row in opened {
            let known = self.known(row, &salts).await?;
            if self.has_older(row) {
                page.walked.older = page.walked.older.saturating_add(1);
                if !Box::pin(self.rename(row, &known)).await? {
                    page.walked.unopened = page.walked.unopened.saturating_add(1);
                }
            }
            page.identifiers.extend(known);
        }
        Ok(page)
    }

    /// Moves pointers that stand under older names, by the rows of whom they lead to, whatever these say of names.
    async fn rename_pointers(
        &self,
        pointers: &[Item],
        page: &mut Renamed,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let led = pointers.iter().filter_map(|one| subject_in(one, "subject"));
        let ids: Vec<SubjectId> = led.collect::<HashSet<_>>().into_iter().collect();
        let keys = ids.iter().map(|id| key(format!("S#{id}"), "S")).collect();
        let rows = batch_get(&self.client, &self.table, keys).await?;
        let rows: HashMap<SubjectId, &Item> = rows
            .iter()
            .filter_map(|row| Some((whose(row)?, row)))
            .collect();
        let salts = self.keyring.salts(&ids).await?;
        for pointer in pointers {
            page.walked.older = page.walked.older.saturating_add(1);
            let row = subject_in(pointer, "subject").and_then(|id| rows.get(&id));
            if let Some(row) = row {
                let known = self.known(row, &salts).await?;
                Box::pin(self.rename(row, &known)).await?;
            } else if is_of_use(pointer, now) {
                page.walked.unopened = page.walked.unopened.saturating_add(1);
                continue;
            } else {
                self.drop_pointer(pointer).await?;
                continue;
            }
            let pk = pointer.text("pk").unwrap_or_default();
            if self.get(key(pk, "I")).await?.is_some() {
                page.walked.unopened = page.walked.unopened.saturating_add(1);
            }
        }
        Ok(())
    }

    /// What somebody is known by, as far as it opens.
    async fn known(
        &self,
        row: &Item,
        salts: &HashMap<SubjectId, Salt>,
    ) -> Result<Vec<Identifier>, KeyringError> {
        let Some(salt) = whose(row).and_then(|id| salts.get(&id)) else {
            return Ok(Vec::new());
        };
        match Box::pin(self.read(row, salt)).await {
            Ok(subject) => Ok(subject.identifiers().collect()),
            Err(KeyringError::NotOpened | KeyringError::NoKey) => Ok(Vec::new()),
            Err(error @ (KeyringError::PastRetention | KeyringError::Aws(_))) => Err(error),
        }
    }

    /// Moves what leads to one person; whether nothing of them is named by an older pepper any more.
    async fn rename(&self, row: &Item, known: &[Identifier]) -> Result<bool, KeyringError> {
        let Some(id) = whose(row) else {
            return Ok(true);
        };
        for identifier in known {
            self.move_pointer(identifier, row).await?;
        }
        let idents = row.set("idents").iter();
        let older = idents.filter(|name| self.is_older_name(name)).cloned();
        let named = known
            .iter()
            .flat_map(|one| self.names(one).into_iter().skip(1));
        let older: BTreeSet<String> = older.chain(named).collect();
        let older: Vec<String> = older.into_iter().collect();
        Ok(self.forget_names(row, &id, &older, known).await?)
    }

    /// Moves the pointer of an identifier, if it stands under an older name, with what names it.
    async fn move_pointer(&self, identifier: &Identifier, row: &Item) -> Result<(), AwsError> {
        let names = self.names(identifier);
        let Some((newest, older)) = names.split_first() else {
            return Ok(());
        };
        // Before it is moved: a day of the calendar finds it whatever becomes of this.
        for noted in in_calendar(row) {
            let names = vec![newest.clone()];
            self.change_names(noted, "ADD", "pseudonyms", names).await?;
        }
        for name in older {
            let pointer = self.get(key(partition(name), "I")).await?;
            if let Some(pointer) = pointer {
                self.move_to(&pointer, newest).await?;
            }
        }
        Ok(())
    }

    async fn move_to(&self, pointer: &Item, name: &str) -> Result<(), AwsError> {
        let unbuilt = |_build| AwsError::new("TransactWriteItems", "request not built");
        let mut moved = pointer.clone();
        moved.extend(key(partition(name), "I"));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(moved))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(unbuilt)?;
        let (as_read, values) = as_read(pointer);
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key(pointer.text("pk").unwrap_or_default(), "I")))
            .condition_expression(as_read)
            .set_expression_attribute_values(values)
            .build()
            .map_err(unbuilt)?;
        let mut items = vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().delete(delete).build(),
        ];
        let named: HashSet<SubjectId> = ["subject", "was"]
            .into_iter()
            .filter_map(|who| subject_in(pointer, who))
            .collect();
        for subject in named {
            let its = key(format!("S#{subject}"), "S");
            // A row that has run out names nothing; that of who has it now may be on its way.
            if self.get(its.clone()).await?.is_none() {
                if subject_in(pointer, "subject").as_ref() == Some(&subject) {
                    return Ok(());
                }
                continue;
            }
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(its))
                .update_expression("ADD idents :name")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":name", AttributeValue::Ss(vec![name.to_owned()]))
                .build()
                .map_err(unbuilt)?;
            items.push(TransactWriteItem::builder().update(update).build());
        }
        // Not taken: somebody wrote there meanwhile.
        transact(&self.client, items).await.map(|_taken| ())
    }

    /// Takes names off a person's row, and off the calendar, under which no pointer stands any more; whether that was
    /// all of them.
    async fn forget_names(
        &self,
        row: &Item,
        id: &SubjectId,
        older: &[String],
        known: &[Identifier],
    ) -> Result<bool, AwsError> {
        let own = || key(format!("S#{id}"), "S");
        for (identifier, pointer) in self.pointers(known).await? {
            let name = pointer.text("pk").and_then(name_in).unwrap_or_default();
            let leads_here = ["subject", "was"]
                .into_iter()
                .any(|who| subject_in(&pointer, who).as_ref() == Some(id));
            if leads_here && self.names(identifier).first().map(String::as_str) == Some(name) {
                let name = name.to_owned();
                self.change_names(own(), "ADD", "idents", vec![name])
                    .await?;
            }
        }
        let keys = older.iter().map(|name| key(partition(name), "I"));
        let standing = batch_get(&self.client, &self.table, keys.collect()).await?;
        let stands = |name: &String| {
            standing
                .iter()
                .any(|item| item.text("pk").and_then(name_in) == Some(name))
        };
        let gone: Vec<String> = older.iter().filter(|name| !stands(name)).cloned().collect();
        if !gone.is_empty() {
            for noted in in_calendar(row) {
                let names = gone.clone();
                self.change_names(noted, "DELETE", "pseudonyms", names)
                    .await?;
            }
            // Last: it is what the next round would find the rest by.
            self.change_names(own(), "DELETE", "idents", gone).await?;
        }
        Ok(standing.is_empty())
    }

    async fn change_names(
        &self,
        row: Item,
        change: &str,
        set: &str,
        names: Vec<String>,
    ) -> Result<(), AwsError> {
        let call = self.client.update_item().table_name(&self.table);
        let call = call
            .set_key(Some(row))
            .update_expression(format!("{change} #set :names"))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#set", set)
            .expression_attribute_values(":names", AttributeValue::Ss(names));
        changed(call).await.map(drop)
    }

    /// Drops a pointer that leads to nobody.
    async fn drop_pointer(&self, pointer: &Item) -> Result<(), AwsError> {
        let (as_read, values) = as_read(pointer);
        let call = self.client.delete_item().table_name(&self.table);
        let call = call
            .set_key(Some(key(pointer.text("pk").unwrap_or_default(), "I")))
            .condition_expression(as_read)
            .set_expression_attribute_values(values);
        let done = call.send().await;
        taken(done.map_err(|e| AwsError::of("DeleteItem", &e)))
    }

    fn has_older(&self, row: &Item) -> bool {
        row.set("idents")
            .iter()
            .any(|name| self.is_older_name(name))
    }

    fn is_older(&self, item: &Item) -> bool {
        let name = item.text("pk").and_then(name_in);
        name.is_some_and(|name| self.is_older_name(name))
    }

    fn is_older_name(&self, name: &str) -> bool {
        let version = Pseudonym::parse(name).ok().and_then(|name| name.version());
        version.is_some_and(|version| version < self.peppers.version().number())
    }
}

/// Whether a pointer that leads to nobody still says who had the identifier lately.
fn is_of_use(pointer: &Item, now: Timestamp) -> bool {
    let changed = pointer.time("changed_at");
    let is_late = changed.is_some_and(|changed| now < changed.plus_millis(LATE_MS));
    is_late && pointer.text("subject").is_none()
}

/// The condition that a pointer is as it was read.
fn as_read(pointer: &Item) -> (String, Option<HashMap<String, AttributeValue>>) {
    let mut values = HashMap::new();
    let conditions = SAYS.map(|name| match pointer.get(name) {
        Some(value) => {
            values.insert(format!(":{name}"), value.clone());
            format!("{name} = :{name}")
        }
        None => format!("attribute_not_exists({name})"),
    });
    let stands = "attribute_exists(pk) AND ";
    (
        format!("{stands}{}", conditions.join(" AND ")),
        Some(values).filter(|values| !values.is_empty()),
    )
}

/// The rows of the calendar that a person's row names.
fn in_calendar(row: &Item) -> impl Iterator<Item = Item> {
    let days = row.set(ABOUT).iter();
    days.filter_map(|day| calendar::in_calendar(day, row))
}

fn whose(item: &Item) -> Option<SubjectId> {
    SubjectId::parse(item.text("pk")?.strip_prefix("S#")?).ok()
}
