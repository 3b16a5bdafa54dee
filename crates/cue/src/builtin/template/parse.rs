//! The syntax of templates: text, and actions between `{{` and `}}`.

use std::collections::HashMap;

use super::lex::{Token, tokens};
use crate::data::Data;
use crate::limits::TEMPLATE_DEPTH;
use crate::number::Number;

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If(Pipeline, Vec<Node>, Vec<Node>),
    With(Pipeline, Vec<Node>, Vec<Node>),
    Range(Pipeline, Vec<Node>, Vec<Node>),
    Template(String, Option<Pipeline>),
    Break,
    Continue,
}

/// Commands, each given what the one before it made; the result may go into variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    /// `:=`, not `=`.
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// `.a.b`, and `.` alone.
    Field(Vec<String>),
    /// `$x.a.b`; the name is without the `$`.
    Variable(String, Vec<String>),
    Literal(Data),
    Function(String),
    Paren(Box<Pipeline>, Vec<String>),
}

/// A template with those it defines.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) main: Vec<Node>,
    pub(super) defined: HashMap<String, Vec<Node>>,
}

enum Piece {
    Text(String),
    Action(Vec<Token>, usize),
}

/// Parses a template.
pub(super) fn parse(text: &str) -> Result<Template, String> {
    let mut parser = Parser { pieces: pieces(text)?, at: 0, depth: 0, loops: 0, defined: HashMap::new() };
    let (main, end) = parser.list()?;
    match end {
        End::Eof => Ok(Template { main, defined: parser.defined }),
        End::Else(_) => Err(parser.unexpected("else")),
        End::Closed => Err(parser.unexpected("end")),
    }
}

/// Cuts at the delimiters, and trims where they say so.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let (mut rest, mut trim) = (text, false);
    let (mut line, mut counted) = (1, 0);
    loop {
        let open = rest.find("{{");
        let mut before = &rest[..open.unwrap_or(rest.len())];
        if trim {
            before = before.trim_start_matches(SPACE);
        }
        let Some(open) = open else {
            out.push(Piece::Text(before.to_owned()));
            return Ok(out);
        };
        let mut inside = &rest[open + 2..];
        let here = text.len() - inside.len();
        line += text[counted..here].matches('\n').count();
        counted = here;
        if inside.starts_with('-') && inside[1..].starts_with(SPACE) {
            before = before.trim_end_matches(SPACE);
            inside = &inside[1..];
        }
        out.push(Piece::Text(before.to_owned()));
        let close = close(inside).ok_or_else(|| format!("template: line {line}: unclosed action"))?;
        let mut body = &inside[..close];
        rest = &inside[close + 2..];
        trim = body.ends_with('-') && body[..body.len() - 1].ends_with(SPACE);
        if trim {
            body = &body[..body.len() - 1];
        }
        if let Some(comment) = body.trim().strip_prefix("/*") {
            if !comment.ends_with("*/") {
                return Err(format!("template: line {line}: unclosed comment"));
            }
            continue;
        }
        let list = tokens(body).map_err(|why| format!("template: line {line}: {why}"))?;
        out.push(Piece::Action(list, line));
    }
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Where the `}}` of an action is, outside of its quotes.
fn close(inside: &str) -> Option<usize> {
    if inside.trim_start().starts_with("/*") {
        let end = inside.find("*/")?;
        return inside[end..].find("}}").map(|at| end + at);
    }
    let (mut quote, mut escaped) = (None, false);
    let bytes = inside.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(b'"' | b'\''), b'\\') => escaped = true,
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'' | b'`') => quote = Some(*byte),
            (None, b'}') if bytes.get(i + 1) == Some(&b'}') => return Some(i),
            (None, _) => {}
        }
    }
    None
}

/// What ended a list of nodes.
enum End {
    Eof,
    Closed,
    /// With what stands behind `else`.
    Else(Vec<Token>),
}

struct Parser {
    pieces: Vec<Piece>,
    at: usize,
    depth: usize,
    loops: usize,
    defined: HashMap<String, Vec<Node>>,
}

