//! Programs, secrets and notifications, from the command line through policy to the machine and back.

use std::time::Duration;

use crate::harness::{Said, Sandbox, trials};

trials!(
    a_shell_command_runs_where_policy_grants_it_and_nowhere_else,
    every_form_of_output_is_there,
    an_exit_code_is_the_standards_runtime_error,
    a_timeout_ends_the_whole_group,
    scripts_run_or_say_what_is_missing,
    a_container_without_an_engine_says_so,
    a_planted_secret_turns_up_nowhere,
    a_secret_in_a_command_line_is_refused,
    people_are_told_and_hear_no_secret,
    an_unknown_channel_is_named_with_those_there_are,
);

const GRANTED: &str = "default: allow
grants:
  - capabilities: [run:shell, run:script, run:container]
";

/// The secret of these tests. Long enough to be recognised in pieces.
const CANARY: &str = "canary-6f1c/Zq9+wombat==";

fn project() -> Sandbox {
    let sandbox = Sandbox::with_project();
    sandbox.write("policy/policy.yaml", GRANTED);
    sandbox
}

/// A workflow of one task.
fn workflow(sandbox: &Sandbox, head: &str, task: &str) {
    let text = format!(
        "document: {{dsl: 1.0.1, namespace: shop, name: one, version: 1.0.0}}\n{head}do:\n  - it:\n      {}\n",
        task.trim().replace('\n', "\n      ")
    );
    sandbox.write("workflows/one.yaml", &text);
}

fn output(sandbox: &mut Sandbox, task: &str) -> serde_json::Value {
    workflow(sandbox, "", task);
    let said = sandbox.run(&["run", "one", "--json"]);
    assert_eq!(said.exit, 0, "{said:?}");
    said.json()["output"].clone()
}

fn failure(sandbox: &mut Sandbox, task: &str) -> Said {
    workflow(sandbox, "", task);
    let said = sandbox.run(&["run", "one"]);
    assert_ne!(said.exit, 0, "{said:?}");
    said
}

/// Where `node` and `python3` may be besides the harness's own path.
fn whole_path() -> String {
    std::env::var("PATH").unwrap()
}

fn a_shell_command_runs_where_policy_grants_it_and_nowhere_else() {
    let mut sandbox = project();
    let task = "run: {shell: {command: 'echo \"hello $1\" | tee proof', arguments: [Rome]}}";
    assert_eq!(output(&mut sandbox, task), "hello Rome");
    let mut bare = Sandbox::with_project();
    let marker = bare.root().join("marker");
    let said = failure(&mut bare, &format!("run: {{shell: {{command: 'touch {}'}}}}", marker.display()));
    assert_eq!(said.exit, 5, "{said:?}");
    assert!(said.stderr.contains("run:shell"), "what is not granted is named: {said:?}");
    assert!(!marker.exists());
    for task in
        ["run: {script: {language: js, code: 'console.log(1)'}}", "run: {container: {image: 'alpine:3'}}"]
    {
        assert_eq!(failure(&mut bare, task).exit, 5, "{task}");
    }
}

fn every_form_of_output_is_there() {
    let mut sandbox = project();
    let task = |form: &str| {
        let exit = if matches!(form, "code" | "all") { 3 } else { 0 };
        format!("run: {{shell: {{command: 'echo out; echo err >&2; exit {exit}'}}, return: {form}}}")
    };
    assert_eq!(output(&mut sandbox, &task("stdout")), "out");
    assert_eq!(output(&mut sandbox, &task("stderr")), "err");
    assert_eq!(output(&mut sandbox, &task("code")), 3);
    let all = output(&mut sandbox, &task("all"));
    assert_eq!(all, serde_json::json!({"code": 3, "stdout": "out", "stderr": "err"}));
    assert_eq!(output(&mut sandbox, &task("none")), serde_json::Value::Null);
}

