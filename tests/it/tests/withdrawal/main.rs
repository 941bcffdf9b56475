//! Withdraw against send: under load, with busy tables and a holder that dies, nothing leaves for a person on
//! a judgement made after their no was stored (I8, R-402), and the no is in force within five seconds.
//!
//! Seven channels: a word, a button, Meta's switch and Meta's code 131050 as notifications; the page behind a
//! link, the HTTP API and the command line through their own doors and the consents queue. Each is said while
//! the person's message waits in the outbox, some of them twice. Time counts from where the queue of
//! notifications has it, or from before the page is opened, the record sent, the command given.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::large_futures,
    reason = "tests may fail loudly; this one starts tasks and prints a table"
)]

mod doors;
mod throttle;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use doors::Doors;
use futures_util::stream::{self, StreamExt as _};
use headgate_domain::identity::SubjectId;
use headgate_domain::record::State;
use serde_json::{Value, json};
use world::{NUMBER, Withdrawal, World};

const CHANNELS: [&str; 7] = [
    "keyword", "button", "switch", "131050", "page", "api", "cli",
];
/// People of each channel, and as many bystanders as all of them.
const EACH: usize = 20;
/// So many people say no at any moment, one after the other.
const AT_ONCE: usize = 4;
/// A judgement may be this old when the message leaves, and the way to Meta takes a moment.
const JUDGED_BEFORE: Duration = Duration::from_millis(2_500);
/// So often it is looked how late the machine is.
const PROBE: Duration = Duration::from_millis(50);
/// The limit at the 99th percentile.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

fn bsuid(person: usize) -> String {
    format!("CA.{}", 20_000_000 + person)
}

fn marketing(person: usize, what: &str) -> Value {
    json!({ "schema": "headgate.outbound/1", "id": format!("{what}-{person}"), "from": "main", "to": { "bsuid": bsuid(person) },
        "purpose": "marketing", "message": { "type": "template",
            "template": { "name": "autumn_sale", "language": { "code": "en_US" }, "components": [] } } })
}

fn consent(world: &World, action: &str, method: &str, person: usize) -> Value {
    let occurred_at = headgate_domain::time::Timestamp::from_seconds(world.seconds());
    json!({ "schema": "headgate.consent/1", "id": format!("{action}-{person}"), "to": { "bsuid": bsuid(person) },
        "purpose": "marketing", "action": action, "method": method, "notice": "Yes, write to me on WhatsApp", "locale": "en",
        "evidence": { "form": "checkout-7", "version": "3", "page": "shop.example/checkout", "unticked": true },
        "occurred_at": occurred_at })
}

fn notification(field: &str, member: &str, updates: &Value) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": field, "value": {
        "messaging_product": "whatsapp", "metadata": { "phone_number_id": NUMBER }, member: updates } }] }] })
}

/// What the channels need to know of people.
struct Crowd {
    doors: Doors,
    subjects: BTreeMap<usize, SubjectId>,
    /// Who has had a message of which Meta can say that they stopped.
    earlier: BTreeMap<usize, String>,
}

