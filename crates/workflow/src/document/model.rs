//! The typed form of a workflow: everything read, checked, compiled and shared.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;
use model::{Digest, EffectClass, Reversibility};
use serde_json::{Map, Value};

use crate::action_input::{HttpOutput, ProcessReturn};
use crate::expression::{Expression, Template, UriTemplate};

/// A workflow, ready to be run.
#[derive(Debug)]
pub struct Workflow {
    /// Who it is.
    pub header: Header,
    /// The whole of it as one task: its input and output, its timeout, its tasks.
    pub root: Arc<Task>,
    /// When it starts by itself.
    pub schedule: Option<crate::schedule::Schedule>,
    /// What its tasks refer to by name.
    pub uses: Use,
    /// The document as JSON: `$workflow.definition`.
    pub definition: Arc<Value>,
    /// Digest of the document as JSON; what runs pin.
    pub digest: Digest,
    /// Which dialect the document was written in.
    pub dialect: Dialect,
}

impl Workflow {
    /// The tasks at the top.
    pub fn body(&self) -> &Arc<Block> {
        match &self.root.kind {
            Kind::Do(body) => body,
            _ => unreachable!("the root is made as a list of tasks"),
        }
    }

    /// Whether an input matches the workflow's schema: what is wrong with it, at most five findings.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        let errors = self.root.input.schema.as_ref().map(|schema| schema.errors(input)).unwrap_or_default();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// The language a document was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The Serverless Workflow DSL 1.0.
    Standard,
    /// The older dialect with `states`, translated at load.
    Ritual,
}

/// `document` of the DSL.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Version of the DSL.
    pub dsl: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Title.
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// Tags.
    pub tags: Map<String, Value>,
    /// Free for all.
    pub metadata: Map<String, Value>,
}

/// `use` of the DSL.
#[derive(Debug, Default)]
pub struct Use {
    /// Functions by name, including catalog fragments by their full name.
    pub functions: HashMap<Arc<str>, Arc<Task>>,
    /// Names of secrets.
    pub secrets: Vec<Arc<str>>,
    /// Extensions, in order.
    pub extensions: Vec<Arc<Extension>>,
}

/// Tasks around tasks of a kind.
#[derive(Debug)]
pub struct Extension {
    /// Its name.
    pub name: Arc<str>,
    /// The kind of task it is for: a word of [`Task::word`], `composite` or `all`.
    pub extend: Arc<str>,
    /// Applies only when this holds.
    pub when: Option<Arc<Expression>>,
    /// What comes before.
    pub before: Option<Arc<Block>>,
    /// What comes after.
    pub after: Option<Arc<Block>>,
}

impl Extension {
    /// Whether it is for tasks of this kind.
    pub fn is_for(&self, task: &Task) -> bool {
        match &*self.extend {
            "all" => true,
            "composite" => matches!(task.kind, Kind::Do(_) | Kind::Fork { .. }),
            "call" => matches!(task.kind, Kind::Call(_)),
            word => word == task.word,
        }
    }
}

/// A list of tasks.
#[derive(Debug, Default)]
pub struct Block {
    /// In order.
    pub tasks: Vec<Arc<Task>>,
}

/// One task.
#[derive(Debug)]
pub struct Task {
    /// Its name in its list.
    pub name: Arc<str>,
    /// JSON pointer in the document.
    pub pointer: Arc<str>,
    /// The word for its kind: `set`, `call`, `approval`, ...
    pub word: &'static str,
    /// `if`.
    pub condition: Option<Arc<Expression>>,
    /// `input`.
    pub input: Transform,
    /// `output`.
    pub output: Transform,
    /// `export`.
    pub export: Transform,
    /// `timeout`.
    pub timeout: Option<Span>,
    /// `then`.
    pub then: Then,
    /// What `metadata` says to Aedile.
    pub notes: Notes,
    /// What it does.
    pub kind: Kind,
    /// The task as JSON: `$task.definition`.
    pub definition: Arc<Value>,
}

/// Aedile's own part of `metadata`.
#[derive(Debug, Default, Clone)]
pub struct Notes {
    /// `metadata.effect`.
    pub effect: Option<EffectClass>,
    /// `metadata.reversibility`.
    pub reversibility: Option<Reversibility>,
    /// `metadata.compensate`.
    pub compensate: Option<Arc<Block>>,
}

/// Where the flow goes after a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// To the next task of the list.
    #[default]
    Continue,
    /// Out of the list.
    Exit,
    /// To the end of the workflow.
    End,
    /// To the task at this index of the list.
    Task(usize),
}

/// A schema and a transformation.
#[derive(Debug, Default, Clone)]
pub struct Transform {
    /// What the data must match.
    pub schema: Option<Arc<Schema>>,
    /// What the data becomes.
    pub template: Option<Template>,
}

