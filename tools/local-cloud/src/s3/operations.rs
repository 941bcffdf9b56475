//! The REST side of S3: what a request asks for, what it is answered, errors in XML.
//!
//! Promises the codes S3 has for what Headgate could notice, and `NotImplemented` for the rest.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::lock;
use super::state::{Content, Object, Version};
use super::{BucketSettings, Buckets};
use crate::calendar::rfc3339;
use crate::ids::random_id;
use crate::vault::Unsaved;

/// Names longer than this are refused.
const LONGEST_KEY: usize = 1024;
/// The most names one list has.
const PER_LIST: usize = 1000;

/// A refused request.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    pub(super) code: &'static str,
    message: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
        }
    }

    const fn unsupported() -> Self {
        let message = "This is not supported locally.";
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }
}

impl From<Unsaved> for Refusal {
    fn from(_names_a_path: Unsaved) -> Self {
        let message = "The state cannot be written.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }
}

/// A request by its method, its path and its query.
pub(super) struct Asked<'a> {
    method: &'a Method,
    pub(super) bucket: &'a str,
    key: &'a str,
    query: &'a str,
}

impl<'a> Asked<'a> {
    pub(super) fn of(request: &'a Request<Bytes>) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self {
            method: request.method(),
            bucket,
            key,
            query: request.uri().query().unwrap_or_default(),
        }
    }

    pub(super) fn key(&self) -> &str {
        self.key
    }

    pub(super) fn operation(&self) -> &'static str {
        match (self.method, self.key) {
            (&Method::GET, "") => "ListObjectsV2",
            (&Method::GET, _) => "GetObject",
            (&Method::PUT, key) if !key.is_empty() => "PutObject",
            (&Method::DELETE, key) if !key.is_empty() => "DeleteObject",
            _ => "",
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Whether the query asks for nothing beyond the operation.
    fn is_plain(&self) -> bool {
        form_urlencoded::parse(self.query.as_bytes())
            .all(|(name, _)| name == "x-id" || name == "versionId")
    }
}

