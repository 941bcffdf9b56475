//! The public pages against the local cloud: what a request leaves behind, and what it must not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use headgate_aws::controls::Controls;
use headgate_aws::peppers::pepper;
use headgate_aws::subjects::Subjects;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::config::Config;
use headgate_domain::consent::{Consent, State, Topic};
use headgate_domain::identity::{Bsuid, Identifier, Pepper, Phone, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::region::Country;
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_domain::{link, optin_code};
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::people;
use http::{Request, Response, StatusCode};
use local_cloud::{Calendar, LocalCloud, Options};
use privacy_web::PrivacyWeb;

const FORM: &str = "application/x-www-form-urlencoded";
const HEADERS: [&str; 8] = [
    "strict-transport-security",
    "x-content-type-options",
    "referrer-policy",
    "cache-control",
    "x-robots-tag",
    "permissions-policy",
    "content-security-policy",
    "content-type",
];

struct World {
    cloud: LocalCloud,
    environment: BTreeMap<String, String>,
    aws: Aws,
    pages: PrivacyWeb,
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

impl World {
    async fn new(mut environment_change: impl FnMut(&mut BTreeMap<String, String>)) -> Self {
        let nested = [
            ("infra/data.yaml", include_str!("../../../infra/data.yaml")),
            ("infra/edge.yaml", include_str!("../../../infra/edge.yaml")),
        ]
        .map(|(location, text)| (location.to_owned(), text.to_owned()))
        .into();
        // What is stored runs out by the time of the pages.
        let calendar = Calendar::system();
        calendar.set_offset_ms(now().millis() - calendar.now_ms());
        let options = Options {
            template: include_str!("../../../template.yaml").to_owned(),
            nested,
            parameters: BTreeMap::new(),
            data_dir: None,
            first_port: None,
            calendar,
        };
        headgate_lambda::log::capture(Arc::new(|_line| {}));
        let cloud = LocalCloud::start(options).await.unwrap();
        let mut environment = cloud.function_environment("PrivacyWebFunction").unwrap();
        environment.insert(
            "HEADGATE_PRIVACY_URL".to_owned(),
            "https://privacy.maple.example/v1/".to_owned(),
        );
        environment_change(&mut environment);
        let settings = Settings::from_map(environment.clone());
        let aws = Aws::new(&AwsSettings::new(settings.lookup()).unwrap()).unwrap();
        let pages = PrivacyWeb::new(&settings, Arc::new(now)).await.unwrap();
        Self {
            cloud,
            environment,
            aws,
            pages,
        }
    }

    async fn with_configuration() -> Self {
        let world = Self::new(|_| {}).await;
        let config = Config::from_toml(include_str!("../../../config/headgate.toml")).unwrap();
        Controls::new(&world.aws, &world.environment["HEADGATE_TABLE_CONTROLS"])
            .put_config(&config, 1)
            .await
            .unwrap();
        world
    }

    async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.pages
            .handle(request.body(Bytes::from(body.to_owned())).unwrap())
            .await
    }

    async fn get(&self, target: &str) -> Response<Bytes> {
        self.send("GET", target, &[("accept", "text/html")], "")
            .await
    }

    async fn post(&self, target: &str, body: &str) -> Response<Bytes> {
        self.send(
            "POST",
            target,
            &[
                ("content-type", FORM),
                ("sec-fetch-site", "same-origin"),
                ("origin", "null"),
            ],
            body,
        )
        .await
    }

    async fn links(&self) -> Pepper {
        pepper(
            &self.aws,
            &self.environment["HEADGATE_KMS_MAC_LINKS"],
            &self.environment["HEADGATE_DEPLOYMENT"],
        )
        .await
        .unwrap()
    }

    async fn token(&self, subject: &SubjectId) -> String {
        link::token(
            &self.links().await,
            &self.environment["HEADGATE_DEPLOYMENT"],
            subject,
        )
    }

    /// The pages themselves open no keys; whoever hears the person's message does.
    async fn subjects(&self) -> Subjects {
        let intake = self.cloud.function_environment("IntakeFunction").unwrap();
        people::subjects(&self.aws, &intake, system_clock()()).await
    }

    /// Everything stored and queued, without the configuration.
    async fn traces(&self) -> Vec<String> {
        let dump = self.cloud.dump().await.unwrap();
        dump.into_iter()
            .map(|(place, text)| format!("{place} {text}"))
            .filter(|line| !line.contains("/config/current"))
            .collect()
    }
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split(before)
        .nth(1)
        .unwrap()
        .split(after)
        .next()
        .unwrap()
}

fn subject() -> SubjectId {
    SubjectId::from_random([7; 16])
}

#[tokio::test]
async fn the_form_leaves_a_request_that_only_the_code_redeems_and_no_number() {
    let world = World::with_configuration().await;
    let page = world
        .get("/opt-in?purpose=marketing,utility&lang=zh-Hant")
        .await;
    assert_eq!(page.status(), StatusCode::OK);
    let wording = between(text(&page), "name=\"wording\" value=\"", "\"");
    let body = format!("lang=zh-Hant&wording={wording}&purpose=marketing");
    let answer = world.post("/opt-in?purpose=marketing,utility", &body).await;
    assert_eq!(answer.status(), StatusCode::OK, "{}", text(&answer));
    let code = between(
        text(&answer),
        "https://wa.me/16135550100?text=CONFIRM%20",
        "\"",
    );

    let traces = world.traces().await;
    assert_eq!(traces.len(), 1, "one request, nothing queued, no keys");
    assert!(!traces[0].contains(code), "the code itself is not stored");
    let subjects = world.subjects().await;
    let person = SubjectId::from_random([7; 16]);
    let hash = optin_code::hash(&optin_code::find_in(&format!("confirm {code}")).unwrap());
    assert!(
        subjects
            .use_request(&hash, &person, now().plus_millis(72 * HOUR), "late")
            .await
            .unwrap()
            .is_none(),
        "72 hours are the end"
    );
    let request = subjects
        .use_request(&hash, &person, now().plus_millis(71 * HOUR), "m1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(request.asks, [(Purpose::Marketing, None)]);
    assert_eq!(request.locale, "zh-Hant");
    assert!(
        request.notice.contains("Maple Outfitters")
            && request.notice.contains("[x] 最新消息與優惠")
    );
    assert!(request.notice.contains("[ ] 訂單與預約的更新"));
}

#[tokio::test]
async fn a_form_without_a_tick_or_with_an_old_wording_is_shown_again() {
    let world = World::with_configuration().await;
    let page = world.get("/opt-in").await;
    let wording = between(text(&page), "name=\"wording\" value=\"", "\"").to_owned();
    for body in [
        format!("wording={wording}"),
        "wording=old&purpose=marketing".to_owned(),
        "purpose=marketing".to_owned(),
    ] {
        let answer = world.post("/opt-in", &body).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(text(&answer).contains("role=\"alert\""));
    }
    assert!(world.traces().await.is_empty());
}

#[tokio::test]
async fn a_scanner_that_opens_every_link_changes_nothing() {
    let world = World::with_configuration().await;
    let token = world.token(&subject()).await;
    for method in ["GET", "HEAD"] {
        for target in [
            "/opt-in",
            "/opt-in?purpose=marketing",
            "/privacy",
            &format!("/u/{token}"),
            &format!("/u/{token}?scope=everything"),
            &format!("/p/{token}"),
            &format!("/p/{token}?scope=everything"),
            "/do-not-sell",
            "/.well-known/gpc.json",
        ] {
            let answer = world
                .send(method, target, &[], "purpose=marketing&scope=everything")
                .await;
            assert_eq!(answer.status(), StatusCode::OK, "{method} {target}");
            assert_eq!(answer.body().is_empty(), method == "HEAD");
        }
    }
    assert!(world.traces().await.is_empty());
}

#[tokio::test]
async fn one_button_withdraws_and_the_record_is_on_the_queue_before_the_page_says_so() {
    let world = World::with_configuration().await;
    let token = world.token(&subject()).await;
    for (body, purposes) in [
        ("scope=marketing", vec![Purpose::Marketing]),
        (
            "scope=everything",
            vec![Purpose::Marketing, Purpose::Utility],
        ),
    ] {
        let answer = world.post(&format!("/u/{token}"), body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let traces = world.traces().await;
        let line = traces
            .iter()
            .find(|line| {
                line.contains(&format!(
                    "\"purpose\":{}",
                    serde_json::to_string(&purposes).unwrap()
                ))
            })
            .unwrap();
        assert!(
            line.contains("queue ")
                && line.contains(subject().as_str())
                && line.contains("withdrawn")
        );
    }
}

#[tokio::test]
async fn each_choice_is_stopped_on_its_own_and_the_page_says_so_once_it_is_durable() {
    let world = World::with_configuration().await;
    let token = world.token(&subject()).await;
    let page = world.get(&format!("/p/{token}")).await;
    assert_eq!(page.status(), StatusCode::OK);
    // Nobody is on record: what a contract needs can be stopped, marketing was never asked for.
    // And that their data be neither sold nor shared can be asked for.
    assert_eq!(text(&page).matches("<button").count(), 3);
    let answer = world.post(&format!("/p/{token}"), "scope=utility").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(&answer).contains("role=\"status\""));
    let traces = world.traces().await;
    assert_eq!(traces.len(), 1);
    assert!(traces[0].contains("\"purpose\":[\"utility\"]") && traces[0].contains("withdrawn"));
}

/// A person on record: the topics they may agree to are shown, stopped and led to one by one.
#[tokio::test]
async fn a_topic_is_stopped_alone_and_agreed_to_by_its_own_form() {
    let world = World::with_configuration().await;
    let subjects = world.subjects().await;
    subjects
        .keyring()
        .mint_vault(headgate_aws::keyring::VaultVersion::FIRST, now())
        .await
        .unwrap();
    let bsuid = Identifier::Bsuid(Bsuid::parse("CA.20000007").unwrap());
    let person = subjects.find_or_create(&[bsuid], now()).await.unwrap();
    let yes = Consent::alone(State::Given, now(), "L0.0", "paper");
    let is_put = subjects.put_consent(&person, Purpose::Marketing, None, None, &yes);
    assert!(is_put.await.unwrap());
    let path = format!("/p/{}", world.token(&person).await);
    let before = world.traces().await.len();
    let page = world.get(&path).await;
    for shown in ["Stop news and offers", "Stop: Offers", "Stop: Events"] {
        assert!(text(&page).contains(shown), "{shown}");
    }
    let answer = world.post(&path, "scope=marketing&topic=offers").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(&answer).contains("role=\"status\"") && !text(&answer).contains("Stop: Offers"));
    let traces = world.traces().await;
    assert_eq!(traces.len(), before + 1);
    let is_record = |line: &&String| line.contains("\"topics\":[\"offers\"]");
    let record = traces.iter().find(is_record).unwrap();
    assert!(record.contains("\"purpose\":[\"marketing\"]") && record.contains("withdrawn"));
    // What nobody declared stops nothing, and is not said to.
    let unknown = world.post(&path, "scope=marketing&topic=nothing").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.traces().await.len(), before + 1);

    let form = "/opt-in?purpose=marketing&topic=events";
    assert!(text(&answer).contains("/opt-in?purpose=marketing&amp;topic=offers"));
    let page = world.get(form).await;
    let wording = between(text(&page), "name=\"wording\" value=\"", "\"");
    let answer = world
        .post(form, &format!("wording={wording}&purpose=marketing"))
        .await;
    let code = between(text(&answer), "?text=CONFIRM%20", "\"");
    let hash = optin_code::hash(&optin_code::find_in(&format!("confirm {code}")).unwrap());
    let request = subjects.use_request(&hash, &person, now(), "m1").await;
    let request = request.unwrap().unwrap();
    let events = Topic::parse("events").ok();
    assert_eq!(request.asks, [(Purpose::Marketing, events)]);
    assert!(request.notice.contains("[x] Events: News and offers"));
}

