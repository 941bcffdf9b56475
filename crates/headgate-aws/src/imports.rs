//! Imports: the people of a file's rows are asked, and nobody else is.
//!
//! Owns what one block of rows changes: a subject for whom none was, a proof in the ledger, the state
//! *requested* and a request under the row's code. Never a yes. Who has said no, has said yes, or is asked
//! already is left as they are, and a block that is done again changes nothing: a row whose request is
//! there was done. Reads no file and writes no report.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use headgate_domain::config::Config;
use headgate_domain::consent::{Consent, NoticeId, State, Subject, Topic};
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::import::{
    Column, FileHash, LINK_LIFE_MS, METHOD, Reason, Request, RowFault, has_run_out,
};
use headgate_domain::lane::Purpose;
use headgate_domain::ledger::{
    Commitment, EventType, Fact, evidence_commitment, subject_commitment,
};
use headgate_domain::region::Country;
use headgate_domain::time::Timestamp;

use crate::consents::{Consents, under_law};
use crate::keyring::{KeyringError, Salts};
use crate::subjects::asking::{Asked, Asking};

/// How often rows are judged anew of which none had an answer: each person said something meanwhile.
const TRIES: u32 = 4;
/// How many people are asked together; the ledger, the tables and the sealing of others go on beside them.
const LANE: usize = 250;

/// A file, and in whose name and by whose rules it asks.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The file.
    pub file: &'a FileHash,
    /// The configuration in force.
    pub config: &'a Config,
}

/// A row that asks.
pub struct Asker<'a> {
    /// Its number in the file.
    pub number: u64,
    /// What it asks.
    pub request: &'a Request,
    /// The hash of its code.
    pub code_hash: &'a str,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The person is asked for these.
    Asked(Vec<Purpose>),
    /// Nobody is asked.
    Refused(RowFault),
}

/// One of the things a row asks for, with where the person stands.
#[derive(Clone)]
struct Ask {
    purpose: Purpose,
    topic: Option<Topic>,
    judged: Option<Consent>,
}

/// What is asked of a person, before it is proven.
struct Plan<'a> {
    row: &'a Asker<'a>,
    index: usize,
    asks: Vec<Ask>,
}

impl Plan<'_> {
    fn purposes(&self) -> Vec<Purpose> {
        let mut purposes: Vec<Purpose> = self.asks.iter().map(|ask| ask.purpose).collect();
        purposes.dedup();
        purposes
    }
}

/// Asks the people of files.
#[derive(Clone)]
pub struct Imports {
    consents: Consents,
}

impl Imports {
    /// An importer that records with these.
    pub const fn new(consents: Consents) -> Self {
        Self { consents }
    }

