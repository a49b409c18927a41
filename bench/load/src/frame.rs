//! Frames, as RFC 6455, section 5.2 has them. Only what is needed to write them.

/// A server's ping without payload. Written in one piece, it arrives in one.
pub(crate) const PING: [u8; 2] = [0x89, 0];

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Appends an unfragmented frame from a client: masked.
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
}
