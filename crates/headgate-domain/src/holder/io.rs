//! What goes into the holder and what comes out of it.
//!
//! An [`Effect`] is something to be done by whoever drives the holder, an [`Event`] is what came of
//! it. Both are plain values: the shipped loop, the simulation and the model checker perform the
//! same ones. Nothing in here names a person.

use crate::lane::Purpose;
use crate::pacing::Tail;
use crate::pair::Tail as PairTail;
use crate::record::{RecordRef, State};
use crate::time::Timestamp;

/// What time it is, twice: pacing and leases know only the first, deadlines of messages only the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// Nanoseconds on this holder's own monotonic clock.
    pub mono: u64,
    /// The calendar.
    pub wall: Timestamp,
}

/// An AWS call did not succeed. Why has been logged; the holder only goes by that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unavailable;

/// The outcome of an effect that may fail.
pub type Outcome<T> = Result<T, Unavailable>;

/// A message record as far as the holder needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Its address.
    pub reference: RecordRef,
    /// The attempts that were made, the one under way included.
    pub attempt: u32,
    /// The app's campaign: lanes are shared fairly between campaigns.
    pub campaign: Option<String>,
    /// Whose it is: the subject's id.
    pub recipient: String,
    /// Not to be sent after.
    pub expires_at: Timestamp,
    /// The entry that brought it back; it stays until the outcome is written down.
    pub due: Option<DueEntry>,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// What of it the holder needs.
    pub ticket: Ticket,
    /// Where it stands.
    pub state: State,
}

/// Why an entry is on the due list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DueKind {
    /// Known not to have been accepted by Meta: send again.
    Retry,
    /// Outcome unknown: the policy decides when its timer runs out.
    Ambiguous,
    /// Waits for its `not_before`.
    Scheduled,
}

/// An entry of the due list. Cursors never cover what is on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DueEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub reference: RecordRef,
    /// Why.
    pub kind: DueKind,
    /// The attempt that was made, or is to be made.
    pub attempt: u32,
}

/// What the lease's holder is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Sending.
    Run,
    /// About to stop for want of work; still looking once more.
    Idle,
    /// Nobody holds the lease.
    Free,
}

/// The lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseView {
    /// Which term.
    pub epoch: u64,
    /// How often it was renewed.
    pub heartbeat: u64,
    /// What the holder is doing.
    pub phase: Phase,
}

/// The lease is ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taken {
    /// Our term.
    pub epoch: u64,
    /// What the last holder that gave the lease up in order left behind. It stays until the next one does.
    pub legacy: Option<Legacy>,
}

/// What a holder that gave the lease up left for its successors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Legacy {
    /// Its term. Claims of later terms were made by holders that did not live to release.
    pub epoch: u64,
    /// When it let go, by its calendar: debts and rests shrink while nobody holds the lease.
    pub at: Timestamp,
    /// Per number.
    pub numbers: Vec<Left>,
}

/// What a holder leaves with FREE about a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// The number.
    pub number: String,
    /// The pace of its last second.
    pub tail: Tail,
    /// Who owes how much of the pair limit.
    pub pairs: PairTail,
    /// The claim slots that are not settled yet; every other one is.
    pub open: Vec<u16>,
}

/// A block of records that were claimed before their first byte left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The term it was made in.
    pub epoch: u64,
    /// Its number within the term: an older one never overwrites a newer.
    pub block: u64,
    /// Where it is stored; a slot is used again when its block is settled.
    pub slot: u16,
    /// The records and the attempt each was claimed for.
    pub references: Vec<(RecordRef, u32)>,
}

/// How far the stored cursors of a number stand.
pub type Cursors = Vec<(Purpose, u8, String)>;

/// What is stored about a number when a term begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Opened {
    /// The claims of earlier terms that may be unsettled.
    pub claims: Vec<Claim>,
    /// The cursors.
    pub cursors: Cursors,
    /// Pair debts: recipient, and messages above its rate.
    pub pairs: Vec<(String, u32)>,
}

/// A page of an outbox shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageRead {
    /// Its records, oldest first; a row that cannot be read is left out.
    pub records: Vec<Seen>,
    /// How far it reached, if there is more behind it.
    pub reached: Option<String>,
}

/// What policy says of one record at its claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// It may be sent; the permit is kept by whoever judged.
    Permitted {
        /// Whether the 24-hour budget of the portfolio is concerned: outside the service window, and
        /// started by the business.
        counts: bool,
        /// The bucket in which the recipient was counted last.
        counted_in: Option<u32>,
    },
    /// It may not; it ends as cancelled, with the reason.
    Refused {
        /// From the closed list.
        reason: &'static str,
    },
    /// Not now.
    NotYet {
        /// When to try again.
        until: Timestamp,
        /// Whether that holds for the whole lane of the number, as a pause does.
        whole_lane: bool,
    },
    /// Somebody moved it since it was read; there is nothing to send.
    Moved,
}

/// A recipient to be remembered beside a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Whose.
    pub recipient: String,
    /// The bucket it is counted in from now on.
    pub bucket: u32,
}

