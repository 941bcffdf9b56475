//! Consent, opt-out, window, action: what is asked about the person.

use super::*;
use crate::lane::PURPOSES;

#[test]
fn nobody_is_written_to_without_a_recorded_yes() {
    let nobody = subject();
    assert_eq!(
        judge(
            &nobody,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[]
        ),
        Err(Code::NoConsent)
    );
    assert_eq!(
        judge(
            &nobody,
            Purpose::Utility,
            &Basis::Consent,
            &template("shipped"),
            &[]
        ),
        Err(Code::NoConsent)
    );
    let contract = Basis::Contract {
        reference: "order-1".into(),
    };
    assert_eq!(
        judge(
            &nobody,
            Purpose::Utility,
            &contract,
            &template("shipped"),
            &[]
        ),
        Err(Code::NoConsent)
    );
}

#[test]
fn a_permit_names_the_ledger_event_it_rests_on() {
    let yes = with(subject(), Purpose::Marketing, State::Given);
    assert_eq!(
        judge(
            &yes,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[]
        ),
        Ok(Some("L3.7".into()))
    );
}

#[test]
fn consent_for_one_purpose_is_not_consent_for_another_but_carries_a_contract() {
    let utility = with(subject(), Purpose::Utility, State::Given);
    assert_eq!(
        judge(
            &utility,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[]
        ),
        Err(Code::NoConsent)
    );
    let marketing = with(subject(), Purpose::Marketing, State::Given);
    assert_eq!(
        judge(
            &marketing,
            Purpose::Utility,
            &Basis::Consent,
            &template("shipped"),
            &[]
        ),
        Err(Code::NoConsent)
    );
    let contract = Basis::Contract {
        reference: "order-1".into(),
    };
    assert_eq!(
        judge(
            &marketing,
            Purpose::Utility,
            &contract,
            &template("shipped"),
            &[]
        ),
        Ok(Some("L3.7".into()))
    );
}

#[test]
fn a_requested_consent_is_not_a_yes() {
    let asked = with(subject(), Purpose::Marketing, State::Requested);
    assert_eq!(
        judge(
            &asked,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[]
        ),
        Err(Code::ConsentUnconfirmed)
    );
}

#[test]
fn suppression_wins_over_consent() {
    let yes = with(subject(), Purpose::Marketing, State::Given);
    assert_eq!(
        judge(
            &yes,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[Purpose::Marketing]
        ),
        Err(Code::Suppressed)
    );
    let mut stopped = yes;
    stopped.meta_stop = true;
    assert_eq!(
        judge(
            &stopped,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[]
        ),
        Err(Code::MetaStopped)
    );
}

#[test]
fn an_open_window_does_not_excuse_a_missing_opt_in() {
    let mut wrote = subject();
    wrote.last_inbound_at = Some(NOW.plus_millis(-HOUR));
    assert_eq!(
        judge(
            &wrote,
            Purpose::Marketing,
            &Basis::Consent,
            &Kind::FreeForm,
            &[]
        ),
        Err(Code::NoConsent)
    );
    assert_eq!(
        judge(
            &wrote,
            Purpose::Service,
            &Basis::Consent,
            &Kind::FreeForm,
            &[]
        ),
        Ok(None)
    );
}

#[test]
fn consent_does_not_open_a_window() {
    let yes = with(subject(), Purpose::Utility, State::Given);
    assert_eq!(
        judge(
            &yes,
            Purpose::Utility,
            &Basis::Consent,
            &Kind::FreeForm,
            &[]
        ),
        Err(Code::WindowClosed)
    );
    let mut long_ago = subject();
    long_ago.last_inbound_at = Some(NOW.plus_millis(-SERVICE_WINDOW_MS));
    assert_eq!(
        judge(
            &long_ago,
            Purpose::Service,
            &Basis::Consent,
            &Kind::FreeForm,
            &[]
        ),
        Err(Code::WindowClosed)
    );
}

