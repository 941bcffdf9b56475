//! A document that is handed out, cut into volumes that each fit an answer.

use headgate_redact::Personal;
use serde_json::{Map, Value, json};

/// The most bytes of a volume, unless one entry alone is longer. An answer of Lambda's ends at 6 MB
/// (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, 2026-11), with the text in it escaped for JSON once
/// more; and a byte of JSON becomes up to five on a page (`&amp;`).
pub const VOLUME_BYTES: usize = 1_000_000;

/// Cuts a document: each volume is one by itself, with the whole head, its share of the lists, and in `volume` its
/// number and how many there are. What is in no list is in each, so a head is to be short.
pub fn into_volumes(
    head: &Map<String, Value>,
    lists: Vec<(&str, Vec<Value>)>,
) -> Vec<Personal<Vec<u8>>> {
    let names: Vec<&str> = lists.iter().map(|(name, _entries)| *name).collect();
    let head_bytes = text(head).len();
    let mut shares: Vec<Vec<(&str, Value)>> = vec![Vec::new()];
    let mut bytes = head_bytes;
    for (name, entries) in lists {
        for entry in entries {
            let size = entry.to_string().len().saturating_add(1);
            if bytes.saturating_add(size) > VOLUME_BYTES && bytes > head_bytes {
                shares.push(Vec::new());
                bytes = head_bytes;
            }
            bytes = bytes.saturating_add(size);
            if let Some(share) = shares.last_mut() {
                share.push((name, entry));
            }
        }
    }
    let of = shares.len();
    let volumes = (1_usize..).zip(shares).map(|(number, share)| {
        let mut volume = head.clone();
        volume.insert("volume".to_owned(), json!({ "number": number, "of": of }));
        let lists = names.iter().map(|name| ((*name).to_owned(), json!([])));
        let mut own: Map<String, Value> = lists.collect();
        for (name, entry) in share {
            if let Some(list) = own.get_mut(name).and_then(Value::as_array_mut) {
                list.push(entry);
            }
        }
        volume.append(&mut own);
        Personal::new(text(&volume))
    });
    volumes.collect()
}

fn text(map: &Map<String, Value>) -> Vec<u8> {
    // What is a map of values already can always be written.
    serde_json::to_vec(map).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn cut(proofs: &[usize], messages: &[usize]) -> Vec<Value> {
        let entries = |of: &str, sizes: &[usize]| -> Vec<Value> {
            let entry = |(n, size): (usize, &usize)| json!({ "n": format!("{of}{n}"), "text": "a".repeat(*size) });
            sizes.iter().enumerate().map(entry).collect()
        };
        let head = json!({ "schema": "headgate.export/1" });
        let lists = vec![
            ("proofs", entries("p", proofs)),
            ("messages", entries("m", messages)),
        ];
        let volumes = into_volumes(head.as_object().unwrap(), lists);
        let longest = proofs.iter().chain(messages).max();
        let longest = longest.copied().unwrap_or_default();
        assert!(
            volumes
                .iter()
                .all(|volume| volume.reveal().len() < VOLUME_BYTES.max(longest).saturating_add(200))
        );
        volumes
            .iter()
            .map(|volume| serde_json::from_slice(volume.reveal()).unwrap())
            .collect()
    }

    fn names(volumes: &[Value], list: &str) -> Vec<Vec<String>> {
        let of = |volume: &Value| {
            let entries = volume.get(list).unwrap().as_array().unwrap().iter();
            let name = |entry: &Value| entry.get("n").unwrap().as_str().unwrap().to_owned();
            entries.map(name).collect()
        };
        volumes.iter().map(of).collect()
    }

    #[test]
    fn what_fits_is_one_volume_and_so_is_nothing() {
        for (proofs, messages) in [(&[][..], &[][..]), (&[10], &[10, 20]), (&[], &[900_000])] {
            let volumes = cut(proofs, messages);
            assert_eq!(volumes.len(), 1);
            let of = json!({ "number": 1, "of": 1 });
            assert_eq!(volumes.first().unwrap().get("volume"), Some(&of));
            assert_eq!(names(&volumes, "messages").concat().len(), messages.len());
        }
    }

    /// Every entry is in exactly one volume, in its order, and every volume has the head and both lists.
    #[test]
    fn what_does_not_fit_is_cut_between_entries() {
        let volumes = cut(&[400_000, 400_000], &[400_000, 10, 2_000_000, 10, 999_980]);
        assert_eq!(
            names(&volumes, "proofs"),
            [vec!["p0", "p1"], vec![], vec![], vec![], vec![]]
        );
        let expected = [vec![], vec!["m0", "m1"], vec!["m2"], vec!["m3"], vec!["m4"]];
        assert_eq!(names(&volumes, "messages"), expected);
        for (number, volume) in (1..).zip(&volumes) {
            let of = json!({ "number": number, "of": 5 });
            assert_eq!(volume.get("volume"), Some(&of));
            assert_eq!(volume.get("schema"), Some(&json!("headgate.export/1")));
        }
    }
}
