//! Recording consent: one place that writes ledger, state and suppression, in the safe order.
//!
//! A no suppresses first and is proven after; a yes is proven first and takes effect after. So a
//! crash between two steps always leaves the stricter state. The rule itself is
//! `headgate_domain::consent`'s.

mod do_not_sell;

use std::collections::HashMap;

use headgate_domain::consent::{
    Action, Consent, DOUBT_MS, Kind, NoticeId, Said, State, Topic, Validity, effective_at,
};
use headgate_domain::identity::{Identifier, Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::ledger::{EventType, Fact, evidence_commitment, subject_commitment};
use headgate_domain::profiles::EffectiveProfile;
use headgate_domain::time::Timestamp;

use crate::AwsError;
use crate::controls::Controls;
use crate::item::Attributes;
use crate::keyring::KeyringError;
use crate::ledger::Ledger;
use crate::peppers::Peppers;
use crate::subjects::Subjects;
use crate::suppression::Suppression;

const TRIES: u32 = 5;
/// How an objection came to stand under an identifier the person did not say it under.
const CARRIED: &str = "carried_over";

/// Everything a recorded consent touches.
#[derive(Clone)]
pub struct Consents {
    subjects: Subjects,
    suppression: Suppression,
    ledger: Ledger,
    suppression_pepper: Peppers,
    controls: Controls,
    deployment: String,
}

/// A yes or no, as it is to be recorded.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Whose.
    pub subject: SubjectId,
    /// For what.
    pub purpose: Purpose,
    /// For which topic of it alone; `None` for all of it.
    pub topic: Option<Topic>,
    /// Yes or no.
    pub action: Action,
    /// When it happened.
    pub at: Timestamp,
    /// When the question was put that it answers, where there was one.
    pub asked_at: Option<Timestamp>,
    /// How it was said.
    pub method: String,
    /// The wording the person saw.
    pub notice: Option<Notice>,
    /// In which language.
    pub locale: Option<String>,
    /// What proves it; sealed.
    pub evidence: Option<Vec<u8>>,
    /// Who said it, when it was not the person: the attesting producer.
    pub actor: Option<String>,
}

/// The wording behind a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Its text, sealed with the evidence; `None` when the id was given, and the text is registered.
    pub text: Option<String>,
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Whether the person now stands where the statement says.
    pub in_force: bool,
    /// The ledger event; empty for a word that opens nothing, which is only remembered.
    pub event: String,
    /// Where the person stands now by something else that was said: it came before what it answers.
    pub turned: Option<Consent>,
    /// Whether they had agreed before.
    pub was_given: bool,
}

impl Recorded {
    fn only(event: String) -> Self {
        Self {
            in_force: false,
            event,
            turned: None,
            was_given: false,
        }
    }
}

/// What a statement makes of what is known.
struct Fold {
    new: Consent,
    kind: Option<Kind>,
    /// Whether anything new is known.
    is_news: bool,
    /// What has proven the same before.
    proven: Option<String>,
    /// Whether the person stands where they stand by this statement.
    decides: bool,
}

impl Fold {
    /// `None` when it changes nothing that is known.
    fn of(judged: Option<&Consent>, statement: &Statement, now: Timestamp) -> Option<Self> {
        let (action, method) = (statement.action, statement.method.as_str());
        let at = effective_at(judged, action, method, statement.at, now)?;
        let revision = judged.map_or(1, |was| was.revision.saturating_add(1));
        let Some(kind) = Kind::of(action, method) else {
            // A form that anybody can fill in says something about nobody but a stranger.
            return judged.is_none().then(|| Self {
                new: Consent {
                    revision,
                    ..Consent::alone(State::Requested, at, "", method)
                },
                kind: None,
                is_news: true,
                proven: None,
                decides: true,
            });
        };
        let mut history = judged.map(|was| was.history.clone()).unwrap_or_default();
        let evidence = statement.evidence.as_ref().filter(|_| kind == Kind::Again);
        let said = Said {
            at,
            event: None,
            method: method.to_owned(),
            evidence: evidence.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            notice: statement.notice.as_ref().map(|notice| notice.id.clone()),
            asked_at: statement.asked_at,
        };
        let known = history.latest(kind);
        let is_known = known.is_some_and(|known| known.at == at && known.method == method);
        let proven = known.filter(|_| is_known || kind == Kind::Again);
        let proven = proven.map(|known| known.event.clone().unwrap_or_default());
        let is_news = history.take(kind, said);
        let decides = is_news && history.standing().is_some_and(|(_state, by)| by == kind);
        let new = match Consent::of(history.clone(), revision) {
            Some(new) => new,
            // A word like START, before any yes and any no.
            None => Consent {
                history,
                revision,
                ..judged?.clone()
            },
        };
        Some(Self {
            new,
            kind: Some(kind),
            is_news,
            proven,
            decides,
        })
    }
}

