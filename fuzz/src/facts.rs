//! What must hold of every fact read from a notification, whatever the notification.

use headgate_domain::identity::{Bsuid, Phone, Wamid};
use headgate_domain::optout::{Context, Intent, classify};
use headgate_domain::record::is_number_id;
use headgate_redact::Personal;
use headgate_webhook::notification::{
    AccountNotice, Inbound, Preference, Referral, Status, Update,
};

/// Checks the facts against the text they were read from.
///
/// # Panics
/// When they say more than the text, or something that may not be said.
pub fn check(updates: &[Update], text: &str) {
    let mut told = 0;
    for (index, update) in updates.iter().enumerate() {
        let raw = raw(update);
        assert!(
            raw == "null" || text.contains(raw),
            "a fact is not in the text"
        );
        told += if raw == "null" { 0 } else { raw.len() };
        check_one(update);
        if let Update::Unreadable { index: place, .. } = update {
            assert_eq!(*place, index);
        }
    }
    // Each fact is a piece of its own: nothing is told twice, and nothing multiplies.
    assert!(told <= text.len(), "more facts than text");
}

fn raw(update: &Update) -> &str {
    match update {
        Update::Status(status) => status.raw.reveal(),
        Update::Inbound(inbound) => inbound.raw.reveal(),
        Update::Preference(preference) => preference.raw.reveal(),
        Update::Other(other) => other.value.reveal(),
        Update::Unreadable { raw, .. } => raw.reveal(),
    }
}

fn check_one(update: &Update) {
    let word = update.word();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || b"._".contains(&byte);
    assert!(word.bytes().all(is_word), "a word for the log is no word");
    match update {
        Update::Status(status) => {
            assert!(status.number.as_deref().is_none_or(is_number_id));
            assert!(status.at.millis() > 0);
        }
        Update::Inbound(inbound) => {
            assert!(inbound.number.as_deref().is_none_or(is_number_id));
            assert!(inbound.at.millis() > 0);
            if let Some(text) = &inbound.text {
                heard(text.reveal());
            }
            // Who moved is not where they moved to: two people would be made one.
            if let Some(AccountNotice::Moved { phone, bsuid }) = &inbound.notice {
                assert!(phone.is_some() || bsuid.is_some());
                assert!(phone.is_none() || *phone != inbound.from_phone);
                assert!(bsuid.is_none() || *bsuid != inbound.from_bsuid);
            }
        }
        Update::Preference(preference) => {
            assert!(preference.number.as_deref().is_none_or(is_number_id));
            assert!(preference.phone.is_some() || preference.bsuid.is_some());
        }
        Update::Other(other) => assert!(word == "unknown_field" || word == other.field),
        Update::Unreadable { why, .. } => assert!(!why.is_empty()),
    }
    // `Debug` is the same whoever the person is and whatever they wrote.
    assert_eq!(
        format!("{update:?}"),
        format!("{:?}", of_somebody_else(update))
    );
}

/// A term that is recorded is one of ours, never the person's own words.
fn heard(text: &str) {
    for context in [
        Context::default(),
        Context {
            recent_marketing: true,
            words_bind: true,
            ..Context::default()
        },
    ] {
        let term = match classify(text, &context) {
            Intent::OptOut { keyword, .. } | Intent::OptIn { keyword } => keyword,
            Intent::Ask { nearly } => nearly.unwrap_or_default(),
            Intent::Help
            | Intent::Contact
            | Intent::AccessRequest
            | Intent::ErasureRequest
            | Intent::DoNotSell
            | Intent::None => String::new(),
        };
        let digits = term.bytes().filter(u8::is_ascii_digit).count();
        assert!(term.len() <= 160 && digits < 7 && !term.contains('@'));
    }
}

/// The same fact about another person, who wrote something else.
fn of_somebody_else(update: &Update) -> Update {
    let text = || Personal::new("somebody else".to_owned());
    let wamid = || Wamid::parse("wamid.other").expect("the form of one");
    let phone = |one: &Phone| {
        let other = Phone::parse("+16135550199").expect("a fictional number");
        assert!(one.reveal().starts_with('+'));
        other
    };
    let bsuid = |_one: &Bsuid| Bsuid::parse("CA.other").expect("the form of one");
    match update.clone() {
        Update::Status(status) => Update::Status(Status {
            wamid: status.wamid.map(|_wamid| wamid()),
            to_phone: status.to_phone.as_ref().map(phone),
            to_bsuid: status.to_bsuid.as_ref().map(bsuid),
            raw: text(),
            ..status
        }),
        Update::Inbound(inbound) => Update::Inbound(Inbound {
            wamid: wamid(),
            from_phone: inbound.from_phone.as_ref().map(phone),
            from_bsuid: inbound.from_bsuid.as_ref().map(bsuid),
            profile_name: inbound.profile_name.map(|_name| text()),
            text: inbound.text.map(|_text| text()),
            payload: inbound.payload.map(|_payload| text()),
            identity_key: inbound.identity_key.map(|_key| text()),
            referral: inbound.referral.map(|referral| {
                Box::new(Referral {
                    source_url: referral.source_url.map(|_url| text()),
                    headline: referral.headline.map(|_headline| text()),
                    click: referral.click.map(|_click| text()),
                    ..*referral
                })
            }),
            notice: inbound.notice.map(|notice| match notice {
                AccountNotice::Moved {
                    phone: to,
                    bsuid: id,
                } => AccountNotice::Moved {
                    phone: to.as_ref().map(phone),
                    bsuid: id.as_ref().map(bsuid),
                },
                AccountNotice::NewKey => AccountNotice::NewKey,
            }),
            raw: text(),
            ..inbound
        }),
        Update::Preference(preference) => Update::Preference(Preference {
            phone: preference.phone.as_ref().map(phone),
            bsuid: preference.bsuid.as_ref().map(bsuid),
            raw: text(),
            ..preference
        }),
        Update::Other(mut other) => {
            other.value = text();
            Update::Other(other)
        }
        Update::Unreadable { index, why, .. } => Update::Unreadable {
            index,
            why,
            raw: text(),
        },
    }
}
