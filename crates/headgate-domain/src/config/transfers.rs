//! What a transfer of people's data to another part of the world rests on.
//!
//! Owns the deployment's own word for it: which law, to which regions, by which instrument, concluded
//! when, approved by whom. It is the record of a decision, stored with the configuration version that
//! made it; whether the instrument holds is for lawyers.

use serde::{Deserialize, Serialize};

use super::check::place;
use super::{Config, InvalidConfig};
use crate::processors::{Date, TransferInstrument};
use crate::profiles::{ProcessingRegion, Profile, Profiles};

/// A transfer that people of one profile are served by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The policy profile whose people it is about.
    pub profile: String,
    /// The AWS regions it goes to.
    pub regions: Vec<ProcessingRegion>,
    /// What it rests on.
    pub instrument: TransferInstrument,
    /// When that was concluded.
    pub concluded: Date,
    /// Who decided that it holds: a role or an office.
    pub approved_by: String,
}

impl Config {
    /// Whether people of a profile may be served from a region by a recorded transfer.
    pub fn transfers_to(&self, profile: &Profile, region: &ProcessingRegion) -> bool {
        self.transfers
            .iter()
            .any(|t| t.profile == profile.id && t.regions.contains(region))
    }

    pub(super) fn transfers_rest_on_something(&self) -> Result<(), InvalidConfig> {
        for (i, transfer) in self.transfers.iter().enumerate() {
            let Some(profile) = Profiles::compiled_in().find(&transfer.profile) else {
                return place(format!(
                    "transfers[{i}].profile: there is no such profile; docs/compliance/profiles.md lists them"
                ));
            };
            if transfer.regions.is_empty() {
                return place(format!(
                    "transfers[{i}].regions is empty: name the AWS regions, such as [\"ca-central-1\"]"
                ));
            }
            let instruments = &profile.regions.instruments;
            if !instruments.contains(&transfer.instrument) {
                let known: Vec<&str> = instruments.iter().map(|i| i.word()).collect();
                return place(if known.is_empty() {
                    format!(
                        "transfers[{i}]: the profile allows every region, so there is nothing to declare"
                    )
                } else {
                    format!(
                        "transfers[{i}].instrument: expected one of the profile's: {}",
                        known.join(", ")
                    )
                });
            }
            if transfer.approved_by.trim().is_empty() {
                return place(format!(
                    "transfers[{i}].approved_by is empty: say who decided that the transfer may be made"
                ));
            }
        }
        for (i, number) in self.numbers.iter().enumerate() {
            let storage = number.storage.as_ref();
            if storage.is_some_and(|s| Profiles::compiled_in().meta_storage(*s).is_none()) {
                return place(format!(
                    "numbers[{i}].storage: Meta has no local storage in this country (docs/compliance/profiles.md)"
                ));
            }
        }
        Ok(())
    }
}
