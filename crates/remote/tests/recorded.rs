//! The providers of packages, services, users, commands and probes, against a small model of a Debian host: programs do
//! there what they do on a real one, as far as these providers use them.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy.toml does not see as tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use provider::conformance;
use provider::exchange::{Answer, Change, Content, Ended, Fault, FileKind, Op, Operation, Query, Run, Stat};
use provider::{Attributes, BoxFuture, Description, Group, Inspected, Provider as _, ProviderError, Target};
use sandbox::{Config, ProviderModule, SHIPPED, Sandbox};
use serde_json::{Value, json};

async fn shipped(name: &str) -> (ProviderModule, Description) {
    let sandbox = Sandbox::new(Config { slots: 4, ..Config::default() }).unwrap();
    let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).unwrap();
    let module =
        sandbox.load_provider(name, shipped.component, model::Digest::of(shipped.component)).unwrap();
    let description = Description::parse(name, &module.schema().await.unwrap()).unwrap();
    (module, description)
}

fn object(value: Value) -> Attributes {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

#[derive(Default)]
struct Host {
    /// Installed version, and whether it is held.
    packages: BTreeMap<String, (String, bool)>,
    /// Newest version on offer.
    offered: BTreeMap<String, String>,
    /// Name, uid, gid, home, shell.
    users: BTreeMap<String, (u32, u32, String, String)>,
    /// Name, gid, members.
    groups: BTreeMap<String, (u32, BTreeSet<String>)>,
    /// Whether it runs, whether it is enabled.
    services: BTreeMap<String, (bool, bool)>,
    /// What systemd says of a unit whatever is done to it.
    stuck: BTreeMap<String, &'static str>,
    files: BTreeMap<String, Vec<u8>>,
    busy: bool,
    /// Every program that changed something.
    ran: Vec<String>,
    facts: usize,
}

fn ended(code: i32, stdout: &str, stderr: &str) -> Answer {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Answer::Ran { ended: Ended::Exited(code), stdout: bytes(stdout), stderr: bytes(stderr), truncated: false }
}

fn fault(code: &str) -> Answer {
    Answer::Fault(Fault { code: code.into(), message: code.into() })
}

impl Host {
    fn facts(&mut self) -> Value {
        self.facts += 1;
        let packages: Vec<_> = self
            .packages
            .iter()
            .map(|(name, (version, held))| json!({"name": name, "version": version, "arch": "amd64", "held": held}))
            .collect();
        let users: Vec<_> = self
            .users
            .iter()
            .map(|(name, (uid, gid, home, shell))| json!({"name": name, "uid": uid, "gid": gid, "home": home, "shell": shell}))
            .collect();
        let groups: Vec<_> = self
            .groups
            .iter()
            .map(|(name, (gid, members))| json!({"name": name, "gid": gid, "members": members}))
            .collect();
        json!({
            "os": {"id": "debian", "version": "12", "name": "Debian", "like": []},
            "packages": {"manager": "dpkg", "installed": packages},
            "users": users, "groups": groups,
        })
    }

    fn ask(&mut self, query: &Query) -> Answer {
        match query {
            Query::Facts { .. } => Answer::Facts(self.facts()),
            Query::Exec(run) => self.run(run),
            Query::Stat { path, .. } if path == "/run/systemd/system" => Answer::File(Some(Stat {
                kind: FileKind::Directory,
                size: 0,
                mode: 0o755,
                uid: 0,
                gid: 0,
                owner: None,
                group: None,
                target: None,
                sha256: None,
            })),
            Query::Stat { .. } => Answer::File(None),
            Query::Read { path, .. } => match self.files.get(path) {
                Some(data) => Answer::Content { data: data.clone(), complete: true },
                None => fault("not_found"),
            },
            Query::Tcp { port: 80, .. } => Answer::Connected(1),
            Query::Http { url, .. } if url.ends_with("/health") => Answer::Responded {
                status: 200,
                headers: Vec::new(),
                body: b"all is well".to_vec(),
                elapsed_ms: 5,
            },
            Query::Tcp { .. } | Query::Http { .. } => fault("unreachable"),
        }
    }

    fn carry_out(&mut self, op: &Op) -> Answer {
        match op {
            Op::Query { query } => self.ask(query),
            Op::Exec(run) => {
                self.ran.push(format!("{} {}", run.program, run.args.join(" ")));
                self.run(run)
            }
            Op::Write { path, content: Content::Bytes(bytes), .. } => {
                Answer::Done(self.files.insert(path.clone(), bytes.clone()).as_ref() != Some(bytes))
            }
            Op::Directory { .. } => Answer::Done(true),
            _ => fault("denied"),
        }
    }

    fn run(&mut self, run: &Run) -> Answer {
        let words: Vec<&str> = run.args.iter().map(String::as_str).collect();
        let last = words.last().copied().unwrap_or_default();
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        match (run.program.as_str(), words.as_slice()) {
            ("apt-cache", _) => match self.offered.get(last) {
                Some(version) => ended(0, &format!("{last}:\n  Candidate: {version}\n"), ""),
                None => ended(0, "", ""),
            },
            ("apt-get", _) if self.busy => {
                ended(100, "", "E: Could not get lock /var/lib/dpkg/lock-frontend")
            }
            ("apt-get", words) if words.contains(&"update") => ended(0, "", ""),
            ("apt-get", words) => self.apt_get(words),
            ("apt-mark", [verb, names @ ..]) => {
                for name in names {
                    self.packages.get_mut(*name).unwrap().1 = *verb == "hold";
                }
                ended(0, "", "")
            }
            ("systemctl", ["show", ..]) => self.systemctl_show(last),
            ("journalctl", ["--sync"]) => ended(0, "", ""),
            ("journalctl", words) if words.contains(&"_SYSTEMD_INVOCATION_ID=5f0c") => {
                ended(0, "cannot open the database\n", "")
            }
            ("systemctl", [verb, ..]) => self.systemctl(verb, last),
            ("useradd" | "usermod", words) => self.set_user(words, last),
            ("userdel", _) => {
                self.users.remove(last);
                self.groups.values_mut().for_each(|(_, members)| drop(members.take(last)));
                ended(0, "", "")
            }
            ("groupadd" | "groupmod", _) => {
                let gid = option("--gid=").map_or(900, |gid| gid.parse().unwrap());
                self.groups.entry(last.to_owned()).or_default().0 = gid;
                ended(0, "", "")
            }
            ("groupdel", _) => {
                self.groups.remove(last);
                ended(0, "", "")
            }
            _ => fault("program_missing"),
        }
    }

    fn apt_get(&mut self, words: &[&str]) -> Answer {
        let names = words.iter().skip(5).filter(|word| !word.starts_with('-'));
        for name in names {
            if words.contains(&"remove") {
                self.packages.remove(*name);
                continue;
            }
            let (name, wanted) = name.split_once('=').unwrap_or((name, ""));
            let Some(offered) = self.offered.get(name) else {
                return ended(100, "", &format!("E: Unable to locate package {name}"));
            };
            let version = wanted.strip_suffix('*').map_or_else(
                || if wanted.is_empty() { offered.clone() } else { wanted.to_owned() },
                |wanted| format!("{wanted}-1"),
            );
            self.packages.entry(name.to_owned()).or_default().0 = version;
        }
        ended(0, "", "")
    }

    fn systemctl_show(&self, unit: &str) -> Answer {
        let name = unit.trim_end_matches(".service");
        if let Some(said) = self.stuck.get(name) {
            return ended(0, said, "");
        }
        let state = match self.services.get(name) {
            None => "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n".to_owned(),
            Some((runs, enabled)) => format!(
                "LoadState=loaded\nActiveState={}\nUnitFileState={}\n",
                if *runs { "active" } else { "inactive" },
                if *enabled { "enabled" } else { "disabled" }
            ),
        };
        ended(0, &state, "")
    }

    fn systemctl(&mut self, verb: &str, unit: &str) -> Answer {
        let name = unit.trim_end_matches(".service");
        if self.stuck.contains_key(name) && matches!(verb, "start" | "restart") {
            // it does not come up while anybody waits for it
            return fault("timeout");
        }
        let service = self.services.get_mut(name).unwrap();
        match verb {
            "start" | "restart" => service.0 = true,
            "stop" => service.0 = false,
            "enable" => service.1 = true,
            "disable" => service.1 = false,
            _ => {}
        }
        ended(0, "", "")
    }

    fn set_user(&mut self, words: &[&str], last: &str) -> Answer {
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let groups = self.groups.clone();
        let user = self
            .users
            .entry(last.to_owned())
            .or_insert_with(|| (1000, 100, format!("/home/{last}"), "/bin/sh".to_owned()));
        if let Some(uid) = option("--uid=") {
            user.0 = uid.parse().unwrap();
        }
        if let Some(group) = option("--gid=") {
            user.1 = groups[group].0;
        }
        for (place, name) in [(&mut user.2, "--home="), (&mut user.3, "--shell=")] {
            if let Some(value) = option(name) {
                value.clone_into(place);
            }
        }
        if let Some(names) = option("--groups=") {
            let names: Vec<&str> = names.split(',').collect();
            for (name, (_, members)) in &mut self.groups {
                members.remove(last);
                if names.contains(&name.as_str()) {
                    members.insert(last.to_owned());
                }
            }
        }
        ended(0, "", "")
    }
}

struct Model(Mutex<Host>);

impl Model {
    fn new(host: Host) -> Self {
        Self(Mutex::new(host))
    }
}

impl Target for Model {
    fn ask<'a>(&'a self, queries: &'a [Query]) -> BoxFuture<'a, Result<Vec<Answer>, ProviderError>> {
        let mut host = self.0.lock().unwrap();
        let answers = queries.iter().map(|query| host.ask(query)).collect();
        Box::pin(async { Ok(answers) })
    }

    fn carry_out<'a>(
        &'a self,
        lists: &'a [Vec<Op>],
    ) -> BoxFuture<'a, Result<Vec<Vec<Answer>>, ProviderError>> {
        let mut host = self.0.lock().unwrap();
        let answers = lists.iter().map(|ops| ops.iter().map(|op| host.carry_out(op)).collect()).collect();
        Box::pin(async { Ok(answers) })
    }
}

