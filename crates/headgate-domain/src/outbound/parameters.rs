//! The parameters a template message brings, as far as they can be compared with what the template takes.
//!
//! Reads, and does not judge: what has no shape that Meta knows becomes [`Value::Other`], which fits
//! no template. Keeps no text of anybody's, only kinds, names and places.

use serde_json::Value as Json;

use crate::config::ButtonKind;

/// Meta's limit on runs of blanks in a text parameter (132018).
const MOST_BLANKS: &str = "     ";

/// What a message brings for a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// For the header.
    pub header: Vec<Value>,
    /// For the body, in order.
    pub body: Vec<Parameter>,
    /// For the buttons.
    pub buttons: Vec<ButtonParameter>,
    /// The types of other components.
    pub others: Vec<String>,
    /// Whether something among the components is no component, or is there twice.
    pub unreadable: bool,
}

/// A parameter of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its kind.
    pub value: Value,
    /// Its name, where parameters are named.
    pub name: Option<String>,
}

/// A parameter of a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ButtonParameter {
    /// Its place, from 0.
    pub index: u8,
    /// What it does.
    pub kind: ButtonKind,
    /// Whether the parameter has the shape of its kind.
    pub fits: bool,
}

/// The kind of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text that Meta takes: something, on one line.
    Text,
    /// An amount of money.
    Currency,
    /// A date.
    DateTime,
    /// An image.
    Image,
    /// A video.
    Video,
    /// A document.
    Document,
    /// A place.
    Location,
    /// A product.
    Product,
    /// None of these, or not in the shape of its type.
    Other,
}

impl Parameters {
    /// Reads the components of a template message.
    pub(crate) fn read(components: Option<&Json>) -> Self {
        let mut read = Self::default();
        let list = match components {
            None | Some(Json::Null) => return read,
            Some(Json::Array(list)) => list,
            Some(_) => {
                read.unreadable = true;
                return read;
            }
        };
        for component in list {
            let kind = component.get("type").and_then(Json::as_str);
            let parameters = match component.get("parameters") {
                None | Some(Json::Null) => &[][..],
                Some(Json::Array(list)) => list.as_slice(),
                Some(_) => {
                    read.unreadable = true;
                    &[]
                }
            };
            match kind.map(str::to_ascii_lowercase).as_deref() {
                Some("header") => {
                    read.unreadable |= !read.header.is_empty();
                    read.header.extend(parameters.iter().map(value));
                }
                Some("body") => {
                    read.unreadable |= !read.body.is_empty();
                    read.body.extend(parameters.iter().map(|p| {
                        Parameter {
                            value: value(p),
                            name: p
                                .get("parameter_name")
                                .and_then(Json::as_str)
                                .map(str::to_owned),
                        }
                    }));
                }
                Some("button") => match button(component, parameters) {
                    Some(button) => read.buttons.push(button),
                    None => read.unreadable = true,
                },
                // A footer takes nothing, so it says nothing.
                Some("footer") => read.unreadable |= !parameters.is_empty(),
                Some(other) => read.others.push(other.to_owned()),
                None => read.unreadable = true,
            }
        }
        read
    }
}

fn value(parameter: &Json) -> Value {
    let object = |key: &str| parameter.get(key).is_some_and(Json::is_object);
    let kind = parameter.get("type").and_then(Json::as_str);
    match kind {
        Some("text") if is_text(parameter.get("text")) => Value::Text,
        Some("currency") if object("currency") => Value::Currency,
        Some("date_time") if object("date_time") => Value::DateTime,
        Some("image") if object("image") => Value::Image,
        Some("video") if object("video") => Value::Video,
        Some("document") if object("document") => Value::Document,
        Some("location") if object("location") => Value::Location,
        Some("product") if object("product") => Value::Product,
        Some(_) | None => Value::Other,
    }
}

fn is_text(text: Option<&Json>) -> bool {
    text.and_then(Json::as_str).is_some_and(|text| {
        !text.trim().is_empty() && !text.contains(['\n', '\t']) && !text.contains(MOST_BLANKS)
    })
}

fn button(component: &Json, parameters: &[Json]) -> Option<ButtonParameter> {
    let kind = ButtonKind::from_word(component.get("sub_type")?.as_str()?)?;
    let index = component.get("index")?;
    // Meta's own examples write it as a number and as a text.
    let index = index
        .as_u64()
        .or_else(|| index.as_str().and_then(|text| text.parse().ok()))?;
    let index = u8::try_from(index).ok()?;
    let of = |wanted: &str, filled: &dyn Fn(&Json) -> bool| match parameters {
        [one] => {
            one.get("type").and_then(Json::as_str) == Some(wanted)
                && one.get(wanted).is_some_and(filled)
        }
        _ => false,
    };
    let text = |v: &Json| v.as_str().is_some_and(|t| !t.is_empty());
    let fits = match kind {
        ButtonKind::Url => of("text", &text),
        ButtonKind::QuickReply => of("payload", &text),
        ButtonKind::CopyCode => of("coupon_code", &text),
        ButtonKind::Flow | ButtonKind::Catalog | ButtonKind::Mpm => of("action", &Json::is_object),
        ButtonKind::VoiceCall => parameters.len() == 1,
    };
    Some(ButtonParameter { index, kind, fits })
}
