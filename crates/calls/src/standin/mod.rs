//! A local stand-in for the public services that the conformance features name: the Swagger Petstore (version 2) and
//! the authentication and inspection endpoints of httpbin. Real HTTP on a loopback port; pets live in memory.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let standin = calls::standin::Standin::start().await.unwrap();
//! let client = calls::Client::new(standin.config());
//! // `https://petstore.swagger.io/v2/pet/1` is now answered by the stand-in
//! # drop(client);
//! # });
//! ```

mod httpbin;
mod petstore;

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use tower::ServiceExt as _;

use crate::{Access, Config};

/// The hosts it stands in for.
pub const HOSTS: [&str; 2] = ["petstore.swagger.io", "httpbin.org"];

/// A running stand-in; stops when dropped.
#[derive(Debug)]
pub struct Standin {
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Standin {
    /// Starts one on a free loopback port, on the current runtime.
    pub async fn start() -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let petstore = petstore::routes();
        let httpbin = httpbin::routes();
        let by_host = Router::new().fallback(move |request: Request| {
            let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let host = host.split(':').next().unwrap_or_default();
            let routes = if host == HOSTS[1] { httpbin.clone() } else { petstore.clone() };
            async move { routes.oneshot(request).await }
        });
        let server = tokio::spawn(async move {
            // a listener that fails ends the stand-in, which its clients then notice
            drop(axum::serve(listener, by_host).await);
        });
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A configuration whose calls reach the stand-in for [`HOSTS`] and nothing else.
    pub fn config(&self) -> Config {
        let config = Config { access: Access::only(HOSTS), ..Config::default() };
        HOSTS.into_iter().fold(config, |config, host| config.map_host(host, self.address))
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.server.abort();
    }
}
