//! The ways in which a consent may be expressed.
//!
//! Owns their names, which of them only Headgate hears, and which are timed by Meta's clock.

/// Whether the time of what was said is Meta's.
pub(super) fn by_meta(method: &str) -> bool {
    [
        "keyword",
        "keyword_start",
        "quick_reply",
        "message_in",
        "meta_switch",
    ]
    .contains(&method)
}

/// How a consent may be expressed (docs/consent.md); `import` and public forms never give.
pub const METHODS: [&str; 18] = [
    "web_checkbox",
    "qr_scan",
    "in_thread_button",
    "whatsapp_flow",
    "keyword",
    "checkout_checkbox",
    "app",
    "paper",
    "ivr",
    "in_person",
    "api_attested",
    "message_in",
    "link",
    "meta_switch",
    "agent",
    "quick_reply",
    "ctwa_ad",
    "keyword_start",
];

/// The channels on which we hear a person ourselves: nobody else can attest a yes given there.
pub(crate) const HEARD_BY_US: [&str; 7] = [
    "keyword",
    "keyword_start",
    "ctwa_ad",
    "message_in",
    "meta_switch",
    "link",
    "quick_reply",
];
