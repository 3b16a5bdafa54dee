//! Running a program: no shell, its own process group, its output streamed, everything of it stopped at the end.

use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use crate::control::{Chunk, Control, lock};
use crate::limits::{ARGS_MAX, BODY_MAX, DRAIN_GRACE, OUTPUT_MAX, TERM_GRACE};
use crate::output::Output;
use crate::path::plain;
use crate::protocol::{Answer, Ended, Exec, Fault, FaultCode, Input, Stream};

/// Where a bare name is looked for, and the PATH of every program that is not given another.
pub(crate) const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How often a program that was told to stop is looked at.
const POLL: Duration = Duration::from_millis(20);

/// The program's file, if it was granted.
pub(crate) fn find(program: &str, grants: &[String]) -> Result<PathBuf, Fault> {
    if !grants.iter().any(|grant| grant == "*" || grant == program) {
        let message = format!("running {program:?} is not granted to this session");
        return Err(Fault::new(FaultCode::NotGranted, message));
    }
    if program.starts_with('/') {
        plain(program)?;
        return Ok(PathBuf::from(program));
    }
    if program.is_empty() || program.contains(['/', '\0']) {
        let message = format!("{program:?} is neither a bare name nor an absolute path");
        return Err(Fault::new(FaultCode::Traversal, message));
    }
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    STANDARD_PATH
        .split(':')
        .map(|directory| Path::new(directory).join(program))
        .find(|path| runs(path))
        .ok_or_else(|| Fault::new(FaultCode::ProgramMissing, format!("{program} is not in {STANDARD_PATH}")))
}

/// Starts it as the leader of its own process group.
fn start(exec: &Exec, file: &Path, input: Input) -> Result<Child, Fault> {
    if exec.args.len() > ARGS_MAX {
        return Err(Fault::new(FaultCode::TooMany, format!("more than {ARGS_MAX} arguments")));
    }
    let cwd = exec.cwd.as_deref().unwrap_or("/");
    plain(cwd)?;
    let piped = if input == Input::None { Stdio::null() } else { Stdio::piped() };
    let mut process = Process::new(file);
    process
        .args(&exec.args)
        .env_clear()
        .env("PATH", STANDARD_PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", std::env::var_os("HOME").unwrap_or_else(|| "/".into()))
        .envs(&exec.env)
        .current_dir(cwd)
        .process_group(0)
        .stdin(piped)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process.spawn().map_err(|why| {
        let mut fault = Fault::io(format_args!("{} cannot be started in {cwd}", file.display()), &why);
        if fault.code == FaultCode::NotFound {
            fault.code = FaultCode::ProgramMissing;
        }
        fault
    })
}

/// What was printed on one stream.
#[derive(Default)]
struct Printed {
    bytes: u64,
    truncated: bool,
    sending: bool,
}

/// Reads a stream to its end, and sends it on as far as the limit goes.
fn pass_on(mut from: impl Read, id: u64, stream: Stream, max: u64, out: &Output, printed: &Mutex<Printed>) {
    let mut buffer = vec![0; BODY_MAX];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => read,
            Err(why) if why.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut so_far = lock(printed);
        let room = usize::try_from(max.saturating_sub(so_far.bytes)).unwrap_or(usize::MAX).min(read);
        so_far.bytes += read as u64;
        so_far.truncated |= room < read;
        so_far.sending = true;
        drop(so_far);
        let sent = out.event(id, stream, &buffer[..room]);
        lock(printed).sending = false;
        if sent.is_err() {
            return;
        }
    }
}

fn pour(mut stdin: ChildStdin, control: &Control, taken: &dyn Fn(u64) -> Result<(), Fault>) {
    // A program may end, or close its input, before it has read everything. That is its right.
    while let Ok(Chunk::Bytes(chunk)) = control.next() {
        if stdin.write_all(&chunk).is_err() || taken(chunk.len() as u64).is_err() {
            break;
        }
    }
    drop(stdin);
}

/// Waits for the program to end without reaping it, so that its number stays its own until the group has been stopped.
fn wait(pid: Pid, control: &Control) -> Result<(), Fault> {
    let (tell, ended) = channel();
    std::thread::spawn(move || {
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        // Whoever waited may have given up.
        let _late = tell.send(());
    });
    let verdict = loop {
        if let Err(fault) = control.check() {
            break Err(fault);
        }
        match ended.recv_timeout(control.left().min(POLL)) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    if verdict.is_err() {
        control.signal(Signal::TERM);
        if ended.recv_timeout(TERM_GRACE).is_err() {
            control.signal(Signal::KILL);
            // Nothing survives SIGKILL but a process stuck in the kernel, which nobody can wait for.
            let _stuck = ended.recv_timeout(TERM_GRACE);
        }
    }
    // What is left of the group goes with its leader. A daemon that wants to live starts its own session.
    control.signal(Signal::KILL);
    verdict
}

/// Until both streams ended. Something that keeps them open beyond its group is not waited for, a slow reader is.
fn drain(ended: &Receiver<()>, control: &Control, streams: [&Mutex<Printed>; 2]) {
    let look = || {
        streams.map(|stream| {
            let printed = lock(stream);
            (printed.bytes, printed.sending)
        })
    };
    let mut before = look();
    while ended.recv_timeout(DRAIN_GRACE) == Err(RecvTimeoutError::Timeout) {
        let now = look();
        let moving = now != before || now.iter().any(|(_, sending)| *sending);
        if !moving || control.check().is_err() {
            return;
        }
        before = now;
    }
}

pub(crate) fn run(
    id: u64,
    control: &Arc<Control>,
    grants: &[String],
    exec: &Exec,
    input: Input,
    out: &Output,
    taken: impl Fn(u64) -> Result<(), Fault> + Send + 'static,
) -> Result<Answer, Fault> {
    let file = find(&exec.program, grants)?;
    control.check()?;
    let mut child = start(exec, &file, input)?;
    let pid = Pid::from_child(&child);
    control.set_group(Some(pid));
    let max = exec.output_max.unwrap_or(OUTPUT_MAX).min(OUTPUT_MAX);
    let (drained, all_drained) = channel::<()>();
    let follow = |stream: Stream, from: Option<Box<dyn Read + Send>>| {
        let printed = Arc::new(Mutex::new(Printed::default()));
        if let Some(from) = from {
            let (out, drained, mine) = (out.clone(), drained.clone(), Arc::clone(&printed));
            std::thread::spawn(move || {
                pass_on(from, id, stream, max, &out, &mine);
                drop(drained);
            });
        }
        printed
    };
    let stdout =
        follow(Stream::Stdout, child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let stderr =
        follow(Stream::Stderr, child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    drop(drained);
    if let Some(stdin) = child.stdin.take() {
        let control = Arc::clone(control);
        std::thread::spawn(move || pour(stdin, &control, &taken));
    }
    let verdict = wait(pid, control);
    control.set_group(None);
    let status = child.wait();
    drain(&all_drained, control, [&stdout, &stderr]);
    verdict?;
    let status = status.map_err(|why| Fault::io(file.display(), &why))?;
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => {
            // It may have ended by our own signal before its waiter saw why.
            control.check()?;
            Ended::Signalled(signal.unwrap_or_default())
        }
    };
    let (stdout, stderr) = (lock(&stdout), lock(&stderr));
    Ok(Answer::Exec {
        ended,
        stdout_bytes: stdout.bytes,
        stderr_bytes: stderr.bytes,
        truncated: stdout.truncated || stderr.truncated,
    })
}
