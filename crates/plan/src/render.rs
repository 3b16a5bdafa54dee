//! A plan in words, and as a graph for other programs to draw.

use std::fmt::{self, Write as _};

use model::program::Proposal;
use serde_json::{Value, json};

use crate::change::{Change, Field, Operation, Reason};
use crate::file::Plan;
use crate::limits;
use crate::lines::{self, Budget, Line};
use crate::name::Name;
use crate::value::{Term, for_people, in_full};

/// Longest value that is shown in full, in characters.
const SHOWN: usize = 60;

fn list(attributes: &[Name]) -> String {
    attributes.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new in the configuration"),
            Self::Missing => f.write_str("drift: it was applied and is gone"),
            Self::Removed => f.write_str("removed from the configuration"),
            Self::DeclaredAbsent => f.write_str("declared absent, and there"),
            Self::Returned => f.write_str("drift: it was applied as absent and is there again"),
            Self::HostRemoved => f.write_str("its host is no longer in the inventory"),
            Self::AlreadyGone => f.write_str("removed from the configuration, and gone already"),
            Self::Drift { attributes } => write!(f, "drift: declared value differs ({})", list(attributes)),
            Self::Configuration { attributes } => write!(f, "configuration changed ({})", list(attributes)),
            Self::Conflict { attributes } => {
                write!(f, "changed in the configuration and, differently, on the host ({})", list(attributes))
            }
            Self::Adopted { attributes } => {
                write!(f, "there before it was declared, and differs ({})", list(attributes))
            }
            Self::DependsOn { on, attributes } => {
                write!(f, "depends on {}, which changes ({})", on.resource, list(attributes))
            }
            Self::NotYet { missing } => write!(f, "cannot be read before {missing} is there"),
            Self::Replaced { attributes } if attributes.is_empty() => f.write_str("replaced by a new one"),
            Self::Replaced { attributes } => {
                write!(f, "replaced: {} cannot be changed in place", list(attributes))
            }
            Self::Moved { from } => write!(f, "moved from {}", from.resource),
            Self::Unreadable { problem } => write!(f, "it could not be read: {problem}"),
            Self::NotRead => f.write_str("it was not read"),
            Self::Kept => f.write_str("would be deleted, and is declared to be kept"),
            Self::AsDeclared => {
                f.write_str("there as it is declared, and not on record; the host is not touched")
            }
            Self::Asked => f.write_str("asked for; only the record changes, the host is not touched"),
            Self::Undo { operation } => write!(f, "takes back: {operation}"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(self, |value| short(&for_people(value))))
    }
}

/// A value in words, and how much of it is known.
fn told(term: &Term, shown: impl Fn(&Value) -> String) -> String {
    match term {
        Term::Absent => "(none)".to_owned(),
        Term::Known { value } => shown(value),
        Term::Predicted { value } => format!("{} (expected)", shown(value)),
        Term::Unknown { on } if on.is_empty() => "(known after apply)".to_owned(),
        Term::Unknown { on } => format!("(known after apply, from {})", on.join(", ")),
        Term::Secret { reference: Some(reference), .. } => shown(reference),
        Term::Secret { reference: None, .. } => "(secret)".to_owned(),
    }
}

/// One attribute of a change, for people to review: nothing of it is cut, and no value of a secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its name.
    pub name: &'a Name,
    /// What is there; `None` where there is nothing yet.
    pub before: Option<String>,
    /// What will be; `None` where nothing will.
    pub after: Option<String>,
    /// What differs line by line, where both sides are texts and one of them has several lines.
    pub lines: Option<Vec<Line>>,
    /// Whether it forces replacement.
    pub forces_replacement: bool,
}

