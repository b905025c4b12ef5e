//! Comparisons beside a doubtful handshake, each with one thing changed. They run while it is still waited for.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Run;
use super::reach::{self, Place, SHARE};
use crate::evidence::{Changed, Comparison, Detail};
use crate::failure::Outcome;
use crate::net::Failed;
use crate::net::postgres::{self, Ssl};
use crate::net::{dial, failed, proxy, tls, within};
use crate::target::Target;
use crate::target::connect_to::fixed;

/// A name of Microsoft that filters by name commonly let through.
const OTHER_NAME: &str = "www.microsoft.com";

/// Whom a doubtful handshake was with.
#[derive(Clone)]
pub(super) struct Doubt {
    pub(super) subject: String,
    pub(super) host: String,
    pub(super) peer: SocketAddr,
    pub(super) dialled: SocketAddr,
    /// True when TLS comes after SSLRequest.
    pub(super) postgres: bool,
}

/// Runs `work`; when it has not ended after a third of the patience, compares while going on.
pub(super) async fn beside<T, E>(run: &Run, doubt: &Doubt, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let patience = run.patience();
    let compare = async {
        tokio::time::sleep(patience / SHARE).await;
        // Over before the handshake's own patience is, so that both have spoken.
        let left = patience / 2;
        let repeated = |changed| once_more(run, doubt, changed, left);
        tokio::join!(repeated(Changed::SmallSegments), repeated(Changed::Nothing), async {
            if !doubt.postgres {
                other_name(run, doubt, left).await;
            }
        });
    };
    tokio::pin!(work);
    tokio::pin!(compare);
    let begun = Instant::now();
    tokio::select! {
        biased;
        done = &mut work => {
            // A comparison that has begun is heard out where its answer matters.
            if done.is_err() && begun.elapsed() > patience / SHARE {
                compare.await;
            }
            done
        }
        () = &mut compare => work.await,
    }
}

/// Makes one comparison, and keeps how it ended.
async fn made(
    run: &Run,
    subject: &str,
    comparison: Comparison,
    patience: Duration,
    work: impl Future<Output = Result<Failed, Failed>>,
) {
    let pending = run.recorder.begin(subject, "", Detail::Comparison(comparison));
    let (outcome, error) = within(patience, work).await.unwrap_or_else(|failure| failure);
    pending.end(outcome, error);
}

/// The same address with another server name: whoever cuts by name lets this one pass.
pub(super) async fn other_name(run: &Run, doubt: &Doubt, patience: Duration) {
    let trust = run.trust().await;
    let comparison = Comparison::new(Changed::OtherName, doubt.peer, OTHER_NAME);
    made(run, &doubt.subject, comparison, patience, async {
        let stream = dial::again(doubt.dialled).await.map_err(|error| failed(&error))?;
        Ok(tls::answers(stream, OTHER_NAME, &trust).await)
    })
    .await;
}

/// The same handshake once more, in small segments or as it was: what loses large packets lets only the small ones pass, and what loses now
/// and then lets both.
async fn once_more(run: &Run, doubt: &Doubt, changed: Changed, patience: Duration) {
    let trust = run.trust().await;
    let comparison = Comparison::new(changed, doubt.peer, &doubt.host);
    made(run, &doubt.subject, comparison, patience, async {
        let stream = match changed {
            Changed::SmallSegments => dial::small_segments(doubt.dialled).await,
            _ => dial::again(doubt.dialled).await,
        };
        let mut stream = stream.map_err(|error| failed(&error))?;
        if doubt.postgres && !matches!(postgres::request_ssl(&mut stream, patience).await?, Ssl::Accepted) {
            return Ok((Outcome::Rejected, None));
        }
        Ok(tls::answers(stream, &doubt.host, &trust).await)
    })
    .await;
}

/// A host that NO_PROXY exempts and that is in doubt: the way through the proxy, for comparison.
pub(super) fn through_exempted(asides: &mut JoinSet<()>, place: &Place) {
    let proxies = &place.run.target.proxies;
    if proxies.proxy.is_some() && proxies.route(&place.host).proxy.is_none() {
        let place = place.clone();
        asides.spawn(async move { through_proxy(&place).await });
    }
}

async fn through_proxy(place: &Place) {
    let run = &place.run;
    let Some(proxy) = &run.target.proxies.proxy else { return };
    let Some(address) = run.proxy_addresses(proxy).await.first().copied() else { return };
    let Some(goal) = reach::goal(run, proxy, place).await else { return };
    let peer = SocketAddr::new(address, proxy.port);
    let trust = run.trust().await;
    let comparison = Comparison::new(Changed::ThroughProxy, peer, &place.host);
    made(run, &place.subject, comparison, run.patience() / 2, async {
        let mut stream = dial::again(peer).await.map_err(|error| failed(&error))?;
        proxy::tunnel(&mut stream, proxy, &goal, &mut proxy::Said::default()).await?;
        Ok(tls::answers(stream, &place.host, &trust).await)
    })
    .await;
}

/// A host behind a proxy that fails: the direct way, for comparison. Two addresses are enough to tell.
pub(super) async fn beside_proxy(place: &Place) {
    let peers = reach::peers(&place.run, &place.subject, &place.host, place.port).await;
    let mut attempts = JoinSet::new();
    for (peer, dialled) in peers.into_iter().take(2) {
        let place = place.clone();
        attempts.spawn(async move {
            let run = &place.run;
            let trust = run.trust().await;
            let comparison = Comparison::new(Changed::BesideProxy, peer, &place.host);
            made(run, &place.subject, comparison, run.patience() / 2, async {
                let stream = dial::again(dialled).await.map_err(|error| failed(&error))?;
                Ok(tls::answers(stream, &place.host, &trust).await)
            })
            .await;
        });
    }
    while attempts.join_next().await.is_some() {}
}

