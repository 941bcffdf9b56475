//! The rules of the public routes: what a request may cause.
//!
//! Pure: facts of a request in, a [`Decision`] out. Only [`posted`] can make a decision that
//! writes, and it is reached by `POST` alone: a mail scanner, a link preview or a prefetch that
//! follows every link changes nothing. Does not render and does not know the configuration.

use headgate_domain::confirm_link::{self, ConfirmToken};
use headgate_domain::consent::Topic;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::privacy::{Choice, ExportLink, RequestId};
use http::{HeaderMap, HeaderName, Method, header};

/// The forms send a handful of short fields; anything larger is not from them.
pub(crate) const MAX_BODY: usize = 4 * 1024;
/// What may be asked for on the opt-in page. Codes and answers need no form: the person starts those.
pub(crate) const OFFERED: [Purpose; 2] = [Purpose::Marketing, Purpose::Utility];

/// The word of the form that asks not to sell or share.
pub(crate) const NO_SALE: &str = "sale";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Global Privacy Control, w3.org/TR/gpc, read 2026-11.
const GPC: HeaderName = HeaderName::from_static("sec-gpc");

/// What is known of a request; nothing of it is trusted.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// A page that is the same for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The opt-in form.
    OptIn(Offer),
    /// The button that stops messages, behind this token.
    Unsubscribe(String),
    /// The button that confirms a yes, behind a text that may be a token; without it for a program that only
    /// fetches, and the same for every text, so that it tells nothing of the link.
    ConfirmLink(Option<String>),
    /// What is stored, how long, and what one can do about it.
    Privacy,
    /// That nothing is sold, and whether the browser asks for that.
    DoNotSell {
        /// Whether it sends Global Privacy Control.
        signal: bool,
    },
    /// That Global Privacy Control is honoured, for programs: `/.well-known/gpc.json`.
    GpcStatement,
    /// What can be asked for, and the button that gives a code.
    Requests,
}

/// What the opt-in page offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// For what.
    pub(crate) purposes: Vec<Purpose>,
    /// The topic of it alone, if it is of one purpose.
    pub(crate) topic: Option<Topic>,
}

/// What somebody chose on the opt-in form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What the page offered.
    pub(crate) offered: Offer,
    /// What was ticked.
    pub(crate) ticked: Vec<Purpose>,
    /// The version of the wording that was on the page.
    pub(crate) wording: String,
}

/// What a person stops, for every topic of it or for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// For what.
    pub(crate) scope: Scope,
    /// The topic of it alone.
    pub(crate) topic: Option<Topic>,
}

/// What purposes a person stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// News and offers.
    Marketing,
    /// Updates about orders and appointments.
    Utility,
    /// Everything the business starts.
    Everything,
}

impl Scope {
    /// The purposes it covers.
    pub(crate) const fn purposes(self) -> &'static [Purpose] {
        match self {
            Self::Marketing => &[Purpose::Marketing],
            Self::Utility => &[Purpose::Utility],
            Self::Everything => &[Purpose::Marketing, Purpose::Utility],
        }
    }

    const fn is_one_purpose(self) -> bool {
        match self {
            Self::Marketing | Self::Utility => true,
            Self::Everything => false,
        }
    }

    /// The scope a form names.
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "marketing" => Some(Self::Marketing),
            "utility" => Some(Self::Utility),
            "everything" => Some(Self::Everything),
            _ => None,
        }
    }
}

/// How a copy is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// To be read.
    Page,
    /// For machines, and to be kept.
    File,
}

/// What is known of whoever pressed a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presser {
    /// What the program calls itself.
    pub(crate) user_agent: Option<String>,
    /// Whether a browser says that it came from our own page.
    pub(crate) is_same_origin: bool,
}

/// Where a person was when they said no: what they see afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The page behind the link in a message.
    Unsubscribe,
    /// The page with each of their choices.
    Preferences,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No such address, or a link that was not made here: the same words for both (I10).
    NotFound,
    /// The route exists, the method does not.
    Method(&'static str),
    /// The body is larger than any of the forms.
    TooLarge,
    /// The body is not a form.
    WrongType,
    /// Another site sent it.
    CrossSite,
    /// It could not be stored or read just now.
    Unavailable,
}

