//! Every page, rendered with a fixed clock: whole, without anything inline, and the same as last time where that matters.

mod fixtures;
mod quiet;

use maud::Markup;

use super::*;

/// Every page in every state that looks different, by name.
fn pages() -> Vec<(&'static str, Markup)> {
    use fixtures::{frame, onlooker};
    let (frame, onlooker) = (frame(), onlooker());
    let mut all = vec![
        ("overview", overview::page(&frame, &fixtures::overview())),
        ("runs", runs::page(&frame, &runs_view(fixtures::runs()))),
        ("run-timeline", run::page(&frame, &fixtures::release(run::Lens::Timeline))),
        ("run-steps", run::page(&frame, &fixtures::release(run::Lens::Steps))),
        ("run-graph", run::page(&frame, &fixtures::release(run::Lens::Graph))),
        ("run-events", run::page(&frame, &fixtures::release(run::Lens::Events))),
        ("run-json", run::page(&frame, &fixtures::release(run::Lens::Json))),
        ("run-doubt", run::page(&frame, &fixtures::doubtful())),
        ("run-onlooker", run::page(&onlooker, &fixtures::doubtful())),
        ("approvals", approvals::page(&frame, &inbox(approvals::Show::Yours, fixtures::approvals()))),
        ("review-plan", review::page(&frame, &fixtures::plan_review())),
        ("review-task", review::page(&frame, &fixtures::task_review())),
        ("review-late", review::page(&frame, &fixtures::late_review())),
        ("policy", policy::page(&frame, &quiet::rules())),
        ("playground", policy::playground(&frame, &quiet::playground())),
        ("journal", journal::page(&frame, &journal_view(true))),
        ("record", journal::record(&frame, &fixtures::record_view(6))),
        ("record-unsigned", journal::record(&frame, &fixtures::record_view(13))),
        ("settings-tokens", settings::page(&frame, &quiet::settings(settings::Tab::Tokens))),
        ("settings-accounts", settings::page(&frame, &quiet::settings(settings::Tab::Accounts))),
        ("settings-keys", settings::page(&frame, &quiet::settings(settings::Tab::Keys))),
        ("settings-look", settings::page(&frame, &quiet::settings(settings::Tab::Look))),
        ("choose", errors::choose(&Frame { place: None, ..frame.clone() })),
        (
            "not-found",
            errors::page(
                &frame,
                &quiet::problem(404, "nothing is known by that name", "there is no run run_1"),
            ),
        ),
        ("nowhere", errors::nowhere(&quiet::problem(404, "nothing", "there is nothing at /x"))),
        ("outside", outside("Sign in", &maud::html! { h1 { "Sign in" } p { "With a link." } })),
    ];
    all.extend(nothing(&frame, &onlooker));
    all
}

/// The four kinds of nothing, on the screens that have them.
fn nothing(frame: &Frame, onlooker: &Frame) -> Vec<(&'static str, Markup)> {
    let mut first = fixtures::overview();
    first.status.runs.clear();
    first.status.drift.clear();
    (first.status.failed, first.status.open, first.status.drifted) = (Vec::new(), Vec::new(), Vec::new());
    first.status.approvals_waiting = 0;
    (first.mine, first.recent, first.changes) = (Vec::new(), Vec::new(), Vec::new());
    first.names.clear();
    let mut filtered = runs_view(Vec::new());
    filtered.query.workflow = Some("shop/unknown".to_owned());
    vec![
        ("empty-overview", overview::page(onlooker, &first)),
        ("empty-runs", runs::page(onlooker, &runs_view(Vec::new()))),
        ("filtered-runs", runs::page(frame, &filtered)),
        ("fine-approvals", approvals::page(frame, &inbox(approvals::Show::Yours, Vec::new()))),
        ("forbidden-approvals", approvals::page(onlooker, &inbox(approvals::Show::Yours, Vec::new()))),
        ("empty-journal", journal::page(onlooker, &journal_view(false))),
        ("forbidden-accounts", settings::page(onlooker, &quiet::settings(settings::Tab::Accounts))),
        ("empty-playground", policy::playground(frame, &policy::Playground::default())),
    ]
}

fn runs_view(items: Vec<api::Run>) -> runs::View {
    let counts = if items.is_empty() { std::collections::BTreeMap::new() } else { fixtures::status().runs };
    runs::View {
        query: api::RunQuery::default(),
        runs: api::Page { next: (!items.is_empty()).then(|| "9".to_owned()), items, position: 18_207 },
        counts,
        workflows: vec!["examples/release".to_owned(), "shop/import-prices".to_owned()],
    }
}

fn inbox(show: approvals::Show, items: Vec<api::Approval>) -> approvals::View {
    let yours = items.len() as u64;
    approvals::View {
        show,
        approvals: api::Page { items, next: None, position: 18_207 },
        yours,
        waiting: yours,
        later: false,
    }
}

fn journal_view(full: bool) -> journal::View {
    let records = if full {
        fixtures::records().into_iter().map(|(record, _)| record).rev().collect()
    } else {
        Vec::new()
    };
    journal::View {
        filter: journal::Filter::default(),
        records,
        next: None,
        checkpoints: if full { vec![fixtures::checkpoint()] } else { Vec::new() },
        position: if full { 13 } else { 0 },
        checkpointed: full.then_some(12),
        searched: None,
    }
}

