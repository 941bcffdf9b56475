//! What `CloudTrail` tells of an access to a deployment: who opened which keys, who made what names are made
//! with, who read or changed what, and who changed who may.
//!
//! Takes one event after the other and keeps of a caller the role or the user: never the session, which is often named
//! by an e-mail address, nor an address or an access key. What the deployment's own functions do is their work, and is
//! only counted. Whoever writes into a trail can write anything: what comes out of here is of closed lists, or has the
//! letters of a name. Shapes: docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html and
//! docs.aws.amazon.com/kms/latest/developerguide/ct-decrypt.html, read 2026-11.

mod calls;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use crate::time::Timestamp;

pub use calls::{BUCKETS, FUNCTIONS, QUEUES, SECRETS, TABLES};

use calls::Names;

#[cfg(test)]
mod tests;

/// What somebody did who is no function of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// Had KMS unwrap a key of a day, of a vault or of a hold.
    OpenedKey,
    /// Had KMS make what pseudonyms are made with.
    MadeNames,
    /// Had KMS sign a checkpoint, a manifest or a receipt.
    Signed,
    /// Read a secret.
    ReadSecret,
    /// Read from a table, a bucket or a queue.
    Read,
    /// Copied a table, a secret or an object, or restored a table.
    Copied,
    /// Wrote into a table, a bucket or a queue.
    Wrote,
    /// Changed a key, a role, a function, a table, a bucket, a queue, a secret, the bus or the trail.
    Changed,
    /// Took the role of a function, and acts under its name from then on.
    TookRole,
}

impl Deed {
    /// The word in a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenedKey => "opened_key",
            Self::MadeNames => "made_names",
            Self::Signed => "signed",
            Self::ReadSecret => "read_secret",
            Self::Read => "read",
            Self::Copied => "copied",
            Self::Wrote => "wrote",
            Self::Changed => "changed",
            Self::TookRole => "took_role",
        }
    }
}

/// How often somebody did the same, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How often it was done.
    pub done: u64,
    /// How often it was refused, or failed.
    pub refused: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
}

/// What was done, to what, and by whom.
pub type Act = (Deed, String, String);

/// What the events tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How many events were read.
    pub events: u64,
    /// How many could not be: without a time or a name.
    pub unreadable: u64,
    /// The first and the last moment of any event, in the time of the access or not.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The regions of the events.
    pub regions: BTreeSet<String>,
    /// The services of which reading and writing shows: `dynamodb`, `s3`, `sqs`.
    pub data_of: BTreeSet<&'static str>,
    /// Whether the use of keys shows: the functions use them all the time.
    pub has_key_use: bool,
    /// What the deployment's own functions did in that time.
    pub by_functions: u64,
    /// What others did in that time.
    pub acts: BTreeMap<Act, Times>,
}

impl Told {
    /// Whether somebody who is no function had a key unwrapped; nothing when the events would not show it.
    pub fn opened(&self, key: &str) -> Option<bool> {
        let is_opened = self.acts.iter().any(|((deed, what, _by), times)| {
            *deed == Deed::OpenedKey && what == key && times.done > 0
        });
        (is_opened || self.has_key_use).then_some(is_opened)
    }

    /// Functions and roles that somebody changed or took: what was done under their names since may be somebody else's.
    pub fn impersonated(&self) -> BTreeSet<&str> {
        let done = self.acts.iter().filter(|(_, times)| times.done > 0);
        let of_functions = done.filter(|((deed, what, _by), _)| {
            let is_role = what.starts_with("role ") || what.starts_with("function ");
            *deed == Deed::TookRole || (*deed == Deed::Changed && is_role)
        });
        of_functions
            .map(|((_, what, _), _)| what.as_str())
            .collect()
    }
}

/// A reader of events of one deployment.
pub struct Trail {
    names: Names,
    window: (Timestamp, Timestamp),
    seen: HashSet<String>,
    told: Told,
}

impl Trail {
    /// Nothing read yet. `keys` names the KMS keys of the deployment by their ARN, the one that wraps keys `data`.
    pub fn new(
        deployment: &str,
        window: (Timestamp, Timestamp),
        keys: BTreeMap<String, &'static str>,
    ) -> Self {
        Self {
            names: Names::new(deployment.to_owned(), keys),
            window,
            seen: HashSet::new(),
            told: Told::default(),
        }
    }

