//! What API Gateway answers by itself: its own words, or the headers and body the template has for them.
//!
//! Promises that both fallbacks, `DEFAULT_4XX` and `DEFAULT_5XX`, are taken as they stand. Deliberately knows no
//! other type of answer and no variables in a body: a template that uses one does not start.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::host;

/// The answers of one API.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnAnswers {
    client: Option<OwnAnswer>,
    server: Option<OwnAnswer>,
}

#[derive(Clone, Debug)]
struct OwnAnswer {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: String,
}

impl OwnAnswers {
    /// Reads them from the OpenAPI document of an API.
    pub(crate) fn of(definition: Option<&Value>) -> Result<Self> {
        let mut own = Self::default();
        let responses = definition.and_then(|d| d.get("x-amazon-apigateway-gateway-responses"));
        for (kind, response) in responses.and_then(Value::as_object).into_iter().flatten() {
            let answer =
                OwnAnswer::of(response).with_context(|| format!("gateway response {kind}"))?;
            match kind.as_str() {
                "DEFAULT_4XX" => own.client = Some(answer),
                "DEFAULT_5XX" => own.server = Some(answer),
                other => bail!("the gateway response {other} is not known locally"),
            }
        }
        Ok(own)
    }

    /// The answer with this status; `words` are API Gateway's own.
    pub(crate) fn answer(&self, status: StatusCode, words: &'static str) -> Response<Bytes> {
        let own = if status.is_server_error() {
            &self.server
        } else {
            &self.client
        };
        let Some(own) = own else {
            return host::json(status, words);
        };
        let mut response = host::json(status, own.body.clone());
        for (name, value) in &own.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

impl OwnAnswer {
    fn of(response: &Value) -> Result<Self> {
        if response.get("statusCode").is_some() {
            bail!("a status of its own is not known locally");
        }
        let parameters = response
            .get("responseParameters")
            .and_then(Value::as_object);
        let mut headers = Vec::new();
        for (name, value) in parameters.into_iter().flatten() {
            let name = name
                .strip_prefix("gatewayresponse.header.")
                .with_context(|| format!("{name} is no header"))?;
            let value = value
                .as_str()
                .and_then(|v| v.strip_prefix('\'')?.strip_suffix('\''))
                .with_context(|| format!("{name} is not a text in quotes"))?;
            headers.push((name.parse()?, value.parse()?));
        }
        let body = response
            .pointer("/responseTemplates/application~1json")
            .and_then(Value::as_str)
            .context("there is no body for application/json")?;
        if body.contains('$') {
            bail!("variables in a body are not known locally");
        }
        Ok(Self {
            headers,
            body: body.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use serde_json::json;

    use super::*;

    fn definition(kind: &str, body: &str) -> Value {
        json!({ "x-amazon-apigateway-gateway-responses": { kind: {
            "responseParameters": { "gatewayresponse.header.X-Content-Type-Options": "'nosniff'" },
            "responseTemplates": { "application/json": body },
        } } })
    }

    #[test]
    fn the_template_has_the_last_word_on_its_half_of_the_answers() {
        let own = OwnAnswers::of(Some(&definition("DEFAULT_4XX", "{}"))).unwrap();
        let client = own.answer(StatusCode::FORBIDDEN, "words");
        assert_eq!(client.body(), "{}");
        assert_eq!(
            client.headers().get("x-content-type-options").unwrap(),
            "nosniff"
        );
        let server = own.answer(StatusCode::BAD_GATEWAY, "words");
        assert_eq!(server.body(), "words");
        assert!(server.headers().get("x-content-type-options").is_none());
    }

    #[test]
    fn what_would_be_answered_differently_in_aws_does_not_start() {
        assert!(OwnAnswers::of(Some(&definition("THROTTLED", "{}"))).is_err());
        assert!(OwnAnswers::of(Some(&definition("DEFAULT_4XX", "$context.x"))).is_err());
    }
}
