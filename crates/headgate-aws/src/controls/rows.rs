//! The rows of the live controls, and reading them.
//!
//! Owns the attribute names of docs/data.md. A row or attribute that cannot be read is as if it
//! were not there, except a halt: one whose end cannot be read has none.

use headgate_domain::config::{Category, TemplateStatus};
use headgate_domain::lane::PURPOSES;
use headgate_domain::live::{Halts, Known, LiveTemplate, Pause, Quality, Tier};
use headgate_domain::risk::{Counts, RiskLevel, Standing};

use super::change::Cause;
use crate::item::{Attributes, Item};

/// The word for "as many as one likes" in place of a limit.
pub(super) const UNLIMITED: &str = "unlimited";

/// The attributes of one halt: `<slot>` reason (empty: lifted), `<slot>_since`, `<slot>_until`.
pub(super) fn names(slot: &str) -> (String, String) {
    (format!("{slot}_since"), format!("{slot}_until"))
}

/// Adds what a row says.
pub(super) fn add(known: &mut Known, item: &Item) {
    let Some((kind, id)) = item
        .text("sk")
        .map(|sk| sk.split_once('#').unwrap_or((sk, "")))
    else {
        return;
    };
    match kind {
        "number" => number(known, id, item),
        "inbound" => {
            let total = item.number("inbound_total").unwrap_or_default();
            known
                .numbers
                .entry(id.to_owned())
                .or_default()
                .inbound_total = u64::try_from(total).unwrap_or_default();
        }
        "portfolio" => {
            let portfolio = known.portfolios.entry(id.to_owned()).or_default();
            portfolio.tier = match item.text("tier") {
                Some(UNLIMITED) => Some(Tier::Unlimited),
                Some(limit) => limit.parse().ok().map(Tier::Limit),
                None => None,
            };
            portfolio.halts = halts(item, "pause");
        }
        "producer" => {
            if let Some(pause) = pause(item, "pause_person") {
                known.producers.insert(id.to_owned(), pause);
            }
        }
        "template" => {
            if let Some((name, language)) = id.rsplit_once('#') {
                let template = LiveTemplate {
                    // A template whose category Meta changes, and nothing else is known of, is in use.
                    status: item.text("status").map_or(TemplateStatus::Approved, status),
                    category: item.text("category").and_then(category),
                };
                known
                    .templates
                    .insert((name.to_owned(), language.to_owned()), template);
            }
        }
        "account" => {
            known.account = halts(item, "pause");
            for purpose in PURPOSES {
                let halts = halts(item, purpose.word());
                if halts != Halts::default() {
                    known.purposes.insert(purpose, halts);
                }
            }
        }
        _ => {}
    }
}

fn number(known: &mut Known, id: &str, item: &Item) {
    let number = known.numbers.entry(id.to_owned()).or_default();
    number.per_second = item
        .number("per_second")
        .and_then(|n| u32::try_from(n).ok());
    number.share_permille = item
        .number("share_person")
        .and_then(|n| u16::try_from(n).ok());
    number.halts = halts(item, "pause");
    number.marketing = halts(item, "marketing");
    number.quality = item
        .text("quality")
        .and_then(Quality::from_word)
        .map(|quality| (quality, item.time("quality_at").unwrap_or_default()));
    number.risk = standing(item).unwrap_or_default();
}

fn halts(item: &Item, what: &str) -> Halts {
    let mut halts = Halts {
        person: pause(item, &format!("{what}_person")),
        meta: None,
    };
    for cause in Cause::ALL {
        halts.add_meta(pause(item, &format!("{what}_meta_{}", cause.word())));
    }
    halts
}

fn pause(item: &Item, slot: &str) -> Option<Pause> {
    let (since, until) = names(slot);
    let reason = item.text(slot).filter(|reason| !reason.is_empty())?;
    Some(Pause {
        reason: reason.to_owned(),
        since: item.time(&since).unwrap_or_default(),
        until: item.time(&until),
    })
}

