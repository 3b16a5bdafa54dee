//! Readers of what appears all over a document: durations, schemas, transformations, endpoints, authentication.

use std::sync::Arc;

use jiff::SignedDuration;
use model::code::workflow as code;
use serde_json::Value;

use super::model::{Endpoint, Resource, Schema, Span, Transform, Uri};
use super::reader::{Fields, Reader, Spot, closest};
use super::source::Data;
use crate::duration;
use crate::expression::{Template, UriTemplate, expression_in};
use crate::limits;

/// Members of `oauth2` and `oidc` (the latter without `endpoints`).
const OAUTH2: &[&str] = &[
    "authority",
    "grant",
    "client",
    "request",
    "issuers",
    "scopes",
    "audiences",
    "username",
    "password",
    "subject",
    "actor",
    "endpoints",
];
const GRANTS: &[&str] = &[
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];
const CLIENT_AUTHENTICATION: &[&str] =
    &["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];

impl Reader<'_> {
    /// `30 seconds` as an object, as ISO 8601 text or as an expression.
    pub(super) fn span(&mut self, spot: &Spot<'_>, what: &str) -> Option<Span> {
        match &spot.node.data {
            Data::Text(text) if expression_in(text).is_some() => {
                self.expression(spot, what).map(Span::Computed)
            }
            Data::Text(text) => {
                if let Some(duration) = duration::parse_iso8601(text) {
                    self.within_limits(spot, duration)
                } else {
                    let message = format!("{what} is no ISO 8601 duration: `{text}`");
                    self.error_hint(
                        code::WRONG_TYPE,
                        spot,
                        message,
                        "for example PT30S, P1D, or { seconds: 30 }",
                    );
                    None
                }
            }
            Data::Map(_) => self.inline_span(spot, what),
            _ => {
                self.wrong_type(spot, what, "a duration");
                None
            }
        }
    }

    fn inline_span(&mut self, spot: &Spot<'_>, what: &str) -> Option<Span> {
        let fields = self.fields(spot, what, duration::UNITS)?;
        if fields.all().next().is_none() {
            self.error(
                code::MISSING_FIELD,
                spot,
                format!("{what} needs at least one of: {}", duration::UNITS.join(", ")),
            );
            return None;
        }
        let mut total = SignedDuration::ZERO;
        for unit in duration::UNITS {
            if fields.has(unit) {
                let amount = self.integer(&fields, unit)?;
                total = total.saturating_add(duration::of_unit(unit, amount));
            }
        }
        self.within_limits(spot, total)
    }

    fn within_limits(&mut self, spot: &Spot<'_>, duration: SignedDuration) -> Option<Span> {
        if duration.is_negative() || duration.as_secs() > limits::DURATION_SECONDS {
            self.error(code::WRONG_TYPE, spot, "a duration must be between zero and ten years");
            return None;
        }
        Some(Span::Fixed(duration))
    }

    pub(super) fn span_field(&mut self, fields: &Fields<'_>, name: &str) -> Option<Span> {
        let spot = fields.get(name)?;
        self.span(&spot, &format!("`{name}`"))
    }

    /// `timeout`: an object with `after`, or the name of one in `use.timeouts`.
    pub(super) fn timeout(&mut self, fields: &Fields<'_>) -> Option<Span> {
        let spot = fields.get("timeout")?;
        if let Data::Text(name) = &spot.node.data {
            let found = self.known.timeouts.get(name).cloned();
            if found.is_none() {
                self.unknown_reference(&spot, "timeouts", name);
            }
            return found;
        }
        self.timeout_definition(&spot)
    }

    pub(super) fn timeout_definition(&mut self, spot: &Spot<'_>) -> Option<Span> {
        let fields = self.fields(spot, "a timeout", &["after"])?;
        let after = self.required(&fields, "after", "a timeout")?;
        self.span(&after, "`after`")
    }

    pub(super) fn unknown_reference(&mut self, spot: &Spot<'_>, list: &str, name: &str) {
        let known: Vec<String> = match list {
            "errors" => self.known.errors.keys().cloned().collect(),
            "retries" => self.known.retries.keys().cloned().collect(),
            "timeouts" => self.known.timeouts.keys().cloned().collect(),
            "authentications" => self.known.authentications.keys().cloned().collect(),
            "secrets" => self.known.secrets.iter().cloned().collect(),
            _ => Vec::new(),
        };
        let hint = closest(name, known.iter().map(String::as_str))
            .map_or_else(|| format!("declare it under use.{list}"), |name| format!("did you mean `{name}`?"));
        self.error_hint(code::BAD_REFERENCE, spot, format!("`{name}` is not in `use.{list}`"), hint);
    }

    /// `input`, `output` and `export`: a schema, and a transformation under `name` (`from` or `as`).
    pub(super) fn transform(&mut self, fields: &Fields<'_>, field: &str, name: &str) -> Transform {
        let Some(spot) = fields.get(field) else {
            return Transform::default();
        };
        let Some(fields) = self.fields(&spot, &format!("`{field}`"), &["schema", name]) else {
            return Transform::default();
        };
        let schema = fields.get("schema").and_then(|spot| self.schema(&spot));
        let template = fields.get(name).and_then(|spot| match &spot.node.data {
            Data::Text(_) => self.expression(&spot, &format!("`{name}`")).map(Template::Expression),
            Data::Map(_) => self.template(&spot),
            _ => {
                self.wrong_type(&spot, &format!("`{name}`"), "a runtime expression or an object");
                None
            }
        });
        Transform { schema, template }
    }

    fn schema(&mut self, spot: &Spot<'_>) -> Option<Arc<Schema>> {
        let fields = self.fields(spot, "a schema", &["format", "document", "resource"])?;
        if let Some(format) = self.text_field(&fields, "format", "a schema")
            && format.split(':').next() != Some("json")
        {
            self.error(
                code::UNSUPPORTED,
                spot,
                format!("schema format `{format}` is not supported yet, only `json` is"),
            );
            return None;
        }
        if fields.has("resource") {
            self.error(
                code::UNSUPPORTED,
                spot,
                "external schemas are not supported yet, write it under `document`",
            );
            return None;
        }
        let document = self.required(&fields, "document", "a schema")?;
        match jsonschema::validator_for(&document.node.to_value()) {
            Ok(validator) => Some(Arc::new(Schema(validator))),
            Err(error) => {
                self.error(code::BAD_SCHEMA, &document, format!("the schema cannot be used: {error}"));
                None
            }
        }
    }

    /// An endpoint: a URI (template), an expression, or an object.
    pub(super) fn endpoint(&mut self, spot: &Spot<'_>) -> Option<Endpoint> {
        if let Data::Text(_) = &spot.node.data {
            return Some(Endpoint { uri: self.uri(spot)?, authentication: None });
        }
        let fields = self.fields(spot, "an endpoint", &["uri", "authentication"])?;
        let uri = self.required(&fields, "uri", "an endpoint").and_then(|spot| self.uri(&spot));
        let authentication = self.authentication_field(&fields);
        Some(Endpoint { uri: uri?, authentication })
    }

    pub(super) fn uri(&mut self, spot: &Spot<'_>) -> Option<Uri> {
        let text = self.text(spot, "a URI")?;
        if expression_in(&text).is_some() {
            return self.expression(spot, "a URI").map(Uri::Expression);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let valid = scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        });
        if !valid {
            let message = format!("`{text}` is no absolute URI");
            self.error_hint(
                code::WRONG_TYPE,
                spot,
                message,
                "begin it with https://, or make it an expression: ${ ... }",
            );
            return None;
        }
        match UriTemplate::parse(&text) {
            Ok(template) => Some(Uri::Template(template)),
            Err(message) => {
                self.error(code::WRONG_TYPE, spot, message);
                None
            }
        }
    }

    pub(super) fn resource(&mut self, spot: &Spot<'_>, what: &str) -> Option<Resource> {
        let fields = self.fields(spot, what, &["name", "endpoint"])?;
        let name = self.text_field(&fields, "name", what);
        let endpoint = self.required(&fields, "endpoint", what)?;
        Some(Resource { name, endpoint: self.endpoint(&endpoint)? })
    }

    /// `authentication`: in place, or the name of one in `use.authentications`.
    pub(super) fn authentication_field(&mut self, fields: &Fields<'_>) -> Option<Template> {
        let spot = fields.get("authentication")?;
        let members = self.object(&spot, "`authentication`")?;
        if !members.has("use") {
            return self.authentication(&spot);
        }
        let fields = self.fields(&spot, "`authentication`", &["use"])?;
        let name = self.required_text(&fields, "use", "`authentication`")?;
        let found = self.known.authentications.get(&name).cloned();
        if found.is_none() {
            self.unknown_reference(&spot, "authentications", &name);
        }
        found
    }

    /// One authentication policy.
    pub(super) fn authentication(&mut self, spot: &Spot<'_>) -> Option<Template> {
        let schemes = ["basic", "bearer", "digest", "oauth2", "oidc"];
        let fields = self.fields(spot, "an authentication", &schemes)?;
        let given: Vec<_> = fields.all().filter(|(key, _)| schemes.contains(&key.text.as_str())).collect();
        let [(key, settings)] = given.as_slice() else {
            self.error(
                code::WRONG_TYPE,
                spot,
                format!("an authentication is exactly one of: {}", schemes.join(", ")),
            );
            return None;
        };
        let what = format!("`{}`", key.text);
        let members = self.object(settings, &what)?;
        if members.has("use") {
            let members = self.fields(settings, &what, &["use"])?;
            let name = self.required_text(&members, "use", &what)?;
            if !self.known.secrets.contains(&name) {
                self.unknown_reference(settings, "secrets", &name);
            }
        } else {
            self.authentication_settings(&key.text, settings, &what);
        }
        self.template(spot)
    }

    fn authentication_settings(&mut self, scheme: &str, settings: &Spot<'_>, what: &str) {
        let needed: &[&str] = match scheme {
            "basic" | "digest" => &["username", "password"],
            "bearer" => &["token"],
            _ => return self.oauth2(scheme, settings, what),
        };
        let Some(fields) = self.fields(settings, what, needed) else { return };
        for name in needed {
            let _text = self.required_text(&fields, name, what);
        }
    }

    fn oauth2(&mut self, scheme: &str, settings: &Spot<'_>, what: &str) {
        let allowed = if scheme == "oidc" { &OAUTH2[..OAUTH2.len() - 1] } else { OAUTH2 };
        let Some(fields) = self.fields(settings, what, allowed) else { return };
        let _grant = self.choice(&fields, "grant", GRANTS);
        if let Some(authority) = fields.get("authority") {
            let _uri = self.uri(&authority);
        }
        if let Some(spot) = fields.get("client")
            && let Some(client) =
                self.fields(&spot, "`client`", &["id", "secret", "assertion", "authentication"])
        {
            self.texts(&client, &["id", "secret", "assertion"], "`client`");
            let _method = self.choice(&client, "authentication", CLIENT_AUTHENTICATION);
        }
        for name in ["subject", "actor"] {
            let Some(spot) = fields.get(name) else { continue };
            let Some(token) = self.fields(&spot, &format!("`{name}`"), &["token", "type"]) else { continue };
            for part in ["token", "type"] {
                let _text = self.required_text(&token, part, &format!("`{name}`"));
            }
        }
        for name in ["scopes", "audiences", "issuers"] {
            self.text_list(&fields, name);
        }
        self.texts(&fields, &["username", "password"], what);
        if let Some(endpoints) = fields.get("endpoints").and_then(|spot| self.object(&spot, "`endpoints`")) {
            self.texts(&endpoints, &["token", "revocation", "introspection"], "`endpoints`");
        }
        if let Some(request) = fields.get("request").and_then(|spot| self.object(&spot, "`request`")) {
            let encodings = ["application/x-www-form-urlencoded", "application/json"];
            let _encoding = self.choice(&request, "encoding", &encodings);
        }
    }

    /// An error object as a template, or the name of one in `use.errors`.
    pub(super) fn error_definition(&mut self, spot: &Spot<'_>) -> Option<Template> {
        if let Data::Text(name) = &spot.node.data {
            let found = self.known.errors.get(name).cloned();
            if found.is_none() {
                self.unknown_reference(spot, "errors", name);
            }
            return found;
        }
        let fields = self.fields(spot, "an error", &["type", "status", "instance", "title", "detail"])?;
        let _kind = self.required(&fields, "type", "an error").and_then(|spot| self.uri(&spot));
        let _status = self.required(&fields, "status", "an error");
        self.texts(&fields, &["instance", "title", "detail"], "an error");
        let status = self.integer(&fields, "status");
        if status.is_some_and(|status| !(100..=599).contains(&status)) {
            self.error(code::WRONG_TYPE, spot, "`status` of an error is an HTTP status, 100 to 599");
        }
        self.template(spot)
    }
}

/// Whether a JSON value is an object without members.
pub(super) fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}