/// Why Meta is known not to have accepted a message, or not to accept any for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holdback {
    /// The number is over its throughput (130429).
    Throttled,
    /// The recipient is over the pair limit (131056).
    Pair,
    /// The app makes too many calls (4, 80007).
    AppLimit,
    /// No connection, or the far end said that it did not look at it.
    Unreachable,
    /// Token or permission: every message would fare the same.
    Credential,
    /// The account or the number is blocked: every message would fare the same.
    Blocked,
    /// The number sends too much that people do not want (131048): marketing rests.
    Unwanted,
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Meta has the message.
    Accepted {
        /// Meta holds it back for a quality check.
        held: bool,
    },
    /// Meta did what was asked, and there is no message.
    Done,
    /// Meta said no, to this message.
    Failed,
    /// Known not to be accepted, and not for a fault of this message.
    NotAccepted(Holdback),
    /// Nobody knows. 131057 also rests the number, for so many milliseconds.
    Ambiguous {
        /// From a closed list.
        why: &'static str,
        /// How long the number rests.
        rest_ms: u64,
    },
}

/// What is to be written down about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Meta has the message.
    Accepted {
        /// Meta holds it back for a quality check.
        held: bool,
    },
    /// Meta did what was asked, and there is no message.
    Done,
    /// Meta said no.
    Failed,
    /// Nobody knows; a timer runs until then.
    Ambiguous {
        /// From a closed list.
        why: &'static str,
        /// When the policy decides.
        at: Timestamp,
    },
    /// An earlier holder claimed it and may have sent it: ambiguous, unless somebody knows better.
    Lost {
        /// When the policy decides.
        at: Timestamp,
    },
    /// Known not to be accepted, to be tried again.
    Park {
        /// When.
        at: Timestamp,
    },
    /// Policy said no.
    Cancelled {
        /// From the closed list.
        reason: &'static str,
    },
    /// The outcome stayed unknown, and the policy is not to send again.
    Unknown,
}

/// What is in force for a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InForce {
    /// The number.
    pub number: String,
    /// Messages per second Meta allows, inbound included.
    pub per_second: u32,
    /// How much of it is used, in thousandths; `None` is the default of the limit.
    pub guard_permille: Option<u16>,
    /// How much of that is left by the number's risk score, in thousandths.
    pub share_permille: u16,
    /// Inbound messages ever counted.
    pub inbound_total: u64,
}

/// What is in force for the portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Controls {
    /// Per number.
    pub numbers: Vec<InForce>,
    /// Unique recipients per 24 hours; `None` is unlimited.
    pub daily_limit: Option<u32>,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Read the lease, consistently.
    ReadLease,
    /// Take the lease if it still stands as seen.
    TakeLease {
        /// How it stood.
        seen: Option<LeaseView>,
    },
    /// Renew the lease, or move it to another phase, if the epoch is still ours. What is left is written
    /// before FREE is: whoever sees FREE finds it.
    Renew {
        /// Our term.
        epoch: u64,
        /// The phase to write.
        phase: Phase,
        /// What to leave, with FREE.
        left: Option<Legacy>,
    },
    /// Wake a holder of this portfolio.
    Wake {
        /// After so many seconds.
        after_s: u32,
        /// Whether it is to stand by for our release.
        successor: bool,
    },
    /// Read the time of the first entry of the due list.
    ReadNextDue,
    /// Read what is in force.
    ReadControls,
    /// Read the stored 24-hour buckets of the portfolio.
    ReadBudget,
    /// Remove stored buckets that left long ago.
    DropBuckets {
        /// Which.
        buckets: Vec<u32>,
    },
    /// Read what is stored about a number: the claims that may be unsettled, cursors, pair debts.
    Open {
        /// The number.
        number: usize,
        /// Claims of later terms than this one count,
        after: u64,
        /// and those in these slots, of whatever term.
        open: Vec<u16>,
    },
    /// Read an outbox shard behind a place, until it is past `front`.
    ReadPage {
        /// The number.
        number: usize,
        /// The lane.
        lane: Purpose,
        /// The shard.
        shard: u8,
        /// Behind this.
        from: String,
        /// At least up to this.
        front: String,
    },
    /// Read a lane's due list up to now, behind an entry.
    ReadDue {
        /// The lane.
        lane: Purpose,
        /// Behind this.
        behind: Option<DueEntry>,
    },
    /// Load the records of due entries.
    LoadDue {
        /// The lane.
        lane: Purpose,
        /// The entries.
        entries: Vec<DueEntry>,
    },
    /// Write a claim; only then may any of its records be judged and sent.
    Claim {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// What is claimed.
        claim: Claim,
    },
    /// Read a claimed block as it stands now, open it and ask policy. Read after the claim: what is
    /// cancelled or stopped before it is seen here, and whoever cancels after it sees the claim.
    Judge {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// What is to be judged.
        tickets: Vec<Ticket>,
    },
    /// Write the increments of the budget, then the marks, before anything of the block leaves.
    Flush {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// Changes of the 24-hour buckets.
        counts: Vec<(u32, i64)>,
        /// Recipients to be remembered.
        marks: Vec<Mark>,
    },
    /// Remember a recipient's pair debt, before the message that caused it leaves.
    NotePair {
        /// The number.
        number: usize,
        /// The block of the message.
        block: u64,
        /// The message.
        reference: RecordRef,
        /// Whose debt.
        recipient: String,
        /// Messages above the rate.
        debt: u32,
    },
    /// Send a message, now.
    Send {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// The message; its attempt is the one to be sent.
        ticket: Ticket,
    },
    /// Write down what became of a record, tell the app, then remove its due entry.
    Settle {
        /// The number.
        number: usize,
        /// The block it is claimed in, if it is.
        block: Option<u64>,
        /// The record.
        ticket: Ticket,
        /// What became of it.
        verdict: Verdict,
    },
    /// Put an ambiguous record back in the queue for another attempt.
    Requeue {
        /// The record.
        seen: Seen,
        /// The entry whose timer ran out.
        due: DueEntry,
    },
    /// Tell the app where a record stands: whoever moved it may not have lived to say so.
    Tell {
        /// The record.
        ticket: Ticket,
        /// The entry to remove after.
        due: Option<DueEntry>,
    },
    /// Remove an entry of the due list.
    DropDue {
        /// The entry.
        due: DueEntry,
    },
    /// Rewrite a claim without what was handed back.
    KeepClaim {
        /// The number.
        number: usize,
        /// The claim, as it is now.
        claim: Claim,
    },
    /// Tell the operator something, once.
    Note {
        /// From a closed list.
        what: &'static str,
    },
    /// Store cursors; only the newest term may.
    PutCursors {
        /// The number.
        number: usize,
        /// Our term.
        epoch: u64,
        /// All of the number's cursors.
        cursors: Cursors,
    },
}

