//! Runs tasks one step at a time, on one thread, in an order that a seed decides.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::random::Random;

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(usize);

#[derive(Default)]
pub(crate) struct Executor {
    tasks: RefCell<BTreeMap<TaskId, Option<Task>>>,
    ready: Arc<Ready>,
    last: Cell<usize>,
}

#[derive(Default)]
struct Ready {
    ids: Mutex<BTreeSet<TaskId>>,
    woken: Condvar,
}

struct TaskWaker(TaskId, Arc<Ready>);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ids = self.1.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(self.0);
        self.1.woken.notify_all();
    }
}

impl Executor {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> TaskId {
        self.last.set(self.last.get() + 1);
        let id = TaskId(self.last.get());
        self.tasks.borrow_mut().insert(id, Some(Box::pin(task)));
        Arc::new(TaskWaker(id, self.ready.clone())).wake();
        id
    }

    pub(crate) fn is_running(&self, id: TaskId) -> bool {
        self.tasks.borrow().contains_key(&id)
    }

    /// Drops a task where it stands.
    pub(crate) fn cancel(&self, id: TaskId) {
        let task = self.tasks.borrow_mut().remove(&id);
        drop(task);
    }

    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        self.tasks.borrow().keys().copied().collect()
    }

    /// Polls one of the tasks that are ready. Whether there was any.
    pub(crate) fn step(&self, random: &Random) -> bool {
        let id = {
            let mut ids = self
                .ready
                .ids
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let chosen = ids.iter().nth(random.below(ids.len())).copied();
            let Some(id) = chosen else {
                return false;
            };
            ids.remove(&id);
            id
        };
        let task = self.tasks.borrow_mut().get_mut(&id).and_then(Option::take);
        let Some(mut task) = task else {
            return true;
        };
        let waker = Waker::from(Arc::new(TaskWaker(id, self.ready.clone())));
        let is_done = task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        let mut tasks = self.tasks.borrow_mut();
        if is_done {
            tasks.remove(&id);
        } else if let Some(place) = tasks.get_mut(&id) {
            *place = Some(task);
            return true;
        }
        drop(tasks);
        drop(task);
        true
    }

    /// Waits for other threads, at most so long, until a task is ready.
    pub(crate) fn wait(&self, most: Duration) -> bool {
        let ids = self
            .ready
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wait = self
            .ready
            .woken
            .wait_timeout_while(ids, most, |ids| ids.is_empty());
        !wait.unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

    /// What a future gives, while all others run too; nothing if it waits for something
    /// that does not come.
    pub(crate) fn finish<T: 'static>(
        &self,
        random: &Random,
        patience: Duration,
        future: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.spawn(async move {
            let value = future.await;
            slot.replace(Some(value));
        });
        while result.borrow().is_none() && (self.step(random) || self.wait(patience)) {}
        result.take()
    }
}
