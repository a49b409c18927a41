//! A server: its builder, its accept loop and its workers.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use telsiz_proto::handshake::encode_response;
use telsiz_proto::{CloseCode, CloseFrame};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::accept::{OnUnopened, Site, Unopened};
use super::http_side::{HttpService, service};
use super::opening::complete;
use super::proxy_header::IsProxy;
use super::registry::Registry;
use super::router::{RouteError, Router, handler};
use super::spare::{Attempt, Spare};
use super::stop_window::{all_emptied, tell_one_by_one};
use super::tasks::Tasks;
use super::upgrade::{Finished, Upgrade};
use crate::options::{Options, option_setters};
use crate::tls::ServerTls;

/// How long to wait after the first accept that failed for want of resources,
/// and at most.
const ACCEPT_RETRY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// How often it is logged that no connections can be accepted, at most: clients can make it so.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// How long a stop waits for connections by default.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves WebSockets, and HTTP if asked to, on `listener`.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use telsiz::Upgrade;
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
/// telsiz::serve(listener)
///     .route("/echo", |request: Upgrade| async move {
///         let mut ws = request.accept().await?;
///         while let Some(message) = ws.recv().await? {
///             ws.feed(message).await?;
///         }
///         Ok::<_, telsiz::Error>(())
///     })
///     .await
/// # }
/// ```
pub fn serve(listener: TcpListener) -> Serve {
    let stopper = Stopper::default();
    Serve {
        listener,
        router: Router::default(),
        route_error: None,
        http: None,
        tls: None,
        is_proxy: None,
        headers: HeaderMap::new(),
        on_unopened: None,
        options: Options::default(),
        workers: 0,
        window: Duration::ZERO,
        drain: DRAIN,
        _ended: stopper.token.clone().drop_guard(),
        stopper,
    }
}

/// A server being set up; await it to run it until it is stopped.
///
/// Dropping its future stops it too, with 1001, but waits for nobody.
pub struct Serve {
    listener: TcpListener,
    router: Router,
    route_error: Option<RouteError>,
    http: Option<HttpService>,
    tls: Option<ServerTls>,
    is_proxy: Option<IsProxy>,
    headers: HeaderMap,
    on_unopened: Option<OnUnopened>,
    options: Options,
    workers: usize,
    window: Duration,
    drain: Duration,
    stopper: Stopper,
    /// However it ends, and if it is never run, nobody waits for it any more.
    _ended: DropGuard,
}

impl Serve {
    /// Serves upgrades of paths like `pattern` with `handle`, called for each
    /// connection. `{name}` stands for one segment, `{*name}` for the rest of
    /// the path; see [`Upgrade::param`].
    ///
    /// In a runtime of one thread an event loop of the server polls what `handle`
    /// returns, in others it is a task. All of tokio can be used in it either way.
    ///
    /// A connection is closed with 1000 when its handler comes back, and with 1011
    /// when it panics; no other is affected.
    ///
    /// Two patterns that cannot be told apart are an error when the server starts.
    pub fn route<F, R>(mut self, pattern: &str, handle: F) -> Self
    where
        F: Fn(Upgrade) -> R + Send + Sync + 'static,
        R: Future<Output: Finished> + Send + 'static,
    {
        if let Err(error) = self.router.insert(pattern, handler(handle)) {
            self.route_error.get_or_insert(error);
        }
        self
    }

    /// Serves upgrades of all other paths, which are answered with 404 otherwise.
    pub fn fallback<F, R>(mut self, handle: F) -> Self
    where
        F: Fn(Upgrade) -> R + Send + Sync + 'static,
        R: Future<Output: Finished> + Send + 'static,
    {
        self.router.fallback = Some(handler(handle));
        self
    }

