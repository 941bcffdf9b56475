//! Changing the live controls.
//!
//! Owns who may overwrite what. Meta's notifications come twice and out of order, so what they say
//! is written only over something older; of two that have the same second, the one that restricts
//! stays. A person's word has a place of its own, which no notification touches. A write
//! that would change nothing is answered by the table without one.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::config::{Category, TemplateStatus};
use headgate_domain::lane::Purpose;
use headgate_domain::live::{DEFAULT_PER_SECOND, Pause, Quality, Tier};
use headgate_domain::risk::Standing;
use headgate_domain::time::{DAY, Timestamp};

use super::change::{NumberChange, Owner, PortfolioChange, TemplateChange};
use super::{Controls, LIVE, rows};
use crate::AwsError;
use crate::item::{key, ms, n, s, was_taken};

/// How long an unknown word of Meta's is kept.
const KEEP_UNKNOWN_MS: i64 = 35 * DAY;

/// One fact to be written: attributes under a common time.
struct Fact {
    /// The attribute whose time orders writes of this fact: `<slot>_at`.
    slot: String,
    set: Vec<(String, AttributeValue)>,
    remove: Vec<String>,
    /// Of two facts of the same moment, the restricting one stays.
    restricts: bool,
    /// Whether an older fact may not overwrite a newer one.
    is_ordered: bool,
}

impl Fact {
    fn of(slot: &str, value: AttributeValue, restricts: bool) -> Self {
        Self {
            slot: slot.to_owned(),
            set: vec![(slot.to_owned(), value)],
            remove: Vec::new(),
            restricts,
            is_ordered: true,
        }
    }

    fn halt(what: &str, owner: Owner, pause: Option<&Pause>, at: Timestamp) -> Self {
        let slot = format!("{what}_{}", owner.word());
        let (since, until) = rows::names(&slot);
        let reason = pause.map_or("", |pause| pause.reason.as_str());
        // An end that has passed is how a halt is lifted and still remembered.
        let mut fact = Self::of(&slot, s(reason), pause.is_some_and(|pause| pause.holds(at)));
        fact.is_ordered = owner != Owner::Person;
        match pause {
            Some(pause) => fact.set.push((since, ms(pause.since))),
            None => fact.remove.push(since),
        }
        match pause.and_then(|pause| pause.until) {
            Some(end) => fact.set.push((until, ms(end))),
            None => fact.remove.push(until),
        }
        fact
    }
}

