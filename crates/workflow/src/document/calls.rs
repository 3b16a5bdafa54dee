//! Readers of what reaches outside: `call` and `run`.

use std::sync::Arc;

use model::code::workflow as code;

use super::model::{Call, Http, Kind, OpenApi, Process, Run};
use super::reader::{Fields, Reader, Spot, closest};
use super::source::{Data, from_value};
use super::tasks::Names;
use crate::action_input::{HttpOutput, ProcessReturn};
use crate::catalog::{Function, split};
use crate::expression::{Template, expression_in};

/// Protocols of the DSL that are not supported yet.
const NOT_YET: &[&str] = &["grpc", "asyncapi", "a2a", "mcp"];
/// Functions that Aedile adds.
const BUILT_IN: &[&str] = &["approval", "notify"];
const METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"];

impl Reader<'_> {
    pub(super) fn call(&mut self, fields: &Fields<'_>, main: &Spot<'_>) -> Option<(&'static str, Kind)> {
        let name = self.text(main, "`call`")?;
        let with = fields.get("with");
        let needs_arguments = matches!(name.as_str(), "http" | "openapi" | "approval" | "notify")
            && !self.known.functions.contains(&name);
        if needs_arguments && with.is_none() {
            self.error(code::MISSING_FIELD, &fields.spot, format!("`call: {name}` needs `with`"));
            return None;
        }
        let call = match name.as_str() {
            "http" => self.http(with.as_ref()?).map(|http| Call::Http(Box::new(http))),
            "openapi" => self.openapi(with.as_ref()?).map(|openapi| Call::OpenApi(Box::new(openapi))),
            name if NOT_YET.contains(&name) => {
                self.error_hint(
                    code::UNSUPPORTED,
                    main,
                    format!("`call: {name}` is not supported yet"),
                    "docs/reference/workflows.md lists what is",
                );
                None
            }
            name if self.known.functions.contains(name) => {
                Some(Call::Function { name: name.into(), with: self.arguments(with.as_ref())? })
            }
            "echo" if self.ritual => Some(Call::Echo(self.arguments(with.as_ref())?)),
            "approval" => {
                let with = self.approval(with.as_ref()?)?;
                return Some(("approval", Kind::Call(Call::Approval(with))));
            }
            "notify" => {
                let with = with?;
                let arguments = self.fields(&with, "`notify`", &["channel", "title", "text", "body"])?;
                let _title = self.required_text(&arguments, "title", "`notify`");
                return Some(("notify", Kind::Call(Call::Notify(self.template(&with)?))));
            }
            name => self.catalog_function(name, main, with.as_ref()),
        };
        Some(("call", Kind::Call(call?)))
    }

    fn arguments(&mut self, with: Option<&Spot<'_>>) -> Option<Template> {
        match with {
            None => Some(Template::Literal(Arc::new(serde_json::json!({})))),
            Some(spot) => {
                let _object = self.object(spot, "`with`")?;
                self.template(spot)
            }
        }
    }

    fn catalog_function(&mut self, text: &str, main: &Spot<'_>, with: Option<&Spot<'_>>) -> Option<Call> {
        if text.contains("://") {
            self.error(
                code::UNSUPPORTED,
                main,
                "functions at a URL are not supported yet, install them in the catalog",
            );
            return None;
        }
        let (name, version, catalog) = split(text);
        if let Some(catalog) = catalog.filter(|catalog| *catalog != "default") {
            if self.known.catalogs.contains(catalog) {
                self.error(
                    code::UNSUPPORTED,
                    main,
                    format!("the remote catalog `{catalog}` is not supported yet"),
                );
            } else {
                self.error(code::BAD_REFERENCE, main, format!("`{catalog}` is not in `use.catalogs`"));
            }
            return None;
        }
        match self.resolver.function(name, version) {
            Some(Function::Wasm { name, version }) => Some(Call::Wasm {
                name: name.into(),
                version: version.map(Into::into),
                with: self.arguments(with)?,
            }),
            Some(Function::Task(value)) => {
                let key = self.fragment(text, &value, main)?;
                Some(Call::Function { name: key, with: self.arguments(with)? })
            }
            None => {
                self.unknown_function(text, main);
                None
            }
        }
    }

    fn unknown_function(&mut self, text: &str, main: &Spot<'_>) {
        let catalog = self.resolver.names();
        let known = self.known.functions.iter().map(String::as_str);
        let words = known.chain(catalog.iter().map(String::as_str));
        let words = words.chain(BUILT_IN.iter().copied()).chain(["http", "openapi"]);
        let hint = closest(text, words).map_or_else(
            || {
                "declare it under use.functions, or name an installed action with its version: NAME@VERSION"
                    .to_owned()
            },
            |name| format!("did you mean `{name}`?"),
        );
        self.error_hint(code::UNKNOWN_FUNCTION, main, format!("the function `{text}` is not known"), hint);
    }

    /// A catalog function that is a task: read once, in a scope of its own.
    fn fragment(&mut self, text: &str, value: &serde_json::Value, main: &Spot<'_>) -> Option<Arc<str>> {
        let key: Arc<str> = text.into();
        if self.fragments.contains_key(&key) {
            return Some(key);
        }
        let node = from_value(value, main.node.at);
        let spot =
            Spot { node: &node, path: format!("/catalog/{}", text.replace('~', "~0").replace('/', "~1")) };
        let scope = std::mem::take(&mut self.scope);
        let task = self.task(text, main.node.at, &spot, &Names::new());
        self.scope = scope;
        self.fragments.insert(key.clone(), task?);
        Some(key)
    }

    fn http(&mut self, spot: &Spot<'_>) -> Option<Http> {
        let allowed = ["method", "endpoint", "headers", "body", "query", "output", "redirect"];
        let fields = self.fields(spot, "an HTTP call", &allowed)?;
        let method = self.required_text(&fields, "method", "an HTTP call");
        if let (Some(method), Some(spot)) = (&method, fields.get("method")) {
            let upper = method.to_ascii_uppercase();
            if expression_in(method).is_none() && !METHODS.contains(&upper.as_str()) {
                self.error(code::WRONG_TYPE, &spot, format!("`{method}` is no HTTP method"));
            }
        }
        let endpoint =
            self.required(&fields, "endpoint", "an HTTP call").and_then(|spot| self.endpoint(&spot));
        let headers = self.pairs(&fields, "headers");
        let query = self.pairs(&fields, "query");
        Some(Http {
            method: self.template_field(&fields, "method")?,
            endpoint: endpoint?,
            headers,
            query,
            body: self.template_field(&fields, "body"),
            output: self.http_output(&fields),
            redirect: self.boolean(&fields, "redirect").unwrap_or(false),
        })
    }

    /// Names and texts, or one expression that gives them.
    fn pairs(&mut self, fields: &Fields<'_>, name: &str) -> Option<Template> {
        let spot = fields.get(name)?;
        match &spot.node.data {
            Data::Text(text) if expression_in(text).is_some() => {}
            Data::Map(_) => {
                for (key, member) in self.object(&spot, name)?.all() {
                    let _text = self.text(&member, &format!("`{}` of `{name}`", key.text));
                }
            }
            _ => {
                self.wrong_type(&spot, &format!("`{name}`"), "an object or a runtime expression");
                return None;
            }
        }
        self.template(&spot)
    }

    fn http_output(&mut self, fields: &Fields<'_>) -> HttpOutput {
        match self.choice(fields, "output", &["raw", "content", "response"]).as_deref() {
            Some("raw") => HttpOutput::Raw,
            Some("response") => HttpOutput::Response,
            _ => HttpOutput::Content,
        }
    }

    fn openapi(&mut self, spot: &Spot<'_>) -> Option<OpenApi> {
        let allowed = ["document", "operationId", "parameters", "authentication", "output", "redirect"];
        let fields = self.fields(spot, "an OpenAPI call", &allowed)?;
        let document = self.required(&fields, "document", "an OpenAPI call");
        let document = document.and_then(|spot| self.resource(&spot, "`document`"));
        let _operation = self.required_text(&fields, "operationId", "an OpenAPI call");
        if let Some(spot) = fields.get("parameters") {
            let _object = self.object(&spot, "`parameters`");
        }
        Some(OpenApi {
            document: document?,
            operation: self.template_field(&fields, "operationId")?,
            parameters: self.template_field(&fields, "parameters"),
            authentication: self.authentication_field(&fields),
            output: self.http_output(&fields),
            redirect: self.boolean(&fields, "redirect").unwrap_or(false),
        })
    }

    fn approval(&mut self, spot: &Spot<'_>) -> Option<Template> {
        let allowed = ["title", "description", "chain", "levels", "asked"];
        let fields = self.fields(spot, "`approval`", &allowed)?;
        let _title = self.required_text(&fields, "title", "`approval`");
        let _description = self.text_field(&fields, "description", "`approval`");
        if fields.has("chain") && fields.has("levels") {
            self.error(code::UNKNOWN_FIELD, spot, "`approval` has either `chain` or `levels`, not both");
        }
        if let Some(levels) = fields.get("levels").filter(|spot| matches!(spot.node.data, Data::List(_))) {
            let items = self.list(&levels, "`levels`")?;
            if items.is_empty() {
                self.error(code::MISSING_FIELD, &levels, "`levels` needs at least one level");
            }
            for (index, level) in items.iter().enumerate() {
                self.level(index, level);
            }
        }
        self.template(spot)
    }

    fn level(&mut self, index: usize, spot: &Spot<'_>) {
        let allowed = ["level", "roles", "quorum", "within", "onTimeout", "emergencyOverride"];
        let Some(fields) = self.fields(spot, "a level", &allowed) else { return };
        let expected = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
        if self.integer(&fields, "level").is_some_and(|number| number != expected) {
            self.error(code::WRONG_TYPE, spot, "levels must be consecutive starting from 1");
        }
        let roles = self.required(&fields, "roles", "a level").and_then(|spot| self.list(&spot, "`roles`"));
        match roles {
            Some(roles) if roles.is_empty() => {
                self.error(code::MISSING_FIELD, spot, "a level needs at least one role");
            }
            Some(roles) => {
                for role in roles {
                    let text = self.text(&role, "a role").unwrap_or_default();
                    if expression_in(&text).is_none()
                        && text.parse::<model::Role>().is_err()
                        && !text.is_empty()
                    {
                        self.error(code::WRONG_TYPE, &role, format!("`{text}` is no name of a role"));
                    }
                }
            }
            None => {}
        }
        if self.integer(&fields, "quorum").is_some_and(|quorum| quorum < 1) {
            self.error(code::WRONG_TYPE, spot, "`quorum` must be at least 1");
        }
        let _within = self.span_field(&fields, "within");
        let _on_timeout = self.choice(&fields, "onTimeout", &["deny", "escalate"]);
        let _override = self.boolean(&fields, "emergencyOverride");
    }

    pub(super) fn run(&mut self, main: &Spot<'_>) -> Option<Kind> {
        let kinds = ["container", "script", "shell", "workflow"];
        let fields =
            self.fields(main, "`run`", &["await", "return", "container", "script", "shell", "workflow"])?;
        let given: Vec<&str> = kinds.into_iter().filter(|kind| fields.has(kind)).collect();
        let [kind] = given.as_slice() else {
            self.error(code::WRONG_TYPE, main, format!("`run` is exactly one of: {}", kinds.join(", ")));
            return None;
        };
        let wait = self.boolean(&fields, "await").unwrap_or(true);
        let returns =
            match self.choice(&fields, "return", &["stdout", "stderr", "code", "all", "none"]).as_deref() {
                Some("stderr") => ProcessReturn::Stderr,
                Some("code") => ProcessReturn::Code,
                Some("all") => ProcessReturn::All,
                Some("none") => ProcessReturn::None,
                _ => ProcessReturn::Stdout,
            };
        let spot = fields.get(kind)?;
        let process = match *kind {
            "container" => self.container(&spot),
            "script" => self.script(&spot),
            "shell" => {
                let members =
                    self.fields(&spot, "`shell`", &["command", "stdin", "arguments", "environment"])?;
                let _command = self.required_text(&members, "command", "`shell`");
                self.process_members(&members, "`shell`");
                self.template(&spot).map(Process::Shell)
            }
            _ => self.subflow(&spot),
        };
        Some(Kind::Run(Run { process: process?, wait, returns }))
    }

    fn process_members(&mut self, fields: &Fields<'_>, what: &str) {
        self.texts(fields, &["stdin"], what);
        self.text_list(fields, "arguments");
        self.objects(fields, &["environment"]);
    }

    fn container(&mut self, spot: &Spot<'_>) -> Option<Process> {
        let allowed = [
            "image",
            "name",
            "command",
            "ports",
            "volumes",
            "environment",
            "stdin",
            "arguments",
            "lifetime",
            "pullPolicy",
        ];
        let fields = self.fields(spot, "`container`", &allowed)?;
        let _image = self.required_text(&fields, "image", "`container`");
        self.texts(&fields, &["name", "command"], "`container`");
        self.objects(&fields, &["ports", "volumes"]);
        self.process_members(&fields, "`container`");
        let _policy = self.choice(&fields, "pullPolicy", &["ifNotPresent", "always", "never"]);
        let lifetime = match fields.get("lifetime") {
            None => None,
            Some(spot) => {
                let members = self.fields(&spot, "`lifetime`", &["cleanup", "after"])?;
                let _needed = self.required(&members, "cleanup", "`lifetime`");
                let cleanup = self.choice(&members, "cleanup", &["always", "never", "eventually"])?;
                let after = self.span_field(&members, "after");
                if (cleanup == "eventually") != members.has("after") {
                    self.error(
                        code::WRONG_TYPE,
                        &spot,
                        "`after` goes with `cleanup: eventually`, and only with it",
                    );
                }
                Some((cleanup, after))
            }
        };
        Some(Process::Container { spec: self.members_but(&fields, "lifetime")?, lifetime })
    }

    fn script(&mut self, spot: &Spot<'_>) -> Option<Process> {
        let allowed = ["language", "stdin", "arguments", "environment", "code", "source"];
        let fields = self.fields(spot, "`script`", &allowed)?;
        let _language = self.required_text(&fields, "language", "`script`");
        self.texts(&fields, &["code"], "`script`");
        self.process_members(&fields, "`script`");
        let source = match (fields.has("code"), fields.get("source")) {
            (true, None) => None,
            (false, Some(spot)) => Some(self.resource(&spot, "`source`")?),
            _ => {
                self.error(code::WRONG_TYPE, spot, "`script` has either `code` or `source`");
                return None;
            }
        };
        Some(Process::Script { spec: self.members_but(&fields, "source")?, source })
    }

    fn members_but(&mut self, fields: &Fields<'_>, left_out: &str) -> Option<Template> {
        let members: Vec<Option<(Arc<str>, Template)>> = fields
            .all()
            .filter(|(key, _)| key.text != left_out)
            .map(|(key, spot)| Some((Arc::from(key.text.as_str()), self.template(&spot)?)))
            .collect();
        members.into_iter().collect::<Option<Vec<_>>>().map(Template::object)
    }

    fn subflow(&mut self, spot: &Spot<'_>) -> Option<Process> {
        let fields = self.fields(spot, "`workflow`", &["namespace", "name", "version", "input"])?;
        let namespace = self.required_text(&fields, "namespace", "`workflow`");
        let name = self.required_text(&fields, "name", "`workflow`");
        let version = self.required_text(&fields, "version", "`workflow`");
        self.objects(&fields, &["input"]);
        Some(Process::Workflow {
            namespace: namespace?,
            name: name?,
            version: version.filter(|version| version != "latest"),
            input: self.template_field(&fields, "input"),
        })
    }
}
