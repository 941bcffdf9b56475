//! What every function shares: settings, the clock, log lines, the batch runner.
//!
//! Owns the places where a function touches its process: environment, system time, standard
//! output, the Lambda runtime. Each is touched here and nowhere else. It knows no AWS service and
//! no rule.

pub mod batch;
pub mod clock;
#[cfg(feature = "http")]
pub mod http;
pub mod log;
pub mod runtime;
pub mod settings;
