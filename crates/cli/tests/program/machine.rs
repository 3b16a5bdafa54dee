//! A machine to onboard: this one's files below a layer that is thrown away, with processes, users, sudo and sshd of its own.
//!
//! Nothing is written outside of a private mount namespace, and everything in it ends with its first process.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::sshd::{keygen, skipped, text, tool};

/// A password that must be found nowhere.
pub const PASSWORD: &str = "canary-5f0c1e7a";

const NEEDED: [&str; 5] =
    ["/usr/sbin/sshd", "/usr/bin/sudo", "/usr/sbin/visudo", "/usr/sbin/useradd", "/usr/bin/unshare"];

pub struct Machine {
    pub dir: tempfile::TempDir,
    pub port: u16,
    child: Child,
    /// Its first process, as this machine numbers it.
    first: u32,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // all others of its own end with it
        crate::sshd::kill(self.first);
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What is done in the new layer before sshd starts.
const SETUP: &str = r#"
set -e
umask 022
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cd root
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p run/sshd etc/ssh/sshd_config.d
rm -f etc/ssh/sshd_config.d/* etc/ssh/ssh_host_* etc/sudoers.d/aedile-*
printf '%s\n' "$HOST_KEY" >etc/ssh/ssh_host_ed25519_key
chmod 600 etc/ssh/ssh_host_ed25519_key
printf 'Include /etc/ssh/sshd_config.d/*.conf\nPort %s\nListenAddress 127.0.0.1\nUsePAM no\nUseDNS no\nPermitRootLogin yes\nPasswordAuthentication yes\nMaxStartups 100\n' "$2" >etc/ssh/sshd_config
mkdir -p root/.ssh
chmod 700 root/.ssh
printf '%s\n' "$ROOT_KEY" >root/.ssh/authorized_keys
chmod 600 root/.ssh/authorized_keys
chroot . useradd --create-home --shell /bin/sh maria
printf 'maria ALL=(ALL) ALL\n' >etc/sudoers.d/maria
chmod 440 etc/sudoers.d/maria
grep -q includedir etc/sudoers || printf '@includedir /etc/sudoers.d\n' >>etc/sudoers
printf 'root:%s\nmaria:%s\n' "$PASSWORD" "$PASSWORD" | chroot . chpasswd
eval "$MORE"
shift 2
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /usr/sbin/sshd -D -e "$@"
"#;

impl Machine {
    pub fn start() -> Option<Self> {
        Self::with("", &[])
    }

    /// `more` is shell text that is run in the layer's root; `args` go to sshd. None, with the reason printed, where this
    /// machine cannot have one.
    pub fn with(more: &str, args: &[&str]) -> Option<Self> {
        if let Some(missing) = NEEDED.iter().find(|path| !Path::new(path).exists()) {
            skipped(&format!("{missing} is missing; scripts/test installs what is needed"));
            return None;
        }
        if crate::sshd::user() != "root" {
            skipped("only root can have a machine of its own");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("aedile-machine-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("layer")).unwrap();
        for key in ["host_key", "root_key"] {
            keygen(&dir.path().join(key), "ed25519");
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                "sh",
                "-c",
                SETUP,
                "sh",
            ])
            .arg(dir.path().join("layer"))
            .arg(port.to_string())
            .args(args)
            .env("HOST_KEY", read("host_key").trim_end())
            .env("ROOT_KEY", read("root_key.pub").trim_end())
            .env("PASSWORD", PASSWORD)
            .env("MORE", more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        for _ in 0..1000 {
            let first = children(child.id());
            if let ([first], Ok(_)) = (first.as_slice(), TcpStream::connect((Ipv4Addr::LOCALHOST, port))) {
                return Some(Self { dir, port, first: *first, child });
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let (_ended, _reaped) = (child.kill(), child.wait());
        let log = read("log");
        if log.contains("Operation not permitted") || log.contains("unknown filesystem type") {
            skipped(&format!("this machine lets nobody mount a layer of their own: {log}"));
            return None;
        }
        panic!("the machine does not start: {log}");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn fingerprint(&self) -> String {
        let line = tool("ssh-keygen", &["-lf", text(&self.path("host_key.pub"))]);
        line.split(' ').nth(1).unwrap().to_owned()
    }

    /// Runs a shell there, and answers what it printed. It must succeed.
    pub fn sh(&self, script: &str) -> String {
        let said = self.try_sh(script);
        assert_eq!(said.0, Some(0), "{script}: {said:?}");
        said.1
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.first.to_string(), "--mount", "--pid", "--root", "--wdns=/"])
            .args(["sh", "-c", script])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a shell there until it is killed.
    pub fn spawn(&self, script: &str) -> Child {
        self.shell(&format!("exec 2>/dev/null; {script}")).spawn().unwrap()
    }

    /// Runs a shell there, and answers what it printed with its exit code.
    pub fn try_sh(&self, script: &str) -> (Option<i32>, String) {
        let said = self.shell(script).output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.code(), String::from_utf8(text).unwrap().trim().to_owned())
    }

    /// Replaces a file there.
    pub fn write(&self, path: &str, content: &str) {
        let file = PathBuf::from(format!("/proc/{}/root{path}", self.first));
        std::fs::File::create(file).unwrap().write_all(content.as_bytes()).unwrap();
    }

    /// How the server would have somebody log in, as the system's own ssh is told.
    pub fn methods(&self, user: &str) -> String {
        let said = Command::new("ssh")
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o"])
            .args([
                "UserKnownHostsFile=/dev/null",
                "-o",
                "PreferredAuthentications=none",
                "-o",
                "IdentityAgent=none",
            ])
            .args(["-p", &self.port.to_string(), &format!("{user}@127.0.0.1"), "true"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        text.rsplit_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .map(|(it, _)| it.to_owned())
            .unwrap_or(text)
    }
}

fn children(of: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
