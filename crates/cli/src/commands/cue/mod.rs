//! `cue`: evaluate, export, check and format CUE.

mod files;
mod machine;
mod sources;

use cue::export::CueOptions;
use cue::tool::{self, Encoding, Input};
use cue::{Errors, Options, Value};
use model::{Diagnostic, Location, code};
use serde_json::json;

use crate::args::{CueCommand, DefArgs, EvalArgs, ExportCueArgs, InputArgs, VetArgs};
use crate::report::{Answer, Report};
use crate::ui::Ui;
use crate::world::World;
use files::Output;
use sources::{Instance, Named, instances};

/// What stands between the answers for several packages.
const SEPARATOR: &str = "// ---\n";

/// Carries out one of the commands.
pub(super) fn cue(ui: &mut Ui, world: &World, command: &CueCommand) -> Answer {
    match command {
        CueCommand::Eval(args) => eval(ui, world, args),
        CueCommand::Export(args) => export(ui, world, args),
        CueCommand::Vet(args) => vet(ui, world, args),
        CueCommand::Fmt(args) => files::fmt(ui, args),
        CueCommand::Def(args) => def(ui, world, args),
        CueCommand::Import(args) => files::import(ui, args),
        CueCommand::Std { package } => standard(ui, package.as_deref()),
    }
}

fn eval(ui: &mut Ui, world: &World, args: &EvalArgs) -> Answer {
    let output = Output::new(ui, args.outfile.as_deref(), args.force, args.out.as_deref(), Encoding::Cue)?;
    let options = CueOptions {
        hidden: args.all || args.show_hidden,
        optional: args.all || args.show_optional,
        ..CueOptions::eval()
    };
    let mut out = Vec::new();
    for value in values(world, &args.input, &args.expressions, args.schema.as_deref())? {
        value.check(args.concrete)?;
        out.push(match output.encoding {
            Encoding::Cue => value.said(value.value.to_cue(options))?,
            encoding => value.said(tool::encode(&value.value, encoding))?,
        });
    }
    output.write(ui, &join(&out, output.encoding))
}

fn export(ui: &mut Ui, world: &World, args: &ExportCueArgs) -> Answer {
    let output = Output::new(ui, args.outfile.as_deref(), args.force, args.out.as_deref(), Encoding::Json)?;
    let mut out = Vec::new();
    for value in values(world, &args.input, &args.expressions, args.schema.as_deref())? {
        out.push(value.said(tool::encode(&value.value, output.encoding))?);
    }
    output.write(ui, &join(&out, output.encoding))
}

fn def(ui: &mut Ui, world: &World, args: &DefArgs) -> Answer {
    let output = Output::new(ui, args.outfile.as_deref(), args.force, Some("cue"), Encoding::Cue)?;
    let mut out = Vec::new();
    for value in values(world, &args.input, &args.expressions, None)? {
        out.push(value.said(value.value.to_cue(CueOptions::all()))?);
    }
    output.write(ui, &join(&out, Encoding::Cue))
}

fn join(parts: &[String], encoding: Encoding) -> String {
    match encoding {
        Encoding::Cue => parts.join(SEPARATOR),
        Encoding::Yaml => parts.join("---\n"),
        Encoding::Json | Encoding::Toml | Encoding::Text => parts.concat(),
    }
}

/// A value, and the texts it came from, to show in what is said about it.
struct Sourced {
    value: Value,
    sources: Vec<Named>,
}

impl Sourced {
    fn said<T>(&self, result: Result<T, Errors>) -> Result<T, Report> {
        result.map_err(|errors| failed("the value cannot be used", &errors, &self.sources))
    }

    fn check(&self, concrete: bool) -> Result<(), Report> {
        if concrete { self.said(self.value.validate(true)) } else { Ok(()) }
    }
}

/// Evaluates every package, with its data files unified (each document of them is a value of its own), and picks the
/// expressions.
fn values(
    world: &World,
    args: &InputArgs,
    expressions: &[String],
    schema: Option<&str>,
) -> Result<Vec<Sourced>, Report> {
    let mut out = Vec::new();
    let instances = instances(args)?;
    for (instance, options) in instances.iter().zip(options(world, &instances, args)?) {
        let sources = [instance.files.clone(), instance.data.clone()].concat();
        let values = evaluated(instance, options, expressions, schema)
            .map_err(|errors| failed("the value cannot be made", &errors, &sources))?;
        out.extend(values.into_iter().map(|value| Sourced { value, sources: sources.clone() }));
    }
    Ok(out)
}

