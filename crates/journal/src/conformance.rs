//! What every implementation of [`Journal`] must do, as a suite that runs against any of them.

use std::sync::Arc;
use std::thread;

use futures_executor::block_on;
use model::{Digest, Principal, Timestamp};
use serde_json::json;

use crate::events::{RunEvent, Signal};
use crate::limits::APPEND_EVENTS_MAX;
use crate::{Append, Event, Expect, Journal, JournalError, NewEvent, record};

/// Makes an empty journal.
pub type Make<'a> = &'a mut dyn FnMut() -> Arc<dyn Journal>;

/// An event for tests that can be told from others by `number`.
pub fn event(stream: &str, number: u64) -> NewEvent {
    NewEvent {
        stream: stream.into(),
        actor: Principal::system(),
        event: RunEvent::Signalled(Signal { name: "n".to_owned(), data: json!(number) }).into(),
    }
}

fn append(stream: &str, number: u64) -> Append {
    Append { events: vec![event(stream, number)], ..Append::default() }
}

fn conditional(stream: &str, sequence: u64, number: u64) -> Append {
    Append { expect: vec![Expect { stream: stream.into(), sequence }], ..append(stream, number) }
}

fn numbers(records: &[crate::Record]) -> Vec<u64> {
    records
        .iter()
        .map(|record| match &record.event {
            Event::Run(RunEvent::Signalled(signal)) => signal.data.as_u64().expect("a number"),
            other => panic!("unexpected {}", other.kind()),
        })
        .collect()
}

/// Runs every test of the contract. Panics at the first that does not hold.
pub fn suite(make: Make<'_>) {
    an_empty_journal_is_empty(&*make());
    appends_are_chained_and_readable(&*make());
    batches_are_atomic_and_consecutive(&*make());
    conditions_hold_or_nothing_is_appended(&*make());
    one_of_many_writers_wins(&make());
    times_never_go_back_within_a_stream(&*make());
    malformed_appends_are_refused(&*make());
    readers_wait_for_news(&make());
    writers_at_once_leave_no_gaps(&make());
}

fn an_empty_journal_is_empty(journal: &dyn Journal) {
    let head = journal.head().expect("head");
    assert_eq!((head.position, head.digest), (0, Digest::ZERO));
    assert!(journal.read(0, 10).expect("read").is_empty());
    assert!(journal.read_stream("nothing", 0, 10).expect("read").is_empty());
}

fn appends_are_chained_and_readable(journal: &dyn Journal) {
    for number in 1..=5 {
        let done = block_on(journal.append(append(if number % 2 == 0 { "even" } else { "odd" }, number)))
            .expect("append");
        assert_eq!((done.first, done.last), (number, number));
        assert_eq!(done.sequences, [number.div_ceil(2)]);
    }
    let records = journal.read(0, 10).expect("read");
    assert_eq!(numbers(&records), [1, 2, 3, 4, 5]);
    let mut previous = Digest::ZERO;
    for (record, position) in records.iter().zip(1..) {
        assert_eq!(record.position, position);
        assert_eq!(record.previous, previous, "the chain at {position}");
        assert_eq!(&record::decode(record.bytes.clone()).expect("decode"), record);
        previous = record::digest(&record.bytes);
    }
    assert_eq!(journal.head().expect("head").digest, previous);
    assert_eq!(numbers(&journal.read(1, 2).expect("read")), [2, 3], "after and limit");
    assert_eq!(numbers(&journal.read_stream("odd", 1, 10).expect("read")), [3, 5]);
    assert_eq!(numbers(&journal.read_stream("odd", 0, 1).expect("read")), [1]);
    assert!(journal.read(5, 10).expect("read").is_empty());
    assert!(journal.read(u64::MAX, 10).expect("read").is_empty());
    assert!(journal.read_stream("odd", u64::MAX, 10).expect("read").is_empty());
}

fn batches_are_atomic_and_consecutive(journal: &dyn Journal) {
    let events = vec![event("a", 1), event("b", 2), event("a", 3)];
    let done = block_on(journal.append(Append { events, ..Append::default() })).expect("append");
    assert_eq!((done.first, done.last), (1, 3));
    assert_eq!(done.sequences, [1, 1, 2]);
    assert_eq!(numbers(&journal.read_stream("a", 0, 10).expect("read")), [1, 3]);

    let too_large = NewEvent {
        event: RunEvent::Signalled(Signal {
            name: "n".to_owned(),
            data: json!("x".repeat(crate::limits::RECORD_BYTES_MAX)),
        })
        .into(),
        ..event("c", 5)
    };
    let events = vec![event("c", 4), too_large];
    let refused = block_on(journal.append(Append { events, ..Append::default() })).expect_err("too large");
    assert!(matches!(refused, JournalError::TooLarge { .. }), "{refused}");
    assert_eq!(journal.head().expect("head").position, 3, "nothing of the batch is there");
}

