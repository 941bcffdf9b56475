//! A DynamoDB that is too busy for one request in a few: a listener before the real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BUSY: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#;

/// A listener, and how many requests it has refused.
pub(crate) struct Throttled {
    pub(crate) url: String,
    pub(crate) refused: Arc<AtomicU64>,
}

/// Puts a listener before a service that refuses every `nth` request.
pub(crate) async fn before(endpoint: &str, nth: u64) -> Throttled {
    let to = endpoint
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refused = Arc::new(AtomicU64::new(0));
    let (count, seen) = (Arc::clone(&refused), Arc::new(AtomicU64::new(0)));
    tokio::spawn(async move {
        while let Ok((client, _from)) = listener.accept().await {
            let (to, seen, count) = (to.clone(), Arc::clone(&seen), Arc::clone(&count));
            tokio::spawn(async move {
                let mut server = TcpStream::connect(&to).await.unwrap();
                let mut client = client;
                while let Some(request) = message(&mut client).await {
                    if seen.fetch_add(1, Ordering::Relaxed) % nth == nth - 1 {
                        count.fetch_add(1, Ordering::Relaxed);
                        let answer = format!(
                            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{BUSY}",
                            BUSY.len()
                        );
                        if client.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    if server.write_all(&request).await.is_err() {
                        return;
                    }
                    let Some(answer) = message(&mut server).await else {
                        return;
                    };
                    if client.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Throttled { url, refused }
}

/// One message of HTTP/1.1 whose length is given; `None` at the end.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let mut room = [0; 16 * 1_024];
    loop {
        let head = read.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head {
            let text = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            assert!(!text.contains("transfer-encoding"), "{text}");
            if read.len() >= end + 4 + length {
                return Some(read);
            }
        }
        let count = stream
            .read(&mut room)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        read.extend_from_slice(&room[..count]);
    }
}
