//! A far end that misbehaves, over HTTP/2 and TLS on a real socket: each way of it ends in the
//! outcome of its name, is asked once, and is called not accepted only where that is known (I6).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and a server of their own is a task nobody awaits"
)]

mod peer;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use headgate_domain::disposition::Disposition;
use headgate_domain::identity::Wamid;
use headgate_graph::{GraphClient, Outcome, Timeouts, Unreachable};
use peer::{
    Act, CANCEL, ENHANCE_YOUR_CALM, FarEnd, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR,
    REFUSED_STREAM, answer,
};
use support::{PATIENT, ambiguous, send, trusting, unreachable};
use tokio::net::TcpListener;

const GOOD: &str = r#"{"messaging_product":"whatsapp","messages":[{"id":"wamid.A"}]}"#;

fn accepted() -> Outcome {
    Outcome::Accepted {
        wamid: Wamid::parse("wamid.A").unwrap(),
        held: false,
    }
}

fn with(client: GraphClient, timeouts: Timeouts) -> GraphClient {
    client.with_timeouts(timeouts).unwrap()
}

/// What comes of one send to a far end that answers so; it must have been asked once.
async fn after(acts: Vec<Act>) -> Outcome {
    let far_end = FarEnd::that(acts).await;
    let outcome = send(&trusting(&far_end.url, &far_end.certificate)).await;
    assert_eq!(
        far_end.requests(),
        1,
        "a send is one request, whatever comes of it"
    );
    outcome
}

fn half(status: &'static str, then: Act) -> Vec<Act> {
    vec![
        Act::Head(status, Some(GOOD.len())),
        Act::Body(GOOD.as_bytes()[..20].to_vec()),
        then,
    ]
}

#[tokio::test]
async fn an_orderly_answer_is_read() {
    assert_eq!(after(answer(GOOD)).await, accepted());
    let in_pieces = vec![
        Act::Head("200", None),
        Act::Body(GOOD.as_bytes()[..20].to_vec()),
        Act::Body(GOOD.as_bytes()[20..40].to_vec()),
        Act::Last(GOOD.as_bytes()[40..].to_vec()),
    ];
    assert_eq!(after(in_pieces).await, accepted());
}

