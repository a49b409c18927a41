//! JSON texts as applications send them: names that come again and again, values that do not.

use std::fmt::Write;

const NAMES: &[&str] = &[
    "Ada Lovelace",
    "Ömer Şahin",
    "Grace Hopper",
    "Zoë Faßbender",
    "Alan Turing",
    "Barbara Liskov",
    "Søren Ødegård",
    "Edsger Dijkstra",
];
const KINDS: &[&str] = &["message", "edit", "reaction", "join", "leave", "typing"];
const WORDS: &[&str] = &[
    "the", "meeting", "moves", "to", "Tuesday", "because", "nobody", "found", "a", "room", "with",
    "enough", "chairs", "please", "answer", "before", "noon", "and", "bring", "your", "figures",
];

/// A JSON text of exactly `size` bytes, if those are more than the few that are always there. The same for the same state
/// of `random`, and each call moves that on.
pub(crate) fn text(random: &mut fastrand::Rng, number: usize, size: usize) -> Vec<u8> {
    let mut text = format!(
        "{{\"number\":{number},\"room\":\"{:08x}\",\"events\":[",
        random.u32(..)
    );
    // The text that fills up stands last.
    const TAIL: (&str, &str) = ("],\"note\":\"", "\"}");
    let around = TAIL.0.len() + TAIL.1.len();
    let mut first = true;
    loop {
        let event = event(random);
        if text.len() + event.len() + 1 + around > size {
            break;
        }
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        text.push_str(&event);
    }
    text.push_str(TAIL.0);
    let end = size.saturating_sub(TAIL.1.len());
    while text.len() < end {
        let word = pick(random, WORDS);
        text.push_str(&word[..word.len().min(end - text.len())]);
        if text.len() < end {
            text.push(' ');
        }
    }
    text.push_str(TAIL.1);
    text.into_bytes()
}

fn event(random: &mut fastrand::Rng) -> String {
    let mut event = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        event,
        "{{\"id\":\"{:016x}\",\"type\":\"{}\",\"user\":{{\"id\":{},\"name\":\"{}\"}},\"at\":{},\"score\":{:.3},\
         \"pinned\":{},\"text\":\"",
        random.u64(..),
        pick(random, KINDS),
        random.u32(1000..100_000),
        pick(random, NAMES),
        1_700_000_000_000 + random.u64(..100_000_000_000),
        random.f64() * 100.0,
        random.bool(),
    );
    for index in 0..random.usize(3..12) {
        if index > 0 {
            event.push(' ');
        }
        event.push_str(pick(random, WORDS));
    }
    event.push_str("\"}");
    event
}

fn pick<'a>(random: &mut fastrand::Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_size_asked_for_and_differ() {
        let mut random = fastrand::Rng::with_seed(1);
        for size in [256, 1024, 1025, 16_384] {
            let [one, other] = [0, 1].map(|number| text(&mut random, number, size));
            assert_eq!((one.len(), other.len()), (size, size));
            assert_ne!(one[size / 2..], other[size / 2..]);
        }
    }

    #[test]
    fn texts_are_json() {
        let mut random = fastrand::Rng::with_seed(2);
        for size in [1024, 16_384] {
            let text = text(&mut random, 0, size);
            serde_json::from_slice::<serde_json::Value>(&text).expect("JSON");
        }
    }
}
