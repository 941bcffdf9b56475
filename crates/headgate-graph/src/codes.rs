//! Meta's error codes, by what they mean for a send.
//!
//! Owns the table of whatsapp-cloud-api.md 5 (Meta's error code page, read 2026-09-11). Meta asks
//! to go by the code, not by the HTTP status or the text. What each class leads to is decided in
//! decisions.md, Failures.

/// What a code means for the message that got it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Too fast for the number; not accepted.
    Throttled,
    /// Too fast for the person; not accepted.
    Pair,
    /// Too many calls; not accepted.
    AppLimit,
    /// Token or permission; not looked at.
    Credential,
    /// Trouble on Meta's side; the message may have gone out.
    Trouble,
    /// The number is being upgraded, for a minute at most; the message may have gone out.
    Maintenance,
    /// A documented no.
    Refused,
    /// Not in the documentation.
    Unknown,
}

/// The class of a code.
pub(crate) const fn class(code: u32) -> Class {
    match code {
        130_429 => Class::Throttled,
        131_056 => Class::Pair,
        4 | 80_007 => Class::AppLimit,
        // 131005 is "access denied": a permission lost, as 200 to 299 are.
        0 | 3 | 10 | 102 | 104 | 190 | 200..=299 | 131_005 => Class::Credential,
        1 | 2 | 131_000 | 131_016 | 133_004 => Class::Trouble,
        131_057 => Class::Maintenance,
        17
        | 32
        | 33
        | 100
        | 368
        | 613
        | 80_008
        | 130_403
        | 130_472
        | 130_497
        | 131_008
        | 131_009
        | 131_020
        | 131_021
        | 131_026
        | 131_030
        | 131_031
        | 131_035..=131_037
        | 131_041
        | 131_042
        | 131_044
        | 131_045
        | 131_047..=131_053
        | 131_055
        | 131_059
        | 131_062..=131_064
        | 131_200..=131_299
        | 132_000
        | 132_001
        | 132_005
        | 132_007
        | 132_012
        | 132_015
        | 132_016
        | 132_018
        | 132_068
        | 132_069
        | 133_000
        | 133_005
        | 133_006
        | 133_008..=133_010
        | 133_015
        | 133_016
        | 134_011
        | 134_100..=134_102
        | 135_000
        | 136_024
        | 136_025
        | 137_000
        | 138_000..=138_099
        | 139_000..=139_103
        | 147_001..=147_005 => Class::Refused,
        _ => Class::Unknown,
    }
}
