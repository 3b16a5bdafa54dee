//! Sessions with the real program: what comes first and last, what a bad frame does, keys, lanes, deadlines, cancel.

mod support;

use std::path::Path;
use std::time::Duration;

use runner::protocol::{
    Answer, Command, Ended, FaultCode, FromRunner, Grants, Hello, Input, Op, Outcome, Reason, ToRunner,
    VERSION,
};
use runner::wire::encode;
use support::{Helper, answer, command, exec, fault, program, sh};

#[test]
fn infrastructure_37_ready_first_done_for_each_exit_last_and_the_file_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let private = directory.path().join("private");
    std::fs::create_dir(&private).expect("made");
    let copy = private.join("aedile-runner");
    std::fs::copy(program(), &copy).expect("copied");
    let mut helper = Helper::bare(&copy, &["--delete-self"]);
    assert!(matches!(helper.next(), FromRunner::Ready(_)));
    helper.send(&ToRunner::Hello(Hello { protocol: VERSION, grants: Grants::everything() }), b"");
    for id in 0..5 {
        helper.run(id, Op::Stat { path: "/".into(), digest: false, follow: false });
    }
    helper.send(&ToRunner::Exit, b"");
    let farewell = helper.farewell();
    assert_eq!((farewell.commands_total, farewell.self_deleted, farewell.reason), (5, true, Reason::Asked));
    assert!(!private.exists(), "the file and its directory are gone");
}

#[test]
fn infrastructure_36_37_a_bad_frame_is_an_error_and_the_session_goes_on() {
    let mut helper = Helper::open();
    let framed = |head: &[u8]| {
        let mut bytes = u32::try_from(head.len()).expect("small").to_be_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(head);
        bytes
    };
    let bad: &[(&[u8], Option<u64>)] = &[
        (b"", None),
        (b"{not json", None),
        (b"{\"type\":\"dance\"}", None),
        (b"{\"type\":\"run\",\"timeout_ms\":1,\"op\":{\"op\":\"facts\"}}", None),
        (b"{\"type\":\"run\",\"id\":7,\"timeout_ms\":0,\"op\":{\"op\":\"facts\"}}", Some(7)),
        (b"{\"type\":\"run\",\"id\":8,\"timeout_ms\":-5,\"op\":{\"op\":\"facts\"}}", Some(8)),
        (b"{\"type\":\"run\",\"id\":9,\"timeout_ms\":5,\"op\":{\"op\":\"exec\"}}", Some(9)),
        (b"{\"type\":\"run\",\"id\":10,\"timeout_ms\":5,\"op\":{\"op\":\"fly\"}}", Some(10)),
        (b"{\"type\":\"run\",\"id\":11,\"timeout_ms\":5,\"op\":{\"op\":\"file.stat\",\"path\":\"/\",\"x\":1}}", Some(11)),
    ];
    for (head, wanted) in bad {
        helper.raw(&framed(head));
        match helper.next() {
            FromRunner::Error { id, fault } => {
                assert_eq!(
                    (id, fault.code),
                    (*wanted, FaultCode::InvalidCmd),
                    "{}",
                    String::from_utf8_lossy(head)
                );
            }
            other => panic!("{other:?}"),
        }
    }
    let mut large = vec![0, 0x20, 0, 0, 0, 0, 0, 0];
    large.resize(8 + 0x20_0000, b' ');
    helper.raw(&large);
    assert!(matches!(helper.next(), FromRunner::Error { fault, .. } if fault.code == FaultCode::TooLarge));
    assert!(matches!(helper.done(1, sh("exit 0")), Outcome::Ok(_)));
}

