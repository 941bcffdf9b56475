//! A stop at Meta, as the answer to a send tells it: code 131050.
//!
//! Owns the telling. The sender may write no consent, so the no goes to the queue on which anybody's no is
//! recorded, the same way as a page's (docs/adr/0018-a-stop-in-the-answer.md).

use headgate_aws::AwsError;
use headgate_domain::consent::SCHEMA;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::record::RecordRef;
use serde_json::json;

use crate::Parts;

/// Meta's code for "the person stopped marketing messages of this business".
const MARKETING_STOPPED: u32 = 131_050;

/// Whether a refusal of Meta's says that the person has said no.
pub(crate) fn says_no(reference: &RecordRef, code: Option<u32>) -> bool {
    reference.lane == Purpose::Marketing && code == Some(MARKETING_STOPPED)
}

/// Has the person's no recorded. Doing so twice leaves one trace.
pub(crate) async fn tell(
    parts: &Parts,
    reference: &RecordRef,
    subject: &SubjectId,
) -> Result<(), AwsError> {
    let message = reference.message_id();
    let no = json!({
        "schema": SCHEMA,
        "id": format!("stopped.{message}"),
        "to": { "subject": subject.as_str() },
        "purpose": Purpose::Marketing.word(),
        "action": "withdrawn",
        "method": "meta_switch",
        "occurred_at": parts.now().to_string(),
        "evidence": { "message": message, "code": MARKETING_STOPPED },
    });
    parts.consents.send(&no.to_string(), &[]).await
}
