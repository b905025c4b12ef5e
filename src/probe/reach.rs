//! HTTPS to a host: TCP to every address or a tunnel through the proxy, TLS, and the application's own reply.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Run;
use super::compare::{self, Doubt};
use crate::evidence::{Detail, HttpExchange, PROXY_UNRESOLVED, ProbeNote};
use crate::failure::Outcome;
use crate::net::dial::{self, Peer, Watch};
use crate::net::form::Way;
use crate::net::socks::Goal;
use crate::net::tls::handshake;
use crate::net::{Failed, http, proxy};
use crate::target::connect_to::{dialled, fixed};
use crate::target::proxy::{Kind, Proxy};
use crate::verb::{GRAPH, LOGIN};

/// A host has this many addresses at most that we dial.
pub(super) const ADDRESSES: usize = 16;
/// So many addresses of the proxy's name are dialled.
const PROXY_ADDRESSES: usize = 3;
/// A reply that asks for patience gets it once.
const AGAIN: Duration = Duration::from_millis(500);

/// A connection without an answer after this share of the patience is in doubt.
pub(super) const SHARE: u32 = 3;

pub(super) async fn run(run: Arc<Run>, subject: String, doubt: mpsc::Sender<()>) {
    let dated = (subject == LOGIN).then(|| run.dated.giver()).flatten();
    let Some((host, port)) = run.host(&subject) else { return };
    let place = Place { run: run.clone(), subject, host, port, doubt };
    if run.target.proxies.route(&place.host).proxy.is_some() {
        through_proxy(&place).await;
    } else {
        directly(&place).await;
    }
    if let Some(dated) = dated {
        let _ = dated.send(Some(()));
    }
}

/// Whom this is about.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) run: Arc<Run>,
    pub(super) subject: String,
    pub(super) host: String,
    pub(super) port: u16,
    doubt: mpsc::Sender<()>,
}

impl Place {
    /// Says that this host may not be reached; once is enough for all.
    fn doubt(&self) {
        let _ = self.doubt.try_send(());
    }

    /// Runs `work`, in doubt when it has not ended after its share of the patience.
    async fn noticed<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => done,
            () = tokio::time::sleep(self.run.patience() / SHARE) => {
                self.doubt();
                work.await
            }
        }
    }
}

/// Where to dial for a subject: its addresses, or what `--connect-to` says of its name.
pub(super) async fn peers(run: &Run, subject: &str, host: &str, port: u16) -> Vec<(SocketAddr, SocketAddr)> {
    let rules = &run.target.connect_to;
    if let Some(address) = fixed(rules, host, port) {
        return vec![(address, address)];
    }
    let addresses = run.addresses(subject).await;
    addresses.into_iter().take(ADDRESSES).map(|address| at(run, host, SocketAddr::new(address, port))).collect()
}

/// The way for whoever makes its connections itself: directly, the address that accepts first before all others.
///
/// # Errors
/// When the host, or the proxy on the way to it, has no address.
pub(super) async fn way<'a>(run: &'a Run, subject: &str, host: &'a str, port: u16) -> Result<Way<'a>, Failed> {
    let unresolved = |text: String| (Outcome::Unresolved, Some(text));
    let trust = run.trust().await;
    let Some(proxy) = run.target.proxies.route(host).proxy else {
        let mut addresses: Vec<_> = peers(run, subject, host, port).await.into_iter().map(|(_, to)| to).collect();
        if addresses.is_empty() {
            return Err(unresolved(format!("{host} has no address")));
        }
        // Whoever tries one address after the other should not begin with dead ones.
        if let Some(first) = run.accepting(subject).await {
            addresses.retain(|known| *known != first);
            addresses.insert(0, first);
        }
        return Ok(Way { host, addresses, proxy: None, trust });
    };
    let at = |addresses: &[IpAddr], port| addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
    let addresses = if proxy.kind == Kind::Socks5 { at(&run.addresses(subject).await, port) } else { Vec::new() };
    let own: Vec<SocketAddr> = at(run.proxy_addresses(proxy).await, proxy.port);
    if own.is_empty() {
        return Err(unresolved(PROXY_UNRESOLVED.to_owned()));
    }
    Ok(Way { host, addresses, proxy: Some((proxy, own)), trust })
}

