//! Kill -9 at any moment: every acknowledged event is there, and the journal verifies.
//!
//! The test starts itself again as the victim. `AEDILE_KILL_ROUNDS` says how often; 25 times unless it does.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the victim prints what was acknowledged")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use journal::verify::{self, verify};
use journal::{Append, Journal, conformance};
use store::{Options, SqliteJournal};

/// Says to the test, started again, which file to append to.
const VICTIM: &str = "AEDILE_KILL_VICTIM";

/// Threads that append in the victim: enough that groups are large, and answered by a thread of their own.
const WRITERS: u64 = 32;

fn open(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, &Options { create: true, ..Options::default() }).unwrap()
}

/// Appends until killed, and prints the last position of each append once it is acknowledged.
fn victim(path: &Path) {
    let journal = open(path);
    let number = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (journal, number) = (&journal, &number);
            scope.spawn(move || {
                loop {
                    let next = number.fetch_add(1, Ordering::Relaxed);
                    let events =
                        (0..=next % 3).map(|_| conformance::event(&format!("w{writer}"), next)).collect();
                    let done = block_on(journal.append(Append { events, ..Append::default() })).unwrap();
                    // one write, so that a kill cannot tear a line into a smaller number
                    let line = format!("{} {} {writer}\n", done.last, done.sequences.last().unwrap());
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

#[test]
fn kill_9_loses_no_acknowledged_event() {
    if let Some(path) = std::env::var_os(VICTIM) {
        victim(Path::new(&path));
        return;
    }
    let rounds: u32 =
        std::env::var("AEDILE_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(25);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill_9_loses_no_acknowledged_event", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut seen = Vec::new();
            for line in lines.lines().map_while(Result::ok) {
                let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
                if let [position, sequence, writer] = numbers[..] {
                    seen.push((position, sequence, writer));
                }
            }
            seen
        });
        // a different moment every round, from before the first append on
        std::thread::sleep(Duration::from_micros(1_000 + u64::from(round) * 7_919 % 60_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = reader.join().unwrap();

        let journal = open(&path);
        let head = journal.head().unwrap().position;
        for (position, sequence, writer) in &seen {
            assert!(
                *position <= head,
                "round {round}: {position} was acknowledged, the journal ends at {head}"
            );
            let record = &journal.read(position - 1, 1).unwrap()[0];
            assert_eq!(
                (record.sequence, &*record.stream),
                (*sequence, &*format!("w{writer}")),
                "round {round}"
            );
        }
        acknowledged = acknowledged.max(seen.iter().map(|(position, _, _)| *position).max().unwrap_or(0));
        let report = verify(journal.scan(0), &verify::Options::default()).unwrap();
        assert_eq!(report.head, journal.head().unwrap(), "round {round}");
        assert_eq!(journal.compare_views().unwrap(), [], "round {round}");
    }
    println!("{rounds} kills, {acknowledged} events acknowledged, none lost");
    assert!(rounds < 25 || acknowledged > 0, "the victim never got to append");
}
