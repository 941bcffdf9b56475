//! Codes of the page: what somebody chose there, until the person's own message proves that it is theirs.
//!
//! A row names nobody. Whoever guesses a code has guessed which page to look at, and nothing of anybody.

use aws_sdk_dynamodb::types::ReturnValue;
use headgate_domain::privacy::{CODE_MS, Choice, RequestId};
use headgate_domain::system::Locale;
use headgate_domain::time::{DAY, Timestamp};

use super::PrivacyRequests;
use crate::AwsError;
use crate::item::{Attributes, Item, changed, key, n, put_if_new, s};

const SORT: &str = "code";
/// The row outlives the code: a message that was sent in time may come late. Meta repeats a notification for seven
/// days, and a dead letter is kept for fourteen.
const ROW_MS: i64 = 30 * DAY;

/// What was chosen with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The request it becomes.
    pub request: RequestId,
    /// What is asked for.
    pub choice: Choice,
    /// The language of the page.
    pub locale: Locale,
}

impl PrivacyRequests {
    /// Keeps what was chosen under the hash of its code.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_code(
        &self,
        hash: &str,
        chosen: &Chosen,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let mut item = code_key(hash);
        item.insert("request".to_owned(), s(chosen.request.as_str()));
        item.insert("choice".to_owned(), s(chosen.choice.word()));
        item.insert("locale".to_owned(), s(chosen.locale.tag()));
        let until = now.plus_millis(CODE_MS);
        item.insert("expires_at".to_owned(), n(until.seconds()));
        item.insert("ttl".to_owned(), n(now.plus_millis(ROW_MS).seconds()));
        put_if_new(&self.client, &self.table, item).await?;
        Ok(())
    }

    /// What was chosen with a code, which is used up by the message that has it; nothing when it is unknown, was used
    /// by another message, or was too old when it was sent.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn use_code(
        &self,
        hash: &str,
        sent_at: Timestamp,
        by: &str,
    ) -> Result<Option<Chosen>, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(code_key(hash)))
            .update_expression("SET used_by = :by")
            .condition_expression(
                "attribute_exists(pk) AND expires_at > :sent AND (attribute_not_exists(used_by) OR used_by = :by)",
            )
            .expression_attribute_values(":by", s(by))
            .expression_attribute_values(":sent", n(sent_at.seconds()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(answer) => Ok(answer.attributes.as_ref().and_then(read)),
            Err(e) if e.is("ConditionalCheckFailedException") => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Notes that what a code asked for was asked for already: whoever sends the same message again, however late,
    /// means that request.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn join_code(&self, hash: &str, standing: &RequestId) -> Result<(), AwsError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(code_key(hash)))
            .update_expression("SET #request = :standing")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":standing", s(standing.as_str()));
        changed(update).await.map(drop)
    }
}

fn code_key(hash: &str) -> Item {
    key(format!("code#{hash}"), SORT)
}

fn read(item: &Item) -> Option<Chosen> {
    Some(Chosen {
        request: RequestId::parse(item.text("request")?).ok()?,
        choice: Choice::from_word(item.text("choice")?)?,
        locale: Locale::from_tag(item.text("locale")?)?,
    })
}
