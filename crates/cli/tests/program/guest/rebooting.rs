//! A host that starts again in the middle of an apply.

use std::time::Duration;

use super::system::Estate;
use crate::terminal::{Said, finish, narration, word};

const SITE: &str = r#"
resources: first: {
	type: "linux.exec::exec"
	config: {command: ["/bin/sh", "-c", "echo first >>/var/lib/log; sync; touch /var/lib/first"], creates: "/var/lib/first"}
}
resources: slow: {
	type: "linux.exec::exec"
	config: {command: ["/bin/sh", "-c", "touch /run/slow; sleep 10; echo slow >>/var/lib/log; touch /var/lib/slow"], creates: "/var/lib/slow"}
	dependencies: [{resource_id: "first"}]
}
resources: last: {
	type: "linux.file::file"
	config: {path: "/etc/last", content: "x"}
	dependencies: [{resource_id: "slow"}]
}
resources: unit: {
	type: "linux.file::file"
	config: {
		path: "/etc/systemd/system/demo.service"
		mode: "0644"
		content: """
			[Service]
			ExecStart=/bin/sleep infinity
			[Install]
			WantedBy=multi-user.target

			"""
	}
}
resources: demo: {
	type: "linux.service::service"
	config: {name: "demo", state: "running", enabled: true}
	dependencies: [{resource_id: "last"}, {resource_id: "unit"}]
}
"#;

#[test]
fn infrastructure_23_a_host_that_reboots_in_the_middle_is_gone_on_with_by_the_commands_that_are_named() {
    let Some(mut estate) = Estate::known() else { return };
    estate.declare(SITE);
    let boot = estate.guest.boot_id();
    let mut child = estate.command(&["apply", "--yes", "--timeout", "1200s"]).spawn().unwrap();
    let lines = narration(&mut child);
    while estate.guest.try_sh("cat /run/slow").0 != Some(0) {
        assert!(child.try_wait().unwrap().is_none(), "{:?}", lines.iter().collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(100));
    }
    estate.guest.reboot();
    let exit = finish(child).exit;
    let said: Vec<String> = lines.iter().collect();
    let run = said.iter().find_map(|line| word(line, "run_")).unwrap();
    estate.guest.is_back(&boot);
    // a host that is back soon is gone on with by itself
    if exit != Some(0) {
        let failed = Said { stdout: String::new(), stderr: said.join("\n"), exit };
        let retried = estate.as_told(&failed, "hint").good();
        estate.as_told(&retried, "next").good();
    }
    let shown = estate.run(&["runs", "show", &run, "--json"]).good().json();
    assert_eq!(shown["status"], "completed", "{said:?}: {shown}");
    assert_eq!(estate.guest.sh("cat /var/lib/log"), "first\nslow", "nothing is done twice");
    assert_eq!(estate.guest.sh("cat /etc/last; echo; systemctl is-active demo"), "x\nactive");
    estate.is_settled();

    let boot = estate.guest.boot_id();
    estate.guest.reboot();
    estate.guest.is_back(&boot);
    assert_eq!(estate.guest.sh("systemctl is-active demo"), "active", "what is enabled starts with its host");
    estate.is_settled();
}
