//! Where S3 keeps its objects: in memory, and each in a private file of its own.
//!
//! Promises that a change is in its file before anyone sees it, that a change which cannot be written did not happen,
//! and that a change costs what the object costs, however many there are. A file is a line of JSON that says what it
//! is, and the bytes; its name is a hash, so that no object's name is too long for a file's.

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::state::{Object, State, Version};
use crate::files;
use crate::vault::Unsaved;

/// The objects and their folder.
pub(super) struct Shelf {
    state: Mutex<State>,
    folder: Option<PathBuf>,
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Label {
    bucket: String,
    key: String,
    /// Nothing: a marker that the name was deleted.
    object: Option<ObjectLabel>,
    /// Of buckets with object lock.
    version: Option<VersionLabel>,
}

#[derive(Serialize, Deserialize)]
struct ObjectLabel {
    kind: String,
    put_ms: i64,
    etag: String,
}

#[derive(Serialize, Deserialize)]
struct VersionLabel {
    id: String,
    place: u64,
    locked_until_ms: i64,
}

impl Shelf {
    /// Opens what the folder holds; nothing if there is none.
    pub(super) fn open(folder: Option<PathBuf>) -> Result<Self> {
        let state = folder.as_deref().map(read).transpose()?;
        Ok(Self {
            state: Mutex::new(state.unwrap_or_default()),
            folder,
        })
    }

    /// The objects, for reading and changing; nobody else has them meanwhile.
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            folder: self.folder.as_deref(),
        }
    }
}

/// The objects while one request has them.
pub(super) struct Objects<'a> {
    state: MutexGuard<'a, State>,
    folder: Option<&'a Path>,
}

impl Objects<'_> {
    /// To look at.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Puts an object.
    pub(super) fn put(&mut self, bucket: &str, key: &str, object: Object) -> Result<(), Unsaved> {
        self.write(bucket, key, Some(&object), None)?;
        self.state.put(bucket, key, object);
        Ok(())
    }

    /// Deletes an object, if there is one.
    pub(super) fn delete(&mut self, bucket: &str, key: &str) -> Result<(), Unsaved> {
        if self.state.find(bucket, key).is_some() {
            self.remove(bucket, key, "")?;
            self.state.delete(bucket, key);
        }
        Ok(())
    }

    /// Puts a version behind those there are; without an object, a marker that the name was deleted.
    pub(super) fn put_version(
        &mut self,
        bucket: &str,
        key: &str,
        id: String,
        object: Option<Object>,
        locked_until_ms: i64,
    ) -> Result<(), Unsaved> {
        let version = Version {
            id,
            place: self.state.next_place(bucket, key),
            object,
            locked_until_ms,
        };
        let label = VersionLabel {
            id: version.id.clone(),
            place: version.place,
            locked_until_ms,
        };
        self.write(bucket, key, version.object.as_ref(), Some(label))?;
        self.state.put_version(bucket, key, version);
        Ok(())
    }

    /// Deletes one version.
    pub(super) fn delete_version(
        &mut self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<(), Unsaved> {
        if self.state.find_version(bucket, key, id).is_some() {
            self.remove(bucket, key, id)?;
            self.state.delete_version(bucket, key, id);
        }
        Ok(())
    }

    fn write(
        &self,
        bucket: &str,
        key: &str,
        object: Option<&Object>,
        version: Option<VersionLabel>,
    ) -> Result<(), Unsaved> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        let path = path(folder, bucket, key, version.as_ref().map_or("", |v| &v.id));
        let label = Label {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            object: object.map(|object| ObjectLabel {
                kind: object.kind.clone(),
                put_ms: object.put_ms,
                etag: object.etag.clone(),
            }),
            version,
        };
        serde_json::to_vec(&label)
            .map_err(anyhow::Error::from)
            .and_then(|mut content| {
                content.push(b'\n');
                content.extend_from_slice(object.map_or(&[], |object| object.content.as_ref()));
                files::replace(&path, &content)
            })
            .map_err(Unsaved)
    }

    fn remove(&self, bucket: &str, key: &str, version: &str) -> Result<(), Unsaved> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        files::remove(&path(folder, bucket, key, version)).map_err(Unsaved)
    }
}

