//! Holds a provider to its word, in a scratch directory of this machine.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;

use model::Digest;
use provider::conformance::{self, Case, Report};
use provider::{Attributes, Description, FileUse, Files, Nothing, ProjectFile, Rights};
use remote::{Carrier, Local, Start, Target as _};
use serde_json::Value;

use super::Loaded;
use crate::{ProjectError, limits};

/// Stands for the scratch directory in a document of cases.
const ROOT: &str = "$ROOT";
/// Stands for the number of the user who runs this.
const USER: &str = "$UID";

/// What became of a check.
#[derive(Debug)]
pub struct Checked {
    /// The component.
    pub digest: Digest,
    /// How many cases there were.
    pub cases: usize,
    /// What was tried, and what was not as promised.
    pub report: Report,
}

/// The cases that a shipped provider is checked with and that need nothing but a directory, with the project's files they
/// refer to; none where there are no such cases.
pub fn shipped_cases(name: &str) -> Option<(Value, ProjectFiles)> {
    if name != "linux.file" {
        return None;
    }
    let mut document = serde_json::from_str(include_str!("../../../../guests/cases/linux-file.json")).ok()?;
    for (mark, path) in [("$LARGE", "logo.png"), ("$SMALL", "dot.png"), ("$TEMPLATE", "hello.tpl")] {
        fill(&mut document, mark, path);
    }
    let files = [
        ("logo.png", vec![7; 3 << 20]),
        ("dot.png", vec![1, 2, 3]),
        ("hello.tpl", b"hello ${name}\n".to_vec()),
    ];
    let files = files.into_iter().map(|(path, content)| (path.to_owned(), content));
    Some((document, ProjectFiles::Here(files.collect())))
}

/// Where the project's files are that cases refer to.
#[derive(Debug, Clone)]
pub enum ProjectFiles {
    /// Below this directory.
    Below(std::path::PathBuf),
    /// These.
    Here(HashMap<String, Vec<u8>>),
}

impl ProjectFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Here(files) => files.get(path).cloned().ok_or_else(|| format!("there is no file {path}")),
            Self::Below(root) => {
                let plain =
                    |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
                if !Path::new(path).components().all(plain) {
                    return Err(format!("path traversal detected: {path:?} leads elsewhere"));
                }
                let mut content = Vec::new();
                let limit = limits::CASE_FILE_BYTES_MAX;
                fs_err::File::open(root.join(path))
                    .and_then(|file| file.take(limit + 1).read_to_end(&mut content))
                    .map_err(|error| error.to_string())?;
                if content.len() as u64 > limit {
                    return Err(format!("{path} is larger than {limit} bytes"));
                }
                Ok(content)
            }
        }
    }
}

/// Tries the cases of a document (`provider::conformance::cases`) on this machine, in a directory that is gone afterwards:
/// `$ROOT` stands for it, `$UID` for the user's number. The provider can look at and change what is in there and nothing else,
/// and run `programs` only, which are those of this machine and can do what the user can.
///
/// # Errors
/// The document is wrong, or this machine cannot do it. That a provider does not keep its word is in the report.
pub async fn check(
    loaded: &Loaded,
    document: &Value,
    files: &ProjectFiles,
    programs: &[String],
) -> Result<Checked, ProjectError> {
    let scratch = tempfile::Builder::new().prefix("aedile-check-").tempdir();
    let unwritable = |source| ProjectError::Unwritable { what: "the scratch directory".to_owned(), source };
    let scratch = scratch.map_err(unwritable)?;
    let root = scratch.path().canonicalize().map_err(unwritable)?.display().to_string();
    let mut document = document.clone();
    fill(&mut document, ROOT, &root);
    fill(&mut document, USER, &rustix::process::geteuid().as_raw().to_string());
    let bad = |why: String| ProjectError::BadProvider { at: "the cases".to_owned(), why };
    let mut cases = conformance::cases(&document).map_err(bad)?;
    if cases.is_empty() || cases.len() > limits::CASES_MAX {
        return Err(bad(format!(
            "there are {}; at least one and at most {}",
            cases.len(),
            limits::CASES_MAX
        )));
    }
    let mut content = Contents::default();
    for case in &mut cases {
        content
            .refer(case, &loaded.description, files)
            .map_err(|why| bad(format!("{}: {why}", case.name)))?;
    }
    let rights = Rights {
        exec: programs.iter().cloned().collect(),
        read: [root.clone()].into(),
        write: [root].into(),
    };
    let unavailable = |error: remote::RemoteError| bad(format!("they cannot be tried here: {error}"));
    let session = Local::new(Start::default()).open(remote::grants(rights)).await.map_err(unavailable)?;
    let carrier = Carrier::new(&session, &content, &Nothing);
    let report = conformance::check(&loaded.module, &loaded.description, &carrier, &cases).await;
    session.close().await;
    Ok(Checked { digest: loaded.digest, cases: cases.len(), report })
}