fn an_exit_code_is_the_standards_runtime_error() {
    let mut sandbox = project();
    workflow(&sandbox, "", "run: {shell: {command: 'echo broken pump >&2; exit 7'}}");
    let said = sandbox.run(&["run", "one", "--json"]);
    assert_eq!(said.exit, 1, "{said:?}");
    let problem = &said.json()["problem"];
    assert_eq!(problem["type"], "https://serverlessworkflow.io/spec/1.0.0/errors/runtime");
    assert_eq!((&problem["status"], &problem["code"]), (&500.into(), &"E0608".into()));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("code 7") && detail.contains("broken pump"), "{detail}");
}

fn a_timeout_ends_the_whole_group() {
    let mut sandbox = project();
    let pids = sandbox.root().join("pids");
    let command = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display());
    let said =
        failure(&mut sandbox, &format!("run: {{shell: {{command: '{command}'}}}}\ntimeout: {{after: PT2S}}"));
    assert_eq!(said.exit, 1, "{said:?}");
    assert!(said.stderr.contains("timeout"), "{said:?}");
    let pids = fs_err::read_to_string(pids).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    for pid in pids.split_whitespace() {
        while lives(pid) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a process with this number is there and is no zombie.
fn lives(pid: &str) -> bool {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn scripts_run_or_say_what_is_missing() {
    let mut sandbox = project();
    let scripts = [
        ("js", "node", "console.log(1 + 1, process.argv[2])"),
        ("python", "python3", "import sys; print(1 + 1, sys.argv[1])"),
    ];
    for (language, program, code) in scripts {
        let task =
            format!("run: {{script: {{language: {language}, arguments: [x], code: '{code}'}}, return: all}}");
        workflow(&sandbox, "", &task);
        if std::env::split_paths(&whole_path()).any(|path| path.join(program).is_file()) {
            let said = sandbox.command(&["run", "one", "--json"]).env("PATH", whole_path()).output().unwrap();
            let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
            assert_eq!(json["output"]["stdout"], "2 x", "{json}");
        } else {
            eprintln!("skipped: there is no {program} on the path");
        }
        let said = sandbox.command(&["run", "one"]).env("PATH", "/nowhere").output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(program) && stderr.contains("E0609"), "{stderr}");
    }
    workflow(
        &sandbox,
        "",
        "run: {script: {language: js, source: {endpoint: 'file:///../../../../etc/passwd'}}}",
    );
    let said = sandbox.run(&["run", "workflows/one.yaml"]);
    assert!(said.exit != 0 && said.stderr.contains("E0611") && !said.stderr.contains("root:"), "{said:?}");
}

fn a_container_without_an_engine_says_so() {
    let mut sandbox = project();
    workflow(&sandbox, "", "run: {container: {image: 'alpine:3', command: 'true'}}");
    let said = sandbox.command(&["run", "one"]).env("PATH", "/nowhere").output().unwrap();
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("docker or podman") && stderr.contains("E0609"), "{stderr}");
    assert!(stderr.contains("hint"), "{stderr}");
}

fn give_secret(sandbox: &Sandbox) {
    use std::os::unix::fs::PermissionsExt as _;
    sandbox.write(".aedile/dev/secrets/token", CANARY);
    let chmod = |path: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(sandbox.root().join(path), permissions).unwrap();
    };
    chmod(".aedile/dev/secrets/token", 0o600);
    chmod(".aedile/dev/secrets", 0o700);
}

/// The canary in every form in which something may write it down.
fn forms() -> Vec<String> {
    vec![
        CANARY.to_owned(),
        "Y2FuYXJ5LTZmMWMvWnE5K3dvbWJhdD09".to_owned(),
        "canary-6f1c%2FZq9%2Bwombat%3D%3D".to_owned(),
        "63616e6172792d366631632f5a71392b776f6d6261743d3d".to_owned(),
    ]
}

fn is_clean(text: &[u8], place: &str) {
    for form in forms() {
        let found = text.windows(form.len()).any(|window| window == form.as_bytes());
        assert!(!found, "{form} is in {place}");
    }
}

