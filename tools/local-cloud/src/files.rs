//! Files of the data directory: private to their owner, replaced whole, held by one process.
//!
//! Promises mode 0600 and that a killed process leaves either the old or the new content.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// So often a directory that seems taken is tried again.
const TRIES: u32 = 50;

/// Creates a file only its owner can read, empty.
pub(crate) fn private(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be created", path.display()))
}

/// Replaces the content of a file in one step.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let draft = path.with_extension("draft");
    private(&draft)?
        .write_all(content)
        .and_then(|()| std::fs::rename(&draft, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Creates the data directory and takes it for this process until the file is dropped.
pub(crate) fn take(directory: &Path) -> Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("{} cannot be created", directory.display()))?;
    let lock = private(&directory.join("lock"))?;
    // A process that is being started holds a copy of every descriptor for a moment.
    for _ in 0..TRIES {
        if lock.try_lock().is_ok() {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("{} is in use by another local cloud", directory.display());
}
