//! Objection, restriction and rectification: wherever the worker dies they end as asked for, and are told as one.

use std::collections::BTreeSet;

use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::privacy::{Choice, Denial, Extension, RequestId, State, Task, Wish};
use headgate_domain::profiles::Right;
use headgate_domain::time::{DAY, HOUR, MINUTE};
use headgate_testkit::{End, environment, events};
use local_cloud::Crash;
use privacy_worker::PrivacyWorker;
use serde_json::Value;

use crate::world::World;

const BOTH: [Purpose; 2] = [Purpose::Marketing, Purpose::Utility];

/// The kinds and causes of what Headgate writes about a request.
async fn told(world: &World, request: &RequestId) -> BTreeSet<(String, String)> {
    let queued = world.on_queue("-system").await;
    let about = queued.iter().filter(|one| one["token"] == request.as_str());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    about
        .map(|one| (text(&one["kind"]), text(&one["cause"])))
        .collect()
}

/// What apps are told of a person: type, id and purpose.
async fn events_of(world: &World, subject: &SubjectId) -> BTreeSet<(String, String, String)> {
    let queued = world.on_queue("-app-events").await;
    let theirs = queued
        .iter()
        .filter(|one| one["subject"] == subject.as_str());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    theirs
        .map(|one| {
            (
                text(&one["type"]),
                text(&one["event_id"]),
                text(&one["data"]["purpose"]),
            )
        })
        .collect()
}

async fn state(world: &World, request: &RequestId) -> Option<State> {
    let found = world.requests().find(request).await.unwrap();
    found.map(|request| request.state)
}

#[tokio::test]
async fn an_objection_is_in_force_at_once_told_once_and_closed() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let (code, request) = world.chosen(Choice::Right(Right::Objection)).await;
    let ask = world.asked(&ada, Wish::Code(code.clone()), 1);
    assert_eq!(world.hand_over(&[&ask]).await, 0);
    for purpose in BOTH {
        assert!(world.is_blocked_for(1, purpose).await, "{purpose}");
    }
    assert!(!world.is_blocked_for(1, Purpose::Authentication).await);
    let closed = world.requests().find(&request).await.unwrap().unwrap();
    assert_eq!(closed.state, State::Fulfilled);
    assert!(closed.subject.is_none() && closed.closed_at.is_some());
    assert!(closed.due_at >= closed.received_at);
    let one = ("privacy_objection".to_owned(), request.to_string());
    assert_eq!(told(&world, &request).await, BTreeSet::from([one.clone()]));
    let events = events_of(&world, &ada).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events.iter().all(|(kind, ..)| kind == "subject.opted_out"));
    let due = world.requests().due(world.now().plus_millis(MINUTE)).await;
    assert!(due.unwrap().is_empty(), "nothing is left to be done");

    // The queue hands it over again; somebody else sends the same code.
    let ben = world.agreed(2, &BOTH).await;
    let rows = world.rows().await;
    let others = world.asked(&ben, Wish::Code(code), 2);
    assert_eq!(world.hand_over(&[&ask, &others]).await, 0);
    assert_eq!(world.rows().await, rows);
    assert_eq!(told(&world, &request).await, BTreeSet::from([one]));

    // A word like START does not take it back.
    world.wait(MINUTE);
    world.says_yes_again(&ada, Purpose::Marketing).await;
    assert!(world.is_blocked(1).await);
}

#[tokio::test]
async fn who_is_not_known_objects_to_nothing() {
    let world = World::start().await;
    let nobody = SubjectId::from_random([8; 16]);
    let rows = world.rows().await;
    let ask = world.asked(&nobody, Wish::Right(Right::Objection), 1);
    assert_eq!(world.hand_over(&[&ask]).await, 0);
    assert_eq!(world.rows().await, rows);
    assert!(world.on_queue("-system").await.is_empty());
}