/// The values of an attribute on a page.
fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_page_is_whole_and_has_nothing_inline() {
    for (name, page) in pages() {
        let page = page.into_string();
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{name}");
        assert_eq!(page.matches("<h1").count(), 1, "{name}: one heading");
        assert_eq!(page.matches("<main").count(), 1, "{name}");
        for refused in [" style=", "<style", " onclick=", "javascript:", "<script>"] {
            assert!(!page.contains(refused), "{name} has {refused}");
        }
        let mut ids = values(&page, "id");
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id is given twice");
        for wanted in values(&page, "aria-describedby").into_iter().chain(values(&page, "aria-labelledby")) {
            assert!(ids.contains(&wanted), "{name}: nothing is called {wanted}");
        }
        for symbol in page.split("href=\"#i-").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"i-{symbol}\"")), "{name}: there is no icon {symbol}");
        }
        if let Some(directory) = std::env::var_os("OPERATE_PAGES") {
            std::fs::write(std::path::Path::new(&directory).join(format!("{name}.html")), page).unwrap();
        }
    }
}

#[test]
fn every_form_that_changes_something_proves_where_it_comes_from() {
    for (name, page) in pages() {
        let page = page.into_string();
        for form in page.split("<form").skip(1).filter_map(|rest| rest.split("</form>").next()) {
            if form.contains("method=\"post\"") {
                assert!(form.contains("name=\"csrf\""), "{name}: {form}");
            }
        }
    }
}

#[test]
fn what_users_wrote_is_escaped_everywhere() {
    const EVIL: &str = "<img src=x onerror=alert(1)>\u{202e}";
    let mut view = fixtures::plan_review();
    EVIL.clone_into(&mut view.detail.approval.title);
    view.detail.asked =
        serde_json::json!({"asked": {EVIL: EVIL, "proposal": {"changes": [EVIL]}}, "description": EVIL});
    let page = review::page(&fixtures::frame(), &view).into_string();
    assert!(!page.contains("<img") && !page.contains('\u{202e}'));
    let mut run = fixtures::doubtful();
    EVIL.clone_into(&mut run.detail.run.workflow);
    // ids go back as they are in what forms send, so there only markup is harmless
    "/do/0/<img src=x>".clone_into(&mut run.steps[1].step);
    EVIL.clone_into(&mut run.steps[1].name);
    run.detail.input = serde_json::json!({EVIL: EVIL});
    let page = run::page(&fixtures::frame(), &run).into_string();
    assert!(!page.contains("<img") && !page.contains('\u{202e}'));
}

/// What is between the landmarks of a page, one element a line.
fn content(page: Markup) -> String {
    let page = page.into_string();
    let main = page.split("<main").nth(1).and_then(|rest| rest.split("</main>").next()).unwrap_or_default();
    main.replace("><", ">\n<")
}

#[test]
fn the_review_of_a_plan_shows_what_it_reaches() {
    insta::assert_snapshot!(content(review::page(&fixtures::frame(), &fixtures::plan_review())));
}

#[test]
fn the_overview_says_three_sentences_first() {
    insta::assert_snapshot!(content(overview::page(&fixtures::frame(), &fixtures::overview())));
}

#[test]
fn the_overview_says_what_keeps_changing_and_that_nobody_could_look() {
    let mut view = fixtures::overview();
    view.status.flapping = vec!["web-2/counter".to_owned()];
    view.status.skipped = Some(api::Skipped {
        since: view.status.approvals[0].asked_at.clone(),
        rounds: 12,
        why: "run_7 applies something".to_owned(),
        run: Some("run_7".to_owned()),
    });
    let page = overview::page(&fixtures::frame(), &view).into_string();
    for words in [
        "1 resource keeps changing",
        "nobody could look for drift",
        "web-2/counter",
        "run_7 applies something; at least 12 rounds came to nothing",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn a_disabled_button_says_why() {
    let page = run::page(&fixtures::frame(), &fixtures::release(run::Lens::Timeline)).into_string();
    assert!(page.contains("aria-describedby=\"why-resume\""));
    assert!(page.contains("It is not paused."));
    let page = run::page(&fixtures::onlooker(), &fixtures::release(run::Lens::Timeline)).into_string();
    assert!(!page.contains("/cancel\""), "somebody who may only look gets no form");
    assert!(page.contains("Whoever administers the project"));
}

#[test]
fn a_decision_that_came_too_late_says_who_was_faster() {
    let page = content(review::page(&fixtures::frame(), &fixtures::late_review()));
    assert!(page.contains("somebody was faster") && page.contains("user:omar denied it"), "{page}");
    assert!(!page.contains("<form"), "there is nothing left to decide");
}

#[test]
fn production_is_unmistakable_and_said_in_words() {
    let page = overview::page(&fixtures::frame(), &fixtures::overview()).into_string();
    assert!(page.contains("class=\"production\"") && page.contains(">production<"));
    let page = runs::page(&fixtures::onlooker(), &runs_view(Vec::new())).into_string();
    assert!(!page.contains("<body class=\"production\""));
}
