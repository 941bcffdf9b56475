//! Links by which a person confirms what a token attests (ADR 0027).
//!
//! Owns that the same record has the same link: its token follows from the record's name, and its end stands
//! in its row. The link is told to whoever holds the API token, once and again, and kept nowhere.

use headgate_domain::api_token::Presented;
use headgate_domain::confirm_link::{LIFE_MS, LinkRow};
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::decide::Asked;
use crate::problem::Problem;
use crate::{ConsentApi, unavailable};

/// A link and its row.
pub(crate) struct Link {
    pub(crate) row: LinkRow,
    url: String,
    expires_at: Timestamp,
}

impl Link {
    /// Adds the link to the answer of its record.
    pub(crate) fn told(self, answer: &mut Value) {
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("url".to_owned(), json!(self.url));
            answer.insert("expires_at".to_owned(), json!(self.expires_at.to_string()));
        }
    }
}

impl ConsentApi {
    /// The link of a record, with its row written.
    pub(crate) async fn link(
        &self,
        token: &Presented,
        record: &Asked,
        now: Timestamp,
    ) -> Result<Link, Problem> {
        let jti = self
            .confirm
            .jti(&self.deployment, &token.id, &record.said.id);
        let row = LinkRow::of(jti);
        // The token holds whole seconds, and the row the same.
        let expires_at = Timestamp::from_seconds(now.plus_millis(LIFE_MS).seconds());
        let issued = self
            .confirm_links
            .issue(&row, &token.id, now, expires_at)
            .await;
        let expires_at = issued.map_err(|e| unavailable(&e))?.expires_at;
        let text = self.confirm.token(&self.deployment, jti, expires_at);
        Ok(Link {
            row,
            url: format!("{}/c/{text}", self.privacy_url),
            expires_at,
        })
    }
}
