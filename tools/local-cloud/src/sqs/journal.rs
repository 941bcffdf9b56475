//! The journal of the queues: one JSON line per change, written before the change is acknowledged.
//!
//! Promises that a line is either whole or ignored, and that the file is readable by its owner only.
//! Deliberately does not call `fsync`: it protects against a killed process, not against a power cut.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::types::Message;
use crate::files::private;

/// One change of the queues.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum Change {
    /// A message is in a queue.
    Held {
        queue: String,
        message: Box<Message>,
    },
    /// Messages were received: only their counts are kept, a restart makes them visible again.
    Received { ids: Vec<String> },
    /// A message is in no queue any more.
    Gone { id: String },
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Journal {
    /// Reads every whole line of a journal; a missing file is an empty journal.
    pub(crate) fn read(path: &Path, mut each: impl FnMut(Change)) -> Result<()> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).context("the journal of the queues cannot be opened"),
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = line.context("the journal of the queues cannot be read")?;
            // Only the last line can be torn: its change was never acknowledged.
            if let Ok(change) = serde_json::from_slice(&line) {
                each(change);
            }
        }
        Ok(())
    }

    /// Writes a new journal that holds exactly these changes, and puts it in the place of the old one.
    pub(crate) fn rewrite(path: &Path, changes: impl Iterator<Item = Change>) -> Result<Self> {
        let draft = path.with_extension("draft");
        let mut file = private(&draft)?;
        let mut lines = 0_usize;
        let mut out = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut out, &change).context("a message cannot be written")?;
            out.push(b'\n');
            lines += 1;
        }
        file.write_all(&out)
            .context("the journal of the queues cannot be written")?;
        std::fs::rename(&draft, path).context("the journal of the queues cannot be replaced")?;
        Ok(Self {
            path: path.to_owned(),
            file,
            lines,
        })
    }

    /// Appends changes with one write.
    pub(crate) fn append(&mut self, changes: &[Change]) -> Result<()> {
        let mut out = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut out, change).context("a message cannot be written")?;
            out.push(b'\n');
        }
        self.file
            .write_all(&out)
            .context("the journal of the queues cannot be written")?;
        self.lines += changes.len();
        Ok(())
    }

    /// Whether most of the journal is about messages that are gone.
    pub(crate) fn is_mostly_history(&self, live: usize) -> bool {
        self.lines > live * 3 + 20_000
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
