//! Notices: registered wordings, each under the hash of its text, written once and never changed.

use headgate_domain::consent::NoticeId;

use super::Controls;
use crate::AwsError;
use crate::item::{Attributes, key, s, taken};

/// A registered wording. It names nobody: it is what the business shows to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredNotice {
    /// Its text.
    pub text: String,
    /// Its language, BCP 47; empty where none was given.
    pub locale: String,
    /// In whose name it is shown.
    pub controller: String,
}

impl RegisteredNotice {
    /// Its id.
    pub fn id(&self) -> NoticeId {
        NoticeId::of(&self.text, &self.locale, &self.controller)
    }
}

impl Controls {
    /// Registers a wording; doing so again changes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn add_notice(&self, notice: &RegisteredNotice) -> Result<NoticeId, AwsError> {
        let id = notice.id();
        let mut item = key(format!("notice#{id}"), "N");
        for (name, text) in [
            ("text", &notice.text),
            ("locale", &notice.locale),
            ("controller", &notice.controller),
        ] {
            item.insert(name.to_owned(), s(text.as_str()));
        }
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        taken(answer.map_err(|e| AwsError::of("PutItem", &e)))?;
        Ok(id)
    }

    /// A registered wording; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn notice(&self, id: &NoticeId) -> Result<Option<RegisteredNotice>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("notice#{id}"), "N")))
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item.and_then(|item| {
            let text = |name| item.text(name).map(str::to_owned);
            Some(RegisteredNotice {
                text: text("text")?,
                locale: text("locale")?,
                controller: text("controller")?,
            })
        }))
    }
}
