//! `journal export`: every record, exactly as it is in the journal.

use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use engine::limits::READ_MAX;
use journal::Journal as _;
use model::code;
use project::keys;
use tempfile::TempPath;

use super::desk::{Desk, Local};
use super::proof;
use crate::args::ExportArgs;
use crate::report::{Answer, Report};
use crate::ui::{GOOD, Ui};
use crate::views::table::count;

/// Writes every record as JSON Lines: the canonical bytes, exactly. What a server sends is verified on the way, what is here where a
/// key is given; a file that does not verify is not left behind.
pub(super) fn export(ui: &mut Ui, desk: &Desk, args: &ExportArgs) -> Answer {
    // refuses a place without a journal before there is a file
    desk.journal()?;
    let trusted = args.key.iter().map(|key| keys::verifier(key)).collect::<Result<Vec<_>, _>>()?;
    let mut file = args.out.as_deref().map(OutFile::create).transpose()?;
    let mut records = 0_u64;
    let mut take = |record: &[u8]| {
        records += 1;
        if let Some(file) = &mut file {
            file.write(record)?;
        } else {
            ui.answer_bytes(record);
            ui.answer_bytes(b"\n");
        }
        Ok(!ui.is_closed())
    };
    let verified = match desk {
        Desk::There(there) => proof::downloaded(there, trusted, &mut take)?,
        Desk::Here(local) if trusted.is_empty() => {
            every(local, &mut take)?;
            None
        }
        Desk::Here(local) => proof::read_here(&local.here.place, trusted, &mut take)?,
    };
    if let Some(file) = file {
        file.finish()?;
        ui.note(format_args!("{GOOD}exported{GOOD:#}  {}", count(records, "record")));
    }
    if verified.is_some_and(|verified| !verified.by_key) {
        proof::unsigned(ui, "aedile journal export --key FILE");
    }
    Ok(0)
}

/// Every record that is here, until `take` has had enough.
fn every(local: &Local, take: &mut dyn FnMut(&[u8]) -> Result<bool, Report>) -> Result<(), Report> {
    let journal = local.journal()?;
    let mut after = 0;
    loop {
        let records = journal.read(after, READ_MAX)?;
        let Some(last) = records.last() else { return Ok(()) };
        after = last.position;
        for record in &records {
            if !take(&record.bytes)? {
                return Ok(());
            }
        }
    }
}

/// A file that is there when all of it is, and not before. What is no ordinary file (a pipe, a device) is written to as it is.
struct OutFile {
    writer: BufWriter<std::fs::File>,
    staged: Option<(TempPath, PathBuf)>,
}

impl OutFile {
    fn create(path: &Path) -> Result<Self, Report> {
        let special = fs_err::metadata(path).is_ok_and(|known| !known.is_file());
        let open = || -> std::io::Result<Self> {
            if special {
                let file = std::fs::OpenOptions::new().write(true).open(path)?;
                return Ok(Self { writer: BufWriter::new(file), staged: None });
            }
            // through a link, to what it means
            let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            // what others may do with it is the user's choice (umask), as with any file
            let (file, staged) = tempfile::Builder::new()
                .prefix(".aedile-export-")
                .permissions(std::fs::Permissions::from_mode(0o666))
                .tempfile_in(directory.unwrap_or_else(|| Path::new(".")))?
                .into_parts();
            Ok(Self { writer: BufWriter::new(file), staged: Some((staged, path)) })
        };
        open().map_err(|error| unwritable(&error))
    }

    fn write(&mut self, record: &[u8]) -> Result<(), Report> {
        let written = self.writer.write_all(record).and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|error| unwritable(&error))
    }

    fn finish(self) -> Result<(), Report> {
        let Self { writer, staged } = self;
        let file = writer.into_inner().map_err(|error| unwritable(error.error()))?;
        let Some((staged, path)) = staged else { return Ok(()) };
        file.sync_all().map_err(|error| unwritable(&error))?;
        staged.persist(path).map_err(|error| unwritable(&error.error))
    }
}

fn unwritable(error: &std::io::Error) -> Report {
    Report::new(code::general::UNWRITABLE, "the export cannot be written").caused_by(error.to_string())
}
