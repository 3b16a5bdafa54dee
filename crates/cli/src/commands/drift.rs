//! `drift`: what on the hosts is not as it was applied, and what is done about it.

use std::sync::Arc;

use engine::drift::{Fight, Flapping, News, Rounds, Skipped, Standing, standing};
use engine::limits;
use journal::Event;
use journal::events::DriftEvent;
use model::DriftClass;
use model::time::{SignedDuration, rfc3339};
use plan::Drift;
use project::infrastructure::drift::{Watch, interval, proposals};
use project::{ProjectError, Workshop};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::here::{Here, typist};
use super::machine;
use super::plan::{made, rules, show, wanted};
use super::schedules::Signals;
use crate::World;
use crate::args::DriftArgs;
use crate::report::{Answer, Report};
use crate::ui::{BAD, COMMAND, DIM, GOOD, STRONG, Ui, WARN};
use crate::views::events;
use crate::views::table::{count, plain};

/// News that wait to be shown.
const NEWS_MAX: usize = 1_024;

/// Looks for drift, keeps looking, or takes notice of a fight.
pub(super) fn drift(ui: &mut Ui, world: &World, here: &Here, args: &DriftArgs) -> Answer {
    if let Some(resources) = &args.acknowledge {
        return acknowledge(ui, world, here, resources, args.reason.as_deref());
    }
    if args.reconcile {
        return reconcile(ui, world, here, args);
    }
    match &args.every {
        Some(every) => keep(ui, world, here, args, every),
        None => look(ui, world, here, args),
    }
}

/// Says what on the hosts is not as it was applied. Writes nothing.
fn look(ui: &mut Ui, world: &World, here: &Here, args: &DriftArgs) -> Answer {
    let plan = made(ui, world, here, &rules(here)?, &wanted(&args.wanted, false)?)?;
    let all = plan.drift();
    let (unknown, drifted): (Vec<&Drift<'_>>, Vec<&Drift<'_>>) =
        all.iter().partition(|one| one.class == DriftClass::Unreadable);
    let known = plan.reach.resources_known;
    let journal = here.journal_if_any()?;
    let standing = journal.as_ref().map(|journal| standing(journal)).transpose()?.unwrap_or_default();
    let waiting = journal.as_ref().map(proposals).transpose()?.unwrap_or_default();
    if ui.json {
        ui.answer_json(&json!({
            "drifted": drifted.iter().map(|one| one.change).collect::<Vec<_>>(),
            "classes": drifted.iter().map(|one| (one.change.instance.to_string(), json!(one.class))).collect::<serde_json::Map<_, _>>(),
            "unknown": unknown.iter().map(|one| one.change).collect::<Vec<_>>(),
            "resources": known,
            "fights": standing.fights.values().map(|fight| json!(fight.what)).collect::<Vec<_>>(),
            "flapping": standing.flapping.values().map(|flapping| json!(flapping.what)).collect::<Vec<_>>(),
            "skipped": standing.skipped.as_ref().map(|skipped| json!(skipped.what)),
            "proposals": waiting.iter().map(|row| row.run).collect::<Vec<_>>(),
        }));
        return Ok(u8::from(!all.is_empty()));
    }
    for one in drifted.iter().chain(&unknown) {
        show(ui, one.change);
    }
    let words = match (drifted.len(), unknown.len()) {
        (0, 0) => format!("{GOOD}no drift{GOOD:#}: {known} resources were looked at"),
        (drifted, 0) => {
            format!("{WARN}drift{WARN:#}: {drifted} of {known} resources were changed by somebody else")
        }
        (drifted, unknown) => {
            format!("{BAD}{drifted} of {known} resources drifted, and {unknown} could not be read{BAD:#}")
        }
    };
    ui.note(words);
    let other = plan.changes.len() - all.len();
    if other > 0 {
        let changes = count(other, "change");
        ui.note(format_args!("{DIM}{changes} of the configuration are not applied yet{DIM:#}"));
    }
    for row in &waiting {
        ui.note(format_args!("{WARN}proposed{WARN:#}   {}  waits for people", row.run));
    }
    fights(ui, &standing);
    flapping(ui, &standing);
    skipped(ui, &standing);
    if !drifted.is_empty() || other > 0 {
        ui.next("aedile plan", "says what would put it right");
    }
    Ok(u8::from(!all.is_empty()))
}