async fn conforms(provider: &str, host: Host, cases: Value) -> Model {
    let (module, description) = shipped(provider).await;
    let model = Model::new(host);
    let cases = conformance::cases(&cases).unwrap();
    let report = conformance::check(&module, &description, &model, &cases).await;
    let told: Vec<String> = report.mismatches.iter().map(ToString::to_string).collect();
    assert_eq!(told, Vec::<String>::new(), "{} mismatches in {} checks", told.len(), report.checks);
    model
}

fn debian() -> Host {
    let mut host = Host::default();
    for (name, version) in [("nginx", "1.20.2-1"), ("curl", "7.88.1-10"), ("vim", "9.0-1")] {
        host.offered.insert(name.into(), version.into());
    }
    host.groups.insert("users".into(), (100, BTreeSet::new()));
    host.groups.insert("www".into(), (33, BTreeSet::new()));
    host.users.insert("ada".into(), (1001, 100, "/home/ada".into(), "/bin/bash".into()));
    host.services.insert("nginx".into(), (false, false));
    host
}

#[tokio::test]
async fn linux_pkg_keeps_its_word() {
    let package = |more: Value| {
        let mut config = object(json!({"package": "nginx"}));
        config.extend(object(more));
        Value::Object(config)
    };
    let configs = [
        json!({}),
        json!({"version": "1.18", "hold": true}),
        json!({"version": "1.20.2-1", "hold": true}),
        json!({"state": "absent"}),
        json!({"state": "latest", "refresh": true}),
    ]
    .map(package);
    let cases =
        json!([{"name": "nginx", "type": "linux.pkg::package", "configs": configs, "import": "nginx"}]);
    conforms("linux.pkg", debian(), cases).await;
}

