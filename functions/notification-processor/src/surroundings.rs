//! What was said before a message: the last thing the person was sent.
//!
//! Owns the look into the outbox, and takes it only for words whose meaning hangs on it: one query of the
//! index and one read, for one message in hundreds, and two reads more while an opt-in question is open. It is behind by what the index is behind, and then a
//! word is asked about that was a no.

use headgate_aws::messages::Record;
use headgate_domain::config::Config;
use headgate_domain::consent::{OPEN_MS, Question};
use headgate_domain::lane::Purpose;
use headgate_domain::optout::{Context, Intent, classify, hangs_on_context};
use headgate_domain::record::{RecordRef, State};
use headgate_domain::system::{Kind, SystemMessage};
use headgate_domain::time::{DAY, HOUR};

use crate::hearing::{Heard, words_bind};
use crate::outcome::Failure;

/// A word like "cancel" answers the marketing of this time (docs/optout.md).
const MARKETING_IS_RECENT_MS: i64 = 72 * HOUR;
/// How far back a message may have been accepted that was sent lately: the life of a marketing message.
const LOOKED_BACK_MS: i64 = 7 * DAY;
/// So many of the newest are looked at; one of them has left, or none did lately.
const LOOKED_AT: i32 = 10;

/// What is known around a message.
#[derive(Default)]
pub(crate) struct Surroundings {
    words_bind: bool,
    recent_marketing: bool,
    language: Option<String>,
    question: Shown,
}

/// Where the opt-in question of the last day is, as the person sees it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shown {
    /// There is none, or it had not left when they wrote.
    #[default]
    No,
    /// Something else was sent after it.
    Earlier,
    /// It is the last thing they were sent, so that a bare yes answers it.
    Last,
}

impl Surroundings {
    /// Whether the opt-in question has been shown within a day, before the person wrote.
    pub(crate) fn question_shown(&self) -> bool {
        self.question != Shown::No
    }

    /// The same, as the reading of a text takes it.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            recent_marketing: self.recent_marketing,
            optin_question_open: self.question == Shown::Last,
            words_bind: self.words_bind,
            language: self.language.as_deref(),
        }
    }
}

/// What is known around a message, looked up where its words hang on it.
pub(crate) async fn of(heard: &Heard<'_>) -> Result<Surroundings, Failure> {
    let mut around = Surroundings {
        words_bind: words_bind(heard.inbound),
        ..Surroundings::default()
    };
    let texts = [&heard.inbound.text, &heard.inbound.payload];
    let hangs = texts
        .into_iter()
        .flatten()
        .any(|text| hangs_on_context(text.reveal(), &around.context()));
    let question = question(heard, &around).await?;
    if question.is_some() {
        around.question = Shown::Earlier;
    }
    if !hangs && question.is_none() {
        return Ok(around);
    }
    let Some(last) = last_message(heard).await? else {
        return Ok(around);
    };
    let sent_at = last.not_before.unwrap_or(last.accepted_at);
    around.recent_marketing = last.purpose == Purpose::Marketing
        && heard.inbound.at.millis_since(sent_at) <= MARKETING_IS_RECENT_MS;
    if question.is_some_and(|shown| shown == last.reference) {
        around.question = Shown::Last;
    }
    around.language = last.template.and_then(|name| language(heard.config, &name));
    Ok(around)
}

/// The opt-in question, if it had left for the person when they wrote, and their words may be an answer to it.
async fn question(heard: &Heard<'_>, around: &Surroundings) -> Result<Option<RecordRef>, Failure> {
    let (inbound, now) = (heard.inbound, heard.now);
    // Words count for as long as any question; the buttons under one out of a file count longer.
    let is_recent = |asked: &&Question| inbound.at.millis_since(asked.at) <= OPEN_MS;
    let Some(asked) = heard.question().filter(is_recent) else {
        return Ok(None);
    };
    let open = Context {
        optin_question_open: true,
        ..around.context()
    };
    // Also a bare no, which is none to anything else then.
    let is_answer = inbound.text.as_ref().is_some_and(|text| {
        let said = classify(text.reveal(), &open);
        matches!(said, Intent::OptIn { .. }) || said != classify(text.reveal(), &around.context())
    });
    if !is_answer {
        return Ok(None);
    }
    let id = SystemMessage::id_of(Kind::of(asked), &asked.cause());
    let messages = &heard.ports.messages;
    let accepted = messages
        .accepted_under(&heard.ports.accepted_as(&id), now)
        .await?;
    let Some(reference) = accepted.as_deref().and_then(RecordRef::parse) else {
        return Ok(None);
    };
    let records = messages.load(std::slice::from_ref(&reference), now).await?;
    // Meta gives whole seconds.
    let was_shown = records.first().is_some_and(|record| {
        has_left(record.state) && record.accepted_at.seconds() <= inbound.at.seconds()
    });
    Ok(was_shown.then_some(reference))
}

/// The last message that left for the person, as far as anybody knows.
async fn last_message(heard: &Heard<'_>) -> Result<Option<Record>, Failure> {
    let since = heard.now.plus_millis(-LOOKED_BACK_MS);
    let messages = &heard.ports.messages;
    let newest = messages
        .latest_of(&heard.person.id, (since, heard.now), LOOKED_AT)
        .await?;
    let records = messages.load(&newest, heard.now).await?;
    let left = records.into_iter().filter(|record| has_left(record.state));
    Ok(left.max_by(|a, b| a.reference.ulid.cmp(&b.reference.ulid)))
}

const fn has_left(state: State) -> bool {
    match state {
        State::Accepted
        | State::Ambiguous
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Played
        | State::Unknown => true,
        State::Queued | State::Scheduled | State::Held | State::Failed | State::Cancelled => false,
    }
}

/// The language of a template, as the lists of words call it; `None` when it has several.
fn language(config: &Config, template: &str) -> Option<String> {
    let mut known = config.templates.iter().filter(|t| t.name == template);
    let only = known.next()?;
    if known.next().is_some() {
        return None;
    }
    let code = match only.language.as_str() {
        "zh_CN" => "zh-Hans",
        "zh_HK" | "zh_TW" => "zh-Hant",
        other => other.split('_').next()?,
    };
    Some(code.to_owned())
}
