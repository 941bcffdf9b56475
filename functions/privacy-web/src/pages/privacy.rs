//! Who handles which data, why, where and for how long, and what one can do about it.
//!
//! Made from the configuration in force and the register of processors this build obeys; only the
//! sentences around them are the language's.

use headgate_domain::config::{Authority, Config, Contact, DataProtectionOfficer};
use headgate_domain::processors::{Processor, Register};
use headgate_domain::region::Country;

use super::{Frame, address, link, pair};
use crate::html::{Escaped, fill};
use crate::layout::{Width, document};
use crate::locale::{Privacy, Row};

/// A part of the page: the name of its place, its heading and its markup.
struct Part<'a> {
    id: &'static str,
    heading: &'a str,
    body: String,
}

/// The page.
pub(super) fn page(frame: &Frame<'_>) -> String {
    let texts = &frame.language.texts.privacy;
    let parts = parts(frame, texts);
    let contents: Vec<String> = parts
        .iter()
        .map(|part| {
            let heading = frame.show(part.heading);
            format!("<li><a href=\"#{}\">{heading}</a></li>\n", part.id)
        })
        .collect();
    let sections: Vec<String> = parts
        .iter()
        .map(|part| {
            let (id, heading) = (part.id, frame.show(part.heading));
            let body = &part.body;
            format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n{body}</section>\n")
        })
        .collect();
    let main = format!(
        "{heading}<nav class=\"contents\" aria-labelledby=\"contents\">\n<p id=\"contents\">{label}</p>\n<ol>\n{contents}</ol>\n</nav>\n{sections}",
        heading = frame.heading(&texts.title, &texts.lead),
        label = frame.show(&texts.contents_label),
        contents = contents.concat(),
        sections = sections.concat(),
    );
    document(
        frame,
        Width::Text,
        &frame.say(&texts.title),
        &main,
        Some(""),
    )
}

fn parts<'a>(frame: &Frame<'_>, texts: &'a Privacy) -> Vec<Part<'a>> {
    let part = |id, heading: &'a String, body| Part { id, heading, body };
    let mut parts = vec![part(
        "responsible",
        &texts.responsible_heading,
        responsible(frame, texts),
    )];
    if let Some(officer) = frame
        .config
        .and_then(|c| c.data_protection_officer.as_ref())
    {
        let body = data_protection_officer(texts, officer);
        parts.push(part("officer", &texts.officer_heading, body));
    }
    parts.extend([
        part(
            "purposes",
            &texts.purposes_heading,
            rows(frame, &texts.purposes),
        ),
        part("stored", &texts.stored_heading, rows(frame, &texts.stored)),
        part(
            "recipients",
            &texts.recipients_heading,
            recipients(frame, texts),
        ),
    ]);
    let regions = regions(frame);
    if !regions.is_empty() {
        let lead = frame.show(&texts.regions);
        let body = format!("<p>{lead}</p>\n<ul>\n{regions}</ul>\n");
        parts.push(part("regions", &texts.regions_heading, body));
    }
    parts.push(part(
        "rights",
        &texts.rights_heading,
        frame.list(&texts.rights),
    ));
    let contacts = frame.config.map_or(&[][..], |config| &config.contacts);
    if !contacts.is_empty() {
        let cards = contacts.iter().map(|c| contact(frame, texts, c));
        let cards = cards.collect::<Vec<_>>().concat();
        let lead = frame.show(&texts.contacts);
        let body = format!("<p>{lead}</p>\n<ul class=\"cards\">\n{cards}</ul>\n");
        parts.push(part("contacts", &texts.contacts_heading, body));
    }
    let authorities = frame.config.map_or(&[][..], |config| &config.authorities);
    parts.extend([
        part(
            "authorities",
            &texts.authorities_heading,
            complaints(frame, texts, authorities),
        ),
        part(
            "security",
            &texts.security_heading,
            frame.list(&texts.security),
        ),
    ]);
    parts
}

pub(super) fn rows(frame: &Frame<'_>, rows: &[impl Row]) -> String {
    let rows: String = rows
        .iter()
        .map(|row| {
            let (what, said) = row.pair();
            pair(&frame.show(what), &frame.show(said))
        })
        .collect();
    format!("<dl class=\"rows\">\n{rows}</dl>\n")
}

pub(super) fn responsible(frame: &Frame<'_>, texts: &Privacy) -> String {
    let mut pairs = String::new();
    if let Some(config) = frame.config {
        pairs.push_str(&pair(
            &frame.show(&texts.name_label),
            &Escaped(config.legal_name()).to_string(),
        ));
        pairs.push_str(&optional(
            &texts.address_label,
            config.controller.address.as_ref(),
        ));
        pairs.push_str(&pair(
            &frame.show(&texts.questions_label),
            &address(&config.controller.privacy_contact),
        ));
    }
    format!(
        "<p>{}</p>\n<dl>\n{pairs}</dl>\n{}",
        frame.show(&texts.responsible),
        frame.policy_link()
    )
}

