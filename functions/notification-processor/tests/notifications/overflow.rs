//! Notifications that fitted no queue message: what is stored is handled whole, then gone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_domain::time::{HOUR, Timestamp};
use headgate_lambda::batch::BatchResponse;
use headgate_testkit::overflow::{name, pointer, put, store};
use headgate_webhook::overflow::{LARGEST_OBJECT, ObjectKey};
use headgate_webhook::queue_body::{Form, LARGEST_MESSAGE, encode};
use headgate_webhook::signature::VerifiedBody;
use local_cloud::Service;
use serde_json::{Value, json};

use crate::world::{World, body, status, text};

const ADA: &str = "+16135550100";

/// Text that does not compress to less than three quarters.
fn noise(seed: &mut u64, bytes: usize) -> String {
    let next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        seed.to_be_bytes()[0]
    };
    let bytes: Vec<u8> = std::iter::repeat_with(next).take(bytes).collect();
    STANDARD.encode(bytes)
}

/// How many requests of an operation S3 has had.
fn asked(world: &World, operation: &str) -> u64 {
    let calls = world.cloud().counters().calls;
    let named = calls.get(&(Service::S3, operation.to_owned()));
    named.copied().unwrap_or_default()
}

impl World {
    /// Stores a notification and gives its pointer.
    async fn stored(&self, body: &str) -> Value {
        store(self.aws(), self.bucket(), body.as_bytes(), self.now()).await
    }

    /// Hands a pointer over, received for the given time, and expects that it is consumed.
    async fn follow(&self, pointer: &Value, receive: u32) {
        let answer = self.deliver_stored(&pointer.to_string(), receive).await;
        assert_eq!(answer, BatchResponse::default());
    }

    /// Reason and explanation of the one thing that was set aside.
    async fn aside(&self) -> (String, String) {
        let aside = self.queue("notifications-dlq").await;
        assert_eq!(aside.len(), 1);
        let word = |name: &str| aside[0][name].as_str().unwrap().to_owned();
        (word("reason"), word("why"))
    }
}

fn hello(world: &World) -> String {
    body(
        "messages",
        &[text(ADA, "wamid.A", world.now(), "good morning")],
    )
}

#[tokio::test]
async fn a_thousand_updates_that_do_not_compress_go_through_the_bucket_and_nothing_stays() {
    let world = World::start().await;
    let now = world.now();
    let mut references = Vec::new();
    for id in 0..4 {
        references.push(world.record(ADA, Purpose::Utility, id).await);
    }
    let mut seed = 7_u64;
    let updates: Vec<Value> = (0..1_000)
        .map(|n| {
            let mut update = status(&references[n % 4].opaque(1), "sent", now, None);
            update["something_new"] = noise(&mut seed, 2_200).into();
            update
        })
        .collect();
    let body = body("statuses", &updates).into_bytes();
    assert!(body.len() > 3_000_000 && body.len() < 4 * 1024 * 1024);
    let Ok(Form::Stored(packed)) = encode(&VerifiedBody::from_own_queue(body)) else {
        panic!("it fits a queue message");
    };
    let key = ObjectKey::new(now.day(), [7; 16]);
    let queued = packed.pointer(&key);
    assert_eq!(queued.encoding, Some("overflow"));
    put(
        world.aws(),
        world.bucket(),
        key.as_str(),
        packed.into_bytes(),
    )
    .await;
    assert_eq!(world.objects().await, [key.as_str()]);

    let answer = world.deliver_stored(&queued.text, 1).await;
    assert_eq!(answer, BatchResponse::default());
    for reference in &references {
        assert_eq!(world.state(reference).await, State::Sent);
    }
    assert_eq!(world.events("message.sent").await.len(), 4);
    assert!(world.objects().await.is_empty());
    assert!(world.queue("notifications-dlq").await.is_empty());

    // The answer to SQS was lost: the record comes again, and there is nothing left to do.
    let answer = world.deliver_stored(&queued.text, 2).await;
    assert_eq!(answer, BatchResponse::default());
    assert_eq!(world.events("message.sent").await.len(), 4);
    assert!(world.queue("notifications-dlq").await.is_empty());
}

#[tokio::test]
async fn one_that_is_missing_the_first_time_is_set_aside_with_its_reason() {
    let world = World::start().await;
    let gone = pointer(&name(world.now()), b"whatever");
    world.follow(&gone, 1).await;
    let (reason, why) = world.aside().await;
    assert_eq!(reason, "missing");
    assert!(why.contains("not there any more"));
    // Later it would have been handled before: nothing more is set aside.
    world.follow(&gone, 2).await;
    world.aside().await;
}

