//! The message that asks: what one of our functions puts on the privacy-requests queue.
//!
//! It names the person by their random id and holds no word of theirs, so it may wait on a queue.

use serde_json::json;

use crate::identity::SubjectId;
use crate::outbound::Fields;
use crate::profiles::Right;
use crate::record::is_number_id;
use crate::refusal::{Code, Refusal};
use crate::system::Locale;
use crate::time::Timestamp;

/// The schema every one names.
pub const SCHEMA: &str = "headgate.privacy/1";
const MAX_BYTES: usize = 4 * 1024;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A right, in words.
    Right(Right),
    /// What they chose on the page that gave them a code; this is the code's hash.
    Code(String),
}

/// What a person asks for, proven by their own message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What.
    pub wish: Wish,
    /// Who.
    pub subject: SubjectId,
    /// The pseudonym of the message it was said in.
    pub source: String,
    /// When it was said.
    pub at: Timestamp,
    /// The number it was said to, if it is one of ours: from there the person is answered.
    pub number: Option<String>,
    /// The language to answer in.
    pub locale: Locale,
}

impl Ask {
    /// The body on the queue.
    pub fn to_json(&self) -> String {
        let mut body = json!({
            "schema": SCHEMA,
            "subject": self.subject.as_str(),
            "source": self.source,
            "at": self.at.to_string(),
            "locale": self.locale.tag(),
        });
        let (name, value) = match &self.wish {
            Wish::Right(right) => ("right", right.word()),
            Wish::Code(hash) => ("code", hash.as_str()),
        };
        if let Some(body) = body.as_object_mut() {
            body.insert(name.to_owned(), value.into());
            if let Some(number) = &self.number {
                body.insert("number".to_owned(), number.as_str().into());
            }
        }
        body.to_string()
    }

    /// Parses one message of the queue.
    ///
    /// # Errors
    /// A [`Refusal`]; on this queue it means that something is wrong with us.
    pub fn parse(body: &str) -> Result<Self, Refusal> {
        if body.len() > MAX_BYTES {
            return Err(Code::TooLarge.into());
        }
        let fields = Fields::parse(body)?;
        fields.only(&[
            "schema", "right", "code", "subject", "source", "at", "number", "locale",
        ])?;
        fields.schema(SCHEMA)?;
        let malformed = |field, why| Refusal::at(Code::Malformed, field, why);
        let right = fields.optional_text("right", "right", 32)?;
        let code = fields.optional_text("code", "code", 43)?;
        let wish = match (right, code) {
            (Some(word), None) => {
                let right = Right::ALL.into_iter().find(|one| one.word() == word);
                Wish::Right(right.ok_or(malformed("right", "is not one of the rights"))?)
            }
            (None, Some(hash)) if is_base64url(&hash) && hash.len() == 43 => Wish::Code(hash),
            (None, Some(_)) => return Err(malformed("code", "is not the hash of a code")),
            (None, None) | (Some(_), Some(_)) => {
                return Err(malformed("right", "either right or code must be there"));
            }
        };
        let subject = SubjectId::parse(fields.text("subject")?);
        let source = fields.text("source")?;
        let is_pseudonym = source.len() == 46 && source.starts_with("m1_") && is_base64url(source);
        let number = fields.optional_text("number", "number", 32)?;
        if number.as_deref().is_some_and(|id| !is_number_id(id)) {
            return Err(malformed("number", "is not a phone number id"));
        }
        Ok(Self {
            wish,
            subject: subject.map_err(|_shape| malformed("subject", "is not a subject id"))?,
            source: is_pseudonym
                .then(|| source.to_owned())
                .ok_or(malformed("source", "is not the pseudonym of a message"))?,
            at: fields
                .optional_time("at", "at")?
                .ok_or(malformed("at", "is missing"))?,
            number,
            locale: Locale::from_tag(fields.text("locale")?)
                .ok_or(malformed("locale", "is not a language there are texts in"))?,
        })
    }
}

fn is_base64url(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let ask = Ask {
            wish: Wish::Right(Right::Erasure),
            subject: SubjectId::from_random([3; 16]),
            source: format!("m1_{}", "a".repeat(43)),
            at: Timestamp::from_seconds(1_795_341_600),
            number: Some("106540352242922".to_owned()),
            locale: Locale::De,
        };
        let written = ask.to_json();
        assert_eq!(Ask::parse(&written), Ok(ask.clone()));
        let nowhere = Ask {
            number: None,
            wish: Wish::Code("A".repeat(43)),
            ..ask
        };
        assert_eq!(Ask::parse(&nowhere.to_json()), Ok(nowhere));
        let field =
            |from: &str, to: &str| Ask::parse(&written.replace(from, to)).unwrap_err().field;
        assert_eq!(field("\"erasure\"", "\"forgiveness\""), Some("right"));
        assert_eq!(field("sub_", "sub-"), Some("subject"));
        assert_eq!(field("m1_", "s1_"), Some("source"));
        assert_eq!(field("\"de\"", "\"tlh\""), Some("locale"));
        assert_eq!(field("106540352242922", "+16135550100"), Some("number"));
        assert_eq!(field("privacy/1", "privacy/2"), Some("schema"));
        let more = written.replace('{', "{\"text\":\"hello\",");
        assert!(Ask::parse(&more).is_err(), "no word of anybody's");
        assert_eq!(
            Ask::parse(&"x".repeat(5_000)).unwrap_err().code,
            Code::TooLarge
        );
    }
}