impl Parser {
    fn line(&self) -> usize {
        let read = self.pieces[..self.at.min(self.pieces.len())].iter().rev();
        let lines = read.filter_map(|piece| match piece {
            Piece::Action(_, line) => Some(*line),
            Piece::Text(_) => None,
        });
        lines.into_iter().next().unwrap_or(1)
    }

    fn fail(&self, message: &str) -> String {
        format!("template: line {}: {message}", self.line())
    }

    fn unexpected(&self, what: &str) -> String {
        self.fail(&format!("unexpected {{{{{what}}}}}"))
    }

    fn list(&mut self) -> Result<(Vec<Node>, End), String> {
        self.depth += 1;
        if self.depth > TEMPLATE_DEPTH {
            return Err(self.fail("nested too deep"));
        }
        let mut out = Vec::new();
        let end = loop {
            let Some(piece) = self.pieces.get(self.at) else { break End::Eof };
            self.at += 1;
            let tokens = match piece {
                Piece::Text(text) => {
                    if !text.is_empty() {
                        out.push(Node::Text(text.clone()));
                    }
                    continue;
                }
                Piece::Action(tokens, _) => tokens.clone(),
            };
            let Some(Token::Ident(word)) = tokens.first() else {
                out.push(Node::Action(self.pipeline(&tokens)?));
                continue;
            };
            match word.as_str() {
                "end" if tokens.len() == 1 => break End::Closed,
                "else" => break End::Else(tokens[1..].to_vec()),
                word => out.extend(self.action(word, &tokens)?),
            }
        };
        self.depth -= 1;
        Ok((out, end))
    }

