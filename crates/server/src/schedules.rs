//! Keeps the schedules of an environment's workflows, as their files say.
//!
//! A start is appended on the condition that nobody made it before ([`engine::schedules`]), and a schedule's place is in the
//! journal. So a schedule that is kept anew because its workflow was changed goes on where it was: no start is lost and none is
//! made twice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine::ports::Definition;
use project::{Document, Rules, scheduling};
use tokio::task::{AbortHandle, JoinSet};

use crate::app::Log;
use crate::bench::Bench;

/// Keeps the schedules for as long as it is polled. What goes wrong with one is said, and keeps nobody else's from being kept.
pub(crate) async fn keep(bench: Arc<Bench>, log: Log) {
    let mut renewed = bench.workshop.rules.renewed();
    let name = format!("{}/{}", bench.project, bench.environment());
    let mut keeping = Keeping { bench, log, name, kept: BTreeMap::new(), tasks: JoinSet::new() };
    loop {
        renewed.borrow_and_update();
        keeping.look().await;
        tokio::select! {
            changed = renewed.changed() => if changed.is_err() { return },
            () = keeping.ended() => return,
        }
    }
}

/// The schedules that are kept, by the file of their workflow.
struct Keeping {
    bench: Arc<Bench>,
    log: Log,
    name: String,
    kept: BTreeMap<PathBuf, Kept>,
    tasks: JoinSet<()>,
}

/// One of them: as what, and by which task.
struct Kept {
    definition: Definition,
    task: AbortHandle,
}

impl Keeping {
    /// Keeps what the files say now, and nothing that they do not say any more. A file that cannot be read says nothing new.
    async fn look(&mut self) {
        let (bench, rules) = (Arc::clone(&self.bench), self.bench.workshop.rules.now());
        let found = {
            let rules = Arc::clone(&rules);
            tokio::task::spawn_blocking(move || scheduling::with_schedule(&bench.place, &rules)).await
        };
        let (documents, broken) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return self.say(&format!("no schedule is kept anew: {error}")),
            Err(error) => return self.say(&format!("no schedule is kept anew: {error}")),
        };
        let mut left = std::mem::take(&mut self.kept);
        for (file, error) in broken {
            let how = match left.remove_entry(&file) {
                Some((file, kept)) => {
                    self.kept.insert(file, kept);
                    "is kept as it was"
                }
                None => "is left out",
            };
            self.say(&format!("{} {how}: {error}", file.display()));
        }
        for document in documents {
            let file = PathBuf::from(document.definition.program.source.clone().unwrap_or_default());
            let kept = match left.remove(&file) {
                Some(kept) if is_same(&kept.definition, &document.definition) => kept,
                other => {
                    if let Some(kept) = other {
                        kept.task.abort();
                    }
                    Kept { definition: document.definition.clone(), task: self.start(document, &rules) }
                }
            };
            self.kept.insert(file, kept);
        }
        for kept in left.into_values() {
            kept.task.abort();
            self.say(&format!("the schedule of {} is not kept any more", kept.definition.program.name));
        }
    }

    fn start(&mut self, document: Document, rules: &Arc<Rules>) -> AbortHandle {
        let (bench, log, name) = (Arc::clone(&self.bench), Arc::clone(&self.log), self.name.clone());
        let rules = Arc::clone(rules);
        self.tasks.spawn(async move { keep_one(&bench, &rules, &document, &name, &log).await })
    }

    /// Puts away what ended. Never ends itself: what has no further start now may be changed.
    async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
        std::future::pending::<()>().await;
    }

    fn say(&self, what: &str) {
        (self.log)(&format!("{}: {what}", self.name));
    }
}

/// Whether runs of both would be the same.
fn is_same(one: &Definition, other: &Definition) -> bool {
    one.program.digest == other.program.digest && one.actions == other.actions
}

async fn keep_one(bench: &Bench, rules: &Rules, document: &Document, name: &str, log: &Log) {
    let workflow = &document.definition.program.name;
    let input = serde_json::Value::Object(serde_json::Map::new());
    let kept = match scheduling::scheduled(rules, document, &input) {
        Ok(scheduled) => {
            log(&format!("{name}: keeping the schedule of {workflow}"));
            let started = |run| log(&format!("{name}: {workflow} started {run} by its schedule"));
            bench.workshop.engine.keep(&scheduled, started).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match kept {
        Ok(()) => log(&format!("{name}: {workflow} has no further start")),
        Err(why) => log(&format!("{name}: the schedule of {workflow} is not kept: {why}")),
    }
}
