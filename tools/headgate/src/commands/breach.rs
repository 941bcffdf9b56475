//! `headgate breach`: how many people and what data were within reach, and until when whom has to be told.
//!
//! Counts, and never a name: ids are held in memory to count each person once, and go nowhere. Opens nothing. Whether
//! there is a risk to anybody is for people to judge; docs/breach.md says what the figures leave out. Drafts of notices
//! are `notice`'s, an invented breach to practise on is `drill`'s.

mod drill;
mod notice;
mod trail;

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use headgate_aws::breach::{Census, Counted};
use headgate_domain::config::Config;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::profiles::{BreachTimes, Profiles};
use headgate_domain::record::MAX_SHARDS;
use headgate_domain::region::Country;
use headgate_domain::retention::{CONTENT_DAYS, SWEEP_SHARDS, due};
use headgate_domain::time::{Day, HOUR, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::{BreachAction, BreachArgs, ScopeArgs};
use crate::connection::Connection;

use trail::Known;

/// What stands in clear in the tables, and names nobody.
const IN_CLEAR: &str =
    "consent states and times, countries, purposes, campaign and template names, codes, pseudonyms";
/// What no figure here covers.
const NOT_COUNTED: [&str; 3] = [
    "copies under a legal hold, which are sealed under keys of their own",
    "what lay unread on queues or in dead letters; see docs/data.md, \"Where personal data lies in clear\"",
    "rows that were swept since: nothing opens them in any copy once the key of their day is gone",
];

/// Runs what was asked for.
///
/// # Errors
/// When a time is none, a table does not answer, or a file is none.
pub async fn run(args: &BreachArgs) -> Result<ExitCode> {
    match &args.action {
        BreachAction::Scope(args) => Box::pin(scope(args)).await,
        BreachAction::Notice(args) => Box::pin(notice::run(args)).await,
        BreachAction::Drill(args) => Box::pin(drill::run(args)).await,
    }
}

/// What was asked, understood.
struct Asked {
    access: (Timestamp, Timestamp),
    /// What is counted was accepted in this time.
    content: (Timestamp, Timestamp),
    numbers: Vec<String>,
    lanes: Vec<Purpose>,
    /// Whether everybody in the tables was within reach.
    is_whole: bool,
    /// Whether what people wrote is counted: it belongs to no lane, and its row names no number.
    has_inbound: bool,
    times: BreachTimes,
    now: Timestamp,
}

/// Messages of a kind.
#[derive(Default)]
struct Messages {
    count: u64,
    days: BTreeMap<Day, u64>,
    people: HashSet<SubjectId>,
}

impl Messages {
    fn add(&mut self, message: Counted) {
        self.count = self.count.saturating_add(1);
        if let Some(day) = message.day {
            add(&mut self.days, day);
        }
        self.people.extend(message.subject);
    }

    /// How many are under a key that is not due to be destroyed.
    fn readable(&self, now: Timestamp) -> u64 {
        let readable = self.days.iter().filter(|(day, _)| now < due(**day));
        readable.fold(0, |all, (_, count)| all.saturating_add(*count))
    }
}

/// What was counted.
#[derive(Default)]
struct Found {
    messages: Messages,
    inbound: Messages,
    /// Of those whom a message leads to, who has no row any more.
    erased: u64,
    countries: BTreeMap<Option<Country>, u64>,
}

impl Found {
    fn people(&self) -> u64 {
        self.countries
            .values()
            .fold(0, |all, n| all.saturating_add(*n))
    }
}

async fn scope(args: &ScopeArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let controls = connection.controls()?;
    let config = controls
        .config()
        .await
        .context("the configuration cannot be read")?;
    let now = connection.now().await?;
    let mut asked = asked(args, &config, now)?;
    if args.number.is_empty() {
        // Numbers that left the configuration, as far as anything is remembered of them.
        let known = controls.live().await.context(super::producer::UNREADABLE)?;
        asked.numbers.extend(known.numbers.keys().cloned());
        asked.numbers.sort_unstable();
        asked.numbers.dedup();
    }
    let trail = if args.trail.is_empty() {
        None
    } else {
        let known = trail::read(&args.trail, &connection, asked.access, args.client.json)?;
        Some(known)
    };
    let found = count(&connection.census()?, &asked, args.client.json).await?;
    let report = report(&asked, &found, trail.as_ref(), &config);
    if args.client.json {
        println!("{report}");
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn asked(args: &ScopeArgs, config: &Config, now: Timestamp) -> Result<Asked> {
    let time = |flag: &str, text: &str| {
        Timestamp::parse(text)
            .map_err(|_time| anyhow!("--{flag}: a time is RFC 3339, such as {now}"))
    };
    let later = |flag: &str, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| time(flag, text)).transpose()
    };
    let access = (time("from", &args.from)?, time("until", &args.until)?);
    if access.0 >= access.1 {
        bail!("--from must be before --until");
    }
    let times = BreachTimes {
        known_at: time("known-at", &args.known_at)?,
        assessed_at: later("assessed-at", &args.assessed_at)?,
        people_told_at: later("people-told-at", &args.people_told_at)?,
    };
    let numbers: Result<Vec<String>> = if args.number.is_empty() {
        Ok(config.numbers.iter().map(|n| n.id.clone()).collect())
    } else {
        // One that left the configuration is given by its id.
        let id = |given: &String| match config.number(given) {
            Some(number) => Ok(number.id.clone()),
            None if headgate_domain::record::is_number_id(given) => Ok(given.clone()),
            None => bail!("--number: neither an alias of the configuration nor a phone number id"),
        };
        args.number.iter().map(id).collect()
    };
    let lanes: Vec<Purpose> = args.lane.iter().copied().map(Purpose::from).collect();
    let has_inbound = args.number.is_empty() && lanes.is_empty();
    // Who was in the tables saw what was accepted up to ninety days before.
    let first = access.0.day().plus(-CONTENT_DAYS).start();
    Ok(Asked {
        access,
        content: if args.accepted_within {
            access
        } else {
            (first, access.1)
        },
        numbers: numbers?,
        lanes: if lanes.is_empty() {
            PURPOSES.to_vec()
        } else {
            lanes
        },
        is_whole: has_inbound && !args.accepted_within,
        has_inbound,
        times,
        now,
    })
}

async fn count(census: &Census, asked: &Asked, is_json: bool) -> Result<Found> {
    const UNANSWERED: &str = "the tables do not answer";
    let bar = bar(is_json)?;
    let mut found = Found::default();
    for number in &asked.numbers {
        for lane in &asked.lanes {
            for shard in 0..MAX_SHARDS {
                let partition = (number.as_str(), *lane, shard);
                let told = census.outbox(partition, asked.content, |message| {
                    found.messages.add(message);
                    bar.inc(1);
                });
                told.await.context(UNANSWERED)?;
            }
        }
    }
    if asked.has_inbound {
        let days = (asked.content.0.day(), asked.content.1.day());
        for shard in 0..SWEEP_SHARDS {
            let told = census.inbound(shard, days, |message| {
                found.inbound.add(message);
                bar.inc(1);
            });
            told.await.context(UNANSWERED)?;
        }
    }
    bar.set_message("people");
    let people = found.messages.people.union(&found.inbound.people);
    let people: Vec<SubjectId> = people.cloned().collect();
    let placed = census.places(&people).await.context(UNANSWERED)?;
    let erased = people.len().saturating_sub(placed.len());
    found.erased = u64::try_from(erased).unwrap_or(u64::MAX);
    if asked.is_whole {
        let everybody = census.everybody(|country| {
            add(&mut found.countries, country);
            bar.inc(1);
        });
        everybody.await.context(UNANSWERED)?;
    } else {
        let mut seen = HashSet::new();
        for place in placed.into_values() {
            if seen.insert(place.person) {
                add(&mut found.countries, place.country);
            }
        }
    }
    // They were within reach, and nobody knows any more where they are: the strictest law holds for them.
    for _ in 0..found.erased {
        add(&mut found.countries, None);
    }
    bar.finish_and_clear();
    Ok(found)
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

/// Everything that is told; the table is made from it, so that both say the same.
fn report(asked: &Asked, found: &Found, trail: Option<&Known>, config: &Config) -> Value {
    let mut profiles: BTreeMap<&str, u64> = BTreeMap::new();
    for (country, people) in &found.countries {
        for profile in config.profile_of(*country).profiles() {
            let count = profiles.entry(&profile.id).or_default();
            *count = count.saturating_add(*people);
        }
    }
    let countries = found.countries.iter().map(|(country, people)| {
        json!({ "country": country.map(|c| c.as_str().to_owned()), "people": people })
    });
    let mut days: BTreeMap<Day, u64> = found.messages.days.clone();
    for (day, count) in &found.inbound.days {
        let all = days.entry(*day).or_default();
        *all = all.saturating_add(*count);
    }
    let days = days.iter().map(|(day, rows)| {
        json!({ "day": day.to_string(), "messages": rows, "key": format!("day#{day}"),
                "readable": asked.now < due(*day), "destroyed_after": due(*day),
                "opened_by_others": trail.and_then(|trail| trail.is_opened(day)) })
    });
    let class = |name: &str, messages: &Messages| {
        json!({ "class": name, "count": messages.count, "people": messages.people.len(), "sealed": true,
                "opens_with": "the key of its day and the person's salt", "keys": messages.days.len(),
                "still_readable": messages.readable(asked.now),
                "opened_by_others": trail.and_then(|trail| trail.opened(&messages.days)) })
    };
    let inbound = asked
        .has_inbound
        .then(|| class("what people wrote", &found.inbound));
    let mut not_counted = NOT_COUNTED.to_vec();
    if !asked.has_inbound {
        not_counted.insert(
            0,
            "what people wrote: it belongs to no lane, and its row names no number",
        );
    }
    let clocks: Vec<Value> = profiles
        .iter()
        .flat_map(|(id, people)| clocks(id, *people, asked))
        .collect();
    let mut clocks = clocks;
    clocks.sort_by_key(|clock| clock.get("by").and_then(Value::as_str).map(str::to_owned));
    let vault = trail.and_then(Known::has_opened_vault);
    let classes = [Some(class("messages", &found.messages)), inbound];
    let classes = classes.into_iter().flatten().chain([
        json!({ "class": "numbers and user ids", "count": found.people(), "people": found.people(), "sealed": true,
                "opens_with": "the vault key and the person's salt",
                "opened_by_others": vault.map(|is_opened| if is_opened { found.people() } else { 0 }) }),
        json!({ "class": "in clear", "count": null, "people": found.people(), "sealed": false, "what": IN_CLEAR }),
    ]);
    json!({
        "access": { "from": asked.access.0, "until": asked.access.1 },
        "content": { "from": asked.content.0, "until": asked.content.1 },
        "numbers": asked.numbers,
        "lanes": asked.lanes.iter().map(|lane| lane.word()).collect::<Vec<_>>(),
        "people": {
            "total": found.people(),
            "written_to": found.messages.people.len(),
            "wrote": found.inbound.people.len(),
            "erased_since": found.erased,
            "of": if asked.is_whole { "everybody in the tables" } else { "whom a message leads to" },
            "by_country": countries.collect::<Vec<_>>(),
            "by_profile": profiles.iter().map(|(id, people)| json!({ "profile": id, "people": people })).collect::<Vec<_>>(),
        },
        "classes": classes.collect::<Vec<_>>(),
        "days": days.collect::<Vec<_>>(),
        "clocks": clocks,
        "trail": trail.map(Known::as_json),
        "not_counted": not_counted,
        "known_at": asked.times.known_at,
        "as_of": asked.now,
        "profiles_as_of": Profiles::compiled_in().as_of(),
    })
}

fn clocks(id: &str, people: u64, asked: &Asked) -> Vec<Value> {
    let Some(profile) = Profiles::compiled_in().find(id) else {
        return Vec::new();
    };
    let assess_by = profile.assess_breach_by(asked.times.known_at);
    let clocks = profile.breach_clocks(asked.times).map(|clock| {
        let notice = clock.notice;
        json!({
            "profile": id, "people": people, "tell": clock.told.word(), "by": clock.by,
            "hours_left": clock.by.millis_since(asked.now).div_euclid(HOUR),
            "in_full_by": clock.complete_by, "counts_from": notice.from.word(),
            "least_people": notice.least_people,
            "is_reached": notice.least_people.is_none_or(|least| people >= u64::from(least)),
            "voluntary": notice.voluntary, "when": notice.when, "assess_by": assess_by,
        })
    });
    clocks.collect()
}

fn print(report: &Value) {
    let of = |name: &str| report.get(name).cloned().unwrap_or_default();
    let (access, content, people) = (of("access"), of("content"), of("people"));
    println!(
        "access   {} to {}",
        text(&access, "from"),
        text(&access, "until")
    );
    println!(
        "content  accepted {} to {}",
        text(&content, "from"),
        text(&content, "until")
    );
    println!(
        "people   {} ({}), {} of them written to, {} wrote, {} erased since",
        text(&people, "total"),
        text(&people, "of"),
        text(&people, "written_to"),
        text(&people, "wrote"),
        text(&people, "erased_since")
    );
    for row in list(&people, "by_country") {
        println!("  {:>9}  {}", text(&row, "people"), text(&row, "country"));
    }
    println!("data");
    for class in list(report, "classes") {
        let opens = match class.get("opens_with").and_then(Value::as_str) {
            Some(opens) => format!("sealed: opens with {opens}"),
            None => format!("not sealed: {}", text(&class, "what")),
        };
        println!(
            "  {:>9}  {}; {opens}{}",
            text(&class, "count"),
            text(&class, "class"),
            match class.get("opened_by_others").and_then(Value::as_u64) {
                Some(opened) => format!("; {opened} of them under keys that others had opened"),
                None => String::new(),
            }
        );
    }
    for day in list(report, "days") {
        let readable = day.get("readable").and_then(Value::as_bool) == Some(true);
        println!(
            "  {:>9}  under {}, {} {}",
            text(&day, "messages"),
            text(&day, "key"),
            if readable {
                "destroyed after"
            } else {
                "due since"
            },
            text(&day, "destroyed_after")
        );
    }
    print_trail(&of("trail"));
    println!("to be told, counted from {}", text(report, "known_at"));
    for clock in list(report, "clocks") {
        let is_reached = clock.get("is_reached").and_then(Value::as_bool) == Some(true);
        let voluntary = clock.get("voluntary").and_then(Value::as_bool) == Some(true);
        println!(
            "  {:<25}{:<10} {:>6} h  {:<14} {:>8} people{}{}  {}",
            text(&clock, "by"),
            text(&clock, "tell"),
            text(&clock, "hours_left"),
            text(&clock, "profile"),
            text(&clock, "people"),
            if is_reached {
                ""
            } else {
                " (fewer than it asks for)"
            },
            if voluntary { " (advised)" } else { "" },
            text(&clock, "when")
        );
        if clock.get("in_full_by").is_some_and(Value::is_string) {
            println!("    in full by {}", text(&clock, "in_full_by"));
        }
    }
    println!("not counted");
    for what in list(report, "not_counted") {
        println!("  {}", what.as_str().unwrap_or_default());
    }
    println!(
        "engineering defaults as of {}, not legal advice",
        text(report, "profiles_as_of")
    );
}

/// A member as it is shown; a dash where there is none.
fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    let list = value.get(name).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

/// What `CloudTrail` tells, if its files were given.
fn print_trail(trail: &Value) {
    if trail.is_null() {
        println!("CloudTrail\n  its files tell who opened which keys: --trail");
        return;
    }
    println!(
        "CloudTrail {} events, {} to {}; {} by the functions",
        text(trail, "events"),
        text(trail, "first"),
        text(trail, "last"),
        text(trail, "by_functions")
    );
    for act in list(trail, "acts") {
        println!(
            "  {:<11} {:<28} {} times, {} refused, {} to {}  {}",
            text(&act, "did"),
            text(&act, "what"),
            text(&act, "times"),
            text(&act, "refused"),
            text(&act, "first"),
            text(&act, "last"),
            text(&act, "by")
        );
    }
    for what in list(trail, "not_told") {
        println!("  not told: {}", what.as_str().unwrap_or_default());
    }
}

fn bar(is_json: bool) -> Result<ProgressBar> {
    if is_json {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{spinner} {pos} {msg}")?;
    Ok(ProgressBar::new_spinner()
        .with_style(style)
        .with_message("messages"))
}
