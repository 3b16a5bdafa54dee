//! Distribution, kernel, processors, memory, file systems, users, clock.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::{Cpu, Disk, Group, Kernel, Memory, Os, Time, User, text};
use crate::limits::FACT_LIST_MAX;

/// File systems that may not answer, or hold nothing: asking a dead NFS server for its size would hang.
const SKIPPED: &[&str] = &[
    "9p",
    "afs",
    "autofs",
    "binfmt_misc",
    "bpf",
    "ceph",
    "cgroup",
    "cgroup2",
    "cifs",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fuse",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfs",
    "nfs4",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "smb3",
    "squashfs",
    "sysfs",
    "tracefs",
];

pub(super) fn os() -> Result<Os, String> {
    let text = text("/etc/os-release").or_else(|_| text("/usr/lib/os-release"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
            .unwrap_or_default()
    };
    Ok(Os {
        id: field("ID"),
        version: field("VERSION_ID"),
        name: field("PRETTY_NAME"),
        like: field("ID_LIKE").split_whitespace().map(str::to_owned).collect(),
    })
}

pub(super) fn kernel() -> Result<Kernel, String> {
    let uname = rustix::system::uname();
    let uptime = text("/proc/uptime")?;
    let seconds = uptime.split(['.', ' ']).next().and_then(|text| text.parse().ok());
    Ok(Kernel {
        name: uname.sysname().to_string_lossy().into_owned(),
        release: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        hostname: uname.nodename().to_string_lossy().into_owned(),
        uptime_s: seconds.ok_or("/proc/uptime has no number")?,
        boot_id: text("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
    })
}

pub(super) fn cpu() -> Result<Cpu, String> {
    let text = text("/proc/cpuinfo")?;
    let values = |name: &'static str| {
        text.lines()
            .filter_map(move |line| line.split_once(':').filter(|(key, _)| key.trim() == name))
            .map(|(_, value)| value.trim().to_owned())
    };
    Ok(Cpu { count: values("processor").count(), model: values("model name").next().unwrap_or_default() })
}

pub(super) fn memory() -> Result<Memory, String> {
    let text = text("/proc/meminfo")?;
    let kib = |name: &str| {
        text.lines()
            .find_map(|line| {
                line.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next()?.parse::<u64>().ok()
            })
            .map(|kib| kib.saturating_mul(1024))
            .ok_or_else(|| format!("/proc/meminfo has no {name}"))
    };
    Ok(Memory {
        total: kib("MemTotal")?,
        available: kib("MemAvailable")?,
        swap_total: kib("SwapTotal")?,
        swap_free: kib("SwapFree")?,
    })
}

/// Undoes the octal escapes of `proc_mounts(5)`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

pub(super) fn disks() -> Result<Vec<Disk>, String> {
    let text = text("/proc/self/mounts")?;
    let mut disks = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(' ');
        let (Some(source), Some(mount), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if SKIPPED.contains(&kind) || kind.starts_with("fuse.") {
            continue;
        }
        let mount = unescape(mount);
        // A mount point that is hidden or out of reach has no size to report.
        let Ok(stat) = statvfs(&mount) else { continue };
        disks.push(Disk {
            source: unescape(source),
            mount,
            kind: kind.to_owned(),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            available: stat.f_bavail.saturating_mul(stat.f_frsize),
            read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        });
        if disks.len() >= FACT_LIST_MAX {
            break;
        }
    }
    Ok(disks)
}

pub(super) fn users() -> Result<Vec<User>, String> {
    Ok(text("/etc/passwd")?
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
            Some(User {
                name: (*name).to_owned(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: (*home).to_owned(),
                shell: (*shell).to_owned(),
            })
        })
        .take(FACT_LIST_MAX)
        .collect())
}

pub(super) fn groups() -> Result<Vec<Group>, String> {
    Ok(text("/etc/group")?
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, members] = fields.as_slice() else { return None };
            let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            Some(Group { name: (*name).to_owned(), gid: gid.parse().ok()?, members })
        })
        .take(FACT_LIST_MAX)
        .collect())
}

pub(super) fn time() -> Result<Time, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|why| why.to_string())?;
    let linked = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        Some(link.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    let zone =
        text("/etc/timezone").ok().map(|zone| zone.trim().to_owned()).or_else(linked).unwrap_or_default();
    Ok(Time { unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), zone })
}
