//! A configuration of any size: resources of twelve fields each, unified with a definition.

use std::fmt::Write as _;

/// The definition has constraints, defaults, a list, and a pattern.
const DEFINITION: &str = r#"#Resource: {
	name!:    =~"^r[0-9]+$"
	kind:     "vm" | "disk" | "net"
	region:   *"eu" | "us"
	zone:     *"a" | string
	size:     int & >=1 & <=1000
	port:     *8080 | uint16
	replicas: *1 | int & <10
	enabled:  *true | bool
	owner:    string
	path:     "/\(region)/\(name)"
	tags: [...string]
	labels: [string]: string
}
"#;

/// CUE text of `count` resources.
pub(crate) fn resources(count: usize) -> String {
    let mut text = DEFINITION.to_owned();
    for n in 0..count {
        let (kind, size) = (["vm", "disk", "net"][n % 3], n % 1000 + 1);
        let _ = writeln!(
            text,
            "r{n}: #Resource & {{\n\tname: \"r{n}\"\n\tkind: \"{kind}\"\n\tsize: {size}\n\towner: \"team-{}\"\n\tport: {}\n\
             \ttags: [\"a\", \"b{n}\"]\n\tlabels: {{app: \"shop\", tier: \"t{}\"}}\n}}",
            n % 17,
            1024 + n % 5000,
            n % 5
        );
    }
    text
}

/// The whole way: parse, compile, evaluate, write JSON.
///
/// # Errors
/// As [`cue::compile`] and [`cue::Value::to_json`].
pub(crate) fn evaluate(text: &str) -> Result<String, cue::Errors> {
    let file = cue::load::SourceFile::new("resources.cue", text)?;
    let limits = cue::Limits { steps: u64::MAX, nodes: usize::MAX, ..Default::default() };
    let options = cue::Options { limits, ..Default::default() };
    cue::compile_package(vec![file], &cue::load::MemoryLoader::default(), options)?.to_json()
}
