//! The way to a connection that is in rooms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use telsiz::{Io, Sender, Transport};
use telsiz_hub::{Event, RoomName, User};

use super::Dialect;
use crate::lang::Lang;

/// The way to a connection that is in rooms.
#[derive(Debug)]
pub(crate) struct Line<S: Io = Transport> {
    pub(super) sender: Sender<S>,
    pub(super) tongue: Tongue,
    author: Option<Author>,
}

/// What a connection understands.
pub(super) type Tongue = (&'static Dialect, Lang);

/// A connection that is told when its publications are stored.
#[derive(Clone, Debug)]
struct Author {
    /// Its publications name this very user, those of others at most an equal one.
    id: Arc<str>,
    /// Whether one is under way.
    publishes: Arc<AtomicBool>,
}

/// While this is there a publication is under way, which is answered next.
#[derive(Debug)]
pub(crate) struct Publishing<'a>(Option<&'a AtomicBool>);

impl<S: Io> Clone for Line<S> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            tongue: self.tongue,
            author: self.author.clone(),
        }
    }
}

impl<S: Io> Line<S> {
    /// To a connection that speaks `dialect` in `lang`.
    pub(crate) fn new(sender: Sender<S>, dialect: &'static Dialect, lang: Lang) -> Self {
        Self {
            sender,
            tongue: (dialect, lang),
            author: None,
        }
    }

    /// What `user` publishes through this connection is answered.
    pub(crate) fn answered(mut self, user: &User) -> Self {
        self.author = Some(Author {
            id: user.id.clone(),
            publishes: Arc::default(),
        });
        self
    }

    /// From now on something is published, and after that all that is queued is written.
    pub(crate) fn publishing(&self) -> Publishing<'_> {
        let author = self.author.as_ref();
        let publishes = author.map(|author| &*author.publishes);
        if let Some(publishes) = publishes {
            publishes.store(true, Ordering::SeqCst);
        }
        Publishing(publishes)
    }

    /// Whether one of these events is its own, and the answer is still to come. If so after they
    /// were queued, they are written with it.
    pub(super) fn answers(&self, events: &[Event]) -> bool {
        self.author.as_ref().is_some_and(|author| {
            let is_own = |event: &Event| match event {
                Event::Published(publication) => Arc::ptr_eq(&publication.user.id, &author.id),
                Event::Ephemeral(_) => false,
            };
            events.iter().any(is_own) && author.publishes.load(Ordering::SeqCst)
        })
    }

    /// The message that tells of an event, as this connection understands it.
    pub(crate) fn render(&self, room: &RoomName, event: &Event) -> Option<String> {
        let (dialect, lang) = self.tongue;
        (dialect.render)(room, event, lang)
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        if let Some(publishes) = self.0 {
            publishes.store(false, Ordering::SeqCst);
        }
    }
}
