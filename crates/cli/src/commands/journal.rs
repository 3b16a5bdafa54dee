//! `journal log`, `journal show` and `journal replay`.

use engine::limits::READ_MAX;
use journal::Record;
use model::code;
use serde_json::json;

use super::desk::Desk;
use crate::args::LogArgs;
use crate::report::{Answer, Report};
use crate::ui::{BAD, GOOD, STRONG, Ui};
use crate::views::events::{record_json, record_line};
use crate::views::table::plain;

/// Prints the latest records, and goes on with new ones where that is wanted.
pub(super) fn log(ui: &mut Ui, desk: &Desk, args: &LogArgs) -> Answer {
    let journal = desk.journal()?;
    let head = journal.head()?.position;
    let limit = u64::from(args.limit);
    let mut after = match &args.stream {
        None => {
            let mut after = head.saturating_sub(limit);
            while after < head {
                let records = journal.read(after, READ_MAX)?;
                let Some(last) = records.last().map(|record| record.position) else { break };
                for record in &records {
                    print(ui, record);
                }
                after = last;
            }
            after
        }
        Some(stream) => {
            let mut records = Vec::new();
            let mut sequence = 0;
            loop {
                let more = journal.read_stream(stream, sequence, READ_MAX)?;
                let Some(last) = more.last() else { break };
                sequence = last.sequence;
                records.extend(more);
            }
            if records.is_empty() && !args.follow {
                return Err(Report::new(code::general::NOT_FOUND, format!("there is no stream {stream}"))
                    .with_hint("aedile journal log"));
            }
            let skip = records.len().saturating_sub(args.limit as usize);
            records.iter().skip(skip).for_each(|record| print(ui, record));
            head
        }
    };
    if !args.follow {
        return Ok(0);
    }
    desk.listen(None, after)?;
    while !ui.is_closed() {
        ui.flush();
        desk.wait(journal.changed(after))??;
        for record in journal.read(after, READ_MAX)? {
            after = record.position;
            if args.stream.as_deref().is_none_or(|stream| *record.stream == *stream) {
                print(ui, &record);
            }
        }
    }
    Ok(0)
}

fn print(ui: &mut Ui, record: &Record) {
    if ui.json {
        ui.answer_json_line(&record_json(record));
    } else {
        let line = record_line(record, ui.width);
        ui.answer(line);
    }
}

/// Shows one record whole.
pub(super) fn show(ui: &mut Ui, desk: &Desk, position: u64) -> Answer {
    let record = desk
        .journal()?
        .read(position.saturating_sub(1), 1)?
        .into_iter()
        .find(|record| record.position == position)
        .ok_or_else(|| {
            Report::new(code::general::NOT_FOUND, format!("the journal has no record {position}"))
                .with_hint("aedile journal log")
        })?;
    let digest = journal::record::digest(&record.bytes);
    if ui.json {
        ui.answer_json(&json!({ "digest": digest, "record": record_json(&record) }));
        return Ok(0);
    }
    ui.answer(format_args!("{STRONG}record {position}{STRONG:#}  {}", record.event.kind()));
    ui.answer(format_args!("digest {digest}"));
    ui.answer_json(&record_json(&record));
    Ok(0)
}

/// Folds the journal again and compares with the views.
pub(super) fn replay(ui: &mut Ui, desk: &Desk) -> Answer {
    let replay = desk.replay()?;
    if ui.json {
        ui.answer_json(&crate::views::json(&replay)?);
    } else if replay.same {
        ui.answer(format_args!(
            "{GOOD}same{GOOD:#}  {} records fold to the views that are kept",
            replay.records
        ));
    } else {
        let row = |row: &Option<String>| row.as_deref().map_or_else(|| "no row".to_owned(), plain);
        for api::Difference { view, found, wanted } in &replay.differences {
            let (view, found, wanted) = (plain(view), row(found), row(wanted));
            ui.answer(format_args!("{BAD}different{BAD:#}  {view}: there is {found}, it should be {wanted}"));
        }
        if matches!(desk, Desk::Here(_)) {
            ui.next("aedile doctor rebuild", "makes the views again from the journal");
        }
    }
    Ok(u8::from(!replay.same))
}
