//! Controls: the configuration in force and the live controls, each cached for as long as it may be old.
//!
//! Owns reading both, and the counter of inbound messages. A pause must act within five seconds
//! so live controls are at most two seconds old. Changing them is `write`'s, counting
//! for the risk score `stats`'s. What stored facts mean together is
//! `headgate_domain::live`'s.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headgate_domain::config::Config;
use headgate_domain::live::{Known, Live};

use crate::item::{Attributes, all, key, n, partition, s};
use crate::{Aws, AwsError};

mod change;
mod notices;
mod peppers;
mod rows;
mod stats;
mod vault;
mod write;

pub use change::{Cause, NumberChange, Owner, PortfolioChange, TemplateChange};
pub use notices::RegisteredNotice;

const CACHE: Duration = Duration::from_mins(1);
const LIVE_CACHE: Duration = Duration::from_secs(2);
/// The partition of the live controls.
const LIVE: &str = "live";

type Cached<T> = Arc<Mutex<Option<(Instant, Arc<T>)>>>;

/// The controls table.
#[derive(Clone)]
pub struct Controls {
    client: aws_sdk_dynamodb::Client,
    table: String,
    cache: Cached<Config>,
    known: Cached<Known>,
    live: Cached<Live>,
}

impl Controls {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            cache: Arc::default(),
            known: Arc::default(),
            live: Arc::default(),
        }
    }

    /// The configuration in force, at most a minute old.
    ///
    /// # Errors
    /// [`AwsError`] when there is none, or it cannot be read: without one, nothing is sent.
    pub async fn config(&self) -> Result<Arc<Config>, AwsError> {
        if let Some(config) = fresh(&self.cache, CACHE) {
            return Ok(config);
        }
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key("config", "current")))
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let item = answer
            .item
            .ok_or_else(|| AwsError::new("reading the configuration", "not set up"))?;
        let config = item
            .text("json")
            .and_then(|json| Config::from_json(json).ok())
            .map(Arc::new)
            .ok_or_else(|| AwsError::new("reading the configuration", "not valid"))?;
        keep(&self.cache, &config);
        Ok(config)
    }

    /// Puts a configuration in force.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_config(&self, config: &Config, version: u64) -> Result<(), AwsError> {
        let mut item = key("config", "current");
        item.insert("json".to_owned(), s(config.to_json()));
        item.insert("version".to_owned(), n(version));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// The live controls, at most two seconds old.
    ///
    /// # Errors
    /// [`AwsError`] when they cannot be read: without them, nothing is sent.
    pub async fn live(&self) -> Result<Arc<Live>, AwsError> {
        if let Some(live) = fresh(&self.live, LIVE_CACHE) {
            return Ok(live);
        }
        let live = Arc::new(self.read_live().await?.live());
        keep(&self.live, &live);
        Ok(live)
    }

    /// What is kept of the live controls and who stated it, at most two seconds old.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn known(&self) -> Result<Arc<Known>, AwsError> {
        if let Some(known) = fresh(&self.known, LIVE_CACHE) {
            return Ok(known);
        }
        let known = Arc::new(self.read_live().await?);
        keep(&self.known, &known);
        Ok(known)
    }

    /// Counts messages that came in at a number: they use up its speed as ours do.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; they may have been counted all the same.
    pub async fn count_inbound(&self, number: &str, messages: u64) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(LIVE, format!("inbound#{number}"))))
            .update_expression("ADD inbound_total :more")
            .expression_attribute_values(":more", n(messages))
            .send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    async fn read_live(&self) -> Result<Known, AwsError> {
        let mut known = Known::default();
        for item in all(partition(&self.client, &self.table, LIVE)).await? {
            rows::add(&mut known, &item);
        }
        Ok(known)
    }

    /// What was just written is seen by this process at once.
    fn forget_live(&self) {
        if let Ok(mut known) = self.known.lock() {
            *known = None;
        }
        if let Ok(mut live) = self.live.lock() {
            *live = None;
        }
    }
}

/// What is cached, when it is young enough.
fn fresh<T>(cache: &Cached<T>, age: Duration) -> Option<Arc<T>> {
    let cache = cache.lock().ok()?;
    cache
        .as_ref()
        .filter(|(since, _value)| since.elapsed() < age)
        .map(|(_since, value)| Arc::clone(value))
}

fn keep<T>(cache: &Cached<T>, value: &Arc<T>) {
    if let Ok(mut cache) = cache.lock() {
        *cache = Some((Instant::now(), Arc::clone(value)));
    }
}
