//! What strangers, people and systems send over a socket: to the webhook, the pages and the API.

use std::sync::Arc;

use consent_api::ConsentApi;
use futures_util::future::join_all;
use headgate::secrets::sign;
use headgate_aws::api_tokens::ApiTokens;
use headgate_aws::peppers::pepper;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::api_token::{ApiToken, PlainToken, Scope};
use headgate_domain::identity::SubjectId;
use headgate_domain::link;
use headgate_domain::time::HOUR;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use local_cloud::HttpHandler;
use meta_simulator::Person;
use privacy_web::PrivacyWeb;
use serde_json::{Value, json};
use webhook::{AwsPorts, Webhook};

use crate::list::{APP, BODIES, CODES, MEDIA, NAMES, PHONES, USER_IDS, wamids};
use crate::world::{NUMBER, World};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const SIGNATURE: &str = "X-Hub-Signature-256";

async fn webhook(settings: &Settings, clock: Clock) -> HttpHandler {
    let names = webhook::config::Config::from_settings(settings).unwrap();
    let aws = Aws::new(&AwsSettings::new(settings.lookup()).unwrap()).unwrap();
    let ports = AwsPorts::new(&aws, &names);
    let webhook = Arc::new(Webhook::new(ports, names.callers, clock).await.unwrap());
    Arc::new(move |request| {
        let webhook = Arc::clone(&webhook);
        Box::pin(async move { webhook.handle(request).await })
    })
}

async fn pages(settings: &Settings, clock: Clock) -> HttpHandler {
    let pages = Arc::new(PrivacyWeb::new(settings, clock).await.unwrap());
    Arc::new(move |request| {
        let pages = Arc::clone(&pages);
        Box::pin(async move { pages.handle(request).await })
    })
}

async fn api(settings: &Settings, clock: Clock) -> HttpHandler {
    let api = Arc::new(ConsentApi::new(settings, clock).await.unwrap());
    Arc::new(move |request| {
        let api = Arc::clone(&api);
        Box::pin(async move { api.handle(request).await })
    })
}

/// Puts functions behind the doors whose clock can be broken.
pub(crate) async fn open(world: &World) {
    let clock = world.fragile_clock();
    let all = [
        (
            "WebhookFunction",
            webhook(&world.settings("WebhookFunction", &[]), clock.clone()).await,
        ),
        (
            "PrivacyWebFunction",
            pages(&world.settings("PrivacyWebFunction", &[]), clock.clone()).await,
        ),
        (
            "ConsentApiFunction",
            api(&world.settings("ConsentApiFunction", &[]), clock).await,
        ),
    ];
    for (function, handler) in all {
        world.cloud().connect_http(function, handler).unwrap();
    }
}

/// A notification as Meta writes it.
pub(crate) fn notification(field: &str, value: Value) -> String {
    let mut value = value;
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({ "display_phone_number": "16135550100", "phone_number_id": NUMBER });
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": field, "value": value }] }] })
        .to_string()
}

fn digits(phone: &str) -> &str {
    phone.trim_start_matches('+')
}

/// People who write, send a picture with everything in it, and something Meta has not invented yet.
pub(crate) fn people_write(world: &World) -> String {
    let [first, second, _] = wamids();
    let at = world.now().seconds().to_string();
    notification(
        "messages",
        json!({
            "contacts": [
                { "profile": { "name": NAMES[1] }, "wa_id": digits(PHONES[4]), "user_id": USER_IDS[1] },
                { "profile": { "name": NAMES[2], "username": NAMES[3] }, "user_id": USER_IDS[3] },
            ],
            "messages": [
                { "from": digits(PHONES[4]), "from_user_id": USER_IDS[1], "id": first, "timestamp": at, "type": "text",
                  "text": { "body": format!("Where is my {}?", BODIES[0]) } },
                { "from_user_id": USER_IDS[3], "id": second, "timestamp": at, "type": "image",
                  "image": { "caption": BODIES[2], "id": MEDIA[0], "url": MEDIA[1], "mime_type": "image/jpeg", "sha256": "x" } },
                { "from_user_id": USER_IDS[3], "id": format!("{second}A"), "timestamp": at, "type": "contacts",
                  "contacts": [{ "name": { "formatted_name": NAMES[4] }, "phones": [{ "phone": PHONES[5], "wa_id": digits(PHONES[5]) }] }] },
                { "from_user_id": USER_IDS[3], "id": format!("{second}B"), "timestamp": at, "type": "hologram",
                  "hologram": { NAMES[5]: BODIES[1] } },
            ],
        }),
    )
}

