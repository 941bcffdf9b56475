//! API Gateway: the routes of the template, and nothing beside them.
//!
//! Promises the answers of API Gateway for what is not a route (403), too large (413) or failed (502), with the
//! headers and bodies the template has for them.
//! Deliberately has no stages, authorizers or throttling.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::functions::Functions;
use crate::own_answers::OwnAnswers;

/// The largest body API Gateway takes.
pub(crate) const MAX_BODY: usize = 10 * 1024 * 1024;
/// What it says about a larger one.
pub(crate) const TOO_LARGE: &str = r#"{"message":"Request Too Long"}"#;

/// The route a request was matched with: an extension of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedRoute {
    /// The path as the template has it, such as `/p/{token}`.
    pub resource: String,
    /// The values of its parameters, as they stand in the path.
    pub parameters: BTreeMap<String, String>,
}

/// One `Api` event of a function.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) api: String,
    /// Upper case; `ANY` takes every method.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) function: String,
}

impl Route {
    fn parameters(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut parameters = BTreeMap::new();
        let mut given = path.trim_start_matches('/').split('/');
        for part in self.path.trim_start_matches('/').split('/') {
            match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(name) if name.ends_with('+') => {
                    let rest: Vec<&str> = given.by_ref().collect();
                    if rest.is_empty() || rest == [""] {
                        return None;
                    }
                    parameters.insert(name.trim_end_matches('+').to_owned(), rest.join("/"));
                    return Some(parameters);
                }
                Some(name) => {
                    let value = given.next().filter(|v| !v.is_empty())?;
                    parameters.insert(name.to_owned(), value.to_owned());
                }
                None => {
                    given.next().filter(|v| *v == part)?;
                }
            }
        }
        given.next().is_none().then_some(parameters)
    }
}

/// Answers one request of one API.
pub(crate) async fn answer(
    routes: &[Route],
    own: &OwnAnswers,
    functions: &Functions,
    mut request: Request<Bytes>,
) -> Response<Bytes> {
    let found = routes
        .iter()
        .filter(|r| r.method == "ANY" || r.method == request.method().as_str())
        .filter_map(|r| r.parameters(request.uri().path()).map(|p| (r, p)))
        // A literal path wins over one with parameters.
        .min_by_key(|(_, parameters)| parameters.len());
    let Some((route, parameters)) = found else {
        return own.answer(
            StatusCode::FORBIDDEN,
            r#"{"message":"Missing Authentication Token"}"#,
        );
    };
    request.extensions_mut().insert(MatchedRoute {
        resource: route.path.clone(),
        parameters,
    });
    match functions.request(&route.function, request).await {
        Some(response) => response,
        None => own.answer(
            StatusCode::BAD_GATEWAY,
            r#"{"message":"Internal server error"}"#,
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::Route;

    #[test]
    fn a_path_matches_as_a_whole_or_not_at_all() {
        let check = |pattern: &str, path: &str, expected: Option<&str>| {
            let route = Route {
                api: String::new(),
                method: "GET".to_owned(),
                path: pattern.to_owned(),
                function: String::new(),
            };
            let read = route
                .parameters(path)
                .map(|p| p.into_values().collect::<Vec<_>>().join(","));
            assert_eq!(read.as_deref(), expected, "{pattern} {path}");
        };
        check("/webhook", "/webhook", Some(""));
        check("/webhook", "/webhook/", None);
        check("/webhook", "/webhook/x", None);
        check("/p/{token}", "/p/abc", Some("abc"));
        check("/p/{token}", "/p/", None);
        check("/p/{token}/confirm", "/p/abc/confirm", Some("abc"));
        check("/files/{rest+}", "/files/a/b", Some("a/b"));
        check("/", "/", Some(""));
    }
}
