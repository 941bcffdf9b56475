//! Who is behind an identifier, when that changes.
//!
//! People change numbers, numbers get new owners, and an app that knew somebody by number meets them by
//! user id. Objections follow the person to every new identifier; what was agreed to does not: it is
//! suspended until the person agrees again. The stricter step always comes first, so that whatever is
//! cut off errs on the side of silence, and every step may be repeated.

use headgate_aws::subjects::Held;
use headgate_domain::consent::{Action, IdentityChange, State, Subject};
use headgate_domain::do_not_sell::DoNotSell;
use headgate_domain::event::Event;
use headgate_domain::identity::{Bsuid, Identifier, Meeting, Phone, SubjectId, meet};
use headgate_domain::lane::PURPOSES;
use headgate_domain::time::Timestamp;
use headgate_webhook::notification::{AccountNotice, Inbound};
use serde_json::json;

use crate::config::Ports;
use crate::outcome::Failure;
use crate::people::{self, Met, identifiers};
use crate::says::{Said, not_to_be_sold, say};

/// Somebody named by both identifiers at once.
pub(crate) struct Named<'a> {
    pub(crate) phone: &'a Phone,
    pub(crate) bsuid: &'a Bsuid,
}

impl Named<'_> {
    fn number(&self) -> Identifier {
        Identifier::Phone(self.phone.clone())
    }

    fn id(&self) -> Identifier {
        Identifier::Bsuid(self.bsuid.clone())
    }
}

/// The person behind a message; of a notice about an account, the person whose account it is.
pub(crate) async fn sender(
    ports: &Ports,
    inbound: &Inbound,
    now: Timestamp,
) -> Result<Met, Failure> {
    let from = (inbound.from_phone.as_ref(), inbound.from_bsuid.as_ref());
    let times = (inbound.at, now);
    match &inbound.notice {
        Some(AccountNotice::Moved { phone, bsuid }) => {
            Box::pin(moved(ports, from, (phone.as_ref(), bsuid.as_ref()), times)).await
        }
        Some(AccountNotice::NewKey) => {
            let met = people::meet(ports, from.0, from.1, times).await?;
            suspend(ports, met, IdentityChange::IdentityKey, inbound.at, now).await
        }
        None => {
            let met = people::meet(ports, from.0, from.1, times).await?;
            Box::pin(compare_keys(ports, met, inbound, now)).await
        }
    }
}

/// What apps are told when a message showed that somebody else may be there; again, when it comes again.
pub(crate) fn told(subject: &Subject, at: Timestamp) -> Option<Event> {
    let (changed_at, change) = subject.identity_change?;
    (changed_at == at).then(|| changed(&subject.id, subject.reference.as_deref(), change, at))
}

fn changed(
    subject: &SubjectId,
    reference: Option<&str>,
    change: IdentityChange,
    at: Timestamp,
) -> Event {
    let id = [subject.as_str(), change.word(), &at.to_string()];
    Event::new("subject.changed", at, &id)
        .with_subject(Some(subject))
        .with_reference(reference.map(str::to_owned))
        .with("change", change.word())
        .with("consents", "suspended")
}

/// Decides who is meant when a number and a user id lead to different people, or one of them nowhere.
pub(crate) async fn reconcile(
    ports: &Ports,
    named: &Named<'_>,
    (by_phone, by_bsuid): (Option<&Held>, Option<&Held>),
    (at, now): (Timestamp, Timestamp),
) -> Result<(SubjectId, Vec<Event>), Failure> {
    // A message from before the change is about who it was then, and moves nothing.
    let late = [by_phone, by_bsuid]
        .into_iter()
        .flatten()
        .any(|held| !held.still);
    if late && let Some(held) = by_bsuid.or(by_phone) {
        return Ok((held.subject.clone(), Vec::new()));
    }
    let holder = held_by(ports, by_phone).await?;
    let account = held_by(ports, by_bsuid).await?;
    let mut events = Vec::new();
    let found = match meet(named.phone, named.bsuid, holder.as_ref(), account.as_ref()) {
        Meeting::Stranger => {
            let both = [named.number(), named.id()];
            ports.subjects.find_or_create(&both, now).await?
        }
        Meeting::Known(known) => {
            for identifier in [named.number(), named.id()] {
                ports.subjects.take_over(&identifier, &known, at).await?;
            }
            known
        }
        Meeting::OnePerson { by_phone, by_bsuid } => {
            let joined = join(ports, named, by_phone, by_bsuid, (at, now)).await?;
            events = joined.1;
            joined.0
        }
        Meeting::NewNumber {
            subject,
            changed,
            loser,
        } => {
            let old = account
                .as_ref()
                .and_then(|account| account.phone.clone())
                .filter(|_own| changed)
                .map(Identifier::Phone);
            if changed {
                note(ports, &subject, IdentityChange::Number, at).await?;
            }
            let number = named.number();
            give(ports, &subject, old, &number, loser, (at, now)).await?;
            subject
        }
        Meeting::NewAccount { loser } => {
            let number = named.number();
            lose(ports, &loser, &number, at).await?;
            ports.subjects.leave(&number, &loser, at).await?;
            let both = [named.id(), number];
            ports.subjects.find_or_create(&both, now).await?
        }
    };
    Ok((found, events))
}

