//! The shipped holder in every order there is: two processes, crashes, pauses, late notifications.
//!
//! The machine that is checked is [`headgate_domain::holder::Holder`] itself; the tables keep the
//! conditions of `headgate-aws`, the order of calls is that of the sender's shell. Searched depth first,
//! each state once (`search`).
//!
//! What may happen in a state: any call of any effect is made, in any order, an effect of several
//! calls one call at a time; a holder dies, and of what it had asked for any subset was done; a holder
//! is paused, its calls still arrive, its answers do not; a wake is delivered, or one too many; intake goes
//! one step on; Meta accepts, throttles, or the request or its answer is lost; a notification arrives,
//! again too. Time passes in steps of a second, and only when no running process has anything to do:
//! slowness is a pause. Bounds on crashes, pauses, troubles and errors make every run end, so nothing is cut off.
//!
//! Never: two holders that may send; a message accepted twice while notifications arrive inside the timer;
//! an attempt on the wire twice; a message that is given to its connection more than two seconds after its claim was begun; nobody at work and nobody to be woken, and a message not at its end.
//!
//! Left out, because it leads to no other state that anyone sees: the answers of what nobody else has
//! a part in come at once (`is_own`); Meta decides when the first byte leaves, as nobody sees that before an
//! answer or a notification does; holders' clocks differ only by where they begin, as they know durations
//! only. Left out although it might: two reads of *one* holder are answered in the order they were
//! asked; a process that stops between a step and the write of its first byte (the engine writes in the step); an
//! unanswered `Wake` or `ReadNextDue`, which the schedule of each minute makes good.
//!
//! The walks go through a larger world at random: two numbers, all lanes, many of everything.
//! A send counts when its first byte leaves; no second holds more than the limit of the number.
//! `HEADGATE_PROOF=1` explores the wider bounds, `HEADGATE_PROOF_CASES` says how many walks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::use_debug,
    reason = "tests may fail loudly, and this one says how much it explored"
)]

mod bounds;
mod search;
mod settling;
mod tables;
mod unavailable;
mod walk;
mod world;

use bounds::{Bounds, SECOND_NS, message, tuning};
use headgate_domain::holder::Tuning;
use headgate_domain::lane::{PURPOSES, Purpose};
use search::explore;
use tables::Bug;
use world::{Name, STALE};

const FOREVER: u64 = 1_000_000_000_000;

/// A code, and Meta may trouble its sending once.
fn one(lane: Purpose) -> Bounds {
    Bounds {
        messages: vec![message(0, 0, lane, 80)],
        step_ms: 1_000,
        per_second: 80,
        counts: false,
        intake_until: 1,
        crashes: 0,
        pauses: 0,
        longest_pause: 4,
        troubles: 1,
        errors: 0,
        wakes: 0,
        arrivals: 1,
        in_time: true,
        bug: Bug::None,
        legacy_first: true,
        only: None,
        tuning: tuning(lane),
    }
}

fn is_proof() -> bool {
    std::env::var_os("HEADGATE_PROOF").is_some()
}

fn trace(path: &[Name]) -> String {
    let line = |n: &Name| format!("  step {:>4}  [{}] {} {}\n", n.t, n.who, n.what, n.of);
    path.iter().map(line).collect()
}

/// In the proof both orders of taking a lease are gone through; otherwise the one that knows less.
fn holds(name: &str, bounds: &Bounds) {
    if is_proof() {
        let other = Bounds {
            legacy_first: !bounds.legacy_first,
            ..bounds.clone()
        };
        holds_as_bounded(&format!("{name}, the lease first"), &other);
    }
    holds_as_bounded(name, bounds);
}

fn holds_as_bounded(name: &str, bounds: &Bounds) {
    let explored = explore(bounds);
    println!(
        "{name}: {} states, {} transitions, {} ends",
        explored.states, explored.transitions, explored.ends
    );
    if let Some((what, path)) = explored.wrong {
        panic!("{name}: {what}\n{}", trace(&path));
    }
    assert!(explored.ends > 0, "nothing came to an end");
}

