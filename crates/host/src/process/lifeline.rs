//! Nothing outlives Aedile by accident: a small shell waits at the other end of a pipe, knows what runs, and kills it
//! when the pipe closes, which the kernel does however this process ends (also by kill -9).
//!
//! The parent-death signal of Linux would reach the first process only and not what it started, and is bound to the
//! thread that started it; this reaches whole process groups, and containers, on every Unix.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads `+ ENTRY` and `- ENTRY`; at the end of its input kills every entry that is left: `g:GROUP`, `c:NAME:ENGINE`.
const KEEPER: &str = r#"
held=
while read -r op entry; do
  if [ "$op" = + ]; then held="$held $entry"; continue; fi
  rest=
  for one in $held; do [ "$one" = "$entry" ] || rest="$rest $one"; done
  held=$rest
done
for one in $held; do
  case $one in
    g:*) kill -s KILL -- "-${one#g:}" ;;
    c:*) one=${one#c:}; "${one#*:}" kill "${one%%:*}" ;;
  esac
done 2>/dev/null >/dev/null
"#;

/// Knows what runs. Dropping it kills what is still held.
#[derive(Debug, Default)]
pub(crate) struct Keeper(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    shell: Option<Shell>,
    held: BTreeSet<String>,
}

#[derive(Debug)]
struct Shell {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        // the pipe must close first, or both would wait for each other
        self.pipe = None;
        drop(self.process.wait());
    }
}

impl Shell {
    fn start() -> io::Result<Self> {
        let mut process = Command::new("/bin/sh")
            .args(["-c", KEEPER, "aedile-keeper"])
            .env_clear()
            .env("PATH", super::path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // a Ctrl-C at the terminal is for Aedile, which then ends what it has to end
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.pipe.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(line.as_bytes())
    }
}

/// Something that is killed if this process ends before the value is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    keeper: Arc<Keeper>,
    entry: String,
}

impl Keeper {
    /// Holds a process group.
    pub(crate) fn group(self: &Arc<Self>, group: i32) -> io::Result<Held> {
        self.hold(format!("g:{group}"))
    }

    /// Holds a container.
    pub(crate) fn container(self: &Arc<Self>, engine: &str, name: &str) -> io::Result<Held> {
        if engine.contains(char::is_whitespace) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the engine's path has a space in it"));
        }
        self.hold(format!("c:{name}:{engine}"))
    }

    fn hold(self: &Arc<Self>, entry: String) -> io::Result<Held> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.held.insert(entry.clone());
        let said = match &mut state.shell {
            Some(shell) => shell.say(&format!("+ {entry}\n")),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if said.is_err() {
            // the first time, or somebody killed it
            let mut shell = Shell::start()?;
            for entry in &state.held {
                shell.say(&format!("+ {entry}\n"))?;
            }
            state.shell = Some(shell);
        }
        Ok(Held { keeper: Arc::clone(self), entry })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.keeper.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.held.remove(&self.entry);
        if let Some(shell) = &mut state.shell {
            // a keeper that is gone holds nothing
            drop(shell.say(&format!("- {}\n", self.entry)));
        }
    }
}