async fn held_by(ports: &Ports, held: Option<&Held>) -> Result<Option<Subject>, Failure> {
    match held {
        Some(held) => Ok(ports.subjects.load(&held.subject).await?),
        None => Ok(None),
    }
}

/// Meta's notice that an account has another number or user id.
async fn moved(
    ports: &Ports,
    (old_phone, old_bsuid): (Option<&Phone>, Option<&Bsuid>),
    (phone, bsuid): (Option<&Phone>, Option<&Bsuid>),
    (said_at, now): (Timestamp, Timestamp),
) -> Result<Met, Failure> {
    let at = said_at.min(now);
    let mut owner = None;
    // The id is the account's own; a number may have had other owners.
    for identifier in identifiers(old_phone, old_bsuid).iter().rev() {
        if owner.is_none() {
            owner = ports.subjects.holder(identifier, at).await?;
        }
    }
    let Some(owner) = owner else {
        // Nobody we know: whoever it is begins anew under the new names.
        return people::meet(ports, phone, bsuid, (said_at, now)).await;
    };
    let met = Box::pin(people::load(ports, &owner.subject, &[], now)).await?;
    let named = identifiers(old_phone, old_bsuid);
    people::refuse_what_is_older(ports, &met.subject, &named, at).await?;
    let is_late = met
        .subject
        .identity_change
        .is_some_and(|(known, _)| known > at);
    if is_late {
        return Ok(met);
    }
    let change = if phone.is_some() {
        IdentityChange::Number
    } else {
        IdentityChange::UserId
    };
    let id = met.subject.id.clone();
    note(ports, &id, change, at).await?;
    let before = identifiers(met.subject.phone.as_ref(), met.subject.bsuid.as_ref());
    let before: Vec<Identifier> = before
        .into_iter()
        .chain(identifiers(old_phone, old_bsuid))
        .collect();
    let after = identifiers(phone, bsuid);
    ports.consents.carry_objections(&before, &after, at).await?;
    // A number that is left is somebody else's soon; a user id is never given to another account.
    for number in before.iter().filter(|i| matches!(i, Identifier::Phone(_))) {
        if !after.contains(number) {
            ports.subjects.forget_identifier(&id, number).await?;
            ports.subjects.leave(number, &id, at).await?;
        }
    }
    for identifier in &after {
        let holder = ports.subjects.holder(identifier, at).await?;
        // It has changed hands since.
        if holder.as_ref().is_some_and(|held| !held.still) {
            continue;
        }
        let loser = holder.map(|held| held.subject).filter(|held| *held != id);
        give(ports, &id, None, identifier, loser, (at, now)).await?;
    }
    Box::pin(people::load(ports, &id, &[], now)).await
}

/// Gives an identifier to a subject: whoever had it loses it, and the old one of the same kind is left.
async fn give(
    ports: &Ports,
    subject: &SubjectId,
    old: Option<Identifier>,
    identifier: &Identifier,
    loser: Option<SubjectId>,
    (at, now): (Timestamp, Timestamp),
) -> Result<(), Failure> {
    if let Some(loser) = loser {
        lose(ports, &loser, identifier, at).await?;
    }
    if let Some(old) = old {
        let objections = std::slice::from_ref(&old);
        let new = std::slice::from_ref(identifier);
        ports.consents.carry_objections(objections, new, at).await?;
        ports.subjects.leave(&old, subject, at).await?;
    }
    // The row before the pointer: a message that comes again then finds what is still to be done.
    ports.subjects.complete(subject, identifier, now).await?;
    ports.subjects.take_over(identifier, subject, at).await?;
    Ok(())
}

