//! How a client command finds a gateway: by the env file of `headgate dev`, or by the AWS environment.
//!
//! Knows names of queues, as an app would; of tables and keys only for the commands of an operator.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use headgate_aws::api_tokens::ApiTokens;
use headgate_aws::breach::Census;
use headgate_aws::checkpoints::Checkpoints;
use headgate_aws::controls::Controls;
use headgate_aws::evidence::Evidence;
use headgate_aws::keyring::Keyring;
use headgate_aws::ledger::Ledger;
use headgate_aws::messages::Messages;
use headgate_aws::objects::Bucket;
use headgate_aws::peppers::Peppers;
use headgate_aws::privacy_requests::PrivacyRequests;
use headgate_aws::queue::{Queue, Reader};
use headgate_aws::reports::Reports;
use headgate_aws::secrets::Secrets;
use headgate_aws::signing::SigningKey;
use headgate_aws::subjects::{Pointers, SubjectStates};
use headgate_aws::suppression::Suppression;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use headgate_graph::MediaClient;
use headgate_redact::Secret;
use serde::Deserialize;

use crate::{control, env_file};

/// Meta's own.
const GRAPH_URL: &str = "https://graph.facebook.com";

/// What the env file of a local run alone has.
const CONTROL_URL: &str = "HEADGATE_DEV_CONTROL_URL";

/// A part of the report of an import is 60 KiB.
const LARGEST_REPORT: usize = 1 << 20;

/// The keys of KMS, and what each is for.
const KMS_KEYS: [(&str, &str); 8] = [
    ("HEADGATE_KMS_KEY_DATA", "data"),
    ("HEADGATE_KMS_KEY_LEDGER", "ledger"),
    ("HEADGATE_KMS_KEY_EVIDENCE", "evidence"),
    ("HEADGATE_KMS_KEY_RECEIPT", "receipt"),
    ("HEADGATE_KMS_MAC_IDENTITY", "identity"),
    ("HEADGATE_KMS_MAC_SUPPRESSION", "suppression"),
    ("HEADGATE_KMS_MAC_MESSAGE_REF", "message-ref"),
    ("HEADGATE_KMS_MAC_LINKS", "links"),
];

/// The secret of the sender; has no `Debug`.
#[derive(Deserialize)]
struct GraphToken {
    access_token: String,
    appsecret_proof: String,
}

/// A gateway that can be talked to.
pub struct Connection {
    values: BTreeMap<String, String>,
    aws: Aws,
    /// The env file in use, for hints.
    pub env_file: Option<String>,
}

impl Connection {
    /// Finds the gateway: the given env file, else the default one if it exists, else the environment.
    ///
    /// # Errors
    /// A sentence that says what to start or to set.
    pub fn open(given: Option<&Path>) -> Result<Self> {
        Self::open_as(given, None)
    }

