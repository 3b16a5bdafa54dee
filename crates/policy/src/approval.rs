//! One approval, from question to answer: a pure state machine over changes that the caller makes durable.
//!
//! ```text
//!             voted (quorum not reached, or next level)      escalated (time is up, next level)
//!                 .------------.                                  .------------.
//!                 v            |                                  v            |
//!   requested --> level 1 ... n -----------------------------------------------'
//!                     |  granted | denied | expired | overridden | withdrawn   (the first of these ends it)
//! ```
//!
//! [`Approval::decide`] and [`Approval::tick`] change nothing: they answer the changes to append, on the condition
//! that the approval's stream has not grown. Whoever loses that race folds what the other appended with
//! [`Approval::apply`] and asks again, and is told who decided.
//!
//! Time is exact: a level is over at the moment it began plus `within`, whether or not anything was running then.
//! A decision that comes later is judged against the state the approval had reached by itself.

use model::{ApprovalOutcome, Chain, Digest, Level, OnTimeout, Principal, Role, Timestamp};
use serde_json::json;

use crate::chains::{ChainError, check_levels};
use crate::limits;
use crate::refusal::Refusal;

/// What was asked, of whom, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The levels to pass.
    pub chain: Chain,
    /// Who asks, and so cannot decide.
    pub requester: Principal,
    /// The operating system's user behind the requester, who cannot decide either.
    pub requester_via: Option<Principal>,
    /// What a decision binds to, see [`binding`].
    pub binding: Digest,
    /// When it was asked.
    pub at: Timestamp,
}

/// The digest a decision binds to: over what is asked, the policy that demands it, what the policy saw, and the
/// levels. Change any of them and every decision on it is void.
pub fn binding(asked: Digest, policy: Digest, facts: Digest, levels: &[Level]) -> Digest {
    let levels: Vec<_> = levels
        .iter()
        .map(|level| {
            json!({
                "level": level.number,
                "roles": level.roles.iter().map(Role::as_str).collect::<Vec<_>>(),
                "quorum": level.quorum,
                "withinMs": level.within.map(|within| u64::try_from(within.as_millis()).unwrap_or(0)),
                "onTimeout": match level.on_timeout {
                    OnTimeout::Deny => "deny",
                    OnTimeout::Escalate => "escalate",
                },
                "emergencyOverride": level.emergency_override,
            })
        })
        .collect();
    Digest::of_json(&json!({"asked": asked, "policy": policy, "facts": facts, "levels": levels}))
}

/// Who decides. Authenticated; roles come from the project's access list, never from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// Who.
    pub principal: Principal,
    /// The operating system's user behind them, where they act for another principal.
    pub via: Option<Principal>,
    /// Their roles.
    pub roles: Vec<Role>,
}

impl Approver {
    /// The person: one person is one vote, whichever principal they act as.
    fn person(&self) -> &Principal {
        self.via.as_ref().unwrap_or(&self.principal)
    }
}

/// What somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Yes, for the current level.
    Grant {
        /// In their words.
        reason: Option<String>,
    },
    /// No, for all levels.
    Deny {
        /// In their words.
        reason: Option<String>,
    },
    /// Yes, for all remaining levels, in an emergency.
    Override {
        /// Why; never empty.
        reason: String,
    },
    /// The requester takes the question back.
    Withdraw {
        /// Why.
        reason: String,
    },
}

