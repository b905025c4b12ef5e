//! A SOCKS5 proxy (RFC 1928, RFC 1929). Its tunnels lead to the lab's own sockets and nowhere else.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{farewell, linger};
use crate::proxy::Proxy;
use crate::scenario::ProxyMode;

impl Proxy {
    /// One client. `None` when it went away or said something else than SOCKS5.
    pub(crate) async fn socks<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Option<()> {
        match self.mode {
            ProxyMode::Garbage => {
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await;
                farewell(stream).await;
                return None;
            }
            ProxyMode::WebServer => {
                let _ =
                    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n").await;
                farewell(stream).await;
                return None;
            }
            _ => {}
        }
        if !self.greeted(stream).await? {
            farewell(stream).await;
            return None;
        }
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.ok()?;
        let host = match head[3] {
            1 => std::net::Ipv4Addr::from(stream.read_u32().await.ok()?).to_string(),
            4 => format!("[{}]", std::net::Ipv6Addr::from(stream.read_u128().await.ok()?)),
            _ => {
                let length = usize::from(stream.read_u8().await.ok()?);
                let mut name = vec![0; length];
                stream.read_exact(&mut name).await.ok()?;
                String::from_utf8_lossy(&name).to_ascii_lowercase()
            }
        };
        let port = stream.read_u16().await.ok()?;
        let named = head[3] == 3;
        let reply = match self.mode {
            ProxyMode::Stalls => {
                linger(stream).await;
                return None;
            }
            ProxyMode::HangsUp => {
                farewell(stream).await;
                return None;
            }
            ProxyMode::Denied => 2,
            ProxyMode::BadGateway => 4,
            ProxyMode::Unavailable => 1,
            ProxyMode::NoNames if named => 8,
            _ => 0,
        };
        let destination = format!("{host}:{port}");
        let tunnel = self.tunnels.iter().find(|tunnel| tunnel.destination == destination).map(|tunnel| tunnel.to);
        let (reply, to) = match (reply, tunnel) {
            (0, Some(to)) => (0, Some(to)),
            (0, None) => (4, None),
            (reply, _) => (reply, None),
        };
        let behind = match to {
            Some(to) => tokio::time::timeout(Duration::from_secs(30), TcpStream::connect(to)).await,
            None => {
                let _ = stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await;
                farewell(stream).await;
                return None;
            }
        };
        let Ok(Ok(mut behind)) = behind else {
            let _ = stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
            farewell(stream).await;
            return None;
        };
        let _ = behind.set_nodelay(true);
        stream.write_all(&[5, 0, 0, 1, 10, 0, 0, 1, 4, 56]).await.ok()?;
        tokio::io::copy_bidirectional(stream, &mut behind).await.ok()?;
        Some(())
    }

    /// The greeting and, where it is wanted, the sign-in.
    async fn greeted<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Option<bool> {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.ok()?;
        let mut methods = vec![0; usize::from(head[1])];
        stream.read_exact(&mut methods).await.ok()?;
        if head[0] != 5 {
            return Some(false);
        }
        if self.mode != ProxyMode::Auth {
            stream.write_all(&[5, 0]).await.ok()?;
            return Some(true);
        }
        if !methods.contains(&2) {
            stream.write_all(&[5, 0xFF]).await.ok()?;
            return Some(false);
        }
        stream.write_all(&[5, 2]).await.ok()?;
        stream.read_u8().await.ok()?;
        let mut texts = Vec::new();
        for _ in 0..2 {
            let mut text = vec![0; usize::from(stream.read_u8().await.ok()?)];
            stream.read_exact(&mut text).await.ok()?;
            texts.push(text);
        }
        let right = texts[0] == self.user.as_bytes() && texts[1] == self.password.as_bytes();
        stream.write_all(&[1, u8::from(!right)]).await.ok()?;
        Some(right)
    }
}
