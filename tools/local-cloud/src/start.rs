//! Starts a local cloud: listeners first, because references need addresses, then the resources, then the servers.
//!
//! Promises that nothing answers before its state is restored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::events::Bus;
use crate::functions::Functions;
use crate::gate::{Call, Gate, Pass};
use crate::host::SERVICE_BODY_MAX;
use crate::kms::Keys;
use crate::metered::{Watch, text_after};
use crate::plan::{Plan, apis};
use crate::s3::{Buckets, Notifications};
use crate::schedule::Schedules;
use crate::secrets::Secrets;
use crate::sqs::{Engine, Sqs};
use crate::stack::{Places, REGION, STACK, Stack};
use crate::tables::Tables;
use crate::upstream::Upstream;
use crate::{Calendar, LocalCloud, Options, Service, Switch, api, files, host, sqs, template};

pub(crate) async fn start(options: Options) -> Result<LocalCloud> {
    let lock = options.data_dir.as_deref().map(files::take).transpose()?;

    let mut ports = options.first_port;
    let mut listeners = BTreeMap::new();
    let mut endpoints = BTreeMap::new();
    for service in Service::ALL {
        let listener = next_listener(&mut ports).await?;
        endpoints.insert(service, host::url_of(&listener)?);
        listeners.insert(service, listener);
    }

    let text = template::parse("the root template", &options.template)?;
    let given: Map<String, Value> = options
        .parameters
        .iter()
        .map(|(k, v)| (k.clone(), Value::String(v.clone())))
        .collect();
    let mut places = Places {
        sqs: endpoints.get(&Service::Sqs).cloned().unwrap_or_default(),
        nested: options.nested.clone(),
        ..Places::default()
    };
    // A first look without addresses only to learn which APIs there are.
    let unplaced = Places {
        nested: options.nested.clone(),
        ..Places::default()
    };
    let sketch = Stack::new(STACK, text.clone(), &given, Arc::new(unplaced))?;
    let mut api_listeners = Vec::new();
    for id in apis(&sketch)? {
        let listener = next_listener(&mut ports).await?;
        places.apis.insert(id.clone(), host::url_of(&listener)?);
        api_listeners.push((id, listener));
    }
    let api_urls = places.apis.clone();
    let root = Arc::new(Stack::new(STACK, text, &given, Arc::new(places))?);
    let plan = Plan::of(&root)?;

    let state = State::open(&options, &plan, &endpoints)?;

    let (stopping, stop) = watch::channel(false);
    let watch = Watch::default();
    let functions = Functions::default();
    let schedules = Schedules::new(options.calendar.clone(), functions.clone());
    let servers = Servers {
        stop: stop.clone(),
        watch: watch.clone(),
    };
    let mut tasks = vec![tokio::spawn(schedules.clone().run(stop.clone()))];
    tasks.extend(
        servers
            .serve_all(listeners, &state, &options.calendar)
            .await?,
    );
    for (id, listener) in api_listeners {
        tasks.push(serve_api(&plan, &id, listener, &functions, stop.clone()));
    }

    let poller = poller(
        endpoints
            .get(&Service::Sqs)
            .context("SQS has no endpoint")?,
    );
    let switches = switches(&plan);
    Ok(LocalCloud {
        root,
        plan,
        endpoints,
        apis: api_urls,
        tables: state.tables,
        sqs: state.sqs,
        keys: state.keys,
        secrets: state.secrets,
        buckets: state.buckets,
        functions,
        schedules,
        calendar: options.calendar,
        watch,
        poller,
        switches: Mutex::new(switches),
        tasks: Mutex::new(tasks),
        stopping,
        _lock: lock,
    })
}

/// Serves one API: its routes, and what it answers by itself.
fn serve_api(
    plan: &Plan,
    id: &str,
    listener: TcpListener,
    functions: &Functions,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let routes = plan.routes.iter().filter(|route| route.api == id);
    let routes: Arc<Vec<_>> = Arc::new(routes.cloned().collect());
    let own = Arc::new(plan.own_answers.get(id).cloned().unwrap_or_default());
    let too_large = own.answer(StatusCode::PAYLOAD_TOO_LARGE, api::TOO_LARGE);
    let functions = functions.clone();
    let handle = move |request| {
        let (routes, own) = (Arc::clone(&routes), Arc::clone(&own));
        let functions = functions.clone();
        async move { api::answer(&routes, &own, &functions, request).await }
    };
    host::serve(listener, api::MAX_BODY, too_large, stop, handle)
}

