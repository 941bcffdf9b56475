//! KMS and Secrets Manager: winterbaume behind a host that keeps their state in a private file.
//!
//! Promises real AES-GCM and HMAC, key ids and secret ARNs that follow from the template, and that a change is on disk
//! before it is acknowledged. Deliberately supports no asymmetric keys: winterbaume's signatures are not real.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use winterbaume_core::{MockRequest, MockService, StatefulService};
use winterbaume_kms::KmsService;
use winterbaume_kms::views::{AliasView, KeyView, KmsStateView};
use winterbaume_secretsmanager::SecretsManagerService;
use winterbaume_secretsmanager::views::{SecretVersionView, SecretView, SecretsmanagerStateView};

use crate::calendar::{rfc3339, system_ms};
use crate::files;
use crate::ids::random_id;
use crate::stack::{ACCOUNT, REGION, secret_arn};

/// Operations that change nothing worth keeping.
const READS: &[&str] = &[
    "BatchGetSecretValue",
    "Decrypt",
    "DescribeKey",
    "DescribeSecret",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "GetKeyPolicy",
    "GetSecretValue",
    "ListAliases",
    "ListKeys",
    "ListSecretVersionIds",
    "ListSecrets",
    "ReEncrypt",
    "VerifyMac",
];

/// One winterbaume service and the file of its state.
pub(crate) struct Vault<S> {
    service: S,
    endpoint: String,
    file: Option<PathBuf>,
    // Two snapshots written at once could put the older one last.
    saving: Mutex<()>,
}

pub(crate) type Keys = Vault<KmsService>;
pub(crate) type Secrets = Vault<SecretsManagerService>;

impl<S: StatefulService> Vault<S> {
    /// Opens the service with what its file holds.
    pub(crate) async fn open(service: S, file: Option<PathBuf>) -> Result<Self> {
        // winterbaume reads the region from the host name of the request.
        let endpoint = format!("http://{}.{REGION}.amazonaws.com/", service.service_name());
        if let Some(content) = file.as_deref().map(files::read).transpose()?.flatten() {
            // Without the cause: serde_json would quote a key or a secret.
            let view = serde_json::from_slice(&content).map_err(|_quotes_content| {
                anyhow!("the stored state of {} is damaged", service.service_name())
            })?;
            service
                .restore(ACCOUNT, REGION, view)
                .await
                .map_err(|_quotes_content| {
                    anyhow!("the stored state of {} is damaged", service.service_name())
                })?;
        }
        Ok(Self {
            service,
            endpoint,
            file,
            saving: Mutex::new(()),
        })
    }

    /// Writes the state to its file.
    pub(crate) async fn save(&self) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let _guard = self.saving.lock().await;
        let view = self.service.snapshot(ACCOUNT, REGION).await;
        let content = serde_json::to_vec(&view).context("the state cannot be written")?;
        files::replace(file, &content)
    }

    /// Answers a request of an SDK.
    pub(crate) async fn answer(&self, operation: &str, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let answer = self
            .service
            .handle(MockRequest {
                method: parts.method.to_string(),
                uri: self.endpoint.clone(),
                headers: parts.headers,
                body,
            })
            .await;
        if answer.status < 300 && !READS.contains(&operation) && self.save().await.is_err() {
            return crate::host::json(
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"__type":"InternalServiceError","message":"The state cannot be written."}"#,
            );
        }
        let mut response = Response::new(answer.body);
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = answer.headers;
        response
    }
}

