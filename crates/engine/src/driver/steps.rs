//! Turns what a program wants into events, by way of policy.

use journal::events::{
    AskedStep, BusEvent, ChildRun, Deferred, Ended, EndedBadly, ListenEvent, Listening, Nothing, Published,
    Reason, RunEvent, Scheduled, StepEvent, StepFault, StepResult, Stopped, TimerEvent, TimerNamed, TimerSet,
    VerdictRecord,
};
use model::program::{Due, Outcome, StepRef, TimerPurpose};
use model::{
    Action, ApprovalRequest, Capability, Chain, CloudEvent, EffectClass, MatchedRule, Principal, Problem,
    Reversibility, Step, StepId, Timestamp, Verdict, code,
};
use policy::Decision;
use serde_json::{Value, json};

use super::Driver;
use crate::approvals::{Question, compose};
use crate::error::refused;
use crate::state::{RUN_STEP, WINDOW_TIMER};

/// The kind of action that the driver itself carries out, as an event in the same append.
const EMIT: &str = "event.emit";

impl Driver {
    /// Judges a run that is proposed, and starts it, asks for it, holds it or ends it.
    pub(super) fn admit(&mut self) {
        let step = StepId::new(RUN_STEP);
        if self.state.cancelling {
            self.emit(Principal::system(), RunEvent::Cancelled(Reason::default()));
            return;
        }
        if self.state.is_held(&step) {
            return;
        }
        let now = self.batch_time();
        let ruling = self.consented(self.shared.judge.rule_run(&self.state, now));
        let verdict = VerdictRecord::from(&ruling.judgement);
        self.emit(Principal::system(), RunEvent::Judged(verdict.clone()));
        match ruling.judgement.verdict.clone() {
            Verdict::Allow => self.begin(&ruling),
            Verdict::Deny { reasons } => {
                let problem = refused(ruling.code().unwrap_or(code::policy::DENIED), reasons.join("; "));
                self.emit(Principal::system(), RunEvent::Failed(EndedBadly { problem }));
            }
            Verdict::Defer { until, .. } => self.defer(step, until, verdict),
            Verdict::Require { approvals } => {
                let mut asked = json!({
                    "workflow": self.state.submitted.program.name,
                    "version": self.state.submitted.program.version,
                    "definition": self.state.submitted.program.digest,
                    "input": self.state.submitted.input,
                    "environment": self.state.submitted.environment,
                });
                let mut title = format!("Run {}", self.state.submitted.program.name);
                let origin = self.state.submitted.program.origin;
                if !origin.is_project() {
                    asked["origin"] = origin.as_str().into();
                    title.push_str(", whose definition came with the request");
                }
                if let Some(proposal) = self.state.program.proposal() {
                    asked["proposal"] = proposal.shown;
                    title = proposal.title;
                }
                if self.ask_all(&step, "run", approvals, &title, &asked, &verdict) {
                    return;
                }
                self.begin(&ruling);
            }
        }
    }

    /// What policy would let go ahead by itself waits for people where the program has to have their consent. Where nobody could
    /// give it, it is denied.
    fn consented(&self, mut ruling: Decision) -> Decision {
        let Some(consent) = self.state.program.consent() else { return ruling };
        if ruling.judgement.verdict != Verdict::Allow {
            return ruling;
        }
        let request = ApprovalRequest {
            title: consent.because.clone(),
            description: None,
            asked: Value::Null,
            chain: consent.chain,
            levels: Vec::new(),
        };
        let (verdict, said, message) = match self.shared.judge.chain_for(&request) {
            Ok(chain) => (Verdict::Require { approvals: vec![chain] }, "require", consent.because),
            Err(why) => {
                let why = format!("{}, and nobody can: {why}", consent.because);
                (Verdict::Deny { reasons: vec![why.clone()] }, "deny", why)
            }
        };
        let rule = MatchedRule { rule: "consent".to_owned(), said: said.to_owned(), message };
        ruling.judgement.matched.push(rule);
        ruling.judgement.verdict = verdict;
        ruling
    }

    fn begin(&mut self, ruling: &Decision) {
        self.reserve(&StepId::new(RUN_STEP), ruling);
        let actor = self.state.requester.clone();
        self.emit(actor, RunEvent::Started(Nothing {}));
    }

