//! The course of the demo, step by step; each step waits for the app's own events, never for a guess.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use headgate_aws::queue::{Queue, Reader};
use headgate_domain::lane::Purpose;
use indicatif::ProgressBar;
use meta_simulator::Simulator;

use super::files::{read_file, write_file};
use super::forgery::{self, Forged};
use super::letters::Person;
use super::report::{Evidence, Report};
use super::scenario::{self, Scenario};
use super::search::personal_data;
use super::watch::{Told, Watcher};
use super::{Show, purge};
use crate::cli::DemoArgs;
use crate::stage::Stage;

/// Nothing new for so long means that nothing more comes; longer than an ambiguous send may wait.
const STALL: Duration = Duration::from_secs(150);
/// Inbound messages count against the limit, so people write one at a time.
const BETWEEN_PEOPLE: Duration = Duration::from_millis(1_250);
/// How far the calendar is turned: content is readable for 90 days.
const TURN: Duration = Duration::from_secs(91 * 86_400);

/// When somebody said STOP and Meta had its 200.
pub(super) struct Stop {
    pub(super) person: Person,
    pub(super) answered: Instant,
}

struct Run<'a> {
    args: &'a DemoArgs,
    stage: &'a Stage,
    show: &'a Show,
    simulator: &'a Simulator,
    number: String,
    watcher: Watcher,
}

