//! Messages: good and bad ones, judged by schema and parser.

use headgate_domain::outbound::{Kind, MAX_BYTES, OutboundMessage, Parameters};
use headgate_domain::refusal::Code::{
    Expired, IdentifierLooksPersonal, InvalidRecipient, Malformed, NoUserAction, NotBeforeTooFar,
    TooLarge, UnknownSubject,
};
use serde_json::json;

use super::agreement::outbound;
use super::now;

#[test]
fn the_documented_message_parses_into_what_it_says() {
    let contract = outbound();
    contract.good(|_| {});
    let message = OutboundMessage::parse(&contract.example().to_string(), now())
        .ok()
        .unwrap();
    assert_eq!(message.id, "order-1001-shipped");
    assert_eq!(
        message.kind,
        Kind::Template {
            name: "order_shipped".into(),
            language: "en_US".into(),
            parameters: Parameters::default()
        }
    );
}

#[test]
fn good_messages_are_good_to_both() {
    let c = outbound();
    for id in ["a", "A.b_c:d-9", &"i".repeat(128)] {
        c.good(|v| v["id"] = json!(id));
    }
    for to in [
        json!({"phone": "+1 (613) 555-0123"}),
        json!({"phone": " +44 7700 900123\n", "bsuid": null}),
        json!({"bsuid": "CA.1000000000000001"}),
        json!({"bsuid": "US.ENT.13491208655302741918", "ref": "客".repeat(64)}),
        json!({"bsuid": "US.ENT"}),
        json!({"subject": "sub_abcdefghijklmnopqrstuvwxyz", "ref": null}),
    ] {
        c.good(|v| v["to"] = to);
    }
    for basis in [
        json!(null),
        json!({"kind": "consent"}),
        json!({"kind": "user_action", "at": "2026-11-22T08:59:00.5+01:00"}),
    ] {
        c.good(|v| v["basis"] = basis);
    }
    c.good(|v| {
        v["purpose"] = json!("authentication");
        v["basis"] = json!({"kind": "user_action", "at": "2026-11-22T08:59:00Z"});
    });
    c.good(|v| {
        v["purpose"] = json!("marketing");
        v.as_object_mut().unwrap().remove("basis");
    });
    for time in [
        json!(null),
        json!("2026-11-22t10:00:00z"),
        json!("2024-02-29T00:00:00Z"),
        json!("2026-11-22T18:00:00.123456789+08:00"),
    ] {
        c.good(|v| v["not_before"] = time);
    }
    for campaign in [
        json!(null),
        json!("c"),
        json!("autumn-2026:a_123456"),
        json!("c".repeat(64)),
    ] {
        c.good(|v| v["campaign"] = campaign);
    }
    for topic in [json!("offers"), json!("back-in_stock2"), json!(null)] {
        c.good(|v| v["topic"] = topic);
    }
    let context = json!({"message_ref": "in_m1_x"});
    for message in [
        json!({"type": "text", "text": {"body": "hello", "preview_url": false}}),
        json!({"type": "text", "text": {"body": "字".repeat(4096)}, "context": context}),
        json!({"type": "template", "template": {"name": "x", "language": {"code": ""}}, "context": context}),
        json!({"type": "image", "image": {"id": "1"}}),
        json!({"type": "video", "video": {}}),
        json!({"type": "audio", "audio": {"link": "https://maple.example/a.ogg"}}),
        json!({"type": "document", "document": {"id": "1", "filename": "a.pdf"}}),
        json!({"type": "sticker", "sticker": {"id": "1"}}),
        json!({"type": "location", "location": {"latitude": 45.4, "longitude": -75.7}}),
        json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Maple Outfitters"}}]}),
        json!({"type": "interactive", "interactive": {"type": "button"}}),
        json!({"type": "reaction", "reaction": {"message_ref": "in_m1_x", "emoji": "👍"}}),
        json!({"status": "read", "message_ref": "in_m1_x"}),
        json!({"status": "read", "message_ref": "in_m1_x", "typing_indicator": {"type": "text"}}),
    ] {
        c.good(|v| v["message"] = message);
    }
}

