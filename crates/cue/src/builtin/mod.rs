//! The builtin functions and the standard library.

mod address;
mod core;
mod crypto;
mod encoding;
mod list;
mod matching;
mod math;
mod net;
mod paths;
mod regexp;
mod special;
mod strconv;
mod strings;
mod structs;
mod table;
mod tabwriter;
mod template;
mod time;
mod uuid;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use num_bigint::BigInt;

pub(crate) use paths::glob;

use crate::eval::{Eval, edit_distance};
use crate::number::Number;
use crate::program::{Ir, Label};
use crate::value::{Bottom, ExprId, Kind, NodeId, Value};

/// Why a call has no result.
pub(crate) enum Fail {
    Bottom(Arc<Bottom>),
    Eval(String),
    Incomplete(String),
}

impl From<String> for Fail {
    fn from(message: String) -> Self {
        Self::Eval(message)
    }
}

impl From<&str> for Fail {
    fn from(message: &str) -> Self {
        Self::Eval(message.to_owned())
    }
}

impl From<Arc<Bottom>> for Fail {
    fn from(bottom: Arc<Bottom>) -> Self {
        Self::Bottom(bottom)
    }
}

pub(crate) type Outcome = Result<Value, Fail>;

/// A call being made.
pub(crate) struct Call<'a> {
    pub(crate) eval: &'a mut Eval,
    pub(crate) args: Vec<Value>,
    pub(crate) at: ExprId,
}

/// A builtin: `package.Name`, the types of its parameters, and what it does.
///
/// Parameter letters: `s` string, `b` string or bytes, `i` int, `n` number, `o` bool, `l` list,
/// `S` string that may be left out, `t` struct, `v` any concrete value, `c` any value or constraint, `L` a list taken as it is.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) params: &'static str,
    /// Returns a bool, and may stand for the check of its first parameter.
    pub(crate) validator: bool,
    pub(crate) run: fn(&mut Call<'_>) -> Outcome,
}

/// A constant of a package.
pub(crate) enum Constant {
    Int(i64),
    Text(&'static str),
    Decimal(&'static str),
    /// A struct, as CUE source.
    Struct(&'static str),
}

static INDEX: LazyLock<HashMap<&'static str, u32>> = LazyLock::new(|| {
    let all = table::BUILTINS.iter().enumerate();
    all.map(|(i, b)| (b.name, u32::try_from(i).unwrap_or(u32::MAX))).collect()
});

fn get(id: u32) -> &'static Builtin {
    let all = &table::BUILTINS;
    &all[(id as usize).min(all.len() - 1)]
}

pub(crate) fn name(id: u32) -> &'static str {
    get(id).name
}

pub(crate) fn params(id: u32) -> &'static str {
    get(id).params
}

pub(crate) fn run(id: u32, call: &mut Call<'_>) -> Outcome {
    (get(id).run)(call)
}

/// Fewest arguments, for builtins with optional ones.
pub(crate) fn variadic(id: u32) -> Option<usize> {
    match get(id).name {
        "error" => Some(0),
        "matchIf" => Some(3),
        _ => get(id).params.find('S'),
    }
}

pub(crate) fn is_close(id: u32) -> bool {
    matches!(get(id).name, "close" | "__closeAll")
}

/// Closes what is below, too.
pub(crate) fn closes_all(id: u32) -> bool {
    get(id).name == "__closeAll"
}

pub(crate) fn is_validator(id: u32) -> bool {
    get(id).validator
}

pub(crate) fn param_kind(param: u8) -> Option<Kind> {
    Some(match param {
        b's' | b'S' => Kind::STRING,
        b'b' => Kind::STRING.or(Kind::BYTES),
        b'i' => Kind::INT,
        b'n' => Kind::NUMBER,
        b'o' => Kind::BOOL,
        b'l' => Kind::LIST,
        b't' => Kind::STRUCT,
        b'v' => Kind::TOP,
        _ => return None,
    })
}

/// The types a validator admits.
pub(crate) fn validator_kind(id: u32, _args: &[Value]) -> Kind {
    let builtin = get(id);
    let first = builtin.params.as_bytes().first().copied().unwrap_or(b'c');
    param_kind(first).unwrap_or(Kind::TOP)
}

/// The standard library: each package's import path, and the names in it, sorted.
///
/// ```
/// let packages = cue::standard_packages();
/// let (_, members) = packages.iter().find(|(path, _)| *path == "strings").unwrap();
/// assert!(members.contains(&"ToUpper"));
/// ```
#[must_use]
pub fn standard_packages() -> Vec<(&'static str, Vec<&'static str>)> {
    let names = table::BUILTINS
        .iter()
        .map(|builtin| builtin.name)
        .chain(table::CONSTANTS.iter().map(|(name, _)| *name));
    let names: Vec<&'static str> = names.collect();
    let mut packages: Vec<_> = table::PACKAGES
        .iter()
        .map(|(path, prefix)| {
            let own = names.iter().filter_map(|name| name.strip_prefix(prefix)?.strip_prefix('.'));
            let mut members: Vec<&'static str> = own.collect();
            members.sort_unstable();
            members.dedup();
            (*path, members)
        })
        .collect();
    packages.sort_unstable();
    packages
}

