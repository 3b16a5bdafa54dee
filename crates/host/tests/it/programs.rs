//! `run.shell` and `run.script`.

use std::process::Stdio;

use engine::ports::{FailureClass, Performer as _};
use host::{Processes, WithSecrets, limits};
use model::program::secret_reference;
use serde_json::{Value, json};

use crate::support::{action, context, lives, perform, until};

async fn shell(input: Value) -> Result<Value, engine::ports::Failure> {
    perform(Processes::new(), "run.shell", input).await
}

#[tokio::test]
async fn a_shell_command_gets_input_and_arguments_and_returns_what_is_asked_for() {
    // the specification's own example
    let input = json!({
        "command": "input=$(cat)\necho \"STDIN was: $input\"\necho \"ARGS are $1 $2\"\n",
        "stdin": "Hello World", "arguments": ["Foo", "Bar"],
    });
    assert_eq!(shell(input).await.unwrap(), "STDIN was: Hello World\nARGS are Foo Bar");
    let command = "echo out; echo err >&2; exit 3";
    for (returns, expected) in
        [("code", json!(3)), ("all", json!({"code": 3, "stdout": "out", "stderr": "err"}))]
    {
        assert_eq!(shell(json!({"command": command, "return": returns})).await.unwrap(), expected);
    }
    assert_eq!(shell(json!({"command": "echo err >&2", "return": "stderr"})).await.unwrap(), "err");
    assert_eq!(shell(json!({"command": "echo out", "return": "none"})).await.unwrap(), Value::Null);
    let failure = shell(json!({"command": command})).await.unwrap_err();
    assert_eq!((failure.class, failure.maybe_happened), (FailureClass::Permanent, false));
    assert_eq!(failure.problem.code.as_deref(), Some("E0608"));
    assert_eq!(failure.problem.detail.unwrap(), "the shell command exited with code 3: err");
    let signalled = shell(json!({"command": "kill -SEGV $$", "return": "code"})).await.unwrap();
    assert_eq!(signalled, 139);
}

#[tokio::test]
async fn the_environment_is_clean_and_the_directory_fresh() {
    let listing =
        shell(json!({"command": "env; pwd; ls -A", "environment": {"LEVEL": 3, "ON": true}})).await.unwrap();
    let listing = listing.as_str().unwrap();
    let mut names: Vec<&str> = listing.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    names.retain(|name| !["PWD", "OLDPWD", "_", "SHLVL"].contains(name));
    let expected = [
        "AEDILE_ATTEMPT",
        "AEDILE_IDEMPOTENCY_KEY",
        "AEDILE_RUN",
        "AEDILE_STEP",
        "HOME",
        "LANG",
        "LEVEL",
        "ON",
        "PATH",
        "TMPDIR",
    ];
    assert_eq!(names, expected);
    let directory = listing.lines().last().unwrap();
    assert!(directory.contains("/aedile-"), "nothing is listed after the directory itself: {listing}");
    assert!(!std::path::Path::new(directory).exists());
    for bad in [json!({"": "x"}), json!({"A=B": "x"}), json!({"A": []}), json!({"A": "x\u{0}"})] {
        assert!(shell(json!({"command": "true", "environment": bad})).await.is_err());
    }
}

#[tokio::test]
async fn secrets_go_by_environment_and_input_and_never_by_command_line() {
    let token = secret_reference("token");
    let seen = shell(json!({
        "command": "printf '%s|%s|' \"$TOKEN\" \"$(cat)\"; printf %s \"$TOKEN\" | base64; [ \"$TOKEN\" = s3cr3t-t0ken-value ]",
        "environment": {"TOKEN": token}, "stdin": format!("Bearer {token}"),
    }))
    .await
    .unwrap();
    assert_eq!(seen, json!(format!("{token}|Bearer {token}|{token}")));
    let failure = shell(json!({"command": "echo \"no $T\" >&2; exit 1", "environment": {"T": token}}))
        .await
        .unwrap_err();
    assert!(failure.problem.detail.unwrap().ends_with(&format!("no {token}")));
    for input in [
        json!({"command": format!("echo {token}")}),
        json!({"command": "echo $1", "arguments": [token]}),
        json!({"command": "echo", "environment": {token.clone(): "x"}}),
    ] {
        let failure = shell(input).await.unwrap_err();
        assert_eq!(failure.problem.code.as_deref(), Some("E0613"));
        assert!(failure.problem.detail.unwrap().contains("secret token is used in"));
    }
    let code = json!({"language": "python", "code": format!("print('{token}')")});
    assert_eq!(
        perform(Processes::new(), "run.script", code).await.unwrap_err().problem.code.as_deref(),
        Some("E0613")
    );
    let missing = json!({"command": "true", "environment": {"X": secret_reference("unknown")}});
    assert_eq!(shell(missing).await.unwrap_err().problem.code.as_deref(), Some("E0607"));
}

#[tokio::test]
async fn limits_are_enforced() {
    let failure = shell(json!({"command": "sleep 60", "timeoutMs": 200})).await.unwrap_err();
    assert_eq!(failure.problem.code.as_deref(), Some("E0615"));
    assert!(failure.maybe_happened && failure.problem.is_standard("timeout"));
    let failure = shell(json!({"command": "yes"})).await.unwrap_err();
    assert_eq!(failure.problem.code.as_deref(), Some("E0605"));
    assert!(failure.maybe_happened);
    let limits = shell(json!({"command": "ulimit -n; ulimit -c; ulimit -f"})).await.unwrap();
    let blocks = limits::FILE_BYTES_MAX / 512;
    assert_eq!(limits, json!(format!("{}\n0\n{blocks}", limits::OPEN_FILES_MAX)));
    let large = "x".repeat(limits::ARGUMENT_BYTES_MAX + 1);
    assert!(shell(json!({"command": "true", "arguments": [large]})).await.is_err());
    assert!(shell(json!({"command": "true", "timeoutMs": 0})).await.is_err());
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    // the output is read to its end although something else still holds the pipe
    let pid = shell(json!({"command": "sleep 1000 & echo $!"})).await.unwrap();
    let pid = pid.as_str().unwrap();
    until(|| !lives(pid)).await;
    let input = json!({"command": "trap '' TERM; sleep 1000 & echo $! >&2; wait; wait; sleep 1000", "timeoutMs": 100});
    assert!(shell(input).await.unwrap_err().maybe_happened);
}

