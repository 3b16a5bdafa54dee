//! Every screen can be used by everybody: axe-core, a program of other people's, finds nothing to object to.

use std::path::PathBuf;

use serde_json::Value;

use crate::driver::{Browser, Driver};
use crate::place::Place;

/// Paths of all screens.
pub(crate) fn paths(run: &str, approval: &str) -> Vec<String> {
    let below = |path: &str| format!("/release/dev{path}");
    let mut paths: Vec<String> = [
        "/overview",
        "/runs",
        "/runs?status=cancelled",
        "/approvals",
        "/approvals?all=true",
        "/policy",
        "/policy/playground",
        "/journal",
        "/journal/3",
        "/journal/999999",
        "/nothing",
    ]
    .map(below)
    .into();
    for lens in ["", "/steps", "/graph", "/events", "/json"] {
        paths.push(below(&format!("/runs/{run}{lens}")));
    }
    paths.push(below(&format!("/approvals/{approval}")));
    for own in ["/settings/tokens", "/settings/accounts", "/settings/keys", "/settings/appearance"] {
        paths.push(own.to_owned());
    }
    paths
}

/// The script of axe-core. `None`: it is not there, which is said, and an error where `scripts/test` fetched it.
fn axe() -> Option<String> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let path = target.join("strangers/axe.min.js");
    match std::fs::read_to_string(&path) {
        Ok(script) => Some(script),
        Err(error) if std::env::var_os("AEDILE_TEST_BROWSER").is_none() => {
            println!("skipped: {} cannot be read: {error}", path.display());
            None
        }
        Err(error) => panic!("{} cannot be read: {error}", path.display()),
    }
}

async fn objections(browser: &Browser, axe: &str) -> Vec<String> {
    browser.client.execute(axe, Vec::new()).await.unwrap();
    let script = "const done = arguments[arguments.length - 1];
        axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations), error => done([{ id: String(error), nodes: [] }]))";
    let found = browser.client.execute_async(script, Vec::new()).await.unwrap();
    let one = |violation: &Value| {
        let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
        let html: Vec<&str> = nodes.iter().take(3).filter_map(|node| node["html"].as_str()).collect();
        format!("{}: {}\n    {}", violation["id"], violation["help"], html.join("\n    "))
    };
    found.as_array().unwrap().iter().map(one).collect()
}

async fn all_screens(browser: &Browser, (place, paths): (&Place, &[String]), axe: &str) {
    let mut found = Vec::new();
    for (width, height) in [(1440, 900), (390, 844)] {
        browser.client.set_window_size(width, height).await.unwrap();
        for theme in ["light", "dark"] {
            browser.script(&format!("localStorage.setItem('aedile-theme', '{theme}')")).await;
            for path in paths {
                browser.open(&format!("{}{path}", place.url)).await;
                for objection in objections(browser, axe).await {
                    found.push(format!("{path} {width} {theme}: {objection}"));
                }
                let wide =
                    browser.script("return document.documentElement.scrollWidth - window.innerWidth").await;
                if wide.as_i64().unwrap_or_default() > 0 {
                    found.push(format!("{path} {width} {theme}: {wide} pixels wider than the window"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_screen() {
    let (Some(driver), Some(axe)) = (Driver::start(), axe()) else { return };
    let mut place = Place::release();
    let (run, approval) = place.asks();
    place.typed(&["journal", "checkpoint"]);
    let browser = driver.browser().await;
    browser.sign_in(&place.link("lea")).await;
    all_screens(&browser, (&place, &paths(&run, &approval)), &axe).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_where_there_is_nothing_yet() {
    let (Some(driver), Some(axe)) = (Driver::start(), axe()) else { return };
    let mut place = Place::release();
    let browser = driver.browser().await;
    let link = place.link("lea");
    browser.open(&format!("{}/login", place.url)).await;
    assert_eq!(objections(&browser, &axe).await, Vec::<String>::new());
    browser.open(&link).await;
    assert_eq!(objections(&browser, &axe).await, Vec::<String>::new());
    browser.sign_in(&link).await;
    let empty = paths("run_00000000000000000000000000", "apr_00000000000000000000000000");
    all_screens(&browser, (&place, &empty), &axe).await;
    browser.close().await;
}
