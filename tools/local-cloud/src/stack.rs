//! Evaluates a template against the local resources: parameters, conditions, intrinsics, nested stacks.
//!
//! Promises names that are stable across restarts: everything physical follows from the stack and the logical id.
//! Deliberately does not create anything and does not know most resource types: what it does not know gets a
//! plausible name and ARN, because templates mention roles and alarms that nothing local needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value, json};

use crate::template::{self, is_intrinsic};

/// The region everything local claims to be in.
pub(crate) const REGION: &str = "eu-west-1";
/// The account everything local claims to belong to.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The name of the root stack.
pub(crate) const STACK: &str = "headgate-local";

// A template that refers to itself must be an error, not a stack overflow.
const MAX_DEPTH: usize = 64;

/// Where the local services are, as far as references need to know.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) sqs: String,
    /// `AWS::Serverless::Api` logical id → its base URL.
    pub(crate) apis: BTreeMap<String, String>,
    pub(crate) nested: BTreeMap<String, String>,
}

/// One stack of the template, with its nested stacks built when they are first asked for.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) name: String,
    template: Value,
    parameters: BTreeMap<String, Value>,
    places: Arc<Places>,
    children: Mutex<BTreeMap<String, Arc<Stack>>>,
}

impl Stack {
    pub(crate) fn new(
        name: &str,
        template: Value,
        given: &Map<String, Value>,
        places: Arc<Places>,
    ) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        if let Some(Value::Object(declared)) = template.get("Parameters") {
            for (key, declaration) in declared {
                let value = given.get(key).or_else(|| declaration.get("Default"));
                let list = declaration
                    .get("Type")
                    .and_then(Value::as_str)
                    .is_some_and(|t| t == "CommaDelimitedList" || t.starts_with("List<"));
                let value = match value {
                    Some(Value::String(s)) if list => Value::Array(
                        s.split(',').map(|p| Value::String(p.trim().to_owned())).collect(),
                    ),
                    Some(other) => other.clone(),
                    None => continue, // an error only when something refers to it
                };
                parameters.insert(key.clone(), value);
            }
            for key in given.keys() {
                if !declared.contains_key(key) {
                    bail!("stack {name} has no parameter {key}");
                }
            }
        }
        Ok(Self {
            name: name.to_owned(),
            template,
            parameters,
            places,
            children: Mutex::default(),
        })
    }

    /// Every resource whose condition holds: logical id, type, unresolved properties.
    pub(crate) fn resources(&self) -> Result<Vec<(String, String, Value)>> {
        let mut out = Vec::new();
        if let Some(Value::Object(resources)) = self.template.get("Resources") {
            for (id, resource) in resources {
                if let Some(condition) = resource.get("Condition").and_then(Value::as_str)
                    && !self.condition(condition, 0)?
                {
                    continue;
                }
                let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
                let properties = resource.get("Properties").cloned().unwrap_or_else(|| json!({}));
                let properties = match kind.strip_prefix("AWS::Serverless::") {
                    Some(section) => self
                        .template
                        .pointer(&format!("/Globals/{section}"))
                        .map_or_else(|| properties.clone(), |g| template::merge(g, &properties)),
                    None => properties,
                };
                out.push((id.clone(), kind.to_owned(), properties));
            }
        }
        Ok(out)
    }

    /// The unresolved properties of one resource, `Globals` merged in.
    pub(crate) fn properties(&self, id: &str) -> Result<(String, Value)> {
        self.resources()?
            .into_iter()
            .find(|(logical, _, _)| logical == id)
            .map(|(_, kind, properties)| (kind, properties))
            .with_context(|| format!("stack {} has no resource {id}", self.name))
    }

    /// The nested stack of a resource; `None` if its template was not given.
    pub(crate) fn child(&self, id: &str) -> Result<Option<Arc<Self>>> {
        self.child_at(id, 0)
    }

    fn child_at(&self, id: &str, depth: usize) -> Result<Option<Arc<Self>>> {
        let known = self.children.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let (kind, properties) = self.properties(id)?;
        let location = match kind.as_str() {
            "AWS::Serverless::Application" => properties.get("Location"),
            "AWS::CloudFormation::Stack" => properties.get("TemplateURL"),
            _ => None,
        };
        let Some(location) = location.and_then(Value::as_str) else { return Ok(None) };
        let Some(text) = self.places.nested.get(location.trim_start_matches("./")) else {
            return Ok(None);
        };
        let given = match properties.get("Parameters") {
            Some(parameters) => self.resolve_at(parameters, depth.saturating_add(1))?,
            None => json!({}),
        };
        let given = given.as_object().cloned().unwrap_or_default();
        let child = Arc::new(Self::new(
            &format!("{}-{id}", self.name),
            template::parse(location, text)?,
            &given,
            Arc::clone(&self.places),
        )?);
        self.children
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), Arc::clone(&child));
        Ok(Some(child))
    }

    /// All nested stacks whose templates were given.
    pub(crate) fn nested(&self) -> Result<Vec<(String, Arc<Self>)>> {
        let mut out = Vec::new();
        for (id, kind, _) in self.resources()? {
            if matches!(kind.as_str(), "AWS::Serverless::Application" | "AWS::CloudFormation::Stack")
                && let Some(child) = self.child(&id)?
            {
                out.push((id, child));
            }
        }
        Ok(out)
    }

    /// An output of this stack.
    pub(crate) fn output(&self, name: &str) -> Result<String> {
        self.output_at(name, 0)
    }

    fn output_at(&self, name: &str, depth: usize) -> Result<String> {
        let output = self
            .template
            .get("Outputs")
            .and_then(|o| o.get(name))
            .and_then(|o| o.get("Value"))
            .with_context(|| format!("stack {} has no output {name}", self.name))?;
        Ok(text(&self.resolve_at(output, depth.saturating_add(1))?))
    }

    /// Evaluates every intrinsic in a value; what is `AWS::NoValue` disappears.
    pub(crate) fn resolve(&self, value: &Value) -> Result<Value> {
        self.resolve_at(value, 0)
    }

    /// One property, evaluated; `None` if absent.
    pub(crate) fn property(&self, properties: &Value, name: &str) -> Result<Option<Value>> {
        match properties.get(name) {
            Some(value) => {
                let value = self.resolve(value).with_context(|| {
                    format!("property {name} cannot be evaluated in stack {}", self.name)
                })?;
                Ok(if value.is_null() { None } else { Some(value) })
            }
            None => Ok(None),
        }
    }

    fn resolve_at(&self, value: &Value, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            bail!("a reference in stack {} leads back to itself", self.name);
        }
        let depth = depth.saturating_add(1);
        Ok(match value {
            Value::Object(map) if is_intrinsic(map) => match map.iter().next() {
                Some((function, argument)) => self.call(function, argument, depth)?,
                None => Value::Null,
            },
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, value) in map {
                    let value = self.resolve_at(value, depth)?;
                    if !value.is_null() {
                        out.insert(key.clone(), value);
                    }
                }
                Value::Object(out)
            }
            Value::Array(items) => {
                let mut out = Vec::new();
                for item in items {
                    let item = self.resolve_at(item, depth)?;
                    if !item.is_null() {
                        out.push(item);
                    }
                }
                Value::Array(out)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        })
    }

    fn call(&self, function: &str, argument: &Value, depth: usize) -> Result<Value> {
        match function {
            "Ref" => self.reference(argument.as_str().context("Ref wants a name")?, depth),
            "Condition" => Ok(Value::Bool(
                self.condition(argument.as_str().context("Condition wants a name")?, depth)?,
            )),
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                Ok(Value::Bool(self.holds(&one(function, argument), depth)?))
            }
            "Fn::If" => {
                let (condition, rest) =
                    argument.as_array().and_then(|a| a.split_first()).context("If wants a list")?;
                let condition = condition.as_str().context("If wants the name of a condition")?;
                let index = usize::from(!self.condition(condition, depth)?);
                self.resolve_at(rest.get(index).context("If wants three values")?, depth)
            }
            "Fn::GetAtt" => {
                let parts: Vec<&str> =
                    argument.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let (id, attribute) = parts.split_first().context("GetAtt wants a resource")?;
                self.attribute(id, &attribute.join("."), depth)
            }
            "Fn::Sub" => self.substitute(argument, depth),
            "Fn::Join" => {
                let delimiter = argument.get(0).and_then(Value::as_str).context("Join wants a delimiter")?;
                let items = self.resolve_at(argument.get(1).context("Join wants a list")?, depth)?;
                let items: Vec<String> = items.as_array().into_iter().flatten().map(text).collect();
                Ok(Value::String(items.join(delimiter)))
            }
            "Fn::Split" => {
                let delimiter = argument.get(0).and_then(Value::as_str).context("Split wants a delimiter")?;
                let whole = self.resolve_at(argument.get(1).context("Split wants a text")?, depth)?;
                Ok(Value::Array(
                    text(&whole).split(delimiter).map(|p| Value::String(p.to_owned())).collect(),
                ))
            }
            "Fn::Select" => {
                let argument = self.resolve_at(argument, depth)?;
                let index: usize = argument.get(0).map(text).unwrap_or_default().parse().context("Select wants an index")?;
                argument.get(1).and_then(|l| l.get(index)).cloned().context("Select is out of range")
            }
            "Fn::FindInMap" => {
                let argument = self.resolve_at(argument, depth)?;
                let mut found = self.template.get("Mappings");
                for key in argument.as_array().into_iter().flatten().take(3) {
                    found = found.and_then(|f| f.get(text(key)));
                }
                found.cloned().context("FindInMap finds nothing")
            }
            other => Err(anyhow!("{other} is not supported locally")),
        }
    }

    fn condition(&self, name: &str, depth: usize) -> Result<bool> {
        let expression = self
            .template
            .get("Conditions")
            .and_then(|c| c.get(name))
            .with_context(|| format!("stack {} has no condition {name}", self.name))?;
        self.holds(expression, depth.saturating_add(1))
    }

    fn holds(&self, expression: &Value, depth: usize) -> Result<bool> {
        if depth > MAX_DEPTH {
            bail!("a condition in stack {} leads back to itself", self.name);
        }
        let depth = depth.saturating_add(1);
        let map = expression.as_object().context("a condition is a function")?;
        let (function, argument) = map.iter().next().context("a condition is a function")?;
        let list = || argument.as_array().into_iter().flatten();
        match function.as_str() {
            "Condition" => self.condition(argument.as_str().context("Condition wants a name")?, depth),
            "Fn::Equals" => {
                let sides = self.resolve_at(argument, depth)?;
                Ok(sides.get(0).map(text) == sides.get(1).map(text))
            }
            "Fn::Not" => {
                let inner = list().next().context("Not wants a condition")?;
                Ok(!self.holds(inner, depth)?)
            }
            "Fn::And" => list().try_fold(true, |all, c| Ok(self.holds(c, depth)? && all)),
            "Fn::Or" => list().try_fold(false, |any, c| Ok(self.holds(c, depth)? || any)),
            other => Err(anyhow!("{other} is not a condition")),
        }
    }

    fn substitute(&self, argument: &Value, depth: usize) -> Result<Value> {
        let (pattern, variables) = match argument {
            Value::Array(parts) => (parts.first(), parts.get(1)),
            other => (Some(other), None),
        };
        let mut rest = pattern.and_then(Value::as_str).context("Sub wants a text")?;
        let mut out = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, tail) = after.split_once('}').context("Sub has an open brace")?;
            rest = tail;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str("${");
                out.push_str(literal);
                out.push('}');
            } else if let Some(variable) = variables.and_then(|v| v.get(name)) {
                out.push_str(&text(&self.resolve_at(variable, depth)?));
            } else if let Some((id, attribute)) = name.split_once('.') {
                out.push_str(&text(&self.attribute(id, attribute, depth)?));
            } else {
                out.push_str(&text(&self.reference(name, depth)?));
            }
        }
        out.push_str(rest);
        Ok(Value::String(self.localise(out)))
    }

    /// The address of an API as templates write it becomes the loopback address of that API.
    fn localise(&self, mut whole: String) -> String {
        for (id, url) in &self.places.apis {
            let remote = format!("https://{}.execute-api.{REGION}.amazonaws.com", api_id(id));
            if let Some((before, after)) = whole.split_once(&remote) {
                let after = after.strip_prefix('/').map_or(after, |path| {
                    // The stage is part of the remote path only: the local API has no stages.
                    path.find('/').map_or("", |slash| path.get(slash..).unwrap_or_default())
                });
                whole = format!("{before}{url}{after}");
            }
        }
        whole
    }

    fn reference(&self, name: &str, depth: usize) -> Result<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(json!(match name {
            "AWS::NoValue" => return Ok(Value::Null),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.name.clone(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/local",
                self.name
            ),
            _ => return self.resource_reference(name, depth),
        }))
    }

    fn resource_reference(&self, id: &str, depth: usize) -> Result<Value> {
        let kind = self.kind(id)?;
        let name = self.physical_name_at(id, depth)?;
        Ok(json!(match kind.as_str() {
            "AWS::SQS::Queue" => self.queue_url(&name),
            "AWS::SecretsManager::Secret" => secret_arn(&name),
            "AWS::Serverless::Api" => api_id(id),
            _ => name,
        }))
    }

    fn attribute(&self, id: &str, attribute: &str, depth: usize) -> Result<Value> {
        if let Some(output) = attribute.strip_prefix("Outputs.") {
            let child = self.child_at(id, depth)?.with_context(|| {
                format!("the template of nested stack {id} was not given, but its output {output} is used")
            })?;
            return Ok(Value::String(child.output_at(output, depth)?));
        }
        let kind = self.kind(id)?;
        let name = self.physical_name_at(id, depth)?;
        Ok(json!(match (kind.as_str(), attribute) {
            ("AWS::SQS::Queue", "QueueUrl") => self.queue_url(&name),
            ("AWS::SQS::Queue", "QueueName")
            | ("AWS::Events::EventBus", "Name")
            | ("AWS::KMS::Key", "KeyId") => name,
            (_, "Arn") => arn(&kind, &name),
            ("AWS::DynamoDB::Table", "StreamArn") =>
                format!("{}/stream/local", arn(&kind, &name)),
            ("AWS::SecretsManager::Secret", "Id") => secret_arn(&name),
            _ => format!("{name}.{attribute}"),
        }))
    }

    fn kind(&self, id: &str) -> Result<String> {
        let resources = self.template.get("Resources").and_then(Value::as_object);
        let resource = resources.and_then(|r| r.get(id));
        if let Some(resource) = resource {
            return Ok(resource.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned());
        }
        // SAM makes resources named after those of the template: roles, stages, permissions.
        let generated = id == "ServerlessRestApi"
            || resources.into_iter().flat_map(Map::keys).any(|known| id.starts_with(known.as_str()));
        if generated {
            return Ok(String::new());
        }
        bail!("stack {} has neither a parameter nor a resource {id}", self.name)
    }

    /// The name a resource has in its service.
    pub(crate) fn physical_name(&self, id: &str) -> Result<String> {
        self.physical_name_at(id, 0)
    }

    fn physical_name_at(&self, id: &str, depth: usize) -> Result<String> {
        let resource = self.template.get("Resources").and_then(|r| r.get(id));
        let kind = self.kind(id)?;
        if kind == "AWS::KMS::Key" {
            return Ok(key_id(&self.name, id));
        }
        let property = match kind.as_str() {
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::KMS::Alias" => "AliasName",
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => "FunctionName",
            "AWS::SecretsManager::Secret" | "AWS::Events::EventBus" | "AWS::Events::Rule" => "Name",
            _ => "",
        };
        if let Some(name) = resource.and_then(|r| r.pointer(&format!("/Properties/{property}")))
            && !property.is_empty()
        {
            return Ok(text(&self.resolve_at(name, depth.saturating_add(1))?));
        }
        Ok(format!("{}-{id}", self.name))
    }

    pub(crate) fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.places.sqs)
    }
}

