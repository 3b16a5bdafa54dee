//! `journal log`, `journal show`, `journal export` and `journal replay`.

use std::io::Write;

use engine::limits::READ_MAX;
use journal::{Journal as _, Record};
use model::code;
use serde_json::json;

use super::desk::Desk;
use super::here::Here;
use crate::args::{ExportArgs, LogArgs};
use crate::report::{Answer, Report};
use crate::ui::{BAD, GOOD, STRONG, Ui};
use crate::views::events::{record_json, record_line};

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

/// Writes every record as JSON Lines: the canonical bytes, exactly.
pub(super) fn export(ui: &mut Ui, desk: &Desk, args: &ExportArgs) -> Answer {
    // refuses a place without a journal before there is a file
    desk.journal()?;
    let mut file = match &args.out {
        Some(path) => {
            Some(std::io::BufWriter::new(fs_err::File::create(path).map_err(|error| unwritable(&error))?))
        }
        None => None,
    };
    let mut count = 0_u64;
    desk.export(&mut |record| {
        count += 1;
        if let Some(file) = &mut file {
            file.write_all(record).map_err(|error| unwritable(&error))?;
            file.write_all(b"\n").map_err(|error| unwritable(&error))?;
        } else {
            ui.answer_bytes(record);
            ui.answer_bytes(b"\n");
        }
        Ok(!ui.is_closed())
    })?;
    if let Some(file) = file {
        let file = file.into_inner().map_err(|error| unwritable(error.error()))?;
        file.sync_all().map_err(|error| unwritable(&error))?;
        ui.note(format_args!("{GOOD}exported{GOOD:#}  {}", crate::views::table::count(count, "record")));
    }
    Ok(0)
}

fn unwritable(error: &std::io::Error) -> Report {
    Report::new(code::general::UNWRITABLE, "the export cannot be written").caused_by(error.to_string())
}

/// Folds the journal again and compares with the views.
pub(super) fn replay(ui: &mut Ui, here: &Here) -> Answer {
    let journal = here.journal()?;
    let head = journal.head()?;
    let differences = journal.compare_views()?;
    if ui.json {
        let shown: Vec<_> = differences.iter().map(|difference| json!(format!("{difference:?}"))).collect();
        ui.answer_json(
            &json!({ "records": head.position, "same": differences.is_empty(), "differences": shown }),
        );
    } else if differences.is_empty() {
        ui.answer(format_args!(
            "{GOOD}same{GOOD:#}  {} records fold to the views that are kept",
            head.position
        ));
    } else {
        for difference in &differences {
            ui.answer(format_args!("{BAD}different{BAD:#}  {difference:?}"));
        }
        ui.next("aedile doctor rebuild", "makes the views again from the journal");
    }
    Ok(u8::from(!differences.is_empty()))
}
