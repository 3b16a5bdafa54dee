//! Rewrites a jq syntax tree so that its evaluation can be bounded.
//!
//! jaq evaluates lazily and has no budget of its own. Every way to do unbounded work is a source of
//! many values (`.[]`, `..`, `range`), a call of a definition (all loops are recursion), or growth (`+`, `*`,
//! texts made from values, comparisons of deep values). The rewriting puts a meter at each of them. The
//! names of the meters cannot be written in jq, so no expression can redefine them.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

/// Charges one step and passes its input on.
pub(super) const TICK: &str = "!tick";
/// Charges by the size of its input and refuses what is too large.
pub(super) const FITS: &str = "!fits";
/// `+` with a limit on its result.
pub(super) const ADD: &str = "!add";
/// `*` with a limit on its result.
pub(super) const MULTIPLY: &str = "!multiply";
const OPERAND: &str = "$!operand";

/// Natives that walk or copy their whole input.
const WALKERS: &[&str] = &[
    "tojson",
    "sort",
    "sort_by",
    "group_by",
    "contains",
    "indices",
    "bsearch",
    "tobytes",
    "min_by_or_empty",
    "max_by_or_empty",
    "implode",
    "explode",
    "matches",
    "split_matches",
    "split_",
];

/// What a tree refers to.
#[derive(Default)]
pub(super) struct Uses<'s> {
    /// Names of called filters, without duplicates.
    pub(super) calls: Vec<&'s str>,
    /// Names of variables with `$`, without duplicates; bound ones among them.
    pub(super) variables: Vec<&'s str>,
}

impl<'s> Uses<'s> {
    fn call(&mut self, name: &'s str) {
        if !self.calls.contains(&name) {
            self.calls.push(name);
        }
    }

    fn variable(&mut self, name: &'s str) {
        if !self.variables.contains(&name) {
            self.variables.push(name);
        }
    }
}

/// The definition with meters, and what it uses.
pub(super) fn definition<'s>(def: Def<&'s str>, uses: &mut Uses<'s>) -> Def<&'s str> {
    let body = metered(term(def.body, uses));
    Def { name: def.name, args: def.args, body }
}

/// The body of a definition that charges a step for every call.
pub(super) fn metered(body: Term<&str>) -> Term<&str> {
    pipe(call(TICK), body)
}

/// The term with meters, and what it uses.
pub(super) fn term<'s>(tree: Term<&'s str>, uses: &mut Uses<'s>) -> Term<&'s str> {
    let boxed = |tree: Box<Term<&'s str>>, uses: &mut Uses<'s>| Box::new(term(*tree, uses));
    match tree {
        Term::Recurse => pipe(call(FITS), pipe(Term::Recurse, call(TICK))),
        Term::Str(format, parts) => {
            if let Some(format) = format {
                uses.call(format);
            }
            Term::Str(format, parts.into_iter().map(|part| string_part(part, uses)).collect())
        }
        Term::Arr(inner) => Term::Arr(inner.map(|inner| boxed(inner, uses))),
        Term::Obj(pairs) => Term::Obj(
            pairs
                .into_iter()
                .map(|(key, value)| {
                    if let (Term::Var(name), None) = (&key, &value) {
                        uses.variable(name);
                    }
                    (term(key, uses), value.map(|value| term(value, uses)))
                })
                .collect(),
        ),
        Term::Neg(inner) => Term::Neg(boxed(inner, uses)),
        Term::BinOp(left, op, right) => {
            let (left, right) = (term(*left, uses), term(*right, uses));
            binary(left, op, right, uses)
        }
        Term::Label(name, inner) => Term::Label(name, boxed(inner, uses)),
        Term::Fold(name, source, bound, arguments) => {
            let source = boxed(source, uses);
            let bound = pattern(bound, uses);
            Term::Fold(name, source, bound, arguments.into_iter().map(|tree| term(tree, uses)).collect())
        }
        Term::TryCatch(inner, caught) => {
            Term::TryCatch(boxed(inner, uses), caught.map(|caught| boxed(caught, uses)))
        }
        Term::IfThenElse(cases, otherwise) => Term::IfThenElse(
            cases.into_iter().map(|(when, then)| (term(when, uses), term(then, uses))).collect(),
            otherwise.map(|otherwise| boxed(otherwise, uses)),
        ),
        Term::Def(definitions, inner) => {
            Term::Def(definitions.into_iter().map(|def| definition(def, uses)).collect(), boxed(inner, uses))
        }
        Term::Call(name, arguments) => {
            uses.call(name);
            let arguments = arguments.into_iter().map(|tree| term(tree, uses)).collect();
            let called = Term::Call(name, arguments);
            if WALKERS.contains(&name) { pipe(call(FITS), called) } else { called }
        }
        Term::Var(name) => {
            uses.variable(name);
            Term::Var(name)
        }
        Term::Path(head, path) => path_term(*head, path, uses),
        Term::Id | Term::Num(_) | Term::Break(_) => tree,
    }
}

