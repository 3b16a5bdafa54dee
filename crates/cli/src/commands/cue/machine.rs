//! The values of the machine that `@tag(name,var=...)` can take, under the names of the reference tool.

use std::collections::BTreeMap;

use cue::{Data, Number};

use crate::world::World;

/// Every value there is; one that the machine does not tell is left out, and an error only where something takes it. Each is
/// asked for once, so that fields that take the same have the same.
pub(super) fn variables(world: &World) -> BTreeMap<String, Data> {
    let directory = std::env::current_dir().ok().and_then(|path| path.into_os_string().into_string().ok());
    let text = |value: &str| Some(Data::String(value.to_owned()));
    [
        ("now", text(&world.clock.now().to_string())),
        ("os", text(system(std::env::consts::OS))),
        ("arch", text(architecture(std::env::consts::ARCH))),
        ("cwd", directory.map(Data::String)),
        ("username", text(&world.user)),
        ("hostname", rustix::system::uname().nodename().to_str().ok().and_then(text)),
        ("rand", Some(Data::Number(Number::int(world.entropy.draw())))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// An operating system as Go calls it.
fn system(name: &str) -> &str {
    match name {
        "macos" => "darwin",
        other => other,
    }
}

/// A processor as Go calls it.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_and_processors_have_the_names_of_go() {
        assert_eq!([system("linux"), system("macos")], ["linux", "darwin"]);
        assert_eq!(
            ["x86_64", "aarch64", "riscv64", "s390x"].map(architecture),
            ["amd64", "arm64", "riscv64", "s390x"]
        );
    }
}
