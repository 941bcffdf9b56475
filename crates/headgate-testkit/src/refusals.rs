//! Whether a function refuses to start without what keeps people safe, and says why (I5).
//!
//! Runs the real binary once per case, some at a time. A refusal is: the process ends by itself,
//! not successfully, before it asked for an event, and what it wrote names the setting and shows
//! no value.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::{
    APP_SECRET, Function, GRAPH_TOKEN, RuntimeApi, Stage, VERIFY_TOKEN, settings_of, stage,
};

/// How long a cold start may take to fail here. Lambda gives ten seconds to one that has a machine to itself.
const TIME_TO_REFUSE: Duration = Duration::from_secs(20);
/// How many processes run beside each other.
const AT_A_TIME: usize = 4;

/// Takes each setting of docs/data.md away from a function, one after the other, and blanks each.
pub async fn without_a_setting(binary: &str, function: &str) {
    let stage = stage().await;
    let complete = stage.environment(&logical_id(function));
    let settings = settings_of(function);
    let cases = settings.iter().flat_map(|setting| {
        let mut absent = complete.clone();
        let named = absent.remove(setting);
        assert!(named.is_some(), "the template does not set {setting}");
        let mut blank = absent.clone();
        blank.insert(setting.clone(), " \t".to_owned());
        [(setting, absent), (setting, blank)]
    });
    let values: Vec<&str> = settings
        .iter()
        .filter_map(|setting| complete.get(setting))
        .map(String::as_str)
        .collect();
    let failures: Vec<String> = stream::iter(cases)
        .map(|(setting, environment)| refusal(binary, setting, environment, &values))
        .buffer_unordered(AT_A_TIME)
        .filter_map(|outcome| std::future::ready(outcome.err()))
        .collect()
        .await;
    assert!(failures.is_empty(), "{function}:\n{}", failures.join("\n"));
}

/// Blanks a setting that may be absent: a mistake, and not a decision to do without it.
pub async fn with_a_blank(binary: &str, function: &str, setting: &str) {
    let stage = stage().await;
    let mut environment = stage.environment(&logical_id(function));
    for blank in ["", " \t"] {
        environment.insert(setting.to_owned(), blank.to_owned());
        let outcome = refusal(binary, setting, environment.clone(), &[]).await;
        assert_eq!(outcome, Ok(()), "{function}");
    }
}

/// Starts a function whose secret was never set, and whose secret is not what it should be.
pub async fn without_a_usable_secret(binary: &str, function: &str, secret: &str, setting: &str) {
    let stage = Stage::empty().await;
    let environment = stage.environment(&logical_id(function));
    let mut failures = Vec::new();
    if let Err(failure) = refusal(binary, setting, environment.clone(), &[]).await {
        failures.push(format!("never set: {failure}"));
    }
    // The last is blank in the members of every secret.
    let blank =
        r#"{"access_token":"","appsecret_proof":"","app_secrets":[" "],"verify_tokens":[" "]}"#;
    for value in ["{}", "not JSON: canary-secret", blank] {
        stage.put_secret(secret, value).await;
        if let Err(failure) = refusal(binary, setting, environment.clone(), &["canary"]).await {
            failures.push(format!("{value}: {failure}"));
        }
    }
    assert!(failures.is_empty(), "{function}:\n{}", failures.join("\n"));
}

/// Checks one refusal; an `Err` says what is wrong with it.
async fn refusal(
    binary: &str,
    setting: &str,
    environment: BTreeMap<String, String>,
    values: &[&str],
) -> Result<(), String> {
    let api = RuntimeApi::start().await;
    let function = Function::spawn(binary, &environment, &api);
    let Some((status, output)) = function.exit(TIME_TO_REFUSE).await else {
        return Err(format!("{setting}: it started, or still tries to"));
    };
    if status.success() || api.was_ready() {
        return Err(format!("{setting}: it counts as started: {output}"));
    }
    if !output.contains(setting) {
        return Err(format!("{setting}: is not named in: {output}"));
    }
    let secrets = [APP_SECRET, VERIFY_TOKEN, GRAPH_TOKEN];
    match values
        .iter()
        .chain(&secrets)
        .find(|value| output.contains(**value))
    {
        Some(value) => Err(format!(
            "{setting}: the value {value} is shown in: {output}"
        )),
        None => Ok(()),
    }
}

/// `privacy-web` is `PrivacyWebFunction` in the template.
fn logical_id(function: &str) -> String {
    let words = function.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect::<String>()
    });
    words.chain(["Function".to_owned()]).collect()
}
