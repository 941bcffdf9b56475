//! The keyring: day keys, vault keys and subject salts, and sealing with them.
//!
//! Unwrapped keys live in memory for five minutes; then the item is read again, consistently, so a
//! destroyed key stops working everywhere within that time. There is no KMS call per message and
//! none per person. Only `retention-purge` mints and destroys; the IAM roles keep it that way.

mod cache;
mod erasing;
mod holding;
mod vault;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_kms::primitives::Blob;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::Hash;
use headgate_domain::retention::KeyName;
use headgate_domain::sealing::{FieldKey, Place, content_key, key_id, open, seal};
use headgate_domain::time::{Day, Timestamp};
use headgate_redact::Personal;
use zeroize::Zeroizing;

use crate::item::{Attributes, Item, b, batch_get, ms, put_if_new, s};
use crate::{Aws, AwsError, random};

use cache::{KEPT, Key, KeyCache};

pub use vault::VaultVersion;

const DATA_KEY_BYTES: i32 = 32;

/// What the names of a subject's salts begin with: what is sealed, and what the ledger commits to.
const SALTS: [&str; 2] = ["salt#", "evidence-salt#"];

/// A subject's 32 random bytes; worthless alone, and without them nothing of the person opens.
#[derive(Clone)]
pub struct Salt(Zeroizing<[u8; 32]>);

/// Both salts of a subject: for what is sealed, and for what the ledger commits to.
#[derive(Clone)]
pub(crate) struct Salts {
    pub(crate) vault: Salt,
    evidence: Salt,
}

impl Salts {
    /// Salts for somebody new.
    pub(crate) fn random() -> Result<Self, AwsError> {
        Ok(Self {
            vault: Salt(Zeroizing::new(random::<32>()?)),
            evidence: Salt(Zeroizing::new(random::<32>()?)),
        })
    }

    /// The salt of the ledger's commitments.
    pub(crate) fn evidence_bytes(&self) -> &[u8; 32] {
        &self.evidence.0
    }

    /// The items of a new subject's salts, to be put where none are.
    pub(crate) fn items(&self, subject: &SubjectId) -> [Item; 2] {
        let [vault, evidence] = SALTS.map(|kind| s(format!("{kind}{subject}")));
        let item = |id, salt: &Salt| {
            Item::from([
                ("pk".to_owned(), id),
                ("salt".to_owned(), b(salt.0.to_vec())),
            ])
        };
        [item(vault, &self.vault), item(evidence, &self.evidence)]
    }
}

/// Why a sealed value cannot be read, or a value not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The content is past its retention period; it is not opened, whether or not a key still exists.
    #[error("the content is past its retention period")]
    PastRetention,
    /// The key or salt was destroyed, or never existed.
    #[error("the key no longer exists")]
    NoKey,
    /// The value does not open with this key at this place.
    #[error("the sealed value does not open")]
    NotOpened,
    /// AWS failed; worth trying again.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Consists of texts of ours and of [`AwsError`]'s.
impl headgate_redact::LogSafe for KeyringError {}

/// The keys of one deployment.
#[derive(Clone)]
pub struct Keyring {
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
    table: String,
    data_key: String,
    deployment: String,
    retention_days: i64,
    cache: KeyCache,
    /// The version of the vault key that is sealed under, for as long as an unwrapped key is kept.
    newest: Arc<Mutex<Option<(Instant, VaultVersion)>>>,
}

impl Keyring {
    /// The keyring in a table, wrapped by a KMS key.
    pub fn new(aws: &Aws, table: &str, data_key: &str, deployment: &str) -> Self {
        Self {
            dynamodb: aws.dynamodb(),
            kms: aws.kms(),
            table: table.to_owned(),
            data_key: data_key.to_owned(),
            deployment: deployment.to_owned(),
            retention_days: headgate_domain::retention::CONTENT_DAYS,
            cache: KeyCache::default(),
            newest: Arc::default(),
        }
    }

