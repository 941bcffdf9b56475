//! What is kept for how long: `config/retention.toml`, compiled in and refused where it promises too much (ADR 0035).
//!
//! Owns the period of content and the list of classes. A period that is not allowed does not build: functions that
//! disagree about when something becomes unreadable, or a reader that is laxer than the purge, cannot be deployed.

use std::sync::LazyLock;

use serde::Deserialize;

/// The file this build was made with.
const FILE: &str = include_str!("../../../../config/retention.toml");

/// Every policy profile is held to this, and so are the public texts.
pub const MOST_CONTENT_DAYS: i64 = 90;
/// Meta delivers a notification again for up to seven days, and what it is about must open then.
pub const LEAST_CONTENT_DAYS: i64 = 8;

const TOO_LONG: &str = "config/retention.toml: content.days is more than 90: what people wrote becomes unreadable \
                        after 90 days, and every policy profile counts on it; set 90 or less";
const TOO_SHORT: &str = "config/retention.toml: content.days is less than 8: Meta delivers a notification again for \
                         up to seven days, and what it is about must open then; set 8 or more";
const PEOPLE: &str = "config/retention.toml: people.years is not between 1 and 10: a consent has to be provable while it \
                      may be asked for, and nobody may be kept for ever; set a number of years in between, such as 6";
const NO_DAYS: &str = "config/retention.toml: content.days is missing or no whole number, and without it nothing \
                       would ever go; set it on a line of its own under [content], such as days = 90";

/// What a deployment may set for people.
const PEOPLE_YEARS: std::ops::RangeInclusive<i64> = 1..=10;

/// Content is readable for this many days after the start of the day it was accepted on.
pub const CONTENT_DAYS: i64 = match days_of(FILE) {
    Ok(days) => days,
    // This stops the build, and no function.
    Err(why) => panic!("{}", why),
};

/// A file that cannot be read has no classes; a test reads it first.
static PLAN: LazyLock<Plan> = LazyLock::new(|| Plan::from_toml(FILE).unwrap_or_default());

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What decides for everything under a day key.
    pub content: Content,
    /// How long people are kept whom nobody is in touch with.
    pub people: People,
    /// What there is.
    pub classes: Vec<Class>,
}

/// The period of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// In years after somebody who said yes or no was last in touch.
    pub years: i64,
}

impl People {
    /// The years in days, leap days included.
    pub const fn days(self) -> i64 {
        self.years.saturating_mul(1_461).saturating_add(3) / 4
    }
}

/// The period of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// In days after the start of the day of acceptance.
    pub days: i64,
}

/// A kind of data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub id: String,
    /// What it is, in words.
    pub data: String,
    /// Where it is.
    pub store: Place,
    /// What seals it.
    pub key: Key,
    /// Until when it can be read.
    pub period: Period,
    /// How it goes, the first that does it first.
    pub goes: Vec<Way>,
    /// For how many days after that its bytes may stand in backups.
    pub backup_days: i64,
}

/// Where a class is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A table, and the first letters of its rows.
    Table {
        /// Its name behind that of the deployment.
        table: String,
        /// Absent: all of them.
        rows: Option<String>,
    },
    /// A bucket, by the beginning of its logical name.
    Bucket {
        /// Such as `Overflow`.
        bucket: String,
    },
    /// Queues.
    Queues {
        /// Which.
        queues: Queues,
    },
    /// Log groups.
    Logs {
        /// Which.
        logs: Logs,
    },
}

/// Which queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queues {
    /// Those that are worked off.
    Work,
    /// Those for what could not be.
    DeadLetter,
}

/// Which logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logs {
    /// Of the functions.
    Function,
    /// Of what came to the doors.
    Access,
    /// Of what the firewall stopped.
    Firewall,
    /// Of who used the keys of pseudonyms.
    KeyUse,
}

/// What seals a class, beyond the encryption at rest that everything has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The key of its day and the person's salt.
    Day,
    /// The key of its day alone: nobody's salt, so nobody's erasure reaches it.
    DayAlone,
    /// The vault key and the person's salt.
    Vault,
    /// The key of a legal hold, which goes with it.
    Hold,
    /// The key of the queues, by the service.
    Queue,
    /// The key of the logs, by the service.
    Logs,
    /// Nothing: what is in it names nobody in clear.
    None,
}

/// Until when a class is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// The period of content.
    Content,
    /// So many days.
    Days(i64),
    /// Until something happens.
    Until(String),
}

/// How a class goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Its key is destroyed: unreadable everywhere at once.
    KeyDestroyed,
    /// The purge destroys the item itself.
    Destroyed,
    /// The purge deletes the row.
    Swept,
    /// The service deletes it by its age.
    Expires,
    /// Forgotten with the person, when nobody was in touch for long.
    Forgotten,
    /// A request of the person.
    Erased,
    /// By whoever handled it.
    DeletedWhenHandled,
    /// It does not go.
    Stays,
}

/// The file is not allowed; the sentence names the field, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotPlan(String);

/// What this build keeps.
pub fn plan() -> &'static Plan {
    &PLAN
}

