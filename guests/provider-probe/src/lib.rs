//! Does what the type's name says, good or bad: the provider of the sandbox's own tests.

use provider_kit::{
    Answer, Application, Ask, FailureClass, Finding, Inspection, Look, Object, Op, Query, Removal, Resources,
    Value, done, failed, json, present,
};

struct Probe;

const KINDS: [&str; 12] = [
    "echo",
    "spin",
    "grow",
    "huge",
    "garbage",
    "panic",
    "curious",
    "greedy",
    "endless",
    "empty",
    "many",
    "join-nobody",
];

impl Resources for Probe {
    fn schema() -> Value {
        let types: Object = KINDS
            .iter()
            .map(|kind| {
                let schema = json!({
                    "attributes": {"path": {"type": "text"}},
                    "identity": ["path"],
                    "capabilities": ["write:{path}"],
                });
                (["probe::", kind].concat(), schema)
            })
            .collect();
        json!({"name": "probe", "version": "0.1.0", "types": types})
    }

    fn validate(_: &str, _: &Object) -> Vec<Finding> {
        Vec::new()
    }

    fn inspect(kind: &str, config: &Object, answers: &[&Answer]) -> Inspection {
        let stat = |path: &str| Query::Stat(Look { path: path.into(), digest: false, follow: false });
        let path = provider_kit::text(config, "path").unwrap_or_default();
        match kind {
            "probe::spin" => loop {
                std::hint::black_box(());
            },
            "probe::grow" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            "probe::huge" => Inspection::Unreadable("x".repeat(20 << 20)),
            "probe::garbage" => Inspection::Present("{\"half\":".into()),
            "probe::panic" => panic!("as asked"),
            "probe::curious" => Inspection::More(vec![stat("/etc/shadow")]),
            "probe::endless" => Inspection::More(vec![stat(path)]),
            "probe::empty" => Inspection::More(Vec::new()),
            "probe::many" => Inspection::More(vec![stat(path); 1000]),
            _ if answers.is_empty() => Inspection::More(vec![stat(path)]),
            _ => present(config.clone()),
        }
    }

    fn apply(kind: &str, change: &Ask, answers: &[&Answer]) -> Application {
        match kind {
            "probe::greedy" => {
                Application::More(vec![Op::Remove(Removal { path: "/".into(), recursive: true })])
            }
            "probe::join-nobody" => Application::Join(7),
            "probe::endless" => {
                let path = provider_kit::text(&change.desired, "path").unwrap_or_default().into();
                Application::More(vec![Op::Query(Query::Stat(Look { path, digest: false, follow: false }))])
            }
            _ if answers.is_empty() => failed(FailureClass::Transient, "as asked"),
            _ => done(change.desired.clone(), false),
        }
    }

    fn import(_: &str, id: &str) -> Result<Value, String> {
        Ok(json!({"path": id}))
    }
}

provider_kit::provider!(Probe);