/// The act behind a consent that a word like START opened again.
fn reopening(statement: &Statement, consent: &Consent) -> Statement {
    let again = consent.history.latest(Kind::Again);
    Statement {
        action: Action::Given,
        at: consent.at,
        asked_at: None,
        method: consent.method.clone(),
        notice: None,
        locale: None,
        evidence: again
            .and_then(|said| said.evidence.as_ref())
            .map(|text| text.clone().into_bytes()),
        actor: None,
        ..statement.clone()
    }
}

impl Consents {
    /// A recorder over the three tables, which reads in the controls what a person's profiles are.
    pub fn new(
        subjects: Subjects,
        suppression: Suppression,
        ledger: Ledger,
        suppression_pepper: Peppers,
        controls: Controls,
    ) -> Self {
        let deployment = subjects.keyring().deployment().to_owned();
        Self {
            subjects,
            suppression,
            ledger,
            suppression_pepper,
            controls,
            deployment,
        }
    }

    /// The subjects table.
    pub const fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The suppression table.
    pub const fn suppression(&self) -> &Suppression {
        &self.suppression
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The keys an identifier may stand under on the suppression list, the newest first.
    pub fn suppression_keys(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        self.suppression_pepper.entries(identifier)
    }

    /// The keys of several identifiers of one person or many.
    pub fn all_suppression_keys<'a>(
        &self,
        identifiers: impl IntoIterator<Item = &'a Identifier>,
    ) -> Vec<String> {
        let keys = identifiers
            .into_iter()
            .flat_map(|identifier| self.suppression_keys(identifier));
        keys.map(|key| key.as_str().to_owned()).collect()
    }

    /// The keys an identifier is put on the suppression list under.
    pub fn new_suppression_keys(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        self.suppression_pepper.new_entries(identifier)
    }

    /// Reads again which peppers are in force, before work begins.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read: under wrong names nobody is found.
    pub async fn refresh(&self, now: Timestamp) -> Result<(), AwsError> {
        let both = [self.subjects.peppers(), &self.suppression_pepper];
        if both.iter().all(|peppers| peppers.is_fresh(now)) {
            return Ok(());
        }
        let version = self.controls.pepper_version().await?;
        for peppers in both {
            peppers.follow(version, now).await?;
        }
        Ok(())
    }

