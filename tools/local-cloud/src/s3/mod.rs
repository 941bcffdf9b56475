//! S3: the buckets of the template, with objects that are put, read, listed and deleted whole.
//!
//! Promises that nobody is answered whose signature does not hold over the request and its body, and that objects go
//! by the lifecycle rule of their bucket and the calendar: looked for at each request, each dump and each sweep.
//! Keeps the versions of buckets with object lock, and lets nobody delete one before its time.
//! Deliberately has no bucket addresses (a path names the bucket), other versions, multipart uploads, streamed bodies,
//! ranges of another form than `bytes=a-b`, names that need escaping, policies or encryption.
//!
//! Why not `s3s`: docs/adr/0013.

mod lock;
mod notify;
mod operations;
mod signature;
mod state;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};

use crate::calendar::Calendar;
use crate::vault::{Unsaved, Vault};
pub(crate) use notify::{Notifications, Notify};
use operations::{Asked, respond};
use state::State;

/// What the template says of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketSettings {
    /// After how many days objects expire, if they do.
    pub(crate) days: Option<i64>,
    /// For how many days each object is locked, if the bucket has object lock with a default.
    pub(crate) locked_days: Option<i64>,
}

/// The buckets.
pub(crate) struct Buckets {
    vault: Vault<State>,
    settings: BTreeMap<String, BucketSettings>,
    calendar: Calendar,
}

impl Buckets {
    /// Opens the service with what its file holds.
    pub(crate) fn open(
        file: Option<PathBuf>,
        settings: BTreeMap<String, BucketSettings>,
        calendar: Calendar,
    ) -> Result<Self> {
        Ok(Self {
            vault: Vault::open("s3", file)?,
            settings,
            calendar,
        })
    }

    /// The operation and the bucket of a request, as the gate and the counters name them.
    pub(crate) fn name(request: &Request<Bytes>) -> (String, String) {
        let asked = Asked::of(request);
        (asked.operation().to_owned(), asked.bucket.to_owned())
    }

    /// Answers a request of an SDK.
    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let checked = self.sweep().map_err(operations::Refusal::from);
        let answered = checked
            .and_then(|_swept| signature::check(request))
            .and_then(|()| self.perform(request));
        respond(answered)
    }

    /// Deletes the objects that have expired by the calendar now; returns how many.
    pub(crate) fn sweep(&self) -> Result<usize, Unsaved> {
        let now = self.calendar.now_ms();
        let expired = self.vault.state().expired(&self.settings, now);
        if expired.is_empty() {
            return Ok(0);
        }
        self.vault.change(|state| {
            for (bucket, key) in &expired {
                state.delete(bucket, key);
            }
            Ok(expired.len())
        })
    }

    /// Every object's name, and every object's bytes as the text they would read as.
    pub(crate) fn dump(&self) -> Result<Vec<(String, String)>> {
        self.sweep()?;
        Ok(self.vault.state().dump())
    }

    /// Writes the state to its file.
    pub(crate) fn save(&self) -> Result<(), Unsaved> {
        self.vault.save()
    }
}
