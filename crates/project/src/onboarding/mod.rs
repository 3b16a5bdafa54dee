//! Onboarding a host, as a run: every step is an action that is judged, recorded before and after, and can be taken back.
//!
//! An [`Order`] says everything that is done but who logs in with which password; it is the definition the run is made of.
//! [`Steps`] performs it with a connection that only the command that was typed has; what an engine finds of an onboarding
//! whose command is gone fails, with the command to type again. What there was on the host before is kept in a file of the
//! environment ([`Before`]), written before each change, so that `--undo` can put it back after any failure.

mod before;
mod performer;
mod program;
pub(crate) mod record;

use std::collections::BTreeMap;

use engine::ports::Definition;
use journal::events::ProgramRecord;
use model::{Action, Digest, EffectClass, Origin, Reversibility};
use plan::Host;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use before::Before;
pub use performer::{Elsewhere, Steps, Way};
pub use program::Onboarding;
pub use record::{Recorded, configuration, find, recorded_file};

use crate::ProjectError;

/// The word of an onboarding in the journal.
pub const KIND: &str = "onboarding";
/// What the kinds of its actions begin with.
pub const ACTIONS: &str = "onboard.";
/// Version of the steps and their meaning.
const VERSION: &str = "1.0.0";

/// What is done to a host. No secret is part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Its name.
    pub host: Host,
    /// Name or number in the network.
    pub address: String,
    /// Port of its sshd.
    pub port: u16,
    /// Hosts of the inventory to go through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jump: Vec<Host>,
    /// Who logs in first.
    pub login: String,
    /// The only host key accepted, as `SHA256:...`.
    pub host_key: String,
    /// The service user.
    pub account: String,
    /// The service user's key, as a line of `authorized_keys`.
    pub public_key: String,
    /// The file of the private half, as the record has it; without one, an agent has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its sudo rights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sudo: Vec<String>,
    /// Whether sshd is locked down.
    #[serde(default)]
    pub lock_down: bool,
    /// Labels of the record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether all of it is taken back.
    #[serde(default)]
    pub undo: bool,
}

impl Order {
    /// The names of its steps, in order.
    pub fn steps(&self) -> Vec<&'static str> {
        if self.undo {
            return vec!["undo-lock-down", "undo-sudo", "undo-key", "undo-user", "undo-record"];
        }
        let mut steps = vec!["user", "key", "sudo", "prove"];
        steps.extend(self.lock_down.then_some("lock-down"));
        steps.push("record");
        steps
    }

    /// The action of a step, described fully.
    pub(crate) fn action(&self, step: &str, run: &str) -> Action {
        let mut input = match step {
            "user" => json!({ "account": self.account }),
            "key" => json!({ "account": self.account, "publicKey": self.public_key }),
            "sudo" => json!({ "account": self.account, "rights": self.sudo }),
            "prove" => json!({ "account": self.account, "key": self.key }),
            "lock-down" => json!({ "account": self.account, "login": self.login }),
            "record" => json!({ "account": self.account, "key": self.key, "labels": self.labels }),
            _ => json!({}),
        };
        input["address"] = json!(self.address);
        input["port"] = json!(self.port);
        input["hostKey"] = json!(self.host_key);
        input["login"] = json!(self.login);
        let (effect, reversibility) = match step {
            "prove" => (EffectClass::Read, Reversibility::NoChange),
            _ => (EffectClass::Idempotent, Reversibility::Reversible),
        };
        Action {
            kind: format!("{ACTIONS}{step}"),
            target: self.host.to_string(),
            input: input.into(),
            effect,
            reversibility,
            wants: Vec::new(),
            idempotency_key: format!("{run}/{step}"),
        }
    }

    /// What a run is made of.
    pub fn definition(&self) -> Definition {
        let text = serde_json::to_value(self).unwrap_or(Value::Null).to_string();
        let verb = if self.undo { "offboard" } else { "onboard" };
        Definition {
            program: ProgramRecord {
                kind: KIND.to_owned(),
                name: format!("{verb}/{}", self.host),
                version: VERSION.to_owned(),
                digest: Digest::of(text.as_bytes()),
                source: None,
                origin: Origin::Project,
            },
            text: text.into(),
            actions: BTreeMap::new(),
        }
    }

    /// Reads what [`Order::definition`] wrote.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the onboarding cannot be read: {error}"))
    }
}

/// Refuses labels, rights and names that cannot be, before anything is sent.
///
/// # Errors
/// The one that cannot be.
pub fn check(order: &Order) -> Result<Vec<remote::onboard::SudoRule>, remote::onboard::OnboardError> {
    remote::onboard::account::check_account(&order.account)?;
    order.sudo.iter().map(|text| remote::onboard::SudoRule::parse(text)).collect()
}

/// Makes the service user's key where the record will say it is, if it is not there. Answers its public half.
///
/// # Errors
/// The file cannot be written, or what is there is no key.
pub fn ensure_key(
    state: &crate::StateDir,
    host: &Host,
    account: &str,
) -> Result<(std::path::PathBuf, String, bool), remote::RemoteError> {
    let bad = |error: ProjectError| remote::RemoteError::BadKey { path: state.ssh(), why: error.to_string() };
    crate::layout::create_private(&state.ssh()).map_err(bad)?;
    let path = state.ssh().join(host.as_str());
    let made = remote::identity::ensure_key(&path, &format!("{account}@{host}"))?;
    let public = remote::identity::public_key(&path)?;
    Ok((path, public, made))
}

#[cfg(test)]
pub(crate) fn example() -> Order {
    Order {
        host: "web-1".parse().unwrap(),
        address: "192.0.2.1".to_owned(),
        port: 22,
        jump: Vec::new(),
        login: "root".to_owned(),
        host_key: format!("SHA256:{}", "a".repeat(43)),
        account: "froyo".to_owned(),
        public_key: "ssh-ed25519 AAAA froyo@web-1".to_owned(),
        key: Some(".aedile/dev/ssh/web-1".to_owned()),
        sudo: vec!["NOPASSWD: /usr/bin/systemctl".to_owned()],
        lock_down: true,
        labels: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
        undo: false,
    }
}
