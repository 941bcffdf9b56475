//! What a forger tries: four ways to make the webhook believe a STOP, and one poisonous true notification.

use anyhow::Result;
use meta_simulator::Simulator;
use serde_json::{Value, json};

use super::letters::Person;
use super::scenario::Scenario;
use crate::secrets::sign;
use crate::stage::Stage;

/// What came of it.
pub(super) struct Forged {
    /// Kind of forgery, and the HTTP status it was answered with.
    pub(super) answers: Vec<(&'static str, u16)>,
    /// The status of the properly signed body that is no notification.
    pub(super) poison: u16,
    /// What stood in the poisonous body, for the search that must not find it.
    pub(super) texts: Vec<String>,
}

/// Posts the forgeries and the poison.
pub(super) async fn attempt(
    stage: &Stage,
    simulator: &Simulator,
    number: &str,
    input: &Scenario,
) -> Result<Forged> {
    let secret = &stage.secrets.app_secret;
    let body = |index: usize| {
        input
            .victims
            .get(index)
            .map_or_else(String::new, |p| stop_of(p, number, stage))
    };
    let signed = |secret: &str, body: &str| format!("sha256={}", sign(secret, body.as_bytes()));
    let reserialised = {
        // The same JSON, written differently: the signature is over bytes, not over meaning.
        let original = body(2);
        let value: Value = serde_json::from_str(&original)?;
        (
            serde_json::to_string_pretty(&value)?,
            signed(secret, &original),
        )
    };
    let tries = [
        ("unsigned", body(0), None),
        (
            "wrongly signed",
            body(1),
            Some(signed("not-the-app-secret", &body(1))),
        ),
        ("re-serialised", reserialised.0, Some(reserialised.1)),
        ("empty signature", body(3), Some(String::new())),
    ];
    let mut answers = Vec::new();
    for (kind, body, signature) in tries {
        answers.push((
            kind,
            simulator.notify_raw(body.into_bytes(), signature).await?,
        ));
    }
    let text = "Quite a private matter, told to nobody else.".to_owned();
    let poison =
        format!(r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":"{text}"#);
    let signature = signed(secret, &poison);
    let poison = simulator
        .notify_raw(poison.into_bytes(), Some(signature))
        .await?;
    Ok(Forged {
        answers,
        poison,
        texts: vec![text],
    })
}

/// A STOP as Meta would notify it, were it true.
fn stop_of(person: &Person, number: &str, stage: &Stage) -> String {
    let bsuid = person.bsuid.as_deref().unwrap_or_default();
    json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "200000000000001", "changes": [{"field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "16135550100", "phone_number_id": number},
            "contacts": [{"profile": {"name": person.name}, "user_id": bsuid}],
            "messages": [{
                "from_user_id": bsuid, "id": format!("wamid.FORGED{bsuid}"), "timestamp": stage.now().seconds().to_string(),
                "type": "text", "text": {"body": "STOP"},
            }],
        }}]}],
    })
    .to_string()
}
