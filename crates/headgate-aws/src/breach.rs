//! Counting what a breach reached: whose messages of a time are in the table, and from which countries people
//! are. Opens nothing: it reads neither a number nor a key, only ids, days and countries, attribute by attribute, so
//! that the role of whoever counts needs no more.
//!
//! `everybody` scans. It is the one question here that is about a whole table, it is asked by a person after a breach
//! and by no function, and it brings back countries and nothing to join them with.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::Select;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::region::Country;
use headgate_domain::retention::sweep_digit;
use headgate_domain::time::{Day, Timestamp};

use crate::item::{Attributes, Item, batch_get_some, key, s};
use crate::outbox::walk;
use crate::{Aws, AwsError};

/// A person's row, by its sort key.
const PERSON: &str = "S";
/// What somebody wrote, by its sort key.
const INBOUND: &str = "N";
/// What is read of it, and all that whoever counts may read.
const COUNTED: &str = "pk, sk, same_as, phone_country, bsuid_country";

/// A message, as far as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whom it was for, or who wrote it.
    pub subject: Option<SubjectId>,
    /// Under which day's key it is sealed.
    pub day: Option<Day>,
}

/// Who somebody is counted as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The person, or who stands for them.
    pub person: SubjectId,
    /// The country of what they are known by.
    pub country: Option<Country>,
}

/// The two tables, to be counted in.
#[derive(Clone)]
pub struct Census {
    client: aws_sdk_dynamodb::Client,
    messages: String,
    subjects: String,
}

impl Census {
    /// The tables of these names.
    pub fn new(aws: &Aws, messages: &str, subjects: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            messages: messages.to_owned(),
            subjects: subjects.to_owned(),
        }
    }

    /// Every message of an outbox partition that was accepted from one moment to before another, page by page.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read; what was told until then is part of it.
    pub async fn outbox(
        &self,
        (number, lane, shard): (&str, Purpose, u8),
        (from, until): (Timestamp, Timestamp),
        mut told: impl FnMut(Counted),
    ) -> Result<(), AwsError> {
        let table = (&self.client, self.messages.as_str());
        walk(
            table,
            (number, lane, shard),
            (from, until),
            &["subject", "day"],
            |item| {
                told(Counted {
                    subject: item
                        .text("subject")
                        .and_then(|id| SubjectId::parse(id).ok()),
                    day: item.text("day").and_then(|day| Day::parse(day).ok()),
                });
            },
        )
        .await
    }

    /// Everything that people wrote on the days from one to another, both included, of one part of the index by day.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read; what was told until then is part of it.
    pub async fn inbound(
        &self,
        shard: u8,
        (first, last): (Day, Day),
        mut told: impl FnMut(Counted),
    ) -> Result<(), AwsError> {
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.messages)
                .index_name("by_day")
                .key_condition_expression("sweep = :digit AND #day BETWEEN :first AND :last")
                .filter_expression("begins_with(pk, :inbound)")
                .expression_attribute_names("#day", "day")
                .expression_attribute_values(":digit", s(sweep_digit(shard)))
                .expression_attribute_values(":first", s(first.to_string()))
                .expression_attribute_values(":last", s(last.to_string()))
                .expression_attribute_values(":inbound", s("N#"))
                .select(Select::SpecificAttributes)
                .projection_expression("pk, sk, #day")
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| AwsError::of("Query", &e))?;
            let found = answer.items.unwrap_or_default();
            let days: HashMap<&str, Option<Day>> = found
                .iter()
                .filter_map(|item| Some((item.text("pk")?, Day::parse(item.text("day")?).ok())))
                .collect();
            let keys = days.keys().map(|pk| key(*pk, INBOUND)).collect();
            let rows =
                batch_get_some(&self.client, &self.messages, keys, "pk, sk, subject").await?;
            for row in rows {
                told(Counted {
                    subject: row.text("subject").and_then(|id| SubjectId::parse(id).ok()),
                    day: row
                        .text("pk")
                        .and_then(|pk| days.get(pk).copied().flatten()),
                });
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// The country of every person there is, page by page; none where it is not known. Who another stands for is not
    /// told twice.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read; what was told until then is part of it.
    pub async fn everybody(&self, mut told: impl FnMut(Option<Country>)) -> Result<(), AwsError> {
        let mut start = None;
        loop {
            let answer = self
                .client
                .scan()
                .table_name(&self.subjects)
                .filter_expression("sk = :person AND attribute_not_exists(same_as)")
                .expression_attribute_values(":person", s(PERSON))
                .select(Select::SpecificAttributes)
                .projection_expression("sk, same_as, phone_country, bsuid_country")
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| AwsError::of("Scan", &e))?;
            for item in answer.items.unwrap_or_default() {
                told(country_of(&item));
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Who each of up to any number of people is counted as; who was erased is absent.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn places(
        &self,
        people: &[SubjectId],
    ) -> Result<HashMap<SubjectId, Placed>, AwsError> {
        let mut found = HashMap::with_capacity(people.len());
        for block in people.chunks(100) {
            let rows = self.rows(block).await?;
            let standing: Vec<SubjectId> = rows.values().filter_map(stands_for).collect();
            let standing = self.rows(&standing).await?;
            for (subject, row) in rows {
                // Where who stands for somebody was erased, so is that somebody.
                let place = match stands_for(&row) {
                    Some(other) => standing.get(&other).map(|row| (other, country_of(row))),
                    None => Some((subject.clone(), country_of(&row))),
                };
                if let Some((person, country)) = place {
                    found.insert(subject, Placed { person, country });
                }
            }
        }
        Ok(found)
    }

    async fn rows(&self, people: &[SubjectId]) -> Result<HashMap<SubjectId, Item>, AwsError> {
        let mut wanted = people.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .map(|subject| key(format!("S#{subject}"), PERSON))
            .collect();
        let items = batch_get_some(&self.client, &self.subjects, keys, COUNTED).await?;
        let named = items.into_iter().filter_map(|item| {
            let subject = SubjectId::parse(item.text("pk")?.strip_prefix("S#")?).ok()?;
            Some((subject, item))
        });
        Ok(named.collect())
    }
}

fn stands_for(row: &Item) -> Option<SubjectId> {
    SubjectId::parse(row.text("same_as")?).ok()
}

fn country_of(row: &Item) -> Option<Country> {
    let country = |field| Country::parse(row.text(field)?).ok();
    country("phone_country").or_else(|| country("bsuid_country"))
}
