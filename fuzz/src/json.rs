//! A mutator for inputs that end in JSON.
//!
//! Bytes changed at random are nearly always no JSON any more, and then only the JSON parser is
//! tried. This one changes members and values instead, with the words of `words.dict`, and leaves
//! one change in four to libFuzzer, so that broken JSON is tried too.

use std::sync::LazyLock;

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Map, Value};

use crate::head_and_rest;

/// One word a line, in quotes, as libFuzzer's `-dict` wants them.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("../words.dict").lines();
    lines
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'))
        .collect()
});

/// Changes an input that is JSON.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    change(data, 0, size, max_size, seed)
}

/// Changes an input of one line and JSON below it; the line becomes another word now and then.
pub fn mutate_below_a_line(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed) ^ 0x9e37_79b9);
    let (head, rest) = head_and_rest(&data[..size]);
    let start = head.len() + 1;
    if start > size {
        return fuzzer_mutate(data, size, max_size);
    }
    if random.below(8) == 0 {
        let changed = [random.word().as_bytes(), b"\n", rest].concat();
        return put(data, &changed, size, max_size);
    }
    change(data, start, size, max_size, seed)
}

fn change(data: &mut [u8], start: usize, size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed));
    let value = serde_json::from_slice::<Value>(&data[start..size]);
    let (Ok(mut value), true) = (value, random.below(4) > 0) else {
        return fuzzer_mutate(data, size, max_size);
    };
    for _change in 0..=random.below(3) {
        let other = pick(&value, &mut random).clone();
        let mut place = random.below(count(&value));
        at(&mut value, &mut place, &mut |node| {
            alter(node, &other, &mut random);
        });
    }
    let changed = [&data[..start], value.to_string().as_bytes()].concat();
    put(data, &changed, size, max_size)
}

fn put(data: &mut [u8], changed: &[u8], size: usize, max_size: usize) -> usize {
    if changed.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..changed.len()].copy_from_slice(changed);
    changed.len()
}

/// Changes one node: to another value, or by a member more or less.
fn alter(node: &mut Value, other: &Value, random: &mut Random) {
    match (random.below(6), &mut *node) {
        (0 | 1, Value::Object(map)) => {
            map.insert(random.word().to_owned(), other.clone());
        }
        (2, Value::Object(map)) => rename(map, random),
        (0 | 1, Value::Array(list)) => list.push(other.clone()),
        (2 | 3, Value::Array(list)) if !list.is_empty() => {
            list.remove(random.below(list.len()));
        }
        (3, Value::Object(map)) => {
            if let Some(key) = key(map, random) {
                map.remove(&key);
            }
        }
        (4, _any) => *node = other.clone(),
        (_any, _other) => *node = random.value(other),
    }
}

fn rename(map: &mut Map<String, Value>, random: &mut Random) {
    if let Some(value) = key(map, random).and_then(|key| map.remove(&key)) {
        map.insert(random.word().to_owned(), value);
    }
}

fn key(map: &Map<String, Value>, random: &mut Random) -> Option<String> {
    if map.is_empty() {
        return None;
    }
    map.keys().nth(random.below(map.len())).cloned()
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _leaf => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

fn pick<'a>(value: &'a Value, random: &mut Random) -> &'a Value {
    let children = children(value);
    if children.is_empty() || random.below(4) == 0 {
        return value;
    }
    pick(children[random.below(children.len())], random)
}

fn at(value: &mut Value, place: &mut usize, change: &mut dyn FnMut(&mut Value)) -> bool {
    if *place == 0 {
        change(value);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|child| at(child, place, change)),
        Value::Object(map) => map.values_mut().any(|child| at(child, place, change)),
        _leaf => false,
    }
}

/// splitmix64: small, and the same changes for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }

    fn value(&mut self, other: &Value) -> Value {
        match self.below(9) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => [
                -1,
                0,
                1,
                1_795_341_600,
                1_795_341_600_000,
                i64::MAX,
                i64::MIN,
            ][self.below(7)]
            .into(),
            3 => Value::from(self.next()),
            4 => Value::Array(vec![other.clone()]),
            5 => Value::Object(Map::from_iter([(self.word().to_owned(), other.clone())])),
            _rest => self.word().into(),
        }
    }
}