async fn seen(provider: &str, kind: &str, model: &Model, config: Value) -> Inspected {
    let (module, description) = shipped(provider).await;
    let group = Group { provider: &module, kind: &description.types[kind], configs: vec![object(config)] };
    provider::inspect(&[group], model).await.pop().unwrap().pop().unwrap()
}

#[tokio::test]
async fn infrastructure_34_what_a_package_is_decides_what_is_planned() {
    let mut host = debian();
    host.packages.insert("nginx".into(), ("1.18.0-6".into(), false));
    let model = Model::new(host);
    let look = async |config| seen("linux.pkg", "linux.pkg::package", &model, config).await;
    assert_eq!(look(json!({"package": "curl"})).await, Inspected::Absent);
    let attribute = async |config, name: &str| match look(config).await {
        Inspected::Present(all) => all[name].clone(),
        other => panic!("{other}"),
    };
    assert_eq!(attribute(json!({"package": "nginx"}), "state").await, "present");
    assert_eq!(
        attribute(json!({"package": "nginx", "state": "latest"}), "state").await,
        "present",
        "1.20 is on offer"
    );
    assert_eq!(attribute(json!({"package": "nginx", "version": "1.20"}), "version").await, "1.18.0-6");
    assert_eq!(attribute(json!({"package": "nginx", "version": "1.18.0"}), "version").await, "1.18.0");
    let (module, _) = shipped("linux.pkg").await;
    for (config, place) in [
        (json!({"package": "nginx", "version": "1", "state": "absent"}), "version"),
        (json!({"package": "nginx", "version": "1", "state": "latest"}), "version"),
        (json!({"package": ""}), "package"),
        (json!({"package": "-y"}), "package"),
        (json!({"package": "nginx", "manager": "pacman"}), "manager"),
        (json!({"package": "nginx", "options": ["evil"]}), "options"),
    ] {
        let found =
            module.validate("linux.pkg::package", &[object(config.clone())]).await.unwrap().pop().unwrap();
        assert_eq!(found.first().map(|one| one.path.as_str()), Some(place), "{config}");
    }
}

