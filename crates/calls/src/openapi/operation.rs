//! From an operation and parameters to the HTTP call it stands for.

use serde_json::{Map, Value};
use url::Url;
use workflow::action_input::{HttpCall, OpenApiCall};

use super::document::Document;
use super::style::{Parameter, Place, Style};
use crate::request::{essence, is_json};
use crate::{CallError, access};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// What parameters add to a call.
#[derive(Default)]
struct Written {
    path: String,
    query: Vec<String>,
    form: Vec<String>,
    headers: Map<String, Value>,
    cookies: Vec<String>,
    body: Option<Value>,
}

impl Document {
    /// The HTTP call that `call` stands for.
    pub(super) fn http_call(&self, call: &OpenApiCall) -> Result<HttpCall, CallError> {
        let found = self.operation(&call.operation_id)?;
        let parameters = self.parameters(&found)?;
        let has_body = !self.at(found.operation, "requestBody")?.is_null();
        check_names(call, &parameters, has_body)?;
        let mut written = Written { path: found.path.to_owned(), ..Written::default() };
        for parameter in &parameters {
            match call.parameters.get(&parameter.name).filter(|value| !value.is_null()) {
                Some(value) => written.put(parameter, value)?,
                None if parameter.required => {
                    return Err(CallError::BadParameter(format!(
                        "the operation {} needs the parameter `{}`",
                        call.operation_id, parameter.name
                    )));
                }
                None => {}
            }
        }
        if has_body {
            written.body = call.parameters.get("body").cloned();
            let request_body = self.at(found.operation, "requestBody")?;
            if written.body.is_none() && request_body["required"] == true {
                return Err(CallError::BadParameter(format!(
                    "the operation {} needs a request body, as the parameter `body`",
                    call.operation_id
                )));
            }
        }
        if let Some(at) = written.path.find('{') {
            return Err(CallError::BadOpenApi(format!(
                "the path {} of the operation {} has a place that no parameter fills: {}",
                found.path,
                call.operation_id,
                &written.path[at..]
            )));
        }
        self.assemble(call, &found, written)
    }

    fn assemble(
        &self,
        call: &OpenApiCall,
        found: &Found<'_>,
        written: Written,
    ) -> Result<HttpCall, CallError> {
        let mut headers = written.headers;
        headers.insert("accept".to_owned(), Value::from(self.accept(found)?));
        if !written.cookies.is_empty() {
            headers.insert("cookie".to_owned(), Value::from(written.cookies.join("; ")));
        }
        let body =
            if written.form.is_empty() { written.body } else { Some(Value::from(written.form.join("&"))) };
        if body.is_some() {
            let kind = if written.form.is_empty() {
                self.content_type(found)?
            } else {
                "application/x-www-form-urlencoded".to_owned()
            };
            headers.insert("content-type".to_owned(), Value::from(kind));
        }
        let base = self.base(found)?;
        let mut uri = format!("{}{}", base.as_str().trim_end_matches('/'), written.path);
        if !written.query.is_empty() {
            uri = format!("{uri}?{}", written.query.join("&"));
        }
        Ok(HttpCall {
            method: found.method.to_ascii_uppercase(),
            uri,
            headers,
            query: Map::new(),
            body,
            output: call.output,
            redirect: call.redirect,
            authentication: call.authentication.clone(),
            timeout_ms: call.timeout_ms,
        })
    }

