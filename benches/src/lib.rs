//! Measures what the design promises: `sending/` and `webhook/` are benches, which `just bench` runs.
//!
//! Owns what both say of the machine; a bench owns everything else it needs.

pub mod machine;