/// Takes an identifier from a subject: whoever wrote to the subject by it wrote to somebody else.
async fn lose(
    ports: &Ports,
    loser: &SubjectId,
    identifier: &Identifier,
    at: Timestamp,
) -> Result<(), Failure> {
    note(ports, loser, IdentityChange::NumberReassigned, at).await?;
    Ok(ports.subjects.forget_identifier(loser, identifier).await?)
}

/// Two subjects are one person. The one that anything is recorded about stands for both, the one known by
/// number when that is true of both; what either objected to holds, what only the other agreed to
/// is to be asked again, and a change of the account that only the other saw suspends here, too.
async fn join(
    ports: &Ports,
    named: &Named<'_>,
    by_phone: &Subject,
    by_bsuid: &Subject,
    (at, now): (Timestamp, Timestamp),
) -> Result<(SubjectId, Vec<Event>), Failure> {
    let is_known = |subject: &Subject| {
        subject.meta_stop
            || subject.restricted_at.is_some()
            || subject.consents.iter().any(Option::is_some)
    };
    let phone_stands = is_known(by_phone) || !is_known(by_bsuid);
    let (standing, other, identifier) = if phone_stands {
        (by_phone, by_bsuid, named.id())
    } else {
        (by_bsuid, by_phone, named.number())
    };
    let kept = identifiers(standing.phone.as_ref(), standing.bsuid.as_ref());
    let came = std::slice::from_ref(&identifier);
    ports.consents.carry_objections(&kept, came, at).await?;
    ports.consents.carry_objections(came, &kept, at).await?;
    let doubted = carry_doubt(ports, standing, other).await?;
    if let Some(since) = other.restricted_at {
        ports.subjects.restrict(&standing.id, since, now).await?;
    }
    let same = [other.id.as_str(), "same_person", &at.to_string()];
    let mut events = vec![
        Event::new("subject.changed", at, &same)
            .with_subject(Some(&other.id))
            .with_reference(other.reference.clone())
            .with("change", "same_person")
            .with("same_as", standing.id.as_str()),
    ];
    events.extend(doubted);
    let of_purposes = PURPOSES
        .into_iter()
        .filter_map(|purpose| Some((purpose, None, other.consent(purpose)?)));
    let of_topics = other
        .topics
        .iter()
        .map(|(purpose, topic, c)| (*purpose, Some(topic), c));
    for (purpose, topic, no) in of_purposes.chain(of_topics) {
        if no.state != State::Withdrawn {
            continue;
        }
        let said = Said {
            subject: &standing.id,
            reference: None,
            topic,
            action: Action::Withdrawn,
            asked_at: None,
            at: no.at,
            method: &no.method,
            notice: None,
            locale: None,
            evidence: json!({ "same_as": other.id.as_str(), "ledger_event": no.event }),
            source: other.id.as_str(),
        };
        events.extend(say(ports, &said, purpose, now).await?);
    }
    if let Some(choice) = &other.do_not_sell {
        let carried = DoNotSell {
            source: other.id.as_str().to_owned(),
            event: None,
            ..choice.clone()
        };
        let proof = json!({ "same_as": other.id.as_str(), "ledger_event": choice.event });
        let told = not_to_be_sold(ports, standing, &carried, proof, now);
        events.extend(Box::pin(told).await?);
    }
    if other.meta_stop {
        ports
            .subjects
            .note_meta_stop(&standing.id, true, at)
            .await?;
    }
    if let Some(returned_at) = other.returned_at {
        ports
            .subjects
            .note_return(&standing.id, returned_at)
            .await?;
    }
    if let Some(wrote_at) = other.last_inbound_at {
        ports.subjects.note_inbound(&standing.id, wrote_at).await?;
    }
    // From here on both ids lead to the one that stands; what is cut off is made good at the next meeting.
    ports.subjects.join(&standing.id, &other.id).await?;
    ports
        .subjects
        .take_over(&identifier, &standing.id, at)
        .await?;
    ports
        .subjects
        .complete(&standing.id, &identifier, now)
        .await?;
    Ok((standing.id.clone(), events))
}