#[test]
fn bad_envelopes_are_bad_to_both() {
    let c = outbound();
    for member in ["schema", "id", "from", "to", "purpose", "message"] {
        c.bad(
            |v| drop(v.as_object_mut().unwrap().remove(member)),
            Malformed,
            member,
        );
        c.bad(|v| v[member] = json!(7), Malformed, member);
        c.bad(|v| v[member] = json!(null), Malformed, member);
    }
    c.bad(|v| *v = json!([]), Malformed, "$");
    c.bad(|v| v["campain"] = json!("autumn"), Malformed, "$");
    c.bad(
        |v| v["schema"] = json!("headgate.outbound/2"),
        Malformed,
        "schema",
    );
    for id in [
        json!(""),
        json!("a b"),
        json!("é"),
        json!("i".repeat(129)),
        json!("a\n"),
    ] {
        c.bad(|v| v["id"] = id, Malformed, "id");
    }
    c.bad(|v| v["from"] = json!(""), Malformed, "from");
    c.bad(|v| v["purpose"] = json!("promotion"), Malformed, "purpose");
    for (to, code, field) in [
        (json!({}), Malformed, "to"),
        (json!({"ref": "x"}), Malformed, "to"),
        (json!({"phone": null}), Malformed, "to"),
        (
            json!({"phone": "+16135550123", "bsuid": "CA.1"}),
            Malformed,
            "to",
        ),
        (
            json!({"phone": "+16135550123", "name": "x"}),
            Malformed,
            "to",
        ),
        (json!({"phone": 16_135_550_123_u64}), Malformed, "to.phone"),
        (json!({"phone": ""}), Malformed, "to.phone"),
        (json!({"phone": "6135550123"}), InvalidRecipient, "to.phone"),
        (
            json!({"phone": "+1613555ABCD"}),
            InvalidRecipient,
            "to.phone",
        ),
        (json!({"phone": "+1613555"}), InvalidRecipient, "to.phone"),
        (json!({"bsuid": "ca.1"}), InvalidRecipient, "to.bsuid"),
        (json!({"bsuid": "CA."}), InvalidRecipient, "to.bsuid"),
        (json!({"subject": "sub_1"}), UnknownSubject, "to.subject"),
        (
            json!({"phone": "+16135550123", "ref": ""}),
            Malformed,
            "to.ref",
        ),
        (
            json!({"phone": "+16135550123", "ref": "客".repeat(65)}),
            Malformed,
            "to.ref",
        ),
    ] {
        c.bad(|v| v["to"] = to, code, field);
    }
}

#[test]
fn bad_bases_times_and_campaigns_are_bad_to_both() {
    let c = outbound();
    for (basis, field) in [
        (json!([]), "basis"),
        (json!("consent"), "basis"),
        (json!({}), "basis.kind"),
        (json!({"kind": "because"}), "basis.kind"),
        (json!({"kind": "contract"}), "basis.reference"),
        (
            json!({"kind": "contract", "reference": ""}),
            "basis.reference",
        ),
        (
            json!({"kind": "contract", "reference": "r".repeat(129)}),
            "basis.reference",
        ),
        (
            json!({"kind": "contract", "reference": "r", "referrence": "r"}),
            "basis",
        ),
        (json!({"kind": "consent", "reference": "r"}), "basis"),
        (json!({"kind": "user_action"}), "basis.at"),
        (
            json!({"kind": "user_action", "at": 1_795_000_000}),
            "basis.at",
        ),
        (json!({"kind": "user_action", "at": "just now"}), "basis.at"),
    ] {
        c.bad(|v| v["basis"] = basis, Malformed, field);
    }
    for purpose in ["service", "marketing"] {
        c.bad(|v| v["purpose"] = json!(purpose), Malformed, "basis.kind");
    }
    c.bad(
        |v| v["purpose"] = json!("authentication"),
        Malformed,
        "basis.kind",
    );
    for basis in [json!(null), json!({"kind": "consent"})] {
        c.bad(
            |v| (v["purpose"], v["basis"]) = (json!("authentication"), basis),
            NoUserAction,
            "",
        );
    }
    for time in [
        "",
        "soon",
        "2026-11-22",
        "2026-11-22T18:00:00",
        "2026-11-22 18:00:00Z",
        "2026-11-31T18:00:00Z",
        "2026-11-22T24:00:00Z",
    ] {
        c.bad(|v| v["not_before"] = json!(time), Malformed, "not_before");
        c.bad(|v| v["expires_at"] = json!(time), Malformed, "expires_at");
    }
    c.bad(
        |v| v["expires_at"] = json!(format!("2026-11-22T18:00:00.{}Z", "0".repeat(30))),
        Malformed,
        "expires_at",
    );
    for campaign in ["for-6135550123", "a@b"] {
        c.bad(
            |v| v["campaign"] = json!(campaign),
            IdentifierLooksPersonal,
            "campaign",
        );
    }
    for campaign in [json!(""), json!(7), json!("été"), json!("c".repeat(65))] {
        c.bad(|v| v["campaign"] = campaign, Malformed, "campaign");
    }
    for topic in [json!(""), json!("Offers"), json!("16135550123"), json!(7)] {
        c.bad(|v| v["topic"] = topic, Malformed, "topic");
    }
}