    /// Turns one step into events. Answers whether anything happened.
    pub(super) fn take(&mut self, step: Step) -> bool {
        match step {
            Step::Record { step, result } => self.record(step, result),
            Step::Perform { step, attempt, action } => return self.perform(&step, attempt, &action),
            Step::Timer { step, name, due, purpose } => self.set_timer(step.id, name, due, purpose),
            Step::CancelTimer { step, name } => {
                self.emit_own(TimerEvent::Cancelled(TimerNamed { step, name }));
            }
            Step::Ask { step, request } => self.ask_for_task(&step, &request),
            Step::Listen { step } => self.listen(step),
            Step::Unlisten { step } => {
                self.emit_own(ListenEvent::Stopped(Stopped { step, reason: None }));
            }
            Step::Start { step, workflow, version, input, wait } => {
                return self.start_child(&step, &workflow, version.as_deref(), input, wait);
            }
            Step::Abandon { step, reason } => self.abandon(step, reason),
            Step::Finish { outcome } => self.finish(outcome),
        }
        true
    }

    fn emit_own(&mut self, event: impl Into<journal::Event>) {
        let actor = self.actor();
        self.emit(actor, event);
    }

    fn record(&mut self, step: StepRef, result: Result<Value, Problem>) {
        let (name, task) = (step.name.to_string(), step.kind.to_owned());
        let event = match result {
            Ok(output) => {
                StepEvent::Completed(StepResult { step: step.id, name, task, output: output.into() })
            }
            Err(problem) => {
                StepEvent::Failed(Box::new(StepFault { step: step.id, name, task, problem, verdict: None }))
            }
        };
        self.emit_own(event);
    }

    fn fail(&mut self, step: &StepRef, problem: Problem, verdict: Option<VerdictRecord>) {
        let problem = problem.at(super::effects::pointer_of(&step.id));
        let (name, task) = (step.name.to_string(), step.kind.to_owned());
        self.emit_own(StepEvent::Failed(Box::new(StepFault {
            step: step.id.clone(),
            name,
            task,
            problem,
            verdict,
        })));
    }

    /// Judges an effect. `Some` when it may go ahead now.
    fn judged(&mut self, step: &StepRef, attempt: u32, action: &Action) -> Judged {
        if self.state.is_held(&step.id) {
            return Judged::Held { progressed: false };
        }
        let now = self.batch_time();
        let ruling = self.shared.judge.rule_step(&self.state, (step, attempt), action, now);
        let verdict = VerdictRecord::from(&ruling.judgement);
        match ruling.judgement.verdict.clone() {
            Verdict::Allow => {}
            Verdict::Deny { reasons } => {
                let code = ruling.code().unwrap_or(code::policy::DENIED);
                self.fail(step, refused(code, reasons.join("; ")), Some(verdict));
                return Judged::Held { progressed: true };
            }
            Verdict::Defer { until, .. } => {
                self.defer(step.id.clone(), until, verdict);
                return Judged::Held { progressed: true };
            }
            Verdict::Require { approvals } => {
                let asked = json!({
                    "run": self.state.run,
                    "step": step.id,
                    "kind": action.kind,
                    "target": action.target,
                    "input": action.input,
                    "effect": action.effect.as_str(),
                    "reversibility": action.reversibility.as_str(),
                });
                let title = format!("{}: {} on {}", step.name, action.kind, action.target);
                if self.ask_all(&step.id, &step.name, approvals, &title, &asked, &verdict) {
                    return Judged::Held { progressed: true };
                }
            }
        }
        Judged::GoAhead(Box::new(ruling))
    }

    fn perform(&mut self, step: &StepRef, attempt: u32, action: &Action) -> bool {
        let ruling = match self.judged(step, attempt, action) {
            Judged::GoAhead(ruling) => ruling,
            Judged::Held { progressed } => return progressed,
        };
        let scheduled = Scheduled {
            step: step.id.clone(),
            name: step.name.to_string(),
            task: step.kind.to_owned(),
            attempt,
            action: action.into(),
            verdict: (&ruling.judgement).into(),
            approvals: self.state.granted_for(&step.id),
            quotas: self.reserve(&step.id, &ruling),
        };
        self.emit_own(StepEvent::Scheduled(Box::new(scheduled)));
        if action.kind == EMIT {
            self.publish(step, action);
        } else {
            self.granted.insert(step.id.clone(), ruling.granted);
            self.batch.starts.push((step.id.clone(), attempt));
        }
        true
    }