#[tokio::test]
async fn wherever_it_dies_an_objection_ends_in_force() {
    let world = World::start().await;
    let (mut deaths, mut n) = (0_u32, 0_u32);
    for crash in [Crash::Before, Crash::Unanswered] {
        for at in 1.. {
            n += 1;
            let ada = world.agreed(n, &BOTH).await;
            let (code, request) = world.chosen(Choice::Right(Right::Objection)).await;
            let ask = world.asked(&ada, Wish::Code(code), n);
            let event = events::sqs("arn:privacy-requests", &[&ask]);
            let (settings, clock) = (world.settings(), world.clock());
            let gate = world.gate();
            let end = environment(
                &gate,
                Some((at, crash)),
                || async move { PrivacyWorker::new(&settings, clock).await.unwrap() },
                |worker| async move { worker.handle(event).await.map(|_answer| ()) },
            );
            let died = matches!(end.await, End::Died(_));
            deaths += u32::from(died);
            if n.is_multiple_of(2) {
                // The agenda is enough, once there is anything.
                world.work_off().await;
            }
            if state(&world, &request).await != Some(State::Fulfilled) {
                assert_eq!(world.hand_over(&[&ask]).await, 0, "died at {at}");
            }
            assert_eq!(
                state(&world, &request).await,
                Some(State::Fulfilled),
                "died at {at}"
            );
            for purpose in BOTH {
                assert!(world.is_blocked_for(n, purpose).await, "died at {at}");
            }
            assert_eq!(told(&world, &request).await.len(), 1, "died at {at}");
            assert_eq!(events_of(&world, &ada).await.len(), 2, "died at {at}");
            if !died {
                break;
            }
        }
    }
    assert!(deaths > 20, "{deaths}");
}

async fn is_restricted(world: &World, subject: &SubjectId) -> bool {
    let states = world.subjects().states(std::slice::from_ref(subject)).await;
    states.unwrap()[0].restricted_at.is_some()
}

/// What somebody asks for by a code, handed over; the reference.
pub(crate) async fn asks(world: &World, subject: &SubjectId, choice: Choice, n: u32) -> RequestId {
    let (code, request) = world.chosen(choice).await;
    let ask = world.asked(subject, Wish::Code(code), n);
    // Twice, as a queue may.
    assert_eq!(world.hand_over(&[&ask]).await, 0);
    assert_eq!(world.hand_over(&[&ask]).await, 0);
    request
}

pub(crate) const RESTRICT: Choice = Choice::Right(Right::Restriction);

#[tokio::test]
async fn a_restriction_stands_until_its_person_ends_it_and_a_repeat_is_the_same() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let request = asks(&world, &ada, RESTRICT, 1).await;
    assert!(is_restricted(&world, &ada).await);
    assert_eq!(state(&world, &request).await, Some(State::Running));
    assert!(!world.is_blocked(1).await, "it is no no");
    let again = asks(&world, &ada, RESTRICT, 2).await;
    assert_eq!(state(&world, &again).await, None, "it is the same request");
    assert!(told(&world, &again).await.is_empty());
    world.work_off().await;
    let due = world.requests().due(world.now().plus_millis(MINUTE)).await;
    assert!(due.unwrap().is_empty());

    // Whose code it is not ends nothing.
    let ben = world.agreed(2, &BOTH).await;
    asks(&world, &ben, Choice::Lift, 3).await;
    assert!(is_restricted(&world, &ada).await);
    world.wait(MINUTE);
    let lift = asks(&world, &ada, Choice::Lift, 4).await;
    assert!(!is_restricted(&world, &ada).await);
    assert_eq!(state(&world, &request).await, Some(State::Fulfilled));
    assert_eq!(state(&world, &lift).await, None, "it becomes no request");
    let types: Vec<String> = events_of(&world, &ada)
        .await
        .into_iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(types, ["subject.restricted", "subject.unrestricted"]);

    // Anew, and then erased: nothing stays open.
    world.wait(MINUTE);
    let anew = asks(&world, &ada, RESTRICT, 5).await;
    assert!(is_restricted(&world, &ada).await);
    world.ask(&ada).await;
    world.wait(6 * MINUTE);
    world.work_off().await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
    assert_eq!(state(&world, &anew).await, Some(State::Withdrawn));
}

