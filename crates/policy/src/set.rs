//! [`PolicySet`]: all of a project's policy, compiled once and asked many times.

use std::collections::{BTreeMap, BTreeSet};

use model::{ApprovalRequest, Chain, Diagnostic, Digest, Severity, time::parse_duration};
use serde_json::json;

use crate::chains::{self, ChainError};
use crate::file::{Dimension, PolicyFile, QuotaFile};
use crate::grant::{self, Grant};
use crate::limits;
use crate::matching::Match;
use crate::quota::Quota;
use crate::rego::Rego;
use crate::source::{At, Source, bad_policy, read_yaml, start};
use crate::window::{self, Window};

/// A plain rule of `allow` or `deny`.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) rule: String,
    pub(crate) matching: Match,
    pub(crate) reason: Option<String>,
}

/// A rule of `require`.
#[derive(Debug, Clone)]
pub(crate) struct Require {
    pub(crate) rule: String,
    pub(crate) matching: Match,
    pub(crate) chain: String,
    pub(crate) reason: Option<String>,
}

/// A project's policy, compiled. Immutable; share it between threads and ask it as often as you like.
#[derive(Debug)]
pub struct PolicySet {
    pub(crate) digest: Digest,
    pub(crate) deny_by_default: bool,
    pub(crate) allow: Vec<Rule>,
    pub(crate) deny: Vec<Rule>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) quotas: Vec<Quota>,
    pub(crate) windows: Vec<Window>,
    pub(crate) chains: BTreeMap<String, Chain>,
    pub(crate) default_chain: Option<String>,
    pub(crate) require: Vec<Require>,
    pub(crate) rego: Option<Rego>,
}

impl PolicySet {
    /// Compiles a set from at most one `policy.yaml` and any number of `*.rego`. Tests (`*_test.rego`, `*_test.yaml`)
    /// are left to [`crate::testing`] and do not change the digest.
    ///
    /// Without errors there is a set; there may be warnings all the same. No sources make the set that allows whatever
    /// needs no grant.
    pub fn compile(sources: &[Source]) -> (Option<Self>, Vec<Diagnostic>) {
        let mut out = Vec::new();
        let mut yaml: Option<&Source> = None;
        let mut rego = Vec::new();
        let mut used = Vec::new();
        for source in sources {
            match kind_of(source) {
                Kind::Test => continue,
                Kind::Rego => rego.push(source),
                Kind::Yaml => {
                    if let Some(first) = yaml {
                        let message = format!("a set has one policy.yaml, and {} is one already", first.name);
                        out.push(bad_policy(message, start(source)));
                    }
                    yaml = yaml.or(Some(source));
                }
                Kind::Other => {
                    let message = format!("`{}` is neither policy.yaml nor a .rego file", source.file_name());
                    out.push(bad_policy(message, start(source)));
                }
            }
            used.push(source);
        }
        if used.len() > limits::SOURCES {
            let message = format!("{} files are more than {}", used.len(), limits::SOURCES);
            out.push(bad_policy(message, start(used[0])));
            return (None, out);
        }
        let (name, file) = match yaml {
            None => (String::new(), PolicyFile::default()),
            Some(source) => match read_yaml(source, model::code::policy::BAD_POLICY) {
                Ok(file) => (source.name.clone(), file),
                Err(error) => {
                    out.push(*error);
                    (source.name.clone(), PolicyFile::default())
                }
            },
        };
        let rego = Rego::compile(&rego, &mut out);
        let set = read(&file, &name, digest(&used), rego, &mut out);
        let refused = out.iter().any(|finding| finding.severity == Severity::Error);
        ((!refused).then_some(set), out)
    }

    /// Digest of the whole set: names and texts of its sources, in the order of their names.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The chain of this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.get(name)
    }

    /// The chain an approval of a workflow goes through: the one it names, then the levels it gives in place; the
    /// policy's `defaultChain` when it does neither.
    pub fn resolve_chain(&self, request: &ApprovalRequest) -> Result<Chain, ChainError> {
        let named = match (&request.chain, request.levels.is_empty()) {
            (Some(name), _) => Some(name),
            (None, false) => None,
            (None, true) => Some(self.default_chain.as_ref().ok_or(ChainError::NoDefault)?),
        };
        let base = match named {
            Some(name) => Some(self.chain(name).ok_or_else(|| ChainError::Unknown(name.clone()))?),
            None => None,
        };
        // in place, numbers must be right; after a chain they are counted on
        chains::check_levels(&request.levels).or_else(|error| match error {
            ChainError::Empty if base.is_some() => Ok(()),
            error => Err(error),
        })?;
        let name = base.map_or_else(|| "in place".to_owned(), |chain| chain.name.clone());
        let base = base.map(|chain| chain.levels.clone()).unwrap_or_default();
        chains::join(name, [base, request.levels.clone()])
    }
}

pub(crate) enum Kind {
    Yaml,
    Rego,
    Test,
    Other,
}

pub(crate) fn kind_of(source: &Source) -> Kind {
    let name = source.file_name();
    match name.rsplit_once('.') {
        Some((stem, "rego" | "yaml" | "yml")) if stem.ends_with("_test") => Kind::Test,
        Some((_, "rego")) => Kind::Rego,
        Some(("policy", "yaml" | "yml")) => Kind::Yaml,
        _ => Kind::Other,
    }
}

fn digest(sources: &[&Source]) -> Digest {
    let mut texts: Vec<_> =
        sources.iter().map(|s| (s.name.as_str(), Digest::of(s.text.as_bytes()))).collect();
    texts.sort();
    let texts: Vec<_> =
        texts.into_iter().map(|(name, digest)| json!({"name": name, "digest": digest})).collect();
    Digest::of_json(&json!({"format": 1, "sources": texts}))
}

