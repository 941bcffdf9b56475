//! What a configuration must be beyond its form; every complaint names its place.

use super::{Config, DeclaredTopic, InvalidConfig, Number, Template};
use crate::consent::MAX_TOPICS;
use crate::lane::Purpose;
use crate::profiles::Profiles;
use crate::recent::Recent;
use crate::region::Country;
use crate::wording::Wording;

impl Config {
    /// Refuses what could not be kept, or would silently do nothing.
    pub(super) fn validated(self) -> Result<Self, InvalidConfig> {
        if self.controller.name.trim().is_empty() {
            return place("controller.name is empty: Meta's opt-in policy requires the business name in every notice".into());
        }
        if self.numbers.is_empty() {
            return place("numbers is empty: add at least one [[numbers]] with id, alias, display and portfolio".into());
        }
        for (i, number) in self.numbers.iter().enumerate() {
            let others = self.numbers.iter().take(i);
            one_number(i, number, others)?;
        }
        for (i, template) in self.templates.iter().enumerate() {
            let others = self.templates.iter().take(i);
            one_template(i, template, others)?;
        }
        self.portfolios_are_named()?;
        self.producers_are_real()?;
        self.limits_limit()?;
        self.countries_exist()?;
        self.pages_can_say_it()?;
        self.profiles_exist()?;
        self.topics_are_few()?;
        self.entries_lead_somewhere()?;
        self.import_message_asks()?;
        self.transfers_rest_on_something()?;
        Ok(self)
    }

    fn portfolios_are_named(&self) -> Result<(), InvalidConfig> {
        for (id, portfolio) in &self.portfolios {
            if !self.numbers.iter().any(|n| n.portfolio == *id) {
                return place(format!(
                    "portfolios.{id}: no number belongs to this portfolio"
                ));
            }
            if portfolio.daily_limit.and_then(super::DailyLimit::people) == Some(0) {
                return place(format!(
                    "portfolios.{id}.daily_limit: expected at least 1 person, or \"unlimited\""
                ));
            }
        }
        Ok(())
    }

    fn producers_are_real(&self) -> Result<(), InvalidConfig> {
        for (i, producer) in self.producers.iter().enumerate() {
            if super::principal(&producer.principal).is_empty() {
                return place(format!(
                    "producers[{i}].principal: expected an SQS SenderId, such as AROAEXAMPLEID"
                ));
            }
            if let Some(unknown) = producer.numbers.iter().find(|n| self.number(n).is_none()) {
                return place(format!(
                    "producers[{i}].numbers: {unknown} is neither id nor alias of a number"
                ));
            }
            let before = self.producers.iter().take(i);
            if before
                .map(|p| &p.principal)
                .any(|p| super::is_same(p, &producer.principal))
            {
                return place(format!("producers[{i}].principal appears twice"));
            }
        }
        Ok(())
    }

    fn topics_are_few(&self) -> Result<(), InvalidConfig> {
        let topics = &self.consents.topics;
        if topics.len() > MAX_TOPICS {
            return place(format!(
                "consents.topics: at most {MAX_TOPICS} topics, each is looked at with every message"
            ));
        }
        for (i, topic) in topics.iter().enumerate() {
            if !topic.purpose.is_business_initiated() {
                return place(format!(
                    "consents.topics[{i}].purpose: expected utility or marketing"
                ));
            }
            let is_same = |before: &DeclaredTopic| {
                before.purpose == topic.purpose && before.name == topic.name
            };
            if topics.iter().take(i).any(is_same) {
                return place(format!("consents.topics[{i}] appears twice"));
            }
            if let Some(fault) = topic.label.as_ref().and_then(Wording::fault) {
                return place(format!("consents.topics[{i}].label {fault}"));
            }
        }
        Ok(())
    }

    fn countries_exist(&self) -> Result<(), InvalidConfig> {
        let caps = self.caps.iter().enumerate();
        let quiet = self.quiet_hours.iter().enumerate();
        let contacts = self.contacts.iter().map(|c| c.country).collect::<Vec<_>>();
        let regions = self.processing.regions.iter().map(|r| r.country);
        let regions = regions.collect::<Vec<_>>();
        let authorities = self.authorities.iter().map(|a| a.country);
        let authorities = authorities.collect::<Vec<_>>();
        let lists = [
            (
                "controller.countries".to_owned(),
                &self.controller.countries,
            ),
            ("abuse.destinations".to_owned(), &self.abuse.destinations),
            ("contacts".to_owned(), &contacts),
            ("processing.regions".to_owned(), &regions),
            ("authorities".to_owned(), &authorities),
        ]
        .into_iter()
        .chain(caps.map(|(i, c)| (format!("caps[{i}].countries"), &c.countries)))
        .chain(quiet.map(|(i, q)| (format!("quiet_hours[{i}].countries"), &q.countries)));
        for (name, countries) in lists {
            let unknown = |c: &Country| !Profiles::compiled_in().knows(*c);
            if let Some(i) = countries.iter().position(unknown) {
                return place(format!("{name}[{i}]: there is no such country"));
            }
        }
        Ok(())
    }