impl Buckets {
    pub(super) fn perform(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let asked = Asked::of(request);
        let not_found = |code, message| Refusal::new(StatusCode::NOT_FOUND, code, message);
        let Some(settings) = self.settings.get(asked.bucket).copied() else {
            return Err(not_found(
                "NoSuchBucket",
                "There is no bucket of this name.",
            ));
        };
        let operation = asked.operation();
        if operation == "ListObjectsV2" {
            return self.list(&asked);
        }
        let range = request.headers().get("range");
        if (range.is_some() && operation != "GetObject")
            || !asked.is_plain()
            || asked.key.contains('%')
        {
            return Err(Refusal::unsupported());
        }
        if asked.key.len() > LONGEST_KEY {
            let message = "The name is too long.";
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "KeyTooLongError",
                message,
            ));
        }
        let version = asked.parameter("versionId");
        let mut response = Response::new(Bytes::new());
        match operation {
            "PutObject" => self.put(&asked, settings, request, &mut response)?,
            "GetObject" => {
                let state = self.vault.state();
                let object = match &version {
                    Some(id) => state
                        .find_version(asked.bucket, asked.key, id)
                        .and_then(|version| version.object.as_ref()),
                    None => state.find(asked.bucket, asked.key),
                };
                let object = object
                    .ok_or_else(|| not_found("NoSuchKey", "The specified key does not exist."))?;
                header(&mut response, "etag", &object.etag());
                header(&mut response, "content-type", &object.kind);
                *response.body_mut() = object.content.0.clone();
                if let Some(range) = range {
                    part(&mut response, range)?;
                }
            }
            "DeleteObject" => {
                self.delete(&asked, settings, version.as_deref())?;
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => return Err(Refusal::unsupported()),
        }
        Ok(response)
    }

    fn put(
        &self,
        asked: &Asked<'_>,
        settings: BucketSettings,
        request: &Request<Bytes>,
        response: &mut Response<Bytes>,
    ) -> Result<(), Refusal> {
        let kind = request.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let object = Object {
            content: Content(request.body().clone()),
            kind: kind.unwrap_or("binary/octet-stream").to_owned(),
            put_ms: self.calendar.now_ms(),
        };
        let locked = lock::locked_until(settings, request, object.put_ms)?;
        let only_new = request.headers().contains_key("if-none-match");
        header(response, "etag", &object.etag());
        let id = random_id();
        if locked.is_some() {
            header(response, "x-amz-version-id", &id);
        }
        self.vault.change(|state| {
            if only_new && state.find(asked.bucket, asked.key).is_some() {
                return Err(precondition_failed());
            }
            match locked {
                Some(locked_until_ms) => {
                    let object = Some(object);
                    let version = Version {
                        id,
                        object,
                        locked_until_ms,
                    };
                    state.put_version(asked.bucket, asked.key, version);
                }
                None => state.put(asked.bucket, asked.key, object),
            }
            Ok::<(), Refusal>(())
        })
    }

    fn delete(
        &self,
        asked: &Asked<'_>,
        settings: BucketSettings,
        version: Option<&str>,
    ) -> Result<(), Refusal> {
        let now_ms = self.calendar.now_ms();
        self.vault.change(|state| {
            match (version, settings.locked_days) {
                (Some(id), _) => {
                    let found = state.find_version(asked.bucket, asked.key, id);
                    if found.is_some_and(|version| version.locked_until_ms > now_ms) {
                        return Err(locked());
                    }
                    state.delete_version(asked.bucket, asked.key, id);
                }
                (None, Some(_)) => {
                    let marker = Version {
                        id: random_id(),
                        object: None,
                        locked_until_ms: 0,
                    };
                    state.put_version(asked.bucket, asked.key, marker);
                }
                (None, None) => state.delete(asked.bucket, asked.key),
            }
            Ok::<(), Refusal>(())
        })
    }

    fn list(&self, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        if asked.parameter("list-type").as_deref() != Some("2")
            || asked.parameter("delimiter").is_some()
        {
            return Err(Refusal::unsupported());
        }
        let prefix = asked.parameter("prefix").unwrap_or_default();
        let most = asked.parameter("max-keys");
        let most = most.and_then(|most| most.parse().ok());
        let most: usize = most.unwrap_or(PER_LIST).min(PER_LIST);
        // The token is the last name of the page before.
        let after = asked.parameter("continuation-token");
        let after = after.or_else(|| asked.parameter("start-after"));
        let after = after.unwrap_or_default();
        let state = self.vault.state();
        let mut found = state.list(asked.bucket, &prefix, &after);
        let mut contents = String::new();
        let (mut count, mut last) = (0, "");
        for (key, object) in found.by_ref().take(most) {
            let (size, etag) = (object.content.0.len(), escaped(&object.etag()));
            let put = rfc3339(object.put_ms).unwrap_or_default();
            write!(contents, "<Contents><Key>{}</Key><LastModified>{put}</LastModified><ETag>{etag}</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>", escaped(key)).unwrap_or_default();
            (count, last) = (count + 1, key);
        }
        let more = found.next().is_some();
        let next = if more {
            format!(
                "<NextContinuationToken>{}</NextContinuationToken>",
                escaped(last)
            )
        } else {
            String::new()
        };
        let body = format!(
            "<ListBucketResult><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{more}</IsTruncated>{contents}{next}</ListBucketResult>",
            escaped(asked.bucket),
            escaped(&prefix),
        );
        Ok(xml(StatusCode::OK, &body))
    }
}

const fn precondition_failed() -> Refusal {
    let message = "At least one of the pre-conditions you specified did not hold";
    Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        message,
    )
}

const fn locked() -> Refusal {
    let message = "Access Denied because object protected by object lock.";
    Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", message)
}

/// Leaves of an object what a range `bytes=a-b` asks for.
fn part(response: &mut Response<Bytes>, range: &HeaderValue) -> Result<(), Refusal> {
    let whole = response.body().len();
    let text = range.to_str().unwrap_or_default();
    let ends = text.strip_prefix("bytes=").and_then(|r| r.split_once('-'));
    let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let (from, to): (usize, usize) = ends.ok_or_else(Refusal::unsupported)?;
    if from >= whole || to < from {
        return Err(Refusal::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        ));
    }
    let to = to.min(whole - 1);
    let part = response.body().slice(from..=to);
    header(
        response,
        "content-range",
        &format!("bytes {from}-{to}/{whole}"),
    );
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    *response.body_mut() = part;
    Ok(())
}

/// The response with an answer or a refusal.
pub(super) fn respond(result: Result<Response<Bytes>, Refusal>) -> Response<Bytes> {
    let id = random_id();
    let mut response = result.unwrap_or_else(|refusal| {
        let (code, message) = (refusal.code, refusal.message);
        let body = format!(
            "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"
        );
        xml(refusal.status, &body)
    });
    header(&mut response, "x-amz-request-id", &id);
    response
}

fn xml(status: StatusCode, body: &str) -> Response<Bytes> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    header(&mut response, "content-type", "application/xml");
    response
}

fn header(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
