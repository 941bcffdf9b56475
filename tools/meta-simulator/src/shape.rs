//! The shape of a request to `/messages`: what belongs to every message, then its type.
//! Shapes and lengths from Meta's message reference, 2025-12 and 2026-09.

use crate::components::{self, TemplateUse};
use crate::fields::Fields;
use crate::refusal::Refusal;
use crate::{content, interactive};

/// A request whose shape is right.
pub(crate) enum Shape<'a> {
    /// A mark as read, with or without a typing indicator.
    Read,
    /// A message.
    Message {
        template: Option<TemplateUse<'a>>,
        opaque: Option<&'a str>,
    },
}

/// Every message type Meta documents for a send to one person.
const TYPES: [&str; 11] = [
    "audio",
    "contacts",
    "document",
    "image",
    "interactive",
    "location",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
];

/// The type a request says it has; text when it says nothing. `read` for a mark as read.
pub(crate) fn message_type<'a>(body: &Fields<'a>) -> &'a str {
    if body.find("status").is_some() {
        return "read";
    }
    match body.find("type") {
        None => "text",
        Some(value) => value.as_str().unwrap_or(""),
    }
}

/// # Errors
/// The first thing Meta would object to.
pub(crate) fn check<'a>(body: &Fields<'a>) -> Result<Shape<'a>, Refusal> {
    let product = body
        .optional_text("messaging_product", 32)?
        .ok_or_else(|| {
            Refusal::graph("(#100) The parameter messaging_product is required.", None)
        })?;
    if product != "whatsapp" {
        return Err(body.invalid("messaging_product", "it must be whatsapp"));
    }
    let kind = message_type(body);
    if kind == "read" {
        return read(body);
    }
    if let Some(recipient) = body.optional_text("recipient_type", 32)?
        && recipient != "individual"
    {
        return Err(body.invalid("recipient_type", "it must be individual"));
    }
    let opaque = body.optional_text("biz_opaque_callback_data", 512)?;
    if let Some(context) = body.optional_object("context")? {
        context.only(&["message_id"])?;
        context.text("message_id", 512)?;
    }
    body.optional_text("recipient_identity_key_hash", 256)?;
    if !TYPES.contains(&kind) {
        return Err(Refusal::because(131_051, "Message type is not supported."));
    }
    body.only(&[
        "messaging_product",
        "recipient_type",
        "to",
        "recipient",
        "type",
        kind,
        "context",
        "biz_opaque_callback_data",
        "recipient_identity_key_hash",
        "message_activity_sharing",
        "product_policy",
        "access_token",
        "appsecret_proof",
    ])?;
    let value = body.find(kind).ok_or_else(|| {
        Refusal::because(
            131_008,
            format!("Parameter '{kind}' is mandatory for type '{kind}'"),
        )
    })?;
    let template = match kind {
        "template" => Some(components::check(&Fields::of(value, kind)?)?),
        "contacts" => {
            content::contacts(body)?;
            None
        }
        "interactive" => {
            interactive::check(&Fields::of(value, kind)?)?;
            None
        }
        _ => {
            content::check(kind, &Fields::of(value, kind)?)?;
            None
        }
    };
    Ok(Shape::Message { template, opaque })
}

fn read<'a>(body: &Fields<'a>) -> Result<Shape<'a>, Refusal> {
    body.only(&[
        "messaging_product",
        "status",
        "message_id",
        "typing_indicator",
        "access_token",
        "appsecret_proof",
    ])?;
    body.choice("status", &["read"])?;
    let message = body.text("message_id", 512)?;
    if !message.starts_with("wamid.") {
        return Err(body.invalid("message_id", "it must be the id of a message received"));
    }
    if let Some(typing) = body.optional_object("typing_indicator")? {
        typing.only(&["type"])?;
        typing.choice("type", &["text"])?;
    }
    Ok(Shape::Read)
}
