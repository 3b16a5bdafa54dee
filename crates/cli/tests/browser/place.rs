//! A project, and the program serving it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The program under test.
pub(crate) const AEDILE: &str = env!("CARGO_BIN_EXE_aedile");

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of the release example that is served.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    /// Where it is served.
    pub(crate) url: String,
    serving: Child,
    link: Option<String>,
}

impl Place {
    /// Serves a copy of `examples/release`; the first link is lea's.
    pub(crate) fn release() -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy(&root().join("examples/release"), directory.path());
        let mut serving = command(directory.path())
            .args(["ui", "--as", "lea", "--print", "--listen", "127.0.0.1:0", "--quiet"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
        let link = lines.next().expect("it prints a link").unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let url = link.split("/login/").next().unwrap().to_owned();
        Self { directory, url, serving, link: Some(link) }
    }

    /// A link that signs somebody in.
    pub(crate) fn link(&mut self, who: &str) -> String {
        if who == "lea"
            && let Some(link) = self.link.take()
        {
            return link;
        }
        let printed = self.typed(&["ui", "--as", who, "--print", "--quiet"]);
        printed.lines().next().expect("it prints a link").to_owned()
    }

    /// What a command prints; it has to succeed, or to wait for an approval.
    pub(crate) fn typed(&self, arguments: &[&str]) -> String {
        let output = command(self.directory.path()).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 4)), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a release that goes as far as the first approval. Answers the run and the approval.
    pub(crate) fn asks(&self) -> (String, String) {
        let printed = self.typed(&["run", "release", "-i", "version=1.4.2", "--detach", "--json"]);
        let run: Value = serde_json::from_str(&printed).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&run["run"]), text(&run["approvals"][0]))
    }

    /// A release whose command stays until it ends.
    pub(crate) fn releasing(&self) -> Child {
        command(self.directory.path())
            .args(["run", "release", "-i", "version=1.4.2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Address of a page of the environment.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}/release/dev{path}", self.url)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.serving.kill());
        drop(self.serving.wait());
    }
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(AEDILE);
    command.current_dir(directory).stdin(Stdio::null());
    for variable in ["AEDILE_ENV", "AEDILE_PROJECT", "AEDILE_SERVER", "DISPLAY", "WAYLAND_DISPLAY"] {
        command.env_remove(variable);
    }
    command
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != ".aedile" {
                copy(&entry.path(), &target);
            }
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}
