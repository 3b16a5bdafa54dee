//! What the steps of the workflow language's feature files say.
//!
//! The phrases are those of the conformance kit's own guide ("Arrange", "Act", "Assert"), read liberally: the article,
//! quotes around a name and the usual variants of a verb do not matter. A step that is not understood is an error, never
//! skipped.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// One step, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phrase {
    /// The workflow's document.
    Definition(String),
    /// Its input.
    Input(Value),
    /// Run it, with an input if the step gives one.
    Execute(Option<Value>),
    /// Something must be so afterwards.
    Expect(Expectation),
}

/// What must be so after the run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expectation {
    /// Something ended, or was left, in a certain way.
    Ends {
        /// The task; `None` for the workflow.
        task: Option<String>,
        /// How.
        how: Ending,
        /// With this output or error.
        with: Option<Value>,
    },
    /// The output is this.
    Output(Value),
    /// The output has (or has not) these members, by path.
    Members {
        /// Paths such as `content.id`.
        paths: Vec<String>,
        /// Whether they must be there.
        present: bool,
    },
    /// A member of the output is this.
    Member {
        /// Its path.
        path: String,
        /// Its value.
        value: Value,
    },
    /// A member of the output has so many items.
    Items {
        /// Its path.
        path: String,
        /// How many.
        count: usize,
    },
    /// A task ran before (or after) all others.
    Place {
        /// The task.
        task: String,
        /// First, or last.
        first: bool,
    },
    /// A task began before another.
    Order {
        /// Began first.
        earlier: String,
        /// Began later.
        later: String,
    },
    /// A task ran so often; `None`: at least once.
    Times {
        /// The task.
        task: String,
        /// How often.
        times: Option<usize>,
    },
}

/// How something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It did what it says.
    Completed,
    /// It did not.
    Faulted,
    /// It was stopped.
    Cancelled,
    /// It has not ended.
    Waiting,
}