    /// The deployment these keys belong to.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Seals content under the key of a day.
    ///
    /// # Errors
    /// [`KeyringError`]; nothing is stored unsealed instead.
    pub async fn seal_content(
        &self,
        day: Day,
        salt: &Salt,
        place: &Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyringError> {
        let id = id_of(day.into());
        let key = self.key(&id).await?;
        sealed(
            &content_key(&key, &salt.0, &self.deployment, &day.to_string()),
            &id,
            place,
            plain,
        )
    }

    /// Opens content of a day, as long as it is within its retention period at `now`.
    ///
    /// # Errors
    /// [`KeyringError::PastRetention`] from day start + 90 days on, whatever still exists.
    pub async fn open_content(
        &self,
        day: Day,
        now: Timestamp,
        salt: &Salt,
        place: &Place<'_>,
        envelope: &[u8],
    ) -> Result<Personal<Vec<u8>>, KeyringError> {
        if now >= day.plus(self.retention_days).start() {
            return Err(KeyringError::PastRetention);
        }
        let key = self.key(&id_of(day.into())).await?;
        open(
            &content_key(&key, &salt.0, &self.deployment, &day.to_string()),
            place,
            envelope,
        )
        .map_err(|_opaque| KeyringError::NotOpened)
    }

    /// Creates a subject's two salts: for what is sealed, and for what the ledger commits to.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take them.
    pub async fn create_salts(&self, subject: &SubjectId) -> Result<Salt, KeyringError> {
        self.put_salt(&format!("evidence-salt#{subject}")).await?;
        self.put_salt(&format!("salt#{subject}")).await
    }

    /// The salts of several subjects, in one read per hundred; erased ones are absent.
    ///
    /// # Errors
    /// [`AwsError`] when they cannot be read.
    pub async fn salts(
        &self,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, Salt>, KeyringError> {
        let mut wanted = subjects.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .map(|subject| pk(format!("salt#{subject}")))
            .collect();
        let items = batch_get(&self.dynamodb, &self.table, keys).await?;
        Ok(items
            .iter()
            .filter_map(|item| {
                let subject = SubjectId::parse(item.text("pk")?.strip_prefix("salt#")?).ok()?;
                Some((subject, salt_of(item)?))
            })
            .collect())
    }

    /// The salt of one subject.
    ///
    /// # Errors
    /// [`KeyringError::NoKey`] when the person was erased.
    pub async fn salt(&self, subject: &SubjectId) -> Result<Salt, KeyringError> {
        self.salts(std::slice::from_ref(subject))
            .await?
            .remove(subject)
            .ok_or(KeyringError::NoKey)
    }

    /// The salt behind a subject's ledger commitments.
    ///
    /// # Errors
    /// [`KeyringError::NoKey`] when the evidence period is over.
    pub async fn evidence_salt(&self, subject: &SubjectId) -> Result<[u8; 32], KeyringError> {
        let item = self
            .read(&format!("evidence-salt#{subject}"))
            .await?
            .ok_or(KeyringError::NoKey)?;
        salt_of(&item)
            .map(|salt| *salt.0)
            .ok_or(KeyringError::NoKey)
    }

    /// Both salts of several subjects, in one read per fifty; who was erased is absent.
    pub(crate) async fn both_salts_of(
        &self,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, Salts>, KeyringError> {
        let mut wanted = subjects.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .flat_map(|subject| SALTS.map(|kind| pk(format!("{kind}{subject}"))))
            .collect();
        let items = batch_get(&self.dynamodb, &self.table, keys).await?;
        let found: HashMap<&str, Salt> = items
            .iter()
            .filter_map(|item| Some((item.text("pk")?, salt_of(item)?)))
            .collect();
        let one = |kind: &str, subject: &SubjectId| {
            let id = format!("{kind}{subject}");
            found.get(id.as_str()).cloned()
        };
        Ok(wanted
            .into_iter()
            .filter_map(|subject| {
                let [vault, evidence] = SALTS.map(|kind| one(kind, &subject));
                let salts = Salts {
                    vault: vault?,
                    evidence: evidence?,
                };
                Some((subject, salts))
            })
            .collect())
    }

    /// Both salts of one subject.
    pub(crate) async fn both_salts(&self, subject: &SubjectId) -> Result<Salts, KeyringError> {
        self.both_salts_of(std::slice::from_ref(subject))
            .await?
            .remove(subject)
            .ok_or(KeyringError::NoKey)
    }

    /// The table the salts are in.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Mints a day's key if it is missing; returns whether it was.
    ///
    /// # Errors
    /// [`AwsError`] when KMS or the table failed.
    pub async fn mint_day(&self, day: Day, now: Timestamp) -> Result<bool, KeyringError> {
        self.mint(&id_of(day.into()), now).await
    }

    /// Destroys a key; returns whether there was one. What it sealed is unreadable from here on, everywhere.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not confirm it.
    pub async fn destroy(&self, name: KeyName) -> Result<bool, KeyringError> {
        let id = id_of(name);
        self.cache.forget(&id);
        let answer = self
            .dynamodb
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(pk(id)))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|e| AwsError::of("DeleteItem", &e))?;
        Ok(answer.attributes.is_some())
    }

    /// Whether a key still exists, read consistently.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn has(&self, name: KeyName) -> Result<bool, KeyringError> {
        Ok(self.read(&id_of(name)).await?.is_some())
    }