/// Runs everything and judges it.
pub(super) async fn run(
    args: &DemoArgs,
    stage: &Stage,
    show: &Show,
    lines: &Mutex<Vec<String>>,
) -> Result<Report> {
    let begun = Instant::now();
    let simulator = stage
        .simulator
        .as_ref()
        .context("the demo needs its own Meta")?;
    let number = stage
        .config
        .numbers
        .first()
        .context("the configuration has no number")?
        .id
        .clone();
    let messages = usize::try_from(args.messages)?;
    let seconds = f64::from(args.messages) / f64::from(args.rate);
    let input = scenario::write(messages, seconds, "main", stage.now());
    let watcher = Watcher::start(&Reader::new(&stage.aws, &stage.queue_url("AppEvents")?));
    let run = Run {
        args,
        stage,
        show,
        simulator,
        number,
        watcher,
    };

    let handshake = run.handshake().await?;
    run.consents(&input).await?;
    let mut wamids = run.people_write(&input).await?;
    run.put_all(&input).await?;
    let (stops, forged) = run.campaign(&input, &mut wamids).await?;
    run.settle(messages).await;
    // Nothing waits any more; the wakes that are left over would only find that out one by one.
    stage.set_sending(false);

    let told = run
        .watcher
        .told()
        .accepted
        .keys()
        .cloned()
        .collect::<Vec<_>>();
    let inbound = run.watcher.told().inbound.clone();
    let sealed = purge::read_all(stage, &told, &inbound).await?;
    let found = personal_data(stage, &input, &wamids, &forged, lines).await?;
    let purged = {
        let bar = show.bar("turning the calendar by 91 days", Some(1));
        let moving = bar.clone();
        stage
            .cloud
            .turn_calendar(TURN, move |done, runs| {
                moving.set_length(runs);
                moving.set_position(done);
            })
            .await
            .context("a scheduled run failed while the calendar was turned")?;
        bar.finish_and_clear();
        purge::check(stage, &sealed).await?
    };
    let counters = stage.cloud.counters();
    let redriven = counters
        .queues
        .values()
        .map(|q| q.moved_to_dead_letter)
        .sum();
    let Run { watcher, .. } = run;
    let told: Told = watcher.stop().await?;
    let evidence = Evidence {
        args: args.clone(),
        input: &input,
        arrivals: simulator.arrivals(),
        worst_with_inbound: simulator.worst_window().most(),
        told,
        stops,
        forged,
        handshake,
        found,
        purged,
        redriven,
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok(Report::judge(&evidence))
}

impl Run<'_> {
    /// Meta's own check of the callback: the right token is answered, a wrong one is not.
    async fn handshake(&self) -> Result<bool> {
        let url = self.stage.webhook_url()?;
        let right = self
            .simulator
            .verify_webhook(&url, &self.stage.secrets.verify_token)
            .await?;
        let wrong = self.simulator.verify_webhook(&url, "not-the-token").await?;
        Ok(right && !wrong)
    }

    fn queue(&self, name: &str) -> Result<Queue> {
        Ok(Queue::new(&self.stage.aws, &self.stage.queue_url(name)?))
    }

    /// Everybody who will get business-initiated messages agrees first, with proof, by queue.
    async fn consents(&self, input: &Scenario) -> Result<()> {
        self.queue("Consents")?.send_batch(&input.consents).await?;
        // Each record is for utility and for marketing, and each purpose is answered.
        let expected = input.consents.len() * 2;
        let bar = self
            .show
            .bar("opt-ins recorded in the ledger", Some(expected));
        let recorded = self
            .until(&bar, expected, || {
                usize::try_from(self.watcher.told().opted_in).unwrap_or(0)
            })
            .await;
        bar.finish_and_clear();
        if recorded < expected {
            bail!(
                "only {recorded} of {expected} opt-ins were answered within {} s",
                STALL.as_secs()
            );
        }
        Ok(())
    }

    /// Some people write first, which opens their service windows.
    async fn people_write(&self, input: &Scenario) -> Result<Vec<String>> {
        let mut wamids = Vec::new();
        for (person, text) in &input.writers {
            wamids.push(
                self.simulator
                    .inbound_text(&self.number, &person.at_meta(), text)
                    .await?,
            );
        }
        let bar = self.show.bar(
            "people write, and may be answered for 24 hours",
            Some(input.writers.len()),
        );
        let heard = self
            .until(&bar, input.writers.len(), || {
                self.watcher.told().inbound.len()
            })
            .await;
        bar.finish_and_clear();
        if heard < input.writers.len() {
            bail!(
                "only {heard} of {} people were heard within {} s",
                input.writers.len(),
                STALL.as_secs()
            );
        }
        Ok(wamids)
    }

    /// The file goes onto the lanes, poison and all, while the sender is not yet woken.
    async fn put_all(&self, input: &Scenario) -> Result<()> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let path = folder.path().join("messages.jsonl");
        write_file(&path, input)?;
        let expected = input.good.len() + input.bad.len();
        let bar = self.show.bar(
            "messages accepted or refused",
            Some(expected + input.late.len()),
        );
        for (lane, bodies) in read_file(&path)? {
            self.lane(lane)?.send_batch(&bodies).await?;
        }
        let answered = || {
            let told = self.watcher.told();
            told.accepted.len() + usize::try_from(told.refused.values().sum::<u64>()).unwrap_or(0)
        };
        let mut reached = self.until(&bar, expected, answered).await;
        if reached == expected {
            // Now a message that is known already, and those that are to lie last in the queue.
            self.lane(input.repeat.lane)?
                .send_batch(std::slice::from_ref(&input.repeat.body))
                .await?;
            let late: Vec<String> = input.late.iter().map(|m| m.body.clone()).collect();
            self.lane(Purpose::Marketing)?.send_batch(&late).await?;
            reached = self.until(&bar, expected + late.len(), answered).await;
        }
        bar.finish_and_clear();
        if reached < expected + input.late.len() {
            bail!(
                "only {reached} of {} messages were answered within {} s",
                expected + input.late.len(),
                STALL.as_secs()
            );
        }
        Ok(())
    }

    fn lane(&self, lane: Purpose) -> Result<Queue> {
        self.queue(match lane {
            Purpose::Authentication => "Authentication",
            Purpose::Service => "Service",
            Purpose::Utility => "Utility",
            Purpose::Marketing => "Marketing",
        })
    }

    /// The sender wakes; in the middle of it people say STOP and a forger tries his luck.
    async fn campaign(
        &self,
        input: &Scenario,
        wamids: &mut Vec<String>,
    ) -> Result<(Vec<Stop>, Forged)> {
        let messages = usize::try_from(self.args.messages)?;
        let bar = self.show.bar("messages sent", Some(messages));
        self.stage.set_sending(true);
        let sent = || usize::try_from(self.simulator.counters().accepted).unwrap_or(0);
        let ended = || sent() + self.watcher.told().cancelled.len();
        let (_, stops, forged) = tokio::join!(
            self.until(&bar, messages, ended),
            self.stops(input, messages * 3 / 10, wamids),
            self.forgeries(input, messages / 2)
        );
        bar.finish_and_clear();
        Ok((stops?, forged?))
    }

    async fn reached(&self, count: usize) {
        let bar = ProgressBar::hidden();
        self.until(&bar, count, || {
            usize::try_from(self.simulator.counters().accepted).unwrap_or(0)
        })
        .await;
    }

    async fn stops(
        &self,
        input: &Scenario,
        after: usize,
        wamids: &mut Vec<String>,
    ) -> Result<Vec<Stop>> {
        self.reached(after).await;
        let mut stops = Vec::new();
        for person in &input.stoppers {
            let begun = Instant::now();
            wamids.push(
                self.simulator
                    .inbound_text(&self.number, &person.at_meta(), "STOP")
                    .await?,
            );
            stops.push(Stop {
                person: person.clone(),
                answered: Instant::now(),
            });
            tokio::time::sleep(BETWEEN_PEOPLE.saturating_sub(begun.elapsed())).await;
        }
        Ok(stops)
    }

    async fn forgeries(&self, input: &Scenario, after: usize) -> Result<Forged> {
        self.reached(after).await;
        forgery::attempt(self.stage, self.simulator, &self.number, input).await
    }

    /// Until every accepted message has ended and every status was delivered, read and told.
    async fn settle(&self, messages: usize) {
        let bar = self
            .show
            .bar("messages with a final outcome", Some(messages));
        let ended = || {
            let told = self.watcher.told();
            told.accepted.keys().filter(|id| told.has_ended(id)).count()
        };
        self.until(&bar, messages, ended).await;
        bar.finish_and_clear();
        // The last statuses are on their way: they are personal data until they are dealt with.
        let begun = Instant::now();
        let mut quiet_since = None;
        let mut events = 0;
        while begun.elapsed() < Duration::from_secs(30) {
            let now = self.watcher.told().events;
            let quiet = self.simulator.settled().await && self.drained() && now == events;
            events = now;
            let since = *quiet_since.get_or_insert_with(Instant::now);
            if !quiet {
                quiet_since = None;
            } else if since.elapsed() > Duration::from_millis(800) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether nothing with a person in it is left on a queue that functions read; wakes carry nobody.
    fn drained(&self) -> bool {
        let counters = self.stage.cloud.counters();
        let read = |name: &str| !name.ends_with("-dlq") && !name.ends_with("-wake");
        counters
            .queues
            .iter()
            .filter(|(name, _)| read(name))
            .all(|(_, q)| q.sent == q.deleted)
    }

    /// Waits until `current` reaches `goal`, or nothing has changed for too long; says how far it came.
    async fn until(&self, bar: &ProgressBar, goal: usize, current: impl Fn() -> usize) -> usize {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let now = current();
            bar.set_position(u64::try_from(now).unwrap_or(u64::MAX));
            if now >= goal || since.elapsed() > STALL {
                return now;
            }
            if now != last {
                (last, since) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