    /// Publishing is an event in the same append as its intent and its result: it happens exactly once.
    fn publish(&mut self, step: &StepRef, action: &Action) {
        let event = match action.input.read::<CloudEvent>() {
            Ok(event) => event,
            Err(error) => {
                self.fail(step, Problem::configuration(format!("not a CloudEvent: {error}")), None);
                return;
            }
        };
        let published = Published { event, run: Some(self.state.run) };
        let actor = self.actor();
        self.batch.push("bus".into(), actor, BusEvent::Published(Box::new(published)).into());
        self.batch.publishes = true;
        self.record(step.clone(), Ok(Value::clone(&action.input)));
    }

    fn reserve(&mut self, step: &StepId, ruling: &Decision) -> Vec<journal::events::HeldQuota> {
        let now = self.batch_time();
        let actor = self.actor();
        let held = self.shared.judge.reserve(self.state.run, step, ruling, now);
        for reservation in &held {
            if !self.batch.append.expect.contains(&reservation.expect)
                && !self.batch.append.expect.iter().any(|one| one.stream == reservation.expect.stream)
            {
                self.batch.append.expect.push(reservation.expect.clone());
            }
            self.batch.push(
                reservation.expect.stream.clone(),
                actor.clone(),
                reservation.event.clone().into(),
            );
        }
        held.into_iter().map(|reservation| reservation.held).collect()
    }

    fn defer(&mut self, step: StepId, until: Timestamp, verdict: VerdictRecord) {
        let timer = TimerSet {
            step: step.clone(),
            name: WINDOW_TIMER.to_owned(),
            due: until,
            purpose: "window".to_owned(),
        };
        self.emit(Principal::system(), StepEvent::Deferred(Deferred { step, until, verdict }));
        self.emit(Principal::system(), TimerEvent::Set(timer));
    }

    fn set_timer(&mut self, step: StepId, name: String, due: Due, purpose: TimerPurpose) {
        let now = self.batch_time();
        let due = match due {
            Due::At(at) => at,
            Due::After(duration) => now.checked_add(duration).unwrap_or(Timestamp::MAX),
        };
        let due = model::time::to_millisecond(due);
        self.emit_own(TimerEvent::Set(TimerSet { step, name, due, purpose: purpose.as_str().to_owned() }));
    }

    /// Asks for every chain that is not granted yet for exactly this. Answers whether anything was asked.
    fn ask_all(
        &mut self,
        step: &StepId,
        name: &str,
        chains: Vec<Chain>,
        title: &str,
        asked: &Value,
        verdict: &VerdictRecord,
    ) -> bool {
        let mut any = false;
        for chain in chains {
            let question = Question {
                run: &self.state,
                step: step.clone(),
                title: title.to_owned(),
                description: None,
                asked: asked.clone(),
                chain,
                policy: verdict.policy,
            };
            let binding = question.binding();
            if self.state.questions.values().any(|one| one.granted && one.binding == binding) {
                continue;
            }
            self.ask(question.owned(), name, true, Some(verdict.clone()));
            any = true;
        }
        any
    }

    fn ask_for_task(&mut self, step: &StepRef, request: &ApprovalRequest) {
        let chain = match self.shared.judge.chain_for(request) {
            Ok(chain) => chain,
            Err(why) => {
                self.fail(step, Problem::configuration(why), None);
                return;
            }
        };
        let question = Question {
            run: &self.state,
            step: step.id.clone(),
            title: request.title.clone(),
            description: request.description.clone(),
            asked: request.asked.clone(),
            chain,
            policy: self.shared.judge.policy_digest(),
        };
        let owned = question.owned();
        self.ask(owned, &step.name, false, None);
    }

