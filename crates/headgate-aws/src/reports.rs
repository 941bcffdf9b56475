//! Reports: counting the messages of a day, and what was told of it.
//!
//! Reads of a message the day, the template and the state, and no more, so that the role of whoever reports needs no
//! more. What is told of a day is written once: whoever comes second tells the same. What may be told is
//! `headgate_domain::report`'s.

use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_domain::report::{DayReport, kept_until};
use headgate_domain::time::{Day, Timestamp};

use crate::item::{Attributes, Item, key, ms, n, put_if_new, s};
use crate::outbox::walk;
use crate::{Aws, AwsError};

/// The rows of days that were told.
const REPORT: &str = "report";

/// Messages to be counted, and what was told of their days.
#[derive(Clone)]
pub struct Reports {
    client: aws_sdk_dynamodb::Client,
    messages: String,
    controls: String,
}

impl Reports {
    /// The tables of these names.
    pub fn new(aws: &Aws, messages: &str, controls: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            messages: messages.to_owned(),
            controls: controls.to_owned(),
        }
    }

    /// Every message of an outbox partition that was accepted on the days from one to another, both included: its day,
    /// its template, and where it stands.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read; what was told until then is part of it.
    pub async fn messages(
        &self,
        partition: (&str, Purpose, u8),
        (first, last): (Day, Day),
        mut told: impl FnMut(Day, Option<&str>, State),
    ) -> Result<(), AwsError> {
        let table = (&self.client, self.messages.as_str());
        let times = (first.start(), last.plus(1).start());
        walk(
            table,
            partition,
            times,
            &["day", "template", "state"],
            |item| {
                let day = item.text("day").and_then(|day| Day::parse(day).ok());
                let state = item.text("state").and_then(State::from_word);
                if let Some((day, state)) = day.zip(state) {
                    told(day, item.text("template"), state);
                }
            },
        )
        .await
    }

    /// What was told of a day; `None` when nothing was, or it is past its time.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read, or what it holds is no report.
    pub async fn told(&self, day: Day, now: Timestamp) -> Result<Option<DayReport>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.controls)
            .set_key(Some(key(REPORT, day.to_string())))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let item = answer.item.filter(|_item| now < kept_until(day));
        item.as_ref().map(report_of).transpose()
    }

    /// Tells a day; what stands, which is what was told first.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it, or what it holds is no report.
    pub async fn tell(&self, day: Day, report: &DayReport) -> Result<DayReport, AwsError> {
        let json = serde_json::to_string(report)
            .map_err(|_json| AwsError::new("writing a report", "not JSON"))?;
        let mut item = key(REPORT, day.to_string());
        item.insert("json".to_owned(), s(json));
        item.insert("at".to_owned(), ms(report.counted_at));
        item.insert("ttl".to_owned(), n(kept_until(day).seconds()));
        match put_if_new(&self.client, &self.controls, item).await? {
            Some(first) => report_of(&first),
            None => Ok(report.clone()),
        }
    }
}

fn report_of(item: &Item) -> Result<DayReport, AwsError> {
    let json = item.text("json").unwrap_or_default();
    serde_json::from_str(json).map_err(|_quotes_it| AwsError::new("reading a report", "not one"))
}
