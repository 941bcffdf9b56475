//! `headgate dnc load`: what Do-Not-Call registers said of numbers, put where the gateway reads it.
//!
//! A register is asked by whoever has an account with it; this is the file adapter behind its answer. The
//! file is read twice, line by line: nothing of it is loaded while a line of it is wrong.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use headgate_domain::do_not_call::{HEADER, Line};
use headgate_domain::identity::Identifier;
use headgate_domain::time::Timestamp;
use serde_json::json;

use crate::cli::DncLoadArgs;
use crate::connection::Connection;

/// Longer than any line that could be right.
const LONGEST_LINE: u64 = 256;
/// So many wrong lines are told; who has more has the same mistake in all of them.
const TOLD: usize = 20;

/// Loads a file of checks.
///
/// # Errors
/// When the file cannot be read, a line of it is wrong, or the gateway's table or key does not answer.
pub async fn load(args: &DncLoadArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let now = connection.now().await?;
    let good = checked(&args.file, now)?;
    if !args.dry_run {
        let (entries, peppers) = connection.suppression(now).await?;
        for (number, line) in lines(&args.file, now)? {
            let Line {
                phone,
                check,
                register,
            } = line.map_err(|wrong| anyhow!("the file has changed: line {number}: {wrong}"))?;
            for key in peppers.new_entries(&Identifier::Phone(phone)) {
                entries
                    .note_check(&key, &check, check.until(register))
                    .await
                    .with_context(|| {
                        format!("line {number} could not be stored; load the file again: what is stored already stays")
                    })?;
            }
        }
    }
    let loaded = if args.dry_run { 0 } else { good };
    if args.client.json {
        println!("{}", json!({"checked": good, "loaded": loaded}));
    } else if args.dry_run {
        println!("{good} lines are good; nothing was loaded");
    } else {
        println!("{loaded} checks loaded");
    }
    Ok(ExitCode::SUCCESS)
}

/// How many lines there are, if all are good.
fn checked(file: &Path, now: Timestamp) -> Result<u64> {
    let (mut good, mut wrong) = (0_u64, Vec::new());
    for (number, line) in lines(file, now)? {
        match line {
            Ok(_line) => good = good.saturating_add(1),
            Err(error) if wrong.len() < TOLD => wrong.push(format!("line {number}: {error}")),
            Err(_told_enough) => {
                wrong.push("and more".to_owned());
                break;
            }
        }
    }
    if !wrong.is_empty() {
        bail!("nothing was loaded:\n{}", wrong.join("\n"));
    }
    Ok(good)
}

/// The lines below the header, with their numbers. An empty one is none.
fn lines(file: &Path, now: Timestamp) -> Result<impl Iterator<Item = (u64, Result<Line, String>)>> {
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut reader = BufReader::new(opened);
    let (mut number, mut ended) = (0_u64, false);
    Ok(std::iter::from_fn(move || {
        loop {
            if ended {
                return None;
            }
            let mut bytes = Vec::new();
            let limit = LONGEST_LINE.saturating_add(1);
            let read = reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
            if matches!(read, Ok(0)) {
                return None;
            }
            number = number.saturating_add(1);
            if read.is_err() {
                ended = true;
                return Some((number, Err("cannot be read".to_owned())));
            }
            if bytes.len() as u64 > LONGEST_LINE {
                // What is left of it is no line of its own.
                ended = true;
                return Some((number, Err(format!("longer than {LONGEST_LINE} bytes"))));
            }
            let Ok(text) = std::str::from_utf8(&bytes) else {
                return Some((number, Err("not UTF-8".to_owned())));
            };
            let text = text.trim_start_matches('\u{feff}').trim();
            if number == 1 {
                if text.eq_ignore_ascii_case(HEADER) {
                    continue;
                }
                return Some((number, Err(format!("the header: expected {HEADER}"))));
            }
            if text.is_empty() {
                continue;
            }
            return Some((
                number,
                Line::parse(text, now).map_err(|wrong| wrong.to_string()),
            ));
        }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_domain::time::Day;

    use super::*;

    fn of(bytes: &[u8]) -> Result<u64, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checks.csv");
        std::fs::write(&file, bytes).unwrap();
        let now = Day::parse("2026-11-29").unwrap().start();
        checked(&file, now).map_err(|error| format!("{error:#}"))
    }

    const GOOD: &str = "+6591234567,SG_DNC_NO_TEXT,clear,2026-11-28\n";

    #[test]
    fn a_file_is_good_as_a_whole_or_says_which_lines_are_not() {
        let file = format!("\u{feff}{HEADER}\r\n{GOOD}\n{GOOD}");
        assert_eq!(of(file.as_bytes()), Ok(2));
        assert_eq!(of(HEADER.as_bytes()), Ok(0));
        let file = format!("{HEADER}\n{GOOD}91234567,SG_DNC_NO_TEXT,clear,2026-11-28\n{GOOD}x\n");
        let told = of(file.as_bytes()).unwrap_err();
        assert!(
            told.contains("line 3: phone") && told.contains("line 5: expected four"),
            "{told}"
        );
        assert!(
            !told.contains("line 4") && !told.contains("91234567"),
            "{told}"
        );
    }

    #[test]
    fn a_wrong_file_is_told_by_its_first_lines() {
        assert!(
            of(GOOD.as_bytes())
                .unwrap_err()
                .contains("line 1: the header")
        );
        let long = format!("{HEADER}\n{}", "x".repeat(10_000_000));
        assert!(of(long.as_bytes()).unwrap_err().contains("line 2: longer"));
        let mut latin = format!("{HEADER}\n").into_bytes();
        latin.extend(b"\xe9\n");
        assert!(of(&latin).unwrap_err().contains("line 2: not UTF-8"));
        let many = format!("{HEADER}\n{}", "x\n".repeat(1_000));
        let told = of(many.as_bytes()).unwrap_err();
        assert_eq!(told.lines().count(), 1 + TOLD + 1, "{told}");
    }
}
