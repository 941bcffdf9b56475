//! When a number and a user id are named together: one person, two, or a number that changed hands.
//!
//! An account keeps its user id as long as it keeps its number; both change together (Meta, business-scoped
//! user ids, read 2026-09-11). So the id tells accounts apart, and a number found with another id
//! has passed to somebody else. Owns the decision; what it does to the tables is the caller's.

use crate::consent::Subject;
use crate::identity::{Bsuid, Phone, SubjectId};

/// How the holders of a number and of a user id that are named together stand to each other.
#[derive(Clone, Debug)]
pub enum Meeting<'a> {
    /// Nobody is known by either.
    Stranger,
    /// Somebody is known, and what is new belongs to them.
    Known(SubjectId),
    /// One is known by number alone, the other by user id alone: they are the same person.
    OnePerson {
        /// Known by number.
        by_phone: &'a Subject,
        /// Known by user id.
        by_bsuid: &'a Subject,
    },
    /// The account has this number now, and whoever had it before has lost it.
    NewNumber {
        /// Whose account it is.
        subject: SubjectId,
        /// Whether another number was known of it.
        changed: bool,
        /// Who had the number before.
        loser: Option<SubjectId>,
    },
    /// The number has passed to an account nobody knows.
    NewAccount {
        /// Who had the number before.
        loser: SubjectId,
    },
}

/// Decides it, by who is known under each of the two.
pub fn meet<'a>(
    phone: &Phone,
    bsuid: &Bsuid,
    by_phone: Option<&'a Subject>,
    by_bsuid: Option<&'a Subject>,
) -> Meeting<'a> {
    match (by_phone, by_bsuid) {
        (None, None) => Meeting::Stranger,
        (Some(known), None) if known.bsuid.as_ref().is_none_or(|own| own == bsuid) => {
            Meeting::Known(known.id.clone())
        }
        (Some(loser), None) => Meeting::NewAccount {
            loser: loser.id.clone(),
        },
        (None, Some(known)) if known.phone.as_ref().is_none_or(|own| own == phone) => {
            Meeting::Known(known.id.clone())
        }
        (Some(one), Some(other)) if one.id == other.id => Meeting::Known(one.id.clone()),
        (Some(one), Some(other)) if one.bsuid.is_none() && other.phone.is_none() => {
            Meeting::OnePerson {
                by_phone: one,
                by_bsuid: other,
            }
        }
        (loser, Some(account)) => Meeting::NewNumber {
            subject: account.id.clone(),
            changed: account.phone.as_ref().is_some_and(|own| own != phone),
            loser: loser.map(|loser| loser.id.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    const PHONE: &str = "+16135550100";
    const OTHER_PHONE: &str = "+16135550101";
    const BSUID: &str = "CA.1";
    const OTHER_BSUID: &str = "CA.2";

    fn subject(id: u8, phone: Option<&str>, bsuid: Option<&str>) -> Subject {
        Subject {
            phone: phone.map(|text| Phone::parse(text).unwrap()),
            bsuid: bsuid.map(|text| Bsuid::parse(text).unwrap()),
            ..Subject::unknown(SubjectId::from_random([id; 16]))
        }
    }

    fn decide(by_phone: Option<&Subject>, by_bsuid: Option<&Subject>) -> String {
        let (phone, bsuid) = (Phone::parse(PHONE).unwrap(), Bsuid::parse(BSUID).unwrap());
        match meet(&phone, &bsuid, by_phone, by_bsuid) {
            Meeting::Stranger => "stranger".into(),
            Meeting::Known(id) => format!("known {id}"),
            Meeting::OnePerson { by_phone, by_bsuid } => {
                format!("one person {} {}", by_phone.id, by_bsuid.id)
            }
            Meeting::NewNumber {
                subject,
                changed,
                loser,
            } => {
                let loser = loser.map_or_else(|| "nobody".to_owned(), |loser| loser.to_string());
                format!("new number {subject} changed {changed} from {loser}")
            }
            Meeting::NewAccount { loser } => format!("new account, {loser} loses"),
        }
    }

    #[test]
    fn what_is_new_about_somebody_known_is_learnt() {
        let by_number = subject(1, Some(PHONE), None);
        let by_id = subject(2, None, Some(BSUID));
        let both = subject(3, Some(PHONE), Some(BSUID));
        assert_eq!(decide(None, None), "stranger");
        let known = |subject: &Subject| format!("known {}", subject.id);
        assert_eq!(decide(Some(&by_number), None), known(&by_number));
        assert_eq!(decide(None, Some(&by_id)), known(&by_id));
        assert_eq!(decide(Some(&both), Some(&both)), known(&both));
        // Interrupted: the row is written, one of the pointers is not.
        assert_eq!(decide(None, Some(&both)), known(&both));
        assert_eq!(decide(Some(&both), None), known(&both));
    }

    #[test]
    fn two_who_each_lack_what_the_other_has_are_one() {
        let (one, other) = (subject(1, Some(PHONE), None), subject(2, None, Some(BSUID)));
        let expected = format!("one person {} {}", one.id, other.id);
        assert_eq!(decide(Some(&one), Some(&other)), expected);
    }

    #[test]
    fn a_number_under_another_user_id_is_somebody_elses_now() {
        let loser = subject(1, Some(PHONE), Some(OTHER_BSUID));
        let expected = format!("new account, {} loses", loser.id);
        assert_eq!(decide(Some(&loser), None), expected);
        for (own, changed) in [(None, false), (Some(OTHER_PHONE), true)] {
            let account = subject(2, own, Some(BSUID));
            let expected = format!(
                "new number {} changed {changed} from {}",
                account.id, loser.id
            );
            assert_eq!(decide(Some(&loser), Some(&account)), expected);
        }
    }

    #[test]
    fn an_account_with_another_number_has_changed_it() {
        let account = subject(2, Some(OTHER_PHONE), Some(BSUID));
        let holder = subject(1, Some(PHONE), None);
        for (holder, from) in [(None, "nobody"), (Some(&holder), holder.id.as_str())] {
            let expected = format!("new number {} changed true from {from}", account.id);
            assert_eq!(decide(holder, Some(&account)), expected);
        }
    }
}
