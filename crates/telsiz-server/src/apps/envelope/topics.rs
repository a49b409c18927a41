//! Who hears what is published to which topic.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use telsiz::{Prepared, Sender};

use crate::audience::{Audience, Member};
use crate::traffic::Traffic;

/// The topic whose subscribers hear what is published to any.
pub(super) const ALL: &str = "all";

/// The most topics of a connection.
const MAX_TOPICS: usize = 1_000;

/// The topics of a mount.
#[derive(Debug)]
pub(super) struct Topics {
    audience: Arc<Audience<()>>,
    /// By topic the keys of those who hear it. Locked while something is published, so that all hear
    /// the same order. A topic that nobody hears is not there.
    hearers: Mutex<HashMap<Arc<str>, HashMap<usize, Format>>>,
}

/// How packed sensors come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub(super) enum Format {
    /// As JSON.
    #[default]
    Json,
    /// As they were packed.
    Binary,
}

/// A connection that may subscribe, until this is dropped.
#[derive(Debug)]
pub(super) struct Subscriber {
    topics: Arc<Topics>,
    member: Member<()>,
    subscribed: HashSet<Arc<str>>,
}

/// It has as many topics as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "topic: a connection may subscribe to {MAX_TOPICS} topics; unsubscribe from one first"
        )
    }
}

impl Topics {
    /// None so far; `traffic` counts what is published.
    pub(super) fn counted_by(traffic: &Traffic) -> Self {
        Self {
            audience: Arc::new(Audience::counted_by(traffic)),
            hearers: Mutex::default(),
        }
    }

    /// A connection that may subscribe.
    pub(super) fn subscriber(self: &Arc<Self>, sender: Sender) -> Subscriber {
        let member = self.audience.join(());
        member.open(sender);
        Subscriber {
            topics: self.clone(),
            member,
            subscribed: HashSet::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<usize, Format>>> {
        // A panic leaves at worst a message that not all of them got.
        self.hearers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber {
    /// Sends something to this connection alone.
    pub(super) fn tell(&self, text: &str) {
        let message = Prepared::new(text);
        self.topics
            .audience
            .send_to(iter::once((self.member.key(), message)));
    }

    /// Subscribes to a topic, or in another format. `answer` comes before anything that is published
    /// there.
    pub(super) fn subscribe(
        &mut self,
        topic: &str,
        format: Format,
        answer: &str,
    ) -> Result<(), Full> {
        let mut hearers = self.topics.lock();
        let topic = match (hearers.get_key_value(topic), self.subscribed.get(topic)) {
            (_, None) if self.subscribed.len() >= MAX_TOPICS => return Err(Full),
            (Some((known, _)), _) | (None, Some(known)) => known.clone(),
            (None, None) => topic.into(),
        };
        self.tell(answer);
        hearers
            .entry(topic.clone())
            .or_default()
            .insert(self.member.key(), format);
        drop(hearers);
        self.subscribed.insert(topic);
        Ok(())
    }

    /// Takes that back.
    pub(super) fn unsubscribe(&mut self, topic: &str) {
        if self.subscribed.remove(topic) {
            self.forget(&mut self.topics.lock(), topic);
        }
    }

    fn forget(&self, hearers: &mut HashMap<Arc<str>, HashMap<usize, Format>>, topic: &str) {
        if let Some(those) = hearers.get_mut(topic) {
            those.remove(&self.member.key());
            if those.is_empty() {
                hearers.remove(topic);
            }
        }
    }

    /// Sends `message` to who hears `topic`, and `packed` in its place to who asked for that there.
    pub(super) fn publish(&self, topic: &str, message: &Prepared, packed: Option<&Prepared>) {
        let hearers = self.topics.lock();
        let (these, all) = (hearers.get(topic), hearers.get(ALL));
        let hears_both = |key| these.is_some_and(|these| these.contains_key(key));
        let rest = all
            .into_iter()
            .flatten()
            .filter(|(key, _)| !hears_both(key));
        let rest = rest.map(|(key, _)| (*key, message.clone()));
        let these = these
            .into_iter()
            .flatten()
            .map(|(key, format)| match (format, packed) {
                (Format::Binary, Some(packed)) => (*key, packed.clone()),
                _ => (*key, message.clone()),
            });
        self.topics.audience.send_to(these.chain(rest));
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut hearers = self.topics.lock();
        for topic in &self.subscribed {
            self.forget(&mut hearers, topic);
        }
    }
}
