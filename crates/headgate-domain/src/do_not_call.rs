//! Do-Not-Call registers: what a check of a number said, and the file such checks are loaded from.
//!
//! Owns the answer of a register as a value and how long it counts. A register is asked elsewhere, by
//! whoever has an account with it; no register is called here. Which profiles need which register is
//! `profiles`'.

use std::fmt;

use crate::identity::{InvalidPhone, Phone};
use crate::profiles::{DoNotCall, Profiles};
use crate::time::{DAY, Day, Timestamp};

/// What a register said of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterCheck {
    /// Which register, by the name its profile gives it.
    pub registry: String,
    /// The day it was asked.
    pub checked_on: Day,
    /// Whether the number is on it.
    pub listed: bool,
}

/// What the checks of a person mean for a register that has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody asked, or too long ago.
    Unchecked,
    /// The person wants no advertising.
    Listed,
    /// The person is not on it.
    Clear,
}

/// What the latest checks of a register say. A person with several numbers is listed as soon as one is.
pub fn verdict(register: &DoNotCall, checks: &[RegisterCheck], now: Timestamp) -> Verdict {
    let mut counted = checks
        .iter()
        .filter(|check| check.registry == register.registry && check.counts(register, now));
    let mut verdict = Verdict::Unchecked;
    if counted.clone().next().is_some() {
        verdict = Verdict::Clear;
    }
    if counted.any(|check| check.listed) {
        verdict = Verdict::Listed;
    }
    verdict
}

impl RegisterCheck {
    /// Until when it counts, exclusively.
    pub fn until(&self, register: &DoNotCall) -> Timestamp {
        let days = i64::from(register.valid_days);
        self.checked_on
            .start()
            .plus_millis(days.saturating_mul(DAY))
    }

    /// A day that is yet to come proves nothing.
    fn counts(&self, register: &DoNotCall, now: Timestamp) -> bool {
        self.checked_on.start() <= now && now < self.until(register)
    }
}

/// The columns of a file of checks, in this order.
pub const HEADER: &str = "phone,registry,result,checked_on";

/// One line of a file of checks.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose number was checked.
    pub phone: Phone,
    /// What the register said.
    pub check: RegisterCheck,
    /// The register it was.
    pub register: &'static DoNotCall,
}

/// Why a line cannot be taken; quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLine {
    /// Not four fields.
    #[error("expected four fields: {HEADER}")]
    Fields,
    /// The number.
    #[error("phone: {0}")]
    Phone(InvalidPhone),
    /// No profile names the register.
    #[error("registry: no profile names this register; docs/compliance/profiles.md lists them")]
    Registry,
    /// Neither answer.
    #[error("result: expected listed or clear")]
    Answer,
    /// Not a day.
    #[error("checked_on: expected a day such as 2026-01-31")]
    Day,
    /// A day that is yet to come.
    #[error("checked_on: is in the future")]
    Future,
    /// Too long ago to count.
    #[error("checked_on: is so long ago that the check no longer counts; ask the register again")]
    Old,
}

impl Line {
    /// Parses one line, without its end.
    ///
    /// # Errors
    /// [`InvalidLine`] says which field and why.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, InvalidLine> {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let [phone, registry, answer, day] = *fields.as_slice() else {
            return Err(InvalidLine::Fields);
        };
        let phone = Phone::parse(phone).map_err(InvalidLine::Phone)?;
        let register = register(registry).ok_or(InvalidLine::Registry)?;
        let listed = match answer {
            "listed" => true,
            "clear" => false,
            _ => return Err(InvalidLine::Answer),
        };
        let check = RegisterCheck {
            registry: registry.to_owned(),
            checked_on: Day::parse(day).map_err(|_not_one| InvalidLine::Day)?,
            listed,
        };
        if check.checked_on.start() > now {
            return Err(InvalidLine::Future);
        }
        if !check.counts(register, now) {
            return Err(InvalidLine::Old);
        }
        Ok(Self {
            phone,
            check,
            register,
        })
    }
}

/// The register of a name that a profile knows.
pub fn register(name: &str) -> Option<&'static DoNotCall> {
    let mut all = Profiles::compiled_in()
        .all()
        .iter()
        .flat_map(|profile| &profile.do_not_call);
    all.find(|register| register.registry == name)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchecked => "unchecked",
            Self::Listed => "listed",
            Self::Clear => "clear",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn now() -> Timestamp {
        Day::parse("2026-11-29")
            .unwrap()
            .start()
            .plus_millis(DAY / 2)
    }

    fn check(day: &str, listed: bool) -> RegisterCheck {
        RegisterCheck {
            registry: "SG_DNC_NO_TEXT".into(),
            checked_on: Day::parse(day).unwrap(),
            listed,
        }
    }

    #[test]
    fn a_check_counts_for_its_days_and_not_longer() {
        let singapore = register("SG_DNC_NO_TEXT").unwrap();
        assert_eq!(singapore.valid_days, 21);
        let of = |day: &str| verdict(singapore, &[check(day, false)], now());
        assert_eq!(of("2026-11-29"), Verdict::Clear);
        assert_eq!(of("2026-11-09"), Verdict::Clear, "the 21st day");
        assert_eq!(of("2026-11-08"), Verdict::Unchecked);
        assert_eq!(of("2026-11-30"), Verdict::Unchecked, "yet to come");
        assert_eq!(verdict(singapore, &[], now()), Verdict::Unchecked);
    }

    #[test]
    fn one_listed_number_is_enough_and_another_register_says_nothing() {
        let singapore = register("SG_DNC_NO_TEXT").unwrap();
        let checks = [check("2026-11-28", false), check("2026-11-20", true)];
        assert_eq!(verdict(singapore, &checks, now()), Verdict::Listed);
        let vietnam = register("VN_KHONG_QUANG_CAO").unwrap();
        assert_eq!(verdict(vietnam, &checks, now()), Verdict::Unchecked);
    }

    #[test]
    fn a_line_is_taken_or_says_which_field_is_wrong() {
        let good = "+6591234567, SG_DNC_NO_TEXT,clear,2026-11-28";
        let line = Line::parse(good, now()).unwrap();
        assert_eq!(line.check, check("2026-11-28", false));
        for (text, place) in [
            ("+6591234567,SG_DNC_NO_TEXT,clear", "four fields"),
            (
                "+6591234567,SG_DNC_NO_TEXT,clear,2026-11-28,x",
                "four fields",
            ),
            ("91234567,SG_DNC_NO_TEXT,clear,2026-11-28", "phone"),
            ("=1+1,SG_DNC_NO_TEXT,clear,2026-11-28", "phone"),
            ("+6591234567,DNC,clear,2026-11-28", "registry"),
            ("+6591234567,SG_DNC_NO_TEXT,no,2026-11-28", "result"),
            ("+6591234567,SG_DNC_NO_TEXT,clear,28.11.2026", "checked_on"),
            ("+6591234567,SG_DNC_NO_TEXT,clear,2026-12-01", "future"),
            (
                "+6591234567,SG_DNC_NO_TEXT,clear,2026-10-01",
                "no longer counts",
            ),
        ] {
            let error = Line::parse(text, now()).unwrap_err().to_string();
            assert!(error.contains(place), "{text}: {error}");
            assert!(!error.contains("91234567"), "{error}");
        }
    }
}
