//! Frames, as RFC 6455, section 5.2 has them.

/// A server's ping without payload. Written in one piece, it arrives in one.
pub(crate) const PING: [u8; 2] = [0x89, 0];

const FIN: u8 = 0x80;
/// Compressed, if that was agreed on (RFC 7692, section 6).
pub(crate) const RSV1: u8 = 0x40;
pub(crate) const TEXT: u8 = 1;
const MASKED: u8 = 0x80;

/// Appends an unfragmented frame from a client: masked. The opcode may come with [`RSV1`].
pub(crate) fn client(out: &mut Vec<u8>, opcode: u8, payload: &[u8], key: [u8; 4]) {
    header(out, opcode, MASKED, payload.len());
    out.extend(key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
}

/// Appends an unfragmented frame from a server: bare.
pub(crate) fn server(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    header(out, opcode, 0, payload.len());
    out.extend(payload);
}

fn header(out: &mut Vec<u8>, opcode: u8, mask: u8, length: usize) {
    out.push(FIN | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(mask | short),
        (_, Ok(medium)) => {
            out.push(mask | 126);
            out.extend(medium.to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// A frame from a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// With [`RSV1`] if it has that.
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// Of the header and the payload.
    pub(crate) length: usize,
}

/// The first frame in what came, or `None` while it is not whole. The error is a byte that no server may send to us:
/// a fragment, another reserved bit, a mask, or the length of a payload that is longer than `most`.
pub(crate) fn parse(bytes: &[u8], most: usize) -> Result<Option<Frame<'_>>, usize> {
    let Some(first) = bytes.first() else {
        return Ok(None);
    };
    if first & !RSV1 & 0xf0 != FIN {
        return Err(0);
    }
    let Some(second) = bytes.get(1) else {
        return Ok(None);
    };
    let (header, length) = match second {
        MASKED.. => return Err(1),
        126 => (4, bytes.get(2..4).map(number)),
        127 => (10, bytes.get(2..10).map(number)),
        short => (2, Some(usize::from(*short))),
    };
    match length {
        Some(length) if length > most => Err(1),
        Some(length) => Ok(bytes.get(header..header + length).map(|payload| Frame {
            opcode: first & !FIN,
            payload,
            length: header + length,
        })),
        None => Ok(None),
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, section 5.7.
    #[test]
    fn writes_the_examples_of_the_rfc() {
        let mut out = Vec::new();
        server(&mut out, 1, b"Hello");
        assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        out.clear();
        client(&mut out, 1, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(
            out,
            [
                0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58
            ]
        );
        out.clear();
        server(&mut out, 2, &[0; 256]);
        assert_eq!(out[..4], [0x82, 0x7e, 0x01, 0x00]);
        out.clear();
        server(&mut out, 2, &[0; 65536]);
        assert_eq!(out[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn takes_the_shortest_header() {
        for (length, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut out = Vec::new();
            server(&mut out, 1, &vec![0; length]);
            assert_eq!(out.len(), header + length);
        }
    }

    #[test]
    fn reads_what_it_writes_once_it_is_whole() {
        for length in [0, 125, 126, 65_536] {
            let mut out = Vec::new();
            server(&mut out, RSV1 | TEXT, &vec![7; length]);
            let whole = out.len();
            out.push(0x81);
            for cut in [0, 1, 2, 3, whole - 1] {
                assert_eq!(parse(&out[..cut.min(whole - 1)], length), Ok(None));
            }
            let frame = parse(&out, length).expect("fine").expect("whole");
            assert_eq!((frame.opcode, frame.length), (RSV1 | TEXT, whole));
            assert!(frame.payload == vec![7; length]);
        }
    }

    #[test]
    fn refuses_what_no_server_may_send() {
        assert_eq!(parse(&[0x01], 10), Err(0));
        assert_eq!(parse(&[0xa1], 10), Err(0));
        assert_eq!(parse(&[0x81, 0x81], 10), Err(1));
        assert_eq!(parse(&[0x81, 11], 10), Err(1));
        assert_eq!(parse(&[0x81, 127, 0, 1, 0, 0, 0, 0, 0, 0], 10), Err(1));
    }
}