    /// Moves what stands on the suppression list under older keys of people to the newest; how many entries there
    /// were.
    ///
    /// # Errors
    /// [`AwsError`] when the list cannot be read or written; repeating is safe.
    pub async fn relist(
        &self,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<u64, AwsError> {
        let mut newest: HashMap<Pseudonym, Pseudonym> = HashMap::new();
        for identifier in identifiers {
            let mut keys = self.suppression_keys(identifier).into_iter();
            if let Some(first) = keys.next() {
                newest.extend(keys.map(|older| (older, first.clone())));
            }
        }
        let older: Vec<Pseudonym> = newest.keys().cloned().collect();
        let mut found = 0_u64;
        for entry in self.suppression.entries(&older).await? {
            let key = entry.text("pk").and_then(|pk| Pseudonym::parse(pk).ok());
            if let Some(to) = key.and_then(|key| newest.get(&key)) {
                found = found.saturating_add(1);
                // Not taken: somebody said something meanwhile, and the next round finds it.
                self.suppression.move_entry(&entry, to, now).await?;
            }
        }
        Ok(found)
    }

    /// Records a statement; doing so twice leaves one trace.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; repeating is safe.
    pub async fn record(
        &self,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Recorded, KeyringError> {
        let (mut event, mut reopened) = (None, None);
        for _ in 0..TRIES {
            let states = self
                .subjects
                .states(std::slice::from_ref(&statement.subject))
                .await?;
            if let Some(standing) = states.first().and_then(|s| s.same_as.clone()) {
                let of_standing = Statement {
                    subject: standing,
                    ..statement.clone()
                };
                return Box::pin(self.record(&of_standing, now)).await;
            }
            let (purpose, topic) = (statement.purpose, statement.topic.as_ref());
            let judged = states.first().and_then(|s| s.consent_to(purpose, topic));
            if let Some(same) = judged.filter(|c| is_same(c, statement)) {
                // A yes that was cut off before it took effect takes effect now.
                if same.state == State::Given {
                    self.lift(statement, same.at).await?;
                }
                return Ok(Recorded {
                    in_force: true,
                    event: same.event.clone(),
                    turned: None,
                    was_given: false,
                });
            }
            let Some(fold) = Fold::of(judged, statement, now) else {
                let proof = self.once(&mut event, statement, now).await?;
                return Ok(Recorded::only(proof));
            };
            if !fold.is_news {
                // A yes that was opened again, and cut off before that took effect.
                if let Some(yes) = judged.filter(|c| c.state == State::Given) {
                    self.lift(statement, yes.at).await?;
                }
                let proof = match fold.proven {
                    Some(known) => known,
                    None => self.once(&mut event, statement, now).await?,
                };
                return Ok(Recorded::only(proof));
            }
            let mut new = fold.new;
            let is_turned = judged.is_none_or(|was| was.state != new.state);
            // A no to a topic closes no other, so the list does not know it.
            let is_whole = statement.topic.is_none();
            if is_whole && new.state == State::Withdrawn && (is_turned || fold.decides) {
                self.suppress(statement, &new).await?;
            }
            // What has no effect is proven too; but a word that opens nothing is only remembered.
            let proof = if fold.decides || fold.kind != Some(Kind::Again) {
                self.once(&mut event, statement, now).await?
            } else {
                String::new()
            };
            if let Some(kind) = fold.kind.filter(|_kind| !proof.is_empty()) {
                new.history.prove(kind, &proof);
            }
            if fold.decides {
                new.event.clone_from(&proof);
            } else if new.event.is_empty() {
                // A word like START that was said before has its effect only now.
                let earlier = reopening(statement, &new);
                new.event = self.once(&mut reopened, &earlier, now).await?;
                new.history.prove(Kind::Again, &new.event);
            }
            if self
                .subjects
                .put_consent(&statement.subject, purpose, topic, judged, &new)
                .await?
            {
                match new.state {
                    // Also when a no that came too late has suppressed before it saw the newer yes.
                    State::Given => self.lift(statement, new.at).await?,
                    State::Withdrawn => self.follow(statement).await?,
                    State::Requested | State::Invalidated | State::Refused => {}
                }
                return Ok(Recorded {
                    in_force: fold.decides,
                    event: proof,
                    was_given: judged.is_some_and(|was| was.state == State::Given),
                    turned: (is_turned && !fold.decides && judged.is_some()).then_some(new),
                });
            }
        }
        Err(AwsError::new("recording a consent", "contended").into())
    }

    /// Proves a statement, once however often it is tried.
    async fn once(
        &self,
        proven: &mut Option<String>,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        if let Some(event) = proven {
            return Ok(event.clone());
        }
        let event = self.prove(statement, now).await?;
        *proven = Some(event.clone());
        Ok(event)
    }

    /// Copies what objections are kept under some identifiers of a person to others of the same person.
    ///
    /// # Errors
    /// [`AwsError`] when the list cannot be read or written.
    pub async fn carry_objections(
        &self,
        from: &[Identifier],
        to: &[Identifier],
        at: Timestamp,
    ) -> Result<(), AwsError> {
        let keys = self.all_suppression_keys(from);
        let covered = self.suppression.covering(&keys).await?;
        let mut purposes: Vec<Purpose> = covered.into_iter().flat_map(|(_, p)| p).collect();
        purposes.sort_unstable();
        purposes.dedup();
        if purposes.is_empty() {
            return Ok(());
        }
        for key in to.iter().flat_map(|one| self.new_suppression_keys(one)) {
            self.suppression.add(&key, &purposes, at, CARRIED).await?;
        }
        Ok(())
    }

    async fn prove(&self, statement: &Statement, now: Timestamp) -> Result<String, KeyringError> {
        let salt = self
            .subjects
            .keyring()
            .evidence_salt(&statement.subject)
            .await?;
        let event_type = match statement.action {
            Action::Given => EventType::ConsentGiven,
            Action::Withdrawn => EventType::ConsentWithdrawn,
            Action::Requested => EventType::ConsentRequested,
            Action::Invalidated => EventType::ConsentInvalidated,
            Action::Refused => EventType::ConsentRefused,
        };
        let mut fact = Fact::new(
            now,
            event_type,
            subject_commitment(&salt, &statement.subject),
            &self.deployment,
        );
        fact.purpose = Some(statement.purpose.word().to_owned());
        fact.topic = statement.topic.as_ref().map(ToString::to_string);
        fact.notice = statement
            .notice
            .as_ref()
            .map(|notice| notice.id.to_string());
        fact.locale.clone_from(&statement.locale);
        fact.method = Some(statement.method.clone());
        fact.actor.clone_from(&statement.actor);
        fact.claimed_at = (statement.at != now).then_some(statement.at);
        // A no to nothing that was asked confirms nothing.
        let asked_at = statement
            .asked_at
            .filter(|_| statement.action == Action::Given);
        fact.requested_at = asked_at;
        fact.confirmed_at = asked_at.map(|_asked| statement.at);
        if let Some(law) = self.law(&statement.subject).await? {
            under_law(&mut fact, law);
            if statement.action == Action::Given {
                let validity = Validity::of(law);
                let ends = validity.ends(statement.at, statement.at);
                fact.valid_until = ends;
                fact.renew_after = ends.map(Validity::renewal);
            }
        }
        let evidence = evidence_of(statement);
        fact.evidence = evidence
            .as_ref()
            .map(|bytes| evidence_commitment(&salt, bytes));
        let event = self.ledger.append(&statement.subject, &fact).await?;
        if let Some(bytes) = evidence {
            self.subjects
                .put_evidence(&statement.subject, &event, &bytes)
                .await?;
        }
        Ok(event)
    }

    /// The profiles of a person's country. A no waits for no configuration: without one the event is silent
    /// about them.
    async fn law(&self, subject: &SubjectId) -> Result<Option<EffectiveProfile>, KeyringError> {
        let Ok(config) = self.controls.config().await else {
            return Ok(None);
        };
        let person = self.subjects.load(subject).await?;
        let country = person.and_then(|person| person.country());
        Ok(Some(config.profile_of(country)))
    }

    async fn suppress(&self, statement: &Statement, no: &Consent) -> Result<(), KeyringError> {
        let known = self.identifiers(&statement.subject).await?;
        for key in known.iter().flat_map(|one| self.new_suppression_keys(one)) {
            self.suppression
                .add(&key, &[statement.purpose], no.at, &no.method)
                .await?;
        }
        Ok(())
    }

    async fn lift(&self, statement: &Statement, yes_at: Timestamp) -> Result<(), KeyringError> {
        let known = self.identifiers(&statement.subject).await?;
        let names = self.all_suppression_keys(&known);
        let covered = self.suppression.covering(&names).await?;
        let mut is_lifted = false;
        // The oldest first: an entry is moved from there, and is met before or after.
        let keys = known
            .iter()
            .flat_map(|one| self.suppression_keys(one).into_iter().rev());
        for key in keys {
            if covered.iter().any(|(name, purposes)| {
                name == key.as_str() && purposes.contains(&statement.purpose)
            }) {
                self.suppression
                    .lift(&key, &[statement.purpose], yes_at)
                    .await?;
                is_lifted = true;
            }
        }
        // A no that was recorded meanwhile is on the list again.
        if is_lifted {
            let subject = std::slice::from_ref(&statement.subject);
            let states = self.subjects.states(subject).await?;
            let now = states.first().and_then(|s| s.no_to_all(statement.purpose));
            if let Some(no) = now {
                self.suppress(statement, no).await?;
            }
        }
        Ok(())
    }

    /// After a no: the list has it while nothing of the purpose is agreed to.
    async fn follow(&self, statement: &Statement) -> Result<(), KeyringError> {
        let subject = std::slice::from_ref(&statement.subject);
        let states = self.subjects.states(subject).await?;
        let Some(person) = states.first() else {
            return Ok(());
        };
        if let Some(no) = person.no_to_all(statement.purpose) {
            // Also when a yes that was recorded beside it has taken it off.
            self.suppress(statement, no).await
        } else if let Some(yes_at) = person.last_yes(statement.purpose) {
            // Also when it came too late and is on the list before the newer yes to a topic was seen.
            self.lift(statement, yes_at).await
        } else {
            Ok(())
        }
    }

    /// Every identifier of a person: an opt-out applies to all of them.
    async fn identifiers(&self, subject: &SubjectId) -> Result<Vec<Identifier>, KeyringError> {
        let known = self.subjects.load(subject).await?;
        Ok(known.map_or_else(Vec::new, |known| known.identifiers().collect()))
    }
}

/// Notes by which profiles a fact is judged.
pub(crate) fn under_law(fact: &mut Fact, law: EffectiveProfile) {
    fact.jurisdictions = law.ids().into_iter().map(str::to_owned).collect();
    fact.profile_digest = Some(law.digest());
}

fn is_same(current: &Consent, statement: &Statement) -> bool {
    let state = match statement.action {
        Action::Given => State::Given,
        Action::Withdrawn => State::Withdrawn,
        Action::Requested => State::Requested,
        Action::Invalidated => State::Invalidated,
        Action::Refused => State::Refused,
    };
    // A no is kept as no earlier than the yes it took back, which may be later than it was said.
    let moved = current.at.millis_since(statement.at);
    let took_back = current.history.latest(Kind::Yes).is_some();
    let may_move = state == State::Withdrawn && took_back;
    let is_when = moved == 0 || (may_move && (0..=DOUBT_MS).contains(&moved));
    current.state == state && is_when && current.method == statement.method
}

/// What is sealed as evidence: the proof and the wording, length first, so that neither can pass for the other.
fn evidence_of(statement: &Statement) -> Option<Vec<u8>> {
    let notice = statement.notice.as_ref().and_then(|n| n.text.as_ref());
    if statement.evidence.is_none() && notice.is_none() {
        return None;
    }
    let json = serde_json::json!({
        "evidence": statement.evidence.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        "notice": notice,
    });
    serde_json::to_vec(&json).ok()
}
