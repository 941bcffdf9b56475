//! What tests and benches do with a running local cloud beside calling it: read its meter, hold its gate, fill it.

use std::sync::PoisonError;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Gate, LocalCloud, Meter, start};

impl LocalCloud {
    /// What DynamoDB and SQS would bill for everything since the start.
    pub fn meter(&self) -> Meter {
        let counted = self.sqs.engine().counters();
        self.watch.gauge.read(&counted)
    }

    /// The gate that every request to a service passes.
    pub fn gate(&self) -> Gate {
        self.watch.gate.clone()
    }

    /// Puts a listener in front of another HTTP/1.1 server of this machine, so that requests to it pass the gate too;
    /// returns its base URL. `name` is the service of its calls.
    ///
    /// # Errors
    /// If `upstream` is not an address of this machine, or no port is free.
    pub async fn front(&self, name: &str, upstream: &str) -> Result<String> {
        let (url, task) =
            start::front(name, upstream, self.gate(), self.stopping.subscribe()).await?;
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
        Ok(url)
    }

    /// Whether expired items are looked for each minute. AWS does that out of sight; here it reads every table, which
    /// shows when there are a million items in one.
    pub fn set_sweeping(&self, on: bool) {
        self.tables.set_sweeping(on);
    }

    /// Puts items in DynamoDB's JSON into a table, named by its name, without a request and past the meter.
    ///
    /// # Errors
    /// If there is no such table or an item does not fit it.
    pub async fn load(&self, table: &str, items: Vec<Value>) -> Result<usize> {
        let (tables, table) = (self.tables.clone(), table.to_owned());
        tokio::task::spawn_blocking(move || tables.load(&table, items))
            .await
            .context("the items were not loaded")?
    }

    /// Every item of a table, in DynamoDB's JSON, without a request and past the meter.
    ///
    /// # Errors
    /// If there is no such table.
    pub async fn items(&self, table: &str) -> Result<Vec<Value>> {
        let (tables, table) = (self.tables.clone(), table.to_owned());
        tokio::task::spawn_blocking(move || tables.items(&table))
            .await
            .context("the items were not read")?
    }
}
