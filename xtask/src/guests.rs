//! `cargo xtask guests`: builds the WASM guests, or with `--check` compares them with the components that are checked in.
//!
//! A component can be compared byte by byte only when the same compiler builds it, so `guests/components/DIGESTS` records
//! which one did. Another compiler still proves that the sources build; the comparison is then skipped, and says so.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use model::Digest;

const TARGET: &str = "wasm32-unknown-unknown";
const DIGESTS: &str = "guests/components/DIGESTS";
const BUILT_BY: &str = "# built by ";

/// The guests that are built: package, and where its component goes. `{version}` is that of the package.
const GUESTS: [(&str, &str); 10] = [
    ("echo", "guests/components/echo-{version}.wasm"),
    ("http-fetch", "guests/components/http-fetch-{version}.wasm"),
    ("linux-file", "guests/components/linux-file-{version}.wasm"),
    ("linux-exec", "guests/components/linux-exec-{version}.wasm"),
    ("linux-pkg", "guests/components/linux-pkg-{version}.wasm"),
    ("linux-service", "guests/components/linux-service-{version}.wasm"),
    ("linux-user", "guests/components/linux-user-{version}.wasm"),
    ("probe-net", "guests/components/probe-net-{version}.wasm"),
    ("provider-probe", "crates/sandbox/tests/guests/provider-probe.wasm"),
    ("probe", "crates/sandbox/tests/guests/probe.wasm"),
];

