//! What every refusal of a message or record must be.

use headgate_domain::refusal::{Code, Refusal};

/// Checks that a refusal is one the operation documents, and that its text can be published.
///
/// # Panics
/// When it is not.
pub fn check(refusal: &Refusal, documented: &[Code]) {
    assert!(documented.contains(&refusal.code), "{}", refusal.code);
    assert!(Code::ALL.contains(&refusal.code));
    // Places and reasons are texts of the program, so there is nothing of the message in them.
    let texts: [Option<&'static str>; 2] = [refusal.field, refusal.why];
    assert_eq!(texts[0].is_some(), texts[1].is_some());
    let event = headgate_domain::event::refusal_data(refusal);
    assert!((3..=5).contains(&event.len()));
}
