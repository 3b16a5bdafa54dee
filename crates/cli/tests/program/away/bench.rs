//! A server in a process of its own, and people who are logged in to it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use futures_executor::block_on;
use model::Principal;
use server::identity::{Identity, TokenWish};

use crate::terminal::{Said, Terminal, narration, wait_for};

pub const PLAIN: &str = "document: {dsl: 1.0.1, namespace: shop, name: plain, version: 1.0.0}
input: {schema: {document: {type: object, properties: {n: {type: integer}}}}}
do:
  - only: {set: {answer: '${ .n // 42 }'}}
";
pub const GATED: &str = "document: {dsl: 1.0.1, namespace: shop, name: gated, version: 1.0.0}
do:
  - before: {set: {seen: true}}
  - ask: {call: approval, with: {title: Open the gates, chain: lead}}
  - after: {set: {opened: true}}
";
pub const BROKEN: &str = "document: {dsl: 1.0.1, namespace: shop, name: broken, version: 1.0.0}
do:
  - fall: {raise: {error: {type: https://example.com/fallen, status: 500, title: It fell}}}
";
const SLEEPY: &str = "document: {dsl: 1.0.1, namespace: shop, name: sleepy, version: 1.0.0}
do:
  - nap: {wait: {hours: 1}}
";
/// Many steps.
const LONG: &str = "document: {dsl: 1.0.1, namespace: shop, name: long, version: 1.0.0}
do:
  - all:
      for: {each: n, in: '${ [range(30)] }'}
      do:
        - one: {set: {n: '${ $n }'}}
";
const NIGHTLY: &str = "document: {dsl: 1.0.1, namespace: shop, name: nightly, version: 1.0.0}
schedule: {cron: '0 3 * * *'}
do:
  - only: {set: {a: 1}}
";
const POLICY: &str = "allow: [{match: {origin: caller, workflow: shop/*}}]
chains:
  lead: {levels: [{roles: [team-lead], within: 2h}]}
  two: {levels: [{roles: [team-lead], within: 2h}, {roles: [release-manager], within: 2h}]}
";
const TWICE: &str = "document: {dsl: 1.0.1, namespace: shop, name: twice, version: 1.0.0}
do:
  - ask: {call: approval, with: {title: Open both gates, chain: two}}
";

/// A project in which whoever runs the tests starts and steers runs, and `lea` and `omar` decide.
pub fn project() -> Terminal {
    let terminal = Terminal::project();
    for (name, text) in [
        ("plain", PLAIN),
        ("gated", GATED),
        ("broken", BROKEN),
        ("sleepy", SLEEPY),
        ("twice", TWICE),
        ("long", LONG),
        ("nightly", NIGHTLY),
    ] {
        terminal.write(&format!("workflows/{name}.yaml"), text);
    }
    fs_err::remove_file(terminal.root().join("workflows/hello.yaml")).unwrap();
    terminal.write("policy/policy.yaml", POLICY);
    let me = ::project::machine::user_name();
    terminal.write(
        "access.yaml",
        &format!(
            "roles:
  operator: [user:{me}]
  approver: [user:lea, user:omar]
  admin: [user:{me}]
  viewer: [user:vera]
  team-lead: [user:lea]
  release-manager: [user:omar]
actAs: {{dev: {{\"*\": [user:lea, user:omar]}}}}
persons: {{dev: by-principal}}
"
        ),
    );
    terminal
}

/// A server of a project, ended with the value.
pub struct Served {
    pub terminal: Terminal,
    pub url: String,
    pub fingerprint: Option<String>,
    args: Vec<String>,
    child: Child,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The fingerprint that a server shows when it starts.
fn shown(lines: &Receiver<String>) -> String {
    let line = lines.iter().find(|line| line.contains("SHA-256")).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

fn start(terminal: &Terminal, args: &[String]) -> (Child, Receiver<String>, String) {
    let mut command = terminal.command(&["server"]);
    let mut child = command.args(args).stdout(Stdio::null()).spawn().unwrap();
    let lines = narration(&mut child);
    let url = wait_for(&lines, "http");
    (child, lines, url)
}

impl Served {
    pub fn start() -> Self {
        Self::with(&["--listen", "127.0.0.1:0"])
    }

    pub fn with(args: &[&str]) -> Self {
        let terminal = project();
        let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (child, lines, url) = start(&terminal, &args);
        let fingerprint = url.starts_with("https").then(|| shown(&lines));
        // the next start listens where this one does
        let address = url.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
        let listen = args.iter().position(|arg| arg == "--listen").unwrap() + 1;
        args[listen] = address;
        Self { terminal, url, fingerprint, args, child }
    }

    /// As if the power had failed.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it again at the same address.
    pub fn restart(&mut self) {
        self.kill();
        let (child, _, url) = start(&self.terminal, &self.args);
        assert_eq!(url, self.url);
        self.child = child;
    }

    fn identity(&self) -> Identity {
        let root = ::project::Project::open(&self.terminal.root()).unwrap();
        let state = server::default_state(&[root]);
        let clock = Arc::new(::project::machine::SystemClock);
        Identity::open(&state, clock, Arc::new(::project::machine::SystemEntropy)).unwrap()
    }

    /// A token for somebody.
    pub fn token(&self, user: &str) -> String {
        let identity = self.identity();
        let account = Principal::user(user).unwrap();
        // the first account that is admitted administers the server: that is nobody of those who ask
        block_on(identity.admit_local(&Principal::user("owner").unwrap(), None)).unwrap();
        block_on(identity.admit_local(&account, None)).unwrap();
        let wish = TokenWish { name: "test".to_owned(), ..TokenWish::default() };
        let token = block_on(identity.issue_token_as(&account, &account, None, wish)).unwrap();
        token.secret.expose().to_owned()
    }

    /// Makes every token of somebody useless.
    pub fn revoke(&self, user: &str) {
        let identity = self.identity();
        let account = Principal::user(user).unwrap();
        for token in identity.tokens(Some(&account)) {
            block_on(identity.revoke_token_as(&account, token.token, None)).unwrap();
        }
    }

    /// Somebody who is logged in.
    pub fn person(&self, user: &str) -> Person<'_> {
        let person = self.stranger();
        person.remember(&self.url, &self.token(user), self.fingerprint.as_deref());
        person
    }

    /// Whoever runs the tests, who may start runs.
    pub fn me(&self) -> Person<'_> {
        self.person(&::project::machine::user_name())
    }

    /// Somebody who is logged in nowhere.
    pub fn stranger(&self) -> Person<'_> {
        Person { served: self, home: tempfile::tempdir().unwrap() }
    }
}

/// Somebody with a home of their own, in a directory that is no project.
pub struct Person<'a> {
    served: &'a Served,
    pub home: tempfile::TempDir,
}

impl Person<'_> {
    /// A command on the server, to be started by the test itself.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.served.terminal.command(args);
        command.current_dir(self.home.path()).env("HOME", self.home.path());
        command.env("AEDILE_SERVER", &self.served.url);
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// The file that keeps logins.
    pub fn file(&self) -> PathBuf {
        self.home.path().join(".config/aedile/servers.json")
    }

    /// Has them logged in, as `aedile login` would.
    pub fn remember(&self, url: &str, token: &str, fingerprint: Option<&str>) {
        let entry = serde_json::json!({ "token": token, "fingerprint": fingerprint });
        let content = serde_json::json!({ "servers": { url.trim_end_matches('/'): entry } });
        fs_err::create_dir_all(self.file().parent().unwrap()).unwrap();
        fs_err::write(self.file(), content.to_string()).unwrap();
        std::fs::set_permissions(self.file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A command that reads something.
    pub fn type_with(&self, args: &[&str], input: &str) -> Said {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap().into()
    }
}
