//! The system itself: its image, its start, and a way into it that is the test's own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::accelerator::{ASKED, Accelerator, accelerator};
use crate::machine::PASSWORD;
use crate::sshd::{runner, skipped, text, tool};
use crate::terminal::{Said, Terminal};

const QEMU: &str = "/usr/bin/qemu-system-x86_64";
/// Programs without which there is none, and what brings them.
const NEEDED: [(&str, &str); 4] = [
    (QEMU, "qemu-system-x86"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/sbin/mke2fs", "e2fsprogs"),
    ("/usr/bin/setpriv", "util-linux"),
];

/// A running guest, which ends with this.
pub struct Guest {
    /// What only this guest has.
    dir: tempfile::TempDir,
    /// The image all guests have, with the keys.
    image: PathBuf,
    pub port: u16,
    qemu: Child,
    /// The connection that the test's own commands share.
    shared: Option<Child>,
    patience: Duration,
}

impl Drop for Guest {
    fn drop(&mut self) {
        for child in self.shared.iter_mut().chain([&mut self.qemu]) {
            let (_ended, _reaped) = (child.kill(), child.wait());
        }
    }
}

impl Guest {
    /// None, with the reason printed, where this machine cannot have one.
    pub fn start() -> Option<Self> {
        match Self::possible() {
            Ok((accelerator, image)) => Some(Self::boot(accelerator, image)),
            Err(why) => {
                assert!(std::env::var_os(ASKED).is_none(), "{why}");
                skipped(&why);
                None
            }
        }
    }

    fn possible() -> Result<(Accelerator, PathBuf), String> {
        let accelerator = accelerator()?;
        if let Some((program, package)) = NEEDED.iter().find(|(program, _)| !Path::new(program).exists()) {
            return Err(format!("{program} is missing; apt-get install {package} brings it"));
        }
        if crate::sshd::user() != "root" {
            return Err("only root can make the guest's image".to_owned());
        }
        let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        if !system.lines().any(|line| line == "ID=debian") {
            return Err("the runner that is built here needs this system's C library, and the guest has \
                        Debian's: this is no Debian"
                .to_owned());
        }
        let own = std::env::current_exe().unwrap();
        let image = own.ancestors().nth(3).unwrap().join("guest");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/guest-image");
        let made = Command::new(script).arg(&image).stdin(Stdio::null()).output().unwrap();
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(format!("scripts/guest-image could not make the image: {}", said.trim()));
        }
        Ok((accelerator, image))
    }

    fn boot(accelerator: Accelerator, image: PathBuf) -> Self {
        let dir = tempfile::Builder::new().prefix("aedile-guest-").tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let host_key = std::fs::read_to_string(image.join("key-of-host.pub")).unwrap();
        std::fs::write(dir.path().join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let (cpu, minutes) = match accelerator {
            Accelerator::Kvm => (["-accel", "kvm", "-cpu", "host"], 3),
            Accelerator::Emulation => (["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max"], 10),
        };
        let image_file = |name: &str| text(&image.join(name)).to_owned();
        let qemu = Command::new("setpriv")
            // it ends with the test, however that ends
            .args(["--pdeathsig", "KILL", "nice", "-n", "5", QEMU, "-M", "q35"])
            .args(cpu)
            .args(["-m", "1024", "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-kernel", &image_file("kernel"), "-initrd", &image_file("initrd"), "-append"])
            .arg("root=/dev/vda rw console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off")
            .arg("-drive")
            // what is written is in a file without a name, which is there as long as QEMU is
            .arg(format!("id=disk,file={},if=none,format=raw,cache=unsafe,snapshot=on", image_file("disk")))
            .args(["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"])
            .args(["-device", "virtio-net-pci,netdev=net,romfile=", "-netdev"])
            // it reaches nobody, and is reached from here only
            .arg(format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"))
            .arg("-serial")
            .arg(format!("file:{}", text(&dir.path().join("console"))))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let patience = Duration::from_mins(minutes);
        let mut guest = Self { dir, image, port, qemu, shared: None, patience };
        guest.answers("");
        guest.sh(&format!("echo 'maria:{PASSWORD}' | chpasswd"));
        guest
    }

    /// Waits until it lets us in, and is not the boot that it was.
    fn answers(&mut self, boot: &str) {
        if let Some(mut shared) = self.shared.take() {
            let (_ended, _reaped) = (shared.kill(), shared.wait());
        }
        // a socket that nobody listens to any more; there may be none
        let _gone = std::fs::remove_file(self.path("shared"));
        let since = Instant::now();
        loop {
            let (exit, said) =
                self.try_sh("systemctl is-system-running --wait; cat /proc/sys/kernel/random/boot_id");
            if exit == Some(0) && said.lines().last() != Some(boot) {
                break;
            }
            let ended = self.qemu.try_wait().unwrap();
            let log = ["log", "console"].map(|name| std::fs::read_to_string(self.path(name)));
            assert!(ended.is_none(), "the guest is gone: {log:?}");
            assert!(since.elapsed() < self.patience, "the guest does not answer: {said}: {log:?}");
            std::thread::sleep(Duration::from_millis(300));
        }
        let mut shared = self.ssh();
        let shared = shared.args(["-M", "-N"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.shared = Some(shared);
        while !self.path("shared").exists() && since.elapsed() < self.patience {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn boot_id(&self) -> String {
        self.sh("cat /proc/sys/kernel/random/boot_id")
    }

    /// Starts it again in an orderly way, as a person would, and does not wait for it.
    pub fn reboot(&self) {
        // the connection may end before the answer is there
        let _said = self.try_sh("systemctl reboot");
    }

    /// Waits until another boot than `boot` has come up.
    pub fn is_back(&mut self, boot: &str) {
        self.answers(boot);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Root's key.
    pub fn key(&self) -> String {
        text(&self.image.join("key")).to_owned()
    }

    pub fn fingerprint(&self) -> String {
        let line = tool("ssh-keygen", &["-lf", text(&self.image.join("key-of-host.pub"))]);
        line.split(' ').nth(1).unwrap().to_owned()
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(["-F", "none", "-i", &self.key(), "-p", &self.port.to_string()])
            .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=5"])
            .args(["-o", &format!("UserKnownHostsFile={}", text(&self.path("known_hosts")))])
            .args(["-S", text(&self.path("shared")), "root@127.0.0.1"])
            .stdin(Stdio::null());
        command
    }

    /// Runs a shell there as root, and answers what it printed. It must succeed.
    pub fn sh(&self, script: &str) -> String {
        let (exit, said) = self.try_sh(script);
        assert_eq!(exit, Some(0), "{script}: {said}");
        said
    }

    /// Runs a shell there as root, and answers what it printed with its exit code; 255 is ssh's own.
    pub fn try_sh(&self, script: &str) -> (Option<i32>, String) {
        let said = self.ssh().arg(script).output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.code(), String::from_utf8_lossy(&text).trim().to_owned())
    }
}

/// A project, and the guest that is its one host.
pub struct Estate {
    pub guest: Guest,
    pub terminal: Terminal,
    runner: PathBuf,
}

impl Estate {
    /// One that does not know its host yet.
    pub fn unknown() -> Option<Self> {
        let guest = Guest::start()?;
        drop(runner());
        let own = std::env::current_exe().unwrap();
        let built = own.ancestors().nth(2).unwrap().join("aedile-runner");
        let runner = guest.path("aedile-runner");
        // what only a debugger needs is most of it, and takes long to send where the guest is slow
        tool("strip", &["-o", text(&runner), text(&built)]);
        let terminal = Terminal::project();
        terminal.write(
            "policy/policy.yaml",
            "default: allow\ngrants:\n  - match: {action: resource.*}\n    capabilities: [\"write:*\", \"exec:*\", \"query:*\"]\n",
        );
        Some(Self { guest, terminal, runner })
    }

    /// One that works there as root.
    pub fn known() -> Option<Self> {
        let estate = Self::unknown()?;
        let guest = &estate.guest;
        estate.terminal.write(
            "infrastructure/hosts.cue",
            &format!(
                "package site\n\nhosts: \"web-1\": {{address: \"127.0.0.1\", port: {}, user: \"root\", key: \"{}\", host_key: \
                 \"{}\"}}\n",
                guest.port,
                guest.key(),
                guest.fingerprint()
            ),
        );
        Some(estate)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.terminal.command(args);
        command.env("AEDILE_RUNNER", &self.runner);
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    pub fn declare(&self, resources: &str) {
        self.terminal.write("infrastructure/site.cue", &format!("package site\n\n{resources}"));
    }

    pub fn apply(&self) -> Said {
        self.run(&["apply", "--yes", "--timeout", "1200s"])
    }

    /// Nothing is left to do.
    #[track_caller]
    pub fn is_settled(&self) {
        let said = self.run(&["plan", "--detailed-exit-code"]);
        assert_eq!(said.exit, Some(0), "{said:?}");
    }

    /// Does what a message says comes next, word for word.
    #[track_caller]
    pub fn as_told(&self, said: &Said, label: &str) -> Said {
        let label = format!("{label}: aedile ");
        let line = said.stderr.lines().find_map(|line| line.strip_prefix(&label));
        let command = line.unwrap_or_else(|| panic!("no {label}: {said:?}"));
        // what follows two blanks says what the command does
        let words: Vec<&str> = command.split("  ").next().unwrap().split(' ').collect();
        self.run(&words)
    }
}