/// An address of a host, and where `--connect-to` leads instead.
pub(super) fn at(run: &Run, host: &str, peer: SocketAddr) -> (SocketAddr, SocketAddr) {
    (peer, dialled(&run.target.connect_to, host, peer))
}

/// All addresses at once; the first that accepts is spoken to while the others are still being tried.
async fn directly(place: &Place) {
    let mut accepting = place.run.accepting.get(&place.subject).and_then(super::Slot::giver);
    let peers = peers(&place.run, &place.subject, &place.host, place.port).await;
    // A name that leads nowhere is a matter of DNS: no other host would tell more of the path.
    if peers.is_empty() {
        return;
    }
    // Those that have not answered yet.
    let mut silent = peers.clone();
    let mut connects: JoinSet<Connected> = JoinSet::new();
    for (peer, dialled) in peers {
        let place = place.clone();
        connects.spawn(async move {
            let to = Peer { subject: &place.subject, host: &place.host, address: peer, dialled, proxy: false };
            Connected { peer, dialled, stream: dial::tcp(&place.run.recorder, &to, place.run.patience()).await }
        });
    }
    let mut speaking: Option<JoinSet<Spoken>> = None;
    let mut spare: Option<(TcpStream, SocketAddr)> = None;
    let mut first = None;
    let doubtful = tokio::time::sleep(place.run.patience() / SHARE);
    tokio::pin!(doubtful);
    let mut doubted = false;
    let mut asides: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut doubtful, if !doubted => {
                doubted = true;
                if speaking.is_some() {
                    // Others of this name accept: is it the address, or the flow?
                    compare::other_flows(&mut asides, place, &silent);
                } else {
                    place.doubt();
                    compare::plain_port(&mut asides, place, &silent);
                    compare::through_exempted(&mut asides, place);
                }
            }
            Some(_) = asides.join_next() => {}
            Some(connected) = connects.join_next() => {
                let Ok(Connected { peer, dialled, stream }) = connected else { continue };
                silent.retain(|(known, _)| *known != peer);
                let stream = match stream {
                    Ok(stream) => stream,
                    Err(outcome) => {
                        if connects.is_empty() && speaking.is_none() {
                            if outcome == Outcome::Refused {
                                compare::few_hops(&mut asides, place, (peer, dialled));
                            }
                            if !doubted {
                                doubted = true;
                                place.doubt();
                                compare::through_exempted(&mut asides, place);
                            }
                        }
                        continue;
                    }
                };
                if let Some(accepting) = accepting.take() {
                    let _ = accepting.send(Some(dialled));
                }
                match &speaking {
                    None => {
                        first = Some(peer);
                        let mut task = JoinSet::new();
                        let place = place.clone();
                        task.spawn(async move { speak(&place, stream, Some(peer)).await });
                        speaking = Some(task);
                    }
                    // One more is kept for a second opinion.
                    Some(_) => spare = spare.or(Some((stream, peer))),
                }
            }
            Some(spoken) = async { match &mut speaking { Some(task) => task.join_next().await, None => None } } => {
                let spoken = spoken.unwrap_or(Spoken::Final);
                if let (Spoken::Doubtful, Some(peer)) = (spoken, first.take()) {
                    second_opinion(place, spare.take(), peer).await;
                }
            }
            else => return,
        }
    }
}

/// How the connection to one address went.
struct Connected {
    peer: SocketAddr,
    dialled: SocketAddr,
    stream: Result<TcpStream, Outcome>,
}

/// How a conversation ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    /// The peer proved itself, and what it says is final.
    Final,
    /// No TLS came about, and one attempt says enough.
    Failed,
    /// A failure that one attempt does not prove.
    Doubtful,
}

