//! What a connection may send and how, and the options of the library that say
//! so.

use telsiz::{Deflate, Exceeded, Fault, Message, Options};

use crate::heartbeat::Heartbeat;
use crate::limits_hit::{Limit, LimitsHit};

/// How much may wait for a member of an audience before it counts as too slow.
pub(crate) const AUDIENCE_BUFFER: usize = 1024 * 1024;

/// What a connection may send and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The bytes of a message.
    pub(crate) max_message_size: usize,
    /// The fragments of a message besides its last.
    pub(crate) max_fragments: u32,
    /// Whether messages are compressed with those who offer to.
    pub(crate) deflate: bool,
    /// How it is found out whether it is still there.
    pub(crate) heartbeat: Heartbeat,
}

impl Limits {
    /// The options of a connection; an oversized message is told `words` before the Close frame. What is
    /// exceeded is counted in `hit`.
    pub(crate) fn options(
        self,
        words: impl Fn(usize) -> String + Send + Sync + 'static,
        hit: &LimitsHit,
    ) -> Options {
        let hit = hit.clone();
        self.heartbeat
            .options(Options::default())
            .max_message_size(self.max_message_size)
            .max_fragments(self.max_fragments)
            .deflate(self.deflate.then(Deflate::default))
            .last_words(move |fault| match fault {
                Fault::Exceeded(Exceeded::MessageSize { max }) => {
                    hit.count(Limit::MessageSize);
                    Some(Message::text(words(*max)))
                }
                Fault::Exceeded(Exceeded::Fragments { .. }) => {
                    hit.count(Limit::Fragments);
                    None
                }
                _ => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use telsiz::Upgrade;

    use super::*;
    use crate::testing::{self, connect, next, serve};

    const LIMITS: Limits = Limits {
        max_message_size: 4,
        max_fragments: 2,
        deflate: true,
        heartbeat: testing::HEARTBEAT,
    };

    async fn told(messages: &[&[u8]], hit: Limit) -> (Vec<String>, u16) {
        let limits_hit = LimitsHit::default();
        let options = LIMITS.options(|max| format!("at most {max}"), &limits_hit);
        let address = serve(|serve| {
            serve.options(options).fallback(|upgrade: Upgrade| async {
                let mut ws = upgrade.accept().await?;
                while ws.recv().await?.is_some() {}
                Ok::<_, telsiz::Error>(())
            })
        })
        .await;
        let mut ws = connect(address, "/").await;
        for (index, message) in messages.iter().enumerate() {
            let last = index + 1 == messages.len();
            ws.send_fragment(*message, last).await.expect("sent");
        }
        let mut words = Vec::new();
        while let Some(message) = next(&mut ws).await {
            words.push(message.as_text().expect("a text").to_owned());
        }
        let code = ws.close_code().expect("a Close frame");
        for (limit, count) in limits_hit.counts() {
            assert_eq!(count, u64::from(limit == hit), "{limit:?}");
        }
        (words, code.get())
    }

    #[tokio::test]
    async fn an_oversized_message_is_told_before_the_close() {
        let (words, code) = told(&[b"12345"], Limit::MessageSize).await;
        assert_eq!((words, code), (vec!["at most 4".to_owned()], 1009));
    }

    #[tokio::test]
    async fn too_many_fragments_are_told_by_the_close_alone() {
        let (words, code) = told(&[b"1", b"2", b"3", b"4"], Limit::Fragments).await;
        assert_eq!((words, code), (Vec::new(), 1008));
    }
}
