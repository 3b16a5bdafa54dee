//! The real program as a child, spoken to over pipes.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};

use runner::limits::{ANSWER_MAX, HEAD_MAX};
use runner::protocol::{
    Answer, Command, Effect, Exec, Farewell, FromRunner, GREETING, Grants, Hello, Input, Op, Outcome, Stream,
    ToRunner, VERSION, Write,
};
use runner::wire::{Decoder, Frame, encode};

pub struct Helper {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    decoder: Decoder,
    greeted: bool,
}

pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_aedile-runner"))
}

impl Helper {
    pub fn bare(program: &Path, args: &[&str]) -> Self {
        let mut child = Process::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the runner starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("piped"));
        Self { child, stdin, stdout, decoder: Decoder::new(ANSWER_MAX), greeted: false }
    }

    pub fn with(grants: Grants) -> Self {
        let mut helper = Self::bare(&program(), &[]);
        helper.send(&ToRunner::Hello(Hello { protocol: VERSION, grants }), b"");
        assert!(matches!(helper.next(), FromRunner::Ready(_)));
        helper
    }

    pub fn open() -> Self {
        Self::with(Grants::everything())
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().expect("open").write_all(bytes).expect("the runner reads");
    }

    pub fn send(&mut self, message: &ToRunner, body: &[u8]) {
        self.raw(&encode(message, body, HEAD_MAX).expect("fits"));
    }

    pub fn run(&mut self, id: u64, op: Op) {
        self.send(&ToRunner::Run(command(id, op)), b"");
    }

    pub fn frame(&mut self) -> Option<Frame> {
        let mut buffer = vec![0; 65536];
        loop {
            if self.greeted
                && let Some(frame) = self.decoder.next_frame().expect("frames")
            {
                return Some(frame);
            }
            if self.greeted {
                let read = self.stdout.read(&mut buffer).expect("readable");
                if read == 0 {
                    return None;
                }
                self.decoder.push(&buffer[..read]);
            } else {
                let mut greeting = vec![0; GREETING.len()];
                self.stdout.read_exact(&mut greeting).expect("a greeting");
                assert_eq!(greeting, GREETING);
                self.greeted = true;
            }
        }
    }

    pub fn next(&mut self) -> FromRunner {
        self.frame().expect("the runner speaks").message().expect("a message")
    }

    /// Until the command's end: how, and what it printed.
    pub fn end(&mut self, wanted: u64) -> (Outcome, Vec<u8>) {
        let mut printed = Vec::new();
        loop {
            let frame = self.frame().expect("the runner speaks");
            match frame.message().expect("a message") {
                FromRunner::Event { id, stream: Stream::Stdout | Stream::Content } if id == wanted => {
                    printed.extend(frame.body);
                }
                FromRunner::Done(done) if done.id == wanted => return (done.outcome, printed),
                FromRunner::Error { id, fault } if id == Some(wanted) => {
                    return (Outcome::Fault(fault), printed);
                }
                _ => {}
            }
        }
    }

    pub fn done(&mut self, id: u64, op: Op) -> Outcome {
        self.run(id, op);
        self.end(id).0
    }

    pub fn write(&mut self, id: u64, write: Write, content: &[u8]) -> Outcome {
        let command = Command { input: Input::Body, ..command(id, Op::Write(write)) };
        self.send(&ToRunner::Run(command), content);
        self.end(id).0
    }

    /// Reads on until the farewell; the program has ended then.
    pub fn farewell(mut self) -> Farewell {
        let farewell = loop {
            if let FromRunner::Exit(farewell) = self.next() {
                break farewell;
            }
        };
        assert!(self.frame().is_none(), "EXIT is the last");
        self.child.wait().expect("ended");
        farewell
    }
}

pub fn command(id: u64, op: Op) -> Command {
    Command { id, key: None, lane: None, timeout_ms: 30_000, input: Input::None, op }
}

pub fn sh(script: &str) -> Op {
    exec("sh", &["-c", script])
}

pub fn exec(program: &str, args: &[&str]) -> Op {
    Op::Exec(Exec {
        program: program.into(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: [].into(),
        cwd: None,
        output_max: None,
        effect: Effect::Once,
    })
}

pub fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Ok(answer) => answer,
        Outcome::Fault(fault) => panic!("{fault:?}"),
    }
}

pub fn fault(outcome: Outcome) -> runner::protocol::FaultCode {
    match outcome {
        Outcome::Fault(fault) => fault.code,
        Outcome::Ok(answer) => panic!("{answer:?}"),
    }
}
