//! Runs the test archives of the CUE project: `.txtar` files whose sources say with `@test(...)`
//! what a value must be.

mod assertion;
mod compare;
mod golden;

use std::collections::BTreeMap;

use crate::eval::{Eval, Limits};
use crate::load::{Compiler, MemoryLoader, SourceFile};
use crate::program::Program;
use crate::session::Options;
use crate::value::NodeId;

/// The result of one assertion.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Path in the value.
    pub path: String,
    /// The assertion as written.
    pub assertion: String,
    /// Why it does not hold, if so.
    pub failure: Option<String>,
}

/// What one archive gave.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every counted assertion.
    pub outcomes: Vec<Outcome>,
    /// `@test` attributes of forms that do not count.
    pub not_counted: usize,
}

/// The sections of an archive: a comment, then named files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Archive {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) order: Vec<String>,
}

impl Archive {
    fn parse(text: &str) -> Self {
        let mut archive = Self::default();
        let mut name: Option<String> = None;
        let mut body = String::new();
        for line in text.split_inclusive('\n') {
            let trimmed = line.trim_end();
            if let Some(next) = trimmed.strip_prefix("-- ").and_then(|r| r.strip_suffix(" --")) {
                archive.add(name.replace(next.trim().to_owned()), std::mem::take(&mut body));
            } else {
                body.push_str(line);
            }
        }
        archive.add(name, body);
        archive
    }

    fn add(&mut self, name: Option<String>, body: String) {
        if let Some(name) = name {
            self.order.push(name.clone());
            self.files.insert(name, body);
        }
    }
}

/// Runs one archive.
#[must_use]
pub fn run_archive(text: &str) -> Report {
    let archive = Archive::parse(text);
    let mut sources = Vec::new();
    let mut report = Report::default();
    let mut syntax = Vec::new();
    for name in &archive.order {
        // a package's tests are no part of it
        if !name.ends_with(".cue") || name.ends_with("_test.cue") || name.contains('/') {
            continue;
        }
        match SourceFile::new(name, &archive.files[name]) {
            Ok(source) => sources.push(source),
            Err(errors) => syntax.extend(errors.0),
        }
    }
    let attributed = sources.iter().any(|s| s.text.contains("@test("));
    if !syntax.is_empty() && attributed {
        let failure = Some(syntax[0].to_string());
        report.outcomes.push(Outcome { path: String::new(), assertion: "parse".to_owned(), failure });
        return report;
    }
    let loader = MemoryLoader(archive.files.clone());
    let mut program = Program::default();
    let options = Options::default();
    let compiled = Compiler::new(&loader, &options).main(&mut program, &sources);
    let mut eval = Eval::new(program, Limits::default());
    let root = eval.package(compiled.package);
    eval.complete(root);
    if attributed {
        for source in &sources {
            assertion::run(&mut eval, root, source, &mut report);
        }
    } else {
        let mut all = syntax;
        all.extend(compiled.errors);
        golden::run(&mut eval, root, &archive, &all, &mut report);
    }
    report
}

/// The node at a path of labels, without regard to whether it is required or optional.
pub(crate) fn descend(eval: &mut Eval, root: NodeId, path: &[String]) -> Option<NodeId> {
    let mut node = root;
    for part in path {
        eval.expand(node);
        let at = eval.deref(node);
        let arcs: Vec<_> = eval.node(at).arcs.iter().collect();
        let named = |eval: &Eval, label, arc| {
            !eval.node(arc).conjuncts.is_empty() && *eval.program.labels.text(label) == **part
        };
        let found = arcs.iter().find(|(label, arc)| named(eval, *label, *arc));
        let found = match found {
            Some(found) => Some(found.1),
            None => {
                let default = eval.default_of(at)?;
                let arcs: Vec<_> = eval.node(default).arcs.iter().collect();
                let hit = arcs.iter().find(|(label, arc)| named(eval, *label, *arc));
                hit.map(|h| h.1)
            }
        };
        node = found?;
    }
    Some(node)
}
