//! Is what was said really gone after 90 days? Asked of copies taken before, as a backup would be.
//!
//! Everything is opened first, so that "cannot be read" later means something. After the turn each copy is
//! tried twice: as the gateway would (it refuses, by the calendar), and by somebody who bypasses that
//! check (there is no key any more).

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, Result};
use headgate_aws::keyring::{Keyring, KeyringError, Salt};
use headgate_aws::messages::{Messages, body_place_key, inbound_place_key};
use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::record::RecordRef;
use headgate_domain::sealing::Place;
use headgate_domain::time::{Day, Timestamp};

use crate::stage::Stage;

/// Something sealed, copied out of the table.
struct Copy {
    key: String,
    day: Day,
    subject: SubjectId,
    body: Vec<u8>,
}

/// Everything that could be read before the purge.
pub(super) struct Sealed {
    copies: Vec<Copy>,
    salts: HashMap<SubjectId, Salt>,
    at: Timestamp,
    /// How many of them opened.
    readable: usize,
}

/// What became of it.
pub(super) struct Purged {
    /// Message bodies that were copied.
    pub(super) copies: usize,
    /// How many could be read before.
    pub(super) readable_before: usize,
    /// How many the gateway refuses to open for their age.
    pub(super) refused: usize,
    /// How many have no key even for somebody who does not ask for the age.
    pub(super) without_key: usize,
    /// Day keys of the demo's days that still exist.
    pub(super) keys_left: usize,
}

impl Purged {
    /// Whether nothing can be read any more, by anybody.
    pub(super) const fn is_complete(&self) -> bool {
        self.copies > 0
            && self.readable_before == self.copies
            && self.refused == self.copies
            && self.without_key == self.copies
            && self.keys_left == 0
    }
}

/// A keyring that remembers nothing: keys are cached for minutes otherwise.
fn keyring(stage: &Stage) -> Result<Keyring> {
    let settings = stage.settings("RetentionPurgeFunction")?;
    let table = settings.name("HEADGATE_TABLE_KEYS")?;
    Ok(Keyring::new(
        &stage.aws,
        table,
        settings.name("HEADGATE_KMS_KEY_DATA")?,
        settings.name("HEADGATE_DEPLOYMENT")?,
    ))
}

fn place(copy: &Copy) -> Place<'_> {
    Place {
        table: "messages",
        key: &copy.key,
        field: "body",
    }
}

/// Copies and opens the body of every accepted message and of everything people wrote.
pub(super) async fn read_all(
    stage: &Stage,
    message_ids: &[String],
    inbound: &[String],
) -> Result<Sealed> {
    let settings = stage.settings("IntakeFunction")?;
    let messages = Messages::new(&stage.aws, settings.name("HEADGATE_TABLE_MESSAGES")?);
    let references: Vec<RecordRef> = message_ids
        .iter()
        .filter_map(|id| RecordRef::from_message_id(id))
        .collect();
    let records = messages
        .load(&references, stage.now())
        .await
        .context("the records cannot be read")?;
    let mut copies: Vec<Copy> = records
        .into_iter()
        .map(|r| Copy {
            key: body_place_key(&r.reference),
            day: r.day,
            subject: r.subject,
            body: r.body,
        })
        .collect();
    for reference in inbound {
        let Some(reference) = reference
            .strip_prefix("in_")
            .and_then(|p| Pseudonym::parse(p).ok())
        else {
            continue;
        };
        if let Some(i) = messages.inbound(&reference, stage.now()).await? {
            copies.push(Copy {
                key: inbound_place_key(&i.reference),
                day: i.day,
                subject: i.subject,
                body: i.body,
            });
        }
    }
    let keyring = keyring(stage)?;
    let subjects: Vec<SubjectId> = copies.iter().map(|c| c.subject.clone()).collect();
    let salts = keyring.salts(&subjects).await?;
    let at = stage.now();
    let mut sealed = Sealed {
        copies,
        salts,
        at,
        readable: 0,
    };
    for copy in &sealed.copies {
        if let Some(salt) = sealed.salts.get(&copy.subject)
            && keyring
                .open_content(copy.day, at, salt, &place(copy), &copy.body)
                .await
                .is_ok()
        {
            sealed.readable += 1;
        }
    }
    Ok(sealed)
}

/// Tries to read the copies after the purge.
pub(super) async fn check(stage: &Stage, sealed: &Sealed) -> Result<Purged> {
    let keyring = keyring(stage)?;
    let now = stage.now();
    let mut purged = Purged {
        copies: sealed.copies.len(),
        readable_before: sealed.readable,
        refused: 0,
        without_key: 0,
        keys_left: 0,
    };
    for copy in &sealed.copies {
        let Some(salt) = sealed.salts.get(&copy.subject) else {
            continue;
        };
        let asked = keyring
            .open_content(copy.day, now, salt, &place(copy), &copy.body)
            .await;
        purged.refused += usize::from(matches!(asked, Err(KeyringError::PastRetention)));
        // As if it were still the day on which everything could be read.
        let bypassed = keyring
            .open_content(copy.day, sealed.at, salt, &place(copy), &copy.body)
            .await;
        purged.without_key += usize::from(matches!(bypassed, Err(KeyringError::NoKey)));
    }
    let days: BTreeSet<String> = sealed
        .copies
        .iter()
        .map(|c| format!("/day#{}", c.day))
        .collect();
    let stored = stage.cloud.dump().await?;
    let keys = stored.iter().filter(|(place, _)| {
        place.starts_with("table ") && days.iter().any(|day| place.contains(day.as_str()))
    });
    purged.keys_left = keys.count();
    Ok(purged)
}
