//! Where requests go, and whom to believe there.
//!
//! Owns the check of the base address, the address of each number's messages with its proof, and
//! the TLS settings. A token is shown to Meta, or to a simulator on this machine, and to nobody
//! else: plain http and a trust anchor of one's own are for the loopback address only.

use std::sync::{Arc, PoisonError, RwLock};

use headgate_domain::processors::Register;
use headgate_domain::record::is_number_id;
use headgate_redact::Secret;
use reqwest::Url;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::client::{InvalidClient, VERSION};

/// The addresses of one Graph API. The proof is in each: no part of this is ever shown.
pub(crate) struct Addresses {
    base: Url,
    proof: Secret<String>,
    /// By number id. A sender has a handful of numbers, and an address is worth making once.
    made: RwLock<Vec<(Box<str>, Url)>>,
}

impl Addresses {
    pub(crate) fn new(base: Url, proof: Secret<String>) -> Result<Self, InvalidClient> {
        check_proof(&proof)?;
        Ok(Self {
            base,
            proof,
            made: RwLock::default(),
        })
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Where messages of a number go; `None` when it is no number id.
    pub(crate) fn messages(&self, number: &str) -> Option<Url> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, url)) = made.iter().find(|(id, _)| **id == *number) {
            return Some(url.clone());
        }
        drop(made);
        let url = self.make(number)?;
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made.push((number.into(), url.clone()));
        Some(url)
    }

    fn make(&self, number: &str) -> Option<Url> {
        // The number becomes a path segment; nothing but digits may.
        if !is_number_id(number) {
            return None;
        }
        let mut url = self
            .base
            .join(&format!("{VERSION}/{number}/messages"))
            .ok()?;
        url.query_pairs_mut()
            .append_pair("appsecret_proof", self.proof.expose());
        Some(url)
    }
}

/// Whether it has the form of an HMAC-SHA256 in hexadecimal.
pub(crate) fn check_proof(proof: &Secret<String>) -> Result<(), InvalidClient> {
    let digits = proof.expose();
    let is_one = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(()).ok_or(InvalidClient::Proof)
}

/// An address nothing but which is the base of the Graph API.
pub(crate) fn parse(text: &str) -> Result<Url, InvalidClient> {
    let url = of_the_form(text)?;
    if !is_loopback(&url) && !is_registered(&url) {
        return Err(InvalidClient::Unregistered);
    }
    Ok(url)
}

fn of_the_form(text: &str) -> Result<Url, InvalidClient> {
    let url = Url::parse(text).map_err(|_quotes_input| InvalidClient::Address)?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (safe && plain && url.has_host())
        .then_some(url)
        .ok_or(InvalidClient::Address)
}

/// Whether the register of processors says that the host is Meta's.
fn is_registered(url: &Url) -> bool {
    let processor = url
        .host_str()
        .and_then(|h| Register::compiled_in().of_host(h));
    processor.is_some_and(|p| p.id == "meta")
}

/// As [`parse`], for https on this machine and nothing else.
pub(crate) fn parse_loopback(text: &str) -> Result<Url, InvalidClient> {
    let url = of_the_form(text)?;
    (url.scheme() == "https" && is_loopback(&url))
        .then_some(url)
        .ok_or(InvalidClient::Address)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Mozilla's roots, compiled in, so that no file of the machine decides whom we trust.
pub(crate) fn public_roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// This certificate and no other.
pub(crate) fn only_root(der: &[u8]) -> Result<RootCertStore, InvalidClient> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(der))
        .map_err(|_foreign| InvalidClient::Tls)?;
    Ok(roots)
}

/// TLS by ring.
pub(crate) fn tls(roots: RootCertStore) -> Result<rustls::ClientConfig, InvalidClient> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_foreign| InvalidClient::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A preconfigured client is not given these by reqwest.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
