//! Threads for commands: started when needed, never more than the limit.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::control::lock;
use crate::limits::WORKERS;

/// What a thread does, once.
pub(crate) type Task = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// A pool. Dropping it lets idle threads end; busy ones end after their task.
pub(crate) struct Pool {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    /// Whether more waits to be done than is done at a time.
    pub(crate) fn is_behind(&self) -> bool {
        !lock(&self.shared.0).tasks.is_empty()
    }

    /// Has tasks done. Wakes no thread for nothing: for most of them that would cost more than the task.
    pub(crate) fn run(&self, tasks: Vec<Task>) {
        let mut state = lock(&self.shared.0);
        state.tasks.extend(tasks);
        let woken = state.idle.min(state.tasks.len());
        let new = (state.tasks.len() - woken).min(WORKERS - state.threads);
        state.threads += new;
        drop(state);
        for _ in 0..woken {
            self.shared.1.notify_one();
        }
        for _ in 0..new {
            let shared = Arc::clone(&self.shared);
            std::thread::spawn(move || work(&shared));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.shared.0).closed = true;
        self.shared.1.notify_all();
    }
}

fn work(shared: &(Mutex<State>, Condvar)) {
    let mut state = lock(&shared.0);
    loop {
        if let Some(task) = state.tasks.pop_front() {
            drop(state);
            task();
            state = lock(&shared.0);
        } else if state.closed {
            return;
        } else {
            state.idle += 1;
            state = shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}
