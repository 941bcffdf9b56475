//! API Gateway's event, payload format 1.0, read straight into a request.
//!
//! Shape: docs.aws.amazon.com/apigateway, "Input format of a Lambda function for proxy integration",
//! read 2026-11. Texts are borrowed from the event, so that a body of 3 MB is copied once, by undoing
//! its base64. Of a header that is there twice the last counts, as in `headers`; the stage is not part
//! of the path. An error quotes nothing of the event.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use headgate_redact::Personal;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{ClientSubject, RequestId, SourceAddress};

/// A request out of an event.
pub(super) struct Event(pub(super) Request<Bytes>);

/// The same, with where it came from: what the webhook has no use for, and would pay for.
pub(super) struct Visit(pub(super) Request<Bytes>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    http_method: Cow<'a, str>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(default)]
    headers: Headers,
    #[serde(borrow, default)]
    query_string_parameters: Option<Pairs<'a, Text<'a>>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<Pairs<'a, Vec<Text<'a>>>>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(borrow, default)]
    request_context: Option<Context<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    #[serde(borrow, default)]
    request_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    identity: Option<Identity<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow, default)]
    source_ip: Option<Text<'a>>,
    #[serde(borrow, default)]
    client_cert: Option<Certificate<'a>>,
}

#[derive(Deserialize)]
struct Certificate<'a> {
    #[serde(borrow, default, rename = "subjectDN")]
    subject: Option<Text<'a>>,
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(from, certificate).map(Self)
    }
}

impl<'de> Deserialize<'de> for Visit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(from, visit).map(Self)
    }
}

fn read<'de, D: Deserializer<'de>>(
    from: D,
    extend: fn(Context<'_>, &mut Extensions),
) -> Result<Request<Bytes>, D::Error> {
    let raw = Box::<RawValue>::deserialize(from)?;
    let fields: Fields<'_> = serde_json::from_str(raw.get())
        .map_err(|_quotes_input| D::Error::custom("the event is not one of API Gateway"))?;
    fields.request(extend).map_err(D::Error::custom)
}

impl Fields<'_> {
    fn request(
        self,
        extend: fn(Context<'_>, &mut Extensions),
    ) -> Result<Request<Bytes>, &'static str> {
        let body = self.body.map_or(Cow::Borrowed(""), |text| text.0);
        let body = if self.is_base64_encoded {
            let decoded = STANDARD.decode(body.as_bytes());
            Bytes::from(decoded.map_err(|_quotes_input| "the body is not base64")?)
        } else {
            Bytes::from(body.into_owned())
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(self.http_method.as_bytes())
            .map_err(|_quotes_input| "the method is not one")?;
        let query = query(
            self.multi_value_query_string_parameters,
            self.query_string_parameters,
        );
        *request.uri_mut() = uri(&self.path.0, query.as_deref())?;
        *request.headers_mut() = self.headers.0;
        if let Some(context) = self.request_context {
            extend(context, request.extensions_mut());
        }
        Ok(request)
    }
}

/// Adds whose certificate it came with.
fn certificate(context: Context<'_>, extensions: &mut Extensions) {
    let certificate = context.identity.and_then(|identity| identity.client_cert);
    if let Some(subject) = certificate.and_then(|certificate| certificate.subject) {
        extensions.insert(ClientSubject(subject.0.into_owned()));
    }
}

/// Adds where it came from, and under which id.
fn visit(context: Context<'_>, extensions: &mut Extensions) {
    let id = context.request_id.and_then(|id| RequestId::parse(&id.0));
    if let Some(id) = id {
        extensions.insert(id);
    }
    if let Some(address) = context.identity.and_then(|identity| identity.source_ip) {
        extensions.insert(SourceAddress(Personal::new(address.0.into_owned())));
    }
}

/// API Gateway undoes the query's encoding; of the two forms the one with all values counts.
fn query(
    all: Option<Pairs<'_, Vec<Text<'_>>>>,
    last: Option<Pairs<'_, Text<'_>>>,
) -> Option<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    match (all, last) {
        (Some(Pairs(all)), _) => {
            for (Text(name), values) in &all {
                query.extend_pairs(values.iter().map(|Text(value)| (name, value)));
            }
        }
        (None, Some(Pairs(last))) => {
            query.extend_pairs(last.iter().map(|(Text(name), Text(value))| (name, value)));
        }
        (None, None) => return None,
    }
    Some(query.finish())
}

/// The path and the query; what may not stand in a path is escaped (RFC 3986).
fn uri(path: &str, query: Option<&str>) -> Result<Uri, &'static str> {
    let mut text = String::with_capacity(path.len());
    // API Gateway always writes the slash; without it the rest could be taken for a host.
    if !path.starts_with('/') {
        text.push('/');
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").map_err(|_never| "the path is not one")?;
        }
    }
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    Uri::try_from(text).map_err(|_quotes_input| "the path is not one")
}

/// The headers; one whose name or value cannot be is left out, as a server would not let it in.
#[derive(Default)]
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyHeaders)
    }
}

struct AnyHeaders;

impl<'de> Visitor<'de> for AnyHeaders {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers or null")
    }

    fn visit_unit<E>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Headers, A::Error> {
        // API Gateway and Meta together write some fifteen.
        let mut headers = HeaderMap::with_capacity(16);
        while let Some(Text(name)) = from.next_key()? {
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                from.next_value::<IgnoredAny>()?;
                continue;
            };
            let Text(value) = from.next_value()?;
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        Ok(Headers(headers))
    }
}

/// The members of an object, in their order.
struct Pairs<'a, T>(Vec<(Text<'a>, T)>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AnyPairs(std::marker::PhantomData))
    }
}

struct AnyPairs<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyPairs<T> {
    type Value = Pairs<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = from.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests;