fn data_protection_officer(texts: &Privacy, officer: &DataProtectionOfficer) -> String {
    let pairs = [
        pair(
            &Escaped(&texts.name_label).to_string(),
            &Escaped(&officer.name).to_string(),
        ),
        pair(
            &Escaped(&texts.email_label).to_string(),
            &address(&officer.email),
        ),
        officer
            .telephone
            .as_ref()
            .map_or_else(String::new, |number| {
                pair(
                    &Escaped(&texts.telephone_label).to_string(),
                    &telephone(number),
                )
            }),
        optional(&texts.address_label, officer.address.as_ref()),
    ];
    format!("<dl>\n{}</dl>\n", pairs.concat())
}

fn optional(label: &str, value: Option<&String>) -> String {
    value.map_or_else(String::new, |value| {
        pair(&Escaped(label).to_string(), &Escaped(value).to_string())
    })
}

fn telephone(number: &str) -> String {
    let shown = Escaped(number);
    format!("<a href=\"tel:{shown}\" dir=\"ltr\">{shown}</a>")
}

fn country(frame: &Frame<'_>, country: Country) -> String {
    Escaped(frame.language.country(country.as_str())).to_string()
}

pub(super) fn recipients(frame: &Frame<'_>, texts: &Privacy) -> String {
    let all = Register::compiled_in().processors.iter();
    let cards: String = all.map(|p| processor(frame, texts, p)).collect();
    format!(
        "<p>{}</p>\n<p>{}</p>\n<ul class=\"cards\">\n{cards}</ul>\n",
        frame.show(&texts.recipients),
        frame.show(&texts.transport)
    )
}

fn processor(frame: &Frame<'_>, texts: &Privacy, who: &Processor) -> String {
    // A comma of the language's own would need its own rules; a dot between is read everywhere.
    let between = |parts: Vec<String>| parts.join(" · ");
    let classes = who
        .data_classes
        .iter()
        .map(|class| frame.show(texts.data_classes.of(*class)));
    let places = who.regions.iter().map(|place| {
        // Two letters are a country, anything else a region whose name is its own.
        Country::parse(place).map_or_else(|_| region(frame, place), |c| country(frame, c))
    });
    let others = who.sub_processors.iter().map(|other| address(other));
    let certificates = who.certificates.iter().map(|certificate| {
        let until = fill(
            &texts.valid_until,
            &[("date", &certificate.expires.0.to_string())],
        );
        Escaped(&format!("{} ({until})", certificate.name)).to_string()
    });
    let mut pairs = vec![
        (&texts.seen_label, between(classes.collect())),
        (&texts.where_label, between(places.collect())),
        (
            &texts.transfer_label,
            frame.show(texts.transfers.of(who.transfer_instrument)),
        ),
        (&texts.contract_label, who.dpa_date.0.to_string()),
    ];
    if !who.sub_processors.is_empty() {
        pairs.push((&texts.engages_label, between(others.collect())));
    }
    if !who.certificates.is_empty() {
        pairs.push((&texts.certificates_label, between(certificates.collect())));
    }
    let pairs: String = pairs
        .iter()
        .map(|(label, value)| pair(&frame.show(label), value))
        .collect();
    format!(
        "<li>\n<h3>{name}</h3>\n<p>{purpose}</p>\n<dl>\n{pairs}</dl>\n</li>\n",
        name = Escaped(&format!(
            "{}, {}",
            who.name,
            frame.language.country(who.country.as_str())
        )),
        purpose = Escaped(who.purpose.of(frame.language.tag())),
    )
}

/// A region of AWS, with its country where the configuration names it.
fn region(frame: &Frame<'_>, id: &str) -> String {
    let known = frame.config.map_or(&[][..], |c| &c.processing.regions);
    let known = known.iter().find(|region| region.id == id);
    known.map_or_else(
        || Escaped(id).to_string(),
        |region| format!("{} ({})", country(frame, region.country), Escaped(id)),
    )
}

fn regions(frame: &Frame<'_>) -> String {
    let all = frame
        .config
        .map_or(&[][..], |config: &Config| &config.processing.regions);
    all.iter()
        .map(|one| format!("<li>{}</li>\n", region(frame, &one.id)))
        .collect::<Vec<_>>()
        .concat()
}

fn contact(frame: &Frame<'_>, texts: &Privacy, contact: &Contact) -> String {
    let pairs = [
        pair(
            &frame.show(&texts.name_label),
            &Escaped(&contact.name).to_string(),
        ),
        pair(&frame.show(&texts.email_label), &address(&contact.email)),
        pair(
            &frame.show(&texts.telephone_label),
            &telephone(&contact.telephone),
        ),
        pair(
            &frame.show(&texts.hours_label),
            &Escaped(contact.hours.of(frame.language.tag())).to_string(),
        ),
    ];
    format!(
        "<li>\n<h3>{}</h3>\n<dl>\n{}</dl>\n</li>\n",
        country(frame, contact.country),
        pairs.concat()
    )
}

pub(super) fn complaints(frame: &Frame<'_>, texts: &Privacy, authorities: &[Authority]) -> String {
    if authorities.is_empty() {
        return format!("<p>{}</p>\n", frame.show(&texts.authority_anywhere));
    }
    let links: Vec<String> = authorities
        .iter()
        .map(|authority| {
            let name = Escaped(&authority.name).to_string();
            let place = country(frame, authority.country);
            format!("<li>{} ({place})</li>\n", link(&authority.url, &name))
        })
        .collect();
    format!(
        "<p>{}</p>\n<ul>\n{}</ul>\n",
        frame.show(&texts.authorities),
        links.concat()
    )
}
