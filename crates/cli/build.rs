//! Embeds the pages of docs/errors, so that `aedile explain` works without a network and matches the binary.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let pages = Path::new(&manifest).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut names: Vec<String> = match fs::read_dir(&pages) {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    names.sort();
    let mut table =
        String::from("/// Pages by code, sorted.\npub(crate) const PAGES: &[(&str, &str)] = &[\n");
    for name in names {
        if let Some(code) = name.strip_suffix(".md").filter(|code| code.starts_with('E')) {
            let path = pages.join(&name).canonicalize()?;
            writeln!(table, "    ({code:?}, include_str!({:?})),", path.display().to_string())
                .map_err(io::Error::other)?;
        }
    }
    table.push_str("];\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("pages.rs"), table)
}
