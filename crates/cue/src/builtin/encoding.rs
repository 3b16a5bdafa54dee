//! Packages `encoding/...`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::matching::fits;
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

fn validate(c: &mut Call<'_>, parsed: &Data) -> Outcome {
    let schema = c.args[1].clone();
    let value = to_value(c, parsed);
    if fits(c, &value, &schema) {
        return Ok(Value::Bool(true));
    }
    Err("value does not satisfy the schema".into())
}

pub(super) fn json_validate(c: &mut Call<'_>) -> Outcome {
    let parsed = data::json::parse(&c.text(0)?).map_err(|e| Fail::Eval(format!("invalid JSON: {e}")))?;
    validate(c, &parsed)
}

pub(super) fn yaml_marshal(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(data::yaml::write(&data_of(c, 0)?)))
}

pub(super) fn yaml_marshal_stream(c: &mut Call<'_>) -> Outcome {
    let Data::List(items) = data_of(c, 0)? else { return Err("expected a list".into()) };
    Ok(Value::string(items.iter().map(data::yaml::write).collect::<Vec<_>>().join("---\n")))
}

fn yaml_of(c: &Call<'_>) -> Result<Data, Fail> {
    let mut documents =
        data::yaml::parse(&c.text(0)?).map_err(|e| Fail::Eval(format!("invalid YAML: {e}")))?;
    Ok(if documents.len() == 1 { documents.remove(0) } else { Data::List(documents) })
}

pub(super) fn yaml_unmarshal(c: &mut Call<'_>) -> Outcome {
    let parsed = yaml_of(c)?;
    Ok(to_value(c, &parsed))
}

pub(super) fn yaml_validate(c: &mut Call<'_>) -> Outcome {
    let parsed = yaml_of(c)?;
    validate(c, &parsed)
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

pub(super) fn csv_decode(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let mut rows: Vec<Data> = Vec::new();
    let mut row: Vec<Data> = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => row.push(Data::String(std::mem::take(&mut cell))),
            '\n' if !quoted => {
                if !(row.is_empty() && cell.is_empty()) {
                    row.push(Data::String(std::mem::take(&mut cell)));
                    rows.push(Data::List(std::mem::take(&mut row)));
                }
            }
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            other => cell.push(other),
        }
    }
    if quoted {
        return Err("extraneous or missing \" in quoted-field".into());
    }
    if !(row.is_empty() && cell.is_empty()) {
        row.push(Data::String(cell));
        rows.push(Data::List(row));
    }
    Ok(to_value(c, &Data::List(rows)))
}
