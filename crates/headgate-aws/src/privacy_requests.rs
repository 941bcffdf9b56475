//! Requests of people about their data: where each stands, what is to be done when, and what was erased.
//!
//! A person has one open request of a kind: who asks again while one is open asks for the same. What is to be done
//! stands in one agenda by time, so nothing depends on a message that arrives on time. The table has no recovery:
//! so the journal of erasures outlives every backup of the others, and a restored table is erased again from it.

mod calendar;
mod codes;
mod exports;
mod holds;
mod journal;
mod replay;
mod walk;

pub use codes::Chosen;
pub use exports::Export;
pub use journal::{Entry, Tombstone};
pub use replay::Replay;
pub use walk::{Errand, Walk};

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{Denial, Extension, KEPT_MS, RequestId, State, Task};
use headgate_domain::profiles::Right;
use headgate_domain::system::Locale;
use headgate_domain::time::Timestamp;

use crate::item::{Attributes, Item, key, ms, n, s, taken, was_taken};
use crate::{Aws, AwsError};

const SORT: &str = "request";
const AGENDA: &str = "agenda";
/// How often a request is opened anew after one that was closed meanwhile.
const TRIES: u32 = 4;
/// Tasks that are looked at in one go.
const PAGE: i32 = 50;

/// The requests of a deployment.
#[derive(Clone)]
pub struct PrivacyRequests {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its reference.
    pub id: RequestId,
    /// What is asked for.
    pub right: Right,
    /// Where it stands.
    pub state: State,
    /// Whose it is; nobody's any more once it is closed.
    pub subject: Option<SubjectId>,
    /// When it came.
    pub received_at: Timestamp,
    /// By when the law wants it done.
    pub due_at: Timestamp,
    /// When it is carried out.
    pub run_at: Timestamp,
    /// The number the person knows; gone once it is closed.
    pub number: Option<String>,
    /// The person's language.
    pub locale: Locale,
    /// When nothing more came of it.
    pub closed_at: Option<Timestamp>,
    /// The signed receipt.
    pub receipt: Option<String>,
    /// Why it takes longer.
    pub extension: Option<Extension>,
    /// Why it was denied, if the business has said so.
    pub denial: Option<Denial>,
}

/// What came of opening a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is new.
    New,
    /// One of this kind was open: it stands for this one as well.
    Standing(Box<Request>),
}

impl PrivacyRequests {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Opens a request, with its place in the agenda, unless the person has one of this kind.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn open(&self, subject: &SubjectId, request: &Request) -> Result<Opened, AwsError> {
        for _ in 0..TRIES {
            if let Some(opened) = self.open_once(subject, request).await? {
                return Ok(opened);
            }
        }
        Err(AwsError::new("opening a request", "contended"))
    }

    /// Nothing when another request was in the way, and is closed by now.
    async fn open_once(
        &self,
        subject: &SubjectId,
        request: &Request,
    ) -> Result<Option<Opened>, AwsError> {
        let mut open = open_key(subject, request.right);
        open.insert("request".to_owned(), s(request.id.as_str()));
        let items = [
            open,
            written(request),
            agenda_item(request.run_at, &Task::Run(request.id.clone())),
        ];
        let mut call = self.client.transact_write_items();
        for item in items {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map_err(unbuilt)?;
            call = call.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match call
            .send()
            .await
            .map_err(|e| AwsError::of("TransactWriteItems", &e))
        {
            Ok(_) => return Ok(Some(Opened::New)),
            Err(e) if e.is("TransactionCanceledException") => {}
            Err(e) => return Err(e),
        }
        let standing = self.find_open(subject, request.right).await?;
        Ok(standing.map(|standing| {
            if standing.id == request.id {
                // Our own call, repeated after its answer was lost.
                Opened::New
            } else {
                Opened::Standing(Box::new(standing))
            }
        }))
    }

    /// A request, read consistently.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, id: &RequestId) -> Result<Option<Request>, AwsError> {
        let item = self.get(request_key(id)).await?;
        Ok(item.as_ref().and_then(read))
    }

