//! The intrinsic functions and the conditions of a stack.
//!
//! Deliberately refuses functions it does not know: a silent wrong value would be found much later.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};

use super::{MAX_DEPTH, Stack, text};

impl Stack {
    pub(super) fn call(&self, function: &str, argument: &Value, depth: usize) -> Result<Value> {
        match function {
            "Ref" => self.reference(argument.as_str().context("Ref wants a name")?, depth),
            "Condition" => Ok(Value::Bool(
                self.condition(argument.as_str().context("Condition wants a name")?, depth)?,
            )),
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                Ok(Value::Bool(self.holds(&one(function, argument), depth)?))
            }
            "Fn::If" => {
                let (condition, rest) = argument
                    .as_array()
                    .and_then(|a| a.split_first())
                    .context("If wants a list")?;
                let condition = condition
                    .as_str()
                    .context("If wants the name of a condition")?;
                let index = usize::from(!self.condition(condition, depth)?);
                self.resolve_at(rest.get(index).context("If wants three values")?, depth)
            }
            "Fn::GetAtt" => {
                let parts: Vec<&str> = argument
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let (id, attribute) = parts.split_first().context("GetAtt wants a resource")?;
                self.attribute(id, &attribute.join("."), depth)
            }
            "Fn::Sub" => self.substitute(argument, depth),
            "Fn::Join" => {
                let delimiter = argument
                    .get(0)
                    .and_then(Value::as_str)
                    .context("Join wants a delimiter")?;
                let items =
                    self.resolve_at(argument.get(1).context("Join wants a list")?, depth)?;
                let items: Vec<String> = items.as_array().into_iter().flatten().map(text).collect();
                Ok(Value::String(items.join(delimiter)))
            }
            "Fn::Split" => {
                let delimiter = argument
                    .get(0)
                    .and_then(Value::as_str)
                    .context("Split wants a delimiter")?;
                let whole =
                    self.resolve_at(argument.get(1).context("Split wants a text")?, depth)?;
                Ok(Value::Array(
                    text(&whole)
                        .split(delimiter)
                        .map(|p| Value::String(p.to_owned()))
                        .collect(),
                ))
            }
            "Fn::Select" => {
                let argument = self.resolve_at(argument, depth)?;
                let index: usize = argument
                    .get(0)
                    .map(text)
                    .unwrap_or_default()
                    .parse()
                    .context("Select wants an index")?;
                argument
                    .get(1)
                    .and_then(|l| l.get(index))
                    .cloned()
                    .context("Select is out of range")
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

    pub(super) fn condition(&self, name: &str, depth: usize) -> Result<bool> {
        let expression = self
            .template
            .get("Conditions")
            .and_then(|c| c.get(name))
            .with_context(|| format!("stack {} has no condition {name}", self.name))?;
        self.holds(expression, depth.saturating_add(1))
    }

    pub(super) fn holds(&self, expression: &Value, depth: usize) -> Result<bool> {
        if depth > MAX_DEPTH {
            bail!("a condition in stack {} leads back to itself", self.name);
        }
        let depth = depth.saturating_add(1);
        let map = expression
            .as_object()
            .context("a condition is a function")?;
        let (function, argument) = map.iter().next().context("a condition is a function")?;
        let list = || argument.as_array().into_iter().flatten();
        match function.as_str() {
            "Condition" => {
                self.condition(argument.as_str().context("Condition wants a name")?, depth)
            }
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

    pub(super) fn substitute(&self, argument: &Value, depth: usize) -> Result<Value> {
        let (pattern, variables) = match argument.as_array() {
            Some(parts) => (parts.first(), parts.get(1)),
            None => (Some(argument), None),
        };
        let mut rest = pattern
            .and_then(Value::as_str)
            .context("Sub wants a text")?;
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
}

fn one(function: &str, argument: &Value) -> Value {
    let mut map = Map::new();
    map.insert(function.to_owned(), argument.clone());
    Value::Object(map)
}