type Reader = fn(&Captures<'_>, Option<&str>) -> Result<Phrase, String>;

/// Patterns in the order they are tried. `^` and `$` are added, case does not matter.
static PHRASES: LazyLock<Vec<(Regex, Reader)>> = LazyLock::new(|| {
    let name = r#"['"`]?([\w.\-]+)['"`]?(?: task)?"#;
    let table: Vec<(String, Reader)> = vec![
        (r"(?:given )?(?:a|the) workflow(?: with| has)?(?: the| this)?(?: following)? definition(?: is)?:?".into(), definition),
        (r"(?:given )?(?:the )?(?:workflow(?:'s)? )?input(?: is)?:?".into(), input),
        (r"the workflow (?:is|gets) (?:executed|run|started)(?: with(?: the)? input:?)?".into(), execute),
        (r"the workflow should (.+?)(?: with(?: the| an?)? (?:output|error):?)?".into(), workflow_ends),
        (r#"the workflow(?:'s)? (?:should have )?status(?: phase)?(?: should be| is| of)? ['"`]?(\w+)['"`]?"#.into(), workflow_ends),
        (r"the workflow(?:'s)? output should (?:be|equal|match):?".into(), output),
        (r"the workflow(?:'s)? output should (not )?(?:have|contain)(?: the)? propert(?:y|ies):? (.+)".into(), members),
        (r#"the workflow(?:'s)? output should have an? ['"`](.+?)['"`] property with(?: the)? value:? ?(.*)"#.into(), member),
        (r#"the workflow(?:'s)? output should have an? ['"`](.+?)['"`] property (?:containing|with) (\d+) items?"#.into(), items),
        (r#"the workflow(?:'s)? output should (not )?have an? (['"`].+?['"`]) property"#.into(), members),
        (format!(r"(?:the )?(?:task )?{name} should run (first|last)"), place),
        (format!(r"(?:the )?(?:task )?{name} should run (before|after) (?:the )?(?:task )?{name}"), order),
        (format!(r"(?:the )?(?:task )?{name} should (not|never)? ?(?:run|have run|be run)(?: (once|twice|\d+ times?))?"), times),
        (format!(r"(?:the )?(?:task )?{name} should (.+?)(?: with(?: the| an?)? (?:output|error):?)?"), task_ends),
    ];
    table
        .into_iter()
        .map(|(pattern, reader)| {
            let whole = format!("(?i)^{pattern}$");
            (Regex::new(&whole).expect("the patterns are constant"), reader)
        })
        .collect()
});

/// Reads one step.
pub(super) fn read(text: &str, docstring: Option<&str>) -> Result<Phrase, String> {
    let text = text.trim();
    let body = docstring.map(strip_media_type);
    for (pattern, reader) in &*PHRASES {
        if let Some(captures) = pattern.captures(text)
            && let Ok(phrase) = reader(&captures, body.as_deref())
        {
            return Ok(phrase);
        }
    }
    // nothing matched as a whole; say what the closest pattern missed, or that there is none
    let closest = PHRASES.iter().find_map(|(pattern, reader)| {
        let captures = pattern.captures(text)?;
        reader(&captures, body.as_deref()).err()
    });
    Err(closest.unwrap_or_else(|| format!("the step `{text}` is not understood")))
}

/// The text of a docstring without its media type and common indentation.
fn strip_media_type(docstring: &str) -> String {
    let (first, rest) = docstring.split_once('\n').unwrap_or(("", docstring));
    let body = if first.contains(':') { docstring } else { rest };
    let margin = body
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    body.lines().map(|line| line.get(margin..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// A YAML (or JSON) text as a value.
fn value(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| format!("the step's text is not YAML: {error}"))
}

fn required(body: Option<&str>) -> Result<Value, String> {
    value(body.ok_or("the step needs a text below it")?)
}

fn definition(_: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    Ok(Phrase::Definition(body.ok_or("the step needs a document below it")?.to_owned()))
}

fn input(_: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    required(body).map(Phrase::Input)
}

fn execute(_: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    body.map(value).transpose().map(Phrase::Execute)
}

fn ending(words: &str) -> Result<Ending, String> {
    let words = words.to_lowercase();
    let last = words.rsplit(' ').next().unwrap_or_default();
    match last {
        "complete" | "completed" | "completion" | "succeed" | "succeeded" => Ok(Ending::Completed),
        "fault" | "faulted" | "fail" | "failed" => Ok(Ending::Faulted),
        "cancel" | "cancelled" | "canceled" => Ok(Ending::Cancelled),
        "wait" | "waiting" | "running" | "suspended" | "pending" => Ok(Ending::Waiting),
        _ => Err(format!("`should {words}` is not understood")),
    }
}

fn ends(task: Option<String>, words: &str, wants: bool, body: Option<&str>) -> Result<Phrase, String> {
    let with = match (wants, body) {
        (_, Some(text)) => Some(value(text)?),
        (true, None) => return Err("the step needs a text below it".to_owned()),
        (false, None) => None,
    };
    Ok(Phrase::Expect(Expectation::Ends { task, how: ending(words)?, with }))
}

/// Whether the step announces a text below it.
fn announces(captures: &Captures<'_>) -> bool {
    let whole = captures[0].trim_end_matches(':').to_lowercase();
    whole.ends_with(" output") || whole.ends_with(" error")
}

fn workflow_ends(captures: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    ends(None, &captures[1], announces(captures), body)
}

fn task_ends(captures: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    ends(Some(captures[1].to_owned()), &captures[2], announces(captures), body)
}

fn output(_: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    Ok(Phrase::Expect(Expectation::Output(required(body)?)))
}

fn members(captures: &Captures<'_>, _: Option<&str>) -> Result<Phrase, String> {
    let paths: Vec<String> = captures[2]
        .split([',', '\'', '"', '`'])
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "and")
        .map(str::to_owned)
        .collect();
    if paths.is_empty() || paths.iter().any(|path| path.contains(' ')) {
        return Err(format!("`{}` is not a list of properties", &captures[2]));
    }
    Ok(Phrase::Expect(Expectation::Members { paths, present: captures.get(1).is_none() }))
}

fn member(captures: &Captures<'_>, body: Option<&str>) -> Result<Phrase, String> {
    let inline = captures[2].trim();
    let value = if inline.is_empty() { required(body)? } else { value(inline)? };
    Ok(Phrase::Expect(Expectation::Member { path: captures[1].to_owned(), value }))
}

fn items(captures: &Captures<'_>, _: Option<&str>) -> Result<Phrase, String> {
    let count = captures[2].parse().map_err(|_| format!("`{}` is not a count", &captures[2]))?;
    Ok(Phrase::Expect(Expectation::Items { path: captures[1].to_owned(), count }))
}

#[expect(clippy::unnecessary_wraps, reason = "readers share one signature")]
fn place(captures: &Captures<'_>, _: Option<&str>) -> Result<Phrase, String> {
    let first = captures[2].eq_ignore_ascii_case("first");
    Ok(Phrase::Expect(Expectation::Place { task: captures[1].to_owned(), first }))
}

#[expect(clippy::unnecessary_wraps, reason = "readers share one signature")]
fn order(captures: &Captures<'_>, _: Option<&str>) -> Result<Phrase, String> {
    let (one, other) = (captures[1].to_owned(), captures[3].to_owned());
    let (earlier, later) =
        if captures[2].eq_ignore_ascii_case("before") { (one, other) } else { (other, one) };
    Ok(Phrase::Expect(Expectation::Order { earlier, later }))
}

fn times(captures: &Captures<'_>, _: Option<&str>) -> Result<Phrase, String> {
    let times = match (captures.get(2), captures.get(3).map(|count| count.as_str())) {
        (Some(_), None) => Some(0),
        (Some(_), Some(_)) => return Err("a count of what should not run is not understood".to_owned()),
        (None, None) => None,
        (None, Some("once")) => Some(1),
        (None, Some("twice")) => Some(2),
        (None, Some(count)) => count.split(' ').next().and_then(|number| number.parse().ok()),
    };
    Ok(Phrase::Expect(Expectation::Times { task: captures[1].to_owned(), times }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(text: &str, docstring: Option<&str>) -> Expectation {
        match read(text, docstring) {
            Ok(Phrase::Expect(expectation)) => expectation,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn of_workflow(how: Ending, with: Option<Value>) -> Expectation {
        Expectation::Ends { task: None, how, with }
    }

    #[test]
    fn arranging_and_acting() {
        let document = "yaml\n    document:\n      name: a\n    ";
        let wanted = Phrase::Definition("document:\n  name: a\n".to_owned());
        assert_eq!(read("a workflow with definition:", Some(document)), Ok(wanted));
        for text in ["given the workflow input is:", "the workflow input is:"] {
            assert_eq!(read(text, Some("yaml\n    a: 1\n    ")), Ok(Phrase::Input(json!({"a": 1}))));
        }
        assert_eq!(read("the workflow is executed", None), Ok(Phrase::Execute(None)));
    }

    #[test]
    fn how_the_workflow_ends() {
        assert_eq!(expected("the workflow should complete", None), of_workflow(Ending::Completed, None));
        let with = expected("the workflow should complete with output:", Some("yaml\n    1\n"));
        assert_eq!(with, of_workflow(Ending::Completed, Some(json!(1))));
        let with = expected("the workflow should fault with error:", Some("yaml\n    status: 400\n"));
        assert_eq!(with, of_workflow(Ending::Faulted, Some(json!({"status": 400}))));
        for text in [
            "the workflow should cancel",
            "the workflow should be cancelled",
            "the workflow should have been canceled",
        ] {
            assert_eq!(expected(text, None), of_workflow(Ending::Cancelled, None), "{text}");
        }
        for text in [
            "the workflow should have status phase 'completed'",
            "the workflow status phase should be completed",
        ] {
            assert_eq!(expected(text, None), of_workflow(Ending::Completed, None), "{text}");
        }
    }

    #[test]
    fn what_the_output_holds() {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            expected("the workflow output should have properties 'id', 'a.b' and 'c'", None),
            Expectation::Members { paths: paths(&["id", "a.b", "c"]), present: true }
        );
        assert_eq!(
            expected("the workflow output should not have property 'id'", None),
            Expectation::Members { paths: paths(&["id"]), present: false }
        );
        assert_eq!(
            expected(
                "the workflow output should have a 'data' property with value:",
                Some("yaml\n    a: b\n")
            ),
            Expectation::Member { path: "data".to_owned(), value: json!({"a": "b"}) }
        );
        assert_eq!(
            expected("the workflow output should have a 'colors' property containing 1 items", None),
            Expectation::Items { path: "colors".to_owned(), count: 1 }
        );
    }

    #[test]
    fn what_tasks_do() {
        assert_eq!(
            expected("setRed should run first", None),
            Expectation::Place { task: "setRed".to_owned(), first: true }
        );
        let order = Expectation::Order { earlier: "a".to_owned(), later: "b".to_owned() };
        assert_eq!(expected("b should run after a", None), order);
        assert_eq!(expected("'a' should run before 'b'", None), order);
        assert_eq!(
            expected("a should cancel", None),
            Expectation::Ends { task: Some("a".to_owned()), how: Ending::Cancelled, with: None }
        );
        assert_eq!(
            expected("a should complete with output:", Some("yaml\n    x\n")),
            Expectation::Ends { task: Some("a".to_owned()), how: Ending::Completed, with: Some(json!("x")) }
        );
        assert_eq!(
            expected("a should not run", None),
            Expectation::Times { task: "a".to_owned(), times: Some(0) }
        );
        assert_eq!(
            expected("a should run 3 times", None),
            Expectation::Times { task: "a".to_owned(), times: Some(3) }
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["the moon should rise", "a should sing", "the workflow should dance", "nonsense"] {
            assert!(read(text, None).is_err(), "{text}");
        }
        assert!(read("the workflow should complete with output:", None).is_err(), "no text below");
        assert!(read("a workflow with definition:", None).is_err(), "no document below");
    }
}
