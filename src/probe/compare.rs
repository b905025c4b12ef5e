//! Comparisons beside a doubtful handshake, each with one thing changed. They run while it is still waited for.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Run;
use super::reach::{self, Place, SHARE};
use crate::evidence::{Changed, Comparison, Detail};
use crate::net::postgres::{self, Ssl};
use crate::net::socks::Goal;
use crate::net::{dial, proxy, tls, within};
use crate::target::proxy::Kind;

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
        tokio::join!(small_segments(run, doubt, left), async {
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

/// The same address with another server name: whoever cuts by name lets this one pass.
pub(super) async fn other_name(run: &Run, doubt: &Doubt, patience: Duration) {
    let trust = run.trust().await;
    let detail = Comparison { changed: Changed::OtherName, peer: doubt.peer, name: OTHER_NAME.to_owned() };
    let pending = run.recorder.begin(&doubt.subject, "", Detail::Comparison(detail));
    let result = within(patience, async {
        let stream = dial::again(doubt.dialled).await.map_err(|error| crate::net::failed(&error))?;
        Ok(tls::answers(stream, OTHER_NAME, &trust).await)
    })
    .await;
    let (outcome, error) = result.unwrap_or_else(|failure| failure);
    pending.end(outcome, error);
}

/// The same handshake in small segments: what loses large packets lets these pass.
async fn small_segments(run: &Run, doubt: &Doubt, patience: Duration) {
    let trust = run.trust().await;
    let detail = Comparison { changed: Changed::SmallSegments, peer: doubt.peer, name: doubt.host.clone() };
    let pending = run.recorder.begin(&doubt.subject, "", Detail::Comparison(detail));
    let result = within(patience, async {
        let mut stream = dial::small_segments(doubt.dialled).await.map_err(|error| crate::net::failed(&error))?;
        if doubt.postgres && !matches!(postgres::request_ssl(&mut stream, patience).await?, Ssl::Accepted) {
            return Ok((crate::failure::Outcome::Rejected, None));
        }
        Ok(tls::answers(stream, &doubt.host, &trust).await)
    })
    .await;
    let (outcome, error) = result.unwrap_or_else(|failure| failure);
    pending.end(outcome, error);
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
    let patience = run.patience() / 2;
    let Some(address) = reach::aside(run, "proxy", &proxy.host).await.first().copied() else { return };
    let peer = SocketAddr::new(address, proxy.port);
    let resolved = run.addresses(&place.subject).await.first().map(|address| SocketAddr::new(*address, place.port));
    let address = resolved.filter(|_| proxy.kind == Kind::Socks5);
    let goal = Goal { host: place.host.clone(), port: place.port, address };
    let detail = Comparison { changed: Changed::ThroughProxy, peer, name: place.host.clone() };
    let pending = run.recorder.begin(&place.subject, "", Detail::Comparison(detail));
    let trust = run.trust().await;
    let result = within(patience, async {
        let mut stream = dial::again(peer).await.map_err(|error| crate::net::failed(&error))?;
        proxy::tunnel(&mut stream, proxy, &goal, &mut proxy::Said::default()).await?;
        Ok(tls::answers(stream, &place.host, &trust).await)
    })
    .await;
    let (outcome, error) = result.unwrap_or_else(|failure| failure);
    pending.end(outcome, error);
}

/// A host behind a proxy that fails: the direct way, for comparison. Two addresses are enough to tell.
pub(super) async fn beside_proxy(run: &Run, subject: &str, host: &str, port: u16) {
    let patience = run.patience() / 2;
    let peers = reach::peers(run, subject, host, port).await;
    let trust = run.trust().await;
    let attempts = peers.into_iter().take(2).map(|(peer, dialled)| {
        let trust = trust.clone();
        async move {
            let detail = Comparison { changed: Changed::BesideProxy, peer, name: host.to_owned() };
            let pending = run.recorder.begin(subject, "", Detail::Comparison(detail));
            let result = within(patience, async {
                let stream = dial::again(dialled).await.map_err(|error| crate::net::failed(&error))?;
                Ok(tls::answers(stream, host, &trust).await)
            })
            .await;
            let (outcome, error) = result.unwrap_or_else(|failure| failure);
            pending.end(outcome, error);
        }
    });
    let mut attempts = attempts.fuse();
    match (attempts.next(), attempts.next()) {
        (Some(one), Some(two)) => {
            tokio::join!(one, two);
        }
        (Some(one), None) => one.await,
        _ => {}
    }
}
