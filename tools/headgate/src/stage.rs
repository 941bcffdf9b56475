//! The stage: local cloud, functions and a simulated Meta, wired together in this process.
//!
//! Shared by `dev` and `demo`, so that what is shown is what is proven. The functions are the deployed
//! ones: their `handle` is called with the events Lambda would give them, with the environment of the
//! template, over real sockets. Decides nothing itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use headgate_aws::controls::Controls;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::config::{Config, DailyLimit, Unlimited};
use headgate_domain::time::Timestamp;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use local_cloud::{Calendar, HttpHandler, LocalCloud};
use meta_simulator::Simulator;
use serde_json::{Value, json};

use crate::handlers::{batches, failed};
use crate::own_runtime::OwnRuntime;
use crate::secrets::LocalSecrets;
use crate::simulated_meta::simulate;

/// The application as it is deployed.
pub const TEMPLATE: &str = include_str!("../../../template.yaml");
/// Its nested stacks, by their location in the template.
pub const NESTED_TEMPLATES: [(&str, &str); 2] = [
    ("infra/data.yaml", include_str!("../../../infra/data.yaml")),
    ("infra/edge.yaml", include_str!("../../../infra/edge.yaml")),
];
/// The configuration as it is shipped.
pub const CONFIG: &str = include_str!("../../../config/headgate.toml");

/// What to put on the stage.
pub struct Options {
    /// The first of the ports; any free ones if absent.
    pub first_port: Option<u16>,
    /// Where state is kept; in memory if absent.
    pub data_dir: Option<PathBuf>,
    /// Another Graph API in the simulator's place.
    pub graph_url: Option<String>,
    /// What time it is for everybody on the stage.
    pub calendar: Calendar,
    /// Messages a second of every number; the configuration's if absent.
    pub per_second: Option<u32>,
    /// Whether the sender starts at once.
    pub sends: bool,
}

/// Everything, running.
pub struct Stage {
    /// The AWS services.
    pub cloud: Arc<LocalCloud>,
    /// The simulated Meta, unless another server is in its place.
    pub simulator: Option<Simulator>,
    /// The configuration in force.
    pub config: Config,
    /// What this stage shares with its Meta.
    pub secrets: LocalSecrets,
    /// A connection to the local cloud.
    pub aws: Aws,
    /// Where messages are sent.
    pub graph_url: String,
    calendar: Calendar,
    sender_threads: OwnRuntime,
}

/// How many ports a stage takes from its first one: services, APIs, simulator.
pub const PORTS: u16 = 10;

impl Stage {
    /// Starts everything; when it returns, it is ready.
    ///
    /// # Errors
    /// When a port or the data directory is taken, or a function refuses to start.
    pub async fn start(options: Options) -> Result<Self> {
        let calendar = options.calendar.clone();
        let cloud = LocalCloud::start(local_cloud::Options {
            template: TEMPLATE.to_owned(),
            nested: NESTED_TEMPLATES
                .map(|(location, text)| (location.to_owned(), text.to_owned()))
                .into(),
            parameters: ["EnableEventSources", "EnableConsentApi"]
                .map(|name| (name.to_owned(), "true".to_owned()))
                .into(),
            data_dir: options.data_dir,
            first_port: options.first_port,
            calendar: calendar.clone(),
        })
        .await
        .context("the local cloud did not start")?;
        let environment = cloud.aws_environment();
        let aws = Aws::new(&AwsSettings::new(|name| environment.get(name).cloned())?)?;
        let config = configuration(options.per_second)?;
        put_config(&cloud, &aws, &config).await?;
        let secrets = LocalSecrets::load_or_make(&cloud, &aws).await?;
        let simulator = if options.graph_url.is_none() {
            // Ports below the last are the cloud's: six services and three APIs.
            let port = options.first_port.map(|p| p.saturating_add(PORTS - 1));
            Some(simulate(port, &config, &secrets, &calendar).await?)
        } else {
            None
        };
        let graph_url = options
            .graph_url
            .or_else(|| simulator.as_ref().map(Simulator::url))
            .context("there is no Graph API")?;
        let stage = Self {
            cloud: Arc::new(cloud),
            simulator,
            config,
            secrets,
            aws,
            graph_url,
            calendar,
            sender_threads: OwnRuntime::start("sender")?,
        };
        stage.connect(options.sends).await?;
        if let Some(simulator) = &stage.simulator {
            simulator.set_webhook(&stage.webhook_url()?);
        }
        Ok(stage)
    }

