//! The server's side of TLS, and the middleboxes that spoil it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::ca::Chain;
use crate::http::{farewell, linger};
use crate::scenario::Tls;
use crate::tap::Tap;

/// A peer's side of TLS.
#[derive(Clone)]
pub struct Side {
    pub behaviour: Tls,
    /// The names that an appliance filters by.
    filtered: Vec<String>,
    /// How many conversations are spoilt (0: all), and how many there were.
    times: (u32, Arc<AtomicU32>),
    config: Arc<ServerConfig>,
}

impl Side {
    /// # Errors
    /// When the chain and its key do not fit.
    pub fn new(behaviour: Tls, chain: Chain) -> io::Result<Side> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain.certificates, chain.key)
            .map_err(io::Error::other)?;
        Ok(Side { behaviour, filtered: Vec::new(), times: (0, Arc::default()), config: Arc::new(config) })
    }

    /// The names for which `silent-by-name` and `reset-by-name` hold.
    pub fn filtering(self, names: Vec<String>) -> Side {
        Side { filtered: names, ..self }
    }

    /// After so many conversations all is well; 0: never.
    pub fn for_times(self, times: u32) -> Side {
        Side { times: (times, Arc::default()), ..self }
    }

    /// Without middlebox; the certificate stays.
    pub fn well(self) -> Side {
        Side { behaviour: Tls::Ok, ..self }
    }

    /// To be called on a fresh connection: a reset at its end must be arranged at its start.
    pub fn prepare(&self, stream: &TcpStream) {
        if self.behaviour == Tls::Reset {
            let _ = stream.set_zero_linger();
        }
    }

    /// The handshake, or what happens instead of it. `None` when there is nothing more to say.
    pub async fn accept(&self, mut stream: Tap<TcpStream>) -> Option<TlsStream<Tap<TcpStream>>> {
        if self.is_well(&stream).await? {
            return TlsAcceptor::from(self.config.clone()).accept(stream).await.ok();
        }
        let spoils = [Tls::Silent, Tls::Reset, Tls::Closed, Tls::Alert, Tls::PlainHttp].contains(&self.behaviour);
        if [Tls::SilentByName, Tls::ResetByName].contains(&self.behaviour) {
            return self.accept_by_name(stream).await;
        }
        if !spoils {
            return TlsAcceptor::from(self.config.clone()).accept(stream).await.ok();
        }
        if stream.read(&mut [0; 2048]).await.ok()? == 0 {
            return None;
        }
        match self.behaviour {
            Tls::Silent => linger(&mut stream).await,
            // A handshake_failure, as a filter by server name sends it.
            Tls::Alert => {
                let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await;
                farewell(&mut stream).await;
            }
            Tls::PlainHttp => {
                let page = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>";
                let text = format!(
                    "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                    page.len()
                );
                let _ = stream.write_all(text.as_bytes()).await;
                farewell(&mut stream).await;
            }
            Tls::Closed => farewell(&mut stream).await,
            // Reset: the stream is dropped with its linger at zero.
            _ => {}
        }
        None
    }

    /// Whether the spoilt conversations are over. Who only connects does not count.
    async fn is_well(&self, stream: &Tap<TcpStream>) -> Option<bool> {
        let (times, begun) = &self.times;
        if *times == 0 {
            return Some(false);
        }
        stream.stream().peek(&mut [0]).await.ok().filter(|bytes| *bytes > 0)?;
        Some(begun.fetch_add(1, Ordering::Relaxed) >= *times)
    }

    async fn accept_by_name(&self, stream: Tap<TcpStream>) -> Option<TlsStream<Tap<TcpStream>>> {
        let mut started = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
        let name = started.client_hello().server_name().map(str::to_ascii_lowercase);
        if name.is_none_or(|name| !self.filtered.contains(&name)) {
            return started.into_stream(self.config.clone()).await.ok();
        }
        if self.behaviour == Tls::SilentByName {
            linger(&mut started.io).await;
        } else {
            let _ = started.io.stream().set_zero_linger();
        }
        None
    }
}