fn one(function: &str, argument: &Value) -> Value {
    let mut map = Map::new();
    map.insert(function.to_owned(), argument.clone());
    Value::Object(map)
}

/// A resolved value as CloudFormation writes it into text.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn arn(kind: &str, name: &str) -> String {
    let (service, resource) = match kind {
        "AWS::DynamoDB::Table" => ("dynamodb", format!("table/{name}")),
        "AWS::SQS::Queue" => ("sqs", name.to_owned()),
        "AWS::KMS::Key" => ("kms", format!("key/{name}")),
        "AWS::Events::EventBus" => ("events", format!("event-bus/{name}")),
        "AWS::Events::Rule" => ("events", format!("rule/{name}")),
        "AWS::SecretsManager::Secret" => return secret_arn(name),
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
            ("lambda", format!("function:{name}"))
        }
        _ => ("local", name.to_owned()),
    };
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The ARN of a secret. The suffix AWS draws at random is fixed here, so that ARNs survive a restart.
pub(crate) fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1b2C3")
}

fn api_id(logical: &str) -> String {
    logical.to_ascii_lowercase()
}

/// A key id that follows from the template, in the form of a UUID as KMS has it.
pub(crate) fn key_id(stack: &str, logical: &str) -> String {
    let digest = format!("{:x}", md5::compute(format!("{stack}/{logical}")));
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
