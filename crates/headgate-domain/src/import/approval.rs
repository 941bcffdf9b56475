//! The approval: a second principal lets the people of a file be written to, once (R-402, ADR 0031).
//!
//! Owns who may approve of what, what ends the writing early, and the record of it that whoever approved reads.
//! The record holds counts and no row, so an approver never sees whom a file is about. Whether one person may
//! be written to is decided where the person is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FileHash, Progress, Stage, has_run_out};
use crate::config::{Config, ImportMessage, principal};
use crate::live::Live;
use crate::time::{DAY, Timestamp};

/// The schema of a [`Messages`].
const SCHEMA: &str = "headgate.import-messages/1";
/// What an approval is called, before and after the hash of its file.
const PLACE: (&str, &str) = ("approvals/", ".json");
/// Nobody is written to twice on the word of files within this time.
pub const ONCE_MS: i64 = 180 * DAY;

words! {
    /// Why an approval counts for nothing (closed list).
    NotApproved:
    /// The setting is off.
    Off = "off", "The configuration has no consents.import_message, so nobody is written to on the word of a file.", "Add the section, put the configuration in force, and approve again.";
    /// Nothing was imported.
    NotImported = "not_imported", "There is no finished import of this file.", "Import it first; its report is kept for six days.";
    /// Nobody knows who brought it.
    UnknownPrincipal = "unknown_principal", "S3 did not say who brought the file or who approves of it.", "Put both into the bucket as roles of this account.";
    /// The same principal.
    SamePrincipal = "same_principal", "Whoever brought the file may not approve of it.", "Let somebody with another role approve.";
    /// Nobody to write to.
    NobodyAttested = "nobody_attested", "No row of the file asks for marketing and names a record of the earlier yes.", "Fill in the column attestation and import again.";
    /// Too late.
    RunOut = "run_out", "The requests of the file have run out: they wait for 72 hours.", "Import the file again, with one more line break, and approve of that one.";
}

words! {
    /// Why somebody the file asks is not written to (closed list).
    Left:
    /// No record of the earlier yes.
    NotAttested = "not_attested", "The row names no record of the earlier yes, or asks for no marketing.", "Fill in the column attestation.";
    /// Already answered.
    Answered = "answered", "The person has answered already, by the link or by another way.", "Nothing.";
    /// No to it.
    Suppressed = "suppressed", "The person has opted out meanwhile, and stays so.", "Do not ask again.";
    /// Asked by another file.
    AskedBefore = "asked_before", "The person was written to on the word of a file within 180 days.", "Bring them the link of their row.";
    /// Asked something else.
    AskedLately = "asked_lately", "The person is being asked something else in the chat.", "Bring them the link of their row.";
    /// Gone.
    RunOut = "run_out", "The request has run out, or the person is forgotten.", "Import another file.";
}

/// Where the writing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Writing {
    /// People are left.
    Running,
    /// People are left for the next day.
    Waiting,
    /// Everybody who may be has been written to.
    Done,
    /// The number has lost quality or is paused; only a new approval goes on.
    Stopped,
    /// The approval counts for nothing.
    Refused,
}

impl Writing {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Refused => "refused",
        }
    }

    /// Whether it goes on by itself.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Running | Self::Waiting => true,
            Self::Done | Self::Stopped | Self::Refused => false,
        }
    }
}

/// How far the messages to the people of a file are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    schema: String,
    /// The SHA-256 of the file.
    pub file: String,
    /// Where it stands.
    pub stage: Writing,
    /// The principal who approved: a role or a user, and no session.
    pub approved_by: String,
    /// When the approval was first looked at.
    pub approved_at: Timestamp,
    /// Rows that were looked at.
    pub rows: u64,
    /// How many people a message was put on its way for.
    pub asked: u64,
    /// How many were left out, by code.
    pub left: BTreeMap<String, u64>,
    /// Why the approval counts for nothing: a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The same in words, with what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Messages {
    /// An approval that counts.
    pub fn begin(file: &FileHash, approver: &str, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            file: file.as_str().to_owned(),
            stage: Writing::Running,
            approved_by: approver.to_owned(),
            approved_at: now,
            rows: 0,
            asked: 0,
            left: BTreeMap::new(),
            fault: None,
            why: None,
        }
    }

    /// One that does not.
    pub fn refuse(file: &FileHash, approver: &str, why: NotApproved, now: Timestamp) -> Self {
        Self {
            stage: Writing::Refused,
            fault: Some(why.word().to_owned()),
            why: Some(format!("{} {}", why.sentence(), why.remedy())),
            ..Self::begin(file, approver, now)
        }
    }

    /// Counts somebody who is left out.
    pub fn leave(&mut self, why: Left) {
        let count = self.left.entry(why.word().to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Where this is stored.
    pub fn key(file: &str) -> String {
        format!("reports/{file}/messages.json")
    }

    /// Where an approval is put; what is in it does not matter.
    pub fn approval_key(file: &str) -> String {
        format!("{}{file}{}", PLACE.0, PLACE.1)
    }

    /// The file an object of this name approves of; `None` for any other object.
    pub fn approved_file(key: &str) -> Option<FileHash> {
        let hash = key.strip_prefix(PLACE.0)?.strip_suffix(PLACE.1)?;
        FileHash::parse(hash)
    }
}

/// The role or user behind what S3 calls the principal of an event, such as `AWS:AROAEXAMPLEID:ada`. The name
/// of a session is chosen by whoever takes the role on, so it proves nothing and is not kept.
///
/// S3 event notification message structure, docs.aws.amazon.com, as of 2026-11.
pub fn principal_of(s3_principal: &str) -> &str {
    principal(s3_principal.strip_prefix("AWS:").unwrap_or(s3_principal))
}

/// The setting by which the people of a file may be written to.
///
/// # Errors
/// [`NotApproved`], the first reason that holds.
pub fn approved<'a>(
    config: &'a Config,
    import: Option<&Progress>,
    approver: &str,
    now: Timestamp,
) -> Result<&'a ImportMessage, NotApproved> {
    let Some(message) = &config.consents.import_message else {
        return Err(NotApproved::Off);
    };
    let import = import.filter(|import| import.stage == Stage::Done);
    let import = import.ok_or(NotApproved::NotImported)?;
    match import.brought_by.as_deref() {
        Some("") | None => return Err(NotApproved::UnknownPrincipal),
        Some(_) if approver.is_empty() => return Err(NotApproved::UnknownPrincipal),
        Some(other) if other == approver => return Err(NotApproved::SamePrincipal),
        Some(_) => {}
    }
    if import.attested == 0 {
        return Err(NotApproved::NobodyAttested);
    }
    if has_run_out(import.started_at, now) {
        return Err(NotApproved::RunOut);
    }
    Ok(message)
}

