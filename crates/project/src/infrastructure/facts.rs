//! What hosts are: gathered in one round trip for each, kept with its age, and taken for true until it expires.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use config::HostConfig;
use futures_util::stream::{self, StreamExt as _};
use model::Timestamp;
use plan::Host;
use remote::{RemoteError, Request, Runner, Target as _};
use runner::protocol::{Answer, Grants, Op, Part};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hosts::{Login, target};
use crate::layout::create_private;
use crate::{ProjectError, StateDir, limits, text};

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The host.
    pub host: Host,
    /// When it was gathered, by the clock of whoever gathered it.
    pub at: Timestamp,
    /// What the host said, as `docs/reference/runner.md` has it.
    pub facts: Value,
}

impl Known {
    /// How long ago it was gathered.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.at).try_into().unwrap_or_default()
    }

    /// Whether it is not taken for true any more.
    pub fn is_stale(&self, now: Timestamp, after: Duration) -> bool {
        self.age(now) >= after
    }
}

/// The facts that an environment keeps. A cache: every file can go, and is gathered again.
#[derive(Debug, Clone)]
pub struct FactStore {
    directory: PathBuf,
}

impl FactStore {
    /// Those of an environment. Reads and makes nothing.
    pub fn of(state: &StateDir) -> Self {
        Self { directory: state.facts() }
    }

    fn file(&self, host: &Host) -> PathBuf {
        self.directory.join(format!("{host}.json"))
    }

    /// What is known of a host; nothing where the file was written by another version or is damaged, as it can be made
    /// again.
    pub fn get(&self, host: &Host) -> Option<Known> {
        let text = text::read(&self.file(host), "facts", limits::FACTS_BYTES_MAX).ok()?;
        serde_json::from_str(&text).ok().filter(|known: &Known| known.host == *host)
    }

    /// Keeps what was learnt, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&self, known: &Known) -> Result<(), ProjectError> {
        create_private(&self.directory)?;
        let text = serde_json::to_string(known).unwrap_or_default();
        text::write(&self.file(&known.host), &text, true)
    }
}

/// What asking a host came to.
#[derive(Debug)]
pub struct Collected {
    /// The host.
    pub host: Host,
    /// What it said, or why it said nothing.
    pub outcome: Result<Value, RemoteError>,
}

/// Asks hosts what they are, many at once, each in one round trip on one connection. Changes nothing on them beyond the
/// runner that is brought there. The order is that of the names.
pub async fn collect(
    names: &[Host],
    hosts: &BTreeMap<Host, HostConfig>,
    parts: &[Part],
    (login, state, runner): (&Login, &StateDir, &Runner),
) -> Vec<Collected> {
    let asked = stream::iter(names.iter().cloned()).map(|host| async move {
        let asked = ask(&host, hosts, parts, (login, state, runner));
        let said = tokio::time::timeout(limits::FACTS_TIME_ALTOGETHER, asked).await;
        let said = said.unwrap_or_else(|_| {
            let limit_s = limits::FACTS_TIME_ALTOGETHER.as_secs();
            Err(RemoteError::Timeout { host: host.to_string(), what: "gathering facts", limit_s })
        });
        Collected { host, outcome: said }
    });
    let mut all: Vec<Collected> = asked.buffer_unordered(limits::FACTS_AT_ONCE).collect().await;
    all.sort_by(|a, b| a.host.cmp(&b.host));
    all
}

async fn ask(
    host: &Host,
    hosts: &BTreeMap<Host, HostConfig>,
    parts: &[Part],
    (login, state, runner): (&Login, &StateDir, &Runner),
) -> Result<Value, RemoteError> {
    let remote = target(host, hosts, login, state, runner.clone())?;
    // facts need no grant, so the session has none
    let session = remote.open(Grants::default()).await?;
    let reply = session.run(Request::new(Op::Facts { parts: parts.to_vec() }, limits::FACTS_TIME)).await?;
    session.close().await;
    match reply.answer {
        Answer::Facts(facts) => Ok(serde_json::to_value(&*facts).unwrap_or_default()),
        _ => Err(RemoteError::Protocol {
            host: host.to_string(),
            why: "it answered something else".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn infrastructure_22_facts_are_kept_until_they_expire() {
        let directory = tempfile::tempdir().unwrap();
        let store = FactStore { directory: directory.path().join("facts") };
        let host: Host = "web-1".parse().unwrap();
        assert_eq!(store.get(&host), None);
        let known = Known {
            host: host.clone(),
            at: at("2026-01-01T00:00:00Z"),
            facts: json!({"os": {"id": "debian"}}),
        };
        store.put(&known).unwrap();
        assert_eq!(store.get(&host), Some(known.clone()));
        store.put(&Known { facts: json!({}), ..known.clone() }).unwrap();
        assert_eq!(store.get(&host).unwrap().facts, json!({}), "the same host has one record");
        let second = Duration::from_secs(1);
        assert!(!known.is_stale(at("2026-01-01T00:00:00.5Z"), second));
        assert!(known.is_stale(at("2026-01-01T00:00:02Z"), second));
        assert!(
            !known.is_stale(at("2025-12-31T23:00:00Z"), second),
            "a clock that was set back makes nothing old"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let directory = tempfile::tempdir().unwrap();
        let store = FactStore { directory: directory.path().to_owned() };
        let (one, other): (Host, Host) = ("one".parse().unwrap(), "other".parse().unwrap());
        std::fs::write(store.file(&one), "{\"host\": \"one\"").unwrap();
        assert_eq!(store.get(&one), None);
        store.put(&Known { host: one, at: at("2026-01-01T00:00:00Z"), facts: json!({}) }).unwrap();
        std::fs::rename(directory.path().join("one.json"), store.file(&other)).unwrap();
        assert_eq!(store.get(&other), None, "it is about another host");
    }
}
