//! What Secrets Manager keeps: secrets by name, their versions from the oldest to the newest.
//!
//! Promises that a staging label is on one version at most. Deliberately has no `Debug`: values are in here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::amz_json::{Blob, Refusal};
use crate::stack::secret_arn;

pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
// Versions without a label are deprecated; AWS keeps about this many.
const MAX_DEPRECATED: usize = 100;
/// What AWS appends to the name in an ARN: a dash and six characters.
const SUFFIX: usize = 7;

/// The content of `secrets.json`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) secrets: BTreeMap<String, Secret>,
}

/// A secret.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    pub(super) created_ms: i64,
    pub(super) changed_ms: i64,
    pub(super) versions: Vec<Version>,
}

/// A value a secret has or had.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) created_ms: i64,
    pub(super) string: Option<String>,
    pub(super) binary: Option<Blob>,
    pub(super) stages: BTreeSet<String>,
}

impl State {
    /// The name of the secret that a name, an ARN or an ARN without its random end names.
    pub(super) fn name_of(&self, given: &str) -> Result<String, Refusal> {
        let names = |name: &&String| {
            let arn = secret_arn(name);
            *name == given
                || arn == given
                || arn.get(..arn.len().saturating_sub(SUFFIX)) == Some(given)
        };
        self.secrets
            .keys()
            .find(names)
            .cloned()
            .ok_or_else(no_secret)
    }

    /// The secret that a name or an ARN names, with its name.
    pub(super) fn load(&self, given: &str) -> Result<(String, &Secret), Refusal> {
        let name = self.name_of(given)?;
        let secret = self.secrets.get(&name).ok_or_else(no_secret)?;
        Ok((name, secret))
    }

    /// As [`Self::load`], to change it.
    pub(super) fn load_mut(&mut self, given: &str) -> Result<(String, &mut Secret), Refusal> {
        let name = self.name_of(given)?;
        let secret = self.secrets.get_mut(&name).ok_or_else(no_secret)?;
        Ok((name, secret))
    }
}

fn no_secret() -> Refusal {
    Refusal::new(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

impl Version {
    pub(super) fn new(
        id: String,
        created_ms: i64,
        string: Option<&str>,
        binary: Option<&Blob>,
    ) -> Self {
        Self {
            id,
            created_ms,
            string: string.map(str::to_owned),
            binary: binary.cloned(),
            stages: BTreeSet::new(),
        }
    }

    pub(super) fn holds_the_same_as(&self, other: &Self) -> bool {
        (&self.string, &self.binary) == (&other.string, &other.binary)
    }
}

impl Secret {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            created_ms: now_ms,
            changed_ms: now_ms,
            versions: Vec::new(),
        }
    }

    /// Adds a version and moves the labels to it; the first version is the current one in any case.
    pub(super) fn add(&mut self, mut version: Version, mut stages: BTreeSet<String>) {
        if self.versions.is_empty() {
            stages.insert(CURRENT.to_owned());
        }
        if stages.contains(CURRENT)
            && let Some(before) = self
                .versions
                .iter()
                .position(|v| v.stages.contains(CURRENT))
        {
            for (place, version) in self.versions.iter_mut().enumerate() {
                version.stages.remove(PREVIOUS);
                if place == before {
                    version.stages.insert(PREVIOUS.to_owned());
                }
            }
        }
        for other in &mut self.versions {
            other.stages.retain(|stage| !stages.contains(stage));
        }
        self.changed_ms = version.created_ms;
        version.stages = stages;
        self.versions.push(version);
        self.forget_deprecated();
    }

    fn forget_deprecated(&mut self) {
        let deprecated = self.versions.iter().filter(|v| v.stages.is_empty());
        let mut too_many = deprecated.count().saturating_sub(MAX_DEPRECATED);
        self.versions.retain(|version| {
            let forget = too_many > 0 && version.stages.is_empty();
            too_many -= usize::from(forget);
            !forget
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::{CURRENT, MAX_DEPRECATED, PREVIOUS, Secret, Version};

    #[test]
    fn labels_move_and_old_versions_without_one_are_forgotten() {
        let mut secret = Secret::new(0);
        let add = |secret: &mut Secret, id: i64, stages: &[&str]| {
            let version = Version::new(id.to_string(), id, Some("v"), None);
            secret.add(version, stages.iter().map(|s| (*s).to_owned()).collect());
        };
        let check = |secret: &Secret, stage: &str, id: &str| {
            let with = secret.versions.iter().filter(|v| v.stages.contains(stage));
            let ids: Vec<&str> = with.map(|v| v.id.as_str()).collect();
            assert_eq!(ids, [id], "{stage}");
        };
        add(&mut secret, 1, &["PENDING"]);
        check(&secret, CURRENT, "1");
        add(&mut secret, 2, &["PENDING"]);
        check(&secret, CURRENT, "1");
        check(&secret, "PENDING", "2");
        add(&mut secret, 3, &[CURRENT]);
        check(&secret, CURRENT, "3");
        check(&secret, PREVIOUS, "1");
        for id in 4..200 {
            add(&mut secret, id, &[CURRENT]);
        }
        check(&secret, CURRENT, "199");
        check(&secret, PREVIOUS, "198");
        check(&secret, "PENDING", "2");
        assert_eq!(secret.versions.len(), MAX_DEPRECATED + 3);
        assert_eq!(secret.versions.get(1).unwrap().id, "98");
    }
}
