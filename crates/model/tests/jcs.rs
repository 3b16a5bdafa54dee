//! The vectors published with RFC 8785, in full: canonical text, and its bytes in hexadecimal.

use std::path::Path;

#[test]
fn jcs_vectors_pass_in_full() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/jcs/testdata");
    if !vectors.is_dir() {
        println!("skipped: {} is not there", vectors.display());
        return;
    }
    let mut seen = 0;
    for entry in std::fs::read_dir(vectors.join("input")).unwrap() {
        let input = entry.unwrap().path();
        let name = input.file_stem().unwrap().to_str().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&input).unwrap()).unwrap();

        let wanted = std::fs::read(vectors.join("output").join(format!("{name}.json"))).unwrap();
        let written = model::canonical::to_vec(&value);
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(wanted.trim_ascii_end()));

        let hex = std::fs::read_to_string(vectors.join("outhex").join(format!("{name}.txt"))).unwrap();
        let bytes: Vec<u8> =
            hex.split_ascii_whitespace().map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(written, bytes, "{name}");

        let mut direct = Vec::new();
        model::canonical::serialize(&value, &mut direct).unwrap();
        assert_eq!(direct, bytes, "{name}, written without a tree");
        seen += 1;
    }
    assert_eq!(seen, 6, "every vector");
}