/// By the rules of the person's country, which is on record in clear; their number stays sealed.
#[tokio::test]
async fn a_yes_that_has_expired_is_shown_so_and_the_number_is_not_opened() {
    let world = World::with_configuration().await;
    let subjects = world.subjects().await;
    subjects
        .keyring()
        .mint_vault(headgate_aws::keyring::VaultVersion::FIRST, now())
        .await
        .unwrap();
    let phone = Identifier::Phone(Phone::parse("+16135550100").unwrap());
    let person = subjects.find_or_create(&[phone], now()).await.unwrap();
    let long_ago = now().plus_millis(-2_000 * DAY);
    let yes = Consent::alone(State::Given, long_ago, "L0.0", "paper");
    let is_put = subjects.put_consent(&person, Purpose::Marketing, None, None, &yes);
    assert!(is_put.await.unwrap());
    let page = world
        .get(&format!("/p/{}", world.token(&person).await))
        .await;
    assert_eq!(
        text(&page).matches("has ended after a long time").count(),
        3
    );
    assert!(!text(&page).contains("6135550100"));
    let row = world.traces().await.join("\n");
    assert!(
        row.contains("phone_country") && !row.contains("6135550100"),
        "{row}"
    );
    let known = subjects
        .states(std::slice::from_ref(&person))
        .await
        .unwrap();
    assert_eq!(known[0].country(), Country::parse("CA").ok());
}

