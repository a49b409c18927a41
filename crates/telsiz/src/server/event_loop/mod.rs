//! The event loop of a worker: waits for the sockets of its connections, and polls
//! their tasks itself.
//!
//! For tokio it is one task, and its sockets are one: an epoll instance of its own
//! (kqueue elsewhere) that is readable when one of them is. So what tokio keeps for
//! each socket and each task is spared, about half of what an idle connection takes;
//! of the time of a message that is a hundredth or two.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::coop;

pub(super) use self::handle::Handle;
use self::handle::Shared;
use self::place::Place;
use self::prefetch::prefetch;
pub(crate) use self::socket::Socket;
use super::tasks::{Next, Task};

mod handle;
mod place;
mod prefetch;
mod socket;

/// How many events are asked for at once.
const EVENTS: usize = 256;

/// How many lines of memory from its socket on a connection needs for a message.
const AROUND_SOCKET: usize = 4;

/// The loop itself, a task of a runtime.
struct EventLoop {
    poll: AsyncFd<mio::Poll>,
    events: mio::Events,
    /// The places that were woken, or whose sockets the kernel reported to be ready,
    /// and for what.
    due: VecDeque<(u32, u32)>,
    /// How many of them come before the kernel is asked again.
    ahead: usize,
    places: Vec<Option<Seat>>,
    /// How many of them are taken.
    taken: usize,
    shared: Arc<Shared>,
}

struct Seat {
    /// Gone when it is done; the place stays taken until its socket is dropped.
    task: Option<Task>,
    place: Arc<Place>,
    waker: Waker,
}

/// What became of a task that was polled.
enum Polled {
    Waits(Task),
    GoesOn(Task),
    Done,
}

impl Future for EventLoop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.waker.get_or_init(|| cx.waker().clone());
        self.take_in();
        loop {
            // Sockets come between tasks that wake each other for ever, and between
            // tasks of which each uses up the budget.
            let mut asked = Poll::Ready(Ok(()));
            if self.ahead == 0 {
                asked = self.ask(cx);
                self.ahead = self.due.len();
            }
            while self.ahead > 0
                && let Some((index, ready)) = self.due.pop_front()
            {
                self.ahead -= 1;
                self.look_ahead();
                self.turn(index, ready);
                if !coop::has_budget_remaining() {
                    // The rest of the runtime comes first, and what it waits for.
                    ready!(coop::poll_proceed(cx)).made_progress();
                }
            }
            match asked {
                Poll::Ready(Ok(())) => {}
                // The runtime is being shut down.
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let mut inbox = self.shared.lock();
        if !inbox.woken.is_empty() || !inbox.new.is_empty() {
            drop(inbox);
            cx.waker().wake_by_ref();
        } else if inbox.is_closing && self.taken == 0 {
            return Poll::Ready(());
        } else {
            inbox.is_waiting = true;
        }
        Poll::Pending
    }
}

impl EventLoop {
    fn new(poll: mio::Poll, shared: Arc<Shared>) -> io::Result<Self> {
        Ok(Self {
            poll: watch(poll)?,
            events: mio::Events::with_capacity(EVENTS),
            due: VecDeque::new(),
            ahead: 0,
            places: Vec::new(),
            taken: 0,
            shared,
        })
    }

    /// Asks the kernel which sockets are ready, if some are.
    fn ask(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut poll = ready!(self.poll.poll_read_ready_mut(cx))?;
        let asked = poll
            .get_inner_mut()
            .poll(&mut self.events, Some(Duration::ZERO));
        match asked {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Poll::Ready(Ok(())),
            asked => asked?,
        }
        let before = self.due.len();
        self.due.extend(self.events.iter().map(|event| {
            let index = u32::try_from(event.token().0).unwrap_or(u32::MAX);
            (index, place::readiness(event))
        }));
        // These were all: the next one makes it readable anew.
        if self.due.len() - before < EVENTS {
            poll.clear_ready();
        }
        Poll::Ready(Ok(()))
    }

    /// Takes over what was added and woken from outside.
    fn take_in(&mut self) {
        let mut inbox = self.shared.lock();
        let new = std::mem::take(&mut inbox.new);
        self.due
            .extend(inbox.woken.drain(..).map(|index| (index, 0)));
        drop(inbox);
        for (place, task) in new {
            let index = place.index();
            if self.places.len() <= index as usize {
                self.places.resize_with(index as usize + 1, || None);
            }
            self.places[index as usize] = Some(Seat {
                task: Some(task),
                waker: place.clone().into(),
                place,
            });
            self.taken += 1;
            self.due.push_back((index, 0));
        }
    }