    fn profiles_exist(&self) -> Result<(), InvalidConfig> {
        let unknown = |id: &String| Profiles::compiled_in().find(id).is_none();
        match self.controller.profiles.iter().position(unknown) {
            Some(i) => place(format!(
                "controller.profiles[{i}]: there is no such profile; docs/compliance/profiles.md lists them"
            )),
            None => Ok(()),
        }
    }

    fn limits_limit(&self) -> Result<(), InvalidConfig> {
        for (i, cap) in self.caps.iter().enumerate() {
            if !cap.purpose.is_business_initiated() {
                return place(format!(
                    "caps[{i}].purpose: expected utility or marketing; codes have their ceiling in [abuse]"
                ));
            }
            if !(1..=Recent::MAX_CAP).contains(&cap.max) {
                return place(format!(
                    "caps[{i}].max: expected 1 to {} messages",
                    Recent::MAX_CAP
                ));
            }
            if !(1..=Recent::MAX_HOURS).contains(&cap.hours) {
                return place(format!(
                    "caps[{i}].hours: expected 1 to {}",
                    Recent::MAX_HOURS
                ));
            }
        }
        for (i, quiet) in self.quiet_hours.iter().enumerate() {
            // A code that waits for the morning is of no use, an answer in a conversation is expected at night.
            if !matches!(quiet.purpose, Purpose::Utility | Purpose::Marketing) {
                return place(format!(
                    "quiet_hours[{i}].purpose: expected utility or marketing"
                ));
            }
            if quiet.start == quiet.end {
                return place(format!(
                    "quiet_hours[{i}]: start and end are the same minute"
                ));
            }
        }
        Ok(())
    }
}

pub(super) fn place<T>(text: String) -> Result<T, InvalidConfig> {
    Err(InvalidConfig(text))
}

fn one_number<'a>(
    i: usize,
    number: &Number,
    mut before: impl Iterator<Item = &'a Number>,
) -> Result<(), InvalidConfig> {
    if !crate::record::is_number_id(&number.id) {
        return place(format!(
            "numbers[{i}].id: expected Meta's phone number id, digits only"
        ));
    }
    if before.any(|m| m.id == number.id || m.alias == number.alias) {
        return place(format!("numbers[{i}]: id and alias must be unique"));
    }
    if !number
        .pace_permille
        .is_none_or(|p| (500..=1000).contains(&p))
    {
        return place(format!(
            "numbers[{i}].pace_permille: expected 500 to 1000 thousandths of the limit"
        ));
    }
    if !number.per_second.is_none_or(|n| (1..=1000).contains(&n)) {
        return place(format!(
            "numbers[{i}].per_second: expected 1 to 1000 (Meta grants 20, 80 or 1000)"
        ));
    }
    if number.portfolio.is_empty() || number.portfolio.contains('#') {
        return place(format!(
            "numbers[{i}].portfolio: expected Meta's business portfolio id"
        ));
    }
    Ok(())
}

fn one_template<'a>(
    i: usize,
    template: &Template,
    mut before: impl Iterator<Item = &'a Template>,
) -> Result<(), InvalidConfig> {
    if before.any(|u| u.name == template.name && u.language == template.language) {
        return place(format!("templates[{i}]: name and language appear twice"));
    }
    let names = &template.body_names;
    if !names.is_empty() && ![0, names.len()].contains(&template.body_parameters) {
        return place(format!(
            "templates[{i}].body_parameters: leave it out, or give as many as body_names"
        ));
    }
    let twice = |(j, name): (usize, &String)| names.iter().take(j).any(|n| n == name);
    if names.iter().enumerate().any(twice) {
        return place(format!("templates[{i}].body_names: a name appears twice"));
    }
    for (j, button) in template.buttons.iter().enumerate() {
        if button.index > 9 {
            return place(format!(
                "templates[{i}].buttons[{j}].index: expected 0 to 9"
            ));
        }
        if template
            .buttons
            .iter()
            .take(j)
            .any(|b| b.index == button.index)
        {
            return place(format!("templates[{i}].buttons[{j}].index: appears twice"));
        }
    }
    Ok(())
}
