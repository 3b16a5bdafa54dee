//! URI templates (RFC 6570, all four levels).

use std::fmt::Write as _;

use serde_json::Value;

/// A parsed URI template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variables(Operator, Vec<Variable>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    name: String,
    prefix: Option<usize>,
    explode: bool,
}

/// RFC 6570, appendix A: what an operator puts first, between, and whether names and reserved characters are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operator {
    first: &'static str,
    separator: &'static str,
    named: bool,
    if_empty: &'static str,
    reserved: bool,
}

const PLAIN: Operator = Operator { first: "", separator: ",", named: false, if_empty: "", reserved: false };

fn operator(sign: char) -> Option<Operator> {
    let form = Operator { first: "?", separator: "&", named: true, if_empty: "=", reserved: false };
    Some(match sign {
        '+' => Operator { reserved: true, ..PLAIN },
        '#' => Operator { first: "#", reserved: true, ..PLAIN },
        '.' => Operator { first: ".", separator: ".", ..PLAIN },
        '/' => Operator { first: "/", separator: "/", ..PLAIN },
        ';' => Operator { first: ";", separator: ";", named: true, if_empty: "", reserved: false },
        '?' => form,
        '&' => Operator { first: "&", ..form },
        _ => return None,
    })
}

impl UriTemplate {
    /// Parses a template; the error says what is wrong with it.
    ///
    /// ```
    /// use workflow::expression::UriTemplate;
    /// let template = UriTemplate::parse("https://x.org/pet/{id}{?tag*}").unwrap();
    /// let uri = template.expand(&serde_json::json!({"id": 7, "tag": ["a", "b c"]}));
    /// assert_eq!(uri, "https://x.org/pet/7?tag=a&tag=b%20c");
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            if literal.contains('}') {
                return Err("`}` without `{` in the URI template".to_owned());
            }
            let (inside, after) =
                after.split_once('}').ok_or_else(|| "`{` without `}` in the URI template".to_owned())?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            pieces.push(variables(inside)?);
            rest = after;
        }
        if rest.contains('}') {
            return Err("`}` without `{` in the URI template".to_owned());
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The URI with variables taken from the members of `data`; a dotted name goes into members of members.
    /// What is absent or `null` expands to nothing.
    pub fn expand(&self, data: &Value) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Variables(operator, variables) => {
                    let parts: Vec<String> = variables
                        .iter()
                        .filter_map(|variable| expand_one(*operator, variable, find(data, &variable.name)?))
                        .collect();
                    if !parts.is_empty() {
                        out.push_str(operator.first);
                        out.push_str(&parts.join(operator.separator));
                    }
                }
            }
        }
        out
    }
}

fn variables(inside: &str) -> Result<Piece, String> {
    let sign = inside.chars().next().ok_or_else(|| "empty `{}` in the URI template".to_owned())?;
    let (operator, names) =
        operator(sign).map_or((PLAIN, inside), |operator| (operator, &inside[sign.len_utf8()..]));
    let variables = names
        .split(',')
        .map(|spec| {
            let (spec, explode) = spec.strip_suffix('*').map_or((spec, false), |spec| (spec, true));
            let (name, prefix) = match spec.split_once(':') {
                Some((name, prefix)) => {
                    (name, Some(prefix.parse().map_err(|_| format!("`{spec}` has no valid length"))?))
                }
                None => (spec, None),
            };
            let valid = !name.is_empty()
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '%' | '-' | '$'));
            if !valid {
                return Err(format!("`{name}` is not a variable name of a URI template"));
            }
            Ok(Variable { name: name.to_owned(), prefix, explode })
        })
        .collect::<Result<_, _>>()?;
    Ok(Piece::Variables(operator, variables))
}

fn find<'v>(data: &'v Value, name: &str) -> Option<&'v Value> {
    let direct = data.get(name);
    direct
        .or_else(|| name.split('.').try_fold(data, |value, part| value.get(part)))
        .filter(|value| !value.is_null())
}

fn expand_one(operator: Operator, variable: &Variable, value: &Value) -> Option<String> {
    match value {
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        Value::Array(items) => {
            let texts = items.iter().filter(|item| !item.is_null()).map(|item| encode(operator, &text(item)));
            if variable.explode {
                let named = texts.map(|item| with_name(operator, &variable.name, item));
                return Some(named.collect::<Vec<_>>().join(operator.separator));
            }
            Some(with_name(operator, &variable.name, texts.collect::<Vec<_>>().join(",")))
        }
        Value::Object(members) => {
            let pairs = members.iter().filter(|(_, member)| !member.is_null());
            let pairs = pairs.map(|(key, member)| (encode(operator, key), encode(operator, &text(member))));
            if variable.explode {
                let named = pairs.map(|(key, member)| format!("{key}={member}"));
                return Some(named.collect::<Vec<_>>().join(operator.separator));
            }
            let flat: Vec<_> = pairs.map(|(key, member)| format!("{key},{member}")).collect();
            Some(with_name(operator, &variable.name, flat.join(",")))
        }
        scalar => {
            let full = text(scalar);
            let cut = match variable.prefix {
                Some(length) => full.chars().take(length).collect(),
                None => full,
            };
            Some(with_name(operator, &variable.name, encode(operator, &cut)))
        }
    }
}

fn with_name(operator: Operator, name: &str, value: String) -> String {
    match (operator.named, value.is_empty()) {
        (false, _) => value,
        (true, true) => format!("{name}{}", operator.if_empty),
        (true, false) => format!("{name}={value}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Percent-encodes, leaving references to secrets whole: the performer encodes what it puts in their place.
fn encode(operator: Operator, text: &str) -> String {
    const RESERVED: &str = ":/?#[]@!$&'()*+,;=";
    let mut out = String::with_capacity(text.len());
    let mut secret = false;
    for character in text.chars() {
        if character == model::program::SECRET_OPEN {
            secret = true;
        }
        let kept = secret
            || character.is_ascii_alphanumeric()
            || matches!(character, '-' | '.' | '_' | '~')
            || (operator.reserved && (RESERVED.contains(character) || character == '%'));
        if kept {
            out.push(character);
        } else {
            let mut buffer = [0_u8; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                // Writing to a String cannot fail.
                let _infallible = write!(out, "%{byte:02X}");
            }
        }
        if character == model::program::SECRET_CLOSE {
            secret = false;
        }
    }
    out
}
