//! A CONNECT proxy as Squid is one. Tunnels lead to the lab's own sockets and nowhere else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::http::{self, Request, Response, farewell, linger};
use crate::scenario::{ProxyKind, ProxyMode};
use crate::tap::{Ledger, Tap};

/// Where a tunnel may lead: a name or an address with a port, and the lab's socket behind it.
#[derive(Clone, Debug)]
pub struct Tunnel {
    pub destination: String,
    pub to: SocketAddr,
}

pub struct Proxy {
    pub kind: ProxyKind,
    pub mode: ProxyMode,
    /// How many requests are spoilt; 0: all.
    pub times: u32,
    pub asked: AtomicU32,
    pub host: String,
    pub user: String,
    pub password: String,
    pub tunnels: Vec<Tunnel>,
    pub date_offset: i64,
    pub ledger: Ledger,
}

impl Proxy {
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let proxy = self.clone();
            tokio::spawn(async move { proxy.converse(stream).await });
        }
    }

    async fn converse(&self, stream: TcpStream) {
        let mut stream = Tap::new(stream, self.ledger.open("proxy"));
        if self.kind != ProxyKind::Http {
            let _ = self.socks(&mut stream).await;
            return;
        }
        let mut buffer = Vec::new();
        let Some(request) = http::read(&mut stream, &mut buffer).await else { return };
        let well = self.times > 0 && self.asked.fetch_add(1, Ordering::Relaxed) >= self.times;
        let mode = if well { ProxyMode::Ok } else { self.mode };
        match mode {
            ProxyMode::Stalls => return linger(&mut stream).await,
            ProxyMode::HangsUp => return farewell(&mut stream).await,
            ProxyMode::Garbage => {
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await;
                return farewell(&mut stream).await;
            }
            _ => {}
        }
        let to = match self.decide(mode, &request) {
            Ok(to) => to,
            Err(response) => {
                let _ = response.with("Connection", "close").write(&mut stream, self.date_offset).await;
                return farewell(&mut stream).await;
            }
        };
        let connected = tokio::time::timeout(Duration::from_secs(30), TcpStream::connect(to)).await;
        let Ok(Ok(mut behind)) = connected else {
            let _ = self
                .error(503, "ERR_CONNECT_FAIL 110", "The system returned: (110) Connection timed out")
                .write(&mut stream, self.date_offset)
                .await;
            return farewell(&mut stream).await;
        };
        let _ = behind.set_nodelay(true);
        if stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err()
            || behind.write_all(&buffer).await.is_err()
        {
            return;
        }
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
    }

    /// The lab's port for this request, or what the proxy answers instead.
    fn decide(&self, mode: ProxyMode, request: &Request) -> Result<SocketAddr, Response> {
        if mode == ProxyMode::WebServer {
            let page = "<html><head><title>405 Not Allowed</title></head><body><center><h1>405 Not Allowed</h1></center><hr><center>nginx</center></body></html>";
            return Err(Response::new(405, "text/html", page).with("Server", "nginx"));
        }
        if request.method != "CONNECT" {
            return Err(self.error(400, "ERR_INVALID_URL 0", "Invalid URL"));
        }
        match mode {
            ProxyMode::Auth if !self.knows(request) => {
                let refusal = self.error(407, "ERR_CACHE_ACCESS_DENIED 0", "Cache Access Denied.");
                return Err(refusal.with("Proxy-Authenticate", "Basic realm=\"Squid proxy-caching web server\""));
            }
            ProxyMode::Denied => return Err(self.error(
                403,
                "ERR_ACCESS_DENIED 0",
                "Access Denied. Access control configuration prevents your request from being allowed at this time.",
            )),
            ProxyMode::BadGateway => {
                return Err(self.error(
                    502,
                    "ERR_READ_ERROR 104",
                    "The system returned: (104) Connection reset by peer",
                ));
            }
            ProxyMode::Unavailable => {
                return Err(self.error(503, "ERR_DNS_FAIL 0", "Unable to determine IP address from host name"));
            }
            _ => {}
        }
        let destination = request.target.to_ascii_lowercase();
        let tunnel = self.tunnels.iter().find(|tunnel| tunnel.destination == destination);
        tunnel
            .map(|tunnel| tunnel.to)
            .ok_or_else(|| self.error(503, "ERR_DNS_FAIL 0", "Unable to determine IP address from host name"))
    }

    fn knows(&self, request: &Request) -> bool {
        let right = format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)));
        request.header("proxy-authorization") == Some(&right)
    }

    fn error(&self, status: u16, code: &str, text: &str) -> Response {
        let page = format!(
            "<!DOCTYPE html>\n<html><head><title>ERROR: The requested URL could not be retrieved</title></head>\n<body id=\"{}\"><h1>ERROR</h1><h2>The requested URL could not be retrieved</h2><p>{text}</p><p>Generated by {} (squid/5.7)</p></body></html>\n",
            code.split(' ').next().unwrap_or_default(),
            self.host,
        );
        Response::new(status, "text/html;charset=utf-8", page)
            .with("Server", "squid/5.7")
            .with("X-Squid-Error", code)
            .with("X-Cache", &format!("MISS from {}", self.host))
            .with("Via", &format!("1.1 {} (squid/5.7)", self.host))
    }
}
