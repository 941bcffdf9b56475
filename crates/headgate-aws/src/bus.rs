//! EventBridge: publishing app events, ten a call, unprocessed entries retried.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use headgate_domain::event::Event;

use crate::{Aws, AwsError};

/// The bus apps listen to.
#[derive(Clone)]
pub struct Bus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

/// What every rule matches on.
pub const SOURCE: &str = "headgate";
const PER_CALL: usize = 10;
const TRIES: u32 = 5;

impl Bus {
    /// The bus of a name.
    pub fn new(aws: &Aws, name: &str) -> Self {
        Self {
            client: aws.eventbridge(),
            name: name.to_owned(),
        }
    }

    /// Publishes events; returning means that EventBridge has all of them.
    ///
    /// # Errors
    /// [`AwsError`] when some were still refused after several tries. Publishing again is safe: the
    /// ids are deterministic.
    pub async fn publish(&self, events: &[Event]) -> Result<(), AwsError> {
        for chunk in events.chunks(PER_CALL) {
            let mut pending: Vec<PutEventsRequestEntry> =
                chunk.iter().map(|event| self.entry(event)).collect();
            let mut tries = 0_u32;
            while !pending.is_empty() {
                let answer = self
                    .client
                    .put_events()
                    .set_entries(Some(pending.clone()))
                    .send()
                    .await
                    .map_err(|e| AwsError::of("PutEvents", &e))?;
                if answer.failed_entry_count == 0 {
                    break;
                }
                pending = pending
                    .into_iter()
                    .zip(answer.entries())
                    .filter(|(_, result)| result.error_code().is_some())
                    .map(|(entry, _)| entry)
                    .collect();
                tries = tries.saturating_add(1);
                if tries >= TRIES {
                    return Err(AwsError::new("PutEvents", "entries refused"));
                }
                tokio::time::sleep(std::time::Duration::from_millis(
                    50_u64.saturating_mul(1 << tries),
                ))
                .await;
            }
        }
        Ok(())
    }

    fn entry(&self, event: &Event) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.kind)
            .detail(event.to_json())
            .build()
    }
}
