//! The REST side of S3: what a request asks for, what it is answered, errors in XML.
//!
//! Promises the codes S3 has for what Headgate could notice, and `NotImplemented` for the rest.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::lock;
use super::state::Object;
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
        let has = |name| self.parameter(name).is_some();
        match (self.method, self.key) {
            (&Method::GET, "") => "ListObjectsV2",
            (&Method::GET, _) => "GetObject",
            (_, "") => "",
            (&Method::PUT, _) if has("uploadId") => "UploadPart",
            (&Method::PUT, _) => "PutObject",
            (&Method::DELETE, _) if has("uploadId") => "AbortMultipartUpload",
            (&Method::DELETE, _) => "DeleteObject",
            (&Method::POST, _) if has("uploads") => "CreateMultipartUpload",
            (&Method::POST, _) if has("uploadId") => "CompleteMultipartUpload",
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
        let known: &[&str] = match self.operation() {
            "CreateMultipartUpload" => &["uploads"],
            "UploadPart" => &["partNumber", "uploadId"],
            "CompleteMultipartUpload" | "AbortMultipartUpload" => &["uploadId"],
            _ => &["versionId"],
        };
        form_urlencoded::parse(self.query.as_bytes())
            .all(|(name, _)| name == "x-id" || known.contains(&name.as_ref()))
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
                let objects = self.shelf.objects();
                let object = match &version {
                    Some(id) => objects
                        .state()
                        .find_version(asked.bucket, asked.key, id)
                        .and_then(|version| version.object.as_ref()),
                    None => objects.state().find(asked.bucket, asked.key),
                };
                let object = object.ok_or_else(no_such_key)?;
                header(&mut response, "etag", &object.etag);
                header(&mut response, "content-type", &object.kind);
                *response.body_mut() = object.content.clone();
                if let Some(range) = range {
                    part(&mut response, range)?;
                }
            }
            "DeleteObject" => {
                self.delete(&asked, settings, version.as_deref())?;
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            "CreateMultipartUpload"
            | "UploadPart"
            | "CompleteMultipartUpload"
            | "AbortMultipartUpload"
                if settings.locked_days.is_none() =>
            {
                return self.in_parts(&asked, request);
            }
            _ => return Err(Refusal::unsupported()),
        }
        Ok(response)
    }

    /// A step of an upload in parts.
    fn in_parts(
        &self,
        asked: &Asked<'_>,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let (bucket, key) = (asked.bucket, asked.key);
        let id = asked.parameter("uploadId").unwrap_or_default();
        let mut uploads = self.uploads();
        let mut response = Response::new(Bytes::new());
        match asked.operation() {
            "CreateMultipartUpload" => {
                let id = uploads.begin(bucket, key, kind(request));
                let body = format!(
                    "<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
                    escaped(bucket),
                    escaped(key),
                );
                return Ok(xml(StatusCode::OK, &body));
            }
            "UploadPart" => {
                let number = asked.parameter("partNumber").unwrap_or_default();
                let content = request.body().clone();
                let etag = uploads.part(bucket, key, &id, &number, content)?;
                header(&mut response, "etag", &etag);
            }
            "CompleteMultipartUpload" => {
                let now_ms = self.calendar.now_ms();
                let object = uploads.object(bucket, key, &id, request.body(), now_ms)?;
                let body = format!(
                    "<CompleteMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><ETag>{}</ETag></CompleteMultipartUploadResult>",
                    escaped(bucket),
                    escaped(key),
                    escaped(&object.etag),
                );
                self.shelf.objects().put(bucket, key, object)?;
                uploads.end(bucket, key, &id)?;
                return Ok(xml(StatusCode::OK, &body));
            }
            _ => {
                uploads.end(bucket, key, &id)?;
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
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
        let now_ms = self.calendar.now_ms();
        let object = Object::new(request.body().clone(), kind(request), now_ms);
        let locked = lock::locked_until(settings, request, now_ms)?;
        header(response, "etag", &object.etag);
        let mut objects = self.shelf.objects();
        conditions(request, objects.state().find(asked.bucket, asked.key))?;
        if let Some(locked_until_ms) = locked {
            let id = random_id();
            header(response, "x-amz-version-id", &id);
            objects.put_version(asked.bucket, asked.key, id, Some(object), locked_until_ms)?;
        } else {
            objects.put(asked.bucket, asked.key, object)?;
        }
        Ok(())
    }

    fn delete(
        &self,
        asked: &Asked<'_>,
        settings: BucketSettings,
        version: Option<&str>,
    ) -> Result<(), Refusal> {
        let now_ms = self.calendar.now_ms();
        let (bucket, key) = (asked.bucket, asked.key);
        let mut objects = self.shelf.objects();
        match (version, settings.locked_days) {
            (Some(id), _) => {
                let found = objects.state().find_version(bucket, key, id);
                if found.is_some_and(|version| version.locked_until_ms > now_ms) {
                    return Err(locked());
                }
                objects.delete_version(bucket, key, id)?;
            }
            (None, Some(_)) => objects.put_version(bucket, key, random_id(), None, 0)?,
            (None, None) => objects.delete(bucket, key)?,
        }
        Ok(())
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
        let objects = self.shelf.objects();
        let mut found = objects.state().list(asked.bucket, &prefix, &after);
        let mut contents = String::new();
        let (mut count, mut last) = (0, "");
        for (key, object) in found.by_ref().take(most) {
            let (size, etag) = (object.content.len(), escaped(&object.etag));
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

/// The kind of content a request names.
fn kind(request: &Request<Bytes>) -> &str {
    let kind = request.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok());
    kind.unwrap_or("binary/octet-stream")
}

/// Whether an object may be put in the place of the one that is there.
fn conditions(request: &Request<Bytes>, there: Option<&Object>) -> Result<(), Refusal> {
    if request.headers().contains_key("if-none-match") && there.is_some() {
        return Err(precondition_failed());
    }
    let Some(wanted) = request.headers().get("if-match") else {
        return Ok(());
    };
    match there {
        None => Err(no_such_key()),
        Some(object) if wanted.as_bytes() != object.etag.as_bytes() => Err(precondition_failed()),
        Some(_) => Ok(()),
    }
}

const fn no_such_key() -> Refusal {
    let message = "The specified key does not exist.";
    Refusal::new(StatusCode::NOT_FOUND, "NoSuchKey", message)
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