#[test]
fn a_code_needs_an_action_at_most_fifteen_minutes_old() {
    let nobody = subject();
    let mut wrote = nobody;
    wrote.last_inbound_at = Some(NOW);
    let at = |ms| Basis::UserAction {
        at: NOW.plus_millis(ms),
    };
    assert_eq!(
        judge(
            &wrote,
            Purpose::Authentication,
            &at(-USER_ACTION_MS),
            &template("login"),
            &[]
        ),
        Ok(None)
    );
    assert_eq!(
        judge(
            &wrote,
            Purpose::Authentication,
            &at(-USER_ACTION_MS - 1),
            &template("login"),
            &[]
        ),
        Err(Code::NoUserAction)
    );
    assert_eq!(
        judge(
            &wrote,
            Purpose::Authentication,
            &at(HOUR),
            &template("login"),
            &[]
        ),
        Err(Code::NoUserAction)
    );
}

#[test]
fn a_code_planned_ahead_is_judged_at_the_time_it_is_sent() {
    let subject = subject();
    let kind = template("login");
    let config = config();
    let planned = |action_ms: i64, not_before_ms: i64| {
        let request = Request {
            at: Moment::Intake,
            number: &config.numbers[0],
            to: canada(),
            purpose: Purpose::Authentication,
            topic: None,
            basis: &Basis::UserAction {
                at: NOW.plus_millis(action_ms),
            },
            kind: &kind,
            expires_at: NOW.plus_millis(60 * 24 * HOUR),
            accepted_at: NOW,
            not_before: Some(NOW.plus_millis(not_before_ms)),
        };
        let facts = Facts {
            config: &config,
            live: &Live::default(),
            subject: &subject,
            suppressed: &[],
            region: &region(),
            checks: &[],
            recent: &Recent::default(),
            producer: "AROASHOP",
        };
        authorize(&request, &facts, NOW)
            .map(|_permit| ())
            .map_err(|no| no.code())
    };
    assert_eq!(planned(0, USER_ACTION_MS), Ok(()));
    assert_eq!(planned(0, USER_ACTION_MS + 1), Err(Code::NoUserAction));
    assert_eq!(
        planned(30 * 24 * HOUR, 30 * 24 * HOUR),
        Err(Code::NoUserAction),
        "an action that is yet to come"
    );
    assert_eq!(
        planned(-USER_ACTION_MS - 1, -HOUR),
        Err(Code::NoUserAction),
        "a time that has passed makes no action younger"
    );
}

#[test]
fn the_authentication_lane_carries_templates_and_nothing_else() {
    let mut wrote = subject();
    wrote.last_inbound_at = Some(NOW);
    let action = Basis::UserAction { at: NOW };
    for kind in [Kind::FreeForm, Kind::MarkAsRead] {
        assert_eq!(
            judge(&wrote, Purpose::Authentication, &action, &kind, &[]),
            Err(Code::PurposeMismatch)
        );
    }
}

#[test]
fn a_no_to_utility_counts_for_a_template_on_the_service_lane_and_not_for_an_answer() {
    let mut wrote = subject();
    wrote.last_inbound_at = Some(NOW);
    let ask = |subject: &Subject, kind: &Kind, suppressed: &[Purpose]| {
        judge(subject, Purpose::Service, &Basis::Consent, kind, suppressed)
    };
    assert_eq!(ask(&wrote, &template("shipped"), &[]), Ok(None));
    assert_eq!(
        ask(&wrote, &template("shipped"), &[Purpose::Utility]),
        Err(Code::Suppressed)
    );
    assert_eq!(
        ask(&wrote, &template("shipped"), &[Purpose::Marketing]),
        Ok(None)
    );
    let no = with(wrote, Purpose::Utility, State::Withdrawn);
    assert_eq!(ask(&no, &template("shipped"), &[]), Err(Code::Suppressed));
    assert_eq!(ask(&no, &Kind::FreeForm, &[Purpose::Utility]), Ok(None));
    assert_eq!(ask(&no, &Kind::MarkAsRead, &[Purpose::Utility]), Ok(None));
}

