//! The pacer against the template's own tables and the Meta simulator: crashes, throttling, opt-outs, two holders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::large_futures,
    reason = "tests may fail loudly"
)]

mod world;

use std::collections::HashSet;
use std::time::Duration;

use headgate_aws::messages::Settlement;
use headgate_aws::pacing::{Claim, Due, DueKind};
use headgate_domain::holder::Phase;
use headgate_domain::lane::Purpose;
use headgate_domain::record::{State, ambiguity_timer_ms};
use headgate_domain::time::HOUR;
use meta_simulator::{Arrival, Fault, Faults};
use serde_json::Value;
use world::{NUMBER_ID, PORTFOLIO, World, consent, message, wake};

/// The record references that Meta took, in order.
fn taken(arrivals: &[Arrival]) -> Vec<String> {
    let references = arrivals
        .iter()
        .filter(|a| a.accepted)
        .filter_map(|a| a.opaque.clone());
    references
        .map(|o| o.rsplit_once('.').unwrap().0.to_owned())
        .collect()
}

fn assert_each_once(arrivals: &[Arrival], expected: usize) {
    let taken = taken(arrivals);
    assert_eq!(taken.len(), expected, "each message reaches Meta");
    assert_eq!(
        taken.iter().collect::<HashSet<_>>().len(),
        expected,
        "and reaches it once"
    );
}

#[tokio::test]
async fn every_message_is_sent_once_and_the_lease_is_given_up_when_nothing_waits() {
    let world = World::start().await;
    let references = world.queue("utility", 0..60).await;
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 60);
    for reference in &references {
        assert_eq!(world.record(reference).await.state, State::Accepted);
    }
    assert!(
        world.open_claims().await.is_empty(),
        "every claim is settled"
    );
    let lease = world.pacing.lease(PORTFOLIO).await.unwrap().unwrap();
    assert_eq!(lease.view.phase, Phase::Free);
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 60);
}

#[tokio::test]
async fn two_holders_woken_at_once_send_nothing_twice() {
    let world = World::start().await;
    world.queue("utility", 0..40).await;
    let (a, b) = tokio::join!(
        world.sender.handle(wake(), Duration::from_secs(40)),
        world.sender.handle(wake(), Duration::from_secs(40))
    );
    a.unwrap();
    b.unwrap();
    assert_each_once(&world.simulator.arrivals(), 40);
}

#[tokio::test]
async fn who_was_written_to_is_remembered_for_the_next_holder() {
    let world = World::start().await;
    // More than one batch.
    let references = world.queue("marketing", 0..30).await;
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 30);
    let mut people = Vec::new();
    for reference in &references {
        people.push(world.record(reference).await.subject);
    }
    let known = world.pacing.recipients(PORTFOLIO, &people).await.unwrap();
    assert_eq!(known.len(), 30);
    assert!(known.values().all(|r| r.recent.sends.len() == 1));
}

#[tokio::test]
async fn an_opt_out_after_acceptance_cancels_what_is_queued() {
    let world = World::start().await;
    let references = world.queue("marketing", 0..4).await;
    world.put("CONSENTS", &[consent("withdrawn", 2)]).await;
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 3);
    let mut cancelled = 0;
    for reference in &references {
        cancelled += usize::from(world.record(reference).await.state == State::Cancelled);
    }
    assert_eq!(cancelled, 1);
    assert_eq!(world.events("message.cancelled").await, 1);
}

#[tokio::test]
async fn a_throttled_message_goes_back_to_the_head_and_leaves_once() {
    let world = World::start().await;
    world.queue("utility", 0..10).await;
    world.simulator.faults(Faults {
        fault: Fault::Throughput,
        next: 3,
    });
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 10);
    assert_eq!(
        world
            .simulator
            .arrivals()
            .iter()
            .filter(|a| a.code == Some(130_429))
            .count(),
        3
    );
}

