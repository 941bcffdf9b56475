//! Grants: which lanes and numbers a producer may use, so that no module of the business can send on
//! another's (R-604).
//!
//! Owns the verdict. The queue policies come first: who may write to a lane at all is theirs.

use headgate_domain::config::{Config, Number};
use headgate_domain::lane::Purpose;
use headgate_domain::refusal::{Code, Refusal};

/// The number a message names, if this producer may send from it on this lane. As soon as one
/// producer is declared, one that is not may send nothing.
pub(crate) fn granted<'a>(
    config: &'a Config,
    from: &str,
    producer: &str,
    lane: Purpose,
) -> Result<&'a Number, Refusal> {
    const NOT_THIS_LANE: Refusal = Refusal::at(
        Code::LaneMismatch,
        "purpose",
        "this producer is not granted this lane",
    );
    let number = config
        .number(from)
        .filter(|number| number.may_send(producer))
        .ok_or(Code::UnknownSender)?;
    if !config.producers.is_empty() {
        let mut grants = config
            .producers
            .iter()
            .filter(|p| p.is(producer))
            .peekable();
        if grants.peek().is_none() {
            return Err(Code::UnknownSender.into());
        }
        if !grants.clone().any(|grant| grant.lanes.contains(&lane)) {
            return Err(NOT_THIS_LANE);
        }
        if !grants.any(|grant| grant.may_use(lane, number)) {
            return Err(Code::UnknownSender.into());
        }
    }
    carrying(number, lane)
}

/// The number a system message names; the queue's policy says who may write those.
pub(crate) fn known<'a>(config: &'a Config, from: &str) -> Result<&'a Number, Refusal> {
    config.number(from).ok_or(Code::UnknownSender.into())
}

fn carrying(number: &Number, lane: Purpose) -> Result<&Number, Refusal> {
    if number.carries(lane) {
        Ok(number)
    } else {
        Err(Refusal::at(
            Code::UnknownSender,
            "from",
            "this number is not for this lane",
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    const OPEN: &str = r#"
        [controller]
        name = "Maple Outfitters"
        privacy_contact = "privacy@maple.example"
        [[numbers]]
        id = "106540352242922"
        alias = "main"
        display = "+16135550100"
        portfolio = "portfolio-1"
        [[numbers]]
        id = "106540352242923"
        alias = "support"
        display = "+16135550101"
        portfolio = "portfolio-1"
        lanes = ["service"]
    "#;

    fn code(config: &str, from: &str, producer: &str, lane: Purpose) -> Option<&'static str> {
        let config = Config::from_toml(config).unwrap();
        granted(&config, from, producer, lane)
            .err()
            .map(|refusal| refusal.code.word())
    }

    #[test]
    fn while_nobody_is_declared_the_queue_policies_alone_decide() {
        assert_eq!(code(OPEN, "main", "AROASHOP", Purpose::Marketing), None);
        assert_eq!(
            code(OPEN, "nobody", "AROASHOP", Purpose::Marketing),
            Some("unknown_sender")
        );
    }

    #[test]
    fn a_number_with_lanes_carries_no_other() {
        assert_eq!(code(OPEN, "support", "AROASHOP", Purpose::Service), None);
        assert_eq!(
            code(OPEN, "support", "AROASHOP", Purpose::Marketing),
            Some("unknown_sender")
        );
    }

    #[test]
    fn once_one_is_declared_everybody_sends_only_what_is_granted() {
        let declared = OPEN.to_owned()
            + r#"
            [[producers]]
            principal = "AROASHOP"
            lanes = ["utility", "service"]
            numbers = ["main"]
            [[producers]]
            principal = "AROADESK"
            lanes = ["service"]
        "#;
        let code = |from, producer, lane| code(&declared, from, producer, lane);
        assert_eq!(code("main", "AROASHOP", Purpose::Utility), None);
        assert_eq!(code("main", "AROASHOP:session", Purpose::Utility), None);
        assert_eq!(
            code("main", "AROASHOP", Purpose::Marketing),
            Some("lane_mismatch")
        );
        assert_eq!(
            code("support", "AROASHOP", Purpose::Service),
            Some("unknown_sender")
        );
        assert_eq!(code("support", "AROADESK", Purpose::Service), None);
        for stranger in ["AROASTRANGER", "AROASTRANGER:AROASHOP", ""] {
            assert_eq!(
                code("main", stranger, Purpose::Utility),
                Some("unknown_sender"),
                "{stranger}"
            );
        }
    }
}
