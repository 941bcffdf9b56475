//! The whole journey: from the lane queue through intake, outbox, sender and Meta to the notifications and back.
//!
//! What is waiting is on the SQS queue of a lane; intake, webhook and notification processor run in this process, the
//! sender in its own.

use std::sync::Arc;

use headgate_aws::queue::Queue;
use headgate_domain::lane::Purpose;
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::settings::Settings;
use intake::Intake;
use local_cloud::{Handler, HttpHandler};
use notification_processor::NotificationProcessor;
use serde_json::json;
use webhook::{AwsPorts, Callers, Webhook};

use crate::process::connect;
use crate::utilisation::{Sent, observe, settle_in};
use crate::world::{World, bsuid, outbound};

/// People who get a message each, again and again.
const PEOPLE: usize = 400;

fn batches<F, R>(handle: F) -> Handler
where
    F: Fn(SqsEvent) -> R + Send + Sync + 'static,
    R: Future<Output = BatchResponse> + Send + 'static,
{
    let handle = Arc::new(handle);
    Arc::new(move |event| {
        let handle = Arc::clone(&handle);
        Box::pin(async move {
            let event = serde_json::from_value(event).map_err(|e| e.to_string())?;
            serde_json::to_value(handle(event).await).map_err(|e| e.to_string())
        })
    })
}

/// Connects intake to its queues.
pub(crate) async fn connect_intake(world: &World) {
    let settings = Settings::from_map(world.stage.environment("IntakeFunction"));
    let intake = Arc::new(Intake::new(&settings, world.clock.clone()).await.unwrap());
    let handler = batches(move |event| {
        let intake = Arc::clone(&intake);
        async move { intake.handle(event).await }
    });
    world.cloud().connect("IntakeFunction", handler).unwrap();
}

async fn connect_notifications(world: &World) {
    let settings = Settings::from_map(world.stage.environment("NotificationProcessorFunction"));
    let processor = NotificationProcessor::new(&settings, world.clock.clone()).await;
    let processor = Arc::new(processor.unwrap());
    let handler = batches(move |event| {
        let processor = Arc::clone(&processor);
        async move { processor.handle(event).await }
    });
    world
        .cloud()
        .connect("NotificationProcessorFunction", handler)
        .unwrap();
    let settings = Settings::from_map(world.stage.environment("WebhookFunction"));
    let names = webhook::config::Config::from_settings(&settings).unwrap();
    let ports = AwsPorts::new(&world.stage.aws(), &names);
    let webhook = Webhook::new(ports, Callers::Anybody, world.clock.clone())
        .await
        .unwrap();
    let webhook = Arc::new(webhook);
    let answer: HttpHandler = Arc::new(move |request| {
        let webhook = Arc::clone(&webhook);
        Box::pin(async move { webhook.handle(request).await })
    });
    world
        .cloud()
        .connect_http("WebhookFunction", answer)
        .unwrap();
    let url = world.cloud().api_url("HooksApi").unwrap();
    world.simulator.set_webhook(&format!("{url}/webhook"));
}

/// Queues more than can be sent, and observes.
pub(crate) async fn measure(world: &World, seconds: u64) -> Sent {
    for person in (0..PEOPLE).collect::<Vec<_>>().chunks(10) {
        let yes = person.iter().map(|n| {
            json!({
                "schema": "headgate.consent/1", "id": format!("yes-{n}"), "to": { "bsuid": bsuid(*n) }, "purpose": "utility",
                "action": "given", "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp",
                "evidence": {"form": "checkout-7", "page": "maple.example/checkout"}, "occurred_at": (world.clock)(),
            })
        });
        let batch = world.batch("CONSENTS", &yes.collect::<Vec<_>>());
        assert_eq!(world.intake.handle(batch).await, BatchResponse::default());
    }
    let url = world.cloud().output("Data.UtilityQueueUrl").unwrap();
    let queue = Queue::new(&world.stage.aws(), &url);
    let count = world.per_second as usize * (usize::try_from(seconds).unwrap() + 30);
    for n in 0..count {
        let to = json!({ "bsuid": bsuid(n % PEOPLE) });
        let body = outbound(Purpose::Utility, &to, &format!("order-{n}"));
        queue.send(&body.to_string(), &[]).await.unwrap();
    }
    connect_notifications(world).await;
    let process = connect(world).await;
    settle_in(world).await;
    connect_intake(world).await;
    let sent = observe(world, seconds, &process).await;
    process.stop().await;
    sent
}
