//! Commands that are not typed on a server, each with why: doing them here when a server was named would be a surprise.

use model::code;

use crate::args::{Cli, Command, PolicyCommand};
use crate::report::Report;

/// What to do about it, where nothing else comes nearer.
const LEAVE_OUT: &str = "leave --server out, and AEDILE_SERVER (`env -u AEDILE_SERVER aedile ...`)";

/// Refuses what cannot be done on the server that is named.
pub(super) fn refuse(cli: &Cli) -> Result<(), Report> {
    let (Some(_), Some((why, hint))) = (&cli.global.server, reason(&cli.command)) else { return Ok(()) };
    Err(Report::new(code::server::NOT_REMOTE, why).with_hint(hint))
}

/// Why a command is for what is here only, and what to do instead; nothing for those that work in both places or ask no environment
/// anything.
fn reason(command: &Command) -> Option<(&'static str, &'static str)> {
    let (why, hint) = match command {
        Command::Run(_)
        | Command::Runs(_)
        | Command::Schedules
        | Command::Approve(_)
        | Command::Deny(_)
        | Command::Approvals(_)
        | Command::Policy(PolicyCommand::Explain(_) | PolicyCommand::List)
        | Command::Journal(_)
        | Command::Status
        | Command::Validate(_)
        | Command::Login(_)
        | Command::Logout(_)
        | Command::Whoami
        // these ask no environment anything, wherever it is
        | Command::Server(_)
        | Command::Ui(_)
        | Command::Cue(_)
        | Command::Schema(_)
        | Command::Completion { .. }
        | Command::Version => return None,
        Command::Explain { code, .. } if code.as_deref() != Some("value") => return None,
        Command::Policy(PolicyCommand::Test(args)) if args.directory.is_some() => return None,
        // one that a run applies is in the journal
        Command::Plan(args) if args.show.is_some() => return None,
        Command::Policy(PolicyCommand::Test(_)) => (
            "a policy is tested where its files are: a server has the one in force, and no tests of it",
            "aedile policy test DIRECTORY",
        ),
        Command::Init(_) => ("a project is made in a directory of this machine", LEAVE_OUT),
        Command::Fmt(_) => ("documents are written in their one form where the files are", LEAVE_OUT),
        Command::Doctor(_) => (
            "the doctor looks at the files of a journal, and mends them, on the machine that has them",
            "aedile journal replay",
        ),
        Command::Plan(_) | Command::Graph(_) | Command::Import(_) => (
            "what to change is worked out from files of this machine, and hosts are looked at with the keys of whoever types",
            LEAVE_OUT,
        ),
        Command::Drift(_) => (
            "hosts are looked at from here, with the keys of whoever types; what a server's project found is in its status",
            "aedile status",
        ),
        Command::Apply(_) | Command::Destroy(_) | Command::Undo(_) => (
            "hosts are changed from here, with the keys and the plan files of whoever types",
            LEAVE_OUT,
        ),
        Command::Resources(_) => (
            "a server's interface does not tell of resources; those that are not as they were applied are in its status",
            "aedile status",
        ),
        Command::Facts(_) => ("hosts are asked from here, with the keys of whoever types", LEAVE_OUT),
        Command::Explain { .. } => ("what a value comes from is read in files of this machine", LEAVE_OUT),
        Command::Provider(_) => ("providers are files of a project, checked where they are", LEAVE_OUT),
        Command::Secrets(_) => (
            "secrets are encrypted where they are known and kept in files; a server never takes one, nor gives one away",
            LEAVE_OUT,
        ),
        Command::Onboard(_) => ("a host is taken over from here, with the login of whoever types", LEAVE_OUT),
        Command::Backup(_) | Command::Restore(_) => (
            "a backup holds the keys that sign, which never leave the machine; type it there",
            LEAVE_OUT,
        ),
    };
    Some((why, hint))
}