#[tokio::test]
async fn a_browser_that_sends_the_signal_is_told_that_it_is_honoured() {
    let world = World::with_configuration().await;
    let signal = [("sec-gpc", "1"), ("accept", "text/html")];
    let honoured = world.send("GET", "/do-not-sell", &signal, "").await;
    assert!(text(&honoured).contains("Opt-out request honored"));
    assert!(
        honoured.headers()["vary"]
            .to_str()
            .unwrap()
            .contains("sec-gpc")
    );
    let without = world.get("/do-not-sell").await;
    assert!(!text(&without).contains("Opt-out request honored"));
    let statement = world.get("/.well-known/gpc.json").await;
    assert_eq!(statement.headers()["content-type"], "application/json");
    assert!(world.traces().await.is_empty());
}

/// Whoever has the link asks with a button or by their browser's signal; of whom nothing is on record, the
/// answer is the same.
#[tokio::test]
async fn a_request_not_to_sell_travels_by_the_queue_and_says_nothing_of_whose_it_is() {
    let world = World::with_configuration().await;
    let bsuid = Identifier::Bsuid(Bsuid::parse("CA.20000007").unwrap());
    let subjects = world.subjects().await;
    subjects
        .keyring()
        .mint_vault(headgate_aws::keyring::VaultVersion::FIRST, now())
        .await
        .unwrap();
    let known = subjects.find_or_create(&[bsuid], now()).await;
    let mut answers = Vec::new();
    for person in [known.unwrap(), subject()] {
        let token = world.token(&person).await;
        let (choices, link) = (format!("/p/{token}"), format!("/u/{token}"));
        let before = world.traces().await.len();
        let pressed = world.post(&choices, "scope=sale").await;
        assert_eq!(pressed.status(), StatusCode::OK);
        let signal = [("sec-gpc", "1"), ("accept", "text/html")];
        let seen = world.send("GET", &choices, &signal, "").await;
        assert_eq!(
            world.send("GET", &link, &signal, "").await.status(),
            StatusCode::OK
        );
        // A preview asks with HEAD, and a browser without the signal asks for nothing.
        world.send("HEAD", &choices, &signal, "").await;
        world.get(&choices).await;
        let traces = world.traces().await;
        assert_eq!(traces.len(), before + 3);
        let of = |method: &str| {
            let expected = format!("\"method\":\"{method}\"");
            let is_it = |line: &&String| line.contains(person.as_str()) && line.contains(&expected);
            traces.iter().filter(is_it).count()
        };
        assert_eq!((of("link"), of("gpc")), (1, 2));
        for page in [&pressed, &seen] {
            assert!(text(page).contains("Opt-out request honored"));
        }
        assert!(text(&pressed).contains("role=\"status\""));
        answers.push([pressed.into_body(), seen.into_body()]);
    }
    assert!(answers[0] == answers[1], "the same for anybody");
}

