//! One item that says until when a number's slots are given away, moved by conditional writes.
//!
//! DynamoDB has no `max()` in expressions, so there are two writes: a busy number's time moves on from where it is, an
//! idle one's from now. Which one to try follows from what was seen last; a wrong guess costs a write.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_async::rt::sleep::TokioSleep;
use local_cloud::Service;

use crate::world::{NUMBER, World};

/// How far a clock may be off, either way.
pub(crate) const SKEW: Duration = Duration::from_millis(50);
/// How far ahead slots are given away.
const HORIZON: Duration = Duration::from_millis(50);

pub(crate) struct Bucket {
    client: Client,
    table: String,
    block: u32,
    slot_us: u64,
    /// The time until which slots are given away, as last seen.
    seen_us: Mutex<u64>,
}

impl Bucket {
    pub(crate) fn new(world: &World, block: u32) -> Self {
        let config = Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .credentials_provider(Credentials::new("local", "local", None, None, "bench"))
            .region(aws_types::region::Region::new("eu-west-1"))
            .endpoint_url(world.cloud().endpoint(Service::Dynamodb))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(TokioSleep::new())
            .build();
        Self {
            client: Client::from_conf(config),
            table: world.stage.environment("SenderFunction")["HEADGATE_TABLE_PACING"].clone(),
            block,
            slot_us: 1_000_000 / u64::from(world.per_second),
            seen_us: Mutex::new(0),
        }
    }

    pub(crate) const fn block(&self) -> u32 {
        self.block
    }

    /// Takes so many slots, on a clock that is `fast` less 50 ms ahead; waits as long as there are none.
    pub(crate) async fn take(&self, fast: Duration, slots: u32) -> Vec<Instant> {
        let length = self.slot_us * u64::from(slots);
        let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap();
        loop {
            let true_now = micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
            let now = true_now + micros(fast) - micros(SKEW);
            let seen = *self.seen_us.lock().unwrap();
            if seen > now + micros(HORIZON) {
                let ahead = seen - now - micros(HORIZON);
                tokio::time::sleep(Duration::from_micros(ahead)).await;
                continue;
            }
            let busy = seen >= now;
            let until = if busy {
                self.extend(now, length).await
            } else {
                self.restart(now, length).await
            };
            match until {
                Ok(until) => {
                    *self.seen_us.lock().unwrap() = until;
                    let first = until - length;
                    // Its own clock says when that is.
                    let base = Instant::now();
                    let at = |n: u32| {
                        let due = first + self.slot_us * u64::from(n);
                        base + Duration::from_micros(due.saturating_sub(now))
                    };
                    return (0..slots).map(at).collect();
                }
                Err(stands) => *self.seen_us.lock().unwrap() = stands,
            }
        }
    }

    /// Moves a busy number's time on; `Err` is where it stands.
    async fn extend(&self, now: u64, length: u64) -> Result<u64, u64> {
        let horizon = u64::try_from(HORIZON.as_micros()).unwrap();
        let call = self.write("SET tat = tat + :length", "tat BETWEEN :now AND :horizon");
        let call = call
            .expression_attribute_values(":length", n(length))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":horizon", n(now + horizon));
        outcome(call.send().await)
    }

    /// Starts an idle number's time from now.
    async fn restart(&self, now: u64, length: u64) -> Result<u64, u64> {
        let call = self.write(
            "SET tat = :until",
            "attribute_not_exists(tat) OR tat < :now",
        );
        let call = call
            .expression_attribute_values(":until", n(now + length))
            .expression_attribute_values(":now", n(now));
        outcome(call.send().await)
    }

    fn write(
        &self,
        update: &str,
        condition: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(format!("B#{NUMBER}")))
            .key("sk", AttributeValue::S("B".to_owned()))
            .update_expression(update)
            .condition_expression(condition)
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn n(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn outcome(
    answer: Result<
        aws_sdk_dynamodb::operation::update_item::UpdateItemOutput,
        aws_sdk_dynamodb::error::SdkError<
            aws_sdk_dynamodb::operation::update_item::UpdateItemError,
        >,
    >,
) -> Result<u64, u64> {
    let time = |item: Option<&std::collections::HashMap<String, AttributeValue>>| {
        let tat = item.and_then(|item| item.get("tat")?.as_n().ok()?.parse().ok());
        tat.unwrap_or_default()
    };
    match answer {
        Ok(output) => Ok(time(output.attributes())),
        Err(error) => match error.into_service_error() {
            aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed) => {
                Err(time(failed.item()))
            }
            other => panic!("{other}"),
        },
    }
}
