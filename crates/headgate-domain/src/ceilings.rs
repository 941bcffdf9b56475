//! Ceilings: what keeps an app, or whoever took it over, from flooding people with codes.
//!
//! Owns which counters a message is counted in, how far each may go, and to which countries
//! messages may go at all. Counted are authentication messages and the messages of the system
//! lane, because those are what a stranger can cause somebody else to get; an hour is the hour on
//! the clock, in UTC. Counts nothing itself: the numbers are kept, and kept true while many count
//! at once, by `headgate_aws::ceilings`.

use crate::config::Abuse;
use crate::identity::{Identifier, SubjectId};
use crate::lane::Purpose;
use crate::refusal::{Code, Refusal};
use crate::region::Country;
use crate::time::{HOUR, Timestamp};

/// How many messages an hour may bring; 0 is no ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To one person, whoever sends them.
    pub per_recipient: u32,
    /// From one producer to one country calling code.
    pub per_prefix: u32,
    /// From one producer.
    pub per_producer: u32,
}

impl From<&Abuse> for Limits {
    fn from(abuse: &Abuse) -> Self {
        Self {
            per_recipient: abuse.per_recipient_per_hour,
            per_prefix: abuse.per_prefix_per_hour,
            per_producer: abuse.per_producer_per_hour,
        }
    }
}

/// A message, as far as the ceilings look at it.
#[derive(Clone, Copy, Debug)]
pub struct Touched<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is one of the system lane's.
    pub is_system: bool,
    /// Who gets it.
    pub subject: &'a SubjectId,
    /// What it is addressed to.
    pub addressed: &'a Identifier,
    /// The principal that sends it.
    pub producer: &'a str,
}

/// One counter of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    kind: &'static str,
    whose: String,
    starts_at: Timestamp,
    /// How far it may go.
    pub limit: u32,
}

impl Counter {
    /// The partition key of the counter; names nobody but by our own id.
    pub fn key(&self) -> String {
        format!("A#{}#{}", self.kind, self.whose)
    }

    /// The sort key: the hour, such as `2026-11-22T09`.
    pub fn hour(&self) -> String {
        self.starts_at.to_string().chars().take(13).collect()
    }

    /// When the hour is over.
    pub const fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_millis(HOUR)
    }
}

/// The counters a message is counted in; it may be accepted only if all of them have room.
pub fn counters(limits: Limits, touched: &Touched<'_>, now: Timestamp) -> Vec<Counter> {
    if touched.purpose != Purpose::Authentication && !touched.is_system {
        return Vec::new();
    }
    let starts_at =
        Timestamp::from_millis(now.millis().saturating_sub(now.millis().rem_euclid(HOUR)));
    let producer = touched.producer;
    [
        (
            "recipient",
            touched.subject.as_str().to_owned(),
            limits.per_recipient,
        ),
        (
            "prefix",
            format!("{}#{producer}", prefix(touched.addressed)),
            limits.per_prefix,
        ),
        ("producer", producer.to_owned(), limits.per_producer),
    ]
    .into_iter()
    .filter(|(_, _, limit)| *limit > 0)
    .map(|(kind, whose, limit)| Counter {
        kind,
        whose,
        starts_at,
        limit,
    })
    .collect()
}

/// The verdict on a message whose counters are full.
pub const fn exceeded() -> Refusal {
    Refusal::of(Code::AbuseCeiling)
}

/// Whether messages may go to the country of an address. An empty list allows every country; with
/// a list, a country that cannot be told is refused like one that is not on it.
///
/// # Errors
/// `destination_not_allowed`.
pub fn destination(abuse: &Abuse, to: Option<Country>) -> Result<(), Refusal> {
    if abuse.allows(to) {
        Ok(())
    } else {
        Err(Code::DestinationNotAllowed.into())
    }
}