/// It counts when the code was sent, not when it comes: a dead letter may be put back after two weeks.
#[tokio::test]
async fn a_code_that_was_sent_in_time_counts_however_late_it_comes() {
    let world = World::start().await;
    let (ada, ben) = (world.agreed(1, &BOTH).await, world.agreed(2, &BOTH).await);
    let (in_time, _) = world.chosen(RESTRICT).await;
    let (late, _) = world.chosen(RESTRICT).await;
    let in_time = world.asked(&ada, Wish::Code(in_time), 1);
    world.wait(31 * MINUTE);
    let late = world.asked(&ben, Wish::Code(late), 2);
    world.wait(20 * DAY);
    world.expire().await;
    assert_eq!(world.hand_over(&[&in_time, &late]).await, 0);
    assert!(is_restricted(&world, &ada).await);
    assert!(!is_restricted(&world, &ben).await);
}

/// Two who close it at once: whoever saw it before it moved on does not.
#[tokio::test]
async fn a_request_is_closed_where_it_was_seen() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    world.ask(&ada).await;
    let requests = world.requests();
    let open = requests.find_open(&ada, Right::Erasure).await;
    let seen = open.unwrap().unwrap();
    assert!(requests.advance(&seen, State::Running).await.unwrap());
    let times = (world.now(), None);
    let closed = requests.close(&seen, State::Withdrawn, None, times).await;
    assert!(closed.is_err(), "{closed:?}");
    assert_eq!(state(&world, &seen.id).await, Some(State::Running));
    world.wait(6 * MINUTE);
    world.work_off().await;
    assert_eq!(state(&world, &seen.id).await, Some(State::Fulfilled));
}

/// Meta hands over again for seven days: a message that asked for what was asked for already asks for nothing new.
#[tokio::test]
async fn a_second_ask_that_comes_again_after_the_end_does_not_begin_anew() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    asks(&world, &ada, RESTRICT, 1).await;
    let (code, _) = world.chosen(RESTRICT).await;
    let second = world.asked(&ada, Wish::Code(code), 2);
    assert_eq!(world.hand_over(&[&second]).await, 0);
    world.wait(MINUTE);
    asks(&world, &ada, Choice::Lift, 3).await;
    assert!(!is_restricted(&world, &ada).await);
    assert_eq!(world.hand_over(&[&second]).await, 0);
    assert!(!is_restricted(&world, &ada).await);
}

#[tokio::test]
async fn a_lift_that_was_written_before_the_restriction_does_not_end_it() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let (code, _) = world.chosen(Choice::Lift).await;
    let early = world.asked(&ada, Wish::Code(code), 1);
    world.wait(MINUTE);
    asks(&world, &ada, RESTRICT, 2).await;
    assert_eq!(world.hand_over(&[&early]).await, 0);
    assert!(is_restricted(&world, &ada).await);
}

#[tokio::test]
async fn an_operator_ends_a_restriction_only_after_the_person_was_told() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let request = asks(&world, &ada, RESTRICT, 1).await;
    let lift = async |task: Task| operates(&world, task).await;
    // She has not written within a day, so nothing can be told in the chat.
    lift(Task::Lift(request.clone())).await;
    assert!(is_restricted(&world, &ada).await);
    world
        .subjects()
        .note_inbound(&ada, world.now())
        .await
        .unwrap();
    lift(Task::Lift(request.clone())).await;
    assert!(!is_restricted(&world, &ada).await);
    let end = ("privacy_restriction_end".to_owned(), request.to_string());
    assert!(told(&world, &request).await.contains(&end));

    let ben = world.agreed(2, &BOTH).await;
    let other = asks(&world, &ben, RESTRICT, 2).await;
    lift(Task::LiftTold(other.clone())).await;
    assert!(!is_restricted(&world, &ben).await);
    assert_eq!(told(&world, &other).await.len(), 1, "he was told otherwise");
    assert_eq!(state(&world, &other).await, Some(State::Fulfilled));
}