#[tokio::test]
async fn cancelling_ends_the_whole_group_and_leaves_no_zombie() {
    let (canceller, context) = context();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let command = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", file.display());
    let action = action("run.shell", json!({"command": command}));
    let task =
        tokio::spawn(
            async move { WithSecrets::scrubbing(Processes::new()).perform(&context, &action).await },
        );
    until(|| file.exists()).await;
    canceller.cancel();
    let failure = task.await.unwrap().unwrap_err();
    assert!(failure.maybe_happened);
    let pids = std::fs::read_to_string(&file).unwrap();
    for pid in pids.split_whitespace() {
        until(|| !lives(pid)).await;
    }
    let leader = pids.split_whitespace().next().unwrap();
    assert!(!std::path::Path::new("/proc").join(leader).exists(), "the leader was waited for");
}

#[tokio::test]
async fn a_dropped_call_kills_its_program() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let command = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", file.display());
    let task = tokio::spawn(async move { shell(json!({"command": command})).await });
    until(|| file.exists()).await;
    task.abort();
    for pid in std::fs::read_to_string(&file).unwrap().split_whitespace() {
        until(|| !lives(pid)).await;
    }
}

/// Not a test of its own: what [`killing_aedile_kills_its_programs`] starts and kills.
#[tokio::test]
async fn victim() {
    let Ok(file) = std::env::var("AEDILE_TEST_VICTIM") else { return };
    let command = format!("sleep 1000 & echo $$ $! > {file}.new; mv {file}.new {file}; wait");
    drop(shell(json!({"command": command})).await);
}

#[tokio::test]
async fn killing_aedile_kills_its_programs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "programs::victim"])
        .env("AEDILE_TEST_VICTIM", &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until(|| file.exists()).await;
    victim.kill().unwrap();
    victim.wait().unwrap();
    let pids = std::fs::read_to_string(&file).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    for pid in pids.split_whitespace() {
        until(|| !lives(pid)).await;
    }
}

#[tokio::test]
async fn not_awaited_programs_go_on_and_end_with_their_performer() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let processes = Processes::new();
    let command = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display());
    let input = json!({"command": command, "await": false});
    assert_eq!(perform(processes, "run.shell", input).await.unwrap(), Value::Null);
    until(|| file.exists()).await;
    let pid = std::fs::read_to_string(&file).unwrap();
    assert!(lives(pid.trim()));
}

#[tokio::test]
async fn scripts_run_in_their_language_from_text_and_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("hello.py"), "import sys\nprint('from file', sys.argv[1])\n")
        .unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("out.py")).unwrap();
    let processes = Processes::new().scripts(directory.path());
    let run = |input: Value| perform(processes.clone(), "run.script", input);
    let python = json!({
        "language": "python", "arguments": ["hello"], "environment": {"foo": "bar"}, "stdin": "in",
        "code": "import os, sys\nprint(sys.stdin.read(), sys.argv[1], os.environ['foo'])",
    });
    assert_eq!(run(python).await.unwrap(), "in hello bar");
    let file = |uri: &str| json!({"language": "Python", "source": {"uri": uri}, "arguments": ["x"]});
    assert_eq!(run(file("file:hello.py")).await.unwrap(), "from file x");
    assert_eq!(run(file("file:///hello.py")).await.unwrap(), "from file x");
    for outside in ["file:../hello.py", "file:out.py", "file:missing.py", "https://example.org/x.py"] {
        assert_eq!(run(file(outside)).await.unwrap_err().problem.code.as_deref(), Some("E0611"), "{outside}");
    }
    let unknown = run(json!({"language": "cobol", "code": ""})).await.unwrap_err();
    assert!(unknown.problem.detail.unwrap().contains("known are javascript"));
    let absent = processes.clone().interpreter(
        "cobol",
        host::Interpreter { programs: vec!["no-such-cobol".to_owned()], extension: "cbl".to_owned() },
    );
    let failure = perform(absent, "run.script", json!({"language": "cobol", "code": ""})).await.unwrap_err();
    assert_eq!(failure.problem.code.as_deref(), Some("E0609"));
}

#[tokio::test]
async fn the_specifications_javascript_example_runs() {
    let has_node =
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join("node").is_file());
    if !has_node {
        println!("skipped: there is no node on the path");
        return;
    }
    let code = "import { readFileSync } from 'node:fs';\n\
        const stdin = readFileSync(process.stdin.fd, 'utf8');\n\
        console.log('stdin > ', stdin)\n\
        const [_, __, arg] = process.argv;\n\
        console.log('arg > ', arg)\n\
        console.log('env > ', process.env.foo)\n";
    let input = json!({
        "language": "javascript", "code": code, "stdin": "Hello Workflow", "arguments": ["hello"],
        "environment": {"foo": "bar"},
    });
    let output = perform(Processes::new(), "run.script", input).await.unwrap();
    assert_eq!(output, "stdin >  Hello Workflow\narg >  hello\nenv >  bar");
}
