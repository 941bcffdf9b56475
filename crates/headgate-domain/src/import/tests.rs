//! The file as people send it: good, half good and not at all, in portions of every size.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use super::*;
use crate::identity::Pepper;
use crate::lane::Purpose;
use crate::time::Timestamp;

const HEADER: &str = "phone,purpose,claimed_at,method,notice,locale,ref";
const GOOD: &str = "+1 613 555 0123,marketing,2026-03-01,paper,\"Yes, write to me\",en,crm-1";

fn now() -> Timestamp {
    Timestamp::parse("2026-11-29T09:00:00Z").unwrap()
}

/// Every row of a file that comes in portions of a size.
fn rows_by(file: &[u8], size: usize) -> Result<Vec<Row>, FileFault> {
    let mut reader = Reader::new();
    let mut rows = Vec::new();
    for portion in file.chunks(size).chain([&[][..]]) {
        let mut rest = portion;
        loop {
            let step = reader.read(rest, now())?;
            let is_row = step.row.is_some();
            rows.extend(step.row);
            rest = &rest[step.used..];
            if rest.is_empty() && !(portion.is_empty() && is_row) {
                break;
            }
        }
    }
    Ok(rows)
}

/// Every row, whatever the size of the portions.
fn rows(file: impl AsRef<[u8]>) -> Result<Vec<Row>, FileFault> {
    let whole = rows_by(file.as_ref(), usize::MAX);
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(rows_by(file.as_ref(), size), whole, "in portions of {size}");
    }
    whole
}

/// What comes of one row below the full header.
fn row(text: &str) -> Result<Request, RowFault> {
    let rows = rows(format!("{HEADER}\n{text}\n")).unwrap();
    assert_eq!(rows.len(), 1, "one row");
    rows[0].request.clone()
}

fn fault(column: Column, reason: Reason) -> RowFault {
    RowFault::at(column, reason)
}

#[test]
fn a_row_asks_what_it_says() {
    let request = row(GOOD).unwrap();
    assert_eq!(request.phone.reveal(), "+16135550123");
    assert_eq!(request.purposes, [Purpose::Marketing]);
    assert_eq!(request.claimed_at.to_string(), "2026-03-01T00:00:00.000Z");
    assert_eq!(request.method, "paper");
    assert_eq!(request.notice.reveal(), "Yes, write to me");
    assert_eq!(request.locale, "en");
    assert_eq!(request.reference.unwrap().reveal(), "crm-1");
}

/// The same with the two columns that most files do not have.
fn row_with(topics: &str, attestation: &str) -> Result<Request, RowFault> {
    let file = format!("{HEADER},topics,attestation\n{GOOD},{topics},{attestation}\n");
    rows(file).unwrap()[0].request.clone()
}

#[test]
fn a_row_may_ask_for_topics_alone_and_name_the_record_of_the_earlier_yes() {
    let request = row_with("offers events offers", "scan-7").unwrap();
    assert!(request.is_attested());
    assert_eq!(request.attestation.as_ref().unwrap().reveal(), "scan-7");
    let asked: Vec<String> = request
        .each()
        .map(|(purpose, topic)| format!("{purpose} {}", topic.unwrap()))
        .collect();
    assert_eq!(asked, ["marketing events", "marketing offers"]);

    let whole = row_with("", "").unwrap();
    assert!(!whole.is_attested(), "without a record of the earlier yes");
    assert!(whole.each().eq([(Purpose::Marketing, None)]));
    let utility = Request {
        purposes: vec![Purpose::Utility],
        ..request
    };
    assert!(!utility.is_attested(), "no message asks for utility");

    let nine = "a b c d e f g h i";
    for topics in ["Offers!", nine] {
        assert_eq!(
            row_with(topics, ""),
            Err(fault(Column::Topics, Reason::Topics))
        );
    }
    assert_eq!(
        row_with("", &"é".repeat(65)),
        Err(fault(Column::Attestation, Reason::TooLong))
    );
}