impl Change {
    /// What differs, attribute by attribute: of what is made, all that is declared; of what is deleted, all that was applied.
    /// Texts of several lines are compared as long as the budget lasts.
    pub fn rows(&self, budget: &mut Budget) -> Vec<Row<'_>> {
        let row = |name, before, after| Row { name, before, after, lines: None, forces_replacement: false };
        if !self.fields.is_empty() {
            let fields = self.fields.iter().map(|field| Row {
                forces_replacement: field.forces_replacement,
                lines: lines::between(&field.before, &field.after, budget),
                ..row(&field.name, Some(told(&field.before, in_full)), Some(told(&field.after, in_full)))
            });
            return fields.collect();
        }
        let made = self.operation == Operation::Create;
        let desired = self.desired.iter().filter(|_| made);
        let desired = desired.map(|(name, value)| row(name, None, Some(in_full(value))));
        let prior = self.prior.iter().map(|(name, term)| row(name, Some(told(term, in_full)), None));
        desired.chain(prior).collect()
    }
}

fn short(text: &str) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN - 1).collect();
    format!("{start}… ({count} characters)")
}

fn sign(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "+",
        Operation::Update => "~",
        Operation::Replace => "-/+",
        Operation::Delete | Operation::Dispose => "-",
        Operation::Move => ">",
        Operation::Forget => "x",
        Operation::Adopt => "=",
        Operation::Blocked => "!",
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.name, self.before, self.after)?;
        if self.forces_replacement { f.write_str(" (forces replacement)") } else { Ok(()) }
    }
}

impl Field {
    /// What changes, on lines of its own.
    fn write(&self, f: &mut fmt::Formatter<'_>, budget: &mut Budget) -> fmt::Result {
        let Some(lines) = lines::between(&self.before, &self.after, budget) else {
            return writeln!(f, "      {self}");
        };
        let forces = if self.forces_replacement { " (forces replacement)" } else { "" };
        writeln!(f, "      {}:{forces}", self.name)?;
        lines.iter().try_for_each(|line| match line {
            Line::Same(text) if text.is_empty() => writeln!(f),
            line => writeln!(f, "        {line}"),
        })
    }
}

impl Change {
    /// The change in words; texts of several lines are compared as long as the budget lasts.
    fn write(&self, f: &mut fmt::Formatter<'_>, budget: &mut Budget) -> fmt::Result {
        writeln!(f, "{:>3} {} {} [{}]", sign(self.operation), self.operation, self.instance, self.kind)?;
        for reason in &self.reasons {
            writeln!(f, "      because {reason}")?;
        }
        self.fields.iter().try_for_each(|field| field.write(f, budget))?;
        if self.operation == Operation::Create {
            let shown = |value| short(&for_people(value));
            self.desired
                .iter()
                .try_for_each(|(name, value)| writeln!(f, "      {name}: {}", shown(value)))?;
        }
        if !self.uses.is_empty() {
            writeln!(f, "      touches {}", for_people(&self.uses.join(", ").into()).trim_matches('"'))?;
        }
        if self.reversibility == model::Reversibility::Irreversible {
            writeln!(f, "      cannot be taken back")?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &mut Budget::default())
    }
}