fn bites(name: &str, what: &'static str, bounds: &Bounds) {
    let only = Bounds {
        only: Some(what),
        ..bounds.clone()
    };
    let explored = explore(&only);
    println!(
        "{name}: {} states, {} transitions until {what}",
        explored.states, explored.transitions
    );
    let (found, path) = explored.wrong.expect("the checker does not bite");
    assert_eq!(found, what, "{}", trace(&path));
}

const CODE: Purpose = Purpose::Authentication;

#[test]
fn nothing_is_lost_or_sent_twice_when_a_holder_dies_anywhere() {
    let crashes = if is_proof() { 2 } else { 1 };
    let bounds = Bounds {
        crashes,
        ..one(CODE)
    };
    holds("a code, crashes", &bounds);
    if is_proof() {
        let bounds = Bounds {
            crashes: 1,
            wakes: 1,
            arrivals: 2,
            ..one(CODE)
        };
        holds("a code, a crash, two holders", &bounds);
    }
}

#[test]
fn nothing_is_lost_or_sent_twice_when_a_holder_pauses_anywhere_beside_another() {
    let proof = is_proof();
    let bounds = Bounds {
        pauses: 1,
        wakes: 1,
        troubles: 0,
        longest_pause: if proof { 4 } else { 1 },
        intake_until: 0,
        ..one(CODE)
    };
    holds("a code, a pause, two holders", &bounds);
}

#[test]
fn marketing_is_never_sent_twice_however_late_a_notification_is() {
    let bounds = Bounds {
        crashes: 1,
        in_time: false,
        arrivals: 2,
        ..one(Purpose::Marketing)
    };
    holds(
        "marketing, a crash, late and repeated notifications",
        &bounds,
    );
}

#[test]
fn nothing_is_lost_when_a_table_does_not_answer() {
    let bounds = Bounds {
        errors: 1,
        crashes: u16::from(is_proof()),
        // A holder that died, and a lease of our own that we did not learn of: twice three seconds.
        tuning: Tuning {
            stand_by: 8_000_000_000,
            ..tuning(CODE)
        },
        ..one(CODE)
    };
    holds("a code, a call that fails", &bounds);
}

/// Terms that end while something is ready, claimed or under way.
#[test]
fn nothing_is_lost_or_sent_twice_when_terms_end_by_time() {
    let proof = is_proof();
    let bounds = Bounds {
        messages: vec![message(0, 0, CODE, 80), message(1, 0, CODE, 80)],
        troubles: 0,
        errors: u16::from(proof),
        intake_until: 4,
        tuning: Tuning {
            // Longer than what a predecessor claimed is left to it.
            term: 4 * SECOND_NS,
            wake_successor_before: SECOND_NS,
            ..tuning(CODE)
        },
        ..one(CODE)
    };
    holds("two codes, terms of four seconds", &bounds);
}

#[test]
fn two_messages_pass_each_other() {
    let bounds = Bounds {
        messages: vec![message(0, 0, CODE, 80), message(1, 0, CODE, 80)],
        crashes: u16::from(is_proof()),
        troubles: 0,
        intake_until: 0,
        ..one(CODE)
    };
    holds("two codes", &bounds);
}

#[test]
fn without_the_claim_a_message_is_sent_twice() {
    let bounds = Bounds {
        crashes: 1,
        bug: Bug::ClaimNotStored,
        ..one(CODE)
    };
    bites("claim not stored", "sent twice", &bounds);
}

#[test]
fn recovered_to_queued_a_message_is_sent_twice() {
    let bounds = Bounds {
        crashes: 1,
        bug: Bug::LostIsQueued,
        ..one(CODE)
    };
    bites("recovery to queued", "sent twice", &bounds);
}

#[test]
fn without_the_fence_and_the_deadline_a_message_is_sent_twice() {
    let bounds = Bounds {
        pauses: 1,
        wakes: 1,
        troubles: 0,
        longest_pause: 5,
        intake_until: 0,
        tuning: Tuning {
            send_by: FOREVER,
            fence: FOREVER,
            ..tuning(CODE)
        },
        ..one(CODE)
    };
    bites("no deadline, no fence", "two holders may send", &bounds);
    bites("no deadline, no fence", "sent twice", &bounds);
}

