//! Interactive messages: header, body, footer, and an action for each kind.

use crate::content;
use crate::fields::Fields;
use crate::refusal::Refusal;
use std::collections::BTreeSet;

const KINDS: [&str; 15] = [
    "button",
    "list",
    "cta_url",
    "flow",
    "product",
    "product_list",
    "catalog_message",
    "location_request_message",
    "address_message",
    "call_permission_request",
    "voice_call",
    "request_contact_info",
    "carousel",
    "order_details",
    "order_status",
];

pub(crate) fn check(fields: &Fields<'_>) -> Result<(), Refusal> {
    fields.only(&["type", "header", "body", "footer", "action"])?;
    let kind = fields.choice("type", &KINDS)?;
    if let Some(header) = fields.optional_object("header")? {
        check_header(&header)?;
    } else if kind == "product_list" {
        return Err(fields.missing("header"));
    }
    let longest = if kind == "list" { 4_096 } else { 1_024 };
    match fields.optional_object("body")? {
        Some(body) => {
            body.only(&["text"])?;
            body.text("text", longest)?;
        }
        // Meta lets these two stand without a body.
        None if matches!(kind, "product" | "call_permission_request") => {}
        None => return Err(fields.missing("body")),
    }
    if let Some(footer) = fields.optional_object("footer")? {
        footer.only(&["text"])?;
        footer.text("text", 60)?;
    }
    check_action(kind, &fields.object("action")?)
}

fn check_header(header: &Fields<'_>) -> Result<(), Refusal> {
    let kind = header.choice("type", &["text", "image", "video", "document"])?;
    header.only(&["type", "sub_text", kind])?;
    match kind {
        "text" => header.text("text", 60).map(drop),
        "document" => content::media(&header.object(kind)?, &["filename"]),
        _ => content::media(&header.object(kind)?, &[]),
    }
}

fn check_action(kind: &str, action: &Fields<'_>) -> Result<(), Refusal> {
    match kind {
        "button" => buttons(action),
        "list" => list(action),
        "cta_url" => {
            let parameters = named(action, "cta_url")?;
            parameters.only(&["display_text", "url"])?;
            parameters.text("display_text", 20)?;
            parameters.link("url")
        }
        "flow" => flow(action),
        "product" => {
            action.only(&["catalog_id", "product_retailer_id"])?;
            action.text("catalog_id", 64)?;
            action.text("product_retailer_id", 256).map(drop)
        }
        "product_list" => {
            action.only(&["catalog_id", "sections"])?;
            action.text("catalog_id", 64)?;
            let mut items = 0;
            for section in action.objects("sections", 1..=10)? {
                section.only(&["title", "product_items"])?;
                section.text("title", 24)?;
                for item in section.objects("product_items", 1..=30)? {
                    item.only(&["product_retailer_id"])?;
                    item.text("product_retailer_id", 256)?;
                    items += 1;
                }
            }
            if items > 30 {
                Err(action.invalid("sections", "at most 30 products in all"))
            } else {
                Ok(())
            }
        }
        "location_request_message" => {
            action.only(&["name"])?;
            action.choice("name", &["send_location"]).map(drop)
        }
        "address_message" => named(action, kind)?.text("country", 2).map(drop),
        "catalog_message" | "call_permission_request" | "voice_call" | "request_contact_info" => {
            action.only(&["name", "parameters"])?;
            action.choice("name", &[kind]).map(drop)
        }
        // Carousels and orders are passed through unread.
        _ => Ok(()),
    }
}

fn named<'a>(action: &Fields<'a>, name: &str) -> Result<Fields<'a>, Refusal> {
    action.only(&["name", "parameters"])?;
    action.choice("name", &[name])?;
    action.object("parameters")
}

fn buttons(action: &Fields<'_>) -> Result<(), Refusal> {
    action.only(&["buttons"])?;
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for button in action.objects("buttons", 1..=3)? {
        button.only(&["type", "reply"])?;
        button.choice("type", &["reply"])?;
        let reply = button.object("reply")?;
        reply.only(&["id", "title"])?;
        if !ids.insert(reply.text("id", 256)?) || !titles.insert(reply.text("title", 20)?) {
            return Err(reply.invalid("id", "ids and titles must differ"));
        }
    }
    Ok(())
}

fn list(action: &Fields<'_>) -> Result<(), Refusal> {
    action.only(&["button", "sections"])?;
    action.text("button", 20)?;
    let sections = action.objects("sections", 1..=10)?;
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for section in &sections {
        section.only(&["title", "rows"])?;
        if section
            .optional_text("title", 24)?
            .is_none_or(str::is_empty)
            && sections.len() > 1
        {
            return Err(section.missing("title"));
        }
        for row in section.objects("rows", 1..=10)? {
            row.only(&["id", "title", "description"])?;
            row.text("title", 24)?;
            row.optional_text("description", 72)?;
            ids.insert(row.text("id", 200)?);
            count += 1;
        }
    }
    if count > 10 {
        return Err(action.invalid("sections", "at most 10 rows in all"));
    }
    if ids.len() < count {
        Err(action.invalid("sections", "row ids must differ"))
    } else {
        Ok(())
    }
}

fn flow(action: &Fields<'_>) -> Result<(), Refusal> {
    let parameters = named(action, "flow")?;
    parameters.only(&[
        "flow_message_version",
        "flow_id",
        "flow_name",
        "flow_cta",
        "flow_token",
        "flow_action",
        "flow_action_payload",
        "mode",
    ])?;
    parameters.choice("flow_message_version", &["3"])?;
    parameters.text("flow_cta", 30)?;
    if parameters.find("flow_id").is_some() == parameters.find("flow_name").is_some() {
        return Err(parameters.invalid("flow_id", "either flow_id or flow_name"));
    }
    for (key, among) in [
        ("flow_action", &["navigate", "data_exchange"]),
        ("mode", &["draft", "published"]),
    ] {
        if parameters.find(key).is_some() {
            parameters.choice(key, among)?;
        }
    }
    Ok(())
}
