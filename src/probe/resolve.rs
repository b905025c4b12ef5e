//! A name: at each nameserver separately, through the system's resolver, and at Azure's own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Run;
use crate::evidence::DnsQuery;
use crate::net::{dns, host};

/// A second lookup that must be given up sooner than after this share of the patience, or this time, is not begun: its silence would prove nothing.
const SHARE: u32 = 3;
const LEAST: Duration = Duration::from_millis(250);
/// How long a slower source may keep the others waiting once one has given addresses: a dead first nameserver
/// holds getaddrinfo up for seconds, and must not hold up the sign-in.
const GRACE: Duration = Duration::from_millis(300);
pub(super) const AZURE_RESOLVER: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(168, 63, 129, 16)), 53);

enum Heard {
    System(Vec<IpAddr>),
    Query(Box<DnsQuery>),
    /// Evidence only: nobody dials what it says.
    Witness,
}

/// Who got no address while the other did: getaddrinfo, where this nameserver has one, or our own questions.
enum Missed {
    BySystem(Box<DnsQuery>),
    ByServers,
}

/// What has been heard so far.
struct Answers {
    servers: Vec<SocketAddr>,
    system_asked: bool,
    system: Option<Vec<IpAddr>>,
    queries: Vec<DnsQuery>,
}

pub(super) async fn run(run: Arc<Run>, subject: String) {
    let Some(giver) = run.names.get(&subject).and_then(super::Slot::giver) else { return };
    let Some((name, _)) = run.host(&subject) else { return };
    if let Ok(address) = name.parse::<IpAddr>() {
        let _ = giver.send(Some(vec![address]));
        return;
    }
    let begun = Instant::now();
    let patience = run.patience();
    let own = run.target.nameservers.is_some();
    let servers = run.target.asked_nameservers();
    let mut heard: JoinSet<Heard> = JoinSet::new();
    for server in &servers {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        for kind in [RecordType::A, RecordType::AAAA] {
            let (run, subject, name, server) = (run.clone(), subject.clone(), name.clone(), *server);
            let tell = tell.take();
            heard.spawn(async move {
                let query = dns::ask(&run.recorder, &subject, server, &name, kind, run.patience()).await;
                let answered = run.compared.heard(&query);
                if let Some(tell) = tell {
                    let _ = tell.send(answered);
                }
                Heard::Query(Box::new(query))
            });
        }
        let (run, subject, server) = (run.clone(), subject.clone(), *server);
        heard.spawn(async move {
            super::doubt::others(run, subject, server, told).await;
            Heard::Witness
        });
    }
    if !own {
        heard.spawn(system(run.clone(), subject.clone(), name.clone()));
        if !servers.contains(&AZURE_RESOLVER) {
            heard.spawn(azure(run.clone(), subject.clone(), name.clone()));
        }
    }
    let mut answers = Answers { servers, system_asked: !own, system: None, queries: Vec::new() };
    let mut giver = Some(giver);
    let mut grace: Option<Instant> = None;
    // Whoever has not answered by then may never answer, and must be held against those who did while there is time.
    let late = begun + patience / SHARE;
    let mut held = own;
    loop {
        if !held && let Some(missed) = answers.contradiction(Instant::now() >= late) {
            held = true;
            let left = (begun + patience).saturating_duration_since(Instant::now());
            if left >= LEAST.max(patience / SHARE) {
                heard.spawn(again(run.clone(), subject.clone(), name.clone(), missed, left));
            }
        }
        let patient = async {
            match grace {
                Some(until) if giver.is_some() => tokio::time::sleep_until(until).await,
                _ => std::future::pending().await,
            }
        };
        let over = tokio::select! {
            one = heard.join_next() => match one {
                Some(Ok(Heard::System(addresses))) => { answers.system = Some(addresses); false }
                Some(Ok(Heard::Query(query))) => {
                    if super::doubt::is_stub(&query) && (query.rcode.is_none() || super::doubt::is_doubtful(&run, &subject, &query)) {
                        for upstream in run.target.stub_upstreams.iter().filter(|one| **one != AZURE_RESOLVER) {
                            heard.spawn(behind(run.clone(), subject.clone(), name.clone(), *upstream));
                        }
                    }
                    if super::doubt::is_doubtful(&run, &subject, &query) {
                        let (run, subject, query) = (run.clone(), subject.clone(), (*query).clone());
                        heard.spawn(async move {
                            super::doubt::compare(run, subject, query).await;
                            Heard::Witness
                        });
                    }
                    if !query.addresses.is_empty() && grace.is_none() {
                        grace = Some(Instant::now() + GRACE);
                    }
                    answers.queries.push(*query);
                    false
                }
                Some(Ok(Heard::Witness) | Err(_)) => false,
                None => true,
            },
            () = patient => false,
            () = tokio::time::sleep_until(late), if !held && Instant::now() < late => false,
        };
        let impatient = over || grace.is_some_and(|until| Instant::now() >= until);
        if giver.is_some()
            && let Some(addresses) = answers.to_dial(impatient)
            && let Some(giver) = giver.take()
        {
            let _ = giver.send(Some(addresses));
        }
        if over {
            return;
        }
    }
}

