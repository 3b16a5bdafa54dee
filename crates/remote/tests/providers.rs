//! The shipped providers in their sandbox, against the real runner in this process.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy.toml does not see as tests")]

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;

use provider::conformance::{self, Case, Rule};
use provider::exchange::{Answer, Change, Op, Operation, Query};
use provider::{
    Attributes, BoxFuture, Description, FileUse, Files, Group, Inspected, Nothing, Probes, ProjectFile,
    Provider as _, ProviderError, Rights, Target,
};
use remote::{Carrier, Local, Session, Start, Target as _};
use sandbox::{Config, ProviderModule, SHIPPED, Sandbox};
use serde_json::{Value, json};

fn module(name: &str) -> ProviderModule {
    let sandbox = Sandbox::new(Config { slots: 4, ..Config::default() }).unwrap();
    let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).unwrap();
    sandbox.load_provider(name, shipped.component, model::Digest::of(shipped.component)).unwrap()
}

async fn described(module: &ProviderModule) -> Description {
    Description::parse(module.name(), &module.schema().await.unwrap()).unwrap()
}

/// The project's files, by digest.
#[derive(Default)]
struct Project(HashMap<String, Vec<u8>>);

impl Project {
    fn add(&mut self, path: &str, content: &[u8], as_what: FileUse) -> Value {
        let file = ProjectFile::new(path, content, as_what).unwrap();
        self.0.insert(file.sha256.clone(), content.to_vec());
        file.value()
    }
}

impl Files for Project {
    fn open(&self, sha256: &str) -> std::io::Result<(u64, Box<dyn Read + Send>)> {
        let content = self.0.get(sha256).ok_or(std::io::ErrorKind::NotFound)?;
        Ok((content.len() as u64, Box::new(Cursor::new(content.clone()))))
    }
}

async fn session(root: &Path) -> Session {
    let root = root.to_str().unwrap().to_owned();
    let rights = Rights { exec: [].into(), read: [root.clone()].into(), write: [root].into() };
    Local::new(Start::default()).open(remote::grants(rights)).await.unwrap()
}

/// Texts of a document replaced by values.
fn fill(value: &mut Value, marks: &[(&str, Value)]) {
    match value {
        Value::String(text) => {
            for (mark, with) in marks {
                if text == mark {
                    *value = with.clone();
                    return;
                }
                if let (true, Some(with)) = (text.contains(mark), with.as_str()) {
                    *text = text.replace(mark, with);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, marks)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, marks)),
        _ => {}
    }
}

fn object(value: &Value) -> Attributes {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn linux_file_keeps_its_word() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let mut project = Project::default();
    let marks = [
        ("$ROOT", path.to_str().unwrap().into()),
        ("$UID", rustix_uid().into()),
        ("$LARGE", project.add("logo.png", &vec![7; 3 << 20], FileUse::Reference)),
        ("$SMALL", project.add("dot.png", &[1, 2, 3], FileUse::Reference)),
        ("$TEMPLATE", project.add("hello.tpl", b"hello ${name}\n", FileUse::Text)),
    ];
    let mut document: Value =
        serde_json::from_str(include_str!("../../../guests/cases/linux-file.json")).unwrap();
    fill(&mut document, &marks);
    let cases: Vec<Case> = conformance::cases(&document).unwrap();
    let module = module("linux.file");
    let description = described(&module).await;
    let session = session(&path).await;
    let carrier = Carrier::new(&session, &project, &Nothing);
    let report = conformance::check(&module, &description, &carrier, &cases).await;
    let told: Vec<String> = report.mismatches.iter().map(ToString::to_string).collect();
    assert_eq!(told, Vec::<String>::new(), "{} mismatches in {} checks", told.len(), report.checks);
    assert!(report.checks >= 60, "{} checks", report.checks);
}

fn rustix_uid() -> String {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid().to_string()
}

/// Counts round trips.
struct Counted<'a>(Carrier<'a>, std::sync::atomic::AtomicUsize);

impl Target for Counted<'_> {
    fn ask<'a>(&'a self, queries: &'a [Query]) -> BoxFuture<'a, Result<Vec<Answer>, ProviderError>> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.ask(queries)
    }
    fn carry_out<'a>(
        &'a self,
        lists: &'a [Vec<Op>],
    ) -> BoxFuture<'a, Result<Vec<Vec<Answer>>, ProviderError>> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.carry_out(lists)
    }
}