pub(crate) fn package_index(path: &str) -> Option<u32> {
    table::PACKAGES.iter().position(|(p, _)| *p == path).and_then(|i| u32::try_from(i).ok())
}

/// A member of a standard package.
pub(crate) enum Member {
    Ir(Ir),
    /// To be compiled in place.
    Source(&'static str),
}

/// The member whose name is nearest to one that does not exist, when it is near.
pub(crate) fn nearest(package: u32, name: &str) -> Option<&'static str> {
    let (path, _) = table::PACKAGES.get(package as usize)?;
    let (_, members) = standard_packages().into_iter().find(|(own, _)| own == path)?;
    near(name, members)
}

/// The package whose path is nearest to one that does not exist, when it is near.
pub(crate) fn nearest_package(path: &str) -> Option<&'static str> {
    near(path, table::PACKAGES.iter().map(|(path, _)| *path))
}

fn near(name: &str, all: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let measured = all.into_iter().map(|one| (edit_distance(name, one), one));
    measured.filter(|(distance, _)| *distance <= 1 + name.len() / 4).min().map(|(_, one)| one)
}

/// Finds a member of a standard package.
pub(crate) fn member(package: u32, name: &str) -> Option<Member> {
    let (_, prefix) = table::PACKAGES.get(package as usize)?;
    let full = format!("{prefix}.{name}");
    if let Some(id) = INDEX.get(full.as_str()) {
        return Some(Member::Ir(Ir::Value(Value::Builtin(*id))));
    }
    let constant = table::CONSTANTS.iter().find(|(n, _)| *n == full)?;
    Some(Member::Ir(Ir::Value(match &constant.1 {
        Constant::Int(n) => Value::int(*n),
        Constant::Text(t) => Value::string(*t),
        Constant::Decimal(t) => Value::number(Number::parse_decimal(t)?),
        Constant::Struct(source) => return Some(Member::Source(source)),
    })))
}

/// What a predeclared name stands for.
pub(crate) fn predeclared(name: &str) -> Option<Ir> {
    let value = match name.strip_prefix("__").unwrap_or(name) {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "bool" => Value::Kind(Kind::BOOL),
        "int" => Value::Kind(Kind::INT),
        "float" => Value::Kind(Kind::FLOAT),
        "number" => Value::Kind(Kind::NUMBER),
        "string" => Value::Kind(Kind::STRING),
        "bytes" => Value::Kind(Kind::BYTES),
        "no_sharing" if name.starts_with("__") => Value::top(),
        "closeAll" if name.starts_with("__") => Value::Builtin(*INDEX.get("__closeAll")?),
        "len" | "close" | "and" | "or" | "div" | "mod" | "quo" | "rem" | "error" | "matchN" | "matchIf" => {
            Value::Builtin(*INDEX.get(name.trim_start_matches('_'))?)
        }
        other => return int_range(other).map(Ir::Value),
    };
    Some(Ir::Value(value))
}

fn int_range(name: &str) -> Option<Value> {
    use crate::value::BoundOp;
    let pow = |n: u32| num_traits::pow(BigInt::from(2), n as usize);
    let bits = |text: &str| text.parse::<u32>().ok().filter(|b| [8, 16, 32, 64, 128].contains(b));
    let bound = |op, n: Number| Value::Bound(op, Arc::new(Value::number(n)));
    let (low, high) = match name {
        "uint" => {
            return Some(Value::Conj([Value::Kind(Kind::INT), bound(BoundOp::Ge, Number::int(0))].into()));
        }
        "rune" => (BigInt::from(0), BigInt::from(0x0010_ffff)),
        "float32" | "float64" => {
            let limit = if name == "float32" {
                "3.40282346638528859811704183484516925440e+38"
            } else {
                "1.797693134862315708145274237317043567981e+308"
            };
            let n = Number::parse_decimal(limit)?;
            return Some(Value::Conj([bound(BoundOp::Ge, n.neg()), bound(BoundOp::Le, n)].into()));
        }
        _ => match (name.strip_prefix("uint").and_then(bits), name.strip_prefix("int").and_then(bits)) {
            (Some(b), _) => (BigInt::from(0), pow(b) - 1),
            (_, Some(b)) => (-pow(b - 1), pow(b - 1) - 1),
            _ => return None,
        },
    };
    let low = bound(BoundOp::Ge, Number::Int(low));
    let high = bound(BoundOp::Le, Number::Int(high));
    Some(Value::Conj([Value::Kind(Kind::INT), low, high].into()))
}

