//! Object lock: what a bucket that has it demands of a put, and what it lets nobody delete.
//!
//! Promises the compliance mode: no credentials delete a version, or shorten its time, before that time. Deliberately
//! has no governance mode and no legal holds: nothing here uses them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::BucketSettings;
use super::operations::Refusal;

const DAY_MS: i64 = 86_400_000;

/// Until when a put into a bucket with object lock is locked; `None` in a bucket without.
pub(super) fn locked_until(
    settings: BucketSettings,
    request: &Request<Bytes>,
    now_ms: i64,
) -> Result<Option<i64>, Refusal> {
    let bad = |code, message| Refusal::new(StatusCode::BAD_REQUEST, code, message);
    let headers = request.headers();
    let mode = text(headers, "x-amz-object-lock-mode");
    let until = text(headers, "x-amz-object-lock-retain-until-date");
    let Some(days) = settings.locked_days else {
        let message = "Bucket is missing Object Lock Configuration";
        return match (mode, until) {
            (None, None) => Ok(None),
            _ => Err(bad("InvalidRequest", message)),
        };
    };
    checksum(request)?;
    let of_bucket = now_ms + days * DAY_MS;
    match (mode, until) {
        (None, None) => Ok(Some(of_bucket)),
        (Some("COMPLIANCE"), Some(until)) => {
            let until = OffsetDateTime::parse(until, &Rfc3339)
                .map_err(|_text| bad("InvalidArgument", "The date must be ISO 8601"))?;
            let until_ms = until.unix_timestamp() * 1000;
            if until_ms <= now_ms {
                let message = "The retain until date must be in the future!";
                return Err(bad("InvalidArgument", message));
            }
            Ok(Some(until_ms))
        }
        (Some("COMPLIANCE"), None) | (None, Some(_)) => {
            let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            Err(bad("InvalidArgument", message))
        }
        (Some(_), _) => Err(bad("InvalidArgument", "Unknown wormMode directive.")),
    }
}

/// S3 takes nothing into such a bucket without a checksum, and nothing with a wrong one.
fn checksum(request: &Request<Bytes>) -> Result<(), Refusal> {
    let headers = request.headers();
    let body = request.body();
    let sha256 = text(headers, "x-amz-checksum-sha256");
    let md5 = text(headers, "content-md5");
    let holds = match (sha256, md5) {
        (Some(sum), _) => sum == STANDARD.encode(Sha256::digest(body)),
        (None, Some(sum)) => sum == STANDARD.encode(md5::compute(body).0),
        // Others are taken on trust: nothing here sends them.
        (None, None)
            if headers
                .keys()
                .any(|name| name.as_str().starts_with("x-amz-checksum-")) =>
        {
            true
        }
        (None, None) => {
            let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "InvalidRequest",
                message,
            ));
        }
    };
    let message = "The checksum you specified did not match what was received.";
    let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "BadDigest", message);
    holds.then_some(()).ok_or_else(wrong)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
