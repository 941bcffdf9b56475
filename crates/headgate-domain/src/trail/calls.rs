//! What a call of an AWS service does, and to what of a deployment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Deed, name_of, text};
use crate::privacy::HoldId;
use crate::time::Day;

/// The functions of a deployment: the role of each, and the function, is `<deployment>-<name>`.
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
/// Its tables, named likewise.
pub const TABLES: [&str; 9] = [
    "subjects",
    "suppression",
    "consent-ledger",
    "messages",
    "pacing",
    "keys",
    "controls",
    "evidence",
    "privacy-requests",
];
/// Its queues, each with one of dead letters, `<name>-dlq`.
pub const QUEUES: [&str; 11] = [
    "authentication",
    "service",
    "utility",
    "marketing",
    "system",
    "consents",
    "imports",
    "privacy-requests",
    "notifications",
    "wake",
    "app-events",
];
/// Its buckets: `<deployment>-<name>-<account>`.
pub const BUCKETS: [&str; 3] = ["overflow", "checkpoints", "imports"];
/// Its secrets: `<deployment>/<name>`.
pub const SECRETS: [&str; 2] = ["webhook", "graph-send"];

/// What each call of a service is. A star stands for the rest of a name: some end in the version of their API.
const CALLS: &[(&str, Deed, &[&str])] = &[
    ("kms", Deed::OpenedKey, &["Decrypt", "ReEncrypt"]),
    ("kms", Deed::MadeNames, &["GenerateMac", "VerifyMac"]),
    ("kms", Deed::Signed, &["Sign"]),
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
            "StartAwsBackupJob",
            "ExportTableToPointInTime",
            "RestoreTable*",
            "EnableKinesisStreamingDestination",
        ],
    ),
    (
        "dynamodb",
        Deed::Changed,
        &[
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "UpdateTable*",
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
        Deed::Copied,
        &["ReplicateSecretToRegions"],
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
    ("s3", Deed::Read, &["GetObject*", "ListObject*"]),
    (
        "s3",
        Deed::Wrote,
        &[
            "PutObject*",
            "DeleteObject*",
            "CopyObject",
            "CreateMultipartUpload",
            "UploadPart*",
            "CompleteMultipartUpload",
        ],
    ),
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
            "DeleteQueue",
        ],
    ),
    (
        "lambda",
        Deed::Changed,
        &[
            "CreateFunction*",
            "UpdateFunction*",
            "PutFunction*",
            "DeleteFunction*",
            "AddPermission*",
            "CreateEventSourceMapping*",
            "UpdateEventSourceMapping*",
        ],
    ),
    (
        "iam",
        Deed::Changed,
        &[
            "Create*",
            "Put*",
            "Attach*",
            "Detach*",
            "Delete*",
            "Update*",
            "SetDefaultPolicyVersion",
        ],
    ),
    ("sts", Deed::TookRole, &["AssumeRole*"]),
    (
        "events",
        Deed::Changed,
        &[
            "PutRule",
            "PutTargets",
            "RemoveTargets",
            "DeleteRule",
            "DisableRule",
            "PutPermission",
            "*EventBus",
        ],
    ),
    (
        "cloudtrail",
        Deed::Changed,
        &[
            "StopLogging",
            "DeleteTrail",
            "UpdateTrail",
            "PutEventSelectors",
        ],
    ),
];

/// What a deployment calls its things.
pub(super) struct Names {
    deployment: String,
    /// Keys of KMS, by their ARN.
    keys: BTreeMap<String, &'static str>,
}

impl Names {
    pub(super) const fn new(deployment: String, keys: BTreeMap<String, &'static str>) -> Self {
        Self { deployment, keys }
    }