impl fmt::Display for Plan {
    /// The whole plan for people, without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut budget = Budget::default();
        self.changes.iter().try_for_each(|change| change.write(f, &mut budget))?;
        for handler in &self.handlers {
            let watched = handler.triggers.len();
            writeln!(f, "  * {} {} once, when any of {watched} changed", handler.name, handler.instance)?;
        }
        for check in &self.checks {
            writeln!(f, "  ? {} [{}]", check.instance, check.kind)?;
        }
        let counts = &self.counts;
        let mut parts = Vec::new();
        for (count, word) in [
            (counts.create, "to create"),
            (counts.update, "to update"),
            (counts.replace, "to replace"),
            (counts.delete, "to delete"),
            (counts.moved, "to move"),
            (counts.forget, "to forget"),
            (counts.adopt, "to adopt"),
            (counts.blocked, "blocked"),
            (counts.unchanged, "unchanged"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let sums = if parts.is_empty() { "nothing is declared".to_owned() } else { parts.join(", ") };
        writeln!(f, "{sums}")?;
        self.summary_of_reach(f)
    }
}

impl Plan {
    /// What people are shown who are asked to approve it: how many changes of which kind, how far they reach, and what they are.
    pub(crate) fn proposal(&self) -> Proposal {
        let counts = &self.counts;
        let parts: Vec<String> = [
            (counts.create, "create"),
            (counts.update, "update"),
            (counts.replace, "replace"),
            (counts.delete, "delete"),
            (counts.moved, "move"),
            (counts.forget, "forget"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{word} {count}"))
        .collect();
        let hosts = self.reach.hosts.len();
        let noun = if hosts == 1 { "host" } else { "hosts" };
        let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
        let named = self.changes.iter().take(limits::PROPOSED_NAMES_MAX);
        let changes: Vec<String> =
            named.map(|change| format!("{} {}", change.operation, change.instance)).collect();
        Proposal {
            title: format!("Apply a plan to {hosts} {noun} of {}: {what}", self.environment),
            shown: json!({
                "plan": self.id,
                "digest": self.digest(),
                "counts": counts,
                "reach": self.reach,
                "changes": changes,
            }),
        }
    }

    fn summary_of_reach(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = &self.reach;
        if reach.resources == 0 {
            return Ok(());
        }
        let (whole, tenth) = (reach.share_permille / 10, reach.share_permille % 10);
        write!(
            f,
            "reaches {} of {} hosts, {} of {} resources ({whole}.{tenth} %)",
            reach.hosts.len(),
            reach.hosts_known,
            reach.resources,
            reach.resources_known
        )?;
        if reach.irreversible > 0 {
            write!(f, ", {} cannot be taken back", reach.irreversible)?;
        }
        writeln!(f)?;
        for (kind, used) in &self.types {
            writeln!(f, "{kind} {}", used.version_for_people())?;
        }
        Ok(())
    }

    /// The graph in the DOT language of Graphviz: every step and every edge, an arrow from what comes first to what
    /// comes after it; dotted where only order matters, dashed where a handler is triggered.
    pub fn to_dot(&self) -> String {
        use crate::desired::DependencyKind;
        let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
        let labels = self
            .changes
            .iter()
            .map(|change| (format!("{} {}", change.operation, change.instance), "solid"))
            .chain(self.junctions.iter().map(|junction| (junction.label.clone(), "dotted")));
        for (number, (label, style)) in labels.enumerate() {
            let _infallible = writeln!(out, "  s{number} [label={}, style={style}];", quoted(&label));
        }
        for (vertex, edges) in self.graph().after.iter().enumerate() {
            for edge in edges {
                let style = if edge.kind == DependencyKind::Order { " [style=dotted]" } else { "" };
                let _infallible = writeln!(out, "  s{} -> s{vertex}{style};", edge.step);
            }
        }
        for (number, handler) in self.handlers.iter().enumerate() {
            let label = quoted(&format!("{} {}", handler.name, handler.instance));
            let _infallible = writeln!(out, "  h{number} [label={label}, shape=ellipse];");
            for trigger in &handler.triggers {
                let _infallible = writeln!(out, "  s{trigger} -> h{number} [style=dashed];");
            }
        }
        out.push_str("}\n");
        out
    }

    /// The level of each change: 1 for those that nothing comes before. For display; applying has no levels.
    pub fn levels(&self) -> Vec<u32> {
        let mut graph = self.graph();
        let order = graph.sort();
        let changes = self.changes.len();
        let mut levels = graph.levels(&order, |vertex| (vertex as usize) < changes);
        levels.truncate(changes);
        levels
    }

    /// How many changes have to be made one after the other, however many may be made at once.
    pub fn depth(&self) -> u32 {
        self.levels().into_iter().max().unwrap_or(0)
    }
}

/// A quoted identifier of DOT, in which quotes and backslashes are escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
