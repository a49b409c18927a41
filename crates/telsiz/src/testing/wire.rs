//! A transport without a kernel, and the peer behind it.
//!
//! Every call can be made to wait before it does a little. What was written
//! reaches the peer only when it was flushed, as under TLS.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Side;
use super::frame::{BINARY, CLOSE, Frame, PING, PONG, TEXT};
use super::squeeze::Squeeze;

/// When a call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each waits once, is woken at once, and then does so many bytes at most.
    Every(usize),
    /// Reads and writes wait until [`Wire::let_in`] and [`Wire::let_out`].
    Steered,
}

/// What a test sees of a transport and does to it.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

/// Our end of a [`Wire`].
pub(crate) struct Wired(Wire);

struct State {
    /// Of reading and of writing.
    pace: [Pace; 2],
    /// How many bytes may be read and written before the next wait.
    may: [usize; 2],
    /// Whether a flush and a shutdown have waited.
    waited: [bool; 2],
    /// One task that waits to read and one that waits to write, as tokio has it.
    wakers: [Option<Waker>; 2],
    /// What the peer sent.
    coming: VecDeque<u8>,
    /// Whether the peer ends its direction behind that.
    ended: bool,
    /// What was written and not flushed.
    held: Vec<u8>,
    taken: usize,
    /// Whether our direction was ended.
    shut_down: bool,
    /// Whether our end was dropped.
    dropped: bool,
    peer: Peer,
}

/// Answers pings and a Close at once, as a good peer does.
struct Peer {
    is_client: bool,
    squeeze: Option<Squeeze>,
    /// What came of the next frame.
    begun: Vec<u8>,
    frames: Vec<Frame>,
    has_closed: bool,
}

const IN: usize = 0;
const OUT: usize = 1;