/// Says who fights over what.
fn fights(ui: &mut Ui, standing: &Standing) {
    for Fight { what, at } in standing.fights.values() {
        let field = what.field.as_ref().map_or_else(String::new, |field| format!(" {}", plain(field)));
        ui.note(format_args!(
            "{BAD}fight{BAD:#} over {STRONG}{}{STRONG:#}{field} since {}",
            what.resource,
            rfc3339(*at)
        ));
        let times: Vec<String> =
            what.mended.iter().map(|one| format!("{} ({})", one.run, rfc3339(one.at))).collect();
        ui.note(format_args!("  Aedile: {}, by {}", plain(&what.ours), times.join(", ")));
        let after =
            what.after.map_or_else(|| "before".to_owned(), |at| format!("between {} and", rfc3339(at)));
        ui.note(format_args!(
            "  {}: {}, {after} {}",
            plain(&what.who),
            plain(&what.theirs),
            rfc3339(what.seen)
        ));
        ui.note(format_args!(
            "  nothing is put right there until somebody applies it, or {COMMAND}aedile drift --acknowledge {}{COMMAND:#}",
            what.resource
        ));
    }
}

/// Says what keeps changing, and what follows from that.
fn flapping(ui: &mut Ui, standing: &Standing) {
    for Flapping { what, at } in standing.flapping.values() {
        let fields: Vec<String> = what.fields.iter().map(|field| plain(field)).collect();
        let fields = fields.join(", ");
        let what_changes = match (fields.is_empty(), what.presence) {
            (true, _) => "whether it is there, or can be read".to_owned(),
            (false, true) => format!("{fields}, and whether it is there"),
            (false, false) => fields,
        };
        ui.note(format_args!(
            "{WARN}flapping{WARN:#}   {STRONG}{}{STRONG:#}: {what_changes}, at least {} changes since {}",
            plain(&what.resource),
            what.changes,
            rfc3339(what.since)
        ));
        let again = at.checked_add(limits::DRIFT_FLAPS_EVERY).unwrap_or(*at);
        ui.note(format_args!(
            "  not told again before {}, and not put right, until it is steady, somebody applies it, or {COMMAND}aedile drift --acknowledge {}{COMMAND:#}",
            rfc3339(again),
            plain(&what.resource)
        ));
    }
}

/// Says that rounds of those who keep looking come to nothing.
fn skipped(ui: &mut Ui, standing: &Standing) {
    let Some(Skipped { what, .. }) = &standing.skipped else { return };
    ui.note(format_args!(
        "{WARN}skipped{WARN:#}    nobody who keeps looking could look since {}: at least {} came to nothing, the last because {}",
        rfc3339(what.since),
        count(what.rounds, "round"),
        plain(&what.why)
    ));
    if let Some(run) = what.run {
        ui.note(format_args!("           see: {COMMAND}aedile runs show {run}{COMMAND:#}"));
    }
}

/// Takes notice of fights, flapping and refusals.
fn acknowledge(
    ui: &mut Ui,
    world: &World,
    here: &Here,
    resources: &[String],
    reason: Option<&str>,
) -> Answer {
    let journal = here.journal()?;
    let (actor, now) = (typist(world)?, world.clock.now());
    let noticed =
        super::runtime()?.block_on(engine::drift::acknowledge(&journal, resources, reason, (&actor, now)))?;
    if ui.json {
        ui.answer_json(&json!({ "acknowledged": noticed }));
    } else if noticed.is_empty() {
        ui.answer("there is nothing to acknowledge");
    } else {
        for resource in &noticed {
            ui.answer(format_args!("{GOOD}noticed{GOOD:#}  {}", plain(resource)));
        }
    }
    Ok(0)
}

/// What watches, and with which rules.
pub(super) struct Watching {
    watch: Watch,
    rules: engine::drift::Rules,
}

impl Watching {
    /// Watches the hosts of an environment that is open.
    pub(super) fn new(
        workshop: &Workshop,
        here: &project::Place,
        variables: std::collections::BTreeMap<String, String>,
    ) -> Result<Self, Report> {
        let site = workshop.site.clone().ok_or_else(|| Report::from(ProjectError::NoInfrastructure))?;
        let declared = here.project.as_ref().map(|project| project.manifest.drift(&here.environment).clone());
        let declared = declared.unwrap_or_default();
        let rules = project::infrastructure::drift::rules(&declared)?;
        let watch = Watch::new(site, Arc::clone(&workshop.journal), &declared, variables);
        Ok(Self { watch, rules })
    }

    /// Keeps looking, for ever.
    pub(super) async fn keep(
        &self,
        workshop: &Workshop,
        every: SignedDuration,
        tell: mpsc::Sender<News>,
    ) -> Result<(), engine::EngineError> {
        // news that is not shown has happened all the same
        let mut tell = move |news| drop(tell.try_send(news));
        workshop.engine.keep_applied(&self.watch, &self.rules, every, &mut tell).await
    }
}