fn path_term<'s>(head: Term<&'s str>, path: Path<Term<&'s str>>, uses: &mut Uses<'s>) -> Term<&'s str> {
    let iterates = path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)));
    let parts = path
        .0
        .into_iter()
        .map(|(part, optional)| {
            let part = match part {
                Part::Index(index) => Part::Index(term(index, uses)),
                Part::Range(from, to) => {
                    Part::Range(from.map(|tree| term(tree, uses)), to.map(|tree| term(tree, uses)))
                }
            };
            (part, optional)
        })
        .collect();
    let path = Term::Path(Box::new(term(head, uses)), Path(parts));
    if iterates { pipe(path, call(TICK)) } else { path }
}

fn string_part<'s>(
    part: StrPart<&'s str, Term<&'s str>>,
    uses: &mut Uses<'s>,
) -> StrPart<&'s str, Term<&'s str>> {
    match part {
        StrPart::Term(inner) => StrPart::Term(pipe(term(inner, uses), call(FITS))),
        other => other,
    }
}

fn pattern<'s>(bound: Pattern<&'s str>, uses: &mut Uses<'s>) -> Pattern<&'s str> {
    match bound {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(|item| pattern(item, uses)).collect()),
        Pattern::Obj(pairs) => Pattern::Obj(
            pairs.into_iter().map(|(key, value)| (term(key, uses), pattern(value, uses))).collect(),
        ),
    }
}

fn binary<'s>(
    left: Term<&'s str>,
    op: BinaryOp<&'s str>,
    right: Term<&'s str>,
    uses: &mut Uses<'s>,
) -> Term<&'s str> {
    match op {
        BinaryOp::Math(Math::Add) => Term::Call(ADD, vec![left, right]),
        BinaryOp::Math(Math::Mul) => Term::Call(MULTIPLY, vec![left, right]),
        BinaryOp::UpdateMath(math @ (Math::Add | Math::Mul)) => {
            let meter = if matches!(math, Math::Add) { ADD } else { MULTIPLY };
            let grown = Term::Call(meter, vec![Term::Id, Term::Var(OPERAND)]);
            let update = Term::BinOp(Box::new(left), BinaryOp::Update, Box::new(grown));
            let bind = BinaryOp::Pipe(Some(Pattern::Var(OPERAND)));
            Term::BinOp(Box::new(right), bind, Box::new(update))
        }
        BinaryOp::Cmp(compare) => Term::BinOp(
            Box::new(pipe(left, call(FITS))),
            BinaryOp::Cmp(compare),
            Box::new(pipe(right, call(FITS))),
        ),
        BinaryOp::Pipe(Some(bound)) => {
            let bound = pattern(bound, uses);
            Term::BinOp(Box::new(left), BinaryOp::Pipe(Some(bound)), Box::new(right))
        }
        op => Term::BinOp(Box::new(left), op, Box::new(right)),
    }
}

fn call(name: &str) -> Term<&str> {
    Term::Call(name, Vec::new())
}

fn pipe<'s>(left: Term<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right))
}
