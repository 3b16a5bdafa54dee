//! The rules in force: those that were read last and had nothing wrong with them.
//!
//! They follow their files. At first these are looked at ten times a second; after five seconds, and in servers at once, the
//! kernel is asked to tell when one is written. Every five seconds from then on it is looked whether it told of everything,
//! which file systems of other machines do not. What is written counts when the files were left alone for a moment, so that
//! nothing half-written does; whoever has time waits for that moment ([`InForce::look`]). New rules are read and checked as a whole. If
//! anything is wrong with them, those before stay in force and [`InForce::trouble`] says why.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use engine::judge::{self, Ruling};
use model::{Coded as _, Digest};
use sandbox::Catalog;
use store::SqliteJournal;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

use super::files::{Print, Told};
use super::{Rules, record};
use crate::channels::Lines;
use crate::layout::POLICY;
use crate::{Place, Project, ProjectError, limits};

/// The rules of an environment, for everybody who decides there.
pub struct InForce {
    current: RwLock<Arc<Rules>>,
    /// Actions of rules that were in force before, the latest last: runs of that time go on with them.
    earlier: RwLock<Vec<Arc<Catalog>>>,
    /// Counts how often they were read anew.
    renewed: watch::Sender<u64>,
    trouble: RwLock<Option<Arc<str>>>,
    source: Option<Source>,
}

/// Where rules come from that follow their files.
struct Source {
    root: PathBuf,
    place: Place,
    /// Absent until it was asked, which nobody does who is soon gone: to stop asking takes the kernel some milliseconds, for which
    /// no short command should wait.
    told: OnceLock<Option<Told>>,
    /// How often something was told, and how often that was when it was looked last.
    heard: AtomicU64,
    looked: AtomicU64,
    /// What is known of the files. Who holds it looks.
    known: Mutex<Known>,
    journal: OnceLock<Arc<SqliteJournal>>,
    lines: Lines,
}

struct Known {
    /// The files that were read last, whatever was in them.
    read: Print,
    /// The rules that the journal does not know of yet, by those that they took the place of.
    unrecorded: Option<Arc<Rules>>,
    /// What `aedile.yaml` said last of what takes effect with a start only.
    rest: String,
}

/// What was found in the files.
enum Found {
    /// Nothing new.
    Same,
    /// They did not stay the same long enough to be read.
    Busy,
    /// Others than before, and what they say.
    Others(Print, Box<Result<(Project, Rules), ProjectError>>),
}

impl std::fmt::Debug for InForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InForce").field("trouble", &self.trouble()).finish_non_exhaustive()
    }
}

impl judge::InForce for InForce {
    fn ruling(&self) -> Ruling {
        self.now().ruling()
    }
}

impl InForce {
    /// Rules that stay as they are.
    pub fn fixed(rules: Rules) -> Self {
        Self {
            current: RwLock::new(Arc::new(rules)),
            earlier: RwLock::default(),
            renewed: watch::Sender::new(0),
            trouble: RwLock::default(),
            source: None,
        }
    }

    /// The rules of a place, which follow their files as long as [`InForce::follow`] is polled. Outside any project nothing is
    /// followed. Must be called within a tokio runtime.
    pub(crate) fn read(place: &Place, lines: &Lines) -> Result<Self, ProjectError> {
        let Some(project) = &place.project else { return Ok(Self::fixed(Rules::read(place)?)) };
        let root = project.root.clone();
        let read = Print::of(&root);
        let place = again(place)?;
        let rules = Rules::read(&place)?;
        let rest =
            place.project.as_ref().map(|project| project.manifest.without_actions()).unwrap_or_default();
        let source = Source {
            root,
            place,
            told: OnceLock::new(),
            heard: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            known: Mutex::new(Known { read, unrecorded: None, rest }),
            journal: OnceLock::new(),
            lines: Arc::clone(lines),
        };
        Ok(Self { source: Some(source), ..Self::fixed(rules) })
    }

