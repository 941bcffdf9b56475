//! The client against the simulator over HTTP/2 and TLS: what is called not accepted was not taken
//! on, whatever the simulator was told to do (I6).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use std::time::Duration;

use headgate_domain::disposition::Disposition;
use headgate_graph::{GraphClient, NotAccepted, Outcome, Rest, Scope, Timeouts, Unreachable};
use meta_simulator::{Fault, Faults, Latency, Number, Options, Simulator};
use support::{NUMBER, PATIENT, ambiguous, permit, send, template, trusting, unreachable};

async fn simulator() -> Simulator {
    let options = Options {
        tls: true,
        latency: Latency::NONE,
        statuses: false,
        appsecret_proof: Some("ab".repeat(32)),
        numbers: vec![Number {
            id: NUMBER.to_owned(),
            display_phone: "+16135550199".to_owned(),
            per_second: 1_000,
        }],
        ..Options::default()
    };
    Simulator::start(options).await.unwrap()
}

fn client(simulator: &Simulator) -> GraphClient {
    trusting(&simulator.url(), simulator.certificate_der().unwrap())
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

fn number_not_accepted(outcome: &Outcome) -> bool {
    outcome.disposition().is_some_and(Disposition::may_repeat)
}

#[tokio::test]
async fn a_crowd_of_sends_is_accepted_over_one_connection_and_over_four() {
    let simulator = simulator().await;
    for connections in [1, 4] {
        let client = client(&simulator).with_connections(connections).unwrap();
        // More at once than one connection takes.
        let sends = (0..150).map(|index| {
            let to = format!("+1613555{:04}", 100 + index % 99);
            let client = &client;
            async move { client.send(permit(), NUMBER, &template(&to)).await }
        });
        let outcomes = futures_util::future::join_all(sends).await;
        assert!(outcomes.iter().all(accepted));
    }
    let report = simulator.worst_window();
    assert_eq!(report.numbers[0].outbound, 300);
    assert_eq!(
        (report.numbers[0].refused, simulator.counters().accepted),
        (0, 300)
    );
}

#[tokio::test]
async fn every_fault_ends_in_its_outcome() {
    let simulator = simulator().await;
    let impatient = Timeouts {
        first_byte: Duration::from_secs(4),
        whole: Duration::from_secs(4),
        ..PATIENT
    };
    let ms = 60_000;
    let unreadable = ambiguous("unreadable_answer");
    let refused = unreachable(Unreachable::Refused);
    let trouble = Outcome::Ambiguous {
        why: "trouble_at_meta",
        code: Some(131_000),
        known: true,
        pause: None,
    };
    let spam = Outcome::Failed {
        code: 131_048,
        scope: Scope::Number,
        rest: Some(Rest::NumberMarketing {
            at_least: Duration::from_hours(4),
        }),
        known: true,
    };
    let cases = |accepted| {
        vec![
            (Fault::ServerError { accepted }, trouble.clone()),
            (
                Fault::Hang { accepted, ms },
                ambiguous("timeout_first_byte"),
            ),
            (
                Fault::HangMidBody { accepted, ms },
                ambiguous("timeout_whole"),
            ),
            (Fault::Reset { accepted }, ambiguous("connection_lost")),
            (Fault::StreamReset { accepted }, ambiguous("answer_cut_off")),
            (Fault::Truncated { accepted }, ambiguous("answer_cut_off")),
            (Fault::Html { accepted }, ambiguous("server_error")),
            (Fault::PageOfHtml { accepted }, unreadable.clone()),
            (Fault::Redirect { accepted }, ambiguous("redirect")),
            (
                Fault::ErrorInside { accepted },
                ambiguous("answer_without_id"),
            ),
            (Fault::Huge { accepted }, ambiguous("oversized_answer")),
            (Fault::RefusedStream, refused.clone()),
            (Fault::GoAway, refused.clone()),
            (
                Fault::Throughput,
                Outcome::NotAccepted(NotAccepted::Throttled),
            ),
            (Fault::Pair, Outcome::NotAccepted(NotAccepted::Pair)),
            (Fault::NoMessageId, ambiguous("answer_without_id")),
            (
                Fault::Code {
                    code: 131_048,
                    http: None,
                },
                spam.clone(),
            ),
        ]
    };
    let cases: Vec<_> = cases(true).into_iter().chain(cases(false)).collect();
    // Side by side, each with a simulator of its own: two of the ways take their time.
    let runs = cases.into_iter().map(|(fault, expected)| async move {
        let simulator = self::simulator().await;
        let silent = matches!(fault, Fault::Hang { .. } | Fault::HangMidBody { .. });
        let timeouts = if silent { impatient } else { PATIENT };
        let client = client(&simulator).with_timeouts(timeouts).unwrap();
        let name = format!("{fault:?}");
        simulator.faults(Faults { fault, next: 1 });
        let outcome = send(&client).await;
        assert_eq!(outcome, expected, "{name}");
        let arrivals = simulator.arrivals();
        assert_eq!(arrivals.len(), 1, "{name}: a send is one request");
        if number_not_accepted(&outcome) {
            assert!(!arrivals[0].accepted, "{name} was taken on");
        }
        // The next send fares well, over the same connection or another one.
        assert!(accepted(&send(&client).await), "after {name}");
    });
    futures_util::future::join_all(runs).await;
    drop(simulator);
}

#[tokio::test]
async fn a_goodbye_among_many_sends_neither_loses_nor_repeats_one() {
    let simulator = simulator().await;
    let client = client(&simulator).with_connections(2).unwrap();
    for _ in 0..20 {
        simulator.faults(Faults {
            fault: Fault::GoAway,
            next: 1,
        });
    }
    let mut to_send: Vec<u32> = (0..200).collect();
    let mut rounds = 0;
    while !to_send.is_empty() {
        rounds += 1;
        assert!(rounds < 50, "it never ends");
        let sends = to_send.iter().map(|index| {
            let to = format!("+1613555{:04}", 100 + index % 99);
            let client = &client;
            async move {
                let mut body = template(&to);
                body["biz_opaque_callback_data"] = format!("op-{index}").into();
                (*index, client.send(permit(), NUMBER, &body).await)
            }
        });
        let outcomes = futures_util::future::join_all(sends).await;
        to_send = outcomes
            .into_iter()
            .filter_map(|(index, outcome)| {
                let refused = matches!(outcome, Outcome::NotAccepted(_));
                assert!(refused || accepted(&outcome), "{outcome:?}");
                refused.then_some(index)
            })
            .collect();
    }
    let mut taken: Vec<_> = simulator
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.accepted)
        .map(|arrival| arrival.opaque.unwrap())
        .collect();
    taken.sort_unstable();
    let all = taken.len();
    taken.dedup();
    assert_eq!((all, taken.len()), (200, 200));
}
