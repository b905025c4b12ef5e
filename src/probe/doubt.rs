//! Comparisons beside a doubtful answer of a nameserver, in the background: nobody dials what they say, and no healthy run makes them.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Run;
use crate::evidence::{DnsChanged, DnsQuery};
use crate::net::dns;
use crate::verb::{GRAPH, LOGIN};

/// TEST-NET-1 (RFC 5737) is nobody's: what answers there stands on the way and takes every question to port 53 for its own.
pub(super) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)), 53);
/// RFC 2606 keeps it from being anybody's; no name below it but `www` exists.
const OTHER_ZONE: &str = "example.com";
/// So that whoever reads a DNS server's log knows who asked.
const PREFIX: &str = "entra-preflight-";
/// Of several servers behind one address, the same one may answer twice: ask a few times.
const AGAIN: usize = 4;
const PATIENCE: Duration = Duration::from_secs(2);

/// After a nameserver refuses one name, so long until it is asked for another that it knows: by then the first answers are in.
const PAUSE: Duration = Duration::from_millis(350);

/// What was already compared, for some questions are asked once in a run; and for each nameserver a name that it answered.
#[derive(Default)]
pub(super) struct Compared(Mutex<HashSet<(DnsChanged, SocketAddr)>>, Mutex<HashMap<SocketAddr, String>>);

impl Compared {
    fn first(&self, changed: DnsChanged, nameserver: SocketAddr) -> bool {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert((changed, nameserver))
    }

    /// Remembers what was answered, and tells whether it was.
    pub(super) fn heard(&self, query: &DnsQuery) -> bool {
        let answered = is_answer(query);
        if answered && query.record_type == "A" {
            let mut names = self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            names.entry(query.nameserver).or_insert_with(|| query.name.clone());
        }
        answered
    }

    fn answered_name(&self, nameserver: SocketAddr) -> Option<String> {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&nameserver).cloned()
    }
}

/// Whether it is the stub on this machine that answered so, or did not.
pub(super) fn is_stub(query: &DnsQuery) -> bool {
    query.record_type == "A" && query.nameserver.ip().is_loopback()
}

/// Whether this answer needs comparisons: an error, no address, or one that the subject should not have.
pub(super) fn is_doubtful(run: &Run, subject: &str, query: &DnsQuery) -> bool {
    if query.record_type != "A" || query.rcode.is_none() {
        return false;
    }
    let cloud = &run.target.cloud;
    let fits = |address: &IpAddr| match subject {
        // An access agent's addresses work on its machine.
        LOGIN | GRAPH if cloud.tag.is_some() => {
            cloud.in_tag(*address) || matches!(address, IpAddr::V4(four) if four.octets()[..2] == [6, 6])
        }
        LOGIN | GRAPH => {
            !matches!(address, IpAddr::V4(four) if four.is_private() || four.is_loopback() || four.is_unspecified())
        }
        _ => !address.is_loopback() && !address.is_unspecified(),
    };
    query.addresses.is_empty() || !query.addresses.iter().all(fits)
}

/// Puts every question whose answer can change what is said of this one.
pub(super) async fn compare(run: Arc<Run>, subject: String, first: DnsQuery) {
    let patience = run.patience().min(PATIENCE);
    let compare = |changed: DnsChanged, nameserver: SocketAddr, name: String| {
        let (run, subject) = (run.clone(), subject.clone());
        async move { dns::compare(&run.recorder, &subject, changed, nameserver, &name, RecordType::A, patience).await }
    };
    let nameserver = first.nameserver;
    let answered = matches!(first.rcode.as_deref(), Some("NOERROR" | "NXDOMAIN"));
    let failed = first.rcode.as_deref() == Some("SERVFAIL");
    let refused = first.rcode.as_deref() == Some("REFUSED");
    let again = async {
        if answered || failed || refused {
            again(&run, &subject, &first, patience).await;
        }
    };
    let over_tcp = async {
        if answered {
            compare(DnsChanged::OverTcp, nameserver, first.name.clone()).await;
        }
    };
    let checking_disabled = async {
        if failed {
            compare(DnsChanged::CheckingDisabled, nameserver, first.name.clone()).await;
        }
    };
    let same_zone = async {
        if answered && let Some((_, zone)) = first.name.split_once('.') {
            compare(DnsChanged::SameZone, nameserver, random_name(zone)).await;
        }
    };
    let other_zone = async {
        if answered && run.compared.first(DnsChanged::OtherZone, nameserver) {
            compare(DnsChanged::OtherZone, nameserver, random_name(OTHER_ZONE)).await;
        }
    };
    let unroutable = async {
        // What this machine itself answers was not intercepted on the way.
        if !nameserver.ip().is_loopback() && run.compared.first(DnsChanged::Unroutable, NOBODY) {
            compare(DnsChanged::Unroutable, NOBODY, first.name.clone()).await;
        }
    };
    tokio::join!(again, over_tcp, checking_disabled, same_zone, other_zone, unroutable);
}

/// Puts an answered question again, until the answer is another one.
pub(super) async fn again(run: &Run, subject: &str, first: &DnsQuery, patience: Duration) {
    let patience = patience.min(PATIENCE);
    let until = Instant::now() + patience;
    let kind = if first.record_type == "AAAA" { RecordType::AAAA } else { RecordType::A };
    for _ in 0..AGAIN {
        let left = until.saturating_duration_since(Instant::now());
        // What is given up too soon proves nothing.
        if left < patience / 2 {
            return;
        }
        let (changed, nameserver, name) = (DnsChanged::Again, first.nameserver, &first.name);
        let other = dns::compare(&run.recorder, subject, changed, nameserver, name, kind, left).await;
        if other.rcode.is_some() && !alike(first, &other) {
            return;
        }
    }
}

/// Beside a question that gets no answer, or a refusal: whether the same nameserver still answers a name that it did answer.
/// `told` says whether the question was answered; it may come late, for silence is told by nobody.
pub(super) async fn others(run: Arc<Run>, subject: String, nameserver: SocketAddr, mut told: oneshot::Receiver<bool>) {
    let third = run.patience() / 3;
    match tokio::time::timeout(third, &mut told).await {
        Ok(Ok(true)) => return,
        Ok(_) => tokio::time::sleep(PAUSE.min(third)).await,
        Err(_) => {}
    }
    if let Some(name) = run.compared.answered_name(nameserver)
        && run.compared.first(DnsChanged::AnsweredName, nameserver)
    {
        let (changed, patience) = (DnsChanged::AnsweredName, (run.patience() - third).min(PATIENCE));
        let asked = dns::compare(&run.recorder, &subject, changed, nameserver, &name, RecordType::A, patience);
        tokio::select! {
            _ = asked => {}
            // It was only slow, and nobody waits for this.
            Ok(true) = &mut told, if !told.is_terminated() => {}
        }
    }
}

fn is_answer(query: &DnsQuery) -> bool {
    matches!(query.rcode.as_deref(), Some("NOERROR" | "NXDOMAIN")) && !query.referral
}

fn alike(one: &DnsQuery, other: &DnsQuery) -> bool {
    let shared = one.addresses.iter().any(|address| other.addresses.contains(address));
    one.rcode == other.rcode && (shared || one.addresses.is_empty() == other.addresses.is_empty())
}

fn random_name(zone: &str) -> String {
    let mut bytes = [0; 6];
    // Without randomness the name is still one that nobody has.
    let _ = SystemRandom::new().fill(&mut bytes);
    let label: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{label}.{zone}")
}
