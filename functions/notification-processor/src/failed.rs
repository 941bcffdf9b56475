//! Meta's error codes in a sentence for the app (Meta's page, read 2026-09-11).
//!
//! Only codes that a status can carry; the texts are ours, because Meta's may change under us.

/// What a code of a failed message means.
pub(crate) const fn sentence(code: u32) -> &'static str {
    match code {
        130_403 => "The business has blocked this person.",
        130_472 => {
            "The person takes part in an experiment of Meta's and gets no marketing messages."
        }
        130_497 => "The account may not write to people of this country.",
        131_026 => {
            "The message cannot be delivered: the number is not on WhatsApp, its app is too old, or the person does not accept messages."
        }
        131_031 => "The account is locked by Meta.",
        131_037 => "The display name of the phone number is not approved.",
        131_042 => "The account has a payment problem at Meta.",
        131_047 => {
            "More than 24 hours have passed since the person last wrote; only a template message can be sent."
        }
        131_048 => "Meta limits the phone number because of spam reports.",
        131_049 => "Meta held the message back because the person gets many marketing messages.",
        131_050 => "The person has stopped marketing messages of this business in WhatsApp.",
        131_051 => "Meta does not support this type of message.",
        131_053 => "Meta could not fetch or accept the media of the message.",
        131_062 => {
            "This message needs the person's phone number, and only the business-scoped user id is known."
        }
        131_064 => {
            "The account may not send templates for now, because templates were wrongly classified."
        }
        132_000 | 132_012 | 132_018 => "The parameters do not fit the template.",
        132_001 => "The template does not exist in this language, or is not approved.",
        132_005 => "The text of the template is too long once its parameters are filled in.",
        132_007 => "The template violates a policy of Meta.",
        132_015 => "Meta has paused the template.",
        132_016 => "Meta has disabled the template.",
        137_000 => {
            "The identity behind the number has changed; have the person prove the number again."
        }
        _ => "Meta could not deliver the message; the code is in Meta's list of error codes.",
    }
}
