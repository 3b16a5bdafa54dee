//! The journal as it is exported: one record a line.

use reqwest::Response;

use super::{Client, ClientError, limits};

/// An export on its way here.
#[derive(Debug)]
pub struct Export {
    client: Client,
    response: Option<Response>,
    /// What came and was not given out.
    bytes: Vec<u8>,
    /// How much of it was given out.
    taken: usize,
}

impl Export {
    pub(super) fn of(client: Client, response: Response) -> Self {
        Self { client, response: Some(response), bytes: Vec::new(), taken: 0 }
    }

    /// The next record's bytes, without the end of the line; `None` at the end.
    ///
    /// # Errors
    /// The connection broke before the end, or a line is longer than a record can be.
    pub async fn line(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let mut looked = self.taken;
        loop {
            if let Some(end) = self.bytes[looked..].iter().position(|byte| *byte == b'\n') {
                let line = self.bytes[self.taken..looked + end].to_vec();
                self.taken = looked + end + 1;
                return Ok(Some(line));
            }
            if self.bytes.len() - self.taken > limits::EVENT_BYTES_MAX {
                return Err(self.client.not_a_server("a record of the export is larger than the limit"));
            }
            self.bytes.drain(..self.taken);
            self.taken = 0;
            looked = self.bytes.len();
            let Some(response) = &mut self.response else {
                let rest = std::mem::take(&mut self.bytes);
                return if rest.is_empty() {
                    Ok(None)
                } else {
                    Err(self.client.not_a_server("the export ends within a record"))
                };
            };
            let chunk = tokio::time::timeout(limits::SILENCE_MAX, response.chunk()).await;
            let chunk = chunk.map_err(|_| self.client.late(limits::SILENCE_MAX))?;
            match chunk.map_err(|error| self.client.broken(error).error)? {
                Some(chunk) => self.bytes.extend_from_slice(&chunk),
                None => self.response = None,
            }
        }
    }
}
