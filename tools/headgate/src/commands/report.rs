//! `headgate report`: how many messages of each day and template there were, and what became of them.
//!
//! Counts what was never told, and repeats what was. What may be told is `headgate_domain::report`'s; this only shows it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use headgate_aws::reports::Reports;
use headgate_domain::lane::PURPOSES;
use headgate_domain::record::MAX_SHARDS;
use headgate_domain::report::{
    DayReport, LEAST, OUTCOMES, Outcome, Row, Tally, is_countable, last_settled, settled_at,
};
use headgate_domain::time::{Day, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::cli::ReportArgs;
use crate::connection::Connection;

/// The most days of one report.
const MOST_DAYS: i64 = 366;
/// How many days there are without `--from`.
const USUAL_DAYS: i64 = 7;
/// What a column is wide.
const WIDTH: usize = 10;
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const UNANSWERED: &str = "the tables do not answer";

/// Runs it.
///
/// # Errors
/// When a day is none or has not settled, or a table does not answer.
pub async fn run(args: &ReportArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let now = connection.now().await?;
    let days = days(args, now)?;
    let reports = connection.reports()?;
    let mut told: BTreeMap<Day, DayReport> = BTreeMap::new();
    let mut missing = Vec::new();
    for day in &days {
        match reports.told(*day, now).await.context(UNANSWERED)? {
            Some(report) => {
                told.insert(*day, report);
            }
            None => missing.push(*day),
        }
    }
    let (countable, gone): (Vec<Day>, Vec<Day>) =
        missing.into_iter().partition(|day| is_countable(*day, now));
    let counted = count(&connection, &reports, &countable, args.client.json).await?;
    for (day, tally) in counted {
        let report = reports.tell(day, &tally.publish(now)).await;
        told.insert(day, report.context("the day could not be noted as told")?);
    }
    if args.client.json {
        println!("{}", as_json(&days, &told, &gone));
    } else {
        print(&told, &gone);
    }
    Ok(ExitCode::SUCCESS)
}

/// The days that are asked for, in their order.
fn days(args: &ReportArgs, now: Timestamp) -> Result<Vec<Day>> {
    let day = |flag: &str, text: &Option<String>| {
        let text = text.as_deref();
        let day = text.map(|text| {
            Day::parse(text)
                .map_err(|_day| anyhow!("--{flag}: a day is yyyy-mm-dd, such as {}", now.day()))
        });
        day.transpose()
    };
    let last = last_settled(now);
    let until = day("until", &args.until)?.unwrap_or(last);
    if until > last {
        bail!(
            "--until: {until} is counted from {} on, when it has settled; the last day there is now is {last}",
            settled_at(until)
        );
    }
    let from = day("from", &args.from)?.unwrap_or(until.plus(1 - USUAL_DAYS));
    if from > until {
        bail!("--from: {from} is after the last day, {until}");
    }
    let days: Vec<Day> = (0..MOST_DAYS)
        .map(|ahead| from.plus(ahead))
        .take_while(|day| *day <= until)
        .collect();
    if days.last() != Some(&until) {
        bail!("--from: {MOST_DAYS} days at a time; ask for the others by themselves");
    }
    Ok(days)
}

/// Counts days that nobody was told of yet, in one walk from the first of them to the last.
async fn count(
    connection: &Connection,
    reports: &Reports,
    days: &[Day],
    is_json: bool,
) -> Result<BTreeMap<Day, Tally>> {
    let mut tallies: BTreeMap<Day, Tally> =
        days.iter().map(|day| (*day, Tally::default())).collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Ok(tallies);
    };
    let controls = connection.controls()?;
    let config = controls.config().await;
    let config = config.context("the configuration cannot be read")?;
    // Numbers that left the configuration, as far as anything is remembered of them.
    let live = controls.live().await.context(super::producer::UNREADABLE)?;
    let mut numbers: Vec<&str> = config.numbers.iter().map(|n| n.id.as_str()).collect();
    numbers.extend(live.numbers.keys().map(String::as_str));
    numbers.sort_unstable();
    numbers.dedup();
    let bar = bar(is_json)?;
    for number in numbers {
        for lane in PURPOSES {
            for shard in 0..MAX_SHARDS {
                let told = reports.messages(
                    (number, lane, shard),
                    (*first, *last),
                    |day, template, state| {
                        bar.inc(1);
                        if let Some(tally) = tallies.get_mut(&day) {
                            tally.add(template, state);
                        }
                    },
                );
                told.await.context(UNANSWERED)?;
            }
        }
    }
    bar.finish_and_clear();
    Ok(tallies)
}