/// What only the deadline keeps: a holder that was paused and still has the lease must not send what was
/// judged before the pause, for whoever has objected since.
#[test]
fn without_the_deadline_a_message_leaves_on_an_old_judgement() {
    let paused = Bounds {
        pauses: 1,
        troubles: 0,
        longest_pause: 5,
        intake_until: 0,
        ..one(CODE)
    };
    holds("a code, a pause, one holder", &paused);
    let no_deadline = Bounds {
        tuning: Tuning {
            send_by: FOREVER,
            ..tuning(CODE)
        },
        ..paused
    };
    bites("no deadline", STALE, &no_deadline);
}

/// Beside another holder it is the fence that matters: it looks at the clock in every step that could
/// send, so it covers a pause by itself.
#[test]
fn without_the_fence_a_message_is_sent_twice_and_without_the_deadline_it_is_not() {
    let two = Bounds {
        pauses: 1,
        wakes: 1,
        troubles: 0,
        longest_pause: if is_proof() { 5 } else { 1 },
        intake_until: 0,
        only: Some("sent twice"),
        ..one(CODE)
    };
    let no_deadline = Bounds {
        tuning: Tuning {
            send_by: FOREVER,
            ..tuning(CODE)
        },
        ..two.clone()
    };
    holds("no deadline, two holders", &no_deadline);
    let no_fence = Bounds {
        longest_pause: 5,
        tuning: Tuning {
            fence: FOREVER,
            ..tuning(CODE)
        },
        ..two
    };
    bites("no fence, two holders", "sent twice", &no_fence);
}

const STRANDED: &str = "a message waits and nobody is woken";

#[test]
fn when_intake_reads_before_it_writes_a_message_is_stranded() {
    let bounds = Bounds {
        wakes: 1,
        troubles: 0,
        bug: Bug::ReadBeforeWrite,
        ..one(CODE)
    };
    bites(
        "lease read before the message is written",
        STRANDED,
        &bounds,
    );
}

#[test]
fn when_the_last_look_is_older_than_idle_a_message_is_stranded() {
    let bounds = Bounds {
        wakes: 1,
        troubles: 0,
        bug: Bug::LookBeforeIdle,
        ..one(CODE)
    };
    bites("look from before IDLE", STRANDED, &bounds);
}

/// Two numbers, all lanes, many of everything.
fn large(bug: Bug) -> Bounds {
    let messages = (0..32_u8)
        .map(|m| {
            let lane = PURPOSES[usize::from(m / 2 % 4)];
            message(m, usize::from(m % 2), lane, 4)
        })
        .collect();
    Bounds {
        messages,
        step_ms: 50,
        per_second: 4,
        counts: true,
        intake_until: 200,
        crashes: 4,
        pauses: 4,
        longest_pause: 120,
        troubles: 10,
        errors: 10,
        wakes: 4,
        arrivals: 2,
        in_time: true,
        bug,
        legacy_first: false,
        only: None,
        tuning: Tuning::default(),
    }
}

#[test]
fn the_walks_bite_too() {
    let bounds = Bounds {
        only: Some("sent twice"),
        ..large(Bug::ClaimNotStored)
    };
    let found = (1..=60).find(|seed| walk::walk(&bounds, *seed).0.is_some());
    println!("claim not stored: sent twice in walk {found:?}");
    assert!(found.is_some());
}

#[test]
fn long_walks_keep_every_promise_and_the_rate() {
    let cases = std::env::var("HEADGATE_PROOF_CASES").ok();
    let cases = cases
        .and_then(|c| c.parse().ok())
        .unwrap_or(if is_proof() { 1_000 } else { 15 });
    let mut steps = 0;
    for seed in 1..=cases {
        let bounds = large(Bug::None);
        let (wrong, taken) = walk::walk(&bounds, seed);
        if let Some((what, path)) = wrong {
            let last = path.len().saturating_sub(400);
            panic!("walk {seed}: {what}\n{}", trace(&path[last..]));
        }
        steps += taken;
    }
    println!("{cases} walks, {steps} steps");
}