#[test]
fn bad_message_objects_are_bad_to_both() {
    let c = outbound();
    for (message, field) in [
        (json!({}), "message.type"),
        (
            json!({"type": "telepathy", "telepathy": {}}),
            "message.type",
        ),
        (json!({"type": "text"}), "message"),
        (json!({"type": "text", "image": {}}), "message"),
        (
            json!({"type": "text", "text": {"body": "x"}, "image": {}}),
            "message",
        ),
        (json!({"type": "text", "text": {}}), "message.text.body"),
        (
            json!({"type": "text", "text": {"body": ""}}),
            "message.text.body",
        ),
        (
            json!({"type": "text", "text": {"body": "x".repeat(4097)}}),
            "message.text.body",
        ),
        (
            json!({"type": "template", "template": {"language": {"code": "en_US"}}}),
            "message.template.name",
        ),
        (
            json!({"type": "template", "template": {"name": "x", "language": "en_US"}}),
            "message.template.language.code",
        ),
        (json!({"type": "contacts", "contacts": []}), "message"),
        (json!({"type": "contacts", "contacts": {}}), "message"),
        (json!({"type": "image", "image": "1"}), "message"),
        (
            json!({"type": "text", "text": {"body": "x"}, "to": "+16135550199"}),
            "message.to",
        ),
        (
            json!({"type": "text", "text": {"body": "x"}, "messaging_product": "whatsapp"}),
            "message.messaging_product",
        ),
        (
            json!({"type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "x"}),
            "message.biz_opaque_callback_data",
        ),
        (
            json!({"type": "text", "text": {"body": "x"}, "context": "in_m1_x"}),
            "message.context",
        ),
        (
            json!({"type": "text", "text": {"body": "x"}, "context": {}}),
            "message.context",
        ),
        (
            json!({"type": "text", "text": {"body": "x"}, "context": {"message_id": "wamid.x"}}),
            "message.context.message_id",
        ),
        (
            json!({"type": "text", "text": {"body": "x"}, "context": {"message_ref": ""}}),
            "message",
        ),
        (
            json!({"type": "reaction", "reaction": {"emoji": "x"}}),
            "message.reaction.message_ref",
        ),
        (
            json!({"type": "reaction", "reaction": {"message_id": "wamid.x", "message_ref": "r"}}),
            "message.reaction.message_id",
        ),
        (
            json!({"type": "reaction", "reaction": {"message_ref": "r"}, "context": {"message_ref": "r"}}),
            "message.context",
        ),
        (
            json!({"status": "delivered", "message_ref": "r"}),
            "message.status",
        ),
        (json!({"status": "read"}), "message.message_ref"),
        (
            json!({"status": "read", "message_ref": "r", "type": "text"}),
            "message",
        ),
        (
            json!({"status": "read", "message_id": "wamid.x"}),
            "message.message_id",
        ),
    ] {
        c.bad(|v| v["message"] = message, Malformed, field);
    }
}

#[test]
fn rules_about_now_and_about_bytes_are_the_parsers_alone() {
    let c = outbound();
    c.bad(
        |v| v["expires_at"] = json!("2026-11-22T08:00:00Z"),
        Expired,
        "expires_at",
    );
    c.bad(
        |v| v["expires_at"] = json!("2026-11-22T09:30:00Z"),
        Malformed,
        "expires_at",
    );
    c.bad(
        |v| v["expires_at"] = json!("2027-01-31T10:00:00Z"),
        NotBeforeTooFar,
        "expires_at",
    );
    c.bad(
        |v| v["expires_at"] = json!("2026-11-25T23:59:60Z"),
        Malformed,
        "expires_at",
    );
    let image = json!({"type": "image", "image": {"caption": "x".repeat(MAX_BYTES)}});
    c.bad(|v| v["message"] = image, TooLarge, "");
    for body in ["", "{", "{\"id\":\"a\"", "{\"id\":1e999}"] {
        assert_eq!(c.verdict(body).unwrap_err().field, Some("$"), "{body}");
    }
}
