//! The least that durable appends can cost: one file, one thread that writes what has queued up and flushes once.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Sender, sync_channel};
use std::thread;

use crate::{DATA_BYTES, Measured, measure};

/// Most appends that share a flush.
const GROUP_MAX: usize = 1024;

pub fn appends(directory: &Path, writers: usize) -> Measured {
    let mut file = std::fs::File::create(directory.join(format!("bare-{writers}.log"))).unwrap();
    let (queue, jobs) = sync_channel::<(Vec<u8>, Sender<()>)>(16_384);
    let committer = thread::spawn(move || {
        let (mut buffer, mut waiting) = (Vec::new(), Vec::new());
        while let Ok(first) = jobs.recv() {
            let mut next = Some(first);
            while let Some((bytes, reply)) = next {
                buffer.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
                buffer.extend_from_slice(&bytes);
                waiting.push(reply);
                next = if waiting.len() < GROUP_MAX { jobs.try_recv().ok() } else { None };
            }
            file.write_all(&buffer).unwrap();
            file.sync_data().unwrap();
            buffer.clear();
            waiting.drain(..).for_each(|reply| reply.send(()).unwrap());
        }
    });
    let measured = measure(writers, &|_| {
        let (reply, durable) = std::sync::mpsc::channel();
        queue.send((vec![b'x'; DATA_BYTES], reply)).unwrap();
        durable.recv().unwrap();
    });
    drop(queue);
    committer.join().unwrap();
    measured
}