fn a_planted_secret_turns_up_nowhere() {
    let mut sandbox = project();
    give_secret(&sandbox);
    let head = "use: {secrets: [token]}\n";
    let shell = "printf \"%s\\n\" \"$TOKEN\"; printf %s \"$TOKEN\" | base64; printf %s \"$TOKEN\" | od -An -tx1 | tr -d \" \\n\"; \
         echo; tr \"\\0\" \" \" < /proc/$$/cmdline; printf %s \"$TOKEN\" | sed \"s,/,%2F,g; s,+,%2B,g; s,=,%3D,g\"; echo; [ -n \"$OUT\" ] && printf %s \"$TOKEN\" > \"$OUT\"; \
         echo \"$TOKEN\" >&2; exit";
    let proof = sandbox.root().parent().unwrap().join("proof");
    for code in [0, 1] {
        let task = format!(
            "run:\n  shell:\n    command: '{shell} {code}'\n    environment: {{TOKEN: '${{ $secrets.token }}', OUT: '{}'}}",
            proof.display()
        );
        workflow(&sandbox, head, &task);
        let said = sandbox.run(&["run", "one"]);
        assert_eq!(said.exit, code, "{said:?}");
        assert_eq!(fs_err::read_to_string(&proof).unwrap(), CANARY, "the program had it");
        is_clean(said.stdout.as_bytes(), "the output");
        is_clean(said.stderr.as_bytes(), "the narration");
    }
    for command in [&["journal", "export"][..], &["runs", "logs", "latest"], &["runs", "show", "latest"]] {
        is_clean(sandbox.run(command).stdout.as_bytes(), &command.join(" "));
    }
    let state = sandbox.root().join(".aedile/dev");
    let mut looked_at = 0;
    for entry in fs_err::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            is_clean(&fs_err::read(&path).unwrap(), &path.display().to_string());
            looked_at += 1;
        }
    }
    assert!(looked_at > 0);
}

fn a_secret_in_a_command_line_is_refused() {
    let mut sandbox = project();
    give_secret(&sandbox);
    workflow(
        &sandbox,
        "use: {secrets: [token]}\n",
        "run: {shell: {command: '${ \"echo \" + $secrets.token }'}}",
    );
    let said = sandbox.run(&["run", "one"]);
    assert!(said.exit != 0 && said.stderr.contains("E0613"), "{said:?}");
    assert!(said.stderr.contains("environment"), "says what to do instead: {said:?}");
    is_clean(said.stderr.as_bytes(), "the narration");
}

fn people_are_told_and_hear_no_secret() {
    let mut sandbox = project();
    give_secret(&sandbox);
    let manifest = fs_err::read_to_string(sandbox.root().join("aedile.yaml")).unwrap();
    sandbox.write(
        "aedile.yaml",
        &format!("{manifest}\nnotify: {{ops: {{kind: log}}, paper: {{kind: file, path: told.jsonl}}}}\n"),
    );
    let head = "use: {secrets: [token]}\n";
    let task = |channel: &str| {
        format!(
            "call: notify\nwith: {{channel: {channel}, title: Out, text: '${{ \"with \" + $secrets.token }}'}}"
        )
    };
    workflow(&sandbox, head, &task("ops"));
    let said = sandbox.run(&["run", "one"]);
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(said.stderr.contains("Out: with"), "{said:?}");
    assert!(said.stderr.contains("token"), "a secret is told by its name: {said:?}");
    is_clean(said.stderr.as_bytes(), "the narration");
    workflow(&sandbox, head, &task("paper"));
    assert_eq!(sandbox.run(&["run", "one"]).exit, 0);
    let told = fs_err::read(sandbox.root().join("told.jsonl")).unwrap();
    is_clean(&told, "the file");
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((&told["title"], &told["kind"]), (&"Out".into(), &"notification".into()));
}

fn an_unknown_channel_is_named_with_those_there_are() {
    let mut sandbox = project();
    let said = failure(&mut sandbox, "call: notify\nwith: {channel: pager, title: Out}");
    assert_eq!(said.exit, 1, "{said:?}");
    assert!(said.stderr.contains("`pager`") && said.stderr.contains("there is: log"), "{said:?}");
    assert!(said.stderr.contains("E0614"), "{said:?}");
}