impl Controls {
    /// Changes what is known of a number; whether it was new.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn set_number(
        &self,
        number: &str,
        change: &NumberChange,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let fact = match change {
            NumberChange::PerSecond(limit) => {
                Fact::of("per_second", n(limit), *limit < DEFAULT_PER_SECOND)
            }
            NumberChange::Quality(quality) => {
                Fact::of("quality", s(quality.word()), *quality != Quality::Green)
            }
            NumberChange::Pause(owner, pause) => Fact::halt("pause", *owner, pause.as_ref(), at),
            NumberChange::MarketingPause(owner, pause) => {
                Fact::halt("marketing", *owner, pause.as_ref(), at)
            }
            NumberChange::Share(Some(share)) => Fact {
                is_ordered: false,
                ..Fact::of("share_person", n(share), true)
            },
            NumberChange::Share(None) => Fact {
                slot: "share_person".to_owned(),
                set: Vec::new(),
                remove: vec!["share_person".to_owned()],
                restricts: false,
                is_ordered: false,
            },
        };
        self.put_fact(format!("number#{number}"), fact, at).await
    }

    /// Changes what is known of a portfolio; whether it was new.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn set_portfolio(
        &self,
        portfolio: &str,
        change: &PortfolioChange,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let fact = match change {
            PortfolioChange::Tier(tier) => {
                let word = match tier {
                    Tier::Limit(limit) => limit.to_string(),
                    Tier::Unlimited => rows::UNLIMITED.to_owned(),
                };
                Fact::of("tier", s(word), false)
            }
            PortfolioChange::Pause(owner, pause) => Fact::halt("pause", *owner, pause.as_ref(), at),
        };
        self.put_fact(format!("portfolio#{portfolio}"), fact, at)
            .await
    }

    /// Changes what is known of a template; whether it was new.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn set_template(
        &self,
        name: &str,
        language: &str,
        change: TemplateChange,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let fact = match change {
            TemplateChange::Status(status) => Fact::of(
                "status",
                s(rows::status_word(status)),
                status != TemplateStatus::Approved,
            ),
            TemplateChange::Category(category) => Fact::of(
                "category",
                s(rows::category_word(category)),
                category == Category::Marketing,
            ),
        };
        self.put_fact(format!("template#{name}#{language}"), fact, at)
            .await
    }

    /// Halts everything, or ends a halt; whether it was new.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn set_account(
        &self,
        owner: Owner,
        pause: Option<&Pause>,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let fact = Fact::halt("pause", owner, pause, at);
        self.put_fact("account".to_owned(), fact, at).await
    }

    /// Halts a purpose on every number, or ends a halt; whether it was new.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn set_purpose(
        &self,
        purpose: Purpose,
        owner: Owner,
        pause: Option<&Pause>,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let fact = Fact::halt(purpose.word(), owner, pause, at);
        self.put_fact("account".to_owned(), fact, at).await
    }

    /// Holds back the messages of a producer, by its principal.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn pause_producer(&self, principal: &str, pause: &Pause) -> Result<(), AwsError> {
        let fact = Fact::halt("pause", Owner::Person, Some(pause), pause.since);
        self.put_fact(format!("producer#{principal}"), fact, pause.since)
            .await
            .map(|_new| ())
    }

    /// Lets a producer go on.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn resume_producer(&self, principal: &str, at: Timestamp) -> Result<(), AwsError> {
        let fact = Fact::halt("pause", Owner::Person, None, at);
        self.put_fact(format!("producer#{principal}"), fact, at)
            .await
            .map(|_new| ())
    }

    /// Moves a number from one risk standing to another; `false` when somebody else has moved it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn set_risk(
        &self,
        number: &str,
        from: &Standing,
        to: &Standing,
    ) -> Result<bool, AwsError> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(LIVE, format!("number#{number}"))))
            .update_expression("SET risk = :level, risk_since = :since, risk_base = :base")
            .expression_attribute_values(":level", s(to.level.word()))
            .expression_attribute_values(":since", ms(to.since))
            .expression_attribute_values(":base", s(rows::text_of(&to.base)));
        let call = if *from == Standing::default() {
            call.condition_expression("attribute_not_exists(risk)")
        } else {
            call.condition_expression("risk = :was AND risk_since = :seen")
                .expression_attribute_values(":was", s(from.level.word()))
                .expression_attribute_values(":seen", ms(from.since))
        };
        let answer = call.send().await;
        self.written(
            answer
                .map(|_updated| ())
                .map_err(|e| AwsError::of("UpdateItem", &e)),
        )
    }

    /// Keeps a word of Meta's that we do not know, so that somebody can look at it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn keep_unknown(
        &self,
        field: &str,
        word: &str,
        at: Timestamp,
    ) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key("unknown", format!("{field}#{word}"))))
            .update_expression("SET seen_at = :at, #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":at", ms(at))
            .expression_attribute_values(":ttl", n(at.plus_millis(KEEP_UNKNOWN_MS).seconds()))
            .send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    /// Writes a fact unless one that is newer, or of the same moment and no looser, is there.
    async fn put_fact(&self, sk: String, fact: Fact, at: Timestamp) -> Result<bool, AwsError> {
        let mut names = HashMap::from([("#at".to_owned(), format!("{}_at", fact.slot))]);
        let mut values = HashMap::from([(":at".to_owned(), ms(at))]);
        let mut sets = vec!["#at = :at".to_owned()];
        let mut changes = Vec::new();
        for (place, (name, value)) in fact.set.into_iter().enumerate() {
            sets.push(format!("#s{place} = :s{place}"));
            changes.push(format!(
                "attribute_not_exists(#s{place}) OR #s{place} <> :s{place}"
            ));
            names.insert(format!("#s{place}"), name);
            values.insert(format!(":s{place}"), value);
        }
        let mut removes = Vec::new();
        for (place, name) in fact.remove.into_iter().enumerate() {
            changes.push(format!("attribute_exists(#r{place})"));
            removes.push(format!("#r{place}"));
            names.insert(format!("#r{place}"), name);
        }
        let mut expression = format!("SET {}", sets.join(", "));
        if !removes.is_empty() {
            expression.push_str(" REMOVE ");
            expression.push_str(&removes.join(", "));
        }
        let differs = changes.join(" OR ");
        let condition = match (fact.is_ordered, fact.restricts) {
            (false, _) => differs,
            (true, false) => "attribute_not_exists(#at) OR #at < :at".to_owned(),
            (true, true) => {
                format!("attribute_not_exists(#at) OR #at < :at OR (#at = :at AND ({differs}))")
            }
        };
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(LIVE, sk)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .send()
            .await;
        self.written(
            answer
                .map(|_updated| ())
                .map_err(|e| AwsError::of("UpdateItem", &e)),
        )
    }

    fn written(&self, answer: Result<(), AwsError>) -> Result<bool, AwsError> {
        self.forget_live();
        was_taken(answer)
    }
}
