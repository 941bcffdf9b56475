//! What S3 keeps: objects by bucket and name.
//!
//! Promises the day at which an object goes: days after it was put, rounded up to the next midnight UTC, as S3 does.
//! Deliberately has no `Debug`: notifications are in here.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::BucketSettings;

const DAY_MS: i64 = 86_400_000;

/// Every object there is.
#[derive(Default)]
pub(super) struct State {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    /// Of buckets with object lock: every version of every name, the newest last.
    versions: BTreeMap<String, BTreeMap<String, Vec<Version>>>,
}

/// A version of a name in a bucket with object lock.
pub(super) struct Version {
    pub(super) id: String,
    /// The versions of a name are in the order of this.
    pub(super) place: u64,
    /// Nothing: a marker that the name was deleted.
    pub(super) object: Option<Object>,
    /// Until when nobody deletes it.
    pub(super) locked_until_ms: i64,
}

/// An object.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) content: Bytes,
    pub(super) kind: String,
    pub(super) put_ms: i64,
    /// What a client compares versions by.
    pub(super) etag: String,
}

impl Object {
    /// An object that came in one piece.
    pub(super) fn new(content: Bytes, kind: &str, put_ms: i64) -> Self {
        Self {
            etag: format!("\"{:x}\"", md5::compute(&content)),
            content,
            kind: kind.to_owned(),
            put_ms,
        }
    }

    fn expires_ms(&self, days: i64) -> i64 {
        let due = self.put_ms + days * DAY_MS;
        due + (-due).rem_euclid(DAY_MS)
    }
}

impl State {
    pub(super) fn put(&mut self, bucket: &str, key: &str, object: Object) {
        let objects = self.buckets.entry(bucket.to_owned()).or_default();
        objects.insert(key.to_owned(), object);
    }

    pub(super) fn find(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.get(key)
    }

    pub(super) fn delete(&mut self, bucket: &str, key: &str) {
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.remove(key);
        }
    }

    /// The place behind every version of a name.
    pub(super) fn next_place(&self, bucket: &str, key: &str) -> u64 {
        let versions = self.versions.get(bucket).and_then(|names| names.get(key));
        let last = versions.and_then(|versions| versions.last());
        last.map_or(0, |last| last.place + 1)
    }

    /// Puts a version behind those there are, as the one that is read.
    pub(super) fn put_version(&mut self, bucket: &str, key: &str, version: Version) {
        match &version.object {
            Some(object) => self.put(bucket, key, object.clone()),
            None => self.delete(bucket, key),
        }
        let versions = self.versions.entry(bucket.to_owned()).or_default();
        versions.entry(key.to_owned()).or_default().push(version);
    }

    pub(super) fn find_version(&self, bucket: &str, key: &str, id: &str) -> Option<&Version> {
        let versions = self.versions.get(bucket)?.get(key)?;
        versions.iter().find(|version| version.id == id)
    }

    /// Deletes one version; what is read then is the newest that is left.
    pub(super) fn delete_version(&mut self, bucket: &str, key: &str, id: &str) {
        let Some(versions) = self
            .versions
            .get_mut(bucket)
            .and_then(|names| names.get_mut(key))
        else {
            return;
        };
        versions.retain(|version| version.id != id);
        match versions.last().and_then(|version| version.object.clone()) {
            Some(object) => self.put(bucket, key, object),
            None => self.delete(bucket, key),
        }
    }

    /// The objects of a bucket whose names begin so and come after another, in order.
    pub(super) fn list<'a>(
        &'a self,
        bucket: &str,
        prefix: &'a str,
        after: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Object)> + 'a {
        let objects = self.buckets.get(bucket).into_iter().flatten();
        objects.filter(move |(key, _)| key.starts_with(prefix) && key.as_str() > after)
    }

    /// Bucket and name of what has expired.
    pub(super) fn expired(
        &self,
        settings: &BTreeMap<String, BucketSettings>,
        now_ms: i64,
    ) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for (bucket, objects) in &self.buckets {
            let Some(days) = settings.get(bucket).and_then(|settings| settings.days) else {
                continue;
            };
            let gone = |object: &Object| object.expires_ms(days) <= now_ms;
            let gone = objects.iter().filter(|(_, object)| gone(object));
            out.extend(gone.map(|(key, _)| (bucket.clone(), key.clone())));
        }
        out
    }

    pub(super) fn dump(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for (bucket, objects) in &self.buckets {
            for (key, object) in objects {
                let text = String::from_utf8_lossy(&object.content).into_owned();
                out.push((format!("bucket {bucket} name"), key.clone()));
                out.push((format!("bucket {bucket} object {key}"), text));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, DAY_MS, Object};

    #[test]
    fn an_object_goes_at_the_midnight_after_its_days() {
        let expires = |put_ms| Object::new(Bytes::new(), "", put_ms).expires_ms(6);
        assert_eq!(expires(1), 7 * DAY_MS);
        assert_eq!(expires(DAY_MS - 1), 7 * DAY_MS);
        assert_eq!(expires(DAY_MS), 7 * DAY_MS);
        assert_eq!(expires(DAY_MS + 1), 8 * DAY_MS);
    }
}
