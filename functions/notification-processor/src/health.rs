//! Whether people can be reached: what statuses say about it.
//!
//! Owns which statuses are worth a write. A failure is, when its code says something about the
//! person. A delivery is only when something bad is known: that is read for a whole batch at once,
//! because nearly everybody can be reached. What a fact means is the domain's.

use headgate_aws::AwsError;
use headgate_domain::health::Fact;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;

use crate::config::Ports;
use crate::outcome::Failure;

/// Someone who was reached: which record of the batch says so, who, with what, when.
pub(crate) type Reached = (usize, (SubjectId, Purpose, Timestamp));

/// Notes what a failure says about the person.
pub(crate) async fn failed(
    ports: &Ports,
    subject: &SubjectId,
    code: Option<u32>,
    at: Timestamp,
) -> Result<(), AwsError> {
    match code.and_then(|code| Fact::of_failure(i64::from(code))) {
        Some(fact) => ports.subjects.note_health(subject, fact, at).await,
        None => Ok(()),
    }
}

/// Forgets what bad was known of those who were reached; the records for which that failed.
pub(crate) async fn reached(ports: &Ports, reached: Vec<Reached>) -> Vec<(usize, Failure)> {
    let mut subjects: Vec<SubjectId> = reached
        .iter()
        .map(|(_record, (subject, ..))| subject.clone())
        .collect();
    subjects.sort_unstable();
    subjects.dedup();
    if subjects.is_empty() {
        return Vec::new();
    }
    let failing = match ports.subjects.states(&subjects).await {
        Ok(states) => states
            .into_iter()
            .filter(|subject| !subject.health.is_good())
            .map(|subject| subject.id)
            .collect::<Vec<_>>(),
        Err(error) => {
            let all = reached.into_iter();
            return all
                .map(|(record, _who)| (record, error.clone().into()))
                .collect();
        }
    };
    let mut failures = Vec::new();
    for (record, (subject, purpose, at)) in reached {
        if !failing.contains(&subject) {
            continue;
        }
        let fact = Fact::Delivered(purpose);
        if let Err(error) = ports.subjects.note_health(&subject, fact, at).await {
            failures.push((record, error.into()));
        }
    }
    failures
}