/// What a request causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A page, and nothing else.
    Show(View),
    /// The choices of the person the link belongs to, and nothing else.
    ShowChoices(SubjectId),
    /// Where a request stands, and nothing else.
    ShowRequest(RequestId),
    /// A code for a request, to be sent from the person's own phone.
    GiveCode(Choice),
    /// Whether there is a copy behind a link, and nothing else.
    ShowCopy(ExportLink),
    /// A volume of the copy behind a link, to read or to keep.
    HandOut(ExportLink, Copy, usize),
    /// A consent request, to be confirmed from the person's own phone.
    Ask(Asked),
    /// The form of a link to confirm was sent, and its box was not ticked.
    NotTicked(String),
    /// The button behind a link to confirm was pressed.
    Press(ConfirmToken, Presser),
    /// A withdrawal by the person the link belongs to.
    Withdraw(SubjectId, Stop, Door),
    /// The wish of the person the link belongs to that their data be neither sold nor shared.
    DoNotSell(SubjectId),
    /// No.
    Refuse(Refused),
}

enum Route<'a> {
    OptIn,
    Unsubscribe(&'a str),
    Preferences(&'a str),
    ConfirmLink(&'a str),
    Privacy,
    DoNotSell,
    GpcStatement,
    Requests,
    Request(RequestId),
    Copy(ExportLink),
}

impl Route<'_> {
    /// What may be done there, as the `Allow` header says it.
    const fn allowed(&self) -> &'static str {
        match self {
            Self::OptIn
            | Self::Unsubscribe(_)
            | Self::Preferences(_)
            | Self::ConfirmLink(_)
            | Self::Requests
            | Self::Copy(_) => "GET, HEAD, POST",
            Self::Privacy | Self::DoNotSell | Self::GpcStatement | Self::Request(_) => "GET, HEAD",
        }
    }
}

impl Facts<'_> {
    /// The language that was asked for. A form says which wording it showed; that comes first.
    pub(crate) fn language(&self) -> Option<String> {
        let from_form = if self.method == Method::POST {
            self.form("lang")
        } else {
            None
        };
        from_form.or_else(|| first(self.query.as_bytes(), "lang"))
    }

    /// What the browser says its person reads.
    pub(crate) fn accept_language(&self) -> Option<&str> {
        self.header(&header::ACCEPT_LANGUAGE)
    }

    /// Whether the sender wants a machine-readable refusal.
    pub(crate) fn wants_json(&self) -> bool {
        self.header(&header::ACCEPT)
            .is_some_and(|accept| accept.contains("json") && !accept.contains("text/html"))
    }

    fn user_agent(&self) -> Option<&str> {
        self.header(&header::USER_AGENT)
    }

    /// Whether the browser asks that its person's data be neither sold nor shared. The value is exactly 1
    /// (Global Privacy Control, 3.1); any other says nothing.
    fn has_signal(&self) -> bool {
        self.headers.get(GPC).is_some_and(|value| value == "1")
    }

    fn presser(&self) -> Presser {
        Presser {
            user_agent: self.user_agent().map(str::to_owned),
            is_same_origin: self
                .headers
                .get(FETCH_SITE)
                .is_some_and(|site| site == "same-origin"),
        }
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn form(&self, name: &str) -> Option<String> {
        if self.body.len() > MAX_BODY {
            None
        } else {
            first(self.body, name)
        }
    }

    fn offered(&self) -> Offer {
        // An unknown word selects nothing and is not repeated; nothing selected means everything.
        let asked: Vec<String> = all(self.query.as_bytes(), "purpose");
        let asked: Vec<&str> = asked.iter().flat_map(|words| words.split(',')).collect();
        let some: Vec<Purpose> = OFFERED
            .into_iter()
            .filter(|p| asked.contains(&p.word()))
            .collect();
        let named = first(self.query.as_bytes(), "topic");
        let topic = named.and_then(|name| Topic::parse(&name).ok());
        Offer {
            topic: topic.filter(|_topic| some.len() == 1),
            purposes: if some.is_empty() {
                OFFERED.to_vec()
            } else {
                some
            },
        }
    }
}

