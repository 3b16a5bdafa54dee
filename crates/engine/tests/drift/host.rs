//! A host for the real engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::Engine;
use engine::drift::{Applied, Look, LookError, Lookout, News, Prepared, Rules, Sighting, principal};
use engine::ports::{BoxFuture, Programs as _};
use journal::events::RunEvent;
use journal::{Event, Journal};
use model::time::SignedDuration;
use model::{EffectClass, OnDrift, RunId, Timestamp};
use serde_json::json;

use crate::support::{Line, Scripts, World};
use crate::table::{look, sighting};

/// A host with one resource, which is right when a run of the reconciler ended after it was touched last.
pub(crate) struct Host {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) policy: OnDrift,
    pub(crate) touched: Mutex<Option<(Timestamp, String)>>,
    pub(crate) now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// The run that applies something.
    pub(crate) busy: Mutex<Option<RunId>>,
    /// How often it was looked at, where it is otherwise at every look.
    pub(crate) counter: Mutex<Option<u64>>,
}

impl Host {
    pub(crate) fn new(world: &World, policy: OnDrift) -> Arc<Self> {
        let start = tokio::time::Instant::now();
        let base = world.now();
        let now = move || {
            base.checked_add(SignedDuration::from_millis(i64::try_from(start.elapsed().as_millis()).unwrap()))
                .unwrap()
        };
        let journal = Arc::clone(&world.journal) as Arc<dyn Journal>;
        Arc::new(Self {
            journal,
            policy,
            touched: Mutex::default(),
            now: Box::new(now),
            busy: Mutex::default(),
            counter: Mutex::default(),
        })
    }

    pub(crate) fn touch(&self, value: &str) {
        *self.touched.lock().unwrap() = Some(((self.now)(), value.to_owned()));
    }

    /// The last run that put it right.
    pub(crate) fn mended(&self) -> Option<(RunId, Timestamp)> {
        let records = self.journal.read(0, 10_000).unwrap();
        records
            .iter()
            .rev()
            .find(|record| matches!(record.event, Event::Run(RunEvent::Completed(_))))
            .map(|record| (record.stream.parse().unwrap(), record.at))
    }

    pub(crate) fn seen(&self) -> Vec<Sighting> {
        if let Some(looks) = *self.counter.lock().unwrap() {
            return vec![sighting("web-1/motd", &looks.to_string(), self.policy)];
        }
        let touched = self.touched.lock().unwrap().clone();
        let wrong = touched.filter(|(when, _)| self.mended().is_none_or(|(_, at)| at <= *when));
        wrong.map(|(_, value)| sighting("web-1/motd", &value, self.policy)).into_iter().collect()
    }
}

impl Lookout for Host {
    fn look(&self) -> BoxFuture<'_, Result<Look, LookError>> {
        Box::pin(async {
            let began = (self.now)();
            if let Some(looks) = self.counter.lock().unwrap().as_mut() {
                *looks += 1;
            }
            Ok(Look { began, ..look(0, self.seen()) })
        })
    }

    fn prepare<'a>(&'a self, how: OnDrift, _: &'a [String]) -> BoxFuture<'a, Result<Prepared, LookError>> {
        Box::pin(async move {
            let mend = vec![Line::Wait(500), Line::Do("test.write", EffectClass::Idempotent)];
            let definition = Scripts([("mend", mend)].into()).find("mend", None).unwrap();
            let input = json!({ "consent": how == OnDrift::Propose });
            Ok(Prepared { definition, input, sightings: self.seen() })
        })
    }

    fn busy(&self) -> Result<Option<RunId>, LookError> {
        Ok(*self.busy.lock().unwrap())
    }

    fn applied(&self, _: &str) -> Result<Option<Applied>, LookError> {
        Ok(self.mended().map(|(run, at)| Applied { run, requester: principal(), at }))
    }
}

pub(crate) const LEAD: &str = "defaultChain: lead\nchains: {lead: {levels: [{roles: [lead]}]}}\n";

pub(crate) fn world(policy: &'static str) -> World {
    World::new(policy, vec![("mend", vec![Line::Wait(500), Line::Do("test.write", EffectClass::Idempotent)])])
}

pub(crate) async fn keep(engine: &Engine, host: &Host, seconds: u64) {
    let rules = Rules::default();
    let every = SignedDuration::from_secs(600);
    let mut tell = |news: News| assert!(!matches!(news, News::Trouble(_)), "{news:?}");
    let keeping = engine.keep_applied(host, &rules, every, &mut tell);
    tokio::time::timeout(Duration::from_secs(seconds), keeping).await.unwrap_err();
}
