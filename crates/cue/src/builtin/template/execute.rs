//! Carries a template out.

use super::functions;
use super::parse::{Node, Operand, Pipeline, Template};
use super::print;
use crate::data::Data;
use crate::limits::{RED_ZONE, STACK_CHUNK, STRING_BYTES, TEMPLATE_DEPTH, TEMPLATE_STEPS};
use crate::number::Number;

/// What a missing field of a struct is written as.
const NO_VALUE: &str = "<no value>";

/// The text a template makes of data.
pub(super) fn execute(template: &Template, data: &Data) -> Result<String, String> {
    let variables = vec![(String::new(), data.clone())];
    let mut run = Run { template, out: String::new(), variables, steps: 0, depth: 0 };
    run.nodes(&template.main, data)?;
    Ok(run.out)
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'t> {
    template: &'t Template,
    out: String,
    /// Innermost last; the one without a name is `$`.
    variables: Vec<(String, Data)>,
    steps: usize,
    depth: usize,
}

impl Run<'_> {
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > TEMPLATE_STEPS {
            return Err(format!("the template takes more than {TEMPLATE_STEPS} steps"));
        }
        if self.out.len() > STRING_BYTES {
            return Err(format!("the template makes more than {STRING_BYTES} bytes"));
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Data) -> Result<Flow, String> {
        let outer = self.variables.len();
        let mut flow = Flow::On;
        for node in nodes {
            self.step()?;
            flow = stacker::maybe_grow(RED_ZONE, STACK_CHUNK, || self.node(node, dot))?;
            if flow != Flow::On {
                break;
            }
        }
        self.variables.truncate(outer);
        Ok(flow)
    }

    fn node(&mut self, node: &Node, dot: &Data) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    let text = value.as_ref().map_or_else(|| NO_VALUE.to_owned(), print::plain);
                    self.out.push_str(&text);
                }
            }
            Node::If(pipeline, body, otherwise) => return self.choose(pipeline, body, otherwise, dot, false),
            Node::With(pipeline, body, otherwise) => {
                return self.choose(pipeline, body, otherwise, dot, true);
            }
            Node::Range(pipeline, body, otherwise) => return self.range(pipeline, body, otherwise, dot),
            Node::Template(name, pipeline) => self.template(name, pipeline.as_ref(), dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn choose(
        &mut self,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Data,
        with: bool,
    ) -> Result<Flow, String> {
        let outer = self.variables.len();
        let value = self.pipeline(pipeline, dot)?.unwrap_or(Data::Null);
        let flow = if functions::truth(&value) {
            self.nodes(body, if with { &value } else { dot })
        } else {
            self.nodes(otherwise, dot)
        };
        self.variables.truncate(outer);
        flow
    }

    fn range(
        &mut self,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Data,
    ) -> Result<Flow, String> {
        let outer = self.variables.len();
        let plain = Pipeline { variables: Vec::new(), ..pipeline.clone() };
        let items = match self.pipeline(&plain, dot)?.unwrap_or(Data::Null) {
            Data::Null => Vec::new(),
            Data::List(items) => items.into_iter().enumerate().map(|(i, v)| (int(i), v)).collect(),
            Data::Object(mut fields) => {
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields.into_iter().map(|(name, value)| (Data::String(name), value)).collect()
            }
            Data::Number(n) if n.is_int() => {
                let count = n.as_int().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                if count > TEMPLATE_STEPS {
                    return Err(format!("the template takes more than {TEMPLATE_STEPS} steps"));
                }
                (0..count).map(|i| (int(i), int(i))).collect()
            }
            other => return Err(format!("range can't iterate over {}", print::plain(&other))),
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, value) in items {
            self.step()?;
            match pipeline.variables.as_slice() {
                [] => {}
                [one] => self.set(one, value.clone(), pipeline.declares)?,
                [first, second, ..] => {
                    self.set(first, key, pipeline.declares)?;
                    self.set(second, value.clone(), pipeline.declares)?;
                }
            }
            let flow = self.nodes(body, &value)?;
            self.variables.truncate(outer);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn template(&mut self, name: &str, pipeline: Option<&Pipeline>, dot: &Data) -> Result<(), String> {
        let template = self.template;
        let nodes = template.defined.get(name).ok_or_else(|| format!("template {name:?} not defined"))?;
        let value = match pipeline {
            Some(pipeline) => self.pipeline(pipeline, dot)?.unwrap_or(Data::Null),
            None => Data::Null,
        };
        self.depth += 1;
        if self.depth > TEMPLATE_DEPTH {
            return Err(format!("template {name:?} calls itself more than {TEMPLATE_DEPTH} times"));
        }
        let outer = std::mem::replace(&mut self.variables, vec![(String::new(), value.clone())]);
        self.nodes(nodes, &value)?;
        self.variables = outer;
        self.depth -= 1;
        Ok(())
    }

    fn set(&mut self, name: &str, value: Data, declares: bool) -> Result<(), String> {
        if declares {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let found = self.variables.iter_mut().rev().find(|(variable, _)| variable == name);
        found.ok_or_else(|| format!("undefined variable \"${name}\""))?.1 = value;
        Ok(())
    }

    /// `None` is a field that is not there.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Data) -> Result<Option<Data>, String> {
        let mut value = None;
        for (i, command) in pipeline.commands.iter().enumerate() {
            self.step()?;
            let piped = (i > 0).then(|| value.take().unwrap_or(Data::Null));
            value = self.command(command, piped, dot)?;
        }
        for name in &pipeline.variables {
            self.set(name, value.clone().unwrap_or(Data::Null), pipeline.declares)?;
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &[Operand],
        piped: Option<Data>,
        dot: &Data,
    ) -> Result<Option<Data>, String> {
        let Some((Operand::Function(name), rest)) = command.split_first() else {
            return match (command, piped) {
                ([Operand::Literal(Data::Null)], None) => Err("nil is not a command".to_owned()),
                ([one], None) => self.operand(one, dot),
                _ => Err("only a function takes arguments".to_owned()),
            };
        };
        if name == "and" || name == "or" {
            let mut last = None;
            for operand in rest {
                let value = self.operand(operand, dot)?.unwrap_or(Data::Null);
                let decided = functions::truth(&value) == (name == "or");
                last = Some(value);
                if decided {
                    return Ok(last);
                }
            }
            let last = piped.or(last);
            return last.map(Some).ok_or_else(|| format!("wrong number of arguments for {name}: 0"));
        }
        let mut args = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            args.push(self.operand(operand, dot)?.unwrap_or(Data::Null));
        }
        args.extend(piped);
        functions::call(name, &args).map(Some).map_err(|why| format!("error calling {name}: {why}"))
    }

    fn operand(&mut self, operand: &Operand, dot: &Data) -> Result<Option<Data>, String> {
        self.step()?;
        match operand {
            Operand::Literal(data) => Ok(Some(data.clone())),
            Operand::Field(names) => fields(dot, names),
            Operand::Variable(name, names) => {
                let found = self.variables.iter().rev().find(|(variable, _)| variable == name);
                fields(&found.ok_or_else(|| format!("undefined variable \"${name}\""))?.1, names)
            }
            Operand::Paren(inner, names) => {
                let value = self.pipeline(inner, dot)?.unwrap_or(Data::Null);
                fields(&value, names)
            }
            Operand::Function(name) => functions::call(name, &[]).map(Some),
        }
    }
}

fn int(n: usize) -> Data {
    Data::Number(Number::int(n))
}

/// Follows field names down.
fn fields(from: &Data, names: &[String]) -> Result<Option<Data>, String> {
    let mut at = from;
    for (i, name) in names.iter().enumerate() {
        match at {
            Data::Object(fields) => match fields.iter().find(|(field, _)| field == name) {
                Some((_, value)) => at = value,
                None if i + 1 == names.len() => return Ok(None),
                None => return Err(format!("nil data; no entry for key {name:?}")),
            },
            Data::Null => return Err(format!("nil data; no entry for key {name:?}")),
            other => return Err(format!("can't evaluate field {name} in {}", print::plain(other))),
        }
    }
    Ok(Some(at.clone()))
}
