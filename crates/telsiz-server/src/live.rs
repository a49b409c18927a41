//! Values that may be set anew while others read them.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// A value that may be set anew while others read it. Clones are the same value. Reading waits for
/// nobody and writes nothing that other threads read: it may be done for each message.
#[derive(Debug, Default)]
pub(crate) struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    /// The value, as it is now.
    pub(crate) fn get(&self) -> impl Deref<Target = Arc<T>> {
        self.0.load()
    }

    /// A copy of it.
    pub(crate) fn copy(&self) -> T
    where
        T: Copy,
    {
        **self.0.load()
    }

    /// From now on it is this.
    pub(crate) fn set(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}

impl<T> From<T> for Live<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
