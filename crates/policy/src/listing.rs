//! Every rule of a set, in words: what `aedile policy list` shows.

use model::{Chain, Level, time::SignedDuration};
use serde::Serialize;

use crate::quota::Quota;
use crate::rego::Rego;
use crate::set::{PolicySet, Rule};

/// One rule of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedRule {
    /// `allow`, `deny`, `grant`, `quota`, `window`, `chain`, `require` or `rego`.
    pub kind: &'static str,
    /// Where it stands, as decisions name it.
    pub rule: String,
    /// What it says, in a few words; empty where only the text says it.
    pub says: String,
}

impl PolicySet {
    /// Every rule, kind by kind, in the order of the text.
    ///
    /// ```
    /// use policy::{PolicySet, Source};
    /// let (set, _) = PolicySet::compile(&[Source::new("policy.yaml", "quotas: [{name: calls, limit: 3, window: PT1H}]")]);
    /// let rules = set.unwrap().rules();
    /// assert_eq!((rules[0].kind, &*rules[0].says), ("quota", "calls: 3 in 1h"));
    /// ```
    pub fn rules(&self) -> Vec<ListedRule> {
        let mut rules = Vec::new();
        rules.extend(self.allow.iter().map(|rule| plain("allow", rule)));
        rules.extend(self.deny.iter().map(|rule| plain("deny", rule)));
        rules.extend(self.grants.iter().map(|grant| listed("grant", &grant.rule, grant.says())));
        rules.extend(self.quotas.iter().map(|quota| listed("quota", &quota.rule, limit(quota))));
        rules.extend(self.windows.iter().map(|window| {
            let word = if window.allows { "open" } else { "closed" };
            listed("window", &window.rule, format!("{word}: {}", window.name))
        }));
        rules.extend(self.chains.values().map(|chain| listed("chain", &chain.name, levels(chain))));
        rules.extend(self.require.iter().map(|require| {
            let why = require.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            listed("require", &require.rule, format!("chain {}{why}", require.chain))
        }));
        rules.extend(self.rego.iter().flat_map(Rego::rules).map(|rule| listed("rego", &rule, String::new())));
        rules
    }
}

fn listed(kind: &'static str, rule: &str, says: String) -> ListedRule {
    ListedRule { kind, rule: rule.to_owned(), says }
}

fn plain(kind: &'static str, rule: &Rule) -> ListedRule {
    listed(kind, &rule.rule, rule.reason.clone().unwrap_or_default())
}

fn limit(quota: &Quota) -> String {
    let name = quota.name.as_ref().or(quota.group.as_ref());
    let name = name.map_or_else(String::new, |name| format!("{name}: "));
    format!("{name}{} in {}", quota.limit, short(quota.window))
}

fn levels(chain: &Chain) -> String {
    chain.levels.iter().map(level).collect::<Vec<_>>().join(", then ")
}

fn level(level: &Level) -> String {
    let roles: Vec<&str> = level.roles.iter().map(model::Role::as_str).collect();
    let within = level.within.map_or_else(String::new, |within| format!(" within {}", short(within)));
    format!("{} of {}{within}", level.quorum, roles.join(" or "))
}

fn short(duration: SignedDuration) -> String {
    format!("{duration:#}")
}