    fn operation<'a>(&'a self, id: &str) -> Result<Found<'a>, CallError> {
        let mut found = None;
        let mut known = Vec::new();
        for (path, item) in self.root["paths"].as_object().into_iter().flatten() {
            let item = self.resolve(item)?;
            for method in METHODS {
                let operation = &item[method];
                let Some(name) = operation["operationId"].as_str() else { continue };
                known.push(name);
                if name == id {
                    if found.is_some() {
                        return Err(CallError::BadOpenApi(format!(
                            "{} has more than one operation {id}",
                            access::shown(&self.uri)
                        )));
                    }
                    found = Some(Found { path, item, method, operation });
                }
            }
        }
        found.ok_or_else(|| {
            known.sort_unstable();
            let some = known.iter().take(12).copied().collect::<Vec<_>>().join(", ");
            CallError::BadOpenApi(format!(
                "{} has no operation {id}; it has: {some}",
                access::shown(&self.uri)
            ))
        })
    }

    /// Those of the path, replaced by those of the operation, and keys the operation may be called with.
    fn parameters(&self, found: &Found<'_>) -> Result<Vec<Parameter>, CallError> {
        let mut parameters: Vec<Parameter> = Vec::new();
        let lists = [&found.item["parameters"], &found.operation["parameters"]];
        for declared in lists.into_iter().filter_map(Value::as_array).flatten() {
            let parameter = self.parameter(self.resolve(declared)?)?;
            parameters.retain(|other| (&other.name, other.place) != (&parameter.name, parameter.place));
            parameters.push(parameter);
        }
        for key in self.api_keys(found)? {
            if !parameters.iter().any(|other| other.name == key.name) {
                parameters.push(key);
            }
        }
        Ok(parameters)
    }

    fn parameter(&self, declared: &Value) -> Result<Parameter, CallError> {
        let name = declared["name"].as_str().unwrap_or_default();
        let bad = |why: &str| {
            CallError::BadOpenApi(format!("the parameter `{name}` in {} {why}", access::shown(&self.uri)))
        };
        let place = match declared["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("header") => Place::Header,
            Some("cookie") => Place::Cookie,
            Some("formData") => Place::Form,
            Some("body") => Place::Body,
            _ => return Err(bad("says of no known place where it belongs")),
        };
        if declared["type"] == "file" {
            return Err(bad("is a file, and files cannot be sent yet"));
        }
        let style = if self.is_swagger() {
            collection_style(place, declared["collectionFormat"].as_str())
        } else if declared["content"].is_object() {
            Some(Style::Json)
        } else {
            let default = if matches!(place, Place::Query | Place::Cookie) { "form" } else { "simple" };
            let style = declared["style"].as_str().unwrap_or(default);
            let explode = declared["explode"].as_bool().unwrap_or(style == "form");
            named_style(style, explode)
        };
        Ok(Parameter {
            name: name.to_owned(),
            place,
            required: place == Place::Path || declared["required"] == true,
            style: style.ok_or_else(|| bad("is of a style that is not known"))?,
        })
    }

    /// API keys that secure the operation, as optional parameters: the DSL has no other way to give them.
    fn api_keys(&self, found: &Found<'_>) -> Result<Vec<Parameter>, CallError> {
        let security = match &found.operation["security"] {
            Value::Null => &self.root["security"],
            own => own,
        };
        let schemes = if self.is_swagger() {
            &self.root["securityDefinitions"]
        } else {
            &self.root["components"]["securitySchemes"]
        };
        let mut keys = Vec::new();
        for name in security.as_array().into_iter().flatten().filter_map(Value::as_object).flat_map(Map::keys)
        {
            let scheme = self.at(schemes, name)?;
            if scheme["type"] == "apiKey" {
                let mut key = self.parameter(scheme)?;
                key.required = false;
                keys.push(key);
            }
        }
        Ok(keys)
    }

    fn base(&self, found: &Found<'_>) -> Result<Url, CallError> {
        let bad = |text: &str| {
            CallError::BadOpenApi(format!(
                "`{text}` in {} is not the URI of a server",
                access::shown(&self.uri)
            ))
        };
        if self.is_swagger() {
            return self.swagger_base(found);
        }
        let server = [&found.operation["servers"], &found.item["servers"], &self.root["servers"]]
            .into_iter()
            .find_map(|servers| servers.as_array()?.first());
        let Some(server) = server else { return self.uri.join("/").map_err(|_| bad("/")) };
        let mut text = server["url"].as_str().unwrap_or("/").to_owned();
        if let Some(variables) = server["variables"].as_object() {
            for (name, variable) in variables {
                text = text.replace(&format!("{{{name}}}"), variable["default"].as_str().unwrap_or_default());
            }
        }
        if text.contains('{') {
            return Err(bad(&text));
        }
        self.uri.join(&text).map_err(|_| bad(&text))
    }

    fn swagger_base(&self, found: &Found<'_>) -> Result<Url, CallError> {
        let schemes =
            [&found.operation["schemes"], &self.root["schemes"]].into_iter().find_map(Value::as_array);
        let scheme = match schemes {
            Some(offered) if offered.iter().any(|one| one == "https") => "https",
            Some(offered) if offered.iter().any(|one| one == "http") => "http",
            Some(_) => {
                return Err(CallError::BadOpenApi(format!(
                    "{} offers neither https nor http",
                    access::shown(&self.uri)
                )));
            }
            None => self.uri.scheme(),
        };
        let own_host = self.uri[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let host = self.root["host"].as_str().unwrap_or(&own_host);
        let text = format!("{scheme}://{host}{}", self.root["basePath"].as_str().unwrap_or_default());
        text.parse().map_err(|_| {
            CallError::BadOpenApi(format!(
                "`{text}` in {} is not the URI of a server",
                access::shown(&self.uri)
            ))
        })
    }

    /// The media type asked for: JSON if there is a choice.
    fn accept(&self, found: &Found<'_>) -> Result<String, CallError> {
        let mut offered: Vec<&str> = Vec::new();
        if self.is_swagger() {
            offered = self.media_types(found, "produces");
        } else if let Some(responses) = found.operation["responses"].as_object() {
            for (status, response) in responses {
                if status.starts_with('2') || status == "default" {
                    let content = &self.resolve(response)?["content"];
                    offered.extend(content.as_object().into_iter().flat_map(Map::keys).map(String::as_str));
                }
            }
        }
        Ok(preferred(&offered).unwrap_or("*/*").to_owned())
    }

    fn content_type(&self, found: &Found<'_>) -> Result<String, CallError> {
        let offered: Vec<&str> = if self.is_swagger() {
            self.media_types(found, "consumes")
        } else {
            let body = self.at(found.operation, "requestBody")?;
            body["content"].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
        };
        Ok(preferred(&offered).filter(|kind| *kind != "*/*").unwrap_or("application/json").to_owned())
    }

    fn media_types<'a>(&'a self, found: &Found<'a>, member: &str) -> Vec<&'a str> {
        let lists = [&found.operation[member], &self.root[member]];
        let list = lists.into_iter().find_map(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// An operation in its document.
struct Found<'a> {
    path: &'a str,
    item: &'a Value,
    method: &'static str,
    operation: &'a Value,
}

fn check_names(call: &OpenApiCall, parameters: &[Parameter], has_body: bool) -> Result<(), CallError> {
    for name in call.parameters.keys() {
        if !(parameters.iter().any(|parameter| parameter.name == *name) || (has_body && name == "body")) {
            let known = parameters.iter().map(|parameter| parameter.name.as_str());
            let known = known.chain(has_body.then_some("body")).collect::<Vec<_>>().join(", ");
            return Err(CallError::BadParameter(format!(
                "the operation {} has no parameter `{name}`; it has: {known}",
                call.operation_id
            )));
        }
    }
    Ok(())
}

fn preferred<'a>(offered: &[&'a str]) -> Option<&'a str> {
    offered.iter().find(|kind| is_json(&essence(kind))).or_else(|| offered.first()).copied()
}

