//! Whom nobody was in touch with for long is forgotten, with all that their row would leave behind.
//!
//! An import asks many who never answer; an app writes to many who are refused: nobody of them asked to be kept, and
//! they go with the period of content. Who said yes or no goes after a longer one; that they said no stays, on the
//! suppression list, under a code that leads to nobody.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use headgate_aws::subjects::Noted;
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::Hold;
use headgate_domain::profiles::Right;
use headgate_domain::retention::Fate;
use headgate_domain::time::{DAY, Day, Timestamp};
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

/// So far back it is looked the first time.
const LOOK_BACK_DAYS: i64 = 30;
/// People who are looked at beside each other.
const CONCURRENCY: usize = 16;

impl PrivacyWorker {
    /// Forgets whose time has come, and puts off everybody else; what is left at the end, the next run goes on with.
    /// Whoever cannot be looked at is looked at tomorrow, and holds up nobody.
    pub(crate) async fn forget_people(&self, time: Duration) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let last = self.requests.worked_off().await?;
        let mut day = last.map_or(now.day().plus(-LOOK_BACK_DAYS), |day| day.plus(1));
        let holds = &self.holds(now).await?;
        let started = Instant::now();
        let has_time = || started.elapsed() < time;
        let (mut forgotten, mut result) = (0_usize, Ok(()));
        while day < now.day() && has_time() {
            let found = self.eraser.subjects.noted_on(day).await?;
            if found.is_empty() {
                self.requests.put_worked_off(day).await?;
                day = day.plus(1);
                continue;
            }
            let looked_at: Vec<Result<bool, WorkerError>> = stream::iter(found)
                .take_while(|_noted| std::future::ready(has_time()))
                .map(|noted| async move {
                    Box::pin(self.look_or_put_off(&noted, holds, (day, now))).await
                })
                .buffer_unordered(CONCURRENCY)
                .collect()
                .await;
            let is_stuck = looked_at.iter().all(Result::is_err);
            for one in looked_at {
                match one {
                    Ok(is_gone) => forgotten = forgotten.saturating_add(usize::from(is_gone)),
                    Err(error) => result = Err(error),
                }
            }
            if is_stuck {
                break;
            }
        }
        if forgotten > 0 {
            let fields = [("people", Field::count(forgotten))];
            log(Level::Info, "people_forgotten", &fields);
        }
        result
    }

    async fn look_or_put_off(
        &self,
        noted: &Noted,
        holds: &[Hold],
        (day, now): (Day, Timestamp),
    ) -> Result<bool, WorkerError> {
        let looked_at = Box::pin(self.look_at(noted, holds, (day, now))).await;
        if looked_at.is_err() {
            let tomorrow = now.plus_millis(DAY);
            let subjects = &self.eraser.subjects;
            subjects.look_again(noted, day, tomorrow, None).await?;
        }
        looked_at
    }

    /// Whether somebody was forgotten.
    async fn look_at(
        &self,
        noted: &Noted,
        holds: &[Hold],
        (day, now): (Day, Timestamp),
    ) -> Result<bool, WorkerError> {
        let (subjects, messages) = (&self.eraser.subjects, &self.eraser.messages);
        if noted.is_marked {
            return self.forget(noted, day, now).await;
        }
        let mut noted = noted.clone();
        let ids = &noted.group.subjects;
        let written_to = messages.last_accepted_for(ids, now).await?;
        noted.contact.last_at = noted.contact.last_at.max(written_to);
        let is_due = noted.contact.fate(now) == Fate::Forgotten;
        // Who could go, by us or by themselves.
        if is_due || noted.contact.row_ends_at.is_some() {
            noted.contact.is_waited_for |= self.is_held_by(holds, &noted.group, now).await?;
        }
        noted.contact.is_waited_for |= is_due && self.has_open_request(&noted).await?;
        match noted.contact.fate(now) {
            Fate::Again { at, row_until } => {
                subjects.look_again(&noted, day, at, row_until).await?;
                Ok(false)
            }
            Fate::Forgotten => Ok(subjects.mark_forgotten(&noted, now).await?
                && self.forget(&noted, day, now).await?),
        }
    }

    async fn has_open_request(&self, noted: &Noted) -> Result<bool, WorkerError> {
        for subject in &noted.group.subjects {
            for right in Right::ALL {
                if self.requests.find_open(subject, right).await?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Forgets somebody who is marked. An app may know them by its own key, so it is told first: afterwards nobody
    /// could say who is meant. Repeating tells it by the same id.
    async fn forget(&self, noted: &Noted, day: Day, now: Timestamp) -> Result<bool, WorkerError> {
        if noted.contact.has_spoken {
            let person = self.eraser.subjects.person(&noted.subject).await?;
            let reference = person.subject.and_then(|known| known.reference);
            let told = |subject: &SubjectId| {
                Event::new("subject.forgotten", now, &[subject.as_str()])
                    .with_subject(Some(subject))
                    .with_reference(reference.clone())
                    .with("contact_at", noted.contact.last_at.map(|at| at.to_string()))
            };
            let events: Vec<Event> = noted.group.subjects.iter().map(told).collect();
            self.bus.publish(&events).await?;
        }
        let senders = self.senders().await?;
        self.eraser.forget(&noted.group, &senders, now).await?;
        self.eraser.subjects.strike(noted, day).await?;
        Ok(true)
    }
}
