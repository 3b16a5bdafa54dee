//! What a provider in Rust is written with: the bindings of `wit/provider`, and reading and writing what they carry.
//!
//! Implement [`Resources`] for a type and hand it to [`provider!`]. Each function sees one resource; the lists of the
//! world are taken apart here.

/// The bindings.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/provider",
        world: "provider",
        pub_export_macro: true,
        default_bindings_module: "provider_kit::bindings",
    });
}

pub use bindings::exports::aedile::provider::resources::{
    Answer, Application, Attributes, Bytes, Change, Content, Directory, Effect, Ended, Failure, FailureClass,
    Fault, FileKind, Finding, Guest, HttpProbe, Inspection, Look, Op, Operation, Outcome, Part, Query,
    Question, Ran, Reading, Removal, Response, Run, SetAttributes, Stat, Symlink, TcpProbe, Write,
};
pub use serde_json::{Map, Value, json};

/// Attributes by name.
pub type Object = Map<String, Value>;

/// A provider, one resource at a time.
pub trait Resources {
    /// The schema document.
    fn schema() -> Value;
    /// What is wrong with a configuration.
    fn validate(kind: &str, config: &Object) -> Vec<Finding>;
    /// What a resource is; `answers` are those to its questions so far.
    fn inspect(kind: &str, config: &Object, answers: &[&Answer]) -> Inspection;
    /// What has to be done for a change; `answers` as in `inspect`.
    fn apply(kind: &str, change: &Ask, answers: &[&Answer]) -> Application;
    /// All changes of one call. Overridden where several are made together.
    fn apply_all(kind: &str, changes: &[Ask], answers: &[Vec<&Answer>]) -> Vec<Application> {
        changes.iter().zip(answers).map(|(change, answers)| Self::apply(kind, change, answers)).collect()
    }
    /// The configuration that names what `id` names.
    fn import(kind: &str, id: &str) -> Result<Value, String>;
}

/// One change, its JSON read.
pub struct Ask {
    /// What to do.
    pub operation: Operation,
    /// What it is to be.
    pub desired: Object,
    /// What was there, or was applied last.
    pub prior: Object,
    /// The attributes that differ.
    pub fields: Vec<String>,
}

/// What the exported functions do; [`provider!`] calls these.
pub mod adapter {
    use super::*;

    fn object(text: &str) -> Object {
        // the host writes objects only
        serde_json::from_str(text).unwrap_or_default()
    }

    fn own<'a>(asked: &[u32], answers: &'a [Answer]) -> Vec<&'a Answer> {
        asked.iter().filter_map(|at| answers.get(*at as usize)).collect()
    }

    pub fn validate<R: Resources>(kind: &str, configs: &[String]) -> Vec<Vec<Finding>> {
        configs.iter().map(|config| R::validate(kind, &object(config))).collect()
    }

    pub fn inspect<R: Resources>(kind: &str, questions: &[Question], answers: &[Answer]) -> Vec<Inspection> {
        questions
            .iter()
            .map(|question| R::inspect(kind, &object(&question.config), &own(&question.asked, answers)))
            .collect()
    }

    pub fn apply<R: Resources>(kind: &str, changes: Vec<Change>, answers: &[Answer]) -> Vec<Application> {
        let own: Vec<_> = changes.iter().map(|change| own(&change.asked, answers)).collect();
        let asks: Vec<_> = changes
            .into_iter()
            .map(|change| Ask {
                operation: change.operation,
                desired: object(&change.desired),
                prior: object(&change.prior),
                fields: change.fields,
            })
            .collect();
        R::apply_all(kind, &asks, &own)
    }

    pub fn import<R: Resources>(kind: &str, ids: &[String]) -> Vec<Result<String, String>> {
        ids.iter().map(|id| R::import(kind, id).map(|config| config.to_string())).collect()
    }
}

/// Exports a type that implements [`Resources`] as the component.
#[macro_export]
macro_rules! provider {
    ($name:ident) => {
        impl $crate::Guest for $name {
            fn schema() -> String {
                <$name as $crate::Resources>::schema().to_string()
            }
            fn validate(kind: String, configs: Vec<String>) -> Vec<Vec<$crate::Finding>> {
                $crate::adapter::validate::<$name>(&kind, &configs)
            }
            fn inspect(
                kind: String,
                resources: Vec<$crate::Question>,
                answers: Vec<$crate::Answer>,
            ) -> Vec<$crate::Inspection> {
                $crate::adapter::inspect::<$name>(&kind, &resources, &answers)
            }
            fn apply(
                kind: String,
                changes: Vec<$crate::Change>,
                answers: Vec<$crate::Answer>,
            ) -> Vec<$crate::Application> {
                $crate::adapter::apply::<$name>(&kind, changes, &answers)
            }
            fn import_config(kind: String, ids: Vec<String>) -> Vec<Result<String, String>> {
                $crate::adapter::import::<$name>(&kind, &ids)
            }
        }
        $crate::bindings::export!($name with_types_in $crate::bindings);
    };
}