impl Plan {
    /// Reads a file.
    ///
    /// # Errors
    /// [`NotPlan`], with the first thing that is wrong.
    pub fn from_toml(text: &str) -> Result<Self, NotPlan> {
        days_of(text).map_err(|why| NotPlan(why.to_owned()))?;
        let plan: Self = toml::from_str(text)
            .map_err(|error| NotPlan(format!("config/retention.toml: {}", error.message())))?;
        allowed(plan.content.days).map_err(|why| NotPlan(why.to_owned()))?;
        if !PEOPLE_YEARS.contains(&plan.people.years) {
            return Err(NotPlan(PEOPLE.to_owned()));
        }
        let mut names: Vec<&str> = plan.classes.iter().map(|class| class.id.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        });
        match twice {
            Some(id) => Err(NotPlan(format!(
                "config/retention.toml: classes: {id} is there twice, and one of the two would be believed; \
                 give each its own id"
            ))),
            None => Ok(plan),
        }
    }
}

/// The number on the first line that begins with `days`, as far as it is allowed; what the compiler can do of TOML.
const fn days_of(text: &str) -> Result<i64, &'static str> {
    let mut rest = text.as_bytes();
    let mut at_start = true;
    while let [byte, after @ ..] = rest {
        if at_start && let [b'd', b'a', b'y', b's', b' ', b'=', b' ', number @ ..] = rest {
            return number_of(number);
        }
        at_start = *byte == b'\n';
        rest = after;
    }
    Err(NO_DAYS)
}

const fn number_of(mut digits: &[u8]) -> Result<i64, &'static str> {
    let mut days: i64 = 0;
    let mut any = false;
    while let [digit, after @ ..] = digits {
        match *digit {
            b'0'..=b'9' => {
                let digit = digit.wrapping_sub(b'0') as i64;
                days = days.saturating_mul(10).saturating_add(digit);
            }
            b'\n' if any => return allowed(days),
            _ => return Err(NO_DAYS),
        }
        any = true;
        digits = after;
    }
    Err(NO_DAYS)
}

const fn allowed(days: i64) -> Result<i64, &'static str> {
    if days > MOST_CONTENT_DAYS {
        Err(TOO_LONG)
    } else if days < LEAST_CONTENT_DAYS {
        Err(TOO_SHORT)
    } else {
        Ok(days)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn the_file_in_the_repository_is_accepted_and_says_what_the_build_keeps() {
        let read = Plan::from_toml(FILE).unwrap();
        assert_eq!(read.content.days, CONTENT_DAYS);
        assert_eq!(&read, plan());
        assert!(!read.classes.is_empty());
    }

    #[test]
    fn a_shorter_period_is_accepted_and_a_longer_one_refused_with_the_field_the_reason_and_what_to_do()
     {
        let with = |days: &str| {
            let ours = format!("\ndays = {CONTENT_DAYS}\n");
            let text = FILE.replace(&ours, &format!("\n{days}\n"));
            Plan::from_toml(&text)
        };
        for days in [8, 30, 89, 90] {
            assert_eq!(with(&format!("days = {days}")).unwrap().content.days, days);
        }
        for (days, why) in [
            ("days = 91", TOO_LONG),
            ("days = 3650", TOO_LONG),
            ("days = 99999999999999999999", TOO_LONG),
            ("days = 7", TOO_SHORT),
            ("days = 0", TOO_SHORT),
            ("days = -1", NO_DAYS),
            ("days = 1.5", NO_DAYS),
            ("days = \"90\"", NO_DAYS),
            ("# days = 90", NO_DAYS),
            ("", NO_DAYS),
        ] {
            assert_eq!(with(days).unwrap_err().to_string(), why, "{days}");
        }
        for sentence in [TOO_LONG, TOO_SHORT, NO_DAYS] {
            assert!(sentence.contains("content.days is"), "names the field");
            assert!(sentence.contains("; set "), "says what to do");
        }
    }

    #[test]
    fn people_are_kept_for_a_year_at_least_and_ten_at_most() {
        let with = |years: i64| {
            let ours = format!("\nyears = {}\n", plan().people.years);
            Plan::from_toml(&FILE.replace(&ours, &format!("\nyears = {years}\n")))
        };
        for (years, days) in [(1, 366), (3, 1_096), (6, 2_192), (10, 3_653)] {
            assert_eq!(with(years).unwrap().people.days(), days);
        }
        for years in [-1, 0, 11] {
            assert_eq!(with(years).unwrap_err().to_string(), PEOPLE, "{years}");
        }
    }

    #[test]
    fn what_is_no_class_or_is_there_twice_is_refused() {
        let twice = FILE.replace("id = \"idempotency\"", "id = \"day_keys\"");
        let why = Plan::from_toml(&twice).unwrap_err().to_string();
        assert!(why.contains("day_keys is there twice"), "{why}");
        let odd = FILE.replace("goes = [\"stays\"]", "goes = [\"fades\"]");
        let why = Plan::from_toml(&odd).unwrap_err().to_string();
        assert!(why.contains("fades"), "{why}");
    }
}
