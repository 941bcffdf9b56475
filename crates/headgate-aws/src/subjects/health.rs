//! A person's health in their row: read with the rest, folded when a notification says something.
//!
//! Whether it keeps a message back is decided in `headgate_domain`. An erased row stays erased.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::health::{Fact, Health};
use headgate_domain::identity::SubjectId;
use headgate_domain::time::Timestamp;

use super::Subjects;
use crate::AwsError;
use crate::item::{Attributes, Item, key, ms, n};

/// Notifications about one person come a few at a time, so a few tries are enough.
const HEALTH_TRIES: usize = 5;

impl Subjects {
    /// Folds what a notification said about a message to the person into their health; `at` is when it
    /// happened, by Meta's clock, so that the same notification coming again counts once.
    ///
    /// Good news about a person nothing bad is known of costs a read and no write. A row that was erased stays
    /// erased.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be reached, or others kept writing.
    pub async fn note_health(
        &self,
        subject: &SubjectId,
        fact: Fact,
        at: Timestamp,
    ) -> Result<(), AwsError> {
        for _try in 0..HEALTH_TRIES {
            let Some(item) = self.get(key(format!("S#{subject}"), "S")).await? else {
                return Ok(());
            };
            let before = item.get("health");
            let was = health_of(&item);
            let is = was.after(fact, at);
            if is == was {
                return Ok(());
            }
            let mut call = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key(format!("S#{subject}"), "S")))
                .expression_attribute_names("#h", "health");
            call = match before {
                None => {
                    call.condition_expression("attribute_exists(pk) AND attribute_not_exists(#h)")
                }
                Some(before) => call
                    .condition_expression("#h = :before")
                    .expression_attribute_values(":before", before.clone()),
            };
            call = if is.is_good() {
                call.update_expression("REMOVE #h")
            } else {
                call.update_expression("SET #h = :h")
                    .expression_attribute_values(":h", health_value(&is))
            };
            match call
                .send()
                .await
                .map_err(|e| AwsError::of("UpdateItem", &e))
            {
                Ok(_) => return Ok(()),
                // Another notification about the same person was faster: fold into what it left.
                Err(e) if e.is("ConditionalCheckFailedException") => {}
                Err(e) => return Err(e),
            }
        }
        Err(AwsError::new("noting a person's health", "contended"))
    }
}

/// What is stored of a person's health; nothing stored is good health.
pub(super) fn health_of(item: &Item) -> Health {
    let Some(map) = item.get("health").and_then(|v| v.as_m().ok()) else {
        return Health::default();
    };
    let count = |name: &str| {
        map.number(name)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0)
    };
    Health {
        undeliverable: count("undeliverable"),
        failures: count("failures"),
        held_back: count("held_back"),
        failed_at: map.time("failed_at"),
        held_back_at: map.time("held_back_at"),
    }
}

fn health_value(health: &Health) -> AttributeValue {
    let mut map = Item::from([
        ("undeliverable".to_owned(), n(health.undeliverable)),
        ("failures".to_owned(), n(health.failures)),
        ("held_back".to_owned(), n(health.held_back)),
    ]);
    let times = [
        ("failed_at", health.failed_at),
        ("held_back_at", health.held_back_at),
    ];
    for (name, at) in times {
        if let Some(at) = at {
            map.insert(name.to_owned(), ms(at));
        }
    }
    AttributeValue::M(map)
}
