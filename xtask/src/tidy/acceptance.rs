//! Every fact of the acceptance lists has a test that carries its number.

use super::Finding;
use super::tree::Tree;

/// A list: what names of its tests begin with, and its facts that hold today. The numbers follow the word, with two digits each.
struct List {
    prefix: &'static str,
    facts: fn() -> Vec<u32>,
}

const LISTS: [List; 2] = [
    // those about bundles, packages and clusters come with their capability
    List { prefix: "workflows_", facts: || (1..=31).chain([34]).chain(43..=48).collect() },
    // 21 asks for rows that are deleted and tables that are migrated back, and a journal does neither
    List { prefix: "infrastructure_", facts: || (1..=43).filter(|fact| *fact != 21).collect() },
];

/// Facts without a test.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let lists = LISTS.iter().map(|list| {
        let proven: Vec<u32> = tree
            .rust()
            .flat_map(|(_, text)| text.lines().flat_map(|line| numbers(line, list.prefix)))
            .collect();
        (list, proven)
    });
    let missing = lists.flat_map(|(List { prefix, facts }, proven)| {
        let missing: Vec<u32> = facts().into_iter().filter(|fact| !proven.contains(fact)).collect();
        missing.into_iter().map(move |fact| {
            Finding::new(
                "CONTRIBUTING.md",
                0,
                format!("fact {fact} of the acceptance list {} has no test", prefix.trim_end_matches('_')),
                format!("name one `{prefix}{fact:02}_...`"),
            )
        })
    });
    missing.collect()
}

/// The numbers that the name of the function on this line carries.
fn numbers(line: &str, prefix: &str) -> Vec<u32> {
    let name = line.trim_start().trim_start_matches("async ");
    let Some(rest) = name.strip_prefix("fn ").and_then(|name| name.strip_prefix(prefix)) else {
        return Vec::new();
    };
    rest.split('_').take_while(|part| part.len() == 2).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_carries_one_number_or_several() {
        let numbers = |line| numbers(line, "workflows_");
        assert_eq!(numbers("    async fn workflows_04_05_a_timer_fires_10_times() {"), [4, 5]);
        assert_eq!(numbers("fn workflows_34_twice() {"), [34]);
        assert!(numbers("fn workflows_can_be_shared() {").is_empty());
        assert!(numbers("// fn workflows_01_x() {").is_empty());
        assert!(numbers("fn infrastructure_01_x() {").is_empty());
    }

    #[test]
    fn a_fact_without_a_test_is_found() {
        let all = LISTS.iter().flat_map(|list| (list.facts)().into_iter().map(|fact| (list.prefix, fact)));
        let text: String = all
            .filter(|one| *one != ("workflows_", 13) && *one != ("infrastructure_", 40))
            .fold(String::new(), |text, (prefix, fact)| {
                text + &format!("fn {prefix}{fact:02}_holds() {{}}\n")
            });
        let found = check(&Tree::of(&[("crates/x/tests/x.rs", &text)]));
        let hints: Vec<&str> = found.iter().map(|one| one.fix.as_str()).collect();
        assert_eq!(hints, ["name one `workflows_13_...`", "name one `infrastructure_40_...`"]);
    }
}
