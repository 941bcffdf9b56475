//! What `CloudTrail` tells of an access to a deployment: who opened which keys, who made what names are made
//! with, who read or changed what, and who changed who may.
//!
//! Takes one event after the other and keeps of a caller the role or the user: never the session, which is often named
//! by an e-mail address, nor an address or an access key. What the deployment's own functions do is their work, and is
//! only counted. Shapes: docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html and
//! docs.aws.amazon.com/kms/latest/developerguide/ct-decrypt.html, read 2026-11.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// The functions of a deployment: the role of each is `<deployment>-<function>`.
pub const FUNCTIONS: [&str; 10] = [
    "webhook",
    "notification-processor",
    "intake",
    "sender",
    "privacy-web",
    "consent-api",
    "retention-purge",
    "ledger-checkpoint",
    "consent-import",
    "privacy-worker",
];

/// What somebody did who is no function of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// Had KMS unwrap a key of a day, of a vault or of a hold.
    OpenedKey,
    /// Had KMS make what pseudonyms are made with.
    MadeNames,
    /// Read a secret.
    ReadSecret,
    /// Read from a table, a bucket or a queue.
    Read,
    /// Copied a table, or restored one.
    Copied,
    /// Wrote into a table, a bucket or a queue.
    Wrote,
    /// Changed a key, a role, a function, a table or a secret.
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
            Self::ReadSecret => "read_secret",
            Self::Read => "read",
            Self::Copied => "copied",
            Self::Wrote => "wrote",
            Self::Changed => "changed",
            Self::TookRole => "took_role",
        }
    }
}

/// What each call of a service is. A star stands for the rest of a name: some end in the version of their API.
const CALLS: [(&str, Deed, &[&str]); 19] = [
    ("kms", Deed::OpenedKey, &["Decrypt", "ReEncrypt"]),
    ("kms", Deed::MadeNames, &["GenerateMac", "VerifyMac"]),
    (
        "kms",
        Deed::Changed,
        &[
            "PutKeyPolicy",
            "CreateGrant",
            "DisableKey",
            "ScheduleKeyDeletion",
            "RotateKeyOnDemand",
        ],
    ),
    (
        "dynamodb",
        Deed::Read,
        &[
            "GetItem",
            "BatchGetItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "ExecuteStatement",
            "BatchExecuteStatement",
            "ExecuteTransaction",
            "GetRecords",
        ],
    ),
    (
        "dynamodb",
        Deed::Wrote,
        &[
            "PutItem",
            "UpdateItem",
            "DeleteItem",
            "BatchWriteItem",
            "TransactWriteItems",
        ],
    ),
    (
        "dynamodb",
        Deed::Copied,
        &[
            "CreateBackup",
            "ExportTableToPointInTime",
            "RestoreTableToPointInTime",
            "RestoreTableFromBackup",
            "EnableKinesisStreamingDestination",
        ],
    ),
    (
        "dynamodb",
        Deed::Changed,
        &[
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "UpdateTable",
            "DeleteTable",
            "UpdateContinuousBackups",
        ],
    ),
    (
        "secretsmanager",
        Deed::ReadSecret,
        &["GetSecretValue", "BatchGetSecretValue"],
    ),
    (
        "secretsmanager",
        Deed::Changed,
        &[
            "PutSecretValue",
            "UpdateSecret*",
            "DeleteSecret",
            "PutResourcePolicy",
            "DeleteResourcePolicy",
        ],
    ),
    ("s3", Deed::Read, &["GetObject", "ListObject*"]),
    ("s3", Deed::Copied, &["CopyObject"]),
    ("s3", Deed::Wrote, &["PutObject", "DeleteObject*"]),
    ("s3", Deed::Changed, &["PutBucket*", "DeleteBucket*"]),
    ("sqs", Deed::Read, &["ReceiveMessage"]),
    (
        "sqs",
        Deed::Wrote,
        &["SendMessage*", "DeleteMessage*", "PurgeQueue"],
    ),
    (
        "sqs",
        Deed::Changed,
        &[
            "SetQueueAttributes",
            "AddPermission",
            "StartMessageMoveTask",
        ],
    ),
    (
        "lambda",
        Deed::Changed,
        &["UpdateFunction*", "AddPermission*", "PutFunction*"],
    ),
    (
        "iam",
        Deed::Changed,
        &["Put*", "Attach*", "Detach*", "Delete*", "Update*"],
    ),
    ("sts", Deed::TookRole, &["AssumeRole*"]),
];

