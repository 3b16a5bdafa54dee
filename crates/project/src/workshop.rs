//! An environment at work: its store, policy and access rules, and the engine put together for it.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use calls::{Client, Config, HttpCalls, OpenApiCalls, Reach, Scope};
use engine::judge::Judge;
use engine::ports::{
    BoxFuture, Clock, Context, Entropy, Failure, NobodyNotified, Notifier, Performer, Presence, Secrets,
    Views,
};
use engine::{Engine, Parts, Performers};
use host::{EnvSecrets, FileSecrets, LayeredSecrets, Notifications, Processes, WithSecrets};
use journal::events::{EnvironmentEvent, Initialised, KeyAdded, KeyRetired};
use journal::{Append, Expect, Journal, JournalError, NewEvent, Signer, Verifier};
use model::{Action, ApprovalId, CheckpointId, Principal, RunId, Timestamp};
use sandbox::Sandbox;
use store::{KeyValues, Options, Sealed, SqliteJournal};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use workflow::action_input::{self as kinds, Resource};

use crate::channels::{Lines, channels};
use crate::infrastructure::{
    self, Freshness, Identities, Login, ProjectPrograms, Resources, Site, SiteParts,
};
use crate::onboarding;
use crate::presence::{Alive, Engines};
use crate::rules::{InForce, Rules};
use crate::wasm::{Echoing, WasmActions};
use crate::{Keys, Place, PlaceError, ProjectError, StateDir, limits};

/// What the kinds of actions begin with that are programs of this machine.
const PROGRAMS: &str = "run.";
/// Stream of the environment's own events.
const ENVIRONMENT: &str = "environment";
/// Version of the record format.
const FORMAT: u32 = 1;

/// The machine as an engine needs it.
#[derive(Clone)]
pub struct Machine {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where lines for the people at the terminal go.
    pub lines: Lines,
    /// Who logs in to hosts.
    pub login: Login,
    /// Where the keys for encrypted secrets are.
    pub identities: Identities,
}

/// An environment with a running engine. Dropping it stops the engine; what was durable goes on with the next one.
pub struct Workshop {
    /// The engine. Dropped first.
    pub engine: Engine,
    /// The journal.
    pub journal: Arc<SqliteJournal>,
    /// Rules and definitions, which follow their files.
    pub rules: Arc<InForce>,
    /// Where secrets are.
    pub secrets: Arc<dyn Secrets>,
    /// The hosts; a project without infrastructure has none.
    pub site: Option<Arc<Site>>,
    following: JoinHandle<()>,
    _alive: Alive,
}

impl Drop for Workshop {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Workshop {
    /// Opens an environment, makes its state where there is none, and starts an engine, which adopts runs whose engine died.
    /// Must be called within a tokio runtime.
    pub fn open(place: &Place, machine: &Machine) -> Result<Self, WorkshopError> {
        Self::open_with(place, machine, Vec::new())
    }