/// What happens to an approval. The last five end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalChange {
    /// Somebody granted at a level, and more is needed.
    Voted {
        /// The level.
        level: u32,
        /// Who.
        by: Principal,
        /// The operating system's user behind them.
        via: Option<Principal>,
        /// When.
        at: Timestamp,
        /// When the level that is current afterwards runs out.
        expires: Option<Timestamp>,
        /// In their words.
        reason: Option<String>,
    },
    /// A level's time was up and the next one is asked.
    Escalated {
        /// From this level.
        from: u32,
        /// To this one.
        to: u32,
        /// The moment the time was up.
        at: Timestamp,
        /// When the new level runs out.
        expires: Option<Timestamp>,
    },
    /// Every level granted.
    Granted {
        /// The level at which it was decided.
        level: u32,
        /// Everybody who granted, in order.
        by: Vec<Principal>,
        /// The operating system's user behind the last of them.
        via: Option<Principal>,
        /// When.
        at: Timestamp,
        /// In the last one's words.
        reason: Option<String>,
    },
    /// Somebody said no.
    Denied {
        /// The level.
        level: u32,
        /// Who.
        by: Principal,
        /// The operating system's user behind them.
        via: Option<Principal>,
        /// When.
        at: Timestamp,
        /// In their words.
        reason: Option<String>,
    },
    /// Nobody decided in time; by the system, with reason `expired`.
    Expired {
        /// The level.
        level: u32,
        /// The moment the time was up.
        at: Timestamp,
    },
    /// Somebody overrode in an emergency.
    Overridden {
        /// The level.
        level: u32,
        /// Who.
        by: Principal,
        /// The operating system's user behind them.
        via: Option<Principal>,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// The question was taken back, or what was asked changed.
    Withdrawn {
        /// The level.
        level: u32,
        /// Who; the system when what was asked changed.
        by: Principal,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl ApprovalChange {
    /// Whether it ends the approval.
    pub const fn is_terminal(&self) -> bool {
        !matches!(self, Self::Voted { .. } | Self::Escalated { .. })
    }
}

/// The answer to a decision that is not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Append these, in order, all or none.
    Changes(Vec<ApprovalChange>),
    /// The same was decided before, and nothing is to be done: `already granted`.
    Noop {
        /// What to tell.
        message: String,
    },
}

/// How an approval ended, and through whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: ApprovalOutcome,
    /// Through whom: the last who granted, who denied, the system for expiry.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    question: Question,
    /// Index of the current level.
    current: usize,
    /// When it became current.
    since: Timestamp,
    /// Who granted at the current level: principal and person.
    votes: Vec<(Principal, Principal)>,
    /// Who granted at levels before it.
    granted: Vec<Principal>,
    ended: Option<Ended>,
}

impl Approval {
    /// The state right after the question was asked.
    pub fn requested(question: Question) -> Result<Self, ChainError> {
        check_levels(&question.chain.levels)?;
        let since = question.at;
        Ok(Self { question, current: 0, since, votes: Vec::new(), granted: Vec::new(), ended: None })
    }

    /// What was asked.
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// The current level; the last one that was current once it has ended.
    pub fn level(&self) -> &Level {
        &self.question.chain.levels[self.current]
    }

    /// Who has granted at the current level.
    pub fn votes(&self) -> impl Iterator<Item = &Principal> {
        self.votes.iter().map(|(principal, _)| principal)
    }

    /// How it ended, if it has.
    pub const fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// When [`Approval::tick`] next has something to say; `None`: never, or it has ended.
    pub fn due(&self) -> Option<Timestamp> {
        if self.ended.is_some() { None } else { expiry(self.level(), self.since) }
    }

    /// What time has done by `now`: escalations and at most one expiry, each at its exact moment.
    pub fn tick(&self, now: Timestamp) -> Vec<ApprovalChange> {
        let mut reached = self.clone();
        let mut changes = Vec::new();
        while let Some(due) = reached.due().filter(|due| *due <= now) {
            let level = reached.level().number;
            let next = reached.question.chain.levels.get(reached.current + 1);
            let change = match (reached.level().on_timeout, next) {
                (OnTimeout::Escalate, Some(next)) => ApprovalChange::Escalated {
                    from: level,
                    to: next.number,
                    at: due,
                    expires: expiry(next, due),
                },
                _ => ApprovalChange::Expired { level, at: due },
            };
            reached.apply(&change);
            changes.push(change);
        }
        changes
    }