/// Whether nobody more is to be written to: the number has lost quality, or somebody or Meta has paused it.
pub fn is_stopped(config: &Config, message: &ImportMessage, live: &Live, now: Timestamp) -> bool {
    let Some(number) = config.number(&message.from) else {
        return true;
    };
    let known = live.numbers.get(&number.id);
    let pauses = [
        live.account.as_ref(),
        live.portfolios
            .get(&number.portfolio)
            .and_then(|portfolio| portfolio.pause.as_ref()),
        known.and_then(|known| known.pause.as_ref()),
        known.and_then(|known| known.marketing_pause.as_ref()),
    ];
    live.has_lost_quality(number) || pauses.into_iter().flatten().any(|pause| pause.holds(now))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::live::{LiveNumber, Pause, Quality};
    use crate::time::HOUR;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn config() -> Config {
        let text = format!(
            "{}\n{}",
            include_str!("../../../../config/headgate.toml"),
            include_str!("../../tests/import_message.toml")
        );
        Config::from_toml(&text).unwrap()
    }

    fn imported() -> Progress {
        let file = FileHash::of(Sha256::new());
        let mut import = Progress::begin(&file, 3, NOW);
        import.stage = Stage::Done;
        import.brought_by = Some("AROAOPERATOR".to_owned());
        import.attested = 3;
        import
    }

    #[test]
    fn another_principal_approves_of_a_finished_import_while_its_requests_wait() {
        let config = config();
        let import = imported();
        let at = NOW.plus_millis(71 * HOUR);
        let by = principal_of("AWS:AROAAPPROVER:ada");
        assert_eq!(
            approved(&config, Some(&import), by, at).unwrap().per_day,
            250
        );
        let mut off = config.clone();
        off.consents.import_message = None;
        let (mut running, mut nobodys, mut unproven) =
            (import.clone(), import.clone(), import.clone());
        running.stage = Stage::Running;
        nobodys.brought_by = None;
        unproven.attested = 0;
        let late = NOW.plus_millis(72 * HOUR);
        for (config, import, by, at, why) in [
            (&off, Some(&import), by, at, NotApproved::Off),
            (&config, None, by, at, NotApproved::NotImported),
            (&config, Some(&running), by, at, NotApproved::NotImported),
            (
                &config,
                Some(&nobodys),
                by,
                at,
                NotApproved::UnknownPrincipal,
            ),
            (
                &config,
                Some(&import),
                "",
                at,
                NotApproved::UnknownPrincipal,
            ),
            (
                &config,
                Some(&unproven),
                by,
                at,
                NotApproved::NobodyAttested,
            ),
            (&config, Some(&import), by, late, NotApproved::RunOut),
            // Another session of the same role is the same principal.
            (
                &config,
                Some(&import),
                principal_of("AWS:AROAOPERATOR:somebody-else"),
                at,
                NotApproved::SamePrincipal,
            ),
        ] {
            assert_eq!(approved(config, import, by, at), Err(why));
        }
    }

    #[test]
    fn a_loss_of_quality_or_a_pause_stops_it() {
        let config = config();
        let message = config.consents.import_message.as_ref().unwrap();
        let number = config.number(&message.from).unwrap().id.clone();
        let with = |known: LiveNumber| {
            let mut live = Live::default();
            live.numbers.insert(number.clone(), known);
            is_stopped(&config, message, &live, NOW)
        };
        let of = |quality| LiveNumber {
            quality: Some(quality),
            ..LiveNumber::default()
        };
        let pause = |until| LiveNumber {
            marketing_pause: Some(Pause {
                reason: "risk".to_owned(),
                since: NOW,
                until,
            }),
            ..LiveNumber::default()
        };
        assert!(!is_stopped(&config, message, &Live::default(), NOW));
        assert!(!with(of(Quality::Green)) && !with(pause(Some(NOW))));
        assert!(with(of(Quality::Yellow)) && with(of(Quality::Red)) && with(pause(None)));
    }

    #[test]
    fn an_approval_names_its_file_and_nothing_else_is_one() {
        let file = FileHash::of(Sha256::new());
        let key = Messages::approval_key(file.as_str());
        assert_eq!(Messages::approved_file(&key), Some(file.clone()));
        for other in [
            Progress::file_key(file.as_str()),
            key.replace("approvals/", "approvals/x/"),
            key.to_uppercase(),
            "approvals/.json".to_owned(),
        ] {
            assert_eq!(Messages::approved_file(&other), None, "{other}");
        }
    }
}