impl Keys {
    /// Creates the keys and aliases of the template that do not exist yet.
    pub(crate) async fn create(
        &self,
        keys: &[(String, Value)],
        aliases: &[(String, String)],
    ) -> Result<()> {
        let known = self.service.snapshot(ACCOUNT, REGION).await;
        let mut new = KmsStateView::default();
        for (id, properties) in keys {
            if known.keys.contains_key(id) {
                continue;
            }
            let read = |name: &str, default: &str| {
                properties
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or(default)
                    .to_owned()
            };
            let spec = read("KeySpec", "SYMMETRIC_DEFAULT");
            if spec != "SYMMETRIC_DEFAULT" && !spec.starts_with("HMAC_") {
                bail!("key spec {spec} is not supported locally");
            }
            let mut key_material = vec![0; 32];
            getrandom::fill(&mut key_material)
                .map_err(|_os| anyhow!("there is no randomness for a key"))?;
            let view = KeyView {
                key_id: id.clone(),
                arn: format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}"),
                account_id: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                description: read("Description", ""),
                key_spec: spec,
                key_usage: read("KeyUsage", "ENCRYPT_DECRYPT"),
                key_state: "Enabled".to_owned(),
                creation_date: rfc3339(system_ms())?,
                enabled: true,
                origin: "AWS_KMS".to_owned(),
                key_manager: "CUSTOMER".to_owned(),
                deletion_date: None,
                // Never on: winterbaume replaces the material on rotation, and older ciphertexts die with it.
                key_rotation_enabled: false,
                key_material,
                public_key_der: None,
                tags: std::collections::HashMap::new(),
                multi_region: false,
            };
            new.keys.insert(id.clone(), view);
        }
        for (name, target) in aliases {
            let target_key_id = target.rsplit('/').next().unwrap_or_default().to_owned();
            new.aliases.insert(
                name.clone(),
                AliasView {
                    alias_name: name.clone(),
                    alias_arn: format!("arn:aws:kms:{REGION}:{ACCOUNT}:{name}"),
                    target_key_id,
                },
            );
        }
        self.service
            .merge(ACCOUNT, REGION, new)
            .await
            .map_err(|_quotes_content| anyhow!("the keys of the template cannot be created"))?;
        self.save().await
    }
}

impl Secrets {
    /// Creates the secrets of the template that do not exist yet; `None` is a secret without a value.
    pub(crate) async fn create(&self, secrets: &[(String, Option<String>)]) -> Result<()> {
        let known = self.service.snapshot(ACCOUNT, REGION).await;
        let now = rfc3339(system_ms())?;
        let mut new = SecretsmanagerStateView {
            secrets: std::collections::HashMap::new(),
        };
        for (name, value) in secrets {
            if known.secrets.contains_key(name) {
                continue;
            }
            let version = value.as_ref().map(|value| SecretVersionView {
                version_id: random_id(),
                secret_string: Some(value.clone()),
                secret_binary: None,
                created_date: now.clone(),
                version_stages: vec!["AWSCURRENT".to_owned()],
            });
            new.secrets.insert(
                name.clone(),
                SecretView {
                    name: name.clone(),
                    arn: secret_arn(name),
                    description: String::new(),
                    created_date: now.clone(),
                    last_changed_date: now.clone(),
                    current_version_id: version.as_ref().map(|v| v.version_id.clone()),
                    versions: version
                        .into_iter()
                        .map(|v| (v.version_id.clone(), v))
                        .collect(),
                    deleted_date: None,
                    tags: std::collections::HashMap::new(),
                    resource_policy: None,
                    rotation_enabled: None,
                    rotation_lambda_arn: None,
                    rotation_rules: None,
                    last_rotated_date: None,
                    replication_status: Vec::new(),
                    primary_region: None,
                },
            );
        }
        self.service
            .merge(ACCOUNT, REGION, new)
            .await
            .map_err(|_quotes_content| anyhow!("the secrets of the template cannot be created"))?;
        self.save().await
    }

    /// Makes `value` the current version of a secret.
    pub(crate) async fn put(&self, name: &str, value: &str) -> Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-amz-target",
            HeaderValue::from_static("secretsmanager.PutSecretValue"),
        );
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        let body = json!({
            "SecretId": name, "SecretString": value, "ClientRequestToken": random_id(),
        });
        let answer = self
            .service
            .handle(MockRequest {
                method: "POST".to_owned(),
                uri: self.endpoint.clone(),
                headers,
                body: Bytes::from(body.to_string()),
            })
            .await;
        if answer.status >= 300 {
            bail!("secret {name} cannot be written (status {})", answer.status);
        }
        self.save().await
    }
}

pub(crate) type SharedKeys = Arc<Keys>;
pub(crate) type SharedSecrets = Arc<Secrets>;
