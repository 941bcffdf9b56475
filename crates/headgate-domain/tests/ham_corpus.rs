//! Real ordinary SMS messages are not taken for opt-outs: the SMS Spam Collection.
//!
//! It is fetched by `.ci/run` and not part of the repository, so this test is run by name and with the
//! file's path in `HEADGATE_HAM_CORPUS`: one message a line, `ham` or `spam`, a tab, the text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests may fail loudly; this one is told where a file is and prints what it counted"
)]

use headgate_domain::optout::{Context, Intent, classify};

#[test]
fn real_ordinary_messages_are_not_taken_for_opt_outs() {
    let path = std::env::var("HEADGATE_HAM_CORPUS")
        .expect("HEADGATE_HAM_CORPUS names the collection; .ci/run fetches it");
    let corpus = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let ham: Vec<&str> = corpus
        .lines()
        .filter_map(|line| line.strip_prefix("ham\t"))
        .collect();
    assert!(ham.len() > 4_000, "{} messages", ham.len());
    for (name, recent_marketing) in [("nothing known", false), ("after marketing", true)] {
        let context = Context {
            recent_marketing,
            ..Context::default()
        };
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for message in &ham {
            match classify(message, &context) {
                Intent::OptOut { .. } => wrong.push(*message),
                Intent::Ask { .. } => asked += 1,
                Intent::OptIn { .. }
                | Intent::Help
                | Intent::Contact
                | Intent::AccessRequest
                | Intent::ErasureRequest
                | Intent::DoNotSell
                | Intent::None => {}
            }
        }
        println!(
            "{name}: {} of {} taken for an opt-out, {asked} asked back",
            wrong.len(),
            ham.len()
        );
        assert!(wrong.len() * 1_000 <= ham.len(), "{name}: {wrong:#?}");
    }
}