    /// The hash of a wrapped key, which says which key it is and opens nothing; `None` when it is gone.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn fingerprint(&self, name: KeyName) -> Result<Option<Hash>, KeyringError> {
        let item = self.read(&id_of(name)).await?;
        let wrapped = item.as_ref().and_then(|item| item.bytes("wrapped"));
        Ok(wrapped.map(Hash::of_bytes))
    }

    /// Whether the key that a value was sealed under still exists, whatever the date: by the name in the value,
    /// as whoever bypassed every rule would look for it. What is no sealed value opens with no key.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn could_open(&self, envelope: &[u8]) -> Result<bool, KeyringError> {
        match key_id(envelope) {
            Ok(id) => Ok(self.read(id).await?.is_some()),
            Err(_no_envelope) => Ok(false),
        }
    }

    async fn mint(&self, id: &str, now: Timestamp) -> Result<bool, KeyringError> {
        if self.read(id).await?.is_some() {
            return Ok(false);
        }
        let answer = self
            .kms
            .generate_data_key_without_plaintext()
            .key_id(&self.data_key)
            .number_of_bytes(DATA_KEY_BYTES)
            .set_encryption_context(Some(self.context(id)))
            .send()
            .await
            .map_err(|e| AwsError::of("GenerateDataKeyWithoutPlaintext", &e))?;
        let wrapped = answer
            .ciphertext_blob
            .map(Blob::into_inner)
            .ok_or_else(|| AwsError::new("GenerateDataKeyWithoutPlaintext", "empty"))?;
        let item = HashMap::from([
            ("pk".to_owned(), s(id)),
            ("wrapped".to_owned(), b(wrapped)),
            ("minted_at".to_owned(), ms(now)),
        ]);
        self.put_new(item).await
    }

    async fn key(&self, id: &str) -> Result<Key, KeyringError> {
        if let Some(key) = self.cache.get(id, Instant::now()) {
            return Ok(key);
        }
        let item = self.read(id).await?.ok_or(KeyringError::NoKey)?;
        let wrapped = item.bytes("wrapped").ok_or(KeyringError::NoKey)?.to_vec();
        let answer = self
            .kms
            .decrypt()
            .key_id(&self.data_key)
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(self.context(id)))
            .send()
            .await
            .map_err(|e| AwsError::of("Decrypt", &e))?;
        let plain = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        let bytes = <[u8; 32]>::try_from(plain.as_slice())
            .map_err(|_length| AwsError::new("Decrypt", "not 32 bytes"))?;
        let key: Key = Arc::new(Zeroizing::new(bytes));
        self.cache.put(id, &key, Instant::now());
        Ok(key)
    }

    /// Binds a wrapped key to its deployment and its day: another day's wrapping does not unwrap here.
    fn context(&self, id: &str) -> HashMap<String, String> {
        HashMap::from([
            ("headgate:deployment".to_owned(), self.deployment.clone()),
            ("headgate:key".to_owned(), id.to_owned()),
        ])
    }

    async fn read(&self, id: &str) -> Result<Option<Item>, AwsError> {
        let answer = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .set_key(Some(pk(id.to_owned())))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item)
    }

    async fn put_salt(&self, id: &str) -> Result<Salt, KeyringError> {
        let salt = Zeroizing::new(random::<32>()?);
        let item = HashMap::from([
            ("pk".to_owned(), s(id)),
            ("salt".to_owned(), b(salt.to_vec())),
        ]);
        if self.put_new(item).await? {
            return Ok(Salt(salt));
        }
        // Another writer, or an earlier try of this one, was first: its salt is the salt.
        let item = self.read(id).await?.ok_or(KeyringError::NoKey)?;
        salt_of(&item).ok_or(KeyringError::NoKey)
    }

    async fn put_new(&self, item: Item) -> Result<bool, KeyringError> {
        let stands = put_if_new(&self.dynamodb, &self.table, item.clone()).await?;
        // A call that is repeated after its answer was lost finds its own.
        Ok(stands.is_none_or(|stands| stands == item))
    }
}

/// What a key stands under in the table, and in what it sealed.
fn id_of(name: KeyName) -> String {
    match name {
        KeyName::Day(day) => format!("day#{day}"),
        KeyName::Vault(version) => format!("vault#{version}"),
    }
}

fn pk(id: String) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), s(id))])
}

fn salt_of(item: &Item) -> Option<Salt> {
    <[u8; 32]>::try_from(item.bytes("salt")?)
        .ok()
        .map(|bytes| Salt(Zeroizing::new(bytes)))
}

fn sealed(
    key: &FieldKey,
    id: &str,
    place: &Place<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, KeyringError> {
    seal(key, id, place, random::<12>()?, plain).map_err(|_size| KeyringError::NotOpened)
}