#[test]
fn templates_are_known_approved_and_of_the_lanes_category() {
    let yes = with(
        with(subject(), Purpose::Marketing, State::Given),
        Purpose::Utility,
        State::Given,
    );
    assert_eq!(
        judge(
            &yes,
            Purpose::Utility,
            &Basis::Consent,
            &template("none"),
            &[]
        ),
        Err(Code::TemplateUnknown)
    );
    assert_eq!(
        judge(
            &yes,
            Purpose::Utility,
            &Basis::Consent,
            &template("new"),
            &[]
        ),
        Err(Code::TemplateUnapproved)
    );
    assert_eq!(
        judge(
            &yes,
            Purpose::Utility,
            &Basis::Consent,
            &template("sale"),
            &[]
        ),
        Err(Code::PurposeMismatch)
    );
}

#[test]
fn nothing_is_sent_after_its_time() {
    let mut ask = Ask::marketing();
    ask.expires_at = NOW;
    assert_eq!(ask.refused(), Code::Expired);
}

#[test]
fn our_own_answers_reach_who_opted_out_in_their_own_conversation_and_nowhere_else() {
    let system = Basis::System {
        kind: crate::system::Kind::OptoutConfirmation,
    };
    let all = PURPOSES;
    let ask =
        |subject: &Subject, purpose, kind: &Kind| judge(subject, purpose, &system, kind, &all);
    let mut wrote = with(subject(), Purpose::Utility, State::Withdrawn);
    assert_eq!(
        ask(&wrote, Purpose::Service, &Kind::FreeForm),
        Err(Code::WindowClosed)
    );
    wrote.last_inbound_at = Some(NOW);
    assert_eq!(ask(&wrote, Purpose::Service, &Kind::FreeForm), Ok(None));
    assert_eq!(
        ask(&wrote, Purpose::Service, &template("shipped")),
        Err(Code::PurposeMismatch)
    );
    assert_eq!(
        ask(&wrote, Purpose::Utility, &Kind::FreeForm),
        Err(Code::PurposeMismatch)
    );
}

/// Somebody whose identity changed a minute ago, and what they had said before and have said since.
fn changed(said: &[(Purpose, i64)]) -> Subject {
    let mut subject = subject();
    subject.identity_change = Some((NOW.plus_millis(-MINUTE), IdentityChange::Number));
    for (purpose, minutes) in said {
        let index = PURPOSES.iter().position(|p| p == purpose).unwrap();
        let at = NOW.plus_millis(minutes * MINUTE);
        let yes = Consent::alone(State::Given, at, "L3.7", "web_checkbox");
        subject.consents[index] = Some(yes);
    }
    subject
}

#[test]
fn what_was_agreed_to_before_the_identity_changed_does_not_count_until_it_is_said_again() {
    let marketing = |subject: &Subject| {
        judge(
            subject,
            Purpose::Marketing,
            &Basis::Consent,
            &template("sale"),
            &[],
        )
    };
    for minutes in [-60, -1] {
        let before = changed(&[(Purpose::Marketing, minutes)]);
        assert_eq!(marketing(&before), Err(Code::IdentityChanged));
    }
    let since = changed(&[(Purpose::Marketing, 0)]);
    assert_eq!(marketing(&since), Ok(Some("L3.7".into())));
    let contract = Basis::Contract {
        reference: "order-1".into(),
    };
    let utility = |subject: &Subject| {
        judge(
            subject,
            Purpose::Utility,
            &contract,
            &template("shipped"),
            &[],
        )
    };
    assert_eq!(
        utility(&changed(&[(Purpose::Marketing, -60)])),
        Err(Code::NoConsent)
    );
    assert!(utility(&changed(&[(Purpose::Marketing, 0)])).is_ok());
}

#[test]
fn a_code_waits_for_proof_that_the_number_is_still_the_account_holders() {
    let code = |subject: &Subject| {
        let basis = Basis::UserAction { at: NOW };
        judge(
            subject,
            Purpose::Authentication,
            &basis,
            &template("login"),
            &[],
        )
    };
    for said in [
        [].as_slice(),
        &[(Purpose::Authentication, -60)],
        &[(Purpose::Marketing, 0)],
    ] {
        assert_eq!(code(&changed(said)), Err(Code::IdentityChanged), "{said:?}");
    }
    assert_eq!(code(&changed(&[(Purpose::Authentication, 0)])), Ok(None));
}