#[tokio::test]
async fn who_is_the_same_person_as_somebody_restricted_is_restricted() {
    let world = World::start().await;
    let (one, other) = (world.agreed(1, &BOTH).await, world.agreed(2, &BOTH).await);
    let request = asks(&world, &other, RESTRICT, 1).await;
    world
        .subjects()
        .restrict(&one, world.now(), world.now())
        .await
        .unwrap();
    world.subjects().join(&one, &other).await.unwrap();
    world.wait(MINUTE);
    asks(&world, &one, Choice::Lift, 2).await;
    assert!(!is_restricted(&world, &one).await && !is_restricted(&world, &other).await);
    assert_eq!(state(&world, &request).await, Some(State::Fulfilled));
}

const RECTIFY: Choice = Choice::Right(Right::Rectification);

/// Puts a task on the agenda as the operator does, and has it done.
async fn operates(world: &World, task: Task) {
    world.requests().plan(&task, world.now()).await.unwrap();
    world.wait(1);
    world.work_off().await;
}

#[tokio::test]
async fn a_rectification_waits_for_the_business_and_says_how_it_ended() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let request = asks(&world, &ada, RECTIFY, 1).await;
    let again = asks(&world, &ada, RECTIFY, 2).await;
    assert_eq!(state(&world, &again).await, None, "a repeat is the same");
    let events = world.on_queue("-app-events").await;
    let told_apps: BTreeSet<&str> = events
        .iter()
        .filter(|one| one["type"] == "subject.rectification")
        .map(|one| one["data"]["request"].as_str().unwrap())
        .collect();
    assert_eq!(told_apps, BTreeSet::from([request.as_str()]));
    let stands = world.requests().find(&request).await.unwrap().unwrap();
    assert!(stands.due_at > world.now().plus_millis(7 * DAY));
    let a_week_before = stands.due_at.plus_millis(-7 * DAY);
    assert_eq!(stands.run_at, a_week_before, "it is on the agenda then");
    assert!(!world.is_blocked(1).await && !is_restricted(&world, &ada).await);

    // The window is open: she is told in the chat how it ended.
    world
        .subjects()
        .note_inbound(&ada, world.now())
        .await
        .unwrap();
    operates(&world, Task::Fulfil(request.clone())).await;
    assert_eq!(state(&world, &request).await, Some(State::Fulfilled));
    let kinds: Vec<String> = told(&world, &request)
        .await
        .into_iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(kinds, ["privacy_done", "privacy_rectification"]);
    let due = world
        .requests()
        .due(world.now().plus_millis(400 * DAY))
        .await;
    assert!(due.unwrap().is_empty());
    // What is closed stays as it is.
    operates(&world, Task::Deny(request.clone(), Denial::Other)).await;
    assert_eq!(state(&world, &request).await, Some(State::Fulfilled));
}

#[tokio::test]
async fn a_denial_keeps_its_reason_and_what_is_no_rectification_is_not_answered() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let request = asks(&world, &ada, RECTIFY, 1).await;
    operates(&world, Task::Deny(request.clone(), Denial::NoMatch)).await;
    let closed = world.requests().find(&request).await.unwrap().unwrap();
    assert_eq!(
        (closed.state, closed.denial),
        (State::Denied, Some(Denial::NoMatch))
    );
    assert!(closed.subject.is_none());
    assert_eq!(
        told(&world, &request).await.len(),
        1,
        "one may not write to her"
    );

    let restricted = asks(&world, &ada, RESTRICT, 2).await;
    for task in [
        Task::Fulfil(restricted.clone()),
        Task::Deny(restricted.clone(), Denial::Other),
        Task::Extend(restricted.clone(), Extension::Complexity),
    ] {
        operates(&world, task).await;
    }
    assert_eq!(state(&world, &restricted).await, Some(State::Running));
    let anew = asks(&world, &ada, RECTIFY, 3).await;
    operates(&world, Task::Lift(anew.clone())).await;
    operates(&world, Task::LiftTold(anew.clone())).await;
    assert_eq!(state(&world, &anew).await, Some(State::Verified));
}

