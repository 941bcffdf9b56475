//! A stored no is never overruled, whichever of its writes the judge reads.
//!
//! A no is written in steps: the suppression list, the proof, the state; Meta's switch is a mark of its own.
//! The judge reads consistently and after the claim, so it sees at least the steps that were written before
//! it read (invariant I8). Any one of them must be enough.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_written_part_of_a_no_refuses_what_is_judged_after_it(
        is_marketing: bool,
        is_listed: bool,
        is_withdrawn: bool,
        is_switched: bool,
        by_contract: bool,
        window_open: bool,
        at_claim: bool,
        later in 0..10 * MINUTE,
    ) {
        let purpose = if is_marketing { Purpose::Marketing } else { Purpose::Utility };
        let mut ask = Ask::of(purpose);
        // Another yes stands: it carries a contract, and nothing else.
        ask.subject = with(ask.subject, Purpose::Authentication, State::Given);
        if !window_open {
            ask.subject.last_inbound_at = None;
        }
        if by_contract && !is_marketing {
            ask.basis = Basis::Contract { reference: "order-7".into() };
        }
        ask.at = if at_claim { Moment::Claim } else { Moment::Intake };
        ask.accepted_at = Some(NOW);
        ask.now = NOW.plus_millis(later);
        prop_assert!(ask.judge().is_ok(), "without a no it may be sent");

        if is_listed {
            ask.suppressed = vec![purpose];
        }
        if is_withdrawn {
            ask.subject = with(ask.subject, purpose, State::Withdrawn);
        }
        ask.subject.meta_stop = is_switched;
        let has_said_no = is_listed || is_withdrawn || (is_switched && is_marketing);
        match ask.judge() {
            Err(No::Refused(refusal)) => {
                prop_assert!(has_said_no);
                prop_assert!(matches!(refusal.code, Code::Suppressed | Code::MetaStopped));
            }
            Err(No::NotYet { code, .. }) => prop_assert!(false, "told to wait: {}", code),
            Ok(_) => prop_assert!(!has_said_no, "permitted"),
        }
    }
}
