//! `explain`: the page of an error code.

use model::code;
use serde_json::json;

use crate::report::{Answer, Report};
use crate::ui::{STRONG, Ui};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Shows the page of a code, or lists every code.
pub(super) fn explain(ui: &mut Ui, wanted: Option<&str>) -> Answer {
    let Some(wanted) = wanted else {
        all(ui);
        return Ok(0);
    };
    one(ui, wanted)
}

fn all(ui: &mut Ui) {
    if ui.json {
        let codes: Vec<_> = code::all()
            .map(|code| json!({"code": code.id, "title": code.title, "exit": code.exit.code()}))
            .collect();
        ui.answer_json(&json!({ "codes": codes }));
        return;
    }
    for code in code::all() {
        ui.answer(format_args!("{STRONG}{}{STRONG:#}  {}", code.id, code.title));
    }
}

fn one(ui: &mut Ui, wanted: &str) -> Answer {
    let id = wanted.to_uppercase();
    let id = if id.starts_with('E') { id } else { format!("E{id}") };
    let Some(code) = code::all().find(|code| code.id == id) else {
        return Err(Report::new(code::general::NOT_FOUND, format!("there is no error code {wanted}"))
            .with_hint("`aedile explain` lists every code"));
    };
    let page = PAGES.iter().find(|(known, _)| *known == code.id).map(|(_, page)| *page);
    if ui.json {
        ui.answer_json(&json!({
            "code": code.id, "title": code.title, "exit": code.exit.code(), "page": page,
        }));
        return Ok(0);
    }
    match page {
        Some(page) => ui.answer(page.trim_end()),
        None => ui.answer(format_args!("# {}: {}", code.id, code.title)),
    }
    Ok(0)
}
