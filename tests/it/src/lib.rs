//! Tests that look at Headgate as a whole; everything is in `tests/`.