    /// The request of a kind that a person has open.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find_open(
        &self,
        subject: &SubjectId,
        right: Right,
    ) -> Result<Option<Request>, AwsError> {
        let open = self.get(open_key(subject, right)).await?;
        let id = open.and_then(|open| RequestId::parse(open.text("request")?).ok());
        match id {
            Some(id) => self.find(&id).await,
            None => Ok(None),
        }
    }

    /// Moves a request from the state it was seen in; `false` when it stands elsewhere by now.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn advance(&self, request: &Request, to: State) -> Result<bool, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(request_key(&request.id)))
            .update_expression("SET #state = :to")
            .condition_expression("#state = :from OR #state = :to")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":from", s(request.state.word()))
            .expression_attribute_values(":to", s(to.word()))
            .send()
            .await;
        was_taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))
    }

    /// Gives an open request until a later day, once, and names when it is looked at before that; `false` when it is
    /// closed, or was extended before.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn extend(
        &self,
        request: &RequestId,
        why: Extension,
        (run_at, until): (Timestamp, Timestamp),
    ) -> Result<bool, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(request_key(request)))
            .update_expression("SET extension = :why, due_at = :until, run_at = :run")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(closed_at) AND attribute_not_exists(extension)",
            )
            .expression_attribute_values(":why", s(why.word()))
            .expression_attribute_values(":until", ms(until))
            .expression_attribute_values(":run", ms(run_at))
            .send()
            .await;
        was_taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))
    }

    /// Puts a request off: the agenda names it at another time.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_off(
        &self,
        task: &Task,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(), AwsError> {
        self.plan(task, to).await?;
        self.done(task, from).await
    }

    /// Closes a request that stands where it was seen: names its person no more, keeps its receipt, lets another one
    /// be opened, and has it looked at again. All of it or nothing; `false` when it was closed before.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it, or the request has moved on since: whoever tries again sees where.
    pub async fn close(
        &self,
        request: &Request,
        state: State,
        receipt: Option<&str>,
        (now, again_at): (Timestamp, Option<Timestamp>),
    ) -> Result<bool, AwsError> {
        let Some(subject) = &request.subject else {
            return Ok(false);
        };
        let mut set = "SET #state = :state, closed_at = :now, #ttl = :until".to_owned();
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(request_key(&request.id)))
            .condition_expression("attribute_not_exists(closed_at) AND #state = :seen")
            .expression_attribute_values(":seen", s(request.state.word()))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#subject", "subject")
            .expression_attribute_names("#number", "number")
            .expression_attribute_values(":state", s(state.word()))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":until", n(now.plus_millis(KEPT_MS).seconds()));
        if let Some(receipt) = receipt {
            set.push_str(", receipt = :receipt");
            update = update.expression_attribute_values(":receipt", s(receipt));
        }
        if let Some(denial) = request.denial {
            set.push_str(", denial = :denial");
            update = update.expression_attribute_values(":denial", s(denial.word()));
        }
        let update = update
            .update_expression(format!("{set} REMOVE #subject, #number"))
            .build()
            .map_err(unbuilt)?;
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(open_key(subject, request.right)))
            .build()
            .map_err(unbuilt)?;
        let mut call = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(TransactWriteItem::builder().delete(delete).build());
        if let Some(at) = again_at {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(agenda_item(at, &Task::Again(request.id.clone()))))
                .build()
                .map_err(unbuilt)?;
            call = call.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match call
            .send()
            .await
            .map_err(|e| AwsError::of("TransactWriteItems", &e))
        {
            Ok(_) => Ok(true),
            // Closed before; or it moved on, or another call touched the rows at this moment, which is no answer.
            Err(e) if e.is("TransactionCanceledException") => {
                let found = self.find(&request.id).await?;
                if found.is_none_or(|found| found.closed_at.is_some()) {
                    Ok(false)
                } else {
                    Err(e)
                }
            }
            Err(e) => Err(e),
        }
    }

    /// What is to be done by now, the oldest first, up to a page of it.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<(Timestamp, Task)>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk < :end")
            .expression_attribute_values(":pk", s(AGENDA))
            .expression_attribute_values(":end", s(format!("{:013}~", now.millis())))
            .limit(PAGE)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let place = |item: &Item| Task::at_place(item.text("sk")?);
        Ok(answer.items().iter().filter_map(place).collect())
    }

    /// Puts a task on the agenda.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn plan(&self, task: &Task, at: Timestamp) -> Result<(), AwsError> {
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(agenda_item(at, task))).send().await;
        put.map(|_put| ()).map_err(|e| AwsError::of("PutItem", &e))
    }

    /// Strikes a task off the agenda.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn done(&self, task: &Task, at: Timestamp) -> Result<(), AwsError> {
        let call = self.client.delete_item().table_name(&self.table);
        let call = call.set_key(Some(key(AGENDA, task.place(at))));
        taken(
            call.send()
                .await
                .map_err(|e| AwsError::of("DeleteItem", &e)),
        )
    }

    async fn get(&self, wanted: Item) -> Result<Option<Item>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(wanted))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item)
    }
}

fn unbuilt(_build: aws_sdk_dynamodb::error::BuildError) -> AwsError {
    AwsError::new("TransactWriteItems", "request not built")
}

fn open_key(subject: &SubjectId, right: Right) -> Item {
    key(format!("open#{subject}"), right.word())
}

fn request_key(id: &RequestId) -> Item {
    key(format!("request#{id}"), SORT)
}

fn agenda_item(at: Timestamp, task: &Task) -> Item {
    key(AGENDA, task.place(at))
}

fn written(request: &Request) -> Item {
    let mut item = request_key(&request.id);
    item.insert("right".to_owned(), s(request.right.word()));
    item.insert("state".to_owned(), s(request.state.word()));
    if let Some(subject) = &request.subject {
        item.insert("subject".to_owned(), s(subject.as_str()));
    }
    item.insert("received_at".to_owned(), ms(request.received_at));
    item.insert("due_at".to_owned(), ms(request.due_at));
    item.insert("run_at".to_owned(), ms(request.run_at));
    if let Some(number) = &request.number {
        item.insert("number".to_owned(), s(number.as_str()));
    }
    item.insert("locale".to_owned(), s(request.locale.tag()));
    item
}

fn read(item: &Item) -> Option<Request> {
    let right = item.text("right")?;
    Some(Request {
        id: RequestId::parse(item.text("pk")?.strip_prefix("request#")?).ok()?,
        right: Right::ALL.into_iter().find(|one| one.word() == right)?,
        state: State::from_word(item.text("state")?)?,
        subject: item
            .text("subject")
            .and_then(|id| SubjectId::parse(id).ok()),
        received_at: item.time("received_at")?,
        due_at: item.time("due_at")?,
        run_at: item.time("run_at")?,
        number: item.text("number").map(str::to_owned),
        locale: Locale::from_tag(item.text("locale")?)?,
        closed_at: item.time("closed_at"),
        receipt: item.text("receipt").map(str::to_owned),
        extension: item.text("extension").and_then(Extension::from_word),
        denial: item.text("denial").and_then(Denial::from_word),
    })
}
