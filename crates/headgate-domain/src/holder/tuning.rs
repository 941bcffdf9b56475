//! The times and sizes the holder works with.
//!
//! Constants in what ships; parameters, so that a model can be checked in coarser time.

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// Times in nanoseconds, and sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// The lease is renewed this often.
    pub renew_every: u64,
    /// The holder stops by itself this long after the start of its last successful renewal.
    pub fence: u64,
    /// A lease that stood still for this long may be taken over.
    pub take_over_after: u64,
    /// How often a lease of somebody else is looked at.
    pub look_every: u64,
    /// How often a successor looks for its predecessor's release: it stands by for that moment.
    pub look_for_release_every: u64,
    /// How long anybody waits for the lease.
    pub stand_by: u64,
    /// The longest a holder keeps the lease.
    pub term: u64,
    /// A successor is woken this long before the end of the term.
    pub wake_successor_before: u64,
    /// A claimed block may reach the wire only this long after the claim was begun.
    pub send_by: u64,
    /// What a predecessor claimed is left to it for this long: it may still be writing down answers.
    pub leave_to_predecessor: u64,
    /// How often an empty authentication lane is looked at: a code must not wait.
    pub poll_authentication: u64,
    /// How often another empty lane is looked at.
    pub poll: u64,
    /// How often a shard is looked at that nothing is written to any more.
    pub poll_unused: u64,
    /// How often a read starts behind the front: the authentication lane, and the others.
    pub look_back_authentication: u64,
    /// See `look_back_authentication`.
    pub look_back: u64,
    /// How often the due lists are looked at.
    pub due_every: u64,
    /// How often the controls are read.
    pub controls_every: u64,
    /// How often cursors are stored.
    pub checkpoint_every: u64,
    /// A number that had nothing to do for this long is quiet.
    pub quiet: u64,
    /// So many 130429 in a second, or one in two hundred messages if that is more, do not slow a number
    /// down: now and then one is the network's jitter, and a cut costs fifty times what the message does.
    pub stray_throttles: u32,
    /// Rest after a table did not answer.
    pub after_error: u64,
    /// Records in a page.
    pub page: usize,
    /// A lane reads ahead while fewer wait.
    pub read_ahead: usize,
    /// Records in a block, up to 200 a second.
    pub block: usize,
    /// Records in a block above; they fit into one write unit (see `claim_code`).
    pub large_block: usize,
    /// Blocks that may be open at once.
    pub slots: u16,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            renew_every: SECOND,
            fence: 2 * SECOND,
            take_over_after: 3 * SECOND,
            look_every: 250 * MS,
            look_for_release_every: 10 * MS,
            stand_by: 12 * SECOND,
            term: 60 * SECOND,
            wake_successor_before: 5 * SECOND,
            send_by: 2 * SECOND,
            leave_to_predecessor: 2 * SECOND,
            poll_authentication: 25 * MS,
            poll: 250 * MS,
            poll_unused: 2 * SECOND,
            look_back_authentication: 200 * MS,
            look_back: 2 * SECOND,
            due_every: 500 * MS,
            controls_every: 2 * SECOND,
            checkpoint_every: 5 * SECOND,
            quiet: 400 * MS,
            stray_throttles: 1,
            after_error: 250 * MS,
            page: 100,
            read_ahead: 200,
            block: 50,
            large_block: 115,
            slots: 256,
        }
    }
}