/// A compiled regular expression; compiled ones are kept.
pub(crate) fn regex(pattern: &str) -> Result<regex::Regex, String> {
    static CACHE: LazyLock<Mutex<HashMap<String, regex::Regex>>> = LazyLock::new(Mutex::default);
    let mut cache = CACHE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(re) = cache.get(pattern) {
        return Ok(re.clone());
    }
    let re = regex::RegexBuilder::new(pattern)
        .size_limit(1 << 22)
        .build()
        .map_err(|e| format!("invalid regexp: {}", e.to_string().lines().last().unwrap_or("")))?;
    if cache.len() > 1000 {
        cache.clear();
    }
    cache.insert(pattern.to_owned(), re.clone());
    Ok(re)
}

impl Call<'_> {
    pub(crate) fn text(&self, i: usize) -> Result<String, Fail> {
        match self.args.get(i) {
            Some(Value::String(s)) => Ok(s.to_string()),
            Some(Value::Bytes(b)) => {
                String::from_utf8(b.to_vec()).map_err(|_| Fail::from("bytes are not valid UTF-8"))
            }
            _ => Err("expected a string".into()),
        }
    }

    pub(crate) fn bytes(&self, i: usize) -> Result<Vec<u8>, Fail> {
        match self.args.get(i) {
            Some(Value::String(s)) => Ok(s.as_bytes().to_vec()),
            Some(Value::Bytes(b)) => Ok(b.to_vec()),
            _ => Err("expected a string or bytes".into()),
        }
    }

    pub(crate) fn number(&self, i: usize) -> Result<Number, Fail> {
        match self.args.get(i) {
            Some(Value::Number(n)) => Ok((**n).clone()),
            _ => Err("expected a number".into()),
        }
    }

    pub(crate) fn int(&self, i: usize) -> Result<i64, Fail> {
        let n = self.number(i)?;
        Eval::int_value(&n).ok_or_else(|| Fail::Eval(format!("{n} is out of range")))
    }

    pub(crate) fn uint(&self, i: usize) -> Result<usize, Fail> {
        let n = self.int(i)?;
        usize::try_from(n).map_err(|_| Fail::Eval(format!("cannot convert {n}: must be at least 0")))
    }

    pub(crate) fn node(&self, i: usize) -> Result<NodeId, Fail> {
        match self.args.get(i) {
            Some(Value::Node(n)) => Ok(self.eval.deref(*n)),
            _ => Err("expected a struct or list".into()),
        }
    }

    /// Element nodes of a list argument.
    pub(crate) fn element_nodes(&self, i: usize) -> Result<Vec<NodeId>, Fail> {
        let node = self.node(i)?;
        let len = self.eval.live_len(node);
        Ok((0..len).filter_map(|i| self.eval.node(node).arcs.get(Label::index(i))).collect())
    }

    /// Elements of a list argument, defaults taken.
    pub(crate) fn elements(&mut self, i: usize) -> Result<Vec<Value>, Fail> {
        let nodes = self.element_nodes(i)?;
        let mut out = Vec::with_capacity(nodes.len());
        for node in nodes {
            let value = self.eval.node_value(node);
            match self.eval.pick_default(value, self.at) {
                Value::Bottom(b) => return Err(b.into()),
                v => out.push(v),
            }
        }
        Ok(out)
    }

    pub(crate) fn texts(&mut self, i: usize) -> Result<Vec<String>, Fail> {
        let items = self.elements(i)?;
        items
            .into_iter()
            .enumerate()
            .map(|(n, v)| match v {
                Value::String(s) => Ok(s.to_string()),
                v if v.is_scalar() || matches!(v, Value::Node(_)) || !v.kind().has(Kind::STRING) => {
                    let text = self.eval.describe(&v);
                    Err(Fail::Eval(format!("invalid list element {n}: cannot use value {text} as string")))
                }
                v => Err(Fail::Incomplete(format!("non-concrete value {}", self.eval.describe(&v)))),
            })
            .collect()
    }

    pub(crate) fn numbers(&mut self, i: usize) -> Result<Vec<Number>, Fail> {
        let items = self.elements(i)?;
        items
            .into_iter()
            .enumerate()
            .map(|(n, v)| match v {
                Value::Number(x) => Ok((*x).clone()),
                v if v.is_scalar()
                    || matches!(v, Value::Node(_))
                    || v.kind().and(Kind::NUMBER).is_empty() =>
                {
                    let text = self.eval.describe(&v);
                    Err(Fail::Eval(format!("invalid list element {n}: cannot use value {text} as number")))
                }
                v => Err(Fail::Incomplete(format!("non-concrete value {}", self.eval.describe(&v)))),
            })
            .collect()
    }

    pub(crate) fn list(&mut self, items: Vec<Value>) -> Value {
        self.eval.list_value(items, self.at)
    }

    pub(crate) fn text_list(&mut self, items: impl IntoIterator<Item = String>) -> Value {
        let items = items.into_iter().map(Value::string).collect();
        self.list(items)
    }
}