/// What stopped the task.
enum Stop {
    /// It cannot be done on this machine; that is no failure.
    Skipped(String),
    /// It was done and is wrong.
    Failed(String),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs the task: no argument builds, `--check` compares, `encode MODULE COMPONENT` makes a component of a module.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        [] => build_all(root),
        ["--check"] => check(root),
        ["encode", module, component] => encode(root, Path::new(module), Path::new(component)),
        _ => {
            eprintln!("usage: cargo xtask guests [--check | encode MODULE COMPONENT]");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Skipped(why)) => {
            println!("skipped: {why}");
            ExitCode::SUCCESS
        }
        Err(Stop::Failed(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A compiler that can make WebAssembly.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// `rustc 1.95.0 (59807616e 2026-04-14)`
    version: String,
    /// Whether the standard library has to be built too, because only its sources are there.
    build_std: bool,
}

impl Toolchain {
    /// The first that is there: the one in use with the target added, then Debian's with the standard library's sources.
    fn find() -> Result<Self, Stop> {
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let in_use = PathBuf::from("rustc");
        if let Some(libraries) = ask(&in_use, &["--print", "target-libdir", "--target", TARGET])
            && Path::new(&libraries).is_dir()
            && let Some(version) = ask(&in_use, &["--version"])
        {
            return Ok(Self { cargo, rustc: in_use, version, build_std: false });
        }
        let debian = PathBuf::from("/usr/bin/rustc");
        let sources = ask(&debian, &["--print", "sysroot"])
            .map(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml"));
        if sources.is_some_and(|sources| sources.is_file())
            && Path::new("/usr/bin/cargo").is_file()
            && let Some(version) = ask(&debian, &["--version"])
        {
            return Ok(Self { cargo: "/usr/bin/cargo".into(), rustc: debian, version, build_std: true });
        }
        Err(Stop::Skipped(format!(
            "no compiler for {TARGET}; `rustup target add {TARGET}`, or on Debian `apt-get install rustc-web cargo-web \
             rust-web-src lld`"
        )))
    }

    /// Builds every guest; the modules are then below the directory this answers.
    fn build(&self, root: &Path) -> Result<PathBuf, Stop> {
        let target_dir = root.join("target/guests");
        let mut command = clean(&self.cargo);
        // in the guests' directory, whose .cargo/config.toml has the linker's flags
        command.current_dir(root.join("guests")).env("RUSTC", &self.rustc);
        command.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(&target_dir);
        for (package, _) in GUESTS {
            command.args(["--package", package]);
        }
        if self.build_std {
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
            // Debian's compiler comes without the linker it asks for; the one of package `lld` is the same program.
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
        }
        let flags: Vec<String> = self.path_maps().iter().map(|map| format!("{map:?}")).collect();
        command.arg("--config").arg(format!("target.{TARGET}.rustflags=[{}]", flags.join(",")));
        finish(command, "cannot build the guests")?;
        Ok(target_dir.join(TARGET).join("release"))
    }

    /// Flags that keep this machine's directories out of the components: panic messages name source files.
    fn path_maps(&self) -> Vec<String> {
        let mut maps = Vec::new();
        let registries = cargo_home().join("registry/src");
        let mut directories: Vec<_> = fs::read_dir(&registries)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .collect();
        directories.sort();
        directories.push(cargo_home());
        for directory in directories {
            maps.push(format!("--remap-path-prefix={}=/crates", directory.display()));
        }
        if let Some(sysroot) = ask(&self.rustc, &["--print", "sysroot"]) {
            maps.push(format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=/rust"));
        }
        maps
    }
}

fn cargo_home() -> PathBuf {
    std::env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    )
}

/// A cargo command without the flags of whoever runs this, which would replace ours.
fn clean(cargo: &Path) -> Command {
    let mut command = Command::new(cargo);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}

/// One line of output of a program, if it is there and succeeds.
fn ask(program: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

fn finish(mut command: Command, what: &str) -> Result<(), Stop> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::Failed(format!("{what} ({status})"))),
        Err(error) => Err(Stop::Failed(format!("{what}: {error}"))),
    }
}

/// Makes a component of a core module. The encoder lives with the guests, so that this workspace does not carry it.
fn encode(root: &Path, module: &Path, component: &Path) -> Result<(), Stop> {
    let mut command = clean(Path::new("cargo"));
    command.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(root.join("guests/Cargo.toml"));
    command.args(["--package", "encode", "--target-dir"]).arg(root.join("target/guests"));
    command.arg("--").arg(module).arg(component);
    finish(command, &format!("cannot encode {}", module.display()))
}

/// A built guest: where its component belongs, and its bytes.
struct Built {
    path: String,
    bytes: Vec<u8>,
}

fn built(root: &Path, toolchain: &Toolchain) -> Result<Vec<Built>, Stop> {
    let modules = toolchain.build(root)?;
    GUESTS
        .iter()
        .map(|(package, path)| {
            let module = modules.join(package.replace('-', "_")).with_extension("wasm");
            let component = module.with_extension("component.wasm");
            encode(root, &module, &component)?;
            let path = path.replace("{version}", &version(root, package)?);
            let bytes = fs::read(component)?;
            match leak(&bytes, root) {
                Some(text) => {
                    Err(Stop::Failed(format!("{path} holds `{text}`, a directory of this machine")))
                }
                None => Ok(Built { path, bytes }),
            }
        })
        .collect()
}

fn version(root: &Path, package: &str) -> Result<String, Stop> {
    let path = root.join("guests").join(package).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(&path)?
        .parse()
        .map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))?;
    let version =
        manifest.get("package").and_then(|package| package.get("version")).and_then(toml::Value::as_str);
    version.map(str::to_owned).ok_or_else(|| Stop::Failed(format!("{}: no version", path.display())))
}

/// A directory of this machine that is named in a component.
fn leak(bytes: &[u8], root: &Path) -> Option<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let places = [root.display().to_string(), cargo_home().display().to_string(), home];
    places
        .into_iter()
        // `/` and the like are in every text
        .filter(|place| place.len() > 3)
        .chain(["/home/".to_owned()])
        .find(|place| bytes.windows(place.len()).any(|window| window == place.as_bytes()))
}

/// What DIGESTS says: the compiler, and the digest of each file.
#[derive(Debug, PartialEq, Eq)]
struct Recorded {
    compiler: String,
    files: Vec<(Digest, String)>,
}

