//! A relay between the program and a polite peer that lets so many bytes of the peer's pass, and then cuts.
//!
//! The exchange stays a real one; inside TLS the relay holds both ends, so that the cut falls between bytes of the application.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::act::Shown;
use super::peer::{Heard, Peer, Wire, runtime};
use super::trust::Trusted;

/// How a cut is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Close,
    Reset,
    Stall,
}

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The bytes as they are.
    Raw,
    /// The bytes inside TLS.
    Inside,
    /// The bytes inside the TLS that follows SSLRequest.
    Postgres,
}

#[derive(Clone)]
pub struct Relay {
    pub to: SocketAddr,
    pub name: String,
    pub roots: Arc<Vec<u8>>,
    pub layer: Layer,
    pub limit: usize,
    pub end: End,
    /// The most that one conversation let pass.
    pub passed: Arc<AtomicUsize>,
}

impl Relay {
    pub fn start(self, trusted: &Arc<Trusted>) -> Peer {
        let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let trusted = trusted.clone();
        let task = runtime().spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (relay, trusted) = (self.clone(), trusted.clone());
                conversations.spawn(async move {
                    let _ = tokio::time::timeout(Duration::from_secs(20), relay.carry(client, &trusted)).await;
                });
            }
        });
        Peer::new(port, Heard::default(), task)
    }

    async fn carry(&self, mut client: TcpStream, trusted: &Trusted) -> io::Result<()> {
        client.set_nodelay(true)?;
        if self.end == End::Reset {
            client.set_zero_linger()?;
        }
        let mut server = TcpStream::connect(self.to).await?;
        server.set_nodelay(true)?;
        if self.layer == Layer::Raw {
            return self.pass(Box::new(client), Box::new(server)).await;
        }
        if self.layer == Layer::Postgres {
            let mut request = [0; 8];
            client.read_exact(&mut request).await?;
            server.write_all(&request).await?;
            let answer = server.read_u8().await?;
            client.write_all(&[answer]).await?;
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&self.roots).flatten());
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
        let server = TlsConnector::from(Arc::new(config)).connect(name, server).await?;
        let client = TlsAcceptor::from(trusted.side(Shown::Good)).accept(client).await?;
        self.pass(Box::new(client), Box::new(server)).await
    }

    async fn pass(&self, client: Box<dyn Wire>, server: Box<dyn Wire>) -> io::Result<()> {
        let (mut from_client, mut to_client) = split(client);
        let (mut from_server, mut to_server) = split(server);
        let up = async {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
        };
        let down = async {
            let mut left = self.limit;
            let mut buffer = vec![0; 16 * 1024];
            while left > 0 {
                let count = from_server.read(&mut buffer).await?;
                if count == 0 {
                    // The peer said goodbye by itself.
                    to_client.shutdown().await?;
                    return Ok(());
                }
                let count = count.min(left);
                to_client.write_all(&buffer[..count]).await?;
                to_client.flush().await?;
                left -= count;
                self.passed.fetch_max(self.limit - left, Ordering::Relaxed);
            }
            match self.end {
                End::Close => to_client.shutdown().await?,
                End::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
                End::Stall => std::future::pending::<()>().await,
            }
            Ok::<(), io::Error>(())
        };
        tokio::select! {
            // What the client still says is nobody's any more, and the connection goes.
            result = down => result,
            () = up => Ok(()),
        }
    }

    /// The same for datagrams: each answer is cut short.
    pub fn start_udp(self) -> Peer {
        let socket = runtime().block_on(UdpSocket::bind(("127.0.0.1", 0))).expect("a port");
        let port = socket.local_addr().expect("a port").port();
        let task = runtime().spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let Ok(upstream) = UdpSocket::bind(("127.0.0.1", 0)).await else { continue };
                let mut answer = vec![0; 4096];
                if upstream.send_to(&buffer[..length], self.to).await.is_err() {
                    continue;
                }
                let Ok(Ok((count, _))) =
                    tokio::time::timeout(Duration::from_secs(1), upstream.recv_from(&mut answer)).await
                else {
                    continue;
                };
                let count = count.min(self.limit);
                self.passed.fetch_max(count, Ordering::Relaxed);
                let _ = socket.send_to(&answer[..count], client).await;
            }
        });
        Peer::new(port, Heard::default(), task)
    }
}
