//! Where data is processed: the region of a deployment, and the patterns a profile allows.
//!
//! Owns AWS region names as values. Whether AWS has a region of the name is not asked.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::is_region;

/// An AWS region, such as `ca-central-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessingRegion(String);

/// The text is no region's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an AWS region is written like ca-central-1")]
pub struct InvalidRegion;

impl ProcessingRegion {
    /// Parses the name of a region; whether AWS has it is not asked.
    ///
    /// # Errors
    /// [`InvalidRegion`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidRegion> {
        if is_region(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRegion)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessingRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ProcessingRegion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProcessingRegion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Regions a profile allows: every one, those of a part of the world, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionPattern {
    /// `*`
    Every,
    /// `eu-*`: what comes before the star.
    Beginning(String),
    /// One region.
    One(ProcessingRegion),
}

impl RegionPattern {
    fn parse(text: &str) -> Result<Self, InvalidRegion> {
        match text.strip_suffix('*') {
            Some("") => Ok(Self::Every),
            Some(start) if start.ends_with('-') => Ok(Self::Beginning(start.to_owned())),
            Some(_) => Err(InvalidRegion),
            None => ProcessingRegion::parse(text).map(Self::One),
        }
    }

    /// Whether a region is one of them.
    pub fn covers(&self, region: &ProcessingRegion) -> bool {
        match self {
            Self::Every => true,
            Self::Beginning(start) => region.as_str().starts_with(start.as_str()),
            Self::One(one) => one == region,
        }
    }
}

impl fmt::Display for RegionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Beginning(start) => write!(f, "{start}*"),
            Self::One(one) => one.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for RegionPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn a_region_is_written_as_aws_writes_it() {
        for good in [
            "ca-central-1",
            "us-gov-west-1",
            "ap-southeast-12",
            "cn-north-1",
        ] {
            assert_eq!(ProcessingRegion::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "eu",
            "eu-1",
            "eu-*",
            "*",
            "EU-west-1",
            "eu-west-",
            "eu--1",
            "eu-west-1 ",
        ] {
            assert_eq!(ProcessingRegion::parse(bad), Err(InvalidRegion), "{bad}");
        }
    }

    #[test]
    fn a_pattern_covers_its_part_of_the_world_and_no_other() {
        let covers = |pattern: &str, region: &str| {
            let region = ProcessingRegion::parse(region).unwrap();
            RegionPattern::parse(pattern).unwrap().covers(&region)
        };
        assert!(covers("*", "us-east-1"));
        assert!(covers("eu-*", "eu-central-1"));
        assert!(!covers("eu-*", "us-east-1"));
        assert!(covers("eu-west-2", "eu-west-2"));
        assert!(!covers("eu-west-2", "eu-west-3"));
        for bad in ["", "e*", "eu-", "*-eu"] {
            assert_eq!(RegionPattern::parse(bad), Err(InvalidRegion), "{bad}");
        }
    }
}