    /// The rules of this moment. Whoever decides asks once, and keeps them to the end of the decision.
    pub fn now(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts up whenever rules or workflows were read anew.
    pub fn renewed(&self) -> watch::Receiver<u64> {
        self.renewed.subscribe()
    }

    /// Why what is in the files is not in force, in one line that names the first mistake; `None`: it is.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.trouble.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The actions among which one has this digest: those in force, or the latest before that.
    pub(crate) fn catalog_with(&self, name: &str, version: &str, digest: Option<&Digest>) -> Arc<Catalog> {
        let now = Arc::clone(&self.now().catalog);
        let Some(digest) = digest else { return now };
        let has = |catalog: &&Arc<Catalog>| catalog.digest(name, version).as_ref() == Some(digest);
        if has(&&now) {
            return now;
        }
        let earlier = self.earlier.read().unwrap_or_else(PoisonError::into_inner);
        earlier.iter().rev().find(has).cloned().unwrap_or(now)
    }

    /// Has what is in force recorded in this journal, from now on. What the journal says last and is not so any more was changed
    /// while nobody looked.
    pub(crate) fn recorded_in(&self, journal: &Arc<SqliteJournal>) {
        let Some(source) = &self.source else { return };
        if source.journal.set(Arc::clone(journal)).is_err() {
            return;
        }
        let rules = self.now();
        let done = futures_executor::block_on(record::replaced(&**journal, &rules, &rules));
        if done.is_err()
            && let Ok(mut known) = source.known.try_lock()
        {
            known.unrecorded = Some(rules);
        }
    }

    /// Reads the rules again if their files were touched, and waits until it is known which are in force. Costs next to nothing
    /// where they were not and the kernel tells of it.
    pub async fn look(&self) {
        let Some(source) = &self.source else { return };
        if source.is_touched() {
            self.renew(source, source.heard.load(Ordering::SeqCst)).await;
        }
    }

    /// Has the kernel tell of changes from now on, for who lives long. Must be called within a tokio runtime.
    pub fn ask(&self) {
        if let Some(source) = &self.source {
            source.ask();
        }
    }

    /// Follows the files for ever.
    pub(crate) async fn follow(&self) {
        let Some(source) = &self.source else { return };
        let since = Instant::now();
        while source.told.get().is_none() && since.elapsed() < limits::RULES_UNTOLD {
            sleep(limits::RULES_INTERVAL_FIRST).await;
            self.look().await;
        }
        source.ask();
        loop {
            self.look().await;
            match source.told() {
                Some(told) => {
                    tokio::select! {
                        () = told.ready() => {}
                        () = sleep(limits::RULES_INTERVAL) => {
                            source.heard.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
                None => sleep(limits::RULES_INTERVAL_UNTOLD).await,
            }
        }
    }

    /// Looks at the files and puts in force what is new in them. `heard`: how often something was told before.
    async fn renew(&self, source: &Source, heard: u64) {
        let mut known = source.known.lock().await;
        if source.looked.load(Ordering::SeqCst) >= heard && source.told().is_some() {
            // somebody else looked while this waited for their turn
            return;
        }
        match source.found(&known.read).await {
            Found::Same => {}
            Found::Busy => self.troubled(source, "the files are written all the time".to_owned()),
            Found::Others(print, read) => match *read {
                Ok((project, rules)) => {
                    known.read = print;
                    self.replace(source, &mut known, (&project, rules)).await;
                }
                Err(error) => {
                    // these may be right the next time without having been touched
                    if !matches!(error, ProjectError::Unreadable { .. } | ProjectError::Emptied { .. }) {
                        known.read = print;
                    }
                    self.troubled(source, line(&error));
                }
            },
        }
        if let (Some(before), Some(journal)) = (known.unrecorded.clone(), source.journal.get()) {
            // a full disk keeps nobody's role alive: what is not recorded now is recorded when there is room
            if record::replaced(&**journal, &before, &self.now()).await.is_ok() {
                known.unrecorded = None;
            }
        }
        source.looked.fetch_max(heard, Ordering::SeqCst);
    }

    /// Puts new rules in force, and has that recorded before anybody decides by them.
    async fn replace(&self, source: &Source, known: &mut Known, (project, rules): (&Project, Rules)) {
        let before = self.now();
        let (policy, access) = (rules.policy.digest(), rules.access_digest);
        let others = before.policy.digest() != policy || before.access_digest != access;
        let first = known.unrecorded.get_or_insert_with(|| Arc::clone(&before)).clone();
        if let Some(journal) = source.journal.get()
            && record::replaced(&**journal, &first, &rules).await.is_ok()
        {
            known.unrecorded = None;
        }
        {
            let mut earlier = self.earlier.write().unwrap_or_else(PoisonError::into_inner);
            earlier.push(Arc::clone(&before.catalog));
            let many = earlier.len().saturating_sub(limits::RULES_KEPT_MAX);
            earlier.drain(..many);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        let trouble = self.trouble.write().unwrap_or_else(PoisonError::into_inner).take();
        self.renewed.send_modify(|count| *count += 1);
        if others || trouble.is_some() {
            let access = access.map_or_else(|| "no access.yaml".to_owned(), |it| format!("access.yaml {it}"));
            source.say(&format!("new rules are in force: policy {policy}, {access}"));
        }
        let rest = project.manifest.without_actions();
        if rest != known.rest {
            known.rest = rest;
            let then = "its actions are in force, the rest when this process is started again";
            source.say(&format!("aedile.yaml was changed: {then}"));
        }
    }

    fn troubled(&self, source: &Source, why: String) {
        let mut trouble = self.trouble.write().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_deref() != Some(&why) {
            source.say(&format!("new rules are not in force, those before are: {why}"));
            *trouble = Some(why.into());
        }
    }
}

impl Source {
    /// Asks the kernel to tell of changes from now on.
    fn ask(&self) {
        self.told.get_or_init(|| {
            let told = Told::of(&self.root);
            // what was written before is found by looking once more, and whoever sees that the kernel tells sees this
            self.heard.fetch_add(1, Ordering::SeqCst);
            told
        });
    }

    fn told(&self) -> Option<&Told> {
        self.told.get()?.as_ref()
    }

    /// Whether the files may be others than when it was looked last.
    fn is_touched(&self) -> bool {
        match self.told() {
            Some(told) => {
                if told.anything() {
                    self.heard.fetch_add(1, Ordering::SeqCst);
                }
                self.heard.load(Ordering::SeqCst) != self.looked.load(Ordering::SeqCst)
            }
            None => true,
        }
    }

    /// What is in the files, once nobody wrote them for a moment; nothing at once if they are those that are known.
    async fn found(&self, known: &Print) -> Found {
        let Some(mut print) = self.print().await else { return Found::Same };
        for _ in 0..limits::RULES_SETTLING_MAX {
            if print == *known {
                return Found::Same;
            }
            sleep(limits::RULES_SETTLE).await;
            let before = print;
            let read = match before.emptied(known) {
                Some(file) => Err(ProjectError::Emptied { file: file.to_owned() }),
                None => self.read().await,
            };
            match self.print().await {
                Some(now) if now == before => return Found::Others(now, Box::new(read)),
                Some(now) => print = now,
                None => return Found::Same,
            }
        }
        Found::Busy
    }

    async fn print(&self) -> Option<Print> {
        if let Some(told) = self.told() {
            told.watch(&self.root);
        }
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || Print::of(&root)).await.ok()
    }

    async fn read(&self) -> Result<(Project, Rules), ProjectError> {
        let place = self.place.clone();
        let read = move || {
            let place = again(&place)?;
            let rules = Rules::read(&place)?;
            let project = place.project.ok_or(ProjectError::NoProject { start: PathBuf::new() })?;
            Ok((project, rules))
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| {
            Err(ProjectError::Unreadable { what: POLICY.to_owned(), source: error.into() })
        })
    }

    fn say(&self, what: &str) {
        (self.lines)(&format!("{}: {what}", self.place.source()));
    }
}

/// The place as its project's file says now.
fn again(place: &Place) -> Result<Place, ProjectError> {
    let Some(project) = &place.project else { return Ok(place.clone()) };
    Ok(Place { project: Some(Project::open(&project.root)?), ..place.clone() })
}

/// What is wrong, in one line: the first mistake with its place.
fn line(error: &ProjectError) -> String {
    let first = error.findings().first().map(|first| {
        let more = error.findings().len() - 1;
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        format!("{}: {} [{}]{more}", first.location, first.message, first.code.id)
    });
    first.unwrap_or_else(|| {
        let causes = std::iter::successors(std::error::Error::source(error), |why| why.source());
        let text: Vec<String> =
            std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect();
        format!("{} [{}]", text.join(": "), error.code().id)
    })
}
