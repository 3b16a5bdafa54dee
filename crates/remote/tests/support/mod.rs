//! Real OpenSSH servers on loopback, each with its own keys, configuration and home.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stderr,
    reason = "each test file uses its part; a skipped test says why"
)]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use remote::{Credential, Host, NewKeys, Remote, Reply, Request, Runner, Start, Transport};
use runner::protocol::{Effect, Exec, Op};

const SSHD: &str = "/usr/sbin/sshd";

pub struct Sshd {
    pub dir: tempfile::TempDir,
    pub port: u16,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for pid in self.connections() {
            kill(pid);
        }
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Says why a test did not do what its name says.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Runs a program that must succeed.
pub fn tool(program: &str, args: &[&str]) -> String {
    let said = Command::new(program).args(args).stdin(Stdio::null()).output().expect("it starts");
    assert!(said.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("text").trim().to_owned()
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a test's own path")
}

pub fn kill(pid: u32) {
    // It may have ended by itself.
    let _gone = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}

pub fn keygen(file: &Path, kind: &str) {
    tool("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", text(file)]);
}

pub fn runner() -> Runner {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    tool(&cargo, &["build", "--quiet", "--offline", "-p", "runner", "--bin", "aedile-runner"]);
    let own = std::env::current_exe().expect("a path");
    let built = own.parent().and_then(Path::parent).expect("target/debug").join("aedile-runner");
    Runner::load(&built).expect("just built")
}

impl Sshd {
    /// None, with the reason printed, where there is no sshd.
    pub fn start(extra: &str) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            skipped("sshd is missing; scripts/test installs it");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let base = dir.path().to_owned();
        keygen(&base.join("host_key"), "ed25519");
        keygen(&base.join("user_key"), "ed25519");
        std::fs::copy(base.join("user_key.pub"), base.join("authorized_keys")).expect("copied");
        std::fs::create_dir(base.join("home")).expect("made");
        if user() == "root" {
            // Where sshd wants its empty directory when it is started by root.
            std::fs::create_dir_all("/run/sshd").expect("made");
        }
        for _ in 0..20 {
            let port = free_port();
            let config = base.join("sshd_config");
            let at = text(&base);
            let lines = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
                 PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nUseDNS no\nMaxStartups 100\n\
                 MaxSessions 100\nPermitRootLogin yes\n{}\n",
                if extra.contains("SetEnv") {
                    extra.replace("HOME=@", &format!("HOME={at}/home")).replace('@', at)
                } else {
                    format!("SetEnv HOME={at}/home\n{}", extra.replace('@', at))
                }
            );
            std::fs::write(&config, lines).expect("written");
            let log = std::fs::File::create(base.join("log")).expect("created");
            let mut child = Command::new(SSHD)
                .args(["-D", "-e", "-f", text(&config)])
                .stdin(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("it starts");
            for _ in 0..500 {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Some(Self { dir, port, child });
                }
                if child.try_wait().expect("waited").is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ended = child.kill();
            let _reaped = child.wait();
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(base.join("log")).unwrap_or_default());
    }

    /// Everything of the server is in here.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The server's processes, one or two for each connection.
    pub fn connections(&self) -> Vec<u32> {
        children(self.child.id())
    }

    pub fn write_known_hosts(&self, key: &Path) {
        let key = std::fs::read_to_string(key).expect("there");
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        std::fs::write(self.path("known_hosts"), line).expect("written");
    }

    /// This server with the right key on both sides.
    pub fn host(&self) -> Host {
        self.write_known_hosts(&self.path("host_key.pub"));
        Host {
            port: self.port,
            credentials: vec![Credential::Key(self.path("user_key"))],
            known_hosts: vec![self.path("known_hosts")],
            new_keys: NewKeys::Refuse,
            ..Host::new("127.0.0.1", &user())
        }
    }

    pub fn remote(&self) -> Remote {
        remote(self.host())
    }

    /// A directory of programs for `SetEnv PATH=@/bin`.
    pub fn script(&self, name: &str, body: &str) {
        let bin = self.path("bin");
        std::fs::create_dir_all(&bin).expect("made");
        std::fs::write(bin.join(name), format!("#!/bin/sh\n{body}\n")).expect("written");
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).expect("set");
    }

    pub fn programs(&self, names: &[&str]) {
        let bin = self.path("bin");
        std::fs::create_dir_all(&bin).expect("made");
        for name in names {
            let real = tool("sh", &["-c", &format!("command -v {name}")]);
            std::os::unix::fs::symlink(real, bin.join(name)).expect("linked");
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}

fn children(of: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").expect("listed").filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (parent == of).then_some(pid)
    });
    pids.collect()
}

pub fn user() -> String {
    tool("id", &["-un"])
}

pub fn remote(host: Host) -> Remote {
    Remote::new(host, Transport::BuiltIn, runner(), Start::default())
}

pub fn started(host: Host, start: Start) -> Remote {
    Remote::new(host, Transport::BuiltIn, runner(), start)
}

pub fn sh(script: &str) -> Request {
    let exec = Exec {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: [].into(),
        cwd: None,
        output_max: None,
        effect: Effect::Once,
    };
    Request::new(Op::Exec(exec), Duration::from_mins(1))
}

pub fn printed(reply: &Reply) -> String {
    String::from_utf8(reply.stdout.clone()).expect("text").trim().to_owned()
}
