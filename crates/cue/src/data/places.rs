//! Where values stand in a data file, so that messages can point at them.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

use crate::syntax::ast::Span;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The values of a file, by document and path.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<Vec<Step>, Span>);

struct Open {
    map: bool,
    key: Option<String>,
    index: usize,
}

impl Places {
    /// The places in YAML text, and so in JSON. As far as it parses: they are only for messages.
    pub(crate) fn of(text: &str) -> Self {
        let mut places = HashMap::new();
        let mut stack: Vec<Open> = Vec::new();
        let mut documents = 0_usize;
        let offsets = Offsets::of(text);
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            match event {
                Event::DocumentStart(_) => documents += 1,
                Event::SequenceEnd | Event::MappingEnd => {
                    stack.pop();
                    stack.last_mut().map(Open::next);
                }
                Event::Scalar(text, ..)
                    if stack.last().is_some_and(|open| open.map && open.key.is_none()) =>
                {
                    if let Some(open) = stack.last_mut() {
                        open.key = Some(text.to_string());
                    }
                }
                Event::Scalar(..) | Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                    let start = offsets.byte(span.start.index());
                    let end = if matches!(event, Event::Scalar(..)) {
                        offsets.byte(span.end.index())
                    } else {
                        start
                    };
                    let mut path = vec![Step::Index(documents.saturating_sub(1))];
                    path.extend(stack.iter().map(Open::step));
                    places.insert(path, Span { start, end });
                    match event {
                        Event::SequenceStart(..) => stack.push(Open { map: false, key: None, index: 0 }),
                        Event::MappingStart(..) => stack.push(Open { map: true, key: None, index: 0 }),
                        _ => drop(stack.last_mut().map(Open::next)),
                    }
                }
                _ => {}
            }
        }
        Self(places)
    }

    pub(crate) fn get(&self, path: &[Step]) -> Option<Span> {
        self.0.get(path).copied()
    }
}

impl Open {
    /// The value has been passed.
    fn next(&mut self) {
        self.key = None;
        self.index += 1;
    }

    fn step(&self) -> Step {
        match &self.key {
            Some(key) => Step::Key(key.clone()),
            None => Step::Index(self.index),
        }
    }
}

/// From characters, which the parser counts, to bytes.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn of(text: &str) -> Self {
        let wide = !text.is_ascii();
        Self(wide.then(|| text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect()))
    }

    fn byte(&self, character: usize) -> u32 {
        match &self.0 {
            None => u32::try_from(character).unwrap_or(u32::MAX),
            Some(offsets) => offsets.get(character).or_else(|| offsets.last()).copied().unwrap_or(0),
        }
    }
}
