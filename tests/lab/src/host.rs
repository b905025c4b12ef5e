//! A host of Entra: TLS, then HTTP, each healthy or spoilt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::entra::Entra;
use crate::graph::Graph;
use crate::http::{self, Request, Response, farewell, linger};
use crate::pages;
use crate::plan::Role;
use crate::scenario::{EntraMode, Http};
use crate::tap::{Ledger, Tap};
use crate::tls::Side;

/// More than any polite answer.
const HUGE: usize = 64 * 1024 * 1024;

pub struct Host {
    pub role: Role,
    pub name: String,
    pub side: Side,
    pub http: Http,
    /// How many requests are spoilt; 0: all.
    pub times: u32,
    pub asked: AtomicU32,
    pub date_offset: i64,
    pub entra: Entra,
    pub graph: Graph,
    pub ledger: Ledger,
    pub seed: u64,
}

impl Host {
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let host = self.clone();
            tokio::spawn(async move { host.converse(stream).await });
        }
    }

    async fn converse(&self, stream: TcpStream) {
        self.side.prepare(&stream);
        let record = self.ledger.open(self.role.name());
        let Some(stream) = self.side.accept(Tap::new(stream, record.clone())).await else { return };
        let mut stream = Tap::new(stream, record);
        let mut buffer = Vec::new();
        while let Some(request) = http::read(&mut stream, &mut buffer).await {
            if !self.answer(&mut stream, &request).await {
                return;
            }
        }
        farewell(&mut stream).await;
    }

    /// Answers; `false` when that was the last word.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, request: &Request) -> bool {
        // Pages are the same at every question of a run.
        let mut rng = Rng::with_seed(self.seed);
        if self.http == Http::Ok && self.role == Role::Login {
            match self.entra.mode(request) {
                EntraMode::Ok => {}
                EntraMode::Silent => {
                    linger(stream).await;
                    return false;
                }
                EntraMode::Closed => {
                    farewell(stream).await;
                    return false;
                }
            }
        }
        if self.role == Role::Graph && self.http == Http::Ok && self.graph.is_silent(request) {
            linger(stream).await;
            return false;
        }
        let well = self.times > 0 && self.asked.fetch_add(1, Ordering::Relaxed) >= self.times;
        let response = match if well { Http::Ok } else { self.http } {
            Http::Ok if self.role == Role::Graph => self.graph.answer(request, &mut rng),
            Http::Ok => self.entra.answer(request, &mut rng),
            Http::Html => pages::ordinary(&mut rng),
            Http::BlockPage => pages::block_page(&mut rng, &self.name),
            Http::AzureFirewall => pages::azure_firewall(&mut rng, &self.name),
            Http::Redirect => pages::portal(&self.name, &self.entra.names.company),
            Http::Forbidden => pages::status(403, "Forbidden"),
            Http::NotFound => pages::status(404, "Not Found"),
            Http::TooManyRequests => Response::json(
                429,
                &serde_json::json!({ "error": { "code": "TooManyRequests", "message": "Too many requests" } }),
            )
            .with("Retry-After", "30"),
            Http::InternalError => pages::status(500, "Internal Server Error"),
            Http::Unavailable => pages::status(503, "Service Unavailable").with("Retry-After", "10"),
            Http::EmptyJson => Response::new(200, "application/json", "{}"),
            Http::Silent => {
                linger(stream).await;
                return false;
            }
            Http::Closed => {
                farewell(stream).await;
                return false;
            }
            Http::Garbage => {
                let _ = stream.write_all(b"\x00\x01\x02SMTP? 220 ready\r\n\x1b[31mnot HTTP\r\n\r\n").await;
                farewell(stream).await;
                return false;
            }
            Http::Huge => {
                let head = Response::new(200, "application/json", "").head(self.date_offset, HUGE);
                let _ = stream.write_all(&head).await;
                let piece = vec![b' '; 64 * 1024];
                for _ in 0..HUGE / piece.len() {
                    if stream.write_all(&piece).await.is_err() {
                        return false;
                    }
                }
                return false;
            }
            Http::Drip => {
                let head = Response::new(200, "application/json", "").head(self.date_offset, HUGE);
                let _ = stream.write_all(&head).await;
                while stream.write_all(b" ").await.is_ok() && stream.flush().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                return false;
            }
        };
        response.write(stream, self.date_offset).await.is_ok()
    }
}
