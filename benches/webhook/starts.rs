//! How long a process takes to its first question for an event, the reading of its secret included.

use std::time::Duration;

use crate::handlers::Handler;
use crate::proc;
use crate::rounds::median;

/// Starts of a handler.
pub(crate) struct Starts {
    pub(crate) count: usize,
    pub(crate) wall: Duration,
    pub(crate) least: Duration,
    pub(crate) cpu: Duration,
}

/// Starts it again and again.
pub(crate) async fn measure(handler: &Handler, count: usize) -> Starts {
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let running = handler.start().await;
        // It waits for an event now.
        cpu.push(proc::cpu(running.id));
        wall.push(running.start);
        running.stop().await;
    }
    Starts {
        count,
        least: *wall.iter().min().unwrap(),
        wall: median(wall),
        cpu: median(cpu),
    }
}
