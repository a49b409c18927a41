//! HTTP by hand, for the heads that no client would send.

use tokio::io::{AsyncRead, AsyncReadExt};

/// The head of an answer, and not a byte behind it.
pub(crate) async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&head)),
        }
    }
    String::from_utf8(head).expect("a head in UTF-8")
}

/// An answer whose length is in its head.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin)) -> Self {
        let head = read_head(io).await;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut answer = Self {
            status: status.expect("a status"),
            head,
            body: String::new(),
        };
        let len = answer.header("content-length").map_or("0", str::trim);
        let mut body = vec![0; len.parse().expect("a length")];
        io.read_exact(&mut body).await.expect("a whole body");
        answer.body = String::from_utf8(body).expect("a body in UTF-8");
        answer
    }

    /// The value of the first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}
