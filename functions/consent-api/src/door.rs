//! The door: a token, and how often it was used.
//!
//! Owns that whoever has no token in force learns nothing from being refused: one answer for every reason,
//! and the same reads behind it for a token that is unknown, expired or revoked. The log says which, by the
//! token's public name.

use std::sync::PoisonError;

use headgate_domain::api_token::{ApiToken, HashedToken, PlainToken, Presented, TokenId, Turned};
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};
use http::HeaderMap;

use crate::problem::{Kind, Problem};
use crate::{ConsentApi, PER_MINUTE, decide, unavailable};

impl ConsentApi {
    /// Whose request it is.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Presented, Problem> {
        let Some(text) = decide::bearer(headers) else {
            return Err(Kind::Unauthorized.into());
        };
        // A typing error costs no lookup; anybody can compute that much from the text alone.
        let plain = PlainToken::parse(text, &self.deployment).map_err(|why| {
            log(Level::Warn, "token_refused", &[("why", Field::safe(&why))]);
            Kind::Unauthorized
        })?;
        let presented = plain.hashed(&self.deployment);
        let id = presented.id();
        let found = self.tokens.find(&id).await.map_err(|e| unavailable(&e))?;
        let opened = opened(found.as_ref(), &presented, now);
        opened.map_err(|why| {
            log(
                Level::Warn,
                "token_refused",
                &[
                    ("why", Field::code(why.word())),
                    ("token", Field::safe(&id)),
                ],
            );
            Kind::Unauthorized.into()
        })
    }

    /// Counts the records of a request, and notes the day.
    pub(crate) async fn within_limit(
        &self,
        token: &Presented,
        records: usize,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let records = u32::try_from(records).unwrap_or(PER_MINUTE);
        let counted = self.tokens.count(&token.id, records, PER_MINUTE, now).await;
        if !counted.map_err(|e| unavailable(&e))? {
            log(
                Level::Warn,
                "token_limited",
                &[("token", Field::safe(&token.id))],
            );
            return Err(Kind::RateLimited.into());
        }
        self.note_use(&token.id, now).await;
        Ok(())
    }

    /// Notes the day of a use, once a day from here; that it could not be noted stops nobody.
    async fn note_use(&self, id: &TokenId, now: Timestamp) {
        let today = now.day();
        let is_noted = {
            let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.get(id) == Some(&today)
        };
        if is_noted {
            return;
        }
        match self.tokens.note_use(id, now).await {
            Ok(()) => {
                let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.insert(id.clone(), today);
            }
            Err(error) => log(
                Level::Warn,
                "use_not_noted",
                &[("error", Field::safe(&error))],
            ),
        }
    }
}

/// Whether a token opens; one that is not there is compared like one that is.
fn opened(
    found: Option<&ApiToken>,
    presented: &HashedToken,
    now: Timestamp,
) -> Result<Presented, Turned> {
    let nobody;
    let token = if let Some(token) = found {
        token
    } else {
        nobody = ApiToken {
            hash: HashedToken::of_nobody(),
            name: String::new(),
            scopes: Vec::new(),
            created_at: now,
            expires_at: now,
            revoked_at: None,
        };
        &nobody
    };
    token.open(presented, now)
}