    /// The time on this stage.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.calendar.now_ms())
    }

    /// Where Meta calls.
    ///
    /// # Errors
    /// When the template has no such API.
    pub fn webhook_url(&self) -> Result<String> {
        self.cloud
            .api_url("HooksApi")
            .map(|url| format!("{url}/webhook"))
            .context("the template has no HooksApi")
    }

    /// Where people's pages are.
    ///
    /// # Errors
    /// When the template has no such API.
    pub fn privacy_url(&self) -> Result<String> {
        self.cloud
            .api_url("PrivacyApi")
            .context("the template has no PrivacyApi")
    }

    /// Where systems with a token send consents.
    ///
    /// # Errors
    /// When the template has no such API.
    pub fn consent_api_url(&self) -> Result<String> {
        self.cloud
            .api_url("ConsentApi")
            .context("the template has no ConsentApi")
    }

    /// The URL of a queue by its name in the nested stack's outputs, such as `AppEvents`.
    ///
    /// # Errors
    /// When the template has no such output.
    pub fn queue_url(&self, name: &str) -> Result<String> {
        self.cloud
            .output(&format!("Data.{name}QueueUrl"))
            .with_context(|| format!("the template has no {name} queue"))
    }

    /// The settings a function starts with.
    ///
    /// # Errors
    /// When the template has no such function.
    pub fn settings(&self, function: &str) -> Result<Settings> {
        let mut environment = self.cloud.function_environment(function)?;
        // These two point into an account; here they are on this machine.
        if environment.contains_key("HEADGATE_PRIVACY_URL") {
            environment.insert("HEADGATE_PRIVACY_URL".to_owned(), self.privacy_url()?);
        }
        if environment.contains_key("HEADGATE_GRAPH_URL") {
            environment.insert("HEADGATE_GRAPH_URL".to_owned(), self.graph_url.clone());
        }
        Ok(Settings::from_map(environment))
    }

    /// Lets the sender be woken, or not.
    pub fn set_sending(&self, on: bool) {
        self.cloud
            .set_mapping_enabled("SenderFunction", "WakeQueue", on);
    }

    fn clock(&self) -> Clock {
        let calendar = self.calendar.clone();
        Arc::new(move || Timestamp::from_millis(calendar.now_ms()))
    }

    /// Starts the functions, keys first: nothing can be sealed before they exist.
    async fn connect(&self, sends: bool) -> Result<()> {
        let clock = self.clock();
        self.connect_scheduled(&clock).await?;
        let intake = Arc::new(started(
            "IntakeFunction",
            intake::Intake::new(&self.settings("IntakeFunction")?, clock.clone()).await,
        )?);
        self.cloud.connect(
            "IntakeFunction",
            batches(move |event| {
                let intake = Arc::clone(&intake);
                async move { intake.handle(event).await }
            }),
        )?;
        self.connect_import(clock.clone()).await?;
        self.connect_worker(clock.clone()).await?;
        let processor = notification_processor::NotificationProcessor::new(
            &self.settings("NotificationProcessorFunction")?,
            clock.clone(),
        )
        .await;
        let processor = Arc::new(started("NotificationProcessorFunction", processor)?);
        self.cloud.connect(
            "NotificationProcessorFunction",
            batches(move |event| {
                let processor = Arc::clone(&processor);
                async move { processor.handle(event).await }
            }),
        )?;
        self.set_sending(sends);
        let (settings, time) = (self.settings("SenderFunction")?, clock.clone());
        let sender = self
            .sender_threads
            .run(async move { sender::Sender::new(&settings, time).await })
            .await?;
        let sender = started("SenderFunction", sender)?;
        let (time, threads) = (
            self.timeout("SenderFunction")?,
            self.sender_threads.handle()?,
        );
        self.cloud.connect(
            "SenderFunction",
            Arc::new(move |event| {
                let sender = sender.clone();
                let term = threads.spawn(async move { sender.handle(event, time).await });
                Box::pin(async move {
                    let ended = term
                        .await
                        .map_err(|_panic| "the sender broke off".to_owned())?;
                    ended
                        .map(|()| Value::Null)
                        .map_err(|e| failed("sender", &e))
                })
            }),
        )?;

        let settings = self.settings("WebhookFunction")?;
        let names = webhook::config::Config::from_settings(&settings)
            .map_err(|missing| anyhow!("WebhookFunction refuses to start: {missing}"))?;
        let ports = webhook::AwsPorts::new(&self.aws, &names);
        let webhook = Arc::new(started(
            "WebhookFunction",
            webhook::Webhook::new(ports, names.callers, clock.clone()).await,
        )?);
        let answer: HttpHandler = Arc::new(move |request| {
            let webhook = Arc::clone(&webhook);
            Box::pin(async move { webhook.handle(request).await })
        });
        self.cloud.connect_http("WebhookFunction", answer)?;
        // Boxed: with the rest it is a future of more than 16 kB.
        Box::pin(self.connect_pages_and_api(clock)).await
    }

    async fn connect_pages_and_api(&self, clock: Clock) -> Result<()> {
        let pages = Arc::new(started(
            "PrivacyWebFunction",
            privacy_web::PrivacyWeb::new(&self.settings("PrivacyWebFunction")?, clock.clone())
                .await,
        )?);
        let answer: HttpHandler = Arc::new(move |request| {
            let pages = Arc::clone(&pages);
            Box::pin(async move { pages.handle(request).await })
        });
        self.cloud.connect_http("PrivacyWebFunction", answer)?;
        let api = Arc::new(started(
            "ConsentApiFunction",
            consent_api::ConsentApi::new(&self.settings("ConsentApiFunction")?, clock).await,
        )?);
        let answer: HttpHandler = Arc::new(move |request| {
            let api = Arc::clone(&api);
            Box::pin(async move { api.handle(request).await })
        });
        self.cloud.connect_http("ConsentApiFunction", answer)
    }

    /// The functions of the calendar, and the first keys.
    async fn connect_scheduled(&self, clock: &Clock) -> Result<()> {
        let purge = Arc::new(started(
            "RetentionPurgeFunction",
            retention_purge::RetentionPurge::new(
                &self.settings("RetentionPurgeFunction")?,
                clock.clone(),
            )
            .await,
        )?);
        self.cloud.connect(
            "RetentionPurgeFunction",
            Arc::new(move |event| {
                let purge = Arc::clone(&purge);
                Box::pin(async move {
                    purge
                        .handle(event)
                        .await
                        .map(|manifest| Value::from(manifest.text()))
                        .map_err(|e| failed("retention-purge", &e))
                })
            }),
        )?;
        self.cloud
            .invoke("RetentionPurgeFunction", json!({}))
            .await
            .context("the first keys could not be made")?;

        let checkpoint = Arc::new(started(
            "LedgerCheckpointFunction",
            ledger_checkpoint::LedgerCheckpoint::new(
                &self.settings("LedgerCheckpointFunction")?,
                clock.clone(),
            )
            .await,
        )?);
        self.cloud.connect(
            "LedgerCheckpointFunction",
            Arc::new(move |event| {
                let checkpoint = Arc::clone(&checkpoint);
                Box::pin(async move {
                    checkpoint
                        .handle(event)
                        .await
                        .map(|made| json!(made))
                        .map_err(|e| failed("ledger-checkpoint", &e))
                })
            }),
        )?;
        Ok(())
    }

    async fn connect_import(&self, clock: Clock) -> Result<()> {
        let import = Arc::new(started(
            "ConsentImportFunction",
            consent_import::ConsentImport::new(&self.settings("ConsentImportFunction")?, clock)
                .await,
        )?);
        let time = self.timeout("ConsentImportFunction")?;
        self.cloud.connect(
            "ConsentImportFunction",
            batches(move |event| {
                let import = Arc::clone(&import);
                async move { Box::pin(import.handle(event, time)).await }
            }),
        )
    }

    async fn connect_worker(&self, clock: Clock) -> Result<()> {
        let worker = Arc::new(started(
            "PrivacyWorkerFunction",
            privacy_worker::PrivacyWorker::new(&self.settings("PrivacyWorkerFunction")?, clock)
                .await,
        )?);
        self.cloud.connect(
            "PrivacyWorkerFunction",
            Arc::new(move |event| {
                let worker = Arc::clone(&worker);
                Box::pin(async move { worked(&worker, event).await })
            }),
        )
    }

    fn timeout(&self, function: &str) -> Result<Duration> {
        let seconds = self
            .cloud
            .function_property(function, "Timeout")?
            .and_then(|v| v.as_u64());
        seconds
            .map(Duration::from_secs)
            .with_context(|| format!("the template gives {function} no Timeout"))
    }

    /// Stops cleanly: running batches end, state is written, ports are closed.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn stop(self) -> Result<()> {
        if let Some(simulator) = self.simulator {
            simulator.stop().await?;
        }
        let cloud = Arc::try_unwrap(self.cloud)
            .map_err(|_shared| anyhow!("the local cloud is still in use"))?;
        cloud.stop().await?;
        self.sender_threads.stop().await;
        Ok(())
    }
}

