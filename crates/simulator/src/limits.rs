//! How large a world may be. Small: a crash in the middle of little is as good as one in the middle of much, and cheaper.

use std::time::Duration;

/// Different programs in a world.
pub const SCRIPTS_MAX: usize = 4;
/// Groups of a program.
pub const GROUPS_MAX: usize = 4;
/// Tasks of a group.
pub const TASKS_MAX: usize = 4;
/// Runs that are submitted in a world, children not counted.
pub const RUNS_MAX: usize = 5;
/// Times the process is killed in a world.
pub const CRASHES_MAX: u32 = 8;
/// Moments from a start to the crash.
pub const MOMENTS_MAX: u32 = 60;
/// People who decide at the same time on one question.
pub const DECIDERS_MAX: usize = 4;
/// Simulated time after which a world whose runs have not ended is stuck.
pub const WORLD_TIME_MAX: Duration = Duration::from_hours(1);
/// Of 1,000 appends, so many find the disk full (in worlds where that happens).
pub const REFUSALS_PER_MILLE: u32 = 15;
