//! `headgate consent import`: a file of earlier consents, looked at here and imported by the gateway.
//!
//! Looks at the whole file with the gateway's own rules before anything leaves this machine; `--dry-run`
//! ends there. Then puts it into the imports bucket, a part at a time, and follows. Promises that a command
//! that was killed and is given again goes on where the gateway is, and that it holds no more of a large
//! file than of a small one. Asks nobody itself, and shows no value of the file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use headgate_aws::objects::{Bucket, Found, PART, Upload};
use headgate_domain::import::{
    COLUMNS, Counts, FileFault, FileHash, Outcome, Progress, Reader, Reason, RowFault, Stage, line,
};
use headgate_domain::time::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli::ImportArgs;
use crate::connection::Connection;

const PORTION: usize = 64 * 1024;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// What a look at the file shows.
struct Look {
    file: FileHash,
    rows: u64,
    /// Rows that ask nobody whatever the gateway knows, by code.
    counts: Counts,
}

/// Imports a file, or only looks at it.
///
/// # Errors
/// When the file cannot be used or read, or the gateway cannot be reached.
pub async fn run(args: &ImportArgs) -> Result<ExitCode> {
    let report = args.report.clone().unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".report.csv");
        PathBuf::from(name)
    });
    if args.dry_run {
        let now = headgate_lambda::clock::system_clock()();
        let look = look(&args.file, Some(&report), now, args.client.json)?;
        show(args, &look.file, look.rows, &look.counts, &report, true);
        return Ok(ExitCode::SUCCESS);
    }
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let look = look(&args.file, None, connection.now().await?, args.client.json)?;
    let bucket = connection.imports()?;
    let progress = Box::pin(import(args, &bucket, &look)).await?;
    if progress.stage == Stage::Refused {
        bail!(
            "{}: {}",
            args.file.display(),
            progress.why.unwrap_or_default()
        );
    }
    fetch(&bucket, &progress, &report).await?;
    show(
        args,
        &look.file,
        progress.rows,
        &progress.counts,
        &report,
        false,
    );
    Ok(ExitCode::SUCCESS)
}

