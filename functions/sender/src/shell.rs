//! Performs the holder's effects against the tables, the queue and Meta.
//!
//! Keeps what the holder must not know: opened payloads, permits and what Meta said, from a record's
//! judging until its outcome is written down. Every failure is logged here and becomes an event.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headgate_aws::AwsError;
use headgate_aws::keyring::Salt;
use headgate_aws::messages::{Record, Settlement};
use headgate_aws::pacing::Recipient;
use headgate_domain::config::Number;
use headgate_domain::holder::{
    Answer, Controls, DueEntry, Effect, Event, InForce, LeaseView, Legacy, Mark, Opened, PageRead,
    Phase, Seen, Taken, Ticket, Unavailable, Verdict,
};
use headgate_domain::identity::{SubjectId, Wamid};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Payload;
use headgate_domain::policy::{SendPermit, longest_cap_hours};
use headgate_domain::recent::Recent;
use headgate_domain::record::{RecordRef, State};
use headgate_lambda::log::{Field, Level, log};

use crate::{Parts, SenderError, answers, judge, settle};

const PAGE: i32 = 100;
/// The most pages of one reading behind the front.
const LOOK_BACK_PAGES: u32 = 50;
const SETTLE_TRIES: u32 = 3;
const AFTER_AWS_ERROR: Duration = Duration::from_millis(500);
/// What is remembered for the caps is gathered for this long: fewer calls, as many write units. A holder that
/// dies forgets as much: somebody may then get one message more than a cap allows.
const REMEMBERED_TOGETHER: Duration = Duration::from_millis(100);

/// What is known of a record in hand beyond what the holder knows.
pub(crate) struct Kept {
    pub(crate) record: Record,
    pub(crate) payload: Payload,
    pub(crate) salt: Salt,
    pub(crate) permit: Option<SendPermit>,
    pub(crate) wamid: Option<Wamid>,
    pub(crate) code: Option<u32>,
}

/// The hands of one holder.
pub(crate) struct Shell<'a> {
    pub(crate) parts: &'a Arc<Parts>,
    pub(crate) portfolio: String,
    pub(crate) numbers: Vec<Number>,
    holder: String,
    kept: Mutex<HashMap<RecordRef, Kept>>,
    /// What is remembered of recipients, as read or written in this term, by subject.
    remembered: Mutex<HashMap<String, Recipient>>,
    /// The subjects of whom something is remembered that is not written down yet.
    unwritten: Mutex<BTreeSet<String>>,
    writing: tokio::sync::Mutex<()>,
}

