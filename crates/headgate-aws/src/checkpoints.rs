//! The bucket of checkpoints: signed notes, each under its number, put once and locked.
//!
//! Knows the names and nothing of what a note says. Numbers have no gaps, so the newest is found by looking
//! for numbers, and nothing is listed: 20 looks for a century of hours, and two from the second on.

use crate::objects::{Bucket, Found};
use crate::{Aws, AwsError};

/// A note has three lines, 16 heads and as many peaks as its size has bits: under 5 KB.
const LARGEST: usize = 64 * 1024;

/// The checkpoints of a ledger.
#[derive(Clone)]
pub struct Checkpoints {
    bucket: Bucket,
}

impl Checkpoints {
    /// The bucket of a name.
    pub fn new(aws: &Aws, bucket: &str) -> Self {
        Self {
            bucket: Bucket::new(aws, bucket, LARGEST),
        }
    }

    /// The note of a number.
    ///
    /// # Errors
    /// [`AwsError`] when the bucket cannot be read, or holds something else there.
    pub async fn find(&self, number: u64) -> Result<Option<String>, AwsError> {
        const READING: &str = "reading a checkpoint";
        match self.bucket.find(&name(number)).await? {
            Found::Missing => Ok(None),
            Found::TooLarge => Err(AwsError::new(READING, "too large")),
            Found::Object(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_bytes| AwsError::new(READING, "not text")),
        }
    }

    /// The number and the note of the newest, looked for from a number that is known to be there.
    ///
    /// # Errors
    /// [`AwsError`] when the bucket cannot be read.
    pub async fn newest(&self, known: u64) -> Result<Option<(u64, String)>, AwsError> {
        let Some(mut note) = self.find(known).await? else {
            return Ok(None);
        };
        let (mut there, mut step) = (known, 1_u64);
        // Further and further, until one is missing.
        let mut missing = loop {
            let next = there.saturating_add(step);
            match self.find(next).await? {
                Some(found) => (there, note) = (next, found),
                None => break next,
            }
            step = step.saturating_mul(2);
        };
        while missing.saturating_sub(there) > 1 {
            let middle = there.midpoint(missing);
            match self.find(middle).await? {
                Some(found) => (there, note) = (middle, found),
                None => missing = middle,
            }
        }
        Ok(Some((there, note)))
    }

    /// Puts a note under its number; `false` when there is one already, and then nothing is changed.
    ///
    /// # Errors
    /// [`AwsError`] when the bucket did not say.
    pub async fn put(&self, number: u64, note: &str) -> Result<bool, AwsError> {
        self.bucket.put_once(&name(number), note.into()).await
    }
}

fn name(number: u64) -> String {
    format!("checkpoints/{number:012}")
}
