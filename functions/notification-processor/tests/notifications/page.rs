//! The page docs/reference/notifications.md, written by what the function does with each fixture.
//!
//! `UPDATE_DOCS=1 cargo test -p notification-processor --test notifications` rewrites it, otherwise a
//! difference fails.

use std::path::{Path, PathBuf};
use std::{env, fs};

const START: &str =
    "<!-- generated: UPDATE_DOCS=1 cargo test -p notification-processor --test notifications -->\n";
const END: &str = "<!-- end of generated -->\n";
const PAGE: &str = "docs/reference/notifications.md";

/// A file of the repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Compares the page with what it must hold, or writes it.
pub(crate) fn compare(generated: &str) {
    let path = in_repository(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{START}\n{generated}\n{END}{after}");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    let difference = page
        .lines()
        .zip(wanted.lines())
        .find(|(is, should)| is != should);
    assert!(
        page == wanted,
        "{PAGE} is not what the function does; {difference:?}\nrun UPDATE_DOCS=1 cargo test -p notification-processor --test notifications"
    );
}
