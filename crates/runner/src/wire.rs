//! Frames: two lengths (32 bits each, big-endian), a JSON head, a raw body. No I/O here: bytes go in, frames come out, so
//! that the threads of the runner and the tasks of its callers use the same code.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{BODY_MAX, HEAD_USUAL, SKIP_MAX};
use crate::protocol::{Fault, FaultCode};

const PREFIX: usize = 8;

/// A frame whose head has not been read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// JSON.
    pub head: Vec<u8>,
    /// Raw bytes.
    pub body: Vec<u8>,
}

impl Frame {
    /// The head as a message, or `invalid_cmd` saying what is wrong with it.
    pub fn message<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.head).map_err(|why| Fault {
            code: FaultCode::InvalidCmd,
            message: format!("not a valid message: {why}"),
        })
    }
}

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It was skipped; the next one can be read.
    #[error("a frame of {head} + {body} bytes is larger than the limit of {head_max} + {BODY_MAX}")]
    TooLarge {
        /// The size its head claims.
        head: u64,
        /// The size its body claims.
        body: u64,
        /// The limit for a head.
        head_max: usize,
    },
    /// It is too large to skip, or these are no frames at all; nothing more can be read.
    #[error("a frame claims {0} bytes, so these are not frames; nothing after it can be read")]
    Lost(u64),
    /// The message cannot be encoded within the limit.
    #[error("the message does not fit into a frame: {0}")]
    Unsendable(String),
}

/// A message and its body as bytes to send. `head_max` is the limit of the side that reads it.
pub fn encode<T: Serialize>(message: &T, body: &[u8], head_max: usize) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::with_capacity(HEAD_USUAL + body.len());
    encode_after(&mut bytes, message, body, head_max)?;
    Ok(bytes)
}

/// Appends a message to others that are sent with it. After an error, nothing of it is there.
///
/// # Errors
/// As [`encode`].
pub fn encode_after<T: Serialize>(
    bytes: &mut Vec<u8>,
    message: &T,
    body: &[u8],
    head_max: usize,
) -> Result<(), WireError> {
    let unsendable = |why: &dyn std::fmt::Display| WireError::Unsendable(why.to_string());
    let start = bytes.len();
    bytes.extend_from_slice(&[0; PREFIX]);
    let written = serde_json::to_writer(&mut *bytes, message).map_err(|why| unsendable(&why));
    let head = bytes.len() - start - PREFIX;
    let lengths = written.and_then(|()| {
        if head > head_max || body.len() > BODY_MAX {
            return Err(unsendable(&format_args!("{head} + {} bytes", body.len())));
        }
        let length = |bytes: usize| u32::try_from(bytes).map_err(|why| unsendable(&why));
        Ok([length(head)?.to_be_bytes(), length(body.len())?.to_be_bytes()])
    });
    match lengths {
        Ok(lengths) => {
            bytes[start..start + PREFIX].copy_from_slice(lengths.as_flattened());
            bytes.extend_from_slice(body);
            Ok(())
        }
        Err(why) => {
            bytes.truncate(start);
            Err(why)
        }
    }
}

/// Bytes in, frames out. Holds at most one frame and what was pushed after it.
#[derive(Debug)]
pub struct Decoder {
    head_max: usize,
    bytes: Vec<u8>,
    read: usize,
    skip: u64,
    lost: bool,
}

impl Decoder {
    /// For frames whose heads have at most `head_max` bytes.
    pub fn new(head_max: usize) -> Self {
        Self { head_max, bytes: Vec::new(), read: 0, skip: 0, lost: false }
    }

    /// Bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        if self.read > 0 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(&bytes[skipped..]);
    }

    /// The next frame, if all of it has arrived. After [`WireError::Lost`] there is none ever.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let waiting = &self.bytes[self.read..];
        let Some((prefix, rest)) = waiting.split_first_chunk::<PREFIX>().filter(|_| !self.lost) else {
            return Ok(None);
        };
        let lengths = u64::from_be_bytes(*prefix);
        let (head, body) = (lengths >> 32, lengths & u64::from(u32::MAX));
        let total = head + body;
        if head > self.head_max as u64 || body > BODY_MAX as u64 {
            return Err(self.refuse(head, body));
        }
        let (Ok(head), Ok(total)) = (usize::try_from(head), usize::try_from(total)) else {
            return Err(self.refuse(head, body));
        };
        if rest.len() < total {
            return Ok(None);
        }
        let frame = Frame { head: rest[..head].to_vec(), body: rest[head..total].to_vec() };
        self.read += PREFIX + total;
        Ok(Some(frame))
    }

    fn refuse(&mut self, head: u64, body: u64) -> WireError {
        let total = head + body;
        if total > SKIP_MAX {
            self.lost = true;
            return WireError::Lost(total);
        }
        let here = (self.bytes.len() - self.read - PREFIX) as u64;
        let now = total.min(here);
        self.skip = total - now;
        self.read += PREFIX + usize::try_from(now).unwrap_or_default();
        WireError::TooLarge { head, body, head_max: self.head_max }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::HEAD_MAX;
    use crate::protocol::ToRunner;

    proptest! {
        #[test]
        fn frames_survive_any_cutting(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20), cut in 1usize..64) {
            let mut bytes = Vec::new();
            for (id, body) in (0u64..).zip(&bodies) {
                bytes.extend(encode(&ToRunner::Data { id, last: false }, body, HEAD_MAX).expect("small"));
            }
            let mut decoder = Decoder::new(HEAD_MAX);
            let mut got = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().expect("well-formed") {
                    got.push(frame.body);
                }
            }
            prop_assert_eq!(got, bodies);
        }

        #[test]
        fn nothing_makes_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 1usize..64) {
            let mut decoder = Decoder::new(1000);
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Ok(Some(_)) = decoder.next_frame() {}
            }
        }
    }

    #[test]
    fn an_oversize_frame_is_skipped_and_the_next_is_read() {
        let mut bytes = vec![0, 0x10, 0, 1, 0, 0, 0, 0];
        bytes.resize(8 + 0x10_0001, b'x');
        bytes.extend(encode(&ToRunner::Exit, b"", HEAD_MAX).expect("small"));
        for cut in [7, 9, 4096, bytes.len()] {
            let mut decoder = Decoder::new(HEAD_MAX);
            let (mut refused, mut read) = (0, 0);
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                loop {
                    match decoder.next_frame() {
                        Ok(Some(frame)) => {
                            assert_eq!(frame.message::<ToRunner>(), Ok(ToRunner::Exit));
                            read += 1;
                        }
                        Ok(None) => break,
                        Err(WireError::TooLarge { head, .. }) => {
                            assert_eq!(head, 0x10_0001);
                            refused += 1;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            assert_eq!((refused, read), (1, 1), "cut in pieces of {cut}");
        }
    }

    #[test]
    fn text_that_is_no_frame_ends_the_reading() {
        let mut decoder = Decoder::new(HEAD_MAX);
        decoder.push(b"{\"type\":\"hello\"}\n");
        assert!(matches!(decoder.next_frame(), Err(WireError::Lost(_))));
        assert_eq!(decoder.next_frame(), Ok(None));
    }
}