/// On its own, so that the compiler follows the lifetimes.
async fn worked(worker: &privacy_worker::PrivacyWorker, event: Value) -> Result<Value, String> {
    let done = Box::pin(worker.handle(event)).await;
    done.map_err(|e| failed("privacy-worker", &e))
}

/// How much of the limit the stage uses.
const LOCAL_PACE_PERMILLE: u16 = 965;

/// The shipped configuration, with what only one machine may have: anybody's word counts as an attestation.
fn configuration(per_second: Option<u32>) -> Result<Config> {
    let mut config = Config::from_toml(CONFIG)?;
    config.consents.attesters = vec!["*".to_owned()];
    // The simulated Meta counts nobody; a new portfolio at the real one may write to 250 people a day.
    for portfolio in config.portfolios.values_mut() {
        portfolio.daily_limit = Some(DailyLimit::Unlimited(Unlimited::Unlimited));
    }
    for number in &mut config.numbers {
        number.per_second = per_second.or(number.per_second);
        // A development build on shared cores bunches arrivals by some 30 ms; at 80 a second that is two
        // messages more in a second than were sent in it.
        number.pace_permille = Some(LOCAL_PACE_PERMILLE);
    }
    Ok(config)
}

async fn put_config(cloud: &LocalCloud, aws: &Aws, config: &Config) -> Result<()> {
    let environment = cloud.function_environment("IntakeFunction")?;
    let table = environment
        .get("HEADGATE_TABLE_CONTROLS")
        .context("the template names no controls table")?;
    Ok(Controls::new(aws, table).put_config(config, 1).await?)
}

fn started<T, E: std::fmt::Display>(function: &str, outcome: Result<T, E>) -> Result<T> {
    outcome.map_err(|why| anyhow!("{function} refuses to start: {why}"))
}