    /// What a decision changes. `seen` is the binding digest of what the decider was shown.
    ///
    /// Escalations that are due come first in the answer; a decision after the last moment is refused, and
    /// [`Approval::tick`] has the expiry to append.
    pub fn decide(
        &self,
        choice: &Choice,
        by: &Approver,
        seen: Digest,
        now: Timestamp,
    ) -> Result<Ruling, Refusal> {
        let mut changes = self.tick(now);
        let mut reached = self.clone();
        for change in &changes {
            reached.apply(change);
        }
        if let Some(ended) = &reached.ended {
            return after_the_end(choice, ended);
        }
        if seen != self.question.binding {
            return Err(Refusal::Void { asked: self.question.binding, seen });
        }
        match reached.rule(choice, by, now)? {
            Ruling::Changes(more) => {
                changes.extend(more);
                Ok(Ruling::Changes(changes))
            }
            noop @ Ruling::Noop { .. } => Ok(noop),
        }
    }

    /// What was asked has changed: the approval is void.
    pub fn void(&self, reason: impl Into<String>, now: Timestamp) -> Vec<ApprovalChange> {
        if self.ended.is_some() {
            return Vec::new();
        }
        let (level, by) = (self.level().number, Principal::system());
        vec![ApprovalChange::Withdrawn { level, by, at: now, reason: reason.into() }]
    }

    fn rule(&self, choice: &Choice, by: &Approver, now: Timestamp) -> Result<Ruling, Refusal> {
        let level = self.level();
        if let Choice::Withdraw { reason } = choice {
            if by.principal != self.question.requester {
                return Err(Refusal::NotRequester { by: by.principal.clone() });
            }
            return Ok(Ruling::Changes(vec![ApprovalChange::Withdrawn {
                level: level.number,
                by: by.principal.clone(),
                at: now,
                reason: bounded(reason),
            }]));
        }
        let own = [Some(&self.question.requester), self.question.requester_via.as_ref()];
        if let Some(person) = [&by.principal, by.person()].into_iter().find(|one| own.contains(&Some(*one))) {
            return Err(Refusal::OwnRequest { by: by.principal.clone(), person: person.clone() });
        }
        if !holds_role(level, &by.roles) {
            return Err(Refusal::NotApprover {
                by: by.principal.clone(),
                level: level.number,
                roles: level.roles.clone(),
            });
        }
        let (number, principal, via) = (level.number, by.principal.clone(), by.via.clone());
        match choice {
            Choice::Grant { reason } => self.grant(by, reason.as_deref().map(bounded), now),
            Choice::Deny { reason } => {
                let reason = reason.as_deref().map(bounded);
                let denied = ApprovalChange::Denied { level: number, by: principal, via, at: now, reason };
                Ok(Ruling::Changes(vec![denied]))
            }
            Choice::Override { .. } if !level.emergency_override => {
                Err(Refusal::NoOverride { level: number })
            }
            Choice::Override { reason } if reason.trim().is_empty() => Err(Refusal::OverrideWithoutReason),
            Choice::Override { reason } => {
                let reason = bounded(reason);
                let change =
                    ApprovalChange::Overridden { level: number, by: principal, via, at: now, reason };
                Ok(Ruling::Changes(vec![change]))
            }
            // handled above; a withdrawal needs no role
            Choice::Withdraw { .. } => Ok(Ruling::Changes(Vec::new())),
        }
    }

    fn grant(&self, by: &Approver, reason: Option<String>, now: Timestamp) -> Result<Ruling, Refusal> {
        let level = self.level();
        if let Some((earlier, _)) = self.votes.iter().find(|(_, person)| person == by.person()) {
            return if *earlier == by.principal {
                Ok(Ruling::Noop { message: "already granted".to_owned() })
            } else {
                Err(Refusal::AlreadyVoted { level: level.number, as_principal: earlier.clone() })
            };
        }
        let (number, principal, via) = (level.number, by.principal.clone(), by.via.clone());
        let enough = self.votes.len() + 1 >= usize::try_from(level.quorum).unwrap_or(usize::MAX);
        let next = self.question.chain.levels.get(self.current + 1);
        let change = match (enough, next) {
            (true, None) => {
                let by = self.granted.iter().chain(self.votes()).chain([&principal]).cloned().collect();
                ApprovalChange::Granted { level: number, by, via, at: now, reason }
            }
            (true, Some(next)) => ApprovalChange::Voted {
                level: number,
                by: principal,
                via,
                at: now,
                expires: expiry(next, now),
                reason,
            },
            (false, _) => ApprovalChange::Voted {
                level: number,
                by: principal,
                via,
                at: now,
                expires: self.due(),
                reason,
            },
        };
        Ok(Ruling::Changes(vec![change]))
    }