#[tokio::test]
async fn five_hundred_files_are_made_and_looked_at_in_one_round_trip_each() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let module = module("linux.file");
    let description = described(&module).await;
    let kind = &description.types["linux.file::file"];
    let session = session(&path).await;
    let target = Counted(Carrier::new(&session, &Nothing, &Nothing), 0.into());
    let configs: Vec<Attributes> = (0..500)
        .map(|n| {
            object(&json!({"path": path.join(format!("f{n}")), "content": format!("{n}\n"), "mode": "0644"}))
        })
        .collect();
    let look = async || {
        let group = Group { provider: &module, kind, configs: configs.clone() };
        provider::inspect(&[group], &target).await.pop().unwrap()
    };
    let trips = || target.1.swap(0, std::sync::atomic::Ordering::Relaxed);
    assert!(look().await.iter().all(|one| *one == Inspected::Absent));
    assert_eq!(trips(), 1);
    let changes = configs
        .iter()
        .map(|desired| Change {
            operation: Operation::Create,
            desired: desired.clone(),
            prior: Attributes::new(),
            fields: Vec::new(),
            asked: Vec::new(),
        })
        .collect();
    let made = provider::apply(&module, kind, &target, changes).await;
    assert!(made.iter().all(|one| one.as_ref().is_ok_and(|outcome| outcome.changed)));
    assert_eq!(trips(), 1);
    let seen = look().await;
    assert_eq!(trips(), 1);
    assert!(seen.iter().zip(&configs).all(|(one, config)| {
        matches!(one, Inspected::Present(seen) if config.iter().all(|(name, value)| seen.get(name) == Some(value)))
    }));
}

#[tokio::test]
async fn what_differs_is_shown_and_what_is_in_the_way_is_not_touched() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    std::fs::write(path.join("motd"), "by hand\n").unwrap();
    std::fs::create_dir(path.join("dir")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path.join("link")).unwrap();
    let module = module("linux.file");
    let description = described(&module).await;
    let session = session(&path).await;
    let carrier = Carrier::new(&session, &Nothing, &Nothing);
    let kind = &description.types["linux.file::file"];
    let config = |name: &str| object(&json!({"path": path.join(name), "content": "declared\n"}));
    let group = Group { provider: &module, kind, configs: ["motd", "dir", "link"].map(config).into() };
    let seen = provider::inspect(&[group], &carrier).await.pop().unwrap();
    let Inspected::Present(motd) = &seen[0] else { panic!("{:?}", seen[0]) };
    assert_eq!(motd["content"], "by hand\n");
    assert!(seen[1].to_string().contains("is a directory"), "{}", seen[1]);
    assert!(seen[2].to_string().contains("is a symbolic link"), "{}", seen[2]);
    // a resource cannot be used to write elsewhere, whatever the provider answers
    let evil = Change {
        operation: Operation::Create,
        desired: object(&json!({"path": "/etc/aedile-test", "content": "x"})),
        prior: Attributes::new(),
        fields: Vec::new(),
        asked: Vec::new(),
    };
    let made = provider::apply(&module, kind, &carrier, vec![evil]).await;
    assert!(made[0].as_ref().is_err_and(|error| error.to_string().contains("not below a directory granted")));
    assert!(!Path::new("/etc/aedile-test").exists());
}

#[tokio::test]
async fn mistakes_in_a_configuration_are_found_before_anything_is_asked() {
    let module = module("linux.file");
    let table = [
        ("linux.file::file", json!({"path": "etc/motd"}), "path"),
        ("linux.file::file", json!({"path": "/etc/../motd"}), "path"),
        ("linux.file::file", json!({"path": "/"}), "path"),
        ("linux.file::file", json!({"path": "/x", "mode": "0999"}), "mode"),
        ("linux.file::file", json!({"path": "/x", "mode": 40000}), "mode"),
        ("linux.file::file", json!({"path": "/x", "owner": "a:b"}), "owner"),
        ("linux.file::file", json!({"path": "/x", "content": "", "source": "y"}), "source"),
        ("linux.file::template", json!({"path": "/x", "template": "${a}"}), "template"),
        ("linux.file::line", json!({"path": "/x", "line": "a\nb"}), "line"),
        ("linux.file::line", json!({"path": "/x", "line": "a", "starts": "b"}), "starts"),
    ];
    for (kind, config, place) in table {
        let found = module.validate(kind, &[object(&config)]).await.unwrap().pop().unwrap();
        assert_eq!(found.first().map(|one| one.path.as_str()), Some(place), "{config}");
    }
    let fine = object(&json!({"path": "/etc/motd", "mode": "0644", "content": "x"}));
    assert_eq!(module.validate("linux.file::file", &[fine]).await.unwrap(), [vec![]]);
}

/// Answers as if nothing had been done.
struct Forgetful<'a>(Carrier<'a>);

