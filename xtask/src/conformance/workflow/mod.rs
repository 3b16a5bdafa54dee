//! `cargo xtask conformance serverless-workflow DIR`: executes every feature file below a directory on the real engine.
//!
//! The files are Gherkin; the workflow language's own conformance kit says what their steps mean ([`phrases`]). Every
//! scenario either passes or fails: one without assertions, with a step that is not understood, or whose file does not
//! parse has failed.

mod expect;
mod phrases;
mod world;

use std::path::Path;
use std::process::ExitCode;

use gherkin::{Feature, GherkinEnv, Scenario, Step};
use serde_json::Value;

use super::files_below;

use self::expect::Observed;
use self::phrases::{Phrase, read};

/// Executes a workflow given as text with an input.
type Execute<'a> = &'a dyn Fn(&str, Value) -> Result<Observed, String>;

/// Passed and failed scenarios so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
}

/// The task.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [directory] = arguments else {
        eprintln!("usage: cargo xtask conformance serverless-workflow DIR");
        return ExitCode::from(crate::USAGE);
    };
    let files = match files_below(Path::new(directory), "feature") {
        Ok(files) if !files.is_empty() => files,
        Ok(_) => {
            eprintln!("error: there is no .feature file below {directory}");
            return ExitCode::from(crate::USAGE);
        }
        Err(error) => {
            eprintln!("error: {directory} cannot be read: {error}");
            return ExitCode::from(crate::USAGE);
        }
    };
    let world = match world::World::new() {
        Ok(world) => world,
        Err(error) => {
            eprintln!("error: the engine cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut tally = Tally::default();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let execute = |definition: &str, input| world.execute(definition, input);
        execute_file(&file.display().to_string(), text, &execute, &mut tally);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn execute_file(name: &str, text: Result<String, String>, execute: Execute<'_>, tally: &mut Tally) {
    let feature = text.and_then(|text| {
        Feature::parse(text, GherkinEnv::default())
            .map_err(|error| format!("the file is not Gherkin: {error}"))
    });
    let feature = match feature {
        Ok(feature) => feature,
        Err(why) => {
            tally.failed += 1;
            println!("FAIL {name}: {why}");
            return;
        }
    };
    let background = feature.background.as_ref().map_or(&[][..], |background| &background.steps);
    let in_rules = feature.rules.iter().flat_map(|rule| {
        let own = rule.background.as_ref().map_or(&[][..], |background| &background.steps);
        rule.scenarios.iter().map(move |scenario| (own, scenario))
    });
    let scenarios = feature.scenarios.iter().map(|scenario| (&[][..], scenario)).chain(in_rules);
    for (rule_background, scenario) in scenarios {
        for (steps, example) in outline(scenario) {
            let all: Vec<&Step> = background.iter().chain(rule_background).chain(&steps).collect();
            let place = format!("{name}:{} {}{example}", scenario.position.line, scenario.name);
            match execute_scenario(&all, execute) {
                Ok(()) => {
                    tally.passed += 1;
                    println!("ok   {place}");
                }
                Err(why) => {
                    tally.failed += 1;
                    println!("FAIL {place}\n     {why}");
                }
            }
        }
    }
}

/// A scenario's steps: as they are, or once for each row of its examples.
fn outline(scenario: &Scenario) -> Vec<(Vec<Step>, String)> {
    let tables: Vec<_> = scenario.examples.iter().filter_map(|examples| examples.table.as_ref()).collect();
    if tables.is_empty() {
        return vec![(scenario.steps.clone(), String::new())];
    }
    let mut all = Vec::new();
    for table in tables {
        let Some((names, rows)) = table.rows.split_first() else { continue };
        for row in rows {
            let fill = |text: &str| {
                names
                    .iter()
                    .zip(row)
                    .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
            };
            let steps = scenario.steps.iter().cloned().map(|mut step| {
                step.value = fill(&step.value);
                step.docstring = step.docstring.as_deref().map(fill);
                step
            });
            all.push((steps.collect(), format!(" ({})", row.join(", "))));
        }
    }
    all
}

fn execute_scenario(steps: &[&Step], execute: Execute<'_>) -> Result<(), String> {
    let (mut definition, mut input, mut seen) = (None, Value::Null, None);
    let mut checked = 0;
    for step in steps {
        let at = |why: String| format!("line {}: {}: {why}", step.position.line, step.value);
        match read(&step.value, step.docstring.as_deref()).map_err(at)? {
            Phrase::Definition(text) => definition = Some(text),
            Phrase::Input(value) => input = value,
            Phrase::Execute(given) => {
                let text = definition.as_deref().ok_or_else(|| at("there is no workflow yet".to_owned()))?;
                seen = Some(execute(text, given.unwrap_or_else(|| input.clone())).map_err(at)?);
            }
            Phrase::Expect(expectation) => {
                let seen = seen.as_ref().ok_or_else(|| at("the workflow was not executed yet".to_owned()))?;
                expectation.check(seen).map_err(at)?;
                checked += 1;
            }
        }
    }
    if checked == 0 { Err("the scenario asserts nothing".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use model::Outcome;
    use serde_json::json;

    use super::*;

    /// Pretends that every workflow answers with its input.
    #[expect(clippy::unnecessary_wraps, reason = "executing can fail")]
    fn echo(_: &str, input: Value) -> Result<Observed, String> {
        Ok(Observed { outcome: Some(Outcome::Completed { output: input }), tasks: Vec::new() })
    }

    fn tally(feature: &str) -> (usize, usize) {
        let mut tally = Tally::default();
        execute_file("a.feature", Ok(feature.to_owned()), &echo, &mut tally);
        (tally.passed, tally.failed)
    }

    fn scenario(last: &str) -> String {
        let document = "    Given a workflow with definition:\n    \"\"\"yaml\n    a: b\n    \"\"\"\n";
        let input = "    And given the workflow input is:\n    \"\"\"yaml\n    id: 1\n    \"\"\"\n";
        format!("Feature: F\n\n  Scenario: S\n{document}{input}    When the workflow is executed\n{last}")
    }

    #[test]
    fn a_scenario_passes_or_fails_and_is_never_skipped() {
        assert_eq!(tally(&scenario("    Then the workflow should complete\n")), (1, 0));
        assert_eq!(tally(&scenario("    Then the workflow should fault\n")), (0, 1));
        assert_eq!(tally(&scenario("    Then the moon should rise\n")), (0, 1), "not understood");
        assert_eq!(tally(&scenario("")), (0, 1), "asserts nothing");
        assert_eq!(
            tally("Feature: F\n\n  Scenario: S\n    Then the workflow should complete\n"),
            (0, 1),
            "not executed"
        );
        assert_eq!(tally("nonsense"), (0, 1), "not Gherkin");
    }

    #[test]
    fn a_text_that_ends_the_file_is_read() {
        let last =
            "    Then the workflow should complete with output:\n    \"\"\"yaml\n    id: 1\n    \"\"\"";
        assert_eq!(tally(&scenario(last)), (1, 0));
    }

    #[test]
    fn outlines_and_backgrounds_are_executed() {
        let feature = "Feature: F\n\n  Background:\n    Given a workflow with definition:\n    \"\"\"yaml\n    a: b\n    \"\"\"\n\n  Scenario Outline: S\n    Given the workflow input is:\n    \"\"\"yaml\n    id: <id>\n    \"\"\"\n    When the workflow is executed\n    Then the workflow output should have a 'id' property with value: <want>\n\n    Examples:\n      | id | want |\n      | 1  | 1    |\n      | 2  | 3    |\n";
        assert_eq!(tally(feature), (1, 1));
    }

    #[test]
    fn the_example_of_a_docstring_is_as_the_kit_writes_it() {
        let seen = echo("", json!({"id": 1})).unwrap();
        let phrase = read("the workflow should complete with output:", Some("yaml\n    id: 1\n    "));
        let Ok(Phrase::Expect(expectation)) = phrase else { panic!("{phrase:?}") };
        assert_eq!(expectation.check(&seen), Ok(()));
    }
}
