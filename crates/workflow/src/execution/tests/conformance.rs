//! The standard's own scenarios, as far as they need no network.

use std::path::PathBuf;

use gherkin::{Feature, GherkinEnv, Scenario, Step as GivenStep};

use super::*;
use model::Outcome;
use serde_json::json;

fn yaml(step: &GivenStep) -> Value {
    let text = step.docstring.as_deref().unwrap_or_default();
    let text = text.trim_start().strip_prefix("yaml").unwrap_or(text);
    crate::document::source::parse(text).unwrap_or_else(|error| panic!("{error:?}: {text}")).to_value()
}

/// What services on the internet would have answered.
fn stand_in(action: &model::Action) -> Value {
    let pet = json!({"id": 1, "name": "Rex", "status": "available"});
    if action.kind == "event.emit" {
        return Value::clone(&action.input);
    }
    match action.input["output"].as_str() {
        Some("response") => json!({
            "request": {"method": "GET", "uri": "x", "headers": {}}, "headers": {}, "statusCode": 200, "content": pet,
        }),
        _ => json!([pet]),
    }
}

fn check(scenario: &Scenario) {
    let mut input = json!({});
    let mut text = String::new();
    for step in &scenario.steps {
        if step.value.contains("a workflow with definition") {
            let raw = step.docstring.clone().unwrap_or_default();
            text = raw.trim_start().strip_prefix("yaml").map_or_else(|| raw.clone(), str::to_owned);
        } else if step.value.contains("the workflow input is") {
            input = yaml(step);
        }
    }
    let (workflow, found) = crate::load("scenario", &text);
    let workflow = workflow.unwrap_or_else(|| panic!("{}: {found:#?}", scenario.name));
    let mut driver =
        Driver::new(Arc::new(workflow), input).performing(|action, _| Some(Ok(stand_in(action))));
    driver.go();
    for step in &scenario.steps {
        expect(scenario, step, &driver);
    }
}

fn expect(scenario: &Scenario, step: &GivenStep, driver: &Driver) {
    let name = &scenario.name;
    let value = step.value.as_str();
    let position = |task: &str| driver.steps.iter().position(|step| step == task);
    if value.contains("complete with output") {
        assert_eq!(driver.output(), yaml(step), "{name}");
    } else if value.ends_with("should complete") {
        assert!(matches!(driver.outcome, Some(Outcome::Completed { .. })), "{name}: {:?}", driver.outcome);
    } else if value.contains("should fault with error") {
        let expected = yaml(step);
        let problem = serde_json::to_value(driver.problem()).unwrap();
        for (member, wanted) in expected.as_object().unwrap() {
            assert_eq!(&problem[member], wanted, "{name}");
        }
    } else if value.contains("should have properties") {
        for path in value.split('\'').skip(1).step_by(2) {
            let pointer = format!("/{}", path.replace('.', "/"));
            assert!(driver.output().pointer(&pointer).is_some(), "{name}: no {path}");
        }
    } else if value.contains("property with value") {
        let path = value.split('\'').nth(1).unwrap();
        assert_eq!(driver.output()[path], yaml(step), "{name}: {path}");
    } else if let Some(task) = value.strip_suffix(" should run first") {
        assert_eq!(position(task), Some(0), "{name}: {:?}", driver.steps);
    } else if let Some(task) = value.strip_suffix(" should run last") {
        assert_eq!(driver.steps.last().map(String::as_str), Some(task), "{name}");
    } else if let Some((task, before)) = value.split_once(" should run after ") {
        assert!(
            position(before).is_some() && position(task) > position(before),
            "{name}: {:?}",
            driver.steps
        );
    } else {
        assert!(matches!(step.ty, gherkin::StepType::Given | gherkin::StepType::When), "{name}: {value}?");
    }
}

#[test]
fn every_scenario_of_the_standard_holds() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/serverless-workflow/ctk/features");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let mut scenarios = 0;
    for entry in entries {
        let feature = Feature::parse_path(entry.unwrap().path(), GherkinEnv::default()).unwrap();
        for scenario in &feature.scenarios {
            check(scenario);
            scenarios += 1;
        }
    }
    assert!(scenarios >= 14, "{scenarios} scenarios");
}
