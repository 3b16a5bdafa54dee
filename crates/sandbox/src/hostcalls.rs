//! The host's side of `wit/action`: checks, counts, and passes on to [`Services`](crate::Services).

use std::time::{Duration, Instant};

use crate::bindings::aedile::action::{clock, http, kv, log, random, types};
use crate::limits::{KV_KEY_BYTES, KV_KEYS, KV_VALUE_BYTES, LOG_LINE_BYTES, RANDOM_DRAW_BYTES};
use crate::request::{self, Refusal};
use crate::services::{HttpError, HttpRequest, HttpResponse, Level, ServiceError};
use crate::state::{State, Stop};
use crate::{Capability, text};

impl types::Host for State {}

impl log::Host for State {
    async fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.granted(Capability::Log)?;
        let line = text::one_line(&message, LOG_LINE_BYTES);
        let usage = &mut self.usage;
        if usage.log_lines >= self.limits.log_lines || usage.log_bytes + line.len() > self.limits.log_bytes {
            usage.log_lines_dropped = usage.log_lines_dropped.saturating_add(1);
            return Ok(());
        }
        usage.log_lines += 1;
        usage.log_bytes += line.len();
        let level = match level {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.services.log(level, &line);
        Ok(())
    }
}

impl http::Host for State {
    async fn send(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        self.granted(Capability::Http)?;
        let request = match self.outgoing(request) {
            Ok(request) => request,
            Err(Refusal::Invalid(why)) => return Ok(Err(http::Error::InvalidRequest(why))),
            Err(Refusal::NotGranted { method, origin }) => {
                return Err(Stop::HostNotGranted { method, origin }.into());
            }
        };
        if self.usage.http_requests >= self.limits.http_requests {
            let limit = self.limits.http_requests.into();
            return Err(Stop::Budget { what: "HTTP requests", limit }.into());
        }
        self.usage.http_requests += 1;
        let (asked, limit) = (request.url.clone(), request.max_body_bytes);
        let answer = self.services.http(request).await;
        Ok(match answer {
            Ok(response)
                if response.url.origin() != asked.origin() || response.url.path() != asked.path() =>
            {
                Err(http::Error::Connection("a redirect was followed without being asked for".to_owned()))
            }
            Ok(response) if response.body.len() > limit => Err(http::Error::ResponseTooLarge(limit as u64)),
            Ok(response) => Ok(incoming(response)),
            Err(HttpError::Timeout) => Err(http::Error::Timeout),
            Err(HttpError::Connection(why)) => Err(http::Error::Connection(why)),
            Err(HttpError::TooLarge) => Err(http::Error::ResponseTooLarge(limit as u64)),
        })
    }
}

impl State {
    fn outgoing(&self, request: http::Request) -> Result<HttpRequest, Refusal> {
        let max_body_bytes = self.limits.http_body_bytes;
        if request.body.as_ref().is_some_and(|body| body.len() > max_body_bytes) {
            return Err(Refusal::Invalid(format!("the body is larger than {max_body_bytes} bytes")));
        }
        let headers: Vec<_> = request.headers.into_iter().map(|field| (field.name, field.value)).collect();
        let url = request::check(&self.grants, &request.method, &request.url, &headers)?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let timeout = request.timeout.map_or(left, |ms| left.min(Duration::from_millis(ms.into())));
        Ok(HttpRequest { method: request.method, url, headers, body: request.body, timeout, max_body_bytes })
    }

    /// The granted namespace, after counting the operation.
    fn kv(&mut self, write: bool) -> Result<Result<String, kv::Error>, Stop> {
        let Some(grant) = self.grants.kv() else { return Err(Stop::NotGranted(Capability::Kv)) };
        let limit = self.limits.kv_operations;
        if self.usage.kv_operations >= limit {
            return Err(Stop::Budget { what: "key-value operations", limit: limit.into() });
        }
        self.usage.kv_operations += 1;
        Ok(if write && !grant.write { Err(kv::Error::ReadOnly) } else { Ok(grant.namespace.clone()) })
    }
}

fn incoming(response: HttpResponse) -> http::Response {
    let headers = response.headers.into_iter().map(|(name, value)| http::Header { name, value }).collect();
    http::Response { status: response.status, headers, body: response.body }
}

fn check_key(key: &str) -> Result<(), kv::Error> {
    if key.is_empty() || key.len() > KV_KEY_BYTES || key.chars().any(char::is_control) {
        return Err(kv::Error::Invalid(format!(
            "a key is 1 to {KV_KEY_BYTES} bytes without control characters"
        )));
    }
    Ok(())
}

fn unavailable(error: ServiceError) -> kv::Error {
    kv::Error::Unavailable(error.0)
}

impl kv::Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, kv::Error>> {
        let namespace = match self.kv(false)?.and_then(|namespace| check_key(&key).map(|()| namespace)) {
            Ok(namespace) => namespace,
            Err(error) => return Ok(Err(error)),
        };
        Ok(self.services.kv_get(&namespace, &key).await.map_err(unavailable))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), kv::Error>> {
        let namespace = match self.kv(true)?.and_then(|namespace| check_key(&key).map(|()| namespace)) {
            Ok(namespace) => namespace,
            Err(error) => return Ok(Err(error)),
        };
        if value.len() > KV_VALUE_BYTES {
            return Ok(Err(kv::Error::Invalid(format!("a value is at most {KV_VALUE_BYTES} bytes"))));
        }
        Ok(self.services.kv_set(&namespace, &key, value).await.map_err(unavailable))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), kv::Error>> {
        let namespace = match self.kv(true)?.and_then(|namespace| check_key(&key).map(|()| namespace)) {
            Ok(namespace) => namespace,
            Err(error) => return Ok(Err(error)),
        };
        Ok(self.services.kv_delete(&namespace, &key).await.map_err(unavailable))
    }

    async fn keys(&mut self, prefix: String) -> wasmtime::Result<Result<Vec<String>, kv::Error>> {
        let namespace = match self.kv(false)? {
            Ok(namespace) => namespace,
            Err(error) => return Ok(Err(error)),
        };
        if prefix.len() > KV_KEY_BYTES {
            return Ok(Err(kv::Error::Invalid(format!("a prefix is at most {KV_KEY_BYTES} bytes"))));
        }
        let keys = self.services.kv_keys(&namespace, &prefix, KV_KEYS).await;
        Ok(keys.map_err(unavailable).map(|mut keys| {
            keys.truncate(KV_KEYS);
            keys
        }))
    }
}

impl clock::Host for State {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.granted(Capability::Clock)?;
        self.services
            .now()
            .map_err(|error| Stop::Service { capability: Capability::Clock, why: error.0 }.into())
    }
}

impl random::Host for State {
    async fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.granted(Capability::Random)?;
        if len > RANDOM_DRAW_BYTES {
            return Err(
                Stop::Budget { what: "random bytes in one draw", limit: RANDOM_DRAW_BYTES.into() }.into()
            );
        }
        let limit = self.limits.random_bytes;
        match self.usage.random_bytes.checked_add(len) {
            Some(total) if total <= limit => self.usage.random_bytes = total,
            _ => return Err(Stop::Budget { what: "random bytes", limit: limit.into() }.into()),
        }
        let mut bytes = vec![0; len as usize];
        self.services
            .random(&mut bytes)
            .map_err(|error| Stop::Service { capability: Capability::Random, why: error.0 })?;
        Ok(bytes)
    }
}
