//! What the function is told at cold start, and what it is made of.
//!
//! Owns the names of the resources (docs/data.md) and the clients made from them. A missing name
//! or a KMS that does not answer stops the start (I5); nothing here has a default.

use headgate_aws::bus::Bus;
use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::keyring::Keyring;
use headgate_aws::ledger::Ledger;
use headgate_aws::messages::Messages;
use headgate_aws::objects::Bucket;
use headgate_aws::peppers::{Peppers, pepper};
use headgate_aws::queue::Queue;
use headgate_aws::subjects::{Subjects, message_pseudonym};
use headgate_aws::suppression::Suppression;
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::consent::Question;
use headgate_domain::identity::{Kind, Pepper, Pseudonym, SubjectId, Wamid, pseudonym};
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;
use headgate_webhook::overflow::LARGEST_OBJECT;

use headgate_domain::system::SCOPE;

use crate::quarantine::Quarantine;
use crate::scores::Scores;

/// The version of the message-ref pepper in force.
const PEPPER: u32 = 1;

/// Why the function does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// AWS did not give what the function needs.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Consists of texts of ours and of AWS's error names.
impl LogSafe for StartError {}

/// Names of resources, in the order of docs/data.md.
struct Names<'a> {
    deployment: &'a str,
    subjects: &'a str,
    suppression: &'a str,
    ledger: &'a str,
    messages: &'a str,
    keys: &'a str,
    controls: &'a str,
    quarantine: &'a str,
    system: &'a str,
    privacy_requests: &'a str,
    overflow: &'a str,
    bus: &'a str,
    data_key: &'a str,
    identity_key: &'a str,
    suppression_key: &'a str,
    message_ref_key: &'a str,
}

impl<'a> Names<'a> {
    fn new(settings: &'a Settings) -> Result<Self, MissingSetting> {
        Ok(Self {
            deployment: settings.name("HEADGATE_DEPLOYMENT")?,
            subjects: settings.name("HEADGATE_TABLE_SUBJECTS")?,
            suppression: settings.name("HEADGATE_TABLE_SUPPRESSION")?,
            ledger: settings.name("HEADGATE_TABLE_CONSENT_LEDGER")?,
            messages: settings.name("HEADGATE_TABLE_MESSAGES")?,
            keys: settings.name("HEADGATE_TABLE_KEYS")?,
            controls: settings.name("HEADGATE_TABLE_CONTROLS")?,
            quarantine: settings.name("HEADGATE_QUEUE_NOTIFICATIONS_DLQ_URL")?,
            system: settings.name("HEADGATE_QUEUE_SYSTEM_URL")?,
            privacy_requests: settings.name("HEADGATE_QUEUE_PRIVACY_REQUESTS_URL")?,
            overflow: settings.name("HEADGATE_BUCKET_OVERFLOW")?,
            bus: settings.name("HEADGATE_BUS_NAME")?,
            data_key: settings.name("HEADGATE_KMS_KEY_DATA")?,
            identity_key: settings.name("HEADGATE_KMS_MAC_IDENTITY")?,
            suppression_key: settings.name("HEADGATE_KMS_MAC_SUPPRESSION")?,
            message_ref_key: settings.name("HEADGATE_KMS_MAC_MESSAGE_REF")?,
        })
    }
}

/// Everything outside the process that a notification may touch.
pub(crate) struct Ports {
    pub(crate) keyring: Keyring,
    pub(crate) subjects: Subjects,
    pub(crate) consents: Consents,
    pub(crate) messages: Messages,
    pub(crate) controls: Controls,
    pub(crate) bus: Bus,
    pub(crate) quarantine: Quarantine,
    pub(crate) system: Queue,
    pub(crate) privacy_requests: Queue,
    pub(crate) overflow: Bucket,
    pub(crate) scores: Scores,
    message_ref: Pepper,
    deployment: String,
}

impl Ports {
    pub(crate) async fn new(settings: &Settings) -> Result<Self, StartError> {
        let names = Names::new(settings)?;
        let aws = Aws::new(&AwsSettings::new(|name| {
            settings.find(name).map(str::to_owned)
        })?)?;
        let controls = Controls::new(&aws, names.controls);
        let of = |key| Peppers::open(&aws, &controls, key, names.deployment);
        let (identity, suppression_pepper, message_ref) = tokio::try_join!(
            of(names.identity_key),
            of(names.suppression_key),
            pepper(&aws, names.message_ref_key, names.deployment),
        )?;
        let keyring = Keyring::new(&aws, names.keys, names.data_key, names.deployment);
        let subjects = Subjects::new(&aws, names.subjects, keyring.clone(), identity);
        let suppression = Suppression::new(&aws, names.suppression);
        let ledger = Ledger::new(&aws, names.ledger);
        Ok(Self {
            consents: Consents::new(
                subjects.clone(),
                suppression,
                ledger,
                suppression_pepper,
                controls.clone(),
            ),
            controls,
            subjects,
            messages: Messages::new(&aws, names.messages),
            bus: Bus::new(&aws, names.bus),
            quarantine: Quarantine::new(Queue::new(&aws, names.quarantine), keyring.clone()),
            system: Queue::new(&aws, names.system),
            privacy_requests: Queue::new(&aws, names.privacy_requests),
            overflow: Bucket::new(&aws, names.overflow, LARGEST_OBJECT),
            scores: Scores::default(),
            keyring,
            message_ref,
            deployment: names.deployment.to_owned(),
        })
    }

    /// The name a message of Meta's is stored under.
    pub(crate) fn pseudonym(&self, wamid: &Wamid) -> Pseudonym {
        message_pseudonym(&self.message_ref, &self.deployment, wamid)
    }

    /// The name of a click on an advertisement, which is one person's.
    pub(crate) fn click(&self, click: &str) -> Pseudonym {
        pseudonym(
            &self.message_ref,
            Kind::Message,
            PEPPER,
            &self.deployment,
            click,
        )
    }

    /// The name under which intake has accepted a system message.
    pub(crate) fn accepted_as(&self, id: &str) -> Pseudonym {
        let value = format!("{SCOPE}\0{id}");
        pseudonym(
            &self.message_ref,
            Kind::Idempotency,
            PEPPER,
            &self.deployment,
            &value,
        )
    }

    /// What binds the buttons of a question to it and to the person.
    pub(crate) fn binding(&self, subject: &SubjectId, about: [&str; 3]) -> String {
        Question::token(&self.message_ref, &self.deployment, subject.as_str(), about)
    }
}