/// A text attribute.
pub fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// An attribute that is true or false; false if it is not there.
pub fn flag(object: &Object, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// A list of texts.
pub fn texts(object: &Object, name: &str) -> Option<Vec<String>> {
    object.get(name)?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A finding about an attribute.
pub fn finding(path: &str, message: impl Into<String>, hint: Option<&str>) -> Finding {
    Finding { path: path.into(), message: message.into(), hint: hint.map(str::to_owned) }
}

/// A change that cannot be made.
pub fn failed(class: FailureClass, problem: impl Into<String>) -> Application {
    Application::Failed(Failure { class, problem: problem.into() })
}

/// A change that is made.
pub fn done(attributes: Object, changed: bool) -> Application {
    Application::Done(Outcome { attributes: Value::Object(attributes).to_string(), changed })
}

/// What a resource is.
pub fn present(attributes: Object) -> Inspection {
    Inspection::Present(Value::Object(attributes).to_string())
}

/// The failure that a fault means: what may pass by itself is transient.
pub fn fault(doing: &str, fault: &Fault) -> Application {
    let class = match fault.code.as_str() {
        "timeout" | "cancelled" | "unreachable" | "too_many" | "no_space" => FailureClass::Transient,
        "precondition" | "wrong_kind" | "symlink" => FailureClass::Conflict,
        _ => FailureClass::Permanent,
    };
    failed(class, [doing, ": ", &fault.message].concat())
}

/// Whether all was carried out, and whether anything was changed; the first fault otherwise.
pub fn all_done(answers: &[&Answer]) -> Result<bool, Fault> {
    let mut changed = false;
    for answer in answers {
        match answer {
            Answer::Done(one) => changed |= one,
            Answer::Fault(fault) => return Err(fault.clone()),
            _ => {}
        }
    }
    Ok(changed)
}

/// A program that is run to look.
pub fn look(program: &str, args: &[&str]) -> Run {
    Run {
        program: program.into(),
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: Vec::new(),
        cwd: None,
        input: None,
        output_max: 4 << 20,
        effect: Effect::Read,
        timeout: 60,
    }
}

/// A program that is run to change something, twice being the same as once.
pub fn run(program: &str, args: &[&str], timeout: u32) -> Run {
    Run { effect: Effect::Idempotent, output_max: 64 << 10, timeout, ..look(program, args) }
}

/// The end of what a program printed, for messages: the last lines, at most 1,000 bytes.
pub fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let text = text.trim();
    let mut from = text.len().saturating_sub(1000);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

/// What a program that failed said; `None` if it succeeded.
pub fn complaint(answer: &Answer) -> Option<(FailureClass, String)> {
    match answer {
        Answer::Ran(ran) if matches!(ran.ended, Ended::Exited(0)) => None,
        Answer::Ran(ran) => {
            let how = match ran.ended {
                Ended::Exited(code) => ["it exited with ", &code.to_string()].concat(),
                Ended::Signalled(signal) => ["it was ended by signal ", &signal.to_string()].concat(),
            };
            let said = if ran.stderr.is_empty() { tail(&ran.stdout) } else { tail(&ran.stderr) };
            let text = if said.is_empty() { how } else { [&how, ": ", &said].concat() };
            Some((FailureClass::Permanent, text))
        }
        Answer::Fault(one) => match fault("", one) {
            Application::Failed(failure) => Some((failure.class, one.message.clone())),
            _ => Some((FailureClass::Permanent, one.message.clone())),
        },
        _ => Some((FailureClass::Permanent, "the host answered something else".into())),
    }
}

std::thread_local! {
    /// The facts that were read last, by the place of their text: answers stay where they are for the whole call.
    static LAST: std::cell::RefCell<Option<(*const u8, usize, std::rc::Rc<Value>)>> =
        const { std::cell::RefCell::new(None) };
}

/// Facts of a target, read once however many resources share the answer.
pub fn facts(answer: &Answer) -> Result<std::rc::Rc<Value>, String> {
    let text = match answer {
        Answer::Facts(text) => text,
        Answer::Fault(fault) => return Err(fault.message.clone()),
        _ => return Err("the host answered something else".into()),
    };
    LAST.with(|last| {
        let mut last = last.borrow_mut();
        if let Some((place, len, value)) = last.as_ref()
            && *place == text.as_ptr()
            && *len == text.len()
        {
            return Ok(value.clone());
        }
        let value: Value = serde_json::from_str(text).map_err(|_| "the facts are no JSON".to_owned())?;
        let value = std::rc::Rc::new(value);
        *last = Some((text.as_ptr(), text.len(), value.clone()));
        Ok(value)
    })
}