/// A failure needs two attempts that agree: at another address when there is one, else at the same.
async fn second_opinion(place: &Place, spare: Option<(TcpStream, SocketAddr)>, peer: SocketAddr) {
    let stream = match spare {
        Some(spare) => Some(spare),
        None => {
            let dialled = dialled(&place.run.target.connect_to, &place.host, peer);
            let to = Peer { subject: &place.subject, host: &place.host, address: peer, dialled, proxy: false };
            dial::tcp(&place.run.recorder, &to, place.run.patience()).await.ok().map(|stream| (stream, peer))
        }
    };
    if let Some((stream, peer)) = stream {
        speak(place, stream, Some(peer)).await;
    }
}

/// A tunnel through the proxy, and the same conversation inside it; beside it, when it fails, the direct way.
async fn through_proxy(place: &Place) {
    let work = tunnelled(place);
    let beside = compare::beside_proxy(place);
    tokio::pin!(work, beside);
    tokio::select! {
        biased;
        reached = &mut work => if !reached {
            beside.await;
        },
        () = tokio::time::sleep(place.run.patience() / SHARE) => {
            tokio::join!(work, beside);
        }
    }
}

/// Whether the host proved itself through the proxy.
async fn tunnelled(place: &Place) -> bool {
    let run = &place.run;
    let route = run.target.proxies.route(&place.host);
    let Some(proxy) = route.proxy else { return false };
    let addresses = run.proxy_addresses(proxy).await;
    if addresses.is_empty() {
        let note = ProbeNote { probe: "reach".to_owned(), note: PROXY_UNRESOLVED.to_owned() };
        run.recorder.note(&place.subject, Outcome::Unresolved, Detail::Probe(note));
        return false;
    }
    let Some(goal) = goal(run, proxy, place).await else { return false };
    for attempt in 0..2 {
        let Some(stream) = first_up(place, &proxy.host, addresses, proxy.port).await else { return false };
        let tunnel = proxy::connect(&run.recorder, &place.subject, stream, proxy, &goal, run.patience()).await;
        let spoken = match tunnel {
            Ok(stream) => speak(place, stream, None).await,
            // Only what may be an accident is tried again: wrong credentials twice would lock an account.
            Err(Outcome::Reset | Outcome::Closed) => Spoken::Doubtful,
            Err(_) => Spoken::Failed,
        };
        match spoken {
            Spoken::Final => return true,
            Spoken::Failed => return false,
            Spoken::Doubtful if attempt == 1 => return false,
            Spoken::Doubtful => {}
        }
    }
    false
}

/// What the proxy is asked for: the name, or where it leads if names are resolved here. `None` when the name leads nowhere.
pub(super) async fn goal(run: &Run, proxy: &Proxy, place: &Place) -> Option<Goal> {
    let address = match proxy.kind {
        Kind::Http | Kind::Socks5h => None,
        Kind::Socks5 => Some(SocketAddr::new(*run.addresses(&place.subject).await.first()?, place.port)),
    };
    Some(Goal { host: place.host.clone(), port: place.port, address })
}

/// The first of the proxy's addresses that accepts. All are dialled at once: several dead ones cost the patience of one.
async fn first_up(place: &Place, host: &str, addresses: &[IpAddr], port: u16) -> Option<TcpStream> {
    let mut connects = JoinSet::new();
    for address in addresses.iter().take(PROXY_ADDRESSES) {
        let (place, host, address) = (place.clone(), host.to_owned(), SocketAddr::new(*address, port));
        connects.spawn(async move {
            let to = Peer { subject: &place.subject, host: &host, address, dialled: address, proxy: true };
            dial::tcp(&place.run.recorder, &to, place.run.patience()).await.ok()
        });
    }
    while let Some(connected) = connects.join_next().await {
        if let Ok(Some(stream)) = connected {
            return Some(stream);
        }
    }
    None
}

