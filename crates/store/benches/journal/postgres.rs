//! A PostgreSQL server of our own, and `pgbench` against it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; stopped when dropped.
pub struct Server {
    programs: PathBuf,
    directory: PathBuf,
    child: Child,
    user: Option<(u32, u32)>,
}

/// Where Debian and others put the server's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<_> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found
        .retain(|path| ["postgres", "initdb", "pgbench", "psql"].iter().all(|name| path.join(name).exists()));
    found.sort();
    found.pop()
}

/// The server refuses to run as root; then it runs as the user the package made for it.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

impl Server {
    /// Starts a server below a directory, if it is installed.
    pub fn start(directory: &Path) -> Option<Self> {
        let (programs, user) = (programs()?, other_user());
        let directory = directory.join("postgres");
        std::fs::create_dir(&directory).ok()?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&directory, Some(uid), Some(gid)).ok()?;
            // the server must get to its own directory
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(directory.parent()?, open).ok()?;
        }
        let data = directory.join("data");
        let run = |command: &mut Command| {
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command.current_dir(&directory).stdout(Stdio::null()).stderr(Stdio::null());
        };
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args(["--auth=trust", "--username=bench", "-D"]).arg(&data);
        run(&mut initdb);
        initdb.status().ok().filter(std::process::ExitStatus::success)?;
        let mut postgres = Command::new(programs.join("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(&directory);
        for setting in ["listen_addresses=", "synchronous_commit=on", "fsync=on", "max_connections=100"] {
            postgres.args(["-c", setting]);
        }
        run(&mut postgres);
        let child = postgres.spawn().ok()?;
        let server = Self { programs, directory, child, user };
        for _ in 0..100 {
            if server.sql("SELECT 1") {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(&self.directory).arg("-h").arg(&self.directory).args(["-U", "bench"]);
        command
    }

    fn sql(&self, sql: &str) -> bool {
        let mut psql = self.client("psql");
        psql.args(["-q", "-c", sql, "postgres"]).stdout(Stdio::null()).stderr(Stdio::null());
        psql.status().is_ok_and(|status| status.success())
    }

    /// Inserts of `bytes` bytes each by `writers` connections: per second, and pgbench's average latency.
    pub fn inserts(&self, writers: usize, bytes: usize, measure: Duration) -> Option<String> {
        let table = "DROP TABLE IF EXISTS events; CREATE TABLE events (
            position bigserial PRIMARY KEY, stream text NOT NULL, sequence bigint NOT NULL, bytes bytea NOT NULL,
            UNIQUE (stream, sequence))";
        self.sql(table).then_some(())?;
        let script = self.directory.join("insert.sql");
        let hex = "78".repeat(bytes);
        let sql = format!(
            "\\set n random(1, 9000000000000000)\n\
             INSERT INTO events (stream, sequence, bytes) VALUES ('bus/' || :client_id, :n, '\\x{hex}');\n"
        );
        std::fs::write(&script, sql).ok()?;
        let mut pgbench = self.client("pgbench");
        pgbench.args(["-n", "-M", "prepared", "-j", "2", "-T", &measure.as_secs().to_string()]);
        pgbench.args(["-c", &writers.to_string(), "-f"]).arg(&script).arg("postgres");
        let output = String::from_utf8(pgbench.output().ok()?.stdout).ok()?;
        let number = |name: &str| -> Option<f64> {
            let line = output.lines().find(|line| line.starts_with(name))?;
            line[name.len()..].split_whitespace().find_map(|word| word.parse().ok())
        };
        Some(format!("{:.0}/s (mean {:.2})", number("tps =")?, number("latency average =")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: fast shutdown
        let pid = rustix::process::Pid::from_child(&self.child);
        // if it is gone already, so much the better
        rustix::process::kill_process(pid, rustix::process::Signal::INT).ok();
        drop(self.child.wait());
    }
}
