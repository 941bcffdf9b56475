//! The public pages on a socket, for the browser tests and for looking at them.
//!
//! A local deployment with its routes and headers, plus one language that is written from right to
//! left. Prints one JSON line with the addresses, then answers each line on standard input: `link` and
//! `old link` with the token of a new link to confirm, any other with the number of items and messages that
//! are stored. Ends with standard input.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool of the tests, which may fail loudly"
)]

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use headgate_aws::peppers::pepper;
use headgate_aws::subjects::Subjects;
use headgate_domain::consent::{Consent, State, Topic};
use headgate_domain::identity::{Bsuid, Identifier, Pepper};
use headgate_domain::lane::Purpose;
use headgate_domain::link;
use headgate_domain::time::MINUTE;
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, stage};
use http::Request;
use privacy_web::{LANGUAGES, PrivacyWeb, Source};
use serde_json::json;

const ARABIC: Source = Source {
    tag: "ar",
    texts: include_str!("../tests/languages/ar.toml"),
    countries: include_str!("../tests/languages/ar.countries.tsv"),
};

/// The token of somebody who agreed to news, but not about events, and was asked about the rest.
async fn token_of_somebody(stage: &Stage) -> String {
    let environment = stage.environment("PrivacyWebFunction");
    let setting = |name: &str| environment.get(name).unwrap();
    let (aws, now) = (stage.aws(), system_clock()());
    let identity = Arc::new(Pepper::new([1; 32]));
    let table = setting("HEADGATE_TABLE_SUBJECTS");
    let subjects = Subjects::new(&aws, table, stage.keyring(), identity);
    let bsuid = Identifier::Bsuid(Bsuid::parse("CA.20000007").unwrap());
    let person = subjects.find_or_create(&[bsuid], now).await.unwrap();
    let events = Topic::parse("events").unwrap();
    for (purpose, topic, state) in [
        (Purpose::Marketing, None, State::Given),
        (Purpose::Marketing, Some(&events), State::Withdrawn),
        (Purpose::Utility, None, State::Requested),
    ] {
        let consent = Consent::alone(state, now, "L0.0", "paper");
        let put = subjects.put_consent(&person, purpose, topic, None, &consent);
        assert!(put.await.unwrap());
    }
    let deployment = setting("HEADGATE_DEPLOYMENT");
    let links = pepper(&aws, setting("HEADGATE_KMS_MAC_LINKS"), deployment).await;
    link::token(&links.unwrap(), deployment, &person)
}

#[tokio::main]
async fn main() {
    headgate_lambda::log::capture(Arc::new(|_line| {}));
    let stage = stage().await;
    let url = stage.cloud().api_url("PrivacyApi").unwrap();
    let mut environment = stage.environment("PrivacyWebFunction");
    environment.insert("HEADGATE_PRIVACY_URL".to_owned(), url.clone());
    let settings = Settings::from_map(environment);
    let languages = [&LANGUAGES[..], &[ARABIC]].concat();
    let pages = PrivacyWeb::in_languages(&languages, &settings, system_clock()).await;
    let pages = Arc::new(pages.unwrap());
    let handle = move |request: Request<Bytes>| {
        let pages = Arc::clone(&pages);
        Box::pin(async move { pages.handle(request).await }) as _
    };
    let cloud = stage.cloud();
    cloud
        .connect_http("PrivacyWebFunction", Arc::new(handle))
        .unwrap();
    let tags: Vec<&str> = languages.iter().map(|language| language.tag).collect();
    let token = token_of_somebody(&stage).await;
    println!(
        "{}",
        json!({ "url": url, "token": token, "languages": tags })
    );
    std::io::stdout().flush().unwrap();
    let mut lines = std::io::stdin().lock().lines();
    while let Some(Ok(line)) = tokio::task::block_in_place(|| lines.next()) {
        match line.as_str() {
            "link" => println!("{}", stage.confirm_token(MINUTE).await),
            "old link" => println!("{}", stage.confirm_token(-MINUTE).await),
            _ => println!("{}", cloud.dump().await.unwrap().len()),
        }
        std::io::stdout().flush().unwrap();
    }
}
