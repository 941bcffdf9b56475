//! A lane message of any text: accepted with everything the contract promises, or refused with a
//! code of the closed list. The same text is read as a control and a system message too.

#![no_main]

use headgate_domain::control_message::{self, Control};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::{
    self, Basis, Kind, MAX_AHEAD_MS, OutboundMessage, Payload, Recipient,
};
use headgate_domain::refusal::Code;
use headgate_domain::system::SystemMessage;
use headgate_domain::time::Timestamp;
use headgate_fuzz::{json, refusals};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = std::str::from_utf8(bytes) else {
        return;
    };
    match OutboundMessage::parse(body, NOW) {
        Ok(message) => {
            assert_eq!(outbound::readable_id(body).as_ref(), Some(&message.id));
            accepted(&message);
        }
        Err(refusal) => refusals::check(
            &refusal,
            &[
                Code::TooLarge,
                Code::Malformed,
                Code::InvalidRecipient,
                Code::UnknownSubject,
                Code::IdentifierLooksPersonal,
                Code::NoUserAction,
                Code::Expired,
                Code::NotBeforeTooFar,
            ],
        ),
    }
    match control_message::parse(body) {
        Ok(Control::Cancel { id }) => {
            assert!(control_message::is_control(body) && is_identifier(&id, 128));
        }
        Err(refusal) => refusals::check(&refusal, &[Code::TooLarge, Code::Malformed]),
    }
    match SystemMessage::parse(body) {
        Ok(system) => assert!(system.id().len() <= 128 && is_identifier(&system.id(), 128)),
        Err(refusal) => refusals::check(
            &refusal,
            &[
                Code::TooLarge,
                Code::Malformed,
                Code::InvalidRecipient,
                Code::UnknownSubject,
            ],
        ),
    }
});

fn accepted(message: &OutboundMessage) {
    assert!(is_identifier(&message.id, 128));
    if let Some(campaign) = &message.campaign {
        assert!(is_identifier(campaign, 64) && !campaign.contains('@'));
        let digits = campaign.as_bytes().windows(7);
        assert!(
            !digits
                .into_iter()
                .any(|run| run.iter().all(u8::is_ascii_digit))
        );
    }
    assert!(message.expiry(NOW) > NOW);
    for time in [message.not_before, message.expires_at]
        .into_iter()
        .flatten()
    {
        assert!(time > NOW && time.millis_since(NOW) <= MAX_AHEAD_MS);
    }

    // The basis is the purpose's, and comes back from the record as it was.
    match &message.basis {
        Basis::Consent => assert_ne!(message.purpose, Purpose::Authentication),
        Basis::UserAction { .. } => {}
        Basis::Contract { .. } => assert_eq!(message.purpose, Purpose::Utility),
        Basis::System { .. } => panic!("an app writes as Headgate"),
    }
    let stored = outbound::basis_json(&message.basis);
    assert_eq!(outbound::basis_from_json(&stored), message.basis);

    // The kind is what the object says, now and when it is read again.
    assert_eq!(outbound::kind_of(&message.message), message.kind);
    assert!(message.kind != Kind::MarkAsRead || message.message_ref.is_some());
    for ours in [
        "messaging_product",
        "recipient_type",
        "to",
        "recipient",
        "message_id",
    ] {
        assert!(
            !message.message.contains_key(ours),
            "an app sets what is ours"
        );
    }

    // What goes to Meta names one recipient, and holds the wamid exactly where it belongs.
    let mut object = message.message.clone();
    if message.message_ref.is_some() {
        outbound::insert_wamid(&mut object, "wamid.fuzz");
    }
    let (phone, bsuid) = match &message.to {
        Recipient::Phone(phone) => (Some(phone.reveal().to_owned()), None),
        Recipient::Bsuid(bsuid) => (None, Some(bsuid.reveal().to_owned())),
        Recipient::Subject(_) => (Some("+16135550100".to_owned()), None),
    };
    let payload = Payload {
        phone,
        bsuid,
        suppression: Vec::new(),
        identity_key: None,
        message: object,
        id: message.id.clone(),
        reference: message.reference.clone(),
        basis: stored,
        topic: message.topic.clone(),
    };
    let sealed = payload.to_bytes();
    let opened = Payload::from_bytes(&sealed).expect("our own form");
    assert_eq!(opened.to_bytes(), sealed);
    let body = opened.graph_body("opaque");
    let wamids = body
        .to_string()
        .matches("\"message_id\":\"wamid.fuzz\"")
        .count();
    assert_eq!(wamids > 0, message.message_ref.is_some());
    let named = ["to", "recipient"].map(|key| body.get(key).and_then(Value::as_str).is_some());
    let read = message.kind == Kind::MarkAsRead;
    assert_eq!(
        named.into_iter().filter(|named| *named).count(),
        usize::from(!read)
    );
}

fn is_identifier(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate(data, size, max_size, seed)
});
