//! How many files may be open, connections among them: what operating systems differ in.

/// Raises the limit as far as this process may, and tells it; `None` where there is none.
pub(crate) fn raise_limit() -> Option<u64> {
    #[cfg(unix)]
    return unix::raise_limit();
    #[cfg(not(unix))]
    None
}

#[cfg(unix)]
mod unix {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// What macOS allows at most where the hard limit is none.
    const OPEN_MAX: u64 = 10_240;

    pub(super) fn raise_limit() -> Option<u64> {
        let limit = getrlimit(Resource::Nofile);
        let raise_to = |current: Option<u64>| {
            let raised = Rlimit { current, ..limit };
            setrlimit(Resource::Nofile, raised).is_ok()
        };
        let is_more = |new: u64| limit.current.is_some_and(|current| current < new);
        if limit.current != limit.maximum && !raise_to(limit.maximum) && is_more(OPEN_MAX) {
            raise_to(Some(OPEN_MAX));
        }
        getrlimit(Resource::Nofile).current
    }
}