/// The two kinds of tokens in addresses.
pub(crate) trait Tokens {
    /// The person a link to their own choices belongs to.
    fn person(&self, token: &str) -> Option<SubjectId>;
    /// A link to confirm.
    fn to_confirm(&self, token: &str) -> Option<ConfirmToken>;
}

/// Decides what a request causes. `origin` is where the pages live.
pub(crate) fn decide(facts: &Facts<'_>, origin: &str, tokens: &impl Tokens) -> Decision {
    let Some(route) = route(facts.path) else {
        return Decision::Refuse(Refused::NotFound);
    };
    if facts.method == Method::GET || facts.method == Method::HEAD {
        shown(facts, &route, tokens)
    } else if facts.method == Method::POST && route.allowed().ends_with("POST") {
        match admit(facts, origin) {
            Ok(()) => posted(facts, &route, tokens),
            Err(refused) => Decision::Refuse(refused),
        }
    } else {
        Decision::Refuse(Refused::Method(route.allowed()))
    }
}

/// Whose request it is that their data be neither sold nor shared, because their browser says so on a page behind
/// their link (11 CCR 7025(c)). The signal asks for it, not the GET that carries it: whatever follows links without
/// a person, and sends none, changes nothing.
pub(crate) fn signalled(facts: &Facts<'_>, tokens: &impl Tokens) -> Option<SubjectId> {
    let is_visit = facts.method == Method::GET || facts.method == Method::POST;
    match route(facts.path).filter(|_route| is_visit && facts.has_signal())? {
        Route::Unsubscribe(token) | Route::Preferences(token) => tokens.person(token),
        Route::OptIn
        | Route::ConfirmLink(_)
        | Route::Privacy
        | Route::DoNotSell
        | Route::GpcStatement
        | Route::Requests
        | Route::Request(_)
        | Route::Copy(_) => None,
    }
}

/// What there is to see.
fn shown(facts: &Facts<'_>, route: &Route<'_>, tokens: &impl Tokens) -> Decision {
    Decision::Show(match route {
        Route::OptIn => View::OptIn(facts.offered()),
        Route::Unsubscribe(token) if tokens.person(token).is_some() => {
            View::Unsubscribe((*token).to_owned())
        }
        Route::Unsubscribe(_) => return Decision::Refuse(Refused::NotFound),
        Route::Preferences(token) => {
            return tokens
                .person(token)
                .map_or(Decision::Refuse(Refused::NotFound), |subject| {
                    Decision::ShowChoices(subject)
                });
        }
        Route::ConfirmLink(text) => {
            let is_fetcher = confirm_link::is_fetcher(facts.user_agent());
            View::ConfirmLink((!is_fetcher).then(|| (*text).to_owned()))
        }
        Route::Privacy => View::Privacy,
        Route::DoNotSell => View::DoNotSell {
            signal: facts.has_signal(),
        },
        Route::GpcStatement => View::GpcStatement,
        Route::Requests => View::Requests,
        Route::Request(id) => return Decision::ShowRequest(id.clone()),
        Route::Copy(link) => return Decision::ShowCopy(link.clone()),
    })
}

/// The only source of decisions that write.
fn posted(facts: &Facts<'_>, route: &Route<'_>, tokens: &impl Tokens) -> Decision {
    match route {
        Route::OptIn => {
            let offered = facts.offered();
            let words = all(facts.body, "purpose");
            let ticked = offered
                .purposes
                .iter()
                .copied()
                .filter(|p| words.iter().any(|w| w == p.word()))
                .collect();
            Decision::Ask(Asked {
                offered,
                ticked,
                wording: facts.form("wording").unwrap_or_default(),
            })
        }
        Route::Unsubscribe(token) => withdrawn(facts, tokens.person(token), Door::Unsubscribe),
        Route::Preferences(token) => withdrawn(facts, tokens.person(token), Door::Preferences),
        Route::ConfirmLink(text) => confirmed(facts, text, tokens.to_confirm(text)),
        Route::Requests => {
            let chosen = facts.form("ask").and_then(|word| Choice::from_word(&word));
            chosen.map_or(Decision::Show(View::Requests), Decision::GiveCode)
        }
        Route::Copy(link) => {
            let form = match facts.form("as").as_deref() {
                Some("page") => Some(Copy::Page),
                Some("file") => Some(Copy::File),
                Some(_) | None => None,
            };
            let volume = facts.form("volume");
            let volume = volume.map_or(Some(1), |number| number.parse().ok());
            match form.zip(volume) {
                Some((form, volume)) => Decision::HandOut(link.clone(), form, volume),
                None => Decision::ShowCopy(link.clone()),
            }
        }
        Route::Privacy | Route::DoNotSell | Route::GpcStatement | Route::Request(_) => {
            Decision::Refuse(Refused::NotFound)
        }
    }
}

