//! From what was typed to texts: which files belong to which package, read within their limits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use cue::load::SourceFile;
use cue::tool::Encoding;
use model::code;
use project::cue_module::{CueModule, cue_files};
use project::limits::DATA_BYTES_MAX;

use super::failed;
use crate::args::InputArgs;
use crate::report::Report;

/// Directories below one that are looked through by `./...`.
const DEPTH_MAX: usize = 64;
/// Files of one command.
const FILES_MAX: usize = 10_000;
/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// A text and what it is called in messages.
pub(super) type Named = (String, String);

/// One package, or the files that were named.
#[derive(Debug, Default)]
pub(super) struct Instance {
    /// CUE files, name and text.
    pub(super) files: Vec<Named>,
    /// Data files, name and text.
    pub(super) data: Vec<Named>,
    /// The module it is in.
    pub(super) module: CueModule,
}

/// Reads what was typed.
pub(super) fn instances(args: &InputArgs) -> Result<Vec<Instance>, Report> {
    let here = [".".to_owned()];
    let inputs: &[String] = if args.inputs.is_empty() { &here } else { &args.inputs };
    let mut named = Instance { module: CueModule::around(Path::new(".")), ..Instance::default() };
    let mut packages = Vec::new();
    for input in inputs {
        match kind(input)? {
            Kind::Cue => named.files.push(cue_file(input)?),
            Kind::Data => named.data.push(data_file(input)?),
            Kind::Package => packages.extend(package(input, args.package.as_deref())?),
        }
    }
    if packages.is_empty() {
        return Ok(vec![named]);
    }
    if !named.files.is_empty() {
        return Err(Report::usage("packages and single CUE files do not go together")
            .with_hint("name the package's directory, or all of its files"));
    }
    for instance in &mut packages {
        instance.data.clone_from(&named.data);
    }
    Ok(packages)
}

/// The CUE files among what was typed, as paths; for `fmt`, which changes them.
pub(super) fn paths(inputs: &[String]) -> Result<Vec<PathBuf>, Report> {
    let here = [".".to_owned()];
    let mut found = BTreeSet::new();
    for input in if inputs.is_empty() { &here[..] } else { inputs } {
        match kind(input)? {
            Kind::Package => {
                for directory in directories(input)? {
                    found.extend(cue_files(&directory).map_err(|error| unreadable(&directory, &error))?);
                }
            }
            Kind::Cue => drop(found.insert(PathBuf::from(input))),
            Kind::Data => return Err(Report::usage(format!("{input} is not a CUE file"))),
        }
    }
    if found.is_empty() {
        return Err(no_files(inputs.first().map_or(".", String::as_str)));
    }
    Ok(found.into_iter().collect())
}

enum Kind {
    Cue,
    Data,
    Package,
}

fn kind(input: &str) -> Result<Kind, Report> {
    if input == STANDARD_INPUT {
        return Ok(Kind::Cue);
    }
    let path = Path::new(input);
    match path.extension().and_then(|extension| extension.to_str()).and_then(Encoding::named) {
        Some(Encoding::Cue) => Ok(Kind::Cue),
        Some(_) if !path.is_dir() => Ok(Kind::Data),
        _ if path.is_file() => Err(Report::usage(format!("{input} is neither CUE nor data"))
            .with_hint("data files end with .json, .yaml, .yml, .toml or .txt")),
        _ => Ok(Kind::Package),
    }
}

fn cue_file(input: &str) -> Result<Named, Report> {
    if input == STANDARD_INPUT {
        let text = project::text::read_from(
            std::io::stdin().lock(),
            STANDARD_INPUT,
            project::limits::FILE_BYTES_MAX,
        )?;
        return Ok((STANDARD_INPUT.to_owned(), text));
    }
    let shown = shown(Path::new(input));
    let text = project::text::read(Path::new(input), &shown, project::limits::FILE_BYTES_MAX)?;
    Ok((shown, text))
}

fn data_file(input: &str) -> Result<Named, Report> {
    let shown = shown(Path::new(input));
    let text = project::text::read(Path::new(input), &shown, DATA_BYTES_MAX)?;
    Ok((shown, text))
}

