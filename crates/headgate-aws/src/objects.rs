//! S3: objects that are put, whole or in parts, read within a bound and deleted.
//!
//! A few requests on the runtime that every AWS SDK for Rust is generated onto: its signer,
//! retries, timeouts and connections, the same as for all other services. What `aws-sdk-s3` would
//! add to that, XML, checksums, endpoint rules for a hundred operations, is of no use here and a
//! third of the webhook's size (docs/adr/0013). Lists no more than one name, and knows nothing of what it stores.

mod upload;

pub use upload::{PART, Upload};

use std::fmt;

use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_smithy_types::error::ErrorMetadata;
use aws_types::region::SigningRegion;
use aws_types::{SdkConfig, SigningName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_domain::ledger::Hash;

use crate::{Aws, AwsError};

/// Our name for an object above the bound; S3 has none.
const TOO_LARGE: &str = "ObjectTooLarge";

/// What S3 says when the object that is there is not the one that was named.
const OTHERS: [&str; 3] = [
    "PreconditionFailed",
    "ConditionalRequestConflict",
    "NoSuchKey",
];

/// A bucket.
#[derive(Clone)]
pub struct Bucket {
    call: Operation<Request, Answer, ErrorMetadata>,
}

/// What S3 answers.
///
/// # Privacy
/// The bytes may hold personal data, and the SDK's runtime may trace its `Debug`.
struct Answer {
    bytes: Vec<u8>,
    tag: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("answer")
    }
}

/// Which of the objects that were put under a name: what whoever replaces it may insist on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

/// What a look for an object found.
///
/// # Privacy
/// The bytes may hold personal data; there is no `Debug`.
#[derive(PartialEq, Eq)]
pub enum Found {
    /// Its bytes.
    Object(Vec<u8>),
    /// There is none of this name.
    Missing,
    /// It is above the bound, and was not read.
    TooLarge,
}

impl Bucket {
    /// The bucket of a name, out of which nothing is read that is larger than `largest` bytes.
    pub fn new(aws: &Aws, name: &str, largest: usize) -> Self {
        let config = aws.for_service("AWS_ENDPOINT_URL_S3");
        Self {
            call: operation(&config, name, largest),
        }
    }

