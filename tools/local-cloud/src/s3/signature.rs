//! Signature version 4, as S3 checks it: over method, path, query, named headers and the hash of the body.
//!
//! Written from the documentation (docs.aws.amazon.com, "Create a signed AWS API request", read 2026-11), apart from
//! the SDK's signer: a request that was signed wrongly fails here as it would at AWS. The other local services look at
//! nobody's signature; this one does, because Headgate builds its requests to S3 itself.
//! Deliberately does not look at times and regions, and takes no unsigned or streamed body.

use std::fmt::Write as _;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, StatusCode};
use sha2::{Digest as _, Sha256};

use super::operations::Refusal;
use crate::environment::{SECRET_ACCESS_KEY, is_access_key};

/// Refuses a request whose signature is missing, somebody else's or of another request.
pub(super) fn check(request: &Request<Bytes>) -> Result<(), Refusal> {
    let forbidden = |code, message| Refusal::new(StatusCode::FORBIDDEN, code, message);
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok()).map(str::trim)
    };
    let parts = header("authorization").and_then(Parts::of);
    let (Some(parts), Some(at)) = (parts, header("x-amz-date")) else {
        return Err(forbidden("AccessDenied", "The request is not signed."));
    };
    let mut scope = parts.credential.splitn(2, '/');
    if !scope.next().is_some_and(is_access_key) {
        return Err(forbidden("InvalidAccessKeyId", "Nobody has this key."));
    }
    let scope = scope.next().unwrap_or_default();
    let body = header("x-amz-content-sha256").unwrap_or_default();
    if hex(&Sha256::digest(request.body())) != body {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "XAmzContentSHA256Mismatch",
            "The body has another hash than the request says.",
        ));
    }
    let names: Vec<&str> = parts.signed_headers.split(';').collect();
    let owed = ["host", "x-amz-content-sha256", "x-amz-date"];
    let canonical = owed.iter().all(|name| names.contains(name)).then(|| {
        let headers = names
            .iter()
            .map(|name| header(name).map(|value| format!("{name}:{value}\n")))
            .collect::<Option<String>>()?;
        Some(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{body}",
            request.method(),
            request.uri().path(),
            query(request.uri().query().unwrap_or_default()),
            parts.signed_headers,
        ))
    });
    let expected = canonical.flatten().and_then(|canonical| {
        let canonical = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{canonical}");
        let mut key = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
        for part in scope.split('/') {
            key = mac(&key, part)?;
        }
        mac(&key, &text).map(|signature| hex(&signature))
    });
    if expected.is_some_and(|expected| expected == parts.signature) {
        return Ok(());
    }
    Err(forbidden(
        "SignatureDoesNotMatch",
        "The signature is of another request or was made with another secret.",
    ))
}

/// The three parts of the header `authorization`.
struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(header: &'a str) -> Option<Self> {
        let parts = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let part = |name: &str| {
            let mut named = parts.split(',').map(str::trim);
            named.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            credential: part("Credential")?,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        })
    }
}

/// The query in order, each name with a value.
fn query(raw: &str) -> String {
    let mut pairs: Vec<String> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            if pair.contains('=') {
                pair.to_owned()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn mac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    Some(mac.chain_update(text).finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::{Bytes, Request, check, query};

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

    /// A request signed outside, with Python's hmac and hashlib, under the key and secret `local`.
    fn request(path: &str, credential: &str, signed: &str, signature: &str) -> Request<Bytes> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={credential}/20261128/eu-west-1/s3/aws4_request, SignedHeaders={signed}, Signature={signature}"
        );
        Request::get(path)
            .header("host", "127.0.0.1:4566")
            .header("x-amz-date", "20261128T090000Z")
            .header("x-amz-content-sha256", EMPTY)
            .header("authorization", authorization)
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn a_signature_holds_for_the_request_it_was_made_for_and_no_other() {
        let path = "/shelf/2026-11-28/00ff?x-id=GetObject";
        let good = "75b04ad0070ad8840c0e193aa4bebd0ad683e8ecda63dc9eca1ab1d9f8210742";
        let code = |request: &Request<Bytes>| check(request).err().map(|refusal| refusal.code);
        assert_eq!(code(&request(path, "local", SIGNED, good)), None);
        let mismatch = Some("SignatureDoesNotMatch");
        let other = "/shelf/2026-11-28/00fe?x-id=GetObject";
        assert_eq!(code(&request(other, "local", SIGNED, good)), mismatch);
        assert_eq!(code(&request(path, "local", "host", good)), mismatch);
        assert_eq!(
            code(&request(path, "local", SIGNED, &"0".repeat(64))),
            mismatch
        );
        let stranger = request(path, "stranger", SIGNED, good);
        assert_eq!(code(&stranger), Some("InvalidAccessKeyId"));
        let mut changed = request(path, "local", SIGNED, good);
        *changed.body_mut() = Bytes::from_static(b"x");
        assert_eq!(code(&changed), Some("XAmzContentSHA256Mismatch"));
        let mut unsigned = request(path, "local", SIGNED, good);
        unsigned.headers_mut().remove("authorization");
        assert_eq!(code(&unsigned), Some("AccessDenied"));
    }

    #[test]
    fn a_query_is_signed_in_order_and_with_values() {
        assert_eq!(query("prefix=a&list-type=2&x"), "list-type=2&prefix=a&x=");
        assert_eq!(query(""), "");
    }
}
