//! Requests as bytes, none of which may be answered as an honest one.

/// Stands for whatever a stranger sends; in no answer, log line or store.
pub(crate) const CANARY: &str = "canary16135550177";

/// The hostile requests to a route, each with what is hostile about it.
pub(crate) fn hostile(method: &str, path: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    lines(method, path, &mut all);
    targets(method, path, &mut all);
    headers(method, path, &mut all);
    bodies(method, path, &mut all);
    all
}

type Requests = Vec<(String, Vec<u8>)>;

fn one(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("{line}\r\nHost: api.example\r\nConnection: close\r\n{headers}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Request lines that are none, or nearly.
fn lines(method: &str, path: &str, all: &mut Requests) {
    let lower = method.to_lowercase();
    for line in [
        format!("{lower} {path} HTTP/1.1"),
        format!("BREW {path} HTTP/1.1"),
        format!("CONNECT {path} HTTP/1.1"),
        format!("{method}\t{path}\tHTTP/1.1"),
        format!("{method} {path} {CANARY} HTTP/1.1"),
        format!("{method} {path}"),
        format!("{method} {path} HTTP/0.9"),
        format!("{method} {path} HTTP/9.9"),
        format!("{method} {path} http/1.1"),
        format!(" {method} {path} HTTP/1.1"),
        format!("\0{method} {path} HTTP/1.1"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n".to_owned(),
        CANARY.to_owned(),
        String::new(),
    ] {
        all.push((format!("line {}", line.escape_debug()), one(&line, "", b"")));
    }
    all.push((
        "a TLS hello".to_owned(),
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03canary16135550177\r\n\r\n".to_vec(),
    ));
    all.push((
        "a head without its end".to_owned(),
        format!("{method} {path} HTTP/1.1\r\nHost: {CANARY}\r\n").into_bytes(),
    ));
}

/// Other ways to name the path, and much too long ones.
fn targets(method: &str, path: &str, all: &mut Requests) {
    let long = CANARY.repeat(6_000);
    for target in [
        format!("{path}/"),
        format!("/{path}"),
        format!("/.{path}"),
        format!("{path}/../{CANARY}"),
        format!("{path}/%2e%2e%2f{CANARY}"),
        format!("{path}%00{CANARY}"),
        format!("{path}%0d%0aX-{CANARY}:%201"),
        format!("{path};{CANARY}"),
        format!("{path}#{CANARY}"),
        format!("{path}?{CANARY}=%00%ff%c3%28"),
        format!("{path}?hub.mode=subscribe&hub.verify_token={CANARY}&hub.challenge={CANARY}"),
        format!(
            "{path}?hub.mode=subscribe&hub.verify_token=&hub.challenge=1%0d%0aSet-Cookie:%20{CANARY}"
        ),
        format!("{path}?lang=%3Cscript%3E{CANARY}&purpose=%22%3E%3Cb%3E{CANARY}"),
        format!("{path}?{long}"),
        format!("{path}/{long}"),
        format!("http://{CANARY}.example{path}"),
        format!("http://user:{CANARY}@api.example{path}"),
        path.to_uppercase(),
        format!("{path}<script>{CANARY}"),
        format!("{path}\u{202e}{CANARY}"),
        format!("//{CANARY}.example{path}"),
        "*".to_owned(),
        path.trim_start_matches('/').to_owned(),
    ] {
        let shown: String = target.chars().take(60).collect();
        let line = format!("{method} {target} HTTP/1.1");
        // A form that says nothing, so that a page that takes forms does not store one.
        let body = b"wording=canary16135550177";
        let headers = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        all.push((
            format!("target {}", shown.escape_debug()),
            one(&line, &headers, body),
        ));
    }
}

/// Headers that are smuggled, doubled, folded, endless, or pretend.
fn headers(method: &str, path: &str, all: &mut Requests) {
    let line = format!("{method} {path} HTTP/1.1");
    let long = CANARY.repeat(30_000);
    let many = format!("X-Many: {CANARY}\r\n").repeat(300);
    for headers in [
        "Content-Length: 5\r\nContent-Length: 6\r\n".to_owned(),
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: gzip, canary16135550177\r\n".to_owned(),
        "Content-Length: -1\r\n".to_owned(),
        "Content-Length: 99999999999999999999999\r\n".to_owned(),
        "Content-Length: 11000000\r\n".to_owned(),
        "Content-Length: 0x5\r\n".to_owned(),
        "Expect: canary16135550177\r\n".to_owned(),
        "Upgrade: h2c, canary16135550177\r\nHTTP2-Settings: AAAA\r\n".to_owned(),
        format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64)),
        format!(
            "X-Hub-Signature-256: sha256={}\r\nX-Hub-Signature-256: {CANARY}\r\n",
            "f".repeat(64)
        ),
        format!("X-Hub-Signature-256:\r\n sha256={}\r\n", "0".repeat(64)),
        "X-Hub-Signature-256: \x00\r\n".to_owned(),
        "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /canary16135550177\r\n".to_owned(),
        "Bad Name: canary16135550177\r\n".to_owned(),
        ": canary16135550177\r\n".to_owned(),
        "no colon canary16135550177\r\n".to_owned(),
        "X-Nul: canary16135550177\0\r\n".to_owned(),
        "X-Bare: a\nSet-Cookie: canary16135550177\r\n".to_owned(),
        "Host: canary16135550177.example\r\n".to_owned(),
        "Content-Encoding: gzip\r\nContent-Length: 2\r\n".to_owned(),
        "Accept: application/json\r\nAccept-Language: canary16135550177\r\n".to_owned(),
        format!("X-Long: {long}\r\n"),
        many,
    ] {
        let shown: String = headers.chars().take(50).collect();
        all.push((
            format!("headers {}", shown.escape_debug()),
            one(&line, &headers, b""),
        ));
    }
}

/// Bodies that are none, too much, cut, chunked wrongly, or not what they are called.
fn bodies(method: &str, path: &str, all: &mut Requests) {
    let line = format!("{method} {path} HTTP/1.1");
    let huge = vec![b'x'; 5 * 1024 * 1024];
    let mut add = |name: &str, headers: &str, body: &[u8]| {
        all.push((name.to_owned(), one(&line, headers, body)));
    };
    for media_type in [
        "application/json",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded; charset=utf-7",
        "multipart/form-data; boundary=canary16135550177",
        "text/xml",
        "",
    ] {
        for body in [
            &b""[..],
            b"\0",
            b"\xff\xfe\xc3\x28",
            b"canary16135550177",
            b"{\"entry\":",
        ] {
            let headers = format!(
                "Content-Type: {media_type}\r\nContent-Length: {}\r\n",
                body.len()
            );
            add(
                &format!("{} bytes as {media_type}", body.len()),
                &headers,
                body,
            );
        }
    }
    add(
        "5 MB",
        &format!("Content-Length: {}\r\n", huge.len()),
        &huge,
    );
    add(
        "a body that ends before it does",
        "Content-Length: 500\r\n",
        CANARY.as_bytes(),
    );
    add(
        "more than was announced",
        "Content-Length: 1\r\n",
        b"xGET /canary16135550177 HTTP/1.1\r\n\r\n",
    );
    let chunked = "Transfer-Encoding: chunked\r\n";
    add("chunks", chunked, b"11\r\ncanary16135550177\r\n0\r\n\r\n");
    add(
        "a chunk of no size",
        chunked,
        b"zz\r\ncanary16135550177\r\n0\r\n\r\n",
    );
    add(
        "a chunk beyond every size",
        chunked,
        b"ffffffffffffffffff\r\ncanary16135550177\r\n",
    );
    add(
        "trailers",
        chunked,
        b"0\r\nX-Hub-Signature-256: canary16135550177\r\n\r\n",
    );
}