    /// The same with performers of the caller's own, by kind of action or prefix.
    pub fn open_with(
        place: &Place,
        machine: &Machine,
        own: Vec<(&str, Arc<dyn Performer>)>,
    ) -> Result<Self, WorkshopError> {
        let rules = Arc::new(InForce::read(place, &machine.lines)?);
        let (journal, engines, id, alive) = enter(place, machine)?;
        let views: Arc<dyn Views> = Arc::new(StoreViews(Arc::clone(&journal)));
        let secrets = secrets(&place.state);
        let client = Client::new(Config::default());
        let channels = channels(place, &machine.lines, &client, &secrets)?;
        // the terminal is told about approvals by whoever follows the run
        let told =
            place.project.as_ref().is_some_and(|it| !it.manifest.channels(&place.environment).is_empty());
        let notifier: Arc<dyn Notifier> =
            if told { Arc::new(channels.clone()) } else { Arc::new(NobodyNotified) };
        rules.recorded_in(&journal);
        let site = site_by(place, machine, &rules, Some(&journal))?;
        let programs = ProjectPrograms::new(Arc::clone(&rules), site.clone());
        let performers = performers(place, machine, &rules, (client, channels, site.as_ref()))?;
        let parts = Parts {
            environment: place.environment.clone(),
            id,
            journal: Arc::clone(&journal) as Arc<dyn Journal>,
            views: Arc::clone(&views),
            presence: Arc::new(Living(engines)),
            judge: Judge::by(Arc::clone(&rules) as _, views),
            programs: Arc::new(programs),
            performers: own.into_iter().fold(performers, |all, (kind, one)| all.with(kind, one)),
            clock: Arc::clone(&machine.clock),
            entropy: Arc::clone(&machine.entropy),
            secrets: Arc::clone(&secrets),
            notifier,
        };
        let engine = Engine::start(parts)?;
        let followed = Arc::clone(&rules);
        let following = tokio::spawn(async move { followed.follow().await });
        Ok(Self { engine, journal, rules, secrets, site, following, _alive: alive })
    }
}

/// A journal, the engines that live there, and the one that entered with its id.
type Entered = (Arc<SqliteJournal>, Engines, String, Alive);

/// The journal of an environment, and the engine entered among those that live there. A state that is replaced by a backup
/// between the one and the other would leave an engine that nobody sees with a journal that nobody reads.
fn enter(place: &Place, machine: &Machine) -> Result<Entered, WorkshopError> {
    for _ in 0..limits::REPLACED_MAX {
        place.state.create()?;
        let before = same(&place.state)?;
        let journal = Arc::new(open_or_create(place, machine)?);
        let id = format!("{:032x}", machine.entropy.draw());
        let engines = Engines::new(place.state.engines());
        let alive = engines.enter(&id)?;
        if same(&place.state)? == before {
            return Ok((journal, engines, id, alive));
        }
    }
    let source = std::io::Error::other("it is replaced again and again");
    Err(ProjectError::Unreadable { what: place.state.root().display().to_string(), source }.into())
}

/// Which directory it is, whatever its name.
fn same(state: &StateDir) -> Result<u64, ProjectError> {
    let unreadable = |source| ProjectError::Unreadable { what: state.root().display().to_string(), source };
    Ok(fs_err::metadata(state.root()).map_err(unreadable)?.ino())
}

/// Opens an environment's journal, and makes it with its first record where there is none.
pub fn open_or_create(place: &Place, machine: &Machine) -> Result<SqliteJournal, PlaceError> {
    place.state.create()?;
    let clock = Arc::clone(&machine.clock);
    let options = Options {
        create: true,
        source: place.source(),
        clock: Arc::new(move || clock.now()),
        ..Options::default()
    };
    let journal = SqliteJournal::open(place.state.journal(), &options)?;
    if journal.head()?.position == 0 {
        // two processes that make a key each would leave one that signs and another that the journal names
        let _turn = turn(&place.state)?;
        if journal.head()?.position == 0 {
            initialise(&journal, place, machine)?;
        }
    }
    Ok(journal)
}

/// Waits until no other process makes or changes keys here; the turn ends with the file.
pub(crate) fn turn(state: &StateDir) -> Result<fs_err::File, ProjectError> {
    let unwritable = |source| ProjectError::Unwritable { what: state.root().display().to_string(), source };
    let directory = fs_err::File::open(state.root()).map_err(unwritable)?;
    rustix::fs::flock(&directory, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|errno| unwritable(errno.into()))?;
    Ok(directory)
}

fn initialise(journal: &SqliteJournal, place: &Place, machine: &Machine) -> Result<(), PlaceError> {
    let initialised = Initialised { environment: place.environment.clone(), format: FORMAT };
    let keys = Keys::new(place.state.keys());
    let signer =
        if keys.exist() { keys.signer()? } else { keys.renew(&place.source(), &seed(&*machine.entropy))? };
    let key = KeyAdded { name: signer.verifier().name().to_owned(), verifier: signer.verifier().to_string() };
    let events = [EnvironmentEvent::Initialised(initialised), EnvironmentEvent::KeyAdded(key)];
    let append = Append {
        expect: vec![Expect { stream: ENVIRONMENT.into(), sequence: 0 }],
        events: events.map(environment_event).into(),
        at: None,
    };
    match futures_executor::block_on(journal.append(append)) {
        // another process was faster, which is as good
        Ok(_) | Err(JournalError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn environment_event(event: EnvironmentEvent) -> NewEvent {
    NewEvent { stream: ENVIRONMENT.into(), actor: Principal::system(), event: event.into() }
}

pub(crate) fn seed(entropy: &dyn Entropy) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(&entropy.draw().to_le_bytes());
    seed[16..].copy_from_slice(&entropy.draw().to_le_bytes());
    seed
}

/// Signs the journal's head and records that. `None`: it has not grown since it was signed last.
pub fn checkpoint(
    journal: &SqliteJournal,
    place: &Place,
    machine: &Machine,
    actor: &Principal,
) -> Result<Option<Sealed>, PlaceError> {
    let signer = Keys::new(place.state.keys()).signer()?;
    let now = machine.clock.now();
    let unix_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let id = CheckpointId::from_parts(unix_ms, machine.entropy.draw());
    Ok(journal.checkpoint(id, actor, &[&signer])?)
}

/// Makes a new key, has the old one vouch for it, retires the old one, and has the new one sign that.
pub fn rotate_keys(
    journal: &SqliteJournal,
    place: &Place,
    machine: &Machine,
    actor: &Principal,
) -> Result<Verifier, PlaceError> {
    let _turn = turn(&place.state)?;
    let keys = Keys::new(place.state.keys());
    let old = keys.signer()?;
    let next = Signer::from_seed(&place.source(), &seed(&*machine.entropy))
        .map_err(|error| ProjectError::BadKey { path: place.state.keys(), why: error.to_string() })?;
    let added = KeyAdded { name: next.verifier().name().to_owned(), verifier: next.verifier().to_string() };
    append_environment(journal, EnvironmentEvent::KeyAdded(added), actor)?;
    checkpoint(journal, place, machine, actor)?;
    keys.replace(&next)?;
    let retired = KeyRetired { verifier: old.verifier().to_string() };
    append_environment(journal, EnvironmentEvent::KeyRetired(retired), actor)?;
    checkpoint(journal, place, machine, actor)?;
    Ok(next.verifier().clone())
}

fn append_environment(
    journal: &SqliteJournal,
    event: EnvironmentEvent,
    actor: &Principal,
) -> Result<(), JournalError> {
    let event = NewEvent { actor: actor.clone(), ..environment_event(event) };
    let append = Append { events: vec![event], ..Append::default() };
    futures_executor::block_on(journal.append(append)).map(|_| ())
}

/// Where an environment's own secrets are.
pub(crate) fn secrets(state: &StateDir) -> Arc<dyn Secrets> {
    // a file belongs to one environment, a variable to whatever is started with it: the file is meant more
    Arc::new(LayeredSecrets::new().then(FileSecrets::new(state.secrets())).then(EnvSecrets))
}

fn performers(
    place: &Place,
    machine: &Machine,
    rules: &Arc<InForce>,
    (client, channels, site): (Client, Notifications, Option<&Arc<Site>>),
) -> Result<Performers, ProjectError> {
    let mut performers = Performers::default()
        .with(kinds::HTTP_CALL, Arc::new(WithSecrets::new(HttpCalls(client.clone()))))
        .with(kinds::OPENAPI_CALL, Arc::new(WithSecrets::new(OpenApiCalls(client.clone()))))
        .with(kinds::ECHO, Arc::new(Echoing))
        .with(onboarding::ACTIONS, Arc::new(onboarding::Elsewhere))
        // people are told a secret's name, never its value
        .with(kinds::NOTIFY_SEND, Arc::new(channels))
        .with(PROGRAMS, Arc::new(WithSecrets::scrubbing(processes(place, client.clone()))));
    if let Some(project) = &place.project {
        let config = sandbox::Config {
            cache_dir: Some(place.state.cache().join("wasm")),
            ..sandbox::Config::default()
        };
        // actions may be added later; until there is one, nothing is made ready for them
        let used = !project.manifest.actions.is_empty();
        let made = used.then(|| Sandbox::new(config.clone())).transpose()?;
        let wasm = WasmActions {
            sandbox: OnceCell::new_with(made),
            config,
            rules: Arc::clone(rules),
            client,
            clock: Arc::clone(&machine.clock),
            entropy: Arc::clone(&machine.entropy),
            values: Arc::new(KeyValues::at(place.state.values())),
        };
        performers = performers.with(kinds::WASM_PREFIX, Arc::new(WithSecrets::new(wasm)));
    }
    if let Some(site) = site {
        performers = performers
            .with(plan::apply::KIND_PREFIX, Arc::new(Resources::new(Arc::clone(site))))
            .with(plan::apply::KIND_FRESHNESS, Arc::new(Freshness::new(Arc::clone(site))));
    }
    Ok(performers)
}

/// The hosts of a place, where its project has any. `journal` tells what was applied; where there is none, nothing was.
///
/// # Errors
/// The directory of the infrastructure cannot be read.
pub fn site(
    place: &Place,
    machine: &Machine,
    rules: &Rules,
    journal: Option<&Arc<SqliteJournal>>,
) -> Result<Option<Arc<Site>>, ProjectError> {
    site_by(place, machine, &Arc::new(InForce::fixed(rules.clone())), journal)
}

fn site_by(
    place: &Place,
    machine: &Machine,
    rules: &Arc<InForce>,
    journal: Option<&Arc<SqliteJournal>>,
) -> Result<Option<Arc<Site>>, ProjectError> {
    let Some(project) = &place.project else { return Ok(None) };
    if infrastructure::files(project)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Site::new(SiteParts {
        place: place.clone(),
        project: project.clone(),
        login: machine.login.clone(),
        clock: Arc::clone(&machine.clock),
        entropy: Arc::clone(&machine.entropy),
        identities: machine.identities.clone(),
        client: Client::new(Config::default()),
        rules: Arc::clone(rules),
        journal: journal.cloned(),
    }))))
}

