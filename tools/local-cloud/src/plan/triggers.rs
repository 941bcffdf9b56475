//! What wakes a function: queues, schedules, routes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::{IMPLICIT_API, Plan};
use crate::api::Route;
use crate::cron::Expression;
use crate::mapping::Mapping;
use crate::schedule::Schedule;
use crate::stack::{Stack, text};

impl Plan {
    /// The routes of an API that is described by OpenAPI; their functions are named, not referred to.
    pub(super) fn definition(&mut self, api: &str, body: Option<&Value>) -> Result<()> {
        let paths = body.and_then(|b| b.get("paths")).and_then(Value::as_object);
        for (path, methods) in paths.into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let Some(integration) = operation.get("x-amazon-apigateway-integration") else {
                    continue;
                };
                let function = integration
                    .get("uri")
                    .and_then(Value::as_str)
                    .and_then(|uri| uri.rsplit_once(":function:"))
                    .and_then(|(_, name)| name.split('/').next())
                    .with_context(|| format!("{method} {path} does not lead to a function"))?;
                let any = method == "x-amazon-apigateway-any-method";
                self.routes.push(Route {
                    api: api.to_owned(),
                    method: if any {
                        "ANY".to_owned()
                    } else {
                        method.to_ascii_uppercase()
                    },
                    path: path.clone(),
                    function: function.to_owned(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn function(
        &mut self,
        stack: &Stack,
        id: &str,
        properties: &Value,
        queue_ids: &BTreeMap<String, String>,
    ) -> Result<()> {
        let events = properties.get("Events").and_then(Value::as_object);
        for (name, event) in events.into_iter().flatten() {
            let kind = event
                .get("Type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let properties = event
                .get("Properties")
                .cloned()
                .unwrap_or_else(|| json!({}));
            let property = |name: &str| stack.property(&properties, name);
            let enabled = property("Enabled")?.is_none_or(|e| text(&e) == "true")
                && property("State")?.is_none_or(|s| text(&s) == "ENABLED");
            match kind {
                "SQS" => {
                    let arn = text(&property("Queue")?.context("an SQS event has a queue")?);
                    let queue = arn.rsplit(':').next().unwrap_or_default().to_owned();
                    let number = |name: &str, default: u64| -> Result<u64> {
                        property(name)?.map_or(Ok(default), |v| {
                            text(&v)
                                .parse()
                                .with_context(|| format!("{name} is not a number"))
                        })
                    };
                    let batch_size = usize::try_from(number("BatchSize", 10)?)?;
                    let window = number("MaximumBatchingWindowInSeconds", 0)?;
                    if batch_size == 0 || batch_size > 10_000 || (batch_size > 10 && window == 0) {
                        bail!("event {name}: Lambda refuses this batch size and window");
                    }
                    let types = property("FunctionResponseTypes")?.unwrap_or_default();
                    self.mappings.push(Mapping {
                        function: id.to_owned(),
                        queue_logical_id: queue_ids.get(&arn).cloned(),
                        queue_url: stack.queue_url(&queue),
                        queue,
                        queue_arn: arn,
                        batch_size,
                        window: Duration::from_secs(window),
                        reports_failures: types
                            .as_array()
                            .into_iter()
                            .flatten()
                            .any(|t| t == "ReportBatchItemFailures"),
                        enabled,
                    });
                }
                "Schedule" | "ScheduleV2" => {
                    let expression = property("ScheduleExpression")?
                        .or(property("Schedule")?)
                        .context("a schedule has an expression")?;
                    let expression = Expression::parse(&text(&expression))?;
                    let input = property("Input")?
                        .map(|i| serde_json::from_str(&text(&i)))
                        .transpose()
                        .map_err(|_quotes_input| {
                            anyhow!("the input of schedule {name} is not JSON")
                        })?;
                    let schedule = Schedule {
                        function: id.to_owned(),
                        name: format!("{id}{name}"),
                        expression,
                        input,
                        scheduler: kind == "ScheduleV2",
                    };
                    self.schedules.push((schedule, enabled));
                }
                "Api" => {
                    let api = match properties.get("RestApiId") {
                        Some(reference) => reference
                            .get("Ref")
                            .and_then(Value::as_str)
                            .context("RestApiId refers to an API")?
                            .to_owned(),
                        None => IMPLICIT_API.to_owned(),
                    };
                    self.routes.push(Route {
                        api,
                        method: text(&property("Method")?.context("an Api event has a method")?)
                            .to_ascii_uppercase(),
                        path: text(&property("Path")?.context("an Api event has a path")?),
                        function: id.to_owned(),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
