//! The least that proves a yes, by the way it was given (docs/consent.md).
//!
//! Owns which members `evidence` must have for each method. It checks that they are there and are
//! texts, not that they are true: whoever attests a yes answers for that.

use serde_json::Value;

use crate::lane::Purpose;
use crate::refusal::{Code, Refusal};

/// What the evidence of a method names, and the refusal when it does not.
struct Minimum {
    methods: &'static [&'static str],
    members: &'static [&'static str],
    reason: &'static str,
}

const MINIMA: [Minimum; 7] = [
    Minimum {
        methods: &["web_checkbox", "checkout_checkbox"],
        members: &["form", "page"],
        reason: "must name form (the form and its version) and page (host and path, without a query) for a box on a web page, such as {\"form\":\"checkout-7\",\"page\":\"maple.example/checkout\"}",
    },
    Minimum {
        methods: &["app"],
        members: &["form", "app_version"],
        reason: "must name form (the screen and its version) and app_version, such as {\"form\":\"settings-3\",\"app_version\":\"4.2.0\"}",
    },
    Minimum {
        methods: &["in_thread_button"],
        members: &["template", "payload"],
        reason: "must name template (the message with the button) and payload (the button's), such as {\"template\":\"ask_offers\",\"payload\":\"yes\"}",
    },
    Minimum {
        methods: &["whatsapp_flow"],
        members: &["flow"],
        reason: "must name flow (its id), such as {\"flow\":\"opt-in-2\"}",
    },
    Minimum {
        methods: &["paper", "in_person"],
        members: &["document_hash", "operator"],
        reason: "must name document_hash (SHA-256 of the scan) and operator (whoever took it down), such as {\"document_hash\":\"sha256:…\",\"operator\":\"desk-4\"}",
    },
    Minimum {
        methods: &["ivr"],
        members: &["call_record_hash"],
        reason: "must name call_record_hash (SHA-256 of the recording), such as {\"call_record_hash\":\"sha256:…\"}",
    },
    Minimum {
        methods: &["api_attested", "agent"],
        members: &["reference"],
        reason: "must name reference (your own record of the consent), such as {\"reference\":\"crm-1001\"}",
    },
];

/// Whether the evidence of a yes names what its method asks for.
///
/// # Errors
/// A [`Refusal`] of `evidence` or `method`; it repeats nothing of the evidence.
pub(super) fn suffices(
    method: &str,
    evidence: Option<&Value>,
    purposes: &[Purpose],
) -> Result<(), Refusal> {
    // Scanning a code starts a conversation. What the person agrees to in it is heard by Headgate.
    if method == "qr_scan" && purposes.contains(&Purpose::Marketing) {
        return Err(Refusal::at(
            Code::Malformed,
            "method",
            "a scanned code is no yes to marketing; it counts when the person answers the question in the chat",
        ));
    }
    let Some(Value::Object(given)) = evidence else {
        return Err(Refusal::at(
            Code::Malformed,
            "evidence",
            "is required when action is given: an object that names what proves it, such as {\"form\":\"checkout-7\",\"page\":\"maple.example/checkout\"}",
        ));
    };
    let is_named = |name: &str| {
        given
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.trim().is_empty())
    };
    for minimum in &MINIMA {
        if minimum.methods.contains(&method) && !minimum.members.iter().all(|name| is_named(name)) {
            return Err(Refusal::at(Code::Malformed, "evidence", minimum.reason));
        }
    }
    // Of marketing nobody's word alone is proof.
    if method == "api_attested"
        && purposes.contains(&Purpose::Marketing)
        && !is_named("evidence_hash")
    {
        return Err(Refusal::at(
            Code::Malformed,
            "evidence",
            "must name evidence_hash (SHA-256 of what you keep as proof) for a yes to marketing that you attest, beside reference",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(method: &str, evidence: &Value, purpose: Purpose) -> Option<&'static str> {
        suffices(method, Some(evidence), &[purpose])
            .err()
            .map(|refusal| refusal.field.unwrap_or_default())
    }

    #[test]
    fn a_yes_names_what_proves_it_by_its_method() {
        let web = json!({"form": "checkout-7", "page": "maple.example/checkout"});
        assert_eq!(field("web_checkbox", &web, Purpose::Marketing), None);
        for (method, evidence) in [
            ("web_checkbox", json!({"form": "checkout-7"})),
            ("web_checkbox", json!({"form": " ", "page": "x"})),
            ("web_checkbox", json!({"form": 7, "page": "x"})),
            ("app", json!({"form": "f"})),
            ("paper", json!({"operator": "desk-4"})),
            ("ivr", json!({})),
            ("agent", json!([])),
            ("whatsapp_flow", Value::Null),
            ("in_thread_button", json!({"template": "t"})),
        ] {
            assert_eq!(
                field(method, &evidence, Purpose::Utility),
                Some("evidence"),
                "{method}"
            );
        }
    }

    #[test]
    fn an_apps_word_alone_is_no_proof_of_a_yes_to_marketing() {
        let mut word = json!({"reference": "crm-1001"});
        assert_eq!(field("api_attested", &word, Purpose::Utility), None);
        assert_eq!(
            field("api_attested", &word, Purpose::Marketing),
            Some("evidence")
        );
        word["evidence_hash"] = "sha256:00".into();
        assert_eq!(field("api_attested", &word, Purpose::Marketing), None);
    }

    #[test]
    fn a_scanned_code_is_no_yes_to_marketing() {
        let scan = json!({"code": "SHOP-7"});
        assert_eq!(field("qr_scan", &scan, Purpose::Marketing), Some("method"));
        assert_eq!(field("qr_scan", &scan, Purpose::Utility), None);
    }
}
