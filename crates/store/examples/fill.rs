//! Fills a journal with events of 300 bytes: `cargo run --release -p store --example fill FILE EVENTS`.
//!
//! For measuring what a command costs on a large journal. The file is made when it is not there.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for measuring")]

use std::collections::VecDeque;

use futures_executor::block_on;
use journal::events::{BusEvent, Published};
use journal::{Append, Journal, NewEvent};
use model::{CloudEvent, Principal};
use store::{Options, SqliteJournal};

/// Events of one append.
const BATCH: usize = 100;

/// Appends under way at the same time.
const PENDING: usize = 32;

fn event() -> NewEvent {
    let event = CloudEvent {
        specversion: "1.0".to_owned(),
        id: "1".to_owned(),
        source: "fill".to_owned(),
        kind: "io.aedile.fill".to_owned(),
        time: None,
        subject: None,
        datacontenttype: None,
        dataschema: None,
        data: Some("x".repeat(200).into()),
        extensions: serde_json::Map::new(),
    };
    NewEvent {
        stream: "bus/fill".into(),
        actor: Principal::system(),
        event: BusEvent::Published(Box::new(Published { event, run: None })).into(),
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(events)) = (arguments.next(), arguments.next()) else {
        println!("usage: fill FILE EVENTS");
        std::process::exit(2);
    };
    let events: usize = events.parse().unwrap();
    let journal = SqliteJournal::open(file, &Options { create: true, ..Options::default() }).unwrap();
    let mut pending = VecDeque::new();
    for begin in (0..events).step_by(BATCH) {
        let batch = vec![event(); BATCH.min(events - begin)];
        pending.push_back(journal.append(Append { events: batch, ..Append::default() }));
        if pending.len() > PENDING {
            block_on(pending.pop_front().unwrap()).unwrap();
        }
    }
    for appending in pending {
        block_on(appending).unwrap();
    }
    println!("{} records", journal.head().unwrap().position);
}
