//! What people ask about their own data, and where it stands (docs/privacy-requests.md, R-306, R-311).
//!
//! Owns the message that asks (schemas/privacy-request.v1.json), the states of a request, what of it is done when, and
//! the receipt of an erasure. Reads and erases nothing: that is privacy-worker's.

mod ask;
mod choice;
mod export;
mod hold;
mod receipt;
mod request;
mod terms;
mod volumes;

pub use ask::{Ask, SCHEMA, Wish};
pub use choice::Choice;
pub use export::ExportLink;
pub use hold::{HOLD_KEPT_MS, Hold, HoldId, InvalidHold, LONGEST_MS, Scope};
pub use receipt::{NotReceipt, RECEIPT_DAYS, Receipt, Retained, Store, StoreRecord, origin};
pub use request::{Denial, Extension, InvalidRequestId, RequestId, State, Task};
pub use terms::{InvalidTerms, KeptFor, Terms, UsedFor};
pub use volumes::{VOLUME_BYTES, into_volumes};

use crate::lane::Purpose;
use crate::time::{DAY, HOUR, MINUTE, Timestamp};

/// How long a request waits before it is carried out, so that the person is told of it first: afterwards nobody
/// knows whom to tell.
pub const ERASE_AFTER_MS: i64 = 5 * MINUTE;
/// So long a code of the page waits for the person's message.
pub const CODE_MS: i64 = 30 * MINUTE;
/// So long a copy of somebody's data can be fetched.
pub const EXPORT_MS: i64 = 72 * HOUR;
/// So often it can be.
pub const EXPORT_DOWNLOADS: u32 = 3;
/// A second copy is made after this long at the earliest.
pub const EXPORT_AGAIN_MS: i64 = 24 * HOUR;
/// Where somebody else may have the number by now, the owner of before has so long to object.
pub const GUARD_MS: i64 = 72 * HOUR;
/// Meta hands a notification over again for seven days
/// (developers.facebook.com/documentation/business-messaging/whatsapp/webhooks, 2026-11), and what was set aside
/// can be redriven: what comes so late must not bring anybody back, so it is looked for once more after that.
pub const SECOND_PASS_MS: i64 = 8 * DAY;
/// So long a notification from before an erasure is known as such: the second pass, and the fourteen days a dead
/// letter can be redriven in.
pub const ERASED_MARK_MS: i64 = 30 * DAY;
/// So long the journal of erasures is kept: as long as a backup reaches back, and a week.
pub const JOURNAL_MS: i64 = 42 * DAY;
/// So long a closed request is kept (11 CCR 7101: at least 24 months), without anybody's id.
pub const KEPT_MS: i64 = 730 * DAY;

/// What somebody objects to who objects to the use of their data: whatever they do not ask for themselves (GDPR 21), as
/// with a no to everything in the chat.
pub const OBJECTED: [Purpose; 2] = [Purpose::Marketing, Purpose::Utility];

/// When an erasure is carried out.
pub const fn erase_at(received_at: Timestamp, owner_is_certain: bool) -> Timestamp {
    received_at.plus_millis(if owner_is_certain {
        ERASE_AFTER_MS
    } else {
        GUARD_MS
    })
}
