//! DynamoDB: dynoxide on a loopback port, with a counting pass-through in front of it.
//!
//! Promises the tables, indexes and TTL attributes of the template, in memory or in a file that survives `kill -9`.
//! Expired items go by the calendar, at most once a minute, as AWS deletes them late too.
//! Deliberately leaves every request to dynoxide: the pass-through only reads the operation's name.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dynoxide::{Database, DynoxideError};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Service;
use crate::calendar::Calendar;
use crate::counters::Tally;

const TARGET: &[u8] = b"DynamoDB_20120810.";
// The longest operation name is below this; a name cut by the end of a read is found in the next one.
const NAME_MAX: usize = 40;

/// The tables.
#[derive(Clone)]
pub(crate) struct Tables {
    database: Database,
    ttl: std::sync::Arc<std::sync::Mutex<Vec<(String, String)>>>,
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
        Ok(Self {
            database,
            ttl: std::sync::Arc::default(),
        })
    }

    /// Creates a table from the properties of `AWS::DynamoDB::Table` unless it exists.
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
            Err(DynoxideError::ResourceInUseException(_)) => false,
            Err(error) => return Err(anyhow!("table {name} cannot be created: {error}")),
        };
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
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((name.to_owned(), attribute.to_owned()));
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

    /// Deletes what has expired by the calendar; returns how many items.
    pub(crate) fn sweep(&self, calendar: &Calendar) -> Result<usize> {
        let now = calendar.now_ms().div_euclid(1000);
        let swept = self
            .ttl
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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

    /// Serves on `front`; an own listener behind it belongs to dynoxide.
    pub(crate) async fn serve(
        &self,
        front: TcpListener,
        tally: Tally,
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
                let (tables, calendar) = (tables.clone(), calendar.clone());
                // A sweep that failed is tried again in a minute.
                tokio::task::spawn_blocking(move || tables.sweep(&calendar).ok())
                    .await
                    .ok();
            }
        });
        let accept = tokio::spawn(async move {
            let mut stopped = stop.clone();
            loop {
                let accepted = tokio::select! {
                    accepted = front.accept() => accepted,
                    _ = stopped.wait_for(|s| *s) => return,
                };
                if let Ok((stream, _)) = accepted {
                    let (tally, mut stopped) = (tally.clone(), stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = pass(stream, address, tally) => {}
                            _ = stopped.wait_for(|s| *s) => {}
                        }
                    });
                }
            }
        });
        Ok(vec![server, sweeper, accept])
    }
}

/// Copies a connection both ways and counts the operations named in it.
async fn pass(front: TcpStream, back: SocketAddr, tally: Tally) -> std::io::Result<()> {
    let back = TcpStream::connect(back).await?;
    front.set_nodelay(true)?;
    back.set_nodelay(true)?;
    let (mut from_client, mut to_client) = front.into_split();
    let (mut from_server, mut to_server) = back.into_split();
    let up = async {
        let mut buffer = vec![0_u8; 32 * 1024];
        let mut tail: Vec<u8> = Vec::new();
        loop {
            let n = from_client.read(&mut buffer).await?;
            let Some(read) = buffer.get(..n).filter(|r| !r.is_empty()) else {
                return to_server.shutdown().await;
            };
            to_server.write_all(read).await?;
            tail.extend_from_slice(read);
            let seen = count(&tail, &tally);
            tail.drain(..seen);
        }
    };
    let down = async {
        tokio::io::copy(&mut from_server, &mut to_client)
            .await
            .map(|_| ())
    };
    tokio::select! {
        end = up => end,
        end = down => end,
    }
}

/// Counts the operations in `bytes`; returns how many bytes need no second look.
fn count(bytes: &[u8], tally: &Tally) -> usize {
    let mut done = 0;
    while let Some(found) = find(bytes.get(done..).unwrap_or_default()) {
        let start = done + found + TARGET.len();
        let name = bytes.get(start..).unwrap_or_default();
        let Some(end) = name.iter().position(|b| !b.is_ascii_alphanumeric()) else {
            // Either cut by the end of the read, or no name at all.
            return if name.len() < NAME_MAX {
                done + found
            } else {
                bytes.len()
            };
        };
        if let Some(Ok(name)) = name.get(..end).map(std::str::from_utf8) {
            tally.count(Service::Dynamodb, name);
        }
        done = start + end;
    }
    done.max(bytes.len().saturating_sub(TARGET.len()))
}

fn find(bytes: &[u8]) -> Option<usize> {
    // A jump from letter to letter is fast even without optimisation.
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|b| *b == b'D')?;
        if bytes.get(at..).is_some_and(|b| b.starts_with(TARGET)) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::count;
    use crate::Service;
    use crate::counters::Tally;

    #[test]
    fn an_operation_cut_by_a_read_is_counted_once() {
        let whole = b"POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.PutItem\r\n\r\n{}";
        for cut in 0..whole.len() {
            let tally = Tally::default();
            let mut tail = Vec::new();
            for part in [&whole[..cut], &whole[cut..]] {
                tail.extend_from_slice(part);
                let seen = count(&tail, &tally);
                tail.drain(..seen);
            }
            let calls = tally.snapshot();
            assert_eq!(
                calls.get(&(Service::Dynamodb, "PutItem".to_owned())),
                Some(&1),
                "cut at {cut}"
            );
            assert_eq!(calls.len(), 1);
        }
    }
}
