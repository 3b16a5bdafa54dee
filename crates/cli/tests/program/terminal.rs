//! A directory, a home, and the program typed in it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// A place of its own to type commands in.
pub struct Terminal {
    directory: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub exit: Option<i32>,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// This, if it exited with 0.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.exit, Some(0), "{self:?}");
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            exit: output.status.code(),
        }
    }
}

impl Terminal {
    /// An empty directory.
    pub fn empty() -> Self {
        let directory = tempfile::Builder::new().prefix("aedile-program-").tempdir().unwrap();
        fs_err::create_dir(directory.path().join("work")).unwrap();
        Self { directory }
    }

    /// A project that `aedile init` made, with the shipped actions, and everybody able to play `user:lea`, who leads.
    pub fn project() -> Self {
        let terminal = Self::empty();
        terminal.run(&["init", "--name", "shop"]).good();
        let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/components");
        let mut manifest = String::from("name: shop\nactions:\n");
        for name in ["echo", "http-fetch"] {
            let bytes = fs_err::read(components.join(format!("{name}-0.1.0.wasm"))).unwrap();
            let digest = model::Digest::of(&bytes);
            terminal.write_bytes(&format!("actions/{name}.wasm"), &bytes);
            writeln!(
                manifest,
                "  - {{name: {name}, version: 0.1.0, path: actions/{name}.wasm, digest: \"{digest}\"}}"
            )
            .unwrap();
        }
        terminal.write("aedile.yaml", &manifest);
        terminal.write(
            "access.yaml",
            "roles: {lead: [user:lea, user:leo]}
actAs: {dev: {\"*\": [user:lea, user:leo]}}
persons: {dev: by-principal}
",
        );
        terminal
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    pub fn write(&self, path: &str, text: &str) {
        self.write_bytes(path, text.as_bytes());
    }

    fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.root().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// The program, to be started by the test itself.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aedile"));
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("HOME", self.directory.path())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// Every record of the journal; none when there is no journal yet.
    pub fn records(&self) -> Vec<Value> {
        if !self.root().join(".aedile/dev/journal.db").exists() {
            return Vec::new();
        }
        let said = self.run(&["journal", "export"]).good();
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many records of a type there are.
    pub fn count(&self, kind: &str) -> usize {
        self.records().iter().filter(|record| record["type"] == kind).count()
    }
}

/// The rest of what a command says, and how it ended.
pub fn finish(child: Child) -> Said {
    child.wait_with_output().unwrap().into()
}

/// The lines a running program narrates, as they come. Its output has to be taken from the child before.
pub fn narration(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let stderr = child.stderr.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Waits for a line with a word in it, and answers the word that begins so.
pub fn wait_for(lines: &Receiver<String>, beginning: &str) -> String {
    let mut before = Vec::new();
    while let Ok(line) = lines.recv_timeout(std::time::Duration::from_mins(1)) {
        if let Some(word) = word(&line, beginning) {
            return word;
        }
        before.push(line);
    }
    panic!("no line with {beginning}: {before:#?}");
}

/// The first word of a line that begins so.
pub fn word(line: &str, beginning: &str) -> Option<String> {
    line.split_whitespace().find(|word| word.starts_with(beginning)).map(str::to_owned)
}
