//! Reads a template: YAML in, JSON out, with `!Ref` and friends in their long form.
//!
//! Deliberately resolves nothing: the assertions are about what is written, not what it becomes.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// One template file.
pub(crate) struct Template {
    root: Value,
}

impl Template {
    /// The root stack.
    pub(crate) fn root() -> Self {
        Self::load("template.yaml")
    }

    /// The nested stack that holds data.
    pub(crate) fn data() -> Self {
        Self::load("infra/data.yaml")
    }

    /// The nested stack that is public.
    pub(crate) fn edge() -> Self {
        Self::load("infra/edge.yaml")
    }

    /// Every stack.
    pub(crate) fn all() -> [Self; 3] {
        [Self::root(), Self::data(), Self::edge()]
    }

    fn load(path: &str) -> Self {
        let yaml: Yaml = serde_yaml_ng::from_str(&read(path)).expect("a template is YAML");
        Self {
            root: to_json(yaml),
        }
    }

    /// A top-level section, or null.
    pub(crate) fn section(&self, name: &str) -> &Value {
        &self.root[name]
    }

    /// The properties of one resource.
    pub(crate) fn properties(&self, id: &str) -> &Value {
        let resource = &self.root["Resources"][id];
        assert!(resource.is_object(), "there is no resource {id}");
        &resource["Properties"]
    }

    /// Every resource: logical id and definition.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.root["Resources"].as_object().expect("resources");
        resources.iter().map(|(id, value)| (id.as_str(), value))
    }

    /// The logical ids of every resource of one type.
    pub(crate) fn ids_of(&self, kind: &str) -> Vec<&str> {
        self.resources()
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(id, _)| id)
            .collect()
    }
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(in_repository(path)).unwrap_or_else(|_| panic!("{path} is missing"))
}

/// Where a file of the repository is.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The functions that exist: logical id prefix and package name, from the folders of `functions/`.
pub(crate) fn functions() -> Vec<(String, String)> {
    let mut names: Vec<String> = fs::read_dir(in_repository("functions"))
        .expect("functions/")
        .map(|entry| entry.expect("an entry").file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (pascal(&name), name))
        .collect()
}

/// `notification-processor` or `CONSENT_LEDGER` as a logical id.
pub(crate) fn pascal(name: &str) -> String {
    name.split(['-', '_'])
        .map(|word| {
            let (head, tail) = word.split_at(1);
            head.to_uppercase() + &tail.to_lowercase()
        })
        .collect()
}

/// A value that may be one thing or a list of things, as a list.
pub(crate) fn many(value: &Value) -> Vec<&Value> {
    if let Some(items) = value.as_array() {
        items.iter().collect()
    } else if value.is_null() {
        Vec::new()
    } else {
        vec![value]
    }
}

/// What a reference points at: a `Ref`, the attribute of a `GetAtt`, or the text of a `Sub`.
pub(crate) fn target(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    for intrinsic in ["Ref", "Fn::Sub"] {
        if let Some(text) = value[intrinsic].as_str() {
            return text.to_owned();
        }
    }
    if let Some(text) = value["Fn::GetAtt"].as_str() {
        return text.to_owned();
    }
    panic!("not a reference: {value}")
}

fn to_json(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Number(value) => value
            .as_i64()
            .map_or_else(|| json!(value.as_f64()), |n| json!(n)),
        Yaml::String(value) => json!(value),
        Yaml::Sequence(items) => items.into_iter().map(to_json).collect(),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = key.as_str().expect("keys are text").to_owned();
                assert!(!map.contains_key(&key), "{key} is there twice");
                map.insert(key, to_json(value));
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let key = if ["Ref", "Condition"].contains(&name) {
                name.to_owned()
            } else {
                format!("Fn::{name}")
            };
            json!({ key: to_json(tagged.value) })
        }
    }
}

/// The intrinsics the local cloud can resolve; a template that used another would not run there.
#[test]
fn only_intrinsics_that_run_locally_are_used() {
    fn walk(value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if let Some(name) = key.strip_prefix("Fn::") {
                        let known = [
                            "GetAtt",
                            "Sub",
                            "Join",
                            "Split",
                            "If",
                            "Equals",
                            "Not",
                            "And",
                            "FindInMap",
                        ];
                        assert!(known.contains(&name), "Fn::{name} does not run locally");
                    }
                    walk(value);
                }
            }
            Value::Array(items) => items.iter().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    for template in Template::all() {
        walk(&template.root);
    }
}

#[test]
fn every_output_of_the_data_stack_that_is_used_exists() {
    let data = Template::data();
    let text = read("template.yaml");
    let mut used = 0;
    for piece in text.split("Data.Outputs.").skip(1) {
        let name: String = piece
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let output = &data.section("Outputs")[&name]["Value"];
        assert!(!output.is_null(), "infra/data.yaml has no output {name}");
        let resource = target(output);
        let resource = resource.split('.').next().unwrap();
        assert!(name.starts_with(resource), "{name} is about {resource}");
        used += 1;
    }
    assert!(used > 50);
}

#[test]
fn the_edge_is_given_every_parameter_and_gives_every_output_that_is_used() {
    let (root, edge) = (Template::root(), Template::edge());
    let names = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .expect("a mapping")
            .keys()
            .cloned()
            .collect()
    };
    let given = names(&root.properties("Edge")["Parameters"]);
    assert_eq!(given, names(edge.section("Parameters")));
    let text = read("template.yaml");
    let used: BTreeSet<String> = text
        .split("Edge.Outputs.")
        .skip(1)
        .map(|piece| {
            piece
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect()
        })
        .collect();
    assert_eq!(used, names(edge.section("Outputs")));
}