/// Says no for a person by a channel; every third one is delivered twice.
async fn withdraw(
    world: &World,
    channel: &'static str,
    person: usize,
    crowd: &Crowd,
) -> Withdrawal {
    // Meta's seconds are whole, and the yes came in an earlier one.
    let timestamp = (world.seconds() + 1).to_string();
    let from = json!({ "from_user_id": bsuid(person), "id": format!("wamid.no{person}"), "timestamp": timestamp });
    let with = |members: Value| {
        let mut message = from.clone();
        let members = members.as_object().unwrap().clone();
        message.as_object_mut().unwrap().extend(members);
        notification("messages", "messages", &json!([message]))
    };
    let by_app = consent(world, "withdrawn", "app", person);
    let said = Instant::now();
    let name = format!("{channel}-{person}");
    for _ in 0..=usize::from(person.is_multiple_of(3)) {
        match channel {
            "keyword" => {
                let stop = with(json!({ "type": "text", "text": { "body": "Stop!" } }));
                world.notify(&name, &stop).await;
            }
            "button" => {
                let reply = json!({ "type": "button_reply", "button_reply": { "id": "STOP_PROMOTIONS", "title": "Stop promotions" } });
                let pressed = with(json!({ "type": "interactive", "interactive": reply }));
                world.notify(&name, &pressed).await;
            }
            "switch" => {
                let choice = json!([{ "user_id": bsuid(person), "category": "marketing_messages", "value": "stop", "timestamp": timestamp }]);
                let choice = notification("user_preferences", "user_preferences", &choice);
                world.notify(&name, &choice).await;
            }
            "131050" => {
                let failed = json!([{ "id": format!("wamid.earlier{person}"), "status": "failed", "timestamp": timestamp,
                    "biz_opaque_callback_data": crowd.earlier[&person], "errors": [{ "code": 131_050 }] }]);
                let failed = notification("messages", "statuses", &failed);
                world.notify(&name, &failed).await;
            }
            "page" => crowd.doors.press_stop(&crowd.subjects[&person]).await,
            "api" => crowd.doors.post(&by_app).await,
            "cli" => crowd.doors.opt_out(&bsuid(person), &name).await,
            other => unreachable!("{other}"),
        }
    }
    let stored = match channel {
        "page" => crowd.doors.stored(crowd.subjects[&person].as_str()).await,
        "api" => {
            let id = format!("\"withdrawn-{person}\"");
            crowd.doors.stored(&id).await
        }
        "cli" => crowd.doors.stored(&format!("\"{name}\"")).await,
        _ => Instant::now(),
    };
    Withdrawal {
        channel,
        said,
        stored,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_on_a_judgement_made_after_the_no_was_stored() {
    let world = Arc::new(World::start().await);
    let people = CHANNELS.len() * EACH * 2;
    // People of a channel stand all over the outbox; every second person is a bystander.
    let channel_of = |person: usize| {
        person
            .is_multiple_of(2)
            .then(|| CHANNELS[(person / 2) % CHANNELS.len()])
    };
    let all: Vec<Value> = (0..people)
        .map(|person| consent(&world, "given", "web_checkbox", person))
        .collect();
    world.queue("CONSENTS", "yes", &all).await;
    let stopped_at_meta: Vec<usize> = (0..people)
        .filter(|person| channel_of(*person) == Some("131050"))
        .collect();
    let first: Vec<Value> = stopped_at_meta
        .iter()
        .map(|person| marketing(*person, "first"))
        .collect();
    world.queue("MARKETING", "first", &first).await;
    world.hold(Duration::from_secs(30)).await;
    let accepted = world.accepted().await;
    let earlier: BTreeMap<usize, String> = stopped_at_meta
        .iter()
        .map(|person| (*person, accepted[&format!("first-{person}")].opaque(1)))
        .collect();
    let messages: Vec<Value> = (0..people)
        .map(|person| marketing(person, "sale"))
        .collect();
    world.queue("MARKETING", "sale", &messages).await;
    let subjects = world.subjects().await;
    let of = |person: usize| (person, subjects[&format!("sale-{person}")].clone());
    let crowd = Crowd {
        doors: world.doors().await,
        subjects: (0..people).map(of).collect(),
        earlier,
    };

    let is_over = Arc::new(AtomicBool::new(false));
    let probe = tokio::spawn(behind(Arc::clone(&is_over)));
    let holder = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            // Two die while they send, and the next one takes the lease over.
            for life in [1_200, 5_500] {
                world.hold(Duration::from_millis(life)).await;
            }
            world.hold(Duration::from_mins(1)).await;
        }
    });
    // By turns the one whose message is next and the one whose message is last: the first are as close as can
    // be, and the second still wait in the outbox however fast or slow the machine is.
    let saying: Vec<(usize, &'static str)> = (0..people)
        .filter_map(|person| Some((person, channel_of(person)?)))
        .collect();
    let (near, far) = saying.split_at(saying.len() / 2);
    let to_say: Vec<(usize, &'static str)> = near
        .iter()
        .zip(far.iter().rev())
        .flat_map(|(near, far)| [*near, *far])
        .collect();
    let said: BTreeMap<usize, Withdrawal> = stream::iter(to_say)
        .map(|(person, channel)| {
            let (world, crowd) = (&world, &crowd);
            async move { (person, withdraw(world, channel, person, crowd).await) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    holder.await.unwrap();
    // A term may be too short for all of it.
    for _ in 0..5 {
        let references: Vec<_> = world.accepted().await.into_values().collect();
        let states = world.states(&references).await;
        if !states.values().any(|(state, _)| *state == State::Queued) {
            break;
        }
        world.hold(Duration::from_mins(1)).await;
    }
    is_over.store(true, Ordering::SeqCst);
    judge(&world, people, &said, probe.await.unwrap()).await;
}

/// The longest time by which a task of this process was late: no message of it could be sooner.
async fn behind(is_over: Arc<AtomicBool>) -> Duration {
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        tokio::time::sleep(PROBE).await;
        longest = longest.max(begun.elapsed().saturating_sub(PROBE));
    }
    println!("the machine was {} ms late at most", longest.as_millis());
    longest
}

/// What left, and when, against what was said, and when.
async fn judge(world: &World, people: usize, said: &BTreeMap<usize, Withdrawal>, behind: Duration) {
    let accepted = world.accepted().await;
    let reference = |person: usize| accepted[&format!("sale-{person}")].clone();
    let references: Vec<_> = (0..people).map(reference).collect();
    let states = world.states(&references).await;
    let arrivals = world.arrivals();
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let (mut stopped, mut left, mut unknown) = (0, 0, 0);
    for (person, no) in said {
        let reference = reference(*person);
        let attempts = reference.opaque(0);
        let attempts = attempts.trim_end_matches('0');
        let last = arrivals
            .iter()
            .filter(|a| a.opaque.as_ref().is_some_and(|o| o.starts_with(attempts)))
            .map(|a| a.at)
            .max();
        let late = last.and_then(|at| at.checked_duration_since(no.stored));
        assert!(
            late.is_none_or(|late| late <= JUDGED_BEFORE + behind),
            "{} of person {person} left {late:?} after the no was stored",
            no.channel
        );
        let (state, reason) = &states[&reference];
        match (last, state) {
            (Some(_), _) => left += 1,
            (None, State::Cancelled) => {
                stopped += 1;
                let reason = reason.as_deref().unwrap_or_default();
                assert!(["suppressed", "meta_stopped"].contains(&reason), "{reason}");
            }
            // A holder took it before the no, and died with it: marketing is never sent again.
            (None, State::Ambiguous | State::Unknown) => unknown += 1,
            (None, other) => unreachable!("{} {person} is {other:?}", no.channel),
        }
        // In force is what is stored, and what had been judged before has left.
        let in_force = last.map_or(no.stored, |at| at.max(no.stored));
        times
            .entry(no.channel)
            .or_default()
            .push(in_force.duration_since(no.said));
    }
    for person in (0..people).filter(|person| !said.contains_key(person)) {
        let (state, _reason) = &states[&reference(person)];
        // A holder that died may have left one behind of which nobody knows.
        assert!(
            matches!(state, State::Accepted | State::Ambiguous),
            "bystander {person} is {state:?}"
        );
    }
    println!("| channel | people | p50 ms | p99 ms | max ms |\n|---|---:|---:|---:|---:|");
    let mut everything = Vec::new();
    for (channel, mut times) in times {
        row(channel, &mut times);
        everything.extend(times);
    }
    let p99 = row("all", &mut everything);
    println!(
        "of {} messages {stopped} were stopped in the outbox, {left} had left, {unknown} died with a holder; tables too busy {} times",
        said.len(),
        world.refused()
    );
    assert!(p99 <= IN_FORCE_WITHIN, "{p99:?}");
    assert!(
        stopped >= said.len() / 7,
        "a race that nobody ran: {stopped}"
    );
    assert!(left > 0 && world.refused() > 20, "no load, or no faults");
}

fn row(channel: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).saturating_sub(1)];
    println!(
        "| {channel} | {} | {} | {} | {} |",
        times.len(),
        at(50).as_millis(),
        at(99).as_millis(),
        times[times.len() - 1].as_millis()
    );
    at(99)
}

/// Meta's answer to a send may be the first to say that the person used its switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_metas_answer_is_a_no_like_any_other() {
    let world = World::start().await;
    let yes = consent(&world, "given", "web_checkbox", 1);
    world.queue("CONSENTS", "yes", &[yes]).await;
    world
        .queue("MARKETING", "first", &[marketing(1, "first")])
        .await;
    world.refuse_next(131_050);
    world.hold(Duration::from_secs(30)).await;
    let first = world.accepted().await["first-1"].clone();
    assert_eq!(
        world.states(std::slice::from_ref(&first)).await[&first].0,
        State::Failed
    );
    let told = world.on_queue("-consents").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["action"], &told[0]["method"]),
        (&json!("withdrawn"), &json!("meta_switch"))
    );

    world.queue("CONSENTS", "stopped", &told).await;
    world
        .queue("MARKETING", "second", &[marketing(1, "second")])
        .await;
    let refused = world.on_queue("app-events").await;
    let refused = refused
        .iter()
        .find(|event| event["type"] == "message.refused")
        .unwrap();
    assert_eq!(refused["data"]["code"], "suppressed");
    assert!(!world.accepted().await.contains_key("second-1"));
}