/// Whoever stands for both is no more certain to be who they were than either of the two: since the later change, and
/// with the newer key, so that the next one is compared with it. The event when the one that stands learns of it so.
async fn carry_doubt(
    ports: &Ports,
    standing: &Subject,
    other: &Subject,
) -> Result<Option<Event>, Failure> {
    let came = [other.identity_change, between_keys(standing, other)];
    let came = came.into_iter().flatten().max_by_key(|(at, _change)| *at);
    // As late as what is known already: this has come this far before, and apps may not have been told.
    let news = came.filter(|(at, _change)| {
        let known = standing.identity_change;
        known.is_none_or(|(known, _change)| known <= *at)
    });
    if let Some((at, change)) = news {
        note(ports, &standing.id, change, at).await?;
    }
    let is_newer = standing.identity_key_at < other.identity_key_at;
    let is_known = standing.identity_key == other.identity_key;
    if let (Some(key), Some(at)) = (&other.identity_key, other.identity_key_at)
        && is_newer
        && !is_known
    {
        let salt = ports.keyring.salt(&standing.id).await?;
        ports
            .subjects
            .put_identity_key(&standing.id, &salt, key.reveal(), at)
            .await?;
    }
    Ok(news.map(|(at, change)| {
        let reference = standing.reference.as_deref();
        changed(&standing.id, reference, change, at)
    }))
}

/// Two keys of one account are a change of it, when the newer one came: as if one row had seen both.
fn between_keys(one: &Subject, other: &Subject) -> Option<(Timestamp, IdentityChange)> {
    let (known, came) = (one.identity_key.as_ref()?, other.identity_key.as_ref()?);
    let at = one.identity_key_at.max(other.identity_key_at)?;
    (known != came).then_some((at, IdentityChange::IdentityKey))
}

/// Compares the key of the account with the one that is known. A key that is older than the known one
/// shows that the known one was new when it came.
async fn compare_keys(
    ports: &Ports,
    met: Met,
    inbound: &Inbound,
    now: Timestamp,
) -> Result<Met, Failure> {
    let Some(key) = &inbound.identity_key else {
        return Ok(met);
    };
    let at = inbound.at.min(now);
    let known_at = met.subject.identity_key_at;
    let is_newer = known_at.is_none_or(|known_at| at >= known_at);
    match &met.subject.identity_key {
        Some(known) if known == key => Ok(met),
        Some(_) if !is_newer => {
            let since = known_at.unwrap_or(at);
            if !met.subject.is_theirs(since) {
                return Ok(met);
            }
            let mut met = suspend(ports, met, IdentityChange::IdentityKey, since, now).await?;
            met.events.extend(told(&met.subject, since));
            Ok(met)
        }
        known => {
            let (id, is_first) = (met.subject.id.clone(), known.is_none());
            let met = if is_first {
                met
            } else {
                suspend(ports, met, IdentityChange::IdentityKey, at, now).await?
            };
            ports
                .subjects
                .put_identity_key(&id, &met.salt, key.reveal(), at)
                .await?;
            Ok(met)
        }
    }
}

/// Suspends what a person agreed to before a moment.
async fn suspend(
    ports: &Ports,
    met: Met,
    change: IdentityChange,
    at: Timestamp,
    now: Timestamp,
) -> Result<Met, Failure> {
    let id = met.subject.id.clone();
    note(ports, &id, change, at.min(now)).await?;
    let known = Box::pin(people::load(ports, &id, &[], now)).await?;
    Ok(Met {
        events: met.events,
        ..known
    })
}

/// The one write behind every suspension.
pub(crate) async fn note(
    ports: &Ports,
    subject: &SubjectId,
    change: IdentityChange,
    at: Timestamp,
) -> Result<(), Failure> {
    Ok(ports
        .subjects
        .note_identity_change(subject, change, at)
        .await?)
}

/// Meta did not deliver because the account's key is not the one we sent to (137000).
pub(crate) async fn mismatched(
    ports: &Ports,
    subject: &SubjectId,
    at: Timestamp,
) -> Result<Event, Failure> {
    note(ports, subject, IdentityChange::IdentityKey, at).await?;
    Ok(changed(subject, None, IdentityChange::IdentityKey, at))
}