fn standing(item: &Item) -> Option<Standing> {
    Some(Standing {
        level: RiskLevel::from_word(item.text("risk")?)?,
        since: item.time("risk_since")?,
        base: counts_of(item.text("risk_base")?),
    })
}

/// Counters as one text.
pub(super) fn text_of(counts: &Counts) -> String {
    counts.values().map(|value| value.to_string()).join(",")
}

fn counts_of(text: &str) -> Counts {
    let mut values = [0; 8];
    for (value, text) in values.iter_mut().zip(text.split(',')) {
        *value = text.parse().unwrap_or_default();
    }
    Counts::from_values(values)
}

/// The stored word of a status.
pub(super) const fn status_word(status: TemplateStatus) -> &'static str {
    match status {
        TemplateStatus::Approved => "approved",
        TemplateStatus::Pending => "pending",
        TemplateStatus::Paused => "paused",
        TemplateStatus::Disabled => "disabled",
        TemplateStatus::Parked => "parked",
    }
}

/// A word nobody knows may not send.
fn status(word: &str) -> TemplateStatus {
    [
        TemplateStatus::Approved,
        TemplateStatus::Paused,
        TemplateStatus::Disabled,
        TemplateStatus::Parked,
    ]
    .into_iter()
    .find(|status| status_word(*status) == word)
    .unwrap_or(TemplateStatus::Pending)
}

/// The stored word of a category.
pub(super) const fn category_word(category: Category) -> &'static str {
    match category {
        Category::Authentication => "authentication",
        Category::Utility => "utility",
        Category::Marketing => "marketing",
    }
}

fn category(word: &str) -> Option<Category> {
    [
        Category::Authentication,
        Category::Utility,
        Category::Marketing,
    ]
    .into_iter()
    .find(|category| category_word(*category) == word)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use headgate_domain::live::KnownNumber;

    use super::*;
    use crate::item::{key, n, s};

    fn read(sk: &str, attributes: &[(&str, aws_sdk_dynamodb::types::AttributeValue)]) -> Known {
        let mut item = key("live", sk);
        for (name, value) in attributes {
            item.insert((*name).to_owned(), value.clone());
        }
        let mut known = Known::default();
        add(&mut known, &item);
        known
    }

    #[test]
    fn rows_nobody_can_read_change_nothing() {
        for sk in ["", "#", "quux", "quux#1", "template#sale", "producer#p"] {
            assert_eq!(read(sk, &[]), Known::default(), "{sk}");
        }
        let known = read(
            "number#1",
            &[
                ("per_second", s("fast")),
                ("quality", s("PURPLE")),
                ("risk", s("dreadful")),
                ("share_person", n(-5)),
            ],
        );
        assert_eq!(known.numbers["1"], KnownNumber::default());
    }

    #[test]
    fn a_halt_whose_end_cannot_be_read_has_none_and_a_lifted_one_is_gone() {
        let known = read(
            "account",
            &[
                ("pause_meta_code", s("account_locked")),
                ("pause_meta_code_until", s("soon")),
            ],
        );
        assert_eq!(known.account.meta.unwrap().until, None);
        assert_eq!(
            read("account", &[("pause_meta_ban", s(""))]),
            Known::default()
        );
    }

    #[test]
    fn a_template_name_may_hold_what_separates_and_an_unknown_status_does_not_send() {
        let known = read("template#a#b#en_US", &[("status", s("SHINY"))]);
        let template = known.templates[&("a#b".to_owned(), "en_US".to_owned())];
        assert_eq!(template.status, TemplateStatus::Pending);
        let known = read("template#a#en_US", &[("category", s("marketing"))]);
        let template = known.templates[&("a".to_owned(), "en_US".to_owned())];
        assert_eq!(
            (template.status, template.category),
            (TemplateStatus::Approved, Some(Category::Marketing))
        );
    }

    #[test]
    fn counters_survive_as_text() {
        let counts = Counts::from_values([1, 2, 3, 4, 5, 6, 7, u64::MAX]);
        assert_eq!(counts_of(&text_of(&counts)), counts);
        assert_eq!(counts_of("x,,-1"), Counts::default());
    }
}