#[tokio::test]
async fn a_forged_link_and_an_unknown_address_are_told_the_same() {
    let world = World::with_configuration().await;
    let mut forged = world.token(&subject()).await;
    forged.pop();
    let nowhere = world.get("/nowhere").await;
    for target in [
        format!("/u/{forged}"),
        "/u/x".to_owned(),
        format!("/u/{}", "a".repeat(5_000)),
        format!("/p/{forged}"),
    ] {
        let got = world.get(&target).await;
        let posted = world.post(&target, "scope=everything").await;
        assert_eq!(
            (got.status(), got.body()),
            (StatusCode::NOT_FOUND, nowhere.body())
        );
        assert_eq!(
            (posted.status(), posted.body()),
            (StatusCode::NOT_FOUND, nowhere.body())
        );
    }
    assert!(world.traces().await.is_empty());
}

#[tokio::test]
async fn a_no_is_possible_while_the_configuration_cannot_be_read() {
    let world = World::new(|_| {}).await;
    let token = world.token(&subject()).await;
    assert_eq!(
        world.get("/opt-in").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        world.get("/privacy").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        world.get(&format!("/u/{token}")).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        world.post(&format!("/u/{token}"), "").await.status(),
        StatusCode::OK
    );
    assert_eq!(world.traces().await.len(), 1);
}

