//! The examples of the reference page load.

use crate::facts::{load, said};

const PAGE: &str = include_str!("../../../../docs/reference/infrastructure.md");

#[test]
fn the_examples_of_the_reference_load() {
    let examples: Vec<&str> =
        PAGE.split("```cue\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 7, "{}", examples.len());
    for example in examples {
        let project = load(example).unwrap_or_else(|errors| panic!("{example}\n{}", said(&errors)));
        let plain = cue::fmt::format("example.cue", example).unwrap();
        assert_eq!(plain, example, "examples are formatted");
        assert!(!project.desired.resources.is_empty() || !project.desired.checks.is_empty(), "{example}");
    }
}

#[test]
fn every_limit_and_field_of_the_reference_is_there() {
    for word in config::schema().lines().filter_map(|line| line.trim().split_once("?:")).map(|(name, _)| name)
    {
        assert!(
            PAGE.contains(word)
                || ["version", "providers", "backend", "policy", "result", "user", "exec", "tcp"]
                    .contains(&word),
            "{word}"
        );
    }
}