fn conditions_hold_or_nothing_is_appended(journal: &dyn Journal) {
    block_on(journal.append(conditional("s", 0, 1))).expect("the stream does not exist");
    block_on(journal.append(conditional("s", 1, 2))).expect("the stream is at 1");
    let lost = block_on(journal.append(conditional("s", 1, 3))).expect_err("the stream is at 2");
    match lost {
        JournalError::Conflict { stream, expected, actual } => {
            assert_eq!((&*stream, expected, actual), ("s", 1, 2));
        }
        other => panic!("{other}"),
    }
    let two = Append {
        expect: vec![Expect { stream: "s".into(), sequence: 2 }, Expect { stream: "t".into(), sequence: 1 }],
        events: vec![event("s", 3), event("t", 4)],
        at: None,
    };
    assert!(block_on(journal.append(two)).is_err(), "one of two conditions fails");
    assert_eq!(journal.head().expect("head").position, 2);
    block_on(journal.append(conditional("s", 2, 3))).expect("a conflict leaves no trace");
}

fn one_of_many_writers_wins(journal: &Arc<dyn Journal>) {
    for round in 0..20 {
        let outcomes: Vec<_> = thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    scope.spawn(move || block_on(journal.append(conditional("gate", round, writer))))
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().expect("writer")).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "round {round}");
        for lost in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, JournalError::Conflict { .. }), "{lost}");
        }
    }
    assert_eq!(journal.head().expect("head").position, 20);
}

fn times_never_go_back_within_a_stream(journal: &dyn Journal) {
    let at = |ms: i64| Timestamp::from_millisecond(ms).expect("a time");
    let put = |stream: &str, ms: i64| {
        block_on(journal.append(Append { at: Some(at(ms)), ..append(stream, 0) })).expect("append").at
    };
    assert_eq!(put("a", 2_000), at(2_000));
    assert_eq!(put("a", 1_000), at(2_000), "not before the record before it");
    assert_eq!(put("b", 1_000), at(1_000), "other streams do not matter");
    assert_eq!(put("a", 3_000), at(3_000));
    let micro = Timestamp::from_microsecond(4_000_999).expect("a time");
    let done = block_on(journal.append(Append { at: Some(micro), ..append("a", 0) })).expect("append");
    assert_eq!(done.at, at(4_000), "whole milliseconds");
    let times: Vec<_> = journal.read_stream("a", 0, 10).expect("read").iter().map(|r| r.at).collect();
    assert_eq!(times, [at(2_000), at(2_000), at(3_000), at(4_000)]);
}

fn malformed_appends_are_refused(journal: &dyn Journal) {
    let many = (0..=APPEND_EVENTS_MAX as u64).map(|number| event("s", number)).collect();
    for bad in [
        Append::default(),
        append("", 1),
        append("with space", 1),
        append("quote\"", 1),
        append(&"x".repeat(129), 1),
        Append { events: many, ..Append::default() },
    ] {
        assert!(block_on(journal.append(bad)).is_err());
    }
    assert_eq!(journal.head().expect("head").position, 0);
}

fn readers_wait_for_news(journal: &Arc<dyn Journal>) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(journal.changed(0)));
        let later = scope.spawn(|| block_on(journal.changed(1)));
        block_on(journal.append(append("s", 1))).expect("append");
        assert!(waiting.join().expect("waiter").expect("news") >= 1);
        block_on(journal.append(append("s", 2))).expect("append");
        assert_eq!(later.join().expect("waiter").expect("news"), 2);
    });
    assert_eq!(block_on(journal.changed(1)).expect("news"), 2, "old news is told at once");
    drop(journal.changed(2));
    block_on(journal.append(append("s", 3))).expect("a waiter that went away is no hindrance");
}

fn writers_at_once_leave_no_gaps(journal: &Arc<dyn Journal>) {
    const WRITERS: u64 = 8;
    const EACH: u64 = 25;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for number in 0..EACH {
                    let done = block_on(journal.append(append(&format!("w{writer}"), number)));
                    assert_eq!(done.expect("append").sequences, [number + 1]);
                }
            });
        }
    });
    let records = journal.read(0, 1_000).expect("read");
    assert_eq!(records.len() as u64, WRITERS * EACH);
    let mut previous = Digest::ZERO;
    for (record, position) in records.iter().zip(1..) {
        assert_eq!((record.position, record.previous), (position, previous));
        previous = record::digest(&record.bytes);
    }
    for writer in 0..WRITERS {
        let own = journal.read_stream(&format!("w{writer}"), 0, 1_000).expect("read");
        assert_eq!(numbers(&own), (0..EACH).collect::<Vec<_>>());
    }
}
