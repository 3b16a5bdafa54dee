//! People approve in the browser.

use std::time::Duration;

use crate::driver::Driver;
use crate::place::Place;

/// Waits until something is so, for as long as a browser may take.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..100 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it was never so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_approved_in_two_browsers_while_its_command_waits() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let releasing = place.releasing();
    for who in ["lea", "omar"] {
        let browser = driver.browser().await;
        browser.sign_in(&place.link(who)).await;
        browser.open(&place.page("/approvals")).await;
        browser.follow("Release shop 1.4.2 to production").await;
        browser.sees("user:").await;
        browser.press("Grant").await;
        // the page has the words of all levels from the beginning, and a browser that is closed sends nothing any more
        let counted =
            |list: &str| if who == "lea" { list.contains("2/2") } else { !list.contains("waiting") };
        until(|| counted(&place.typed(&["approvals", "list"]))).await;
        browser.close().await;
    }
    let output = tokio::task::spawn_blocking(move || releasing.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"released\": true"));
    let log = place.typed(&["journal", "log", "--limit", "100"]);
    assert!(log.contains("approval.granted"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_press_at_once_one_decides_and_the_other_is_told() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let (_, approval) = place.asks();
    let page = place.page(&format!("/approvals/{approval}"));
    let (one, other) = (driver.browser().await, driver.browser().await);
    one.sign_in(&place.link("lea")).await;
    other.sign_in(&place.link("lea")).await;
    one.open(&page).await;
    other.open(&page).await;
    one.press("Deny\u{2026}").await;
    one.write("reason", "not on a Friday").await;
    one.press("Deny for all levels").await;
    one.sees("denied").await;
    // the other page still shows what it showed; what it sends is refused, and it says by whom it was decided
    other.script("window.stop()").await;
    other.press("Grant").await;
    other.sees("denied").await;
    other.sees("user:lea").await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once_and_looking_at_it_is_no_use_of_it() {
    let Some(driver) = Driver::start() else { return };
    let mut place = Place::release();
    let link = place.link("lea");
    let (one, other) = (driver.browser().await, driver.browser().await);
    other.open(&link).await;
    one.sign_in(&link).await;
    other.press("Sign in").await;
    other.sees("E1205").await;
    one.close().await;
    other.close().await;
}
