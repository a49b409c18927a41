//! The futures that an open connection gives out.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use futures_sink::Sink;
use telsiz_proto::{CloseCode, Message, Outcome};

use crate::error::Error;
use crate::split::{Receiver, Sender};
use crate::testing::wire::Wired;
use crate::websocket::WebSocket;

/// What is done until its future is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Recv,
    Next,
    Run,
    Send,
    Feed,
    SendFragment,
    Flush,
    Ping,
    Close,
    SinkReady,
    SinkFlush,
    SinkClose,
    ReceiverRecv,
    ReceiverNext,
    ReceiverClose,
    SenderSend,
    SenderFeed,
    SenderFlush,
    SenderPing,
}

/// What an act does besides receiving, if it is not given up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It receives until the peer's Close.
    Receives,
    /// It sends back what it receives.
    Echoes,
    /// It queues a message, and waits for that to reach the peer or not.
    Queues {
        flushes: bool,
    },
    QueuesFragment,
    Flushes,
    Pings,
    /// It closes with this code.
    Closes(u16),
}

/// A connection in one piece or in two.
pub(super) enum Held {
    Whole(WebSocket<Wired>),
    Halves(Receiver<Wired>, Sender<Wired>),
}

impl Act {
    pub(super) fn effect(self) -> Effect {
        match self {
            Self::Recv | Self::Next | Self::ReceiverRecv | Self::ReceiverNext => Effect::Receives,
            Self::Run => Effect::Echoes,
            Self::Send | Self::SenderSend => Effect::Queues { flushes: true },
            Self::Feed | Self::SenderFeed | Self::SinkReady => Effect::Queues { flushes: false },
            Self::SendFragment => Effect::QueuesFragment,
            Self::Flush | Self::SenderFlush | Self::SinkFlush => Effect::Flushes,
            Self::Ping | Self::SenderPing => Effect::Pings,
            Self::Close | Self::ReceiverClose => Effect::Closes(1001),
            Self::SinkClose => Effect::Closes(1000),
        }
    }

    /// The connection as this act needs it.
    pub(super) fn hold(self, ws: WebSocket<Wired>) -> Held {
        match self {
            Self::ReceiverRecv
            | Self::ReceiverNext
            | Self::ReceiverClose
            | Self::SenderSend
            | Self::SenderFeed
            | Self::SenderFlush
            | Self::SenderPing => {
                let (receiver, sender) = ws.split();
                Held::Halves(receiver, sender)
            }
            _ => Held::Whole(ws),
        }
    }

    /// Does it. What is sent is `message`, what comes goes to `seen`.
    pub(super) async fn perform(self, held: &mut Held, message: Message, seen: &mut Vec<Message>) {
        match held {
            Held::Whole(ws) => self.perform_whole(ws, message, seen).await,
            Held::Halves(receiver, sender) => {
                self.perform_half(receiver, sender, message, seen).await;
            }
        }
    }

    async fn perform_whole(
        self,
        ws: &mut WebSocket<Wired>,
        message: Message,
        seen: &mut Vec<Message>,
    ) {
        match self {
            Self::Recv => {
                while let Some(message) = ws.recv().await.expect("no error") {
                    seen.push(message);
                }
            }
            Self::Next => drain(ws, seen).await,
            Self::Run => {
                let run = ws.run(|message, replies| {
                    seen.push(match message.as_text() {
                        Some(text) => text.into(),
                        None => message.as_bytes().to_vec().into(),
                    });
                    replies.echo(message);
                });
                run.await.expect("no error");
            }
            Self::Send => ws.send(message).await.expect("an open one"),
            Self::Feed => ws.feed(message).await.expect("an open one"),
            Self::SendFragment => ws.send_fragment(message, false).await.expect("an open one"),
            Self::Flush => ws.flush().await.expect("an open one"),
            Self::Ping => drop(ws.ping().await.expect("a pong")),
            Self::Close => drop(ws.close(CloseCode::GOING_AWAY).await),
            Self::SinkReady => {
                let ready = poll_fn(|cx| Sink::<Message>::poll_ready(Pin::new(&mut *ws), cx));
                ready.await.expect("an open one");
                Sink::start_send(Pin::new(ws), message).expect("an open one");
            }
            Self::SinkFlush => poll_fn(|cx| Sink::<Message>::poll_flush(Pin::new(&mut *ws), cx))
                .await
                .expect("an open one"),
            Self::SinkClose => poll_fn(|cx| Sink::<Message>::poll_close(Pin::new(&mut *ws), cx))
                .await
                .expect("an open one"),
            _ => unreachable!("{self:?} is of a half"),
        }
    }

    async fn perform_half(
        self,
        receiver: &mut Receiver<Wired>,
        sender: &Sender<Wired>,
        message: Message,
        seen: &mut Vec<Message>,
    ) {
        match self {
            Self::ReceiverRecv => {
                while let Some(message) = receiver.recv().await.expect("no error") {
                    seen.push(message);
                }
            }
            Self::ReceiverNext => drain(receiver, seen).await,
            Self::ReceiverClose => drop(receiver.close(CloseCode::GOING_AWAY).await),
            Self::SenderSend => sender.send(message).await.expect("an open one"),
            Self::SenderFeed => sender.feed(message).await.expect("an open one"),
            Self::SenderFlush => sender.flush().await.expect("an open one"),
            // Somebody has to receive the pong.
            Self::SenderPing => tokio::select! {
                biased;
                pong = sender.ping() => drop(pong.expect("a pong")),
                () = drain(receiver, seen) => unreachable!("the peer does not close"),
            },
            _ => unreachable!("{self:?} is of the whole"),
        }
    }
}

async fn drain<S>(stream: &mut S, seen: &mut Vec<Message>)
where
    S: Stream<Item = Result<Message, Error>> + Unpin,
{
    while let Some(message) = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await {
        seen.push(message.expect("no error"));
    }
}

impl Held {
    pub(super) async fn recv(&mut self) -> Option<Message> {
        match self {
            Self::Whole(ws) => ws.recv().await,
            Self::Halves(receiver, _) => receiver.recv().await,
        }
        .expect("no error")
    }

    pub(super) async fn send(&mut self, message: Message) {
        match self {
            Self::Whole(ws) => ws.send(message).await,
            Self::Halves(_, sender) => sender.send(message).await,
        }
        .expect("an open one");
    }

    /// Ends the message that a fragment may have begun.
    pub(super) async fn send_last_fragment(&mut self, message: Message) {
        if let Self::Whole(ws) = self {
            ws.send_fragment(message, true).await.expect("an open one");
        }
    }

    pub(super) async fn close(&mut self) -> Outcome {
        match self {
            Self::Whole(ws) => ws.close(CloseCode::NORMAL).await,
            Self::Halves(receiver, _) => receiver.close(CloseCode::NORMAL).await,
        }
        .expect("an outcome")
    }
}
