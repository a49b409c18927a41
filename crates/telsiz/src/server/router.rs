//! Paths to handlers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use percent_encoding::percent_decode_str;

use super::tasks::{Next, Tasks};
use super::upgrade::{Finished, Upgrade};

/// What serves the upgrades of a path: a task for each.
pub(super) type Handler = Arc<dyn Fn(Upgrade, &Tasks) -> Next + Send + Sync>;

/// Makes a handler of an async function. Each connection is a task of its own,
/// as large as what the function keeps across its awaits.
pub(super) fn handler<F, R>(handle: F) -> Handler
where
    F: Fn(Upgrade) -> R + Send + Sync + 'static,
    R: Future<Output: Finished> + Send + 'static,
{
    Arc::new(move |upgrade, tasks| {
        tasks.next(Serving {
            handling: handle(upgrade),
        })
    })
}

pin_project_lite::pin_project! {
    /// A handler at work, and nothing besides: an `async` block around it would
    /// keep room for it twice.
    struct Serving<R> {
        #[pin]
        handling: R,
    }
}

impl<R: Future<Output: Finished>> Future for Serving<R> {
    type Output = Next;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Next> {
        let handled = self.project().handling.poll(cx);
        handled.map(|finished| {
            finished.report();
            Next::NOTHING
        })
    }
}

/// A path pattern cannot be served.
#[derive(Debug)]
pub struct RouteError {
    pattern: String,
    error: matchit::InsertError,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {:?}: {}", self.pattern, self.error)
    }
}

impl std::error::Error for RouteError {}

/// Handlers by path pattern.
#[derive(Default)]
pub(super) struct Router {
    routes: matchit::Router<Handler>,
    pub(super) fallback: Option<Handler>,
}

/// The parameters of a path, decoded.
pub(super) type Params = Vec<(Box<str>, Box<str>)>;

impl Router {
    pub(super) fn insert(&mut self, pattern: &str, handler: Handler) -> Result<(), RouteError> {
        self.routes
            .insert(pattern, handler)
            .map_err(|error| RouteError {
                pattern: pattern.to_owned(),
                error,
            })
    }

    /// The handler for `path`, with the parameters that its pattern names.
    pub(super) fn find(&self, path: &str) -> Option<(&Handler, Params)> {
        let Ok(found) = self.routes.at(path) else {
            return self
                .fallback
                .as_ref()
                .map(|handler| (handler, Params::new()));
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into();
        let params = found
            .params
            .iter()
            .map(|(name, value)| (name.into(), decode(value)))
            .collect();
        Some((found.value, params))
    }
}