/// A compiled JSON Schema.
pub struct Schema(pub(crate) jsonschema::Validator);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

impl Schema {
    /// What is wrong with a value: at most five findings.
    pub fn errors(&self, value: &Value) -> Vec<String> {
        self.0
            .iter_errors(value)
            .take(5)
            .map(|error| match error.instance_path().to_string() {
                place if place.is_empty() => error.masked().to_string(),
                place => format!("{place}: {}", error.masked()),
            })
            .collect()
    }
}

/// A duration, fixed or computed.
#[derive(Debug, Clone)]
pub enum Span {
    /// Known at load.
    Fixed(SignedDuration),
    /// An expression that gives ISO 8601 text or the inline object.
    Computed(Arc<Expression>),
}

/// The twelve kinds of task.
#[derive(Debug)]
pub enum Kind {
    /// Tasks one after the other.
    Do(Arc<Block>),
    /// Sets data.
    Set(Template),
    /// Chooses where to go on.
    Switch(Vec<Case>),
    /// Repeats.
    For(For),
    /// Branches at the same time.
    Fork {
        /// One task each.
        branches: Arc<Block>,
        /// The first to end wins.
        compete: bool,
    },
    /// Handles errors.
    Try(Try),
    /// Raises an error.
    Raise(Template),
    /// Lets time pass.
    Wait(Span),
    /// Publishes an event: its attributes.
    Emit(Template),
    /// Waits for events.
    Listen(Listen),
    /// Calls.
    Call(Call),
    /// Runs a process or another workflow.
    Run(Run),
}

/// A case of `switch`.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: Arc<str>,
    /// Absent: always.
    pub when: Option<Arc<Expression>>,
    /// Where to.
    pub then: Then,
}

/// `for`.
#[derive(Debug)]
pub struct For {
    /// Variable of the item.
    pub each: Arc<str>,
    /// Variable of the index.
    pub at: Arc<str>,
    /// The collection.
    pub items: Arc<Expression>,
    /// Goes on while this holds.
    pub condition: Option<Arc<Expression>>,
    /// What is repeated.
    pub body: Arc<Block>,
}

/// `try`.
#[derive(Debug)]
pub struct Try {
    /// What is tried.
    pub body: Arc<Block>,
    /// Members that an error must have to be caught.
    pub with: Map<String, Value>,
    /// Variable of the error.
    pub variable: Arc<str>,
    /// Caught only when.
    pub when: Option<Arc<Expression>>,
    /// Not caught when.
    pub except_when: Option<Arc<Expression>>,
    /// How it is tried again.
    pub retry: Option<Arc<Retry>>,
    /// What is done instead.
    pub handler: Option<Arc<Block>>,
}

/// A retry policy.
#[derive(Debug, Default)]
pub struct Retry {
    /// Retried only when.
    pub when: Option<Arc<Expression>>,
    /// Not retried when.
    pub except_when: Option<Arc<Expression>>,
    /// Base delay.
    pub delay: Option<Span>,
    /// How the delay grows.
    pub backoff: Backoff,
    /// Most retries.
    pub count: Option<u32>,
    /// Longest single attempt.
    pub attempt_limit: Option<Span>,
    /// Longest time over all attempts.
    pub limit: Option<Span>,
    /// Least and most random extra delay.
    pub jitter: Option<(Span, Span)>,
}

/// How a delay grows with attempts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Backoff {
    /// Not at all.
    #[default]
    Constant,
    /// By the delay each time.
    Linear,
    /// Doubles each time.
    Exponential,
}

/// `listen`.
#[derive(Debug)]
pub struct Listen {
    /// For what.
    pub to: Arc<Strategy>,
    /// What of an event is read.
    pub read: Read,
    /// What is done with each.
    pub each: Option<ForEach>,
}

/// What of an event is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Read {
    /// Its data.
    #[default]
    Data,
    /// All of it.
    Envelope,
}

/// `foreach` of `listen`.
#[derive(Debug)]
pub struct ForEach {
    /// Variable of the event.
    pub item: Arc<str>,
    /// Variable of the index.
    pub at: Arc<str>,
    /// What is done.
    pub body: Option<Arc<Block>>,
    /// Transforms the item's output.
    pub output: Transform,
    /// Sets the context.
    pub export: Transform,
}

/// Which events are consumed.
#[derive(Debug)]
pub enum Strategy {
    /// One for every filter.
    All(Vec<Filter>),
    /// Any of the filters; none means every event.
    Any {
        /// The filters.
        filters: Vec<Filter>,
        /// When to stop; absent: after the first.
        until: Option<Until>,
    },
    /// One event.
    One(Filter),
}

