//! What `Ref` and `GetAtt` give: names, URLs and ARNs of resources, known or not.
//!
//! Promises that a name follows from the stack and the logical id alone.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::{ACCOUNT, REGION, Stack, text};

impl Stack {
    /// The address of an API as templates write it becomes the loopback address of that API.
    pub(super) fn localise(&self, mut whole: String) -> String {
        for (id, url) in &self.places.apis {
            let remote = format!("https://{}.execute-api.{REGION}.amazonaws.com", api_id(id));
            if let Some((before, after)) = whole.split_once(&remote) {
                let after = after.strip_prefix('/').map_or(after, |path| {
                    // The stage is part of the remote path only: the local API has no stages.
                    path.find('/')
                        .map_or("", |slash| path.get(slash..).unwrap_or_default())
                });
                whole = format!("{before}{url}{after}");
            }
        }
        whole
    }

    pub(super) fn reference(&self, name: &str, depth: usize) -> Result<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(json!(match name {
            "AWS::NoValue" => return Ok(Value::Null),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.name.clone(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/local",
                self.name
            ),
            _ => return self.resource_reference(name, depth),
        }))
    }

    fn resource_reference(&self, id: &str, depth: usize) -> Result<Value> {
        let kind = self.kind(id)?;
        let name = self.physical_name_at(id, depth)?;
        Ok(json!(match kind.as_str() {
            "AWS::SQS::Queue" => self.queue_url(&name),
            "AWS::SecretsManager::Secret" => secret_arn(&name),
            "AWS::Serverless::Api" => api_id(id),
            _ => name,
        }))
    }

    pub(super) fn attribute(&self, id: &str, attribute: &str, depth: usize) -> Result<Value> {
        if let Some(output) = attribute.strip_prefix("Outputs.") {
            let child = self.child_at(id, depth)?.with_context(|| {
                format!("the template of nested stack {id} was not given, but its output {output} is used")
            })?;
            return Ok(Value::String(child.output_at(output, depth)?));
        }
        let kind = self.kind(id)?;
        let name = self.physical_name_at(id, depth)?;
        Ok(json!(match (kind.as_str(), attribute) {
            ("AWS::SQS::Queue", "QueueUrl") => self.queue_url(&name),
            ("AWS::SQS::Queue", "QueueName")
            | ("AWS::Events::EventBus", "Name")
            | ("AWS::KMS::Key", "KeyId") => name,
            ("AWS::IAM::Role", "RoleId") => role_id(&name),
            (_, "Arn") => arn(&kind, &name),
            ("AWS::DynamoDB::Table", "StreamArn") => format!("{}/stream/local", arn(&kind, &name)),
            ("AWS::SecretsManager::Secret", "Id") => secret_arn(&name),
            _ => format!("{name}.{attribute}"),
        }))
    }

    fn kind(&self, id: &str) -> Result<String> {
        let resources = self.template.get("Resources").and_then(Value::as_object);
        let resource = resources.and_then(|r| r.get(id));
        if let Some(resource) = resource {
            return Ok(resource
                .get("Type")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned());
        }
        // SAM makes resources named after those of the template: roles, stages, permissions.
        let generated = id == "ServerlessRestApi"
            || resources
                .into_iter()
                .flat_map(Map::keys)
                .any(|known| id.starts_with(known.as_str()));
        if generated {
            return Ok(String::new());
        }
        bail!(
            "stack {} has neither a parameter nor a resource {id}",
            self.name
        )
    }

    /// The name a resource has in its service.
    pub(crate) fn physical_name(&self, id: &str) -> Result<String> {
        self.physical_name_at(id, 0)
    }

    fn physical_name_at(&self, id: &str, depth: usize) -> Result<String> {
        let resource = self.template.get("Resources").and_then(|r| r.get(id));
        let kind = self.kind(id)?;
        if kind == "AWS::KMS::Key" {
            return Ok(key_id(&self.name, id));
        }
        let property = match kind.as_str() {
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::KMS::Alias" => "AliasName",
            "AWS::S3::Bucket" => "BucketName",
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => "FunctionName",
            "AWS::SecretsManager::Secret" | "AWS::Events::EventBus" | "AWS::Events::Rule" => "Name",
            _ => "",
        };
        if let Some(name) = resource.and_then(|r| r.pointer(&format!("/Properties/{property}")))
            && !property.is_empty()
        {
            return Ok(text(&self.resolve_at(name, depth.saturating_add(1))?));
        }
        Ok(format!("{}-{id}", self.name))
    }

    pub(crate) fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.places.sqs)
    }
}

fn arn(kind: &str, name: &str) -> String {
    let (service, resource) = match kind {
        "AWS::DynamoDB::Table" => ("dynamodb", format!("table/{name}")),
        "AWS::SQS::Queue" => ("sqs", name.to_owned()),
        "AWS::KMS::Key" => ("kms", format!("key/{name}")),
        "AWS::Events::EventBus" => ("events", format!("event-bus/{name}")),
        "AWS::Events::Rule" => ("events", format!("rule/{name}")),
        "AWS::SecretsManager::Secret" => return secret_arn(name),
        // Bucket names are nobody else's anywhere, so there is no region or account in the ARN.
        "AWS::S3::Bucket" => return format!("arn:aws:s3:::{name}"),
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
            ("lambda", format!("function:{name}"))
        }
        _ => ("local", name.to_owned()),
    };
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The ARN of a secret. The suffix AWS draws at random is fixed here, so that ARNs survive a restart.
pub(crate) fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1b2C3")
}

fn api_id(logical: &str) -> String {
    logical.to_ascii_lowercase()
}

/// The id of a role that follows from its name, in the form that IAM draws.
pub(crate) fn role_id(name: &str) -> String {
    let digest = format!("{:X}", md5::compute(name));
    format!("AROA{}", digest.get(..17).unwrap_or_default())
}

/// A key id that follows from the template, in the form of a UUID as KMS has it.
pub(crate) fn key_id(stack: &str, logical: &str) -> String {
    let digest = format!("{:x}", md5::compute(format!("{stack}/{logical}")));
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