impl<'a> Shell<'a> {
    pub(crate) fn new(
        parts: &'a Arc<Parts>,
        portfolio: &str,
        numbers: Vec<Number>,
    ) -> Result<Self, SenderError> {
        let bytes = headgate_aws::random::<16>()?;
        Ok(Self {
            parts,
            portfolio: portfolio.to_owned(),
            numbers,
            holder: format!("{:032x}", u128::from_be_bytes(bytes)),
            kept: Mutex::default(),
            remembered: Mutex::default(),
            unwritten: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, HashMap<RecordRef, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remembered(&self) -> MutexGuard<'_, HashMap<String, Recipient>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, number: usize) -> &str {
        self.numbers.get(number).map_or("", |n| n.id.as_str())
    }

    /// Performs one effect.
    #[expect(
        clippy::too_many_lines,
        reason = "one line or two per effect; taken apart it would be longer and say less"
    )]
    pub(crate) async fn perform(&self, effect: Effect) -> Event {
        let (parts, portfolio) = (self.parts, self.portfolio.as_str());
        let pacing = &parts.pacing;
        match effect {
            Effect::ReadLease => {
                let lease = pacing.lease(portfolio).await;
                Event::LeaseRead(tried("lease", lease.map(|l| l.map(|l| l.view))))
            }
            Effect::TakeLease { seen } => {
                Event::LeaseTaken(tried("lease", self.take(seen.as_ref()).await))
            }
            Effect::Renew { epoch, phase, left } => Event::Renewed(tried(
                "lease",
                self.renew(epoch, phase, left.as_ref()).await,
            )),
            Effect::Wake { after_s, successor } => {
                let woken = self.wake(after_s, successor).await;
                tidied("wake", woken)
            }
            Effect::ReadNextDue => {
                Event::NextDueRead(tried("due", pacing.next_due(portfolio).await))
            }
            Effect::ReadControls => Event::ControlsRead(tried("controls", self.controls().await)),
            Effect::ReadBudget => {
                Event::BudgetRead(tried("budget", pacing.budget(portfolio).await))
            }
            Effect::DropBuckets { buckets } => {
                tidied("budget", pacing.drop_buckets(portfolio, &buckets).await)
            }
            Effect::Open {
                number,
                after,
                open,
            } => Event::Opened {
                number,
                opened: tried(
                    "open",
                    Box::pin(self.open(self.id(number), after, &open)).await,
                ),
            },
            Effect::ReadPage {
                number,
                lane,
                shard,
                from,
                front,
            } => {
                let page = self.pages(self.id(number), lane, shard, from, &front).await;
                Event::Page {
                    number,
                    lane,
                    shard,
                    page: tried("outbox", page),
                }
            }
            Effect::ReadDue { lane, behind } => {
                let now = parts.now();
                let due = pacing.due(portfolio, lane, now, behind.as_ref(), PAGE);
                Event::DueRead {
                    lane,
                    entries: tried("due", due.await),
                }
            }
            Effect::LoadDue { lane, entries } => Event::DueLoaded {
                lane,
                loaded: tried("due", self.load_due(entries).await),
            },
            Effect::Claim {
                number,
                block,
                claim,
            } => {
                let put = pacing.put_claim(self.id(number), &claim, parts.now());
                Event::Claimed {
                    number,
                    block,
                    written: tried("claim", put.await),
                }
            }
            Effect::Judge {
                number,
                block,
                tickets,
            } => Event::Judged {
                number,
                block,
                judgements: tried("judge", Box::pin(judge::judge(self, &tickets)).await),
            },
            Effect::Flush {
                number,
                block,
                counts,
                marks,
            } => Event::Flushed {
                number,
                block,
                written: tried("budget", self.flush(&counts, &marks).await),
            },
            Effect::NotePair {
                number,
                block,
                reference,
                recipient,
                debt,
            } => {
                let id = self.id(number);
                let put = pacing.put_pair_debt(id, &recipient, debt, parts.now());
                Event::PairNoted {
                    number,
                    block,
                    reference,
                    written: tried("pair", put.await),
                }
            }
            Effect::Send {
                number,
                block,
                ticket,
            } => {
                let answer = self.send(&ticket).await;
                Event::Answered {
                    number,
                    block,
                    ticket,
                    answer,
                }
            }
            Effect::Settle {
                number,
                block,
                ticket,
                verdict,
            } => {
                let written = self.settle(&ticket, verdict).await;
                Event::Settled {
                    number,
                    block,
                    reference: ticket.reference,
                    written,
                }
            }
            Effect::Requeue { seen, due } => {
                let from = State::Ambiguous;
                let put = parts
                    .messages
                    .requeue(&seen.ticket.reference, from, due.attempt);
                let seen = tried("requeue", put.await).map(|r| r.map(|r| r.seen()));
                Event::Requeued { due, seen }
            }
            Effect::Tell { ticket, due } => tidied("tell", self.tell(&ticket, due).await),
            Effect::DropDue { due } => tidied("due", pacing.drop_due(portfolio, &due).await),
            Effect::KeepClaim { number, claim } => {
                let put = pacing.put_claim(self.id(number), &claim, parts.now());
                tidied("claim", put.await)
            }
            Effect::Note { what } => {
                log(Level::Warn, what, &[]);
                Event::Tidied
            }
            Effect::PutCursors {
                number,
                epoch,
                cursors,
            } => {
                let put = pacing.put_cursors(self.id(number), epoch, &cursors);
                tidied("cursor", put.await)
            }
        }
    }