/// What came of an effect, or the passing of time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Nothing but time has passed.
    Tick,
    /// Of [`Effect::ReadLease`].
    LeaseRead(Outcome<Option<LeaseView>>),
    /// Of [`Effect::TakeLease`]: the new term, or `None` when somebody else was faster.
    LeaseTaken(Outcome<Option<Taken>>),
    /// Of [`Effect::Renew`]: whether the lease is still ours.
    Renewed(Outcome<bool>),
    /// Of [`Effect::Wake`], [`Effect::DropDue`], [`Effect::Tell`], [`Effect::KeepClaim`], [`Effect::PutCursors`].
    Tidied,
    /// Of [`Effect::ReadNextDue`].
    NextDueRead(Outcome<Option<Timestamp>>),
    /// Of [`Effect::ReadControls`].
    ControlsRead(Outcome<Controls>),
    /// Of [`Effect::ReadBudget`].
    BudgetRead(Outcome<Vec<(u32, i64)>>),
    /// Of [`Effect::Open`].
    Opened {
        /// The number.
        number: usize,
        /// What is stored.
        opened: Outcome<Opened>,
    },
    /// Of [`Effect::ReadPage`].
    Page {
        /// The number.
        number: usize,
        /// The lane.
        lane: Purpose,
        /// The shard.
        shard: u8,
        /// The page.
        page: Outcome<PageRead>,
    },
    /// Of [`Effect::ReadDue`].
    DueRead {
        /// The lane.
        lane: Purpose,
        /// The entries, oldest first; fewer than a page at the end of the list.
        entries: Outcome<Vec<DueEntry>>,
    },
    /// Of [`Effect::LoadDue`]: each entry with its record.
    DueLoaded {
        /// The lane.
        lane: Purpose,
        /// The entries and records.
        loaded: Outcome<Vec<(DueEntry, Option<Seen>)>>,
    },
    /// Of [`Effect::Claim`].
    Claimed {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// Whether it is written.
        written: Outcome<()>,
    },
    /// Of [`Effect::Judge`]: one judgement per ticket.
    Judged {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// The judgements, in the order of the tickets.
        judgements: Outcome<Vec<Judgement>>,
    },
    /// Of [`Effect::Flush`].
    Flushed {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// Whether it is written.
        written: Outcome<()>,
    },
    /// Of [`Effect::NotePair`].
    PairNoted {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// The message.
        reference: RecordRef,
        /// Whether it is written.
        written: Outcome<()>,
    },
    /// Of [`Effect::Send`].
    Answered {
        /// The number.
        number: usize,
        /// The block.
        block: u64,
        /// The message.
        ticket: Ticket,
        /// What became of it.
        answer: Answer,
    },
    /// Of [`Effect::Settle`].
    Settled {
        /// The number.
        number: usize,
        /// The block it was claimed in.
        block: Option<u64>,
        /// The record.
        reference: RecordRef,
        /// Whether it is written down.
        written: Outcome<()>,
    },
    /// Of [`Effect::Requeue`]: the record as it stands, if it was put back.
    Requeued {
        /// The entry.
        due: DueEntry,
        /// The record.
        seen: Outcome<Option<Seen>>,
    },
}
