//! TOML text.

use num_traits::ToPrimitive;

use super::Data;
use crate::number::Number;

/// Parses a TOML document.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn parse(text: &str) -> Result<Data, String> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    Ok(from(toml::Value::Table(table)))
}

fn from(value: toml::Value) -> Data {
    match value {
        toml::Value::String(s) => Data::String(s),
        toml::Value::Integer(n) => Data::Number(Number::int(n)),
        toml::Value::Float(x) => Number::from_f64(x).map_or(Data::Null, Data::Number),
        toml::Value::Boolean(b) => Data::Bool(b),
        toml::Value::Datetime(d) => Data::String(d.to_string()),
        toml::Value::Array(items) => Data::List(items.into_iter().map(from).collect()),
        toml::Value::Table(t) => Data::Object(t.into_iter().map(|(k, v)| (k, from(v))).collect()),
    }
}

/// Writes a TOML document.
///
/// # Errors
/// The value is not a struct, or holds `null` or a number TOML has no place for.
pub(crate) fn write(data: &Data) -> Result<String, String> {
    let toml::Value::Table(table) = to(data)? else { return Err("TOML documents are structs".to_owned()) };
    toml::to_string(&table).map_err(|e| e.to_string())
}

fn to(data: &Data) -> Result<toml::Value, String> {
    Ok(match data {
        Data::Null => return Err("TOML has no null".to_owned()),
        Data::Bool(b) => toml::Value::Boolean(*b),
        Data::Number(Number::Int(n)) => {
            toml::Value::Integer(n.to_i64().ok_or_else(|| format!("integer {n} is too large for TOML"))?)
        }
        Data::Number(n) => toml::Value::Float(n.to_f64()),
        Data::String(s) => toml::Value::String(s.clone()),
        Data::Bytes(_) => return Err("TOML has no bytes".to_owned()),
        Data::List(items) => toml::Value::Array(items.iter().map(to).collect::<Result<_, _>>()?),
        Data::Object(fields) => {
            let mut table = toml::Table::new();
            for (name, value) in fields {
                table.insert(name.clone(), to(value)?);
            }
            toml::Value::Table(table)
        }
    })
}
