//! Templates as the configuration declares them: category, state, and which parameters they take.
//!
//! The contract of a template is what Meta has on record; a message that keeps to something else is
//! refused before Meta sees it. Whether one does is judged in `policy`.

use serde::{Deserialize, Serialize};

use crate::lane::Purpose;

/// Meta's category of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// One-time codes.
    Authentication,
    /// About something the person already has with the business.
    Utility,
    /// Everything else.
    Marketing,
}

impl Category {
    /// Whether a template of this category may travel in a lane.
    ///
    /// A utility template inside the service window is an answer; nothing else crosses over.
    pub const fn is_allowed_for(self, purpose: Purpose) -> bool {
        matches!(
            (self, purpose),
            (Self::Authentication, Purpose::Authentication)
                | (Self::Utility, Purpose::Utility | Purpose::Service)
                | (Self::Marketing, Purpose::Marketing)
        )
    }
}

/// Where a template stands at Meta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateStatus {
    /// May be sent.
    Approved,
    /// Not yet, or not, approved: the default, because an unknown state must not send.
    #[default]
    Pending,
    /// Paused for bad feedback.
    Paused,
    /// Disabled for good.
    Disabled,
    /// Parked by our own review.
    Parked,
}

/// A message template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Meta's name.
    pub name: String,
    /// Meta's language code, such as `en_US`.
    pub language: String,
    /// Meta's category.
    pub category: Category,
    /// Where it stands.
    #[serde(default)]
    pub status: TemplateStatus,
    /// What the header takes; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// How many parameters the body takes.
    #[serde(default)]
    pub body_parameters: usize,
    /// The names of the body's parameters, where the template names them; empty: they count by position.
    #[serde(default)]
    pub body_names: Vec<String>,
    /// The buttons that take a parameter.
    #[serde(default)]
    pub buttons: Vec<Button>,
    /// Other components a message must bring, such as `carousel`; they are passed on unread.
    #[serde(default)]
    pub other_components: Vec<String>,
}

/// What a template's header takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Header {
    /// One text parameter.
    Text,
    /// An image.
    Image,
    /// A video.
    Video,
    /// A document.
    Document,
    /// A place.
    Location,
    /// A product of the catalogue.
    Product,
}

/// A button that takes a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// Its place, from 0.
    pub index: u8,
    /// What it does.
    pub kind: ButtonKind,
    /// Whether a message may leave its parameter out.
    #[serde(default)]
    pub optional: bool,
}

/// Meta's kinds of button that take a parameter (`sub_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonKind {
    /// The end of an address; also the code of an authentication template.
    Url,
    /// What comes back when it is pressed.
    QuickReply,
    /// A coupon to copy.
    CopyCode,
    /// A flow's token and data.
    Flow,
    /// A picture of the catalogue.
    Catalog,
    /// A choice of products.
    Mpm,
    /// How long a call may be started.
    VoiceCall,
}

impl ButtonKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Url,
        Self::QuickReply,
        Self::CopyCode,
        Self::Flow,
        Self::Catalog,
        Self::Mpm,
        Self::VoiceCall,
    ];

    /// Meta's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::QuickReply => "quick_reply",
            Self::CopyCode => "copy_code",
            Self::Flow => "flow",
            Self::Catalog => "catalog",
            Self::Mpm => "mpm",
            Self::VoiceCall => "voice_call",
        }
    }

    /// The kind of a word of Meta's.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(word))
    }
}

impl Template {
    /// How many parameters the body takes, counted or named.
    pub fn body_count(&self) -> usize {
        if self.body_names.is_empty() {
            self.body_parameters
        } else {
            self.body_names.len()
        }
    }
}
