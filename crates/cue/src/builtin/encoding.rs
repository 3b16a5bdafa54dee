//! Packages `encoding/...`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::matching::{Fit, fit};
use super::{Call, Fail, Outcome};
use crate::data::{self, Data};
use crate::value::Value;

/// The concrete data of an argument.
pub(super) fn data_of(c: &mut Call<'_>, i: usize) -> Result<Data, Fail> {
    let value = c.args[i].clone();
    Ok(data::from_value(c.eval, &value, c.at)?)
}

fn to_value(c: &mut Call<'_>, data: &Data) -> Value {
    data::to_value(c.eval, data, c.at)
}

pub(super) fn json_marshal(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(data::json::write(&data_of(c, 0)?, None)))
}

pub(super) fn json_unmarshal(c: &mut Call<'_>) -> Outcome {
    let parsed = data::json::parse(&c.text(0)?).map_err(|e| Fail::Eval(format!("invalid JSON: {e}")))?;
    Ok(to_value(c, &parsed))
}

pub(super) fn json_valid(c: &mut Call<'_>) -> Outcome {
    Ok(Value::Bool(data::json::parse(&c.text(0)?).is_ok()))
}

pub(super) fn json_compact(c: &mut Call<'_>) -> Outcome {
    let parsed = data::json::parse(&c.text(0)?).map_err(Fail::Eval)?;
    Ok(Value::string(data::json::write(&parsed, None)))
}

pub(super) fn json_indent(c: &mut Call<'_>) -> Outcome {
    let parsed = data::json::parse(&c.text(0)?).map_err(Fail::Eval)?;
    let (prefix, indent) = (c.text(1)?, c.text(2)?);
    let text = data::json::write(&parsed, Some(&indent));
    Ok(Value::string(text.replace('\n', &format!("\n{prefix}"))))
}

pub(super) fn json_marshal_stream(c: &mut Call<'_>) -> Outcome {
    let Data::List(items) = data_of(c, 0)? else { return Err("expected a list".into()) };
    Ok(Value::string(items.iter().map(|d| data::json::write(d, None) + "\n").collect::<String>()))
}

/// Whether every document is an instance of the schema or, when only `partial`, does not contradict it.
fn validate(c: &mut Call<'_>, documents: &[Data], partial: bool) -> Outcome {
    let schema = c.args[1].clone();
    for document in documents {
        let value = to_value(c, document);
        let good = match fit(c, &value, &schema) {
            Fit::Yes => partial || is_instance(c, &value, &schema),
            Fit::NotYet => partial,
            Fit::No => false,
        };
        if !good {
            return Err("value does not satisfy the schema".into());
        }
    }
    Ok(Value::Bool(true))
}

/// Whether the schema asks for nothing that the value does not tell.
fn is_instance(c: &mut Call<'_>, value: &Value, schema: &Value) -> bool {
    let (a, b) = (c.eval.value_expr(value.clone(), c.at), c.eval.value_expr(schema.clone(), c.at));
    let both = c.eval.checked_pair(a, b);
    c.eval.complete(both);
    let both = c.eval.node_value(both);
    data::from_value(c.eval, &both, c.at).is_ok()
}

pub(super) fn json_validate(c: &mut Call<'_>) -> Outcome {
    let parsed = data::json::parse(&c.text(0)?).map_err(|e| Fail::Eval(format!("invalid JSON: {e}")))?;
    validate(c, &[parsed], false)
}

/// Markup characters inside of strings, as escapes; they cannot stand anywhere else in JSON.
pub(super) fn json_html_escape(c: &mut Call<'_>) -> Outcome {
    let mut out = String::new();
    for ch in c.text(0)?.chars() {
        match ch {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(ch))),
            ch => out.push(ch),
        }
    }
    Ok(Value::string(out))
}

pub(super) fn json_unmarshal_stream(c: &mut Call<'_>) -> Outcome {
    let parsed =
        data::json::parse_stream(&c.text(0)?).map_err(|e| Fail::Eval(format!("invalid JSON: {e}")))?;
    Ok(to_value(c, &Data::List(parsed)))
}

pub(super) fn yaml_marshal(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(data::yaml::write(&data_of(c, 0)?)))
}

pub(super) fn yaml_marshal_stream(c: &mut Call<'_>) -> Outcome {
    let Data::List(items) = data_of(c, 0)? else { return Err("expected a list".into()) };
    Ok(Value::string(items.iter().map(data::yaml::write).collect::<Vec<_>>().join("---\n")))
}

fn documents(c: &Call<'_>) -> Result<Vec<Data>, Fail> {
    data::yaml::parse(&c.text(0)?).map_err(|e| Fail::Eval(format!("invalid YAML: {e}")))
}

pub(super) fn yaml_unmarshal(c: &mut Call<'_>) -> Outcome {
    let mut documents = documents(c)?;
    let parsed = if documents.len() == 1 { documents.remove(0) } else { Data::List(documents) };
    Ok(to_value(c, &parsed))
}

pub(super) fn yaml_unmarshal_stream(c: &mut Call<'_>) -> Outcome {
    let documents = documents(c)?;
    Ok(to_value(c, &Data::List(documents)))
}

pub(super) fn yaml_validate(c: &mut Call<'_>) -> Outcome {
    let documents = documents(c)?;
    validate(c, &documents, false)
}

pub(super) fn yaml_validate_partial(c: &mut Call<'_>) -> Outcome {
    let documents = documents(c)?;
    validate(c, &documents, true)
}

