//! What a simulator is started with: numbers, templates, secrets and habits. Every default is fictional.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A business phone number of the simulated account.
#[derive(Clone)]
pub struct Number {
    /// Phone number id as the path carries it, digits only.
    pub id: String,
    /// The number people see, in E.164 with its `+`.
    pub display_phone: String,
    /// Messages a second, in and out together, before 130429.
    pub per_second: u32,
}

/// An approved template in one language.
#[derive(Clone)]
pub struct Template {
    /// Name of the template.
    pub name: String,
    /// Language code, such as `en` or `zh_HK`.
    pub language: String,
    /// `AUTHENTICATION`, `UTILITY` or `MARKETING`.
    pub category: String,
    /// How many parameters the body takes.
    pub body_parameters: usize,
}

/// Something a person has sent: an image, a document.
#[derive(Clone)]
pub struct Medium {
    /// Media id as notifications carry it, digits only.
    pub id: String,
    /// What it is, such as `image/jpeg`.
    pub mime_type: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// How long an answer takes: a deterministic spread with a long tail between two bounds.
#[derive(Clone, Copy)]
pub struct Latency {
    /// Fastest answer in milliseconds.
    pub min_ms: u64,
    /// Slowest answer in milliseconds.
    pub max_ms: u64,
}

impl Latency {
    /// No delay at all, for tests.
    pub const NONE: Self = Self {
        min_ms: 0,
        max_ms: 0,
    };

    /// `share` is uniform in 0..1; cubed, so that most answers are near the fast end.
    pub(crate) fn at(self, share: f64) -> std::time::Duration {
        let min = std::time::Duration::from_millis(self.min_ms);
        let max = std::time::Duration::from_millis(self.max_ms.max(self.min_ms));
        min + max.saturating_sub(min).mul_f64(share.powi(3))
    }
}

/// Everything a simulator can be told.
pub struct Options {
    /// Port on the loopback address; `None` takes a free one.
    pub port: Option<u16>,
    /// HTTP/2 over TLS instead of HTTP/1.1 in the clear.
    pub tls: bool,
    /// Threads that serve; one is enough for 5,000 sends a second.
    pub threads: usize,
    /// Id of the business account (WABA).
    pub waba_id: String,
    /// Signs notifications and makes `appsecret_proof`.
    pub app_secret: String,
    /// The bearer token that is accepted.
    pub access_token: String,
    /// When set, every call must carry it, in the query or the body.
    pub appsecret_proof: Option<String>,
    /// The business phone numbers.
    pub numbers: Vec<Number>,
    /// The approved templates.
    pub templates: Vec<Template>,
    /// What people have sent and may be downloaded.
    pub media: Vec<Medium>,
    /// Unix seconds for timestamps in payloads and for the 24 h window. Limits use the monotonic clock.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// How long answers take.
    pub latency: Latency,
    /// Whether sent, delivered and read are notified; failures always are.
    pub statuses: bool,
    /// Part of the delivered messages that become read, 0 to 1.
    pub read_share: f64,
    /// Part of the notifications that are posted twice, 0 to 1.
    pub duplicate_share: f64,
    /// Whether delivered may come before sent (one message in eight).
    pub reorder: bool,
    /// Statuses are collected this long into one POST, of at most 1000 updates.
    pub status_batch_ms: u64,
    /// Seed of every choice above.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        let template = |name: &str, category: &str, body_parameters| Template {
            name: name.to_owned(),
            language: "en".to_owned(),
            category: category.to_owned(),
            body_parameters,
        };
        Self {
            port: None,
            tls: false,
            threads: 2,
            waba_id: "200000000000001".to_owned(),
            app_secret: "simulated-app-secret".to_owned(),
            access_token: "simulated-access-token".to_owned(),
            appsecret_proof: None,
            numbers: vec![Number {
                id: "100000000000001".to_owned(),
                display_phone: "+16135550100".to_owned(),
                per_second: 80,
            }],
            templates: vec![
                template("login_code", "AUTHENTICATION", 1),
                template("appointment_reminder", "UTILITY", 2),
                template("spring_offer", "MARKETING", 1),
            ],
            media: vec![Medium {
                id: "400000000000001".to_owned(),
                mime_type: "text/plain".to_owned(),
                bytes: b"What a person attached to a simulated message.\n".to_vec(),
            }],
            clock: Arc::new(wall_clock),
            latency: Latency {
                min_ms: 30,
                max_ms: 120,
            },
            statuses: true,
            read_share: 0.6,
            duplicate_share: 0.0,
            reorder: false,
            status_batch_ms: 200,
            seed: 1,
        }
    }
}

fn wall_clock() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}

/// Somebody who writes to the business. Has no `Debug`: it is personal data.
#[derive(Clone)]
pub enum Person {
    /// Meta shares the phone number with the business.
    Phone {
        /// Phone number in E.164.
        e164: String,
        /// Profile name.
        name: String,
        /// Business-scoped user id; empty takes the one the simulator gives this phone.
        bsuid: String,
    },
    /// Meta shares the business-scoped user id only.
    BsuidOnly {
        /// Business-scoped user id, such as `CA.1001`.
        bsuid: String,
        /// User name, when there is one.
        username: Option<String>,
    },
}