fn create(config: Value) -> Change {
    Change {
        operation: Operation::Create,
        desired: object(config),
        prior: Attributes::new(),
        fields: Vec::new(),
        asked: Vec::new(),
    }
}

#[tokio::test]
async fn many_packages_are_one_transaction_and_one_question() {
    let (module, description) = shipped("linux.pkg").await;
    let model = Model::new(debian());
    let kind = &description.types["linux.pkg::package"];
    let changes = ["nginx", "curl", "vim"].map(|name| create(json!({"package": name}))).into();
    let made = provider::apply(&module, kind, &model, changes).await;
    assert!(made.iter().all(|one| one.as_ref().is_ok_and(|outcome| outcome.changed)), "{made:?}");
    {
        let mut host = model.0.lock().unwrap();
        assert_eq!(host.ran.len(), 1, "{:?}", host.ran);
        assert!(host.ran[0].ends_with("nginx curl vim"), "{}", host.ran[0]);
        assert_eq!(host.facts, 2, "once before, once after");
        host.packages.clear();
        host.busy = true;
    }
    let made = provider::apply(&module, kind, &model, vec![create(json!({"package": "nginx"}))]).await;
    let error = made[0].as_ref().unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("lock"), "{error}");
    model.0.lock().unwrap().busy = false;
    let made = provider::apply(&module, kind, &model, vec![create(json!({"package": "ngnix"}))]).await;
    let error = made[0].as_ref().unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("Unable to locate"), "{error}");
}

#[tokio::test]
async fn linux_user_keeps_its_word() {
    let cases = json!([
        {"name": "user", "type": "linux.user::user", "import": "bob", "configs": [
            {"name": "bob", "uid": 2000, "shell": "/bin/bash"},
            {"name": "bob", "uid": 2001, "groups": ["www", "users"], "home": "/home/bob/"},
            {"name": "bob", "group": "www", "groups": ["users"]},
        ]},
        {"name": "group", "type": "linux.user::group", "import": "dev", "configs": [
            {"name": "dev", "gid": 700}, {"name": "dev", "gid": 701},
        ]},
        {"name": "key", "type": "linux.user::authorized-key", "configs": [
            {"user": "ada", "key": "ssh-ed25519 AAAAC3Nz"},
            {"user": "ada", "key": "ssh-ed25519 AAAAC3Nz", "options": "no-pty", "comment": "ada@home"},
        ]},
    ]);
    let mut host = debian();
    host.files.insert("/home/ada/.ssh/authorized_keys".into(), b"ssh-rsa OTHER me\n".to_vec());
    let model = conforms("linux.user", host, cases).await;
    let host = model.0.lock().unwrap();
    let left = String::from_utf8_lossy(&host.files["/home/ada/.ssh/authorized_keys"]).into_owned();
    assert_eq!(left, "ssh-rsa OTHER me\n", "other keys are left alone");
}

#[tokio::test]
async fn linux_service_starts_enables_and_restarts_only_what_runs() {
    let (module, description) = shipped("linux.service").await;
    let model = Model::new(debian());
    let kind = &description.types["linux.service::service"];
    let wanted = json!({"name": "nginx", "state": "running", "enabled": true});
    let restart = Change { operation: Operation::Handle("restart".into()), ..create(wanted.clone()) };
    let idle = provider::apply(&module, kind, &model, vec![restart.clone()]).await;
    assert!(idle[0].as_ref().is_ok_and(|outcome| !outcome.changed), "what does not run is not restarted");
    for changed in [true, false] {
        let made = provider::apply(&module, kind, &model, vec![create(wanted.clone())]).await;
        let outcome = made[0].as_ref().unwrap();
        assert_eq!(outcome.changed, changed);
        assert_eq!(
            (&outcome.attributes["state"], &outcome.attributes["enabled"]),
            (&json!("running"), &json!(true))
        );
    }
    let made = provider::apply(&module, kind, &model, vec![restart]).await;
    assert!(made[0].as_ref().is_ok_and(|outcome| outcome.changed));
    let ran = model.0.lock().unwrap().ran.clone();
    assert_eq!(
        ran,
        [
            "systemctl enable -- nginx.service",
            "systemctl start -- nginx.service",
            "systemctl restart -- nginx.service"
        ]
    );
    let look = async |name: &str| {
        seen("linux.service", "linux.service::service", &model, json!({"name": name})).await
    };
    assert_eq!(look("apache2").await, Inspected::Absent);
    assert!(matches!(look("nginx").await, Inspected::Present(all) if all["state"] == "running"));
    assert!(matches!(look("-x").await, Inspected::Unreadable(_)));
}

