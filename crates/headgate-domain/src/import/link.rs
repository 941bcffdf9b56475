//! The link of a row: what the person confirms with.
//!
//! The code follows from file and row, under the links pepper, so that a row that is read again asks
//! under the same code; without the pepper nobody can tell the code of any row.

use super::FileHash;
use crate::identity::Pepper;
use crate::optin_code;

/// Keeps these codes apart from every other use of the pepper.
const LABEL: &str = "headgate/import-code/v1";

/// The code of a row, as the person sends it behind `CONFIRM`.
pub fn code(pepper_links: &Pepper, deployment: &str, file: &FileHash, number: u64) -> String {
    let mac = pepper_links.mac(&[LABEL, deployment, file.as_str(), &number.to_string()]);
    let mut random = [0; 7];
    for (to, from) in random.iter_mut().zip(mac) {
        *to = from;
    }
    optin_code::from_random(random)
}

/// The link that opens a chat with the business, the code written in it; `display` is the business's
/// number as people dial it.
pub fn link(display: &str, code: &str) -> String {
    let digits: String = display.chars().filter(char::is_ascii_digit).collect();
    format!("https://wa.me/{digits}?text=CONFIRM%20{code}")
}
