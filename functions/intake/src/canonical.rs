//! One text per JSON value, so that a repeated message is recognised whatever order its members
//! are in and however it is spaced.
//!
//! The text only ever enters a keyed hash. Not RFC 8785: an app's message may hold fractions and
//! nulls, and only equality with itself matters here. Sorts by hand, because whether `serde_json`
//! keeps members sorted depends on a feature that any dependency may switch on.

use serde_json::Value;

/// The text of a body; a body that is no JSON is its own text.
pub(crate) fn canonical(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    match serde_json::from_str::<Value>(body) {
        Ok(value) => write(&value, &mut text),
        Err(_not_json) => text.push_str(body),
    }
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, member) in members {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(member, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn order_and_spacing_make_no_difference() {
        let one = canonical(r#"{"b":[1,null,{"y":2.50,"x":"é"}],"a":true}"#);
        let other =
            canonical("{ \"a\" : true, \"b\": [1, null, {\"x\": \"\\u00e9\", \"y\": 2.5}] }");
        assert_eq!(one, other);
    }

    #[test]
    fn everything_else_does() {
        let texts = [
            r#"{"a":"1"}"#,
            r#"{"a":1}"#,
            r#"{"a":[1]}"#,
            r#"{"a":[1,[]]}"#,
            r#"{"a":[[1]]}"#,
            r#"{"a":null}"#,
            r#"{"a":"\",\"b\":\""}"#,
            r#"{"a":"","b":""}"#,
            "{}",
            "[]",
            "",
        ];
        for (index, one) in texts.iter().enumerate() {
            for other in texts.iter().skip(index.saturating_add(1)) {
                assert_ne!(canonical(one), canonical(other), "{one} {other}");
            }
        }
    }
}