async fn next_listener(port: &mut Option<u16>) -> Result<TcpListener> {
    let listener = host::listen(*port).await?;
    *port = port.map(|p| p.saturating_add(1));
    Ok(listener)
}

/// The state behind the services, restored.
struct State {
    tables: Tables,
    sqs: Arc<Sqs>,
    keys: Arc<Keys>,
    secrets: Arc<Secrets>,
    buckets: Arc<Buckets>,
    notifications: Arc<Notifications>,
    bus: Arc<Bus>,
}

impl State {
    fn open(options: &Options, plan: &Plan, endpoints: &BTreeMap<Service, String>) -> Result<Self> {
        let file = |name: &str| options.data_dir.as_ref().map(|d| d.join(name));
        let tables = Tables::open(file("dynamodb.sqlite").as_deref())?;
        for (name, properties) in &plan.tables {
            tables.create(name, properties)?;
        }
        let mut engine = Engine::default();
        for (name, settings) in &plan.queues {
            engine.create(name, settings.clone());
        }
        if let Some(journal) = file("sqs.journal") {
            engine.restore(&journal)?;
        }
        let sqs = Arc::new(Sqs::new(
            engine,
            endpoints.get(&Service::Sqs).cloned().unwrap_or_default(),
            options.calendar.clone(),
        ));
        let keys = Arc::new(Keys::open(file("kms.json"))?);
        keys.create(&plan.keys, &plan.aliases)?;
        let secrets = Arc::new(Secrets::open(file("secrets.json"))?);
        secrets.create(&plan.secrets)?;
        let buckets = Arc::new(Buckets::open(
            file("s3"),
            plan.buckets.clone(),
            options.calendar.clone(),
        )?);
        let notifications = Arc::new(Notifications {
            of: plan.notifications.clone(),
            sqs: Arc::clone(&sqs),
            buckets: Arc::clone(&buckets),
        });
        let bus = Arc::new(Bus {
            buses: plan.buses.clone(),
            rules: plan.rules.clone(),
            sqs: Arc::clone(&sqs),
            calendar: options.calendar.clone(),
        });

        Ok(Self {
            tables,
            sqs,
            keys,
            secrets,
            buckets,
            notifications,
            bus,
        })
    }
}

struct Servers {
    stop: watch::Receiver<bool>,
    watch: Watch,
}

impl Servers {
    async fn serve_all(
        &self,
        listeners: BTreeMap<Service, TcpListener>,
        state: &State,
        calendar: &Calendar,
    ) -> Result<Vec<JoinHandle<()>>> {
        let mut tasks = Vec::new();
        for (service, listener) in listeners {
            match service {
                Service::Dynamodb => {
                    let calendar = calendar.clone();
                    tasks.extend(
                        state
                            .tables
                            .serve(listener, self.watch.clone(), calendar, self.stop.clone())
                            .await?,
                    );
                }
                Service::Sqs => {
                    let sqs = Arc::clone(&state.sqs);
                    tasks.push(self.serve(service, listener, move |operation, request| {
                        let sqs = Arc::clone(&sqs);
                        async move { sqs::answer(&sqs, &operation, &request).await }
                    }));
                }
                Service::Kms => {
                    let keys = Arc::clone(&state.keys);
                    tasks.push(self.serve(service, listener, move |operation, request| {
                        let keys = Arc::clone(&keys);
                        async move { keys.answer(&operation, request.body()) }
                    }));
                }
                Service::SecretsManager => {
                    let secrets = Arc::clone(&state.secrets);
                    tasks.push(self.serve(service, listener, move |operation, request| {
                        let secrets = Arc::clone(&secrets);
                        async move { secrets.answer(&operation, request.body()) }
                    }));
                }
                Service::EventBridge => {
                    let bus = Arc::clone(&state.bus);
                    tasks.push(self.serve(service, listener, move |operation, request| {
                        let bus = Arc::clone(&bus);
                        async move { bus.answer(&operation, request.body()) }
                    }));
                }
                Service::S3 => {
                    let buckets = Arc::clone(&state.buckets);
                    let notifications = Arc::clone(&state.notifications);
                    tasks.push(self.serve(service, listener, move |_operation, request| {
                        let buckets = Arc::clone(&buckets);
                        let notifications = Arc::clone(&notifications);
                        async move {
                            let response = buckets.answer(&request);
                            notifications.after(&request, &response);
                            response
                        }
                    }));
                }
            }
        }
        Ok(tasks)
    }

