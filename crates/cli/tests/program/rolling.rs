//! Plans over several hosts: a canary, batches, a limit of failures; and connections that are slow, or cut in the middle.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::sshd::{Sshd, runner, text, tool};
use crate::terminal::{Said, Terminal, finish, narration, wait_for};

/// How long each direction takes on the slow way: a round trip of five seconds.
const SLOW: Duration = Duration::from_millis(2_500);
/// The same where round trips are counted: long against what either side thinks about an answer.
const COUNTED: Duration = Duration::from_millis(250);

/// Hosts `h1`, `h2`, ..., each a server of its own.
struct Fleet {
    servers: Vec<Sshd>,
    terminal: Terminal,
}

impl Fleet {
    fn start(count: usize) -> Option<Self> {
        let servers = (0..count).map(|_| Sshd::start("")).collect::<Option<Vec<_>>>()?;
        // the program brings the runner that is beside it
        drop(runner());
        let fleet = Self { servers, terminal: Terminal::project() };
        fleet.hosts(|_, server| server.port);
        fleet.terminal.write(
            "policy/policy.yaml",
            "default: allow\ngrants:\n  - match: {action: resource.*}\n    capabilities: [\"write:*\", \"exec:*\", \"query:*\"]\n",
        );
        Some(fleet)
    }

    fn hosts(&self, port: impl Fn(usize, &Sshd) -> u16) {
        let mut cue = String::from("package site\n\n");
        for (at, server) in self.servers.iter().enumerate() {
            let pin = tool("ssh-keygen", &["-lf", text(&server.path("host_key.pub"))]);
            writeln!(
                cue,
                "hosts: h{}: {{address: \"127.0.0.1\", port: {}, user: \"{}\", key: \"{}\", host_key: \"{}\"}}",
                at + 1,
                port(at, server),
                crate::sshd::user(),
                text(&server.path("user_key")),
                pin.split(' ').nth(1).unwrap()
            )
            .unwrap();
        }
        self.terminal.write("infrastructure/hosts.cue", &cue);
    }

    /// A file on each host; on those in `bad` at a place where none can be.
    fn declare(&self, bad: &[usize]) {
        let mut cue = String::from("package site\n\n");
        for (at, server) in self.servers.iter().enumerate() {
            let path = if bad.contains(&(at + 1)) {
                server.path("none/file").display().to_string()
            } else {
                server.path("file").display().to_string()
            };
            writeln!(
                cue,
                "resources: f{0}: {{type: \"linux.file::file\", config: {{path: \"{path}\", content: \"x\"}}, target: hosts: [\"h{0}\"]}}",
                at + 1
            )
            .unwrap();
        }
        self.terminal.write("infrastructure/site.cue", &cue);
    }

    fn apply(&self, more: &[&str]) -> Said {
        self.terminal.run(&[&["apply", "--yes"], more].concat())
    }

    /// The hosts on which the file is.
    fn there(&self) -> Vec<usize> {
        let is_there = |at: &usize| self.servers[*at - 1].path("file").exists();
        (1..=self.servers.len()).filter(is_there).collect()
    }

    /// The order in which changes were made.
    fn order(&self) -> Vec<String> {
        let records = self.terminal.records();
        let begun = records.iter().filter(|record| record["type"] == "step.scheduled");
        let steps = begun.filter_map(|record| record["data"]["step"].as_str().map(str::to_owned));
        steps.filter(|step| step.starts_with('h')).collect()
    }
}

