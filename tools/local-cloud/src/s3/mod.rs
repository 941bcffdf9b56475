//! S3: the buckets of the template, with objects that are put, whole or in parts, read, listed and deleted.
//!
//! Promises that nobody is answered whose signature does not hold over the request and its body, and that objects go
//! by the lifecycle rule of their bucket and the calendar: looked for at each request, each dump and each sweep.
//! Keeps the versions of buckets with object lock, and lets nobody delete one before its time.
//! Deliberately has no bucket addresses (a path names the bucket), other versions, uploads in parts into a bucket with
//! object lock, streamed bodies, ranges of another form than `bytes=a-b`, names that need escaping, policies or
//! encryption.
//!
//! Why not `s3s`: docs/adr/0013.

mod lock;
mod notify;
mod operations;
mod shelf;
mod signature;
mod state;
mod uploads;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};

use crate::calendar::Calendar;
use crate::vault::Unsaved;
pub(crate) use notify::{Notifications, Notify};
use operations::{Asked, respond};
use shelf::Shelf;
use uploads::Uploads;

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
    shelf: Shelf,
    uploads: Mutex<Uploads>,
    settings: BTreeMap<String, BucketSettings>,
    calendar: Calendar,
}

impl Buckets {
    /// Opens the service with what its folder holds.
    pub(crate) fn open(
        folder: Option<PathBuf>,
        settings: BTreeMap<String, BucketSettings>,
        calendar: Calendar,
    ) -> Result<Self> {
        Ok(Self {
            shelf: Shelf::open(folder)?,
            uploads: Mutex::default(),
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
        let mut objects = self.shelf.objects();
        let expired = objects.state().expired(&self.settings, now);
        for (bucket, key) in &expired {
            objects.delete(bucket, key)?;
        }
        Ok(expired.len())
    }

    /// Every object's name, and every object's and part's bytes as the text they would read as.
    pub(crate) fn dump(&self) -> Result<Vec<(String, String)>> {
        self.sweep()?;
        let mut out = self.shelf.objects().state().dump();
        out.extend(self.uploads().dump());
        Ok(out)
    }

    /// How many bytes an object has; none when there is no object.
    fn size(&self, bucket: &str, key: &str) -> usize {
        let objects = self.shelf.objects();
        let found = objects.state().find(bucket, key);
        found.map_or(0, |object| object.content.len())
    }

    fn uploads(&self) -> std::sync::MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