impl Target for Forgetful<'_> {
    fn ask<'a>(&'a self, queries: &'a [Query]) -> BoxFuture<'a, Result<Vec<Answer>, ProviderError>> {
        self.0.ask(queries)
    }
    fn carry_out<'a>(
        &'a self,
        lists: &'a [Vec<Op>],
    ) -> BoxFuture<'a, Result<Vec<Vec<Answer>>, ProviderError>> {
        Box::pin(async move {
            let only_looks = |op: &Op| matches!(op, Op::Query { .. });
            let looked: Vec<Vec<Op>> =
                lists.iter().map(|ops| ops.iter().filter(|op| only_looks(op)).cloned().collect()).collect();
            let answers = self.0.carry_out(&looked).await?;
            Ok(lists
                .iter()
                .zip(answers)
                .map(|(ops, answers)| {
                    let mut answers = answers.into_iter();
                    let one = |op| if only_looks(op) { answers.next().unwrap() } else { Answer::Done(true) };
                    ops.iter().map(one).collect()
                })
                .collect())
        })
    }
}

#[tokio::test]
async fn the_conformance_suite_finds_a_target_on_which_nothing_happens() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    std::fs::write(path.join("motd"), "before").unwrap();
    let module = module("linux.file");
    let description = described(&module).await;
    let session = session(&path).await;
    let target = Forgetful(Carrier::new(&session, &Nothing, &Nothing));
    let document = json!([{"name": "motd", "type": "linux.file::file",
        "configs": [{"path": path.join("motd"), "content": "after"}]}]);
    let cases = conformance::cases(&document).unwrap();
    let report = conformance::check(&module, &description, &target, &cases).await;
    let broken: Vec<Rule> = report.mismatches.iter().map(|one| one.rule).collect();
    assert_eq!(broken, [Rule::PlanEqualsApply, Rule::SecondApply, Rule::DeleteIsGone]);
}

#[tokio::test]
async fn probes_go_to_whoever_probes() {
    struct Up;
    impl Probes for Up {
        fn tcp<'a>(&'a self, host: &'a str, port: u16, _: std::time::Duration) -> BoxFuture<'a, Answer> {
            assert_eq!((host, port), ("db", 5432));
            Box::pin(async { Answer::Connected(3) })
        }
        fn http<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Answer> {
            Box::pin(async { Answer::Connected(4) })
        }
    }
    let session = session(Path::new("/proc")).await;
    let carrier = Carrier::new(&session, &Nothing, &Up);
    let stat = Query::Stat { path: "/proc/self".into(), digest: false, follow: false };
    let tcp = Query::Tcp { host: "db".into(), port: 5432, timeout_ms: 100 };
    let answers = carrier.ask(&[stat, tcp]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Answer::File(Some(_)), Answer::Connected(3)]), "{answers:?}");
}

#[tokio::test]
async fn a_command_runs_once_while_its_guard_says_so() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let module = module("linux.exec");
    let description = described(&module).await;
    let kind = &description.types["linux.exec::exec"];
    let text = path.to_str().unwrap().to_owned();
    let exec = ["touch", "false", "test"].map(str::to_owned).into();
    let rights = Rights { exec, read: [text].into(), write: [].into() };
    let session = Local::new(Start::default()).open(remote::grants(rights)).await.unwrap();
    let carrier = Carrier::new(&session, &Nothing, &Nothing);
    let make = async |config: Value| {
        let change = Change {
            operation: Operation::Create,
            desired: object(&config),
            prior: Attributes::new(),
            fields: Vec::new(),
            asked: Vec::new(),
        };
        provider::apply(&module, kind, &carrier, vec![change]).await.pop().unwrap()
    };
    let touch = json!({"command": ["touch", path.join("made")], "creates": path.join("made")});
    for changed in [true, false] {
        assert_eq!(make(touch.clone()).await.map(|outcome| outcome.changed), Ok(changed));
    }
    let unless = json!({"command": ["touch", path.join("two")], "unless": ["test", "-e", path.join("two")]});
    for changed in [true, false] {
        assert_eq!(make(unless.clone()).await.map(|outcome| outcome.changed), Ok(changed));
    }
    let fails = make(json!({"command": ["false"], "creates": path.join("never")})).await.unwrap_err();
    assert!(fails.to_string().contains("exited with 1"), "{fails}");
    let lies =
        make(json!({"command": ["touch", path.join("a")], "creates": path.join("b")})).await.unwrap_err();
    assert!(lies.to_string().contains("still says"), "{lies}");
    let found =
        module.validate("linux.exec::exec", &[object(&json!({"command": ["x"], "timeout": 1}))]).await;
    assert!(found.unwrap()[0][0].message.contains("needs `creates` or `unless`"));
}