    async fn take(&self, seen: Option<&LeaseView>) -> Result<Option<Taken>, AwsError> {
        let (pacing, now) = (&self.parts.pacing, self.parts.now());
        // What was left is written before FREE, so it is there when FREE has been seen; if somebody else
        // was faster, the lease is not taken, and what was read of it is of no use.
        let (taken, legacy) = tokio::try_join!(
            pacing.take(&self.portfolio, seen, &self.holder, now),
            pacing.legacy(&self.portfolio),
        )?;
        Ok(taken.map(|epoch| Taken { epoch, legacy }))
    }

    async fn renew(
        &self,
        epoch: u64,
        phase: Phase,
        left: Option<&Legacy>,
    ) -> Result<bool, AwsError> {
        let pacing = &self.parts.pacing;
        if let Some(left) = left {
            // A successor reads once who was written to.
            let left = pacing.put_legacy(&self.portfolio, left);
            tokio::join!(self.write_remembered(), left).1?;
        }
        let now = self.parts.now();
        pacing.renew(&self.portfolio, epoch, phase, now).await
    }

    async fn wake(&self, after_s: u32, successor: bool) -> Result<(), AwsError> {
        let body = if successor {
            serde_json::json!({"portfolio": self.portfolio, "successor": true})
        } else {
            serde_json::json!({"portfolio": self.portfolio})
        };
        let after = i32::try_from(after_s).unwrap_or(i32::MAX);
        let wake = &self.parts.wake;
        if after == 0 {
            wake.send(&body.to_string(), &[]).await
        } else {
            wake.send_after(&body.to_string(), after).await
        }
    }

    async fn controls(&self) -> Result<Controls, AwsError> {
        let controls = &self.parts.controls;
        let (config, live) = tokio::try_join!(controls.config(), controls.live())?;
        let now = self.parts.now();
        // As the configuration has them now; a number that was taken out of it stays as it was.
        let numbers = self.numbers.iter().map(|number| {
            let number = config.number(&number.id).unwrap_or(number);
            InForce {
                number: number.id.clone(),
                per_second: live.per_second(number),
                guard_permille: number.pace_permille,
                share_permille: live.share_permille(number, now),
                inbound_total: live.numbers.get(&number.id).map_or(0, |n| n.inbound_total),
            }
        });
        Ok(Controls {
            numbers: numbers.collect(),
            daily_limit: live.limit(&config, &self.portfolio),
        })
    }

    async fn open(&self, number: &str, after: u64, open: &[u16]) -> Result<Opened, AwsError> {
        let (parts, pacing) = (self.parts, &self.parts.pacing);
        let (claims, cursors, pairs) = tokio::try_join!(
            pacing.claims(parts.messages.table(), number, after, open),
            pacing.cursors(number),
            pacing.pair_debts(number, parts.now()),
        )?;
        Ok(Opened {
            claims,
            cursors,
            pairs,
        })
    }

    /// A page from a place on; when it starts behind the front, as many as it takes to reach it.
    async fn pages(
        &self,
        number: &str,
        lane: Purpose,
        shard: u8,
        mut from: String,
        front: &str,
    ) -> Result<PageRead, AwsError> {
        let messages = &self.parts.messages;
        let mut records = Vec::new();
        for _ in 0..LOOK_BACK_PAGES {
            let page = messages
                .page(number, lane, shard, (&from, PAGE), self.parts.now())
                .await?;
            records.extend(page.seen);
            match page.next {
                Some(next) if next.as_str() < front => from = next,
                reached => return Ok(PageRead { records, reached }),
            }
        }
        Ok(PageRead {
            records,
            reached: Some(front.to_owned()),
        })
    }

