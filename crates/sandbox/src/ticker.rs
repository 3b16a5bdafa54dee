//! The thread that makes guests give their thread back: it moves the engine's epoch while calls are in flight, and
//! sleeps for good while none is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};

use wasmtime::Engine;

use crate::limits::EPOCH_TICK;

/// Ticks without a call before the thread parks; the next call then pays for waking it.
const IDLE_TICKS: u32 = 20;

#[derive(Default)]
struct Shared {
    calls: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Held while a call is in flight.
pub(crate) struct InFlight<'a>(&'a Ticker);

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (engine, for_thread) = (engine.clone(), Arc::clone(&shared));
        let thread =
            thread::Builder::new().name("sandbox-epoch".into()).spawn(move || tick(&engine, &for_thread))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.shared.calls.fetch_add(1, SeqCst);
        // The thread sets `parked` before it looks at `calls` a last time, so one of the two always sees the other.
        if self.shared.parked.load(SeqCst) {
            self.wake();
        }
        InFlight(self)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.shared.calls.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It ends within one tick. That it panicked would be our bug, and there is nobody left to tell here.
            drop(thread.join());
        }
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(SeqCst) {
        if shared.calls.load(SeqCst) > 0 {
            idle = 0;
        } else {
            idle += 1;
        }
        if idle > IDLE_TICKS {
            shared.parked.store(true, SeqCst);
            if shared.calls.load(SeqCst) == 0 && !shared.stop.load(SeqCst) {
                thread::park();
            }
            shared.parked.store(false, SeqCst);
            idle = 0;
        }
        // whoever stops this thread waits for its end, and must not wait for a tick; one that comes early does no harm
        thread::park_timeout(EPOCH_TICK);
        engine.increment_epoch();
    }
}
