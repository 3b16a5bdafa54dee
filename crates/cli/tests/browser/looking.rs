//! People look while things happen.

use std::time::Duration;

use crate::driver::Driver;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_run_follows_it_without_being_loaded_again() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let (run, approval) = place.asks();
    let browser = driver.browser().await;
    browser.sign_in(&place.link("lea")).await;
    browser.open(&place.page(&format!("/runs/{run}"))).await;
    browser.sees("team-lead").await;
    browser.script("window.kept = true").await;
    place.typed(&["approve", &approval, "--as", "lea"]);
    place.typed(&["approve", &approval, "--as", "omar"]);
    browser.sees("completed").await;
    assert_eq!(browser.script("return window.kept").await, true, "the page was loaded again");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_do_not_move_under_the_cursor() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let (first, _) = place.asks();
    let browser = driver.browser().await;
    browser.sign_in(&place.link("lea")).await;
    browser.open(&place.page("/runs")).await;
    let rows =
        "return [...document.querySelectorAll('main tbody tr')].map(row => row.getBoundingClientRect().top)";
    let before = browser.script(rows).await;
    assert_eq!(before.as_array().unwrap().len(), 1, "{before}");
    let (second, _) = place.asks();
    browser.sees("1 new").await;
    assert_eq!(browser.script(rows).await.as_array().unwrap().len(), 1);
    browser.press("1 new").await;
    let short = |run: &str| run[run.len() - 6..].to_owned();
    browser.sees(&short(&second)).await;
    browser.sees(&short(&first)).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proved_in_the_browser() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    place.asks();
    place.typed(&["journal", "checkpoint"]);
    let browser = driver.browser().await;
    browser.sign_in(&place.link("lea")).await;
    browser.open(&place.page("/journal/3")).await;
    browser.press("Verify here").await;
    browser.sees("Verified in this browser.").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_lead_to_pages_and_change_nothing() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let browser = driver.browser().await;
    browser.sign_in(&place.link("lea")).await;
    browser.open(&place.page("/overview")).await;
    for (keys, path) in
        [("gr", "/runs"), ("ga", "/approvals"), ("gj", "/journal"), ("gp", "/policy"), ("go", "/overview")]
    {
        browser.keys(keys).await;
        let ends = tokio::time::Instant::now() + Duration::from_secs(20);
        while browser.path().await != format!("/release/dev{path}") {
            assert!(tokio::time::Instant::now() < ends, "{keys} leads to {}", browser.path().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    browser.keys("?").await;
    browser.sees("Keyboard").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_page_breaks_its_own_rules() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let (run, approval) = place.asks();
    let browser = driver.browser().await;
    browser.sign_in(&place.link("lea")).await;
    for path in crate::screens::paths(&run, &approval) {
        browser.open(&format!("{}{path}", place.url)).await;
        let script = "return [...document.querySelectorAll('[style], style, script:not([src])')].map(it => it.outerHTML.slice(0, 100))";
        assert_eq!(browser.script(script).await, serde_json::json!([]), "{path}");
    }
    browser.close().await;
}
