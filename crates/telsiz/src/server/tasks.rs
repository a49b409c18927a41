//! Where the connections of a server run: in the event loop of their worker, or as
//! tasks of a runtime.

use std::io;
use std::pin::Pin;

use tokio::net::TcpStream;
use tokio::runtime::Handle;

#[cfg(unix)]
use super::event_loop;
use crate::tcp::Tcp;

/// What serves a connection.
pub(super) type Task = Pin<Box<dyn Future<Output = Next> + Send>>;

/// What goes on in the place of a task that is done.
pub(super) struct Next(pub(super) Option<Task>);

impl Next {
    pub(super) const NOTHING: Self = Self(None);
}

/// Starts what serves connections.
pub(super) enum Tasks {
    /// Tasks of a runtime: of several threads, which it deals out itself.
    Runtime(Handle),
    /// An event loop in a runtime of one thread.
    #[cfg(unix)]
    EventLoop(event_loop::Handle),
}

impl Tasks {
    /// Connections are served in `runtime`.
    pub(super) fn on(runtime: Handle) -> io::Result<Self> {
        #[cfg(unix)]
        if runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread {
            return Ok(Self::EventLoop(event_loop::Handle::start(&runtime)?));
        }
        Ok(Self::Runtime(runtime))
    }

    /// Serves a connection that this runtime waits for.
    pub(super) fn serve<F>(
        &self,
        tcp: TcpStream,
        serve: impl FnOnce(Tcp) -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = Next> + Send + 'static,
    {
        match self {
            Self::Runtime(runtime) => {
                let tcp = match runtime.id() == Handle::current().id() {
                    true => tcp,
                    false => {
                        let tcp = tcp.into_std()?;
                        let _in_it = runtime.enter();
                        TcpStream::from_std(tcp)?
                    }
                };
                runtime.spawn(serve(Tcp::Tokio(tcp)));
                Ok(())
            }
            #[cfg(unix)]
            Self::EventLoop(handle) => handle.serve(tcp.into_std()?, |socket| {
                let serving: Task = Box::pin(serve(Tcp::EventLoop(socket)));
                serving
            }),
        }
    }

    /// Makes `task` what goes on.
    pub(super) fn next<F>(&self, task: F) -> Next
    where
        F: Future<Output = Next> + Send + 'static,
    {
        match self {
            Self::Runtime(runtime) => {
                runtime.spawn(task);
                Next(None)
            }
            #[cfg(unix)]
            Self::EventLoop(_) => Next(Some(Box::pin(task))),
        }
    }
}
