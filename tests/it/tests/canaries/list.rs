//! The forty canaries: unmistakable persons, tokens, codes and message ids, none of which exists.
//!
//! Owns their values. Numbers are of the range that is reserved for fiction, each with other last six digits; what a
//! deployment makes itself (secrets, links, codes) joins the list when it is made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate::canary::Canary;
use serde_json::{Value, json};

/// How many there are.
pub(crate) const FORTY: usize = 40;

/// What the events of an app tell it: what it named itself, and the link it is to hand on.
pub(crate) const FOR_APPS: [&str; 3] = ["app id", "app ref", "link token"];

pub(crate) const PHONES: [&str; 8] = [
    "+16135550141",
    "+14165550142",
    "+14165550143",
    "+16135550144",
    "+14165550145",
    "+16135550146",
    "+16135550147",
    "+14165550148",
];
pub(crate) const USER_IDS: [&str; 5] = [
    "CA.9173460285517391",
    "CA.9173460285629402",
    "CA.9173460285731513",
    "CA.ENT.9173460285843624",
    "CA.9173460285955735",
];
/// Of every kind that has ever been garbled: two-byte and four-byte letters, right to left, quotes and marks.
pub(crate) const NAMES: [&str; 6] = [
    "歐陽靜怡薇",
    "Zoë 🦩🪁 Quillfeather",
    "نورهان الزهراني المرجانية",
    "O'Hara \"Quokka\" <b>Vantongeren</b>",
    "Ǹdidi Ọ̀ṣun Ẹ̀kọ́wálé",
    "ஆதிரை வெண்ணிலா",
];
/// Parts of longer texts, so that a part of one is found too.
pub(crate) const BODIES: [&str; 3] = [
    "zebrafinch kettle",
    "marmalade obelisk 🦩",
    "琥珀色的燈塔鑰匙",
];
pub(crate) const CODES: [&str; 2] = ["QK7XW2MZ9P", "H4VJ8TRN3D"];
pub(crate) const MEDIA: [&str; 2] = [
    "172938465510293",
    "https://lookaside.example/attachments/?mid=QzJkPml7Vw&ext=99&hash=Arq7",
];
pub(crate) const APP: [&str; 2] = ["order.Quagga-5517-Xylo", "crm:Okapi-9034-Vex"];

/// Ids of messages as Meta writes them: each holds the number of its person.
pub(crate) fn wamids() -> [String; 3] {
    [4, 1, 5].map(|person| {
        let digits = PHONES[person].trim_start_matches('+');
        let mut bytes = vec![0x1c, 0x18, 0x0b];
        bytes.extend_from_slice(digits.as_bytes());
        bytes.extend_from_slice(b"\x15\x02\x00\x12\x18\x14");
        bytes.extend(format!("77A2ABC21D{person}6BAC3").bytes());
        format!("wamid.{}", STANDARD.encode(bytes))
    })
}

/// The list of one run.
#[derive(Default)]
pub(crate) struct List(Vec<(String, String)>);

impl List {
    /// What is known before a deployment is.
    pub(crate) fn known() -> Self {
        let mut list = Self::default();
        let groups: [(&str, &[&str]); 7] = [
            ("phone", &PHONES),
            ("user id", &USER_IDS),
            ("name", &NAMES),
            ("body", &BODIES),
            ("code", &CODES),
            ("media", &MEDIA),
            ("", &APP),
        ];
        for (kind, values) in groups {
            for (index, value) in values.iter().enumerate() {
                let label = if kind.is_empty() {
                    FOR_APPS[index].to_owned()
                } else {
                    format!("{kind} {}", index + 1)
                };
                list.add(&label, value);
            }
        }
        for (index, wamid) in wamids().iter().enumerate() {
            list.add(&format!("wamid {}", index + 1), wamid);
        }
        list
    }

    pub(crate) fn add(&mut self, label: &str, value: &str) {
        assert!(
            self.0.iter().all(|(known, _)| known != label),
            "{label} is there twice"
        );
        self.0.push((label.to_owned(), value.to_owned()));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(label, value)| (label.as_str(), value.as_str()))
    }

    pub(crate) fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|(label, value)| json!([label, value]))
            .collect()
    }

    pub(crate) fn from_json(list: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pairs = list.as_array().unwrap().iter();
        Self(pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect())
    }

    /// The search for all of them, and for what every wamid begins with.
    pub(crate) fn search(&self) -> Canary {
        let mut canary = Canary::default();
        for (label, value) in self.each() {
            match label.split_once(' ').map_or(label, |(kind, _)| kind) {
                "phone" => canary.number(label, value),
                "user" => canary.user_id(label, value),
                _ => canary.text(label, value),
            }
        }
        canary.text("any wamid", "wamid.");
        canary
    }
}
