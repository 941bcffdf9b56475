//! Whom a link to confirm asks, and for what: written by intake when it has recorded the request.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::confirm_link::{LinkRow, was_refused};
use headgate_domain::consent::{NoticeId, Subject, Topic};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;

use crate::item::{Attributes, Item, batch_get, key, ms, n, s};
use crate::{Aws, AwsError};

const SORT: &str = "link";

/// What a link asks of a person. Names them by their random id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// Whom.
    pub subject: SubjectId,
    /// For what, each with the ledger's event of the request.
    pub asked: Vec<(Purpose, Option<Topic>, String)>,
    /// The wording they agreed to, which is sealed with each of these events.
    pub notice: NoticeId,
    /// In which language.
    pub locale: Option<String>,
    /// When, as was attested, they agreed to it.
    pub attested_at: Timestamp,
}

impl LinkRequest {
    /// Whether the person, as they stand now, has said no to it since they agreed.
    pub fn is_refused(&self, subject: &Subject, purpose: Purpose, topic: Option<&Topic>) -> bool {
        let said = [subject.consent(purpose), subject.consent_to(purpose, topic)];
        said.into_iter()
            .any(|said| was_refused(said, self.attested_at))
    }

    /// What of it the person, as they stand now, has not refused since.
    pub fn open<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> impl Iterator<Item = &'a (Purpose, Option<Topic>, String)> {
        self.asked
            .iter()
            .filter(|(purpose, topic, _event)| !self.is_refused(subject, *purpose, topic.as_ref()))
    }
}

/// The requests of links.
#[derive(Clone)]
pub struct LinkRequests {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl LinkRequests {
    /// The requests in the subjects table.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Writes down what a link asks; writing it again changes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put(
        &self,
        row: &LinkRow,
        request: &LinkRequest,
        forget_at: Timestamp,
    ) -> Result<(), AwsError> {
        super::erasing::note_about(&self.client, &self.table, &request.subject, row.as_str())
            .await?;
        let mut item = of(row);
        item.insert("subject".to_owned(), s(request.subject.as_str()));
        let asked = request.asked.iter().map(|(purpose, topic, event)| {
            let topic = topic.as_ref().map_or("", Topic::as_str);
            s(format!("{purpose}#{topic}#{event}"))
        });
        item.insert("asked".to_owned(), AttributeValue::L(asked.collect()));
        item.insert("notice".to_owned(), s(request.notice.as_str()));
        if let Some(locale) = &request.locale {
            item.insert("locale".to_owned(), s(locale.as_str()));
        }
        item.insert("attested_at".to_owned(), ms(request.attested_at));
        item.insert("ttl".to_owned(), n(forget_at.seconds()));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// What a link asks, read consistently; `None` when nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, row: &LinkRow) -> Result<Option<LinkRequest>, AwsError> {
        let items = batch_get(&self.client, &self.table, vec![of(row)]).await?;
        Ok(items.first().and_then(read))
    }
}

fn of(row: &LinkRow) -> Item {
    key(row.as_str(), SORT)
}

fn read(item: &Item) -> Option<LinkRequest> {
    let asked = item.get("asked")?.as_l().ok()?.iter().map(|entry| {
        let mut parts = entry.as_s().ok()?.splitn(3, '#');
        let purpose = Purpose::from_word(parts.next()?)?;
        let topic = match parts.next()? {
            "" => None,
            name => Some(Topic::parse(name).ok()?),
        };
        Some((purpose, topic, parts.next()?.to_owned()))
    });
    Some(LinkRequest {
        subject: SubjectId::parse(item.text("subject")?).ok()?,
        asked: asked.collect::<Option<Vec<_>>>()?,
        notice: NoticeId::parse(item.text("notice")?).ok()?,
        locale: item.text("locale").map(str::to_owned),
        attested_at: item.time("attested_at")?,
    })
}
