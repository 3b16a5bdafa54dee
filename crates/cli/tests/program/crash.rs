//! Kill -9 at any moment, again and again, until the run has ended all the same.
//!
//! `AEDILE_CRASH_ROUNDS` says how many runs, `AEDILE_CRASH_SEED` with which seed the first one is killed. What fails names its
//! seed; with that seed and one round the same moments are drawn again.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::outside::Outside;
use crate::terminal::{Terminal, narration, wait_for, word};

/// How many runs are killed unless `AEDILE_CRASH_ROUNDS` says so.
const ROUNDS: u64 = 3;
/// How often one run is killed at most; then it is left in peace.
const KILLS: u32 = 12;

/// A step of every kind, as a document. Paths of the listener are the names of steps.
const WORKFLOW: &str = r#"document: {dsl: 1.0.1, namespace: crash, name: everything, version: 1.0.0}
do:
  - begin: {set: {order: 7}}
  - reserve: {call: http, with: {method: put, endpoint: "http://127.0.0.1:PORT/reserve", body: {order: 7}}}
  - fetch:
      call: http-fetch:0.1.0
      with: {url: "http://127.0.0.1:PORT/fetch", method: POST, body: one}
      metadata: {effect: once}
  - settle: {wait: {milliseconds: 250}}
  - both:
      fork:
        branches:
          - left: {call: http, with: {method: put, endpoint: "http://127.0.0.1:PORT/left", body: {}}}
          - ship: {call: http, with: {method: post, endpoint: "http://127.0.0.1:PORT/ship", body: {}}}
          - pause: {wait: {milliseconds: 120}}
          - say: {call: "echo:0.1.0", with: {said: true}}
      export: {as: "${ {said: .[3]} }"}
  - steady:
      try:
        - unsteady: {call: http, with: {method: put, endpoint: "http://127.0.0.1:PORT/unsteady", body: {}}}
      catch:
        errors: {with: {status: 503}}
        retry: {delay: {milliseconds: 40}, backoff: {exponential: {}}, limit: {attempt: {count: 9}}}
  - ask: {call: approval, with: {title: Charge the card, chain: lead}}
  - charge: {call: http, with: {method: post, endpoint: "http://127.0.0.1:PORT/charge", body: {}}}
  - done: {set: {charged: "${ .did }", said: "${ $context.said }"}}
