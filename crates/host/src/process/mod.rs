//! Programs on this machine: `run.shell`, `run.script`, `run.container`. See [`Processes`].

mod container;
mod error;
mod input;
mod launch;
mod lifeline;
mod output;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::ports::{BoxFuture, Cancellation, Canceller, Context, Failure, FailureClass, Performer};
use model::{Action, Json, Problem, code};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use workflow::action_input::{
    Process, RUN_CONTAINER, RUN_SCRIPT, RUN_SHELL, Resource, RunContainer, RunScript, RunShell,
};
use zeroize::Zeroizing;

use crate::limits;
pub use error::ProgramError;
use input::refuse_secret;
use launch::{Launch, Running};
use lifeline::Keeper;

/// Fetches the source of a script.
pub type Fetch =
    Arc<dyn Fn(Context, Action, Resource) -> BoxFuture<'static, Result<Vec<u8>, Failure>> + Send + Sync>;

/// What runs a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Programs to look for on the path, the best first.
    pub programs: Vec<String>,
    /// What the script's file ends with, for interpreters that care.
    pub extension: String,
}

/// Runs programs: each in a fresh directory, with an environment of its own, in a process group of its own, with
/// limits, and never longer than Aedile itself.
///
/// A program gets: `PATH` as Aedile has it, `HOME` and `TMPDIR` (its directory), `LANG=C.UTF-8`, `AEDILE_RUN`,
/// `AEDILE_STEP`, `AEDILE_ATTEMPT`, `AEDILE_IDEMPOTENCY_KEY`, and the variables of its action. Nothing else is passed
/// on. References to secrets are replaced in variables and standard input; in anything that ends up in a command
/// line or a file they are refused.
///
/// A program that leaves its process group (`setsid`) is not stopped with it; a container is.
#[derive(Clone)]
pub struct Processes {
    interpreters: BTreeMap<String, Interpreter>,
    engines: Vec<String>,
    scripts: Option<PathBuf>,
    fetch: Option<Fetch>,
    keeper: Arc<Keeper>,
    detached: Arc<Semaphore>,
    never: Arc<(Canceller, Cancellation)>,
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes")
            .field("interpreters", &self.interpreters)
            .field("engines", &self.engines)
            .field("scripts", &self.scripts)
            .field("fetch", &self.fetch.is_some())
            .finish_non_exhaustive()
    }
}

impl Default for Processes {
    fn default() -> Self {
        let interpreter = |programs: &[&str], extension: &str| Interpreter {
            programs: programs.iter().map(|&program| program.to_owned()).collect(),
            extension: extension.to_owned(),
        };
        let javascript = interpreter(&["node"], "mjs");
        let python = interpreter(&["python3", "python"], "py");
        let interpreters = [("javascript", &javascript), ("js", &javascript), ("python", &python)];
        Self {
            interpreters: interpreters.into_iter().map(|(name, it)| (name.to_owned(), it.clone())).collect(),
            engines: vec!["docker".to_owned(), "podman".to_owned()],
            scripts: None,
            fetch: None,
            keeper: Arc::default(),
            detached: Arc::new(Semaphore::new(limits::DETACHED_MAX)),
            never: Arc::new(Cancellation::new()),
        }
    }
}

impl Processes {
    /// JavaScript by `node`, Python by `python3`, containers by `docker` or `podman`, each as found on the path.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scripts whose source is `file:PATH` are read from below this directory.
    #[must_use]
    pub fn scripts(mut self, directory: impl Into<PathBuf>) -> Self {
        self.scripts = Some(directory.into());
        self
    }

    /// Scripts whose source is elsewhere are fetched by this.
    #[must_use]
    pub fn fetch(mut self, fetch: Fetch) -> Self {
        self.fetch = Some(fetch);
        self
    }

    /// Runs scripts of another language, or of a known one by other programs.
    #[must_use]
    pub fn interpreter(mut self, language: &str, interpreter: Interpreter) -> Self {
        self.interpreters.insert(language.to_ascii_lowercase(), interpreter);
        self
    }

    /// Programs that understand `docker run`, the best first; absolute paths or names on the path.
    #[must_use]
    pub fn engines(mut self, engines: Vec<String>) -> Self {
        self.engines = engines;
        self
    }

    async fn shell(&self, context: &Context, action: &Action) -> Result<Json, Failure> {
        let run: RunShell = input(action)?;
        refuse_secret(&run.command, "the command")?;
        let launch = Self::launch(context, action, &run.process, "the shell command", "/bin/sh".to_owned())?;
        // `$0` is what a shell puts before its own messages
        let arguments =
            ["-c".to_owned(), run.command, "sh".to_owned()].into_iter().chain(launch.arguments).collect();
        self.carry_out(context, &run.process, Launch { arguments, ..launch }).await
    }