/// At so many addresses that stay silent another flow is tried, and so often at each.
const SILENT: usize = 4;
const FLOWS: usize = 4;

/// Addresses that stay silent while others of the same name accept: more connections, from other source ports. Whoever drops by
/// flow (one of several appliances, ports that are used up) lets some of them pass; whoever drops by address lets none.
pub(super) fn other_flows(asides: &mut JoinSet<()>, place: &Place, silent: &[(SocketAddr, SocketAddr)]) {
    for (peer, dialled) in silent.iter().take(SILENT).copied() {
        for _ in 0..FLOWS {
            let changed = Comparison::new(Changed::OtherFlow, peer, &place.host);
            let patience = place.run.patience() / 2;
            asides.spawn(connects(place.clone(), changed, patience, async move { dial::again(dialled).await }));
        }
    }
}

/// HTTP without TLS, which hosts of Entra answer with a redirect.
pub(super) const PLAIN: u16 = 80;
/// The port whose rules are in question.
const TLS: u16 = 443;
/// At so many silent addresses the plain port is tried.
const PLAIN_AT: usize = 2;

/// Where somebody says whither 443 of a host leads, 80 would be another path.
pub(super) fn asks_plain(target: &Target, host: &str, port: u16) -> bool {
    port == TLS && fixed(&target.connect_to, host, port).is_none()
}

/// Addresses that are all silent on 443: a route knows no ports, a rule does.
pub(super) fn plain_port(asides: &mut JoinSet<()>, place: &Place, silent: &[(SocketAddr, SocketAddr)]) {
    if !asks_plain(&place.run.target, &place.host, place.port) {
        return;
    }
    for (peer, _) in silent.iter().take(PLAIN_AT) {
        let (peer, dialled) = reach::at(&place.run, &place.host, SocketAddr::new(peer.ip(), PLAIN));
        asides.spawn(plainly(place.clone(), peer, dialled));
    }
}

/// One connection to the plain port. A missing neighbour has few packets kept for it, and one of these may be among them.
async fn plainly(place: Place, peer: SocketAddr, dialled: SocketAddr) {
    let run = &place.run;
    let comparison = Comparison::new(Changed::OtherPort, peer, &place.host);
    let mut pending = run.recorder.begin(&place.subject, "", Detail::Comparison(comparison.clone()));
    let (mut icmp, mut local) = (None, None);
    let connected = within(run.patience() / 2, accepted(dial::listening(dialled, &mut icmp, &mut local))).await;
    pending.detail = Detail::Comparison(Comparison { icmp, ..comparison });
    let (outcome, error) = connected.unwrap_or_else(|failure| failure);
    pending.end(outcome, error);
}

/// So far away a refusal is looked for.
const HOPS: u32 = 8;

/// A refusal, hop by hop: at one hop only this machine and its first neighbour can refuse. On loopback there are no hops.
pub(super) fn few_hops(asides: &mut JoinSet<()>, place: &Place, (peer, dialled): (SocketAddr, SocketAddr)) {
    if dialled.ip().is_loopback() {
        return;
    }
    for hops in 1..=HOPS {
        let changed = Comparison { hops: Some(hops), ..Comparison::new(Changed::FewHops, peer, &place.host) };
        let patience = place.run.patience() / SHARE;
        asides.spawn(connects(place.clone(), changed, patience, async move { dial::hops(dialled, hops).await }));
    }
}

/// One more connection, of which only the beginning matters.
async fn connects(
    place: Place,
    comparison: Comparison,
    patience: Duration,
    connect: impl Future<Output = std::io::Result<tokio::net::TcpStream>>,
) {
    made(&place.run, &place.subject, comparison, patience, accepted(connect)).await;
}

async fn accepted(connect: impl Future<Output = std::io::Result<tokio::net::TcpStream>>) -> Result<Failed, Failed> {
    connect.await.map(|_| (Outcome::Ok, None)).map_err(|error| failed(&error))
}

/// The server's two ports: its own and PgBouncer's.
pub(super) const PORTS: [u16; 2] = [super::pooler::POSTGRES, super::pooler::PGBOUNCER];

/// Connects to the server; where that is in doubt, the other port at the same address tells the port from the path.
pub(super) async fn beside_port<T>(
    run: &Run,
    host: &str,
    peer: SocketAddr,
    work: impl Future<Output = Result<T, Outcome>>,
) -> Result<T, Outcome> {
    let compare = other_port(run, host, peer);
    tokio::pin!(work, compare);
    tokio::select! {
        biased;
        done = &mut work => {
            if done.is_err() {
                compare.await;
            }
            done
        }
        () = tokio::time::sleep(run.patience() / SHARE) => tokio::join!(work, compare).0,
    }
}

async fn other_port(run: &Run, host: &str, peer: SocketAddr) {
    let Some(port) = PORTS.into_iter().find(|port| *port != peer.port()).filter(|_| PORTS.contains(&peer.port()))
    else {
        return;
    };
    let (other, dialled) = reach::at(run, host, SocketAddr::new(peer.ip(), port));
    let comparison = Comparison::new(Changed::OtherPort, other, host);
    made(run, crate::verb::SERVER, comparison, run.patience() / 2, accepted(dial::again(dialled))).await;
}
