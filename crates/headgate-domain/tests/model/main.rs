//! wip
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and this one says how much it explored"
)]

mod search;
mod tables;
mod world;

use headgate_domain::lane::Purpose;
use search::{Explored, explore};
use tables::Bug;
use world::{Bounds, Name, tuning};

fn bounds(lane: Purpose) -> Bounds {
    Bounds {
        lane,
        messages: 1,
        intake_until: 1,
        crashes: 0,
        pauses: 0,
        longest_pause: 6,
        troubles: 1,
        errors: 0,
        wakes: 0,
        arrivals: 1,
        in_time: true,
        bug: Bug::None,
        tuning: tuning(lane),
    }
}

fn shown(name: &str, bounds: &Bounds) -> Explored {
    let begun = std::time::Instant::now();
    let explored = explore(bounds);
    let wrong = explored.wrong.as_ref().map_or("nothing", |(what, _)| what);
    println!(
        "{name}: {} states, {} transitions, {} ends, {:?}; wrong: {wrong}",
        explored.states, explored.transitions, explored.ends, begun.elapsed()
    );
    explored
}

fn trace(path: &[Name]) -> String {
    let lines = path.iter().map(|n| format!("  {:>3} s  [{}] {} {}\n", n.t, n.who, n.what, n.of));
    lines.collect()
}

#[test]
fn probe() {
    for (name, b) in [
        ("plain", Bounds { ..bounds(Purpose::Authentication) }),
        ("wake", Bounds { wakes: 1, ..bounds(Purpose::Authentication) }),
        ("crash", Bounds { crashes: 1, ..bounds(Purpose::Authentication) }),
        ("pause", Bounds { pauses: 1, wakes: 1, ..bounds(Purpose::Authentication) }),
        ("crash+wake", Bounds { crashes: 1, wakes: 1, ..bounds(Purpose::Authentication) }),
        ("error", Bounds { errors: 1, ..bounds(Purpose::Authentication) }),
        ("crash2", Bounds { crashes: 2, ..bounds(Purpose::Authentication) }),
    ] {
        let e = shown(name, &b);
        if let Some((what, path)) = e.wrong {
            println!("{what}\n{}", trace(&path));
        }
    }
}
