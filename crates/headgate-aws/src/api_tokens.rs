//! API tokens at rest: their hashes, their use by day, and how often each was used this minute.
//!
//! All of it in `privacy-requests`. The tokens have one partition, which the API may read and only an
//! operator may write; what the API itself writes has keys of its own, so that it cannot give itself a
//! right. Whether a token opens is `headgate_domain::api_token`'s to say.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::api_token::{ApiToken, HashedToken, Scope, TokenId};
use headgate_domain::time::{DAY, Day, MINUTE, Timestamp};

use crate::item::{Attributes, Item, all, key, ms, n, partition, s, taken, was_taken};
use crate::{Aws, AwsError};

/// The partition of the tokens.
const TOKENS: &str = "api-token";
/// Stands beside what a token was used for, and no minute does.
const BY_DAY: &str = "day";
/// How long a token that has ended stays in the list, for whoever asks what happened.
const KEEP_ENDED_MS: i64 = 90 * DAY;

/// The tokens of a deployment.
#[derive(Clone)]
pub struct ApiTokens {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// A token and when it was last used.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The token.
    pub token: ApiToken,
    /// The day of its last use; `None` when it was never used.
    pub last_used: Option<Day>,
}

impl ApiTokens {
    /// The tokens in the privacy-requests table.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Stores a new token. Doing it twice is doing it once: its key follows from it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put(&self, token: &ApiToken) -> Result<(), AwsError> {
        let mut item = key(TOKENS, token.id().as_str());
        item.insert("hash".to_owned(), s(token.hash.text()));
        item.insert("name".to_owned(), s(token.name.as_str()));
        let scopes = token.scopes.iter().map(|scope| scope.word().to_owned());
        item.insert("scopes".to_owned(), AttributeValue::Ss(scopes.collect()));
        item.insert("created_at".to_owned(), ms(token.created_at));
        item.insert("expires_at".to_owned(), ms(token.expires_at));
        let until = token.expires_at.plus_millis(KEEP_ENDED_MS);
        item.insert("ttl".to_owned(), n(until.seconds()));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// A token by its public name, consistently: one that was just revoked is.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, id: &TokenId) -> Result<Option<ApiToken>, AwsError> {
        let item = self.get(TOKENS, id.as_str()).await?;
        Ok(item.as_ref().and_then(read))
    }

    /// Every token, those that have ended lately included, the newest first.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn list(&self) -> Result<Vec<Listed>, AwsError> {
        let mut listed = Vec::new();
        let tokens = all(partition(&self.client, &self.table, TOKENS)).await?;
        for token in tokens.iter().filter_map(read) {
            let used = self.get(&usage(&token.id()), BY_DAY).await?;
            let last_used = used
                .as_ref()
                .and_then(|item| item.text("used"))
                .and_then(|day| Day::parse(day).ok());
            listed.push(Listed { token, last_used });
        }
        listed.sort_by_key(|listed| std::cmp::Reverse(listed.token.created_at));
        Ok(listed)
    }

    /// Takes a token back; whether there is one of this name. One that was taken back stays so since then.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn revoke(&self, id: &TokenId, now: Timestamp) -> Result<bool, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(TOKENS, id.as_str())))
            .condition_expression("attribute_exists(pk)")
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :now)")
            .expression_attribute_values(":now", ms(now))
            .send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e));
        was_taken(answer)
    }

    /// Notes the day of a use; an earlier day does not overwrite a later one.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_use(&self, id: &TokenId, now: Timestamp) -> Result<(), AwsError> {
        let kept = now.plus_millis(366 * DAY).plus_millis(KEEP_ENDED_MS);
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(usage(id), BY_DAY)))
            .condition_expression("attribute_not_exists(used) OR used < :day")
            .update_expression("SET used = :day, #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":day", s(now.day().to_string()))
            .expression_attribute_values(":ttl", n(kept.seconds()))
            .send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e));
        taken(answer)
    }

    /// Counts a request of a token in its minute; whether it is within the limit. What comes over it is
    /// not counted, so a client that goes on knocking is let in with the next minute.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn count(
        &self,
        id: &TokenId,
        records: u32,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let minute = now.millis().div_euclid(MINUTE);
        let room = per_minute.saturating_sub(records);
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(usage(id), minute.to_string())))
            .condition_expression("attribute_not_exists(used) OR used <= :room")
            .update_expression("ADD used :one SET #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":one", n(records))
            .expression_attribute_values(":room", n(room))
            .expression_attribute_values(":ttl", n(now.plus_millis(60 * MINUTE).seconds()))
            .send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e));
        was_taken(answer)
    }

    async fn get(&self, pk: &str, sk: &str) -> Result<Option<Item>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(pk, sk)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item)
    }
}

/// The partition of a token's use, which the API may write.
fn usage(id: &TokenId) -> String {
    format!("api-usage#{id}")
}

/// A token from its item; one that is not whole is none, and opens nothing.
fn read(item: &Item) -> Option<ApiToken> {
    let scopes = item.set("scopes").iter();
    Some(ApiToken {
        hash: HashedToken::from_text(item.text("hash")?)?,
        name: item.text("name")?.to_owned(),
        scopes: scopes.filter_map(|word| Scope::from_word(word)).collect(),
        created_at: item.time("created_at")?,
        expires_at: item.time("expires_at")?,
        revoked_at: item.time("revoked_at"),
    })
}