/// The calling code; a person without a number counts under the country of their id.
fn prefix(addressed: &Identifier) -> String {
    match addressed {
        Identifier::Phone(phone) => phone.calling_code().to_string(),
        Identifier::Bsuid(bsuid) => bsuid.country().unwrap_or("unknown").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;
    use crate::identity::{Bsuid, Phone};

    const ALL: Limits = Limits {
        per_recipient: 5,
        per_prefix: 100,
        per_producer: 1_000,
    };

    fn phone(text: &str) -> Identifier {
        Identifier::Phone(Phone::parse(text).unwrap())
    }

    fn keys(
        limits: Limits,
        purpose: Purpose,
        is_system: bool,
        addressed: &Identifier,
    ) -> Vec<String> {
        let subject = SubjectId::from_random([7; 16]);
        let touched = Touched {
            purpose,
            is_system,
            subject: &subject,
            addressed,
            producer: "AROASHOP",
        };
        let now = Timestamp::parse("2026-11-22T09:59:59.999Z").unwrap();
        let counted = counters(limits, &touched, now);
        assert!(counted.iter().all(|c| c.hour() == "2026-11-22T09"));
        assert!(
            counted
                .iter()
                .all(|c| c.ends_at().to_string() == "2026-11-22T10:00:00.000Z")
        );
        counted.iter().map(Counter::key).collect()
    }

    #[test]
    fn codes_and_confirmations_are_counted_and_nothing_else_is() {
        let to = phone("+16135550100");
        let subject = SubjectId::from_random([7; 16]);
        let all = [
            format!("A#recipient#{subject}"),
            "A#prefix#1#AROASHOP".to_owned(),
            "A#producer#AROASHOP".to_owned(),
        ];
        assert_eq!(keys(ALL, Purpose::Authentication, false, &to), all);
        assert_eq!(keys(ALL, Purpose::Service, true, &to), all);
        for purpose in [Purpose::Service, Purpose::Utility, Purpose::Marketing] {
            assert!(keys(ALL, purpose, false, &to).is_empty(), "{purpose}");
        }
    }

    #[test]
    fn nought_is_no_ceiling_and_the_key_does_not_show_a_number() {
        let limits = Limits {
            per_prefix: 0,
            per_producer: 0,
            ..ALL
        };
        let to = phone("+447700900123");
        let counted = keys(limits, Purpose::Authentication, false, &to);
        assert_eq!(counted.len(), 1);
        let all = keys(ALL, Purpose::Authentication, false, &to).concat();
        assert!(all.contains("#44#") && !all.contains("7700900"), "{all}");
    }

    #[test]
    fn somebody_without_a_number_counts_under_the_country_of_their_id() {
        let to = Identifier::Bsuid(Bsuid::parse("BR.1502576394655843").unwrap());
        let counted = keys(ALL, Purpose::Authentication, false, &to);
        assert!(
            counted.contains(&"A#prefix#BR#AROASHOP".to_owned()),
            "{counted:?}"
        );
    }

    #[test]
    fn with_a_list_of_destinations_only_listed_countries_are_written_to() {
        let listed = |countries: &[&str]| Abuse {
            destinations: countries
                .iter()
                .map(|country| Country::parse(country).unwrap())
                .collect(),
            ..Abuse::default()
        };
        let list = listed(&["CA", "BR"]);
        let canada = phone("+16135550100");
        let brazil = Identifier::Bsuid(Bsuid::parse("BR.1502576394655843").unwrap());
        let britain = phone("+447700900123");
        // Inmarsat: a calling code of no country.
        let nowhere = phone("+870700900123");
        for home in [&canada, &brazil] {
            assert_eq!(destination(&list, Country::of(home)), Ok(()));
        }
        assert_eq!(Country::of(&nowhere), None);
        for elsewhere in [&britain, &nowhere] {
            assert_eq!(
                destination(&list, Country::of(elsewhere)),
                Err(Code::DestinationNotAllowed.into())
            );
            assert_eq!(destination(&listed(&[]), Country::of(elsewhere)), Ok(()));
        }
    }
}
