//! Packages, files, users and services on a real Debian: made, left alone, found changed by somebody else, put back.

use std::time::Duration;

use super::system::Estate;
use crate::terminal::word;

/// A package of Debian's whose service its own scripts start, and a service of the project's own.
fn site(content: &str, description: &str, more: &str) -> String {
    format!(
        r##"
resources: cron: {{type: "linux.pkg::package", config: {{package: "cron", refresh: true}}}}
resources: job: {{
	type: "linux.file::file"
	config: {{path: "/etc/cron.d/shop", content: "# nothing yet\n", mode: "0644"}}
	dependencies: [{{resource_id: "cron"}}]
}}
resources: "cron-service": {{
	type: "linux.service::service"
	config: {{name: "cron", state: "running", enabled: true}}
	dependencies: [{{resource_id: "job"}}]
}}
resources: unit: {{
	type: "linux.file::file"
	config: {{
		path: "/etc/systemd/system/demo.service"
		mode: "0644"
		content: """
			[Unit]
			Description={description}
			[Service]
			ExecStart=/bin/sh -c 'cat /etc/demo.conf >>/var/lib/demo.starts; exec sleep infinity'
			[Install]
			WantedBy=multi-user.target

			"""
	}}
}}
resources: conf: {{type: "linux.file::file", config: {{path: "/etc/demo.conf", content: "{content}\n", mode: "0644"}}}}
resources: demo: {{
	type: "linux.service::service"
	config: {{name: "demo", state: "running", enabled: true}}
	handler: "restart"
	dependencies: [{{resource_id: "conf", type: "notify"}}, {{resource_id: "unit", type: "notify"}}]
}}
resources: ada: {{type: "linux.user::user", config: {{name: "ada", shell: "/bin/bash"}}}}
resources: "ada-key": {{
	type: "linux.user::authorized-key"
	config: {{user: "ada", key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrpsNp95m6E54PXQmlK5hFsMTOSa4moo0qpE2+qjzRu", comment: "ada"}}
	dependencies: [{{resource_id: "ada"}}]
}}
{more}"##
    )
}

const STANDS: &str = "active\nenabled";

fn stands(estate: &Estate, service: &str) -> String {
    estate.guest.sh(&format!("systemctl is-active {service}; systemctl is-enabled {service}"))
}

#[test]
fn infrastructure_20_packages_files_users_and_services_converge_on_a_real_debian() {
    let Some(estate) = Estate::known() else { return };
    let starts = || estate.guest.sh("cat /var/lib/demo.starts");
    estate.declare(&site("one", "a demo", ""));
    estate.apply().good();
    for service in ["cron", "demo"] {
        assert_eq!(stands(&estate, service), STANDS, "{service}");
    }
    assert_eq!(starts(), "one\none", "it starts, and starts again for what it watches");
    let installed = estate.guest.sh("dpkg-query -W -f '${Status}' cron");
    assert_eq!(installed, "install ok installed");
    let key = estate.guest.sh(
        "stat -c '%a %U' ~ada/.ssh ~ada/.ssh/authorized_keys; grep -c ssh-ed25519 ~ada/.ssh/authorized_keys",
    );
    assert_eq!(key, "700 ada\n600 ada\n1");
    estate.is_settled();

    // both of what it watches change: systemd reads its unit again, and it is restarted once
    estate.declare(&site("two", "another demo", ""));
    let changed = estate.apply().good();
    assert_eq!(starts(), "one\none\ntwo");
    let shown = || estate.guest.sh("systemctl show -p Description,NeedDaemonReload demo");
    assert_eq!(shown(), "Description=another demo\nNeedDaemonReload=no");
    // and taken back
    let run = word(&changed.stderr, "run_").unwrap();
    estate.run(&["undo", &run, "--yes", "--timeout", "1200s"]).good();
    assert_eq!(starts(), "one\none\ntwo\none");
    assert_eq!(shown(), "Description=a demo\nNeedDaemonReload=no");
    estate.declare(&site("one", "a demo", ""));
    estate.is_settled();

    // what somebody does by hand is found, and put right
    estate.guest.sh("systemctl stop demo; systemctl disable -q demo; systemctl disable -q --now cron; systemctl enable -q --runtime cron");
    let drift = estate.run(&["drift"]);
    for name in ["web-1/demo", "web-1/cron-service"] {
        assert!(drift.exit == Some(1) && drift.stdout.contains(name), "{name}: {drift:?}");
    }
    estate.apply().good();
    for service in ["cron", "demo"] {
        assert_eq!(stands(&estate, service), STANDS, "{service}");
    }
    estate.is_settled();
}

/// One that does not come up, and one that ends at once and that systemd tries again after an hour.
const BROKEN: &str = r#"
resources: "broken-unit": {
	type: "linux.file::file"
	config: {
		path: "/etc/systemd/system/broken.service"
		mode: "0644"
		content: """
			[Service]
			Type=oneshot
			RemainAfterExit=yes
			ExecStart=/bin/sh -c 'echo the database is not there; exit 3'

			"""
	}
}
resources: "brief-unit": {
	type: "linux.file::file"
	config: {
		path: "/etc/systemd/system/brief.service"
		mode: "0644"
		content: """
			[Service]
			Restart=always
			RestartSec=1h
			ExecStart=/bin/sh -c 'exit 3'

			"""
	}
}
resources: broken: {
	type: "linux.service::service"
	config: {name: "broken", state: "running"}
	dependencies: [{resource_id: "broken-unit"}]
}
resources: brief: {
	type: "linux.service::service"
	config: {name: "brief", state: "running"}
	dependencies: [{resource_id: "brief-unit"}]
}
resources: note: {type: "linux.file::file", config: {path: "/etc/note", content: "x"}}
"#;
const MASKED: &str = r#"
resources: masked: {type: "linux.service::service", config: {name: "e2scrub_reap", state: "running", enabled: true}}
"#;

#[test]
fn services_that_cannot_run_say_why_and_are_not_taken_for_running() {
    let Some(estate) = Estate::known() else { return };
    estate.declare(&[BROKEN, MASKED].concat());
    let said = estate.apply();
    assert_eq!(said.exit, Some(1), "{said:?}");
    for words in ["web-1/broken", "the database is not there", "`systemctl unmask e2scrub_reap.service`"] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    assert_eq!(estate.guest.sh("cat /etc/note"), "x", "what is independent of it is done");
    // it was started, and whether it had ended already when it was looked at is chance
    while estate.guest.sh("systemctl show -p SubState --value brief") != "auto-restart" {
        std::thread::sleep(Duration::from_millis(100));
    }
    let counts = estate.run(&["plan", "--json"]).good().json()["plan"]["counts"].clone();
    assert_eq!(counts["update"], 3, "one that systemd only means to start again does not run: {counts}");

    // mended, with nothing else to be done by hand
    let mended = BROKEN.replace("echo the database is not there; exit 3", "exit 0");
    estate.declare(&mended.replace("exit 3", "exec sleep infinity"));
    estate.apply().good();
    assert_eq!(estate.guest.sh("systemctl is-active broken brief"), "active\nactive");
    estate.is_settled();
}