fn evaluated(
    instance: &Instance,
    options: Options,
    expressions: &[String],
    schema: Option<&str>,
) -> Result<Vec<Value>, Errors> {
    let package = tool::load(&input(instance, options), &instance.module)?;
    let mut values = vec![match schema {
        Some(schema) => package.eval_expr(schema)?,
        None => package,
    }];
    for (name, text) in &instance.data {
        let unified: Result<Vec<_>, _> =
            values.iter().map(|value| tool::with_data(value, name, text)).collect();
        values = unified?.into_iter().flatten().collect();
    }
    if expressions.is_empty() {
        return Ok(values);
    }
    values.iter().flat_map(|value| expressions.iter().map(|expression| value.eval_expr(expression))).collect()
}

fn input(instance: &Instance, options: Options) -> Input {
    let files = if instance.files.is_empty() && !instance.data.is_empty() {
        // data alone is a value of its own
        vec![("data.cue".to_owned(), "_".to_owned())]
    } else {
        instance.files.clone()
    };
    Input { files, expr: None, options }
}

/// What each package is told.
fn options(world: &World, instances: &[Instance], args: &InputArgs) -> Result<Vec<Options>, Report> {
    let variables = args.inject_vars.then(|| machine::variables(world));
    let tags = tags(instances, args)?.into_iter();
    Ok(tags.map(|tags| Options { tags, variables: variables.clone(), ..Options::default() }).collect())
}

/// The tags that go to each package: all of them where there is one, else those it takes; one that none takes is refused.
fn tags(instances: &[Instance], args: &InputArgs) -> Result<Vec<Vec<String>>, Report> {
    if instances.len() == 1 || args.tags.is_empty() {
        return Ok(vec![args.tags.clone(); instances.len()]);
    }
    let mut taken = Vec::new();
    for instance in instances {
        let unused = tool::unused_tags(
            &input(instance, Options { tags: args.tags.clone(), ..Options::default() }),
            &instance.module,
        )
        .map_err(|errors| failed("the package cannot be read", &errors, &instance.files))?;
        taken.push(args.tags.iter().filter(|tag| !unused.contains(tag)).cloned().collect::<Vec<_>>());
    }
    match args.tags.iter().find(|tag| !taken.iter().flatten().any(|used| used == *tag)) {
        Some(tag) => {
            Err(Report::new(code::cue::REFERENCE, format!("none of the packages takes the tag {tag:?}"))
                .with_hint("mark a field with @tag(name) to set it with -t name=value"))
        }
        None => Ok(taken),
    }
}

fn vet(ui: &mut Ui, world: &World, args: &VetArgs) -> Answer {
    let instances = instances(&args.input)?;
    for (instance, options) in instances.iter().zip(options(world, &instances, &args.input)?) {
        let sources = [instance.files.clone(), instance.data.clone()].concat();
        let input = input(instance, options);
        tool::vet(&input, &instance.data, args.schema.as_deref(), args.concrete, &instance.module)
            .map_err(|errors| failed("the values are not what they must be", &errors, &sources))?;
    }
    if ui.json {
        ui.answer_json(&json!({ "valid": true }));
    }
    Ok(0)
}

fn standard(ui: &mut Ui, package: Option<&str>) -> Answer {
    let mut packages = cue::standard_packages();
    if let Some(package) = package {
        packages.retain(|(path, _)| *path == package);
        if packages.is_empty() {
            return Err(Report::new(
                code::general::NOT_FOUND,
                format!("the standard library has no package {package}"),
            )
            .with_hint("aedile cue std"));
        }
    }
    if ui.json {
        let listed: Vec<_> =
            packages.iter().map(|(path, members)| json!({ "package": path, "members": members })).collect();
        ui.answer_json(&json!(listed));
        return Ok(0);
    }
    for (path, members) in &packages {
        match package {
            Some(_) => members.iter().for_each(|member| ui.answer(format_args!("{path}.{member}"))),
            None => ui.answer(path),
        }
    }
    Ok(0)
}

/// What is wrong, in the form of every error of this program.
fn failed(what: &str, errors: &Errors, sources: &[Named]) -> Report {
    let findings = errors.0.iter().map(finding).collect();
    sources
        .iter()
        .fold(Report::findings(what, findings), |report, (name, text)| report.with_source(name, text))
}

fn finding(error: &cue::Error) -> Diagnostic {
    let mut places = error.positions.iter().map(|position| Location {
        file: position.file.to_string(),
        line: position.line,
        column: position.column,
        path: String::new(),
    });
    let first = Location { path: error.path.clone(), ..places.next().unwrap_or_default() };
    let mut finding = Diagnostic::error(config::code_of(error.code), &error.message, first);
    finding.related = places.collect();
    finding.hint.clone_from(&error.hint);
    finding
}
