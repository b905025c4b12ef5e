//! A control destination: another public host on the same path, asked only where a host of Entra is in doubt. It decides nothing alone.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Run, reach, resolve};
use crate::net::dial::{self, Peer};
use crate::net::tls::handshake;
use crate::target::connect_to::fixed;
use crate::verb::CONTROL;

/// One address that answers is enough; a single one might be out of service.
const ADDRESSES: usize = 3;

pub(super) async fn run(run: Arc<Run>, subject: String) {
    let doubts = run.doubts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(mut doubts) = doubts
        && doubts.recv().await.is_none()
    {
        return;
    }
    // Outside Azure nobody is contacted whom the user did not name.
    if subject == CONTROL && run.in_azure.wait().await != Some(true) {
        return;
    }
    let Some((host, port)) = run.host(&subject) else { return };
    // Through a proxy it would be another path.
    if run.target.proxies.route(&host).proxy.is_some() {
        return;
    }
    // The hosts in doubt have used up a third of the patience; this ends when they do.
    let patience = run.patience() / 2;
    let until = Instant::now() + patience;
    let mut connects = JoinSet::new();
    for (peer, dialled) in peers(&run, &host, port).await.into_iter().take(ADDRESSES) {
        let (run, subject, host) = (run.clone(), subject.clone(), host.clone());
        connects.spawn(async move {
            let to = Peer { subject: &subject, host: &host, address: peer, dialled, proxy: false };
            dial::tcp(&run.recorder, &to, patience).await.ok().map(|stream| (stream, peer))
        });
    }
    let mut accepted: Option<(TcpStream, SocketAddr)> = None;
    while let (None, Some(connected)) = (&accepted, connects.join_next().await) {
        accepted = connected.ok().flatten();
    }
    let Some((stream, peer)) = accepted else { return };
    let trust = run.trust().await;
    let left = until.saturating_duration_since(Instant::now()).max(patience / 4);
    let _ = handshake(&run.recorder, &subject, (stream, Some(peer)), &host, (&trust, false), left, None).await;
}

async fn peers(run: &Run, host: &str, port: u16) -> Vec<(SocketAddr, SocketAddr)> {
    if let Some(address) = fixed(&run.target.connect_to, host, port) {
        return vec![(address, address)];
    }
    let addresses = resolve::aside(run, "control-name", host).await;
    addresses.into_iter().map(|address| reach::at(run, host, SocketAddr::new(address, port))).collect()
}
