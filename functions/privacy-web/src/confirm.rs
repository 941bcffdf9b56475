//! Pressing a link to confirm: read where it stands, move it once, and queue that it was.
//!
//! Owns the order: the row says that it was pressed before the queue does, and is marked after it. Whoever
//! presses a link whose queueing was cut off queues it again; intake takes the same press once.

use headgate_aws::{AwsError, random};
use headgate_domain::confirm_link::{self, ConfirmToken, LinkRow, Pressed, Standing};
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::PrivacyWeb;
use crate::decide::{Presser, Refused};
use crate::pages::{Page, Said};

impl PrivacyWeb {
    /// Does what pressing the button does.
    pub(crate) async fn press(
        &self,
        token: &ConfirmToken,
        presser: &Presser,
    ) -> Result<Page, AwsError> {
        let (row, now) = (token.row(), (self.clock)());
        let found = tokio::try_join!(self.confirm_links.find(&row), self.link_requests.find(&row))?;
        let (Some(issued), request) = found else {
            return Ok(Page::Refused(Refused::NotFound));
        };
        let agent = presser.user_agent.as_deref();
        let (is_ours, issued_at) = (presser.is_same_origin, issued.issued_at);
        if confirm_link::looks_automatic(agent, is_ours, issued_at, now) {
            noted(&row, "automatic");
            return Ok(Page::Pressed(Said::Automatic));
        }
        // Intake has not come to it yet, so nobody knows whom it asks.
        let Some(request) = request else {
            return Ok(Page::Refused(Refused::Unavailable));
        };
        if issued.standing == Standing::Issued {
            let people = self
                .subjects
                .load(std::slice::from_ref(&request.subject))
                .await?;
            let is_open = |person| request.open(person).next().is_some();
            if !people.first().is_some_and(is_open) {
                noted(&row, "refused_since");
                return Ok(Page::Refused(Refused::NotFound));
            }
        }
        let attempt = format!("{:032x}", u128::from_be_bytes(random()?));
        let after = self.confirm_links.press(&row, &attempt, now).await?;
        let standing = after.as_ref().map(|issued| &issued.standing);
        let said = match confirm_link::press(token, standing, &attempt, now) {
            Pressed::Confirms => Said::Confirmed,
            Pressed::Already => Said::Already,
            Pressed::Over => return Ok(Page::Pressed(Said::Over)),
            Pressed::Gone => return Ok(Page::Refused(Refused::NotFound)),
        };
        if after.is_some_and(|issued| !issued.is_queued) {
            self.queue_press(&row, now).await?;
        }
        Ok(Page::Pressed(said))
    }

    /// Puts a press on the consents queue; returning means that SQS has it.
    async fn queue_press(&self, row: &LinkRow, now: Timestamp) -> Result<(), AwsError> {
        self.consents
            .send(&confirm_link::pressed_record(row), &[])
            .await?;
        noted(row, "confirmed");
        // A mark that is lost costs one more entry on the queue, which changes nothing.
        if let Err(error) = self.confirm_links.mark_queued(row, now).await {
            let fields = [("error", Field::safe(&error))];
            log(Level::Warn, "link_not_marked", &fields);
        }
        Ok(())
    }
}

/// Writes down what became of a press, by the hash of its link.
fn noted(row: &LinkRow, outcome: &'static str) {
    log(
        Level::Info,
        "link_pressed",
        &[
            ("link", Field::safe(row)),
            ("outcome", Field::code(outcome)),
        ],
    );
}
