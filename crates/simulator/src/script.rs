//! What the runs of a world do, as data: drawn from a seed, kept in the journal as the definition's text.

use serde::{Deserialize, Serialize};

use crate::limits;

/// A program: groups one after the other, the tasks of a group at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// Its name in the catalog.
    pub name: String,
    /// The groups.
    pub groups: Vec<Group>,
    /// A limit on the whole run, in milliseconds.
    pub timeout_ms: Option<u32>,
}

/// Tasks that run at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Whether the first to be done is enough, and the others are given up.
    pub compete: bool,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// A result that needs no effect.
    Record {
        /// Whether it is a problem.
        fails: bool,
    },
    /// An effect.
    Effect {
        /// `read`, `idempotent`, `verifiable` or `once`.
        class: String,
        /// So many attempts fail.
        fails: u32,
        /// It is tried so often.
        attempts: u32,
        /// How long it takes, in milliseconds.
        takes_ms: u32,
        /// Whether policy asks people first.
        guarded: bool,
    },
    /// A timer.
    Wait {
        /// For so many milliseconds.
        ms: u32,
    },
    /// A question to people.
    Ask {
        /// How long each level waits, in milliseconds; one entry for each level.
        within_ms: Vec<u32>,
        /// How many must grant.
        quorum: u32,
    },
    /// An event on the bus.
    Emit {
        /// Its number.
        number: u32,
    },
    /// Waits for an event on the bus.
    Listen {
        /// Its number.
        number: u32,
    },
    /// Another run.
    Child {
        /// The script's name.
        script: String,
        /// Whether to wait for its end.
        wait: bool,
    },
}

/// Draws the scripts of a world. Scripts start only scripts before them, so that nothing starts itself.
pub fn draw(dice: &mut fastrand::Rng) -> Vec<Script> {
    let count = dice.usize(1..=limits::SCRIPTS_MAX);
    let mut scripts: Vec<Script> = Vec::with_capacity(count);
    for index in 0..count {
        let groups = (0..dice.usize(1..=limits::GROUPS_MAX)).map(|_| group(dice, &scripts)).collect();
        let timeout_ms = (dice.u8(0..6) == 0).then(|| dice.u32(5..60_000));
        scripts.push(Script { name: format!("sim/script-{index}"), groups, timeout_ms });
    }
    scripts
}

fn group(dice: &mut fastrand::Rng, before: &[Script]) -> Group {
    let tasks = (0..dice.usize(1..=limits::TASKS_MAX)).map(|_| task(dice, before)).collect();
    Group { tasks, compete: dice.u8(0..5) == 0 }
}

fn task(dice: &mut fastrand::Rng, before: &[Script]) -> Task {
    match dice.u8(0..20) {
        0..=2 => Task::Record { fails: dice.u8(0..12) == 0 },
        3..=10 => effect(dice),
        11..=13 => Task::Wait { ms: dice.u32(0..20_000) },
        14..=15 => Task::Ask {
            within_ms: (0..dice.usize(1..=3)).map(|_| dice.u32(100..30_000)).collect(),
            quorum: dice.u32(1..=2),
        },
        16 => Task::Emit { number: dice.u32(0..3) },
        17 => Task::Listen { number: dice.u32(0..3) },
        _ => match before.len() {
            0 => effect(dice),
            count => Task::Child { script: before[dice.usize(0..count)].name.clone(), wait: dice.bool() },
        },
    }
}

fn effect(dice: &mut fastrand::Rng) -> Task {
    let class = ["read", "idempotent", "verifiable", "once"][dice.usize(0..4)];
    let fails = if dice.u8(0..4) == 0 { dice.u32(1..4) } else { 0 };
    Task::Effect {
        class: class.to_owned(),
        fails,
        attempts: dice.u32(1..=3),
        takes_ms: dice.u32(0..5_000),
        guarded: dice.u8(0..5) == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_scripts_and_text_keeps_them() {
        for seed in 0..50 {
            let scripts = draw(&mut fastrand::Rng::with_seed(seed));
            assert_eq!(scripts, draw(&mut fastrand::Rng::with_seed(seed)));
            for script in &scripts {
                let text = serde_json::to_string(script).unwrap();
                assert_eq!(&serde_json::from_str::<Script>(&text).unwrap(), script);
            }
        }
    }
}
