//! Notifications from Meta become facts: records move, people are heard, apps are told.
//!
//! Owns the order of work on a batch. Each SQS record is one POST of Meta's, verified before it
//! was queued; all its updates are looked at, and each succeeds or fails alone. What nobody can
//! read is set aside ([`quarantine`]); when we fail, the record is handed over again, and
//! everything done so far is done again without effect. Reads and publishing are shared by the
//! batch: a status costs one update of its record, a tenth of a publish, and little else. What
//! a person is answered goes to the system queue; no rule is made here.

mod asking;
mod batch;
mod calls;
mod changes;
mod config;
mod content;
mod controls;
mod failed;
#[cfg(fuzzing)]
pub mod fuzzing;
mod health;
mod hearing;
mod identity;
mod inbound;
mod notices;
mod outcome;
mod overflow;
mod people;
mod preferences;
pub mod quarantine;
mod says;
mod scores;
mod statuses;
mod surroundings;
mod updates;

pub use config::StartError;

use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;

use config::Ports;

/// The function, ready to handle batches.
pub struct NotificationProcessor {
    ports: Ports,
    clock: Clock,
}

impl NotificationProcessor {
    /// Reads the settings, connects, and computes the peppers.
    ///
    /// # Errors
    /// [`StartError`] names the setting or the AWS call that is at fault.
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        Ok(Self {
            ports: Ports::new(settings).await?,
            clock,
        })
    }

    /// Handles a batch; the response names the records to be handed over again.
    pub async fn handle(&self, event: SqsEvent) -> BatchResponse {
        batch::handle(&self.ports, event, (self.clock)()).await
    }
}
