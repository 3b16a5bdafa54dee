//! What performers need around them.

use std::sync::Arc;

use engine::ports::{Cancellation, Canceller, Context, Failure, Performer, Secret, SecretError, Secrets};
use host::{Processes, WithSecrets};
use model::{Action, EffectClass, Principal, Reversibility, RunId, StepId};
use serde_json::Value;

/// Secrets of the test.
pub(crate) struct Known(pub(crate) &'static [(&'static str, &'static str)]);

impl Secrets for Known {
    fn reveal(&self, name: &str) -> Result<Secret, SecretError> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| Secret::new((*value).to_owned()))
            .ok_or_else(|| SecretError { name: name.to_owned(), why: "the test has none".to_owned() })
    }
}

pub(crate) const SECRETS: Known = Known(&[("token", "s3cr3t-t0ken-value"), ("pin", "7")]);

pub(crate) fn context() -> (Canceller, Context) {
    let (canceller, cancellation) = Cancellation::new();
    let context = Context {
        run: RunId::from_parts(1_700_000_000_000, 7),
        step: StepId::new("/do/0/step"),
        attempt: 1,
        principal: Principal::system(),
        actions: Arc::default(),
        granted: Arc::default(),
        secrets: Arc::new(SECRETS),
        cancellation,
    };
    (canceller, context)
}

pub(crate) fn action(kind: &str, input: Value) -> Action {
    Action {
        kind: kind.to_owned(),
        target: "the test".to_owned(),
        input: input.into(),
        effect: EffectClass::Once,
        reversibility: Reversibility::Irreversible,
        wants: Vec::new(),
        idempotency_key: "key-7".to_owned(),
    }
}

/// Runs a program and waits for it.
pub(crate) async fn perform(processes: Processes, kind: &str, input: Value) -> Result<Value, Failure> {
    let (_canceller, context) = context();
    let done = WithSecrets::scrubbing(processes).perform(&context, &action(kind, input)).await;
    done.map(|output| Value::clone(&output))
}

/// Whether a process with this number is there and is no zombie.
pub(crate) fn lives(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Waits until a condition holds. The test runner's own limit ends a condition that never does.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
