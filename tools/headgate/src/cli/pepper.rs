//! `headgate pepper`.

use clap::{Args, Subcommand};

use super::ClientArgs;

/// `headgate pepper`.
#[derive(Clone, Debug, Args)]
pub struct PepperArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: PepperAction,
}

/// What to do about the peppers.
#[derive(Clone, Debug, Subcommand)]
pub enum PepperAction {
    /// Put the next peppers of people and of the suppression list in force.
    ///
    /// Nothing has to be done after it: both old and new names are looked up, what leads to people is moved to the new
    /// names from an hour later on, and the suppression list from ten weeks later on, when no message waits that knows
    /// only the old ones.
    Rotate {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Show which peppers are in force, and how far the walks have come that move what stands under older names.
    Status {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}
