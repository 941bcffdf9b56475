//! Reads out of the resolved stacks what has to be created and which function is woken by what.
//!
//! Promises an error for what would silently not work: a rule without a queue, a mapping to an unknown queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::api::Route;
use crate::events::{Rule, check_pattern};
use crate::mapping::Mapping;
use crate::own_answers::OwnAnswers;
use crate::s3::{BucketSettings, Notify};
use crate::schedule::Schedule;
use crate::sqs::{QueueSettings, Redrive};
use crate::stack::{Stack, text};

mod triggers;

/// Everything the template asks for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) tables: Vec<(String, Value)>,
    pub(crate) queues: BTreeMap<String, QueueSettings>,
    pub(crate) keys: Vec<(String, Value)>,
    pub(crate) aliases: Vec<(String, String)>,
    pub(crate) secrets: Vec<(String, Option<String>)>,
    /// Logical id → name.
    pub(crate) secret_names: BTreeMap<String, String>,
    pub(crate) buckets: BTreeMap<String, BucketSettings>,
    /// Bucket → what it tells queues.
    pub(crate) notifications: BTreeMap<String, Vec<Notify>>,
    pub(crate) buses: BTreeSet<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) schedules: Vec<(Schedule, bool)>,
    pub(crate) routes: Vec<Route>,
    /// API → what it answers by itself.
    pub(crate) own_answers: BTreeMap<String, OwnAnswers>,
    pub(crate) functions: BTreeSet<String>,
}

/// The logical ids of the APIs of a stack and its nested stacks, before anything has an address.
pub(crate) fn apis(stack: &Stack) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (_, child) in stack.nested()? {
        out.extend(apis(&child)?);
    }
    for (id, kind, properties) in stack.resources()? {
        if kind == "AWS::Serverless::Api" {
            out.push(id);
        } else if kind == "AWS::Serverless::Function" {
            let events = properties.get("Events").and_then(Value::as_object);
            let implicit = events.into_iter().flatten().any(|(_, e)| {
                e.get("Type").and_then(Value::as_str) == Some("Api")
                    && e.pointer("/Properties/RestApiId").is_none()
            });
            if implicit && !out.iter().any(|o| o == IMPLICIT_API) {
                out.push(IMPLICIT_API.to_owned());
            }
        }
    }
    Ok(out)
}

const IMPLICIT_API: &str = "ServerlessRestApi";

impl Plan {
    pub(crate) fn of(root: &Arc<Stack>) -> Result<Self> {
        let mut plan = Self::default();
        plan.buses.insert("default".to_owned());
        let mut queue_ids = BTreeMap::new();
        let mut stacks = vec![Arc::clone(root)];
        let mut functions = Vec::new();
        while let Some(stack) = stacks.pop() {
            for (id, kind, properties) in stack.resources()? {
                let what = || format!("{id} in stack {}", stack.name);
                if kind == "AWS::Serverless::Function" {
                    plan.functions.insert(id.clone());
                    functions.push((Arc::clone(&stack), id, properties));
                } else {
                    if kind == "AWS::SQS::Queue" {
                        let arn = text(&stack.resolve(&json!({"Fn::GetAtt": [id, "Arn"]}))?);
                        queue_ids.insert(arn, id.clone());
                    }
                    plan.resource(&stack, &id, &kind, &properties)
                        .with_context(what)?;
                }
            }
            stacks.extend(stack.nested()?.into_iter().map(|(_, child)| child));
        }
        let mut names = BTreeMap::new();
        for (stack, id, _) in &functions {
            names.insert(stack.physical_name(id)?, id.clone());
        }
        for route in &mut plan.routes {
            route.function = names.get(&route.function).cloned().with_context(|| {
                format!("a route leads to the unknown function {}", route.function)
            })?;
        }
        for (stack, id, properties) in functions {
            plan.function(&stack, &id, &properties, &queue_ids)
                .with_context(|| format!("{id} in stack {}", stack.name))?;
        }
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        for (name, queue) in &self.queues {
            if let Some(redrive) = &queue.redrive
                && !self.queues.contains_key(&redrive.queue)
            {
                bail!(
                    "queue {name} has the unknown dead-letter queue {}",
                    redrive.queue
                );
            }
        }
        for rule in &self.rules {
            if !self.buses.contains(&rule.bus) {
                bail!("a rule is on the unknown bus {}", rule.bus);
            }
            if let Some((queue, _)) = rule
                .targets
                .iter()
                .find(|(q, _)| !self.queues.contains_key(q))
            {
                bail!("a rule has the unknown queue {queue}");
            }
        }
        for notify in self.notifications.values().flatten() {
            if !self.queues.contains_key(&notify.queue) {
                bail!("a bucket tells the unknown queue {}", notify.queue);
            }
        }
        for mapping in &self.mappings {
            if !self.queues.contains_key(&mapping.queue) {
                bail!(
                    "function {} is woken by the unknown queue {}",
                    mapping.function,
                    mapping.queue
                );
            }
        }
        Ok(())
    }