    /// Puts an object; returning means that S3 has it. The bucket decides how it is encrypted.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not confirm it.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), AwsError> {
        self.call
            .invoke(Request::new("PUT", key, bytes))
            .await
            .map(drop)
            .map_err(|e| AwsError::of("PutObject", &e))
    }

    /// Puts an object under a name that has none yet, with its checksum, as a bucket with object lock
    /// wants it; `false` when there is one. That one may be ours: an answer can be lost and the put repeated.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not say.
    pub async fn put_once(&self, key: &str, bytes: Vec<u8>) -> Result<bool, AwsError> {
        let mut request = Request::new("PUT", key, bytes);
        request.over = Over::Nothing;
        request.says_checksum = true;
        match self
            .call
            .invoke(request)
            .await
            .map_err(|e| AwsError::of("PutObject", &e))
        {
            Ok(_put) => Ok(true),
            Err(error) if error.is("PreconditionFailed") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts an object in the place of the one that was read, or where there was none; `None` when somebody
    /// else has put another one there meanwhile.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not say.
    pub async fn put_over(
        &self,
        key: &str,
        there: Option<&Tag>,
        bytes: Vec<u8>,
    ) -> Result<Option<Tag>, AwsError> {
        let mut request = Request::new("PUT", key, bytes.clone());
        request.over = there.map_or(Over::Nothing, |tag| Over::This(tag.0.clone()));
        let put = self.call.invoke(request).await;
        match put.map_err(|e| AwsError::of("PutObject", &e)) {
            Ok(answer) => answer
                .tag
                .map(|tag| Some(Tag(tag)))
                .ok_or_else(|| AwsError::new("PutObject", "an answer without a tag")),
            Err(error) if OTHERS.iter().any(|code| error.is(code)) => {
                // It may be ours: an answer can be lost and the put repeated.
                let found = self.find_tagged(key).await?;
                Ok(found.and_then(|(there, tag)| (there == bytes).then_some(tag)))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for an object, and says which one it is.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not say, also when it is above the bound.
    pub async fn find_tagged(&self, key: &str) -> Result<Option<(Vec<u8>, Tag)>, AwsError> {
        let asked = self.call.invoke(Request::new("GET", key, Vec::new())).await;
        match asked.map_err(|e| AwsError::of("GetObject", &e)) {
            Ok(answer) => {
                let tag = answer.tag.map(Tag);
                let tag = tag.ok_or_else(|| AwsError::new("GetObject", "an answer without a tag"));
                Ok(Some((answer.bytes, tag?)))
            }
            Err(error) if error.is("NoSuchKey") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks for an object.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not say. To who may not list the bucket, S3 says `AccessDenied` of
    /// an object that is not there.
    pub async fn find(&self, key: &str) -> Result<Found, AwsError> {
        let asked = self.call.invoke(Request::new("GET", key, Vec::new())).await;
        match asked.map_err(|e| AwsError::of("GetObject", &e)) {
            Ok(answer) => Ok(Found::Object(answer.bytes)),
            Err(error) if error.is("NoSuchKey") => Ok(Found::Missing),
            Err(error) if error.is(TOO_LARGE) => Ok(Found::TooLarge),
            Err(error) => Err(error),
        }
    }

    /// Reads a part of an object: shorter than asked for at its end, empty beyond it; `None` when there
    /// is no such object.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not say, also when the part is larger than what may be read.
    pub async fn find_part(
        &self,
        key: &str,
        from: u64,
        length: usize,
    ) -> Result<Option<Vec<u8>>, AwsError> {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let last = from.saturating_add(length).saturating_sub(1);
        let mut request = Request::new("GET", key, Vec::new());
        request.range = Some((from, last));
        let asked = self.call.invoke(request).await;
        match asked.map_err(|e| AwsError::of("GetObject", &e)) {
            Ok(answer) => Ok(Some(answer.bytes)),
            Err(error) if error.is("InvalidRange") => Ok(Some(Vec::new())),
            Err(error) if error.is("NoSuchKey") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is an object of a name, to who may list the bucket and not read it.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not say.
    pub async fn has(&self, key: &str) -> Result<bool, AwsError> {
        let mut request = Request::new("GET", key, Vec::new());
        let prefix = request.key.replace('/', "%2F");
        request.query = format!("list-type=2&max-keys=1&prefix={prefix}");
        request.key.clear();
        let answer = self.call.invoke(request).await;
        let answer = answer.map_err(|e| AwsError::of("ListObjectsV2", &e))?;
        let named = format!("<Key>{key}</Key>");
        Ok(String::from_utf8_lossy(&answer.bytes).contains(&named))
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not confirm it.
    pub async fn delete(&self, key: &str) -> Result<(), AwsError> {
        self.call
            .invoke(Request::new("DELETE", key, Vec::new()))
            .await
            .map(drop)
            .map_err(|e| AwsError::of("DeleteObject", &e))
    }
}

/// What a put may replace.
enum Over {
    Anything,
    Nothing,
    /// The object of this tag.
    This(String),
}

/// One request; the SDK's runtime may trace its `Debug`.
struct Request {
    method: &'static str,
    key: String,
    /// As it is sent.
    query: String,
    /// The first and the last byte that are asked for.
    range: Option<(u64, u64)>,
    body: SdkBody,
    over: Over,
    /// Whether it says the checksum of its body.
    says_checksum: bool,
}

impl Request {
    fn new(method: &'static str, key: &str, body: Vec<u8>) -> Self {
        Self {
            method,
            key: key.to_owned(),
            query: String::new(),
            range: None,
            body: SdkBody::from(body),
            over: Over::Anything,
            says_checksum: false,
        }
    }

    fn build(self) -> Result<HttpRequest, BoxError> {
        // Names are of unreserved characters and slashes, which stand in a path as they are.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~/".contains(&b);
        let is_list = self.query.starts_with("list-type=");
        if self.key.is_empty() != is_list || !self.key.bytes().all(plain) {
            return Err("the name of an object needs escaping".into());
        }
        if !self.query.bytes().all(|b| plain(b) || b"=&.%".contains(&b)) {
            return Err("a name or an id in a query needs escaping".into());
        }
        let checksum = self.body.bytes().filter(|_body| self.says_checksum);
        let checksum = checksum.map(|body| STANDARD.encode(Hash::of_bytes(body).as_bytes()));
        let mut request = HttpRequest::new(self.body);
        request.set_method(self.method)?;
        let separator = if self.query.is_empty() { "" } else { "?" };
        request.set_uri(format!("/{}{separator}{}", self.key, self.query))?;
        if let Some((first, last)) = self.range {
            let headers = request.headers_mut();
            headers.insert("range", format!("bytes={first}-{last}"));
        }
        if self.method == "PUT" {
            let headers = request.headers_mut();
            headers.insert("content-type", "application/octet-stream");
            match self.over {
                Over::Anything => {}
                Over::Nothing => drop(headers.insert("if-none-match", "*")),
                Over::This(tag) => drop(headers.try_insert("if-match", tag)?),
            }
            if let Some(checksum) = checksum {
                headers.insert("x-amz-checksum-sha256", checksum);
            }
        }
        Ok(request)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)
    }
}

/// Reads answers: the bytes of a good one, the code of any other.
#[derive(Debug)]
struct Reader {
    largest: usize,
}

impl DeserializeResponse for Reader {
    /// Stops before a body above the bound, or of no declared length, is read into memory.
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _cfg: &ConfigBag,
    ) -> Option<Result<Output, OrchestratorError<Error>>> {
        let length = response.headers().get("content-length");
        let length = length.and_then(|text| text.parse::<usize>().ok());
        let reads = matches!(response.status().as_u16(), 200 | 206);
        (reads && length.is_none_or(|length| length > self.largest))
            .then(|| Err(refused(TOO_LARGE)))
    }

    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _cfg: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        let body = response.body().bytes().unwrap_or_default();
        if response.status().is_success() {
            return Ok(Output::erase(Answer {
                bytes: body.to_vec(),
                tag: response.headers().get("etag").map(str::to_owned),
            }));
        }
        Err(refused(&code(body)))
    }
}

fn refused(code: &str) -> OrchestratorError<Error> {
    let error = ErrorMetadata::builder().code(code).build();
    OrchestratorError::operation(Error::erase(error))
}

/// The code in S3's XML for an error, which has one `Code` and quotes the name of the object.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or("service error", |(code, _)| code).to_owned()
}

fn operation(
    config: &SdkConfig,
    bucket: &str,
    largest: usize,
) -> Operation<Request, Answer, ErrorMetadata> {
    let mut builder = Operation::builder()
        .service_name("S3")
        .operation_name("Object")
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&endpoint(config, bucket))
        .runtime_plugin(signer(config));
    // `Aws` sets them all.
    if let Some(client) = config.http_client() {
        builder = builder.http_client(client);
    }
    if let (Some(sleep), Some(time)) = (config.sleep_impl(), config.time_source()) {
        builder = builder.sleep_impl(sleep).time_source(time);
    }
    if let Some(retries) = config.retry_config() {
        builder = builder.standard_retry(retries);
    }
    if let Some(timeouts) = config.timeout_config() {
        builder = builder.timeout_config(timeouts.clone());
    }
    builder
        .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .serializer(Request::build)
        .deserializer_impl(Reader { largest })
        .build()
}

fn endpoint(config: &SdkConfig, bucket: &str) -> String {
    if let Some(url) = config.endpoint_url() {
        // Whoever stands in for S3 has one address for all buckets.
        return format!("{}/{bucket}", url.trim_end_matches('/'));
    }
    let region = config.region().map_or("", AsRef::as_ref);
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{bucket}.s3.{region}.{suffix}")
}

/// Signs as S3 wants it: the path as it is sent, the hash of the body in a header.
fn signer(config: &SdkConfig) -> StaticRuntimePlugin {
    let mut signing = SigningOptions::default();
    signing.double_uri_encode = false;
    signing.normalize_uri_path = false;
    signing.content_sha256_header = true;
    let mut layer = Layer::new("signing");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: config.region().cloned().map(SigningRegion::from),
        region_set: None,
        name: Some(SigningName::from_static("s3")),
        signing_options: signing,
    });
    let mut components = RuntimeComponentsBuilder::new("signing")
        .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
            StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
        )))
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    if let Some(credentials) = config.credentials_provider() {
        components =
            components.with_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
    }
    StaticRuntimePlugin::new()
        .with_config(layer.freeze())
        .with_runtime_components(components)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use aws_types::region::Region;

    use super::*;

    #[test]
    fn an_answers_code_is_read_and_nothing_else_of_it() {
        let xml = b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Key>k</Key></Error>";
        assert_eq!(code(xml), "NoSuchKey");
        for other in [&b""[..], b"<Code>", b"{}", b"\xff"] {
            assert_eq!(code(other), "service error");
        }
    }

    #[test]
    fn a_bucket_has_an_address_of_its_own_unless_somebody_stands_in_for_s3() {
        let address = |region: &'static str, url: Option<&str>| {
            let mut config = SdkConfig::builder();
            config.set_region(Region::from_static(region));
            config.set_endpoint_url(url.map(str::to_owned));
            endpoint(&config.build(), "shelf")
        };
        let own = "https://shelf.s3.ca-central-1.amazonaws.com";
        assert_eq!(address("ca-central-1", None), own);
        let own = "https://shelf.s3.cn-north-1.amazonaws.com.cn";
        assert_eq!(address("cn-north-1", None), own);
        let stand_in = address("ca-central-1", Some("http://127.0.0.1:1/"));
        assert_eq!(stand_in, "http://127.0.0.1:1/shelf");
    }

    #[test]
    fn a_name_that_needs_escaping_is_not_sent() {
        let built = |key: &str| Request::new("GET", key, Vec::new()).build().is_ok();
        assert!(built("2026-11-28/00ff"));
        for key in ["", "a b", "a?b", "a%2fb", "é", "a\r\nb"] {
            assert!(!built(key), "{key}");
        }
        let asked = |query: &str| {
            let mut request = Request::new("POST", "a", Vec::new());
            query.clone_into(&mut request.query);
            request.build().map(|request| request.uri().to_owned())
        };
        let part = "partNumber=1&uploadId=x.y_z-1";
        assert_eq!(asked(part).unwrap(), format!("/a?{part}"));
        for query in [
            "uploadId=a b",
            "uploadId=a#b",
            "uploadId=\u{e9}",
            "list-type=2",
        ] {
            assert!(asked(query).is_err(), "{query}");
        }
    }
}
