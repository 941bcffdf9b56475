//! What comes again, and when: soon at first, then ever later, so that an outage is neither hammered
//! nor made longer than it was.
//!
//! Owns the back-off. A message whose visibility could not be changed comes when its queue's own
//! timeout ends, so a failure here costs time and nothing else.

use std::collections::BTreeMap;

use headgate_aws::visibility::LONGEST_SECONDS;
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::log::{Field, Level, log};

use crate::Intake;
use crate::error::IntakeError;

/// Where a message is deferred.
pub(crate) struct Handle {
    queue: String,
    receipt: String,
    seconds: i32,
}

/// The messages of a batch, by SQS message id.
pub(crate) type Handles = BTreeMap<String, Handle>;

impl Intake {
    /// What is needed to defer the messages of a batch.
    pub(crate) fn handles(&self, event: &SqsEvent) -> Handles {
        let of_ours = event.records.iter().filter_map(|record| {
            let source = self.queues.of(&record.event_source_arn)?;
            let handle = Handle {
                queue: source.url.clone(),
                receipt: record.receipt_handle.clone(),
                seconds: back_off(record.receive_count(), &record.message_id),
            };
            (!handle.receipt.is_empty()).then(|| (record.message_id.clone(), handle))
        });
        of_ours.collect()
    }

    /// Defers what comes again.
    pub(crate) async fn defer(&self, response: &BatchResponse, handles: &Handles) {
        for failure in &response.batch_item_failures {
            let Some(handle) = handles.get(&failure.item_identifier) else {
                continue;
            };
            let deferred = self
                .visibility
                .defer(&handle.queue, &handle.receipt, handle.seconds)
                .await;
            if let Err(error) = deferred {
                let error = IntakeError::from(error);
                log(
                    Level::Warn,
                    "defer_failed",
                    &[("error", Field::safe(&error))],
                );
            }
        }
    }
}

/// Doubles from one second to 15 minutes; up to a quarter more keeps a batch from coming back as one.
fn back_off(receives: u32, message_id: &str) -> i32 {
    let doublings = receives.saturating_sub(1).min(10);
    let base = 1_i32.checked_shl(doublings).unwrap_or(LONGEST_SECONDS);
    let spread = message_id
        .bytes()
        .fold(0_i32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(i32::from(byte))
        })
        .rem_euclid(base.div_euclid(4).max(1));
    base.saturating_add(spread).min(LONGEST_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::back_off;

    #[test]
    fn the_first_return_is_soon_and_the_last_no_later_than_a_quarter_of_an_hour() {
        assert_eq!((back_off(1, "m"), back_off(2, "m")), (1, 2));
        for receives in 1..=200 {
            let seconds = back_off(receives, "19dd0b57-b21e-4ac1-bd88-01bbb068cb78");
            assert!((1..=900).contains(&seconds), "{receives}: {seconds}");
            assert!(seconds <= back_off(receives + 2, "19dd0b57-b21e-4ac1-bd88-01bbb068cb78"));
        }
        assert_eq!(back_off(u32::MAX, ""), 900);
    }

    #[test]
    fn messages_of_one_batch_do_not_come_back_together() {
        let times: std::collections::BTreeSet<i32> = (0..10)
            .map(|n| back_off(8, &format!("message-{n}")))
            .collect();
        assert!(times.len() > 5, "{times:?}");
    }
}