/// Programs: scripts come from the project's directory, or from where policy lets them be fetched.
fn processes(place: &Place, client: Client) -> Processes {
    let fetch = move |context: Context, action: Action, resource: Resource| {
        let client = client.clone();
        let fetched: BoxFuture<'static, Result<Vec<u8>, Failure>> = Box::pin(async move {
            let scope = Scope {
                reach: Reach::Granted(Arc::clone(&context.granted)),
                idempotency_key: Some(action.idempotency_key),
                secrets: context.secrets.as_ref(),
                cancellation: context.cancellation.clone(),
            };
            Ok(client.fetch(&resource, &scope).await?)
        });
        fetched
    };
    let processes = Processes::new().fetch(Arc::new(fetch));
    match &place.project {
        Some(project) => processes.scripts(&project.root),
        None => processes,
    }
}

struct StoreViews(Arc<SqliteJournal>);

impl Views for StoreViews {
    fn unfinished_runs(&self) -> Result<Vec<RunId>, JournalError> {
        self.0.unfinished_runs()
    }

    fn orphaned_approvals(&self) -> Result<Vec<ApprovalId>, JournalError> {
        self.0.orphaned_approvals()
    }

    fn quota_uses(&self, key: &str, since: Timestamp) -> Result<(Vec<(Timestamp, u64)>, u64), JournalError> {
        self.0.quota_uses(key, since)
    }
}

struct Living(Engines);

impl Presence for Living {
    fn alive(&self, engine: &str) -> bool {
        self.0.is_alive(engine)
    }
}

/// Why an environment cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// Because of the place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Because of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Because of the engine.
    #[error(transparent)]
    Engine(#[from] engine::EngineError),
}

impl model::Coded for WorkshopError {
    fn code(&self) -> &'static model::Code {
        match self {
            Self::Place(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Engine(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Place(error) => error.hint(),
            Self::Project(error) => error.hint(),
            Self::Engine(error) => error.hint(),
        }
    }

    fn findings(&self) -> &[model::Diagnostic] {
        match self {
            Self::Place(error) => error.findings(),
            Self::Project(error) => error.findings(),
            Self::Engine(_) => &[],
        }
    }
}
