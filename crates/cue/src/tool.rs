//! What a command line does with CUE, on sources held in memory: no files are opened here.

use crate::data::{self, Data};
use crate::error::{Code, Error, Errors};
use crate::export::CueOptions;
use crate::load::{Loader, SourceFile};
use crate::session::{Options, Value, compile_package};

/// An encoding of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the format it is named after")]
pub enum Encoding {
    Json,
    Yaml,
    Toml,
    Cue,
    /// A string or bytes value as it is.
    Text,
}

impl Encoding {
    /// The encoding named by `--out`, or by a file's extension.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "cue" => Some(Self::Cue),
            "text" | "txt" => Some(Self::Text),
            _ => None,
        }
    }
}

/// What to evaluate.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The package's files, as (name, text).
    pub files: Vec<(String, String)>,
    /// The expression of `-e`.
    pub expr: Option<String>,
    /// Tags of `-t`, and limits.
    pub options: Options,
}

/// Compiles the input.
///
/// # Errors
/// Syntax and names, as [`crate::compile`].
pub fn load(input: &Input, loader: &dyn Loader) -> Result<Value, Errors> {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for (name, text) in &input.files {
        match SourceFile::new(name, text) {
            Ok(file) => files.push(file),
            Err(e) => errors.extend(e.0),
        }
    }
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    if files.is_empty() {
        return Err(crate::load::no_files("."));
    }
    let value = compile_package(files, loader, input.options.clone())?;
    match &input.expr {
        Some(expr) => value.eval_expr(expr),
        None => Ok(value),
    }
}

/// `cue eval`: the evaluated value as CUE.
///
/// # Errors
/// As [`load`]; and what contradicts itself.
pub fn eval(input: &Input, loader: &dyn Loader) -> Result<String, Errors> {
    load(input, loader)?.to_cue(CueOptions::eval())
}

/// `cue def`: the value with its definitions, hidden and optional fields.
///
/// # Errors
/// As [`eval`].
pub fn def(input: &Input, loader: &dyn Loader) -> Result<String, Errors> {
    load(input, loader)?.to_cue(CueOptions::all())
}

/// `cue export`: concrete data.
///
/// # Errors
/// As [`eval`]; what is not concrete; what the encoding cannot hold.
///
/// ```
/// use cue::load::MemoryLoader;
/// use cue::tool::{Encoding, Input, export};
///
/// let input = Input { files: vec![("a.cue".into(), "a: 1 + 1".into())], ..Default::default() };
/// assert_eq!(export(&input, Encoding::Yaml, &MemoryLoader::default()).unwrap(), "a: 2\n");
/// ```
pub fn export(input: &Input, encoding: Encoding, loader: &dyn Loader) -> Result<String, Errors> {
    let value = load(input, loader)?;
    let fail = |message: String| Errors::one(Error::new(Code::Eval, message));
    if encoding == Encoding::Cue {
        value.validate(true)?;
        return value.to_cue(CueOptions::data());
    }
    let data = value.to_data()?;
    match encoding {
        Encoding::Json => Ok(data::json::write(&data, Some("    ")) + "\n"),
        Encoding::Yaml => Ok(data::yaml::write(&data)),
        Encoding::Toml => data::toml::write(&data).map_err(fail),
        Encoding::Text => match data {
            Data::String(s) => Ok(s),
            Data::Bytes(b) => String::from_utf8(b).map_err(|_| fail("bytes are not text".to_owned())),
            _ => Err(fail("only a string or bytes value can be written as text".to_owned())),
        },
        Encoding::Cue => Ok(String::new()),
    }
}

/// `cue vet`: checks the package, and each data file against it (or against the definition `schema`).
///
/// # Errors
/// Every error found, data files by name.
pub fn vet(
    input: &Input,
    data_files: &[(String, String)],
    schema: Option<&str>,
    concrete: bool,
    loader: &dyn Loader,
) -> Result<(), Errors> {
    let value = load(input, loader)?;
    if data_files.is_empty() {
        return value.validate(concrete);
    }
    let target = match schema {
        Some(expr) => value.eval_expr(expr)?,
        None => value,
    };
    let mut errors = Vec::new();
    for (name, text) in data_files {
        for data in parse_data(name, text)? {
            if let Err(e) = target.unify_data(&data).validate(true) {
                errors.extend(e.0.into_iter().map(|mut e| {
                    e.message = format!("{} ({name})", e.message);
                    e
                }));
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Errors(errors)) }
}

/// `cue fmt`.
///
/// # Errors
/// The text does not parse.
pub fn fmt(name: &str, text: &str) -> Result<String, Errors> {
    crate::fmt::format(name, text)
}

/// `cue import`: JSON, YAML or TOML text as CUE.
///
/// # Errors
/// The text does not parse.
pub fn import(name: &str, text: &str, package: Option<&str>) -> Result<String, Errors> {
    let mut documents = parse_data(name, text)?;
    let data = if documents.len() == 1 { documents.remove(0) } else { Data::List(documents) };
    let json = data::json::write(&data, Some("\t"));
    let body = match &data {
        Data::Object(fields) => fields
            .iter()
            .map(|(k, v)| format!("{}: {}\n", label(k), data::json::write(v, Some("\t"))))
            .collect::<String>(),
        _ => json,
    };
    let head = package.map_or(String::new(), |p| format!("package {p}\n\n"));
    crate::fmt::format(name, &format!("{head}{body}"))
}

fn label(name: &str) -> String {
    if crate::syntax::literal::is_plain_label(name) {
        name.to_owned()
    } else {
        crate::syntax::literal::quote(name)
    }
}

/// Reads a data file by its extension.
///
/// # Errors
/// The extension is unknown, or the text does not parse.
pub fn parse_data(name: &str, text: &str) -> Result<Vec<Data>, Errors> {
    let fail = |message: String| Errors::one(Error::new(Code::Syntax, format!("{name}:{message}")));
    match Encoding::named(name.rsplit('.').next().unwrap_or("")) {
        Some(Encoding::Json) => data::json::parse(text).map(|d| vec![d]).map_err(fail),
        Some(Encoding::Yaml) => data::yaml::parse(text).map_err(fail),
        Some(Encoding::Toml) => data::toml::parse(text).map(|d| vec![d]).map_err(fail),
        Some(Encoding::Text) => Ok(vec![Data::String(text.to_owned())]),
        _ => Err(fail(" not a data file (.json, .yaml, .toml, .txt)".to_owned())),
    }
}
