//! The people of a deployment, as its functions find them: with the real peppers, from the environment of intake.

use std::collections::BTreeMap;

use headgate_aws::Aws;
use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::keyring::Keyring;
use headgate_aws::ledger::Ledger;
use headgate_aws::peppers::Peppers;
use headgate_aws::subjects::Subjects;
use headgate_aws::suppression::Suppression;
use headgate_domain::time::Timestamp;

/// The environment of intake, which has all it takes.
pub type Environment = BTreeMap<String, String>;

/// Every version of the pepper of a key, which a setting names.
pub async fn peppers(aws: &Aws, intake: &Environment, key: &str, now: Timestamp) -> Peppers {
    let controls = Controls::new(aws, &intake["HEADGATE_TABLE_CONTROLS"]);
    let deployment = &intake["HEADGATE_DEPLOYMENT"];
    let peppers = Peppers::open(aws, &controls, &intake[key], deployment).await;
    let peppers = peppers.expect("the local cloud computes MACs");
    peppers
        .refresh(now)
        .await
        .expect("the local cloud has controls");
    peppers
}

/// The field keys.
pub fn keyring(aws: &Aws, intake: &Environment) -> Keyring {
    Keyring::new(
        aws,
        &intake["HEADGATE_TABLE_KEYS"],
        &intake["HEADGATE_KMS_KEY_DATA"],
        &intake["HEADGATE_DEPLOYMENT"],
    )
}

/// The people.
pub async fn subjects(aws: &Aws, intake: &Environment, now: Timestamp) -> Subjects {
    let identity = peppers(aws, intake, "HEADGATE_KMS_MAC_IDENTITY", now).await;
    let table = &intake["HEADGATE_TABLE_SUBJECTS"];
    Subjects::new(aws, table, keyring(aws, intake), identity)
}

/// The recorder of what they say.
pub async fn consents(aws: &Aws, intake: &Environment, now: Timestamp) -> Consents {
    Consents::new(
        subjects(aws, intake, now).await,
        Suppression::new(aws, &intake["HEADGATE_TABLE_SUPPRESSION"]),
        Ledger::new(aws, &intake["HEADGATE_TABLE_CONSENT_LEDGER"]),
        peppers(aws, intake, "HEADGATE_KMS_MAC_SUPPRESSION", now).await,
        Controls::new(aws, &intake["HEADGATE_TABLE_CONTROLS"]),
    )
}