/// A queue counts how often it hands a message over and gives up in the end; what Meta slows down waits
/// where nobody counts (I7).
#[tokio::test]
async fn throttled_messages_wait_in_the_outbox_and_in_no_queue() {
    let world = World::start().await;
    let references = world.queue("utility", 0..10).await;
    world.simulator.faults(Faults {
        fault: Fault::Throughput,
        next: 1_000,
    });
    // A term that ends while Meta still says no: it is an orderly end, and hands nothing back.
    let term = Duration::from_secs(25);
    world.sender.handle(wake(), term).await.unwrap();
    assert!(taken(&world.simulator.arrivals()).is_empty());
    assert!(world.simulator.arrivals().len() > 1, "it was tried again");
    for reference in &references {
        assert_eq!(world.record(reference).await.state, State::Queued);
    }
    let dump = world.stage.cloud().dump().await.unwrap();
    let queues = dump.iter().filter_map(|(place, _)| {
        let (queue, _message) = place.strip_prefix("queue ")?.split_once(" message ")?;
        Some(queue)
    });
    let told = ["app-events", "wake"];
    let others: Vec<&str> = queues
        .filter(|queue| !told.iter().any(|name| queue.ends_with(name)))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// DynamoDB expires what has a number of seconds there and leaves a text, or milliseconds, for ever.
#[tokio::test]
async fn every_expiry_is_a_number_of_seconds() {
    let world = World::start().await;
    world.queue("utility", 0..30).await;
    world.wake().await;
    let now = world.now().seconds();
    let within = now..now + 100 * 24 * 60 * 60;
    let mut tables = HashSet::new();
    for (place, item) in world.stage.cloud().dump().await.unwrap() {
        let item: Value = serde_json::from_str(&item).unwrap_or_default();
        let Some(ttl) = place.strip_prefix("table ").and(item.get("ttl")) else {
            continue;
        };
        let seconds = ttl["N"].as_str().and_then(|n| n.parse::<i64>().ok());
        let seconds = seconds.unwrap_or_else(|| panic!("{place}: {ttl}"));
        assert!(within.contains(&seconds), "{place}: {ttl}");
        tables.insert(place.split('/').next().unwrap().to_owned());
    }
    assert!(tables.len() > 1, "{tables:?}");
}

/// Accepted for a look at its template is not sent; what comes of it is told when it is known.
#[tokio::test]
async fn a_message_held_for_a_quality_assessment_is_held_and_not_sent() {
    let world = World::start().await;
    let references = world.queue("marketing", 0..1).await;
    world.simulator.faults(Faults {
        fault: Fault::HeldForQuality,
        next: 1,
    });
    world.wake().await;
    assert_eq!(world.record(&references[0]).await.state, State::Held);
    assert_eq!(world.events("message.held").await, 1);
    assert_eq!(world.events("message.sent").await, 0);
    world.wake().await;
    assert_eq!(world.simulator.arrivals().len(), 1, "and not sent again");
}

#[tokio::test]
async fn a_pair_limit_parks_the_person_and_not_the_lane() {
    let world = World::start().await;
    let references = world.queue("utility", 0..5).await;
    world.simulator.faults(Faults {
        fault: Fault::Pair,
        next: 1,
    });
    let began = world.now();
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 4);
    let waiting = world
        .pacing
        .next_due(PORTFOLIO)
        .await
        .unwrap()
        .expect("the parked one is due later");
    assert!(waiting > began);
    // What is left to a successor is rounded up by at most one message's time.
    while let Some(due) = world.pacing.next_due(PORTFOLIO).await.unwrap() {
        tokio::time::sleep(world.now().until(due)).await;
        world.wake().await;
    }
    assert_each_once(&world.simulator.arrivals(), 5);
    for reference in &references {
        assert_eq!(world.record(reference).await.state, State::Accepted);
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_ambiguous_and_never_simply_sent_again() {
    let world = World::start().await;
    let references = world.queue("marketing", 0..3).await;
    world.simulator.faults(Faults {
        fault: Fault::ServerError { accepted: true },
        next: 1,
    });
    world.wake().await;
    world.wake().await;
    let arrivals = world.simulator.arrivals();
    let reached: Vec<_> = arrivals.iter().filter_map(|a| a.opaque.clone()).collect();
    assert_eq!(reached.len(), 3, "nothing is repeated");
    let mut states = Vec::new();
    for reference in &references {
        states.push(world.record(reference).await.state);
    }
    assert_eq!(states.iter().filter(|s| **s == State::Ambiguous).count(), 1);
    let due = world.pacing.next_due(PORTFOLIO).await.unwrap().unwrap();
    let timer = due.millis_since(world.now());
    assert!(timer > 0 && timer <= ambiguity_timer_ms(Purpose::Marketing));
}

#[tokio::test]
async fn when_the_timer_runs_out_marketing_is_unknown_and_utility_is_sent_again_once() {
    let world = World::start().await;
    let now = world.now();
    for (purpose, person) in [("marketing", 1), ("utility", 2)] {
        let reference = world
            .queue(purpose, person..person + 1)
            .await
            .pop()
            .unwrap();
        // What a holder leaves whose send got no answer: ambiguous at attempt 1, its timer run out.
        let due = Due {
            at: now.plus_millis(-1),
            reference: reference.clone(),
            kind: DueKind::Ambiguous,
            attempt: 1,
        };
        world.pacing.put_due(PORTFOLIO, &due).await.unwrap();
        let settlement = Settlement {
            attempt: Some(1),
            ..Settlement::default()
        };
        world
            .messages
            .settle(&reference, State::Ambiguous, &settlement, now)
            .await
            .unwrap()
            .unwrap();
    }
    world.wake().await;
    world.wake().await;
    let arrivals = world.simulator.arrivals();
    assert_each_once(&arrivals, 1);
    let opaque = arrivals[0].opaque.clone().unwrap();
    assert!(
        opaque.contains(".u.") && opaque.ends_with(".2"),
        "utility, second attempt"
    );
    assert_eq!(world.events("message.unknown").await, 1);
    assert_eq!(world.pacing.next_due(PORTFOLIO).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_lost_holder_claimed_becomes_ambiguous_and_never_queued() {
    let world = World::start().await;
    let references = world.queue("marketing", 0..3).await;
    let epoch = world
        .pacing
        .take(PORTFOLIO, None, "lost-holder", world.now())
        .await
        .unwrap()
        .unwrap();
    let claim = Claim {
        epoch,
        block: 0,
        slot: 0,
        references: references.iter().take(2).map(|r| (r.clone(), 1)).collect(),
    };
    world
        .pacing
        .put_claim(NUMBER_ID, &claim, world.now())
        .await
        .unwrap();
    // Its heartbeat stands still: three seconds later the lease is taken over.
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 1);
    assert_eq!(world.record(&references[0]).await.state, State::Ambiguous);
    assert_eq!(world.record(&references[1]).await.state, State::Ambiguous);
    assert_eq!(world.record(&references[2]).await.state, State::Accepted);
    assert!(world.open_claims().await.is_empty());
}

#[tokio::test]
async fn a_living_holder_is_left_alone() {
    let world = World::start().await;
    world.queue("utility", 0..2).await;
    let now = world.now();
    let epoch = world
        .pacing
        .take(PORTFOLIO, None, "living-holder", now)
        .await
        .unwrap()
        .unwrap();
    let beat = async {
        for _ in 0..14 {
            assert!(
                world
                    .pacing
                    .renew(PORTFOLIO, epoch, Phase::Run, now)
                    .await
                    .unwrap()
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::join!(beat, world.wake());
    assert!(world.simulator.arrivals().is_empty());
}

#[tokio::test]
async fn refused_credentials_fail_nothing_and_consume_nothing() {
    let world = World::start().await;
    let references = world.queue("utility", 0..3).await;
    world.simulator.faults(Faults {
        fault: Fault::Code {
            code: 190,
            http: Some(401),
        },
        next: 50,
    });
    // A short term: the number rests, and what was not accepted is handed back.
    world
        .sender
        .handle(wake(), Duration::from_secs(18))
        .await
        .unwrap();
    for reference in &references {
        assert_eq!(world.record(reference).await.state, State::Queued);
    }
    assert_eq!(world.events("message.failed").await, 0);
    assert!(world.simulator.arrivals().len() < 50, "the number rests");
}

#[tokio::test]
async fn a_message_that_meta_refuses_has_failed_with_its_code() {
    let world = World::start().await;
    for (person, code) in [(0, 131_026), (1, 132_000)] {
        let references = world.queue("utility", person..person + 1).await;
        world.simulator.faults(Faults {
            fault: Fault::Code {
                code,
                http: Some(400),
            },
            next: 1,
        });
        world.wake().await;
        for reference in &references {
            assert_eq!(world.record(reference).await.state, State::Failed);
        }
        let failed = world.events("message.failed").await;
        assert_eq!(failed, references.len());
    }
    assert_eq!(world.events("message.sent").await, 0);
}

#[tokio::test]
async fn a_scheduled_message_waits_for_its_time() {
    let world = World::start().await;
    world.put("CONSENTS", &[consent("given", 7)]).await;
    let mut later = message("utility", 7);
    let at = world.now().plus_millis(HOUR);
    later["not_before"] = serde_json::json!(at);
    world.put("UTILITY", &[later]).await;
    world.wake().await;
    assert!(world.simulator.arrivals().is_empty());
    world.stage.cloud().calendar().set_offset_ms(HOUR);
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 1);
}

#[tokio::test]
async fn a_record_that_is_readable_and_due_at_once_is_sent_once() {
    let world = World::start().await;
    let references = world.queue("utility", 0..3).await;
    for (reference, kind) in
        references
            .iter()
            .zip([DueKind::Scheduled, DueKind::Retry, DueKind::Retry])
    {
        for earlier in [1, 2] {
            let at = world.now().plus_millis(-earlier);
            let due = Due {
                at,
                reference: reference.clone(),
                kind,
                attempt: 0,
            };
            world.pacing.put_due(PORTFOLIO, &due).await.unwrap();
        }
    }
    world.wake().await;
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 3);
    assert_eq!(world.pacing.next_due(PORTFOLIO).await.unwrap(), None);
}

#[tokio::test]
async fn a_cancellation_whose_holder_died_before_telling_is_told() {
    let world = World::start().await;
    let reference = world.queue("marketing", 0..1).await.pop().unwrap();
    let settlement = Settlement {
        reason: Some("suppressed"),
        ..Settlement::default()
    };
    world
        .messages
        .settle(&reference, State::Cancelled, &settlement, world.now())
        .await
        .unwrap()
        .unwrap();
    world.wake().await;
    assert!(world.simulator.arrivals().is_empty());
    assert_eq!(world.events("message.cancelled").await, 1);
}

#[tokio::test]
async fn what_was_handed_back_is_found_by_the_next_holder() {
    let world = World::start().await;
    world.queue("utility", 0..60).await;
    world.simulator.faults(Faults {
        fault: Fault::Throughput,
        next: 1,
    });
    // A term of half a second ends while most of it waits, one of them refused as too fast.
    world
        .sender
        .handle(wake(), Duration::from_millis(15_500))
        .await
        .unwrap();
    assert!(taken(&world.simulator.arrivals()).len() < 60);
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 60);
}

#[tokio::test]
async fn while_no_limit_is_known_the_251st_person_waits() {
    let world = World::limited().await;
    world.queue("marketing", 0..252).await;
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 250);
    assert_eq!(world.events("message.cancelled").await, 0);
    world.wake().await;
    assert_eq!(
        world.simulator.arrivals().len(),
        250,
        "nor with the next holder"
    );
}

#[tokio::test]
async fn a_backlog_of_many_pages_is_sent_to_the_end_in_one_term() {
    let world = World::start().await;
    world.queue("marketing", 0..250).await;
    world.wake().await;
    assert_each_once(&world.simulator.arrivals(), 250);
}
