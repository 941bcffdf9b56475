//! Checkpoints in signed notes.

use super::checkpoint::Checkpoint;
use crate::note::{NoteFault, PublicKey, signed, verified};

/// The note of a checkpoint with a signature over its text, as KMS gives it (ASN.1 DER).
pub fn note(checkpoint: &Checkpoint, key: &PublicKey, signature: &[u8]) -> String {
    signed(&checkpoint.text(), &checkpoint.origin, key, signature)
}

/// Verifies a note by a key, and reads its checkpoint.
///
/// # Errors
/// [`NoteFault`].
pub fn verify_note(note: &str, key: &PublicKey) -> Result<Checkpoint, NoteFault> {
    // A text that is none is told as such, whoever signed it.
    let form = note
        .rsplit_once("\n\n")
        .map(|(before, _)| format!("{before}\n"));
    Checkpoint::parse(&form.unwrap_or_default()).map_err(|_why| NoteFault::Form)?;
    let text = verified(note, key)?;
    Checkpoint::parse(&text).map_err(|_why| NoteFault::Form)
}
