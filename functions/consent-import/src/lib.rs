//! The import: a file of earlier consents becomes requests, and never a yes.
//!
//! Woken by a file in its bucket. Looks at the whole file first and uses nothing of one whose rows are not
//! certain; then asks block by block, each block's report and progress stored before the next one begins.
//! An invocation that runs out of time is like one that was killed: the queue gives the file again, and
//! the progress says where to go on (docs/adr/0024). It writes to nobody: the links in the report are
//! for the business to deliver by its own channels. Only when a second principal approves of the file, and
//! the setting for it is on, a message goes to each person whose row names a record of an earlier yes
//! (`approvals`, docs/adr/0031).

mod approvals;
pub mod config;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::import_messages::ImportMessages;
use headgate_aws::imports::{self, Answer, Asker, Imports};
use headgate_aws::keyring::{Keyring, KeyringError};
use headgate_aws::ledger::Ledger;
use headgate_aws::objects::{Bucket, Tag};
use headgate_aws::peppers::{Peppers, pepper};
use headgate_aws::queue::Queue;
use headgate_aws::subjects::Subjects;
use headgate_aws::suppression::Suppression;
use headgate_aws::visibility::Visibility;
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::identity::Pepper;
use headgate_domain::import::{
    COLUMNS, FileHash, Messages, Outcome, Progress, Reader, Row, Stage, Step, code, line, link,
    principal_of,
};
use headgate_domain::lane::Purpose;
use headgate_domain::optin_code;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::{self, BatchResponse, SqsEvent, SqsRecord};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;
use serde::Deserialize;

pub use config::Config;

use source::{PIECE, Source, Survey};

/// How many rows are asked, reported and noted at a time.
const BLOCK: usize = 500;
/// No block begins with less time than this left.
const TIME_FOR_A_BLOCK: Duration = Duration::from_secs(20);

/// The function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// AWS did not give what is needed.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Each of its parts is.
impl LogSafe for StartError {}

/// An import is not done; the queue gives its file again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There was no time for all of it.
    #[error("the time is up, and rows are left: the next invocation goes on")]
    Unfinished,
    /// The queue gave the same file twice, or somebody put it twice.
    #[error("another invocation is working on the same file: the queue gives it again later")]
    Elsewhere,
    /// Somebody replaced the file while it was read.
    #[error("the file was replaced while it was read")]
    Replaced,
    /// As many people were written to today as may be.
    #[error("as many people were written to today as may be: it goes on tomorrow")]
    Tomorrow,
    /// The message on the queue is none of S3's.
    #[error("the message is no notification of S3's")]
    Message,
    /// Keys or tables were not available.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// AWS failed; worth trying again.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Each of its parts is.
impl LogSafe for ImportError {}

/// How far an import is, and what is stored of it: nobody else goes on from there as well.
struct Noted {
    progress: Progress,
    stored: Option<Tag>,
}

/// What S3 says of an object; only what is read of it.
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records", default)]
    records: Vec<Created>,
}

#[derive(Deserialize)]
struct Created {
    s3: Place,
    #[serde(rename = "userIdentity", default)]
    by: Identity,
}

/// Who put it; S3 says so, and nobody else can.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    principal_id: String,
}

#[derive(Deserialize)]
struct Place {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// What was read without a fault once can have one only when it is another file.
fn read(reader: &mut Reader, portion: &[u8], now: Timestamp) -> Result<Step, ImportError> {
    reader
        .read(portion, now)
        .map_err(|_fault| ImportError::Replaced)
}

/// The function.
pub struct ConsentImport {
    deployment: String,
    links: Arc<Pepper>,
    consents: Consents,
    imports: Imports,
    messages: ImportMessages,
    system: Queue,
    controls: Controls,
    files: Bucket,
    queue: String,
    visibility: Visibility,
    clock: Clock,
}

impl ConsentImport {
    /// Reads the settings and computes the peppers; without them it does not start (I5).
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = Config::read(settings)?;
        let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
        let controls = Controls::new(&aws, &config.table_controls);
        let deployment = config.deployment.as_str();
        let of = |key| Peppers::open(&aws, &controls, key, deployment);
        let (identity, suppressed, links) = tokio::try_join!(
            of(&config.kms_mac_identity),
            of(&config.kms_mac_suppression),
            pepper(&aws, &config.kms_mac_links, deployment),
        )?;
        let links = Arc::new(links);
        let keyring = Keyring::new(
            &aws,
            &config.table_keys,
            &config.kms_key_data,
            &config.deployment,
        );
        let consents = Consents::new(
            Subjects::new(&aws, &config.table_subjects, keyring, identity),
            Suppression::new(&aws, &config.table_suppression),
            Ledger::new(&aws, &config.table_ledger),
            suppressed,
            controls.clone(),
        );
        Ok(Self {
            imports: Imports::new(consents.clone()),
            consents: consents.clone(),
            messages: ImportMessages::new(consents, Arc::clone(&links)),
            system: Queue::new(&aws, &config.queue_system_url),
            controls,
            files: Bucket::new(&aws, &config.bucket_imports, PIECE),
            queue: config.queue_imports_url,
            visibility: Visibility::new(&aws),
            deployment: config.deployment,
            links,
            clock,
        })
    }