/// What applications see.
async fn system(run: Arc<Run>, subject: String, name: String) -> Heard {
    Heard::System(host::getaddrinfo(&run.recorder, &subject, &name, false, run.patience()).await)
}

/// Asks again who contradicted each other: what was over in a moment and what lasts differ in it.
async fn again(run: Arc<Run>, subject: String, name: String, missed: Missed, patience: Duration) -> Heard {
    let system = host::getaddrinfo(&run.recorder, &subject, &name, true, patience);
    match missed {
        // More often than getaddrinfo: of two servers behind one address, asked in turn, each would meet its own for ever.
        Missed::BySystem(first) => {
            tokio::join!(system, super::doubt::again(&run, &subject, &first, patience));
        }
        // What they answered without addresses is asked again as a doubt of its own; what they did not answer is still waited for.
        Missed::ByServers => {
            system.await;
        }
    }
    Heard::Witness
}

/// Azure's resolver is a witness, asked only inside Azure.
async fn azure(run: Arc<Run>, subject: String, name: String) -> Heard {
    if run.in_azure.wait().await == Some(true) {
        dns::ask(&run.recorder, &subject, AZURE_RESOLVER, &name, RecordType::A, run.patience()).await;
    }
    Heard::Witness
}

/// Whom a doubtful stub on this machine asks, asked directly.
async fn behind(run: Arc<Run>, subject: String, name: String, upstream: SocketAddr) -> Heard {
    dns::ask(&run.recorder, &subject, upstream, &name, RecordType::A, run.patience() / 2).await;
    Heard::Witness
}

/// The addresses of a host that no check resolves; kept under a subject of its own, for nobody judges nameservers by them.
pub(super) async fn aside(run: &Run, subject: &str, name: &str) -> Vec<IpAddr> {
    if let Ok(address) = name.parse() {
        return vec![address];
    }
    if run.target.nameservers.is_none() || name == "localhost" {
        return host::getaddrinfo(&run.recorder, subject, name, false, run.patience()).await;
    }
    // All at once: a dead nameserver must not keep the others' answers back. Of those that answer, the first in order decides.
    let mut asked = JoinSet::new();
    for (place, server) in run.target.asked_nameservers().into_iter().enumerate() {
        let (recorder, subject, name, patience) =
            (run.recorder.clone(), subject.to_owned(), name.to_owned(), run.patience());
        asked
            .spawn(async move { (place, dns::ask(&recorder, &subject, server, &name, RecordType::A, patience).await) });
    }
    let mut heard: BTreeMap<usize, Vec<IpAddr>> = BTreeMap::new();
    let mut late: Option<Instant> = None;
    loop {
        let grace = async {
            match late {
                Some(late) => tokio::time::sleep_until(late).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answered = asked.join_next() => match answered {
                Some(Ok((place, answer))) if matches!(answer.rcode.as_deref(), Some("NOERROR" | "NXDOMAIN")) => {
                    heard.insert(place, answer.addresses);
                    late = late.or(Some(Instant::now() + GRACE));
                    if place == 0 {
                        break;
                    }
                }
                Some(_) => {}
                None => break,
            },
            () = grace => break,
        }
    }
    heard.into_values().next().unwrap_or_default()
}

impl Answers {
    /// Whether getaddrinfo and the nameservers contradict each other, as far as both are heard, or when it is `late`.
    fn contradiction(&self, late: bool) -> Option<Missed> {
        let heard = |server: &SocketAddr| {
            self.queries.iter().any(|query| query.nameserver == *server && query.record_type == "A")
        };
        let with_addresses = |server: &SocketAddr| {
            self.queries.iter().find(|query| query.nameserver == *server && !query.addresses.is_empty())
        };
        match &self.system {
            Some(addresses) if !addresses.is_empty() => {
                let all = late || self.servers.iter().all(heard);
                let none = !self.servers.iter().any(|server| with_addresses(server).is_some());
                (all && none && !self.servers.is_empty()).then_some(Missed::ByServers)
            }
            None if !late => None,
            // It may well wait for whoever was asked before and is silent.
            _ => {
                let first = self.servers.iter().take_while(|server| heard(server)).find_map(with_addresses)?;
                Some(Missed::BySystem(Box::new(first.clone())))
            }
        }
    }

    /// The addresses to dial, once they can be told: getaddrinfo's, or with `--nameserver` those of the first that answers.
    fn to_dial(&self, impatient: bool) -> Option<Vec<IpAddr>> {
        if let Some(addresses) = &self.system {
            return Some(addresses.clone());
        }
        if self.system_asked && !impatient {
            return None;
        }
        for server in &self.servers {
            let of =
                |kind: &str| self.queries.iter().find(|query| query.nameserver == *server && query.record_type == kind);
            match (of("A"), of("AAAA")) {
                (Some(four), six) if six.is_some() || impatient => {
                    let addresses: Vec<IpAddr> =
                        four.addresses.iter().chain(six.iter().flat_map(|six| &six.addresses)).copied().collect();
                    let says_no = matches!(four.rcode.as_deref(), Some("NOERROR" | "NXDOMAIN"));
                    if !addresses.is_empty() || says_no {
                        return Some(addresses);
                    }
                }
                _ if impatient => {}
                _ => return None,
            }
        }
        impatient.then(Vec::new)
    }
}
