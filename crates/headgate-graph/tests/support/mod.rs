//! A permit, a client with the patience a test wants, and a certificate for this machine.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::time::Duration;

use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::{Basis, Kind};
use headgate_domain::policy::{Facts, Moment, Request, SendPermit, authorize};
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::recent::Recent;
use headgate_domain::time::Timestamp;
use headgate_graph::{GraphClient, NotAccepted, Outcome, Timeouts, Unreachable};
use headgate_redact::Secret;
use serde_json::{Value, json};

pub(crate) const NUMBER: &str = "100000000000001";
pub(crate) const TOKEN: &str = "simulated-access-token";
/// A loaded machine is slow, and only what is about time may depend on it.
pub(crate) const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(30),
    first_byte: Duration::from_mins(1),
    whole: Duration::from_mins(1),
};

/// The way every caller must go to be allowed to send: through policy.
pub(crate) fn permit() -> SendPermit {
    let now = Timestamp::from_seconds(1_795_000_000);
    let config = Config::from_toml(
        "[controller]\nname = \"Maple Outfitters\"\nprivacy_contact = \"privacy@maple.example\"\n\
         [[numbers]]\nid = \"100000000000001\"\nalias = \"main\"\ndisplay = \"+16135550199\"\nportfolio = \"p\"\n",
    )
    .unwrap();
    let mut subject = Subject::unknown(SubjectId::from_random([7; 16]));
    subject.last_inbound_at = Some(now);
    let request = Request {
        at: Moment::Claim,
        number: &config.numbers[0],
        to: None,
        purpose: Purpose::Service,
        topic: None,
        basis: &Basis::Consent,
        kind: &Kind::FreeForm,
        expires_at: now.plus_millis(60_000),
        accepted_at: now,
        not_before: None,
    };
    let facts = Facts {
        config: &config,
        live: &Live::default(),
        subject: &subject,
        suppressed: &[],
        region: &ProcessingRegion::parse("ca-central-1").unwrap(),
        checks: &[],
        recent: &Recent::default(),
        producer: "AROAEXAMPLE",
    };
    authorize(&request, &facts, now).unwrap()
}

pub(crate) fn secrets() -> (Secret<String>, Secret<String>) {
    (Secret::new(TOKEN.to_owned()), Secret::new("ab".repeat(32)))
}

/// A client of a plain server, over one connection.
pub(crate) fn client(base: &str) -> GraphClient {
    let (token, proof) = secrets();
    let client = GraphClient::new(base, &token, proof).unwrap();
    client.with_timeouts(PATIENT).unwrap()
}

/// A client of a server with the given certificate, over one connection.
pub(crate) fn trusting(base: &str, certificate: &[u8]) -> GraphClient {
    let (token, proof) = secrets();
    let client = GraphClient::trusting(base, &token, proof, certificate).unwrap();
    client.with_timeouts(PATIENT).unwrap()
}

pub(crate) fn template(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": to,
        "type": "template", "template": {"name": "login_code", "language": {"code": "en"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "123456"}]}]},
        "biz_opaque_callback_data": "op"})
}

pub(crate) async fn send(client: &GraphClient) -> Outcome {
    client
        .send(permit(), NUMBER, &template("+16135550101"))
        .await
}

pub(crate) fn unreachable(why: Unreachable) -> Outcome {
    Outcome::NotAccepted(NotAccepted::Unreachable(why))
}

pub(crate) const fn ambiguous(why: &'static str) -> Outcome {
    Outcome::ambiguous(why)
}

/// TLS settings of a server on this machine, and its certificate.
pub(crate) fn identity() -> (Arc<rustls::ServerConfig>, Vec<u8>) {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let der = made.cert.der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der.clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (Arc::new(config), der.to_vec())
}
