//! Reads a CloudFormation or SAM template: YAML in, JSON with long-form intrinsics out.
//!
//! Promises that `!GetAtt A.B` and `Fn::GetAtt: [A, B]` look the same to everything behind it.
//! Deliberately does not evaluate anything: that is `stack`.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// Parses the text of a template; `name` is only for the error.
pub(crate) fn parse(name: &str, text: &str) -> Result<Value> {
    let yaml: Yaml =
        serde_yaml_ng::from_str(text).with_context(|| format!("{name} is not valid YAML"))?;
    let value = to_json(yaml).with_context(|| format!("{name} cannot be read as a template"))?;
    if !value.is_object() {
        bail!("{name} is not a mapping");
    }
    Ok(value)
}

fn to_json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Bool(b),
        Yaml::Number(n) => {
            if let Some(i) = n.as_i64() {
                json!(i)
            } else if let Some(u) = n.as_u64() {
                json!(u)
            } else {
                json!(n.as_f64())
            }
        }
        Yaml::String(s) => Value::String(s),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_>>()?)
        }
        Yaml::Mapping(map) => {
            let mut object = Map::new();
            for (key, value) in map {
                let key = to_json(key)?;
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                // The long form of GetAtt may be written as one dotted string.
                let value = to_json(value)?;
                if key == "Fn::GetAtt" {
                    object.insert(key, split_attribute(value));
                } else {
                    object.insert(key, value);
                }
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!').to_owned();
            let value = to_json(tagged.value)?;
            let (key, value) = match name.as_str() {
                "Ref" | "Condition" => (name, value),
                "GetAtt" => ("Fn::GetAtt".to_owned(), split_attribute(value)),
                _ => (format!("Fn::{name}"), value),
            };
            let mut object = Map::new();
            object.insert(key, value);
            Value::Object(object)
        }
    })
}

fn split_attribute(value: Value) -> Value {
    let Some(dotted) = value.as_str() else {
        return value;
    };
    match dotted.split_once('.') {
        Some((resource, attribute)) => json!([resource, attribute]),
        None => json!([dotted]),
    }
}

/// Lays `over` on top of `under` as SAM lays a function over `Globals`: maps merge, lists append, scalars replace.
pub(crate) fn merge(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(a), Value::Object(b)) if !is_intrinsic(a) && !is_intrinsic(b) => {
            let mut out = a.clone();
            for (key, value) in b {
                let merged = out
                    .get(key)
                    .map_or_else(|| value.clone(), |u| merge(u, value));
                out.insert(key.clone(), merged);
            }
            Value::Object(out)
        }
        (Value::Array(a), Value::Array(b)) => {
            Value::Array(a.iter().chain(b.iter()).cloned().collect())
        }
        _ => over.clone(),
    }
}

/// Whether this map is a call of an intrinsic function.
pub(crate) fn is_intrinsic(map: &Map<String, Value>) -> bool {
    map.len() == 1
        && map
            .keys()
            .all(|k| k == "Ref" || k == "Condition" || k.starts_with("Fn::"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::{merge, parse};
    use serde_json::json;

    #[test]
    fn short_and_long_forms_read_the_same() {
        let short = parse(
            "t",
            "A: !GetAtt Data.Outputs.X\nB: !Sub '${A}-b'\nC: !If [Y, !Ref A, 1]",
        )
        .unwrap();
        let long = parse(
            "t",
            "A: {'Fn::GetAtt': [Data, Outputs.X]}\nB: {'Fn::Sub': '${A}-b'}\nC: {'Fn::If': [Y, {Ref: A}, 1]}",
        )
        .unwrap();
        assert_eq!(short, long);
        assert_eq!(
            parse("t", "A: {'Fn::GetAtt': Data.Outputs.X}").unwrap()["A"],
            short["A"]
        );
    }

    #[test]
    fn a_function_overrides_the_globals_variable_by_variable() {
        let merged = merge(
            &json!({"Timeout": 3, "Environment": {"Variables": {"A": "1", "B": "1"}}, "Layers": ["x"]}),
            &json!({"Timeout": 9, "Environment": {"Variables": {"B": "2"}}, "Layers": ["y"]}),
        );
        assert_eq!(
            merged,
            json!({"Timeout": 9, "Environment": {"Variables": {"A": "1", "B": "2"}}, "Layers": ["x", "y"]})
        );
    }
}
