//! Activations of tasks: the state of a run is a tree of them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use model::{Problem, StepId, StepRef};
use serde_json::Value;

use crate::document::{Block, Task, Then};

/// Names a frame; a name is never used for another frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FrameId {
    index: u32,
    generation: u32,
}

/// Variables of loops, handlers and listeners, innermost first.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope(Option<Arc<Binding>>);

#[derive(Debug)]
struct Binding {
    name: Arc<str>,
    value: Arc<Value>,
    outer: Scope,
}

impl Scope {
    pub(super) fn with(&self, name: &Arc<str>, value: Arc<Value>) -> Self {
        Self(Some(Arc::new(Binding { name: name.clone(), value, outer: self.clone() })))
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Value>> {
        let mut scope = self;
        while let Some(binding) = &scope.0 {
            if &*binding.name == name {
                return Some(&binding.value);
            }
            scope = &binding.outer;
        }
        None
    }
}

/// How to get back to a task whose ancestors are plain lists, for retry-from-step.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) parent: Option<Arc<Trail>>,
    pub(super) task: Arc<Task>,
    pub(super) step: StepRef,
    pub(super) slot: usize,
    pub(super) raw: Arc<Value>,
    pub(super) context: Arc<Value>,
    pub(super) compensations: usize,
}

/// One activation of a task.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) parent: Option<FrameId>,
    /// Which child of its parent: index in a list, number of a branch.
    pub(super) slot: usize,
    pub(super) depth: usize,
    pub(super) task: Arc<Task>,
    pub(super) step: StepRef,
    /// What the ids of steps inside of a function begin with.
    pub(super) prefix: Option<Arc<str>>,
    pub(super) raw: Arc<Value>,
    pub(super) input: Arc<Value>,
    pub(super) scope: Scope,
    pub(super) began: Timestamp,
    /// Holds a timer named `timeout`.
    pub(super) timed: bool,
    /// Is inside of a task that may be tried again.
    pub(super) retryable: bool,
    /// Is inside of an extension, whose tasks are not extended themselves.
    pub(super) plain: bool,
    pub(super) trail: Option<Arc<Trail>>,
    pub(super) state: State,
    pub(super) children: BTreeSet<FrameId>,
}

/// What a frame is doing.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing yet.
    Starting,
    /// The tasks of a list, one after the other.
    Sequence(Arc<Block>),
    /// A result waits to be recorded. `kept` is the output where the record says less, and where to go then.
    Record { kept: Option<(Arc<Value>, Then)> },
    /// An effect or a child run is asked for or under way.
    Perform { passes_input: bool },
    /// A timer runs.
    Wait,
    /// People are asked.
    Ask,
    /// A function runs.
    Function,
    /// A loop.
    For { items: Arc<Value>, index: usize },
    /// Branches.
    Fork { results: Vec<Option<Arc<Value>>>, open: usize },
    /// A `try`.
    Try(Box<Trying>),
    /// A `listen`.
    Listen(Box<Listening>),
    /// Extensions around the task.
    Extended(Box<Extended>),
    /// A compensation of the task.
    Compensation(Arc<Block>),
}

