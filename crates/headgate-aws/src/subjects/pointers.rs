//! Who an identifier leads to, for whoever may open nothing: the pepper alone finds the pointer.

use std::sync::Arc;

use headgate_domain::identity::{Identifier, Pepper, SubjectId};

use super::PEPPER;
use crate::item::{Attributes, batch_get_some, key};
use crate::{Aws, AwsError};

/// The pointers of the subjects table.
#[derive(Clone)]
pub struct Pointers {
    client: aws_sdk_dynamodb::Client,
    table: String,
    deployment: String,
    identity: Arc<Pepper>,
}

impl Pointers {
    /// The pointers in the subjects table.
    pub fn new(aws: &Aws, table: &str, deployment: &str, identity: Arc<Pepper>) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            deployment: deployment.to_owned(),
            identity,
        }
    }

    /// The subject of an identifier, if there is one.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, identifier: &Identifier) -> Result<Option<SubjectId>, AwsError> {
        let pseudonym = identifier.pseudonym(&self.identity, PEPPER, &self.deployment);
        let pointer = key(format!("I#{}", pseudonym.as_str()), "I");
        // No more: a person who asks by hand may read nothing else of it.
        let attributes = "pk, sk, subject";
        let items = batch_get_some(&self.client, &self.table, vec![pointer], attributes).await?;
        let subject = items.first().and_then(|item| item.text("subject"));
        Ok(subject.and_then(|text| SubjectId::parse(text).ok()))
    }
}
