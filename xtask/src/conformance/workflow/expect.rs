//! Whether what was seen is what was expected.

use model::{Outcome, Problem};
use serde_json::Value;

use super::phrases::{Ending, Expectation};

/// What a run did, as its journal tells.
#[derive(Debug)]
pub(super) struct Observed {
    /// How it ended; `None` while it waits.
    pub(super) outcome: Option<Outcome>,
    /// Its tasks' doings, in the journal's order.
    pub(super) tasks: Vec<Doing>,
}

/// One thing that happened to a task.
#[derive(Debug)]
pub(super) struct Doing {
    /// The task's name.
    pub(super) task: String,
    /// What happened.
    pub(super) what: What,
}

/// What happens to a task.
#[derive(Debug)]
pub(super) enum What {
    /// It began, or was seen for the first time.
    Began,
    /// It has an output.
    Completed(Value),
    /// It has a problem.
    Faulted(Problem),
    /// It was given up.
    Cancelled,
}

impl Expectation {
    /// Nothing if it is so, otherwise what is the case instead.
    pub(super) fn check(&self, seen: &Observed) -> Result<(), String> {
        match self {
            Self::Ends { task: None, how, with } => workflow_ends(seen, *how, with.as_ref()),
            Self::Ends { task: Some(task), how, with } => task_ends(seen, task, *how, with.as_ref()),
            Self::Output(value) => same(value, output(seen)?),
            Self::Members { paths, present } => {
                let output = output(seen)?;
                let wrong: Vec<&str> = paths
                    .iter()
                    .filter(|path| find(output, path).is_some() != *present)
                    .map(String::as_str)
                    .collect();
                let verb = if *present { "misses" } else { "has" };
                if wrong.is_empty() {
                    Ok(())
                } else {
                    Err(format!("the output {verb} {}: {output}", wrong.join(", ")))
                }
            }
            Self::Member { path, value } => same(value, member(seen, path)?),
            Self::Items { path, count } => {
                let found = member(seen, path)?;
                let items =
                    found.as_array().map(Vec::len).or_else(|| found.as_object().map(serde_json::Map::len));
                if items == Some(*count) {
                    Ok(())
                } else {
                    Err(format!("`{path}` is {found}, not {count} items"))
                }
            }
            Self::Place { task, first } => place(seen, task, *first),
            Self::Order { earlier, later } => {
                let began = |task: &str| began(seen, task).ok_or_else(|| format!("{task} did not run"));
                if began(earlier)? < began(later)? {
                    Ok(())
                } else {
                    Err(format!("{later} ran before {earlier}"))
                }
            }
            Self::Times { task, times } => {
                let ran =
                    seen.tasks.iter().filter(|doing| doing.task == *task && doing.what.is_end()).count();
                match times {
                    Some(times) if ran == *times => Ok(()),
                    None if ran > 0 => Ok(()),
                    _ => Err(format!("{task} ran {ran} times")),
                }
            }
        }
    }
}

impl What {
    fn is_end(&self) -> bool {
        !matches!(self, Self::Began)
    }
}

fn workflow_ends(seen: &Observed, how: Ending, with: Option<&Value>) -> Result<(), String> {
    match (&seen.outcome, how) {
        (Some(Outcome::Completed { output }), Ending::Completed) => {
            with.map_or(Ok(()), |value| same(value, output))
        }
        (Some(Outcome::Faulted { problem }), Ending::Faulted) => {
            with.map_or(Ok(()), |error| covers(error, problem))
        }
        (Some(Outcome::Cancelled), Ending::Cancelled) | (None, Ending::Waiting) => Ok(()),
        (Some(Outcome::Completed { output }), _) => Err(format!("the workflow completed with {output}")),
        (Some(Outcome::Faulted { problem }), _) => Err(format!("the workflow faulted: {problem}")),
        (Some(Outcome::Cancelled), _) => Err("the workflow was cancelled".to_owned()),
        (None, _) => Err("the workflow did not end".to_owned()),
    }
}

fn task_ends(seen: &Observed, task: &str, how: Ending, with: Option<&Value>) -> Result<(), String> {
    let doings: Vec<&What> =
        seen.tasks.iter().filter(|doing| doing.task == task).map(|doing| &doing.what).collect();
    let last = *doings.last().ok_or_else(|| format!("{task} did not run"))?;
    match (last, how) {
        (What::Completed(output), Ending::Completed) => with.map_or(Ok(()), |value| same(value, output)),
        (What::Faulted(problem), Ending::Faulted) => with.map_or(Ok(()), |error| covers(error, problem)),
        (What::Cancelled, Ending::Cancelled) | (What::Began, Ending::Waiting) => Ok(()),
        (other, _) => Err(format!("{task} is {other:?}")),
    }
}

fn output(seen: &Observed) -> Result<&Value, String> {
    match &seen.outcome {
        Some(Outcome::Completed { output }) => Ok(output),
        other => Err(format!("there is no output, the workflow ended as {other:?}")),
    }
}