    /// Takes notice of a change. After the end nothing changes any more: the first terminal change wins.
    pub fn apply(&mut self, change: &ApprovalChange) {
        if self.ended.is_some() {
            return;
        }
        let end = |outcome, by: &Principal, at: Timestamp| Some(Ended { outcome, by: by.clone(), at });
        match change {
            ApprovalChange::Voted { by, via, at, .. } => {
                self.votes.push((by.clone(), via.clone().unwrap_or_else(|| by.clone())));
                if self.votes.len() >= usize::try_from(self.level().quorum).unwrap_or(usize::MAX) {
                    self.granted.extend(self.votes.drain(..).map(|(principal, _)| principal));
                    self.enter(self.current + 1, *at);
                }
            }
            ApprovalChange::Escalated { to, at, .. } => {
                let index = usize::try_from(*to).unwrap_or(usize::MAX).saturating_sub(1);
                self.votes.clear();
                self.enter(index, *at);
            }
            ApprovalChange::Granted { by, at, .. } => {
                let last = by.last().cloned().unwrap_or_else(Principal::system);
                self.ended = end(ApprovalOutcome::Granted { by: by.clone(), overridden: false }, &last, *at);
            }
            ApprovalChange::Denied { by, at, reason, .. } => {
                let outcome = ApprovalOutcome::Denied { by: by.clone(), reason: reason.clone() };
                self.ended = end(outcome, by, *at);
            }
            ApprovalChange::Expired { at, .. } => {
                self.ended = end(ApprovalOutcome::Expired, &Principal::system(), *at);
            }
            ApprovalChange::Overridden { by, at, .. } => {
                let outcome = ApprovalOutcome::Granted { by: vec![by.clone()], overridden: true };
                self.ended = end(outcome, by, *at);
            }
            ApprovalChange::Withdrawn { by, at, reason, .. } => {
                self.ended = end(ApprovalOutcome::Withdrawn { reason: reason.clone() }, by, *at);
            }
        }
    }

    /// Makes the level at `index` current, or stays at the last one.
    fn enter(&mut self, index: usize, at: Timestamp) {
        self.current = index.min(self.question.chain.levels.len() - 1);
        self.since = at;
    }
}

fn after_the_end(choice: &Choice, ended: &Ended) -> Result<Ruling, Refusal> {
    let same = match (choice, &ended.outcome) {
        (Choice::Grant { .. }, ApprovalOutcome::Granted { overridden: false, .. }) => Some("already granted"),
        (Choice::Override { .. }, ApprovalOutcome::Granted { overridden: true, .. }) => {
            Some("already overridden")
        }
        (Choice::Deny { .. }, ApprovalOutcome::Denied { .. }) => Some("already denied"),
        (Choice::Withdraw { .. }, ApprovalOutcome::Withdrawn { .. }) => Some("already withdrawn"),
        _ => None,
    };
    if let Some(message) = same {
        return Ok(Ruling::Noop { message: message.to_owned() });
    }
    Err(Refusal::AlreadyDecided { outcome: ended.outcome.as_str(), by: ended.by.clone(), at: ended.at })
}

/// When a level that became current at `since` is over.
fn expiry(level: &Level, since: Timestamp) -> Option<Timestamp> {
    // a limit beyond the end of time is none
    since.checked_add(level.within?).ok()
}

/// Role names compare without regard to case. No roles: nobody.
fn holds_role(level: &Level, roles: &[Role]) -> bool {
    level
        .roles
        .iter()
        .any(|wanted| roles.iter().any(|held| held.as_str().eq_ignore_ascii_case(wanted.as_str())))
}

fn bounded(reason: &str) -> String {
    let mut end = reason.len().min(limits::REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}
