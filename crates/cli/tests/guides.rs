//! The transcripts in the README and the guides: typed again with the real program, and compared.
//!
//! A transcript is a fenced block of the kind `console`. Lines that begin with `$ ` are typed, the others are what the terminal
//! showed, both streams as they come. Transcripts are one session, in a directory of its own: a copy of the example that a
//! comment before them names (`<!-- in examples/release -->`), else an empty one. The next such comment begins another session.
//!
//! What differs from time to time and from machine to machine (ids, times, digests) is compared by form; ids that are
//! typed are replaced by those of this session. `UPDATE_DOCS=1` writes down what was shown instead of comparing it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use regex::Regex;

/// What is compared by form: a pattern and the word for it.
const FORMS: &[(&str, &str)] = &[
    (r"\b(run|apr|evt|ckp|plan)_[0-9a-hjkmnp-tv-z]{26}\b", "${1}_ID"),
    (r"\b[0-9a-f]{32}\b", "ENGINE"),
    (r"sha256:[0-9a-f]{64}", "DIGEST"),
    (r"\([0-9a-f]{12}\)|from [0-9a-f]{12} to [0-9a-f]{12}", "SHORT"),
    (r"engine_[0-9a-f]+", "ENGINE"),
    (r"[A-Za-z0-9+/]{43,}={0,2}", "BASE64"),
    (r"\+[0-9a-f]{8}\+", "+KEY+"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "MOMENT"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\bjust now\b|\b\d+ (s|min) ago\b", "AGO"),
    (r"\b\d+(\.\d)? (ms|s)\b", "TOOK"),
    (r"\buser:[a-z_][a-z0-9_-]*", "user:NAME"),
    (r"/tmp/\S+", "DIR"),
    (r"[ \t]+(\n|$)", "$1"),
    (r"[ ]{2,}", "  "),
];

/// How long one line may take.
const LIMIT_SECONDS: &str = "60";

static ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(run|apr|evt|ckp|plan)_[0-9a-hjkmnp-tv-z]{26}\b").unwrap());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn form(text: &str) -> String {
    FORMS.iter().fold(text.to_owned(), |text, (pattern, word)| {
        Regex::new(pattern).unwrap().replace_all(&text, *word).into_owned()
    })
}

/// One session: a directory, and the ids of the document with those they stand for.
struct Session {
    directory: tempfile::TempDir,
    ids: BTreeMap<String, String>,
}

impl Session {
    fn new(document: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("aedile-guide-").tempdir().unwrap();
        let place = Regex::new(r"<!-- in (\S+) -->").unwrap();
        if let Some(named) = place.captures(document) {
            copy(&root().join(&named[1]), directory.path());
        }
        Self { directory, ids: BTreeMap::new() }
    }

    /// Types a line and answers with the line as it was typed, and what the terminal shows.
    fn run(&mut self, line: &str, shown: &str) -> (String, String) {
        let typed = ID.replace_all(line, |id: &regex::Captures<'_>| {
            self.ids.get(&id[0]).cloned().unwrap_or_else(|| id[0].to_owned())
        });
        let program = Path::new(env!("CARGO_BIN_EXE_aedile"));
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.parent().unwrap().display());
        let (mut terminal, theirs) = std::io::pipe().unwrap();
        let mut child = Command::new("timeout")
            .args([LIMIT_SECONDS, "/bin/sh", "-c", &*typed])
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.directory.path())
            .stdin(Stdio::null())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs)
            .spawn()
            .unwrap();
        let mut said = String::new();
        terminal.read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        let said = said.trim_end().to_owned();
        let theirs = ID.find_iter(shown).map(|id| id.as_str().to_owned());
        self.ids.extend(theirs.zip(ID.find_iter(&said).map(|id| id.as_str().to_owned())));
        (typed.into_owned(), said)
    }
}

/// Types every transcript of a document again; answers with the document as it should be.
fn typed_again(document: &str, wrong: &mut Vec<String>) -> String {
    let prompt = Regex::new(r"(?m)^\$ ").unwrap();
    let mut session = Session::new(document);
    let mut out = String::new();
    let mut rest = document;
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("```").expect("a fence is closed");
        out.push_str(before);
        out.push_str("```console\n");
        if !std::ptr::eq(rest, document) && before.contains("<!-- in ") {
            session = Session::new(before);
        }
        for entry in prompt.split(block).skip(1) {
            let (line, shown) = entry.split_once('\n').unwrap_or((entry, ""));
            let shown = shown.trim_end();
            let (typed, said) = session.run(line, shown);
            if form(&said).trim() != form(shown).trim() {
                wrong.push(format!(
                    "$ {line}\n--- the document says\n{shown}\n--- the terminal shows\n{said}\n"
                ));
            }
            let gap = if said.is_empty() { "" } else { "\n" };
            write!(out, "$ {typed}\n{said}{gap}").unwrap();
        }
        out.push_str("```");
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The program brings the runner that is beside it.
fn build_the_runner() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "-p", "runner", "--bin", "aedile-runner"])
        .status()
        .unwrap();
    assert!(built.success());
}

#[test]
fn what_the_documents_show_is_what_happens() {
    let guides = fs_err::read_dir(root().join("docs/guides")).unwrap().map(|entry| entry.unwrap().path());
    build_the_runner();
    let mut wrong = Vec::new();
    for path in guides.chain([root().join("README.md")]) {
        let document = fs_err::read_to_string(&path).unwrap();
        let before = wrong.len();
        let again = typed_again(&document, &mut wrong);
        if std::env::var_os("UPDATE_DOCS").is_some() && wrong.len() > before {
            fs_err::write(&path, again).unwrap();
        }
        wrong[before..].iter_mut().for_each(|one| one.insert_str(0, &format!("{}\n", path.display())));
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_DOCS=1 writes it down", wrong.join("\n"));
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