#[test]
fn columns_come_in_any_order_case_and_with_any_usual_separator() {
    for (header, line) in [
        (
            "Notice,PHONE,Claimed At,method,purpose",
            "Yes,+16135550123,2026-03-01T09:30:00+01:00,Paper,Marketing UTILITY",
        ),
        (
            "notice;phone;claimed-at;method;purpose",
            "Yes;+16135550123;2026-03-01T08:30:00Z;paper;utility marketing marketing",
        ),
        (
            "\"notice\"\t\"phone\"\t\"claimed_at\"\t\"method\"\t\"purpose\"",
            "Yes\t+1 (613) 555-0123\t2026-03-01T08:30:00Z\tpaper\tutility,marketing",
        ),
    ] {
        let rows = rows(format!("{header}\r\n{line}")).unwrap();
        let request = rows[0].request.clone().unwrap();
        assert_eq!(request.phone.reveal(), "+16135550123", "{header}");
        assert_eq!(request.claimed_at.to_string(), "2026-03-01T08:30:00.000Z");
        assert_eq!(request.purposes, [Purpose::Utility, Purpose::Marketing]);
        assert_eq!((request.locale.as_str(), request.reference), ("und", None));
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_column() {
    let file = format!("\u{feff}{HEADER}\n{GOOD}");
    assert!(rows(&file).unwrap()[0].request.is_ok());
    let quoted = file.replacen("phone", "\"phone\"", 1);
    assert!(rows(quoted).unwrap()[0].request.is_ok());
}

#[test]
fn a_mark_at_the_start_of_a_row_belongs_to_its_value() {
    let invalid = fault(Column::Phone, Reason::PhoneNational);
    assert_eq!(row(&format!("\u{feff}{GOOD}")), Err(invalid));
}

#[test]
fn another_encoding_is_told_and_nothing_of_the_file_is_used() {
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        let text = format!("{HEADER}\n{GOOD}");
        [mark.to_vec(), text.encode_utf16().flat_map(bytes).collect()].concat()
    };
    assert_eq!(
        rows(utf16(u16::to_le_bytes, [0xff, 0xfe])),
        Err(FileFault::Utf16)
    );
    assert_eq!(
        rows(utf16(u16::to_be_bytes, [0xfe, 0xff])),
        Err(FileFault::Utf16)
    );
    let unmarked: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        rows([&unmarked[..], b"\n\0"].concat()),
        Err(FileFault::Utf16)
    );
    // Latin-1: "Größe".
    let latin = [
        HEADER.as_bytes(),
        b"\n",
        GOOD.as_bytes(),
        b"\nGr\xf6\xdfe,x",
    ]
    .concat();
    assert_eq!(rows(latin), Err(FileFault::Encoding { line: 3 }));
    // A separator in the middle of a character.
    let torn = [HEADER.as_bytes(), b"\n\xc3,\xa9\n"].concat();
    assert_eq!(rows(torn), Err(FileFault::Encoding { line: 2 }));
}

#[test]
fn a_header_that_is_not_the_documented_one_is_refused_with_the_place() {
    for (header, expected) in [
        ("", FileFault::Empty),
        ("\n\r\n \n", FileFault::Empty),
        (HEADER, FileFault::NoRows),
        (
            "phone,purpose,method,notice",
            FileFault::MissingColumn(Column::ClaimedAt),
        ),
        ("phone", FileFault::MissingColumn(Column::Purpose)),
        (
            "phone,purpose,claimed_at,method,notice,Phone",
            FileFault::DuplicateColumn(Column::Phone),
        ),
        (
            "phone,purpose,claimed_at,method,notice,name",
            FileFault::UnknownColumn { place: 6 },
        ),
        (
            "phone,,purpose,claimed_at,method,notice",
            FileFault::UnknownColumn { place: 2 },
        ),
        // No header at all: the person is not repeated.
        (GOOD, FileFault::UnknownColumn { place: 1 }),
    ] {
        assert_eq!(rows(header), Err(expected), "{header}");
    }
    let endless = "phone,".repeat(2_000);
    assert_eq!(rows(endless), Err(FileFault::RowTooLarge { line: 1 }));
}