#[tokio::test]
async fn a_pointer_that_is_none_of_ours_is_set_aside_without_a_look_at_the_bucket() {
    let world = World::start().await;
    let good = pointer(&name(world.now()), b"whatever");
    let mut elsewhere = good.clone();
    elsewhere["key"] = "other/prefix".into();
    let mut large = good.clone();
    large["bytes"] = (LARGEST_OBJECT + 1).into();
    let foreign = [json!({}), json!([]), elsewhere, large];
    for pointer in &foreign {
        world.follow(pointer, 1).await;
        world.follow(pointer, 2).await;
    }
    let aside = world.queue("notifications-dlq").await;
    assert_eq!(aside.len(), 2 * foreign.len());
    for letter in aside {
        assert_eq!(
            (&letter["reason"], &letter["encoding"]),
            (&json!("undecodable"), &json!("overflow"))
        );
    }
    assert_eq!(asked(&world, "GetObject"), 0);
}

#[tokio::test]
async fn what_is_not_what_was_stored_is_set_aside_unread_and_left_where_it_is() {
    for other in [vec![1; 100], vec![1; LARGEST_OBJECT + 1], Vec::new()] {
        let world = World::start().await;
        let pointer = world.stored(&hello(&world)).await;
        let key = pointer["key"].as_str().unwrap();
        put(world.aws(), world.bucket(), key, other).await;
        world.follow(&pointer, 1).await;
        let (reason, why) = world.aside().await;
        assert_eq!(reason, "undecodable");
        assert_eq!(why, "what is stored is not what webhook stored");
        assert!(world.events("inbound.message").await.is_empty());
        assert_eq!(world.objects().await, [key]);
    }
}

#[tokio::test]
async fn a_stored_body_nobody_can_read_is_set_aside_whole_and_gone_from_the_bucket() {
    let world = World::start().await;
    let canary = format!("{{\"canary\":{}", "x".repeat(LARGEST_MESSAGE));
    let pointer = world.stored(&canary).await;
    world.follow(&pointer, 1).await;
    assert_eq!(world.aside().await.0, "malformed");
    let aside = world.queue("notifications-dlq").await;
    assert_eq!(aside[0]["encoding"], "zstd+base64");
    assert!(aside[0]["bytes"].as_u64() > pointer["bytes"].as_u64());
    assert!(world.objects().await.is_empty());
}

#[tokio::test]
async fn a_record_that_failed_keeps_what_is_stored_and_is_done_another_time() {
    let world = World::start().await;
    let (now, at) = (world.now(), world.now().plus_millis(-HOUR));
    world.opt_in(ADA, at.plus_millis(-HOUR)).await;
    world.keyring().destroy(now.day().into()).await.unwrap();
    let stop = body("messages", &[text(ADA, "wamid.A", at, "STOP")]);
    let pointer = world.stored(&stop).await;
    for receive in 1..3 {
        let answer = world.deliver_stored(&pointer.to_string(), receive).await;
        assert_eq!(answer.batch_item_failures.len(), 1);
        assert_eq!(world.objects().await.len(), 1);
    }
    world.keyring().mint_day(now.day(), now).await.unwrap();
    world.follow(&pointer, 3).await;
    assert_eq!(world.events("subject.opted_out").await.len(), 1);
    assert!(world.objects().await.is_empty());
}

#[tokio::test]
async fn when_s3_does_not_give_it_the_record_comes_again_and_others_are_done() {
    let world = World::start().await;
    let pointer = world.stored(&hello(&world)).await;
    // S3 alone looks at signatures here, so S3 alone fails.
    let stranger = world.signing_with("another").await;
    let inline = body(
        "messages",
        &[text("+16135550101", "wamid.B", world.now(), "good evening")],
    );
    let batch = World::batch(
        &[(inline, None), (pointer.to_string(), Some("overflow"))],
        1,
    );
    let answer = stranger.handle(batch).await;
    let failed: Vec<_> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert_eq!(failed, ["m1"]);
    assert_eq!(world.events("inbound.message").await.len(), 1);
    assert!(world.queue("notifications-dlq").await.is_empty());
    assert_eq!(world.objects().await.len(), 1);

    world.follow(&pointer, 2).await;
    assert_eq!(world.events("inbound.message").await.len(), 2);
    assert!(world.objects().await.is_empty());
}

#[tokio::test]
async fn what_nobody_points_to_is_gone_within_seven_days_and_its_name_says_nothing() {
    let world = World::start().await;
    let pointer = world.stored(&hello(&world)).await;
    let key = pointer["key"].as_str().unwrap();
    let (day, random) = key.split_once('/').unwrap();
    assert_eq!(day, world.now().day().to_string());
    assert!(random.len() == 32 && !key.contains("6135550"));
    let calendar = world.cloud().calendar();
    let until = |at: Timestamp| at.millis() - calendar.now_ms();
    let start = world.now().day().start();
    calendar.set_offset_ms(calendar.offset_ms() + until(start.plus_millis(6 * 24 * HOUR)));
    assert_eq!(world.objects().await, [key]);
    calendar.set_offset_ms(calendar.offset_ms() + until(start.plus_millis(7 * 24 * HOUR)));
    assert!(world.objects().await.is_empty());
}