    fn resource(&mut self, stack: &Stack, id: &str, kind: &str, properties: &Value) -> Result<()> {
        let property = |name: &str| stack.property(properties, name);
        match kind {
            "AWS::DynamoDB::Table" => {
                let mut resolved = json!({});
                for name in [
                    "AttributeDefinitions",
                    "KeySchema",
                    "BillingMode",
                    "GlobalSecondaryIndexes",
                    "LocalSecondaryIndexes",
                    "ProvisionedThroughput",
                    "TimeToLiveSpecification",
                ] {
                    if let (Some(value), Some(map)) = (property(name)?, resolved.as_object_mut()) {
                        map.insert(name.to_owned(), value);
                    }
                }
                self.tables.push((stack.physical_name(id)?, resolved));
            }
            "AWS::SQS::Queue" => {
                let name = stack.physical_name(id)?;
                let settings = queue(stack, id, properties)?;
                if self.queues.insert(name.clone(), settings).is_some() {
                    bail!("two queues are called {name}");
                }
            }
            "AWS::KMS::Key" => {
                let mut resolved = json!({});
                for name in ["KeySpec", "KeyUsage", "Description", "Enabled"] {
                    if let (Some(value), Some(map)) = (property(name)?, resolved.as_object_mut()) {
                        map.insert(name.to_owned(), value);
                    }
                }
                self.keys.push((stack.physical_name(id)?, resolved));
            }
            "AWS::KMS::Alias" => {
                let target = property("TargetKeyId")?.context("an alias has a target")?;
                self.aliases.push((stack.physical_name(id)?, text(&target)));
            }
            "AWS::SecretsManager::Secret" => {
                let name = stack.physical_name(id)?;
                let value = match (property("SecretString")?, property("GenerateSecretString")?) {
                    (Some(value), _) => Some(text(&value)),
                    (None, Some(generate)) => Some(generated_secret(&generate)?),
                    (None, None) => None,
                };
                self.secret_names.insert(id.to_owned(), name.clone());
                self.secrets.push((name, value));
            }
            "AWS::S3::Bucket" => {
                let lifecycle = property("LifecycleConfiguration")?;
                let days = lifecycle.as_ref().map(expiration).transpose()?.flatten();
                let lock = property("ObjectLockConfiguration")?;
                let locked_days = lock.as_ref().map(retention).transpose()?;
                if days.is_some() && locked_days.is_some() {
                    bail!("a bucket with object lock whose objects expire does not run locally");
                }
                let name = stack.physical_name(id)?;
                let notified = property("NotificationConfiguration")?;
                let notified = notified.as_ref().map(notifications).transpose()?;
                self.notifications
                    .insert(name.clone(), notified.unwrap_or_default());
                let settings = BucketSettings { days, locked_days };
                self.buckets.insert(name, settings);
            }
            "AWS::Events::EventBus" => {
                self.buses.insert(stack.physical_name(id)?);
            }
            "AWS::Events::Rule" => self.rule(stack, properties)?,
            "AWS::Serverless::Api" => {
                let definition = property("DefinitionBody")?;
                self.definition(id, definition.as_ref())?;
                let own = OwnAnswers::of(definition.as_ref())?;
                self.own_answers.insert(id.to_owned(), own);
            }
            _ => {}
        }
        Ok(())
    }

    fn rule(&mut self, stack: &Stack, properties: &Value) -> Result<()> {
        let property = |name: &str| stack.property(properties, name);
        let Some(pattern) = property("EventPattern")? else {
            return Ok(());
        };
        if property("State")?.is_some_and(|s| text(&s) == "DISABLED") {
            return Ok(());
        }
        check_pattern(&pattern)?;
        let bus = property("EventBusName")?.map_or_else(|| "default".to_owned(), |b| text(&b));
        let mut targets = Vec::new();
        for target in property("Targets")?
            .unwrap_or_default()
            .as_array()
            .into_iter()
            .flatten()
        {
            let arn = target
                .get("Arn")
                .and_then(Value::as_str)
                .context("a target has an ARN")?;
            let Some(name) = arn
                .strip_prefix("arn:aws:sqs:")
                .and_then(|a| a.rsplit(':').next())
            else {
                continue; // log groups and the like: nothing local reads them
            };
            let path = target
                .get("InputPath")
                .and_then(Value::as_str)
                .map(str::to_owned);
            targets.push((name.to_owned(), path));
        }
        self.rules.push(Rule {
            bus: bus.rsplit('/').next().unwrap_or_default().to_owned(),
            pattern,
            targets,
        });
        Ok(())
    }
}