    /// Asks for the memory of the next turns, of each for what the one before it has the address of: with a
    /// thousand connections none of it is in the cache any more.
    fn look_ahead(&self) {
        let seat = |turns: usize| {
            let (index, _) = self.due.get(turns)?;
            self.places.get(*index as usize)
        };
        if let Some(seat) = seat(2) {
            prefetch(seat, 1);
        }
        if let Some(Some(seat)) = seat(1) {
            prefetch(Arc::as_ptr(&seat.place), 1);
            if let Some(task) = &seat.task {
                prefetch(&raw const **task, 2);
            }
        }
        if let Some(Some(seat)) = seat(0) {
            prefetch(seat.place.around_socket(), AROUND_SOCKET);
        }
    }

    /// Looks at a place that was woken, or whose socket is `ready`.
    fn turn(&mut self, index: u32, ready: u32) {
        let Some(Some(seat)) = self.places.get_mut(index as usize) else {
            return;
        };
        if ready != 0 && !seat.place.arrive(ready) {
            return;
        }
        seat.place.take_wake();
        while let Some(task) = seat.task.take() {
            match poll_task(task, &seat.waker) {
                Polled::Waits(task) => {
                    seat.task = Some(task);
                    return;
                }
                Polled::GoesOn(task) => seat.task = Some(task),
                Polled::Done => {}
            }
        }
        if !seat.place.has_socket() {
            self.places[index as usize] = None;
            self.taken -= 1;
            self.shared.lock().free.push(index);
        }
    }
}

/// Makes tokio wait for what is reported to `poll`.
#[expect(unsafe_code, reason = "tokio has no other way to wait for it")]
fn watch(poll: mio::Poll) -> io::Result<AsyncFd<mio::Poll>> {
    // SAFETY: `mio::Poll` owns its descriptor, and keeps it open.
    Ok(unsafe { AsyncFd::register_with_interest(poll, Interest::READABLE) }?)
}

/// Polls a task; one that panics is dropped while it does, and no other is affected.
fn poll_task(mut task: Task, waker: &Waker) -> Polled {
    let polled = catch_unwind(AssertUnwindSafe(move || {
        let next = match task.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Pending => return Polled::Waits(task),
            Poll::Ready(Next(next)) => next,
        };
        drop(task);
        next.map_or(Polled::Done, Polled::GoesOn)
    }));
    polled.unwrap_or(Polled::Done)
}

/// Nobody waits for sockets any more: those that live on elsewhere must not.
impl Drop for EventLoop {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.take_in();
        for seat in self.places.drain(..).flatten() {
            // One that panics takes no other along.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(seat.task)));
            seat.place.end();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::task::Wake;

    use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
    use tokio::runtime;
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    pub(super) fn start() -> Handle {
        Handle::start(&runtime::Handle::current()).unwrap()
    }

    /// Drops the only handle, and waits until the event loop has ended.
    async fn ended(handle: Handle) {
        let shared = Arc::downgrade(&handle.shared);
        drop(handle);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn task(future: impl Future<Output = ()> + Send + 'static) -> Task {
        Box::pin(async {
            future.await;
            Next::NOTHING
        })
    }

    /// Serves a connection with `future`, which has its socket until it is done.
    fn serve(handle: &Handle, future: impl Future<Output = ()> + Send + 'static) {
        let (server, _client) = pair();
        let serving = handle.serve(server, |socket| {
            task(async {
                let _socket = socket;
                future.await;
            })
        });
        serving.unwrap();
    }

    pub(super) async fn soon<F: Future>(future: F) -> F::Output {
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, future).await.unwrap()
    }

    /// A connection from this process to itself.
    pub(super) fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        (server, client)
    }