fn path(folder: &Path, bucket: &str, key: &str, version: &str) -> PathBuf {
    let mut digest = Sha256::new();
    for part in [bucket, key, version] {
        digest.update(part);
        digest.update([0]);
    }
    let mut name = String::with_capacity(64);
    for byte in digest.finalize() {
        write!(name, "{byte:02x}").unwrap_or_default();
    }
    folder.join(name).with_extension("object")
}

fn read(folder: &Path) -> Result<State> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be created", folder.display()))?;
    let mut state = State::default();
    let mut versions = Vec::new();
    let entries = std::fs::read_dir(folder);
    for entry in entries.with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "object") {
            // A draft of a process that was killed: nobody was told that it is there.
            files::remove(&path)?;
            continue;
        }
        let content = files::read(&path)?.unwrap_or_default();
        let (label, object) = parse(content).context("a stored object of s3 is damaged")?;
        match (label.version, object) {
            (Some(about), object) => {
                let version = Version {
                    id: about.id,
                    place: about.place,
                    object,
                    locked_until_ms: about.locked_until_ms,
                };
                versions.push((label.bucket, label.key, version));
            }
            (None, Some(object)) => state.put(&label.bucket, &label.key, object),
            (None, None) => return Err(anyhow!("a stored object of s3 is damaged")),
        }
    }
    versions.sort_unstable_by_key(|(_, _, version)| version.place);
    for (bucket, key, version) in versions {
        state.put_version(&bucket, &key, version);
    }
    Ok(state)
}

/// Without a cause: serde_json would quote the label.
fn parse(mut content: Vec<u8>) -> Option<(Label, Option<Object>)> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let rest = content.split_off(end + 1);
    let mut label: Label = serde_json::from_slice(&content).ok()?;
    let object = label.object.take().map(|about| Object {
        content: rest.into(),
        kind: about.kind,
        put_ms: about.put_ms,
        etag: about.etag,
    });
    Some((label, object))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn object(content: &'static [u8]) -> Object {
        Object::new(content.into(), "text/csv", 7)
    }

    fn content(shelf: &Shelf, key: &str) -> Option<Vec<u8>> {
        let objects = shelf.objects();
        let found = objects.state().find("b", key);
        found.map(|object| object.content.to_vec())
    }

    #[test]
    fn what_was_put_is_there_again_and_what_cannot_be_written_did_not_happen() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("s3");
        let open = || Shelf::open(Some(folder.clone())).unwrap();
        let shelf = open();
        let long = "k/".repeat(512);
        for (key, bytes) in [("a", &b"\n\x00"[..]), (&long, b""), ("gone", b"x")] {
            shelf.objects().put("b", key, object(bytes)).unwrap();
        }
        shelf.objects().delete("b", "gone").unwrap();
        std::fs::write(folder.join("half.draft"), "half").unwrap();
        let shelf = open();
        assert_eq!(content(&shelf, "a").unwrap(), b"\n\x00");
        assert_eq!(content(&shelf, &long).unwrap(), b"");
        assert_eq!(content(&shelf, "gone"), None);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        let etag = |shelf: &Shelf| shelf.objects().state().find("b", "a").unwrap().etag.clone();
        assert_eq!(etag(&shelf), object(b"\n\x00").etag);

        std::fs::remove_dir_all(&folder).unwrap();
        assert!(shelf.objects().put("b", "a", object(b"new")).is_err());
        assert_eq!(content(&shelf, "a").unwrap(), b"\n\x00");
    }

    #[test]
    fn versions_are_there_again_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Shelf::open(Some(directory.path().to_owned())).unwrap();
        let shelf = open();
        for (id, bytes) in [("3", &b"one"[..]), ("1", b"two"), ("2", b"three")] {
            let (id, object) = (id.to_owned(), Some(object(bytes)));
            let put = shelf.objects().put_version("b", "a", id, object, 9);
            put.unwrap();
        }
        let shelf = open();
        assert_eq!(content(&shelf, "a").unwrap(), b"three");
        shelf.objects().delete_version("b", "a", "2").unwrap();
        assert_eq!(content(&open(), "a").unwrap(), b"two");
    }
}