/// Where a call of `DynamoDB` names its table.
const TABLES: [&str; 6] = [
    "tableName",
    "tableArn",
    "sourceTableName",
    "sourceTableArn",
    "backupArn",
    "resourceArn",
];

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
    /// How many could not be: without a time, or of no shape that is known.
    pub unreadable: u64,
    /// The first and the last moment of any event, in the time of the access or not.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What the deployment's own functions did in that time.
    pub by_functions: u64,
    /// Whether reading a table or a bucket would show: the trail has data events of this deployment.
    pub has_data_events: bool,
    /// What others did in that time.
    pub acts: BTreeMap<Act, Times>,
}

impl Told {
    /// Whether somebody who is no function had a key unwrapped.
    pub fn is_opened(&self, key: &str) -> bool {
        self.acts.iter().any(|((deed, what, _by), times)| {
            *deed == Deed::OpenedKey && what == key && times.done > 0
        })
    }
}

/// A reader of events of one deployment.
pub struct Trail {
    deployment: String,
    window: (Timestamp, Timestamp),
    /// Keys of KMS that are ours and that no name in a request tells, by their ARN.
    keys: BTreeMap<String, &'static str>,
    seen: HashSet<String>,
    told: Told,
}

impl Trail {
    /// Nothing read yet. `keys` names the KMS keys of the deployment by their ARN; of keys that are not in it, only
    /// what their use says of itself is known.
    pub fn new(
        deployment: &str,
        window: (Timestamp, Timestamp),
        keys: BTreeMap<String, &'static str>,
    ) -> Self {
        Self {
            deployment: deployment.to_owned(),
            window,
            keys,
            seen: HashSet::new(),
            told: Told::default(),
        }
    }

    /// What was told.
    pub fn told(self) -> Told {
        self.told
    }

    /// Takes an event of a log file's `Records`; one that was delivered twice counts once.
    pub fn read(&mut self, event: &Value) {
        self.told.events = self.told.events.saturating_add(1);
        let at = text(event, "eventTime").and_then(|at| Timestamp::parse(at).ok());
        let name = text(event, "eventSource").zip(text(event, "eventName"));
        let (Some(at), Some((source, name))) = (at, name) else {
            self.told.unreadable = self.told.unreadable.saturating_add(1);
            return;
        };
        let span = self.told.span.unwrap_or((at, at));
        self.told.span = Some((span.0.min(at), span.1.max(at)));
        let Some((deed, what)) = self.act(source, name, event) else {
            return;
        };
        self.told.has_data_events |= text(event, "eventCategory") == Some("Data");
        let is_within = at >= self.window.0 && at < self.window.1;
        let id = text(event, "eventID").unwrap_or_default();
        if !is_within || (!id.is_empty() && !self.seen.insert(id.to_owned())) {
            return;
        }
        let by = caller(event);
        // A function starts by its service taking its role for it.
        let is_start = deed == Deed::TookRole && by == "service lambda.amazonaws.com";
        if is_start || self.is_function(&by) {
            self.told.by_functions = self.told.by_functions.saturating_add(1);
            return;
        }
        let times = self.told.acts.entry((deed, what, by)).or_insert(Times {
            done: 0,
            refused: 0,
            first: at,
            last: at,
        });
        let count = if event.get("errorCode").is_none_or(Value::is_null) {
            &mut times.done
        } else {
            &mut times.refused
        };
        *count = count.saturating_add(1);
        (times.first, times.last) = (times.first.min(at), times.last.max(at));
    }

