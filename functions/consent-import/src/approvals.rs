//! An approval: the people of a file are written to, once each, a day's share at a time.
//!
//! An approval is an object beside the files; S3 says who put it, as it said of the file, and the two must be
//! different principals. It is done again like an import: block by block, what came of it stored after each,
//! and no message twice (docs/adr/0031). A number that loses quality ends it; only a new approval goes on.

use std::time::Instant;

use headgate_aws::AwsError;
use headgate_aws::import_messages::{Approval, Row, Written};
use headgate_aws::objects::Found;
use headgate_domain::import::{FileHash, Messages, Progress, Writing, approved, code, is_stopped};
use headgate_domain::optin_code;
use headgate_domain::system::to_json;
use headgate_lambda::log::{Field, Level, log};

use crate::{ConsentImport, ImportError};

/// How many rows are looked at between two notes of how far it is.
const BLOCK: u64 = 100;

impl ConsentImport {
    /// Writes to the people of a file that somebody approves of, as far as time and the day's share allow.
    pub(crate) async fn approval(
        &self,
        key: &str,
        file: &FileHash,
        approver: &str,
        until: Instant,
    ) -> Result<(), ImportError> {
        // Without an approval it was done before, and this is the same message again.
        if matches!(self.files.find(key).await?, Found::Missing) {
            return Ok(());
        }
        let (import, _) = self.stored(file).await?;
        let mut messages = match self.messages_of(file).await? {
            // Who approves of a file that was refused or stopped begins anew: whom it reached is marked.
            Some(known) if known.approved_by == approver && known.stage.is_open() => known,
            Some(_) | None => Messages::begin(file, approver, (self.clock)()),
        };
        let rows = import.as_ref().map_or(0, |import| import.rows);
        let done = self
            .people(file, import.as_ref(), rows, &mut messages, until)
            .await;
        if let Err(ImportError::Tomorrow) = done {
            messages.stage = Writing::Waiting;
        }
        self.note_messages(&messages).await?;
        done?;
        self.files.delete(key).await?;
        log(
            Level::Info,
            "import_messages",
            &[
                ("stage", Field::code(messages.stage.word())),
                (
                    "asked",
                    Field::number(i64::try_from(messages.asked).unwrap_or(i64::MAX)),
                ),
            ],
        );
        Ok(())
    }

    async fn people(
        &self,
        file: &FileHash,
        import: Option<&Progress>,
        rows: u64,
        messages: &mut Messages,
        until: Instant,
    ) -> Result<(), ImportError> {
        loop {
            let now = (self.clock)();
            let (config, live) = tokio::try_join!(self.controls.config(), self.controls.live())?;
            let message = match approved(&config, import, &messages.approved_by, now) {
                Ok(message) => message,
                Err(why) => {
                    let (asked, left) = (messages.asked, std::mem::take(&mut messages.left));
                    *messages = Messages::refuse(file, &messages.approved_by, why, now);
                    (messages.asked, messages.left) = (asked, left);
                    return Ok(());
                }
            };
            if is_stopped(&config, message, &live, now) {
                messages.stage = Writing::Stopped;
                return Ok(());
            }
            messages.stage = Writing::Running;
            let first = messages.rows.saturating_add(1);
            if first > rows {
                messages.stage = Writing::Done;
                return Ok(());
            }
            let last = messages.rows.saturating_add(BLOCK).min(rows);
            let hashes: Vec<(u64, String)> = (first..=last)
                .map(|row| (row, code(&self.links, &self.deployment, file, row)))
                .map(|(row, code)| (row, optin_code::hash(&code)))
                .collect();
            let block: Vec<Row<'_>> = hashes
                .iter()
                .map(|(number, code_hash)| Row {
                    number: *number,
                    code_hash,
                })
                .collect();
            let approval = Approval {
                file,
                config: &config,
                message,
                approver: &messages.approved_by,
            };
            let written = self.messages.write(approval, &block, now).await?;
            let mut full_at = None;
            let mut bodies = Vec::with_capacity(written.len());
            let mut left = Vec::new();
            for (index, one) in written {
                match one {
                    Written::To(message) => bodies.push(to_json(&message)),
                    Written::Left(why) => left.push(why),
                    Written::Full => full_at = Some(index),
                }
            }
            self.system.send_batch(&bodies).await?;
            let asked = u64::try_from(bodies.len()).unwrap_or_default();
            messages.asked = messages.asked.saturating_add(asked);
            for why in left {
                messages.leave(why);
            }
            let index = full_at.map(|index| u64::try_from(index).unwrap_or_default());
            messages.rows = index.map_or(last, |index| messages.rows.saturating_add(index));
            if full_at.is_some() {
                return Err(ImportError::Tomorrow);
            }
            self.note_messages(messages).await?;
            if Instant::now() > until {
                return Err(ImportError::Unfinished);
            }
        }
    }

    async fn note_messages(&self, messages: &Messages) -> Result<(), ImportError> {
        // A structure of texts and numbers always has a JSON form.
        let json = serde_json::to_vec(messages)
            .map_err(|_json| AwsError::new("noting the messages", "no JSON"))?;
        let key = Messages::key(&messages.file);
        Ok(self.files.put(&key, json).await?)
    }

    async fn messages_of(&self, file: &FileHash) -> Result<Option<Messages>, AwsError> {
        let key = Messages::key(file.as_str());
        Ok(match self.files.find(&key).await? {
            Found::Object(bytes) => serde_json::from_slice(&bytes).ok(),
            Found::Missing | Found::TooLarge => None,
        })
    }
}
