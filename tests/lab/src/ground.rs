//! What carries a world's packets: where its peers listen, and how the program gets there.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, UdpSocket};

use crate::ca::Chain;
use crate::command::Command;
use crate::names::Names;
use crate::plan::{Plan, Role};
use crate::scenario::{Key, Nameserver, Proxy, Scenario, Tcp};

/// One carrier. Its sockets are made by its methods only, within the world's runtime.
pub(crate) trait Ground: Send {
    /// Makes the ground ready for what will stand on it.
    fn lay(&mut self, scenario: &Scenario, names: &Names, plans: &[Plan]) -> io::Result<()>;

    /// Every nameserver of the world, in the machine's order.
    fn nameservers(&self, scenario: &Scenario) -> Vec<Nameserver> {
        if scenario.nameserver.is_empty() { vec![Nameserver::default()] } else { scenario.nameserver.clone() }
    }

    /// Where the nameserver at this place listens.
    fn nameserver(&mut self, place: usize, behaviour: &Nameserver) -> io::Result<Ears>;

    /// Where a name's service listens: behind all its addresses, or behind the one at this place.
    fn service(&mut self, role: Role, place: Option<usize>) -> io::Result<Vec<TcpListener>>;

    /// Where PostgreSQL listens beside its pooler, if this ground has room for it.
    fn beside_pooler(&mut self) -> io::Result<Vec<TcpListener>> {
        Ok(Vec::new())
    }

    /// Where the metadata service listens, if it does.
    fn metadata(&mut self, fate: Tcp) -> io::Result<Option<TcpListener>>;

    /// Leaves the key of Azure Arc's agent where the agent leaves it.
    fn key(&mut self, _key: Key, _text: &str, _realm: &str) -> io::Result<()> {
        Ok(())
    }

    /// Where the proxy is, and where it listens, if it does.
    fn proxy(&mut self, fate: Tcp) -> io::Result<(SocketAddr, Option<TcpListener>)>;

    /// A real proxy in the lab's place: where it is. `None`: none was asked for.
    fn real_proxy(&mut self, _wanted: &Proxy, _named: (&str, &str, &str)) -> io::Result<Option<SocketAddr>> {
        Ok(None)
    }

    /// A real PostgreSQL in the place of one address of the lab's server: whether one was asked for.
    fn real_server(&mut self, _place: usize, _chain: &Chain, _user: &str, _token: &str) -> io::Result<bool> {
        Ok(false)
    }

    /// What a tunnel of the proxy leads to: one address of a name, or the first one.
    fn behind_proxy(&self, plan: &Plan, address: Option<IpAddr>) -> SocketAddr;

    /// Points the program at this world.
    fn point(&self, command: &mut Command<'_>);
}

/// The sockets of a nameserver.
#[derive(Default)]
pub(crate) struct Ears {
    pub udp: Option<UdpSocket>,
    pub tcp: Option<TcpListener>,
}

/// Listens there.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address);
    tcp(listener.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?)
}

/// Receives there.
pub(crate) fn receive(address: SocketAddr) -> io::Result<UdpSocket> {
    udp(std::net::UdpSocket::bind(address)?)
}

pub(crate) fn tcp(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

pub(crate) fn udp(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}
