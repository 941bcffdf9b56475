//! The question that a person was asked in the chat, on the person's row.
//!
//! One at a time: another one is put only when the one before has closed by itself, and the same one, when
//! its message comes again, is found and not put twice.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::consent::{NoticeId, OPEN_MS, Question, Topic};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;

use super::Subjects;
use crate::AwsError;
use crate::item::{Attributes, Item, key, ms, s};

/// The attribute that holds it.
const ASKED: &str = "asked";

/// The question in a row.
pub(super) fn read(item: &Item) -> Option<Question> {
    let map = item.get(ASKED)?.as_m().ok()?;
    let text = |name: &str| map.text(name).map(str::to_owned);
    let topics = map.text("topics").unwrap_or_default();
    Some(Question {
        at: map.time("at")?,
        entry: text("entry")?,
        method: text("method")?,
        message: text("message")?,
        token: text("token")?,
        purpose: Purpose::from_word(map.text("purpose")?)?,
        // A topic that cannot be read must not turn the question into one about everything.
        topics: topics
            .split_whitespace()
            .map(|name| Topic::parse(name).ok())
            .collect::<Option<_>>()?,
        notice: NoticeId::parse(map.text("notice")?).ok()?,
        locale: text("locale")?,
        origin: text("origin")?,
    })
}

fn value(question: &Question) -> AttributeValue {
    let topics: Vec<&str> = question.topics.iter().map(Topic::as_str).collect();
    AttributeValue::M(Item::from([
        ("at".to_owned(), ms(question.at)),
        ("entry".to_owned(), s(question.entry.as_str())),
        ("method".to_owned(), s(question.method.as_str())),
        ("message".to_owned(), s(question.message.as_str())),
        ("token".to_owned(), s(question.token.as_str())),
        ("purpose".to_owned(), s(question.purpose.word())),
        ("topics".to_owned(), s(topics.join(" "))),
        ("notice".to_owned(), s(question.notice.as_str())),
        ("locale".to_owned(), s(question.locale.as_str())),
        ("origin".to_owned(), s(question.origin.as_str())),
    ]))
}

impl Subjects {
    /// Notes that the person is asked; `false` when they were asked something else within a day, before or
    /// after.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_question(
        &self,
        subject: &SubjectId,
        question: &Question,
    ) -> Result<bool, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("S#{subject}"), "S")))
            .update_expression("SET #asked = :asked")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#asked) OR #asked.#at < :since)",
            )
            .expression_attribute_names("#asked", ASKED)
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":asked", value(question))
            .expression_attribute_values(":since", ms(question.at.plus_millis(-OPEN_MS)))
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(_) => Ok(true),
            // The same message again, or our own write that was repeated.
            Err(e) if e.is("ConditionalCheckFailedException") => {
                let states = self.states(std::slice::from_ref(subject)).await?;
                let known = states.first().and_then(|state| state.asked.as_ref());
                Ok(known.is_some_and(|known| known.message == question.message))
            }
            Err(e) => Err(e),
        }
    }
}
