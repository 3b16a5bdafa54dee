//! Hosts of the configuration, reached for real: an OpenSSH server on loopback for each test.

use serde_json::Value;

use crate::sshd::{Sshd, keygen, runner, text, tool};
use crate::terminal::Terminal;

/// A project with two hosts, `web-1` and `db`, which are one server, and `gone`, where nobody listens.
fn project(server: &Sshd, more: &str) -> Terminal {
    // the program brings the runner that is beside it
    drop(runner());
    let terminal = Terminal::project();
    let (port, key, user) = (server.port, server.path("user_key"), crate::sshd::user());
    let pin = fingerprint(&server.path("host_key.pub"));
    terminal.write(
        "infrastructure/hosts.cue",
        &format!(
            r#"package site

#Server: {{address: "127.0.0.1", port: int | *{port}, user: "{user}", key: "{}", host_key: string | *"{pin}", ...}}
hosts: [string]: #Server
hosts: {{
	"web-1": labels: role: "web"
	db: labels: role: "db"
	{more}
}}
"#,
            text(&key)
        ),
    );
    terminal
}

fn fingerprint(key: &std::path::Path) -> String {
    let line = tool("ssh-keygen", &["-lf", text(key)]);
    line.split(' ').nth(1).unwrap().to_owned()
}

fn states(said: &Value) -> Vec<(String, String)> {
    let hosts = said["hosts"].as_array().unwrap().iter();
    hosts.map(|one| (one["host"].as_str().unwrap().into(), one["state"].as_str().unwrap().into())).collect()
}

fn state(host: &str, state: &str) -> (String, String) {
    (host.to_owned(), state.to_owned())
}

#[test]
fn infrastructure_43_facts_are_collected_of_the_hosts_that_are_meant_and_kept_until_they_expire() {
    let Some(server) = Sshd::start("") else { return };
    let terminal = project(&server, "");
    let unknown = terminal.run(&["facts", "list", "--json"]).good().json();
    assert_eq!(states(&unknown), [state("db", "unknown"), state("web-1", "unknown")]);
    let said = terminal.run(&["facts", "collect", "--label", "role=web", "--json"]).good().json();
    assert_eq!(states(&said), [state("web-1", "collected")]);
    assert_eq!(said["hosts"][0]["facts"]["kernel"]["name"], "Linux", "{said}");
    let listed = terminal.run(&["facts", "list", "--json"]).good().json();
    assert_eq!(states(&listed), [state("db", "unknown"), state("web-1", "kept")]);
    let again = terminal.run(&["facts", "collect", "--json"]).good().json();
    assert_eq!(states(&again), [state("db", "collected"), state("web-1", "kept")]);
    assert_eq!(
        again["hosts"][1]["at"], said["hosts"][0]["at"],
        "facts that have not expired are not asked for again"
    );
    let all = terminal.run(&["facts", "collect", "--refresh", "--json"]).good().json();
    assert_eq!(states(&all), [state("db", "collected"), state("web-1", "collected")]);
    assert_ne!(all["hosts"][1]["at"], said["hosts"][0]["at"]);
    let expired = terminal.run(&["facts", "list", "--max-age", "PT0.001S", "--json"]).good().json();
    assert_eq!(states(&expired), [state("db", "expired"), state("web-1", "expired")]);
    let kernel = terminal.run(&["facts", "show", "db", "--part", "kernel"]).good().json();
    assert_eq!(kernel["name"], "Linux");
    let table = terminal.run(&["facts", "list"]).good();
    assert!(table.stdout.contains("web-1  kept"), "{table:?}");
}

#[test]
fn infrastructure_40_a_host_with_another_key_is_refused_and_the_others_are_asked() {
    let Some(server) = Sshd::start("") else { return };
    keygen(&server.path("other_key"), "ed25519");
    let other = fingerprint(&server.path("other_key.pub"));
    let terminal = project(&server, &format!("moved: host_key: \"{other}\"\n\tgone: port: 1"));
    let said = terminal.run(&["facts", "collect"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    for line in ["db     collected", "gone   failed", "moved  failed", "web-1  collected"] {
        assert!(said.stdout.contains(line), "{line}: {said:?}");
    }
    assert!(said.stderr.contains("the host key of [127.0.0.1]") && said.stderr.contains(&other), "{said:?}");
    assert!(said.stderr.contains("cannot be reached"), "{said:?}");
    let known = terminal.run(&["facts", "show", "moved"]);
    assert!(known.exit == Some(1) && known.stderr.contains("aedile facts collect moved"), "{known:?}");
}

#[test]
fn a_configuration_that_is_wrong_asks_nobody_and_names_the_place() {
    let Some(server) = Sshd::start("") else { return };
    let terminal = project(&server, "bad: prt: 22");
    for command in [&["facts", "collect"][..], &["facts", "list"], &["explain", "value", "hosts.db"]] {
        let said = terminal.run(command);
        assert_eq!(said.exit, Some(2), "{said:?}");
        for word in ["E1001", "infrastructure/hosts.cue:8:7", "did you mean `port`?"] {
            assert!(said.stderr.contains(word), "{word}: {said:?}");
        }
    }
    assert!(!terminal.root().join(".aedile/dev/facts").exists());
    let none = Terminal::project().run(&["facts", "list"]);
    assert!(none.exit == Some(1) && none.stderr.contains("infrastructure/"), "{none:?}");
}

#[test]
fn a_value_says_where_it_comes_from() {
    let Some(server) = Sshd::start("") else { return };
    let terminal = project(&server, "");
    let said = terminal.run(&["explain", "value", "hosts.db.port", "--json"]).good().json();
    assert!(said["value"].as_str().unwrap().contains(&server.port.to_string()), "{said}");
    assert_eq!(said["sources"][0]["file"], "infrastructure/hosts.cue", "{said}");
    let missing = terminal.run(&["explain", "value", "hosts.db.prt"]);
    assert!(
        missing.stderr.contains("E1009") && missing.stderr.contains("did you mean `port`?"),
        "{missing:?}"
    );
    assert!(terminal.run(&["schema", "show"]).good().stdout.contains("#Host:"));
}
