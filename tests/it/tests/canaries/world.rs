//! A deployment through which the canaries go: the stage of `headgate dev`, watched all the time.
//!
//! Owns the doors (bytes on a socket), the clock that panics on order, and the watch: tables, queues and buckets are
//! read again and again, so that what lay somewhere for a moment is searched too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headgate::stage::{Options, Stage};
use headgate_aws::keyring::Keyring;
use headgate_aws::queue::Queue;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsEvent;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::events;
use local_cloud::{Calendar, LocalCloud};
use meta_simulator::Simulator;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::list::{self, List};

/// Longer than anything may take.
const GIVE_UP: Duration = Duration::from_mins(3);
/// Between two looks at everything.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Nothing listens here.
const NOWHERE: &str = "http://127.0.0.1:9";
pub(crate) const NUMBER: &str = "106540352242922";

/// Places and what they held.
pub(crate) type Places = BTreeSet<(String, String)>;

pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) list: Mutex<List>,
    places: Arc<Mutex<Places>>,
    inputs: Mutex<BTreeSet<String>>,
    went: Mutex<BTreeSet<(String, String)>>,
    fragile: Arc<AtomicBool>,
    watch: JoinHandle<()>,
}

/// What came back over a socket.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        let stage = Stage::start(Options {
            first_port: None,
            data_dir: None,
            graph_url: None,
            // Nobody's quiet hours.
            calendar: Calendar::at_fixed_morning(),
            per_second: None,
            sends: true,
        });
        let stage = Box::pin(stage).await.unwrap();
        let mut list = List::known();
        list.add("app secret", &stage.secrets.app_secret);
        list.add("access token", &stage.secrets.access_token);
        list.add("appsecret proof", &stage.secrets.appsecret_proof);
        list.add("verify token", &stage.secrets.verify_token);
        let places: Arc<Mutex<Places>> = Arc::default();
        Self {
            watch: watch(Arc::clone(&stage.cloud), Arc::clone(&places)),
            stage,
            list: Mutex::new(list),
            places,
            inputs: Mutex::default(),
            went: Mutex::default(),
            fragile: Arc::default(),
        }
    }

    pub(crate) fn cloud(&self) -> &LocalCloud {
        &self.stage.cloud
    }

    pub(crate) fn meta(&self) -> &Simulator {
        self.stage.simulator.as_ref().unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.stage.now()
    }

    pub(crate) fn environment(&self, function: &str) -> BTreeMap<String, String> {
        let mut environment = self.cloud().function_environment(function).unwrap();
        if let Some(url) = environment.get_mut("HEADGATE_PRIVACY_URL") {
            *url = self.stage.privacy_url().unwrap();
        }
        if let Some(url) = environment.get_mut("HEADGATE_GRAPH_URL") {
            self.stage.graph_url.clone_into(url);
        }
        environment
    }

    /// The settings of a function for which some services are away.
    pub(crate) fn settings(&self, function: &str, away: &[&str]) -> Settings {
        let mut environment = self.environment(function);
        for service in away {
            let endpoint = format!("AWS_ENDPOINT_URL_{service}");
            assert!(environment.insert(endpoint, NOWHERE.to_owned()).is_some());
        }
        Settings::from_map(environment)
    }

    pub(crate) fn keyring(&self) -> Keyring {
        let environment = self.environment("IntakeFunction");
        let setting = |name: &str| environment[name].as_str();
        Keyring::new(
            &self.stage.aws,
            setting("HEADGATE_TABLE_KEYS"),
            setting("HEADGATE_KMS_KEY_DATA"),
            setting("HEADGATE_DEPLOYMENT"),
        )
    }

    /// The clock of functions that panic on order, with canaries in what they say.
    pub(crate) fn fragile_clock(&self) -> Clock {
        let (armed, calendar) = (Arc::clone(&self.fragile), self.cloud().calendar());
        let words = [
            list::PHONES[0],
            list::NAMES[0],
            list::BODIES[0],
            list::CODES[0],
        ]
        .join(" ");
        Arc::new(move || {
            assert!(!armed.load(Ordering::SeqCst), "{words}");
            Timestamp::from_millis(calendar.now_ms())
        })
    }

    /// From now on, or no longer, whoever looks at the fragile clock panics.
    pub(crate) fn break_clock(&self, is_broken: bool) {
        self.fragile.store(is_broken, Ordering::SeqCst);
    }

    /// Notes that a function went a way, once it is certain that it did.
    pub(crate) fn went(&self, function: &str, way: &str) {
        let mut went = self.went.lock().unwrap();
        went.insert((function.to_owned(), way.to_owned()));
    }

    pub(crate) fn ways(&self) -> Value {
        let went = self.went.lock().unwrap();
        went.iter()
            .map(|(function, way)| json!([function, way]))
            .collect()
    }

    /// Notes what goes in, so that it is certain that every canary did.
    pub(crate) fn put_in(&self, text: &str) {
        // What is huge is a smaller one with noise.
        if text.len() < 100_000 {
            self.inputs.lock().unwrap().insert(text.to_owned());
        }
    }

    pub(crate) fn inputs(&self) -> Value {
        let inputs = self.inputs.lock().unwrap();
        inputs.iter().map(|text| json!(["input", text])).collect()
    }

    pub(crate) fn keep(&self, place: &str, text: &str) {
        let mut places = self.places.lock().unwrap();
        places.insert((place.to_owned(), text.to_owned()));
    }

    /// Everything that was seen anywhere so far.
    pub(crate) async fn places(&self) -> Places {
        let now = self.cloud().dump().await.unwrap();
        let mut places = self.places.lock().unwrap();
        places.extend(now);
        places.clone()
    }

    /// Ends the watch; what is there now is all that is looked at from here on.
    pub(crate) async fn look_afresh(&self) {
        self.watch.abort();
        while !self.watch.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.places.lock().unwrap().clear();
    }

    /// Sends a request as bytes; what comes back is searched, head and body.
    pub(crate) async fn ask(
        &self,
        api: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = self.ask_quietly(api, line, headers, body).await;
        self.keep(&place_of(api, line, &answer), &answer.text);
        answer
    }

    /// The same for an answer that hands out what is a secret of whoever asked: `issued` finds it in the answer, and
    /// everything else in there is searched.
    pub(crate) async fn ask_for(
        &self,
        api: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        issued: impl FnOnce(&str) -> String,
    ) -> String {
        let answer = self.ask_quietly(api, line, headers, body).await;
        let secret = issued(&answer.text);
        self.keep(
            &place_of(api, line, &answer),
            &answer.text.replace(&secret, "ISSUED"),
        );
        secret
    }

    async fn ask_quietly(
        &self,
        api: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let url = self.cloud().api_url(api).unwrap();
        let mut stream = TcpStream::connect(url.trim_start_matches("http://"))
            .await
            .unwrap();
        let mut head = format!(
            "{line} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let (mut read, mut write) = stream.split();
        let mut answer = Vec::new();
        let request = [head.as_bytes(), body].concat();
        self.put_in(&String::from_utf8_lossy(&request));
        let (_sent, received) =
            tokio::join!(write.write_all(&request), read.read_to_end(&mut answer));
        received.unwrap();
        let text = String::from_utf8(answer).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, text }
    }

    /// A queue by its name in the outputs, such as `Marketing`.
    pub(crate) fn queue(&self, name: &str) -> Queue {
        Queue::new(&self.stage.aws, &self.stage.queue_url(name).unwrap())
    }

    /// The texts on a queue, by the end of its name.
    pub(crate) async fn on_queue(&self, end: &str) -> Vec<String> {
        let dump = self.cloud().dump().await.unwrap();
        let on = dump.into_iter().filter(|(place, _)| {
            let queue = place.strip_prefix("queue ").unwrap_or_default();
            queue.split(' ').next().unwrap_or_default().ends_with(end)
        });
        on.map(|(_, text)| text).collect()
    }

    /// How often apps have been told of a type of event.
    pub(crate) async fn told_so_far(&self, kind: &str) -> usize {
        let queued = self.on_queue("-app-events").await;
        let of_kind = format!("\"type\":\"{kind}\"");
        queued.iter().filter(|text| text.contains(&of_kind)).count()
    }

    /// Waits until apps have been told of such an event so often.
    pub(crate) async fn told(&self, parts: &[&str], times: usize) {
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        self.seen("-app-events", &parts, times).await;
    }

    /// Waits until a queue has so many messages with all of these parts.
    pub(crate) async fn seen(&self, queue: &str, parts: &[String], times: usize) {
        let begun = Instant::now();
        loop {
            let texts = self.on_queue(queue).await;
            let found = texts
                .iter()
                .filter(|text| parts.iter().all(|part| text.contains(part.as_str())));
            if found.count() >= times {
                return;
            }
            if begun.elapsed() > GIVE_UP {
                give_up(&format!("never on {queue}: {parts:?} among {texts:#?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            if begun.elapsed() > GIVE_UP {
                give_up(&format!("never: {what}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A batch as Lambda hands it over, received for the given time.
    pub(crate) fn batch(&self, arn: &str, body: &str, receives: u32) -> SqsEvent {
        self.put_in(body);
        let mut event: SqsEvent = serde_json::from_value(events::sqs(arn, &[body])).unwrap();
        for record in &mut event.records {
            record.message_id = format!("by-hand-{receives}");
            record.attributes.approximate_receive_count = Some(receives.to_string());
            record.attributes.sent_timestamp = Some(self.now().millis().to_string());
        }
        event
    }
}

/// Says what did not happen: the words of a panic are never printed here, as in production.
fn give_up(what: &str) -> ! {
    eprintln!("{what}");
    panic!("the journey does not go on")
}

/// The place of an answer, without what the request says.
fn place_of(api: &str, line: &str, answer: &Answer) -> String {
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words
        .next()
        .unwrap_or_default()
        .split('?')
        .next()
        .unwrap_or_default();
    let route: String = path.split('/').take(2).collect::<Vec<_>>().join("/");
    format!("answer {} of {api} to {method} {route}", answer.status)
}

fn watch(cloud: Arc<LocalCloud>, places: Arc<Mutex<Places>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let seen = cloud.dump().await.unwrap();
            places.lock().unwrap().extend(seen);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}