    /// What an event is of this deployment, and to what; and of which service.
    pub(super) fn acts(
        &self,
        source: &str,
        name: &str,
        event: &Value,
    ) -> (Option<&'static str>, BTreeSet<(Deed, String)>) {
        let service = source.strip_suffix(".amazonaws.com").unwrap_or_default();
        let mut calls = CALLS.iter();
        let call = calls.find(|(of, _, calls)| *of == service && calls.iter().any(|c| is(name, c)));
        let Some((service, deed, _)) = call else {
            return (None, BTreeSet::new());
        };
        let of = |whats: BTreeSet<String>| -> BTreeSet<(Deed, String)> {
            whats.into_iter().map(|what| (*deed, what)).collect()
        };
        let acts = match *service {
            "kms" if *deed == Deed::OpenedKey => of(self.wrapped(event)),
            "kms" => of(self.keys_of(*deed, name, event)),
            "dynamodb" => of(named(&asked(event, &TABLES_IN), |asked| {
                self.known(asked, ":table/", &TABLES)
            })),
            "secretsmanager" => of(named(
                &asked(event, &["secretId", "secretIdList"]),
                |asked| self.secret(asked),
            )),
            "s3" => {
                // The source of a copy is a header.
                let source = parameters(event, &["x-amz-copy-source"]);
                let copied = named(&source, |asked| self.bucket(asked));
                let copied = copied.into_iter().map(|what| (Deed::Copied, what));
                let mut acts = of(named(&asked(event, &["bucketName"]), |asked| {
                    self.bucket(asked)
                }));
                acts.extend(copied);
                acts
            }
            "sqs" => of(named(&asked(event, &["queueUrl", "sourceArn"]), |asked| {
                self.queue(asked)
            })),
            "lambda" => {
                let names = asked(event, &["functionName", "role", "eventSourceArn"]);
                of(named(&names, |asked| {
                    let function = self.known(asked, ":function:", &FUNCTIONS);
                    let function = function.map(|name| format!("function {name}"));
                    let is_role = asked.contains(":role/");
                    let role = || self.owned(asked).map(|name| format!("role {name}"));
                    if is_role {
                        role()
                    } else {
                        function.or_else(|| self.queue(asked))
                    }
                }))
            }
            "iam" => of(named(&asked(event, &["roleName", "policyArn"]), |asked| {
                let kind = if asked.contains(":policy/") {
                    "policy"
                } else {
                    "role"
                };
                self.owned(asked).map(|name| format!("{kind} {name}"))
            })),
            "sts" => of(named(&asked(event, &["roleArn"]), |asked| {
                self.known(asked, "/", &FUNCTIONS)
                    .map(|name| format!("role {name}"))
            })),
            "events" => of(named(
                &asked(event, &["eventBusName", "name", "rule"]),
                |asked| {
                    let name = asked.rsplit('/').next()?;
                    let is_bus = name == self.deployment;
                    let watch = format!("{}-pepper-use", self.deployment);
                    if is_bus {
                        Some("bus".to_owned())
                    } else {
                        (name == watch).then_some(format!("rule {watch}"))
                    }
                },
            )),
            _ => BTreeSet::from([(*deed, "trail".to_owned())]),
        };
        (Some(service), acts)
    }

    /// Whether a caller is one of the functions.
    pub(super) fn is_function(&self, by: &str) -> bool {
        by.strip_prefix("role ")
            .is_some_and(|role| self.known(role, "/", &FUNCTIONS).is_some())
    }

    /// A name of the deployment's, of a closed list: the name itself, or what its ARN ends in.
    fn known(&self, asked: &str, before: &str, list: &[&str]) -> Option<String> {
        let name = asked.rsplit_once(before).map_or(asked, |(_, name)| name);
        let name = name.split(['/', ':']).next()?;
        let rest = name.strip_prefix(&self.deployment)?.strip_prefix('-')?;
        list.contains(&rest).then(|| name.to_owned())
    }

    /// The name of a role or a policy that begins as the deployment's do.
    fn owned(&self, asked: &str) -> Option<String> {
        let name = name_of(asked.rsplit('/').next()?)?;
        let rest = name.strip_prefix(&self.deployment)?;
        rest.starts_with('-').then(|| name.to_owned())
    }

    fn queue(&self, asked: &str) -> Option<String> {
        let name = asked.rsplit(['/', ':']).next()?;
        let live = name.strip_suffix("-dlq").unwrap_or(name);
        self.known(live, "/", &QUEUES).map(|_live| name.to_owned())
    }

    fn bucket(&self, asked: &str) -> Option<String> {
        let path = asked.rsplit_once(":::").map_or(asked, |(_, path)| path);
        let name = path.trim_start_matches('/').split(['/', '?']).next()?;
        let rest = name.strip_prefix(&self.deployment)?.strip_prefix('-')?;
        let (kind, account) = rest.rsplit_once('-')?;
        let is_account = account.bytes().all(|b| b.is_ascii_digit());
        (is_account && BUCKETS.contains(&kind)).then(|| format!("bucket {kind}"))
    }

