//! A hostile nameserver: a datagram for a datagram, a script for a connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};

use super::act::Act;
use super::message;
use super::peer::{self, Heard, Peer, runtime};
use super::trust::Trusted;

/// What a nameserver does.
#[derive(Clone)]
pub struct Dns {
    pub udp: fn(&[u8]) -> Vec<Vec<u8>>,
    /// Datagrams again and again, until the socket is gone.
    pub flood: bool,
    pub tcp: Vec<Act>,
}

/// Over UDP alone.
pub fn udp(udp: fn(&[u8]) -> Vec<Vec<u8>>) -> Dns {
    Dns { udp, flood: false, tcp: Vec::new() }
}

/// Truncated over UDP, then this over TCP.
pub fn tcp(tcp: Vec<Act>) -> Dns {
    let truncated = |query: &[u8]| vec![message::dns(query, 0x8380, [1, 0, 0, 0], &message::question(query))];
    Dns { udp: truncated, flood: false, tcp }
}

pub fn start(dns: &Dns, trusted: &Arc<Trusted>) -> Peer {
    // One port for both: the system chooses it for TCP, and UDP is seldom in its way.
    let (listener, socket) = runtime().block_on(async {
        loop {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            let address = listener.local_addr().expect("a port");
            if let Ok(socket) = UdpSocket::bind(address).await {
                return (listener, socket);
            }
        }
    });
    let port = listener.local_addr().expect("a port").port();
    let heard = Heard::default();
    let (dns, trusted, kept) = (dns.clone(), trusted.clone(), heard.clone());
    let task = runtime().spawn(async move {
        tokio::join!(datagrams(socket, &dns), peer::serve(listener, dns.tcp.clone(), trusted, kept));
    });
    Peer::new(port, heard, task)
}

async fn datagrams(socket: UdpSocket, dns: &Dns) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        let answers = (dns.udp)(&buffer[..length]);
        for answer in &answers {
            let _ = socket.send_to(answer, client).await;
        }
        if dns.flood {
            // Ten thousand a second, for as long as a question may live.
            for _ in 0..1000 {
                for answer in answers.iter().cycle().take(10) {
                    let _ = socket.try_send_to(answer, client);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