/// Whoever sends nothing, or something else, gets what the unsubscribe page had preselected: a machine
/// that presses the button stops the least (a no is accepted from anybody).
fn withdrawn(facts: &Facts<'_>, subject: Option<SubjectId>, door: Door) -> Decision {
    let Some(subject) = subject else {
        return Decision::Refuse(Refused::NotFound);
    };
    let word = facts.form("scope").unwrap_or_default();
    if word == NO_SALE && door == Door::Preferences {
        return Decision::DoNotSell(subject);
    }
    let scope = Scope::of_word(&word);
    // A topic is one of the purpose that is named beside it, on the page that shows topics.
    let has_topics = door == Door::Preferences && scope.is_some_and(Scope::is_one_purpose);
    let topic = match facts.form("topic").filter(|_name| has_topics) {
        None => None,
        Some(name) => match Topic::parse(&name) {
            Ok(topic) => Some(topic),
            Err(_not_one) => return Decision::Refuse(Refused::NotFound),
        },
    };
    let scope = scope.unwrap_or(Scope::Marketing);
    Decision::Withdraw(subject, Stop { scope, topic }, door)
}

/// A press counts with the token in the form, not in the address alone, and with the box ticked.
fn confirmed(facts: &Facts<'_>, text: &str, token: Option<ConfirmToken>) -> Decision {
    let (Some(token), Some(true)) = (token, facts.form("token").map(|sent| sent == text)) else {
        return Decision::Refuse(Refused::NotFound);
    };
    if facts.form("agree").as_deref() == Some("yes") {
        Decision::Press(token, facts.presser())
    } else {
        Decision::NotTicked(text.to_owned())
    }
}

/// Whether a body is one of our forms, sent from one of our pages.
fn admit(facts: &Facts<'_>, origin: &str) -> Result<(), Refused> {
    let media_type = facts
        .header(&header::CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !media_type
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(Refused::WrongType);
    }
    if facts.body.len() > MAX_BODY {
        return Err(Refused::TooLarge);
    }
    let is_ours = match (
        facts.headers.get(FETCH_SITE),
        facts.headers.get(header::ORIGIN),
    ) {
        (Some(site), _) => site == "same-origin",
        // Under `Referrer-Policy: no-referrer` a browser calls its own page's origin "null" when it
        // submits a form (Fetch, "append a request Origin header"), so "null" proves nothing either
        // way. There is no cookie to abuse: the token, or the person's own message, is the proof.
        (None, Some(from)) => from == "null" || from == origin,
        (None, None) => true,
    };
    if is_ours {
        Ok(())
    } else {
        Err(Refused::CrossSite)
    }
}

fn route(path: &str) -> Option<Route<'_>> {
    let token = |prefix| {
        path.strip_prefix(prefix)
            .filter(|token: &&str| !token.contains('/'))
    };
    match path {
        "/opt-in" => Some(Route::OptIn),
        "/privacy" => Some(Route::Privacy),
        "/do-not-sell" => Some(Route::DoNotSell),
        "/requests" => Some(Route::Requests),
        "/.well-known/gpc.json" => Some(Route::GpcStatement),
        _ => token("/u/")
            .map(Route::Unsubscribe)
            .or_else(|| token("/p/").map(Route::Preferences))
            .or_else(|| Some(Route::Request(RequestId::parse(token("/r/")?).ok()?)))
            .or_else(|| Some(Route::Copy(ExportLink::parse(token("/e/")?)?)))
            .or_else(|| {
                token("/c/")
                    .filter(|text| confirm_link::has_form(text))
                    .map(Route::ConfirmLink)
            }),
    }
}

fn first(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn all(form: &[u8], name: &str) -> Vec<String> {
    form_urlencoded::parse(form)
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
