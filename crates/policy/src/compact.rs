//! Reads the compact quota syntax of older systems, `GLOBAL:KIND=LIMIT:SECONDS,TENANT:NAME:KIND=LIMIT:SECONDS`,
//! and writes it as the `quotas` section of `policy.yaml`, where people can see what they have.

use std::fmt::Write as _;

use crate::limits;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactQuota {
    /// The tenant it is for; `None`: everybody without an entry of their own.
    pub tenant: Option<String>,
    /// Kind of action; `*` for all.
    pub kind: String,
    /// How many within the window.
    pub limit: u64,
    /// The window in seconds.
    pub window_seconds: u64,
}

/// An entry that cannot be read. Nothing is imported then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry at index {index} (`{entry}`): {why}")]
pub struct CompactError {
    /// Which entry, from 0.
    pub index: usize,
    /// The entry.
    pub entry: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Reads all entries.
///
/// ```
/// let quotas = policy::compact::import("GLOBAL:http.call=5:60,TENANT:acme:http.call=1:60").unwrap();
/// assert_eq!(quotas[1].tenant.as_deref(), Some("acme"));
/// assert_eq!(policy::compact::import("GLOBAL:http.call=5:60,oops").unwrap_err().index, 1);
/// ```
pub fn import(text: &str) -> Result<Vec<CompactQuota>, CompactError> {
    let mut quotas: Vec<CompactQuota> = Vec::new();
    for (index, entry) in text.split(',').enumerate() {
        let refuse = |why| CompactError { index, entry: entry.trim().to_owned(), why };
        if index == limits::ENTRIES {
            return Err(refuse("there are too many entries"));
        }
        let quota = read(entry.trim()).map_err(refuse)?;
        if quotas.iter().any(|other| other.tenant == quota.tenant && other.kind == quota.kind) {
            return Err(refuse("the same scope and kind stand twice"));
        }
        quotas.push(quota);
    }
    Ok(quotas)
}

fn read(entry: &str) -> Result<CompactQuota, &'static str> {
    let (scope, amounts) = entry
        .split_once('=')
        .ok_or("expected GLOBAL:KIND=LIMIT:SECONDS or TENANT:NAME:KIND=LIMIT:SECONDS")?;
    let (limit, seconds) = amounts.split_once(':').ok_or("expected LIMIT:SECONDS after `=`")?;
    let limit = limit.parse::<u64>().ok().filter(|n| *n <= limits::QUOTA_LIMIT);
    let limit = limit.ok_or("the limit is not a number from 0 to 1000000")?;
    let max = u64::try_from(limits::QUOTA_WINDOW.as_secs()).unwrap_or(0);
    let seconds = seconds.parse::<u64>().ok().filter(|n| (1..=max).contains(n));
    let window_seconds = seconds.ok_or("the window is not a number of seconds from 1 to a year")?;
    let (tenant, kind) = match scope.split(':').collect::<Vec<_>>()[..] {
        ["GLOBAL", kind] => (None, kind),
        ["TENANT", tenant, kind] => (Some(tenant), kind),
        _ => return Err("the scope is neither GLOBAL:KIND nor TENANT:NAME:KIND"),
    };
    let plain = |text: &str| {
        (1..=limits::NAME_BYTES).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-*".contains(&b))
    };
    if !plain(kind) || tenant.is_some_and(|tenant| !plain(tenant)) {
        return Err("names are letters, digits and ._-");
    }
    Ok(CompactQuota { tenant: tenant.map(str::to_owned), kind: kind.to_owned(), limit, window_seconds })
}

/// The entries as the `quotas` section of `policy.yaml`. With `tenancy` every tenant has counters of its own,
/// without it all share one per kind.
pub fn to_yaml(quotas: &[CompactQuota], tenancy: bool) -> String {
    let per = if tenancy { "[kind, tenant]" } else { "[kind]" };
    let mut out = String::from("quotas:\n");
    for quota in quotas {
        let mut scope = Vec::new();
        if quota.kind != "*" {
            scope.push(format!("action: \"{}\"", quota.kind));
        }
        if let Some(tenant) = &quota.tenant {
            scope.push(format!("tenant: \"{tenant}\""));
        }
        // writing to a String cannot fail
        let _ = writeln!(
            out,
            "  - group: imported\n    match: {{{}}}\n    limit: {}\n    window: PT{}S\n    per: {per}",
            scope.join(", "),
            quota.limit,
            quota.window_seconds,
        );
    }
    out
}