/// State of a `try`.
#[derive(Debug)]
pub(super) struct Trying {
    pub(super) attempt: u32,
    pub(super) began: Timestamp,
    pub(super) phase: TryPhase,
    /// The timer that limits the attempt, while it is held.
    pub(super) limit_timer: Option<String>,
    /// Visits of the tasks inside before the first attempt.
    pub(super) visits: Vec<(Arc<str>, u32)>,
    /// Variables of the handler, once it runs.
    pub(super) scope: Option<Scope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TryPhase {
    Trying,
    Pausing,
    Handling,
}

/// State of a task with an extension around it.
#[derive(Debug)]
pub(super) struct Extended {
    /// Which of the workflow's extensions.
    pub(super) index: usize,
    pub(super) stage: Stage,
    /// Where the task itself wants to go, once it is done.
    pub(super) then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Before,
    Task,
    After,
}

/// State of a `listen`.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// The engine has confirmed.
    pub(super) started: bool,
    /// Enough has been consumed.
    pub(super) complete: bool,
    /// What has been read, in order: the output, or after `foreach` its outputs.
    pub(super) consumed: Vec<Value>,
    /// Which filters of `all` have had their event.
    pub(super) matched: Vec<bool>,
    /// The same for `all` in `until`.
    pub(super) until_matched: Vec<bool>,
    /// Values that correlations expect since the first event.
    pub(super) expected: HashMap<Arc<str>, Value>,
    /// Items that wait for `foreach`.
    pub(super) queue: VecDeque<Value>,
    pub(super) outputs: Vec<Value>,
    pub(super) index: usize,
    /// Variables of the item in `foreach`, while it runs.
    pub(super) current: Option<Scope>,
}

/// All frames of a run.
#[derive(Debug, Default)]
pub(super) struct Frames {
    slots: Vec<(u32, Option<Box<Frame>>)>,
    free: Vec<u32>,
    live: usize,
}

impl Frames {
    pub(super) fn insert(&mut self, frame: Frame) -> FrameId {
        let parent = frame.parent;
        let id = if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.1 = Some(Box::new(frame));
            FrameId { index, generation: slot.0 }
        } else {
            let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
            self.slots.push((0, Some(Box::new(frame))));
            FrameId { index, generation: 0 }
        };
        self.live += 1;
        if let Some(parent) = parent.and_then(|parent| self.get_mut(parent)) {
            parent.children.insert(id);
        }
        id
    }

    pub(super) fn get(&self, id: FrameId) -> Option<&Frame> {
        let (generation, frame) = self.slots.get(id.index as usize)?;
        (*generation == id.generation).then_some(frame.as_deref()).flatten()
    }

    pub(super) fn get_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        let (generation, frame) = self.slots.get_mut(id.index as usize)?;
        if *generation == id.generation { frame.as_deref_mut() } else { None }
    }

    pub(super) fn remove(&mut self, id: FrameId) -> Option<Box<Frame>> {
        let (generation, slot) = self.slots.get_mut(id.index as usize)?;
        if *generation != id.generation {
            return None;
        }
        let frame = slot.take()?;
        *generation += 1;
        self.free.push(id.index);
        self.live -= 1;
        if let Some(parent) = frame.parent.and_then(|parent| self.get_mut(parent)) {
            parent.children.remove(&id);
        }
        Some(frame)
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    pub(super) fn ids(&self) -> Vec<FrameId> {
        (0_u32..)
            .zip(&self.slots)
            .filter(|(_, (_, frame))| frame.is_some())
            .map(|(index, (generation, _))| FrameId { index, generation: *generation })
            .collect()
    }
}

/// What is still to be done before the next event.
#[derive(Debug)]
pub(super) enum Work {
    /// Begin a task.
    Enter(Entry),
    /// A frame has its raw output.
    Done { parent: Option<FrameId>, slot: usize, output: Arc<Value>, then: Then },
    /// A frame has failed.
    Failed { parent: Option<FrameId>, slot: usize, problem: Box<Problem> },
}

/// A task about to be begun.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) parent: Option<FrameId>,
    pub(super) slot: usize,
    pub(super) task: Arc<Task>,
    pub(super) input: Arc<Value>,
    pub(super) scope: Scope,
    pub(super) prefix: Option<Arc<str>>,
    /// The first extension that is not around the task yet.
    pub(super) extension: usize,
}

/// A compensation that a cancel would run.
#[derive(Debug, Clone)]
pub(super) struct Compensation {
    pub(super) task: Arc<Task>,
    pub(super) block: Arc<Block>,
    pub(super) step: StepId,
    pub(super) input: Arc<Value>,
    pub(super) scope: Scope,
}