fn read(
    file: &PolicyFile,
    name: &str,
    digest: Digest,
    rego: Option<Rego>,
    out: &mut Vec<Diagnostic>,
) -> PolicySet {
    let chains: BTreeMap<String, Chain> = file
        .chains
        .iter()
        .filter_map(|(chain, given)| Some((chain.clone(), chains::read(chain, given, name, out)?)))
        .collect();
    check_file(file, name, out);
    let rule = |field: &str, index: usize, rule: &crate::file::RuleFile| Rule {
        rule: format!("{name}#/{field}/{index}"),
        matching: rule.matching.clone(),
        reason: rule.reason.clone(),
    };
    let quotas = file.quotas.iter().enumerate();
    let grants = file.grants.iter().enumerate();
    let windows = file.windows.iter().enumerate();
    PolicySet {
        digest,
        deny_by_default: file.default == crate::file::DefaultWord::Deny,
        allow: file.allow.iter().enumerate().map(|(index, given)| rule("allow", index, given)).collect(),
        deny: file.deny.iter().enumerate().map(|(index, given)| rule("deny", index, given)).collect(),
        grants: grants.filter_map(|(index, given)| grant::read(index, given, name, out)).collect(),
        quotas: quotas.filter_map(|(index, given)| read_quota(index, given, name, out)).collect(),
        windows: windows.filter_map(|(index, given)| window::read(index, given, name, out)).collect(),
        chains,
        default_chain: file.default_chain.as_ref().map(|chain| chain.to_string()),
        require: file
            .require
            .iter()
            .enumerate()
            .map(|(index, given)| Require {
                rule: format!("{name}#/require/{index}"),
                matching: given.matching.clone(),
                chain: given.chain.to_string(),
                reason: given.reason.clone(),
            })
            .collect(),
        rego,
    }
}

/// What concerns the file as a whole: names that must exist, and sizes.
fn check_file(file: &PolicyFile, name: &str, out: &mut Vec<Diagnostic>) {
    let known = |chain: &At<String>, path: String, out: &mut Vec<Diagnostic>| {
        if !file.chains.contains_key(&**chain) {
            let names = file.chains.keys().cloned().collect::<Vec<_>>().join(", ");
            let found =
                bad_policy(ChainError::Unknown(chain.to_string()).to_string(), chain.location(name, path));
            let hint = if names.is_empty() {
                "add it under `chains`".to_owned()
            } else {
                format!("use one of {names}")
            };
            out.push(found.with_hint(hint));
        }
    };
    if let Some(chain) = &file.default_chain {
        known(chain, "/defaultChain".to_owned(), out);
    }
    for (index, require) in file.require.iter().enumerate() {
        known(&require.chain, format!("/require/{index}/chain"), out);
    }
    for (field, count) in [
        ("allow", file.allow.len()),
        ("deny", file.deny.len()),
        ("grants", file.grants.len()),
        ("quotas", file.quotas.len()),
        ("windows", file.windows.len()),
        ("chains", file.chains.len()),
        ("require", file.require.len()),
    ] {
        if count > limits::ENTRIES {
            let message = format!("{field} has {count} entries, more than {}", limits::ENTRIES);
            let location =
                model::Location { file: name.to_owned(), line: 1, column: 1, path: format!("/{field}") };
            out.push(bad_policy(message, location));
        }
    }
}

fn read_quota(index: usize, quota: &At<QuotaFile>, file: &str, out: &mut Vec<Diagnostic>) -> Option<Quota> {
    let path = format!("/quotas/{index}");
    let before = out.len();
    let mut refuse = |field: &str, message: String, at: model::Location| {
        out.push(bad_policy(format!("quotas[{index}].{field}: {message}"), at));
    };
    let limit = u64::try_from(*quota.limit).ok().filter(|limit| *limit <= limits::QUOTA_LIMIT);
    if limit.is_none() {
        let message = format!("{} is not a number from 0 to {}", *quota.limit, limits::QUOTA_LIMIT);
        refuse("limit", message, quota.limit.location(file, format!("{path}/limit")));
    }
    let window = match parse_duration(&quota.window) {
        Ok(window) if window.as_millis() < 1 || window > limits::QUOTA_WINDOW => {
            let message = format!("`{}` is not within 1 ms and 366 days", *quota.window);
            refuse("window", message, quota.window.location(file, format!("{path}/window")));
            None
        }
        Ok(window) => Some(window),
        Err(error) => {
            refuse("window", error.to_string(), quota.window.location(file, format!("{path}/window")));
            None
        }
    };
    for (field, name) in [("name", &quota.name), ("group", &quota.group)] {
        let Some(name) = name else { continue };
        if name.is_empty() || name.len() > limits::NAME_BYTES {
            let message = format!("a name has 1 to {} bytes", limits::NAME_BYTES);
            refuse(field, message, name.location(file, format!("{path}/{field}")));
        }
    }
    let per: BTreeSet<Dimension> = quota.per.0.iter().copied().collect();
    (out.len() == before).then(|| Quota {
        rule: format!("{file}#{path}"),
        name: quota.name.as_ref().map(|name| name.to_string()),
        group: quota.group.as_ref().map(|group| group.to_string()),
        matching: quota.matching.clone(),
        limit: limit.unwrap_or(0),
        window: window.unwrap_or_default(),
        per: per.into_iter().collect(),
        on_exceed: quota.on_exceed,
    })
}