    async fn load_due(
        &self,
        entries: Vec<DueEntry>,
    ) -> Result<Vec<(DueEntry, Option<Seen>)>, AwsError> {
        let references: Vec<RecordRef> = entries.iter().map(|e| e.reference.clone()).collect();
        let now = self.parts.now();
        let records = self.parts.messages.load(&references, now).await?;
        let mut records: HashMap<RecordRef, Seen> = records
            .iter()
            .map(|r| (r.reference.clone(), r.seen()))
            .collect();
        let found = entries.into_iter().map(|entry| {
            let seen = records.remove(&entry.reference);
            (entry, seen)
        });
        Ok(found.collect())
    }

    /// The counts, then the marks: a crash in between counts somebody twice, which is the safe side.
    async fn flush(&self, counts: &[(u32, i64)], marks: &[Mark]) -> Result<(), AwsError> {
        if !counts.is_empty() {
            let pacing = &self.parts.pacing;
            pacing.add_to_budget(&self.portfolio, counts).await?;
        }
        let people = marks.iter().map(|mark| {
            let mut remembered = self.remembered();
            let recipient = remembered.entry(mark.recipient.clone()).or_default();
            recipient.bucket = Some(mark.bucket);
            mark.recipient.clone()
        });
        let people: BTreeSet<String> = people.collect();
        self.put_remembered(&people).await
    }

    /// What is remembered of the recipients of a block: as read, unless this term knows better, and with
    /// what is on its way to them.
    pub(crate) fn recipients(
        &self,
        read: HashMap<SubjectId, Recipient>,
        purpose: Option<Purpose>,
        tickets: &[Ticket],
    ) -> HashMap<SubjectId, Recipient> {
        let now = self.parts.now();
        let mut recipients: HashMap<SubjectId, Recipient> = {
            let mut remembered = self.remembered();
            let known = read.into_iter().map(|(subject, recipient)| {
                let known = remembered.entry(subject.as_str().to_owned());
                let known = known.or_insert(recipient).clone();
                (subject, known)
            });
            known.collect()
        };
        let mine: HashSet<&RecordRef> = tickets.iter().map(|t| &t.reference).collect();
        let people: HashSet<&str> = tickets.iter().map(|t| t.recipient.as_str()).collect();
        for (reference, kept) in self.kept().iter() {
            if Some(reference.lane) == purpose
                && !mine.contains(reference)
                && people.contains(kept.record.subject.as_str())
            {
                let recipient = recipients.entry(kept.record.subject.clone()).or_default();
                recipient.recent.sends.push((kept.record.purpose, now));
            }
        }
        recipients
    }

    /// Remembers a send for the caps. Only what was sent, or may have been, counts, so it is remembered after.
    /// Returns whether it is for the caller to write it down, with what comes until it does.
    async fn remember(&self, ticket: &Ticket, verdict: Verdict) -> bool {
        let purpose = self.kept().get(&ticket.reference).map(|k| k.record.purpose);
        let (Verdict::Accepted { .. } | Verdict::Ambiguous { .. }, Some(purpose)) =
            (verdict, purpose)
        else {
            return false;
        };
        let config = tried("caps", self.parts.controls.config().await);
        // What cannot be looked up now is remembered for as long as any cap may ask.
        let hours = config.map_or(Some(Recent::MAX_HOURS), |c| longest_cap_hours(&c, purpose));
        let Some(hours) = hours else { return false };
        let now = self.parts.now();
        let mut remembered = self.remembered();
        let recipient = remembered.entry(ticket.recipient.clone()).or_default();
        let recent = std::mem::take(&mut recipient.recent);
        recipient.recent = recent.with(purpose, now, hours);
        drop(remembered);
        let mut unwritten = self.unwritten();
        let is_first = unwritten.is_empty();
        unwritten.insert(ticket.recipient.clone());
        is_first
    }