    /// Imports the files of a batch, as far as the time that is left allows.
    pub async fn handle(&self, event: SqsEvent, time_left: Duration) -> BatchResponse {
        let now = Instant::now();
        let time_left = time_left.saturating_sub(TIME_FOR_A_BLOCK);
        let until = now.checked_add(time_left).unwrap_or(now);
        batch::run(event, 1, |record| Box::pin(self.message(record, until))).await
    }

    async fn message(&self, record: SqsRecord, until: Instant) -> Result<(), ImportError> {
        self.consents.refresh((self.clock)()).await?;
        let notification: Notification =
            serde_json::from_str(&record.body).map_err(|_shape| ImportError::Message)?;
        for created in &notification.records {
            let key = &created.s3.object.key;
            let by = principal_of(&created.by.principal_id);
            let done = match Messages::approved_file(key) {
                Some(file) => Box::pin(self.approval(key, &file, by, until)).await,
                None => self.file(key, by, until).await,
            };
            let receipt = &record.receipt_handle;
            match &done {
                // At once, not when the queue believes this invocation dead.
                Err(ImportError::Unfinished) => {
                    self.visibility.defer(&self.queue, receipt, 0).await?;
                }
                Err(ImportError::Tomorrow) => {
                    let now = (self.clock)();
                    let wait = now.until(now.day().plus(1).start());
                    let seconds = i64::try_from(wait.as_secs()).unwrap_or_default();
                    let seconds = seconds.saturating_add(1);
                    self.visibility.hold(&self.queue, receipt, seconds).await?;
                }
                Ok(()) | Err(_) => {}
            }
            done?;
        }
        Ok(())
    }

    async fn file(&self, key: &str, by: &str, until: Instant) -> Result<(), ImportError> {
        let source = Source {
            bucket: &self.files,
            key,
        };
        let now = (self.clock)();
        // Without a file it was done before, and this is the same message again.
        let Some(survey) = source.survey(now).await? else {
            return Ok(());
        };
        let file = &survey.file;
        match &survey.rows {
            Err(fault) => {
                let progress = Progress::refuse(file, *fault, now);
                self.files
                    .put(&Progress::key(file.as_str()), json(&progress)?)
                    .await?;
                log(
                    Level::Warn,
                    "import_refused",
                    &[("why", Field::safe(fault))],
                );
            }
            Ok(rows) => {
                let (progress, stored) = self.stored(file).await?;
                let progress = progress.unwrap_or_else(|| {
                    let mut progress = Progress::begin(file, *rows, now);
                    progress.brought_by = Some(by.to_owned());
                    progress
                });
                if progress.stage != Stage::Done {
                    let noted = Noted { progress, stored };
                    Box::pin(self.rows(&source, &survey, noted, until)).await?;
                }
            }
        }
        // Whoever sent it has it; nobody here needs it any more.
        self.files.delete(key).await?;
        Ok(())
    }

    /// Asks row by row from where the progress stands.
    async fn rows(
        &self,
        source: &Source<'_>,
        survey: &Survey,
        mut noted: Noted,
        until: Instant,
    ) -> Result<(), ImportError> {
        let now = (self.clock)();
        let mut reader = Reader::new();
        if noted.progress.next.rows > 0 {
            // The header again, and on to where an earlier invocation ended.
            let head = self.piece(source, survey, 0).await?;
            for byte in head.chunks(1) {
                if reader.knows_its_columns() {
                    break;
                }
                read(&mut reader, byte, now)?;
            }
            reader.go_to(noted.progress.next);
        }
        let mut block: Vec<Row> = Vec::with_capacity(BLOCK);
        let size = u64::try_from(PIECE).unwrap_or(u64::MAX);
        let start = reader.position().offset;
        let mut skipped =
            usize::try_from(start.checked_rem(size).unwrap_or_default()).unwrap_or_default();
        for index in start.checked_div(size).unwrap_or_default().. {
            let piece = self.piece(source, survey, index).await?;
            let is_last = piece.len() < PIECE;
            let mut rest = piece.get(skipped..).unwrap_or_default();
            skipped = 0;
            while !rest.is_empty() || is_last {
                let is_end = rest.is_empty();
                let step = read(&mut reader, rest, now)?;
                rest = rest.get(step.used..).unwrap_or_default();
                block.extend(step.row);
                if block.len() == BLOCK || (is_end && !block.is_empty()) {
                    noted.progress.next = reader.position();
                    self.block(&survey.file, &block, &mut noted).await?;
                    block.clear();
                    if !is_end && Instant::now() > until {
                        return Err(ImportError::Unfinished);
                    }
                }
                if is_end {
                    return self.finish(noted).await;
                }
            }
        }
        Err(ImportError::Replaced)
    }

