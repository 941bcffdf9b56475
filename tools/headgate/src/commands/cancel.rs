//! `headgate cancel`: control messages onto the lane queue that the messages went to.
//!
//! Whether a message can still be stopped is the gateway's decision; the answer is an event.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_domain::control_message::{SCHEMA, parse};
use headgate_domain::lane::Purpose;
use serde_json::{Value, json};

use crate::cli::CancelArgs;
use crate::connection::Connection;

/// Asks for the cancellation of messages.
///
/// # Errors
/// When an id cannot be one, or SQS does not take the message.
pub async fn run(args: &CancelArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let lane = Purpose::from(args.lane);
    let bodies = bodies(&args.ids)?;
    connection
        .lane(lane)?
        .send_batch(&bodies)
        .await
        .context("SQS did not take all of them; what was taken is cancelled, so just try again")?;
    if args.client.json {
        println!(
            "{}",
            json!({"ids": args.ids, "queue": lane.word(), "queued": true})
        );
    } else {
        let many = args.ids.len();
        println!("asked on {lane} to cancel {many} message{}", plural(many));
        println!(
            "watch for message.cancelled or message.not_cancelled with: headgate events --follow{}",
            connection.env_flag()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn plural(many: usize) -> &'static str {
    if many == 1 { "" } else { "s" }
}

fn bodies(ids: &[String]) -> Result<Vec<String>> {
    ids.iter()
        .map(|id| {
            let body = control(id).to_string();
            if parse(&body).is_err() {
                bail!("an id has 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
            }
            Ok(body)
        })
        .collect()
}

fn control(id: &str) -> Value {
    json!({"schema": SCHEMA, "action": "cancel", "id": id})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn an_id_that_cannot_be_one_is_refused_before_anything_is_sent() {
        let all = |ids: &[&str]| bodies(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            all(&["a-1"]).unwrap(),
            [r#"{"action":"cancel","id":"a-1","schema":"headgate.control/1"}"#]
        );
        for wrong in ["", "a b", "+16135550123", &"x".repeat(129)] {
            assert!(all(&["a-1", wrong]).is_err(), "{wrong}");
        }
    }
}