/// Statuses about messages that are not ours, and Meta's own switch.
pub(crate) fn statuses(world: &World) -> String {
    let [first, _, third] = wamids();
    let at = world.now().seconds().to_string();
    let error = json!({ "code": 131_026, "title": NAMES[0], "message": format!("to {}", PHONES[5]),
        "error_data": { "details": format!("{} {}", BODIES[1], MEDIA[1]) }, "href": MEDIA[1] });
    notification(
        "messages",
        json!({
            "contacts": [{ "wa_id": digits(PHONES[5]), "user_id": USER_IDS[1] }],
            "statuses": [
                { "id": third, "status": "failed", "timestamp": at, "recipient_id": digits(PHONES[5]), "recipient_user_id": USER_IDS[1],
                  "errors": [error], "biz_opaque_callback_data": APP[0] },
                { "id": first, "status": NAMES[3], "timestamp": PHONES[5], "recipient_id": digits(PHONES[5]) },
            ],
        }),
    )
}

fn garbage() -> String {
    format!(
        "{{\"object\": {} {} {} {} {} {}",
        PHONES[5],
        NAMES[0],
        BODIES[0],
        USER_IDS[1],
        wamids()[2],
        CODES[1]
    )
}

/// More than a queue message holds, however it is packed.
pub(crate) fn huge(world: &World) -> String {
    let mut state = 0x5eed_u64;
    let noise: String = (0..1_500_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(
                b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
                    [usize::try_from(state >> 33).unwrap() % 57],
            )
        })
        .collect();
    let mut value: Value = serde_json::from_str(&people_write(world)).unwrap();
    value["entry"][0]["changes"][0]["value"]["noise"] = json!(noise);
    value.to_string()
}

impl World {
    pub(crate) fn signature(&self, body: &str) -> String {
        format!(
            "sha256={}",
            sign(&self.stage.secrets.app_secret, body.as_bytes())
        )
    }

    async fn notify(&self, body: &str, signature: Option<&str>) -> u16 {
        let mut headers = vec![
            JSON,
            ("User-Agent", PHONES[1]),
            ("X-Forwarded-For", CODES[0]),
        ];
        headers.extend(signature.map(|value| (SIGNATURE, value)));
        self.ask("HooksApi", "POST /webhook", &headers, body.as_bytes())
            .await
            .status
    }

    /// Meta calls with everything in order.
    pub(crate) async fn notify_signed(&self, body: &str) -> u16 {
        self.notify(body, Some(&self.signature(body))).await
    }
}

/// The webhook, from the handshake to a queue that is away.
pub(crate) async fn to_the_webhook(world: &World) {
    let went = |way: &str| world.went("webhook", way);
    let shake = |token: &str, challenge: &str| {
        format!(
            "GET /webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}"
        )
    };
    let token = world.stage.secrets.verify_token.clone();
    assert_eq!(
        world
            .ask("HooksApi", &shake(&token, "1158201444"), &[], b"")
            .await
            .status,
        200
    );
    went("handshake");
    for token in [CODES[0], &percent(NAMES[0]), &format!("{token}x")] {
        assert_eq!(
            world
                .ask("HooksApi", &shake(token, &percent(PHONES[0])), &[], b"")
                .await
                .status,
            403
        );
    }
    went("handshake refused");

    let body = people_write(world);
    let signature = world.signature(&body);
    world
        .list
        .lock()
        .unwrap()
        .add("signature", signature.trim_start_matches("sha256="));
    assert_eq!(world.notify(&body, Some(&signature)).await, 200);
    went("taken");
    let wrong = format!("sha256={}", sign(CODES[0], body.as_bytes()));
    for signature in [None, Some(""), Some(&*wrong), Some(CODES[0])] {
        assert_eq!(world.notify(&statuses(world), signature).await, 401);
    }
    assert_eq!(world.notify(&statuses(world), Some(&signature)).await, 401);
    went("bad signature");
    assert_eq!(world.notify_signed(&garbage()).await, 200);
    went("not JSON");
    let too_large = huge(world).repeat(3);
    assert_eq!(world.notify_signed(&too_large).await, 413);
    went("too large");
    assert_eq!(world.notify_signed(&huge(world)).await, 200);
    went("stored in the bucket");
    world.break_clock(true);
    assert_eq!(world.notify_signed(&huge(world)).await, 503);
    world.break_clock(false);
    went("panic");
}