/// One round, and what it repairs.
fn reconcile(ui: &mut Ui, world: &World, here: &Here, args: &DriftArgs) -> Answer {
    let wanted = wanted(&args.wanted, false)?;
    rules(here)?;
    let mut news = Vec::new();
    let outcome: Result<(), Report> = super::runtime()?.block_on(async {
        let workshop = Workshop::open(&here.place, &machine(world))?;
        let watching = Watching::new(&workshop, &here.place, wanted.variables)?;
        let mut tell = |one| news.push(one);
        workshop.engine.reconcile(&watching.watch, &watching.rules, &mut Rounds::one(), &mut tell).await?;
        workshop.engine.wait_for_repairs(&watching.watch, &mut tell).await?;
        workshop.engine.told().await;
        Ok(())
    });
    let mut right = true;
    for one in &news {
        right &= !matches!(one, News::Looked { drifted: 1.., .. } | News::Trouble(_) | News::Busy(_));
        tell(ui, one);
    }
    outcome?;
    Ok(u8::from(!right))
}

/// Keeps looking until Ctrl-C.
fn keep(ui: &mut Ui, world: &World, here: &Here, args: &DriftArgs, every: &str) -> Answer {
    let wanted = wanted(&args.wanted, false)?;
    rules(here)?;
    let every = if every.is_empty() { said(&here.place)? } else { interval(every)? };
    super::runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let workshop = Workshop::open(&here.place, &machine(world))?;
        let watching = Watching::new(&workshop, &here.place, wanted.variables)?;
        ui.note(format_args!(
            "looking for drift every {STRONG}{every:#}{STRONG:#}  {DIM}Ctrl-C ends it{DIM:#}"
        ));
        let (sender, mut news) = mpsc::channel(NEWS_MAX);
        let keeping = watching.keep(&workshop, every, sender);
        tokio::pin!(keeping);
        loop {
            tokio::select! {
                biased;
                () = signals.one() => break,
                Some(one) = news.recv() => tell(ui, &one),
                ended = &mut keeping => {
                    ended?;
                    break;
                }
            }
            super::schedules::told(ui, world);
        }
        while let Ok(one) = news.try_recv() {
            tell(ui, &one);
        }
        ui.note("nobody looks for drift any more");
        Ok(0)
    })
}

/// How often it is to be looked, as the project says.
fn said(place: &project::Place) -> Result<SignedDuration, Report> {
    let declared = place.project.as_ref().map(|project| project.manifest.drift(&place.environment));
    let every = declared.map(project::infrastructure::drift::every).transpose()?.flatten();
    every.ok_or_else(|| Report::usage("aedile.yaml does not say how often; type for example --every 10m"))
}

/// Shows one piece of news.
pub(super) fn tell(ui: &mut Ui, news: &News) {
    if ui.json {
        ui.answer_json_line(&news_json(news));
        return;
    }
    match news {
        News::Recorded(event) => {
            let (style, mark, text) = events::styled(&Event::Drift(event.clone()));
            ui.answer(format_args!("{style}{mark:<10}{style:#} {}", plain(&text)));
            if let DriftEvent::Started(started) = event
                && started.how == model::OnDrift::Propose
            {
                ui.note(format_args!("           see: {COMMAND}aedile runs show {}{COMMAND:#}", started.run));
            }
        }
        News::Looked { resources, drifted, pending } => {
            let pending = if *pending == 0 {
                String::new()
            } else {
                format!(", {pending} changes are not applied yet")
            };
            ui.note(format_args!("{DIM}looked     {drifted} of {resources} drifted{pending}{DIM:#}"));
        }
        News::Busy(run) => ui.note(format_args!("{DIM}busy       {run} applies something{DIM:#}")),
        News::Trouble(error) => {
            ui.complain(format_args!(
                "{WARN}trouble{WARN:#}    {} [{}]",
                plain(&error.to_string()),
                error.code
            ));
        }
    }
}

fn news_json(news: &News) -> Value {
    match news {
        News::Recorded(event) => json!({ "type": event.kind(), "data": journal::Event::from(event.clone()) }),
        News::Looked { resources, drifted, pending } => {
            json!({ "type": "looked", "resources": resources, "drifted": drifted, "pending": pending })
        }
        News::Busy(run) => json!({ "type": "busy", "run": run }),
        News::Trouble(error) => {
            json!({ "type": "trouble", "code": error.code.id, "what": error.to_string(), "hint": error.hint })
        }
    }
}
