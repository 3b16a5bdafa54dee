//! What the fuzzer of records starts from, and what becomes of it with a few bytes changed: never a panic.

use std::path::Path;

use journal::{Note, Proof, record};
use proptest::prelude::*;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/journal_decoder");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the corpus is checked in")
        .map(|entry| entry.expect("a directory can be read").path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file of the corpus")))
        .collect();
    files.sort();
    files
}

fn read(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (note, proof) = (text.parse::<Note>().is_ok(), text.parse::<Proof>().is_ok());
    record::decode(bytes).is_ok() || note || proof
}

#[test]
fn the_corpus_has_good_and_bad_ones() {
    for (name, bytes) in corpus() {
        let good = !name.contains("unknown") && !name.contains("deep");
        assert_eq!(read(&bytes), good, "{name}");
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_read_or_refused(index: usize, changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let corpus = corpus();
        let mut bytes = corpus[index % corpus.len()].1.clone();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        read(&bytes);
    }
}
