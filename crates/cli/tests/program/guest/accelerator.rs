//! Whether a guest can be had on this machine, and by what.

use std::path::Path;

/// The variable that asks for a guest: `1` where there must be one, `tcg` for one without KVM.
pub const ASKED: &str = "AEDILE_TEST_GUEST";

/// What executes a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor.
    Kvm,
    /// QEMU, some fifty times slower.
    Emulation,
}

/// What tells whether KVM works here.
#[derive(Clone, Copy)]
struct Signs<'a> {
    arch: &'a str,
    /// Why `/dev/kvm` cannot be used, if it cannot.
    device: Option<&'a str>,
    /// `/proc/cpuinfo`.
    cpuinfo: &'a str,
    /// Whether the module is there that runs prepared kernels only.
    pvm: bool,
}

/// What a guest is started with here; why it is not, otherwise.
pub fn accelerator() -> Result<Accelerator, String> {
    let asked = std::env::var(ASKED).ok();
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").err();
    choose(
        asked.as_deref(),
        &Signs {
            arch: std::env::consts::ARCH,
            device: device.map(|error| error.to_string()).as_deref(),
            cpuinfo: &std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default(),
            pvm: Path::new("/sys/module/kvm_pvm").exists(),
        },
    )
}

fn choose(asked: Option<&str>, signs: &Signs<'_>) -> Result<Accelerator, String> {
    if signs.arch != "x86_64" {
        return Err(format!("the guest is a system for x86_64, and this is {}", signs.arch));
    }
    match asked {
        Some("tcg") => return Ok(Accelerator::Emulation),
        None | Some("1") => {}
        Some(other) => panic!("{ASKED} is 1 or tcg, not {other}"),
    }
    let virtualises = signs.cpuinfo.lines().any(|line| {
        line.starts_with("flags") && line.split_whitespace().any(|word| word == "vmx" || word == "svm")
    });
    let why = match signs.device {
        Some(why) => format!("/dev/kvm cannot be opened: {why}"),
        None if signs.pvm => {
            "the KVM of this machine is kvm_pvm, which runs no kernel of Debian's".to_owned()
        }
        None if !virtualises => "/proc/cpuinfo has neither vmx nor svm: KVM would be an emulation".to_owned(),
        None => return Ok(Accelerator::Kvm),
    };
    Err(format!("{why}; {ASKED}=tcg starts a guest all the same, slowly"))
}

#[test]
fn kvm_is_used_only_where_it_really_works() {
    let good =
        Signs { arch: "x86_64", device: None, cpuinfo: "model name\t: x\nflags\t\t: fpu vmx\n", pvm: false };
    assert_eq!(choose(None, &good), Ok(Accelerator::Kvm));
    assert_eq!(choose(Some("1"), &Signs { cpuinfo: "flags : svm\n", ..good }), Ok(Accelerator::Kvm));
    assert_eq!(choose(Some("tcg"), &Signs { device: Some("gone"), ..good }), Ok(Accelerator::Emulation));
    for (signs, words) in [
        (Signs { device: Some("Permission denied"), ..good }, "cannot be opened: Permission denied"),
        (Signs { pvm: true, ..good }, "kvm_pvm"),
        (Signs { cpuinfo: "model name : svm\nflags : fpu\n", ..good }, "neither vmx nor svm"),
        (Signs { arch: "aarch64", ..good }, "x86_64"),
    ] {
        let why = choose(None, &signs).unwrap_err();
        assert!(why.contains(words), "{why}");
        assert_eq!(choose(Some("1"), &signs), Err(why));
    }
}
