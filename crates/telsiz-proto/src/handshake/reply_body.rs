//! The body of an answer that is no upgrade (RFC 9112, section 6).

use bytes::{Buf, BytesMut};
use http::StatusCode;
use http::header::{self, HeaderMap};

use super::has_token;

/// The most bytes of a body that are kept; the rest is cut off.
const MAX_BODY: usize = 64 * 1024;

/// Reads a body as it arrives.
#[derive(Debug)]
pub(super) struct ReplyBody {
    framing: Framing,
    pub(super) body: BytesMut,
}

#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked(Chunk),
    UntilEof,
}

#[derive(Debug)]
enum Chunk {
    /// A line with a size is to come; after a first chunk, a line end before it.
    Size,
    Data(u64),
    End,
}

impl ReplyBody {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let framing = match length {
            _ if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) => {
                Framing::Length(0)
            }
            _ if has_token(headers, header::TRANSFER_ENCODING, "chunked") => {
                Framing::Chunked(Chunk::Size)
            }
            Some(length) => Framing::Length(length),
            None => Framing::UntilEof,
        };
        Self {
            framing,
            body: BytesMut::new(),
        }
    }

    /// Takes what came; whether the body is complete, or as much of it as is kept.
    pub(super) fn handle_input(&mut self, buffer: &mut BytesMut) -> bool {
        loop {
            let available = buffer.len() as u64;
            let (take, left) = match &mut self.framing {
                Framing::UntilEof => (available, None),
                Framing::Length(left) | Framing::Chunked(Chunk::Data(left)) => {
                    (available.min(*left), Some(left))
                }
                Framing::Chunked(Chunk::End) => return true,
                Framing::Chunked(Chunk::Size) => match chunk_size(buffer) {
                    ChunkSize::Of(size) => {
                        self.framing = Framing::Chunked(match size {
                            0 => Chunk::End,
                            size => Chunk::Data(size),
                        });
                        continue;
                    }
                    ChunkSize::Incomplete => return false,
                    ChunkSize::Malformed => return true,
                },
            };
            let room = (MAX_BODY - self.body.len()).min(take as usize);
            self.body.extend_from_slice(&buffer[..room]);
            buffer.advance(take as usize);
            if self.body.len() == MAX_BODY {
                return true;
            }
            let Some(left) = left else { return false };
            *left -= take;
            match &mut self.framing {
                Framing::Chunked(chunk) if matches!(chunk, Chunk::Data(0)) => *chunk = Chunk::Size,
                Framing::Length(0) => return true,
                _ => return false,
            }
        }
    }
}

enum ChunkSize {
    Of(u64),
    Incomplete,
    Malformed,
}

/// The longest line with a chunk size that is read, its end included.
const MAX_LINE: usize = 256;

/// Takes the line with the size of the next chunk off the buffer.
fn chunk_size(buffer: &mut BytesMut) -> ChunkSize {
    // The line end of the chunk before.
    let skip = if buffer.starts_with(b"\r\n") { 2 } else { 0 };
    let in_limit = &buffer[skip..buffer.len().min(skip + MAX_LINE)];
    let Some(end) = in_limit.iter().position(|byte| *byte == b'\n') else {
        return match in_limit.len() < MAX_LINE {
            true => ChunkSize::Incomplete,
            false => ChunkSize::Malformed,
        };
    };
    let line = &buffer[skip..skip + end];
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let size = std::str::from_utf8(&line[..digits.count()])
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    buffer.advance(skip + end + 1);
    size.map_or(ChunkSize::Malformed, ChunkSize::Of)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(header: (&'static str, &'static str), bytes: &[u8], step: usize) -> (bool, BytesMut) {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, HeaderValue::from_static(header.1));
        let mut reply = ReplyBody::new(StatusCode::FORBIDDEN, &headers);
        let mut done = false;
        let mut buffer = BytesMut::new();
        for piece in bytes.chunks(step) {
            buffer.extend_from_slice(piece);
            done = reply.handle_input(&mut buffer);
        }
        (done, reply.body)
    }

    #[test]
    fn bodies_are_read_alike_however_they_are_cut() {
        let chunked = b"5\r\nHello\r\n7;x=y\r\n, world\r\n0\r\n\r\n";
        for step in [1, 2, 3, 5, 100] {
            let (done, body) = read(("transfer-encoding", "chunked"), chunked, step);
            assert!(done && &body[..] == b"Hello, world", "{step}");
            let (done, body) = read(("content-length", "5"), b"Hello", step);
            assert!(done && &body[..] == b"Hello", "{step}");
            let (done, body) = read(("x-other", ""), b"Hello", step);
            assert!(!done && &body[..] == b"Hello", "{step}");
        }
    }

    #[test]
    fn a_line_with_a_chunk_size_is_too_long_however_it_is_cut() {
        for len in [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1] {
            let fill = "x".repeat(len - "5;\r\n".len());
            let chunked = format!("5;{fill}\r\nHello\r\n5;{fill}\r\nWorld\r\n0\r\n\r\n");
            let expected: &[u8] = if len > MAX_LINE { b"" } else { b"HelloWorld" };
            for step in [1, 2, 100, 10_000] {
                let (done, body) = read(("transfer-encoding", "chunked"), chunked.as_bytes(), step);
                assert!(done && body == expected, "{len} {step}");
            }
        }
    }

    #[test]
    fn a_body_without_end_is_cut_off() {
        for header in [("content-length", "99999999999"), ("x-other", "")] {
            let (done, body) = read(header, &vec![b'a'; 2 * MAX_BODY], 1000);
            assert!(done && body.len() == MAX_BODY);
        }
        let (done, _) = read(("transfer-encoding", "chunked"), &[b'1'; 1000], 10);
        assert!(done);
    }
}
