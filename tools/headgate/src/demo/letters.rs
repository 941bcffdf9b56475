//! Who is written to, and how an app writes: people, messages and consent records of the demo.
//!
//! Everybody is fictional: numbers are +1 613 555 01xx, most people have no number at all, only a
//! business-scoped user id, as Meta gives them.

use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};

/// Somebody the business writes to.
#[derive(Clone)]
pub(super) struct Person {
    /// E.164, when Meta shares the number.
    pub(super) phone: Option<String>,
    /// Business-scoped user id, when that is how they are addressed.
    pub(super) bsuid: Option<String>,
    /// What they are called.
    pub(super) name: String,
}

impl Person {
    /// The recipient as the outbound contract writes it.
    pub(super) fn to(&self) -> Value {
        match (&self.phone, &self.bsuid) {
            (Some(phone), _) => json!({"phone": phone}),
            (None, bsuid) => json!({"bsuid": bsuid}),
        }
    }

    /// The same person for the simulator.
    pub(super) fn at_meta(&self) -> meta_simulator::Person {
        match (&self.phone, &self.bsuid) {
            (Some(e164), _) => meta_simulator::Person::Phone {
                e164: e164.clone(),
                name: self.name.clone(),
                bsuid: String::new(),
            },
            (None, bsuid) => meta_simulator::Person::BsuidOnly {
                bsuid: bsuid.clone().unwrap_or_default(),
                username: Some(self.name.clone()),
            },
        }
    }

    /// Whether a recipient on the wire is this person.
    pub(super) fn is(&self, recipient: &str) -> bool {
        let digits = |text: &str| {
            text.chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        match (&self.phone, &self.bsuid) {
            (Some(phone), _) => !recipient.contains(['.']) && digits(phone) == digits(recipient),
            (None, bsuid) => bsuid.as_deref() == Some(recipient),
        }
    }
}

/// One message and the lane it is put on.
#[derive(Clone)]
pub(super) struct Message {
    /// The lane's queue.
    pub(super) lane: Purpose,
    /// The body, as the app writes it.
    pub(super) body: String,
}

const FIRST: [&str; 12] = [
    "Nadia",
    "Olivier",
    "Priya",
    "Tomasz",
    "Ming-Yue",
    "Abdoulaye",
    "Sigrid",
    "Caoimhe",
    "Rafael",
    "Anneliese",
    "Kwabena",
    "Yevgenia",
];
const LAST: [&str; 11] = [
    "Okafor-Tremblay",
    "Bouchard-Leclerc",
    "Ramanathan",
    "Wisniewska",
    "Chan-Whitfield",
    "Diallo-Fontaine",
    "Thorvaldsen",
    "Ni-Fhloinn",
    "Quintanilha",
    "Oberhauser",
    "Asante-Boateng",
];

fn pick<'a>(list: &[&'a str], index: usize) -> &'a str {
    list.get(index % list.len()).copied().unwrap_or_default()
}

/// The person of an index: everybody of one kind has another index.
pub(super) fn person(index: usize, has_phone: bool) -> Person {
    let name = format!("{} {}", pick(&FIRST, index), pick(&LAST, index));
    if has_phone {
        // 0100 is the business itself.
        Person {
            phone: Some(format!("+161355501{:02}", 10 + index % 90)),
            bsuid: None,
            name,
        }
    } else {
        let digits = 7_310_482_951_640_377_u64 + u64::try_from(index).unwrap_or(0) * 104_729;
        Person {
            phone: None,
            bsuid: Some(format!("CA.{digits}")),
            name,
        }
    }
}

/// A code nobody could mistake for another number.
pub(super) fn code(index: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut state = u64::try_from(index)
        .unwrap_or(0)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ 0x5eed;
    let mut out = String::new();
    for _ in 0..10 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let letter = usize::try_from(state >> 59).unwrap_or(0);
        out.push(char::from(LETTERS.get(letter).copied().unwrap_or(b'A')));
    }
    out
}

/// The app that writes.
pub(super) struct Writer {
    /// The number it sends from.
    pub(super) from: String,
    /// When.
    pub(super) now: Timestamp,
}

impl Writer {
    /// An outbound message.
    pub(super) fn message(
        &self,
        id: &str,
        lane: Purpose,
        to: &Value,
        message: &Value,
        basis: Option<Value>,
    ) -> Message {
        let mut body = json!({
            "schema": headgate_domain::outbound::SCHEMA, "id": id, "from": self.from, "to": to,
            "purpose": lane.word(), "message": message,
        });
        if let Some(basis) = basis {
            body["basis"] = basis;
        }
        if lane == Purpose::Marketing {
            body["campaign"] = json!("autumn");
        }
        Message {
            lane,
            body: body.to_string(),
        }
    }

    /// A template without parameters.
    pub(super) fn template(name: &str) -> Value {
        json!({"type": "template", "template": {"name": name, "language": {"code": "en_US"}, "components": []}})
    }

    /// A login code, in body and button.
    pub(super) fn login(code: &str) -> Value {
        let text = json!([{"type": "text", "text": code}]);
        json!({"type": "template", "template": {"name": "login_code", "language": {"code": "en_US"}, "components": [
            {"type": "body", "parameters": text},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": text},
        ]}})
    }

    /// An opt-in for both business-initiated purposes.
    pub(super) fn consent(&self, id: &str, person: &Person, index: usize) -> String {
        json!({
            "schema": headgate_domain::consent::SCHEMA, "id": id, "to": person.to(),
            "purpose": ["utility", "marketing"], "action": "given", "method": "web_checkbox",
            "notice": "I agree to messages from Maple Outfitters on WhatsApp. I can stop at any time.",
            "locale": "en-CA", "occurred_at": self.now.plus_millis(-60_000).to_string(),
            "evidence": {"form": format!("checkout-{index}"), "page": "maple.example/checkout", "signed_by": person.name},
        })
        .to_string()
    }
}
