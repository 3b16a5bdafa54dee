//! A project in a temporary directory, commands in a fixed world, and the transcript of what they said.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use engine::ports::{BoxFuture, Clock, Entropy};
use model::Timestamp;
use model::time::SignedDuration;

/// Set for commands in the fixed world, by the harness and for this test program only.
const SEED: &str = "AEDILE_TEST_SEED";
const NOW: &str = "AEDILE_TEST_NOW";
const USER: &str = "AEDILE_TEST_USER";

/// When the first command of every transcript starts. Each further one starts a minute later.
const START: &str = "2026-11-21T10:00:00Z";

/// Makes a list of tests from functions.
macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        pub fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(libtest_mimic::Trial::test(stringify!($name), || { $name(); Ok(()) })),*]
        }
    };
}
pub(crate) use trials;

/// The fixed world, if this process was started to be the command line.
pub(crate) fn world() -> Option<cli::World> {
    let seed: u64 = std::env::var(SEED).ok()?.parse().ok()?;
    let now: Timestamp = std::env::var(NOW).ok()?.parse().ok()?;
    Some(cli::World {
        clock: Arc::new(FixedClock(Arc::new(Mutex::new(now)))),
        entropy: Arc::new(FixedEntropy { seed, drawn: AtomicU64::new(0) }),
        user: std::env::var(USER).ok()?,
        told: cli::Told::default(),
        login: project::infrastructure::Login { user: std::env::var(USER).ok()?, ..Default::default() },
        loose_state: std::env::var_os("AEDILE_TEST_STATE").map(Into::into),
        settings: std::env::var_os("AEDILE_TEST_STATE")
            .map(|state| PathBuf::from(state).with_file_name("settings")),
        identities: project::infrastructure::Identities {
            named: None,
            directory: std::env::var_os("AEDILE_TEST_STATE")
                .map(|state| PathBuf::from(state).with_file_name("keys")),
        },
    })
}

/// Stands still until somebody has slept; then it is when they woke up.
struct FixedClock(Arc<Mutex<Timestamp>>);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let clock = Arc::clone(&self.0);
        let left = due.duration_since(self.now());
        Box::pin(async move {
            tokio::time::sleep(left.max(SignedDuration::ZERO).unsigned_abs()).await;
            let mut now = clock.lock().unwrap();
            *now = (*now).max(due);
        })
    }
}

struct FixedEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl Entropy for FixedEntropy {
    fn draw(&self) -> u128 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let digest = model::Digest::of(format!("{}/{drawn}", self.seed).as_bytes());
        u128::from_str_radix(&digest.to_string()["sha256:".len()..][..32], 16).unwrap()
    }
}

/// A directory, and what was typed in it.
pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
    transcript: String,
    typed: u64,
    turned_back: bool,
    user: String,
}

/// What one command said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub stdout: String,
    pub stderr: String,
    pub exit: i32,
}

impl Said {
    /// The answer as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Sandbox {
    /// An empty directory.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("aedile-test-").tempdir().unwrap();
        fs_err::create_dir(directory.path().join("work")).unwrap();
        Self { directory, transcript: String::new(), typed: 0, turned_back: false, user: "maria".to_owned() }
    }

    /// A directory with a project in it.
    pub(crate) fn with_project() -> Self {
        let sandbox = Self::new();
        project::scaffold::start(&sandbox.root(), Some("shop"), "maria").unwrap();
        sandbox
    }

    /// A copy of one of the repository's examples.
    pub fn with_example(name: &str) -> Self {
        let sandbox = Self::new();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        copy(&example, &sandbox.root());
        sandbox
    }

    /// The directory commands run in.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// Every file and directory there is, with its content's length.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.root(), &self.root(), &mut found);
        found.sort();
        found
    }

    /// From here on somebody else types.
    pub(crate) fn as_user(&mut self, user: &str) -> &mut Self {
        user.clone_into(&mut self.user);
        self
    }

    /// From here on the clock stands a year before where it stood.
    pub(crate) fn turn_back(&mut self) {
        self.turned_back = true;
    }

    /// Types a command.
    pub(crate) fn run(&mut self, args: &[&str]) -> Said {
        self.run_with_input(args, "")
    }

    /// Types a command that reads standard input.
    pub(crate) fn run_with_input(&mut self, args: &[&str], input: &str) -> Said {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // a command that does not read its input is no failure of the test
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let said = Said {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            exit: output.status.code().unwrap_or(-1),
        };
        self.note(args, &said);
        said
    }

    /// A command to be started by the test itself.
    pub(crate) fn command(&mut self, args: &[&str]) -> Command {
        let mut start: Timestamp = START.parse().unwrap();
        if self.turned_back {
            start -= SignedDuration::from_hours(365 * 24);
        }
        let now = start + SignedDuration::from_mins(i64::try_from(self.typed).unwrap());
        self.typed += 1;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env(SEED, self.typed.to_string())
            .env(NOW, now.to_string())
            .env(USER, &self.user)
            .env("AEDILE_TEST_STATE", self.directory.path().join("state"))
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn note(&mut self, args: &[&str], said: &Said) {
        use std::fmt::Write as _;
        let user = if self.user == "maria" { "$".to_owned() } else { format!("{}$", self.user) };
        writeln!(self.transcript, "{user} aedile {}", args.join(" ")).unwrap();
        for (name, text) in [("stdout", &said.stdout), ("stderr", &said.stderr)] {
            if !text.is_empty() {
                writeln!(self.transcript, "--- {name}\n{}", text.trim_end_matches('\n')).unwrap();
            }
        }
        writeln!(self.transcript, "--- exit {}\n", said.exit).unwrap();
    }

    /// Compares everything that was typed and said with the snapshot of this name.
    pub(crate) fn snapshot(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let place = fs_err::canonicalize(self.directory.path()).unwrap();
        settings.add_filter(&place.display().to_string(), "[DIR]");
        settings.add_filter(&self.directory.path().display().to_string(), "[DIR]");
        settings.add_filter(r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]");
        settings.add_filter(r"(run|apr|evt|ckp)_[0-9a-hjkmnp-tv-z]{26}", "${1}_[ID]");
        settings.add_filter(r"[ \t]+\n", "\n");
        settings.bind(|| insta::assert_snapshot!(name, self.transcript.trim_end()));
    }
}

/// A file of the conformance data beside the workspace; says so when it is not there.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
pub fn conformance(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance").join(path);
    let found = file.is_file().then_some(file);
    if found.is_none() {
        eprintln!("skipped: {path} is not beside this workspace");
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            // state of somebody who tried the example in place
            true if entry.file_name() == ".aedile" => {}
            true => copy(&entry.path(), &target),
            false => drop(fs_err::copy(entry.path(), target).unwrap()),
        }
    }
}

fn list(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let length = entry.metadata().unwrap().len();
        found.push(format!("{} {length}", entry.path().strip_prefix(root).unwrap().display()));
        if entry.path().is_dir() {
            list(root, &entry.path(), found);
        }
    }
}