    /// What was told.
    pub fn told(self) -> Told {
        self.told
    }

    /// Takes an event of a log file's `Records`. What was delivered twice was done once.
    pub fn read(&mut self, event: &Value) {
        self.told.events = self.told.events.saturating_add(1);
        let at = text(event, "eventTime").and_then(|at| Timestamp::parse(at).ok());
        let call = text(event, "eventSource").zip(text(event, "eventName"));
        let (Some(at), Some((source, name))) = (at, call) else {
            self.told.unreadable = self.told.unreadable.saturating_add(1);
            return;
        };
        let span = self.told.span.unwrap_or((at, at));
        self.told.span = Some((span.0.min(at), span.1.max(at)));
        if let Some(region) = text(event, "awsRegion").and_then(name_of) {
            self.told.regions.insert(region.to_owned());
        }
        let (service, acts) = self.names.acts(source, name, event);
        let id = text(event, "eventID").unwrap_or_default();
        let is_within = at >= self.window.0 && at < self.window.1;
        if acts.is_empty() || !is_within || (!id.is_empty() && !self.seen.insert(id.to_owned())) {
            return;
        }
        if text(event, "eventCategory") == Some("Data") {
            self.told.data_of.extend(service);
        }
        let is_done = event.get("errorCode").is_none_or(Value::is_null);
        let by = caller(event);
        for (deed, what) in acts {
            self.told.has_key_use |= deed == Deed::OpenedKey && is_done;
            // A function starts by its service taking its role for it.
            let is_start = deed == Deed::TookRole && by == "service lambda.amazonaws.com";
            if is_start || self.names.is_function(&by) {
                self.told.by_functions = self.told.by_functions.saturating_add(1);
                continue;
            }
            let times = self.told.acts.entry((deed, what, by.clone()));
            let times = times.or_insert(Times {
                done: 0,
                refused: 0,
                first: at,
                last: at,
            });
            let count = if is_done {
                &mut times.done
            } else {
                &mut times.refused
            };
            *count = count.saturating_add(1);
            (times.first, times.last) = (times.first.min(at), times.last.max(at));
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// A text that is a name of AWS, and no address of anybody's.
fn name_of(text: &str) -> Option<&str> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "+=,._-/".contains(c);
    (!text.is_empty() && text.len() <= 128 && text.chars().all(is_letter)).then_some(text)
}

/// Who called, as far as it names nobody: a role, a user, a service. One of another account says so, and is no function
/// whatever its role is called.
fn caller(event: &Value) -> String {
    const UNNAMED: &str = "whose name is an address";
    let Some(identity) = event.get("userIdentity") else {
        return "nobody that is named".to_owned();
    };
    let kind = text(identity, "type").and_then(name_of);
    let kind = kind.unwrap_or("a caller of no kind");
    let issuer = identity
        .get("sessionContext")
        .and_then(|context| context.get("sessionIssuer"));
    let issuer = issuer.and_then(|issuer| text(issuer, "userName"));
    // arn:aws:sts::111122223333:assumed-role/ROLE/SESSION
    let arn = text(identity, "arn").and_then(|arn| arn.split_once(":assumed-role/"));
    let in_arn = arn.and_then(|(_, rest)| rest.split('/').next());
    let named = |what: &str, name: Option<&str>| {
        let name = name.and_then(name_of).unwrap_or(UNNAMED);
        format!("{what} {name}")
    };
    let by = match kind {
        "AssumedRole" => named("role", issuer.or(in_arn)),
        "IAMUser" => named("user", text(identity, "userName")),
        "FederatedUser" => named("session of user", issuer),
        "AWSService" => named("service", text(identity, "invokedBy")),
        "Root" => "root".to_owned(),
        kind => kind.to_owned(),
    };
    let accounts = text(identity, "accountId").zip(text(event, "recipientAccountId"));
    match accounts.filter(|(account, recipient)| account != recipient) {
        Some((account, _)) => format!("account {}: {by}", name_of(account).unwrap_or_default()),
        None => by,
    }
}