#[test]
fn a_canary_that_fails_ends_the_run_before_any_other_host_is_touched() {
    let Some(fleet) = Fleet::start(4) else { return };
    fleet.declare(&[1]);
    let said = fleet.apply(&["--canary", "1", "--max-retries", "0"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.stderr.contains("h1/f1"), "{said:?}");
    assert_eq!(fleet.there(), [0_usize; 0], "{said:?}");
    fleet.declare(&[]);
    fleet.apply(&["--canary", "1", "--batch", "2"]).good();
    assert_eq!(fleet.there(), [1, 2, 3, 4]);
    let order = fleet.order();
    let order = &order[order.len() - 4..];
    assert_eq!(order[0], "h1/f1", "{order:?}");
    assert_eq!(order[3], "h4/f4", "{order:?}");
}

#[test]
fn batches_go_on_until_more_hosts_failed_than_may() {
    let Some(fleet) = Fleet::start(4) else { return };
    fleet.declare(&[1, 2]);
    let said = fleet.apply(&["--batch", "1", "--max-failures", "1", "--max-retries", "0"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert_eq!(fleet.there(), [0_usize; 0], "two of one failed, so nothing else was begun: {said:?}");
    let said = fleet.apply(&["--batch", "1", "--max-failures", "2", "--max-retries", "0"]);
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert_eq!(fleet.there(), [3, 4], "{said:?}");
}

#[test]
fn infrastructure_23_a_connection_that_is_cut_in_the_middle_costs_nothing_but_time() {
    let Some(fleet) = Fleet::start(1) else { return };
    let server = &fleet.servers[0];
    let at = server.dir().display();
    fleet.terminal.write(
        "infrastructure/site.cue",
        &format!(
            "package site\n\nresources: slow: {{\n\ttype: \"linux.exec::exec\"\n\tconfig: {{command: [\"/bin/sh\", \"-c\", \"echo begun \
             >>{at}/log; sleep 2; touch {at}/done\"], creates: \"{at}/done\"}}\n}}\nresources: last: {{\n\ttype: \
             \"linux.file::file\"\n\tconfig: {{path: \"{at}/file\", content: \"x\"}}\n\tdependencies: [{{resource_id: \
             \"slow\"}}]\n}}\n"
        ),
    );
    let mut child = fleet.terminal.spawn(&["apply", "--yes"]);
    let lines = narration(&mut child);
    let run = wait_for(&lines, "run_");
    while !server.path("log").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    for connection in server.connections() {
        crate::sshd::kill(connection);
    }
    let said = finish(child);
    // whether the command went on to its end is what its guard says; if nobody can say, a person is asked
    let held = fleet.terminal.run(&["runs", "show", &run, "--json"]).good().json();
    if held["status"] != "completed" {
        fleet.apply(&[]).good();
    }
    assert_eq!(fleet.there(), [1], "{said:?} {held}");
    assert_eq!(fleet.terminal.run(&["plan", "--detailed-exit-code"]).exit, Some(0), "nothing is left to do");
}

/// What either side of a slow way was told, as the number of round trips that it took.
#[derive(Default)]
struct Trips {
    near: AtomicUsize,
    far: AtomicUsize,
}

/// Carries connections to `to`, each byte late by `delay`, and counts the round trips. Ends with the process.
fn slow_way(to: u16, delay: Duration) -> (u16, Arc<Trips>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let trips = Arc::new(Trips::default());
    let all = Arc::clone(&trips);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap());
            late((near.try_clone().unwrap(), far.try_clone().unwrap()), delay, &all, false);
            late((far, near), delay, &all, true);
        }
    });
    (port, trips)
}

/// Carries what goes one way. Whoever sends may have waited for all that it was told before.
fn late((mut from, mut into): (TcpStream, TcpStream), delay: Duration, trips: &Arc<Trips>, back: bool) {
    let (sender, receiver) = channel::<(Instant, usize, Vec<u8>)>();
    let (told, tells) = (Arc::clone(trips), Arc::clone(trips));
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let known = if back { told.far.load(SeqCst) } else { told.near.load(SeqCst) };
            if sender.send((Instant::now() + delay, known, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, known, bytes) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (side, trips) = if back { (&tells.near, known + 1) } else { (&tells.far, known) };
            side.fetch_max(trips, SeqCst);
            if into.write_all(&bytes).is_err() {
                return;
            }
        }
        let _closed = into.shutdown(Shutdown::Write);
    });
}

#[test]
fn a_host_five_seconds_away_is_asked_and_answers() {
    let Some(fleet) = Fleet::start(1) else { return };
    let (port, _) = slow_way(fleet.servers[0].port, SLOW);
    fleet.hosts(|_, _| port);
    fleet.terminal.write("infrastructure/site.cue", "package site\n");
    let said = fleet.terminal.run(&["facts", "collect", "--json"]).good().json();
    assert_eq!(said["hosts"][0]["state"], "collected", "{said}");
}

#[test]
fn what_is_as_declared_takes_three_round_trips_after_the_handshake() {
    let Some(fleet) = Fleet::start(1) else { return };
    let server = &fleet.servers[0];
    fleet.terminal.write(
        "infrastructure/site.cue",
        &format!(
            "package site\n\nimport \"list\"\n\nresources: {{for n in list.Range(0, 100, 1) {{\"f\\(n)\": {{type: \
             \"linux.file::file\", config: {{path: \"{}/\\(n)\", content: \"x\"}}}}}}}}\n",
            server.dir().display()
        ),
    );
    let first = fleet.apply(&[]).good();
    assert!(first.stdout.contains("100 of them changed something"), "{first:?}");
    let (port, trips) = slow_way(server.port, COUNTED);
    fleet.hosts(|_, _| port);
    let again = fleet.apply(&[]).good();
    assert!(again.stdout.contains("100 unchanged"), "{again:?}");
    let ours = trips.near.load(SeqCst);

    let (port, trips) = slow_way(server.port, COUNTED);
    let (port, key) = (port.to_string(), server.path("user_key"));
    let at = format!("{}@127.0.0.1", crate::sshd::user());
    let quiet =
        ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"];
    tool("ssh", &[&["-p", &port, "-i", text(&key)], &quiet[..], &[&at, "true"]].concat());
    // `ssh` takes one more for its handshake (`none`, RFC 4252 section 5.2), opens a channel, and has the command run; here a
    // channel is opened, the runner is started, and asked
    assert!(ours <= trips.near.load(SeqCst), "{ours}, and {} of ssh", trips.near.load(SeqCst));
}
