//! Frames by the book (RFC 6455, section 5.2), apart from the code under test.

use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            fin: true,
            opcode,
            payload: payload.as_ref().to_vec(),
        }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::new(TEXT, text)
    }

    pub(crate) fn binary(bytes: impl AsRef<[u8]>) -> Self {
        Self::new(BINARY, bytes)
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::new(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The same, with more fragments to follow.
    pub(crate) fn more(self) -> Self {
        Self { fin: false, ..self }
    }

    /// The close code and the reason.
    #[track_caller]
    pub(crate) fn close_body(&self) -> (u16, &str) {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        let (code, reason) = self.payload.split_first_chunk().expect("a code");
        let reason = std::str::from_utf8(reason).expect("a reason in UTF-8");
        (u16::from_be_bytes(*code), reason)
    }

    /// The bytes of the frame; a client masks it.
    pub(crate) fn bytes(&self, masked: bool) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.opcode];
        let mask_bit = u8::from(masked) << 7;
        match self.payload.len() {
            len @ ..126 => bytes.push(mask_bit | len as u8),
            len @ 126..0x1_0000 => {
                bytes.push(mask_bit | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(mask_bit | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        let key = match masked {
            true => [0x37, 0xfa, 0x21, 0x3d],
            false => [0; 4],
        };
        if masked {
            bytes.extend(key);
        }
        let payload = self.payload.iter().zip(key.iter().cycle());
        bytes.extend(payload.map(|(byte, key)| byte ^ key));
        bytes
    }

    /// Reads a frame and checks that it is masked as it has to be; `None` at the
    /// end, if no frame was begun.
    pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin), masked: bool) -> Option<Self> {
        let first = io.read_u8().await.ok()?;
        let second = io.read_u8().await.expect("a whole header");
        assert_eq!(first & 0x70, 0, "reserved bits");
        assert_eq!(second & 0x80 != 0, masked, "whether it is masked");
        let len = match second & 0x7f {
            126 => u64::from(io.read_u16().await.expect("a whole header")),
            127 => io.read_u64().await.expect("a whole header"),
            len => u64::from(len),
        };
        let mut key = [0; 4];
        if masked {
            io.read_exact(&mut key).await.expect("a masking key");
        }
        let mut payload = vec![0; usize::try_from(len).expect("a length")];
        io.read_exact(&mut payload).await.expect("a whole frame");
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        Some(Self {
            fin: first & 0x80 != 0,
            opcode: first & 0x0f,
            payload,
        })
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.payload[..self.payload.len().min(40)];
        write!(
            f,
            "Frame(fin {}, opcode {:#x}, {} bytes: {:?})",
            self.fin,
            self.opcode,
            self.payload.len(),
            String::from_utf8_lossy(shown)
        )
    }
}
