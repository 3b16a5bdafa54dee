//! The built-in function `approval`.

use model::approval::{Level, OnTimeout};
use model::{ApprovalOutcome, ApprovalRequest, Problem, Step};
use serde_json::{Value, json};

use super::Execution;
use super::frame::{FrameId, State};
use crate::duration;
use crate::expression::Template;

/// What the types of Aedile's own problems begin with.
const BASE: &str = "https://aedile.io/errors/";

impl Execution {
    pub(super) fn start_approval(&mut self, id: FrameId, with: &Template) -> Result<(), Problem> {
        let arguments = self.fill(id, with)?;
        let Some(frame) = self.frames.get(id) else { return Ok(()) };
        let request = request(&arguments, &frame.input)?;
        let step = frame.step.clone();
        self.become_state(id, State::Ask);
        self.pending.push(Step::Ask { step, request: Box::new(request) });
        Ok(())
    }

    /// People have answered.
    pub(super) fn resolved(&mut self, id: FrameId, outcome: &ApprovalOutcome) {
        let problem = match outcome {
            ApprovalOutcome::Granted { by, overridden } => {
                let by: Vec<&str> = by.iter().map(model::Principal::as_str).collect();
                let output = json!({"outcome": outcome.as_str(), "by": by, "overridden": overridden});
                return self.finish_plain(id, output.into());
            }
            ApprovalOutcome::Denied { by, reason } => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                problem("approval-denied", 403, "Approval Denied", format!("denied by {by}{reason}"))
            }
            ApprovalOutcome::Expired => {
                problem("approval-expired", 408, "Approval Expired", "nobody decided in time".to_owned())
            }
            ApprovalOutcome::Withdrawn { reason } => {
                problem("approval-withdrawn", 409, "Approval Withdrawn", reason.clone())
            }
        };
        self.fail(id, problem);
    }
}

fn problem(name: &str, status: u16, title: &str, detail: String) -> Problem {
    Problem {
        kind: format!("{BASE}{name}"),
        status,
        title: Some(title.to_owned()),
        detail: Some(detail),
        instance: None,
        code: None,
        retry_after_ms: None,
    }
}

fn request(arguments: &Value, input: &Value) -> Result<ApprovalRequest, Problem> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).map(str::to_owned);
    let levels = match arguments.get("levels") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(wrong("`levels` needs at least one level"));
        }
        Some(Value::Array(items)) => {
            (1..).zip(items).map(|(number, item)| level(number, item)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(wrong("`levels` must be a list")),
    };
    Ok(ApprovalRequest {
        title: text("title").ok_or_else(|| wrong("`title` must be a text"))?,
        description: text("description"),
        asked: arguments.get("asked").unwrap_or(input).clone(),
        chain: text("chain"),
        levels,
    })
}

fn level(number: u32, item: &Value) -> Result<Level, Problem> {
    if item.get("level").and_then(Value::as_u64).is_some_and(|given| given != u64::from(number)) {
        return Err(wrong("levels must be consecutive starting from 1"));
    }
    let roles = item.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if roles.is_empty() {
        return Err(wrong("a level needs at least one role"));
    }
    let roles = roles
        .iter()
        .map(|role| {
            role.as_str().and_then(|role| role.parse().ok()).ok_or_else(|| wrong("a role must be a name"))
        })
        .collect::<Result<_, _>>()?;
    let quorum = match item.get("quorum") {
        None => 1,
        Some(quorum) => quorum
            .as_u64()
            .and_then(|quorum| u32::try_from(quorum).ok())
            .filter(|quorum| *quorum > 0)
            .ok_or_else(|| wrong("`quorum` must be a whole number of at least 1"))?,
    };
    let within = match item.get("within") {
        None => None,
        Some(within) => {
            Some(duration::from_value(within).ok_or_else(|| wrong("`within` must be a duration"))?)
        }
    };
    let on_timeout = match item.get("onTimeout").and_then(Value::as_str) {
        Some("escalate") => OnTimeout::Escalate,
        _ => OnTimeout::Deny,
    };
    let emergency_override = item.get("emergencyOverride").and_then(Value::as_bool).unwrap_or(false);
    Ok(Level { number, roles, quorum, within, on_timeout, emergency_override })
}

fn wrong(message: &str) -> Problem {
    Problem::configuration(format!("approval: {message}"))
}