    /// What an event is of this deployment, and to what.
    fn act(&self, source: &str, name: &str, event: &Value) -> Option<(Deed, String)> {
        let service = source.strip_suffix(".amazonaws.com")?;
        let is_it = |call: &str| match call.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == call,
        };
        let mut calls = CALLS.iter();
        let (_, deed, _) =
            calls.find(|(of, _, calls)| *of == service && calls.iter().any(|call| is_it(call)))?;
        let asked = |name| parameter(event, name).into_iter();
        let what = match service {
            "kms" if *deed == Deed::OpenedKey => self.wrapped(event)?,
            "kms" => {
                let keys = asked("keyId").chain(resources(event));
                let key = keys.filter_map(|key| self.keys.get(key)).min()?;
                format!("key {key}")
            }
            "dynamodb" => {
                let tables = TABLES.into_iter().flat_map(asked);
                self.ours(tables.chain(resources(event)), ":table/")?
            }
            "secretsmanager" => {
                let listed = event.get("requestParameters")?.get("secretIdList");
                let listed = listed.and_then(Value::as_array).into_iter().flatten();
                let secrets = asked("secretId").chain(listed.filter_map(Value::as_str));
                format!("secret {}", self.secret(secrets.chain(resources(event)))?)
            }
            "s3" => self.ours(asked("bucketName"), ":::")?,
            "sqs" => {
                let queue = parameter(event, "queueUrl").or(parameter(event, "sourceArn"))?;
                self.ours(queue.rsplit(['/', ':']).take(1), "/")?
            }
            "lambda" => self.ours(asked("functionName"), ":function:")?,
            "iam" => format!("role {}", self.ours(asked("roleName"), "/")?),
            "sts" => {
                let role = format!("role {}", self.ours(asked("roleArn"), "/")?);
                self.is_function(&role).then_some(role)?
            }
            _ => return None,
        };
        Some((*deed, what))
    }

    /// The key that was unwrapped: one that Headgate wraps says in its context whose and which it is.
    fn wrapped(&self, event: &Value) -> Option<String> {
        let parameters = event.get("requestParameters")?;
        let context = ["encryptionContext", "sourceEncryptionContext"];
        let context = context.iter().find_map(|name| parameters.get(name))?;
        let is_ours = text(context, "headgate:deployment") == Some(&self.deployment);
        let key = text(context, "headgate:key").filter(|_key| is_ours)?;
        Some(key.to_owned())
    }

    /// The first of these secrets, by name or by ARN, that is the deployment's.
    fn secret<'a>(&self, asked: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let own = format!("{}/", self.deployment);
        let names = asked.map(|asked| match asked.rsplit_once(":secret:") {
            Some((_, name)) => name,
            None => asked,
        });
        names.filter(|name| name.starts_with(&own)).min()
    }

    /// The first of these names, or of what their ARNs end in, that is the deployment's.
    fn ours<'a>(&self, asked: impl Iterator<Item = &'a str>, before: &str) -> Option<String> {
        let own = format!("{}-", self.deployment);
        let names = asked.map(|asked| {
            let name = asked.rsplit_once(before).map_or(asked, |(_, name)| name);
            name.split(['/', ':']).next().unwrap_or(name)
        });
        names
            .filter(|name| name.starts_with(&own))
            .min()
            .map(str::to_owned)
    }

    fn is_function(&self, by: &str) -> bool {
        let name = by
            .strip_prefix("role ")
            .and_then(|role| role.strip_prefix(&self.deployment)?.strip_prefix('-'));
        name.is_some_and(|name| FUNCTIONS.contains(&name))
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn parameter<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    text(event.get("requestParameters")?, name)
}

/// The ARNs an event names.
fn resources(event: &Value) -> impl Iterator<Item = &str> {
    let listed = event.get("resources").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(|resource| text(resource, "ARN"))
}

/// Who called, as far as it names nobody: a role, a user, a service. One of another account says so, and is no function
/// whatever its role is called.
fn caller(event: &Value) -> String {
    let Some(identity) = event.get("userIdentity") else {
        return "nobody that is named".to_owned();
    };
    let kind = text(identity, "type").unwrap_or("a caller of no kind");
    let issuer = identity
        .get("sessionContext")
        .and_then(|context| context.get("sessionIssuer"));
    let role = issuer.and_then(|issuer| text(issuer, "userName"));
    let by = match (kind, role) {
        ("AssumedRole", Some(role)) => format!("role {role}"),
        ("IAMUser", _) => format!("user {}", text(identity, "userName").unwrap_or_default()),
        ("Root", _) => "root".to_owned(),
        ("AWSService", _) => {
            let service = text(identity, "invokedBy").unwrap_or_default();
            format!("service {service}")
        }
        (kind, _) => kind.to_owned(),
    };
    let account = text(identity, "accountId");
    let is_foreign = account
        .zip(text(event, "recipientAccountId"))
        .is_some_and(|(account, recipient)| account != recipient);
    match account.filter(|_account| is_foreign) {
        Some(account) => format!("account {account}: {by}"),
        None => by,
    }
}