    async fn script(&self, context: &Context, action: &Action) -> Result<Json, Failure> {
        let run: RunScript = input(action)?;
        let language = run.language.to_ascii_lowercase();
        let interpreter = self.interpreters.get(&language).ok_or_else(|| {
            let known = self.interpreters.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            ProgramError::BadInput(format!("scripts in `{}` cannot be run; known are {known}", run.language))
        })?;
        let code = self.code(context, action, &run).await?;
        let program = find(&interpreter.programs)?;
        let launch =
            Self::launch(context, action, &run.process, &format!("the {} script", run.language), program)?;
        let file = launch.directory.path().join(format!("script.{}", interpreter.extension));
        fs_err::write(&file, code).map_err(|error| ProgramError::Missing {
            program: launch.name.clone(),
            why: error.to_string(),
        })?;
        let arguments = std::iter::once(file.display().to_string()).chain(launch.arguments).collect();
        self.carry_out(context, &run.process, Launch { arguments, ..launch }).await
    }

    async fn code(&self, context: &Context, action: &Action, run: &RunScript) -> Result<Vec<u8>, Failure> {
        let code = match (&run.code, &run.source) {
            (Some(code), None) => {
                refuse_secret(code, "the text of a script")?;
                code.clone().into_bytes()
            }
            (None, Some(source)) => match (source.uri.strip_prefix("file:"), &self.fetch) {
                (Some(path), _) => self.local(path)?,
                (None, Some(fetch)) => fetch(context.clone(), action.clone(), source.clone()).await?,
                (None, None) => {
                    return Err(ProgramError::BadInput(
                        "scripts are not fetched from elsewhere here".to_owned(),
                    )
                    .into());
                }
            },
            _ => {
                let why = "a script has either `code` or `source`".to_owned();
                return Err(ProgramError::BadInput(why).into());
            }
        };
        if code.len() > limits::SCRIPT_BYTES_MAX {
            let why = format!("the script is larger than {} bytes", limits::SCRIPT_BYTES_MAX);
            return Err(ProgramError::BadInput(why).into());
        }
        Ok(code)
    }

    /// A script below the project's directory; neither `..` nor a link leads out of it.
    fn local(&self, path: &str) -> Result<Vec<u8>, ProgramError> {
        let bad = |why: String| ProgramError::BadInput(format!("the script {path} cannot be read: {why}"));
        let root =
            self.scripts.as_ref().ok_or_else(|| bad("scripts in files are not allowed here".to_owned()))?;
        let root = fs_err::canonicalize(root).map_err(|error| bad(error.to_string()))?;
        let path = path.trim_start_matches("//").trim_start_matches('/');
        let file = fs_err::canonicalize(root.join(path)).map_err(|error| bad(error.to_string()))?;
        if !file.starts_with(&root) {
            return Err(bad("it is outside of the project".to_owned()));
        }
        let size = fs_err::metadata(&file).map_err(|error| bad(error.to_string()))?.len();
        if size > limits::SCRIPT_BYTES_MAX as u64 {
            return Err(bad(format!("it is larger than {} bytes", limits::SCRIPT_BYTES_MAX)));
        }
        fs_err::read(&file).map_err(|error| bad(error.to_string()))
    }