#[test]
fn a_fault_of_a_row_names_column_and_reason() {
    let national = fault(Column::Phone, Reason::PhoneNational);
    for (text, expected) in [
        ("613 555 0123,marketing,2026-03-01,paper,Yes,,", national),
        ("0049 30 1234567,marketing,2026-03-01,paper,Yes,,", national),
        (
            "+999 1,marketing,2026-03-01,paper,Yes,,",
            fault(Column::Phone, Reason::PhoneInvalid),
        ),
        (
            "+1613555o123,marketing,2026-03-01,paper,Yes,,",
            fault(Column::Phone, Reason::PhoneInvalid),
        ),
        (
            ",marketing,2026-03-01,paper,Yes,,",
            fault(Column::Phone, Reason::Missing),
        ),
        (
            "+16135550123,,2026-03-01,paper,Yes,,",
            fault(Column::Purpose, Reason::Missing),
        ),
        (
            "+16135550123,service,2026-03-01,paper,Yes,,",
            fault(Column::Purpose, Reason::Purpose),
        ),
        (
            "+16135550123,marketing sales,2026-03-01,paper,Yes,,",
            fault(Column::Purpose, Reason::Purpose),
        ),
        (
            "+16135550123,marketing,01/03/2026,paper,Yes,,",
            fault(Column::ClaimedAt, Reason::ClaimedAt),
        ),
        (
            "+16135550123,marketing,2026-03-01T09:30:00,paper,Yes,,",
            fault(Column::ClaimedAt, Reason::ClaimedAt),
        ),
        (
            "+16135550123,marketing,2026-11-30,paper,Yes,,",
            fault(Column::ClaimedAt, Reason::ClaimedAhead),
        ),
        (
            "+16135550123,marketing,2026-03-01,hearsay,Yes,,",
            fault(Column::Method, Reason::Method),
        ),
        (
            "+16135550123,marketing,2026-03-01,message_in,Yes,,",
            fault(Column::Method, Reason::Method),
        ),
        (
            "+16135550123,marketing,2026-03-01,paper,,,",
            fault(Column::Notice, Reason::Missing),
        ),
        (
            "+16135550123,marketing,2026-03-01,paper,Yes,de_DE,",
            fault(Column::Locale, Reason::Locale),
        ),
        (
            "+16135550123,marketing,2026-03-01,paper,Yes",
            RowFault::of(Reason::Fields),
        ),
        (
            "+16135550123,marketing,2026-03-01,paper,Yes, write to me,,",
            RowFault::of(Reason::Fields),
        ),
    ] {
        assert_eq!(row(text), Err(expected), "{text}");
    }
    let long = |notice: &str, reference: &str| {
        row(&format!(
            "+16135550123,marketing,2026-03-01,paper,{notice},,{reference}"
        ))
    };
    assert!(long(&"é".repeat(4_096), &"é".repeat(64)).is_ok());
    assert_eq!(
        long(&"é".repeat(4_097), ""),
        Err(fault(Column::Notice, Reason::TooLong))
    );
    assert_eq!(
        long("Yes", &"é".repeat(65)),
        Err(fault(Column::Ref, Reason::TooLong))
    );
}

#[test]
fn what_a_spreadsheet_would_run_is_refused_and_a_number_with_a_plus_is_not() {
    for formula in [
        "=HYPERLINK(1)",
        "@SUM(1)",
        "-1+cmd",
        "+cmd",
        "\t=1",
        "\" =1\"",
    ] {
        for (column, topics, attestation) in [
            (Column::Topics, formula, ""),
            (Column::Attestation, "", formula),
        ] {
            let found = row_with(topics, attestation);
            assert_eq!(found, Err(fault(column, Reason::Formula)), "{formula}");
        }
        for (index, column) in Column::ALL.iter().enumerate().take(7) {
            if *column == Column::Phone && formula == "+cmd" {
                continue;
            }
            let mut fields = [
                "+16135550123",
                "marketing",
                "2026-03-01",
                "paper",
                "Yes",
                "en",
                "x",
            ];
            fields[index] = formula;
            assert_eq!(
                row(&fields.join(",")),
                Err(fault(*column, Reason::Formula)),
                "{formula}"
            );
        }
    }
}

