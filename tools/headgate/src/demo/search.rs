//! The search for what must not be there: every table, every queue, every bucket, every log line of the demo.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::forgery::Forged;
use super::scenario::Scenario;
use crate::canary::{Canary, Finding, is_named_exception};
use crate::stage::Stage;

/// Searches every item of every table, every queue, every bucket and every log line (invariant I4).
pub(super) async fn personal_data(
    stage: &Stage,
    input: &Scenario,
    wamids: &[String],
    forged: &Forged,
    lines: &Mutex<Vec<String>>,
) -> Result<Vec<Finding>> {
    let mut canary = Canary::default();
    for person in &input.people {
        canary.name(&person.name);
        if let Some(phone) = &person.phone {
            canary.phone(phone);
        }
        if let Some(bsuid) = &person.bsuid {
            canary.bsuid(bsuid);
        }
    }
    for text in input.texts.iter().chain(&forged.texts) {
        canary.body(text);
    }
    for wamid in wamids {
        canary.wamid(wamid);
    }
    let stored = stage.cloud.dump().await?;
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let found = tokio::task::spawn_blocking(move || {
        let kept = stored
            .iter()
            .filter(|(place, text)| !is_named_exception(place, text));
        let texts = kept.map(|(place, text)| (place.as_str(), text.as_str()));
        canary.search(texts.chain(lines.iter().map(|line| ("a log line", line.as_str()))))
    });
    Ok(found.await?)
}