#[tokio::test]
async fn silence_before_and_within_the_answer_are_told_apart() {
    let impatient = Duration::from_millis(300);
    for (acts, timeouts, why) in [
        (
            vec![Act::Hang],
            Timeouts {
                first_byte: impatient,
                ..PATIENT
            },
            "timeout_first_byte",
        ),
        (
            half("200", Act::Hang),
            Timeouts {
                whole: impatient,
                ..PATIENT
            },
            "timeout_whole",
        ),
        (
            vec![Act::Head("200", None), Act::Hang],
            Timeouts {
                whole: impatient,
                ..PATIENT
            },
            "timeout_whole",
        ),
    ] {
        let far_end = FarEnd::that(acts).await;
        let client = with(trusting(&far_end.url, &far_end.certificate), timeouts);
        assert_eq!(send(&client).await, ambiguous(why));
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_ambiguous() {
    for acts in [
        vec![Act::Reset],
        vec![Act::Close],
        vec![Act::Garbage],
        // The stream is within the last id: it may have been processed.
        vec![
            Act::Goodbye {
                from_ours: 0,
                code: NO_ERROR,
            },
            Act::Close,
        ],
        vec![
            Act::Goodbye {
                from_ours: 2,
                code: NO_ERROR,
            },
            Act::Reset,
        ],
    ] {
        assert_eq!(after(acts).await, ambiguous("connection_lost"));
    }
}

#[tokio::test]
async fn a_far_end_that_stops_for_an_error_is_not_believed_about_what_it_did() {
    for code in [PROTOCOL_ERROR, INTERNAL_ERROR, ENHANCE_YOUR_CALM] {
        let goodbye = Act::Goodbye {
            from_ours: -2,
            code,
        };
        assert_eq!(
            after(vec![goodbye, Act::Close]).await,
            ambiguous("connection_lost")
        );
    }
    for code in [NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL] {
        let outcome = after(vec![Act::StopStream(code)]).await;
        assert_eq!(outcome, ambiguous("connection_lost"));
    }
}

#[tokio::test]
async fn a_refused_stream_and_a_goodbye_below_ours_are_known_not_to_be_accepted() {
    let refused = after(vec![Act::StopStream(REFUSED_STREAM)]).await;
    let goodbye = Act::Goodbye {
        from_ours: -2,
        code: NO_ERROR,
    };
    let left_out = after(vec![goodbye]).await;
    for outcome in [refused, left_out] {
        assert_eq!(outcome, unreachable(Unreachable::Refused));
        assert_eq!(outcome.disposition(), Some(Disposition::Retry));
    }
}

#[tokio::test]
async fn a_stream_refused_after_its_answer_began_was_not_refused() {
    for (code, length) in [
        (REFUSED_STREAM, None),
        (INTERNAL_ERROR, Some(GOOD.len())),
        (CANCEL, None),
    ] {
        let acts = vec![Act::Head("200", length), Act::StopStream(code)];
        assert_eq!(after(acts).await, ambiguous("answer_cut_off"));
        let acts = half("200", Act::StopStream(code));
        assert_eq!(after(acts).await, ambiguous("answer_cut_off"));
    }
    // Nor was one that a goodbye leaves out after its answer began.
    let goodbye = Act::Goodbye {
        from_ours: -2,
        code: NO_ERROR,
    };
    let acts = vec![Act::Head("200", None), goodbye, Act::Close];
    assert_eq!(after(acts).await, ambiguous("unreadable_answer"));
}

#[tokio::test]
async fn a_goodbye_that_includes_ours_leaves_it_its_answer() {
    let mut acts = vec![Act::Goodbye {
        from_ours: 0,
        code: NO_ERROR,
    }];
    acts.extend(answer(GOOD));
    assert_eq!(after(acts).await, accepted());
}

#[tokio::test]
async fn after_a_goodbye_the_next_send_takes_another_connection() {
    let goodbye = Act::Goodbye {
        from_ours: -2,
        code: NO_ERROR,
    };
    let far_end = FarEnd::start(vec![vec![goodbye], answer(GOOD)]).await;
    let client = trusting(&far_end.url, &far_end.certificate);
    assert_eq!(send(&client).await, unreachable(Unreachable::Refused));
    assert_eq!(send(&client).await, accepted());
    assert_eq!((far_end.connections(), far_end.requests()), (2, 2));
}

#[tokio::test]
async fn a_truncated_answer_is_ambiguous() {
    let outcome = after(half("200", Act::Last(b"\"".to_vec()))).await;
    assert_eq!(outcome, ambiguous("answer_cut_off"));
    // Half a no is not a no. How much is seen before the connection ends is a matter of luck.
    for status in ["200", "400"] {
        for then in [Act::Reset, Act::Close, Act::Garbage] {
            let outcome = after(half(status, then)).await;
            let words = ["answer_cut_off", "connection_lost"].map(ambiguous);
            assert!(words.contains(&outcome), "{outcome:?}");
        }
    }
    // Nothing announced what was missing.
    let acts = vec![
        Act::Head("200", None),
        Act::Last(GOOD.as_bytes()[..20].to_vec()),
    ];
    assert_eq!(after(acts).await, ambiguous("unreadable_answer"));
}

#[tokio::test]
async fn an_answer_that_is_not_graphs_is_ambiguous() {
    let html = "<!DOCTYPE html><html><body><h1>Sorry</h1></body></html>";
    let error = r#"{"error":{"message":"(#131026) x","code":131026}}"#;
    let huge = format!("{GOOD}{}", " ".repeat(256 * 1024));
    for (status, body, why) in [
        ("200", html, "unreadable_answer"),
        ("502", html, "server_error"),
        ("403", html, "unreadable_error"),
        ("302", html, "redirect"),
        ("307", error, "redirect"),
        ("200", "{}", "answer_without_id"),
        ("200", r#"{"messages":[]}"#, "answer_without_id"),
        ("200", r#"{"messages":[{"id":""}]}"#, "answer_without_id"),
        ("200", error, "answer_without_id"),
        ("200", &huge, "oversized_answer"),
    ] {
        let acts = vec![
            Act::Head(status, Some(body.len())),
            Act::Last(body.as_bytes().to_vec()),
        ];
        assert_eq!(after(acts).await, ambiguous(why), "{status} {why}");
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_means_not_accepted() {
    let (far_end, other) = (
        FarEnd::that(answer(GOOD)).await,
        FarEnd::that(answer(GOOD)).await,
    );
    let outcome = send(&trusting(&far_end.url, &other.certificate)).await;
    assert_eq!(outcome, unreachable(Unreachable::Connect));
    // Nor do the public roots vouch for it.
    let outcome = send(&support::client(&far_end.url)).await;
    assert_eq!(outcome, unreachable(Unreachable::Connect));
    assert_eq!(far_end.requests(), 0);
}

#[tokio::test]
async fn no_connection_means_not_accepted() {
    let (_, certificate) = support::identity();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let client = trusting(&url, &certificate);
    // Somebody hangs up in the middle of the handshake.
    let (outcome, ()) = tokio::join!(send(&client), async {
        drop(listener.accept().await.unwrap());
    });
    assert_eq!(outcome, unreachable(Unreachable::Connect));
    drop(listener);
    assert_eq!(send(&client).await, unreachable(Unreachable::Connect));
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_means_not_accepted() {
    let (_, certificate) = support::identity();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let impatient = Timeouts {
        connect: Duration::from_millis(200),
        ..PATIENT
    };
    // The kernel accepts, and nobody says a word.
    let client = with(trusting(&url, &certificate), impatient);
    let outcome = send(&client).await;
    assert_eq!(outcome, unreachable(Unreachable::ConnectTimeout));
    drop(listener);
}

#[tokio::test]
async fn sends_at_once_are_spread_over_the_connections() {
    let spread = async |connections| {
        let far_end = FarEnd::that(vec![Act::Hang]).await;
        let client = trusting(&far_end.url, &far_end.certificate)
            .with_connections(connections)
            .unwrap();
        let hasty = Timeouts {
            first_byte: Duration::from_millis(400),
            ..PATIENT
        };
        let client = with(client, hasty);
        client.warm().await;
        assert_eq!(far_end.connections(), connections);
        let outcomes = futures_util::future::join_all((0..12).map(|_| send(&client))).await;
        let silence = ambiguous("timeout_first_byte");
        assert!(outcomes.iter().all(|outcome| *outcome == silence));
        assert_eq!(far_end.connections(), connections);
    };
    for connections in 1..=4 {
        spread(connections).await;
    }
}
