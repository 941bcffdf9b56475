//! The doors by which people and apps say no without writing to us: the page behind a link, the HTTP API,
//! the command line. Each puts its record on the consents queue, and SQS hands it to intake.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser as _;
use consent_api::ConsentApi;
use headgate::cli::{Cli, Command};
use headgate::{commands, env_file};
use headgate_aws::peppers::pepper;
use headgate_domain::api_token::{PlainToken, Scope};
use headgate_domain::identity::{Pepper, SubjectId};
use headgate_domain::link;
use headgate_lambda::batch::SqsEvent;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::Stage;
use http::Request;
use intake::Intake;
use privacy_web::PrivacyWeb;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Longer than anything may take.
const GIVE_UP: Duration = Duration::from_mins(1);

pub(crate) struct Doors {
    pages: PrivacyWeb,
    api: ConsentApi,
    token: PlainToken,
    links: Pepper,
    deployment: String,
    env_file: String,
    /// What intake has taken from the queue, and when it was done.
    taken: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Doors {
    /// Opens them; `tables` is where the functions find their tables.
    pub(crate) async fn open(stage: &Stage, intake: &Arc<Intake>, tables: &str) -> Self {
        let settings = |function: &str| {
            let mut environment = stage.environment(function);
            environment.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), tables.to_owned());
            Settings::from_map(environment)
        };
        let environment = stage.environment("PrivacyWebFunction");
        let deployment = environment["HEADGATE_DEPLOYMENT"].clone();
        let key = &environment["HEADGATE_KMS_MAC_LINKS"];
        let env_file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("withdrawal.env");
        let mut values: Vec<(String, String)> =
            stage.environment("SenderFunction").into_iter().collect();
        let control = tell_the_time(stage.clock()).await;
        values.push(("HEADGATE_DEV_CONTROL_URL".to_owned(), control));
        env_file::write(&env_file, &values).unwrap();
        let clock = stage.clock();
        let doors = Self {
            pages: PrivacyWeb::new(&settings("PrivacyWebFunction"), clock.clone())
                .await
                .unwrap(),
            api: ConsentApi::new(&settings("ConsentApiFunction"), clock.clone())
                .await
                .unwrap(),
            token: stage.api_token(&[Scope::ConsentsWrite]).await,
            links: pepper(&stage.aws(), key, &deployment).await.unwrap(),
            deployment,
            env_file: env_file.to_str().unwrap().to_owned(),
            taken: Arc::default(),
        };
        doors.connect(stage, Arc::clone(intake));
        doors
    }

    /// Has SQS call intake, as the template's event source does.
    fn connect(&self, stage: &Stage, intake: Arc<Intake>) {
        let taken = Arc::clone(&self.taken);
        let handler = move |event: Value| {
            let (intake, taken) = (Arc::clone(&intake), Arc::clone(&taken));
            Box::pin(async move {
                let event: SqsEvent = serde_json::from_value(event).unwrap();
                let answer = intake.handle(event.clone()).await;
                let back = |id: &str| {
                    let mut failures = answer.batch_item_failures.iter();
                    failures.any(|failure| failure.item_identifier == id)
                };
                let done = event.records.iter().filter(|r| !back(&r.message_id));
                let done = done.map(|record| (record.body.clone(), Instant::now()));
                taken.lock().unwrap().extend(done);
                Ok(serde_json::to_value(&answer).unwrap())
            }) as _
        };
        let connected = stage.cloud().connect("IntakeFunction", Arc::new(handler));
        connected.unwrap();
    }

    /// Opens the page of a person's link and presses its button.
    pub(crate) async fn press_stop(&self, subject: &SubjectId) {
        let address = format!("/u/{}", link::token(&self.links, &self.deployment, subject));
        let page = Request::get(&address).body(Bytes::new()).unwrap();
        assert_eq!(self.pages.handle(page).await.status(), 200);
        let button = Request::post(&address)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Bytes::from_static(b"scope=marketing"));
        let answer = self.pages.handle(button.unwrap()).await;
        assert_eq!(answer.status(), 200);
    }

    /// Sends a record to the API; what it cannot store it says so, and the app sends it again.
    pub(crate) async fn post(&self, record: &Value) {
        for _ in 0..10 {
            let request = Request::post("/consents")
                .header("content-type", "application/json")
                .header("authorization", format!("Bearer {}", self.token.expose()))
                .body(Bytes::from(record.to_string()));
            let answer = self.api.handle(request.unwrap()).await;
            if answer.status() == 202 {
                return;
            }
            assert_eq!(answer.status(), 503);
        }
        unreachable!("the API never stored it");
    }

    /// `headgate opt-out`.
    pub(crate) async fn opt_out(&self, bsuid: &str, id: &str) {
        let line = format!(
            "headgate opt-out --bsuid {bsuid} --purpose marketing --id {id} --json --env-file {}",
            self.env_file
        );
        let Some(Command::OptOut(args)) = Cli::try_parse_from(line.split(' ')).unwrap().command
        else {
            unreachable!("it is one");
        };
        commands::consent::opt_out(&args).await.unwrap();
    }

    /// Waits until intake has stored a record with this text; when that was.
    pub(crate) async fn stored(&self, text: &str) -> Instant {
        let started = Instant::now();
        loop {
            let found = {
                let taken = self.taken.lock().unwrap();
                taken.iter().find(|(body, _)| body.contains(text)).cloned()
            };
            if let Some((_body, at)) = found {
                return at;
            }
            assert!(started.elapsed() < GIVE_UP, "never stored");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The control address of a local run, as far as the command line asks it for the time of the calendar.
async fn tell_the_time(clock: Clock) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _from)) = listener.accept().await {
            let mut request = [0_u8; 1024];
            let length = client.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /clock "));
            let body = json!({ "now_ms": clock().millis() }).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            client.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}
