//! DynamoDB: dynoxide on a loopback port, with `metered` in front of it.
//!
//! Promises the tables, indexes and TTL attributes of the template, in memory or in a file that survives `kill -9`.
//! Expired items go by the calendar, at most once a minute, as AWS deletes them late too.
//! Deliberately leaves every request to dynoxide.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dynoxide::{Database, DynoxideError, ImportOptions};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::calendar::Calendar;
use crate::host::SERVICE_BODY_MAX;
use crate::metered::{Metered, Watch};
use crate::upstream::Upstream;

/// Items that a scan reads at a time.
const SCANNED: usize = 500;

/// The tables.
#[derive(Clone)]
pub(crate) struct Tables {
    database: Database,
    ttl: Arc<Mutex<Vec<(String, String)>>>,
    /// Whether expired items go by themselves.
    sweeps: watch::Sender<bool>,
    /// Table → the attributes of its key.
    keys: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
}

impl Tables {
    pub(crate) fn open(file: Option<&Path>) -> Result<Self> {
        let database = match file {
            Some(path) => {
                if !path.exists() {
                    crate::files::private(path)?; // SQLite gives its own files the mode of the database
                }
                Database::new(&path.to_string_lossy())
            }
            None => Database::memory(),
        };
        let database = database.map_err(|e| anyhow!("the tables cannot be opened: {e}"))?;
        if file.is_some() {
            // Leaves the file as dynoxide calls normal: what is answered survives the process, and the disk is not
            // waited for at each write, which a power cut could then take.
            database
                .enable_bulk_loading()
                .and_then(|()| database.disable_bulk_loading())
                .map_err(|e| anyhow!("the tables cannot be set up: {e}"))?;
        }
        Ok(Self {
            database,
            ttl: Arc::default(),
            sweeps: watch::channel(true).0,
            keys: Arc::default(),
        })
    }

