//! What a stranger may throw at a public route, as API Gateway hands it over, and what may come back.
//!
//! Owns the hostile set: one list for every route, so that a new route is tried with all of it. Every
//! request carries the same canary wherever it has room for text; it may come back in nothing, and
//! may lie nowhere afterwards. What an honest request to a route looks like is the function's tests'
//! business.

use serde_json::{Map, Value, json};

use crate::events::{Body, api_gateway, scheduled, signature, sqs};
use crate::{APP_SECRET, Running, Stage};

/// Stands for whatever a stranger sends; in no answer, log line or store.
pub const CANARY: &str = "canary16135550177";

/// The methods of HTTP, and what is none.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
];
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// Above what Meta sends, and what Lambda can be handed with base64's third on top.
const HUGE: usize = 4 * 1024 * 1024 + 1;

/// One request.
pub struct Hostile {
    /// What is hostile about it.
    pub name: String,
    /// As Lambda hands it over.
    pub event: Value,
}

/// The hostile requests to a route of the template: `method` in upper case, `path` with its parameter
/// filled in by something that opens nothing.
pub fn requests(method: &str, path: &str) -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut add = |name: &str, event: Value| {
        all.push(Hostile {
            name: format!("{method} {path}: {name}"),
            event,
        });
    };
    methods(method, path, &mut add);
    headers(method, path, &mut add);
    bodies(method, path, &mut add);
    signatures(method, path, &mut add);
    queries(method, path, &mut add);
    paths(method, path, &mut add);
    all
}

type Add<'a> = &'a mut dyn FnMut(&str, Value);

/// Other methods than the route's, and the headers that pretend to be one.
fn methods(method: &str, path: &str, add: Add<'_>) {
    for other in METHODS.into_iter().filter(|other| *other != method) {
        // A route of the same path may take it; then its answer is as closed as any.
        let event = api_gateway(other, path, &[], &[FORM], Body::Text(CANARY));
        add(&format!("method {other}"), event);
    }
    for header in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
    ] {
        for other in ["DELETE", "GET", "POST"] {
            let event = api_gateway(
                method,
                path,
                &[("_method", other)],
                &[(header, other)],
                Body::None,
            );
            add(&format!("{header}: {other}"), event);
        }
    }
}

fn headers(method: &str, path: &str, add: Add<'_>) {
    let long = CANARY.repeat(4_000);
    let odd = [
        ("Content-Type", "application/json; charset=utf-16"),
        (
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-7",
        ),
        (
            "Content-Type",
            "multipart/form-data; boundary=canary16135550177",
        ),
        ("Content-Type", ""),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "99999999999999999999"),
        ("Transfer-Encoding", "chunked, canary16135550177"),
        ("Accept", "application/json, canary16135550177"),
        ("Accept-Language", "canary16135550177;q=9"),
        ("Authorization", "Bearer canary16135550177"),
        ("Cookie", "session=canary16135550177"),
        ("Forwarded", "for=canary16135550177"),
        ("Origin", "https://canary16135550177.example"),
        ("Referer", "https://example.test/canary16135550177"),
        ("Sec-Fetch-Site", "cross-site"),
        ("User-Agent", "<script>canary16135550177</script>"),
        ("X-Forwarded-For", "canary16135550177"),
        ("X-Forwarded-Host", "canary16135550177.example"),
        ("X-Original-URL", "/privacy?canary16135550177"),
        ("X-Rewrite-URL", "/canary16135550177"),
        ("X-Odd", "caf\u{e9} canary16135550177"),
        ("X-Long", &long),
    ];
    for (name, value) in odd {
        let shown: String = value.chars().take(40).collect();
        let event = api_gateway(method, path, &[], &[(name, value)], Body::Text(CANARY));
        add(&format!("{name}: {shown}"), event);
    }
    let mut many: Vec<(String, String)> = Vec::new();
    for number in 0..500 {
        many.push((format!("X-Many-{number}"), CANARY.to_owned()));
    }
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    add(
        "500 headers",
        api_gateway(method, path, &[], &many, Body::None),
    );

    let mut twice = api_gateway(method, path, &[], &[FORM], Body::Text(CANARY));
    put(
        &mut twice,
        "/multiValueHeaders/Content-Type",
        json!(["text/html", CANARY, "application/json"]),
    );
    add("one header three times", twice);
    for nothing in [Value::Null, json!({})] {
        let mut event = api_gateway(method, path, &[], &[], Body::None);
        put(&mut event, "/headers", nothing.clone());
        put(&mut event, "/multiValueHeaders", nothing);
        add("no headers at all", event);
    }
}