#[tokio::test]
async fn what_is_not_durable_is_not_confirmed() {
    let world = World::new(|environment| {
        environment.insert(
            "HEADGATE_QUEUE_CONSENTS_URL".to_owned(),
            "http://127.0.0.1/000000000000/no-such-queue".to_owned(),
        );
    })
    .await;
    let token = world.token(&subject()).await;
    let answer = world.post(&format!("/u/{token}"), "").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(&answer).contains("Nothing was changed"));
}

#[tokio::test]
async fn every_route_and_every_refusal_carries_the_headers_and_repeats_nothing() {
    let world = World::with_configuration().await;
    let token = world.token(&subject()).await;
    let attack = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let link = format!("/u/{token}");
    let attacks = [
        (
            "GET",
            format!("/opt-in?purpose={attack}&lang={attack}"),
            200,
        ),
        ("GET", format!("/privacy?lang={attack}"), 200),
        ("GET", format!("{link}?lang={attack}"), 200),
        ("GET", format!("/p/{token}?lang={attack}"), 200),
        ("GET", format!("/do-not-sell?lang={attack}"), 200),
        ("GET", format!("/p/{attack}"), 404),
        ("POST", "/do-not-sell".to_owned(), 405),
        ("GET", format!("/{attack}"), 404),
        ("GET", format!("/u/{attack}"), 404),
        ("PUT", link.clone(), 405),
        ("DELETE", "/opt-in".to_owned(), 405),
        ("POST", "/privacy".to_owned(), 405),
    ];
    for (method, target, status) in attacks {
        for accept in ["text/html", "application/json"] {
            let answer = world
                .send(
                    method,
                    &target,
                    &[
                        ("accept", accept),
                        ("content-type", FORM),
                        ("accept-language", "\"><script>"),
                    ],
                    "",
                )
                .await;
            assert_eq!(answer.status().as_u16(), status, "{method} {target}");
            for header in HEADERS {
                assert!(
                    answer.headers().contains_key(header),
                    "{method} {target} {header}"
                );
            }
            assert!(!text(&answer).contains("<script") && !text(&answer).contains("alert(1)"));
            let is_problem = status >= 400 && accept == "application/json";
            assert_eq!(
                answer.headers()["content-type"] == "application/problem+json",
                is_problem
            );
        }
    }
    for target in ["/opt-in", link.as_str()] {
        let large = "a".repeat(4 * 1024 + 1);
        for (headers, body, status) in [
            (vec![("content-type", FORM)], large.as_str(), 413),
            (vec![("content-type", "application/json")], "{}", 415),
            (vec![], "", 415),
            (
                vec![("content-type", FORM), ("sec-fetch-site", "cross-site")],
                "scope=everything",
                403,
            ),
            (
                vec![("content-type", FORM), ("origin", "https://evil.example")],
                "scope=everything",
                403,
            ),
        ] {
            let answer = world.send("POST", target, &headers, body).await;
            assert_eq!(answer.status().as_u16(), status, "{target}");
            for header in HEADERS {
                assert!(answer.headers().contains_key(header), "{target} {header}");
            }
        }
    }
    assert!(world.traces().await.is_empty());
}
