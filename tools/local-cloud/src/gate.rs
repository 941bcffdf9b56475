//! A gate in front of the services: a process can be made to die at any request it makes.
//!
//! Every request to a service passes here, and every request through [`LocalCloud::front`](crate::LocalCloud::front).
//! A test arms the gate for the n-th request from now. When it comes the gate shuts: that request is either not
//! performed or performed and not answered, and whatever comes after it waits, until the test has let the process die
//! and opens the gate again. What waited is never performed: the process that asked for it is gone.
//!
//! Promises that counting alone changes nothing. Deliberately knows nothing of processes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// A request, as far as a test names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The service, such as `Dynamodb`, or the name given to a front.
    pub service: String,
    /// The operation, or the method of a front's request.
    pub operation: String,
    /// The table or queue, if the request names one.
    pub place: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.operation, self.place)
    }
}

/// What becomes of the request at which the gate shuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It is not performed.
    Before,
    /// It is performed, and nobody hears the answer.
    Unanswered,
}

/// The gate of a local cloud.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Where the gate shut; `None` while it is open.
    shut_at: watch::Sender<Option<Call>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            shut_at: watch::channel(None).0,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    seen: u64,
    /// At which count to shut, and how.
    armed: Option<(u64, Crash)>,
}

/// How a request may go on.
pub(crate) enum Pass {
    /// As usual.
    Through,
    /// It is to be performed; then the gate shuts behind it.
    Last(Call),
    /// Not at all.
    Never,
}

impl Gate {
    /// How many requests have come, held ones included.
    pub fn seen(&self) -> u64 {
        self.state().seen
    }

    /// Shuts the gate at the `n`-th request from now; 1 is the next one.
    pub fn arm(&self, n: u64, crash: Crash) {
        let mut state = self.state();
        state.armed = Some((state.seen + n, crash));
    }

    /// Waits until the gate shuts, and says at which request.
    pub async fn shut(&self) -> Call {
        let mut shut = self.inner.shut_at.subscribe();
        // The other end lives in `self`, and what is waited for is a call.
        let call = shut.wait_for(Option::is_some).await.ok();
        call.and_then(|call| call.clone()).unwrap_or_default()
    }

    /// Opens the gate and disarms it; what waited before it is dropped.
    pub fn open(&self) {
        self.state().armed = None;
        self.inner.shut_at.send_replace(None);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a request to pass; `call` is made only when it is needed.
    pub(crate) fn admit(&self, call: impl FnOnce() -> Call) -> Pass {
        let mut state = self.state();
        state.seen += 1;
        if self.inner.shut_at.borrow().is_some() {
            return Pass::Never;
        }
        match state.armed {
            // While the last one is being performed nothing else starts.
            Some((at, _)) if state.seen > at => Pass::Never,
            Some((at, Crash::Unanswered)) if state.seen == at => Pass::Last(call()),
            Some((at, Crash::Before)) if state.seen == at => {
                self.inner.shut_at.send_replace(Some(call()));
                Pass::Never
            }
            _ => Pass::Through,
        }
    }

    /// Shuts the gate behind a request that was performed.
    pub(crate) fn shut_behind(&self, call: Call) {
        self.inner.shut_at.send_replace(Some(call));
    }

    /// Waits as long as the asking process lives: nobody is told anything any more.
    pub(crate) async fn forever(&self) -> std::convert::Infallible {
        std::future::pending().await
    }
}