#[test]
fn blank_rows_are_none_and_every_row_knows_its_line() {
    let two_lines = GOOD.replace("Yes, write", "Yes,\nwrite");
    let file = format!("\n{HEADER}\r\n\r\n,,,,,,\r\n{GOOD}\r\n{two_lines}\n \n\n{GOOD}\n\n");
    let rows = rows(file).unwrap();
    let places: Vec<(u64, u64)> = rows.iter().map(|row| (row.number, row.line)).collect();
    assert_eq!(places, [(1, 5), (2, 6), (3, 10)]);
    assert!(rows.iter().all(|row| row.request.is_ok()));
    let blank = format!("{HEADER}\n,,,,,,\n");
    assert_eq!(super::tests::rows(blank), Err(FileFault::NoRows));
}

#[test]
fn an_open_quote_is_told_with_the_line_of_its_row() {
    let open = GOOD.replace("me\"", "me");
    let file = format!("{HEADER}\n{GOOD}\n{open}\n{GOOD}x\n");
    // The quote closes where the next row's opens, so the row is whole, and wrong.
    let expected = FileFault::Quoting { line: 3 };
    assert_eq!(rows(&file), Err(expected));
    assert_eq!(
        rows(format!("{HEADER}\n{open}")),
        Err(FileFault::Quoting { line: 2 })
    );
    assert_eq!(
        rows(format!("{HEADER}\na\"b,c\n")),
        Err(FileFault::Quoting { line: 2 })
    );
}

#[test]
fn ten_megabytes_in_one_field_are_not_read() {
    let mut reader = Reader::new();
    let head = format!("{HEADER}\n{GOOD}\n+16135550124,marketing,2026-03-01,paper,\"");
    let mut rest = head.as_bytes();
    while !rest.is_empty() {
        let step = reader.read(rest, now()).unwrap();
        rest = &rest[step.used..];
    }
    let portion = "x".repeat(4_096);
    let fault = (0..2_560).find_map(|_portion| reader.read(portion.as_bytes(), now()).err());
    assert_eq!(fault, Some(FileFault::RowTooLarge { line: 3 }));
    let read = reader.position().offset;
    assert!(read < 32 * 1024, "stopped after {read} bytes");
    let many = ",".repeat(80);
    assert_eq!(
        rows(format!("{HEADER}\n{many}\n")),
        Err(FileFault::RowTooLarge { line: 2 })
    );
}

#[test]
fn a_file_is_taken_up_again_between_any_two_rows() {
    let two_lines = GOOD.replace("Yes, write", "Yes,\r\nwrite");
    let file = format!("\u{feff}{HEADER}\r\n{GOOD}\r\n{two_lines}\r\n\n\u{feff}x\r\n{GOOD}");
    let all = rows(&file).unwrap();
    let mut reader = Reader::new();
    let mut used = 0;
    let mut found = 0;
    while used < file.len() {
        let step = reader.read(&file.as_bytes()[used..], now()).unwrap();
        used += step.used;
        let place = reader.position();
        let mut again = Reader::new();
        again
            .read(&file.as_bytes()[..HEADER.len() + 5], now())
            .unwrap();
        assert!(again.knows_its_columns());
        again.go_to(place);
        found += usize::from(step.row.is_some());
        let mut rest = &file.as_bytes()[usize::try_from(place.offset).unwrap()..];
        let mut left = Vec::new();
        loop {
            let is_end = rest.is_empty();
            let step = again.read(rest, now()).unwrap();
            rest = &rest[step.used..];
            left.extend(step.row);
            if is_end {
                break;
            }
        }
        assert_eq!(left, all[found..], "from byte {}", place.offset);
    }
    assert!(found >= 3);
}