fn bodies(method: &str, path: &str, add: Add<'_>) {
    let huge = CANARY.repeat(HUGE.div_ceil(CANARY.len()));
    let deep = "[".repeat(100_000);
    // A gzip member of nothing, then text.
    let gzip = [
        &b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00"[..],
        CANARY.as_bytes(),
    ]
    .concat();
    let bodies: [(&str, Body<'_>); 9] = [
        ("no body", Body::None),
        ("an empty body", Body::Text("")),
        ("one byte", Body::Text("{")),
        ("a NUL", Body::Base64(b"\0")),
        (
            "bytes that are no UTF-8",
            Body::Base64(b"\xff\xfe\xc3\x28 purpose=\xed\xa0\x80"),
        ),
        (
            "NULs in a form",
            Body::Text("purpose=marketing\0&wording=\0&lang=\0"),
        ),
        ("a hundred thousand brackets", Body::Text(&deep)),
        ("a compressed body", Body::Base64(&gzip)),
        ("a huge body", Body::Text(&huge)),
    ];
    for (name, body) in bodies {
        for media_type in ["application/json", FORM.1] {
            let headers = [("Content-Type", media_type)];
            add(
                &format!("{name} as {media_type}"),
                api_gateway(method, path, &[], &headers, body),
            );
        }
    }
}

/// Signatures of Meta's form that are none for what they come with.
fn signatures(method: &str, path: &str, add: Add<'_>) {
    let text = format!(r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{CANARY}"}}]}}"#);
    let right = signature(APP_SECRET, text.as_bytes());
    let half = right.get(..39).unwrap_or_default();
    let upper = right.to_uppercase();
    let wide = format!("{right}00");
    let spaced = right.replace('=', " = ");
    let foreign = signature(CANARY, text.as_bytes());
    let empty = signature("", text.as_bytes());
    let of_nothing = signature(APP_SECRET, b"");
    let sha1 = right.replace("sha256", "sha1");
    let forged = [
        ("blank", ""),
        ("a prefix alone", "sha256="),
        ("half of it", half),
        ("more than it", &wide),
        ("in capitals", &upper),
        ("with spaces", &spaced),
        ("named SHA-1", &sha1),
        ("under another secret", &foreign),
        ("under an empty secret", &empty),
        ("of an empty body", &of_nothing),
        ("something else", CANARY),
    ];
    for (name, value) in forged {
        let headers = [("X-Hub-Signature-256", value)];
        let event = api_gateway(method, path, &[], &headers, Body::Text(&text));
        add(&format!("a signature {name}"), event);
    }
    let signed = [("X-Hub-Signature-256", right.as_str())];
    let other = text.replace("entry", "Entry");
    add(
        "a replayed signature on another body",
        api_gateway(method, path, &[], &signed, Body::Text(&other)),
    );
    add(
        "a signed body without its end",
        api_gateway(
            method,
            path,
            &[],
            &signed,
            Body::Text(text.get(1..).unwrap_or_default()),
        ),
    );
    add(
        "the old header alone",
        api_gateway(
            method,
            path,
            &[],
            &[("X-Hub-Signature", sha1.as_str())],
            Body::Text(&text),
        ),
    );
    // Signed as it travels and not as it was sent.
    let mut as_text = api_gateway(method, path, &[], &signed, Body::Base64(text.as_bytes()));
    put(&mut as_text, "/isBase64Encoded", json!(false));
    add("a base64 body called text", as_text);
}

fn queries(method: &str, path: &str, add: Add<'_>) {
    // As long as API Gateway lets a request line be.
    let long = CANARY.repeat(250);
    let split = "1\r\nSet-Cookie: canary16135550177=1\r\n\r\n<html>";
    let queries: [(&str, &[(&str, &str)]); 9] = [
        (
            "a handshake without a token",
            &[("hub.mode", "subscribe"), ("hub.challenge", CANARY)],
        ),
        (
            "a handshake with a wrong token",
            &[
                ("hub.mode", "subscribe"),
                ("hub.verify_token", CANARY),
                ("hub.challenge", CANARY),
            ],
        ),
        (
            "a handshake with a blank token",
            &[
                ("hub.mode", "subscribe"),
                ("hub.verify_token", ""),
                ("hub.challenge", CANARY),
            ],
        ),
        (
            "a handshake of another kind",
            &[
                ("hub.mode", CANARY),
                ("hub.verify_token", "x"),
                ("hub.challenge", "1"),
            ],
        ),
        (
            "a split answer",
            &[
                ("hub.mode", "subscribe"),
                ("hub.verify_token", "x"),
                ("hub.challenge", split),
            ],
        ),
        (
            "a page in a parameter",
            &[
                ("lang", "<script>canary16135550177</script>"),
                ("purpose", "\"><b>canary16135550177"),
            ],
        ),
        (
            "a line break in a parameter",
            &[("lang", "en\r\ncanary16135550177: x"), ("purpose", "\r\n")],
        ),
        (
            "a NUL in a parameter",
            &[
                ("lang", "en\0canary16135550177"),
                ("\0", "canary16135550177"),
            ],
        ),
        ("a long parameter", &[("lang", &long), ("purpose", &long)]),
    ];
    for (name, query) in queries {
        add(name, api_gateway(method, path, query, &[FORM], Body::None));
    }
    let mut twice = api_gateway(method, path, &[("hub.mode", "subscribe")], &[], Body::None);
    let many = json!({ "hub.mode": ["subscribe", CANARY], "hub.verify_token": [CANARY, "", "x"], "hub.challenge": [CANARY, "1"], "lang": ["en", CANARY] });
    put(&mut twice, "/multiValueQueryStringParameters", many);
    add("parameters that come several times", twice);
}

/// Other ways to write the path, which API Gateway would not match; the function does not rely on it.
fn paths(method: &str, path: &str, add: Add<'_>) {
    let long = format!("{path}/{}", CANARY.repeat(500));
    let tricks = [
        format!("{path}/"),
        format!("/{path}"),
        format!("{path}/../{CANARY}"),
        format!("{path}/%2e%2e/{CANARY}"),
        format!("{path}%00{CANARY}"),
        format!("{path};{CANARY}"),
        format!("{path}?{CANARY}"),
        format!("{path}#{CANARY}"),
        format!("{path}/<script>{CANARY}"),
        format!("{path}\\{CANARY}"),
        format!("{path}/\u{202e}{CANARY}"),
        format!("{path}/\r\n{CANARY}"),
        path.to_uppercase(),
        String::new(),
        "*".to_owned(),
        format!("https://example.test/{CANARY}"),
        long,
    ];
    for trick in tricks {
        let shown: String = trick.chars().take(60).collect();
        let mut event = api_gateway(method, path, &[], &[FORM], Body::Text(CANARY));
        put(&mut event, "/path", json!(trick));
        add(&format!("path {}", shown.escape_debug()), event);
    }
}

/// Events that no API of ours makes: another trigger's, another version's, a body that is not what it
/// is called. Who may invoke the function could send them; it must not be shaken by any.
pub fn shapes(method: &str, path: &str) -> Vec<Hostile> {
    let request = || api_gateway(method, path, &[], &[FORM], Body::Text(CANARY));
    let with = |pointer: &str, value: Value| {
        let mut event = request();
        put(&mut event, pointer, value);
        event
    };
    let shapes = [
        ("nothing", Value::Null),
        ("a text", json!(CANARY)),
        ("a list", json!([CANARY])),
        ("an empty object", json!({})),
        (
            "a batch of a queue",
            sqs(
                "arn:aws:sqs:ca-central-1:123456789012:canary16135550177",
                &[CANARY],
            ),
        ),
        ("a schedule", scheduled()),
        (
            "an HTTP API's request",
            json!({ "version": "2.0", "rawPath": path, "rawQueryString": CANARY,
            "requestContext": { "http": { "method": method, "path": path } }, "isBase64Encoded": false }),
        ),
        (
            "a load balancer's request",
            json!({ "httpMethod": method, "path": path, "body": CANARY,
            "requestContext": { "elb": { "targetGroupArn": CANARY } }, "isBase64Encoded": false }),
        ),
        ("no context", with("/requestContext", json!(CANARY))),
        (
            "a method that is none",
            with("/httpMethod", json!("GET canary16135550177")),
        ),
        (
            "a method that is a number",
            with("/httpMethod", json!(16_135_550_177_u64)),
        ),
        (
            "a body that is an object",
            with("/body", json!({ "a": CANARY })),
        ),
        (
            "a body called base64 that is text",
            with("/isBase64Encoded", json!(true)),
        ),
        (
            "a base64 flag that is text",
            with("/isBase64Encoded", json!(CANARY)),
        ),
        ("headers that are a text", with("/headers", json!(CANARY))),
        (
            "a header name with a line break",
            with("/headers", json!({ "X\r\nY": CANARY })),
        ),
        (
            "a header value with a line break",
            with(
                "/multiValueHeaders",
                json!({ "X": ["a\r\nSet-Cookie: canary16135550177"] }),
            ),
        ),
        (
            "a query longer than an address may be",
            with(
                "/multiValueQueryStringParameters",
                json!({ "lang": [CANARY.repeat(5_000)] }),
            ),
        ),
        (
            "a host that is no host",
            with("/headers/Host", json!("canary16135550177 /\\")),
        ),
    ];
    let named = |(name, event): (&str, Value)| Hostile {
        name: format!("{method} {path}: {name}"),
        event,
    };
    shapes.into_iter().map(named).collect()
}

fn put(event: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer begins with /");
    let parent = event.pointer_mut(parent).expect("the event has it");
    if !parent.is_object() {
        *parent = Value::Object(Map::new());
    }
    let parent = parent.as_object_mut().expect("is one now");
    parent.insert(member.to_owned(), value);
}

/// The routes of the template that reach a function, in upper case and with a parameter that opens
/// nothing.
pub fn routes_of(stage: &Stage, function: &str) -> Vec<(String, String)> {
    let all = stage.cloud().routes();
    let routes: Vec<_> = all
        .into_iter()
        .filter(|(_api, _method, _path, of)| of == function)
        .map(|(_api, method, path, _function)| {
            let path = path
                .replace("{token}", CANARY)
                .replace("{request}", CANARY)
                .replace("{copy}", CANARY);
            (method, path)
        })
        .collect();
    assert!(
        !routes.is_empty(),
        "the template has no route to {function}"
    );
    for (_method, path) in &routes {
        assert!(
            !path.contains('{'),
            "say here what {path} is filled in with"
        );
    }
    routes
}

/// Sends everything of a route to the real binary. `check` looks at each answer; afterwards nothing
/// was stored, queued or written down. Returns how many requests it were.
pub async fn withstands(
    function: &Running,
    stage: &Stage,
    (method, path): (&str, &str),
    check: impl Fn(&str, &Value) + Copy,
) -> usize {
    let before = stage.cloud().dump().await.expect("the cloud can be read");
    let (requests, shapes) = (requests(method, path), shapes(method, path));
    for Hostile { name, event } in requests.iter().chain(&shapes) {
        match function.try_invoke(event.clone()).await {
            Ok(answer) => {
                assert!(!answer.to_string().contains(CANARY), "{name}: comes back");
                check(name, &answer);
            }
            // What is no request of HTTP ends as API Gateway's 502, which says nothing; a request is
            // answered.
            Err(error) => {
                let is_shape = shapes.iter().any(|shape| shape.name == *name);
                assert!(is_shape, "{name}: not answered: {error}");
                nothing_told(name, &error);
            }
        }
    }
    let after = stage.cloud().dump().await.expect("the cloud can be read");
    assert!(before == after, "{method} {path} left something behind");
    nothing_written(&function.output());
    requests.len().saturating_add(shapes.len())
}

/// A failed invocation says no more than that it failed.
fn nothing_told(name: &str, error: &Value) {
    assert_ne!(error["errorType"], "NoAnswer", "{name}: no answer");
    assert!(!error.to_string().contains(CANARY), "{name}: told: {error}");
}

/// The output is log lines of ours alone, and nothing of a request is in them.
fn nothing_written(output: &str) {
    assert!(!output.contains(CANARY), "the canary is in the log");
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of the log is JSON");
        assert!(line.get("event").is_some_and(serde_json::Value::is_string));
    }
}
