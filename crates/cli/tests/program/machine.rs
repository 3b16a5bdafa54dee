//! A machine to onboard: this one's files below a layer that is thrown away, with processes, users, sudo and sshd of its own.
//!
//! What is written is below a temporary directory, mounts are in a namespace of their own, and everything ends with the
//! machine's first process.

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
    boot: Boot,
    child: Child,
    /// Its first process, as this machine numbers it.
    first: u32,
}

/// How it is started, each time.
struct Boot {
    port: u16,
    /// Shell text for the root of a new layer.
    more: String,
    /// Arguments of sshd.
    args: Vec<String>,
    /// What systemd has for its processes, where it is the first of them.
    cgroup: Option<PathBuf>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
        if let Some(cgroup) = &self.boot.cgroup {
            // what is left of it is empty
            let _gone = std::fs::remove_dir(cgroup);
        }
    }
}

/// Where cgroups of version 2 are, if they can be made.
fn cgroups() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let at = PathBuf::from(fields.find(|fields| fields.get(2) == Some(&"cgroup2"))?[1]);
    let probe = at.join(format!("aedile-probe-{}", std::process::id()));
    std::fs::create_dir(&probe).and_then(|()| std::fs::remove_dir(&probe)).ok()?;
    Some(at)
}

/// What is done in the new layer before sshd starts. A layer that was used before is gone on with: the machine starts again.
const SETUP: &str = r#"
set -e
umask 022
cd "$1"
mkdir -p root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cd root
mount -t proc proc proc
if [ -n "$SYSTEMD" ]; then
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs dev
    for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
else
    mount --rbind /dev dev
fi
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
if [ -e etc/aedile-machine ]; then
    mkdir -p run/sshd
    eval "$START"
fi
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
touch etc/aedile-machine
eval "$START"
"#;

/// Goes on as the machine's SSH server, the arguments from the third on being its own.
const SSHD: &str =
    r#"shift 2; exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /usr/sbin/sshd -D -e "$@""#;

/// Goes on as systemd, which starts the SSH server and nothing else that this machine would.
const SYSTEMD: &str = r"
if [ ! -e etc/systemd/system/machine.target ]; then
    rm -rf etc/systemd/system/*
    : >etc/fstab
    printf '[Unit]\nRequires=basic.target server.service\nWants=dbus.socket\nAfter=basic.target\nAllowIsolate=yes\n' >etc/systemd/system/machine.target
    printf '[Service]\nRuntimeDirectory=sshd\nExecStart=/usr/sbin/sshd -D -e\n' >etc/systemd/system/server.service
fi
pivot_root . mnt
umount -l /mnt
cd /
exec env -i container=layer PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=no --unit=machine.target
";

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
        for layer in ["layer", "layer/up", "layer/work"] {
            std::fs::create_dir(dir.path().join(layer)).unwrap();
        }
        for key in ["host_key", "root_key"] {
            keygen(&dir.path().join(key), "ed25519");
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let begun = Boot { port, more: more.to_owned(), args, cgroup: None };
        Self::boot(dir, begun)
    }

    /// One whose first process is systemd.
    pub fn with_systemd(more: &str) -> Option<Self> {
        let systemd = Path::new("/lib/systemd/systemd");
        if !systemd.exists() {
            skipped("systemd is missing; scripts/test installs what is needed");
            return None;
        }
        let Some(root) = cgroups() else {
            skipped("this machine has no cgroups of version 2 that can be written");
            return None;
        };
        let mut machine = Self::with(more, &[])?;
        let cgroup = root.join(format!("aedile-machine-{}", machine.port));
        std::fs::create_dir(&cgroup).unwrap();
        machine.boot.cgroup = Some(cgroup);
        machine.restart();
        Some(machine)
    }

    /// Takes its power away, and starts it again with the files it had.
    pub fn restart(&mut self) {
        self.stop();
        let (child, first) = Self::start_in(self.dir.path(), &self.boot).expect("it started before");
        (self.child, self.first) = (child, first);
    }

    /// Takes its power away.
    pub fn stop(&mut self) {
        // all others of its own end with it
        crate::sshd::kill(self.first);
        let (_ended, _reaped) = (self.child.kill(), self.child.wait());
        if let Some(cgroup) = self.boot.cgroup.as_ref().filter(|it| it.exists()) {
            for _ in 0..500 {
                let events = std::fs::read_to_string(cgroup.join("cgroup.events")).unwrap_or_default();
                if !events.contains("populated 1") {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            // what systemd made below it, the deepest first
            let find = ["-depth", "-mindepth", "1", "-type", "d", "-exec", "rmdir", "{}", ";"];
            let _left = Command::new("find").arg(cgroup).args(find).output();
        }
    }

    fn boot(dir: tempfile::TempDir, boot: Boot) -> Option<Self> {
        match Self::start_in(dir.path(), &boot) {
            Ok((child, first)) => Some(Self { dir, port: boot.port, boot, child, first }),
            Err(log)
                if log.contains("Operation not permitted") || log.contains("unknown filesystem type") =>
            {
                skipped(&format!("this machine lets nobody mount a layer of their own: {log}"));
                None
            }
            Err(log) => panic!("the machine does not start: {log}"),
        }
    }

    /// The process that holds it, and its first process; or what it said.
    fn start_in(dir: &Path, boot: &Boot) -> Result<(Child, u32), String> {
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let systemd = boot.cgroup.is_some();
        let (join, cgroup) = match &boot.cgroup {
            Some(cgroup) => ("echo $$ >\"$CGROUP/cgroup.procs\"; exec \"$@\"", text(cgroup)),
            None => ("exec \"$@\"", ""),
        };
        let mut child = Command::new("sh")
            .args([
                "-c",
                join,
                "sh",
                "unshare",
                "--mount",
                "--pid",
                "--uts",
                "--ipc",
                "--fork",
                "--kill-child",
            ])
            .args(if systemd { &["--cgroup"][..] } else { &[] })
            .args(["--propagation", "private", "sh", "-c", SETUP, "sh"])
            .arg(dir.join("layer"))
            .arg(boot.port.to_string())
            .args(&boot.args)
            .env("CGROUP", cgroup)
            .env("HOST_KEY", read("host_key").trim_end())
            .env("ROOT_KEY", read("root_key.pub").trim_end())
            .env("PASSWORD", PASSWORD)
            .env("MORE", &boot.more)
            .env("SYSTEMD", if systemd { "yes" } else { "" })
            .env("START", if systemd { SYSTEMD } else { SSHD })
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        for _ in 0..1000 {
            let first = children(child.id());
            if let ([first], Ok(_)) = (first.as_slice(), TcpStream::connect((Ipv4Addr::LOCALHOST, boot.port)))
            {
                return Ok((child, *first));
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let (_ended, _reaped) = (child.kill(), child.wait());
        Err(read("log"))
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
