//! Where the address of a message says that the person is.

use headgate_domain::identity::{Bsuid, Phone};
use headgate_domain::outbound::Payload;
use headgate_domain::region::Country;

/// By the calling code of the number, or the prefix of the business-scoped id.
pub(crate) fn country(payload: &Payload) -> Option<Country> {
    let phone = payload.phone.as_deref().and_then(|p| Phone::parse(p).ok());
    let bsuid = payload.bsuid.as_deref().and_then(|b| Bsuid::parse(b).ok());
    match (phone, bsuid) {
        (Some(phone), _) => Country::of_phone(&phone),
        (None, Some(bsuid)) => Country::of_bsuid(&bsuid),
        (None, None) => None,
    }
}
