//! Readers of what has to do with events: `emit`, `listen`, `schedule`.

use std::sync::Arc;

use model::code::workflow as code;

use super::model::{Correlation, Filter, ForEach, Kind, Listen, Read, Strategy, Until};
use super::reader::{Fields, Reader, Spot};
use super::source::Data;
use crate::expression::{Template, expression_in};
use crate::schedule::Schedule;

/// CloudEvents attributes that are texts, and `data`.
const TEXTS: &[&str] = &["id", "source", "type", "time", "subject", "datacontenttype", "dataschema"];

impl Reader<'_> {
    pub(super) fn emit(&mut self, spot: &Spot<'_>) -> Option<Kind> {
        let fields = self.fields(spot, "`emit`", &["event"])?;
        let event = self.required(&fields, "event", "`emit`")?;
        let event = self.object(&event, "`event`")?;
        let with = self.required(&event, "with", "`event`")?;
        let attributes = self.object(&with, "`with`")?;
        for name in ["source", "type"] {
            let _needed = self.required(&attributes, name, "an event");
        }
        self.attribute_names(&attributes);
        self.template(&with).map(Kind::Emit)
    }

    fn attribute_names(&mut self, attributes: &Fields<'_>) {
        for name in TEXTS {
            if let Some(spot) = attributes.get(name) {
                let what = format!("`{name}` of an event");
                let _checked = match *name {
                    "source" | "dataschema" => self.uri(&spot).is_some(),
                    _ => self.text(&spot, &what).is_some(),
                };
            }
        }
        for (key, spot) in attributes.all() {
            let plain = key.text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            if !plain || key.text.is_empty() {
                let message = format!("`{}` is no CloudEvents attribute: only a-z and 0-9", key.text);
                self.error(code::WRONG_TYPE, &spot, message);
            }
        }
    }

    pub(super) fn listen(&mut self, fields: &Fields<'_>, spot: &Spot<'_>) -> Option<Kind> {
        let listen = self.fields(spot, "`listen`", &["to", "read"])?;
        let to = self.required(&listen, "to", "`listen`").and_then(|spot| self.strategy(&spot, true));
        let read = match self.choice(&listen, "read", &["data", "envelope", "raw"]).as_deref() {
            None | Some("data") => Read::Data,
            // The bus carries CloudEvents in structured mode: what arrives is the envelope.
            Some(_) => Read::Envelope,
        };
        let each = fields.get("foreach").and_then(|spot| self.for_each(&spot));
        Some(Kind::Listen(Listen { to: Arc::new(to?), read, each }))
    }

    fn for_each(&mut self, spot: &Spot<'_>) -> Option<ForEach> {
        let fields = self.fields(spot, "`foreach`", &["item", "at", "do", "output", "export"])?;
        let item = self.text_field(&fields, "item", "`foreach`").unwrap_or_else(|| "item".to_owned());
        let at = self.text_field(&fields, "at", "`foreach`").unwrap_or_else(|| "index".to_owned());
        self.with_scope(&[&item.clone(), &at.clone()], |reader| {
            let body = fields.get("do").and_then(|spot| reader.block(&spot));
            let output = reader.transform(&fields, "output", "as");
            let export = reader.transform(&fields, "export", "as");
            Some(ForEach { item: item.into(), at: at.into(), body, output, export })
        })
    }

    pub(super) fn strategy(&mut self, spot: &Spot<'_>, until: bool) -> Option<Strategy> {
        let allowed: &[&str] = if until { &["one", "any", "all", "until"] } else { &["one", "any", "all"] };
        let fields = self.fields(spot, "an event strategy", allowed)?;
        let given: Vec<&str> = ["one", "any", "all"].into_iter().filter(|name| fields.has(name)).collect();
        let [name] = given.as_slice() else {
            self.error(code::WRONG_TYPE, spot, "an event strategy is exactly one of: one, any, all");
            return None;
        };
        if fields.has("until") && *name != "any" {
            self.error(code::UNKNOWN_FIELD, spot, "`until` goes with `any` only");
        }
        let spot = fields.get(name)?;
        if *name == "one" {
            return self.filter(&spot).map(Strategy::One);
        }
        let items = self.list(&spot, &format!("`{name}`"))?;
        let filters: Vec<Option<Filter>> = items.iter().map(|item| self.filter(item)).collect();
        let filters = filters.into_iter().collect::<Option<Vec<_>>>()?;
        if *name == "all" {
            return Some(Strategy::All(filters));
        }
        let until = match fields.get("until") {
            None => None,
            Some(spot) => Some(match &spot.node.data {
                Data::Text(_) => Until::Condition(self.expression(&spot, "`until`")?),
                _ => Until::Consumed(Box::new(self.strategy(&spot, false)?)),
            }),
        };
        Some(Strategy::Any { filters, until })
    }

    fn filter(&mut self, spot: &Spot<'_>) -> Option<Filter> {
        let fields = self.fields(spot, "an event filter", &["with", "correlate"])?;
        let with = self.required(&fields, "with", "an event filter")?;
        let attributes = self.object(&with, "`with`")?;
        if attributes.all().next().is_none() {
            self.error(code::MISSING_FIELD, &with, "`with` of an event filter needs at least one attribute");
        }
        self.attribute_names(&attributes);
        let with: Vec<Option<(Arc<str>, Template)>> = attributes
            .all()
            .map(|(key, spot)| Some((Arc::from(key.text.as_str()), self.template(&spot)?)))
            .collect();
        let correlate = match fields.get("correlate") {
            None => Vec::new(),
            Some(spot) => {
                let links = self.object(&spot, "`correlate`")?;
                let read: Vec<_> =
                    links.all().map(|(key, spot)| self.correlation(&key.text, &spot)).collect();
                read.into_iter().collect::<Option<Vec<_>>>()?
            }
        };
        Some(Filter { with: with.into_iter().collect::<Option<Vec<_>>>()?, correlate })
    }

    fn correlation(&mut self, key: &str, spot: &Spot<'_>) -> Option<Correlation> {
        let fields = self.fields(spot, "a correlation", &["from", "expect"])?;
        let from = self.required(&fields, "from", "a correlation")?;
        let from = self.expression(&from, "`from`");
        let expect = match fields.get("expect") {
            None => None,
            Some(spot) => {
                let text = self.text(&spot, "`expect`")?;
                // A constant or a runtime expression; a bare `.x` or `$x` can only be meant as the latter.
                let bare = text.starts_with(['.', '$']) && expression_in(&text).is_none();
                Some(if bare {
                    Template::Expression(self.expression(&spot, "`expect`")?)
                } else {
                    self.template(&spot)?
                })
            }
        };
        Some(Correlation { key: key.into(), from: from?, expect })
    }

    pub(super) fn schedule(&mut self, spot: &Spot<'_>) -> Option<Schedule> {
        let fields = self.fields(spot, "`schedule`", &["every", "cron", "after", "on"])?;
        let given: Vec<&str> =
            ["every", "cron", "after", "on"].into_iter().filter(|name| fields.has(name)).collect();
        let [name] = given.as_slice() else {
            self.error(code::WRONG_TYPE, spot, "`schedule` is exactly one of: every, cron, after, on");
            return None;
        };
        let spot = fields.get(name)?;
        match *name {
            "cron" => {
                let text = self.text(&spot, "`cron`")?;
                match Schedule::cron(&text) {
                    Ok(schedule) => Some(schedule),
                    Err(message) => {
                        self.error(
                            code::WRONG_TYPE,
                            &spot,
                            format!("`{text}` is no cron expression: {message}"),
                        );
                        None
                    }
                }
            }
            "on" => self.strategy(&spot, true).map(|strategy| Schedule::On(Arc::new(strategy))),
            _ => match self.span(&spot, &format!("`{name}`"))? {
                super::model::Span::Fixed(duration) if duration.is_zero() => {
                    self.error(code::WRONG_TYPE, &spot, format!("`{name}` must be longer than nothing"));
                    None
                }
                super::model::Span::Fixed(duration) if *name == "every" => Some(Schedule::Every(duration)),
                super::model::Span::Fixed(duration) => Some(Schedule::After(duration)),
                super::model::Span::Computed(_) => {
                    self.error(
                        code::UNSUPPORTED,
                        &spot,
                        "a computed interval is not supported: nothing runs yet to compute it",
                    );
                    None
                }
            },
        }
    }
}
