//! The shipped providers on a Debian system: real apt with a repository of the test's own, real systemd as the first process,
//! users, disks that are full, power that fails.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::machine::Machine;
use crate::sshd::{runner, text};
use crate::terminal::{Said, Terminal, finish, narration, wait_for};

/// A repository with two versions of one package, one version of another, and nothing else that apt knows.
const REPOSITORY: &str = r"
package() {
    mkdir -p tmp/$1/DEBIAN tmp/$1/usr/share/$1
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: for a test\n' $1 $2 >tmp/$1/DEBIAN/control
    echo $2 >tmp/$1/usr/share/$1/version
    file=$1_$2_all.deb
    dpkg-deb --root-owner-group --build tmp/$1 srv/repo/$file >/dev/null
    { cat tmp/$1/DEBIAN/control; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $file $(stat -c %s srv/repo/$file) $(sha256sum srv/repo/$file | cut -d' ' -f1); } >>srv/repo/Packages
}
rm -rf etc/apt/sources.list etc/apt/sources.list.d/* etc/apt/apt.conf.d/* var/lib/apt/lists/* var/log/apt/*
mkdir -p srv/repo var/lib/apt/lists/partial
package aedile-demo 1.0
package aedile-demo 1.1
package aedile-tool 1.0
echo 'deb [trusted=yes] file:/srv/repo ./' >etc/apt/sources.list
";

/// A project whose one host is the machine.
struct Estate {
    machine: Machine,
    terminal: Terminal,
}

impl Estate {
    fn of(machine: Machine) -> Self {
        // the program brings the runner that is beside it
        drop(runner());
        let terminal = Terminal::project();
        terminal.write(
            "infrastructure/hosts.cue",
            &format!(
                "package site\n\nhosts: \"web-1\": {{address: \"127.0.0.1\", port: {}, user: \"root\", key: \"{}\", host_key: \
                 \"{}\"}}\n",
                machine.port,
                text(&machine.path("root_key")),
                machine.fingerprint()
            ),
        );
        terminal.write(
            "policy/policy.yaml",
            "default: allow\ngrants:\n  - match: {action: resource.*}\n    capabilities: [\"write:*\", \"exec:*\", \"query:*\"]\n",
        );
        Self { machine, terminal }
    }

    fn declare(&self, resources: &str) {
        self.terminal.write("infrastructure/site.cue", &format!("package site\n\n{resources}"));
    }

    fn apply(&self) -> Said {
        self.terminal.run(&["apply", "--yes", "--timeout", "120s"])
    }

    fn counts(&self) -> Value {
        self.terminal.run(&["plan", "--json"]).good().json()["plan"]["counts"].clone()
    }

    /// Nothing is left to do, and nothing is done when it is asked for all the same.
    #[track_caller]
    fn is_settled(&self) {
        let said = self.terminal.run(&["plan", "--detailed-exit-code"]);
        assert_eq!(said.exit, Some(0), "{said:?}");
    }

    fn installed(&self, package: &str) -> String {
        self.machine.try_sh(&format!("dpkg-query -W -f '${{Status}} ${{Version}}' {package}")).1
    }
}

fn with_apt() -> Option<Estate> {
    if !Path::new("/usr/bin/apt-get").exists() || !Path::new("/usr/bin/dpkg-deb").exists() {
        crate::sshd::skipped("this is no Debian: there is no apt");
        return None;
    }
    Some(Estate::of(Machine::with(REPOSITORY, &[])?))
}

#[test]
fn infrastructure_35_a_package_is_installed_upgraded_and_repaired_by_real_apt() {
    let Some(estate) = with_apt() else { return };
    let declare = |demo: &str| {
        estate.declare(&format!(
            "resources: demo: {{type: \"linux.pkg::package\", config: {{package: \"aedile-demo\", refresh: true{demo}}}}}\n\
             resources: tool: {{type: \"linux.pkg::package\", config: {{package: \"aedile-tool\", refresh: true}}}}\n"
        ));
    };
    declare(", version: \"1.0\", hold: true");
    assert_eq!(estate.counts()["create"], 2);
    estate.apply().good();
    assert_eq!(estate.installed("aedile-demo"), "hold ok installed 1.0");
    assert_eq!(estate.installed("aedile-tool"), "install ok installed 1.0");
    let history = estate.machine.sh("grep -c ^Install: /var/log/apt/history.log");
    assert_eq!(
        history,
        "1",
        "both in one transaction: {}",
        estate.machine.sh("cat /var/log/apt/history.log")
    );
    estate.is_settled();

    // removed by hand: seen, and put right
    estate.machine.sh("dpkg --purge --force-hold aedile-demo");
    let drift = estate.terminal.run(&["drift"]);
    assert!(drift.exit == Some(1) && drift.stdout.contains("web-1/demo"), "{drift:?}");
    estate.apply().good();
    assert_eq!(estate.installed("aedile-demo"), "hold ok installed 1.0");

    declare(", version: \"1.1\", hold: true");
    assert_eq!(estate.counts()["update"], 1);
    estate.apply().good();
    assert_eq!(estate.installed("aedile-demo"), "hold ok installed 1.1", "the hold stays");
    estate.is_settled();

    declare(", state: \"absent\"");
    estate.apply().good();
    assert!(!estate.installed("aedile-demo").contains("ok installed"), "{}", estate.installed("aedile-demo"));
    estate.is_settled();
    estate.terminal.run(&["destroy", "--yes"]).good();
    assert!(!estate.installed("aedile-tool").contains("ok installed"));
}

#[test]
fn a_package_that_does_not_exist_fails_alone_and_says_so() {
    let Some(estate) = with_apt() else { return };
    estate.declare(
        "resources: none: {type: \"linux.pkg::package\", config: {package: \"aedile-none\"}}\n\
         resources: tool: {type: \"linux.pkg::package\", config: {package: \"aedile-tool\", refresh: true}}\n\
         resources: note: {type: \"linux.file::file\", config: {path: \"/srv/note\", content: \"x\"}}\n",
    );
    let said = estate.apply();
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.stderr.contains("aedile-none"), "{said:?}");
    assert_eq!(estate.machine.sh("cat /srv/note"), "x", "what is independent of it is done");
    assert_eq!(estate.installed("aedile-tool"), "install ok installed 1.0", "a package beside it is, too");
}

const UNIT: &str = "[Unit]\\nDescription=a demo\\n[Service]\\nExecStart=/bin/sh -c 'cat /srv/demo.conf >>/srv/starts; exec sleep 1000'\\n[Install]\\nWantedBy=machine.target\\n";

fn demo(content: &str, unit: &str) -> String {
    format!(
        "resources: unit: {{type: \"linux.file::file\", config: {{path: \"/etc/systemd/system/demo.service\", content: \"{unit}\"}}}}\n\
         resources: conf: {{type: \"linux.file::file\", config: {{path: \"/srv/demo.conf\", content: \"{content}\\n\"}}}}\n\
         resources: demo: {{\n\ttype: \"linux.service::service\"\n\tconfig: {{name: \"demo\", state: \"running\", enabled: true}}\n\t\
         handler: \"restart\"\n\tdependencies: [{{resource_id: \"conf\", type: \"notify\"}}, {{resource_id: \"unit\", type: \
         \"notify\"}}]\n}}\n"
    )
}

#[test]
fn infrastructure_20_a_service_of_systemd_is_started_restarted_once_repaired_and_there_after_a_reboot() {
    let Some(machine) = Machine::with_systemd("") else { return };
    let mut estate = Estate::of(machine);
    let starts = |estate: &Estate| estate.machine.sh("cat /srv/starts");
    estate.declare(&demo("one", UNIT));
    estate.apply().good();
    assert_eq!(estate.machine.sh("systemctl is-active demo; systemctl is-enabled demo"), "active\nenabled");
    // restarted once on top: what was installed with it may have started it before its configuration was there
    assert_eq!(starts(&estate), "one\none");
    estate.is_settled();

    // two of what it watches change: one restart, with the unit as it is now
    estate.declare(&demo("two", &UNIT.replace("a demo", "another demo")));
    estate.apply().good();
    assert_eq!(starts(&estate), "one\none\ntwo");
    assert_eq!(
        estate.machine.sh("systemctl show -p Description,NeedDaemonReload demo"),
        "Description=another demo\nNeedDaemonReload=no"
    );

    estate.machine.sh("systemctl stop demo; systemctl disable -q demo");
    let drift = estate.terminal.run(&["drift"]);
    assert!(drift.exit == Some(1) && drift.stdout.contains("web-1/demo"), "{drift:?}");
    estate.apply().good();
    assert_eq!(estate.machine.sh("systemctl is-active demo; systemctl is-enabled demo"), "active\nenabled");

    estate.machine.restart();
    assert_eq!(estate.machine.sh("systemctl is-active demo"), "active", "it starts with its host");
    estate.is_settled();
    let facts = estate.terminal.run(&["facts", "collect", "--json"]).good().json();
    let services = &facts["hosts"][0]["facts"]["services"];
    assert!(services.to_string().contains("demo"), "{services}");
}

#[test]
fn a_service_that_does_not_start_fails_with_what_systemd_says() {
    let Some(machine) = Machine::with_systemd("") else { return };
    let estate = Estate::of(machine);
    estate.declare(&demo("one", &UNIT.replace("/bin/sh -c", "/bin/none -c")));
    let said = estate.apply();
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.stderr.contains("web-1/demo"), "{said:?}");
    estate.declare(&demo("one", UNIT));
    estate.apply().good();
    assert_eq!(estate.machine.sh("systemctl is-active demo"), "active");
}

#[test]
fn a_full_disk_and_one_that_cannot_be_written_fail_alone_and_leave_nothing_half_written() {
    let Some(machine) = Machine::start() else { return };
    let estate = Estate::of(machine);
    estate.machine.sh(
        "mkdir -p /srv/small /srv/fixed; mount -t tmpfs -o size=64k tmpfs /srv/small; mount -t tmpfs tmpfs /srv/fixed; \
         echo old >/srv/small/conf; echo old >/srv/fixed/conf; mount -o remount,ro /srv/fixed",
    );
    let large = "x".repeat(100_000);
    estate.declare(&format!(
        "resources: small: {{type: \"linux.file::file\", config: {{path: \"/srv/small/conf\", content: \"{large}\"}}}}\n\
         resources: fixed: {{type: \"linux.file::file\", config: {{path: \"/srv/fixed/conf\", content: \"new\"}}}}\n\
         resources: other: {{type: \"linux.file::file\", config: {{path: \"/srv/other\", content: \"new\"}}}}\n"
    ));
    let said = estate.apply();
    assert_eq!(said.exit, Some(1), "{said:?}");
    for words in ["web-1/small", "No space left on device", "web-1/fixed", "Read-only file system"] {
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    let there =
        estate.machine.sh("cat /srv/small/conf /srv/fixed/conf /srv/other; ls -A /srv/small /srv/fixed");
    assert_eq!(there, "old\nold\nnew/srv/fixed:\nconf\n\n/srv/small:\nconf", "the old files are whole");
    estate.machine.sh("mount -o remount,size=1m /srv/small; mount -o remount,rw /srv/fixed");
    estate.apply().good();
    assert_eq!(estate.machine.sh("cat /srv/fixed/conf; wc -c </srv/small/conf"), "new100000");
    estate.is_settled();
}

#[test]
fn infrastructure_23_a_host_whose_power_fails_in_the_middle_is_gone_on_with_when_it_is_back() {
    let Some(machine) = Machine::with_systemd("") else { return };
    let mut estate = Estate::of(machine);
    estate.declare(
        "resources: slow: {\n\ttype: \"linux.exec::exec\"\n\tconfig: {command: [\"/bin/sh\", \"-c\", \"echo begun >>/srv/log; sleep 2; echo \
         done >>/srv/log; touch /srv/slow\"], creates: \"/srv/slow\"}\n}\n\
         resources: last: {\n\ttype: \"linux.file::file\"\n\tconfig: {path: \"/srv/last\", content: \"x\"}\n\tdependencies: \
         [{resource_id: \"slow\"}]\n}\n",
    );
    let mut child = estate.terminal.spawn(&["apply", "--yes", "--max-retries", "0"]);
    let lines = narration(&mut child);
    let run = wait_for(&lines, "run_");
    while estate.machine.try_sh("cat /srv/log").1 != "begun" {
        std::thread::sleep(Duration::from_millis(20));
    }
    estate.machine.restart();
    let said = finish(child);
    // nobody can know whether it was done: that is said, and nothing is done twice
    let held = estate.terminal.run(&["runs", "show", &run, "--json"]).good().json();
    assert_ne!(held["status"], "completed", "{said:?} {held}");
    assert_eq!(estate.machine.sh("cat /srv/log"), "begun");
    estate.machine.sh("rm -f /srv/log");
    let again = estate.apply();
    assert_eq!(again.exit, Some(0), "a new plan is enough, no state is mended: {said:?} {again:?}");
    assert_eq!(estate.machine.sh("cat /srv/log /srv/last"), "begun\ndone\nx");
    estate.is_settled();
}

#[test]
fn sudo_that_is_refused_is_said_and_nothing_is_done() {
    let Some(machine) = Machine::start() else { return };
    machine.sh(
        "install -d -o maria -m 700 /home/maria/.ssh; install -o maria -m 600 /root/.ssh/authorized_keys /home/maria/.ssh/authorized_keys; \
         printf 'maria ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/maria",
    );
    let estate = Estate::of(machine);
    let hosts = estate.terminal.root().join("infrastructure/hosts.cue");
    let text = fs_err::read_to_string(&hosts).unwrap();
    fs_err::write(&hosts, text.replace("user: \"root\"", "user: \"maria\", sudo: true")).unwrap();
    estate.declare(
        "resources: note: {type: \"linux.file::file\", config: {path: \"/etc/note\", content: \"one\"}}\n",
    );
    estate.apply().good();
    assert_eq!(estate.machine.sh("cat /etc/note; stat -c %U /etc/note"), "oneroot", "it is written as root");
    estate.declare(
        "resources: note: {type: \"linux.file::file\", config: {path: \"/etc/note\", content: \"two\"}}\n",
    );
    estate.terminal.run(&["plan", "--out", "two.plan"]).good();
    // between the plan and its performance the right is taken away
    estate.machine.write("/etc/sudoers.d/maria", "maria ALL=(ALL) ALL\n");
    let said = estate.terminal.run(&["apply", "two.plan", "--yes", "--max-retries", "0"]);
    assert!(said.exit == Some(1) && said.stderr.contains("sudo"), "{said:?}");
    assert_eq!(estate.machine.sh("cat /etc/note"), "one");
}
