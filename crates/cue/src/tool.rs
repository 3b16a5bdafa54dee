//! What a command line does with CUE, on sources held in memory: no files are opened here.

use std::sync::Arc;

use crate::data::places::Places;
use crate::data::{self, Data};
use crate::error::{Code, Error, Errors};
use crate::export::CueOptions;
use crate::load::{Compiler, Loader, SourceFile};
use crate::program::Program;
use crate::session::{DataFile, Options, Value, compile_package};

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
    let value = compile_package(sources(input)?, loader, input.options.clone())?;
    match &input.expr {
        Some(expr) => value.eval_expr(expr),
        None => Ok(value),
    }
}

fn sources(input: &Input) -> Result<Vec<SourceFile>, Errors> {
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
    Ok(files)
}

/// Which of the input's tags nothing in its package takes. [`load`] refuses those; who evaluates several packages with
/// the same tags asks first.
///
/// # Errors
/// The sources do not parse.
///
/// ```
/// use cue::load::MemoryLoader;
/// use cue::tool::{Input, unused_tags};
///
/// let mut input = Input { files: vec![("a.cue".into(), "a: string @tag(env)".into())], ..Default::default() };
/// input.options.tags = vec!["env=prod".into(), "port=80".into()];
/// assert_eq!(unused_tags(&input, &MemoryLoader::default()).unwrap(), ["port=80"]);
/// ```
pub fn unused_tags(input: &Input, loader: &dyn Loader) -> Result<Vec<String>, Errors> {
    let files = sources(input)?;
    Ok(Compiler::new(loader, &input.options).main(&mut Program::default(), &files).unused)
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
    encode(&load(input, loader)?, encoding)
}

/// A value as concrete data in an encoding.
///
/// # Errors
/// What contradicts itself; what is not concrete; what the encoding cannot hold.
pub fn encode(value: &Value, encoding: Encoding) -> Result<String, Errors> {
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
        for value in with_data(&target, name, text)? {
            errors.extend(value.validate(true).err().into_iter().flat_map(|found| found.0));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Errors(errors)) }
}

/// A value unified with a data file: one answer for each of its documents. What is said about them points into the file.
///
/// # Errors
/// The text does not parse.
pub fn with_data(value: &Value, name: &str, text: &str) -> Result<Vec<Value>, Errors> {
    let documents = parse_data(name, text)?;
    let places = match Encoding::named(name.rsplit('.').next().unwrap_or("")) {
        Some(Encoding::Json | Encoding::Yaml) => Places::of(text),
        _ => Places::default(),
    };
    let file = Arc::new(DataFile { name: name.into(), text: text.into(), places });
    let unified = documents.iter().enumerate().map(|(i, data)| value.unify_document(data, &file, i));
    Ok(unified.collect())
}

/// `cue fmt`.
///
/// # Errors
/// The text does not parse.
pub fn fmt(name: &str, text: &str) -> Result<String, Errors> {
    crate::fmt::format(name, text)
}

/// `cue import`: JSON, YAML or TOML text as CUE, below the fields of `path`, outermost first.
///
/// # Errors
/// The text does not parse.
pub fn import(name: &str, text: &str, package: Option<&str>, path: &[String]) -> Result<String, Errors> {
    let mut documents = parse_data(name, text)?;
    let data = if documents.len() == 1 { documents.remove(0) } else { Data::List(documents) };
    let body = match &data {
        Data::Object(fields) if path.is_empty() => members(fields),
        _ => {
            let below: String = path.iter().map(|field| format!("{}: ", label(field))).collect();
            format!("{below}{}\n", literal(&data))
        }
    };
    let head = package.map_or(String::new(), |p| format!("package {p}\n\n"));
    crate::fmt::format(name, &format!("{head}{body}"))
}

/// Data as CUE, for the formatter to lay out.
fn literal(data: &Data) -> String {
    match data {
        Data::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Data::Object(fields) => format!("{{\n{}}}", members(fields)),
        Data::List(items) if items.is_empty() => "[]".to_owned(),
        Data::List(items) => {
            let items: String = items.iter().map(|item| format!("{},\n", literal(item))).collect();
            format!("[\n{items}]")
        }
        scalar => data::json::write(scalar, None),
    }
}

fn members(fields: &[(String, Data)]) -> String {
    fields.iter().map(|(name, value)| format!("{}: {}\n", label(name), literal(value))).collect()
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