    /// Serves requests that are no upgrade, which are answered with 426
    /// otherwise. The address of the client is in the extensions of the request as
    /// a `SocketAddr`. An axum router plugs in as
    ///
    /// ```no_run
    /// # async fn example(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// use tower::ServiceExt;
    ///
    /// let router = axum::Router::new();
    /// telsiz::serve(listener)
    ///     .http(move |request| router.clone().oneshot(request))
    ///     .await
    /// # }
    /// ```
    pub fn http<F, R, B, E>(mut self, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'static,
        E: fmt::Display,
    {
        self.http = Some(service(answer));
        self
    }

    /// Serves `wss:` and `https:` instead of `ws:` and `http:`.
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Connections from an address for which `is_proxy` is true begin, before TLS, with
    /// a header of the PROXY protocol, version 2, and count as coming from where that
    /// says: [`Upgrade::remote_addr`], and the `SocketAddr` of requests. Without one they
    /// are dropped. From other addresses no such header is read.
    pub fn proxy_protocol(
        mut self,
        is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.is_proxy = Some(Arc::new(is_proxy));
        self
    }

    /// Adds a header to all answers but those that open a WebSocket, whoever makes them,
    /// unless they have it already.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Serves connections on `workers` threads, each with a runtime of its own,
    /// and gives each new connection to the one that has the fewest. With one, or
    /// without this, they run in the runtime in which the server is awaited: a
    /// process of one thread makes cheaper system calls.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Calls `hear` for each connection that becomes no WebSocket, though its client may have asked
    /// for one. Those that a handler refuses are not among them.
    pub fn on_unopened(mut self, hear: impl Fn(Unopened) + Send + Sync + 'static) -> Self {
        self.on_unopened = Some(Arc::new(hear));
        self
    }

    /// Over how long a stop spreads the closing of the connections, evenly, so that their clients do
    /// not all come back at the same moment; by default they are told at once.
    ///
    /// Until the last one is told the server listens: HTTP is served, and upgrades are refused with
    /// 503.
    pub fn stop_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How long a stop waits for the connections to close, from when the last one was told; 10 s
    /// by default. Those that did not are cut off: see [`Stopper::cut_off`].
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// What stops the server.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Stops the server when `signal` is ready.
    pub fn stop_on(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        let stopper = self.stopper.clone();
        tokio::spawn(async move {
            let ended = stopper.token.clone();
            tokio::select! {
                () = signal => stopper.stop(),
                () = ended.cancelled() => {}
            }
        });
        self
    }

    option_setters!();

    async fn run(self) -> io::Result<()> {
        if let Some(error) = self.route_error {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        let router = Arc::new(self.router);
        let options = self.options;
        let headers = Arc::new(self.headers);
        // Who speaks TLS could not read it.
        let answer = self.tls.is_none().then(|| full(&headers));
        let site = |worker, runtime: &runtime::Handle| {
            io::Result::Ok(Arc::new(Site {
                router: router.clone(),
                http: self.http.clone(),
                tls: self.tls.clone(),
                is_proxy: self.is_proxy.clone(),
                headers: headers.clone(),
                options: options.clone(),
                registry: Arc::new(Registry::default()),
                tasks: Tasks::on(runtime.clone())?,
                worker,
                stopping: CancellationToken::new(),
                on_unopened: self.on_unopened.clone(),
            }))
        };
        let workers: Vec<Worker> = match self.workers {
            0 | 1 => vec![Worker::here(site(0, &runtime::Handle::current())?)],
            count => (0..count)
                .map(|number| Worker::start(number, site, self.drain, &self.stopper))
                .collect::<io::Result<_>>()?,
        };
        tokio::select! {
            () = accept_all(&self.listener, &workers, answer.clone()) => {}
            () = self.stopper.token.cancelled() => {}
        }
        let frame = self.stopper.frame();
        let registries: Vec<_> = workers
            .iter()
            .map(|worker| &*worker.site.registry)
            .collect();
        for registry in &registries {
            registry.begin_stop(frame.clone());
        }
        tokio::select! {
            () = accept_all(&self.listener, &workers, answer) => {}
            () = tell_one_by_one(&registries, self.window) => {}
            () = all_emptied(&registries) => {}
        }
        drop(self.listener);
        for worker in &workers {
            worker.site.stop(frame.clone());
        }
        // All of them at the same time: the first must not use up the time of the others.
        let finishing = workers
            .into_iter()
            .map(|worker| worker.finish(self.drain, &self.stopper));
        for finishing in finishing.collect::<Vec<_>>() {
            finishing.await;
        }
        Ok(())
    }
}

impl IntoFuture for Serve {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Stops a server: no new connections; every open one is closed with a code, and
/// awaited at most for the drain time-out. What is asked first counts.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    token: CancellationToken,
    stop: Arc<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    frame: OnceLock<CloseFrame>,
    cut_off: AtomicUsize,
}

impl Stopper {
    /// Stops it; connections are closed with 1001.
    pub fn stop(&self) {
        self.stop_with(CloseCode::GOING_AWAY);
    }

    /// Stops it; connections are closed with `frame`.
    pub fn stop_with(&self, frame: impl Into<CloseFrame>) {
        let _ = self.stop.frame.set(frame.into());
        self.token.cancel();
    }

    /// Whether the server stops, or has ended: WebSockets are no longer opened.
    pub fn is_stopping(&self) -> bool {
        self.token.is_cancelled()
    }

    /// How many connections a stop did not wait for, because they did not close within the drain
    /// time-out. Known when the server has ended.
    pub fn cut_off(&self) -> usize {
        self.stop.cut_off.load(Ordering::Relaxed)
    }

    fn frame(&self) -> CloseFrame {
        let default = || CloseCode::GOING_AWAY.into();
        self.stop.frame.get_or_init(default).clone()
    }

    /// Waits until the connections of a worker are gone, at most so long.
    async fn drained(&self, registry: &Registry, limit: Duration) {
        if timeout(limit, registry.emptied()).await.is_err() {
            let left = registry.len();
            self.stop.cut_off.fetch_add(left, Ordering::Relaxed);
        }
    }
}

/// Who serves the connections that are dealt to it.
struct Worker {
    site: Arc<Site>,
    /// Its thread, if it has one of its own.
    thread: Option<Thread>,
}

struct Thread {
    /// Dropped when no more connections come.
    accepting: oneshot::Sender<Infallible>,
    ended: oneshot::Receiver<()>,
}

impl Worker {
    fn here(site: Arc<Site>) -> Self {
        tokio::spawn(site.registry.clone().keep_time());
        Self { site, thread: None }
    }

    fn start(
        number: usize,
        site: impl Fn(usize, &runtime::Handle) -> io::Result<Arc<Site>>,
        drain: Duration,
        stopper: &Stopper,
    ) -> io::Result<Self> {
        let stopper = stopper.clone();
        let (accepting, accepted) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let site = site(number, runtime.handle())?;
        let registry = site.registry.clone();
        thread::Builder::new()
            .name(format!("telsiz-{number}"))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::spawn(registry.clone().keep_time());
                    let _ = accepted.await;
                    stopper.drained(&registry, drain).await;
                });
                // Connections that did not close in time are dropped with the runtime.
                drop(runtime);
                let _ = end.send(());
            })?;
        Ok(Self {
            site,
            thread: Some(Thread { accepting, ended }),
        })
    }

    fn deal(&self, tcp: TcpStream, remote: SocketAddr) -> io::Result<()> {
        let site = self.site.clone();
        let lease = site.registry.lease();
        let serve = move |tcp| site.serve(tcp, remote, lease);
        self.site.tasks.serve(tcp, serve)
    }

    /// No more connections come: its thread ends when the last is gone, or the time is over.
    fn finish(mut self, drain: Duration, stopper: &Stopper) -> impl Future<Output = ()> {
        let ended = self.thread.take().map(|Thread { accepting, ended }| {
            drop(accepting);
            ended
        });
        async move {
            match ended {
                None => stopper.drained(&self.site.registry, drain).await,
                Some(ended) => drop(ended.await),
            }
        }
    }
}

