//! `cargo xtask runners`: builds `aedile-runner`, static and small, for each architecture that hosts may have.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Largest runner, in bytes: it goes to every host.
const RUNNER_BYTES_MAX: u64 = 4 << 20;

/// One build: the architecture, the target, its flags, and a linker that needs no other toolchain.
struct Build {
    arch: &'static str,
    target: &'static str,
    flags: &'static str,
    linker: Option<&'static str>,
}

const BUILDS: [Build; 2] = [
    Build {
        arch: "x86_64",
        target: "x86_64-unknown-linux-gnu",
        flags: "-C target-feature=+crt-static -C relocation-model=static",
        linker: None,
    },
    Build {
        arch: "aarch64",
        target: "aarch64-unknown-linux-musl",
        flags: "-C target-feature=+crt-static -C relocation-model=static -C link-self-contained=yes",
        linker: Some("rust-lld"),
    },
];

/// Builds all of them into `target/runners/`. One whose target the toolchain has not is skipped, and said to be.
pub(crate) fn run(args: &[String]) -> ExitCode {
    if !args.is_empty() {
        eprintln!("usage: cargo xtask runners");
        return ExitCode::from(2);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let mut exit = ExitCode::SUCCESS;
    for build in &BUILDS {
        match build.make(root, &target) {
            Ok(Some((file, bytes))) => println!("{bytes} bytes  {}", file.display()),
            Ok(None) => println!("skipped: rustup has no target {} here", build.target),
            Err(why) => {
                eprintln!("error: {}: {why}", build.arch);
                exit = ExitCode::FAILURE;
            }
        }
    }
    exit
}

impl Build {
    fn make(&self, root: &Path, target: &Path) -> Result<Option<(PathBuf, u64)>, String> {
        let added = Command::new("rustup").args(["target", "add", self.target]).output();
        if !added.is_ok_and(|added| added.status.success()) {
            return Ok(None);
        }
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(root)
            .args(["build", "--locked", "--quiet", "--profile", "runner", "--package", "runner"])
            .args(["--target", self.target])
            .arg("--target-dir")
            .arg(target)
            .env("RUSTFLAGS", self.flags);
        if let Some(linker) = self.linker {
            let name = self.target.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{name}_LINKER"), linker);
        }
        if !command.status().map_err(|why| why.to_string())?.success() {
            return Err("it does not build".to_owned());
        }
        let built = target.join(self.target).join("runner/aedile-runner");
        let bytes = built.metadata().map_err(|why| why.to_string())?.len();
        if bytes > RUNNER_BYTES_MAX {
            return Err(format!("{bytes} bytes are more than {RUNNER_BYTES_MAX}"));
        }
        let file = target.join("runners").join(format!("aedile-runner-{}", self.arch));
        let directory = target.join("runners");
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::copy(&built, &file))
            .map_err(|why| why.to_string())?;
        Ok(Some((file, bytes)))
    }
}
