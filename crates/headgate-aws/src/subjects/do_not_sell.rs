//! The choice that somebody's data be neither sold nor shared, on the person's row: written once.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::do_not_sell::{DoNotSell, Way};
use headgate_domain::identity::SubjectId;

use super::Subjects;
use crate::AwsError;
use crate::item::{Attributes, Item, changed, ms, s};

/// The attribute that holds it.
const CHOICE: &str = "do_not_sell";

/// The choice in a row.
pub(super) fn read(item: &Item) -> Option<DoNotSell> {
    let map = item.get(CHOICE)?.as_m().ok()?;
    Some(DoNotSell {
        at: map.time("at")?,
        way: Way::from_word(map.text("method")?)?,
        source: map.text("source")?.to_owned(),
        event: map.text("event").map(str::to_owned),
    })
}

impl Subjects {
    /// Notes the choice of a person who is on record and keeps them there; what is on record then, which is an
    /// earlier choice where there is one, and nothing of somebody who is not.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_do_not_sell(
        &self,
        subject: &SubjectId,
        choice: &DoNotSell,
    ) -> Result<Option<DoNotSell>, AwsError> {
        let value = AttributeValue::M(Item::from([
            ("at".to_owned(), ms(choice.at)),
            ("method".to_owned(), s(choice.way.word())),
            ("source".to_owned(), s(choice.source.as_str())),
        ]));
        let update = self
            .row_of(subject)
            .update_expression("SET #choice = :choice REMOVE #ttl")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#choice)")
            .expression_attribute_names("#choice", CHOICE)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":choice", value);
        changed(update).await?;
        let states = self.states(std::slice::from_ref(subject)).await?;
        Ok(states
            .into_iter()
            .next()
            .and_then(|state| state.do_not_sell))
    }

    /// Notes the ledger event of it; `false` when it has one.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn prove_do_not_sell(
        &self,
        subject: &SubjectId,
        ledger_event: &str,
    ) -> Result<bool, AwsError> {
        let update = self
            .row_of(subject)
            .update_expression("SET #choice.#event = :event")
            .condition_expression(
                "attribute_exists(#choice) AND (attribute_not_exists(#choice.#event) OR #choice.#event = :event)",
            )
            .expression_attribute_names("#choice", CHOICE)
            .expression_attribute_names("#event", "event")
            .expression_attribute_values(":event", s(ledger_event));
        changed(update).await
    }
}
