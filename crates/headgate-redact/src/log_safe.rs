//! The promise a type makes before it may enter a log line.
//!
//! Owns the marker and the few foreign types that keep it. It does not log. Foreign error types
//! are absent on purpose: several quote the input they choked on.

use core::fmt::Display;

/// A promise, made by hand per type, that `Display` shows nothing about a person and no secret
/// (R-304).
///
/// Text keeps it only when it was written by us, that is, when it lives in the program:
///
/// ```
/// fn log(_: &impl headgate_redact::LogSafe) {}
/// log(&"a sentence from the source");
/// log(&7_u64);
/// ```
///
/// ```compile_fail
/// fn log(_: &impl headgate_redact::LogSafe) {}
/// log(&String::from("whatever came in"));
/// ```
pub trait LogSafe: Display {}

impl LogSafe for &'static str {}
impl LogSafe for bool {}

macro_rules! numbers_are_log_safe {
    ($($number:ty),*) => { $(impl LogSafe for $number {})* };
}

numbers_are_log_safe!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64
);