    fn ask(
        &mut self,
        question: crate::approvals::Owned,
        name: &str,
        by_policy: bool,
        verdict: Option<VerdictRecord>,
    ) {
        let at = self.batch_time();
        let approval = self.shared.new_approval(at);
        let asked = compose(approval, question, at);
        let event = AskedStep {
            step: asked.step.clone(),
            name: name.to_owned(),
            approval,
            binding: asked.binding,
            by: if by_policy { "policy" } else { "task" }.to_owned(),
            verdict,
        };
        let actor = self.state.requester.clone();
        let requested = journal::events::ApprovalEvent::Requested(Box::new(asked.clone()));
        self.batch.push_new(approval.to_string().into(), actor, requested.into());
        self.batch.notices.push(asked);
        self.emit_own(StepEvent::Asked(event));
    }

    fn listen(&mut self, step: StepRef) {
        let now = self.shared.bus_sequence();
        let after = self.state.submitted.hears_after.unwrap_or(now);
        self.shared.listens(self.state.run);
        self.emit_own(ListenEvent::Started(Listening { step: step.id, name: step.name.to_string(), after }));
        if after < now {
            // nothing new need come for it to hear what is there
            let (shared, run) = (std::sync::Arc::clone(&self.shared), self.state.run);
            tokio::spawn(async move { shared.send(run, super::Message::Bus).await });
        }
    }

    fn start_child(
        &mut self,
        step: &StepRef,
        workflow: &str,
        version: Option<&str>,
        input: Value,
        wait: bool,
    ) -> bool {
        let target = version.map_or_else(|| workflow.to_owned(), |version| format!("{workflow}@{version}"));
        let action = Action {
            kind: "run.workflow".to_owned(),
            target,
            input: json!({ "workflow": workflow, "version": version, "input": input }).into(),
            effect: EffectClass::Idempotent,
            reversibility: Reversibility::NoChange,
            wants: vec![Capability("run:workflow".to_owned())],
            idempotency_key: format!("{}{}", self.state.run, step.id),
        };
        let ruling = match self.judged(step, 1, &action) {
            Judged::GoAhead(ruling) => ruling,
            Judged::Held { progressed } => return progressed,
        };
        let now = self.batch_time();
        let child = match self.shared.child_of(&self.state, step, workflow, version, input, now) {
            Ok(child) => child,
            Err(problem) => {
                self.fail(step, problem, None);
                return true;
            }
        };
        self.reserve(&step.id, &ruling);
        for (stream, actor, event) in child.before {
            self.batch.push_new(stream, actor, event);
        }
        let run = child.child.run();
        self.batch.children.push(child.child);
        self.emit_own(StepEvent::ChildStarted(ChildRun {
            step: step.id.clone(),
            name: step.name.to_string(),
            run,
            wait,
        }));
        true
    }

    fn abandon(&mut self, step: StepId, reason: String) {
        self.running.remove(&step);
        self.let_go(|question| *question == step);
        let children: Vec<_> = self
            .state
            .children
            .iter()
            .filter(|(_, (waits, _))| *waits == step)
            .map(|(run, _)| *run)
            .collect();
        for child in children {
            self.shared.cancel_later(child, &reason);
        }
        self.emit_own(StepEvent::Abandoned(Stopped { step, reason: Some(reason) }));
    }

    /// Withdraws open questions that nobody waits for any more.
    pub(super) fn let_go(&mut self, unwanted: impl Fn(&StepId) -> bool) {
        let open: Vec<_> = self
            .state
            .questions
            .iter()
            .filter(|(_, question)| !question.granted && unwanted(&question.step))
            .map(|(approval, _)| *approval)
            .collect();
        for approval in open {
            self.approvals_due.remove(&approval);
            self.shared.withdraw_later(approval);
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        self.running.clear();
        let event = match outcome {
            Outcome::Completed { output } => RunEvent::Completed(Ended { output }),
            Outcome::Faulted { problem } => RunEvent::Failed(EndedBadly { problem }),
            Outcome::Cancelled => RunEvent::Cancelled(Reason::default()),
        };
        self.emit_own(event);
    }
}

/// Whether an effect may go ahead.
enum Judged {
    GoAhead(Box<Decision>),
    /// Not now, or never; `progressed` when events say so.
    Held {
        progressed: bool,
    },
}
