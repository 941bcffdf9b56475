//! A local cloud made from the real templates and furnished as a deployment is.
//!
//! Owns the secrets of the tests. The configuration is config/headgate.toml with one change:
//! everybody may attest, because there are no producer roles on one machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headgate_aws::api_tokens::ApiTokens;
use headgate_aws::confirm_links::ConfirmLinks;
use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::keyring::{Keyring, VaultVersion};
use headgate_aws::peppers::{Peppers, pepper};
use headgate_aws::subjects::{LinkRequest, LinkRequests, Subjects};
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::api_token::{ApiToken, PlainToken, Scope};
use headgate_domain::config::Config;
use headgate_domain::confirm_link::{ConfirmKey, LinkRow};
use headgate_domain::consent::NoticeId;
use headgate_domain::identity::{Bsuid, Identifier, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::link;
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_lambda::clock::{Clock, system_clock};
use local_cloud::{Calendar, LocalCloud, Options};
use serde_json::{Value, json};

use crate::events::hmac_hex;
use crate::people;

/// The app secret that signs notifications.
pub const APP_SECRET: &str = "testkit-app-secret-0123456789abcdef";
/// The token of the handshake.
pub const VERIFY_TOKEN: &str = "testkit-verify-token";
/// The token the sender would call Meta with.
pub const GRAPH_TOKEN: &str = "testkit-graph-token";

/// Not the default, so that it can be told from the product's name in what a function writes.
const DEPLOYMENT: &str = "maple-stage";
/// Nothing listens here: no test reaches Meta.
const NOWHERE: &str = "http://127.0.0.1:9";
/// The day a test starts may not be the day it ends.
const DAYS: i64 = 2;

/// A deployment to run functions in.
pub struct Stage {
    cloud: LocalCloud,
}

/// A deployment that is ready: secrets, configuration in force, keys minted.
pub async fn stage() -> Stage {
    stage_with(include_str!("../../../config/headgate.toml")).await
}

/// The same under a configuration of its own, as TOML.
pub async fn stage_with(config: &str) -> Stage {
    let stage = Stage::empty().await;
    stage.put_secrets().await;
    let aws = stage.aws();
    let mut config = Config::from_toml(config).unwrap();
    config.consents.attesters = vec!["*".to_owned()];
    let environment = stage.environment("IntakeFunction");
    let controls = Controls::new(&aws, environment.get("HEADGATE_TABLE_CONTROLS").unwrap());
    controls.put_config(&config, 1).await.unwrap();
    let keyring = stage.keyring();
    let now = system_clock()();
    keyring.mint_vault(VaultVersion::FIRST, now).await.unwrap();
    for ahead in 0..DAYS {
        keyring.mint_day(now.day().plus(ahead), now).await.unwrap();
    }
    stage
}

/// The `appsecret_proof` that goes with [`GRAPH_TOKEN`].
pub fn graph_proof() -> String {
    hmac_hex(APP_SECRET, GRAPH_TOKEN.as_bytes())
}

impl Stage {
    /// A deployment as `sam deploy` leaves it: resources, and nothing in them.
    pub async fn empty() -> Self {
        Self::kept_in(None).await
    }

    /// The same with its state on disk, and what [`stage`] gives it but secrets; in it nothing goes by itself.
    pub async fn on_disk(folder: &Path) -> Self {
        let stage = Self::kept_in(Some(folder.to_owned())).await;
        stage.cloud.set_sweeping(false);
        let config = Config::from_toml(include_str!("../../../config/headgate.toml")).unwrap();
        let environment = stage.environment("IntakeFunction");
        let table = environment.get("HEADGATE_TABLE_CONTROLS").unwrap();
        let controls = Controls::new(&stage.aws(), table);
        controls.put_config(&config, 1).await.unwrap();
        stage
    }

    async fn kept_in(data_dir: Option<PathBuf>) -> Self {
        let nested = [
            ("infra/data.yaml", include_str!("../../../infra/data.yaml")),
            ("infra/edge.yaml", include_str!("../../../infra/edge.yaml")),
        ];
        let options = Options {
            template: include_str!("../../../template.yaml").to_owned(),
            nested: nested
                .map(|(location, text)| (location.to_owned(), text.to_owned()))
                .into(),
            // Without its handler connected, no function is started by anything.
            parameters: [
                ("Deployment".to_owned(), DEPLOYMENT.to_owned()),
                ("EnableEventSources".to_owned(), "true".to_owned()),
                ("EnableConsentApi".to_owned(), "true".to_owned()),
            ]
            .into(),
            data_dir,
            first_port: None,
            calendar: Calendar::system(),
        };
        let cloud = LocalCloud::start(options)
            .await
            .expect("the local cloud starts");
        Self { cloud }
    }

    /// The environment Lambda would give a function of the template.
    pub fn environment(&self, function: &str) -> BTreeMap<String, String> {
        let environment = self.cloud.function_environment(function);
        let mut environment = environment.expect("the template has the function");
        if let Some(graph) = environment.get_mut("HEADGATE_GRAPH_URL") {
            NOWHERE.clone_into(graph);
        }
        environment
    }

    /// A connection to the services.
    pub fn aws(&self) -> Aws {
        let environment = self.environment("IntakeFunction");
        let settings = AwsSettings::new(|name| environment.get(name).cloned());
        Aws::new(&settings.unwrap()).unwrap()
    }

    /// The field keys.
    pub fn keyring(&self) -> Keyring {
        people::keyring(&self.aws(), &self.environment("IntakeFunction"))
    }

    /// Every version of the pepper of a key, which a setting of intake's names.
    pub async fn peppers(&self, key: &str) -> Peppers {
        let environment = self.environment("IntakeFunction");
        people::peppers(&self.aws(), &environment, key, self.clock()()).await
    }

    /// The people, as a function finds them.
    pub async fn subjects(&self) -> Subjects {
        let environment = self.environment("IntakeFunction");
        people::subjects(&self.aws(), &environment, self.clock()()).await
    }

    /// The recorder of what they say, as a function has it.
    pub async fn consents(&self) -> Consents {
        let environment = self.environment("IntakeFunction");
        people::consents(&self.aws(), &environment, self.clock()()).await
    }

    /// The token of an unsubscribe link, as a message to somebody would carry it.
    pub async fn link_token(&self) -> String {
        let environment = self.environment("PrivacyWebFunction");
        let setting = |name: &str| environment.get(name).expect("the template sets it");
        let deployment = setting("HEADGATE_DEPLOYMENT");
        let key = setting("HEADGATE_KMS_MAC_LINKS");
        let links = pepper(&self.aws(), key, deployment).await.unwrap();
        link::token(&links, deployment, &SubjectId::from_random([7; 16]))
    }

    /// The token of a link to confirm, as the API makes one and intake records whom it asks; its time ends
    /// so many milliseconds from now.
    pub async fn confirm_token(&self, ends_in_ms: i64) -> String {
        let environment = self.environment("PrivacyWebFunction");
        let setting = |name: &str| environment.get(name).expect("the template sets it");
        let (aws, deployment) = (self.aws(), setting("HEADGATE_DEPLOYMENT"));
        let key = setting("HEADGATE_KMS_MAC_LINKS");
        let key = ConfirmKey::of(&pepper(&aws, key, deployment).await.unwrap());
        let now = self.clock()();
        let expires_at = now.plus_millis(ends_in_ms);
        let jti = headgate_aws::random().unwrap();
        let row = LinkRow::of(jti);
        let by = PlainToken::from_random(deployment, &headgate_aws::random().unwrap());
        let links = ConfirmLinks::new(&aws, setting("HEADGATE_TABLE_PRIVACY_REQUESTS"));
        let by = by.hashed(deployment).id();
        links.issue(&row, &by, now, expires_at).await.unwrap();
        let table = setting("HEADGATE_TABLE_SUBJECTS");
        let subjects = self.subjects().await;
        let bsuid = Identifier::Bsuid(Bsuid::parse("CA.20000001").unwrap());
        let request = LinkRequest {
            subject: subjects.find_or_create(&[bsuid], now).await.unwrap(),
            asked: vec![(Purpose::Marketing, None, "L0.0".to_owned())],
            notice: NoticeId::of("Yes, write to me on WhatsApp", "en", "Maple Outfitters"),
            locale: Some("en".to_owned()),
            attested_at: now,
        };
        let requests = LinkRequests::new(&aws, table);
        // As intake does: the row outlives its link.
        let forget_at = now.plus_millis(30 * DAY);
        requests.put(&row, &request, forget_at).await.unwrap();
        key.token(deployment, jti, expires_at)
    }

    /// A token of the HTTP API that may do all of this, for an hour.
    pub async fn api_token(&self, scopes: &[Scope]) -> PlainToken {
        let environment = self.environment("ConsentApiFunction");
        let setting = |name: &str| environment.get(name).expect("the template sets it");
        let deployment = setting("HEADGATE_DEPLOYMENT");
        let plain = PlainToken::from_random(deployment, &headgate_aws::random().unwrap());
        let now = self.clock()();
        let token = ApiToken {
            hash: plain.hashed(deployment),
            name: "testkit".to_owned(),
            scopes: scopes.to_vec(),
            created_at: now,
            expires_at: now.plus_millis(HOUR),
            revoked_at: None,
        };
        let tokens = ApiTokens::new(&self.aws(), setting("HEADGATE_TABLE_PRIVACY_REQUESTS"));
        tokens.put(&token).await.unwrap();
        plain
    }

    /// The services, for who wants to see what came of an event.
    pub const fn cloud(&self) -> &LocalCloud {
        &self.cloud
    }

    /// The time of the calendar, which a test may turn.
    pub fn clock(&self) -> Clock {
        let calendar = self.cloud.calendar();
        Arc::new(move || Timestamp::from_millis(calendar.now_ms()))
    }

    /// The bodies that wait on the queue whose name ends so.
    pub async fn on_queue(&self, name: &str) -> Vec<Value> {
        let dump = self.cloud.dump().await.expect("the cloud can be read");
        let queued = dump.iter().filter(|(place, _)| {
            let queue = place.strip_prefix("queue ").unwrap_or_default();
            let mut words = queue.split(' ');
            words.next().is_some_and(|queue| queue.ends_with(name))
        });
        queued
            .map(|(_, text)| {
                let mut values = serde_json::Deserializer::from_str(text).into_iter();
                values.next().unwrap().unwrap()
            })
            .collect()
    }

    /// The tables, queues and buckets with this text in an item, a message, or an object or its name.
    pub async fn places_with(&self, text: &str) -> Vec<String> {
        let dump = self.cloud.dump().await.expect("the cloud can be read");
        dump.into_iter()
            .filter(|(place, content)| place.contains(text) || content.contains(text))
            .map(|(place, _)| place)
            .collect()
    }

    async fn put_secrets(&self) {
        let webhook = json!({ "app_secrets": [APP_SECRET], "verify_tokens": [VERIFY_TOKEN] });
        let proof = graph_proof();
        let graph = json!({ "access_token": GRAPH_TOKEN, "appsecret_proof": proof });
        self.put_secret("WebhookSecret", &webhook.to_string()).await;
        self.put_secret("GraphSendSecret", &graph.to_string()).await;
    }

    /// Sets a secret of infra/data.yaml.
    pub async fn put_secret(&self, logical_id: &str, value: &str) {
        let put = self.cloud.put_secret(logical_id, value).await;
        put.expect("the template has the secret");
    }
}