/// Looks at every row; writes a line for each that asks nobody into a report, if one is wanted.
fn look(path: &Path, report: Option<&Path>, now: Timestamp, json: bool) -> Result<Look> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let size = file.metadata().map_or(0, |about| about.len());
    let bar = bar(json, size, "looking  {bar:30} {bytes}/{total_bytes} {eta}")?;
    let mut written = report.map(create).transpose()?;
    let mut look = Look {
        file: FileHash::of(Sha256::new()),
        rows: 0,
        counts: Counts::default(),
    };
    let (mut digest, mut reader, mut seen) = (Sha256::new(), Reader::new(), HashSet::new());
    let mut portion = vec![0; PORTION];
    loop {
        let length = file.read(&mut portion)?;
        let mut rest = portion.get(..length).unwrap_or_default();
        digest.update(rest);
        bar.inc(u64::try_from(length).unwrap_or(0));
        loop {
            let step = reader
                .read(rest, now)
                .map_err(|fault: FileFault| anyhow::anyhow!("{}: {fault}", path.display()))?;
            rest = rest.get(step.used..).unwrap_or_default();
            if let Some(row) = step.row {
                look.rows = row.number;
                let fault = match &row.request {
                    Err(fault) => Some(*fault),
                    Ok(request) => request
                        .purposes
                        .iter()
                        .map(|purpose| digest_of(&[request.phone.reveal(), purpose.word()]))
                        .filter(|digest| seen.insert(*digest))
                        .count()
                        .eq(&0)
                        .then(|| RowFault::of(Reason::AlreadyRequested)),
                };
                if let Some(fault) = fault {
                    let outcome = Outcome::Refused(fault);
                    look.counts.add(&outcome);
                    let mut text = String::new();
                    line(&mut text, row.number, row.line, &outcome);
                    if let Some(report) = &mut written {
                        report.write_all(text.as_bytes())?;
                    }
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        if length == 0 {
            break;
        }
    }
    if let Some(mut report) = written {
        report.flush()?;
    }
    bar.finish_and_clear();
    look.file = FileHash::of(digest);
    Ok(look)
}

/// Half a hash: enough to tell a million people apart.
fn digest_of(parts: &[&str]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    half
}

/// Puts the file where the gateway finds it, unless it is there or was imported before, and waits for the
/// end.
async fn import(args: &ImportArgs, bucket: &Bucket, look: &Look) -> Result<Progress> {
    let file = look.file.as_str();
    if let Some(done) = progress(bucket, file)
        .await?
        .filter(|p| p.stage == Stage::Done)
    {
        return Ok(done);
    }
    let key = Progress::file_key(file);
    // Put once more it would be imported twice at a time.
    if !bucket.has(&key).await? {
        put(args, bucket, &key, look).await?;
    }
    let bar = bar(
        args.client.json,
        look.rows,
        "importing {bar:30} {pos}/{len} rows {eta}",
    )?;
    loop {
        if let Some(progress) = progress(bucket, file).await? {
            bar.set_position(progress.next.rows);
            if progress.stage != Stage::Running {
                bar.finish_and_clear();
                return Ok(progress);
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Puts the file that was looked at: whole when it fits in a part, else part by part.
async fn put(args: &ImportArgs, bucket: &Bucket, key: &str, look: &Look) -> Result<()> {
    const NOT_TAKEN: &str = "the imports bucket did not take the file";
    let path = &args.file;
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let size = file.metadata().map_or(0, |about| about.len());
    let mut parts = Parts {
        file,
        digest: Sha256::new(),
    };
    let first = parts.next()?;
    if first.len() < PART {
        parts.end(&look.file)?;
        return bucket.put(key, first).await.context(NOT_TAKEN);
    }
    let bar = bar(
        args.client.json,
        size,
        "sending  {bar:30} {bytes}/{total_bytes} {eta}",
    )?;
    let mut upload = bucket.upload(key).await.context(NOT_TAKEN)?;
    let sent = send(&mut upload, first, &mut parts, &bar).await;
    if let Err(why) = sent.and_then(|()| parts.end(&look.file)) {
        // What cannot be deleted now goes by the bucket's rule.
        upload.abandon().await.ok();
        return Err(why.context(NOT_TAKEN));
    }
    upload.complete().await.context(NOT_TAKEN)?;
    bar.finish_and_clear();
    Ok(())
}

async fn send(
    upload: &mut Upload<'_>,
    first: Vec<u8>,
    parts: &mut Parts,
    bar: &ProgressBar,
) -> Result<()> {
    let mut part = first;
    while !part.is_empty() {
        let length = part.len();
        upload.put(part).await?;
        bar.inc(u64::try_from(length).unwrap_or(0));
        part = parts.next()?;
    }
    Ok(())
}

/// A file in parts, and the hash of those that were read.
struct Parts {
    file: File,
    digest: Sha256,
}

impl Parts {
    /// The next part: shorter at the end of the file, empty beyond.
    fn next(&mut self) -> Result<Vec<u8>> {
        let mut part = Vec::with_capacity(PART);
        let most = u64::try_from(PART).unwrap_or(u64::MAX);
        (&self.file).take(most).read_to_end(&mut part)?;
        self.digest.update(&part);
        Ok(part)
    }

    /// Whether what was read is what was looked at.
    fn end(&mut self, looked_at: &FileHash) -> Result<()> {
        if FileHash::of(self.digest.clone()) != *looked_at {
            bail!("the file was changed while it was read: give the command again");
        }
        Ok(())
    }
}

async fn progress(bucket: &Bucket, file: &str) -> Result<Option<Progress>> {
    match bucket.find(&Progress::key(file)).await? {
        Found::Object(bytes) => Ok(Some(
            serde_json::from_slice(&bytes).context("the progress of the import is unreadable")?,
        )),
        Found::Missing | Found::TooLarge => Ok(None),
    }
}

/// Writes the parts of the report into one file.
async fn fetch(bucket: &Bucket, progress: &Progress, path: &Path) -> Result<()> {
    let mut report = create(path)?;
    for part in 0..progress.parts {
        let found = bucket
            .find(&Progress::part_key(&progress.file, part))
            .await?;
        let Found::Object(bytes) = found else {
            bail!("a part of the report is gone: reports are kept for six days");
        };
        let rows = bytes.strip_prefix(COLUMNS.as_bytes()).unwrap_or(&bytes);
        report.write_all(rows)?;
    }
    report.flush()?;
    Ok(())
}

/// A new report with the names of its columns; its links are for the people of the file, so its owner alone
/// can read it.
fn create(path: &Path) -> Result<BufWriter<File>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut report = BufWriter::new(file);
    report.write_all(COLUMNS.as_bytes())?;
    Ok(report)
}

fn bar(json: bool, length: u64, template: &str) -> Result<ProgressBar> {
    if json {
        return Ok(ProgressBar::hidden());
    }
    Ok(ProgressBar::new(length).with_style(ProgressStyle::with_template(template)?))
}

fn show(
    args: &ImportArgs,
    file: &FileHash,
    rows: u64,
    counts: &Counts,
    report: &Path,
    is_dry: bool,
) {
    if args.client.json {
        let counts: Value = counts
            .iter()
            .map(|(word, n)| (word.to_owned(), json!(n)))
            .collect();
        let about = json!({
            "file": file.as_str(), "rows": rows, "counts": counts,
            "report": report.display().to_string(), "dry_run": is_dry,
        });
        println!("{about}");
        return;
    }
    println!("{} rows, SHA-256 {}", rows, file.as_str());
    for (word, count) in counts.iter() {
        let reason = Reason::ALL.iter().find(|reason| reason.word() == word);
        let remedy = reason.map_or("bring each person the link of their row", |r| r.remedy());
        println!("  {count:>9}  {word:<18} {remedy}");
    }
    if is_dry {
        let refused: u64 = counts.iter().map(|(_, count)| count).sum();
        println!(
            "  {:>9}  would be judged by what the gateway knows",
            rows.saturating_sub(refused)
        );
    }
    println!("a line per row: {}", report.display());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use std::fmt::Write as _;

    use super::*;

    const HEADER: &str = "phone,purpose,claimed_at,method,notice\n";
    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn look_at(file: &[u8]) -> (Result<Look>, String) {
        let folder = tempfile::tempdir().unwrap();
        let (path, report) = (folder.path().join("f.csv"), folder.path().join("r.csv"));
        std::fs::write(&path, file).unwrap();
        let look = look(&path, Some(&report), NOW, true);
        (look, std::fs::read_to_string(&report).unwrap())
    }

    #[test]
    fn a_dry_run_tells_each_row_that_would_ask_nobody_and_the_same_person_twice() {
        let good = "+16135550123,marketing,2026-03-01,paper,Yes\n";
        let both = good.replace("marketing", "marketing utility");
        let national = good.replace("+1613", "613");
        let formula = good.replace("+1", "=1");
        let rows = format!("{HEADER}{good}{good}{national}\n{formula}{both}");
        let (look, report) = look_at(rows.as_bytes());
        assert_eq!(look.unwrap().rows, 5);
        assert_eq!(
            report,
            "row,line,code,column,purposes,link\n\
             2,3,already_requested,,,\n\
             3,4,phone_national,phone,,\n\
             4,6,formula,phone,,\n"
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_shows_nothing_of_it() {
        let good = "+16135550123,marketing,2026-03-01,paper,Yes\n";
        let huge = format!(
            "{HEADER}{good}+16135550124,marketing,2026-03-01,paper,\"{}",
            "x".repeat(10 << 20)
        );
        let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (file, words) in [
            (Vec::new(), "the file is empty"),
            (utf16, "UTF-16"),
            (good.into(), "column 1 of the header"),
            (b"phone,purpose\n".to_vec(), "no column claimed_at"),
            (
                [HEADER.as_bytes(), b"\xff\n"].concat(),
                "line 2 is not UTF-8",
            ),
            (
                format!("{HEADER}{good}\"{good}").into(),
                "line 3 has a quote",
            ),
            (huge.into(), "line 3 is larger"),
        ] {
            let why = look_at(&file).0.err().unwrap().to_string();
            assert!(why.contains(words) && !why.contains("613"), "{why}");
        }
    }

    #[test]
    fn what_is_sent_is_what_was_looked_at_and_comes_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        let content = vec![b'x'; PART + 1];
        std::fs::write(&path, &content).unwrap();
        let mut parts = Parts {
            file: File::open(&path).unwrap(),
            digest: Sha256::new(),
        };
        let lengths: Vec<usize> = (0..3).map(|_| parts.next().unwrap().len()).collect();
        assert_eq!(lengths, [PART, 1, 0]);
        let looked_at = FileHash::of(Sha256::new_with_prefix(&content));
        parts.end(&looked_at).unwrap();
        let another = FileHash::of(Sha256::new_with_prefix("y"));
        let why = parts.end(&another).unwrap_err().to_string();
        assert!(why.contains("was changed"), "{why}");
    }

    #[test]
    fn a_file_of_many_rows_is_looked_at_a_portion_at_a_time() {
        let mut file = format!("\u{feff}{HEADER}");
        for number in 0..20_000 {
            writeln!(
                file,
                "+1000{number:07},marketing,2026-03-01,paper,\"Yes, write\""
            )
            .unwrap();
        }
        let (look, report) = look_at(file.as_bytes());
        let look = look.unwrap();
        assert_eq!((look.rows, look.counts.iter().count()), (20_000, 0));
        assert_eq!(report, COLUMNS);
        assert_eq!(look.file, FileHash::of(Sha256::new_with_prefix(file)));
    }
}
