//! A Graph API that repeats whatever it hears, as Meta's error bodies repeat parts of what was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server on a loopback port.
pub(crate) struct Echo {
    pub(crate) url: String,
    heard: Arc<AtomicUsize>,
    words: Arc<Mutex<String>>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let words: Arc<Mutex<String>> = Arc::default();
        let (count, said) = (Arc::clone(&heard), Arc::clone(&words));
        tokio::spawn(async move {
            while let Ok((client, _from)) = listener.accept().await {
                tokio::spawn(answer(client, Arc::clone(&count), Arc::clone(&said)));
            }
        });
        Self { url, heard, words }
    }

    /// How many messages it heard.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }

    /// Everything it heard, tokens included.
    pub(crate) fn words(&self) -> String {
        self.words.lock().unwrap().clone()
    }
}

async fn answer(mut client: TcpStream, heard: Arc<AtomicUsize>, words: Arc<Mutex<String>>) {
    let mut request = Vec::new();
    let mut part = [0_u8; 8192];
    while let Ok(length @ 1..) = client.read(&mut part).await {
        request.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((top, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = top.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        words.lock().unwrap().push_str(&text);
        let is_message = body.contains("messaging_product");
        let turn = if is_message {
            heard.fetch_add(1, Ordering::SeqCst)
        } else {
            0
        };
        // Refused, down, accepted with nonsense, refused for good.
        let (status, code) = [
            ("400 Bad Request", 131_009),
            ("500 Internal Server Error", 131_000),
            ("200 OK", 0),
            ("400 Bad Request", 100),
        ][turn % 4];
        let error = json!({ "error": { "message": text, "type": text, "code": code, "error_user_title": text,
            "error_data": { "messaging_product": "whatsapp", "details": text }, "fbtrace_id": text } });
        let error = error.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nx-fb-debug: {}\r\nContent-Length: {}\r\n\r\n{error}",
            top.lines().next().unwrap_or_default(),
            error.len()
        );
        if client.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        request.clear();
    }
}
