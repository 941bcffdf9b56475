//! The simulated Meta of a stage: it knows the numbers and approved templates of the configuration.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use headgate_domain::config::{Category, Config, TemplateStatus};
use local_cloud::Calendar;
use meta_simulator::Simulator;

use crate::secrets::LocalSecrets;

/// Starts it, on a port or any free one.
pub(crate) async fn simulate(
    port: Option<u16>,
    config: &Config,
    secrets: &LocalSecrets,
    calendar: &Calendar,
) -> Result<Simulator> {
    let numbers = config.numbers.iter().map(|n| meta_simulator::Number {
        id: n.id.clone(),
        display_phone: n.display.clone(),
        per_second: n
            .per_second
            .unwrap_or(headgate_domain::live::DEFAULT_PER_SECOND),
    });
    let approved = config
        .templates
        .iter()
        .filter(|t| t.status == TemplateStatus::Approved);
    let templates = approved.map(|t| meta_simulator::Template {
        name: t.name.clone(),
        language: t.language.clone(),
        category: category(t.category).to_uppercase(),
        body_parameters: t.body_count(),
    });
    let calendar = calendar.clone();
    Simulator::start(meta_simulator::Options {
        port,
        app_secret: secrets.app_secret.clone(),
        access_token: secrets.access_token.clone(),
        appsecret_proof: Some(secrets.appsecret_proof.clone()),
        numbers: numbers.collect(),
        templates: templates.collect(),
        clock: Arc::new(move || calendar.now_ms().div_euclid(1_000)),
        ..meta_simulator::Options::default()
    })
    .await
    .context("the simulated Meta did not start")
}

/// Meta's word for a category, in lower case: also the purpose it is for.
pub(crate) fn category(category: Category) -> &'static str {
    match category {
        Category::Authentication => "authentication",
        Category::Utility => "utility",
        Category::Marketing => "marketing",
    }
}
