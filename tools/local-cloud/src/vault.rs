//! The state of KMS or of Secrets Manager, and the private file it is kept in.
//!
//! Promises that a change is in the file before anyone sees it, and that a change which cannot be written did not
//! happen. Deliberately knows nothing of what it keeps.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::amz_json::Refusal;
use crate::files;

/// A state and its file.
pub(crate) struct Vault<S> {
    state: Mutex<S>,
    file: Option<PathBuf>,
}

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct Unsaved(pub(crate) anyhow::Error);

impl From<Unsaved> for Refusal {
    fn from(_names_a_path: Unsaved) -> Self {
        Self::failure("InternalServiceError", "The state cannot be written.")
    }
}

impl<S: Clone + Default + Serialize + DeserializeOwned> Vault<S> {
    /// Opens what the file holds; nothing if there is none.
    pub(crate) fn open(service: &str, file: Option<PathBuf>) -> Result<Self> {
        let state = match file.as_deref().map(files::read).transpose()?.flatten() {
            // Without the cause: serde_json would quote a key or a secret.
            Some(content) => serde_json::from_slice(&content)
                .map_err(|_quotes_content| anyhow!("the stored state of {service} is damaged"))?,
            None => S::default(),
        };
        Ok(Self {
            state: Mutex::new(state),
            file,
        })
    }

    /// The state as it is.
    pub(crate) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, if the change succeeds and can be written.
    pub(crate) fn change<T, E: From<Unsaved>>(
        &self,
        change: impl FnOnce(&mut S) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.state();
        let mut next = state.clone();
        let out = change(&mut next)?;
        self.write(&next)?;
        *state = next;
        Ok(out)
    }

    /// Writes the state to its file.
    pub(crate) fn save(&self) -> Result<(), Unsaved> {
        self.write(&self.state())
    }

    fn write(&self, state: &S) -> Result<(), Unsaved> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        serde_json::to_vec(state)
            .map_err(anyhow::Error::from)
            .and_then(|content| files::replace(file, &content))
            .map_err(Unsaved)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::{Refusal, Unsaved, Vault};

    #[test]
    fn a_change_that_is_refused_or_cannot_be_written_did_not_happen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state.json");
        let vault = Vault::<Vec<u8>>::open("test", Some(file.clone())).unwrap();
        let push = |value: u8| {
            vault.change(|state| {
                state.push(value);
                Ok::<(), Unsaved>(())
            })
        };
        push(1).unwrap();
        let refused = vault.change(|state| {
            state.push(2);
            Err::<(), Refusal>(Refusal::unknown_operation())
        });
        assert!(refused.is_err());
        assert_eq!(*vault.state(), [1]);

        std::fs::remove_dir_all(directory.path()).unwrap();
        assert!(push(3).is_err());
        assert_eq!(*vault.state(), [1]);

        std::fs::create_dir(directory.path()).unwrap();
        push(4).unwrap();
        let again = Vault::<Vec<u8>>::open("test", Some(file.clone())).unwrap();
        assert_eq!(*again.state(), [1, 4]);

        std::fs::write(&file, "[1, \"a secret\"").unwrap();
        let damaged = Vault::<Vec<u8>>::open("test", Some(file)).err().unwrap();
        assert_eq!(
            format!("{damaged:#}"),
            "the stored state of test is damaged"
        );
    }
}