/// The same doors with the services behind them away, last of all.
pub(crate) async fn with_nothing_behind(world: &World) {
    let clock = world.fragile_clock();
    let settings = world.settings("WebhookFunction", &["SQS", "S3"]);
    world
        .cloud()
        .connect_http("WebhookFunction", webhook(&settings, clock.clone()).await)
        .unwrap();
    let bodies = [people_write(world), statuses(world), huge(world)];
    let statuses = join_all(bodies.iter().map(|body| world.notify_signed(body))).await;
    assert_eq!(statuses, [503; 3]);
    world.went("webhook", "away");

    let settings = world.settings("PrivacyWebFunction", &["DYNAMODB", "SQS"]);
    world
        .cloud()
        .connect_http("PrivacyWebFunction", pages(&settings, clock.clone()).await)
        .unwrap();
    let link = value_of(world, "link token");
    let lines = [opt_in(), format!("POST /u/{link}")];
    let headers = [FORM, ("Sec-Fetch-Site", "same-origin")];
    let asked = lines
        .iter()
        .map(|line| world.ask("PrivacyApi", line, &headers, b"scope=everything"));
    for answer in join_all(asked).await {
        assert_eq!(answer.status, 503);
    }
    world.went("privacy-web", "away");

    let settings = world.settings("ConsentApiFunction", &["DYNAMODB", "SQS"]);
    world
        .cloud()
        .connect_http("ConsentApiFunction", api(&settings, clock).await)
        .unwrap();
    let bearer = format!("Bearer {}", value_of(world, "api token"));
    let record = record(world, "away", &json!({ "phone": PHONES[7] })).to_string();
    let answer = world
        .ask(
            "ConsentApi",
            "POST /consents",
            &[JSON, ("Authorization", &bearer)],
            record.as_bytes(),
        )
        .await;
    assert_eq!(answer.status, 503);
    world.went("consent-api", "away");
}

