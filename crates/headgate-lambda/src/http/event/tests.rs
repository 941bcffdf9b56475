//! What becomes of an event.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::{Value, json};

use super::*;

fn event(changes: &Value) -> Value {
    let mut event = json!({
        "resource": "/webhook", "path": "/webhook", "httpMethod": "POST",
        "headers": { "Host": "api.example", "X-Hub-Signature-256": "sha256=00" },
        "multiValueHeaders": { "Host": ["api.example"], "X-Hub-Signature-256": ["sha256=01", "sha256=00"] },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": { "stage": "v1", "path": "/v1/webhook", "identity": { "sourceIp": "192.0.2.1", "clientCert": null } },
        "body": null, "isBase64Encoded": false,
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn read(changes: &Value) -> Result<Request<Bytes>, String> {
    let read = serde_json::from_str::<Event>(&event(changes).to_string());
    read.map(|Event(request)| request)
        .map_err(|error| error.to_string())
}

fn request(changes: &Value) -> Request<Bytes> {
    read(changes).unwrap()
}

#[test]
fn a_body_is_the_bytes_that_were_sent() {
    let bytes: Vec<u8> = (0..=255).collect();
    let encoded = json!({ "body": STANDARD.encode(&bytes), "isBase64Encoded": true });
    assert_eq!(request(&encoded).body(), &bytes);
    let text = json!({ "body": "{\"a\":\"\u{4f60}\\n\"}" });
    assert_eq!(request(&text).body(), "{\"a\":\"\u{4f60}\\n\"}");
    assert_eq!(request(&json!({})).body(), "");
}

#[test]
fn the_method_the_path_and_the_last_of_each_header_are_seen() {
    let request = request(&json!({}));
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "/webhook");
    assert_eq!(request.headers()["x-hub-signature-256"], "sha256=00");
    assert_eq!(request.headers().len(), 2);
}

#[test]
fn a_query_comes_back_as_it_was() {
    let query = [
        ("hub.mode", "subscribe"),
        ("hub.challenge", "1&2=%\u{4f60} +"),
    ];
    let single =
        json!({ "queryStringParameters": { "hub.mode": query[0].1, "hub.challenge": query[1].1 } });
    let many = json!({ "queryStringParameters": { "a": "2" }, "multiValueQueryStringParameters": { "a": ["1", "2"], "b": ["3"] } });
    let pairs = |changes: &Value| -> Vec<(String, String)> {
        let request = request(changes);
        let query = request.uri().query().unwrap().as_bytes();
        form_urlencoded::parse(query).into_owned().collect()
    };
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let mut single = pairs(&single);
    single.sort();
    assert_eq!(single, owned(&[query[1], query[0]]));
    assert_eq!(pairs(&many), owned(&[("a", "1"), ("a", "2"), ("b", "3")]));
}

#[test]
fn what_may_not_stand_in_a_path_is_escaped() {
    for (path, seen) in [
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/\u{e9}?x#y", "/%C3%A9%3Fx%23y"),
    ] {
        let request = request(&json!({ "path": path }));
        assert_eq!((request.uri().path(), request.uri().query()), (seen, None));
    }
}

#[test]
fn a_header_that_cannot_be_is_not_there() {
    let headers = json!({ "headers": { "a b": "x", "X-Long": "a\nb", "Ok": "1" } });
    let request = request(&headers);
    assert_eq!(request.headers().len(), 1);
    assert_eq!(
        read(&json!({ "headers": null })).unwrap().headers().len(),
        0
    );
}

#[test]
fn whose_certificate_it_is_comes_from_the_connection_alone() {
    let subject = |changes: &Value| {
        request(changes)
            .extensions()
            .get::<ClientSubject>()
            .cloned()
    };
    assert_eq!(
        subject(&json!({ "headers": { "clientCert": "CN=x" } })),
        None
    );
    let context = json!({ "requestContext": { "identity": { "clientCert": { "subjectDN": "CN=a.example" } } } });
    assert_eq!(
        subject(&context),
        Some(ClientSubject("CN=a.example".to_owned()))
    );
}

#[test]
fn of_a_visit_the_address_and_the_id_are_known_and_of_a_notification_they_are_not() {
    let changes = json!({ "requestContext": { "requestId": "c6af9ac6-7b61-11e6", "identity": { "sourceIp": "192.0.2.1" } } });
    let text = event(&changes).to_string();
    let Visit(visit) = serde_json::from_str(&text).unwrap();
    let address = visit.extensions().get::<SourceAddress>().unwrap();
    assert_eq!(address.0.reveal(), "192.0.2.1");
    let id = visit.extensions().get::<RequestId>().unwrap();
    assert_eq!(id.to_string(), "c6af9ac6-7b61-11e6");
    let Event(other) = serde_json::from_str(&text).unwrap();
    assert!(other.extensions().is_empty());
    for strange in ["", "a b", "canary\n", &"a".repeat(65)] {
        let changes = json!({ "requestContext": { "requestId": strange } });
        let Visit(visit) = serde_json::from_str(&event(&changes).to_string()).unwrap();
        assert!(visit.extensions().is_empty(), "{strange}");
    }
}

#[test]
fn an_error_does_not_quote_the_event() {
    for changes in [
        json!({ "httpMethod": 7, "body": "canary" }),
        json!({ "httpMethod": "can ary" }),
        json!({ "body": "canary!", "isBase64Encoded": true }),
        json!({ "headers": "canary" }),
        json!({ "path": null }),
    ] {
        let error = read(&changes).map(|_request| ()).unwrap_err();
        assert!(
            !error.contains("canary") && !error.contains("can ary"),
            "{error}"
        );
    }
    let other = serde_json::from_str::<Event>(r#"{"Records":["canary"]}"#);
    assert!(other.is_err_and(|error| !error.to_string().contains("canary")));
}
