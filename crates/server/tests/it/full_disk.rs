//! A full disk under a server: a file system of a few megabytes, which is filled.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{ACCESS, User, World};

/// A file system of its own below a directory; unmounted when it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// `None`, with why: file systems cannot be mounted here.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "small"]).arg(directory.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(directory)),
            Ok(output) => {
                println!("skipped: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: mount cannot be started: {error}");
                None
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // whoever still has a file open there keeps it until they close it
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

/// Takes all the room there is, to the last byte.
fn fill(path: &Path) {
    let mut file = fs_err::File::create(path).unwrap();
    for size in [64 << 10, 4 << 10, 1] {
        while file.write_all(&vec![0x5a; size]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_cannot_be_kept_and_nothing_else() {
    let Some(small) = Small::mount() else { return };
    let inside = tempfile::tempdir_in(small.0.path()).unwrap();
    let world = World::below(inside, &[("shop", ACCESS)], |_| ()).await;
    let (olga, ann, lea) = (world.user("olga").await, world.user("ann").await, world.user("lea").await);
    let before = olga.run("test/gated").await;
    let approval = olga.approval(&before).await;
    let filler = small.0.path().join("filler");
    fill(&filler);
    let submit = async || olga.post(&World::dev("/runs"), &json!({ "workflow": "test/plain" })).await;
    // the log of the journal may have room of its own, for a while
    let mut accepted = Vec::new();
    let refused = loop {
        let answer = submit().await;
        if answer.status != StatusCode::ACCEPTED {
            break answer;
        }
        accepted.push(answer.body["run"].as_str().unwrap().to_owned());
        assert!(accepted.len() < 10_000, "the disk is never full");
    };
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (503, &json!("E0105")), "{refused:?}");
    let denied = lea.post(&World::dev(&format!("/approvals/{approval}/grant")), &json!({})).await;
    assert_eq!((denied.status.as_u16(), &denied.body["code"]), (503, &json!("E0105")), "{denied:?}");
    // who only looks notices nothing
    let seen = ann.get(&World::dev(&format!("/runs/{before}"))).await;
    assert_eq!((seen.status, &seen.body["status"]), (StatusCode::OK, &json!("waiting")));
    let page = ann.request(Method::GET, "/shop/dev/overview").header("accept", "text/html");
    assert_eq!(page.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.stranger().get("/health").await.status, StatusCode::OK);
    let ready = world.stranger().get("/ready").await;
    assert_eq!((ready.status.as_u16(), &ready.body["status"]), (503, &json!("disk")), "{ready:?}");
    // a role that is taken away is gone although that cannot be recorded: there is room elsewhere for the file itself
    fs_err::remove_file(&filler).unwrap();
    world.write("access.yaml", &ACCESS.replace("viewer: [user:ann]", "viewer: []"));
    fill(&filler);
    assert_eq!(ann.get(&World::dev("")).await.status, StatusCode::NOT_FOUND);
    // room again: everything goes on by itself
    fs_err::remove_file(&filler).unwrap();
    let after = olga.run("test/plain").await;
    olga.until(&after, "completed").await;
    for run in &accepted {
        olga.until(run, "completed").await;
    }
    let granted = lea.post(&World::dev(&format!("/approvals/{approval}/grant")), &json!({})).await;
    assert_eq!(granted.status, StatusCode::OK, "{granted:?}");
    olga.until(&before, "completed").await;
    let ready = world.stranger().get("/ready").await;
    assert_eq!((ready.status, &ready.body["status"]), (StatusCode::OK, &json!("ok")), "{ready:?}");
    let runs = olga.get(&World::dev("/runs?limit=1000")).await;
    assert_eq!(
        runs.body["items"].as_array().unwrap().len(),
        accepted.len() + 2,
        "what was refused is not there"
    );
    let verified = olga.get(&World::dev("/journal/verify")).await;
    assert_eq!(verified.body["valid"], true, "{verified:?}");
    recorded(&olga).await;
    world.stop().await;
}

/// Waits until the journal says, once, that the rules were changed.
async fn recorded(olga: &User<'_>) {
    for _ in 0..2_000 {
        let records = olga.get(&World::dev("/journal/records?limit=1000")).await;
        let items = records.body["items"].as_array().unwrap();
        match items.iter().filter(|it| it["type"] == "rules.changed").count() {
            0 => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            count => return assert_eq!(count, 1),
        }
    }
    panic!("it is not recorded, although there is room");
}
