//! Arguments of `cue`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with CUE.
#[derive(Debug, Subcommand)]
pub enum CueCommand {
    /// Evaluate and print as CUE
    Eval(EvalArgs),
    /// Print concrete values as data
    Export(ExportCueArgs),
    /// Check packages, and data files against them; prints nothing when all is well
    Vet(VetArgs),
    /// Write CUE files in their one form
    Fmt(FmtCueArgs),
    /// Print packages as one definition: with constraints, definitions and optional fields
    Def(DefArgs),
    /// Write JSON, YAML or TOML files as CUE, beside them
    Import(ImportArgs),
    /// List the packages of the standard library, or the functions of one
    Std {
        /// A package, for example `strings`
        package: Option<String>,
    },
}

/// What is looked at.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Packages (`.`, `./dir`, `./dir:name`, `./...`), CUE files, data files, or `-` for standard input; the package of the
    /// current directory when left out
    pub inputs: Vec<String>,
    /// Inject a value into `@tag(KEY)`, or switch `@if(TAG)` on
    #[arg(short = 't', long = "inject", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// Let `@tag(KEY,var=NAME)` take the machine's now, os, arch, cwd, username, hostname and rand, where no value is
    /// injected
    #[arg(short = 'T', long)]
    pub inject_vars: bool,
    /// Name of the package, where a directory holds several
    #[arg(short, long, value_name = "NAME")]
    pub package: Option<String>,
}

/// Arguments of `cue eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// What is looked at.
    #[command(flatten)]
    pub input: InputArgs,
    /// Evaluate this expression in the package; may be given several times
    #[arg(short = 'e', long = "expression", value_name = "EXPR")]
    pub expressions: Vec<String>,
    /// Unify data files with this expression of the package
    #[arg(short = 'd', long, value_name = "EXPR")]
    pub schema: Option<String>,
    /// Refuse what is not concrete
    #[arg(short, long)]
    pub concrete: bool,
    /// Show optional and hidden fields, too
    #[arg(short, long)]
    pub all: bool,
    /// Show hidden fields
    #[arg(short = 'H', long)]
    pub show_hidden: bool,
    /// Show optional fields
    #[arg(short = 'O', long)]
    pub show_optional: bool,
    /// Format: cue, json, yaml, toml or text
    #[arg(long, value_name = "FORMAT")]
    pub out: Option<String>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub outfile: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `cue export`.
#[derive(Debug, Args)]
pub struct ExportCueArgs {
    /// What is looked at.
    #[command(flatten)]
    pub input: InputArgs,
    /// Export this expression of the package; may be given several times
    #[arg(short = 'e', long = "expression", value_name = "EXPR")]
    pub expressions: Vec<String>,
    /// Unify data files with this expression of the package
    #[arg(short = 'd', long, value_name = "EXPR")]
    pub schema: Option<String>,
    /// Format: json, yaml, toml, text or cue; by the file's name when `--outfile` is given, else json
    #[arg(long, value_name = "FORMAT")]
    pub out: Option<String>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub outfile: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `cue vet`.
#[derive(Debug, Args)]
pub struct VetArgs {
    /// What is looked at.
    #[command(flatten)]
    pub input: InputArgs,
    /// Check data files against this expression of the package, for example `#Config`
    #[arg(short = 'd', long, value_name = "EXPR")]
    pub schema: Option<String>,
    /// Refuse what is not concrete, also without data files
    #[arg(short, long)]
    pub concrete: bool,
}

/// Arguments of `cue fmt`.
#[derive(Debug, Args)]
pub struct FmtCueArgs {
    /// Files, packages, or `-` for standard input; the package of the current directory when left out
    pub inputs: Vec<String>,
    /// Change nothing; exit 1 if something would change
    #[arg(long)]
    pub check: bool,
    /// Change nothing; show what would change
    #[arg(short, long)]
    pub diff: bool,
}

/// Arguments of `cue def`.
#[derive(Debug, Args)]
pub struct DefArgs {
    /// What is looked at.
    #[command(flatten)]
    pub input: InputArgs,
    /// Print this expression of the package; may be given several times
    #[arg(short = 'e', long = "expression", value_name = "EXPR")]
    pub expressions: Vec<String>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub outfile: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `cue import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Data files (.json, .yaml, .yml, .toml)
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Name of the package the files are to belong to
    #[arg(short, long, value_name = "NAME")]
    pub package: Option<String>,
    /// Put the data below this field; may be given several times, outermost first
    #[arg(short = 'l', long = "path", value_name = "FIELD")]
    pub path: Vec<String>,
    /// Write to this file instead of one beside each data file; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub outfile: Option<PathBuf>,
    /// Replace files that are there
    #[arg(short, long)]
    pub force: bool,
}
