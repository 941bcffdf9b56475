//! Events in the shapes in which AWS hands them over, and what Meta signs.
//!
//! Shapes: docs.aws.amazon.com/lambda/latest/dg, "Using Lambda with SQS / API Gateway /
//! EventBridge", read 2026-11.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_lambda::clock::system_clock;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;

const REGION: &str = "ca-central-1";

/// A batch from a queue; the messages are `m0`, `m1`, ….
pub fn sqs(queue_arn: &str, bodies: &[&str]) -> Value {
    let sent_at = system_clock()().millis().to_string();
    let record = |(index, body): (usize, &&str)| {
        json!({
            "messageId": format!("m{index}"),
            "receiptHandle": format!("receipt-{index}"),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "ApproximateFirstReceiveTimestamp": sent_at,
                "SenderId": "AROAEXAMPLEID:shop",
                "SentTimestamp": sent_at,
            },
            "messageAttributes": {},
            "md5OfBody": "00000000000000000000000000000000",
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": REGION,
        })
    };
    let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
    json!({ "Records": records })
}

/// What a schedule rule hands over.
pub fn scheduled() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": system_clock()().to_string(),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:123456789012:rule/hourly")],
        "detail": {},
    })
}

/// How API Gateway passes a body on.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// There is none.
    None,
    /// As text.
    Text(&'a str),
    /// In base64, as for a media type that the API calls binary.
    Base64(&'a [u8]),
}

/// A request as the REST proxy integration passes it on, on the stage `v1`.
pub fn api_gateway(
    method: &str,
    path: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: Body<'_>,
) -> Value {
    let (body, is_base64) = match body {
        Body::None => (Value::Null, false),
        Body::Text(text) => (Value::from(text), false),
        Body::Base64(bytes) => (Value::from(STANDARD.encode(bytes)), true),
    };
    let headers: Vec<(&str, &str)> = [("Host", "api.example"), ("X-Forwarded-Proto", "https")]
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": single(&headers),
        "multiValueHeaders": multiple(&headers),
        "queryStringParameters": single(query),
        "multiValueQueryStringParameters": multiple(query),
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "domainName": "api.example",
            "httpMethod": method,
            "identity": { "sourceIp": "192.0.2.1", "userAgent": "test" },
            "path": format!("/v1{path}"),
            "protocol": "HTTP/1.1",
            "requestId": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            "requestTimeEpoch": system_clock()().millis(),
            "resourceId": "abc123",
            "resourcePath": path,
            "stage": "v1",
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// The same request as an HTTP API passes it on in payload format 1.0.
pub fn http_api(
    method: &str,
    path: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: Body<'_>,
) -> Value {
    let lowercase: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), *value))
        .collect();
    let headers: Vec<(&str, &str)> = lowercase
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let mut event = api_gateway(method, path, query, &headers, body);
    merge(
        &mut event,
        json!({
            "version": "1.0",
            "path": format!("/v1{path}"),
            "requestContext": {
                "authorizer": { "claims": null, "scopes": null },
                "domainPrefix": "api",
                "extendedRequestId": "request-id",
                "identity": { "accessKey": null, "principalOrgId": null, "user": null },
                "requestTime": "22/Nov/2026:10:00:00 +0000",
                "resourceId": null,
            },
        }),
    );
    event
}

/// Adds what API Gateway says about the certificate of a client, in both kinds of API.
pub fn with_client_certificate(mut event: Value, subject: &str) -> Value {
    let certificate = json!({
        "clientCertPem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "subjectDN": subject,
        "issuerDN": "CN=Example Authority",
        "serialNumber": "a1:a1:a1",
        "validity": {
            "notBefore": "Nov 1 00:00:00 2026 GMT",
            "notAfter": "Nov 1 00:00:00 2027 GMT",
        },
    });
    merge(
        &mut event,
        json!({ "requestContext": { "identity": { "clientCert": certificate } } }),
    );
    event
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// API Gateway says `null` rather than an empty object.
fn single(pairs: &[(&str, &str)]) -> Value {
    let map: Map<String, Value> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    if map.is_empty() {
        Value::Null
    } else {
        map.into()
    }
}

fn multiple(pairs: &[(&str, &str)]) -> Value {
    let map: Map<String, Value> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!([value])))
        .collect();
    if map.is_empty() {
        Value::Null
    } else {
        map.into()
    }
}

/// The value of `X-Hub-Signature-256` for a body.
pub fn signature(app_secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hmac_hex(app_secret, body))
}

/// HMAC-SHA-256 (RFC 2104) in lower-case hex.
pub(crate) fn hmac_hex(key: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is a key");
    mac.update(text);
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(hex, "{byte:02x}").expect("a String takes it");
    }
    hex
}
