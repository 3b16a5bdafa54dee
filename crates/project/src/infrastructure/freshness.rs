//! Whether a plan still fits at the moment it is to be applied, and whether it is this run's turn.

use std::sync::Arc;

use engine::ports::{BoxFuture, Context, Failure, FailureClass, Performer};
use model::{Action, Coded as _, Json, Problem, RunId, Timestamp};
use plan::Plan;
use serde_json::json;

use super::perform::{broken, permanent};
use super::site::Site;
use super::undo::changed_since;
use crate::limits;

/// Performs `plan.check`: plans again and compares.
pub(crate) struct Freshness {
    site: Arc<Site>,
}

impl Freshness {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site }
    }
}

fn fresh() -> Json {
    json!({ "fresh": true }).into()
}

impl Performer for Freshness {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let input = action
                .input
                .read::<plan::apply::FreshnessInput>()
                .map_err(|error| broken(format!("the input cannot be read: {error}")))?;
            let plan = self.site.plan_of(&input.plan).ok_or_else(|| broken("the plan is not known here"))?;
            let others = self.others(context, &plan)?;
            others.alone(context, &input)?;
            if plan.is_of_record() {
                let unreadable = |error: crate::ProjectError| broken(error.to_string());
                let (_, applied) = self.site.applied().map_err(unreadable)?;
                plan.check_record(&applied, self.site.parts.rules.now().policy.digest())
                    .map_err(|moved| stale(moved.to_string()))?;
                return Ok(fresh());
            }
            // an undo brings back what was there, whatever the configuration says
            if plan.parent.is_some() && !input.again {
                self.first_since(context, &plan)?;
            }
            let new = self.site.is_new(&input.plan) && !others.since_planned;
            if input.again || plan.parent.is_some() || new {
                return Ok(fresh());
            }
            let wanted = super::Wanted {
                variables: plan.variables.clone(),
                focus: plan.focus.clone(),
                only: plan.only.clone(),
                destroy: plan.destroy,
                adopt: plan.counts.adopt > 0,
                at_once: false,
            };
            let now = self.site.plan(&wanted).await.map_err(|error| {
                permanent(Problem::configuration(error.to_string()).with_code(error.code()))
            })?;
            plan.check_fresh(plan::Now { fresh: &now.plan, used: None })
                .map_err(|moved| stale(moved.to_string()))?;
            Ok(fresh())
        })
    }
}

fn stale(detail: String) -> Failure {
    permanent(Problem::configuration(detail).with_status(409).with_code(model::code::plan::STALE))
}

/// The other runs of the environment that apply plans.
struct Others {
    /// When this run began.
    mine: Option<(Timestamp, RunId)>,
    /// Those that began and have not ended: when, which, and in words.
    under_way: Vec<((Timestamp, RunId), String)>,
    /// The latest of those that ended.
    ended: Option<(Timestamp, RunId)>,
    /// Whether one began after the plan was made.
    since_planned: bool,
}

impl Freshness {
    /// An undo is for right after what it takes back.
    fn first_since(&self, context: &Context, plan: &Plan) -> Result<(), Failure> {
        let Some(journal) = &self.site.parts.journal else { return Ok(()) };
        let found = changed_since(&**journal, plan.basis.position, context.run);
        match found.map_err(|error| broken(error.to_string()))? {
            Some((by, target)) => Err(stale(format!("the plan is stale: {by} has changed {target} since"))),
            None => Ok(()),
        }
    }

    fn others(&self, context: &Context, plan: &Plan) -> Result<Others, Failure> {
        let mut others = Others { mine: None, under_way: Vec::new(), ended: None, since_planned: false };
        let Some(journal) = &self.site.parts.journal else { return Ok(others) };
        let unreadable = |error: journal::JournalError| broken(error.to_string());
        let since = |row: &store::RunRow| row.started_at.map(|at| (at, row.run));
        others.mine = journal.run(context.run).map_err(unreadable)?.as_ref().and_then(since);
        let planned: Option<Timestamp> = plan.created.parse().ok();
        let mut filter =
            store::RunFilter { kind: Some(super::PLAN_PROGRAM.to_owned()), ..store::RunFilter::default() };
        loop {
            let page = journal.runs(&filter, limits::RUNS_AT_ONCE).map_err(unreadable)?;
            for row in page.items.iter().filter(|row| row.run != context.run) {
                let Some(began) = since(row) else { continue };
                others.since_planned |= planned.is_none_or(|planned| began.0 >= planned);
                if row.status.is_ended() {
                    others.ended = others.ended.max(Some(began));
                } else {
                    let age = self.site.parts.clock.now().duration_since(began.0).as_secs().max(0);
                    let words = format!(
                        "{} is being applied by {} since {age} s, and one plan is applied at a time; `aedile runs show \
                         {}` says how far it is, `aedile runs cancel {}` ends it",
                        row.name, row.requester, row.run, row.run
                    );
                    others.under_way.push((began, words));
                }
            }
            filter.before = page.next;
            if filter.before.is_none() {
                return Ok(others);
            }
        }
    }
}

impl Others {
    /// One plan at a time: whichever run of the environment began first goes on, and the journal says which that is. One that is
    /// tried again has no turn to keep.
    fn alone(&self, context: &Context, input: &plan::apply::FreshnessInput) -> Result<(), Failure> {
        let again = input.again || context.attempt > 1;
        let first = self
            .under_way
            .iter()
            .filter(|(began, _)| again || self.mine.is_none_or(|mine| *began < mine))
            .min_by_key(|(began, _)| *began);
        if let Some((_, words)) = first {
            let problem =
                Problem::communication(words.as_str()).with_status(503).with_code(model::code::plan::HELD);
            return Err(Failure { problem, class: FailureClass::Transient, maybe_happened: false });
        }
        let overtaken = self.ended.filter(|ended| self.mine.is_some_and(|mine| *ended > mine));
        match overtaken.filter(|_| input.again) {
            Some((_, run)) => Err(stale(format!("the plan is stale: {run} applied another one since"))),
            None => Ok(()),
        }
    }
}