    /// Creates a table from the properties of `AWS::DynamoDB::Table`, or adds the indexes that one of an earlier
    /// template lacks, as CloudFormation does.
    pub(crate) fn create(&self, name: &str, properties: &Value) -> Result<()> {
        let mut request = Map::new();
        request.insert("TableName".to_owned(), json!(name));
        for key in [
            "AttributeDefinitions",
            "KeySchema",
            "BillingMode",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "ProvisionedThroughput",
        ] {
            if let Some(value) = properties.get(key) {
                request.insert(key.to_owned(), value.clone());
            }
        }
        let request = serde_json::from_value(Value::Object(request))
            .with_context(|| format!("table {name} is not described well"))?;
        let new = match self.database.create_table(request) {
            Ok(_) => true,
            Err(DynoxideError::ResourceInUseException(_)) => {
                self.add_indexes(name, properties)?;
                false
            }
            Err(error) => return Err(anyhow!("table {name} cannot be created: {error}")),
        };
        let schema = properties.get("KeySchema").and_then(Value::as_array);
        let names = schema.into_iter().flatten().filter_map(|key| {
            let name = key.get("AttributeName")?;
            name.as_str().map(str::to_owned)
        });
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), names.collect());
        let ttl = properties.get("TimeToLiveSpecification");
        if let Some(attribute) = ttl
            .filter(|t| {
                t.get("Enabled")
                    .is_none_or(|e| crate::stack::text(e) == "true")
            })
            .and_then(|t| t.get("AttributeName"))
            .and_then(Value::as_str)
        {
            if new {
                let request = json!({"TableName": name, "TimeToLiveSpecification": {"Enabled": true, "AttributeName": attribute}});
                let request =
                    serde_json::from_value(request).context("TTL is not described well")?;
                self.database
                    .update_time_to_live(request)
                    .map_err(|e| anyhow!("TTL of table {name} cannot be set: {e}"))?;
            }
            self.ttl
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((name.to_owned(), attribute.to_owned()));
        }
        Ok(())
    }

    /// Adds each index that the table does not have yet; what is stored is in it at once.
    fn add_indexes(&self, name: &str, properties: &Value) -> Result<()> {
        let request = serde_json::from_value(json!({ "TableName": name })).context("a table")?;
        let described = self
            .database
            .describe_table(request)
            .map_err(|e| anyhow!("table {name} cannot be described: {e}"))?;
        let described = serde_json::to_value(&described).context("a table")?;
        let index_name = |index: &Value| index.get("IndexName").cloned();
        let listed = |indexes: Option<&Value>| {
            let indexes = indexes.and_then(Value::as_array);
            indexes.cloned().unwrap_or_default()
        };
        let there = listed(described.pointer("/Table/GlobalSecondaryIndexes"));
        let there: Vec<Option<Value>> = there.iter().map(index_name).collect();
        for index in listed(properties.get("GlobalSecondaryIndexes")) {
            if there.contains(&index_name(&index)) {
                continue;
            }
            let request = json!({
                "TableName": name,
                "AttributeDefinitions": properties.get("AttributeDefinitions"),
                "GlobalSecondaryIndexUpdates": [{ "Create": index }],
            });
            let request =
                serde_json::from_value(request).context("an index is not described well")?;
            self.database
                .update_table(request)
                .map_err(|e| anyhow!("table {name} cannot be given an index: {e}"))?;
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let request = serde_json::from_value(json!({})).context("a list of tables")?;
        let listed = self
            .database
            .list_tables(request)
            .map_err(|e| anyhow!("tables cannot be listed: {e}"))?;
        Ok(listed.table_names)
    }

    fn scan(&self, mut request: Value, mut each: impl FnMut(Value) -> Result<()>) -> Result<()> {
        // Without a limit dynoxide reads all that is left of a table for each page of it, and everybody waits.
        request
            .as_object_mut()
            .map(|r| r.insert("Limit".to_owned(), json!(SCANNED)));
        loop {
            let page = serde_json::from_value(request.clone()).context("a scan")?;
            let page = self
                .database
                .scan(page)
                .map_err(|e| anyhow!("a table cannot be read: {e}"))?;
            let mut page = serde_json::to_value(&page).context("an item cannot be written")?;
            if let Some(Value::Array(items)) = page.get_mut("Items").map(Value::take) {
                for item in items {
                    each(item)?;
                }
            }
            match page.get_mut("LastEvaluatedKey").map(Value::take) {
                Some(key) if key.is_object() => {
                    request
                        .as_object_mut()
                        .map(|r| r.insert("ExclusiveStartKey".to_owned(), key));
                }
                _ => return Ok(()),
            }
        }
    }

    /// Every item of a table, in DynamoDB's JSON.
    pub(crate) fn items(&self, table: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        self.scan(
            json!({"TableName": table, "ConsistentRead": true}),
            |item| {
                items.push(item);
                Ok(())
            },
        )?;
        Ok(items)
    }

    /// Every item of every table as text, and every byte attribute a second time as the text its bytes would read as.
    pub(crate) fn dump(&self) -> Result<Vec<(String, String)>> {
        let mut out = Vec::new();
        for table in self.names()? {
            self.scan(
                json!({"TableName": table, "ConsistentRead": true}),
                |item| {
                    let mut keys: Vec<&str> = ["pk", "sk"]
                        .iter()
                        .filter_map(|k| {
                            item.get(k).and_then(|v| v.get("S")).and_then(Value::as_str)
                        })
                        .collect();
                    keys.insert(0, &table);
                    let place = keys.join("/");
                    for (name, value) in item.as_object().into_iter().flatten() {
                        if let Some(bytes) = value.get("B").and_then(Value::as_str)
                            && let Ok(bytes) = STANDARD.decode(bytes)
                        {
                            out.push((
                                format!("table {place} bytes of {name}"),
                                String::from_utf8_lossy(&bytes).into_owned(),
                            ));
                        }
                    }
                    out.push((format!("table {place}"), item.to_string()));
                    Ok(())
                },
            )?;
        }
        Ok(out)
    }

    /// Switches the sweeps of each minute on or off.
    pub(crate) fn set_sweeping(&self, on: bool) {
        self.sweeps.send_replace(on);
    }

    /// Deletes what has expired by the calendar; returns how many items.
    pub(crate) fn sweep(&self, calendar: &Calendar) -> Result<usize> {
        let now = calendar.now_ms().div_euclid(1000);
        let swept = self
            .ttl
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut count = 0;
        for (table, attribute) in swept {
            let request = serde_json::from_value(json!({"TableName": table})).context("a table")?;
            let described = self
                .database
                .describe_table(request)
                .map_err(|e| anyhow!("table {table} cannot be described: {e}"))?;
            let described = serde_json::to_value(&described).context("a table")?;
            let keys: Vec<String> = described
                .pointer("/Table/KeySchema")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|k| {
                    k.get("AttributeName")
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                })
                .collect();
            let mut expired = Vec::new();
            let scan = json!({
                "TableName": table, "FilterExpression": "#ttl <= :now",
                "ExpressionAttributeNames": {"#ttl": attribute},
                "ExpressionAttributeValues": {":now": {"N": now.to_string()}},
            });
            self.scan(scan, |item| {
                let key: Map<String, Value> = keys
                    .iter()
                    .filter_map(|k| item.get(k).map(|v| (k.clone(), v.clone())))
                    .collect();
                expired.push(Value::Object(key));
                Ok(())
            })?;
            for key in expired {
                // Checked again at the delete: the item may have been given a new lease meanwhile.
                let request = json!({
                    "TableName": table, "Key": key, "ConditionExpression": "#ttl <= :now",
                    "ExpressionAttributeNames": {"#ttl": attribute},
                    "ExpressionAttributeValues": {":now": {"N": now.to_string()}},
                });
                let request = serde_json::from_value(request).context("a delete")?;
                if self.database.delete_item(request).is_ok() {
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// Puts items into a table at once, past the meter: what a test or a bench finds there when it begins.
    pub(crate) fn load(&self, table: &str, items: Vec<Value>) -> Result<usize> {
        let items = items
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<Vec<_>, _>>()
            .context("an item is not in the form of DynamoDB's JSON")?;
        let done = self
            .database
            .import_items(table, items, ImportOptions::default())
            .map_err(|e| anyhow!("the items cannot be loaded: {e}"))?;
        Ok(done.items_imported)
    }

    /// Serves on `front`; an own listener behind it belongs to dynoxide.
    pub(crate) async fn serve(
        &self,
        front: TcpListener,
        watch: Watch,
        calendar: Calendar,
        stop: watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>> {
        let back = crate::host::listen(None).await?;
        let address = back.local_addr().context("a listener has no address")?;
        let database = self.database.clone();
        let mut stopped = stop.clone();
        let server = tokio::spawn(async move {
            tokio::select! {
                () = dynoxide::server::serve_on(back, database) => {}
                _ = stopped.wait_for(|s| *s) => {}
            }
        });
        let mut stopped = stop.clone();
        let tables = self.clone();
        let sweeper = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_mins(1)) => {}
                    _ = stopped.wait_for(|s| *s) => return,
                }
                if !*tables.sweeps.borrow() {
                    continue;
                }
                let (tables, calendar) = (tables.clone(), calendar.clone());
                // A sweep that failed is tried again in a minute.
                tokio::task::spawn_blocking(move || tables.sweep(&calendar).ok())
                    .await
                    .ok();
            }
        });
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let metered = Arc::new(Metered {
            upstream: Upstream::new(address),
            database: self.database.clone(),
            watch,
            keys: keys.clone(),
        });
        let too_large = r#"{"__type":"com.amazonaws.dynamodb.v20120810#RequestEntityTooLargeException","message":"Too large."}"#;
        let too_large = crate::host::json(http::StatusCode::PAYLOAD_TOO_LARGE, too_large);
        let front = crate::host::serve(front, SERVICE_BODY_MAX, too_large, stop, move |request| {
            Arc::clone(&metered).answer(request)
        });
        Ok(vec![server, sweeper, front])
    }
}
