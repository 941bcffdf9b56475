//! A file of earlier consents, of any bytes: however it is cut into portions, and wherever it is taken
//! up again, it has the same rows; a row asks what its columns say or says why not; and nothing that
//! is told of it repeats it.

#![no_main]

use headgate_domain::consent::{MAX_AHEAD_MS, METHODS};
use headgate_domain::identity::Phone;
use headgate_domain::import::{FileFault, Position, Reader, Reason, Request, Row};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);

fuzz_target!(|file: &[u8]| {
    let whole = read(&mut Reader::new(), file, usize::MAX);
    for size in [1, 13] {
        let again = read(&mut Reader::new(), file, size);
        assert!(again == whole, "portions make another file");
    }
    let rows = match whole {
        Ok(rows) => rows,
        Err(fault) => return told(&fault, file),
    };
    let mut line = 1;
    for (index, (row, _after)) in rows.iter().enumerate() {
        assert_eq!(row.number, index as u64 + 1);
        assert!(row.line >= line, "rows do not go back");
        line = row.line;
        match &row.request {
            Ok(request) => asked(request),
            Err(fault) => assert!(Reason::ALL.contains(&fault.reason)),
        }
    }
    assert!(!format!("{rows:?}").contains("+1"), "a number is shown");
    // From the middle and from the end on, the rest is the rest.
    for place in [rows.len() / 2, rows.len() - 1] {
        let (_row, after) = &rows[place];
        assert_eq!(from(file, *after), rows[place + 1..]);
    }
});

/// Every row, and where the next one begins.
fn read(reader: &mut Reader, file: &[u8], size: usize) -> Result<Vec<(Row, Position)>, FileFault> {
    let mut rows = Vec::new();
    for portion in file.chunks(size).chain([&[][..]]) {
        let mut rest = portion;
        loop {
            let step = reader.read(rest, NOW)?;
            assert!(step.used <= rest.len());
            let more = step.row.is_some();
            if let Some(row) = step.row {
                rows.push((row, reader.position()));
            }
            rest = &rest[step.used..];
            if rest.is_empty() && !(portion.is_empty() && more) {
                break;
            }
        }
    }
    Ok(rows)
}

fn from(file: &[u8], position: Position) -> Vec<(Row, Position)> {
    let mut reader = Reader::new();
    let mut used = 0;
    while !reader.knows_its_columns() {
        used += reader
            .read(&file[used..=used], NOW)
            .expect("the header was read before")
            .used;
    }
    reader.go_to(position);
    let start = usize::try_from(position.offset).expect("within the file");
    read(&mut reader, &file[start..], usize::MAX).expect("the file was read before")
}

fn asked(request: &Request) {
    assert!(Phone::parse(request.phone.reveal()).as_ref() == Ok(&request.phone));
    let known = [Purpose::Utility, Purpose::Marketing];
    assert!((1..=2).contains(&request.purposes.len()));
    assert!(
        request
            .purposes
            .iter()
            .all(|purpose| known.contains(purpose))
    );
    assert!(request.claimed_at.millis_since(NOW) <= MAX_AHEAD_MS);
    assert!(METHODS.contains(&request.method));
    let texts = [Some(&request.notice), request.reference.as_ref()];
    for text in texts.into_iter().flatten() {
        let text = text.reveal();
        assert!(!text.is_empty() && !text.starts_with(['=', '+', '-', '@', '\t']));
        assert!(text.chars().count() <= 4_096);
    }
    assert!((1..=35).contains(&request.locale.len()) && request.locale.is_ascii());
}

/// A fault is a text of the program with a line or a place in it.
fn told(fault: &FileFault, file: &[u8]) {
    let lines = 1 + file.iter().filter(|byte| **byte == b'\n').count() as u64;
    let line = match fault {
        FileFault::Encoding { line }
        | FileFault::Quoting { line }
        | FileFault::RowTooLarge { line } => *line,
        FileFault::UnknownColumn { place } => {
            assert!((1..=file.len() + 1).contains(place));
            1
        }
        FileFault::Empty
        | FileFault::NoRows
        | FileFault::Utf16
        | FileFault::MissingColumn(_)
        | FileFault::DuplicateColumn(_)
        | FileFault::TooManyRows => 1,
    };
    assert!((1..=lines).contains(&line));
    assert!(fault.to_string().is_ascii() && !fault.word().is_empty());
}
