//! The public pages on a socket, for the browser tests and for looking at them.
//!
//! A local deployment with its routes and headers, plus one language that is written from right to
//! left. Prints one JSON line with the addresses, then answers each line on standard input: `link` and
//! `old link` with the token of a new link to confirm, `copy` with the link to a copy in two volumes, any other with
//! the number of items and messages that are stored. Ends with standard input.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool of the tests, which may fail loudly"
)]

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use headgate_aws::peppers::pepper;
use headgate_aws::privacy_requests::{self, PrivacyRequests};
use headgate_domain::consent::{Consent, State, Topic};
use headgate_domain::identity::{Bsuid, Identifier, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::ledger::Hash;
use headgate_domain::link;
use headgate_domain::privacy::{self, ExportLink, Receipt, RequestId};
use headgate_domain::profiles::Right;
use headgate_domain::system::Locale;
use headgate_domain::time::{DAY, MINUTE};
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_redact::Personal;
use headgate_testkit::{Stage, stage};
use http::Request;
use privacy_web::{LANGUAGES, PrivacyWeb, Source};
use serde_json::{Value, json};

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
    let subjects = stage.subjects().await;
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

/// The reference of a request that was carried out.
async fn request_that_is_done(stage: &Stage) -> String {
    let environment = stage.environment("PrivacyWebFunction");
    let table = &environment["HEADGATE_TABLE_PRIVACY_REQUESTS"];
    let requests = PrivacyRequests::new(&stage.aws(), table);
    let (now, subject) = (system_clock()(), SubjectId::from_random([4; 16]));
    let request = privacy_requests::Request {
        id: RequestId::from_random([4; 12]),
        right: Right::Erasure,
        state: privacy::State::Running,
        subject: Some(subject.clone()),
        received_at: now.plus_millis(-10 * MINUTE),
        due_at: now.plus_millis(30 * DAY),
        run_at: now,
        number: None,
        locale: Locale::En,
        closed_at: None,
        receipt: None,
        extension: None,
        denial: None,
    };
    requests.open(&subject, &request).await.unwrap();
    let receipt = Receipt {
        origin: privacy::origin("main"),
        request: request.id.clone(),
        completed_at: now,
        ledger: Vec::new(),
        stores: privacy::Store::ALL
            .map(|store| privacy::StoreRecord {
                store,
                matched: 3,
                left: 0,
            })
            .to_vec(),
        destroyed: vec![Hash::of_bytes(b"one"), Hash::of_bytes(b"two")],
        again_on: now.day().plus(8),
    };
    let note = format!("{}\n— headgate/erasure/main AAAA\n", receipt.text());
    let done = privacy::State::Fulfilled;
    requests
        .close(&request, done, Some(&note), (now, None))
        .await
        .unwrap();
    request.id.as_str().to_owned()
}

/// The link to a copy that is somebody's, in two volumes.
async fn link_to_a_copy(stage: &Stage) -> String {
    let environment = stage.environment("PrivacyWebFunction");
    let setting = |name: &str| environment.get(name).unwrap();
    let (aws, deployment) = (stage.aws(), setting("HEADGATE_DEPLOYMENT"));
    let (links, now) = (setting("HEADGATE_KMS_MAC_LINKS"), system_clock()());
    let volume = |number: usize, message: Value| {
        let copy = json!({
            "schema": "headgate.export/1", "generated_at": now, "available_until": now.plus_millis(privacy::EXPORT_MS),
            "volume": { "number": number, "of": 2 }, "leaves_out_before": now.plus_millis(-9 * DAY), "under_legal_hold": true,
            "you": { "phone": "+16135550123", "country": "CA", "known_since": now, "stopped_marketing_in_whatsapp": true },
            "choices": [{ "purpose": "marketing", "topic": "events", "state": "withdrawn", "since": now, "method": "keyword" }],
            "suppressed": ["marketing"], "sources": ["you", "whatsapp", "business", "registers"],
            "registers": [{ "registry": "CA_NATIONAL_DNCL", "checked_on": now.day().to_string(), "listed": true }],
            "categories": ["identifiers", "message_content", "consent_records"], "messages": [message],
        });
        Personal::new(copy.to_string().into_bytes())
    };
    let sent = json!({ "direction": "to_you", "at": now, "purpose": "utility", "state": "DELIVERED",
        "template": "order_shipped", "message": { "type": "template" } });
    let wrote = json!({ "direction": "from_you", "at": now,
        "message": { "type": "text", "text": { "body": "My parcel is late. ".repeat(9) } } });
    let id = RequestId::from_random(headgate_aws::random().unwrap());
    let links = pepper(&aws, links, deployment).await.unwrap();
    let link = ExportLink::of(&links, deployment, id.as_str());
    let requests = PrivacyRequests::new(&aws, setting("HEADGATE_TABLE_PRIVACY_REQUESTS"));
    let volumes = [volume(1, sent), volume(2, wrote)];
    let put = requests.put_export(&link, deployment, &volumes, now);
    put.await.unwrap();
    link.reveal().to_owned()
}

#[tokio::main]
async fn main() {
    headgate_lambda::log::capture(Arc::new(|_line| {}));
    let stage = stage().await;
    // What is stored is counted.
    stage.cloud().set_sweeping(false);
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
    let request = request_that_is_done(&stage).await;
    println!(
        "{}",
        json!({ "url": url, "token": token, "languages": tags, "request": request })
    );
    std::io::stdout().flush().unwrap();
    let mut lines = std::io::stdin().lock().lines();
    while let Some(Ok(line)) = tokio::task::block_in_place(|| lines.next()) {
        match line.as_str() {
            "link" => println!("{}", stage.confirm_token(MINUTE).await),
            "copy" => println!("{}", link_to_a_copy(&stage).await),
            "old link" => println!("{}", stage.confirm_token(-MINUTE).await),
            _ => println!("{}", cloud.dump().await.unwrap().len()),
        }
        std::io::stdout().flush().unwrap();
    }
}