    /// Writes down what is remembered since it was last written. A table that does not take it costs no
    /// message its outcome.
    async fn write_remembered(&self) {
        for again in 0..=SETTLE_TRIES {
            if again > 0 {
                tokio::time::sleep(AFTER_AWS_ERROR).await;
            }
            let people = std::mem::take(&mut *self.unwritten());
            if tried("caps", self.put_remembered(&people).await).is_ok() {
                return;
            }
            self.unwritten().extend(people);
        }
        self.unwritten().clear();
    }

    /// Puts what is remembered of people as it stands now; one put at a time, or an older one could come last.
    async fn put_remembered(&self, people: &BTreeSet<String>) -> Result<(), AwsError> {
        let _alone = self.writing.lock().await;
        let known: Vec<(String, Recipient)> = {
            let remembered = self.remembered();
            let known = people.iter().filter_map(|s| remembered.get_key_value(s));
            known.map(|(s, r)| (s.clone(), r.clone())).collect()
        };
        let (pacing, now) = (&self.parts.pacing, self.parts.now());
        pacing.put_recipients(&self.portfolio, &known, now).await
    }

    async fn send(&self, ticket: &Ticket) -> Answer {
        let ready = {
            let mut kept = self.kept();
            kept.get_mut(&ticket.reference).and_then(|kept| {
                let body = kept
                    .payload
                    .graph_body(&ticket.reference.opaque(ticket.attempt));
                Some((kept.permit.take()?, body))
            })
        };
        // Without a permit nothing leaves; that it is missing cannot be, and is not Meta's doing.
        let Some((permit, body)) = ready else {
            return Answer::NotAccepted(headgate_domain::holder::Holdback::Unreachable);
        };
        let outcome = self
            .parts
            .graph
            .send(permit, &ticket.reference.number, &body)
            .await;
        let told = answers::told(&outcome);
        if let Some(kept) = self.kept().get_mut(&ticket.reference) {
            kept.wamid = told.wamid;
            kept.code = told.code;
        }
        told.answer
    }

    /// Writes a verdict down, trying again when a table does not take it.
    async fn settle(&self, ticket: &Ticket, verdict: Verdict) -> Result<(), Unavailable> {
        // Once, however often the writing down is tried.
        let writes = self.remember(ticket, verdict).await;
        let remembering = async {
            if writes {
                tokio::time::sleep(REMEMBERED_TOGETHER).await;
                self.write_remembered().await;
            }
        };
        tokio::join!(self.write_down(ticket, verdict), remembering).0
    }

    async fn write_down(&self, ticket: &Ticket, verdict: Verdict) -> Result<(), Unavailable> {
        let mut result = settle::write(self, ticket, verdict).await;
        for _ in 0..SETTLE_TRIES {
            if result.is_ok() {
                break;
            }
            tokio::time::sleep(AFTER_AWS_ERROR).await;
            result = settle::write(self, ticket, verdict).await;
        }
        if result.is_ok() {
            self.kept().remove(&ticket.reference);
        }
        tried("settle", result)
    }

    async fn tell(&self, ticket: &Ticket, due: Option<DueEntry>) -> Result<(), AwsError> {
        let parts = self.parts;
        let reference = std::slice::from_ref(&ticket.reference);
        if let Some(record) = parts.messages.load(reference, parts.now()).await?.pop() {
            settle::tell(parts, &record, &Settlement::default()).await?;
        }
        match due {
            Some(due) => parts.pacing.drop_due(&self.portfolio, &due).await,
            None => Ok(()),
        }
    }
}

fn tried<T>(what: &'static str, result: Result<T, AwsError>) -> Result<T, Unavailable> {
    result.map_err(|error| {
        log(
            Level::Warn,
            "unavailable",
            &[("what", Field::code(what)), ("error", Field::safe(&error))],
        );
        Unavailable
    })
}

fn tidied(what: &'static str, result: Result<(), AwsError>) -> Event {
    // Whatever it was, it is found again by whoever comes next.
    match tried(what, result) {
        Ok(()) | Err(Unavailable) => Event::Tidied,
    }
}
