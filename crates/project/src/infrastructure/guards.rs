//! Programs that a configuration has run while a resource is looked at (`unless: [...]`): nobody approves a look, so policy
//! has to grant them beforehand.

use std::sync::Arc;

use journal::events::ProgramRecord;
use model::{Action, Capability, Digest, EffectClass, Origin, Problem, Reversibility, Timestamp};
use plan::Instance;
use policy::{Facts, PolicySet, Request};
use provider::{Attributes, TypeDescription};

use super::outlook;
use super::program::PLAN_PROGRAM;
use crate::{Access, Actor, Place};

/// The kind of action that looking is to policy; never performed as one, and never recorded.
const LOOK: &str = "resource.look";

/// Asks for grants.
pub(super) struct Guards {
    policy: Arc<PolicySet>,
    facts: Facts,
}

impl Guards {
    pub(super) fn new(
        (policy, access): (Arc<PolicySet>, &Access),
        place: &Place,
        actor: &Actor,
        now: Timestamp,
    ) -> Self {
        let program = ProgramRecord {
            kind: PLAN_PROGRAM.to_owned(),
            name: format!("infrastructure/{}", place.environment),
            version: String::new(),
            digest: Digest::ZERO,
            source: None,
            origin: Origin::Project,
        };
        Self { policy, facts: outlook::facts(&program, &place.environment, access, actor, now) }
    }

    /// Why a resource may not be looked at, if it may not.
    pub(super) fn refuse(
        &self,
        instance: &Instance,
        kind: &TypeDescription,
        config: &Attributes,
    ) -> Option<Problem> {
        let wants = provider::chosen_programs(kind, config);
        if wants.is_empty() {
            return None;
        }
        let action = Action {
            kind: LOOK.to_owned(),
            target: instance.to_string(),
            input: serde_json::Value::Null.into(),
            effect: EffectClass::Read,
            reversibility: Reversibility::NoChange,
            wants: wants.into_iter().map(Capability).collect(),
            idempotency_key: String::new(),
        };
        let step = model::StepId::new(instance.to_string());
        let missing = self.policy.ungranted(&Request::step(&self.facts, &step, &action.target, 1, &action));
        let need = missing.first()?;
        let detail = format!("looking at it needs {need}, which no grant gives");
        Some(Problem::authorization(detail).with_code(model::code::policy::DENIED))
    }
}
