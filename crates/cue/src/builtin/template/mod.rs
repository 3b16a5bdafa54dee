//! Package `text/template`: the templates of Go's standard library, on concrete data.
//!
//! Left out, with an error that says so: methods and `call`, as data has neither; complex numbers.

mod execute;
mod functions;
mod lex;
mod parse;
mod print;

pub(super) use print::{general, with_exponent};

use super::encoding::data_of;
use super::{Call, Fail, Outcome};
use crate::value::Value;

pub(super) fn execute(c: &mut Call<'_>) -> Outcome {
    let text = c.text(0)?;
    let data = data_of(c, 1).map_err(convert)?;
    let template = parse::parse(&text)?;
    Ok(Value::string(execute::execute(&template, &data)?))
}

/// What is open may yet become data.
fn convert(fail: Fail) -> Fail {
    match fail {
        Fail::Bottom(b) if b.code.is_incomplete() => {
            Fail::Incomplete(format!("cannot convert {}", b.message.replace("incomplete", "non-concrete")))
        }
        other => other,
    }
}

pub(super) fn html_escape(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(functions::html(&c.text(0)?)))
}

pub(super) fn js_escape(c: &mut Call<'_>) -> Outcome {
    Ok(Value::string(functions::js(&c.text(0)?)))
}
