//! What kind of host this is, in one command. Read from `/proc`, `/sys` and `/etc`; a program is asked only where no file
//! has the answer (rpm's packages, systemd's services). A part that cannot be read is absent and named in `missing`.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::limits::FACT_FILE_MAX;
use crate::protocol::{Fault, Part};

mod network;
mod software;
mod system;

/// Facts about a host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// Kernel and host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Mounted local file systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<Disk>>,
    /// Network interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<Interface>>,
    /// Installed packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
    /// Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
    /// Users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<User>>,
    /// Groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// The target's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Parts that were asked for and are absent, each with why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// A part that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which.
    pub part: Part,
    /// Why.
    pub why: String,
}

/// Distribution, from `os-release(5)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// Such as `debian`.
    pub id: String,
    /// Such as `12`; empty for a rolling distribution.
    pub version: String,
    /// For people.
    pub name: String,
    /// Distributions it is like.
    pub like: Vec<String>,
}

/// Kernel and host name, from `uname(2)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Such as `Linux`.
    pub name: String,
    /// Such as `6.1.0-18-amd64`.
    pub release: String,
    /// Such as `x86_64`.
    pub machine: String,
    /// Host name.
    pub hostname: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Differs after every start.
    pub boot_id: String,
}

/// Processors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// Logical processors that are on.
    pub count: usize,
    /// Of the first; empty if the system does not say.
    pub model: String,
}

/// Memory in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All.
    pub total: u64,
    /// What could be used without swapping.
    pub available: u64,
    /// All swap.
    pub swap_total: u64,
    /// Unused swap.
    pub swap_free: u64,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// What is mounted.
    pub source: String,
    /// Where.
    pub mount: String,
    /// Such as `ext4`.
    pub kind: String,
    /// Size in bytes.
    pub total: u64,
    /// Bytes an ordinary user can still write.
    pub available: u64,
    /// It cannot be written.
    pub read_only: bool,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: String,
    /// Hardware address.
    pub mac: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// `up`, `down`, `unknown` and what else the kernel says.
    pub state: String,
    /// IPv4 and IPv6 addresses.
    pub addresses: Vec<std::net::IpAddr>,
}

/// Installed packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// `dpkg`, `rpm` or `apk`.
    pub manager: String,
    /// Those that are installed, by name.
    pub installed: Vec<Package>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version as the manager writes it.
    pub version: String,
    /// What it is built for.
    pub arch: String,
    /// Kept from being upgraded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// Services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// `systemd` or `sysv`.
    pub manager: String,
    /// Those it knows, by name.
    pub known: Vec<Service>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Service {
    /// Its name, without `.service`.
    pub name: String,
    /// Such as `active`; empty if the manager does not say.
    pub state: String,
    /// Such as `enabled`; empty if the manager does not say.
    pub enabled: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of the first group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Number.
    pub gid: u32,
    /// Users who have it as a further group.
    pub members: Vec<String>,
}

/// The target's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// Such as `Europe/Rome`; empty if the system does not say.
    pub zone: String,
}

const ALL: [Part; 10] = [
    Part::Os,
    Part::Kernel,
    Part::Cpu,
    Part::Memory,
    Part::Disks,
    Part::Network,
    Part::Packages,
    Part::Services,
    Part::Users,
    Part::Time,
];

/// A file of the system as text, up to a limit.
fn text(path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FACT_FILE_MAX).read_to_end(&mut bytes))
        .map_err(|why| format!("{path}: {why}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn collect(control: &Control, parts: &[Part]) -> Result<Facts, Fault> {
    let mut facts = Facts::default();
    for part in if parts.is_empty() { &ALL } else { parts } {
        control.check()?;
        if let Err(why) = add(&mut facts, *part, control) {
            facts.missing.push(Missing { part: *part, why });
        }
    }
    Ok(facts)
}

fn add(facts: &mut Facts, part: Part, control: &Control) -> Result<(), String> {
    match part {
        Part::Os => facts.os = Some(system::os()?),
        Part::Kernel => facts.kernel = Some(system::kernel()?),
        Part::Cpu => facts.cpu = Some(system::cpu()?),
        Part::Memory => facts.memory = Some(system::memory()?),
        Part::Disks => facts.disks = Some(system::disks()?),
        Part::Network => facts.network = Some(network::interfaces()?),
        Part::Packages => facts.packages = Some(software::packages(control)?),
        Part::Services => facts.services = Some(software::services(control)?),
        Part::Users => {
            facts.users = Some(system::users()?);
            facts.groups = Some(system::groups()?);
        }
        Part::Time => facts.time = Some(system::time()?),
    }
    Ok(())
}
