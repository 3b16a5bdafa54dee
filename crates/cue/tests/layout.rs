//! The formatter on real sources: its form is fixed, and means what the text meant.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "CUE file names are lower case")]

mod support;

/// The files of an archive: a line `-- name --`, then the text.
fn sources(archive: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in archive.split_inclusive('\n') {
        match line.trim_end().strip_prefix("-- ").and_then(|name| name.strip_suffix(" --")) {
            Some(name) => files.push((name.to_owned(), String::new())),
            None => {
                if let Some((_, text)) = files.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    files
}

/// The tree as text, without what layout may change: positions, comments, and whether a bracket has a line of its own.
fn tree(text: &str) -> Option<String> {
    let file = cue::syntax::parse("t.cue", text).ok()?;
    let mut out = String::new();
    let mut skipped: Option<usize> = None;
    for line in format!("{file:#?}").lines() {
        let word = line.trim_start();
        let depth = line.len() - word.len();
        if let Some(end) = skipped {
            skipped = (depth != end).then_some(end);
            continue;
        }
        let layout = [
            "span: ",
            "Span {",
            "comments: ",
            "package_comments: ",
            "trailing: ",
            "multiline: ",
            "true,",
            "false,",
        ];
        if !layout.iter().any(|start| word.starts_with(start)) {
            out.push_str(line);
            out.push('\n');
        } else if word.ends_with(['{', '[']) {
            skipped = Some(depth);
        }
    }
    Some(out)
}

fn comments(text: &str) -> usize {
    text.lines().filter(|line| line.contains("//")).count()
}

#[test]
fn the_tree_of_a_source_is_compared_without_its_layout() {
    assert_eq!(tree("a: {b:1} // c"), tree("a: {\n\tb: 1\n}\n"));
    assert_ne!(tree("a: {b: 1}"), tree("a: {b: 2}"));
    assert_ne!(tree("a: {b: 1}"), tree("a: b: 1\nc: 1"));
    assert_ne!(tree("a: true"), tree("a: false"));
}

#[test]
fn every_source_of_the_archives_is_laid_out_once_and_for_all() {
    let paths = support::archives();
    if paths.is_empty() {
        return;
    }
    let mut wrong = Vec::new();
    let mut files = 0;
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for (name, text) in sources(&text) {
            if !name.ends_with(".cue") {
                continue;
            }
            let Ok(once) = cue::fmt::format(&name, &text) else { continue };
            files += 1;
            match cue::fmt::format(&name, &once) {
                Ok(twice) if twice == once => {
                    if tree(&text) != tree(&once) {
                        wrong.push(format!("{} {name}: another tree", path.display()));
                    }
                    if comments(&text) != comments(&once) {
                        wrong.push(format!("{} {name}: lost a comment", path.display()));
                    }
                }
                Ok(_) => wrong.push(format!("{} {name}: changed again", path.display())),
                Err(errors) => wrong.push(format!("{} {name}: {errors}", path.display())),
            }
        }
    }
    assert!(files > 100, "only {files} files were laid out");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
