//! Containers, by the command line of docker or podman.

use std::time::Duration;

use engine::ports::Context;
use model::Action;
use serde_json::{Map, Value};
use tokio::process::Command;
use workflow::action_input::{Lifetime, RunContainer};

use super::ProgramError;
use super::input::refuse_secret;
use super::launch::{Ended, Launch};
use super::lifeline::Held;
use super::output::tail;
use crate::limits::CONTAINER_CLEANUP_TIMEOUT;

/// What `docker run` exits with when the container did not run (docker-run(1), "Exit status").
const ENGINE_FAILED: i32 = 125;

/// A container that is about to run.
pub(super) struct Plan {
    pub(super) launch: Launch,
    pub(super) name: String,
}

/// The command line of `docker run`. Values of variables go by the engine's own environment (`--env NAME`).
pub(super) fn plan(
    run: &RunContainer,
    context: &Context,
    action: &Action,
    launch: Launch,
) -> Result<Plan, ProgramError> {
    for (text, place) in [
        (Some(&run.image), "a container's image"),
        (run.name.as_ref(), "a container's name"),
        (run.command.as_ref(), "a container's command"),
    ] {
        if let Some(text) = text {
            refuse_secret(text, place)?;
        }
    }
    if run.image.is_empty() || run.image.starts_with('-') || run.image.contains(char::is_whitespace) {
        return Err(ProgramError::BadInput(format!("`{}` is not the reference of an image", run.image)));
    }
    let name = if let Some(name) = &run.name {
        checked_name(name)?
    } else {
        let digest = model::Digest::of(format!("{}/{}", action.idempotency_key, context.attempt).as_bytes());
        format!("aedile-{}", hex::encode(&digest.as_bytes()[..10]))
    };
    let mut arguments: Vec<String> = ["run", "--name", &name, "--security-opt", "no-new-privileges"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    arguments.extend(["--label".to_owned(), format!("io.aedile.run={}", context.run)]);
    arguments.extend(["--pull".to_owned(), pull_policy(run.pull_policy.as_deref())?.to_owned()]);
    if launch.stdin.is_some() {
        arguments.push("--interactive".to_owned());
    }
    match run.lifetime.cleanup.as_str() {
        "always" => arguments.push("--rm".to_owned()),
        "never" | "eventually" => {}
        other => {
            return Err(ProgramError::BadInput(format!("`{other}` is not a way to clean up a container")));
        }
    }
    for variable in run.process.environment.iter().filter(|(_, value)| !value.is_null()) {
        arguments.extend(["--env".to_owned(), variable.0.clone()]);
    }
    arguments.extend(ports(&run.ports)?);
    arguments.extend(volumes(&run.volumes)?);
    arguments.push(run.image.clone());
    match &run.command {
        // one word is a program, which an image without a shell has too
        Some(word)
            if !word.trim().contains(|c: char| c.is_whitespace() || "$`\"'\\|&;<>()*?[]{}~#".contains(c)) =>
        {
            arguments.push(word.trim().to_owned());
        }
        Some(command) => {
            arguments.extend(["/bin/sh", "-c", command, "sh"].into_iter().map(str::to_owned));
        }
        None => {}
    }
    arguments.extend(launch.arguments.iter().cloned());
    Ok(Plan { launch: Launch { arguments, ..launch }, name })
}

fn checked_name(name: &str) -> Result<String, ProgramError> {
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if good {
        Ok(name.to_owned())
    } else {
        Err(ProgramError::BadInput(format!(
            "`{name}` cannot be a container's name (letters, digits, `_`, `.`, `-`)"
        )))
    }
}

fn pull_policy(policy: Option<&str>) -> Result<&'static str, ProgramError> {
    match policy.unwrap_or("ifNotPresent") {
        "ifNotPresent" => Ok("missing"),
        "always" => Ok("always"),
        "never" => Ok("never"),
        other => Err(ProgramError::BadInput(format!("`{other}` is not a pull policy"))),
    }
}

fn ports(ports: &Map<String, Value>) -> Result<Vec<String>, ProgramError> {
    let mut arguments = Vec::new();
    for (host, container) in ports {
        let bad = || {
            ProgramError::BadInput(format!("the port mapping `{host}: {container}` is not two port numbers"))
        };
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad);
        let container = match container {
            Value::String(text) => number(text)?,
            other => number(&other.to_string())?,
        };
        // to this machine only; the world is let in by something that is meant to
        arguments.extend(["--publish".to_owned(), format!("127.0.0.1:{}:{container}", number(host)?)]);
    }
    Ok(arguments)
}

fn volumes(volumes: &Map<String, Value>) -> Result<Vec<String>, ProgramError> {
    let mut arguments = Vec::new();
    for (host, container) in volumes {
        let container = container.as_str().unwrap_or_default();
        refuse_secret(host, "a container's volume")?;
        refuse_secret(container, "a container's volume")?;
        let good = |path: &str| path.starts_with('/') && !path.contains([':', ',']);
        if !good(host) || !good(container) {
            return Err(ProgramError::BadInput(format!(
                "the volume mapping `{host}: {container}` is not two absolute paths without `:` and `,`"
            )));
        }
        arguments.extend(["--volume".to_owned(), format!("{host}:{container}")]);
    }
    Ok(arguments)
}

/// An exit code that is the engine's and not the container's.
pub(super) fn refuse_engine_failure(engine: &str, ended: &Ended) -> Result<(), ProgramError> {
    if ended.status.code() != Some(ENGINE_FAILED) {
        return Ok(());
    }
    let said = tail(&ended.stderr);
    Err(ProgramError::Engine { engine: engine.to_owned(), said })
}

/// Sees to it that a container does not outlive its step, or only as long as its lifetime says. The engine's command
/// line is only a client: ending it does not end the container.
pub(super) struct Guard {
    engine: String,
    name: String,
    keeps: bool,
    after: Option<Duration>,
    armed: bool,
    _held: Held,
}

impl Guard {
    pub(super) fn new(plan: &Plan, lifetime: &Lifetime, held: Held) -> Self {
        Self {
            engine: plan.launch.program.clone(),
            name: plan.name.clone(),
            keeps: lifetime.cleanup != "always",
            after: lifetime.after_ms.filter(|_| lifetime.cleanup == "eventually").map(Duration::from_millis),
            armed: true,
            _held: held,
        }
    }

    /// The container has ended by itself. What `eventually` leaves is removed later, if Aedile still runs then.
    pub(super) fn ended(mut self) {
        self.armed = false;
        if let Some(after) = self.after {
            let (engine, name) = (self.engine.clone(), self.name.clone());
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                stop(&engine, &name, false).await;
            });
        }
    }

    /// The container is to end now.
    pub(super) async fn remove_now(mut self) {
        self.armed = false;
        stop(&self.engine, &self.name, self.keeps).await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (engine, name, keeps) = (self.engine.clone(), self.name.clone(), self.keeps);
            runtime.spawn(async move { stop(&engine, &name, keeps).await });
        }
    }
}

/// Kills a container and, unless it is to be kept, removes it. Best effort: it may be gone already.
async fn stop(engine: &str, name: &str, keep: bool) {
    let verb: &[&str] = if keep { &["kill"] } else { &["rm", "--force", "--volumes"] };
    let mut command = Command::new(engine);
    command
        .args(verb)
        .arg(name)
        .env_clear()
        .env("PATH", super::path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true);
    if let Ok(mut child) = command.spawn() {
        drop(tokio::time::timeout(CONTAINER_CLEANUP_TIMEOUT, child.wait()).await);
    }
}
