//! The server: every address up to verified TLS; the first that gets there is kept for the sign-in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use super::compare::{self, Doubt};
use super::{Run, reach};
use crate::evidence::{Detail, SslRequest};
use crate::failure::Outcome;
use crate::net::dial::{self, Peer, Watch};
use crate::net::postgres::{self, Ssl};
use crate::net::tls::{Verified, handshake};
use crate::verb::SERVER;

/// A connection whose certificate was verified. It can be taken once: one address gets the token.
pub(super) struct Open(Mutex<Option<(Verified<TlsStream<TcpStream>>, SocketAddr)>>);

impl Open {
    /// The connection and the address that it is with.
    pub(super) fn take(&self) -> Option<(Verified<TlsStream<TcpStream>>, SocketAddr)> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
    }
}

pub(super) async fn run(run: Arc<Run>) {
    let Some(giver) = run.server.giver() else { return };
    let Some((host, port)) = run.host(SERVER) else { return };
    let mut giver = Some(giver);
    let mut addresses = JoinSet::new();
    for (peer, dialled) in reach::peers(&run, SERVER, &host, port).await {
        let (run, host) = (run.clone(), host.clone());
        addresses.spawn(async move { Some((one(run, host, peer, dialled).await?, peer)) });
    }
    while let Some(opened) = addresses.join_next().await {
        if let Ok(Some(verified)) = opened
            && let Some(giver) = giver.take()
        {
            let _ = giver.send(Some(Some(Arc::new(Open(Mutex::new(Some(verified)))))));
        }
    }
    if let Some(giver) = giver {
        let _ = giver.send(Some(None));
    }
}

/// One address; a connection that was cut is tried once more, for one attempt proves nothing.
async fn one(
    run: Arc<Run>,
    host: String,
    peer: SocketAddr,
    dialled: SocketAddr,
) -> Option<Verified<TlsStream<TcpStream>>> {
    for _ in 0..2 {
        let to = Peer { subject: SERVER, host: &host, address: peer, dialled, proxy: false };
        let stream =
            compare::beside_port(&run, &host, peer, dial::tcp(&run.recorder, &to, run.patience())).await.ok()?;
        match secured(&run, &host, (peer, dialled), stream).await {
            Ok(verified) => return Some(verified),
            Err(Outcome::Reset | Outcome::Closed) => {}
            Err(_) => return None,
        }
    }
    None
}

async fn secured(
    run: &Run,
    host: &str,
    (peer, dialled): (SocketAddr, SocketAddr),
    mut stream: TcpStream,
) -> Result<Verified<TlsStream<TcpStream>>, Outcome> {
    let detail = SslRequest { peer, answer: None, server_error: None, acknowledged: None };
    let mut pending = run.recorder.begin(SERVER, format!("SSLRequest to {peer}"), Detail::SslRequest(detail));
    let answer = postgres::request_ssl(&mut stream, run.patience()).await;
    let Detail::SslRequest(detail) = &mut pending.detail else { return Err(Outcome::Other) };
    let (outcome, error) = match answer {
        Ok(Ssl::Accepted) => {
            detail.answer = Some("S".to_owned());
            (Outcome::Ok, None)
        }
        Ok(Ssl::Refused) => {
            detail.answer = Some("N".to_owned());
            (Outcome::Rejected, Some("the server speaks no TLS".to_owned()))
        }
        Ok(Ssl::Error(error)) => {
            detail.answer = Some("E".to_owned());
            let text = error.message.clone();
            detail.server_error = Some(*error);
            (Outcome::Rejected, Some(text))
        }
        Ok(Ssl::ExtraBytes) => (Outcome::TooLarge, Some("bytes in clear behind the answer to SSLRequest".to_owned())),
        Ok(Ssl::NotPostgres(said)) => {
            detail.answer = Some(said);
            (Outcome::Garbage, Some("the answer to SSLRequest is not PostgreSQL's".to_owned()))
        }
        Err(failure) => {
            if failure.0 == Outcome::Timeout {
                detail.acknowledged = Watch::of(&stream).as_ref().and_then(Watch::acknowledged);
            }
            failure
        }
    };
    pending.end(outcome, error);
    if !outcome.is_ok() {
        return Err(outcome);
    }
    let trust = run.trust().await;
    let doubt = Doubt { subject: SERVER.to_owned(), host: host.to_owned(), peer, dialled, postgres: true };
    let watch = Watch::of(&stream);
    let shaken = handshake(&run.recorder, SERVER, (stream, Some(peer)), host, (&trust, true), run.patience(), watch);
    compare::beside(run, &doubt, shaken).await
}