fn queue(stack: &Stack, id: &str, properties: &Value) -> Result<QueueSettings> {
    let number = |name: &str, default: i64| -> Result<i64> {
        stack.property(properties, name)?.map_or(Ok(default), |v| {
            text(&v)
                .parse()
                .with_context(|| format!("{name} is not a number"))
        })
    };
    let redrive = match stack.property(properties, "RedrivePolicy")? {
        Some(policy) => {
            let arn = policy
                .get("deadLetterTargetArn")
                .map(text)
                .unwrap_or_default();
            let max = policy.get("maxReceiveCount").map(text).unwrap_or_default();
            Some(Redrive {
                queue: arn.rsplit(':').next().unwrap_or_default().to_owned(),
                max_receives: max.parse().context("maxReceiveCount is not a number")?,
            })
        }
        None => None,
    };
    Ok(QueueSettings {
        arn: text(&stack.resolve(&json!({"Fn::GetAtt": [id, "Arn"]}))?),
        visibility_s: number("VisibilityTimeout", 30)?,
        retention_s: number("MessageRetentionPeriod", 345_600)?,
        delay_s: number("DelaySeconds", 0)?,
        wait_s: number("ReceiveMessageWaitTimeSeconds", 0)?,
        max_size: usize::try_from(number("MaximumMessageSize", 1_048_576)?)?,
        redrive,
    })
}

/// The days after which everything in a bucket expires.
fn expiration(lifecycle: &Value) -> Result<Option<i64>> {
    let rules = lifecycle.get("Rules").and_then(Value::as_array);
    let mut days = Vec::new();
    for rule in rules.into_iter().flatten() {
        let word = |name: &str| rule.get(name).map(text);
        let Some(after) =
            word("ExpirationInDays").filter(|_| word("Status") != Some("Disabled".to_owned()))
        else {
            continue;
        };
        if [
            "Prefix",
            "TagFilters",
            "ObjectSizeGreaterThan",
            "ObjectSizeLessThan",
        ]
        .iter()
        .any(|filter| rule.get(*filter).is_some())
        {
            bail!("a lifecycle rule for a part of a bucket does not run locally");
        }
        days.push(after.parse().context("ExpirationInDays is not a number")?);
    }
    Ok(days.into_iter().min())
}

/// The days for which a bucket locks whatever is put into it.
fn retention(lock: &Value) -> Result<i64> {
    let default = lock.pointer("/Rule/DefaultRetention");
    let default =
        default.context("object lock without a default retention does not run locally")?;
    if default.get("Mode").map(text).as_deref() != Some("COMPLIANCE") {
        bail!("object lock in a mode other than COMPLIANCE does not run locally");
    }
    let number = |name: &str| default.get(name).map(text);
    let days = match (number("Days"), number("Years")) {
        (Some(days), None) => days.parse(),
        (None, Some(years)) => years.parse().map(|years: i64| years.saturating_mul(365)),
        (None, None) | (Some(_), Some(_)) => bail!("a retention is in days or in years"),
    };
    days.context("the retention is not a number")
}

/// What a bucket tells queues of objects that are put.
fn notifications(configuration: &Value) -> Result<Vec<Notify>> {
    let told = configuration.get("QueueConfigurations");
    let told = told.and_then(Value::as_array).into_iter().flatten();
    told.map(|told| {
        if told.get("Event").and_then(Value::as_str) != Some("s3:ObjectCreated:*") {
            bail!("a bucket tells locally of s3:ObjectCreated:* alone");
        }
        let arn = told.get("Queue").and_then(Value::as_str);
        let arn = arn.context("a notification has a queue")?;
        let rules = told
            .pointer("/Filter/S3Key/Rules")
            .and_then(Value::as_array);
        let prefix = rules.into_iter().flatten().find_map(|rule| {
            let is_prefix = rule.get("Name").and_then(Value::as_str) == Some("prefix");
            rule.get("Value")
                .and_then(Value::as_str)
                .filter(|_| is_prefix)
        });
        Ok(Notify {
            prefix: prefix.unwrap_or_default().to_owned(),
            queue: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        })
    })
    .collect()
}

fn generated_secret(generate: &Value) -> Result<String> {
    let length = generate
        .get("PasswordLength")
        .map_or(32, |l| text(l).parse().unwrap_or(32_usize));
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_os| anyhow!("there is no randomness for a secret"))?;
    let password: String = URL_SAFE_NO_PAD
        .encode(&bytes)
        .chars()
        .take(length)
        .collect();
    let (Some(template), Some(key)) = (
        generate.get("SecretStringTemplate").and_then(Value::as_str),
        generate.get("GenerateStringKey").and_then(Value::as_str),
    ) else {
        return Ok(password);
    };
    let mut template: Value = serde_json::from_str(template)
        .map_err(|_quotes_secret| anyhow!("SecretStringTemplate is not JSON"))?;
    template
        .as_object_mut()
        .context("SecretStringTemplate is not an object")?
        .insert(key.to_owned(), json!(password));
    Ok(template.to_string())
}