#[tokio::test]
async fn a_service_that_does_not_stay_up_does_not_run_and_says_why() {
    let mut host = debian();
    for (name, said) in [
        // as systemd 252 says it of a service that ends at once, with Restart=always
        (
            "loop",
            "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=disabled\nInvocationID=5f0c\n",
        ),
        (
            "shut",
            "LoadState=masked\nActiveState=inactive\nSubState=dead\nUnitFileState=masked\nInvocationID=\n",
        ),
        (
            "brief",
            "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled-runtime\nInvocationID=1\n",
        ),
    ] {
        host.services.insert(name.into(), (false, false));
        host.stuck.insert(name.into(), said);
    }
    let model = Model::new(host);
    let (module, description) = shipped("linux.service").await;
    let kind = &description.types["linux.service::service"];
    let tried = async |config| {
        let mut made = provider::apply(&module, kind, &model, vec![create(config)]).await;
        let made = made.pop().unwrap().map(|outcome| outcome.changed);
        made.map_err(|error| (error.to_string(), error.is_transient()))
    };
    let look = async |name: &str| match seen(
        "linux.service",
        "linux.service::service",
        &model,
        json!({"name": name}),
    )
    .await
    {
        Inspected::Present(all) => (all["state"].clone(), all["enabled"].clone()),
        other => panic!("{other}"),
    };

    assert_eq!(look("loop").await.0, "stopped", "systemd only waits before it tries again");
    let (why, again) = tried(json!({"name": "loop", "state": "running"})).await.unwrap_err();
    assert!(why.contains("cannot open the database") && !again, "no other start is waited for: {why}");
    // to systemd, a start of one that it means to start again is a wait until it does
    let ran = model.0.lock().unwrap().ran.clone();
    assert_eq!(ran, ["systemctl restart -- loop.service"]);

    let before = model.0.lock().unwrap().ran.len();
    let (why, _) = tried(json!({"name": "shut", "state": "running", "enabled": true})).await.unwrap_err();
    assert!(why.contains("`systemctl unmask shut.service`"), "{why}");
    assert_eq!(tried(json!({"name": "shut", "state": "stopped", "enabled": false})).await, Ok(false));
    assert_eq!(model.0.lock().unwrap().ran.len(), before, "nothing was run for what is masked");

    assert_eq!(
        look("brief").await,
        (json!("running"), json!(false)),
        "that it is enabled ends with the host"
    );
}

#[tokio::test]
async fn a_key_as_it_is_in_a_file_is_told_apart_from_no_key() {
    let (module, _) = shipped("linux.user").await;
    for (key, words) in [
        ("ssh-ed25519 AAAAC3Nz ada@home", "has a comment after the key"),
        ("ssh-ed25519", "is not a public key"),
        ("AAAAC3Nz ada@home x", "is not a public key"),
    ] {
        let config = object(json!({"user": "ada", "key": key}));
        let found = module.validate("linux.user::authorized-key", &[config]).await.unwrap().pop().unwrap();
        assert_eq!(found[0].message, words, "{key}");
    }
}

#[tokio::test]
async fn probes_say_what_is_wrong() {
    let model = Model::new(debian());
    for (kind, config, complaint) in [
        ("probe.tcp", json!({"host": "db", "port": 80}), None),
        ("probe.tcp", json!({"host": "db", "port": 81}), Some("unreachable")),
        ("probe.http", json!({"url": "http://x/health", "contains": "well"}), None),
        ("probe.http", json!({"url": "http://x/health", "contains": "ill"}), Some("does not contain")),
        ("probe.http", json!({"url": "http://x/health", "status": [204, 301]}), Some("status 200")),
        ("probe.http", json!({"url": "http://x/"}), Some("unreachable")),
    ] {
        let seen = seen("probe.net", kind, &model, config.clone()).await;
        match complaint {
            None => assert!(matches!(seen, Inspected::Present(_)), "{config}: {seen}"),
            Some(part) => assert!(seen.to_string().contains(part), "{config}: {seen}"),
        }
    }
}
