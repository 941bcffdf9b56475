//! Runs the real binary of a function as Lambda would: the Runtime API, the environment, the cloud.
//!
//! ```text
//!  template.yaml ─► Stage (local cloud, secrets, configuration, keys)
//!                     │ environment("IntakeFunction")
//!                     ▼
//!  RuntimeApi ◄─HTTP─ Function (the binary, with that environment and nothing else)
//! ```
//!
//! Promises: nothing leaves this machine, no process outlives the test that started it, and the
//! checks of [`refusals`] follow docs/data.md rather than a list of their own. Never shipped; what
//! a function does with an event is its own tests' business.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "only tests call it, and tests may fail loudly"
)]

mod aged;
pub mod events;
mod function;
pub mod hostile;
pub mod overflow;
pub mod people;
mod process;
pub mod refusals;
mod runtime_api;
mod settings;
mod stage;

pub use aged::{Kept, Rows};
pub use function::{Function, Running};
pub use process::{End, environment};
pub use runtime_api::RuntimeApi;
pub use settings::settings_of;
pub use stage::{APP_SECRET, GRAPH_TOKEN, Stage, VERIFY_TOKEN, graph_proof, stage, stage_with};