    fn serve<F, R>(&self, service: Service, listener: TcpListener, answer: F) -> JoinHandle<()>
    where
        F: Fn(String, Request<Bytes>) -> R + Send + Sync + 'static,
        R: Future<Output = http::Response<Bytes>> + Send + 'static,
    {
        let watch = self.watch.clone();
        let answer = Arc::new(answer);
        let too_large = r#"{"__type":"RequestEntityTooLargeException","message":"Too large."}"#;
        host::serve(
            listener,
            SERVICE_BODY_MAX,
            host::json(StatusCode::PAYLOAD_TOO_LARGE, too_large),
            self.stop.clone(),
            move |request| {
                let (watch, answer) = (watch.clone(), Arc::clone(&answer));
                async move { watched(service, &watch, &*answer, request).await }
            },
        )
    }
}

/// Counts a request, asks the gate, and bills the queues.
async fn watched<F, R>(
    service: Service,
    watch: &Watch,
    answer: &F,
    request: Request<Bytes>,
) -> http::Response<Bytes>
where
    F: Fn(String, Request<Bytes>) -> R,
    R: Future<Output = http::Response<Bytes>>,
{
    let (operation, place) = if service == Service::S3 {
        Buckets::name(&request)
    } else {
        (host::operation(&request), queue_of(service, &request))
    };
    watch.tally.count(service, &operation);
    let call = || Call {
        service: format!("{service:?}"),
        operation: operation.clone(),
        place: place.clone(),
    };
    let pass = watch.gate.admit(call);
    if matches!(pass, Pass::Never) {
        match watch.gate.forever().await {}
    }
    let asked = request.body().len();
    let response = answer(operation.clone(), request).await;
    if service == Service::Sqs && !place.is_empty() {
        let bytes = asked.max(response.body().len());
        watch.gauge.queue(&place, &operation, bytes);
    }
    if let Pass::Last(call) = pass {
        watch.gate.shut_behind(call);
        match watch.gate.forever().await {}
    }
    response
}

/// The queue a request names.
fn queue_of(service: Service, request: &Request<Bytes>) -> String {
    if service != Service::Sqs {
        return String::new();
    }
    let url = text_after(request.body(), b"\"QueueUrl\":\"");
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The SDK client of the event source mappings.
fn poller(endpoint: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .credentials_provider(Credentials::new(
            "local",
            "local",
            None,
            None,
            "local-cloud",
        ))
        .region(aws_types::region::Region::new(REGION))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(TokioSleep::new())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

fn switches(plan: &Plan) -> Vec<Switch> {
    plan.mappings
        .iter()
        .map(|mapping| Switch {
            enabled: watch::channel(mapping.enabled).0,
            mapping: Arc::new(mapping.clone()),
            connected: false,
        })
        .collect()
}

/// A gated listener in front of another server.
pub(crate) async fn front(
    name: &str,
    upstream: &str,
    gate: Gate,
    stop: watch::Receiver<bool>,
) -> Result<(String, JoinHandle<()>)> {
    let address = upstream
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .context("only an address of this machine can have a front")?;
    let upstream = Arc::new(Upstream::new(address));
    let listener = host::listen(None).await?;
    let url = host::url_of(&listener)?;
    let name = name.to_owned();
    let handle = move |request: Request<Bytes>| {
        let (upstream, gate) = (Arc::clone(&upstream), gate.clone());
        let call = Call {
            service: name.clone(),
            operation: request.method().to_string(),
            place: String::new(),
        };
        async move {
            match gate.admit(|| call) {
                Pass::Through => upstream.pass(request).await,
                Pass::Last(call) => {
                    upstream.pass(request).await;
                    gate.shut_behind(call);
                    match gate.forever().await {}
                }
                Pass::Never => match gate.forever().await {},
            }
        }
    };
    let too_large = host::json(StatusCode::PAYLOAD_TOO_LARGE, "{}");
    let task = host::serve(listener, SERVICE_BODY_MAX, too_large, stop, handle);
    Ok((url, task))
}