fn named_style(name: &str, explode: bool) -> Option<Style> {
    Some(match name {
        "simple" => Style::Simple { explode },
        "label" => Style::Label { explode },
        "matrix" => Style::Matrix { explode },
        "form" => Style::Form { explode, separator: "," },
        "spaceDelimited" => Style::Form { explode, separator: "%20" },
        "pipeDelimited" => Style::Form { explode, separator: "|" },
        "deepObject" => Style::DeepObject,
        _ => return None,
    })
}

fn collection_style(place: Place, format: Option<&str>) -> Option<Style> {
    let form = matches!(place, Place::Query | Place::Form | Place::Cookie);
    Some(match format.unwrap_or("csv") {
        "multi" if form => Style::Form { explode: true, separator: "," },
        "csv" if form => Style::Form { explode: false, separator: "," },
        "csv" => Style::Simple { explode: false },
        "ssv" => Style::Form { explode: false, separator: "%20" },
        "tsv" => Style::Form { explode: false, separator: "%09" },
        "pipes" => Style::Form { explode: false, separator: "|" },
        _ => return None,
    })
}

impl Written {
    fn put(&mut self, parameter: &Parameter, value: &Value) -> Result<(), CallError> {
        match parameter.place {
            Place::Path => {
                let place = format!("{{{}}}", parameter.name);
                self.path = self.path.replace(&place, &parameter.in_path(value)?);
            }
            Place::Query => self.query.extend(parameter.in_query(value)?),
            Place::Form => self.form.extend(parameter.in_query(value)?),
            Place::Cookie => self.cookies.extend(parameter.in_query(value)?),
            Place::Header => {
                self.headers.insert(parameter.name.clone(), Value::from(parameter.in_header(value)?));
            }
            Place::Body => self.body = Some(value.clone()),
        }
        Ok(())
    }
}