#[tokio::test]
async fn a_rectification_is_extended_once_as_far_as_the_law_goes_and_not_after_its_day() {
    let world = World::start().await;
    let ada = world.abroad("TW.70000001").await;
    let request = asks(&world, &ada, RECTIFY, 1).await;
    let first = world.requests().find(&request).await.unwrap().unwrap();
    operates(&world, Task::Extend(request.clone(), Extension::Complexity)).await;
    let longer = world.requests().find(&request).await.unwrap().unwrap();
    assert!(longer.due_at > first.due_at, "Taiwan allows it");
    assert_eq!(longer.extension, Some(Extension::Complexity));
    operates(
        &world,
        Task::Extend(request.clone(), Extension::NumberOfRequests),
    )
    .await;
    let once = world.requests().find(&request).await.unwrap().unwrap();
    assert_eq!(once, longer);
    let ahead = world.now().plus_millis(400 * DAY);
    let planned = world.requests().due(ahead).await.unwrap();
    assert_eq!(planned, [(longer.run_at, Task::Run(request.clone()))]);
    assert_eq!(longer.run_at, longer.due_at.plus_millis(-7 * DAY));

    // A week before its day whoever runs this is told, and it is on the agenda for the day.
    world.wait(longer.run_at.millis_since(world.now()) + MINUTE);
    world.work_off().await;
    let planned = world.requests().due(ahead).await.unwrap();
    assert_eq!(planned, [(longer.due_at, Task::Run(request.clone()))]);

    // Past its day it stays on the agenda, overdue.
    world.wait(longer.due_at.millis_since(world.now()) + MINUTE);
    world.work_off().await;
    let planned = world
        .requests()
        .due(world.now().plus_millis(2 * HOUR))
        .await
        .unwrap();
    assert_eq!(planned.len(), 1);
    assert_eq!(state(&world, &request).await, Some(State::Verified));
    let ben = world.abroad("TW.70000002").await;
    let late = asks(&world, &ben, RECTIFY, 2).await;
    let stands = world.requests().find(&late).await.unwrap().unwrap();
    world.wait(stands.due_at.millis_since(world.now()) + MINUTE);
    operates(&world, Task::Extend(late.clone(), Extension::Complexity)).await;
    let found = world.requests().find(&late).await.unwrap().unwrap();
    assert_eq!(found.extension, None);
}

#[tokio::test]
async fn where_the_law_allows_no_more_time_nothing_is_extended() {
    let world = World::start().await;
    let ada = world.agreed(1, &BOTH).await;
    let request = asks(&world, &ada, RECTIFY, 1).await;
    let before = world.requests().find(&request).await.unwrap();
    operates(&world, Task::Extend(request.clone(), Extension::Complexity)).await;
    assert_eq!(world.requests().find(&request).await.unwrap(), before);
    assert_eq!(told(&world, &request).await.len(), 1);
}

#[tokio::test]
async fn a_restriction_that_is_handed_over_again_beside_its_end_does_not_come_back() {
    let world = World::start().await;
    for n in 1..20 {
        let ada = world.agreed(n, &BOTH).await;
        let (code, request) = world.chosen(RESTRICT).await;
        let keep = world.asked(&ada, Wish::Code(code), 2 * n);
        assert_eq!(world.hand_over(&[&keep]).await, 0);
        world.wait(2_000);
        let (code, _) = world.chosen(Choice::Lift).await;
        let lift = world.asked(&ada, Wish::Code(code), 2 * n + 1);
        assert_eq!(world.hand_over(&[&keep, &lift, &keep]).await, 0);
        assert!(!is_restricted(&world, &ada).await, "{n}");
        assert_eq!(state(&world, &request).await, Some(State::Fulfilled));
    }
}