#[test]
fn what_was_accepted_for_the_person_before_is_not_sent_to_the_one_now() {
    let mut subject = changed(&[(Purpose::Marketing, 2)]);
    subject.identity_change = Some((NOW.plus_millis(MINUTE), IdentityChange::IdentityKey));
    let ask = Ask {
        subject,
        accepted_at: Some(NOW),
        now: NOW.plus_millis(3 * MINUTE),
        ..Ask::marketing()
    };
    assert_eq!(
        ask.judge().map_err(|no| no.code()),
        Err(Code::IdentityChanged)
    );
}

#[test]
fn a_conversation_with_the_person_before_is_over_and_one_with_the_person_now_is_not() {
    let answer = |minutes: i64| {
        let mut subject = changed(&[]);
        subject.last_inbound_at = Some(NOW.plus_millis(minutes * MINUTE));
        judge(
            &subject,
            Purpose::Service,
            &Basis::Consent,
            &Kind::FreeForm,
            &[],
        )
    };
    assert_eq!(answer(-60), Err(Code::WindowClosed));
    assert_eq!(answer(-1), Ok(None), "the message that showed the change");
    assert_eq!(answer(0), Ok(None));
}

#[test]
fn a_yes_expires_by_the_law_of_the_persons_country_and_the_refusal_says_so() {
    let at = |country: &str, days: i64| {
        let now = NOW.plus_millis(days * 24 * HOUR);
        let ask = Ask {
            to: Country::parse(country).ok(),
            region: ProcessingRegion::parse("eu-west-1").unwrap(),
            now,
            expires_at: now.plus_millis(7 * 24 * HOUR),
            ..Ask::marketing()
        };
        match ask.judge() {
            Err(No::Refused(refusal)) => Some((refusal.code, refusal.why.is_some())),
            Err(No::NotYet { .. }) | Ok(_) => None,
        }
    };
    let expired = Some((Code::NoConsent, true));
    assert_eq!((at("CA", 729), at("CA", 730)), (None, expired));
    // The twelve months of Ireland (S.I. 336/2011, regulation 13).
    assert_eq!((at("IE", 364), at("IE", 365)), (None, expired));
    assert_eq!(at("FR", 365), None);
}

#[test]
fn whose_data_is_restricted_gets_nothing_but_what_is_about_their_request() {
    let mut person = with(subject(), Purpose::Marketing, State::Given);
    person = with(person, Purpose::Utility, State::Given);
    person.last_inbound_at = Some(NOW);
    let action = Basis::UserAction { at: NOW };
    let asked = [
        (Purpose::Marketing, Basis::Consent, template("sale")),
        (Purpose::Utility, Basis::Consent, template("shipped")),
        (Purpose::Authentication, action, template("login")),
        (Purpose::Service, Basis::Consent, Kind::FreeForm),
    ];
    for (purpose, basis, kind) in &asked {
        let before = judge(&person, *purpose, basis, kind, &[]);
        assert!(before.is_ok(), "{purpose}: {before:?}");
    }
    person.restricted_at = Some(NOW);
    for (purpose, basis, kind) in &asked {
        let after = judge(&person, *purpose, basis, kind, &[]);
        assert_eq!(after, Err(Code::Restricted), "{purpose}");
    }
    for kind in System::ALL.iter().filter(|one| !one.is_question()) {
        let basis = Basis::System { kind: *kind };
        let sent = judge(&person, Purpose::Service, &basis, &Kind::FreeForm, &[]);
        assert_eq!(
            sent.is_ok(),
            kind.is_about_a_request(),
            "{kind:?}: {sent:?}"
        );
    }
    // A no is the stronger word: it stays when the restriction ends.
    let no = [Purpose::Marketing];
    let refused = judge(
        &person,
        Purpose::Marketing,
        &Basis::Consent,
        &template("sale"),
        &no,
    );
    assert_eq!(refused, Err(Code::Suppressed));
}