    fn secret(&self, asked: &str) -> Option<String> {
        let name = match asked.rsplit_once(":secret:") {
            // An ARN has six random characters more.
            Some((_, name)) => name.rsplit_once('-').map_or(name, |(name, _random)| name),
            None => asked,
        };
        let rest = name.strip_prefix(&self.deployment)?.strip_prefix('/')?;
        SECRETS.contains(&rest).then(|| format!("secret {name}"))
    }

    /// The key that was unwrapped: one that Headgate wraps says in its context whose and which it is. Of a refusal often
    /// nothing is told but the key of KMS.
    fn wrapped(&self, event: &Value) -> BTreeSet<String> {
        let used = asked(event, &["keyId", "sourceKeyId"]);
        let data = |asked: &String| {
            self.keys
                .get(asked)
                .is_some_and(|purpose| *purpose == "data")
        };
        let is_data = used.iter().any(data);
        let context = event.get("requestParameters").and_then(|parameters| {
            let names = ["encryptionContext", "sourceEncryptionContext"];
            names.iter().find_map(|name| parameters.get(name))
        });
        let Some(context) = context else {
            return is_data.then(|| "key data".to_owned()).into_iter().collect();
        };
        let is_ours = text(context, "headgate:deployment") == Some(&self.deployment);
        // Anybody can say our context of a key of their own.
        let knows_data = self.keys.values().any(|purpose| *purpose == "data");
        let key = text(context, "headgate:key").filter(|key| is_wrapped_key(key));
        let key = key.filter(|_key| is_ours && (is_data || !knows_data));
        key.map(str::to_owned).into_iter().collect()
    }

    /// The keys of KMS of a call. Of a change, one that has no name here by its id: keys for storage are not known.
    fn keys_of(&self, deed: Deed, name: &str, event: &Value) -> BTreeSet<String> {
        let used = asked(event, &["keyId"]);
        let known: BTreeSet<String> = used
            .iter()
            .filter_map(|asked| self.keys.get(asked))
            .map(|purpose| format!("key {purpose}"))
            .collect();
        let by_service = event
            .get("userIdentity")
            .and_then(|identity| text(identity, "invokedBy"));
        // Services take grants for what they store.
        let is_routine = name == "CreateGrant" && by_service.is_some();
        if !known.is_empty() || deed != Deed::Changed || is_routine {
            return known;
        }
        let ids = used.iter().filter_map(|asked| asked.rsplit('/').next());
        ids.filter_map(name_of)
            .take(1)
            .map(|id| format!("key {id}"))
            .collect()
    }
}

/// Where a call of `DynamoDB` names its tables.
const TABLES_IN: [&str; 7] = [
    "tableName",
    "tableArn",
    "sourceTableName",
    "sourceTableArn",
    "backupArn",
    "resourceArn",
    "requestItems",
];

fn named(asked: &[String], name: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
    asked.iter().filter_map(|asked| name(asked)).collect()
}

fn is(name: &str, call: &str) -> bool {
    match (call.strip_prefix('*'), call.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(start)) => name.starts_with(start),
        (None, None) => name == call,
    }
}

/// Whether a context names a key as the keyring does.
fn is_wrapped_key(key: &str) -> bool {
    let day = key
        .strip_prefix("day#")
        .is_some_and(|day| Day::parse(day).is_ok());
    let vault = key
        .strip_prefix("vault#")
        .is_some_and(|n| n.parse::<u32>().is_ok());
    day || vault || HoldId::parse(key).is_ok()
}

/// What a call asked for, by these parameters.
fn parameters(event: &Value, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        match event
            .get("requestParameters")
            .and_then(|parameters| parameters.get(name))
        {
            Some(Value::String(one)) => found.push(one.clone()),
            Some(Value::Array(many)) => {
                found.extend(many.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(Value::Object(by_name)) => found.extend(by_name.keys().cloned()),
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
        }
    }
    found
}

/// The same, and the resources it names, and what a refusal says.
fn asked(event: &Value, names: &[&str]) -> Vec<String> {
    let mut found = parameters(event, names);
    let listed = event.get("resources").and_then(Value::as_array);
    let listed = listed
        .into_iter()
        .flatten()
        .filter_map(|resource| text(resource, "ARN"));
    found.extend(listed.map(str::to_owned));
    // "… is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:… because …"
    let refusal = text(event, "errorMessage").and_then(|said| said.split_once("on resource: "));
    let refused = refusal.and_then(|(_, rest)| rest.split_whitespace().next());
    found.extend(refused.map(str::to_owned));
    found
}
