//! Hashes batches of records on several threads and checks them in order on one.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::checker::{Checker, Seen};
use super::{Fault, Report};
use crate::JournalError;

/// Bytes of records in one batch.
const BATCH_BYTES: usize = 1 << 20;

/// Batches that wait at each station.
const BATCHES_WAITING: usize = 2;

/// Records as read, and what went wrong with reading after them.
struct Batch<B> {
    records: Vec<(u64, B)>,
    error: Option<JournalError>,
}

/// A batch that is decoded and hashed.
struct Hashed<B> {
    batch: Batch<B>,
    seen: Vec<Result<Seen, Box<Fault>>>,
}

pub(super) fn run<I, B>(mut records: I, threads: usize, mut checker: Checker) -> Result<Report, Box<Fault>>
where
    I: Iterator<Item = Result<(u64, B), JournalError>>,
    B: AsRef<[u8]> + Send,
{
    thread::scope(|scope| {
        let mut inputs: Vec<SyncSender<Batch<B>>> = Vec::with_capacity(threads);
        let mut outputs: Vec<Receiver<Hashed<B>>> = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (input, batches) = sync_channel(BATCHES_WAITING);
            let (hashed, output) = sync_channel(BATCHES_WAITING);
            scope.spawn(move || hash(&batches, &hashed));
            inputs.push(input);
            outputs.push(output);
        }
        let verdict = scope.spawn(move || {
            // batches went round the threads in order, and come back so
            for output in outputs.iter().cycle() {
                let Ok(hashed) = output.recv() else { break };
                check(&mut checker, &hashed)?;
            }
            checker.finish()
        });
        for input in inputs.iter().cycle() {
            let batch = read(&mut records);
            let ended = batch.error.is_some() || batch.records.is_empty();
            // an error here means that the checker has seen enough
            if input.send(batch).is_err() || ended {
                break;
            }
        }
        drop(inputs);
        verdict.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn read<B: AsRef<[u8]>>(records: &mut impl Iterator<Item = Result<(u64, B), JournalError>>) -> Batch<B> {
    let mut batch = Batch { records: Vec::new(), error: None };
    let mut bytes = 0;
    while bytes < BATCH_BYTES {
        match records.next() {
            Some(Ok(record)) => {
                bytes += record.1.as_ref().len();
                batch.records.push(record);
            }
            Some(Err(error)) => {
                batch.error = Some(error);
                break;
            }
            None => break,
        }
    }
    batch
}

fn hash<B: AsRef<[u8]>>(batches: &Receiver<Batch<B>>, hashed: &SyncSender<Hashed<B>>) {
    while let Ok(batch) = batches.recv() {
        let seen =
            batch.records.iter().map(|(position, bytes)| Seen::new(*position, bytes.as_ref())).collect();
        if hashed.send(Hashed { batch, seen }).is_err() {
            return;
        }
    }
}

fn check<B: AsRef<[u8]>>(checker: &mut Checker, hashed: &Hashed<B>) -> Result<(), Box<Fault>> {
    for ((_, bytes), seen) in hashed.batch.records.iter().zip(&hashed.seen) {
        match seen {
            Ok(seen) => checker.push(seen, bytes.as_ref())?,
            Err(fault) => return checker.unreadable(fault),
        }
    }
    match &hashed.batch.error {
        Some(error) => Err(Box::new(Fault::Read(error.clone()))),
        None => Ok(()),
    }
}
