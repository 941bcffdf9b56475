//! Who visits, without knowing who: what the log has of a request.
//!
//! Owns what counts as one source, and the few words a User-Agent is read as. Of the address itself, and of
//! what a browser says of itself, nothing is kept. A User-Agent is what its sender likes it to be: a metric, never a credential.

use std::collections::HashSet;
use std::net::IpAddr;

use headgate_domain::identity::Visitor;
use headgate_domain::time::Day;
use headgate_lambda::http::{RequestId, SourceAddress};
use headgate_lambda::log::Field;
use http::{Request, header};

/// No function instance sees more in a day; beyond it nobody counts as new.
const MOST: usize = 100_000;

/// What counts as one source: an address, of an IPv6 address the first 64 bits, which is what a household has,
/// and one for all that is none.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => format!("{:x}", address.to_bits() >> 64),
        },
        Err(_not_one) => "none".to_owned(),
    }
}

/// The visitors of a day, as far as one function instance has seen them.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    day: Option<Day>,
    seen: HashSet<Visitor>,
}

impl Visitors {
    /// What is written down of a request, and whether its visitor is new on this day, here.
    pub(crate) fn fields<B>(
        &mut self,
        request: &Request<B>,
        day: Day,
        hash: impl Fn(Day, &str) -> Visitor,
    ) -> (Vec<(&'static str, Field)>, bool) {
        let mut is_new = false;
        let agent = request.headers().get(header::USER_AGENT);
        let agent = agent.and_then(|value| value.to_str().ok());
        let mut fields = vec![("agent", Field::code(family(agent)))];
        if let Some(id) = request.extensions().get::<RequestId>() {
            fields.push(("request", Field::safe(id)));
        }
        if let Some(SourceAddress(address)) = request.extensions().get::<SourceAddress>() {
            let source = hash(day, &network(address.reveal()));
            is_new = self.is_new(&source, day);
            fields.push(("source", Field::safe(&source)));
        }
        (fields, is_new)
    }

    fn is_new(&mut self, visitor: &Visitor, day: Day) -> bool {
        if self.day != Some(day) {
            self.day = Some(day);
            self.seen.clear();
        }
        self.seen.len() < MOST && self.seen.insert(visitor.clone())
    }
}

/// What a User-Agent is read as; the first that fits.
const AGENTS: [(&str, &str); 12] = [
    ("WhatsApp/", "whatsapp_preview"),
    ("facebookexternalhit", "facebook_preview"),
    ("Slackbot", "link_preview"),
    ("TelegramBot", "link_preview"),
    ("Twitterbot", "link_preview"),
    ("SafeLinks", "mail_scanner"),
    ("Proofpoint", "mail_scanner"),
    ("bot", "crawler"),
    ("Edg/", "edge"),
    ("Firefox/", "firefox"),
    ("Chrome/", "chrome"),
    ("Safari/", "safari"),
];

/// The family of a User-Agent, from a closed list.
fn family(agent: Option<&str>) -> &'static str {
    let Some(agent) = agent else {
        return "none";
    };
    AGENTS
        .iter()
        .find(|(part, _)| agent.contains(part))
        .map_or("other", |(_, family)| *family)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::use_debug,
        reason = "tests may fail loudly, and look at what a field holds"
    )]
    use headgate_domain::identity::Pepper;
    use headgate_redact::Personal;

    use super::*;

    #[test]
    fn a_household_is_one_source() {
        let one = network("2001:db8:1:2:3:4:5:6");
        assert_eq!(one, network("2001:db8:1:2::9"));
        assert_ne!(one, network("2001:db8:1:3:3:4:5:6"));
        assert_eq!(network("::ffff:203.0.113.7"), network("203.0.113.7"));
        assert_ne!(network("203.0.113.8"), network("203.0.113.7"));
        assert_eq!(network("canary"), "none");
    }

    #[test]
    fn somebody_is_new_once_a_day() {
        let [today, tomorrow] = ["2026-11-29", "2026-11-30"].map(|day| Day::parse(day).unwrap());
        let mut visitors = Visitors::default();
        let one = Visitor::of(&Pepper::new([1; 32]), "main", today, "203.0.113.7");
        assert!(visitors.is_new(&one, today));
        assert!(!visitors.is_new(&one, today));
        assert!(visitors.is_new(&one, tomorrow));
    }

    #[test]
    fn a_visit_leaves_a_hash_and_a_word_and_neither_address_nor_agent() {
        let mut request = Request::new(());
        let agent = "Quokka/7 (+16135550123) Firefox/140".parse().unwrap();
        request.headers_mut().insert(header::USER_AGENT, agent);
        let address = SourceAddress(Personal::new("203.0.113.7".to_owned()));
        request.extensions_mut().insert(address);
        let day = Day::parse("2026-11-29").unwrap();
        let mut visitors = Visitors::default();
        let links = Pepper::new([1; 32]);
        let hash = |day, address: &str| Visitor::of(&links, "main", day, address);
        let (first, is_new) = visitors.fields(&request, day, hash);
        let names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["agent", "source"]);
        let shown = format!("{first:?}");
        assert!(is_new && shown.contains("firefox"), "{shown}");
        for hidden in ["203.0", "Quokka", "6135550123"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        let (_again, is_new) = visitors.fields(&request, day, hash);
        assert!(!is_new);
    }

    #[test]
    fn an_agent_is_a_word_of_ours() {
        for (agent, word) in [
            (None, "none"),
            (Some(""), "other"),
            (Some("curl/8.0 +16135550123"), "other"),
            (Some("WhatsApp/2.24.6.77 A"), "whatsapp_preview"),
            (Some("Mozilla/5.0 (compatible; Googlebot/2.1)"), "crawler"),
            (Some("Mozilla/5.0 Chrome/140 Safari/537 Edg/140"), "edge"),
            (Some("Mozilla/5.0 Version/18 Safari/605"), "safari"),
        ] {
            assert_eq!(family(agent), word, "{agent:?}");
        }
    }
}