/// Replaces a mark in every text.
fn fill(value: &mut Value, mark: &str, with: &str) {
    match value {
        Value::String(text) if text.contains(mark) => *text = text.replace(mark, with),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, mark, with)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, mark, with)),
        _ => {}
    }
}

/// The project's files that the cases refer to, by digest.
#[derive(Default)]
struct Contents(HashMap<String, Vec<u8>>);

impl Contents {
    /// Puts what a provider gets of a file where a case has its path.
    fn refer(
        &mut self,
        case: &mut Case,
        description: &Description,
        files: &ProjectFiles,
    ) -> Result<(), String> {
        let Some(kind) = description.types.get(&case.kind) else { return Ok(()) };
        for (attribute, as_what) in &kind.files {
            for config in &mut case.configs {
                self.replace(config, attribute.as_str(), *as_what, files)?;
            }
        }
        Ok(())
    }

    fn replace(
        &mut self,
        config: &mut Attributes,
        attribute: &str,
        as_what: FileUse,
        files: &ProjectFiles,
    ) -> Result<(), String> {
        let Some(Value::String(path)) = config.get(attribute) else { return Ok(()) };
        let content = files.read(path)?;
        let file = ProjectFile::new(path, &content, as_what)?;
        config.insert(attribute.to_owned(), file.value());
        self.0.insert(file.sha256.clone(), content);
        Ok(())
    }
}

impl Files for Contents {
    fn open(&self, sha256: &str) -> std::io::Result<(u64, Box<dyn Read + Send>)> {
        let content = self.0.get(sha256).ok_or(std::io::ErrorKind::NotFound)?;
        Ok((content.len() as u64, Box::new(Cursor::new(content.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::providers::{choose, known};

    async fn file() -> Loaded {
        let sandbox = sandbox::Sandbox::new(sandbox::Config::default()).unwrap();
        choose(&known(None).unwrap(), "linux.file", "").unwrap().load(&sandbox).await.unwrap()
    }

    #[tokio::test]
    async fn linux_file_keeps_its_word_and_leaves_nothing() {
        let (document, files) = shipped_cases("linux.file").unwrap();
        let checked = check(&file().await, &document, &files, &[]).await.unwrap();
        assert_eq!(checked.report.mismatches, []);
        assert!(checked.report.checks >= 60, "{}", checked.report.checks);
    }

    #[tokio::test]
    async fn a_provider_under_test_reaches_nothing_outside_of_the_scratch_directory() {
        let (outside, loaded) = (tempfile::tempdir().unwrap(), file().await);
        let path = outside.path().canonicalize().unwrap().join("canary");
        let cases = json!([{"name": "outside", "type": "linux.file::file",
            "configs": [{"path": path, "content": "x"}]}]);
        let files = ProjectFiles::Below(outside.path().to_owned());
        let checked = check(&loaded, &cases, &files, &[]).await.unwrap();
        assert_eq!(checked.report.mismatches.len(), 1, "{:?}", checked.report);
        assert!(!path.exists());
        let cases = json!([{"name": "up", "type": "linux.file::file",
            "configs": [{"path": "$ROOT/x", "source": "../secret"}]}]);
        let error = check(&loaded, &cases, &files, &[]).await.unwrap_err().to_string();
        assert!(error.contains("path traversal detected"), "{error}");
        for wrong in [json!([]), json!({}), json!([{"name": "x"}])] {
            assert!(check(&loaded, &wrong, &files, &[]).await.is_err(), "{wrong}");
        }
    }
}
