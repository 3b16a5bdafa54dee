//! Finds tasks that the flow can never leave.
//!
//! A circle of `then` directives is a fine loop as long as something in it can wait or something can lead out.
//! One where neither is so would spin for ever without an event in between; it is refused at load. Circles that
//! have a way out which is never taken are ended by the limit on tasks per run.

use super::model::{Block, Kind, Task, Then};

/// Indexes of the tasks of a block from which the flow can neither wait nor leave.
pub(super) fn endless(block: &Block) -> Vec<usize> {
    let count = block.tasks.len();
    let mut open: Vec<bool> = block.tasks.iter().map(|task| can_pause(task)).collect();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, task) in block.tasks.iter().enumerate() {
        for then in ways(task) {
            let target = match then {
                Then::Continue => index + 1,
                Then::Task(target) => target,
                Then::Exit | Then::End => count,
            };
            if target >= count {
                open[index] = true;
            } else {
                before[target].push(index);
            }
        }
    }
    let mut queue: Vec<usize> = (0..count).filter(|index| open[*index]).collect();
    while let Some(index) = queue.pop() {
        for earlier in &before[index] {
            if !open[*earlier] {
                open[*earlier] = true;
                queue.push(*earlier);
            }
        }
    }
    (0..count).filter(|index| !open[*index]).collect()
}

/// Where the flow can go after a task.
fn ways(task: &Task) -> Vec<Then> {
    let mut ways = vec![task.then];
    if task.condition.is_some() {
        ways.push(Then::Continue);
    }
    if let Kind::Switch(cases) = &task.kind {
        if cases.iter().any(|case| case.when.is_none()) {
            ways.retain(|_| task.condition.is_some());
        }
        ways.extend(cases.iter().map(|case| case.then));
    }
    ways
}

/// Whether a task can let an event in between, raise an error, or end the workflow from inside.
fn can_pause(task: &Task) -> bool {
    let any = |block: &Block| block.tasks.iter().any(|task| can_pause(task) || ends(task));
    match &task.kind {
        Kind::Call(_) | Kind::Run(_) | Kind::Wait(_) | Kind::Emit(_) | Kind::Listen(_) | Kind::Raise(_) => {
            true
        }
        Kind::Set(_) | Kind::Switch(_) => false,
        Kind::Do(block) => any(block),
        Kind::For(each) => any(&each.body),
        Kind::Fork { branches, .. } => any(branches),
        Kind::Try(attempt) => any(&attempt.body) || attempt.handler.as_ref().is_some_and(|block| any(block)),
    }
}

fn ends(task: &Task) -> bool {
    ways(task).contains(&Then::End)
}
