//! Evaluates a template against the local resources: parameters, conditions, intrinsics, nested stacks.
//!
//! Promises names that are stable across restarts: everything physical follows from the stack and the logical id.
//! Deliberately does not create anything and does not know most resource types: what it does not know gets a
//! plausible name and ARN, because templates mention roles and alarms that nothing local needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::template::{self, is_intrinsic};

mod intrinsics;
mod names;

pub(crate) use names::{role_id, secret_arn};

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
                        s.split(',')
                            .map(|p| Value::String(p.trim().to_owned()))
                            .collect(),
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
                let kind = resource
                    .get("Type")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let properties = resource
                    .get("Properties")
                    .cloned()
                    .unwrap_or_else(|| json!({}));
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
        let known = self
            .children
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        if known.is_some() {
            return Ok(known);
        }
        let (kind, properties) = self.properties(id)?;
        let location = match kind.as_str() {
            "AWS::Serverless::Application" => properties.get("Location"),
            "AWS::CloudFormation::Stack" => properties.get("TemplateURL"),
            _ => None,
        };
        let Some(location) = location.and_then(Value::as_str) else {
            return Ok(None);
        };
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
            if matches!(
                kind.as_str(),
                "AWS::Serverless::Application" | "AWS::CloudFormation::Stack"
            ) && let Some(child) = self.child(&id)?
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
