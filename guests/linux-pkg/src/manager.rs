//! The programs that manage packages.

use provider_kit::{Answer, Ended, Object, Run, Value, complaint, look, run, text};

/// Seconds a transaction may take.
const PATIENCE: u32 = 3600;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manager {
    Apt,
    Dnf,
    Yum,
    Zypper,
    Apk,
}

/// A package that is installed.
#[derive(PartialEq)]
pub struct Installed {
    pub version: String,
    pub held: bool,
}

/// What the facts say about a package.
pub fn installed(facts: &Value, name: &str) -> Option<Installed> {
    let all = facts.get("packages")?.get("installed")?.as_array()?;
    let bare = name.split_once(':').map_or(name, |(bare, _)| bare);
    let one = all.iter().find(|one| {
        let called = one.get("name").and_then(Value::as_str);
        called == Some(name) || called == Some(bare)
    })?;
    Some(Installed {
        version: one.get("version")?.as_str()?.to_owned(),
        held: one.get("held").and_then(Value::as_bool).unwrap_or(false),
    })
}

impl Manager {
    /// The one that is declared, or the one of the target's distribution.
    pub fn of(config: &Object, facts: &Value) -> Result<Self, String> {
        match text(config, "manager") {
            Some("apt") => return Ok(Self::Apt),
            Some("dnf") => return Ok(Self::Dnf),
            Some("yum") => return Ok(Self::Yum),
            Some("zypper") => return Ok(Self::Zypper),
            Some("apk") => return Ok(Self::Apk),
            _ => {}
        }
        let os = facts.get("os");
        let word = |name: &str| os.and_then(|os| os.get(name)).and_then(Value::as_str).unwrap_or_default();
        let like = os.and_then(|os| os.get("like")).and_then(Value::as_array);
        let is = |wanted: &str| {
            word("id").contains(wanted)
                || like.is_some_and(|all| {
                    all.iter().any(|one| one.as_str().is_some_and(|one| one.contains(wanted)))
                })
        };
        match facts.get("packages").and_then(|all| all.get("manager")).and_then(Value::as_str) {
            Some("dpkg") => Ok(Self::Apt),
            Some("apk") => Ok(Self::Apk),
            Some("rpm") if is("suse") || is("sles") => Ok(Self::Zypper),
            Some("rpm") => {
                let major = word("version").split('.').next().and_then(|major| major.parse::<u32>().ok());
                let old = !is("fedora") || matches!(word("id"), "centos" | "rhel" | "ol");
                // dnf came with version 8 of Red Hat's distribution and its relatives
                Ok(if old && major.is_some_and(|major| major < 8) { Self::Yum } else { Self::Dnf })
            }
            _ => {
                Err("the target has none of apt, dnf, yum, zypper and apk; `manager` says which to use"
                    .into())
            }
        }
    }

    /// Looks for the newest version on offer.
    pub fn candidate(self, name: &str) -> Run {
        match self {
            Self::Apt => look("apt-cache", &["policy", name]),
            Self::Dnf => look("dnf", &["-q", "list", "--upgrades", name]),
            Self::Yum => look("yum", &["-q", "list", "updates", name]),
            Self::Zypper => look("zypper", &["--non-interactive", "info", name]),
            Self::Apk => look("apk", &["version", "-l", "<", name]),
        }
    }

    /// Whether a newer version than the installed one is on offer.
    pub fn newer(self, here: &Installed, answer: &Answer) -> Result<bool, String> {
        let Answer::Ran(ran) = answer else {
            return Err(complaint(answer).map_or_else(String::new, |(_, why)| why));
        };
        let printed = String::from_utf8_lossy(&ran.stdout);
        let succeeded = matches!(ran.ended, Ended::Exited(0));
        match self {
            Self::Apt => {
                let offered = printed.lines().find_map(|line| line.trim().strip_prefix("Candidate:"));
                match offered.map(str::trim) {
                    Some("(none)") | None => Ok(false),
                    Some(version) => Ok(version != here.version),
                }
            }
            // exit code 1: nothing matches, so nothing is newer
            Self::Dnf | Self::Yum => Ok(succeeded && printed.lines().any(|line| line.contains('.'))),
            Self::Zypper => Ok(printed.lines().any(|line| line.contains("out-of-date"))),
            Self::Apk => Ok(printed.lines().any(|line| line.contains('<'))),
        }
    }

