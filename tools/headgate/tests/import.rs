//! `headgate consent import`, killed again and again: the file is imported once, whatever was cut off.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests may fail loudly"
)]

use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod dev;

use dev::{BINARY, Dev};

const ROWS: u64 = 1_200;

/// A file that goes in two parts: the notice of each row is as long as it may be.
fn file() -> String {
    let notice = "é".repeat(4_000);
    let mut file = String::from("phone,purpose,claimed_at,method,notice\n");
    for number in 0..ROWS {
        writeln!(file, "+1000{number:07},marketing,2026-03-01,paper,{notice}").unwrap();
    }
    assert!(file.len() > 9 << 20);
    file
}

/// Numbers that look random, the same again for the same seed.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let given = std::env::var("HEADGATE_SEED");
        let given = given.ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish() | 1);
        println!("HEADGATE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Runs the import and kills it after a while: whether it came to its end before.
fn import_for(dev: &Dev, file: &Path, while_: Duration) -> bool {
    let mut import = Command::new(BINARY)
        .args(["consent", "import", "--json", "--env-file"])
        .arg(&dev.env_file)
        .arg(file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < while_ {
        if let Some(ended) = import.try_wait().unwrap() {
            assert!(ended.success(), "it failed instead of being killed");
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Not a signal it could answer: kill -9.
    import.kill().unwrap();
    import.wait().unwrap();
    false
}

/// How many requests the ledger has, and everything in it.
fn ledger(dev: &Dev, folder: &Path) -> (u64, Vec<String>) {
    let at = folder.to_str().unwrap();
    dev.run(&["ledger", "export", at]);
    let shards: Vec<String> = (0..16)
        .map(|shard| fs::read_to_string(folder.join(format!("shard-{shard:x}.jsonl"))).unwrap())
        .collect();
    let events = shards.iter().flat_map(|shard| shard.lines());
    let asked = events.filter(|event| event.contains("consent.requested"));
    (asked.map(|_| 1).sum(), shards)
}

#[test]
fn an_import_that_is_killed_again_and_again_asks_each_row_once() {
    let mut chance = Chance::new();
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::on_disk(folder.path(), "dev.env");
    let people = folder.path().join("people.csv");
    fs::write(&people, file()).unwrap();
    // Ever later: while it looks, while it sends, while it waits, while it fetches the report.
    let (mut most, mut kills) = (200, 0);
    while !import_for(&dev, &people, Duration::from_millis(chance.below(most))) {
        kills += 1;
        most += most / 2;
    }
    println!("killed {kills} times");
    assert!(kills > 1, "hardly killed at all");
    let args = ["consent", "import", people.to_str().unwrap()];
    let told = dev.json(&args);
    assert_eq!(told["rows"], ROWS);
    assert_eq!(told["counts"]["requested"], ROWS, "{told}");
    let report = folder.path().join("people.csv.report.csv");
    let written = fs::read_to_string(&report).unwrap();
    let (columns, lines) = written.split_once('\n').unwrap();
    assert_eq!(columns, "row,line,code,column,purposes,link");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len() as u64, ROWS);
    for (number, line) in (1..).zip(&lines) {
        let expected = format!("{number},{},requested,,marketing,https://", number + 1);
        assert!(line.starts_with(&expected), "{line}");
    }
    let before = ledger(&dev, &folder.path().join("first"));
    assert_eq!(before.0, ROWS, "a row was asked twice");

    assert_eq!(dev.json(&args), told);
    assert_eq!(fs::read_to_string(&report).unwrap(), written);
    assert_eq!(ledger(&dev, &folder.path().join("second")), before);
}