pub(super) fn toml_marshal(c: &mut Call<'_>) -> Outcome {
    let parsed = data_of(c, 0)?;
    data::toml::write(&parsed).map(Value::string).map_err(Fail::Eval)
}

pub(super) fn toml_unmarshal(c: &mut Call<'_>) -> Outcome {
    let parsed = data::toml::parse(&c.text(0)?).map_err(Fail::Eval)?;
    Ok(to_value(c, &parsed))
}

fn plain_base64(c: &Call<'_>) -> Result<(), Fail> {
    match c.args.first() {
        Some(Value::Null) | None => Ok(()),
        _ => Err("base64: unsupported encoding: cannot use value as null".into()),
    }
}

pub(super) fn base64_encode(c: &mut Call<'_>) -> Outcome {
    plain_base64(c)?;
    Ok(Value::string(STANDARD.encode(c.bytes(1)?)))
}

pub(super) fn base64_decode(c: &mut Call<'_>) -> Outcome {
    plain_base64(c)?;
    let text: String = c.text(1)?.chars().filter(|ch| !matches!(ch, '\n' | '\r')).collect();
    let bytes = STANDARD.decode(text).map_err(|_| Fail::from("illegal base64 data"))?;
    Ok(Value::Bytes(bytes.into()))
}

pub(super) fn base64_encoded_len(c: &mut Call<'_>) -> Outcome {
    plain_base64(c)?;
    Ok(Value::int(i64::try_from(c.uint(1)?.div_ceil(3).saturating_mul(4)).unwrap_or(i64::MAX)))
}

pub(super) fn base64_decoded_len(c: &mut Call<'_>) -> Outcome {
    plain_base64(c)?;
    Ok(Value::int(i64::try_from((c.uint(1)? / 4).saturating_mul(3)).unwrap_or(i64::MAX)))
}

pub(super) fn hex_encode(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(hex::encode(c.bytes(0)?)))
}

pub(super) fn hex_decode(c: &mut Call<'_>) -> Outcome {
    let bytes = hex::decode(c.bytes(0)?).map_err(|e| Fail::Eval(format!("encoding/hex: {e}")))?;
    Ok(Value::Bytes(bytes.into()))
}

pub(super) fn hex_encoded_len(c: &mut Call<'_>) -> Outcome {
    Ok(Value::int(i64::try_from(c.uint(0)?.saturating_mul(2)).unwrap_or(i64::MAX)))
}

pub(super) fn hex_decoded_len(c: &mut Call<'_>) -> Outcome {
    Ok(Value::int(i64::try_from(c.uint(0)? / 2).unwrap_or(i64::MAX)))
}

pub(super) fn hex_dump(c: &mut Call<'_>) -> Outcome {
    let mut out = String::new();
    for (i, chunk) in c.bytes(0)?.chunks(16).enumerate() {
        out.push_str(&format!("{:08x} ", i * 16));
        for n in 0..16 {
            if n % 8 == 0 {
                out.push(' ');
            }
            out.push_str(&chunk.get(n).map_or_else(|| "   ".to_owned(), |b| format!("{b:02x} ")));
        }
        let text: String =
            chunk.iter().map(|b| if (32..127).contains(b) { char::from(*b) } else { '.' }).collect();
        out.push_str(&format!(" |{text}|\n"));
    }
    Ok(Value::string(out))
}

pub(super) fn csv_encode(c: &mut Call<'_>) -> Outcome {
    let Data::List(rows) = data_of(c, 0)? else { return Err("expected a list of lists".into()) };
    let mut out = String::new();
    for row in rows {
        let Data::List(cells) = row else { return Err("expected a list of lists".into()) };
        let texts: Vec<String> = cells.iter().map(csv_cell).collect();
        out.push_str(&texts.join(","));
        out.push('\n');
    }
    Ok(Value::string(out))
}

fn csv_cell(cell: &Data) -> String {
    let text = match cell {
        Data::String(s) => s.clone(),
        other => data::json::write(other, None),
    };
    let quoted = text.contains(['"', ',', '\n', '\r']) || text.starts_with(' ');
    if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// Records as RFC 4180 has them: all of one length, quotes only around whole fields and doubled inside of them.
pub(super) fn csv_decode(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?.replace("\r\n", "\n");
    let mut rows: Vec<Vec<Data>> = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('\n') {
            rest = after;
            continue;
        }
        let mut row = Vec::new();
        loop {
            let (field, after) =
                csv_field(rest).map_err(|e| Fail::Eval(format!("record {}: {e}", rows.len() + 1)))?;
            row.push(Data::String(field));
            let more = after.starts_with(',');
            rest = after.get(1..).unwrap_or("");
            if !more {
                break;
            }
        }
        if rows.first().is_some_and(|first| first.len() != row.len()) {
            return Err(Fail::Eval(format!("record {}: wrong number of fields", rows.len() + 1)));
        }
        rows.push(row);
    }
    Ok(to_value(c, &Data::List(rows.into_iter().map(Data::List).collect())))
}

/// The field that `text` begins with, and what follows: nothing, a comma or a line's end.
fn csv_field(text: &str) -> Result<(String, &str), &'static str> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let field = &text[..end];
        return if field.contains('"') {
            Err("bare \" in non-quoted field")
        } else {
            Ok((field.to_owned(), &text[end..]))
        };
    };
    let wrong = "extraneous or missing \" in quoted-field";
    let mut field = String::new();
    loop {
        let (part, after) = rest.split_once('"').ok_or(wrong)?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) => return Ok((field, after)),
            None => return Err(wrong),
        }
    }
}