impl Wire {
    pub(crate) fn new(ours: Side, pace: Pace, compresses: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            pace: [pace; 2],
            may: [0; 2],
            waited: [false; 2],
            wakers: [None, None],
            coming: VecDeque::new(),
            ended: false,
            held: Vec::new(),
            taken: 0,
            shut_down: false,
            dropped: false,
            peer: Peer {
                is_client: ours == Side::Server,
                squeeze: compresses.then(Squeeze::new),
                begun: Vec::new(),
                frames: Vec::new(),
                has_closed: false,
            },
        })))
    }

    pub(crate) fn transport(&self) -> Wired {
        Wired(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer sends `frame`.
    pub(crate) fn say(&self, frame: Frame) {
        let woken = {
            let mut state = self.lock();
            state.say(frame);
            state.wakers[IN].take()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// So many more bytes may be read.
    pub(crate) fn let_in(&self, bytes: usize) {
        self.let_through(IN, bytes);
    }

    /// So many more bytes may be written.
    pub(crate) fn let_out(&self, bytes: usize) {
        self.let_through(OUT, bytes);
    }

    /// From now on nothing is written but what is let out.
    pub(crate) fn steer_out(&self) {
        self.lock().pace[OUT] = Pace::Steered;
    }

    fn let_through(&self, way: usize, bytes: usize) {
        let woken = {
            let mut state = self.lock();
            state.may[way] = state.may[way].saturating_add(bytes);
            state.wakers[way].take()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether [`Wire::let_in`] would bring something: bytes or the end.
    pub(crate) fn could_let_in(&self) -> bool {
        let state = self.lock();
        state.may[IN] == 0 && (!state.coming.is_empty() || state.ended)
    }

    /// Whether somebody waits for [`Wire::let_out`].
    pub(crate) fn could_let_out(&self) -> bool {
        self.lock().wakers[OUT].is_some()
    }

    /// How many bytes wait to be read.
    pub(crate) fn coming(&self) -> usize {
        self.lock().coming.len()
    }

    /// How many bytes were written in all.
    pub(crate) fn taken(&self) -> usize {
        self.lock().taken
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.lock().dropped
    }

    /// The frames that reached the peer.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.lock().peer.frames.clone()
    }

    /// All frames of a connection that has ended: none was begun and not ended.
    #[track_caller]
    pub(crate) fn all_frames(&self) -> Vec<Frame> {
        let state = self.lock();
        assert_eq!(state.held, [], "what was never flushed");
        assert_eq!(state.peer.begun, [], "the start of a frame");
        state.peer.frames.clone()
    }
}

impl State {
    fn say(&mut self, frame: Frame) {
        let masked = self.peer.is_client;
        // An empty one has nothing to compress.
        let is_message =
            matches!(frame.opcode, TEXT | BINARY) && frame.fin && !frame.payload.is_empty();
        let bytes = match &mut self.peer.squeeze {
            Some(squeeze) if is_message => {
                let payload = squeeze.compress(&frame.payload);
                let mut bytes = Frame { payload, ..frame }.bytes(masked);
                bytes[0] |= 0x40;
                bytes
            }
            _ => frame.bytes(masked),
        };
        self.peer.has_closed |= frame_is_close(&bytes);
        self.coming.extend(bytes);
    }

    /// Whether a call that moves bytes has to wait.
    fn waits(&mut self, way: usize, cx: &Context<'_>) -> bool {
        if self.may[way] > 0 {
            return false;
        }
        match self.pace[way] {
            Pace::Every(bytes) => {
                self.may[way] = bytes;
                cx.waker().wake_by_ref();
            }
            Pace::Steered => self.wakers[way] = Some(cx.waker().clone()),
        }
        true
    }

    /// Says that so many bytes were moved.
    fn moved(&mut self, way: usize, bytes: usize) {
        self.may[way] = match self.pace[way] {
            Pace::Every(_) => 0,
            Pace::Steered => self.may[way] - bytes,
        };
    }

    /// Whether a flush (0) or a shutdown (1) has to wait.
    fn waits_for(&mut self, call: usize, cx: &Context<'_>) -> bool {
        let is_first = !self.waited[call] && self.pace[OUT] != Pace::Steered;
        self.waited[call] = is_first;
        if is_first {
            cx.waker().wake_by_ref();
        }
        is_first
    }

    /// What was written reaches the peer, who answers.
    fn deliver(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.peer.begun.extend(held);
        while let Some(frame) = self.peer.take() {
            match frame.opcode {
                PING if !self.peer.has_closed => self.say(Frame::new(PONG, &frame.payload)),
                CLOSE => {
                    if !self.peer.has_closed {
                        self.say(frame.clone());
                    }
                    // Section 7.1.1: the server ends the transport.
                    self.ended |= !self.peer.is_client;
                }
                _ => {}
            }
            self.peer.frames.push(frame);
        }
    }

    fn wake_reader(&mut self) {
        if !self.coming.is_empty() || self.ended {
            self.wakers[IN].take().into_iter().for_each(Waker::wake);
        }
    }
}

impl Peer {
    /// The next whole frame of what came.
    fn take(&mut self) -> Option<Frame> {
        let masked = !self.is_client;
        let (len, at) = match *self.begun.get(1)? & 0x7f {
            126 => (number(self.begun.get(2..4)?), 4),
            127 => (number(self.begun.get(2..10)?), 10),
            short => (usize::from(short), 2),
        };
        let end = at + if masked { 4 } else { 0 } + len;
        self.begun.get(..end)?;
        let mut bytes: Vec<_> = self.begun.drain(..end).collect();
        let compressed = bytes[0] & 0x40 != 0;
        if compressed {
            bytes[0] &= !0x40;
        }
        let read = &mut &bytes[..];
        let mut reading = Box::pin(Frame::read(read, masked));
        let Poll::Ready(Some(mut frame)) = super::poll::once(&mut reading) else {
            panic!("a whole frame: {bytes:?}");
        };
        if compressed {
            let squeeze = self.squeeze.as_mut().expect("compression was agreed on");
            frame.payload = squeeze.decompress(&frame.payload);
        }
        Some(frame)
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

fn frame_is_close(bytes: &[u8]) -> bool {
    bytes[0] & 0xf == CLOSE
}

impl AsyncRead for Wired {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.coming.is_empty() && !state.ended {
            state.wakers[IN] = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if state.waits(IN, cx) {
            return Poll::Pending;
        }
        let len = state.may[IN]
            .min(state.coming.len())
            .min(buffer.remaining());
        buffer.put_slice(&state.coming.make_contiguous()[..len]);
        state.coming.drain(..len);
        state.moved(IN, len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wired {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        assert!(!state.shut_down, "a write behind the end");
        if state.waits(OUT, cx) {
            return Poll::Pending;
        }
        let may = state.may[OUT];
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let before = state.held.len();
        state.held.extend(bytes.take(may));
        let len = state.held.len() - before;
        state.taken += len;
        state.moved(OUT, len);
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if !state.held.is_empty() && state.waits_for(0, cx) {
            return Poll::Pending;
        }
        state.deliver();
        state.wake_reader();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.waits_for(1, cx) {
            return Poll::Pending;
        }
        state.deliver();
        state.shut_down = true;
        state.ended = true;
        state.wake_reader();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wired {
    fn drop(&mut self) {
        self.0.lock().dropped = true;
    }
}
