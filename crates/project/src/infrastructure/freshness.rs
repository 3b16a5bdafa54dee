//! Whether a plan still fits at the moment it is to be applied, and whether it is this run's turn.

use std::sync::Arc;

use engine::ports::{BoxFuture, Context, Failure, FailureClass, Performer};
use model::{Action, Coded as _, Digest, Problem};
use serde_json::{Value, json};

use super::perform::{broken, permanent};
use super::site::Site;

/// Performs `plan.check`: plans again and compares.
pub(crate) struct Freshness {
    site: Arc<Site>,
}

impl Freshness {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site }
    }
}

impl Performer for Freshness {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let input: plan::apply::FreshnessInput = serde_json::from_value(action.input.clone())
                .map_err(|error| broken(format!("the input cannot be read: {error}")))?;
            self.alone(context, &input.plan)?;
            let plan = self.site.plan_of(&input.plan).ok_or_else(|| broken("the plan is not known here"))?;
            // an undo brings back what was there, whatever the configuration says
            if plan.parent.is_some() || self.site.is_new(&input.plan) {
                return Ok(json!({ "fresh": true }));
            }
            let wanted = super::Wanted {
                variables: plan.variables.clone(),
                focus: plan.focus.clone(),
                destroy: plan.destroy,
            };
            let now = self.site.plan(&wanted).await.map_err(|error| {
                permanent(Problem::configuration(error.to_string()).with_code(error.code()))
            })?;
            plan.check_fresh(plan::Now { fresh: &now.plan, used: None }).map_err(|stale| {
                permanent(Problem::configuration(stale.to_string()).with_status(409).with_code(stale.code()))
            })?;
            Ok(json!({ "fresh": true }))
        })
    }
}

impl Freshness {
    /// One plan at a time: whichever run of the environment started first goes on, and the journal says which that is.
    fn alone(&self, context: &Context, plan: &Digest) -> Result<(), Failure> {
        let Some(journal) = &self.site.parts.journal else { return Ok(()) };
        let filter = store::RunFilter {
            status: store::RunStatus::ALL.into_iter().filter(|status| !status.is_ended()).collect(),
            kind: Some(super::PLAN_PROGRAM.to_owned()),
            ..store::RunFilter::default()
        };
        let rows = journal.runs(&filter, 100).map_err(|error| broken(error.to_string()))?.items;
        let since = |row: &store::RunRow| row.started_at.map(|at| (at, row.run));
        let mine = rows.iter().find(|row| row.run == context.run).and_then(since);
        let first =
            rows.iter().filter(|row| row.run != context.run).filter_map(|row| since(row).map(|at| (at, row)));
        let held = first.filter(|(at, _)| mine.is_none_or(|mine| *at < mine)).min_by_key(|(at, _)| *at);
        let Some(((at, _), row)) = held else { return Ok(()) };
        let age = self.site.parts.clock.now().duration_since(at).as_secs().max(0);
        let detail = format!(
            "{} is being applied by {} since {age} s, and one plan is applied at a time; `aedile runs show {}` says how far \
             it is, `aedile runs cancel {}` ends it (this one is {})",
            row.name,
            row.requester,
            row.run,
            row.run,
            plan.short()
        );
        let problem = Problem::communication(detail).with_status(503).with_code(model::code::plan::HELD);
        Err(Failure { problem, class: FailureClass::Transient, maybe_happened: false })
    }
}
