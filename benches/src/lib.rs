//! Measures what the design promises. Nothing but a place for `sending/`, which `just bench` runs.
