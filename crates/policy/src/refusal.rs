//! Why a decision on an approval is refused.

use model::{Code, Coded, Digest, Principal, Role, Timestamp, code, time::rfc3339};

/// The approval is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else decided, or nobody did in time.
    #[error("the approval was {outcome} by {by} at {when}", when = rfc3339(*at))]
    AlreadyDecided {
        /// How it ended.
        outcome: &'static str,
        /// Through whom.
        by: Principal,
        /// When.
        at: Timestamp,
    },
    /// What the decider was shown is not what is asked.
    #[error("what was asked has changed: the approval binds to {asked}, and {seen} was decided on")]
    Void {
        /// What the approval binds to.
        asked: Digest,
        /// What was shown.
        seen: Digest,
    },
    /// Who asks cannot decide.
    #[error("{} made the request and so cannot decide it", whoever(by, person))]
    OwnRequest {
        /// Who.
        by: Principal,
        /// The person behind them, who made it.
        person: Principal,
    },
    /// None of their roles may decide at this level.
    #[error("{by} holds no role that may decide level {level} ({})", names(roles))]
    NotApprover {
        /// Who.
        by: Principal,
        /// The current level.
        level: u32,
        /// Roles that may.
        roles: Vec<Role>,
    },
    /// One person, one vote.
    #[error("you have already granted level {level} as {as_principal}; one person has one vote")]
    AlreadyVoted {
        /// The current level.
        level: u32,
        /// As whom.
        as_principal: Principal,
    },
    /// The current level allows no override.
    #[error("level {level} allows no emergency override")]
    NoOverride {
        /// The current level.
        level: u32,
    },
    /// An override must say why.
    #[error("an emergency override needs a reason")]
    OverrideWithoutReason,
    /// Only who asked can take it back.
    #[error("{by} did not make the request and so cannot withdraw it")]
    NotRequester {
        /// Who.
        by: Principal,
    },
}

/// Who made a request, where they decide on it as somebody else.
fn whoever(by: &Principal, person: &Principal) -> String {
    if by == person { by.to_string() } else { format!("{person}, who acts here as {by},") }
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(Role::as_str).collect::<Vec<_>>().join(", ")
}

impl Coded for Refusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::AlreadyDecided { .. } => code::policy::ALREADY_DECIDED,
            Self::Void { .. } => code::policy::VOID,
            Self::OwnRequest { .. } => code::policy::OWN_REQUEST,
            Self::NotApprover { .. } | Self::NotRequester { .. } => code::policy::NOT_APPROVER,
            Self::AlreadyVoted { .. } => code::policy::ALREADY_VOTED,
            Self::NoOverride { .. } | Self::OverrideWithoutReason => code::policy::NO_OVERRIDE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::AlreadyDecided { .. } | Self::Void { .. } => Some("aedile approvals list".to_owned()),
            _ => None,
        }
    }
}
