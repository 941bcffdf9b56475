//! The sender: the leased pacer, and the only function that can send a message to a person.
//!
//! What is decided is decided by `headgate_domain::holder`; in here it is done: one holder per business
//! portfolio reads, claims, judges, sends and settles over real sockets.

mod answers;
mod config;
mod country;
mod drive;
mod judge;
mod settle;
mod shell;
mod stopped;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use headgate_aws::bus::Bus;
use headgate_aws::controls::Controls;
use headgate_aws::keyring::Keyring;
use headgate_aws::messages::Messages;
use headgate_aws::pacing::Pacing;
use headgate_aws::queue::Queue;
use headgate_aws::secrets::Secrets;
use headgate_aws::subjects::SubjectStates;
use headgate_aws::suppression::Suppression;
use headgate_aws::{Aws, AwsError, peppers};
use headgate_domain::identity::Pepper;
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::time::Timestamp;
use headgate_graph::GraphClient;
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::settings::Settings;
use headgate_redact::LogSafe;
use serde_json::Value;

pub use config::StartError;

/// The longest a holder keeps the lease; then a successor takes over without a gap.
const TERM: Duration = Duration::from_mins(1);
/// Connections to the Graph API.
pub const CONNECTIONS: usize = 4;
/// What a term leaves of the function's time: to drain answers and to record them.
const DRAIN: Duration = Duration::from_secs(15);

/// The sender could not do its work; the queue will wake it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sender stopped: {0}")]
pub struct SenderError(#[from] AwsError);

/// Consists of AWS's error names.
impl LogSafe for SenderError {}

/// Everything the pacer works with.
pub(crate) struct Parts {
    pub(crate) messages: Messages,
    pub(crate) pacing: Pacing,
    pub(crate) keyring: Keyring,
    pub(crate) subjects: SubjectStates,
    pub(crate) suppression: Suppression,
    pub(crate) controls: Controls,
    pub(crate) bus: Bus,
    pub(crate) wake: Queue,
    pub(crate) consents: Queue,
    pub(crate) graph: GraphClient,
    pub(crate) message_ref: Pepper,
    pub(crate) deployment: String,
    pub(crate) region: ProcessingRegion,
    pub(crate) clock: Clock,
}

impl Parts {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// The sender.
#[derive(Clone)]
pub struct Sender {
    parts: Arc<Parts>,
}

impl Sender {
    /// Reads settings, secret and pepper.
    ///
    /// # Errors
    /// [`StartError`] names what is missing.
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = config::Config::new(settings)?;
        let aws = Aws::new(&config.aws)?;
        let secret = Secrets::new(&aws)
            .read(&config.graph_secret)
            .await
            .map_err(StartError::SecretUnread)?;
        let (token, proof) = config::credentials(&secret)?;
        let graph = GraphClient::new(&config.graph_url, &token, proof)
            .and_then(|client| client.with_connections(CONNECTIONS))?;
        Self::connect(config, aws, graph, clock).await
    }

    /// Like [`Sender::new`], with a client of its own: how a test trusts a peer on this machine.
    ///
    /// # Errors
    /// [`StartError`] names what is missing.
    pub async fn with_graph(
        settings: &Settings,
        clock: Clock,
        graph: GraphClient,
    ) -> Result<Self, StartError> {
        let config = config::Config::new(settings)?;
        let aws = Aws::new(&config.aws)?;
        Self::connect(config, aws, graph, clock).await
    }

    async fn connect(
        config: config::Config,
        aws: Aws,
        graph: GraphClient,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let message_ref =
            peppers::pepper(&aws, &config.message_ref_key, &config.deployment).await?;
        let parts = Parts {
            messages: Messages::new(&aws, &config.messages),
            pacing: Pacing::new(&aws, &config.pacing),
            keyring: Keyring::new(&aws, &config.keys, &config.data_key, &config.deployment),
            subjects: SubjectStates::new(&aws, &config.subjects),
            suppression: Suppression::new(&aws, &config.suppression),
            controls: Controls::new(&aws, &config.controls),
            bus: Bus::new(&aws, &config.bus),
            wake: Queue::new(&aws, &config.wake_url),
            consents: Queue::new(&aws, &config.consents_url),
            graph,
            message_ref,
            region: config.aws.region()?,
            deployment: config.deployment,
            clock,
        };
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    /// Sends what waits, for the portfolio a wake names or, on the schedule's tick, for every one.
    ///
    /// Returns when nothing waits any more, when another holder is at work, or when its term ends.
    ///
    /// # Errors
    /// [`SenderError`] when AWS does not answer; nothing is lost, the next wake goes on.
    pub async fn handle(&self, event: Value, time_left: Duration) -> Result<(), SenderError> {
        let config = self.parts.controls.config().await?;
        let wakes = wakes(&event);
        let length = time_left.saturating_sub(DRAIN).min(TERM);
        let known = config.portfolios();
        let wanted: Vec<(&str, bool)> = if wakes.is_empty() {
            known.into_iter().map(|p| (p, false)).collect()
        } else {
            known
                .into_iter()
                .filter_map(|p| {
                    wakes
                        .iter()
                        .find(|w| w.portfolio == p)
                        .map(|w| (p, w.successor))
                })
                .collect()
        };
        let terms = wanted.into_iter().map(|(portfolio, successor)| {
            let numbers = config
                .numbers
                .iter()
                .filter(|n| n.portfolio == portfolio)
                .cloned()
                .collect();
            drive::serve(&self.parts, portfolio, numbers, successor, length)
        });
        let mut outcome = Ok(());
        for result in join_all(terms).await {
            if let Err(error) = result {
                log(
                    Level::Error,
                    "term_ended_early",
                    &[("error", Field::safe(&error))],
                );
                outcome = Err(error);
            }
        }
        outcome
    }
}

struct Wake {
    portfolio: String,
    successor: bool,
}

/// The wakes in an SQS event; none in a scheduled one.
fn wakes(event: &Value) -> Vec<Wake> {
    let records = event.get("Records").and_then(Value::as_array);
    records
        .into_iter()
        .flatten()
        .filter_map(|record| {
            let body: Value = serde_json::from_str(record.get("body")?.as_str()?).ok()?;
            let portfolio = body.get("portfolio")?.as_str()?.to_owned();
            Some(Wake {
                portfolio,
                successor: body
                    .get("successor")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wake_names_its_portfolio_and_a_tick_names_none() {
        let event = json!({"Records": [{"body": "{\"portfolio\":\"p1\",\"successor\":true}"}, {"body": "junk"}]});
        let wakes = wakes(&event);
        assert_eq!(wakes.len(), 1);
        assert!(wakes[0].portfolio == "p1" && wakes[0].successor);
        assert!(super::wakes(&json!({"source": "aws.scheduler"})).is_empty());
    }
}
