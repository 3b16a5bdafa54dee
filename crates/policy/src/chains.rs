//! Approval chains: from text to [`model::Chain`], with everything wrong with one found at load.

use jiff::SignedDuration;
use model::{Chain, Diagnostic, Level, Location, OnTimeout, Role, time::parse_duration};

use crate::file::{ChainFile, LevelFile, TimeoutWord};
use crate::limits;
use crate::source::{At, bad_policy};

/// A chain that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The chain has no level.
    #[error("an approval chain needs at least one level")]
    Empty,
    /// More levels than [`limits::LEVELS`].
    #[error("an approval chain has at most {} levels", limits::LEVELS)]
    TooLong,
    /// The numbers are not 1, 2, 3, ...
    #[error("levels must be consecutive starting from 1, found {found} where {wanted} belongs")]
    NotConsecutive {
        /// The number that was found.
        found: i64,
        /// The number that belongs there.
        wanted: u32,
    },
    /// Nobody could ever decide the level.
    #[error("level {0} has no roles, so nobody could decide it")]
    NoRoles(u32),
    /// A quorum outside 1 to [`limits::QUORUM`].
    #[error("the quorum of level {0} must be 1 to {max}", max = limits::QUORUM)]
    Quorum(u32),
    /// A time limit of nothing.
    #[error("level {0} would be over as soon as it began")]
    NoTime(u32),
    /// A chain name that `policy.yaml` does not have.
    #[error("there is no approval chain `{0}`")]
    Unknown(String),
    /// Neither chain nor levels are given and `policy.yaml` has no `defaultChain`.
    #[error("the approval names no chain and no levels, and the policy has no defaultChain")]
    NoDefault,
}

impl model::Coded for ChainError {
    fn code(&self) -> &'static model::Code {
        model::code::policy::BAD_POLICY
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::Unknown(_) | Self::NoDefault).then(|| "aedile policy list".to_owned())
    }
}

/// Checks levels that did not come from `policy.yaml`, such as those a workflow gives in place.
pub fn check_levels(levels: &[Level]) -> Result<(), ChainError> {
    if levels.is_empty() {
        return Err(ChainError::Empty);
    }
    if levels.len() > limits::LEVELS {
        return Err(ChainError::TooLong);
    }
    for (wanted, level) in (1..).zip(levels) {
        if level.number != wanted {
            return Err(ChainError::NotConsecutive { found: level.number.into(), wanted });
        }
        if level.roles.is_empty() {
            return Err(ChainError::NoRoles(wanted));
        }
        if !(1..=limits::QUORUM).contains(&level.quorum) {
            return Err(ChainError::Quorum(wanted));
        }
        if level.within.is_some_and(|within| within < SignedDuration::from_millis(1)) {
            return Err(ChainError::NoTime(wanted));
        }
    }
    Ok(())
}

/// Puts one chain after the other and numbers the levels anew.
pub(crate) fn join(name: String, parts: impl IntoIterator<Item = Vec<Level>>) -> Result<Chain, ChainError> {
    let mut levels: Vec<Level> = parts.into_iter().flatten().collect();
    for (number, level) in (1..).zip(&mut levels) {
        level.number = number;
    }
    check_levels(&levels)?;
    Ok(Chain { name, levels })
}

/// Reads the chain `name`; findings go to `out`.
pub(crate) fn read(
    name: &str,
    chain: &At<ChainFile>,
    file: &str,
    out: &mut Vec<Diagnostic>,
) -> Option<Chain> {
    let path = format!("/chains/{}", name.replace('~', "~0").replace('/', "~1"));
    let before = out.len();
    if name.is_empty() || name.len() > limits::NAME_BYTES {
        let message = format!("the name of a chain has 1 to {} bytes", limits::NAME_BYTES);
        out.push(bad_policy(message, chain.location(file, path.clone())));
    }
    if chain.levels.is_empty() {
        out.push(bad_policy(
            format!("chain `{name}`: {}", ChainError::Empty),
            chain.location(file, path.clone()),
        ));
    }
    if chain.levels.len() > limits::LEVELS {
        out.push(bad_policy(
            format!("chain `{name}`: {}", ChainError::TooLong),
            chain.location(file, path.clone()),
        ));
        return None;
    }
    let mut levels = Vec::new();
    for (index, level) in chain.levels.iter().enumerate() {
        let at = level.location(file, format!("{path}/levels/{index}"));
        let wanted = u32::try_from(index + 1).unwrap_or(u32::MAX);
        levels.push(read_level(level, wanted, &at, &mut |error, location| {
            out.push(bad_policy(format!("chain `{name}`: {error}"), location));
        }));
    }
    (out.len() == before).then(|| Chain { name: name.to_owned(), levels })
}

fn read_level(
    level: &LevelFile,
    number: u32,
    at: &Location,
    refuse: &mut dyn FnMut(String, Location),
) -> Level {
    let field = |name: &str| Location { path: format!("{}/{name}", at.path), ..at.clone() };
    if let Some(found) = level.level.as_ref().filter(|found| ***found != i64::from(number)) {
        let error = ChainError::NotConsecutive { found: **found, wanted: number };
        refuse(error.to_string(), found.location(&at.file, format!("{}/level", at.path)));
    }
    if level.roles.is_empty() {
        refuse(
            ChainError::NoRoles(number).to_string(),
            level.roles.location(&at.file, format!("{}/roles", at.path)),
        );
    }
    let mut roles = Vec::new();
    for role in level.roles.iter() {
        match role.parse::<Role>() {
            Ok(role) => roles.push(role),
            Err(error) => refuse(error.to_string(), field("roles")),
        }
    }
    let quorum = level.quorum.as_ref().map_or(Some(1), |quorum| u32::try_from(**quorum).ok());
    let quorum = quorum.filter(|quorum| (1..=limits::QUORUM).contains(quorum));
    if quorum.is_none() {
        let location = level.quorum.as_ref().map_or_else(
            || field("quorum"),
            |quorum| quorum.location(&at.file, format!("{}/quorum", at.path)),
        );
        refuse(ChainError::Quorum(number).to_string(), location);
    }
    let within = level.within.as_ref().and_then(|within| {
        let location = within.location(&at.file, format!("{}/within", at.path));
        match parse_duration(within) {
            Ok(duration) if duration < SignedDuration::from_millis(1) => {
                refuse(ChainError::NoTime(number).to_string(), location);
                None
            }
            Ok(duration) => Some(duration),
            Err(error) => {
                refuse(error.to_string(), location);
                None
            }
        }
    });
    Level {
        number,
        roles,
        quorum: quorum.unwrap_or(1),
        within,
        on_timeout: match level.on_timeout {
            TimeoutWord::Deny => OnTimeout::Deny,
            TimeoutWord::Escalate => OnTimeout::Escalate,
        },
        emergency_override: level.emergency_override,
    }
}
