//! Every limit of this crate, in one place.

/// Changes of a plan that policy is asked about before it is submitted.
pub const OUTLOOK_MAX: usize = 1_000;
/// Most reasons that are told then.
pub const OUTLOOK_REASONS_MAX: usize = 10;
/// Runs read from the journal at once.
pub const RUNS_AT_ONCE: usize = 1_000;
/// The shortest time between two looks for drift.
pub const DRIFT_EVERY_MIN: model::time::SignedDuration = model::time::SignedDuration::from_secs(1);
/// From so many unreadable resources on, for one reason and on one host, the host is named instead of each.
pub const UNREADABLE_TOGETHER: usize = 2;
/// Plans kept in memory.
pub const PLANS_MAX: usize = 64;
/// A plan that was made here so short a time ago is taken for fresh without another look.
pub const PLAN_IS_NEW: std::time::Duration = std::time::Duration::from_secs(5);
/// A session of a run with a host that nobody used for so long is ended.
pub const SESSION_IDLE: std::time::Duration = std::time::Duration::from_mins(5);
/// A session is not used for new changes after so long; runners end after an hour.
pub const SESSION_LIFE: std::time::Duration = std::time::Duration::from_mins(45);
/// How long changes of one kind on one host are collected, to be made together.
pub const GATHER: std::time::Duration = std::time::Duration::from_millis(2);
/// Bytes of a file of the project that is kept in memory once it was read for a host, for the next one.
pub const FILE_HELD_BYTES_MAX: u64 = 32 << 10;
/// Bytes of all files that are kept so.
pub const FILES_HELD_BYTES_MAX: usize = 4 << 20;
/// Hosts that are looked at at the same time.
pub const HOSTS_AT_ONCE: usize = 64;
/// Largest list of rights of one session in bytes; directories stand for files beyond it.
pub const GRANTS_BYTES_MAX: usize = 256 << 10;
/// Most findings of providers about one configuration.
pub const FINDINGS_MAX: usize = 100;
/// Bytes of a file that is digested are read in pieces of at least so many, and
pub const PIECE_MIN: usize = 4 << 10;
/// at most so many.
pub const PIECE_MAX: usize = 256 << 10;
/// Bytes of any one file of a project that is read as text.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files of one kind in a project (workflows, policies).
pub const FILES_MAX: usize = 1_000;
/// Directories walked up to find a project.
pub const PARENTS_MAX: usize = 64;
/// Bytes of a run's input as given on the command line, in a file or on standard input.
pub const INPUT_BYTES_MAX: u64 = 4 << 20;
/// Parsed documents kept in memory.
pub const PARSED_MAX: usize = 1_000;
/// Bytes of a key's file.
pub const KEY_BYTES_MAX: u64 = 4 << 10;
/// Bytes of a data file that CUE embeds or is checked against.
pub const DATA_BYTES_MAX: u64 = 64 << 20;
/// Bytes of one host's kept facts.
pub const FACTS_BYTES_MAX: u64 = 16 << 20;
/// How long facts are taken for true when nothing else is said.
pub const FACTS_AGE: std::time::Duration = std::time::Duration::from_hours(1);
/// How long gathering the facts of one host may take once it is connected.
pub const FACTS_TIME: std::time::Duration = std::time::Duration::from_mins(1);
/// How long asking a host may take with the way there, which has limits of its own: a slow line is no dead one.
pub const FACTS_TIME_ALTOGETHER: std::time::Duration = std::time::Duration::from_mins(3);
/// Hosts whose facts are gathered at once.
pub const FACTS_AT_ONCE: usize = 64;
/// Providers in a project.
pub const PROVIDERS_MAX: usize = 256;
/// Cases that a provider is checked with at once.
pub const CASES_MAX: usize = 1_000;
/// Bytes of a project's file that a case refers to.
pub const CASE_FILE_BYTES_MAX: u64 = 16 << 20;
/// Files in a backup.
pub const BACKUP_FILES_MAX: usize = 100_000;
/// Bytes of everything in a backup but its databases, which is held in memory.
pub const BACKUP_SMALL_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a backup's manifest.
pub const BACKUP_MANIFEST_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a path in a backup.
pub const BACKUP_PATH_BYTES_MAX: usize = 1_024;
/// Bytes that are copied at once.
pub const PIECE_BYTES: usize = 64 << 10;
/// How often opening a state is tried again because it was replaced meanwhile.
pub const REPLACED_MAX: u32 = 5;
/// How often the files of the rules in force are looked at although the kernel told of no change: it may not know of all.
pub const RULES_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);
/// How long they are followed before the kernel is asked to tell of changes, and
pub const RULES_UNTOLD: std::time::Duration = std::time::Duration::from_secs(5);
/// how often they are looked at until then.
pub const RULES_INTERVAL_FIRST: std::time::Duration = std::time::Duration::from_millis(100);
/// How often they are looked at where the kernel cannot be asked.
pub const RULES_INTERVAL_UNTOLD: std::time::Duration = std::time::Duration::from_secs(1);
/// How long files of rules have to be left alone before they are read.
pub const RULES_SETTLE: std::time::Duration = std::time::Duration::from_millis(100);
/// How often that is waited for before the rules before stay in force.
pub const RULES_SETTLING_MAX: u32 = 20;
/// Actions of how many earlier rules are kept for runs of their time.
pub const RULES_KEPT_MAX: usize = 16;