    /// The same as somebody else, where the gateway is a local run: on one machine there is no second role to
    /// take on. In an account, who one is decides the environment.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_as(given: Option<&Path>, local_role: Option<&str>) -> Result<Self> {
        let path = given.or_else(|| Some(Path::new(env_file::DEFAULT_PATH)).filter(|p| p.exists()));
        let mut values = match path {
            Some(path) => env_file::read(path)?,
            None => std::env::vars()
                .filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("HEADGATE_"))
                .collect(),
        };
        if let Some(role) = local_role
            && values.contains_key(CONTROL_URL)
        {
            values.insert("AWS_ACCESS_KEY_ID".to_owned(), format!("local.{role}"));
        }
        let lookup = |name: &str| values.get(name).cloned();
        let settings = AwsSettings::new(lookup).map_err(|missing| {
            if path.is_some() {
                anyhow!("{missing}: the env file is not one of `headgate dev`")
            } else {
                anyhow!(
                    "{missing}: no {}: start `headgate dev` first, or pass --env-file, or set AWS_REGION, \
                     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and HEADGATE_QUEUE_*_URL for an account",
                    env_file::DEFAULT_PATH
                )
            }
        })?;
        Ok(Self {
            aws: Aws::new(&settings)?,
            env_file: path.map(|p| p.display().to_string()),
            values,
        })
    }

    /// A value by name; blank counts as absent.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// The URL of a queue, such as `UTILITY` or `APP_EVENTS`.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn queue_url(&self, name: &str) -> Result<&str> {
        let variable = format!("HEADGATE_QUEUE_{name}_URL");
        self.find(&variable).with_context(|| {
            format!("{variable} is not set: it must hold the queue's URL (an output of the stack)")
        })
    }

    /// The lane queue of a purpose.
    ///
    /// # Errors
    /// As for [`Self::queue_url`].
    pub fn lane(&self, purpose: Purpose) -> Result<Queue> {
        Ok(Queue::new(
            &self.aws,
            self.queue_url(&purpose.word().to_uppercase())?,
        ))
    }

    /// A queue to send to.
    ///
    /// # Errors
    /// As for [`Self::queue_url`].
    pub fn queue(&self, name: &str) -> Result<Queue> {
        Ok(Queue::new(&self.aws, self.queue_url(name)?))
    }

    /// A queue to read from.
    ///
    /// # Errors
    /// As for [`Self::queue_url`].
    pub fn reader(&self, name: &str) -> Result<Reader> {
        Ok(Reader::new(&self.aws, self.queue_url(name)?))
    }

    /// The controls: the configuration in force, and what is paused.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn controls(&self) -> Result<Controls> {
        let table = self.resource("HEADGATE_TABLE_CONTROLS", "ControlsTableName")?;
        Ok(Controls::new(&self.aws, table))
    }

    /// The message records, sealed as they are.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn messages(&self) -> Result<Messages> {
        let table = self.resource("HEADGATE_TABLE_MESSAGES", "MessagesTableName")?;
        Ok(Messages::new(&self.aws, table))
    }

    /// The states of people, without their numbers.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn people(&self) -> Result<SubjectStates> {
        let table = self.resource("HEADGATE_TABLE_SUBJECTS", "SubjectsTableName")?;
        Ok(SubjectStates::new(&self.aws, table))
    }

    /// Whom a number leads to.
    ///
    /// # Errors
    /// A sentence that names the variable to set, or says that KMS refused.
    ///
    /// # Security
    /// Whoever has the pepper can tell of every number whether it is known here: the template grants it to a person
    /// by a policy of its own, for a while, and the alarm `pepper-stranger` tells of each use.
    pub async fn pointers(&self, now: Timestamp) -> Result<Pointers> {
        let table = self.resource("HEADGATE_TABLE_SUBJECTS", "SubjectsTableName")?;
        let key = self.resource("HEADGATE_KMS_MAC_IDENTITY", "IdentityMacKeyArn")?;
        let deployment = self.deployment()?;
        let peppers = Peppers::open(&self.aws, &self.controls()?, key, deployment).await;
        let peppers = peppers.context(
            "KMS did not compute the pepper of numbers: is HoldByNumberPolicyArn attached to your role?",
        )?;
        let read = peppers.refresh(now).await;
        read.context("which peppers are in force cannot be read")?;
        Ok(Pointers::new(&self.aws, table, peppers))
    }

    /// The keys of KMS, by what they are for, and the variables of those that are not set.
    pub fn kms_keys(&self) -> (BTreeMap<String, &'static str>, Vec<&'static str>) {
        let (mut keys, mut unnamed) = (BTreeMap::new(), Vec::new());
        for (variable, purpose) in KMS_KEYS {
            match self.find(variable) {
                Some(key) => {
                    keys.insert(key.to_owned(), purpose);
                }
                None => unnamed.push(variable),
            }
        }
        (keys, unnamed)
    }

    /// Messages and people, to be counted.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn census(&self) -> Result<Census> {
        let messages = self.resource("HEADGATE_TABLE_MESSAGES", "MessagesTableName")?;
        let subjects = self.resource("HEADGATE_TABLE_SUBJECTS", "SubjectsTableName")?;
        Ok(Census::new(&self.aws, messages, subjects))
    }

    /// Messages to be counted, and what was told of their days.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn reports(&self) -> Result<Reports> {
        let messages = self.resource("HEADGATE_TABLE_MESSAGES", "MessagesTableName")?;
        let controls = self.resource("HEADGATE_TABLE_CONTROLS", "ControlsTableName")?;
        Ok(Reports::new(&self.aws, messages, controls))
    }

    /// The consent ledger.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn ledger(&self) -> Result<Ledger> {
        let table = self.resource("HEADGATE_TABLE_CONSENT_LEDGER", "ConsentLedgerTableName")?;
        Ok(Ledger::new(&self.aws, table))
    }

    /// The API tokens of the deployment, and the name they are bound to.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn api_tokens(&self) -> Result<(ApiTokens, &str)> {
        let table = self.resource(
            "HEADGATE_TABLE_PRIVACY_REQUESTS",
            "PrivacyRequestsTableName",
        )?;
        Ok((ApiTokens::new(&self.aws, table), self.deployment()?))
    }

    /// Its checkpoints.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn checkpoints(&self) -> Result<Checkpoints> {
        let bucket = self.resource("HEADGATE_BUCKET_CHECKPOINTS", "CheckpointsBucketName")?;
        Ok(Checkpoints::new(&self.aws, bucket))
    }

    /// The key they are signed by.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn ledger_key(&self) -> Result<SigningKey> {
        let key = self.resource("HEADGATE_KMS_KEY_LEDGER", "LedgerKeyArn")?;
        Ok(SigningKey::new(&self.aws, key))
    }

    /// The evidence of the purge.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn evidence(&self) -> Result<Evidence> {
        let table = self.resource("HEADGATE_TABLE_EVIDENCE", "EvidenceTableName")?;
        Ok(Evidence::new(&self.aws, table))
    }

    /// The key it is signed by.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn evidence_key(&self) -> Result<SigningKey> {
        let key = self.resource("HEADGATE_KMS_KEY_EVIDENCE", "EvidenceKeyArn")?;
        Ok(SigningKey::new(&self.aws, key))
    }

    /// What people ask about their own data.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn privacy_requests(&self) -> Result<PrivacyRequests> {
        let table = self.resource(
            "HEADGATE_TABLE_PRIVACY_REQUESTS",
            "PrivacyRequestsTableName",
        )?;
        Ok(PrivacyRequests::new(&self.aws, table))
    }

    /// The key that receipts of erasures are signed by.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn receipt_key(&self) -> Result<SigningKey> {
        let key = self.resource("HEADGATE_KMS_KEY_RECEIPT", "ReceiptKeyArn")?;
        Ok(SigningKey::new(&self.aws, key))
    }

    /// The keys that open poison and evidence; nothing else opens for an operator.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn keyring(&self) -> Result<Keyring> {
        let table = self.resource("HEADGATE_TABLE_KEYS", "KeysTableName")?;
        let key = self.resource("HEADGATE_KMS_KEY_DATA", "DataKeyArn")?;
        let deployment = self.deployment()?;
        Ok(Keyring::new(&self.aws, table, key, deployment))
    }

    /// The suppression list, and the peppers of its keys.
    ///
    /// # Errors
    /// A sentence that names the variable to set, or says that KMS refused.
    ///
    /// # Security
    /// Whoever has the pepper can tell who is on the list: no policy of the template grants it to people.
    pub async fn suppression(&self, now: Timestamp) -> Result<(Suppression, Peppers)> {
        let table = self.resource("HEADGATE_TABLE_SUPPRESSION", "SuppressionTableName")?;
        let key = self.resource("HEADGATE_KMS_MAC_SUPPRESSION", "SuppressionMacKeyArn")?;
        let controls = self.controls()?;
        let peppers = Peppers::open(&self.aws, &controls, key, self.deployment()?).await;
        let peppers = peppers.context("KMS did not compute the pepper of the suppression list")?;
        let read = peppers.refresh(now).await;
        read.context("which peppers are in force cannot be read")?;
        Ok((Suppression::new(&self.aws, table), peppers))
    }

    /// The deployment's name.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn deployment(&self) -> Result<&str> {
        self.find("HEADGATE_DEPLOYMENT")
            .context("HEADGATE_DEPLOYMENT is not set: it must hold the deployment's name")
    }

    /// A downloader of media, with the token of the secret that the environment names.
    ///
    /// # Errors
    /// A sentence that names the variable to set, or says why the secret is none.
    ///
    /// # Security
    /// Whose token it is and who may read it is the account's matter: no policy of the template grants
    /// it, and in an account every read of that secret by anything but its function shows in `CloudTrail`.
    pub async fn media(&self) -> Result<MediaClient> {
        let secret = self.resource("HEADGATE_SECRET_GRAPH_SEND", "GraphSendSecretArn")?;
        let value = Secrets::new(&self.aws)
            .read(secret)
            .await
            .context("the secret named by HEADGATE_SECRET_GRAPH_SEND could not be read")?;
        let token: GraphToken = serde_json::from_str(value.expose()).map_err(|_quotes_it| {
            anyhow!("the secret must be JSON with access_token and appsecret_proof")
        })?;
        let url = self.find("HEADGATE_GRAPH_URL").unwrap_or(GRAPH_URL);
        let proof = Secret::new(token.appsecret_proof);
        Ok(MediaClient::new(
            url,
            &Secret::new(token.access_token),
            proof,
        )?)
    }

    /// The bucket that files of earlier consents are put into.
    ///
    /// # Errors
    /// A sentence that names the variable to set.
    pub fn imports(&self) -> Result<Bucket> {
        let name = self.resource("HEADGATE_BUCKET_IMPORTS", "ImportsBucketName")?;
        Ok(Bucket::new(&self.aws, name, LARGEST_REPORT))
    }

    fn resource(&self, variable: &str, output: &str) -> Result<&str> {
        self.find(variable).with_context(|| {
            format!(
                "{variable} is not set: it must hold the output {output} of the nested stack Data \
                 (docs/operations.md, \"What the commands need\")"
            )
        })
    }

    /// The control address of a local run.
    pub fn control_url(&self) -> Option<&str> {
        self.find(CONTROL_URL)
    }

    /// The time by the gateway's calendar: a local run's may have been turned.
    ///
    /// # Errors
    /// When the local run does not answer.
    pub async fn now(&self) -> Result<Timestamp> {
        let Some(url) = self.control_url() else {
            return Ok(headgate_lambda::clock::system_clock()());
        };
        let clock = control::call(url, "GET", "/clock", None).await?;
        let ms = clock
            .get("now_ms")
            .and_then(serde_json::Value::as_i64)
            .context("the control address gave no time")?;
        Ok(Timestamp::from_millis(ms))
    }

    /// ` --env-file F` for hints, unless the default is in use.
    pub fn env_flag(&self) -> String {
        match &self.env_file {
            Some(path) if path != env_file::DEFAULT_PATH => format!(" --env-file {path}"),
            Some(_) | None => String::new(),
        }
    }
}
