//! The interface tried by a program that nobody here wrote: schemathesis makes requests of the description, well-formed and not,
//! and holds every answer against it.

use std::path::PathBuf;
use std::process::Stdio;

use crate::support::World;

/// The program. `None`: it is not there, which is said, and an error where `scripts/test` installed it.
fn schemathesis() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let path = target.join("strangers/python/bin/st");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("AEDILE_TEST_STRANGERS").is_none(), "{} is not there", path.display());
    println!("skipped: {} is not there", path.display());
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_failure_and_nothing_that_is_not_as_described() {
    let Some(program) = schemathesis() else { return };
    let world = World::new().await;
    let ada = world.user("ada").await;
    // something of each kind is there to be found
    let run = ada.run("test/gated").await;
    ada.approval(&run).await;
    let description = world.directory.path().join("openapi.json");
    // requests go to the environment there is, and not to names that are made up
    let text = server::routes::document().replace("{project}", "shop").replace("{environment}", "dev");
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for path in document["paths"].as_object_mut().unwrap().values_mut() {
        for operation in path.as_object_mut().unwrap().values_mut() {
            if let Some(parameters) = operation.get_mut("parameters").and_then(|it| it.as_array_mut()) {
                parameters.retain(|one| !["project", "environment"].contains(&one["name"].as_str().unwrap()));
            }
        }
    }
    fs_err::write(&description, document.to_string()).unwrap();
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
        response_headers_conformance,unsupported_method,missing_required_header";
    let output = tokio::process::Command::new(program)
        .arg("run")
        .arg(&description)
        .args(["--url", &world.url, "--checks", checks, "--phases", "examples,coverage,fuzzing"])
        .args([
            "--max-examples",
            "15",
            // its strategies are not safe to share between threads: with two it sometimes fails by itself
            "--workers",
            "1",
            "--seed",
            "1",
            "--no-color",
            "--continue-on-failure",
        ])
        // two parts of a path are hard to draw
        .args(["--suppress-health-check", "filter_too_much"])
        // these do not end, or sign out whoever asks
        .args(["--exclude-path-regex", "/stream$|/tokens/"])
        .args(["--header", &format!("Authorization: Bearer {}", ada.token.as_deref().unwrap())])
        .current_dir(world.directory.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(ada.get("/ready").await.status.is_success());
}
