//! `run.container`, against a program that takes down what an engine is asked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use engine::ports::{FailureClass, Performer as _};
use host::{Processes, WithSecrets};
use model::program::secret_reference;
use serde_json::json;

use crate::support::{action, context, perform, until};

/// An engine that writes its arguments to `said` in `directory`, one to a line, and then does what `body` says.
fn engine(directory: &Path, body: &str) -> Processes {
    let program = directory.join("docker");
    let script = format!(
        "#!/bin/sh\nfor a in \"$@\"; do echo \"$a\"; done >> '{}/said'\n{body}\n",
        directory.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Processes::new().engines(vec![program.display().to_string()])
}

#[tokio::test]
async fn the_command_line_says_what_the_task_says_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let processes = engine(directory.path(), "cat; echo \" $TOKEN $VERBOSITY\"");
    let output = perform(
        processes,
        "run.container",
        json!({
            "image": "alpine:3", "name": "hello-1", "command": "echo \"$1\"", "arguments": ["Foo"],
            "environment": {"TOKEN": secret_reference("token"), "VERBOSITY": 3},
            "ports": {"8080": 80}, "volumes": {"/data": "/mnt"}, "stdin": "in",
            "lifetime": {"cleanup": "always"}, "pullPolicy": "always",
        }),
    )
    .await
    .unwrap();
    assert_eq!(output, json!(format!("in {} 3", secret_reference("token"))));
    let said = std::fs::read_to_string(directory.path().join("said")).unwrap();
    let said: Vec<&str> = said.lines().collect();
    let expected = [
        "run",
        "--name",
        "hello-1",
        "--security-opt",
        "no-new-privileges",
        "--label",
        "io.aedile.run=",
        "--pull",
        "always",
        "--interactive",
        "--rm",
        "--env",
        "TOKEN",
        "--env",
        "VERBOSITY",
        "--publish",
        "127.0.0.1:8080:80",
        "--volume",
        "/data:/mnt",
        "alpine:3",
        "/bin/sh",
        "-c",
        "echo \"$1\"",
        "sh",
        "Foo",
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said} {expected}");
    }
}

#[tokio::test]
async fn what_cannot_be_a_container_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let processes = engine(directory.path(), "true");
    for bad in [
        json!({"image": "--privileged"}),
        json!({"image": "a b"}),
        json!({"image": "a", "name": "-x"}),
        json!({"image": "a", "ports": {"x": 80}}),
        json!({"image": "a", "ports": {"80": 0}}),
        json!({"image": "a", "volumes": {"relative": "/x"}}),
        json!({"image": "a", "volumes": {"/a:/b": "/x"}}),
        json!({"image": "a", "pullPolicy": "sometimes"}),
        json!({"image": "a", "lifetime": {"cleanup": "maybe"}}),
        json!({"image": secret_reference("token")}),
    ] {
        assert!(perform(processes.clone(), "run.container", bad.clone()).await.is_err(), "{bad}");
    }
    assert!(!directory.path().join("said").exists());
    let absent = Processes::new().engines(vec!["no-such-engine".to_owned()]);
    let failure = perform(absent, "run.container", json!({"image": "a"})).await.unwrap_err();
    assert_eq!(failure.problem.code.as_deref(), Some("E0609"));
}

#[tokio::test]
async fn an_engine_that_fails_is_not_a_container_that_fails() {
    let directory = tempfile::tempdir().unwrap();
    let processes = engine(directory.path(), "echo 'Cannot connect to the Docker daemon' >&2; exit 125");
    let failure =
        perform(processes, "run.container", json!({"image": "a", "return": "code"})).await.unwrap_err();
    assert_eq!((failure.class, failure.maybe_happened), (FailureClass::Transient, false));
    assert!(failure.problem.detail.unwrap().contains("Cannot connect"));
    let processes = engine(directory.path(), "exit 4");
    let code = perform(processes, "run.container", json!({"image": "a", "return": "code"})).await.unwrap();
    assert_eq!(code, 4);
}

#[tokio::test]
async fn stopping_a_step_stops_its_container() {
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let processes = engine(directory.path(), "[ \"$1\" = run ] && sleep 1000");
    let (canceller, context) = context();
    let input = json!({"image": "a", "name": "stopped", "lifetime": {"cleanup": "always"}});
    let action = action("run.container", input);
    let task =
        tokio::spawn(async move { WithSecrets::scrubbing(processes).perform(&context, &action).await });
    until(|| said.exists()).await;
    canceller.cancel();
    assert!(task.await.unwrap().unwrap_err().maybe_happened);
    let said = std::fs::read_to_string(&said).unwrap();
    assert!(said.ends_with("rm\n--force\n--volumes\nstopped\n"), "{said}");
}