    fn action(&mut self, word: &str, tokens: &[Token]) -> Result<Option<Node>, String> {
        let rest = &tokens[1..];
        Ok(Some(match word {
            "if" | "with" | "range" => self.control(word, rest)?,
            "break" | "continue" if rest.is_empty() => {
                if self.loops == 0 {
                    return Err(self.fail(&format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                if word == "break" { Node::Break } else { Node::Continue }
            }
            "define" => {
                let (name, rest) = self.name(rest)?;
                if !rest.is_empty() || self.depth > 1 {
                    return Err(self.unexpected("define"));
                }
                self.body(name)?;
                return Ok(None);
            }
            "block" => {
                let (name, rest) = self.name(rest)?;
                let pipeline = self.pipeline(rest)?;
                self.body(name.clone())?;
                Node::Template(name, Some(pipeline))
            }
            "template" => {
                let (name, rest) = self.name(rest)?;
                let pipeline = if rest.is_empty() { None } else { Some(self.pipeline(rest)?) };
                Node::Template(name, pipeline)
            }
            _ => Node::Action(self.pipeline(tokens)?),
        }))
    }

    fn name<'t>(&self, tokens: &'t [Token]) -> Result<(String, &'t [Token]), String> {
        match tokens.split_first() {
            Some((Token::Literal(Data::String(name)), rest)) => Ok((name.clone(), rest)),
            _ => Err(self.fail("a template's name is a quoted string")),
        }
    }

    fn body(&mut self, name: String) -> Result<(), String> {
        match self.list()? {
            (nodes, End::Closed) => {
                self.defined.insert(name, nodes);
                Ok(())
            }
            _ => Err(self.fail(&format!("{{{{end}}}} of template {name:?} is missing"))),
        }
    }

    fn control(&mut self, word: &str, head: &[Token]) -> Result<Node, String> {
        let pipeline = self.pipeline(head)?;
        if pipeline.variables.len() > 1 && word != "range" {
            return Err(self.fail(&format!("too many variables in {word}")));
        }
        self.loops += usize::from(word == "range");
        let (body, end) = self.list()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            End::Closed => Vec::new(),
            End::Eof => return Err(self.fail(&format!("{{{{end}}}} of {{{{{word}}}}} is missing"))),
            End::Else(rest) => match rest.first() {
                None => match self.list()? {
                    (nodes, End::Closed) => nodes,
                    _ => return Err(self.fail("{{end}} after {{else}} is missing")),
                },
                Some(Token::Ident(next)) if word != "range" && (next == "if" || next == "with") => {
                    self.depth += 1;
                    if self.depth > TEMPLATE_DEPTH {
                        return Err(self.fail("nested too deep"));
                    }
                    let node = self.control(next, &rest[1..])?;
                    self.depth -= 1;
                    vec![node]
                }
                Some(_) => return Err(self.unexpected("else ...")),
            },
        };
        Ok(match word {
            "if" => Node::If(pipeline, body, otherwise),
            "with" => Node::With(pipeline, body, otherwise),
            _ => Node::Range(pipeline, body, otherwise),
        })
    }

    fn pipeline(&mut self, tokens: &[Token]) -> Result<Pipeline, String> {
        self.depth += 1;
        if self.depth > TEMPLATE_DEPTH {
            return Err(self.fail("nested too deep"));
        }
        let mut pipeline = Pipeline::default();
        let mut rest = tokens;
        if let Some(at) = tokens.iter().position(|t| matches!(t, Token::Declare | Token::Assign)) {
            pipeline.declares = tokens[at] == Token::Declare;
            for token in &tokens[..at] {
                match token {
                    Token::Variable(name) => pipeline.variables.push(name.clone()),
                    Token::Comma => {}
                    _ => return Err(self.fail("only variables stand before := and =")),
                }
            }
            if pipeline.variables.is_empty() || pipeline.variables.len() > 2 {
                return Err(self.fail("one variable, or two in range, stand before := and ="));
            }
            rest = &tokens[at + 1..];
        }
        let mut command = Vec::new();
        let mut i = 0;
        while i < rest.len() {
            match &rest[i] {
                Token::Pipe => pipeline.commands.push(std::mem::take(&mut command)),
                Token::Open => {
                    let close = matching(&rest[i..]).ok_or_else(|| self.fail("unclosed ("))?;
                    let inner = self.pipeline(&rest[i + 1..i + close])?;
                    i += close;
                    let mut fields = Vec::new();
                    while let Some(Token::Chained(name)) = rest.get(i + 1) {
                        fields.push(name.clone());
                        i += 1;
                    }
                    command.push(Operand::Paren(Box::new(inner), fields));
                }
                token => {
                    let operand = self.operand(token, &rest[i + 1..])?;
                    if let Operand::Field(f) | Operand::Variable(_, f) = &operand {
                        i += f.len().saturating_sub(usize::from(matches!(token, Token::Field(_))));
                    }
                    command.push(operand);
                }
            }
            i += 1;
        }
        pipeline.commands.push(command);
        if pipeline.commands.iter().any(Vec::is_empty) {
            return Err(self.fail("missing value for command"));
        }
        self.depth -= 1;
        Ok(pipeline)
    }

    fn operand(&self, token: &Token, after: &[Token]) -> Result<Operand, String> {
        let chain = || {
            let names = after.iter().map_while(|t| match t {
                Token::Chained(name) => Some(name.clone()),
                _ => None,
            });
            names.collect::<Vec<_>>()
        };
        Ok(match token {
            Token::Dot => Operand::Field(Vec::new()),
            Token::Field(name) => Operand::Field([vec![name.clone()], chain()].concat()),
            Token::Variable(name) => Operand::Variable(name.clone(), chain()),
            Token::Literal(data) => Operand::Literal(data.clone()),
            Token::Ident(word) => match word.as_str() {
                "true" => Operand::Literal(Data::Bool(true)),
                "false" => Operand::Literal(Data::Bool(false)),
                "nil" => Operand::Literal(Data::Null),
                name if super::functions::known(name) => Operand::Function(name.to_owned()),
                name => return Err(self.fail(&format!("function {name:?} not defined"))),
            },
            Token::Number(text) => Operand::Literal(Data::Number(
                Number::parse(text).ok_or_else(|| self.fail(&format!("bad number {text}")))?,
            )),
            other => return Err(self.fail(&format!("unexpected {other} in an action"))),
        })
    }
}

/// The index of the `)` that belongs to the `(` at the beginning.
fn matching(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}
