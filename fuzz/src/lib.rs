//! What the fuzz targets share.
//!
//! Owns a mutator that keeps JSON being JSON ([`json`]), and the properties every fact out of a
//! notification must have ([`facts`]). Each target says in its first lines what it promises; none
//! of them is content with "it does not panic".

pub mod facts;
pub mod json;
pub mod refusals;

/// The part of an input before its first line break, and the part after it. Inputs are readable
/// so: a header, a status or a field stands in the first line, and what it is about follows.
pub fn head_and_rest(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[]),
    }
}
