//! Hosts of the inventory.

use std::collections::BTreeMap;

use cue::{Located, LocatedData};
use model::code::config as code;
use plan::Host;

use super::{Findings, Path, get, place, suggestion};
use crate::limits;
use crate::project::{HostConfig, Sudo};

const FIELDS: [&str; 8] = ["address", "port", "user", "labels", "jump", "key", "host_key", "sudo"];

/// Every host. Hosts to go through must be there, and lead somewhere.
pub(crate) fn read(value: &Located, path: &Path<'_>, found: &mut Findings) -> BTreeMap<Host, HostConfig> {
    let mut hosts = BTreeMap::new();
    let Some(fields) = found.object(value, path) else { return hosts };
    if fields.len() > limits::HOSTS_MAX {
        let message = format!("more than {} hosts", limits::HOSTS_MAX);
        found.error(code::LIMIT, &value.spot, path, message);
        return hosts;
    }
    for (name, field) in fields {
        if found.full() {
            break;
        }
        let path = path.field(name);
        let Some(host) = found.parsed::<Host>(name, &field.spot, &path) else { continue };
        if let Some(config) = one(name, field, &path, found) {
            hosts.insert(host, config);
        }
    }
    check_jumps(fields, path, &hosts, found);
    hosts
}

fn one(name: &str, value: &Located, path: &Path<'_>, found: &mut Findings) -> Option<HostConfig> {
    let before = found.errors.len();
    let fields = found.object(value, path)?;
    found.only(fields, path, &FIELDS);
    let text = |field: &str, found: &mut Findings| {
        let value = get(fields, field)?;
        let text = found.text(value, &path.field(field))?;
        if text.is_empty() || text.starts_with('-') || text.contains(char::is_control) {
            let message = format!("{text:?} cannot be the {field} of a host");
            found.error(code::BAD_VALUE, &value.spot, &path.field(field), message);
            return None;
        }
        Some(text.to_string())
    };
    let address = text("address", found).unwrap_or_else(|| name.to_owned());
    let user = text("user", found);
    let key = text("key", found);
    let host_key = text("host_key", found);
    if let Some(pin) = &host_key
        && pin.strip_prefix("SHA256:").is_none_or(|rest| rest.len() != 43)
    {
        let value = get(fields, "host_key").unwrap_or(value);
        let hint = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub".to_owned();
        let message = "a host key is pinned by its fingerprint, SHA256: and 43 characters";
        found.error(code::BAD_VALUE, &value.spot, &path.field("host_key"), message).hint = Some(hint);
    }
    let port = get(fields, "port").map_or(Some(22), |value| port(value, &path.field("port"), found));
    let labels =
        get(fields, "labels").map(|value| found.texts(value, &path.field("labels"))).unwrap_or_default();
    let jump = get(fields, "jump").map(|value| jump(value, &path.field("jump"), found)).unwrap_or_default();
    let sudo = get(fields, "sudo").and_then(|value| found.boolean(value, &path.field("sudo")));
    let sudo = if sudo == Some(true) { Sudo::Yes } else { Sudo::No };
    let config = HostConfig {
        address,
        port: port?,
        user,
        labels,
        jump,
        key,
        host_key,
        sudo,
        place: place(&value.spot),
    };
    (found.errors.len() == before).then_some(config)
}

fn port(value: &Located, path: &Path<'_>, found: &mut Findings) -> Option<u16> {
    let number = match &value.data {
        LocatedData::Number(number) if number.is_int() => number.to_string().parse::<u16>().ok(),
        _ => None,
    };
    let port = number.filter(|port| *port > 0);
    if port.is_none() {
        found.error(code::BAD_VALUE, &value.spot, path, "a port is a whole number from 1 to 65535");
    }
    port
}

/// One host or several.
fn jump(value: &Located, path: &Path<'_>, found: &mut Findings) -> Vec<Host> {
    let hosts = match &value.data {
        LocatedData::String(_) => found.name(value, path).into_iter().collect(),
        _ => found.names::<Host>(value, path),
    };
    if hosts.len() > limits::JUMPS_MAX {
        let message = format!("more than {} hosts to go through", limits::JUMPS_MAX);
        found.error(code::LIMIT, &value.spot, path, message);
    }
    hosts
}

fn check_jumps(
    fields: &super::Fields,
    path: &Path<'_>,
    hosts: &BTreeMap<Host, HostConfig>,
    found: &mut Findings,
) {
    for (name, field) in fields {
        let Some((host, config)) = hosts.get_key_value(&**name) else { continue };
        for through in &config.jump {
            // one that is there and was refused was said already
            let declared = hosts.contains_key(through) || get(fields, through.as_str()).is_some();
            if declared && through != host {
                continue;
            }
            let path = path.field(name);
            let message = if declared {
                format!("`{host}` cannot be reached through itself")
            } else {
                format!("there is no host `{through}` to go through")
            };
            let hint = suggestion(through.as_str(), hosts.keys().map(Host::as_str));
            let hint = if declared { None } else { hint };
            found.error(plan_unknown(declared), &field.spot, &path.field("jump"), message).hint = hint;
        }
    }
}

fn plan_unknown(declared: bool) -> &'static model::Code {
    if declared { code::BAD_VALUE } else { model::code::plan::UNKNOWN_NAME }
}
