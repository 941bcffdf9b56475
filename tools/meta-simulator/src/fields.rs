//! Reading fields of a request as Graph reads them: presence, kind, length, and no unknown keys.
//!
//! Paths in details are Meta's, such as `template['components']`. Details name fields, never values.

use crate::refusal::Refusal;
use serde_json::{Map, Value};

/// A JSON object and the path it was found at.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    pub(crate) map: &'a Map<String, Value>,
    pub(crate) path: String,
}

type Checked<T> = Result<T, Refusal>;

impl<'a> Fields<'a> {
    pub(crate) fn of(value: &'a Value, path: impl Into<String>) -> Checked<Self> {
        let path = path.into();
        match value.as_object() {
            Some(map) => Ok(Self { map, path }),
            None => Err(Refusal::because(
                100,
                format!("Param {path} must be a JSON object."),
            )),
        }
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}['{key}']", self.path)
        }
    }

    /// A value that is there and not null.
    pub(crate) fn find(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&self, key: &str) -> Checked<&'a Value> {
        self.find(key).ok_or_else(|| self.missing(key))
    }

    pub(crate) fn missing(&self, key: &str) -> Refusal {
        Refusal::because(131_008, format!("Parameter {} is required.", self.at(key)))
    }

    pub(crate) fn invalid(&self, key: &str, why: &str) -> Refusal {
        Refusal::because(
            131_009,
            format!("Parameter {} is invalid: {why}.", self.at(key)),
        )
    }

    /// No keys but these: a misspelled parameter must not pass.
    pub(crate) fn only(&self, keys: &[&str]) -> Checked<()> {
        if self.map.keys().all(|key| keys.contains(&key.as_str())) {
            return Ok(());
        }
        let place = if self.path.is_empty() {
            "the request"
        } else {
            &self.path
        };
        Err(Refusal::because(
            100,
            format!("Unexpected key on param {place}."),
        ))
    }

    pub(crate) fn object(&self, key: &str) -> Checked<Self> {
        Self::of(self.required(key)?, self.at(key))
    }

    pub(crate) fn optional_object(&self, key: &str) -> Checked<Option<Self>> {
        self.find(key)
            .map(|value| Self::of(value, self.at(key)))
            .transpose()
    }

    /// Text of 1 to `most` characters.
    pub(crate) fn text(&self, key: &str, most: usize) -> Checked<&'a str> {
        let text = self
            .optional_text(key, most)?
            .ok_or_else(|| self.missing(key))?;
        if text.is_empty() {
            Err(self.missing(key))
        } else {
            Ok(text)
        }
    }

    /// Text of at most `most` characters, when it is there.
    pub(crate) fn optional_text(&self, key: &str, most: usize) -> Checked<Option<&'a str>> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        let text = value.as_str().ok_or_else(|| {
            Refusal::because(100, format!("Param {} must be a string.", self.at(key)))
        })?;
        if text.chars().count() > most {
            let details = format!(
                "Param {} must be at most {most} characters long.",
                self.at(key)
            );
            return Err(Refusal::because(100, details));
        }
        Ok(Some(text))
    }

    /// One of a closed list.
    pub(crate) fn choice(&self, key: &str, among: &[&str]) -> Checked<&'a str> {
        let text = self.text(key, 64)?;
        if among.contains(&text) {
            return Ok(text);
        }
        let details = format!(
            "Param {} must be one of {{{}}}.",
            self.at(key),
            among.join(", ")
        );
        Err(Refusal::because(100, details))
    }

    pub(crate) fn optional_bool(&self, key: &str) -> Checked<()> {
        match self.find(key) {
            Some(value) if !value.is_boolean() => Err(Refusal::because(
                100,
                format!("Param {} must be a boolean.", self.at(key)),
            )),
            _ => Ok(()),
        }
    }

    /// A list of objects, its length within bounds.
    pub(crate) fn objects(
        &self,
        key: &str,
        length: std::ops::RangeInclusive<usize>,
    ) -> Checked<Vec<Self>> {
        let list = self.required(key)?.as_array().ok_or_else(|| {
            Refusal::because(100, format!("Param {} must be an array.", self.at(key)))
        })?;
        if !length.contains(&list.len()) {
            let why = format!(
                "it must have {} to {} entries",
                length.start(),
                length.end()
            );
            return Err(self.invalid(key, &why));
        }
        list.iter()
            .enumerate()
            .map(|(index, value)| Self::of(value, format!("{}[{index}]", self.at(key))))
            .collect()
    }

    /// A number, or a number in a string: Meta takes both for coordinates.
    pub(crate) fn number(&self, key: &str, bound: f64) -> Checked<()> {
        let value = self.required(key)?;
        let number = value
            .as_f64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match number {
            Some(number) if number.abs() <= bound => Ok(()),
            _ => Err(self.invalid(key, "it must be a number in range")),
        }
    }

    /// A web address.
    pub(crate) fn link(&self, key: &str) -> Checked<()> {
        let link = self.text(key, 2_000)?;
        let rest = link
            .strip_prefix("https://")
            .or_else(|| link.strip_prefix("http://"));
        match rest {
            Some(rest) if !rest.is_empty() && !link.contains(char::is_whitespace) => Ok(()),
            _ => Err(self.invalid(key, "it must be an http or https address")),
        }
    }
}