fn value_of(world: &World, label: &str) -> String {
    let list = world.list.lock().unwrap();
    list.each()
        .find(|(known, _)| *known == label)
        .unwrap()
        .1
        .to_owned()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

fn opt_in() -> String {
    format!(
        "GET /opt-in?purpose=marketing&from={}&utm={}",
        percent(NAMES[1]),
        percent(PHONES[0])
    )
}

/// The pages, from the opt-in to a clock that breaks.
pub(crate) async fn to_the_pages(world: &World) {
    let went = |way: &str| world.went("privacy-web", way);
    let ours = [
        FORM,
        ("Sec-Fetch-Site", "same-origin"),
        ("User-Agent", CODES[1]),
        ("X-Forwarded-For", CODES[1]),
    ];
    let page = world.ask("PrivacyApi", &opt_in(), &ours, b"").await;
    assert_eq!(page.status, 200);
    let wording = between(&page.text, "name=\"wording\" value=\"", "\"");
    let form = format!(
        "wording={wording}&purpose=marketing&lang=en&note={}",
        percent(BODIES[0])
    );
    let code = world
        .ask_for(
            "PrivacyApi",
            "POST /opt-in?purpose=marketing",
            &ours,
            form.as_bytes(),
            |text| between(text, "https://wa.me/16135550100?text=CONFIRM%20", "\"").to_owned(),
        )
        .await;
    world.list.lock().unwrap().add("consent code", &code);
    let person = Person::Phone {
        e164: PHONES[4].to_owned(),
        name: NAMES[1].to_owned(),
        bsuid: USER_IDS[1].to_owned(),
    };
    world
        .meta()
        .inbound_text(NUMBER, &person, &format!("CONFIRM {code}"))
        .await
        .unwrap();
    world.put_in(&code);
    world
        .told(
            &[r#""type":"subject.opted_in""#, r#""method":"message_in""#],
            1,
        )
        .await;
    went("pages");

    let events = world.on_queue("-app-events").await;
    // The one whose app was told the link.
    let opted_in = events
        .iter()
        .find(|text| text.contains("Xylo.yes-1") && text.contains("unsubscribe_url"))
        .unwrap();
    let subject = SubjectId::parse(between(opted_in, r#""subject":""#, "\"")).unwrap();
    let environment = world.environment("PrivacyWebFunction");
    let deployment = &environment["HEADGATE_DEPLOYMENT"];
    let links = pepper(
        &world.stage.aws,
        &environment["HEADGATE_KMS_MAC_LINKS"],
        deployment,
    )
    .await;
    let token = link::token(&links.unwrap(), deployment, &subject);
    world.list.lock().unwrap().add("link token", &token);
    for (line, body) in [
        (format!("GET /u/{token}"), ""),
        (format!("GET /p/{token}?lang={}", percent(NAMES[4])), ""),
        (format!("POST /p/{token}"), "scope=sale"),
        (format!("POST /u/{token}"), "scope=marketing"),
    ] {
        assert_eq!(
            world
                .ask("PrivacyApi", &line, &ours, body.as_bytes())
                .await
                .status,
            200,
            "{line}"
        );
    }
    world
        .told(&[r#""type":"subject.opted_out""#, r#""method":"link""#], 1)
        .await;
    went("link pressed");
    for line in [
        format!("GET /u/{}", percent(NAMES[0])),
        format!("GET /u/{token}{}", CODES[0]),
        format!("POST /p/{}", percent(PHONES[0])),
        format!("GET /c/{}", percent(&wamids()[0])),
        format!("POST /c/{}", percent(BODIES[2])),
        format!("GET /privacy/{}", percent(USER_IDS[0])),
    ] {
        let answer = world
            .ask("PrivacyApi", &line, &ours, percent(NAMES[3]).as_bytes())
            .await;
        assert!(
            (400..500).contains(&answer.status),
            "{line}: {}",
            answer.status
        );
    }
    went("wrong link");
    world.break_clock(true);
    assert_eq!(
        world.ask("PrivacyApi", &opt_in(), &ours, b"").await.status,
        503
    );
    world.break_clock(false);
    went("panic");
}

fn record(world: &World, id: &str, to: &Value) -> Value {
    json!({ "schema": "headgate.consent/1", "id": format!("{}.{id}", APP[0]), "to": to, "purpose": "marketing",
        "action": "given", "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp", "locale": "en",
        "evidence": { "form": "checkout-7", "page": "maple.example/checkout", "signed_by": NAMES[0], "by": CODES[1] },
        "occurred_at": world.now().plus_millis(-1_000).to_string() })
}

/// The HTTP API, from a token to a clock that breaks.
pub(crate) async fn to_the_api(world: &World) {
    let went = |way: &str| world.went("consent-api", way);
    let environment = world.environment("ConsentApiFunction");
    let deployment = &environment["HEADGATE_DEPLOYMENT"];
    let plain = PlainToken::from_random(deployment, &headgate_aws::random().unwrap());
    let token = ApiToken {
        hash: plain.hashed(deployment),
        name: "canaries".to_owned(),
        scopes: vec![
            Scope::ConsentsWrite,
            Scope::ConsentsAttest,
            Scope::ConsentsRead,
        ],
        created_at: world.now(),
        expires_at: world.now().plus_millis(HOUR),
        revoked_at: None,
    };
    let tokens = ApiTokens::new(
        &world.stage.aws,
        &environment["HEADGATE_TABLE_PRIVACY_REQUESTS"],
    );
    tokens.put(&token).await.unwrap();
    world.list.lock().unwrap().add("api token", plain.expose());
    let bearer = format!("Bearer {}", plain.expose());
    let ours = [
        JSON,
        ("Authorization", bearer.as_str()),
        ("User-Agent", PHONES[1]),
    ];

    for (id, to) in [
        ("a", json!({ "phone": PHONES[7], "ref": APP[1] })),
        ("b", json!({ "bsuid": USER_IDS[4] })),
    ] {
        let body = record(world, id, &to).to_string();
        for _twice in 0..2 {
            assert_eq!(
                world
                    .ask("ConsentApi", "POST /consents", &ours, body.as_bytes())
                    .await
                    .status,
                202
            );
        }
        world
            .told(
                &[r#""type":"subject.opted_in""#, &format!("{}.{id}", APP[0])],
                1,
            )
            .await;
    }
    let question =
        json!({ "schema": "headgate.consent-query/1", "to": { "bsuid": USER_IDS[4] } }).to_string();
    assert_eq!(
        world
            .ask(
                "ConsentApi",
                "POST /consents/query",
                &ours,
                question.as_bytes()
            )
            .await
            .status,
        200
    );
    went("taken");
    let mut other = record(world, "a", &json!({ "phone": PHONES[6] }));
    other["notice"] = json!(NAMES[2]);
    assert_eq!(
        world
            .ask(
                "ConsentApi",
                "POST /consents",
                &ours,
                other.to_string().as_bytes()
            )
            .await
            .status,
        409
    );
    went("duplicate");
    let mut wrong: Vec<String> = vec![
        garbage(),
        json!({ NAMES[0]: PHONES[7] }).to_string(),
        json!([PHONES[7], NAMES[0], BODIES[0]]).to_string(),
        json!({ "records": [{ "id": PHONES[7], NAMES[1]: BODIES[1] }] }).to_string(),
    ];
    for member in [
        "schema",
        "id",
        "to",
        "purpose",
        "action",
        "method",
        "notice",
        "locale",
        "occurred_at",
        "evidence",
    ] {
        let mut record = record(world, "c", &json!({ "phone": PHONES[7] }));
        record[member] = json!(format!("{} {} {}", PHONES[7], NAMES[3], CODES[0]));
        wrong.push(record.to_string());
    }
    let mut refused = 0;
    for body in &wrong {
        let status = world
            .ask("ConsentApi", "POST /consents", &ours, body.as_bytes())
            .await
            .status;
        refused += usize::from((400..500).contains(&status));
    }
    // A notice may be any text.
    assert!(refused >= wrong.len() - 1, "{refused} of {}", wrong.len());
    went("malformed");
    let confirm = record(world, "d", &json!({ "phone": PHONES[5] })).to_string();
    let link = world
        .ask_for(
            "ConsentApi",
            "POST /confirmations",
            &ours,
            confirm.as_bytes(),
            |text| {
                let url = between(text, r#""url":""#, "\"");
                url.rsplit('/').next().unwrap().to_owned()
            },
        )
        .await;
    world.list.lock().unwrap().add("confirm token", &link);
    // The link works once intake has recorded whom it asks.
    world
        .until("the link is recorded", async || {
            let dump = world.cloud().dump().await.unwrap();
            let is_row = |place: &str| place.contains("subjects/doi#");
            dump.iter().any(|(place, _)| is_row(place))
        })
        .await;
    let person = [
        FORM,
        ("Sec-Fetch-Site", "same-origin"),
        ("Accept", "text/html"),
        (
            "User-Agent",
            "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0 Mobile",
        ),
    ];
    for (line, body) in [
        (format!("GET /c/{link}"), String::new()),
        (
            format!("POST /c/{link}"),
            format!("token={link}&lang=en&agree=yes"),
        ),
    ] {
        let answer = world
            .ask("PrivacyApi", &line, &person, body.as_bytes())
            .await;
        assert_eq!(answer.status, 200, "{line}: {}", answer.text);
    }
    went("link issued");
    for bearer in [
        format!("Bearer {}", CODES[0]),
        format!("Bearer {}x", plain.expose()),
        PHONES[0].to_owned(),
    ] {
        let headers = [JSON, ("Authorization", bearer.as_str())];
        let body = record(world, "e", &json!({ "phone": PHONES[7] })).to_string();
        assert_eq!(
            world
                .ask("ConsentApi", "POST /consents", &headers, body.as_bytes())
                .await
                .status,
            401
        );
    }
    went("wrong token");
    world.break_clock(true);
    let body = record(world, "f", &json!({ "phone": PHONES[7] })).to_string();
    assert_eq!(
        world
            .ask("ConsentApi", "POST /consents", &ours, body.as_bytes())
            .await
            .status,
        503
    );
    world.break_clock(false);
    went("panic");
}
