//! An export: a folder of plain files.
//!
//! `shard-0.jsonl` to `shard-f.jsonl` with an entry a line, `heads.json`, `checkpoints/<number>.note`, `key.pem`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines, Write};
use std::path::{Path, PathBuf};

use headgate_domain::ledger::{Entry, HEADS, Hash, Head, PublicKey, SHARDS, event_id};
use serde::{Deserialize, Serialize};

/// The file of an export with the public key that came with it.
const KEY: &str = "key.pem";

/// An export cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file is not there, or the system refuses.
    #[error("{file}: {why}")]
    File {
        /// Its name in the export.
        file: String,
        /// What the system says.
        why: std::io::ErrorKind,
    },
    /// A file is there, and is not what it should be.
    #[error("{file}: {what}")]
    Form {
        /// Its name in the export.
        file: String,
        /// What it should be.
        what: &'static str,
    },
}

/// A line of a shard.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The place.
    pub seq: u64,
    /// The event's canonical text, as a string: whatever it is, it is kept as it is.
    pub event: String,
    /// The hash of the text.
    pub leaf: String,
    /// The hash of everything up to here.
    pub chain: String,
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            event: entry.event.clone(),
            leaf: entry.leaf.to_string(),
            chain: entry.chain.to_string(),
        }
    }
}

impl Line {
    fn entry(self) -> Option<Entry> {
        Some(Entry {
            seq: self.seq,
            leaf: Hash::parse(&self.leaf).ok()?,
            chain: Hash::parse(&self.chain).ok()?,
            event: self.event,
        })
    }
}

/// The heads of an export, in the order of the shards.
pub type Heads = [Head; HEADS];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHead {
    shard: String,
    next_seq: u64,
    chain: String,
}

/// A folder with an export.
#[derive(Clone, Debug)]
pub struct Export {
    folder: PathBuf,
}

impl Export {
    /// An export that is there, or is to be written.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Makes the folder; one that has an export is not written over.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn create(&self) -> Result<(), ExportError> {
        let folder = self.folder.join("checkpoints");
        std::fs::create_dir_all(&folder).map_err(|e| failed("checkpoints", &e))?;
        if self.folder.join("heads.json").exists() {
            let (file, what) = ("heads.json".to_owned(), "there is an export here already");
            return Err(ExportError::Form { file, what });
        }
        Ok(())
    }

    /// The file of a shard, to write lines to.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn shard_file(&self, shard: u8) -> Result<File, ExportError> {
        let name = shard_name(shard);
        File::create(self.folder.join(&name)).map_err(|e| failed(&name, &e))
    }

    /// Writes an entry to a file of [`Self::shard_file`].
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write_entry(shard: u8, file: &mut impl Write, entry: &Entry) -> Result<(), ExportError> {
        let name = shard_name(shard);
        let form = |_json| ExportError::Form {
            file: name.clone(),
            what: "an entry has no JSON form",
        };
        let line = serde_json::to_string(&Line::from(entry)).map_err(form)?;
        writeln!(file, "{line}").map_err(|e| failed(&name, &e))
    }

    /// Writes the heads.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write_heads(&self, heads: &Heads) -> Result<(), ExportError> {
        let stored: Vec<StoredHead> = (0..SHARDS)
            .zip(heads)
            .map(|(shard, head)| StoredHead {
                shard: format!("{shard:x}"),
                next_seq: head.next_seq,
                chain: head.chain.to_string(),
            })
            .collect();
        let text = serde_json::to_string_pretty(&stored).unwrap_or_default();
        self.write("heads.json", &text)
    }

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write_note(&self, number: u64, note: &str) -> Result<(), ExportError> {
        self.write(&note_name(number), note)
    }

    /// Writes the public key.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write_key(&self, key: &PublicKey) -> Result<(), ExportError> {
        self.write(KEY, &key.to_pem())
    }

    /// The heads.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn heads(&self) -> Result<Heads, ExportError> {
        let form = || ExportError::Form {
            file: "heads.json".to_owned(),
            what: "it must have the 16 heads, shard 0 to f",
        };
        let text = self.read("heads.json")?;
        let stored: Vec<StoredHead> = serde_json::from_str(&text).map_err(|_quotes_it| form())?;
        let mut heads = [Head::GENESIS; HEADS];
        if stored.len() != HEADS {
            return Err(form());
        }
        for ((shard, head), stored) in (0..SHARDS).zip(&mut heads).zip(stored) {
            if stored.shard != format!("{shard:x}") {
                return Err(form());
            }
            head.next_seq = stored.next_seq;
            head.chain = Hash::parse(&stored.chain).map_err(|_hex| form())?;
        }
        Ok(heads)
    }

    /// The notes, by number from 0 up to the first that is missing.
    ///
    /// # Errors
    /// [`ExportError`], also when there are more behind one that is missing.
    pub fn notes(&self) -> Result<Vec<String>, ExportError> {
        let folder = std::fs::read_dir(self.folder.join("checkpoints"));
        let there = folder.map_err(|e| failed("checkpoints", &e))?.count();
        let mut notes = Vec::new();
        for number in 0_u64.. {
            if notes.len() == there {
                break;
            }
            notes.push(self.read(&note_name(number))?);
        }
        Ok(notes)
    }

    /// The key that came with the export.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn key(&self) -> Result<PublicKey, ExportError> {
        PublicKey::from_pem(&self.read(KEY)?).map_err(|_pem| ExportError::Form {
            file: KEY.to_owned(),
            what: "not a public key for ECDSA on P-256 in PEM",
        })
    }

    /// The entries of a shard, one after the other.
    ///
    /// # Errors
    /// [`ExportError`].
    pub(crate) fn shard(&self, shard: u8) -> Result<ShardReader, ExportError> {
        let name = shard_name(shard);
        let file = File::open(self.folder.join(&name)).map_err(|e| failed(&name, &e))?;
        Ok(ShardReader {
            lines: BufReader::with_capacity(1 << 18, file).lines(),
            name,
        })
    }

    fn read(&self, name: &str) -> Result<String, ExportError> {
        std::fs::read_to_string(self.folder.join(name)).map_err(|e| failed(name, &e))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ExportError> {
        std::fs::write(self.folder.join(name), text).map_err(|e| failed(name, &e))
    }
}

/// Reads a shard's file.
pub(crate) struct ShardReader {
    lines: Lines<BufReader<File>>,
    name: String,
}

impl ShardReader {
    /// The next entry; `Ok(None)` at the end, `Err(None)` for a line that is no entry.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Option<ExportError>> {
        let Some(line) = self.lines.next() else {
            return Ok(None);
        };
        let line = match line {
            Ok(line) => line,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(None),
            Err(error) => return Err(Some(failed(&self.name, &error))),
        };
        let read: Option<Line> = serde_json::from_str(&line).ok();
        read.and_then(Line::entry).map(Some).ok_or(None)
    }
}

fn shard_name(shard: u8) -> String {
    format!("shard-{shard:x}.jsonl")
}

fn note_name(number: u64) -> String {
    format!("checkpoints/{number:012}.note")
}

fn failed(file: &str, error: &std::io::Error) -> ExportError {
    ExportError::File {
        file: file.to_owned(),
        why: error.kind(),
    }
}

/// The shard and the place that an event's id names.
pub(crate) fn place(id: &str) -> Option<(u8, u64)> {
    let (shard, seq) = id.strip_prefix('L')?.split_once('.')?;
    let shard = u8::from_str_radix(shard, 16)
        .ok()
        .filter(|shard| *shard < SHARDS)?;
    let seq = seq.parse().ok()?;
    (event_id(shard, seq) == id).then_some((shard, seq))
}
