//! Real sockets on a clock that only the test moves.
//!
//! A paused clock of tokio's leaps to the next timer as soon as nothing runs,
//! also while bytes are on their way through a socket. It does not while a
//! blocking task runs: here one does, from beginning to end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;

/// How long the test may take by a real clock.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` with a clock that stands still but for [`tokio::time::advance`].
pub(crate) fn frozen<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (end, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (let_go, held) = mpsc::channel::<()>();
            let holding = tokio::task::spawn_blocking(move || held.recv());
            test().await;
            drop(let_go);
            let _ = holding.await;
        });
        let _ = end.send(());
    });
    match ended.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("nothing happened in {PATIENCE:?}"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {}
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