/// TLS and one GET on a stream that is up.
async fn speak(place: &Place, stream: TcpStream, peer: Option<SocketAddr>) -> Spoken {
    let run = &place.run;
    let trust = run.trust().await;
    let watch = Watch::of(&stream);
    let (recorder, to) = (&run.recorder, (stream, peer));
    let shaken = handshake(recorder, &place.subject, to, &place.host, (&trust, false), run.patience(), watch);
    // Inside a tunnel there is nothing to compare: the proxy decides by name and says so.
    let doubt = peer.map(|peer| Doubt {
        subject: place.subject.clone(),
        host: place.host.clone(),
        peer,
        dialled: dialled(&run.target.connect_to, &place.host, peer),
        postgres: false,
    });
    let verified = match &doubt {
        Some(doubt) => place.noticed(compare::beside(run, doubt, shaken)).await,
        None => shaken.await,
    };
    if verified.is_err() {
        place.doubt();
    }
    match (verified, &doubt) {
        (Ok(verified), _) => exchange(place, verified.into_stream()).await,
        (Err(Outcome::Reset | Outcome::Closed | Outcome::Alert), Some(doubt)) => {
            compare::other_name(run, doubt, run.patience()).await;
            Spoken::Doubtful
        }
        (Err(Outcome::Timeout | Outcome::Other), _) => Spoken::Failed,
        (Err(_), _) => Spoken::Doubtful,
    }
}

async fn exchange<S>(place: &Place, stream: S) -> Spoken
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let run = &place.run;
    let path = match place.subject.as_str() {
        LOGIN => "/common/v2.0/.well-known/openid-configuration",
        GRAPH => "/v1.0/me",
        _ => "/",
    };
    let url = format!("https://{}{path}", place.host);
    let detail = HttpExchange { url: url.clone(), ..HttpExchange::default() };
    let mut pending = run.recorder.begin(&place.subject, format!("GET {url}"), Detail::HttpExchange(detail));
    let reply = http::get(stream, &place.host, path, run.patience()).await;
    let Detail::HttpExchange(detail) = &mut pending.detail else { return Spoken::Final };
    detail.clock = super::clock();
    let reply = match reply {
        Ok(reply) => reply,
        Err((outcome, error)) => {
            pending.end(outcome, error);
            return if outcome == Outcome::Timeout { Spoken::Final } else { Spoken::Doubtful };
        }
    };
    detail.status = Some(reply.status);
    detail.content_type = reply.header("content-type");
    detail.server = reply.header("server");
    detail.location = reply.header("location").map(|location| origin(&location));
    detail.headers = reply.kept_headers();
    detail.date = reply.date();
    let body: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
    let text = |pointer: &str| body.as_ref().and_then(|body| body.pointer(pointer)?.as_str());
    detail.error_code = text("/error/code").or(text("/error")).map(|code| crate::net::quote(code.as_bytes()));
    detail.expected = match place.subject.as_str() {
        LOGIN => reply.status == 200 && text("/issuer").is_some() && text("/token_endpoint").is_some(),
        GRAPH => reply.status == 401 && text("/error/code").is_some(),
        _ => true,
    };
    if !detail.expected {
        detail.quote = Some(crate::net::quote(&reply.body)).filter(|quote| !quote.is_empty());
    }
    let expected = detail.expected;
    let busy = reply.status == 429 || reply.status >= 500;
    if expected {
        pending.end(Outcome::Ok, None);
        return Spoken::Final;
    }
    pending.end(Outcome::Rejected, Some(format!("HTTP {}", reply.status)));
    if busy {
        tokio::time::sleep(AGAIN).await;
        return Spoken::Doubtful;
    }
    Spoken::Final
}

/// Scheme and host of a redirect: its path and query may carry what is nobody's business.
fn origin(location: &str) -> String {
    match location.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or_default())
        }
        None => "a path on the same host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn a_redirect_is_shown_by_its_origin() {
        assert_eq!(origin("https://u:p@portal.example/login?token=x"), "https://portal.example");
        assert_eq!(origin("/login"), "a path on the same host");
    }
}