    /// A piece of the file that was looked at.
    async fn piece(
        &self,
        source: &Source<'_>,
        survey: &Survey,
        index: u64,
    ) -> Result<Vec<u8>, ImportError> {
        let piece = source.piece(index).await?;
        piece
            .filter(|piece| survey.knows(index, piece))
            .ok_or(ImportError::Replaced)
    }

    /// Asks the people of a block and stores what came of it, the report before the progress.
    async fn block(
        &self,
        file: &FileHash,
        rows: &[Row],
        noted: &mut Noted,
    ) -> Result<(), ImportError> {
        let now = (self.clock)();
        let config = self.controls.config().await?;
        let display = config.numbers.first().map_or("", |number| &number.display);
        let codes: Vec<(String, String)> = rows
            .iter()
            .map(|row| code(&self.links, &self.deployment, file, row.number))
            .map(|code| (optin_code::hash(&code), code))
            .collect();
        let askers: Vec<Asker<'_>> = rows
            .iter()
            .zip(&codes)
            .filter_map(|(row, (code_hash, _))| {
                let request = row.request.as_ref().ok()?;
                Some(Asker {
                    number: row.number,
                    request,
                    code_hash,
                })
            })
            .collect();
        let source = imports::Source {
            file,
            config: &config,
        };
        let mut answers = self.imports.ask(source, &askers, now).await?.into_iter();
        let progress = &mut noted.progress;
        let mut report = COLUMNS.to_owned();
        for (row, (_, code)) in rows.iter().zip(&codes) {
            let outcome = match &row.request {
                Err(fault) => Outcome::Refused(*fault),
                Ok(_) => match answers.next() {
                    Some(Answer::Asked(purposes)) => Outcome::Requested {
                        purposes,
                        link: link(display, code),
                    },
                    Some(Answer::Refused(fault)) => Outcome::Refused(fault),
                    None => return Err(AwsError::new("asking", "a row without an answer").into()),
                },
            };
            line(&mut report, row.number, row.line, &outcome);
            if let (Outcome::Requested { purposes, .. }, Ok(request)) = (&outcome, &row.request)
                && request.is_attested()
                && purposes.contains(&Purpose::Marketing)
            {
                progress.attested = progress.attested.saturating_add(1);
            }
            progress.counts.add(&outcome);
        }
        let part = Progress::part_key(file.as_str(), progress.parts);
        self.files.put(&part, report.into_bytes()).await?;
        progress.parts = progress.parts.saturating_add(1);
        self.note(noted).await
    }

    async fn finish(&self, mut noted: Noted) -> Result<(), ImportError> {
        noted.progress.stage = Stage::Done;
        self.note(&mut noted).await?;
        let progress = noted.progress;
        let rows = i64::try_from(progress.rows).unwrap_or(i64::MAX);
        let asked = progress.counts.of("requested");
        let asked = i64::try_from(asked).unwrap_or(i64::MAX);
        log(
            Level::Info,
            "imported",
            &[
                ("rows", Field::number(rows)),
                ("requested", Field::number(asked)),
            ],
        );
        Ok(())
    }

    /// Stores how far it is, over what this invocation read or stored before.
    async fn note(&self, noted: &mut Noted) -> Result<(), ImportError> {
        let key = Progress::key(&noted.progress.file);
        let put = self
            .files
            .put_over(&key, noted.stored.as_ref(), json(&noted.progress)?);
        noted.stored = Some(put.await?.ok_or(ImportError::Elsewhere)?);
        Ok(())
    }

    /// How far an earlier invocation came, and which progress that is; one that nobody can read is begun
    /// again, which changes nothing.
    async fn stored(&self, file: &FileHash) -> Result<(Option<Progress>, Option<Tag>), AwsError> {
        let found = self
            .files
            .find_tagged(&Progress::key(file.as_str()))
            .await?;
        let (bytes, tag) = found.unzip();
        let progress = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok((progress, tag))
    }
}

/// A structure of texts and numbers always has a JSON form.
fn json(progress: &Progress) -> Result<Vec<u8>, AwsError> {
    serde_json::to_vec(progress).map_err(|_json| AwsError::new("noting the progress", "no JSON"))
}
