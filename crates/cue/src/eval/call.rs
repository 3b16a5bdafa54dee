//! Calls of builtin functions, and validators.

use std::sync::Arc;

use super::Eval;
use super::node::EnvId;
use crate::builtin::{self, Call, Fail};
use crate::error::Code;
use crate::value::{Bottom, ExprId, NodeId, Validator, Value};

impl Eval {
    pub(super) fn call(&mut self, env: EnvId, f: ExprId, args: &[ExprId], at: ExprId) -> Value {
        let function = match self.concrete(env, f) {
            Value::Bottom(b) => return Value::Bottom(b),
            Value::Builtin(id) => id,
            Value::Validator(v) if v.args.is_empty() && self.is_bare(env, f) => v.builtin,
            Value::Validator(_) => {
                let message = format!("cannot call previously called validator {}", self.program.text(f));
                return Value::Bottom(self.bottom(Code::Eval, message, at));
            }
            v => {
                let message =
                    format!("cannot call non-function {} (type {})", self.program.text(f), self.kind_of(&v));
                return Value::Bottom(self.bottom(Code::Eval, message, at));
            }
        };
        let params = builtin::params(function);
        let validates = builtin::is_validator(function);
        let count = builtin::variadic(function).unwrap_or(params.len());
        if args.len() + usize::from(validates) < count || args.len() > count.max(params.len()) {
            let few = args.len() < count;
            let message = format!(
                "{} arguments in call to {} (have {}, want {})",
                if few { "not enough" } else { "too many" },
                builtin::name(function),
                args.len(),
                params.len()
            );
            return Value::Bottom(self.bottom(Code::Eval, message, at));
        }
        let partial = validates && args.len() + 1 == params.len();
        let skip = usize::from(partial);
        let mut values = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let raw = params.as_bytes().get(i + skip).is_some_and(|p| matches!(p, b'c' | b'L'));
            let value = if raw { self.eval(env, *arg) } else { self.concrete(env, *arg) };
            match value {
                Value::Bottom(b) if !raw || b.code == Code::Limit => {
                    let mut wrapped = (*b).clone();
                    wrapped.message = format!("error in call to {}: {}", builtin::name(function), b.message);
                    wrapped.at.push(at);
                    return Value::Bottom(Arc::new(wrapped));
                }
                v => values.push(v),
            }
        }
        if partial {
            if let Err(b) = self.check_args(function, &values, skip, at) {
                return Value::Bottom(b);
            }
            return Value::Validator(Arc::new(Validator { builtin: function, args: values, at }));
        }
        if let Err(b) = self.check_args(function, &values, 0, at) {
            return Value::Bottom(b);
        }
        match self.invoke(function, values, at) {
            Ok(value) => value,
            Err(b) => Value::Bottom(b),
        }
    }

    /// Whether a called name is a field that holds a function, not the result of a call.
    fn is_bare(&mut self, env: EnvId, f: ExprId) -> bool {
        let Ok(super::reference::Target::Node(node)) = self.resolve(env, f) else { return false };
        self.node(node).conjuncts.iter().all(|c| {
            matches!(&self.program.exprs[c.expr as usize], crate::program::Ir::Value(Value::Builtin(_)))
        })
    }

    fn invoke(&mut self, function: u32, args: Vec<Value>, at: ExprId) -> Result<Value, Arc<Bottom>> {
        let mut call = Call { eval: self, args, at };
        let result = builtin::run(function, &mut call);
        result.map_err(|fail| match fail {
            Fail::Bottom(b) => {
                let mut wrapped = (*b).clone();
                wrapped.message = format!("error in call to {}: {}", builtin::name(function), b.message);
                wrapped.at.push(at);
                Arc::new(wrapped)
            }
            Fail::Eval(m) => {
                self.bottom(Code::Eval, format!("error in call to {}: {m}", builtin::name(function)), at)
            }
            Fail::Incomplete(m) => self.bottom(
                Code::Incomplete,
                format!("error in call to {}: {m}", builtin::name(function)),
                at,
            ),
        })
    }

    fn check_args(
        &mut self,
        function: u32,
        args: &[Value],
        skip: usize,
        at: ExprId,
    ) -> Result<(), Arc<Bottom>> {
        let params = builtin::params(function);
        for (i, arg) in args.iter().enumerate() {
            let Some(param) = params.as_bytes().get(i + skip).copied() else { break };
            let Some(kind) = builtin::param_kind(param) else { continue };
            let actual = self.kind_of(arg);
            let name = builtin::name(function);
            if actual.and(kind).is_empty() {
                let text = self.describe(arg);
                let message =
                    format!("cannot use {text} (type {actual}) as {kind} in argument {} to {name}", i + 1);
                return Err(self.bottom(Code::Eval, message, at));
            }
            if !arg.is_scalar() && !matches!(arg, Value::Node(_)) {
                let text = self.describe(arg);
                let message = format!("error in call to {name}: non-concrete value {text}");
                return Err(self.bottom(Code::Incomplete, message, at));
            }
        }
        Ok(())
    }

    /// Checks a value against a validator.
    pub(crate) fn run_validator(
        &mut self,
        v: &Validator,
        value: &Value,
        node: NodeId,
    ) -> Result<(), Arc<Bottom>> {
        let _ = node;
        let mut args = Vec::with_capacity(v.args.len() + 1);
        args.push(value.clone());
        args.extend(v.args.iter().cloned());
        self.check_args(v.builtin, &args, 0, v.at)?;
        match self.invoke(v.builtin, args, v.at)? {
            Value::Bool(true) => Ok(()),
            Value::Bottom(b) => Err(b),
            _ => Err(self.bottom(Code::Eval, "validator returned false", v.at)),
        }
    }
}
