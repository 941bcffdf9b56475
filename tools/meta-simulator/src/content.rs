//! The plain message types: text, media, location, contacts, reaction.

use crate::fields::Fields;
use crate::refusal::Refusal;

pub(crate) fn check(kind: &str, fields: &Fields<'_>) -> Result<(), Refusal> {
    match kind {
        "text" => {
            fields.only(&["body", "preview_url"])?;
            fields.optional_bool("preview_url")?;
            fields.text("body", 4_096).map(drop)
        }
        "image" | "video" => media(fields, &["caption"]),
        "document" => media(fields, &["caption", "filename"]),
        "audio" => {
            fields.optional_bool("voice")?;
            media(fields, &["voice"])
        }
        "sticker" => media(fields, &[]),
        "location" => {
            fields.only(&["latitude", "longitude", "name", "address"])?;
            fields.number("latitude", 90.0)?;
            fields.number("longitude", 180.0)?;
            fields.optional_text("name", 1_000)?;
            fields.optional_text("address", 1_000).map(drop)
        }
        "reaction" => {
            fields.only(&["message_id", "emoji"])?;
            fields.text("message_id", 512)?;
            // Empty takes the reaction back, so it must be there and may be empty.
            match fields.optional_text("emoji", 32)? {
                Some(_) => Ok(()),
                None => Err(fields.missing("emoji")),
            }
        }
        _ => Err(Refusal::because(131_051, "Message type is not supported.")),
    }
}

/// An uploaded id or a link, exactly one, and what else the kind may carry.
pub(crate) fn media(fields: &Fields<'_>, extras: &[&str]) -> Result<(), Refusal> {
    let mut keys = vec!["id", "link"];
    keys.extend_from_slice(extras);
    fields.only(&keys)?;
    match (fields.find("id"), fields.find("link")) {
        (Some(_), Some(_)) => Err(fields.invalid("link", "either id or link, not both")),
        (None, None) => Err(fields.missing("id")),
        (None, Some(_)) => fields.link("link"),
        (Some(_), None) => {
            let id = fields.text("id", 64)?;
            if id.bytes().all(|byte| byte.is_ascii_digit()) {
                Ok(())
            } else {
                Err(fields.invalid("id", "it must be the id of uploaded media"))
            }
        }
    }?;
    if extras.contains(&"caption") {
        fields.optional_text("caption", 1_024)?;
    }
    if extras.contains(&"filename") {
        fields.optional_text("filename", 240)?;
    }
    Ok(())
}

/// `contacts` is a list beside the other fields, not an object of its own.
pub(crate) fn contacts(body: &Fields<'_>) -> Result<(), Refusal> {
    for contact in body.objects("contacts", 1..=257)? {
        contact.only(&[
            "addresses",
            "birthday",
            "emails",
            "name",
            "org",
            "phones",
            "urls",
        ])?;
        let name = contact.object("name")?;
        name.only(&[
            "formatted_name",
            "first_name",
            "last_name",
            "middle_name",
            "suffix",
            "prefix",
        ])?;
        name.text("formatted_name", 1_024)?;
        if name.map.len() < 2 {
            return Err(name.invalid("formatted_name", "another part of the name must be set"));
        }
        for (list, keys) in [
            (
                "addresses",
                &[
                    "street",
                    "city",
                    "state",
                    "zip",
                    "country",
                    "country_code",
                    "type",
                ][..],
            ),
            ("emails", &["email", "type"][..]),
            ("phones", &["phone", "type", "wa_id"][..]),
            ("urls", &["url", "type"][..]),
        ] {
            if contact.find(list).is_some() {
                for entry in contact.objects(list, 0..=100)? {
                    entry.only(keys)?;
                }
            }
        }
        if let Some(org) = contact.optional_object("org")? {
            org.only(&["company", "department", "title"])?;
        }
        contact.optional_text("birthday", 10)?;
    }
    Ok(())
}
