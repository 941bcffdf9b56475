//! Multipart uploads: an object that comes in parts, and is there when the last word is said.
//!
//! Promises the bounds of S3 (docs.aws.amazon.com, "Amazon S3 multipart upload limits", read 2026-11) and that nobody
//! sees anything of an upload before it is complete. Parts are kept in memory: an upload does not survive the process.
//! Deliberately has no lists of uploads or parts and no copied parts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::operations::Refusal;
use super::state::Object;
use crate::ids::random_id;

/// The least of every part but the last.
const LEAST_PART: usize = 5 << 20;
const MOST_PARTS: u16 = 10_000;

/// The uploads that are not complete.
#[derive(Default)]
pub(super) struct Uploads(BTreeMap<String, Upload>);

struct Upload {
    bucket: String,
    key: String,
    kind: String,
    parts: BTreeMap<u16, Part>,
}

struct Part {
    content: Bytes,
    digest: [u8; 16],
}

impl Part {
    fn etag(&self) -> String {
        format!("\"{}\"", hex(&self.digest))
    }
}

impl Uploads {
    /// Begins an upload; its id.
    pub(super) fn begin(&mut self, bucket: &str, key: &str, kind: &str) -> String {
        let id = random_id();
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            kind: kind.to_owned(),
            parts: BTreeMap::new(),
        };
        self.0.insert(id.clone(), upload);
        id
    }

    fn of(&mut self, bucket: &str, key: &str, id: &str) -> Result<&mut Upload, Refusal> {
        let upload = self.0.get_mut(id);
        upload
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| {
                let message = "The specified upload does not exist.";
                Refusal::new(StatusCode::NOT_FOUND, "NoSuchUpload", message)
            })
    }

    /// Takes a part, in place of one of the same number; its tag.
    pub(super) fn part(
        &mut self,
        bucket: &str,
        key: &str,
        id: &str,
        number: &str,
        content: Bytes,
    ) -> Result<String, Refusal> {
        let number = number.parse().ok();
        let number = number.filter(|number| (1..=MOST_PARTS).contains(number));
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        let number = number.ok_or_else(|| bad("InvalidArgument", message))?;
        let digest = md5::compute(&content).0;
        let part = Part { content, digest };
        let etag = part.etag();
        self.of(bucket, key, id)?.parts.insert(number, part);
        Ok(etag)
    }

    /// The object that the named parts make, in their order.
    pub(super) fn object(
        &mut self,
        bucket: &str,
        key: &str,
        id: &str,
        named: &[u8],
        now_ms: i64,
    ) -> Result<Object, Refusal> {
        let upload = self.of(bucket, key, id)?;
        let message = "The XML you provided was not well-formed";
        let named = parts(named).ok_or_else(|| bad("MalformedXML", message))?;
        if !named.is_sorted_by(|(a, _), (b, _)| a < b) {
            let message = "The list of parts was not in ascending order.";
            return Err(bad("InvalidPartOrder", message));
        }
        let mut content = BytesMut::new();
        let mut digests = Vec::new();
        for (index, (number, etag)) in named.iter().enumerate() {
            let part = upload.parts.get(number);
            let part = part.filter(|part| hex(&part.digest) == etag.trim_matches('"'));
            let message = "One or more of the specified parts could not be found.";
            let part = part.ok_or_else(|| bad("InvalidPart", message))?;
            if index + 1 < named.len() && part.content.len() < LEAST_PART {
                let message =
                    "Your proposed upload is smaller than the minimum allowed object size.";
                return Err(bad("EntityTooSmall", message));
            }
            content.extend_from_slice(&part.content);
            digests.extend_from_slice(&part.digest);
        }
        let tag = hex(&md5::compute(digests).0);
        Ok(Object {
            content: content.freeze(),
            kind: upload.kind.clone(),
            put_ms: now_ms,
            etag: format!("\"{tag}-{}\"", named.len()),
        })
    }

    /// Forgets an upload and its parts.
    pub(super) fn end(&mut self, bucket: &str, key: &str, id: &str) -> Result<(), Refusal> {
        self.of(bucket, key, id)?;
        self.0.remove(id);
        Ok(())
    }

    pub(super) fn dump(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for upload in self.0.values() {
            for (number, part) in &upload.parts {
                let (bucket, key) = (&upload.bucket, &upload.key);
                let text = String::from_utf8_lossy(&part.content).into_owned();
                out.push((format!("bucket {bucket} upload {key} part {number}"), text));
            }
        }
        out
    }
}

/// Number and tag of each part that a completion names; its XML has no attributes that matter here.
fn parts(xml: &[u8]) -> Option<Vec<(u16, String)>> {
    let xml = std::str::from_utf8(xml).ok()?;
    let mut parts = Vec::new();
    for part in xml.split("<Part>").skip(1) {
        let (part, _) = part.split_once("</Part>")?;
        let within = |name: &str| {
            let (_, rest) = part.split_once(&format!("<{name}>"))?;
            Some(rest.split_once(&format!("</{name}>"))?.0)
        };
        let etag = within("ETag")?.replace("&quot;", "\"");
        parts.push((within("PartNumber")?.parse().ok()?, etag));
    }
    (!parts.is_empty()).then_some(parts)
}

const fn bad(code: &'static str, message: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