"#;
const POLICY: &str = "chains: {lead: {levels: [{roles: [lead]}]}}
grants:
  - capabilities: [\"http:127.0.0.1:PORT\"]
  - {wasm: http-fetch, capabilities: [\"http:127.0.0.1:PORT\"]}
";
/// Effects that must not happen twice, and those that may.
const ONCE: [&str; 3] = ["fetch", "ship", "charge"];
const AGAIN: [&str; 3] = ["reserve", "left", "unsteady"];

/// One run, its listener, and who sits before it.
struct World {
    terminal: Terminal,
    outside: Outside,
    random: fastrand::Rng,
    /// Started, and not waited for yet: people's commands.
    typing: Vec<Child>,
    approval: Option<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let outside = Outside::listen(seed, Duration::from_millis(25));
        let terminal = Terminal::project();
        let port = outside.port().to_string();
        terminal.write("workflows/everything.yaml", &WORKFLOW.replace("PORT", &port));
        terminal.write("policy/policy.yaml", &POLICY.replace("PORT", &port));
        Self { terminal, outside, random: fastrand::Rng::with_seed(seed), typing: Vec::new(), approval: None }
    }

    /// Runs to the end, killed up to so many times. Answers how often it was, and the output.
    fn run(&mut self, kills: u32) -> (u32, Value) {
        let mut killed = 0;
        loop {
            let begun = self.terminal.count("run.submitted") > 0;
            let args: &[&str] = if begun && self.random.bool() {
                // not the latest that has not ended: the kill may have come right after the end
                &["run", "--resume", "latest"]
            } else {
                &["run", "everything", "--idempotency-key", "one"]
            };
            if self.random.bool() {
                // somebody decides while nothing runs
                self.decide();
                self.wait_for_people();
            }
            let left = (killed < kills).then(|| Duration::from_millis(self.random.u64(5..700)));
            let ended = self.live(args, left);
            self.check();
            match ended {
                Some(output) => return (killed, output),
                None => killed += 1,
            }
        }
    }

    /// One life of the program, to its end (and its output) or to its murder. Does what it asks for meanwhile.
    fn live(&mut self, args: &[&str], left: Option<Duration>) -> Option<Value> {
        let mut child = self.terminal.spawn(args);
        let lines = narration(&mut child);
        let deadline = left.map(|left| Instant::now() + left);
        let mut narrated = Vec::new();
        let status = loop {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                child.kill().unwrap(); // SIGKILL
                break child.wait().unwrap();
            }
            while let Ok(line) = lines.recv_timeout(Duration::from_millis(2)) {
                self.answer(&line, left.is_none());
                narrated.push(line);
            }
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
        };
        self.wait_for_people();
        status.code()?;
        narrated.extend(lines.iter());
        let mut stdout = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut stdout).unwrap();
        assert!(status.success(), "{args:?} ended with {status}: {narrated:#?}");
        Some(serde_json::from_str(&stdout).unwrap())
    }

    /// Does what a line of narration asks for. A decision may be left for later if the program will be killed.
    fn answer(&mut self, line: &str, now: bool) {
        if line.contains("aedile approve ") {
            self.approval = word(line, "apr_");
            if now || self.random.bool() {
                self.decide();
            }
        }
        if line.contains("aedile runs resolve ") {
            let run = word(line, "run_").unwrap();
            let step = word(line, "'/").unwrap().trim_matches('\'').to_owned();
            let path = format!("/{}", step.rsplit('/').next().unwrap());
            let doubt = line.split("--doubt ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            let mut args = vec!["runs", "resolve", &run, &step, "--doubt", doubt];
            // what the world knows is what a person would find out
            let answer = json!({ "did": path }).to_string();
            if self.outside.done(&path).is_empty() {
                args.push("--not-happened");
            } else {
                args.extend(["--happened", "--output", &answer]);
            }
            self.typing.push(self.terminal.spawn(&args));
        }
    }

    /// Gives the approval, if one is known to be asked for. To say the same again changes nothing.
    fn decide(&mut self) {
        if let Some(approval) = &self.approval {
            self.typing.push(self.terminal.spawn(&["approve", approval, "--as", "lea"]));
        }
    }

    /// Waits for the commands that people typed, or kills them too.
    fn wait_for_people(&mut self) {
        for mut child in std::mem::take(&mut self.typing) {
            if self.random.u8(..4) == 0 && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
            }
            child.wait().unwrap();
        }
    }

    /// What must hold after every kill.
    fn check(&self) {
        let records = self.terminal.records();
        if records.is_empty() {
            return;
        }
        self.terminal.run(&["journal", "verify"]).good();
        let mut once = BTreeMap::new();
        let mut due = BTreeMap::new();
        for record in &records {
            let (kind, data) = (record["type"].as_str().unwrap(), &record["data"]);
            let step = data["step"].as_str().unwrap_or_default();
            let timer = format!("{step} {}", data["name"]);
            let fact = match kind {
                "timer.set" => {
                    due.insert(timer.clone(), moment(&data["due"]));
                    format!("{kind} {timer}")
                }
                "timer.fired" => {
                    assert!(moment(&record["time"]) >= due[&timer], "due {}, early: {record}", due[&timer]);
                    format!("{kind} {timer}")
                }
                "run.submitted" | "run.judged" | "run.started" | "run.completed" | "approval.requested"
                | "step.asked" | "step.answered" => kind.to_owned(),
                "approval.granted" | "approval.denied" | "approval.expired" => "approval ended".to_owned(),
                // attempts of what may be tried again have steps of the same name
                "step.completed" => format!("{kind} {step}"),
                _ => continue,
            };
            let known = once.insert(fact.clone(), record["id"].clone());
            assert!(known.is_none(), "{fact} twice: {known:?} and {}", record["id"]);
        }
        for step in ONCE {
            assert!(self.outside.done(&format!("/{step}")).len() <= 1, "{step} was done twice");
        }
    }

    /// What must hold in the end.
    fn check_end(&self) {
        for kind in
            ["run.submitted", "run.started", "run.completed", "approval.requested", "approval.granted"]
        {
            assert_eq!(self.terminal.count(kind), 1, "{kind}");
        }
        for step in ONCE {
            assert_eq!(self.outside.done(&format!("/{step}")).len(), 1, "{step}");
        }
        for step in AGAIN {
            let keys = self.outside.done(&format!("/{step}"));
            assert!(!keys.is_empty() && keys.iter().all(|key| *key == keys[0]), "{step}: {keys:?}");
        }
        let fired = self.terminal.count("timer.fired");
        assert_eq!(fired, self.terminal.count("timer.set") - self.terminal.count("timer.cancelled"));
        self.terminal.run(&["journal", "replay"]).good();
        self.terminal.run(&["journal", "checkpoint"]).good();
        self.terminal.run(&["journal", "verify"]).good();
        let again = self.terminal.run(&["run", "everything", "--idempotency-key", "one"]).good();
        assert_eq!(again.stdout, self.terminal.run(&["run", "--resume", "latest"]).good().stdout);
        assert_eq!(self.terminal.count("run.submitted"), 1);
    }
}

/// Numbers that a double does not hold, or holds in another form than the one they are written in.
const NUMBERS: &str = r#"document: {dsl: 1.0.1, namespace: crash, name: numbers, version: 1.0.0}
do:
  - make: {set: {large: 12345678901234567890, sum: "${ 9007199254740992 + 1 }", zero: -0.0, whole: "${ 6 / 2 }", power: 1e17}}
  - rest: {wait: {seconds: 1}}
  - tell: {set: {text: "${ [.large, .sum, .zero, .whole, .power] | map(tostring) }"}}
"#;

#[test]
fn numbers_are_the_same_after_a_crash() {
    let terminal = Terminal::project();
    terminal.write("workflows/numbers.yaml", NUMBERS);
    let undisturbed = terminal.run(&["run", "numbers"]).good();
    let mut running = terminal.spawn(&["run", "numbers"]);
    wait_for(&narration(&mut running), "waiting");
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(terminal.run(&["run", "--resume"]).good().stdout, undisturbed.stdout);
    assert_eq!(terminal.count("run.adopted"), 1);
}

fn moment(value: &Value) -> model::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn workflows_04_05_killed_at_any_moment_a_run_ends_as_if_undisturbed() {
    let rounds = number("AEDILE_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let first = number("AEDILE_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let mut undisturbed = World::new(first);
    let (_, expected) = undisturbed.run(0);
    undisturbed.check_end();
    let mut all = 0;
    for seed in first..first + rounds {
        println!("AEDILE_CRASH_SEED={seed} AEDILE_CRASH_ROUNDS=1");
        let mut world = World::new(seed);
        let (killed, output) = world.run(KILLS);
        assert_eq!(output, expected);
        world.check_end();
        println!("  killed {killed} times; in doubt {}", world.terminal.count("step.in_doubt"));
        all += killed;
    }
    println!("{rounds} runs, killed {all} times");
    assert!(all > 0, "nothing was killed");
}
