//! The world outside: what effects have happened in it, and performers that make them happen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::ports::{BoxFuture, Checked, Context, Failure, FailureClass, Performer};
use journal::events::{Scheduled, StepEvent};
use journal::{Event, Journal};
use model::{Action, EffectClass, Json, Problem, RunId, StepId};
use serde_json::{Value, json};

use crate::disk::Platter;
use crate::locked;
use crate::power::{Moment, Power, dead};

/// Which attempt at which effect.
pub type Attempt = (RunId, StepId, u32);

/// What has happened in the world, for ever: no crash takes it back.
#[derive(Debug, Default)]
pub struct Outside {
    state: Mutex<Happened>,
}

#[derive(Debug, Default)]
struct Happened {
    effects: BTreeMap<Attempt, (EffectClass, u32)>,
    broken: Vec<String>,
}

impl Outside {
    /// How often an attempt has happened.
    pub fn count(&self, attempt: &Attempt) -> u32 {
        locked(&self.state).effects.get(attempt).map_or(0, |(_, count)| *count)
    }

    /// Every attempt with its class and how often it has happened.
    pub fn effects(&self) -> Vec<(Attempt, EffectClass, u32)> {
        let state = locked(&self.state);
        state.effects.iter().map(|(attempt, (class, count))| (attempt.clone(), *class, *count)).collect()
    }

    /// Rules that were broken at the moment of an effect.
    pub fn broken(&self) -> Vec<String> {
        locked(&self.state).broken.clone()
    }

    pub(crate) fn happen(&self, attempt: Attempt, class: EffectClass) {
        locked(&self.state).effects.entry(attempt).or_insert((class, 0)).1 += 1;
    }

    fn complain(&self, what: String) {
        locked(&self.state).broken.push(what);
    }
}

/// Carries out the simulated effects of one life.
pub struct SimPerformer {
    outside: Arc<Outside>,
    platter: Arc<Platter>,
    power: Arc<Power>,
    dice: Mutex<fastrand::Rng>,
}

impl SimPerformer {
    /// A performer of one life.
    pub fn new(outside: Arc<Outside>, platter: Arc<Platter>, power: Arc<Power>, dice: fastrand::Rng) -> Self {
        Self { outside, platter, power, dice: Mutex::new(dice) }
    }

    /// Complains unless the intent is durable, with a verdict or an approval that allows it.
    fn demand_intent(&self, context: &Context, action: &Action) {
        let complain = |what: &str| {
            let (run, step, attempt) = (context.run, &context.step, context.attempt);
            self.outside.complain(format!("effect {run}{step} attempt {attempt}: {what}"));
        };
        match self.intent(context) {
            None => complain("its step.scheduled is not durable"),
            Some(scheduled) if scheduled.action.digest != action.digest() => {
                complain("it is not what was scheduled");
            }
            Some(scheduled) => match scheduled.verdict.verdict.as_str() {
                "allow" => {}
                "require" if !scheduled.approvals.is_empty() => {}
                _ => complain("neither policy nor people allowed it"),
            },
        }
    }

    fn intent(&self, context: &Context) -> Option<Scheduled> {
        let stream = context.run.to_string();
        let records = self.platter.journal().read_stream(&stream, 0, usize::MAX).ok()?;
        records.into_iter().rev().find_map(|record| match record.event {
            Event::Step(StepEvent::Scheduled(scheduled))
                if scheduled.step == context.step && scheduled.attempt == context.attempt =>
            {
                Some(*scheduled)
            }
            _ => None,
        })
    }

    fn between(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(locked(&self.dice).u64(range))
    }
}

fn attempt_of(context: &Context) -> Attempt {
    (context.run, context.step.clone(), context.attempt)
}

impl Performer for SimPerformer {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let takes = action.input.get("takes_ms").and_then(Value::as_u64).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(takes)).await;
            if !self.power.survives(Moment::BeforeEffect) {
                return dead().await;
            }
            self.demand_intent(context, action);
            self.outside.happen(attempt_of(context), action.effect);
            if !self.power.survives(Moment::AfterEffect) {
                return dead().await;
            }
            tokio::time::sleep(self.between(0..20)).await;
            if action.input.get("fails").and_then(Value::as_bool) == Some(true) {
                let problem = Problem::communication("it was drawn to fail");
                return Err(Failure { problem, class: FailureClass::Transient, maybe_happened: true });
            }
            Ok(json!({ "done": action.input["attempt"] }).into())
        })
    }

    fn check<'a>(&'a self, context: &'a Context, _: &'a Action) -> BoxFuture<'a, Checked> {
        Box::pin(async move {
            tokio::time::sleep(self.between(1..50)).await;
            if locked(&self.dice).u8(0..5) == 0 {
                return Checked::Unknown;
            }
            match self.outside.count(&attempt_of(context)) {
                0 => Checked::NotHappened,
                _ => Checked::Happened(json!({ "found": true }).into()),
            }
        })
    }
}
