//! `headgate breach notice`: drafts of what the authorities and the people are told, one of each for every policy
//! profile (R-607; GDPR 33(3) and 34(2)).
//!
//! Fills in what the scope has counted and the configuration says, and nothing else: what only people can know is a
//! blank, `[…]`, which says what belongs there. Names nobody whose data it is about. Decides neither whether a notice is
//! due nor what is likely to follow.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use headgate_domain::config::Config;
use headgate_domain::profiles::{Profile, Profiles};
use headgate_domain::region::Country;
use headgate_domain::time::{HOUR, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::BreachNoticeArgs;
use crate::connection::Connection;

/// What begins a blank.
const BLANK: &str = "[…";
/// A scope of 120 days is some 30 KB.
const LARGEST_SCOPE: u64 = 4 << 20;

/// What `breach scope --json` told, as far as a notice says it.
#[derive(Deserialize)]
pub(super) struct Scope {
    access: Span,
    content: Span,
    people: People,
    classes: Vec<Class>,
    days: Vec<DayOfRows>,
    clocks: Vec<Clock>,
    #[serde(default)]
    trail: Option<Trail>,
    not_counted: Vec<String>,
    known_at: Timestamp,
    profiles_as_of: String,
}

#[derive(Deserialize)]
struct Span {
    from: Timestamp,
    until: Timestamp,
}

#[derive(Deserialize)]
struct People {
    total: u64,
    of: String,
    by_country: Vec<InCountry>,
    by_profile: Vec<OfProfile>,
}

#[derive(Deserialize)]
struct InCountry {
    country: Option<String>,
    people: u64,
}

#[derive(Deserialize)]
struct OfProfile {
    profile: String,
    people: u64,
}

#[derive(Deserialize)]
struct Class {
    #[serde(rename = "class")]
    name: String,
    count: Option<u64>,
    people: u64,
    opens_with: Option<String>,
    what: Option<String>,
    #[serde(default)]
    opened_by_others: Option<u64>,
}

#[derive(Deserialize)]
struct DayOfRows {
    messages: u64,
    readable: bool,
}

/// What `CloudTrail` told, if its files were given.
#[derive(Deserialize)]
struct Trail {
    not_told: Vec<String>,
}

#[derive(Deserialize)]
struct Clock {
    profile: String,
    tell: String,
    by: Timestamp,
    in_full_by: Option<Timestamp>,
    counts_from: String,
    least_people: Option<u64>,
    is_reached: bool,
    voluntary: bool,
    when: Option<String>,
    assess_by: Option<Timestamp>,
}

/// A notice to be completed.
pub(super) struct Draft {
    /// The name of its file.
    pub(super) file: String,
    /// Markdown.
    pub(super) text: String,
}

impl Draft {
    /// How much of it is left to people.
    pub(super) fn blanks(&self) -> usize {
        self.text.matches(BLANK).count()
    }
}

/// Writes the drafts into a folder.
///
/// # Errors
/// When the scope is none, or a file is there already.
pub(super) async fn run(args: &BreachNoticeArgs) -> Result<ExitCode> {
    let scope = read(&args.scope)?;
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let config = connection.controls()?.config().await;
    let config = config.context("the configuration cannot be read")?;
    let drafts = drafts(&scope, &config, connection.now().await?);
    write(&args.out, &drafts)?;
    if args.client.json {
        println!("{}", as_json(&drafts));
    } else {
        for draft in &drafts {
            let file = args.out.join(&draft.file);
            println!("{:>3} blanks  {}", draft.blanks(), file.display());
        }
        println!("drafts, not legal advice: fill in every {BLANK}] and check the rest");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was written, by file.
pub(super) fn as_json(drafts: &[Draft]) -> Value {
    let drafts = drafts.iter();
    let drafts = drafts.map(|draft| json!({ "file": draft.file, "blanks": draft.blanks() }));
    json!({ "notices": drafts.collect::<Vec<_>>() })
}

fn read(path: &Path) -> Result<Scope> {
    let name = path.display();
    let input: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(fs::File::open(path).with_context(|| format!("cannot read {name}"))?)
    };
    let mut text = String::new();
    let read = input.take(LARGEST_SCOPE).read_to_string(&mut text);
    read.with_context(|| format!("cannot read {name}"))?;
    // The error of the parser would quote the file.
    serde_json::from_str(&text).map_err(|error| {
        anyhow!(
            "{name} is not what `headgate breach scope --json` printed: line {}, column {}",
            error.line(),
            error.column()
        )
    })
}

/// Writes each draft into a file that is not there yet: one that is may have been filled in.
pub(super) fn write(folder: &Path, drafts: &[Draft]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if let Some(there) = drafts
        .iter()
        .find(|draft| folder.join(&draft.file).exists())
    {
        bail!(
            "--out: {} is there already and may have been filled in: give another folder",
            folder.join(&there.file).display()
        );
    }
    for draft in drafts {
        let path = folder.join(&draft.file);
        let written = OpenOptions::new().write(true).create_new(true).open(&path);
        written
            .and_then(|mut file| file.write_all(draft.text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A draft to the authority where a profile has a term for it, and one to the people, for each profile that holds for
/// somebody.
pub(super) fn drafts(scope: &Scope, config: &Config, now: Timestamp) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for of in &scope.people.by_profile {
        let Some(profile) = Profiles::compiled_in().find(&of.profile) else {
            continue;
        };
        let notice = Notice {
            scope,
            config,
            profile,
            people: of.people,
            now,
        };
        let (authority, people) = (notice.clock("authority"), notice.clock("people"));
        if authority.is_none() && people.is_none() {
            continue;
        }
        if let Some(clock) = authority {
            drafts.push(Draft {
                file: format!("{}-authority.md", profile.id),
                text: notice.to_the_authority(clock),
            });
        }
        drafts.push(Draft {
            file: format!("{}-people.md", profile.id),
            text: notice.to_the_people(people),
        });
    }
    drafts
}

/// What the drafts of one profile are made from.
struct Notice<'a> {
    scope: &'a Scope,
    config: &'a Config,
    profile: &'a Profile,
    people: u64,
    now: Timestamp,
}

impl Notice<'_> {
    fn clock(&self, told: &str) -> Option<&Clock> {
        let mut clocks = self.scope.clocks.iter();
        clocks.find(|clock| clock.profile == self.profile.id && clock.tell == told)
    }

    /// The top of a draft: what it is, and until when.
    fn head(&self, whom: &str, clock: Option<&Clock>) -> String {
        let Profile { id, law, .. } = self.profile;
        let (now, as_of) = (self.now, &self.scope.profiles_as_of);
        let mut out = format!(
            "# Draft: a breach of personal data, to {whom} ({id})\n\n\
             > A draft of {now}, made from counts and the configuration. What is left blank in brackets is for somebody who knows; \
             check the rest. Terms are engineering defaults as of {as_of}, confidence {}, not legal advice. \
             Take this block and the table out before it is sent.\n\n| Clock | |\n|---|---|\n",
            self.profile.confidence.word()
        );
        let mut row = |what: &str, text: &str| {
            writeln!(out, "| {what} | {text} |").ok();
        };
        if let Some(clock) = clock {
            row("to be told by", &self.left(clock.by));
            if let Some(by) = clock.in_full_by {
                row("in full by", &self.left(by));
            }
            row("counted from", &clock.counts_from.replace('_', " "));
            if let Some(when) = &clock.when {
                row("asked for", when);
            }
            if let Some(least) = clock.least_people {
                let reached = if clock.is_reached { "are" } else { "are not" };
                row(
                    "people",
                    &format!("asked for from {least} on, which {reached} reached"),
                );
            }
            if clock.voluntary {
                row("duty", "advised, not asked for");
            }
            if let Some(by) = clock.assess_by {
                row("to be assessed by", &self.left(by));
            }
        } else {
            row(
                "to be told by",
                "the profile has no term: whether, and until when, is for you to find out",
            );
        }
        row("law", law);
        row("known since", &self.scope.known_at.to_string());
        out.push('\n');
        out
    }

    fn left(&self, by: Timestamp) -> String {
        let hours = by.millis_since(self.now).div_euclid(HOUR);
        if hours < 0 {
            format!("{by} (**over**)")
        } else {
            format!("{by} ({hours} h left)")
        }
    }

    /// The countries that this profile counts somebody in, and how many.
    fn countries(&self) -> Vec<(Option<Country>, u64)> {
        let places = self.scope.people.by_country.iter().map(|place| {
            let country = place.country.as_deref();
            (country.and_then(|c| Country::parse(c).ok()), place.people)
        });
        let holds = |country: Option<Country>| {
            let effective = self.config.profile_of(country);
            effective.profiles().any(|p| p.id == self.profile.id)
        };
        places.filter(|(country, _)| holds(*country)).collect()
    }

    fn controller(&self) -> String {
        let controller = &self.config.controller;
        let address = controller.address.as_deref();
        format!(
            "{}, {}",
            self.config.legal_name(),
            address.unwrap_or("[… the postal address]")
        )
    }

    /// Where more is to be had: the officer, else the contact of a country, else the privacy contact (GDPR 33(3)(b)).
    fn contact(&self) -> String {
        if let Some(officer) = &self.config.data_protection_officer {
            let more = [officer.telephone.as_deref(), officer.address.as_deref()];
            let more: String = more
                .into_iter()
                .flatten()
                .map(|m| format!(", {m}"))
                .collect();
            return format!(
                "data protection officer: {}, {}{more}",
                officer.name, officer.email
            );
        }
        let country = self
            .countries()
            .into_iter()
            .find_map(|(country, _)| country);
        match self.config.contact_for(country) {
            Some(contact) => format!("{}, {}, {}", contact.name, contact.email, contact.telephone),
            None => self.config.controller.privacy_contact.clone(),
        }
    }

    /// The authorities of the configuration in the countries of the people.
    fn authorities(&self) -> Vec<String> {
        let countries: Vec<Country> = self.countries().iter().filter_map(|(c, _)| *c).collect();
        let known = self.config.authorities.iter();
        let known = known.filter(|authority| countries.contains(&authority.country));
        known.map(|a| format!("{} ({})", a.name, a.url)).collect()
    }

    fn readable(&self) -> (u64, u64) {
        let days = self.scope.days.iter();
        let (yes, no): (Vec<_>, Vec<_>) = days.partition(|day| day.readable);
        let sum = |days: Vec<&DayOfRows>| {
            days.iter()
                .fold(0, |all: u64, d| all.saturating_add(d.messages))
        };
        (sum(yes), sum(no))
    }

    /// What is known of the keys: nothing, or what `CloudTrail` tells and what it does not.
    fn keys(&self) -> String {
        let Some(trail) = &self.scope.trail else {
            return "[… whether the keys, and the right to use them, were within reach]".to_owned();
        };
        let classes = self.scope.classes.iter();
        let opened = classes.filter_map(|class| Some((class.opened_by_others?, &class.name)));
        let opened: Vec<String> = opened
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        let mut told = if opened.is_empty() {
            "CloudTrail does not tell whether somebody other than our functions had keys opened."
                .to_owned()
        } else {
            format!(
                "By CloudTrail, somebody other than our functions had the keys opened of: {}.",
                opened.join(", ")
            )
        };
        if !trail.not_told.is_empty() {
            write!(told, " It does not tell {}.", trail.not_told.join("; ")).ok();
        }
        told + " [… whether its files are complete, and what was read with these keys]"
    }

    fn to_the_authority(&self, clock: &Clock) -> String {
        let Scope {
            access,
            content,
            people,
            ..
        } = self.scope;
        let mut out = self.head("the authority", Some(clock));
        let known = self.authorities();
        let known = if known.is_empty() {
            String::new()
        } else {
            format!("; in the configuration: {}", known.join(", "))
        };
        let (by_law, contact) = (self.people, self.contact());
        write!(
            out,
            "To: [… the authority in charge{known}]  \nFrom: {}\n\n\
             ## What happened\n\n\
             [… what happened, how, and how it was found; whether data was seen, changed, lost]\n\n\
             Somebody had access from {} to {}. We have known of it since {}.\n\n\
             ## Whose data\n\n\
             People this law holds for: about {by_law}; of all laws together: {} ({}). [… who they are: customers, \
             employees, children]\n\n| Country | People, about |\n|---|---|\n",
            self.controller(), access.from, access.until, self.scope.known_at, people.total, people.of
        )
        .ok();
        for (country, count) in self.countries() {
            let country = country.map_or("not known".to_owned(), |c| c.to_string());
            writeln!(out, "| {country} | {count} |").ok();
        }
        write!(
            out,
            "\n## What data\n\nOf what was accepted from {} to {}, of all people together:\n\n\
             | Data | Records, about | People, about | Stored |\n|---|---|---|---|\n",
            content.from, content.until
        )
        .ok();
        for class in &self.scope.classes {
            let count = class
                .count
                .map_or("–".to_owned(), |count| count.to_string());
            let stored = match (&class.opens_with, &class.what) {
                (Some(opens), _) => format!("sealed; opens with {opens}"),
                (None, Some(what)) => format!("in clear: {what}"),
                (None, None) => "[… how]".to_owned(),
            };
            writeln!(
                out,
                "| {} | {count} | {} | {stored} |",
                class.name, class.people
            )
            .ok();
        }
        let (readable, due) = self.readable();
        write!(
            out,
            "\n{readable} of these records are under keys of days that are in force, {due} under keys whose destruction \
             was due before. {}\n\nNot counted: {}. \
             [… whether any of it was within reach]\n\n\
             ## Whom to ask\n\n{contact}\n\n\
             ## What is likely to follow for the people\n\n[…]\n\n\
             ## What was done, and what will be\n\n\
             [… to end it, to lessen what follows, against its happening again]\n\n\
             The people: [… told on, by which means; or why they are not told]\n\n",
            self.keys(),
            self.scope.not_counted.join("; ")
        )
        .ok();
        if self.now > clock.by {
            out.push_str("## Why this comes late\n\n[…]\n\n");
        }
        out.push_str("## What is still to come\n\n[… nothing, or what is told later and when]\n");
        out
    }

    fn to_the_people(&self, clock: Option<&Clock>) -> String {
        let Scope {
            access, content, ..
        } = self.scope;
        let mut out = self.head("the people", clock);
        let wrote = self
            .scope
            .classes
            .iter()
            .any(|class| class.name == "what people wrote");
        let wrote = if wrote { ", what you wrote to us" } else { "" };
        let controller = &self.config.controller;
        write!(
            out,
            "[… the salutation]\n\n\
             **What happened.** From {} to {} somebody had access to data about you that {} keeps, and should not have \
             had it. [… what happened, in plain words]\n\n\
             **What data.** Your telephone number or WhatsApp user id, messages we sent you{wrote}, from {} to {}, and \
             what you have agreed to. Numbers and messages are stored encrypted. [… whether they could be read all the \
             same; which of it is not true of everybody]\n\n\
             **What this can mean for you.** […]\n\n\
             **What we have done.** [… to end it, and to lessen what follows]\n\n\
             **What you can do.** [… or: nothing]\n\n\
             **Whom to ask.** {}. {}\n",
            access.from.day(),
            access.until.day(),
            controller.name,
            content.from.day(),
            content.until.day(),
            self.contact(),
            controller.privacy_contact,
        )
        .ok();
        let authorities = self.authorities();
        if !authorities.is_empty() {
            write!(
                out,
                "\n**Where to complain.** {}.\n",
                authorities.join(", ")
            )
            .ok();
        }
        write!(out, "\n{}\n", self.controller()).ok();
        out
    }
}

#[cfg(test)]
mod tests;
