//! What a queue holds and how it is set up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A message attribute as the wire has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// Base64, as on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
}

/// A message with everything that must survive a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, Attribute>,
    /// The system clock's time of sending: what delays and retention count from.
    pub(crate) sent_at: i64,
    /// How far the calendar stood from the system clock then: the functions live by the calendar.
    #[serde(default)]
    pub(crate) offset: i64,
    /// Not visible before this time: a delay.
    pub(crate) not_before: i64,
    #[serde(default)]
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) trace: Option<String>,
    #[serde(default)]
    pub(crate) received: u32,
    #[serde(default)]
    pub(crate) first_received_at: Option<i64>,
    /// Who sent it; absent of what nobody of ours did.
    #[serde(default)]
    pub(crate) sender: Option<String>,
    /// ARN of the queue it was moved from.
    #[serde(default)]
    pub(crate) moved_from: Option<String>,
}

impl Message {
    /// A time of the system clock as the calendar read it when the message was sent.
    pub(crate) fn on_calendar(&self, system_ms: i64) -> i64 {
        system_ms.saturating_add(self.offset)
    }
}

/// A received message and the handle to settle it with.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) message: Message,
    pub(crate) handle: String,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug)]
pub(crate) struct Redrive {
    pub(crate) queue: String,
    pub(crate) max_receives: u32,
}

/// What the template says about a queue.
#[derive(Clone, Debug)]
pub(crate) struct QueueSettings {
    pub(crate) arn: String,
    pub(crate) visibility_s: i64,
    pub(crate) retention_s: i64,
    pub(crate) delay_s: i64,
    pub(crate) wait_s: i64,
    pub(crate) max_size: usize,
    pub(crate) redrive: Option<Redrive>,
}
