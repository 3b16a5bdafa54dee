//! Every fact of the acceptance list has a test that carries its number.

use super::Finding;
use super::tree::Tree;

/// What names of such tests begin with; the numbers follow, with two digits each.
const PREFIX: &str = "workflows_";

/// The facts that hold today. Those about bundles, packages, the server and clusters come with their capability.
fn facts() -> impl Iterator<Item = u32> {
    (1..=31).chain([34])
}

/// Facts without a test.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let proven: Vec<u32> = tree.rust().flat_map(|(_, text)| text.lines().flat_map(numbers)).collect();
    facts()
        .filter(|fact| !proven.contains(fact))
        .map(|fact| {
            Finding::new(
                "CONTRIBUTING.md",
                0,
                format!("fact {fact} of the acceptance list has no test"),
                format!("name one `{PREFIX}{fact:02}_...`"),
            )
        })
        .collect()
}

/// The numbers that the name of the function on this line carries.
fn numbers(line: &str) -> Vec<u32> {
    let name = line.trim_start().trim_start_matches("async ");
    let Some(rest) = name.strip_prefix("fn ").and_then(|name| name.strip_prefix(PREFIX)) else {
        return Vec::new();
    };
    rest.split('_').take_while(|part| part.len() == 2).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_carries_one_number_or_several() {
        assert_eq!(numbers("    async fn workflows_04_05_a_timer_fires_10_times() {"), [4, 5]);
        assert_eq!(numbers("fn workflows_34_twice() {"), [34]);
        assert!(numbers("fn workflows_can_be_shared() {").is_empty());
        assert!(numbers("// fn workflows_01_x() {").is_empty());
    }

    #[test]
    fn a_fact_without_a_test_is_found() {
        let all: String = facts()
            .filter(|fact| *fact != 13)
            .fold(String::new(), |text, fact| text + &format!("fn {PREFIX}{fact:02}_holds() {{}}\n"));
        let found = check(&Tree::of(&[("crates/x/tests/x.rs", &all)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.contains("fact 13"), "{found:?}");
    }
}
