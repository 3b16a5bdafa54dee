//! Packages and services.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use super::{Package, Packages, Service, Services, text};
use crate::control::Control;
use crate::exec::{STANDARD_PATH, find};
use crate::limits::{FACT_FILE_MAX, FACT_LIST_MAX, FACT_PROGRAM};

/// What a program prints, within the command's time.
fn ask(program: &str, args: &[&str], control: &Control) -> Result<String, String> {
    let file = find(program, &["*".to_owned()]).map_err(|fault| fault.message)?;
    let mut child = Command::new(file)
        .args(args)
        .env_clear()
        .env("PATH", STANDARD_PATH)
        .env("LANG", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|why| format!("{program}: {why}"))?;
    let Some(stdout) = child.stdout.take() else {
        return Err(format!("{program} has no standard output"));
    };
    let (tell, said) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(FACT_FILE_MAX).read_to_end(&mut bytes);
        // Whoever asked may have given up.
        let _late = tell.send(read.map(|_| bytes));
    });
    let said = said.recv_timeout(control.left().min(FACT_PROGRAM));
    if said.is_err() {
        // It may have ended just now; then there is nothing to stop.
        let _gone = child.kill();
    }
    let status = child.wait().map_err(|why| format!("{program}: {why}"))?;
    let bytes =
        said.map_err(|_| format!("{program} took too long"))?.map_err(|why| format!("{program}: {why}"))?;
    if !status.success() {
        return Err(format!("{program} {}: {status}", args.join(" ")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn packages(control: &Control) -> Result<Packages, String> {
    let (manager, mut installed) = if let Ok(status) = text("/var/lib/dpkg/status") {
        ("dpkg", dpkg(&status))
    } else if let Ok(database) = text("/lib/apk/db/installed") {
        ("apk", apk(&database))
    } else if std::path::Path::new("/var/lib/rpm").exists()
        || std::path::Path::new("/usr/lib/sysimage/rpm").exists()
    {
        let format = "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\n";
        ("rpm", rpm(&ask("rpm", &["-qa", "--qf", format], control)?))
    } else {
        return Err("there is no dpkg, apk or rpm".to_owned());
    };
    installed.sort_unstable();
    installed.truncate(FACT_LIST_MAX);
    Ok(Packages { manager: manager.to_owned(), installed })
}

/// Paragraphs of `dpkg-query(1)`'s database.
fn dpkg(text: &str) -> Vec<Package> {
    text.split("\n\n")
        .filter_map(|paragraph| {
            let field =
                |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let status = field("Status:")?;
            status.ends_with(" installed").then_some(())?;
            Some(Package {
                name: field("Package:")?.to_owned(),
                version: field("Version:")?.to_owned(),
                arch: field("Architecture:").unwrap_or_default().to_owned(),
                held: status.starts_with("hold "),
            })
        })
        .collect()
}

fn apk(text: &str) -> Vec<Package> {
    text.split("\n\n")
        .filter_map(|paragraph| {
            let field =
                |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let arch = field("A:").unwrap_or_default();
            Some(Package { name: field("P:")?, version: field("V:")?, arch, held: false })
        })
        .collect()
}

fn rpm(text: &str) -> Vec<Package> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (name, version, arch) = (fields.next()?, fields.next()?, fields.next()?);
            let version = version.strip_prefix("0:").unwrap_or(version);
            Some(Package {
                name: name.to_owned(),
                version: version.to_owned(),
                arch: arch.to_owned(),
                held: false,
            })
        })
        .collect()
}

pub(super) fn services(control: &Control) -> Result<Services, String> {
    if std::path::Path::new("/run/systemd/system").exists() {
        let common = ["--type=service", "--all", "--plain", "--no-legend", "--no-pager"];
        let list = |what: &'static str| {
            let mut args = vec![what];
            args.extend(common);
            ask("systemctl", &args, control)
        };
        let known = systemd(&list("list-units")?, &list("list-unit-files")?);
        return Ok(Services { manager: "systemd".to_owned(), known });
    }
    let entries =
        std::fs::read_dir("/etc/init.d").map_err(|why| format!("no systemd, and /etc/init.d: {why}"))?;
    let mut known: Vec<Service> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != "README")
        .map(|name| Service { name, state: String::new(), enabled: String::new() })
        .collect();
    known.sort_unstable();
    known.truncate(FACT_LIST_MAX);
    Ok(Services { manager: "sysv".to_owned(), known })
}

fn systemd(units: &str, files: &str) -> Vec<Service> {
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    let name = |field: &str| field.strip_suffix(".service").unwrap_or(field).to_owned();
    for line in units.lines() {
        let mut fields = line.split_whitespace();
        if let (Some(unit), Some(load), Some(active)) = (fields.next(), fields.next(), fields.next()) {
            // another unit would have it if it was there: it is a name, and no service
            if load == "not-found" && active == "inactive" {
                continue;
            }
            active.clone_into(&mut known.entry(name(unit)).or_default().0);
        }
    }
    for line in files.lines() {
        let mut fields = line.split_whitespace();
        if let (Some(unit), Some(enabled)) = (fields.next(), fields.next()) {
            enabled.clone_into(&mut known.entry(name(unit)).or_default().1);
        }
    }
    let services = known.into_iter().map(|(name, (state, enabled))| Service { name, state, enabled });
    services.take(FACT_LIST_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_databases_are_read() {
        let status = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2-3\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: c\nStatus: hold ok installed\nVersion: 2\n";
        let found = dpkg(status);
        assert_eq!(
            found.iter().map(|p| (p.name.as_str(), p.held)).collect::<Vec<_>>(),
            [("a", false), ("c", true)]
        );
        assert_eq!(found[0].version, "1:2-3");
        assert_eq!(apk("P:musl\nV:1.2.5-r0\nA:x86_64\n\nP:busybox\nV:1\n").len(), 2);
        assert_eq!(rpm("bash\t0:5.2-1\tx86_64\nglibc\t2:1-1\tx86_64\n")[1].version, "2:1-1");
    }

    #[test]
    fn units_and_their_files_are_joined() {
        let units = "ssh.service loaded active running OpenBSD\nsyslog.service not-found inactive dead syslog\n\
                     gone.service not-found active running its unit was removed\n";
        let files = "ssh.service enabled enabled\napt.service static -\n";
        let found = systemd(units, files);
        let told: Vec<_> =
            found.iter().map(|s| (s.name.as_str(), s.state.as_str(), s.enabled.as_str())).collect();
        assert_eq!(told, [("apt", "", "static"), ("gone", "active", ""), ("ssh", "active", "enabled")]);
    }
}