    /// Fetches the lists of packages.
    pub fn refresh(self) -> Run {
        match self {
            Self::Apt => apt(&["update", "-q"]),
            Self::Dnf => run("dnf", &["-q", "-y", "makecache"], PATIENCE),
            Self::Yum => run("yum", &["-q", "-y", "makecache"], PATIENCE),
            Self::Zypper => run("zypper", &["--non-interactive", "refresh"], PATIENCE),
            Self::Apk => run("apk", &["update"], PATIENCE),
        }
    }

    /// Installs or changes versions, all in one transaction.
    pub fn install(
        self,
        wanted: &[(String, Option<String>)],
        options: &[String],
        repository: Option<&str>,
    ) -> Run {
        let mut args: Vec<String> = match self {
            Self::Apt => ["install", "-q", "-y", "--allow-downgrades", "--allow-change-held-packages"]
                .map(str::to_owned)
                .into(),
            Self::Dnf | Self::Yum => ["-q", "-y", "install"].map(str::to_owned).into(),
            Self::Zypper => ["--non-interactive", "install", "--oldpackage"].map(str::to_owned).into(),
            Self::Apk => ["add", "--upgrade"].map(str::to_owned).into(),
        };
        args.extend(options.iter().cloned());
        match (self, repository) {
            (_, None) => {}
            (Self::Apt, Some(release)) => args.extend(["-t".to_owned(), release.to_owned()]),
            (Self::Dnf | Self::Yum, Some(repository)) => args.push(["--enablerepo=", repository].concat()),
            (Self::Zypper, Some(repository)) => args.extend(["--from".to_owned(), repository.to_owned()]),
            (Self::Apk, Some(repository)) => args.extend(["--repository".to_owned(), repository.to_owned()]),
        }
        for (name, version) in wanted {
            args.push(match (self, version) {
                (_, None) => name.clone(),
                // a version without the distribution's suffix is a pattern for apt and dnf
                (Self::Apt, Some(version)) => pattern(name, "=", version),
                (Self::Dnf | Self::Yum, Some(version)) => pattern(name, "-", version),
                (Self::Zypper, Some(version)) => [name, "=", version].concat(),
                (Self::Apk, Some(version)) => [name, "~", version].concat(),
            });
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if self == Self::Apt { apt(&args) } else { run(self.program(), &args, PATIENCE) }
    }

    /// Removes, all in one transaction.
    pub fn remove(self, names: &[String]) -> Run {
        let mut args: Vec<&str> = match self {
            Self::Apt => vec!["remove", "-q", "-y", "--allow-change-held-packages"],
            Self::Dnf | Self::Yum => vec!["-q", "-y", "remove"],
            Self::Zypper => vec!["--non-interactive", "remove"],
            Self::Apk => vec!["del"],
        };
        args.extend(names.iter().map(String::as_str));
        if self == Self::Apt { apt(&args) } else { run(self.program(), &args, PATIENCE) }
    }

    /// Keeps packages from being upgraded, or lets them.
    pub fn hold(self, names: &[String], hold: bool) -> Vec<Run> {
        let verb = |yes: &'static str, no: &'static str| if hold { yes } else { no };
        let mut args: Vec<&str> = match self {
            Self::Apt => vec![verb("hold", "unhold")],
            Self::Dnf | Self::Yum => vec!["-q", "-y", "versionlock", verb("add", "delete")],
            Self::Zypper => vec!["--non-interactive", verb("addlock", "removelock")],
            // apk holds by a version in its list of wished packages: there is nothing else to set
            Self::Apk => return Vec::new(),
        };
        args.extend(names.iter().map(String::as_str));
        vec![run(if self == Self::Apt { "apt-mark" } else { self.program() }, &args, PATIENCE)]
    }

    fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
            Self::Yum => "yum",
            Self::Zypper => "zypper",
            Self::Apk => "apk",
        }
    }
}

fn pattern(name: &str, sign: &str, version: &str) -> String {
    // what has a suffix is exact
    let star = if version.contains('-') { "" } else { "*" };
    [name, sign, version, star].concat()
}

/// `apt-get` that asks nothing and keeps configuration files that somebody changed.
fn apt(args: &[&str]) -> Run {
    let mut all = vec!["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];
    all.extend(args);
    let mut run = run("apt-get", &all, PATIENCE);
    run.env = vec![
        ("DEBIAN_FRONTEND".into(), "noninteractive".into()),
        ("APT_LISTCHANGES_FRONTEND".into(), "none".into()),
    ];
    run
}
