//! Turns a client's frames into a server's, where they lie.
//!
//! A server's frame is the client's without the masking key, so four bytes shorter. The first frame of a batch grows
//! towards its payload, which stays where it is; those after it move up behind it, so that one `send` takes all.

use std::ops::Range;

use echo_floor::frame::{CLOSE, Header, MASKED, OPCODE, PING, PONG, Violation, unmask};

/// Frames with more payload than this are passed on as they arrive; others wait until they are whole.
const WHOLE: u64 = 8 * 1024;

/// Where a connection stands within a large frame; between frames all zero.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    left: u64,
    key: [u8; 4],
}

/// What became of one batch of input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where in the input the bytes to send lie.
    pub(crate) output: Range<usize>,
    /// How much of the input is done with; the rest is the start of a frame.
    pub(crate) used: usize,
    /// A close frame was answered: it is the last to send.
    pub(crate) closed: bool,
}

impl Relay {
    pub(crate) fn step(&mut self, data: &mut [u8]) -> Result<Step, Violation> {
        let mut used = 0;
        let mut output = 0..0;
        let mut closed = false;
        if self.left > 0 {
            used = data
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.payload(&mut data[..used]);
            output.end = used;
        }
        while !closed && let Some(header) = Header::parse(&data[used..])? {
            let there = data.len() - used - header.length;
            if header.payload > there as u64 && header.payload <= WHOLE {
                break;
            }
            let payload = there.min(usize::try_from(header.payload).unwrap_or(usize::MAX));
            let length = header.length - 4;
            if output.is_empty() {
                output = used + 4..used + 4;
            }
            data.copy_within(used..used + length, output.end);
            data[output.end] = answer(data[output.end]);
            data[output.end + 1] &= !MASKED;
            output.end += length;
            used += header.length;
            if output.end != used {
                data.copy_within(used..used + payload, output.end);
            }
            self.left = header.payload;
            self.key = header.key;
            self.payload(&mut data[output.end..output.end + payload]);
            output.end += payload;
            used += payload;
            closed = header.opcode == CLOSE;
        }
        Ok(Step {
            output,
            used,
            closed,
        })
    }

    /// Unmasks the next part of the payload under way.
    fn payload(&mut self, part: &mut [u8]) {
        unmask(part, self.key);
        self.left -= part.len() as u64;
        self.key.rotate_left(part.len() % 4);
    }
}

/// A ping is answered with a pong, everything else with itself.
fn answer(first: u8) -> u8 {
    if first & OPCODE == PING {
        first & !OPCODE | PONG
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
        let mut frame = server(opcode, payload);
        frame[1] |= MASKED;
        let body = frame.split_off(frame.len() - payload.len());
        frame.extend(key);
        frame.extend(body.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
        frame
    }

    fn server(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            0..=125 => frame.push(payload.len() as u8),
            126..=0xffff => {
                frame.push(126);
                frame.extend((payload.len() as u16).to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    /// Everything that goes out when `input` comes in pieces of `size` bytes.
    fn relayed(input: &[u8], size: usize) -> Vec<u8> {
        let mut relay = Relay::default();
        let mut kept = Vec::new();
        let mut output = Vec::new();
        for piece in input.chunks(size) {
            kept.extend(piece);
            let step = relay.step(&mut kept).expect("no violation");
            output.extend(&kept[step.output]);
            kept.drain(..step.used);
        }
        assert_eq!(kept, []);
        output
    }

    #[test]
    fn relays_frames_of_all_sizes_in_pieces_of_all_sizes() {
        let payload: Vec<u8> = (0..100_000u32).map(|i| (i * 7 % 251) as u8).collect();
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for (i, size) in [0, 1, 5, 125, 126, 127, 8192, 8193, 65_535, 65_536, 3]
            .into_iter()
            .enumerate()
        {
            input.extend(client(1, &payload[..size], [i as u8, 2, 0x83, 0xff]));
            expected.extend(server(1, &payload[..size]));
        }
        for piece in [1, 2, 3, 7, 64, 1000, 8191, 70_001, input.len()] {
            assert!(relayed(&input, piece) == expected, "pieces of {piece}");
        }
    }

    #[test]
    fn answers_pings_and_stops_after_a_close() {
        let mut input = client(PING, b"are you there", [9, 8, 7, 6]);
        input.extend(client(CLOSE, &[3, 232], [1, 2, 3, 4]));
        input.extend(client(1, b"too late", [1, 2, 3, 4]));
        let step = Relay::default().step(&mut input).expect("no violation");
        let mut expected = server(PONG, b"are you there");
        expected.extend(server(CLOSE, &[3, 232]));
        assert_eq!(input[step.output], expected);
        assert!(step.closed);
    }

    #[test]
    fn refuses_frames_without_a_mask() {
        let mut input = server(1, b"bare");
        assert_eq!(Relay::default().step(&mut input), Err(Violation));
    }
}
