//! Work on real hosts: programs, files, the upload, and what goes wrong.

mod support;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use remote::{Content, Event, Remote, RemoteError, Request, Start, Sudo, Target as _, Transport};
use runner::protocol::{Answer, Attributes, Effect, Ended, Exec, FaultCode, Grants, Op, Outcome, Write};
use support::{Sshd, kill, printed, runner, sh, started, text, tool};

fn cached(sshd: &Sshd) -> PathBuf {
    sshd.path("home/.cache/aedile").join(format!("runner-{}", runner().sha256()))
}

fn write(path: &Path) -> Op {
    Op::Write(Write {
        path: text(path).to_owned(),
        attributes: Attributes::default(),
        backup: false,
        parents: false,
        sha256: None,
        replaces: None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_is_uploaded_once_into_a_private_place_and_verified_every_time() {
    let Some(sshd) = Sshd::start("") else { return };
    let remote = sshd.remote();
    let session = remote.open(Grants::everything()).await.expect("it opens");
    let reply = session.run(sh("echo out; echo err >&2; exit 3")).await.expect("it runs");
    assert_eq!((printed(&reply).as_str(), reply.stderr.as_slice()), ("out", b"err\n".as_slice()));
    assert!(matches!(reply.answer, Answer::Exec { ended: Ended::Exited(3), .. }));
    assert_eq!(session.close().await.map(|farewell| farewell.commands_total), Some(1));
    let file = cached(&sshd);
    let inode = file.metadata().expect("there").ino();
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().expect("has one"))), (0o700, 0o700));
    remote.open(Grants::everything()).await.expect("again").close().await;
    assert_eq!(file.metadata().expect("there").ino(), inode, "not uploaded again");
    // It may still be on its way out, and what runs cannot be written to.
    std::fs::remove_file(&file).expect("removed");
    let ran = sshd.path("ran");
    std::fs::write(&file, format!("#!/bin/sh\ntouch {}\n", ran.display())).expect("tampered with");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).expect("set");
    remote.open(Grants::everything()).await.expect("uploaded again").close().await;
    assert!(!ran.exists(), "what was tampered with did not run");
    assert!(file.metadata().expect("there").len() > 1000, "and was replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_runner_leaves_nothing() {
    let Some(sshd) = Sshd::start("") else { return };
    let start = Start { ephemeral: true, ..Start::default() };
    let session = started(sshd.host(), start).open(Grants::everything()).await.expect("it opens");
    let place = printed(&session.run(sh("readlink /proc/$PPID/exe")).await.expect("it runs"));
    assert!(place.starts_with("/tmp/.aedile-"), "{place}");
    assert!(session.close().await.is_some_and(|farewell| farewell.self_deleted));
    assert!(!Path::new(&place).parent().expect("has one").exists() && !cached(&sshd).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_files_are_looked_at_in_one_round_trip() {
    let Some(sshd) = Sshd::start("") else { return };
    let session = sshd.remote().open(Grants::everything()).await.expect("it opens");
    let requests = (0..500).map(|n| {
        let path = if n % 2 == 0 { "/etc/passwd".to_owned() } else { format!("/etc/absent-{n}") };
        Request::new(Op::Stat { path, digest: true, follow: false }, Duration::from_secs(30))
    });
    let replies = session.batch(requests.collect()).await.expect("sent");
    assert_eq!(replies.len(), 500);
    for (n, reply) in replies.into_iter().enumerate() {
        let Answer::Stat { file } = reply.expect("looked at").answer else { panic!("a stat") };
        assert_eq!(file.is_some(), n % 2 == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_while_a_command_runs_is_said_and_the_next_session_works() {
    let Some(sshd) = Sshd::start("") else { return };
    let remote = sshd.remote();
    let session = remote.open(Grants::everything()).await.expect("it opens");
    let mut running = session.start(sh("echo $$; sleep 1000")).await.expect("it starts");
    let Some(Event::Output(_, pid)) = running.next().await else { panic!("it prints") };
    let pid = String::from_utf8(pid.to_vec()).expect("digits").trim().to_owned();
    sshd.connections().into_iter().for_each(kill);
    assert!(matches!(running.end().await, Err(RemoteError::Cut { .. })));
    assert!(session.is_closed());
    while Path::new("/proc").join(&pid).exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let session = remote.open(Grants::everything()).await.expect("a new connection");
    assert_eq!(printed(&session.run(sh("echo back")).await.expect("it runs")), "back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_repeated_is_and_what_has_effect_once_is_not() {
    let Some(sshd) = Sshd::start("") else { return };
    let log = sshd.path("attempts");
    // The runner is killed the first time, from within; its parent is that shell's parent.
    let script = format!("echo x >> {0}; [ $(wc -l < {0}) -gt 1 ] || kill -9 $PPID", log.display());
    for (effect, attempts) in [(Effect::Idempotent, 2), (Effect::Once, 1)] {
        std::fs::write(&log, "").expect("emptied");
        let Op::Exec(exec) = sh(&script).op else { unreachable!() };
        let request = Request::new(Op::Exec(Exec { effect, ..exec }), Duration::from_secs(30));
        let outcome = sshd.remote().run(&Grants::everything(), &request).await;
        assert_eq!(outcome.is_ok(), effect == Effect::Idempotent, "{outcome:?}");
        assert_eq!(std::fs::read_to_string(&log).expect("written").lines().count(), attempts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_that_is_over_ends_the_session() {
    let Some(sshd) = Sshd::start("") else { return };
    let start = Start { lifetime: Duration::from_secs(2), ..Start::default() };
    let session = started(sshd.host(), start).open(Grants::everything()).await.expect("it opens");
    match session.run(sh("sleep 1000")).await {
        Err(RemoteError::Command { fault, .. }) => assert_eq!(fault.code, FaultCode::Cancelled),
        Err(RemoteError::Cut { .. }) => {}
        other => panic!("{other:?}"),
    }
    while !session.is_closed() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_streamed_both_ways_in_little_memory() {
    const PIECES: usize = 200;
    let Some(sshd) = Sshd::start("") else { return };
    let session = sshd.remote().open(Grants::everything()).await.expect("it opens");
    let path = sshd.path("large");
    let request = Request { content: Content::Stream, ..Request::new(write(&path), Duration::from_mins(5)) };
    let running = session.start(request).await.expect("it starts");
    let piece = vec![7; 1 << 20];
    for _ in 0..PIECES {
        running.send(&piece).await.expect("sent");
    }
    running.finish().await.expect("sent");
    let wanted = (PIECES * piece.len()) as u64;
    let Answer::Written { bytes, sha256, .. } = running.end().await.expect("written").answer else {
        panic!("written")
    };
    assert_eq!((bytes, path.metadata().expect("there").len()), (wanted, wanted));
    let read = Op::Read { path: text(&path).to_owned(), offset: 0, length: None, follow: false };
    let mut running = session.start(Request::new(read, Duration::from_mins(5))).await.expect("it starts");
    let mut received = 0;
    loop {
        match running.next().await {
            Some(Event::Output(_, bytes)) => received += bytes.len() as u64,
            Some(Event::Done { outcome: Outcome::Ok(Answer::Read { sha256: read, .. }), .. }) => {
                assert_eq!(read, sha256);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received, wanted);
    let status = std::fs::read_to_string(format!("/proc/{}/status", session.ready().pid)).expect("alive");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("there");
    let peak: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("digits");
    assert!(peak < 48 << 10, "the runner had {peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_any_program_for_digests_works_too() {
    let Some(sshd) = Sshd::start("SetEnv HOME=@ PATH=@/bin") else { return };
    sshd.programs(&["sh", "uname", "mkdir", "chmod", "mv", "cat", "rm"]);
    for _ in 0..2 {
        let session = sshd.remote().open(Grants::everything()).await.expect("it opens");
        assert_eq!(printed(&session.run(sh("echo hello")).await.expect("it runs")), "hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_architecture_is_an_error_that_names_it() {
    let Some(sshd) = Sshd::start("SetEnv HOME=@ PATH=@/bin") else { return };
    sshd.programs(&["sh", "mkdir", "chmod", "mv", "cat", "rm"]);
    sshd.script("uname", "echo riscv64");
    match sshd.remote().open(Grants::everything()).await {
        Err(RemoteError::NoRunner { arch, .. }) => assert_eq!(arch, "riscv64"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}

/// The file for the other architecture is brought, verified and started; that this machine cannot run it is the end of the test.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_another_architecture_gets_the_runner_that_was_built_for_it() {
    let Some(sshd) = Sshd::start("SetEnv HOME=@ PATH=@/bin:/usr/bin:/bin") else { return };
    let own = runner();
    let built = std::env::current_exe().expect("a path");
    let built = built.parent().and_then(Path::parent).expect("target/debug").join("aedile-runner");
    let mut bytes = std::fs::read(built).expect("just built");
    // the machine in the header of an ELF file is aarch64 then, see elf(5)
    bytes[18..20].copy_from_slice(&183_u16.to_le_bytes());
    let other = sshd.path("aedile-runner-aarch64");
    std::fs::write(&other, &bytes).expect("written");
    let sha256 = tool("sha256sum", &[text(&other)]);
    let cached = |sha256: &str| sshd.path("home/.cache/aedile").join(format!("runner-{sha256}")).exists();
    let both = own.clone().and(&other).expect("it is for another architecture");
    let remote = |runner| Remote::new(sshd.host(), Transport::BuiltIn, runner, Start::default());
    let session = remote(both.clone()).open(Grants::everything()).await.expect("it opens");
    session.close().await;
    assert!(cached(own.sha256()) && !cached(&sha256[..64]), "what fits goes first");
    sshd.script("uname", "echo aarch64");
    let opened = remote(both).open(Grants::everything()).await;
    assert!(matches!(opened, Err(RemoteError::Upload { .. })), "this machine is of no other architecture");
    assert!(cached(&sha256[..64]));
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_gets_its_password_only_when_it_asks_and_says_no_clearly() {
    let Some(sshd) = Sshd::start("SetEnv HOME=@ PATH=@/bin:/usr/bin:/bin") else { return };
    let with = |sudo: Sudo| started(sshd.host(), Start { sudo, ..Start::default() });
    let opens = async |sudo: Sudo| match with(sudo).open(Grants::everything()).await {
        Ok(session) => {
            let args =
                printed(&session.run(sh("tr '\\0' ' ' < /proc/$PPID/cmdline")).await.expect("it runs"));
            assert!(!args.contains("sesame"), "{args}");
            Ok(())
        }
        Err(RemoteError::SudoRefused { why, .. }) => Err(why),
        Err(other) => panic!("{other}"),
    };
    let password = |text: &str| Sudo::Password(text.to_owned().into());
    // Stands for sudo: asks with the given prompt, three times at most, as sudo does.
    let asking = r#"[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }
prompt=$3; shift 4
for try in 1 2 3; do printf "%s" "$prompt" >&2; read -r given; [ "$given" = sesame ] && exec "$@"; done; exit 1"#;
    sshd.script("sudo", asking);
    assert_eq!(opens(password("sesame")).await, Ok(()));
    assert!(opens(password("wrong")).await.is_err_and(|why| why.contains("wrong")));
    assert!(opens(Sudo::WithoutPassword).await.is_err_and(|why| why.contains("password is required")));
    // One that does not ask: the password must not end up in the protocol.
    sshd.script("sudo", r#"while [ "$1" != -- ]; do shift; done; shift; exec "$@""#);
    assert_eq!(opens(password("sesame")).await, Ok(()));
    assert_eq!(opens(Sudo::WithoutPassword).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_read_only_file_system_are_told_apart_and_leave_nothing() {
    let Some(sshd) = Sshd::start("") else { return };
    let small = sshd.path("small");
    std::fs::create_dir(&small).expect("made");
    let mount = |options: &str| {
        std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs", text(&small)])
            .status()
    };
    if !mount("size=512k").is_ok_and(|status| status.success()) {
        support::skipped("this user cannot mount a small file system");
        return;
    }
    let session = sshd.remote().open(Grants::everything()).await.expect("it opens");
    let attempt = async || {
        let content = Content::Bytes(vec![1; 1 << 20]);
        let request =
            Request { content, ..Request::new(write(&small.join("file")), Duration::from_secs(30)) };
        match session.run(request).await {
            Err(RemoteError::Command { fault, .. }) => fault.code,
            other => panic!("{other:?}"),
        }
    };
    let full = attempt().await;
    let left = std::fs::read_dir(&small).expect("listed").count();
    support::tool("umount", &[text(&small)]);
    assert!(mount("ro").is_ok_and(|status| status.success()));
    let read_only = attempt().await;
    support::tool("umount", &[text(&small)]);
    assert_eq!((full, left, read_only), (FaultCode::NoSpace, 0, FaultCode::ReadOnly));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_ssh_carries_the_same_sessions() {
    let Some(sshd) = Sshd::start("") else { return };
    let remote = Remote::new(sshd.host(), Transport::System, runner(), Start::default());
    let session = remote.open(Grants::everything()).await.expect("it opens");
    assert_eq!(printed(&session.run(sh("echo hello")).await.expect("it runs")), "hello");
    assert!(session.close().await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_one_host_share_its_connection() {
    let Some(sshd) = Sshd::start("") else { return };
    let remote = sshd.remote();
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(remote.open(Grants::everything()).await.expect("it opens"));
    }
    let replies =
        futures_util::future::join_all(sessions.iter().map(|session| session.run(sh("echo $PPID")))).await;
    let pids: std::collections::BTreeSet<String> =
        replies.iter().map(|reply| printed(reply.as_ref().expect("it runs"))).collect();
    assert_eq!((pids.len(), sshd.connections().len()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_was_started_ahead_is_the_next_session_s_or_ends() {
    let Some(sshd) = Sshd::start("") else { return };
    let remote = std::sync::Arc::new(sshd.remote());
    let file = cached(&sshd);
    let running = || -> Vec<u32> {
        let processes = std::fs::read_dir("/proc").expect("it is there").flatten();
        let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == file))
            .collect()
    };
    remote.prepare();
    remote.prepare();
    // it is waited for
    let session = remote.open(Grants::everything()).await.expect("it opens");
    let ahead = session.ready().pid;
    assert_eq!(running(), [ahead], "one is started");
    assert_eq!(printed(&session.run(sh("echo hello")).await.expect("it runs")), "hello");
    // the grants are those of the session, and the next session has a runner of its own
    let looking = remote.open(Grants::default()).await.expect("another");
    assert_ne!(looking.ready().pid, ahead);
    assert!(looking.run(sh("echo hello")).await.is_err());
    drop((session, looking));

    // one that died meanwhile is not used
    gone_but(0, &running).await;
    remote.prepare();
    let ahead = gone_but(1, &running).await[0];
    kill(ahead);
    while running().contains(&ahead) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // that it is gone is known once the connection says so, and what only looks is repeated
    let look = Op::Stat { path: text(&file).to_owned(), digest: false, follow: false };
    let reply = remote.run(&Grants::everything(), &Request::new(look, Duration::from_secs(30))).await;
    assert!(matches!(reply.expect("it looks").answer, Answer::Stat { file: Some(_) }));

    // one that nobody needs ends
    gone_but(0, &running).await;
    remote.prepare();
    gone_but(1, &running).await;
    let since = std::time::Instant::now();
    while !running().is_empty() {
        assert!(since.elapsed() < remote::limits::SPARE * 6, "it waits for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The processes that there are once there are so many.
async fn gone_but(count: usize, running: &impl Fn() -> Vec<u32>) -> Vec<u32> {
    for _ in 0..1_000 {
        let now = running();
        if now.len() == count {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} are there", running())
}