#[test]
fn a_file_of_too_many_rows_is_refused() {
    let mut reader = Reader::new();
    let head = format!("{HEADER}\n");
    reader.read(head.as_bytes(), now()).unwrap();
    reader.go_to(Position {
        rows: MAX_ROWS - 1,
        ..Position::default()
    });
    let last = reader.read(b"a\n", now()).unwrap();
    assert_eq!(last.row.unwrap().number, MAX_ROWS);
    assert_eq!(reader.read(b"a\n", now()), Err(FileFault::TooManyRows));
}

#[test]
fn every_column_and_code_is_in_the_document() {
    let page = include_str!("../../../../docs/import.md");
    let faults = [
        FileFault::Empty,
        FileFault::NoRows,
        FileFault::Utf16,
        FileFault::Encoding { line: 1 },
        FileFault::MissingColumn(Column::Phone),
        FileFault::DuplicateColumn(Column::Phone),
        FileFault::UnknownColumn { place: 1 },
        FileFault::Quoting { line: 1 },
        FileFault::RowTooLarge { line: 1 },
        FileFault::TooManyRows,
    ];
    let columns = Column::ALL.iter().map(|column| column.word());
    let reasons = Reason::ALL.iter().map(|reason| reason.word());
    let faults = faults.iter().map(|fault| fault.word());
    let not_approved = NotApproved::ALL.iter().map(|why| why.word());
    let left = Left::ALL.iter().map(|why| why.word());
    let words = columns.chain(reasons).chain(faults);
    for word in words.chain(not_approved).chain(left) {
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn nothing_that_is_told_repeats_the_file() {
    let secret = "+16135550123";
    let rows = rows(format!(
        "{HEADER}\n{secret},x,x,x,x,x,x\n{secret}\n{GOOD}\n"
    ))
    .unwrap();
    assert!(!format!("{rows:?}").contains("613"));
    for reason in Reason::ALL {
        assert!(!reason.sentence().is_empty() && reason.remedy().ends_with('.'));
    }
}

#[test]
fn the_code_of_a_row_is_always_the_same_and_no_other_row_has_it() {
    let file = |byte: u8| FileHash::of(Sha256::new_with_prefix([byte]));
    let of = |key: u8, deployment: &str, file: &FileHash, number| {
        code(&Pepper::new([key; 32]), deployment, file, number)
    };
    let first = of(1, "main", &file(1), 1);
    assert_eq!(first, of(1, "main", &file(1), 1));
    for other in [
        of(1, "main", &file(1), 2),
        of(1, "main", &file(2), 1),
        of(1, "other", &file(1), 1),
        of(2, "main", &file(1), 1),
    ] {
        assert_ne!(first, other);
    }
    let link = link("+1 613 555 0100", &first);
    let text = link
        .strip_prefix("https://wa.me/16135550100?text=")
        .unwrap();
    let read = crate::optin_code::find_in(&text.replace("%20", " "));
    assert_eq!(read.as_deref(), Some(first.as_str()));
}

#[test]
fn a_hash_is_that_of_every_other_program() {
    // printf 'abc' | sha256sum
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(FileHash::of(Sha256::new_with_prefix("abc")).as_str(), known);
    assert!(FileHash::parse(known).is_some());
    for bad in ["", &known[1..], &known.to_uppercase(), "../../etc"] {
        assert_eq!(FileHash::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_report_has_a_line_a_row_and_nothing_in_it_needs_quotes() {
    let mut report = COLUMNS.to_owned();
    let asked = Outcome::Requested {
        purposes: vec![Purpose::Utility, Purpose::Marketing],
        link: link("+1 613 555 0100", "7K3QZ0M1XA"),
    };
    line(&mut report, 1, 2, &asked);
    line(
        &mut report,
        2,
        4,
        &Outcome::Refused(fault(Column::Phone, Reason::PhoneNational)),
    );
    line(
        &mut report,
        3,
        5,
        &Outcome::Refused(RowFault::of(Reason::Suppressed)),
    );
    assert_eq!(
        report,
        "row,line,code,column,purposes,link\n\
         1,2,requested,,utility marketing,https://wa.me/16135550100?text=CONFIRM%207K3QZ0M1XA\n\
         2,4,phone_national,phone,,\n\
         3,5,suppressed,,,\n"
    );
}