fn as_json(days: &[Day], told: &BTreeMap<Day, DayReport>, gone: &[Day]) -> Value {
    let row = |row: &Row| {
        let mut object = Map::new();
        object.insert("template".to_owned(), json!(row.template));
        object.insert("messages".to_owned(), json!(row.messages));
        for (outcome, count) in OUTCOMES.iter().zip(row.outcomes) {
            object.insert(outcome.word().to_owned(), json!(count));
        }
        Value::Object(object)
    };
    let days_told = told.iter().map(|(day, report)| {
        json!({ "day": day.to_string(), "counted_at": report.counted_at,
                "rows": report.rows.iter().map(row).collect::<Vec<_>>() })
    });
    json!({
        "from": days.first().map(Day::to_string),
        "until": days.last().map(Day::to_string),
        "least": LEAST,
        "outcomes": OUTCOMES.map(Outcome::word),
        "days": days_told.collect::<Vec<_>>(),
        "not_counted": gone.iter().map(Day::to_string).collect::<Vec<_>>(),
    })
}

fn print(told: &BTreeMap<Day, DayReport>, gone: &[Day]) {
    let rows = || told.values().flat_map(|report| &report.rows);
    let longest = rows().map(|row| name(row).chars().count()).max();
    let longest = longest.unwrap_or_default();
    if !told.is_empty() {
        print!("{:12}{:longest$}{:>WIDTH$}", "day", "", "messages");
        for outcome in OUTCOMES {
            print!("{:>WIDTH$}", outcome.word());
        }
        println!();
    }
    for (day, report) in told {
        if report.rows.is_empty() {
            println!("{day}  none");
        }
        let mut day = day.to_string();
        for row in &report.rows {
            let total = row.messages.map_or("<10".to_owned(), |n| n.to_string());
            print!("{day:12}{:longest$}{total:>WIDTH$}", name(row));
            for count in row.outcomes {
                let count = count.map_or("*".to_owned(), |n| n.to_string());
                print!("{count:>WIDTH$}");
            }
            println!();
            day.clear();
        }
    }
    if told.len() > 1 && rows().next().is_some() {
        print_curves(told, longest);
    }
    if rows().any(|row| row.outcomes.contains(&None)) {
        println!(
            "*           fewer than {LEAST}, or held back so that such a one cannot be computed"
        );
    }
    if let (Some(first), Some(last)) = (gone.first(), gone.last()) {
        println!(
            "not counted {first} to {last}: {} days of which nothing was told while their rows were there",
            gone.len()
        );
    }
}

/// How each template went from day to day.
fn print_curves(told: &BTreeMap<Day, DayReport>, longest: usize) {
    let mut curves: BTreeMap<&str, BTreeMap<Day, Option<u64>>> = BTreeMap::new();
    for (day, report) in told {
        for row in &report.rows {
            curves
                .entry(name(row))
                .or_default()
                .insert(*day, row.messages);
        }
    }
    println!("messages a day; a dot is fewer than {LEAST}");
    for (template, by_day) in curves {
        let most = by_day.values().copied().flatten().max().unwrap_or_default();
        let curve: String = told
            .keys()
            .map(|day| match by_day.get(day) {
                None => ' ',
                Some(None) => '·',
                Some(Some(count)) => bar_of(*count, most),
            })
            .collect();
        let most = if most == 0 {
            format!("<{LEAST}")
        } else {
            most.to_string()
        };
        println!("            {template:longest$}  {curve}  at most {most}");
    }
}

fn bar_of(count: u64, most: u64) -> char {
    let eighths = count.saturating_mul(8).div_ceil(most.max(1)).clamp(1, 8);
    let place = usize::try_from(eighths.saturating_sub(1)).unwrap_or_default();
    EIGHTHS.get(place).copied().unwrap_or('█')
}

fn name(row: &Row) -> &str {
    row.template.as_deref().unwrap_or("(no template)")
}

fn bar(is_json: bool) -> Result<ProgressBar> {
    if is_json {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{spinner} {pos} messages")?;
    Ok(ProgressBar::new_spinner().with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_high_as_its_share() {
        assert_eq!(
            [0, 1, 50, 100].map(|n| bar_of(n, 100)),
            ['▁', '▁', '▄', '█']
        );
    }

    #[test]
    fn days_are_the_last_seven_that_settled_and_none_that_has_not() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let args = |from: Option<&str>, until: Option<&str>| ReportArgs {
            from: from.map(str::to_owned),
            until: until.map(str::to_owned),
            client: crate::cli::ClientArgs {
                env_file: None,
                json: false,
            },
        };
        let of = |from, until| days(&args(from, until), now);
        let usual = of(None, None).unwrap_or_default();
        assert_eq!((usual.len(), usual.last()), (7, Some(&last_settled(now))));
        let today = now.day().to_string();
        assert!(of(None, Some(&today)).is_err_and(|e| e.to_string().contains("--until")));
        let late = of(Some(&today), None);
        assert!(late.is_err_and(|e| e.to_string().contains("--from")));
        assert!(of(Some("2020-01-01"), None).is_err_and(|e| e.to_string().contains("366")));
        assert!(of(Some("monday"), None).is_err_and(|e| e.to_string().contains("yyyy-mm-dd")));
    }
}
