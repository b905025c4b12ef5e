//! The only place that opens sockets: one protocol a file, every failure kept as data.

pub(crate) mod api;
pub(crate) mod arc;
pub(crate) mod dial;
pub(crate) mod dns;
pub(crate) mod form;
pub(crate) mod graph;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod resolver_files;
pub(crate) mod socks;
pub(crate) mod tls;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How an operation that failed is told: its outcome and the error's own words.
pub(crate) type Failed = (crate::failure::Outcome, Option<String>);

/// A DNS, TCP, TLS or PostgreSQL name as peers write it, cut to what a person can use.
pub(crate) const QUOTE: usize = 400;

/// The beginning of what a peer said, as valid text.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(QUOTE * 4)]);
    text.chars().take(QUOTE).collect()
}

/// Runs one operation within its patience.
pub(crate) async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    match tokio::time::timeout(patience, work).await {
        Ok(result) => result,
        Err(_) => {
            Err((crate::failure::Outcome::Timeout, Some(format!("no answer within {:.1} s", patience.as_secs_f64()))))
        }
    }
}

pub(crate) fn failed(error: &std::io::Error) -> Failed {
    (crate::failure::Outcome::of_io(error), Some(error.to_string()))
}

/// The source address that the kernel would choose for a destination, without a packet.
pub(crate) fn source_for(destination: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if destination.is_ipv4() {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(destination).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
