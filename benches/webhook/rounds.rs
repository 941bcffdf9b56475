//! CPU time and memory of the three, in turns: A B C A B C …, so that whatever else the machine does meets all of them.

use std::time::Duration;

use crate::fixtures;
use crate::handlers::{Handler, Running};
use crate::proc;

/// What one handler needs.
pub(crate) struct Cost {
    pub(crate) name: String,
    /// CPU per invocation of each round.
    pub(crate) cpu: Vec<Duration>,
    /// After the thousandth invocation, in KiB.
    pub(crate) resident_kib: Option<u64>,
}

/// Which events, and how often.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) body: fn(usize) -> String,
    /// Before the first round: a compiler that watches needs some.
    pub(crate) warm_up: usize,
    pub(crate) rounds: usize,
    pub(crate) per_round: usize,
}

/// A notification with one status.
pub(crate) const ONE: Plan = Plan {
    body: fixtures::one,
    warm_up: 1_000,
    rounds: 15,
    per_round: 200,
};
/// A thousand updates.
pub(crate) const THOUSAND: Plan = Plan {
    body: fixtures::thousand,
    warm_up: 10,
    rounds: 9,
    per_round: 5,
};
/// The invocation after which memory is read.
const MEMORY_AFTER: usize = 1_000;

impl Cost {
    pub(crate) fn median(&self) -> Duration {
        median(self.cpu.clone())
    }

    /// How many times what another needs, round by round: median, least and most.
    pub(crate) fn ratio(&self, other: &Self) -> (f64, f64, f64) {
        let pairs = self.cpu.iter().zip(&other.cpu);
        let mut ratios: Vec<f64> = pairs
            .map(|(ours, theirs)| theirs.as_secs_f64() / ours.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        (
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
        )
    }
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Every answer must be 200; the bodies are told apart by the number of their update.
pub(crate) async fn measure(handlers: &[Handler], plan: Plan) -> Vec<Cost> {
    let mut running: Vec<(Running, Cost)> = Vec::new();
    for handler in handlers {
        let cost = Cost {
            name: handler.name.clone(),
            cpu: Vec::new(),
            resident_kib: None,
        };
        running.push((handler.start().await, cost));
    }
    let mut n = 0;
    for (environment, cost) in &mut running {
        turn(environment, plan, plan.warm_up, &mut n).await;
        if plan.warm_up == MEMORY_AFTER {
            cost.resident_kib = Some(proc::resident_kib(environment.id));
        }
    }
    for _ in 0..plan.rounds {
        for (environment, cost) in &mut running {
            let used = turn(environment, plan, plan.per_round, &mut n).await;
            cost.cpu.push(used / u32::try_from(plan.per_round).unwrap());
        }
    }
    let mut costs = Vec::new();
    for (environment, cost) in running {
        all_threads_are_counted(environment.id);
        environment.stop().await;
        costs.push(cost);
    }
    costs
}

async fn turn(environment: &Running, plan: Plan, count: usize, n: &mut usize) -> Duration {
    let events: Vec<_> = (*n..*n + count)
        .map(|n| fixtures::event(&(plan.body)(n)))
        .collect();
    *n += count;
    let before = proc::cpu(environment.id);
    for event in events {
        assert!(environment.takes(event).await, "an answer other than 200");
    }
    proc::cpu(environment.id) - before
}

/// Threads that ended are in the process's ticks and not in the sum over its threads.
fn all_threads_are_counted(process: u32) {
    let (user, system) = proc::ticks(process);
    let all = Duration::from_millis(10 * (user + system));
    let counted = proc::cpu(process);
    assert!(
        counted + Duration::from_millis(20) > all.mul_f64(0.97),
        "threads came and went: {counted:?} of {all:?}"
    );
}