    async fn container(&self, context: &Context, action: &Action) -> Result<Json, Failure> {
        let run: RunContainer = input(action)?;
        let engine = find(&self.engines)?;
        let launch =
            Self::launch(context, action, &run.process, &format!("the container {}", run.image), engine)?;
        let plan = container::plan(&run, context, action, launch)?;
        let held = self.keeper.container(&plan.launch.program, &plan.name).map_err(|error| {
            ProgramError::Missing { program: plan.launch.program.clone(), why: error.to_string() }
        })?;
        let guard = container::Guard::new(&plan, &run.lifetime, held);
        let returns = run.process.returns;
        let engine = plan.launch.program.clone();
        if !run.process.r#await {
            return self.detach(plan.launch, move || guard.ended());
        }
        let result = plan.launch.start(&self.keeper)?.finish(context.cancellation.clone()).await;
        if result.is_ok() {
            guard.ended();
        } else {
            guard.remove_now().await;
        }
        let ended = result?;
        container::refuse_engine_failure(&engine, &ended)?;
        Ok(output::value(&action.target, returns, &ended)?.into())
    }

    /// What all programs have in common.
    fn launch(
        context: &Context,
        action: &Action,
        process: &Process,
        name: &str,
        program: String,
    ) -> Result<Launch, Failure> {
        for argument in &process.arguments {
            refuse_secret(argument, "an argument")?;
        }
        let directory =
            tempfile::Builder::new().prefix("aedile-").tempdir().map_err(|error| ProgramError::Missing {
                program: name.to_owned(),
                why: format!("there is no directory for it: {error}"),
            })?;
        let timeout = process.timeout_ms.map_or(limits::PROGRAM_TIMEOUT, Duration::from_millis);
        if timeout.is_zero() || timeout > limits::PROGRAM_TIMEOUT_MAX {
            let most = limits::PROGRAM_TIMEOUT_MAX.as_secs();
            let why = format!("a program's timeout must be above 0 and at most {most} seconds");
            return Err(ProgramError::BadInput(why).into());
        }
        let mut environment = input::base_environment(context, action, directory.path());
        environment.extend(input::variables(&process.environment, context.secrets.as_ref())?);
        let stdin = input::stdin(process, context.secrets.as_ref())?;
        input::check_size(&process.arguments, &environment)?;
        Ok(Launch {
            name: name.to_owned(),
            program,
            arguments: process.arguments.clone(),
            environment,
            stdin,
            directory,
            timeout,
        })
    }

    async fn carry_out(&self, context: &Context, process: &Process, launch: Launch) -> Result<Json, Failure> {
        if !process.r#await {
            return self.detach(launch, || {});
        }
        let name = launch.name.clone();
        let running: Running = launch.start(&self.keeper)?;
        let ended = running.finish(context.cancellation.clone()).await?;
        Ok(output::value(&name, process.returns, &ended)?.into())
    }

    /// Lets a program go on after its step, for as long as its timeout and Aedile allow.
    fn detach(&self, launch: Launch, afterwards: impl FnOnce() + Send + 'static) -> Result<Json, Failure> {
        let permit = Arc::clone(&self.detached)
            .try_acquire_owned()
            .map_err(|_| ProgramError::TooMany(limits::DETACHED_MAX))?;
        let running = launch.start(&self.keeper)?;
        let never = Arc::clone(&self.never);
        tokio::spawn(async move {
            // the step has its result already; nobody is left to tell
            drop(running.finish(never.1.clone()).await);
            afterwards();
            drop(permit);
        });
        Ok(Value::Null.into())
    }
}

impl Performer for Processes {
    fn perform<'a>(
        &'a self,
        context: &'a Context,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            match action.kind.as_str() {
                RUN_SHELL => self.shell(context, action).await,
                RUN_SCRIPT => self.script(context, action).await,
                RUN_CONTAINER => self.container(context, action).await,
                other => Err(Failure {
                    problem: Problem::configuration(format!("`{other}` is no kind of program"))
                        .with_code(code::run::NOT_PERFORMABLE),
                    class: FailureClass::Permanent,
                    maybe_happened: false,
                }),
            }
        })
    }
}

fn input<T: DeserializeOwned>(action: &Action) -> Result<T, ProgramError> {
    action.input.read::<T>().map_err(|error| {
        ProgramError::BadInput(format!("the input is not that of `{}`: {error}", action.kind))
    })
}

/// Where programs are looked for: Aedile's own path.
pub(crate) fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// The first of `programs` that is there, as an absolute path.
pub(crate) fn find(programs: &[String]) -> Result<String, ProgramError> {
    let is_program = |candidate: &Path| {
        candidate.is_absolute()
            && candidate.is_file()
            && rustix::fs::access(candidate, rustix::fs::Access::EXEC_OK).is_ok()
    };
    for program in programs {
        let candidates: Vec<PathBuf> = if program.contains('/') {
            vec![PathBuf::from(program)]
        } else {
            std::env::split_paths(&path()).map(|directory| directory.join(program)).collect()
        };
        if let Some(found) =
            candidates.iter().find(|candidate| is_program(candidate)).and_then(|found| found.to_str())
        {
            return Ok(found.to_owned());
        }
    }
    Err(ProgramError::Missing {
        program: programs.join(" or "),
        why: "it is not on this machine's path".to_owned(),
    })
}

/// A program of the project's own configuration (a notification's command), with nothing of a run around it.
pub(crate) struct RawCommand<'a> {
    pub(crate) command: &'a [String],
    pub(crate) stdin: Zeroizing<String>,
    pub(crate) timeout: Duration,
}

impl RawCommand<'_> {
    /// Runs it; an exit code other than 0 is an error.
    pub(crate) async fn run(self, cancellation: Cancellation) -> Result<(), ProgramError> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(ProgramError::BadInput("the command is empty".to_owned()));
        };
        let missing = |error: std::io::Error| ProgramError::Missing {
            program: program.clone(),
            why: error.to_string(),
        };
        let directory = tempfile::Builder::new().prefix("aedile-").tempdir().map_err(missing)?;
        let environment = vec![("PATH".to_owned(), Zeroizing::new(path().to_string_lossy().into_owned()))];
        let launch = Launch {
            name: program.clone(),
            program: find(std::slice::from_ref(program))?,
            arguments: arguments.to_vec(),
            environment,
            stdin: Some(self.stdin),
            directory,
            timeout: self.timeout,
        };
        let ended = launch.start(&Arc::default())?.finish(cancellation).await?;
        output::value(program, workflow::action_input::ProcessReturn::None, &ended).map(drop)
    }
}
