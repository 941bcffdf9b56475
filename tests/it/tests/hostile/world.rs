//! The functions behind their routes, and a socket to them.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use consent_api::ConsentApi;
use headgate_domain::api_token::Scope;
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::events::signature;
use headgate_testkit::{APP_SECRET, Stage, VERIFY_TOKEN, stage};
use http::Request;
use privacy_web::PrivacyWeb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use webhook::config::Config;
use webhook::{AwsPorts, Webhook};

/// Longer than any answer takes, on a machine that has nothing else to do.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);
/// And on one that has.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Every line of the log: it belongs to the process, not to a test.
static LOG: OnceLock<Arc<Mutex<String>>> = OnceLock::new();

pub(crate) struct World {
    stage: Stage,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// All of it.
    pub(crate) text: String,
    headers: Vec<String>,
}

impl Answer {
    /// Whether it has a header of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header == name)
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        LOG.get_or_init(|| {
            let log: Arc<Mutex<String>> = Arc::default();
            let sink = Arc::clone(&log);
            headgate_lambda::log::capture(Arc::new(move |line| {
                sink.lock().unwrap().push_str(line);
            }));
            log
        });
        let stage = stage().await;
        let settings = Settings::from_map(stage.environment("WebhookFunction"));
        let config = Config::from_settings(&settings).unwrap();
        let ports = AwsPorts::new(&stage.aws(), &config);
        let webhook = Webhook::new(ports, config.callers, system_clock()).await;
        let webhook = Arc::new(webhook.unwrap());
        let settings = Settings::from_map(stage.environment("PrivacyWebFunction"));
        let pages = Arc::new(PrivacyWeb::new(&settings, system_clock()).await.unwrap());
        let settings = Settings::from_map(stage.environment("ConsentApiFunction"));
        let api = Arc::new(ConsentApi::new(&settings, system_clock()).await.unwrap());
        let to_api = move |request: Request<Bytes>| {
            let api = Arc::clone(&api);
            Box::pin(async move { api.handle(request).await }) as _
        };
        let to_webhook = move |request: Request<Bytes>| {
            let webhook = Arc::clone(&webhook);
            Box::pin(async move { webhook.handle(request).await }) as _
        };
        let to_pages = move |request: Request<Bytes>| {
            let pages = Arc::clone(&pages);
            Box::pin(async move { pages.handle(request).await }) as _
        };
        let cloud = stage.cloud();
        cloud
            .connect_http("WebhookFunction", Arc::new(to_webhook))
            .unwrap();
        cloud
            .connect_http("PrivacyWebFunction", Arc::new(to_pages))
            .unwrap();
        cloud
            .connect_http("ConsentApiFunction", Arc::new(to_api))
            .unwrap();
        Self { stage }
    }

    /// The routes of the template: API, method, path, function.
    pub(crate) fn routes(&self) -> Vec<[String; 4]> {
        let routes = self.stage.cloud().routes();
        routes
            .into_iter()
            .map(|(api, method, path, function)| [api, method, path, function])
            .collect()
    }

    /// Sends bytes to an API; `None` when nothing comes back in time.
    pub(crate) async fn send(&self, api: &str, bytes: &[u8], time: Duration) -> Option<Answer> {
        let url = self
            .stage
            .cloud()
            .api_url(api)
            .expect("the template has the API");
        let mut stream = TcpStream::connect(url.trim_start_matches("http://"))
            .await
            .unwrap();
        let (mut read, mut write) = stream.split();
        let mut heard = Vec::new();
        // The far side may answer, and hang up, before it has heard everything.
        let exchange = async { tokio::join!(write.write_all(bytes), read.read_to_end(&mut heard)) };
        // For the rest of what is no whole request it waits longer than a test can: we hang up.
        tokio::time::timeout(time, exchange).await.ok();
        let text = String::from_utf8_lossy(&heard).into_owned();
        let (top, body) = text.split_once("\r\n\r\n")?;
        let mut lines = top.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let names = lines.filter_map(|line| line.split_once(':'));
        Some(Answer {
            status,
            body: body.to_owned(),
            headers: names
                .map(|(name, _value)| name.to_ascii_lowercase())
                .collect(),
            text,
        })
    }

    /// Everything in the tables and queues.
    pub(crate) async fn stored(&self) -> Vec<(String, String)> {
        self.stage.cloud().dump().await.unwrap()
    }

    /// The header lines of a request with a token.
    pub(crate) async fn token(&self) -> String {
        let token = self
            .stage
            .api_token(&[Scope::ConsentsWrite, Scope::ConsentsRead])
            .await;
        format!(
            "Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
            token.expose()
        )
    }

    /// The path of an unsubscribe link that opens.
    pub(crate) async fn link(&self) -> String {
        format!("/u/{}", self.stage.link_token().await)
    }
}

/// A record of the HTTP API that needs no attestation.
pub(crate) fn no() -> String {
    r#"{"schema":"headgate.consent/1","id":"n-1","to":{"phone":"+16135550123"},"purpose":"marketing","action":"withdrawn","method":"agent"}"#
        .to_owned()
}

/// A question about somebody.
pub(crate) fn query() -> String {
    r#"{"schema":"headgate.consent-query/1","to":{"phone":"+16135550123"}}"#.to_owned()
}

/// Everything the functions wrote.
pub(crate) fn log() -> String {
    LOG.get().unwrap().lock().unwrap().clone()
}

/// The path and query of a handshake of Meta's.
pub(crate) fn handshake() -> String {
    format!("/webhook?hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=1")
}

/// The header line that signs a body.
pub(crate) fn signed(body: &str) -> String {
    let value = signature(APP_SECRET, body.as_bytes());
    format!("X-Hub-Signature-256: {value}\r\n")
}
