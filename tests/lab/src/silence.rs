//! Ports that give no answer to SYN, ports that refuse, on loopback and without privileges.
//!
//! A listening socket whose accept queue is full drops further SYNs: that is the silence of a firewall rule or of a route to nowhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// More connections than a backlog of zero can hold.
const FILL: usize = 8;

/// A TCP port that drops every SYN.
pub struct Silence {
    listener: Socket,
    _queue: Vec<TcpStream>,
}

impl Silence {
    /// # Errors
    /// When the port cannot be had, or still answers.
    pub fn new(port: u16) -> io::Result<Silence> {
        let listener = bind(port, Type::STREAM)?;
        listener.listen(0)?;
        let address = address(&listener)?;
        let mut queue = Vec::new();
        for _ in 0..FILL {
            match TcpStream::connect_timeout(&address, Duration::from_millis(40)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(Silence { listener, _queue: queue });
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("a full accept queue still answers here"))
    }

    pub fn port(&self) -> io::Result<u16> {
        Ok(address(&self.listener)?.port())
    }
}

/// A TCP port that answers with RST: bound, so that nobody else gets it, but not listening.
pub struct Refusal(Socket);

impl Refusal {
    /// # Errors
    /// When the port cannot be had.
    pub fn new(port: u16) -> io::Result<Refusal> {
        bind(port, Type::STREAM).map(Refusal)
    }

    pub fn port(&self) -> io::Result<u16> {
        Ok(address(&self.0)?.port())
    }
}

/// A UDP port that answers with ICMP port unreachable: its socket speaks to one peer only, which never speaks.
pub struct UdpRefusal(Socket);

impl UdpRefusal {
    /// # Errors
    /// When no port can be had.
    pub fn new() -> io::Result<UdpRefusal> {
        let socket = bind(0, Type::DGRAM)?;
        socket.connect(&SocketAddr::from((Ipv4Addr::new(127, 255, 255, 254), 9)).into())?;
        Ok(UdpRefusal(socket))
    }

    pub fn port(&self) -> io::Result<u16> {
        Ok(address(&self.0)?.port())
    }
}

fn bind(port: u16, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

fn address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn silence_is_silent() {
        let silence = Silence::new(0).expect("a silent port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, silence.port().expect("port")));
        for _ in 0..5 {
            let error = TcpStream::connect_timeout(&address, Duration::from_millis(200)).expect_err("no answer");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[test]
    fn refusals_refuse() {
        let refusal = Refusal::new(0).expect("a port");
        let error = TcpStream::connect((Ipv4Addr::LOCALHOST, refusal.port().expect("port"))).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

        let refusal = UdpRefusal::new().expect("a port");
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.connect((Ipv4Addr::LOCALHOST, refusal.port().expect("port"))).expect("connected");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        socket.send(b"?").expect("sent");
        assert_eq!(socket.recv(&mut [0; 8]).expect_err("refused").kind(), io::ErrorKind::ConnectionRefused);
    }
}
