//! Controls: the configuration in force, cached for a minute.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headgate_domain::config::Config;

use crate::item::{Attributes, key, n, s};
use crate::{Aws, AwsError};

const CACHE: Duration = Duration::from_mins(1);

type Cached = (Instant, Arc<Config>);

/// The controls table.
#[derive(Clone)]
pub struct Controls {
    client: aws_sdk_dynamodb::Client,
    table: String,
    cache: Arc<Mutex<Option<Cached>>>,
}

impl Controls {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            cache: Arc::default(),
        }
    }

    /// The configuration in force, at most a minute old.
    ///
    /// # Errors
    /// [`AwsError`] when there is none, or it cannot be read: without one, nothing is sent.
    pub async fn config(&self) -> Result<Arc<Config>, AwsError> {
        if let Some(config) = self.cached() {
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
        if let Ok(mut cache) = self.cache.lock() {
            *cache = Some((Instant::now(), Arc::clone(&config)));
        }
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

    fn cached(&self) -> Option<Arc<Config>> {
        let cache = self.cache.lock().ok()?;
        cache
            .as_ref()
            .filter(|(since, _)| since.elapsed() < CACHE)
            .map(|(_, config)| Arc::clone(config))
    }
}