    #[tokio::test]
    async fn ends_when_nothing_is_left_and_no_handle() {
        let handle = start();
        let (done, wait) = oneshot::channel::<()>();
        serve(&handle, async { wait.await.unwrap() });
        let ended = tokio::spawn(ended(handle));
        tokio::task::yield_now().await;
        assert!(!ended.is_finished());
        done.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_task_goes_on_in_the_place_of_the_one_before() {
        let handle = start();
        let (tell, told) = oneshot::channel();
        let (server, mut client) = pair();
        let read = |mut socket: Socket| async move {
            let mut bytes = [0; 2];
            socket.read_exact(&mut bytes).await.unwrap();
            (socket, bytes)
        };
        let serving = handle.serve(server, move |socket| {
            Box::pin(async move {
                let (socket, first) = read(socket).await;
                Next(Some(task(async move {
                    let (_, second) = read(socket).await;
                    tell.send([first, second]).unwrap();
                })))
            })
        });
        serving.unwrap();
        client.write_all(b"one").unwrap();
        tokio::task::yield_now().await;
        client.write_all(b"s").unwrap();
        assert_eq!(told.await.unwrap(), [*b"on", *b"es"]);
        ended(handle).await;
    }

    #[tokio::test]
    async fn places_are_used_again_once_task_and_socket_are_gone() {
        let handle = start();
        let shared = handle.shared.clone();
        for _ in 0..10 {
            // The socket leaves its task, and outlives it.
            let (give, given) = oneshot::channel();
            let (server, _client) = pair();
            let serving = handle.serve(server, |socket| {
                task(async {
                    let _ = give.send(socket);
                })
            });
            serving.unwrap();
            let socket = given.await.unwrap();
            serve(&handle, ready(()));
            tokio::task::yield_now().await;
            assert!(!shared.lock().free.contains(&0), "it has a socket");
            drop(socket);
            while shared.lock().free.len() < 2 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(shared.lock().next, 2);
        drop(shared);
        ended(handle).await;
    }

    #[tokio::test]
    async fn a_task_that_panics_is_dropped_and_no_other() {
        struct Telling(Option<oneshot::Sender<bool>>);
        impl Drop for Telling {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(std::thread::panicking());
            }
        }
        let (tell, told) = oneshot::channel();
        let telling = Telling(Some(tell));
        let handle = start();
        let (other, others) = oneshot::channel();
        serve(&handle, async {
            let _telling = telling;
            panic!("as the test wants it");
        });
        serve(&handle, async { other.send(()).unwrap() });
        assert!(told.await.unwrap(), "it is dropped while it panics");
        others.await.unwrap();
        ended(handle).await;
    }

    #[tokio::test]
    async fn a_socket_that_is_dropped_keeps_no_waker() {
        /// Keeps the waker of a task, as that of halves does.
        struct Keeping(Waker);
        impl Wake for Keeping {
            fn wake(self: Arc<Self>) {
                self.0.wake_by_ref();
            }
        }
        let handle = start();
        let (server, _client) = pair();
        let serving = handle.serve(server, |mut socket| {
            task(poll_fn(move |cx| {
                let waker = Arc::new(Keeping(cx.waker().clone())).into();
                let (mut byte, cx) = ([0], &mut Context::from_waker(&waker));
                let read = Pin::new(&mut socket).poll_read(cx, &mut ReadBuf::new(&mut byte));
                assert!(read.is_pending());
                Poll::Ready(())
            }))
        });
        serving.unwrap();
        soon(ended(handle)).await;
    }

    #[tokio::test]
    async fn sockets_are_asked_however_many_tasks_use_up_the_budget() {
        let handle = start();
        for _ in 0..=EVENTS {
            serve(&handle, async {
                loop {
                    tokio::task::consume_budget().await;
                }
            });
        }
        let (server, mut client) = pair();
        let (tell, mut told) = mpsc::unbounded_channel();
        let serving = handle.serve(server, |mut socket| {
            task(async move {
                while let Ok(byte) = socket.read_u8().await {
                    tell.send(byte).unwrap();
                }
            })
        });
        serving.unwrap();
        for byte in *b"ab" {
            client.write_all(&[byte]).unwrap();
            assert_eq!(soon(told.recv()).await, Some(byte));
        }
    }

    #[test]
    fn an_end_that_is_reported_before_the_place_is_there_is_seen() {
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        let handle = Handle::start(runtime.handle()).unwrap();
        let (server, mut client) = pair();
        client.write_all(b"the last").unwrap();
        drop(client);
        let (tell, told) = oneshot::channel();
        let serving = handle.serve(server, |mut socket| {
            // As if the loop ran in another thread.
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(10)).await });
            task(async move {
                let mut all = Vec::new();
                socket.read_to_end(&mut all).await.unwrap();
                tell.send(all).unwrap();
            })
        });
        serving.unwrap();
        assert_eq!(runtime.block_on(soon(told)).unwrap(), b"the last");
    }

    #[tokio::test]
    async fn a_task_that_always_wakes_itself_is_not_due_more_often_for_what_comes() {
        let handle = start();
        let (server, mut client) = pair();
        client.set_nodelay(true).unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        let serving = handle.serve(server, |mut socket| {
            task(poll_fn(move |cx| {
                let mut byte = [0; 2];
                let mut buffer = ReadBuf::new(&mut byte);
                if Pin::new(&mut socket).poll_read(cx, &mut buffer).is_ready() {
                    tell.send(()).unwrap();
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }))
        });
        serving.unwrap();
        for _ in 0..100 {
            client.write_all(b"!").unwrap();
            soon(told.recv()).await.unwrap();
        }
        assert!(handle.shared.lock().woken.len() < 5);
    }

    #[test]
    fn tasks_that_panic_when_the_runtime_drops_them_do_so_alone() {
        struct Panicking(mpsc::UnboundedSender<()>);
        impl Drop for Panicking {
            fn drop(&mut self) {
                self.0.send(()).unwrap();
                panic!("as the test wants it");
            }
        }
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        let handle = Handle::start(runtime.handle()).unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        for _ in 0..3 {
            let panicking = Panicking(tell.clone());
            serve(&handle, async {
                let _panicking = panicking;
                pending().await
            });
        }
        runtime.block_on(tokio::task::yield_now());
        drop(runtime);
        assert_eq!(std::iter::from_fn(|| told.try_recv().ok()).count(), 3);
    }
}
