//! Filling calls of the bus with events.
//!
//! Owns `PutEvents`' limits. Which events there are, and what a failed call means, is `batch`'s.

use headgate_domain::event::Event;

/// `PutEvents` takes ten entries a call.
const EVENTS_PER_CALL: usize = 10;
/// And 256 KB in all (EventBridge quotas); one event has at most 200.
const BYTES_PER_CALL: usize = 220_000;

/// Fills calls with events, and says which records each call is for.
pub(crate) fn calls(events: impl Iterator<Item = (usize, Event)>) -> Vec<(Vec<usize>, Vec<Event>)> {
    let mut calls: Vec<(Vec<usize>, Vec<Event>)> = Vec::new();
    let mut bytes = 0_usize;
    for (record, event) in events {
        let size = event.to_json().len();
        let fits = calls
            .last()
            .is_some_and(|(_records, events)| events.len() < EVENTS_PER_CALL)
            && bytes.saturating_add(size) <= BYTES_PER_CALL;
        if !fits {
            calls.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        if let Some((records, events)) = calls.last_mut() {
            records.push(record);
            events.push(event);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use headgate_domain::time::Timestamp;

    use super::*;

    #[test]
    fn calls_are_filled_by_count_and_by_size() {
        let event =
            |size: usize| Event::new("x", Timestamp::default(), &[]).with("text", "x".repeat(size));
        let filled = |sizes: &[usize]| {
            let events = sizes
                .iter()
                .enumerate()
                .map(|(record, size)| (record, event(*size)));
            calls(events)
                .into_iter()
                .map(|(records, _events)| records.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(filled(&[1; 25]), [10, 10, 5]);
        assert_eq!(filled(&[150_000, 150_000, 10]), [1, 2]);
        assert_eq!(filled(&[]), [0_usize; 0]);
    }
}