fn member<'a>(seen: &'a Observed, path: &str) -> Result<&'a Value, String> {
    let output = output(seen)?;
    find(output, path).ok_or_else(|| format!("the output misses {path}: {output}"))
}

/// Follows `a.b[0].c`, `a.b.0.c`, and members whose name holds a dot.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(whole) = value.get(path) {
        return Some(whole);
    }
    path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()).try_fold(
        value,
        |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        },
    )
}

fn began(seen: &Observed, task: &str) -> Option<usize> {
    seen.tasks.iter().position(|doing| doing.task == task)
}

fn place(seen: &Observed, task: &str, first: bool) -> Result<(), String> {
    let there = if first { seen.tasks.first() } else { seen.tasks.last() };
    match there {
        Some(doing) if doing.task == task => Ok(()),
        Some(doing) => Err(format!("{} ran {}", doing.task, if first { "first" } else { "last" })),
        None => Err("nothing ran".to_owned()),
    }
}

/// Equal as JSON, where `1` and `1.0` are one number.
fn same(expected: &Value, found: &Value) -> Result<(), String> {
    if equal(expected, found) { Ok(()) } else { Err(format!("expected {expected}, found {found}")) }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|found| equal(value, found)))
        }
        _ => one == other,
    }
}

/// Whether a problem has every member that is expected, with its value.
fn covers(expected: &Value, problem: &Problem) -> Result<(), String> {
    let found = serde_json::to_value(problem).map_err(|error| error.to_string())?;
    let members = expected.as_object().ok_or("the expected error is not an object")?;
    let differs =
        |(name, value): &(&String, &Value)| found.get(*name).is_none_or(|found| !equal(value, found));
    match members.iter().find(differs) {
        None => Ok(()),
        Some((name, value)) => Err(format!("expected {name} {value}, found {found}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::phrases::{Phrase, read};
    use super::*;

    fn completed(output: Value) -> Observed {
        let doing = |task: &str, what| Doing { task: task.to_owned(), what };
        Observed {
            outcome: Some(Outcome::Completed { output }),
            tasks: vec![
                doing("a", What::Began),
                doing("a", What::Completed(json!(1))),
                doing("b", What::Faulted(Problem::timeout("late"))),
                doing("b", What::Began),
                doing("b", What::Completed(json!({"x": 1}))),
                doing("c", What::Cancelled),
            ],
        }
    }

    fn holds(seen: &Observed, text: &str, docstring: Option<&str>) -> bool {
        match read(text, docstring) {
            Ok(Phrase::Expect(expectation)) => expectation.check(seen).is_ok(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn each_expectation_can_hold_and_can_fail() {
        let seen = completed(json!({"id": 1, "content": {"id": 2.0}, "list": [1, 2]}));
        for (right, wrong) in [
            ("the workflow should complete", "the workflow should fault"),
            ("the workflow should complete", "the workflow should cancel"),
            (
                "the workflow output should have properties 'id', 'content.id'",
                "the workflow output should have properties 'id', 'x'",
            ),
            (
                "the workflow output should not have property 'x'",
                "the workflow output should not have property 'id'",
            ),
            (
                "the workflow output should have a 'list' property containing 2 items",
                "the workflow output should have a 'list' property containing 1 items",
            ),
            (
                "the workflow output should have a 'content.id' property with value: 2",
                "the workflow output should have a 'id' property with value: 2",
            ),
            (
                "the workflow output should have a 'list[1]' property with value: 2",
                "the workflow output should have a 'list[2]' property with value: 2",
            ),
            ("a should run first", "b should run first"),
            ("c should run last", "a should run last"),
            ("b should run after a", "a should run after b"),
            ("a should run once", "b should run once"),
            ("d should not run", "a should not run"),
            ("a should complete", "c should complete"),
            ("c should cancel", "a should cancel"),
        ] {
            assert!(holds(&seen, right, None), "{right}");
            assert!(!holds(&seen, wrong, None), "{wrong}");
        }
    }

    #[test]
    fn outputs_and_errors_are_compared() {
        let seen = completed(json!({"a": [1.0]}));
        assert!(holds(&seen, "the workflow should complete with output:", Some("yaml\na: [ 1 ]\n")));
        assert!(!holds(&seen, "the workflow should complete with output:", Some("yaml\na: [ 1 ]\nb: 1\n")));
        let fault = Observed {
            outcome: Some(Outcome::Faulted { problem: Problem::timeout("x") }),
            tasks: Vec::new(),
        };
        assert!(holds(&fault, "the workflow should fault with error:", Some("yaml\nstatus: 408\n")));
        assert!(!holds(
            &fault,
            "the workflow should fault with error:",
            Some("yaml\nstatus: 408\ninstance: /do/0\n")
        ));
    }
}