#[test]
fn a_version_nobody_speaks_ends_the_session_with_both_versions_named() {
    let mut helper = Helper::bare(&program(), &[]);
    helper.send(&ToRunner::Hello(Hello { protocol: 99, grants: Grants::default() }), b"");
    assert!(matches!(helper.next(), FromRunner::Ready(_)));
    match helper.next() {
        FromRunner::Error { fault, .. } => {
            assert_eq!(fault.code, FaultCode::Version);
            assert!(fault.message.contains("99") && fault.message.contains('1'), "{fault}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(helper.farewell().reason, Reason::Protocol);
}

#[test]
fn infrastructure_37_exit_codes_and_signals_are_told_apart_from_success() {
    let mut helper = Helper::open();
    let cases =
        [("exit 0", Ended::Exited(0)), ("exit 3", Ended::Exited(3)), ("kill -9 $$", Ended::Signalled(9))];
    for (id, (script, wanted)) in (10..).zip(cases) {
        match answer(helper.done(id, sh(script))) {
            Answer::Exec { ended, .. } => assert_eq!(ended, wanted),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fault(helper.done(1, exec("no-such-program-anywhere", &[]))), FaultCode::ProgramMissing);
}

#[test]
fn infrastructure_37_an_idle_runner_ends_at_its_deadline() {
    let mut helper = Helper::bare(&program(), &["--lifetime-ms", "200"]);
    assert!(matches!(helper.next(), FromRunner::Ready(_)));
    assert_eq!(helper.farewell().reason, Reason::Deadline);
}

#[test]
fn the_deadline_takes_what_is_running_along() {
    let mut helper = Helper::bare(&program(), &["--lifetime-ms", "1000"]);
    helper.send(&ToRunner::Hello(Hello { protocol: VERSION, grants: Grants::everything() }), b"");
    helper.run(1, sh("echo $$; sleep 1000 & wait"));
    let pid = loop {
        let frame = helper.frame().expect("it prints");
        if matches!(frame.message(), Ok(FromRunner::Event { .. })) {
            break String::from_utf8(frame.body).expect("digits").trim().to_owned();
        }
    };
    assert!(Path::new("/proc").join(&pid).exists());
    assert_eq!(helper.farewell().reason, Reason::Deadline);
    gone(&pid);
}

/// Waits for a process that was killed to be reaped.
fn gone(pid: &str) {
    for _ in 0..500 {
        if !Path::new("/proc").join(pid).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} is still there");
}

#[test]
fn a_cut_connection_ends_runner_and_programs() {
    let mut helper = Helper::open();
    helper.run(1, sh("echo $$; sleep 1000 & wait"));
    let frame = loop {
        let frame = helper.frame().expect("it prints");
        if matches!(frame.message(), Ok(FromRunner::Event { .. })) {
            break frame;
        }
    };
    let pid = String::from_utf8(frame.body).expect("digits").trim().to_owned();
    drop(helper.stdin.take());
    assert_eq!(helper.farewell().reason, Reason::Closed);
    gone(&pid);
}

#[test]
fn infrastructure_37_a_repeated_key_does_not_run_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let script = format!("sleep 0.2; echo ran >> {}; exit 7", log.display());
    let mut helper = Helper::open();
    let keyed = |id, op| ToRunner::Run(Command { key: Some("k1".into()), ..command(id, op) });
    helper.send(&keyed(1, sh(&script)), b"");
    helper.send(&keyed(2, sh(&script)), b"");
    let (first, second) = (helper.end(2).0, helper.end(1).0);
    assert_eq!(first, second);
    helper.send(&keyed(3, sh(&script)), b"");
    loop {
        if let FromRunner::Done(done) = helper.next() {
            assert!(done.id == 3 && done.replayed, "{done:?}");
            assert!(matches!(done.outcome, Outcome::Ok(Answer::Exec { ended: Ended::Exited(7), .. })));
            break;
        }
    }
    assert_eq!(std::fs::read_to_string(&log).expect("written"), "ran\n");
    helper.send(&keyed(4, sh("exit 0")), b"");
    assert_eq!(fault(helper.end(4).0), FaultCode::KeyReused);
}

#[test]
fn commands_of_a_lane_keep_their_order_and_others_do_not_wait() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let mut helper = Helper::open();
    for id in 0..5_u64 {
        let script = format!("sleep 0.0{}; echo {id} >> {}", 5 - id, log.display());
        helper.send(&ToRunner::Run(Command { lane: Some(1), ..command(id, sh(&script)) }), b"");
    }
    // This one waits for a file that only the next makes: it passes only if both are under way.
    let flag = directory.path().join("flag");
    helper.run(10, sh(&format!("until [ -e {} ]; do sleep 0.01; done", flag.display())));
    helper.run(11, sh(&format!("touch {}", flag.display())));
    assert!(matches!(helper.end(10).0, Outcome::Ok(_)));
    helper.send(&ToRunner::Exit, b"");
    assert_eq!(helper.farewell().commands_total, 7);
    assert_eq!(std::fs::read_to_string(&log).expect("written"), "0\n1\n2\n3\n4\n");
}

#[test]
fn a_command_can_be_cancelled_also_while_it_waits_in_its_lane() {
    let mut helper = Helper::open();
    for id in [1, 2] {
        helper.send(
            &ToRunner::Run(Command { lane: Some(1), ..command(id, sh("trap '' TERM; echo up; sleep 1000")) }),
            b"",
        );
    }
    while !matches!(helper.next(), FromRunner::Event { id: 1, .. }) {}
    helper.send(&ToRunner::Cancel { id: 2 }, b"");
    assert_eq!(fault(helper.end(2).0), FaultCode::Cancelled);
    helper.send(&ToRunner::Cancel { id: 1 }, b"");
    assert_eq!(fault(helper.end(1).0), FaultCode::Cancelled);
}

#[test]
fn a_time_limit_stops_a_program_and_its_children() {
    let mut helper = Helper::open();
    let slow = Command { timeout_ms: 300, ..command(1, sh("sleep 1000 & echo $!; wait")) };
    helper.send(&ToRunner::Run(slow), b"");
    let (outcome, printed) = helper.end(1);
    assert_eq!(fault(outcome), FaultCode::Timeout);
    gone(String::from_utf8(printed).expect("digits").trim());
}

#[test]
fn input_reaches_a_program_whole_or_streamed_with_credit() {
    let mut helper = Helper::open();
    helper.send(&ToRunner::Run(Command { input: Input::Body, ..command(1, exec("cat", &[])) }), b"whole");
    assert_eq!(helper.end(1).1, b"whole");
    helper.send(&ToRunner::Run(Command { input: Input::Stream, ..command(2, exec("cat", &[])) }), b"");
    helper.send(&ToRunner::Data { id: 2, last: false }, b"in ");
    helper.send(&ToRunner::Data { id: 2, last: true }, b"parts");
    assert_eq!(helper.end(2).1, b"in parts");
}

#[test]
fn input_beyond_the_credit_is_refused() {
    let mut helper = Helper::open();
    helper
        .send(&ToRunner::Run(Command { input: Input::Stream, ..command(1, exec("sleep", &["1000"])) }), b"");
    let piece = vec![0; 256 << 10];
    let mut refused = false;
    for _ in 0..8 {
        // The last ones may be refused for coming after the end.
        if helper.stdin.as_mut().is_some() {
            helper.raw(&encode(&ToRunner::Data { id: 1, last: false }, &piece, 1 << 20).expect("fits"));
        }
    }
    for _ in 0..12 {
        if let FromRunner::Error { id: Some(1), fault } = helper.next() {
            refused = fault.code == FaultCode::TooMany;
            break;
        }
    }
    assert!(refused);
}

#[test]
fn output_beyond_the_limit_is_counted_and_dropped() {
    let mut helper = Helper::open();
    let Op::Exec(mut chatty) = sh("head -c 100000 /dev/zero") else { unreachable!() };
    chatty.output_max = Some(1000);
    helper.run(1, Op::Exec(chatty));
    let (outcome, printed) = helper.end(1);
    assert_eq!(printed.len(), 1000);
    assert!(matches!(answer(outcome), Answer::Exec { stdout_bytes: 100_000, truncated: true, .. }));
}

#[test]
fn nothing_is_granted_that_was_not_listed() {
    let grants =
        Grants { exec: vec!["true".into(), "/bin/echo".into()], read: vec!["/etc".into()], write: vec![] };
    let mut helper = Helper::with(grants);
    assert!(matches!(helper.done(1, exec("true", &[])), Outcome::Ok(_)));
    assert!(matches!(helper.done(2, exec("/bin/echo", &["hello"])), Outcome::Ok(_)));
    for (id, program) in (3..).zip(["sh", "/bin/sh", "/usr/bin/true", "echo", "../bin/true", ""]) {
        assert_eq!(fault(helper.done(id, exec(program, &[]))), FaultCode::NotGranted, "{program}");
    }
    let stat = |path: &str| Op::Stat { path: path.into(), digest: false, follow: false };
    assert!(matches!(helper.done(20, stat("/etc/passwd")), Outcome::Ok(_)));
    assert_eq!(fault(helper.done(21, stat("/root"))), FaultCode::NotGranted);
    let remove = Op::Remove { path: "/etc/nothing-here".into(), recursive: false };
    assert_eq!(fault(helper.done(22, remove)), FaultCode::NotGranted);
}

#[test]
fn infrastructure_43_facts_come_in_one_command() {
    let mut helper = Helper::open();
    let Answer::Facts(facts) = answer(helper.done(1, Op::Facts { parts: vec![] })) else { panic!("facts") };
    assert!(facts.kernel.as_ref().is_some_and(|kernel| kernel.name == "Linux"), "{facts:?}");
    assert!(facts.cpu.as_ref().is_some_and(|cpu| cpu.count > 0));
    assert!(facts.memory.as_ref().is_some_and(|memory| memory.total > memory.available));
    assert!(facts.users.as_ref().is_some_and(|users| users.iter().any(|user| user.uid == 0)));
    assert!(facts.network.as_ref().is_some_and(|all| all.iter().any(|one| one.name == "lo")));
    assert!(facts.time.is_some() && facts.disks.is_some());
}