impl Recorded {
    fn parse(text: &str) -> Result<Self, String> {
        let (mut compiler, mut files) = (String::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            if let Some(version) = line.strip_prefix(BUILT_BY) {
                version.clone_into(&mut compiler);
            } else if !line.is_empty() && !line.starts_with('#') {
                let (digest, file) = line
                    .split_once("  ")
                    .ok_or_else(|| format!("{DIGESTS}:{}: not `DIGEST  FILE`", index + 1))?;
                let digest = digest.parse().map_err(|error| format!("{DIGESTS}:{}: {error}", index + 1))?;
                files.push((digest, file.to_owned()));
            }
        }
        Ok(Self { compiler, files })
    }

    fn write(compiler: &str, files: &[(Digest, String)]) -> String {
        let mut text = format!(
            "# Components that are checked in, and what they are. `cargo xtask guests` writes this file.\n{BUILT_BY}{compiler}\n"
        );
        for (digest, file) in files {
            // writing to a string cannot fail
            let _ = writeln!(text, "{digest}  {file}");
        }
        text
    }
}

fn build_all(root: &Path) -> Result<(), Stop> {
    let toolchain = Toolchain::find()?;
    let mut files = Vec::new();
    for Built { path, bytes } in built(root, &toolchain)? {
        fs::write(root.join(&path), &bytes)?;
        println!("{:>7} bytes  {path}", bytes.len());
        files.push((Digest::of(&bytes), path));
    }
    Ok(fs::write(root.join(DIGESTS), Recorded::write(&toolchain.version, &files))?)
}

fn check(root: &Path) -> Result<(), Stop> {
    let recorded = Recorded::parse(&fs::read_to_string(root.join(DIGESTS))?).map_err(Stop::Failed)?;
    for (digest, path) in &recorded.files {
        let actual = Digest::of(&fs::read(root.join(path))?);
        if actual != *digest {
            return Err(Stop::Failed(format!("{path} is {actual}, but {DIGESTS} says {digest}")));
        }
    }
    println!("{} components are what {DIGESTS} says", recorded.files.len());
    let toolchain = Toolchain::find()?;
    let built = built(root, &toolchain)?;
    if toolchain.version != recorded.compiler {
        return Err(Stop::Skipped(format!(
            "comparison: this is {}, the components were built by {}. The sources build and encode",
            toolchain.version, recorded.compiler
        )));
    }
    for Built { path, bytes } in &built {
        let digest = Digest::of(bytes);
        if !recorded.files.contains(&(digest, path.clone())) {
            return Err(Stop::Failed(format!(
                "{path} is not what its sources give, {digest}; `cargo xtask guests` builds it again"
            )));
        }
    }
    println!("{} components are what their sources give", built.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_survive_a_round_trip() {
        let files = vec![(Digest::of(b"a"), "a.wasm".to_owned()), (Digest::of(b"b"), "b.wasm".to_owned())];
        let text = Recorded::write("rustc 1.2.3", &files);
        assert_eq!(Recorded::parse(&text), Ok(Recorded { compiler: "rustc 1.2.3".to_owned(), files }));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = Recorded::parse("# x\nsha256:12  a.wasm\n").unwrap_err();
        assert!(error.starts_with("guests/components/DIGESTS:2:"), "{error}");
        assert!(Recorded::parse("nonsense").is_err());
    }

    #[test]
    fn a_directory_of_this_machine_is_found() {
        let root = Path::new("/srv/build");
        assert_eq!(leak(b"...\0/srv/build/guests/x.rs\0", root), Some("/srv/build".to_owned()));
        assert_eq!(leak(["/home", "/x/y.rs"].concat().as_bytes(), root), Some("/home/".to_owned()));
        assert_eq!(leak(b"/rustc/abc/library/alloc/src/str.rs", root), None);
    }

    #[test]
    fn components_are_what_digests_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let recorded = Recorded::parse(&fs::read_to_string(root.join(DIGESTS)).unwrap()).unwrap();
        assert_eq!(recorded.files.len(), GUESTS.len());
        for (digest, path) in recorded.files {
            assert_eq!(Digest::of(&fs::read(root.join(&path)).unwrap()), digest, "{path}");
        }
    }
}