/// A server that is dropped rather than stopped tells its connections, too.
impl Drop for Worker {
    fn drop(&mut self) {
        self.site.stop(CloseCode::GOING_AWAY.into());
    }
}

/// Accepts connections for ever, and deals each to the worker that has the
/// fewest; the first of them in turn, if several have. While there are no file
/// descriptors, each gets `answer`.
async fn accept_all(listener: &TcpListener, workers: &[Worker], answer: Option<Bytes>) {
    let mut spare = Spare::new(listener, answer);
    let mut retry = ACCEPT_RETRY.0;
    let mut said: Option<Instant> = None;
    let mut turn = 0;
    loop {
        match listener.accept().await {
            Ok((tcp, remote)) => {
                retry = ACCEPT_RETRY.0;
                spare.refill(listener);
                turn = (turn + 1) % workers.len();
                let (before, after) = workers.split_at(turn);
                let fewest = after
                    .iter()
                    .chain(before)
                    .min_by_key(|worker| worker.site.registry.len());
                let dealt = fewest.map_or(Ok(()), |worker| worker.deal(tcp, remote));
                if let Err(error) = dealt {
                    tracing::warn!(%error, "a connection was dropped");
                }
            }
            // The client is to blame, and gone.
            Err(error) if is_of_one_connection(&error) => {}
            // We are short of something, most likely of file descriptors.
            Err(error) => {
                if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
                    said = Some(Instant::now());
                    tracing::error!(%error, "cannot accept connections; refusing them");
                }
                // The listener stays ready, so without a rest this would spin.
                if spare.refuse_one(listener).await == Attempt::Failed {
                    sleep(retry).await;
                    retry = (retry * 2).min(ACCEPT_RETRY.1);
                }
            }
        }
    }
}

/// The answer to clients for whom there is no file descriptor; their requests are not read.
fn full(headers: &HeaderMap) -> Bytes {
    let text = "the server has too many connections; try again later\n";
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let retry = HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, retry);
    complete(&mut response, headers);
    encode_response(&response)
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        Interrupted,
    ]
    .contains(&error.kind())
}
