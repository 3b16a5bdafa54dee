//! What is counted, as Prometheus reads it (`OpenMetrics` 1.0).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::Problem;
use crate::bench::Bench;
use crate::problem::Answer;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    project: String,
    environment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Runs {
    project: String,
    environment: String,
    status: String,
}

type Seconds = Family<Route, Histogram, fn() -> Histogram>;

fn seconds() -> Histogram {
    // from half a millisecond to four seconds
    Histogram::new(exponential_buckets(0.0005, 2.0, 14))
}

/// What the server counts as it goes. What journals know is read when it is asked for.
pub(crate) struct Metrics {
    requests: Family<Request, Counter>,
    seconds: Seconds,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { requests: Family::default(), seconds: Seconds::new_with_constructor(seconds) }
    }
}

type Numbers<L> = Family<L, Gauge<u64, AtomicU64>>;

impl Metrics {
    /// Counts an answer.
    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = Request { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// Everything, with what the journals of these environments say.
    pub(crate) fn text<'a>(&self, benches: impl Iterator<Item = &'a Arc<Bench>>) -> Answer<String> {
        let (runs, waiting, records) =
            (Numbers::<Runs>::default(), Numbers::<Place>::default(), Numbers::<Place>::default());
        let (covered, listeners) = (Numbers::<Place>::default(), Numbers::<Place>::default());
        let (bytes, room) = (Numbers::<Place>::default(), Numbers::<Place>::default());
        let (troubled, unruled) = (Numbers::<Place>::default(), Numbers::<Place>::default());
        let skipped = Numbers::<Place>::default();
        for bench in benches {
            let status = bench.workshop.journal.status()?;
            let (project, environment) = (bench.project.clone(), bench.environment().to_string());
            let place = Place { project: project.clone(), environment: environment.clone() };
            for (status, count) in &status.runs {
                let (project, environment) = (project.clone(), environment.clone());
                runs.get_or_create(&Runs { project, environment, status: status.to_string() }).set(*count);
            }
            waiting.get_or_create(&place).set(status.approvals_waiting);
            records.get_or_create(&place).set(status.head.position);
            covered.get_or_create(&place).set(status.checkpoint.map_or(0, |checkpoint| checkpoint.size));
            bytes.get_or_create(&place).set(status.bytes);
            room.get_or_create(&place).set(bench.room().unwrap_or(0));
            let trouble = bench.workshop.engine.trouble().borrow().is_some();
            troubled.get_or_create(&place).set(u64::from(trouble));
            unruled.get_or_create(&place).set(u64::from(bench.workshop.rules.trouble().is_some()));
            let rounds = bench.drift()?.skipped.as_ref().map_or(0, |skipped| skipped.what.rounds);
            skipped.get_or_create(&place).set(rounds);
            let listening = bench.feed.listeners().load(Ordering::Relaxed);
            listeners.get_or_create(&place).set(u64::try_from(listening).unwrap_or(u64::MAX));
        }
        let mut registry = Registry::with_prefix("aedile");
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        registry.register("http_request_seconds", "How long answers took", self.seconds.clone());
        registry.register("runs", "Runs by status", runs);
        registry.register("approvals_waiting", "Approvals that wait", waiting);
        registry.register("journal_records", "Records in the journal", records);
        registry.register("journal_covered_records", "Records under a signed checkpoint", covered);
        registry.register("journal_bytes", "Size of the journal's file", bytes);
        registry.register("journal_room_bytes", "Room on the journal's disk", room);
        registry.register("engine_in_trouble", "Whether runs cannot go on", troubled);
        registry.register("rules_not_in_force", "Whether changed rules cannot be read", unruled);
        registry.register("drift_rounds_skipped", "Rounds in a row that did not look for drift", skipped);
        registry.register("stream_listeners", "Streams of events that are open", listeners);
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(text)
    }
}
