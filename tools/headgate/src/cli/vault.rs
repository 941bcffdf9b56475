//! `headgate vault`.

use clap::{Args, Subcommand};

use super::ClientArgs;

/// `headgate vault`.
#[derive(Clone, Debug, Args)]
pub struct VaultArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: VaultAction,
}

/// What to do about the vault key.
#[derive(Clone, Debug, Subcommand)]
pub enum VaultAction {
    /// Ask for the next vault key: the purge mints it within the hour, and everything is sealed under it from then on.
    ///
    /// It does so by itself once a year. Nothing has to be done with what is sealed already: it opens under the key
    /// it names, and is sealed anew when its person is next met, or by a walk that begins twenty minutes later.
    Rotate {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
    /// Show how far the walk has come that seals anew what nobody met.
    Status {
        #[command(flatten)]
        #[allow(missing_docs, reason = "the flattened fields have their own help")]
        client: ClientArgs,
    },
}