/// When `any` stops.
#[derive(Debug)]
pub enum Until {
    /// An expression over the list of consumed events.
    Condition(Arc<Expression>),
    /// An event.
    Consumed(Box<Strategy>),
}

/// Which events match.
#[derive(Debug)]
pub struct Filter {
    /// Attributes and what they must be.
    pub with: Vec<(Arc<str>, Template)>,
    /// Correlations.
    pub correlate: Vec<Correlation>,
}

/// A link between events and data.
#[derive(Debug)]
pub struct Correlation {
    /// Its name.
    pub key: Arc<str>,
    /// Takes the value from the event.
    pub from: Arc<Expression>,
    /// What it must be; absent: what the first event had.
    pub expect: Option<Template>,
}

/// A call.
#[derive(Debug)]
pub enum Call {
    /// HTTP.
    Http(Box<Http>),
    /// An operation of an OpenAPI document.
    OpenApi(Box<OpenApi>),
    /// A function of `use.functions` or of a catalog that is tasks.
    Function {
        /// Key in [`Use::functions`].
        name: Arc<str>,
        /// Arguments.
        with: Template,
    },
    /// A WASM action.
    Wasm {
        /// Name.
        name: Arc<str>,
        /// Version.
        version: Option<Arc<str>>,
        /// Input.
        with: Template,
    },
    /// Asks people: `title`, `description`, `chain`, `levels`, `asked`.
    Approval(Template),
    /// Tells people: `channel`, `title`, `text`.
    Notify(Template),
    /// Says something in the log.
    Echo(Template),
}

impl Call {
    /// The authentication scheme that the service sees (RFC 9110, 11.1), where the call authenticates.
    pub fn scheme(&self) -> Option<&'static str> {
        let authentication = match self {
            Self::Http(http) => http.endpoint.authentication.as_ref(),
            Self::OpenApi(openapi) => openapi.authentication.as_ref(),
            _ => None,
        }?;
        let way = match authentication {
            Template::Literal(value) => value.as_object()?.keys().next().map(String::as_str),
            Template::Object(members) => members.first().map(|(way, _)| &**way),
            Template::Expression(_) | Template::List(_) => None,
        };
        match way? {
            "basic" => Some("Basic"),
            "digest" => Some("Digest"),
            "bearer" | "oauth2" | "oidc" => Some("Bearer"),
            _ => None,
        }
    }
}

/// `call: http`.
#[derive(Debug)]
pub struct Http {
    /// Upper case unless computed.
    pub method: Template,
    /// Where to.
    pub endpoint: Endpoint,
    /// Headers.
    pub headers: Option<Template>,
    /// Query.
    pub query: Option<Template>,
    /// Body.
    pub body: Option<Template>,
    /// What it gives back.
    pub output: HttpOutput,
    /// Whether redirects are followed.
    pub redirect: bool,
}

/// `call: openapi`.
#[derive(Debug)]
pub struct OpenApi {
    /// The document.
    pub document: Resource,
    /// The operation.
    pub operation: Template,
    /// Arguments.
    pub parameters: Option<Template>,
    /// Authentication of the call.
    pub authentication: Option<Template>,
    /// What it gives back.
    pub output: HttpOutput,
    /// Whether redirects are followed.
    pub redirect: bool,
}

/// An external resource.
#[derive(Debug)]
pub struct Resource {
    /// Its name.
    pub name: Option<String>,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// A URI and how to authenticate there.
#[derive(Debug)]
pub struct Endpoint {
    /// Where.
    pub uri: Uri,
    /// In the DSL's own shape, references into `use` resolved.
    pub authentication: Option<Template>,
}

/// A URI, templated or computed.
#[derive(Debug)]
pub enum Uri {
    /// Expanded from the task's input.
    Template(UriTemplate),
    /// Computed.
    Expression(Arc<Expression>),
}

/// `run`.
#[derive(Debug)]
pub struct Run {
    /// What.
    pub process: Process,
    /// Whether the task waits for its end.
    pub wait: bool,
    /// What it gives back.
    pub returns: ProcessReturn,
}

/// What is run. The templates are the DSL's own objects.
#[derive(Debug)]
pub enum Process {
    /// A container.
    Container {
        /// All members but `lifetime`.
        spec: Template,
        /// `cleanup` and `after`.
        lifetime: Option<(String, Option<Span>)>,
    },
    /// A script.
    Script {
        /// All members but `source`.
        spec: Template,
        /// Where the script is.
        source: Option<Resource>,
    },
    /// A shell command.
    Shell(Template),
    /// Another workflow.
    Workflow {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its version; absent: the newest.
        version: Option<String>,
        /// Its input; absent: the task's own.
        input: Option<Template>,
    },
}