    /// Asks the people of a block of rows; the answers are in the order of the rows.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; doing the same block again is safe.
    pub async fn ask(
        &self,
        source: Source<'_>,
        rows: &[Asker<'_>],
        now: Timestamp,
    ) -> Result<Vec<Answer>, KeyringError> {
        let hashes: Vec<&str> = rows.iter().map(|row| row.code_hash).collect();
        let done = self.consents.subjects().requests(&hashes).await?;
        let mut answers: Vec<Option<Answer>> = rows
            .iter()
            .map(|row| done.get(row.code_hash).cloned().map(Answer::Asked))
            .collect();
        let mut tries = 0;
        while tries < TRIES {
            let open: Vec<(usize, &Asker<'_>)> = rows
                .iter()
                .enumerate()
                .filter(|(index, _)| answers.get(*index).is_some_and(Option::is_none))
                .collect();
            if open.is_empty() {
                break;
            }
            let answered = self.pass(source, &open, now).await?;
            if answered.is_empty() {
                tries = tries.saturating_add(1);
            }
            for (index, answer) in answered {
                if let Some(place) = answers.get_mut(index) {
                    *place = Some(answer);
                }
            }
        }
        // Somebody who says something at every try has it their way.
        let contended = Answer::Refused(RowFault::of(Reason::AlreadyRequested));
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| contended.clone()))
            .collect())
    }

    /// Judges rows and asks whom it may; who said something meanwhile has no answer, nor has the second
    /// row of a person that asks for something else, under the same number or another one.
    async fn pass<'a>(
        &self,
        source: Source<'_>,
        rows: &[(usize, &'a Asker<'a>)],
        now: Timestamp,
    ) -> Result<Vec<(usize, Answer)>, KeyringError> {
        let people = self.people(rows, now).await?;
        let mut answers = Vec::with_capacity(rows.len());
        let mut plans: Vec<Plan<'a>> = Vec::new();
        let mut planned: HashMap<Whose<'_>, usize> = HashMap::new();
        for (index, row) in rows {
            let phone = &row.request.phone;
            let known = people.get(phone);
            let whose = Whose::of(phone, known);
            let earlier = planned.get(&whose).and_then(|at| plans.get(*at));
            let asked = earlier.map_or(&[][..], |plan| &plan.asks);
            match judge(source.config, row.request, known, asked, now) {
                // A person's row is written once in a transaction: for something else, the next pass.
                Ok(_) if earlier.is_some() => {}
                Ok(asks) => {
                    planned.insert(whose, plans.len());
                    plans.push(Plan {
                        row,
                        index: *index,
                        asks,
                    });
                }
                Err(fault) => answers.push((*index, Answer::Refused(fault))),
            }
        }
        // A pass has one plan of a person, so nobody is in two lanes.
        let lanes = plans
            .chunks(LANE)
            .map(|lane| Box::pin(self.carry_out(source, lane, &people, now)));
        answers.extend(try_join_all(lanes).await?.into_iter().flatten());
        Ok(answers)
    }

    /// What is known of the people behind the rows.
    async fn people(
        &self,
        rows: &[(usize, &Asker<'_>)],
        now: Timestamp,
    ) -> Result<HashMap<Phone, Known>, KeyringError> {
        let subjects = self.consents.subjects();
        let mut identifiers: Vec<Identifier> = rows
            .iter()
            .map(|(_, row)| Identifier::Phone(row.request.phone.clone()))
            .collect();
        identifiers.sort_unstable_by(|a, b| a.reveal().cmp(b.reveal()));
        identifiers.dedup();
        let keys = self.consents.all_suppression_keys(&identifiers);
        let suppression = self.consents.suppression();
        let (found, covered, erased) = tokio::try_join!(
            subjects.find_all(&identifiers),
            suppression.covering(&keys),
            suppression.erased(&keys)
        )?;
        let ids: Vec<SubjectId> = found.values().cloned().collect();
        let states = subjects.states(&ids).await?;
        let states: HashMap<&SubjectId, &Subject> = states.iter().map(|s| (&s.id, s)).collect();
        // Who never answered was forgotten, and the number still leads to where the row was.
        for (identifier, id) in found.iter().filter(|(_, id)| !states.contains_key(id)) {
            subjects.restore(id, identifier, now).await?;
        }
        let covered: HashMap<String, Vec<Purpose>> = covered.into_iter().collect();
        let mut people = HashMap::with_capacity(identifiers.len());
        for identifier in identifiers {
            let subject = found.get(&identifier).map(|id| {
                let state = states.get(id).copied().cloned();
                state.unwrap_or_else(|| Subject::unknown(id.clone()))
            });
            let keys = self.consents.suppression_keys(&identifier);
            let entries = keys.iter().filter_map(|key| covered.get(key.as_str()));
            let suppressed: Vec<Purpose> = entries.flatten().copied().collect();
            let marks = keys.iter().filter_map(|key| erased.get(key.as_str()));
            let erased_at = marks.max().copied();
            if let Identifier::Phone(phone) = identifier {
                people.insert(
                    phone,
                    Known {
                        subject,
                        suppressed,
                        erased_at,
                    },
                );
            }
        }
        Ok(people)
    }

    async fn carry_out(
        &self,
        source: Source<'_>,
        plans: &[Plan<'_>],
        people: &HashMap<Phone, Known>,
        now: Timestamp,
    ) -> Result<Vec<(usize, Answer)>, KeyringError> {
        let who = self.subjects_of(plans, people, now).await?;
        let deployment = self.consents.subjects().keyring().deployment();
        let mut facts = Vec::with_capacity(plans.len());
        let mut evidences = Vec::with_capacity(plans.len());
        for plan in plans {
            let Some((subject, salts)) = who.get(&plan.row.request.phone) else {
                continue;
            };
            let evidence = evidence(source.file, plan.row);
            let request = plan.row.request;
            let controller = &source.config.controller.name;
            let notice = NoticeId::of(request.notice.reveal(), &request.locale, controller);
            let salt = salts.evidence_bytes();
            let person = Person {
                subject: subject_commitment(salt, subject),
                evidence: evidence_commitment(salt, &evidence),
                notice,
            };
            let law = source.config.profile_of(Country::of_phone(&request.phone));
            for ask in &plan.asks {
                let mut fact = fact(plan.row, ask, &person, deployment, now);
                under_law(&mut fact, law);
                facts.push((subject.clone(), fact));
            }
            evidences.push((plan, subject, salts, evidence));
        }
        let events = self.consents.ledger().append_all(&facts).await?;
        let mut events = events.into_iter();
        let mut asking = Vec::with_capacity(evidences.len());
        for (plan, subject, salts, evidence) in &evidences {
            let asked = plan.asks.iter().zip(events.by_ref());
            let asked = asked.map(|(ask, event)| Asked {
                purpose: ask.purpose,
                topic: ask.topic.clone(),
                new: requested(ask.judged.as_ref(), &event, now),
                judged: ask.judged.clone(),
                evidence: evidence.clone(),
            });
            let request = plan.row.request;
            asking.push(Asking {
                subject,
                salt: &salts.vault,
                code_hash: plan.row.code_hash,
                asked: asked.collect(),
                notice: request.notice.reveal(),
                locale: &request.locale,
                reference: request
                    .reference
                    .as_ref()
                    .map(|text| text.reveal().as_str()),
                is_attested: request.is_attested(),
                expires_at: now.plus_millis(LINK_LIFE_MS),
            });
        }
        let asked = self.consents.subjects().ask_all(&asking).await?;
        Ok(evidences
            .iter()
            .zip(asked)
            .filter(|(_, is_asked)| *is_asked)
            .map(|((plan, ..), _)| (plan.index, Answer::Asked(plan.purposes())))
            .collect())
    }

    /// The subject and the salts of everybody who is to be asked.
    async fn subjects_of(
        &self,
        plans: &[Plan<'_>],
        people: &HashMap<Phone, Known>,
        now: Timestamp,
    ) -> Result<HashMap<Phone, (SubjectId, Salts)>, KeyringError> {
        let subjects = self.consents.subjects();
        let mut known = HashMap::new();
        let mut unknown: Vec<&Phone> = Vec::new();
        for plan in plans {
            let phone = &plan.row.request.phone;
            match people.get(phone).and_then(|person| person.subject.as_ref()) {
                Some(subject) => {
                    known.insert(phone, standing(subject).clone());
                }
                None if unknown.contains(&phone) => {}
                None => unknown.push(phone),
            }
        }
        let ids: Vec<SubjectId> = known.values().cloned().collect();
        let (created, salts) = tokio::try_join!(
            Box::pin(subjects.create_all(&unknown, now)),
            subjects.keyring().both_salts_of(&ids)
        )?;
        let mut who = created;
        for (phone, subject) in known {
            // Who was erased meanwhile has no salts, and is not asked.
            if let Some(salts) = salts.get(&subject) {
                who.insert(phone.clone(), (subject, salts.clone()));
            }
        }
        Ok(who)
    }
}

/// What is known of a person.
struct Known {
    subject: Option<Subject>,
    suppressed: Vec<Purpose>,
    /// When whoever was behind the number was erased, lately.
    erased_at: Option<Timestamp>,
}

/// Whose row it is: two numbers may be one person's.
#[derive(PartialEq, Eq, Hash)]
enum Whose<'a> {
    Known(&'a SubjectId),
    Unknown(&'a Phone),
}

impl<'a> Whose<'a> {
    fn of(phone: &'a Phone, known: Option<&'a Known>) -> Self {
        let subject = known.and_then(|known| known.subject.as_ref());
        subject.map_or(Self::Unknown(phone), |subject| {
            Self::Known(standing(subject))
        })
    }
}

/// Who stands for a person whom the business knew as two.
fn standing(subject: &Subject) -> &SubjectId {
    subject.same_as.as_ref().unwrap_or(&subject.id)
}

/// What the person may be asked for, with where they stand; the reason of the first when nothing.
fn judge(
    config: &Config,
    request: &Request,
    known: Option<&Known>,
    asked: &[Ask],
    now: Timestamp,
) -> Result<Vec<Ask>, RowFault> {
    let is_known = |(purpose, topic): (Purpose, Option<&Topic>)| {
        topic.is_none_or(|topic| config.consents.has_topic(purpose, topic))
    };
    if !request.each().all(is_known) {
        return Err(RowFault::at(Column::Topics, Reason::Topics));
    }
    let mut asks = Vec::with_capacity(request.purposes.len());
    let mut refused = None;
    for (purpose, topic) in request.each() {
        let is_it = |ask: &Ask| {
            ask.purpose == purpose && (ask.topic.is_none() || ask.topic.as_ref() == topic)
        };
        let reason = if asked.iter().any(is_it) {
            Some(Reason::AlreadyRequested)
        } else {
            known.and_then(|known| against(request, known, (purpose, topic), now))
        };
        if let Some(reason) = reason {
            refused = refused.or(Some(reason));
        } else {
            let subject = known.and_then(|known| known.subject.as_ref());
            asks.push(Ask {
                purpose,
                topic: topic.cloned(),
                judged: subject.and_then(|s| s.consent_to(purpose, topic)).cloned(),
            });
        }
    }
    match refused {
        Some(reason) if asks.is_empty() => Err(RowFault::of(reason)),
        Some(_) | None => Ok(asks),
    }
}

/// Why a person is not asked for a purpose, or a topic of it. A no comes before everything.
fn against(
    request: &Request,
    known: &Known,
    (purpose, topic): (Purpose, Option<&Topic>),
    now: Timestamp,
) -> Option<Reason> {
    if known.suppressed.contains(&purpose) {
        return Some(Reason::Suppressed);
    }
    let subject = known.subject.as_ref();
    if let Some(stands) = subject.and_then(|subject| stands(subject, (purpose, topic), now)) {
        return Some(stands);
    }
    // Whoever was erased is not brought back by what they are said to have agreed to before. It is told like
    // any no: that somebody was erased is nobody's to know.
    if known.erased_at.is_some_and(|at| request.claimed_at <= at) {
        return Some(Reason::Suppressed);
    }
    let is_theirs = subject.is_none_or(|subject| subject.is_theirs(request.claimed_at));
    (!is_theirs).then_some(Reason::IdentityChanged)
}

/// What a person has said already, as the reason not to ask.
fn stands(
    subject: &Subject,
    (purpose, topic): (Purpose, Option<&Topic>),
    now: Timestamp,
) -> Option<Reason> {
    if subject.meta_stop && purpose == Purpose::Marketing {
        return Some(Reason::Suppressed);
    }
    let consent = subject.deciding(purpose, topic)?;
    match consent.state {
        State::Withdrawn => Some(Reason::Suppressed),
        State::Requested if !has_run_out(consent.at, now) => Some(Reason::AlreadyRequested),
        State::Given if subject.is_theirs(consent.agreed_at()) => Some(Reason::AlreadyGiven),
        State::Given | State::Requested | State::Invalidated | State::Refused => None,
    }
}

/// Where a person stands who is asked.
fn requested(judged: Option<&Consent>, event: &str, now: Timestamp) -> Consent {
    let revision = judged.map_or(1, |was| was.revision.saturating_add(1));
    Consent {
        revision,
        history: judged.map(|was| was.history.clone()).unwrap_or_default(),
        ..Consent::alone(State::Requested, now, event, METHOD)
    }
}

/// What is sealed as evidence: the file and the row, what they claim, and the wording.
fn evidence(file: &FileHash, row: &Asker<'_>) -> Vec<u8> {
    let claim = serde_json::json!({
        "file": file.as_str(),
        "row": row.number,
        "claimed_at": row.request.claimed_at.to_string(),
        "claimed_method": row.request.method,
        "attestation": row.request.attestation.as_ref().map(headgate_redact::Personal::reveal),
    });
    let json = serde_json::json!({
        "evidence": claim.to_string(),
        "notice": row.request.notice.reveal(),
    });
    json.to_string().into_bytes()
}

/// How the ledger speaks of who is asked, and of what proves it.
struct Person {
    subject: Commitment,
    evidence: Commitment,
    notice: NoticeId,
}

fn fact(row: &Asker<'_>, ask: &Ask, person: &Person, deployment: &str, now: Timestamp) -> Fact {
    let mut fact = Fact::new(
        now,
        EventType::ConsentRequested,
        person.subject.clone(),
        deployment,
    );
    fact.purpose = Some(ask.purpose.word().to_owned());
    fact.topic = ask.topic.as_ref().map(ToString::to_string);
    fact.notice = Some(person.notice.to_string());
    fact.locale = Some(row.request.locale.clone());
    fact.method = Some(METHOD.to_owned());
    fact.evidence = Some(person.evidence.clone());
    fact.claimed_at = Some(row.request.claimed_at);
    fact
}