/// The packages that `./dir`, `./dir:name` or `./dir/...` stands for.
fn package(input: &str, wanted: Option<&str>) -> Result<Vec<Instance>, Report> {
    let (place, name) = match input.rsplit_once(':') {
        Some((place, name)) => (place, Some(name)),
        None => (input, wanted),
    };
    let many = place.ends_with("...");
    let mut instances = Vec::new();
    for directory in directories(place)? {
        let mut packages = packages_in(&directory)?;
        if let Some(name) = name {
            packages.retain(|package, _| package == name);
        }
        match packages.len() {
            0 if many => continue,
            0 => return Err(no_files(input)),
            1 => {}
            _ if many => {}
            _ => {
                let names: Vec<&str> = packages.keys().map(String::as_str).collect();
                let what = format!("{} holds several packages: {}", shown(&directory), names.join(", "));
                return Err(Report::new(code::cue::REFERENCE, what)
                    .with_hint(format!("name one: {}:{}", place, names[0])));
            }
        }
        for (name, files) in packages {
            instances.push(with_above(&directory, &name, files)?);
        }
    }
    if instances.is_empty() {
        return Err(no_files(input));
    }
    Ok(instances)
}

/// A package with the files of the same package in the directories above it, up to the module's root.
fn with_above(directory: &Path, name: &str, mut files: Vec<Named>) -> Result<Instance, Report> {
    let module = CueModule::around(directory);
    if let (Some(root), Ok(absolute)) = (module.root(), std::path::absolute(directory)) {
        let mut above = absolute.as_path();
        let mut way = directory.to_owned();
        while above != root {
            let Some(parent) = above.parent() else { break };
            above = parent;
            way.push("..");
            if let Some(more) = packages_in(&way)?.remove(name) {
                files.extend(more);
            }
        }
    }
    Ok(Instance { files, data: Vec::new(), module })
}

/// The packages of one directory; `_` stands for files without a package.
fn packages_in(directory: &Path) -> Result<BTreeMap<String, Vec<Named>>, Report> {
    let mut packages: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    for path in cue_files(directory).map_err(|error| unreadable(directory, &error))? {
        let base = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if base.ends_with("_test.cue") || base.ends_with("_tool.cue") || base.starts_with(['_', '.']) {
            continue;
        }
        let shown = shown(&path);
        let text = project::text::read(&path, &shown, project::limits::FILE_BYTES_MAX)?;
        let parsed = SourceFile::new(&shown, &text).map_err(|errors| {
            failed("the package cannot be read", &errors, &[(shown.clone(), text.clone())])
        })?;
        let package = parsed.file.package.map_or_else(|| "_".to_owned(), |package| package.name.to_string());
        packages.entry(package).or_default().push((shown, text));
    }
    // a file without a package is one of the package beside it only when it is named
    if packages.len() > 1 {
        packages.remove("_");
    }
    Ok(packages)
}

fn directories(place: &str) -> Result<Vec<PathBuf>, Report> {
    let Some(top) = place.strip_suffix("...") else {
        let directory = PathBuf::from(place);
        return if directory.is_dir() { Ok(vec![directory]) } else { Err(no_files(place)) };
    };
    let top = Path::new(if top.is_empty() { "." } else { top });
    let mut found = Vec::new();
    let walk = ignore_hidden(top);
    for entry in walk {
        let entry = entry.map_err(|error| {
            Report::new(code::general::UNREADABLE, format!("{place} cannot be read"))
                .caused_by(error.to_string())
        })?;
        if entry.file_type().is_dir() {
            found.push(entry.into_path());
        }
        if found.len() > FILES_MAX {
            return Err(Report::new(
                code::general::TOO_LARGE,
                format!("{place} has more than {FILES_MAX} directories"),
            ));
        }
    }
    Ok(found)
}

/// Directories below one, without `cue.mod` and what begins with a dot or an underscore.
fn ignore_hidden(top: &Path) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> {
    walkdir::WalkDir::new(top).max_depth(DEPTH_MAX).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with(['.', '_']) || name == "cue.mod")
    })
}

fn no_files(place: &str) -> Report {
    Report::new(code::cue::REFERENCE, format!("there are no CUE files in {place}"))
        .with_hint("name a directory, for example ./config, or ./... for all of them")
}

fn unreadable(path: &Path, error: &std::io::Error) -> Report {
    Report::new(code::general::UNREADABLE, format!("{} cannot be read", path.display()))
        .caused_by(error.to_string())
}

/// A path without needless `./` at its beginning.
fn shown(path: &Path) -> String {
    let parts: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if parts.as_os_str().is_empty() { ".".to_owned() } else { parts.display().to_string() }
}
