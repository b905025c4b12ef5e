//! TCP to one address, with the errno kept and a fast failure tried twice.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::{failed, within};
use crate::evidence::{Detail, IcmpError, Recorder, TcpConnect};
use crate::failure::Outcome;

/// A word needs two attempts that agree; the second comes after a pause that outlasts a blink of the peer.
const PAUSE: Duration = Duration::from_millis(150);

/// What every IPv4 path carries (RFC 1122, 3.3.3: 576 bytes less headers).
const SMALL: u32 = 536;

/// Whom to dial: the peer by name, address and where `--connect-to` leads.
pub(crate) struct Peer<'a> {
    pub(crate) subject: &'a str,
    pub(crate) host: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) dialled: SocketAddr,
    pub(crate) proxy: bool,
}

/// Connects, keeping how it went. `None` when it failed.
pub(crate) async fn tcp(recorder: &Recorder, peer: &Peer<'_>, patience: Duration) -> Result<TcpStream, Outcome> {
    let detail = TcpConnect { peer: peer.address, dialled: peer.dialled, local: None, proxy: peer.proxy, icmp: None };
    let mut pending =
        recorder.begin(peer.subject, format!("TCP to {} ({})", peer.host, peer.address), Detail::TcpConnect(detail));
    let began = tokio::time::Instant::now();
    let (mut icmp, mut local) = (None, None);
    let result = within(patience, async {
        loop {
            match listening(peer.dialled, &mut icmp, &mut local).await {
                Ok(stream) => return Ok(stream),
                // A refusal that took long (a router that finds no neighbour says so after three seconds) would be lost in the silence of a second attempt.
                Err(error) if pending.attempts > 1 || began.elapsed() > patience / 2 => return Err(failed(&error)),
                Err(_) => {
                    pending.attempts += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
    .await;
    if let Detail::TcpConnect(detail) = &mut pending.detail {
        (detail.icmp, detail.local) = (icmp, local);
    }
    match result {
        Ok(stream) => {
            // Small messages must not wait for each other: TLS tickets and login steps would cost 40 ms each.
            let _ = stream.set_nodelay(true);
            pending.end(Outcome::Ok, None);
            Ok(stream)
        }
        Err((outcome, error)) => {
            pending.end(outcome, error);
            Err(outcome)
        }
    }
}

/// Connects while listening for the ICMP error that ends it: it tells a router's word from the peer's and from this machine's own.
pub(crate) async fn listening(
    address: SocketAddr,
    icmp: &mut Option<IcmpError>,
    local: &mut Option<IpAddr>,
) -> std::io::Result<TcpStream> {
    let socket = socket(address)?;
    // Connecting takes the socket; another handle of it stays to be asked.
    let ear = socket.as_fd().try_clone_to_owned().ok();
    super::host::keep_icmp(socket.as_fd(), address.is_ipv6(), ear.is_some());
    let connected = socket.connect(address).await;
    let own = ear.as_ref().and_then(|ear| socket2::SockRef::from(ear).local_addr().ok()?.as_socket());
    *local = own.map(|own| own.ip()).filter(|own| !own.is_unspecified());
    match &connected {
        Ok(stream) => super::host::keep_icmp(stream.as_fd(), address.is_ipv6(), false),
        Err(_) => {
            let heard = ear.and_then(|ear| super::host::icmp_error(ear.as_fd()));
            *icmp = heard.map(|icmp| IcmpError { to: *local, ..icmp });
        }
    }
    connected
}

fn socket(address: SocketAddr) -> std::io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// A connection on which both sides send segments of at most [`SMALL`] bytes, made once and kept by nobody but its user.
pub(crate) async fn small_segments(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket(address)?;
    socket2::SockRef::from(&socket).set_tcp_mss(SMALL)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One more connection, for a comparison.
pub(crate) async fn again(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A second handle of a connection, by which its state is seen after whoever spoke on it gave up.
pub(crate) struct Watch(OwnedFd);

impl Watch {
    pub(crate) fn of(stream: &TcpStream) -> Option<Watch> {
        stream.as_fd().try_clone_to_owned().ok().map(Watch)
    }

    /// Whether the peer's TCP has acknowledged all that was sent; `None` where the kernel does not say.
    pub(crate) fn acknowledged(&self) -> Option<bool> {
        super::host::acknowledged(self.0.as_fd())
    }
}

/// A connection whose SYN may pass so many hops: a refusal that still comes was born no farther away.
pub(crate) async fn hops(address: SocketAddr, hops: u32) -> std::io::Result<TcpStream> {
    let socket = socket(address)?;
    let limits = socket2::SockRef::from(&socket);
    if address.is_ipv4() {
        limits.set_ttl_v4(hops)?
    } else {
        limits.set_unicast_hops_v6(hops)?
    }
    socket.connect(address).await
}
