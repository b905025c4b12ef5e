//! Looking: every question at once, each waiting only for what it needs. A probe cannot fail; it can only have seen less.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OnceCell, mpsc, watch};
use tokio::task::{Id, JoinSet};

use crate::evidence::{Detail, ProbeNote, Recorder, Reported, RouteChosen, Settings, Stamp, Tool};
use crate::failure::Outcome;
use crate::net::tls::Trust;
use crate::target::proxy::Proxy;
use crate::target::{Source, Target};
use crate::verb::{CONTROL, GRAPH, LOGIN, PRINCIPAL, REPORTED, SERVER, TOKEN, Verb, own_host};

pub(crate) mod application;
mod azure_cli;
mod compare;
mod control;
mod doubt;
mod grant;
mod login;
mod machine;
pub(crate) mod metadata;
mod plan;
mod pooler;
pub(crate) mod principal;
mod reach;
mod resolve;
mod server;
mod session;
mod token;

pub use plan::plan;

/// So long a run waits for what it cut short to be recorded.
const SETTLING: Duration = Duration::from_millis(50);

/// What one probe hands to those that wait for it.
struct Slot<T> {
    sender: Mutex<Option<watch::Sender<Option<T>>>>,
    receiver: watch::Receiver<Option<T>>,
}

impl<T: Clone> Slot<T> {
    fn new() -> Slot<T> {
        let (sender, receiver) = watch::channel(None);
        Slot { sender: Mutex::new(Some(sender)), receiver }
    }

    /// The right to give, once. When it is dropped (also by a panic) those who wait learn that nothing comes.
    fn giver(&self) -> Option<watch::Sender<Option<T>>> {
        self.sender.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
    }

    async fn wait(&self) -> Option<T> {
        let mut receiver = self.receiver.clone();
        let value = receiver.wait_for(Option::is_some).await.ok()?;
        value.clone()
    }
}

/// What all probes of a run share: nothing is asked twice on the wire.
struct Run {
    target: Target,
    recorder: Recorder,
    trust: OnceCell<Trust>,
    /// The addresses to dial for each subject.
    names: HashMap<String, Slot<Vec<IpAddr>>>,
    /// The first address of a host that accepts TCP, as it is dialled.
    accepting: HashMap<String, Slot<SocketAddr>>,
    /// The addresses of the proxy's own name.
    proxy: OnceCell<Vec<IpAddr>>,
    compared: doubt::Compared,
    /// Whether the metadata service says that this is an Azure VM.
    in_azure: Slot<bool>,
    token: Slot<Option<Arc<token::Ready>>>,
    server: Slot<Option<Arc<server::Open>>>,
    /// Reaching the login host gives its Date, by which the clock is measured.
    dated: Slot<()>,
    /// Whether the sign-in failed in a way that the user's name or identity may explain.
    doubted: Slot<bool>,
    /// Hears of every host that is in doubt, and closes when all are reached. `None` when no host is to be reached.
    doubts: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Run {
    /// The host and port of a subject.
    fn host(&self, subject: &str) -> Option<(String, u16)> {
        self.target.host(subject)
    }

    /// The trusted roots, read once and beside the first packets.
    async fn trust(&self) -> Trust {
        let load = || async {
            let more = self.target.roots.clone();
            let loaded = tokio::task::spawn_blocking(move || Trust::load(&more)).await;
            // Whatever became of that thread, the user's own roots are not forgotten.
            loaded.unwrap_or_else(|_| Trust::load(&self.target.roots))
        };
        self.trust.get_or_init(load).await.clone()
    }

    fn patience(&self) -> Duration {
        self.target.timeout
    }

    /// The first address of a host that accepts TCP, as it is dialled; nothing if none does while there is still time to try oneself.
    async fn accepting(&self, subject: &str) -> Option<SocketAddr> {
        let first = self.accepting.get(subject)?.wait();
        tokio::time::timeout(self.patience() / reach::SHARE, first).await.ok().flatten()
    }

    /// Where the proxy is. Several hosts may want it: its name is resolved once.
    async fn proxy_addresses(&self, proxy: &Proxy) -> &[IpAddr] {
        self.proxy.get_or_init(|| resolve::aside(self, "proxy", &proxy.host)).await
    }

    /// The addresses to dial, as soon as they are known. Empty when the name does not resolve.
    async fn addresses(&self, subject: &str) -> Vec<IpAddr> {
        match self.names.get(subject) {
            Some(slot) => slot.wait().await.unwrap_or_default(),
            None => Vec::new(),
        }
    }
}

/// Asks everything that the chosen checks need; ends when all is asked, at the deadline, or when `stop` ends.
pub async fn look(
    mut target: Target,
    asked: &[(Verb, String)],
    recorder: &Recorder,
    stop: impl Future<Output = ()>,
) -> Stamp {
    let started = time::OffsetDateTime::now_utc();
    let deadline = target.deadline;
    find_nameservers(&mut target);
    let jobs = jobs(&target, asked);
    for secret in target.secrets() {
        recorder.protect(secret);
    }
    if let Some(authorization) = target.proxies.proxy.as_ref().and_then(Proxy::authorization) {
        recorder.protect(&authorization);
    }
    recorder.note("run", Outcome::Ok, Detail::Settings(Box::new(settings(&target, &jobs))));
    let subjects = |of: Verb| jobs.iter().filter(move |(verb, _)| *verb == of).map(|(_, subject)| subject.clone());
    let names = subjects(Verb::Resolve).map(|subject| (subject, Slot::new())).collect();
    let accepting = subjects(Verb::Reach).map(|subject| (subject, Slot::new())).collect();
    let (doubt, doubts) = mpsc::channel(1);
    let reaches = jobs.iter().any(|(verb, _)| *verb == Verb::Reach);
    let run = Arc::new(Run {
        target,
        recorder: recorder.clone(),
        trust: OnceCell::new(),
        names,
        accepting,
        proxy: OnceCell::new(),
        compared: doubt::Compared::default(),
        in_azure: Slot::new(),
        token: Slot::new(),
        server: Slot::new(),
        dated: Slot::new(),
        doubted: Slot::new(),
        doubts: Mutex::new(reaches.then_some(doubts)),
    });
    let mut probes = JoinSet::new();
    let mut named = HashMap::new();
    for (verb, subject) in jobs.clone() {
        let handle = probes.spawn(one(run.clone(), verb, subject.clone(), doubt.clone()));
        named.insert(handle.id(), (verb.name(), subject));
    }
    drop(doubt);
    probes.spawn(metadata::instance(run.clone()));
    // Nobody gives what no job was made for.
    for verb in [Verb::Token, Verb::Server] {
        if jobs.iter().all(|(job, _)| *job != verb) {
            drop((verb == Verb::Token).then(|| run.token.giver()));
            drop((verb == Verb::Server).then(|| run.server.giver()));
        }
    }
    if !jobs.contains(&(Verb::Login, SERVER.to_owned())) {
        drop(run.doubted.giver());
    }
    if !jobs.contains(&(Verb::Reach, LOGIN.to_owned())) {
        drop(run.dated.giver());
    }
    tokio::select! {
        () = all(&mut probes, &named, recorder) => {}
        () = tokio::time::sleep(deadline) => {}
        () = stop => {}
    }
    // What is unfinished records itself as cut short when it is dropped; tasks within probes are dropped a little later.
    probes.shutdown().await;
    let settled = async {
        while recorder.is_waiting() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = tokio::time::timeout(SETTLING, settled).await;
    stamp(started, recorder)
}

/// The system's nameservers, as they are now.
fn find_nameservers(target: &mut Target) {
    if target.nameservers.is_none() {
        (target.system_nameservers, target.resolver_notes) = crate::net::host::nameservers();
        if target.system_nameservers.iter().any(|nameserver| nameserver.ip().is_loopback()) {
            target.stub_upstreams = crate::net::host::upstreams();
        }
    }
}

/// Waits for all probes. One that panics costs only itself, and is told.
async fn all(probes: &mut JoinSet<()>, named: &HashMap<Id, (&'static str, String)>, recorder: &Recorder) {
    while let Some(ended) = probes.join_next_with_id().await {
        let Err(error) = ended else { continue };
        let (probe, subject) = named.get(&error.id()).cloned().unwrap_or(("metadata", TOKEN.to_owned()));
        let why = if error.is_panic() { "a defect of this program" } else { "cancelled" };
        let note = ProbeNote { probe: probe.to_owned(), note: format!("the probe broke off: {why}") };
        recorder.note(&subject, Outcome::Panicked, Detail::Probe(note));
    }
}

async fn one(run: Arc<Run>, verb: Verb, subject: String, doubt: mpsc::Sender<()>) {
    match verb {
        Verb::Reach => return reach::run(run, subject, doubt).await,
        // Only who reaches a host can doubt it.
        _ => drop(doubt),
    }
    match verb {
        Verb::Resolve => resolve::run(run, subject).await,
        Verb::Control => control::run(run, subject).await,
        Verb::Token => token::run(run).await,
        Verb::Server => server::run(run).await,
        Verb::Login => login::run(run).await,
        Verb::Principal => principal::run(run).await,
        Verb::Machine => machine::run(run).await,
        Verb::Reported => reported(&run),
        // The nameservers are heard while names are resolved.
        Verb::Nameservers | Verb::Reach => {}
    }
}

/// What was handed in is kept as it came: nobody is asked.
fn reported(run: &Run) {
    if let Some(reported) = &run.target.reported {
        let kept = Reported { bytes: reported.bytes, text: reported.text.clone() };
        run.recorder.note(REPORTED, Outcome::Ok, Detail::Reported(kept));
    }
}

/// The probes of the chosen checks and what those stand on, each once.
fn jobs(target: &Target, asked: &[(Verb, String)]) -> Vec<(Verb, String)> {
    let application = matches!(target.source, Source::Application { .. });
    let mut jobs: Vec<(Verb, String)> = Vec::new();
    let mut add = |verb: Verb, subject: &str| {
        let job = (verb, subject.to_owned());
        // One control destination is enough.
        let second = verb == Verb::Control && jobs.iter().any(|(known, _)| *known == verb);
        let absent =
            subject == SERVER && target.server.is_none() || subject == CONTROL && target.cloud.control_host.is_none();
        if !jobs.contains(&job) && !second && !absent {
            jobs.push(job);
        }
    };
    // This machine's ground truth is needed to read any other evidence.
    add(Verb::Machine, crate::verb::MACHINE);
    for (verb, subject) in asked {
        match verb {
            Verb::Nameservers => [LOGIN, GRAPH, SERVER].into_iter().for_each(|name| add(Verb::Resolve, name)),
            Verb::Reach => {
                add(Verb::Resolve, subject);
                add(Verb::Reach, subject);
            }
            Verb::Server => {
                add(Verb::Resolve, SERVER);
                add(Verb::Server, SERVER);
            }
            Verb::Login => {
                add(Verb::Resolve, SERVER);
                add(Verb::Server, SERVER);
                add(Verb::Token, TOKEN);
                add(Verb::Login, SERVER);
            }
            Verb::Principal => {
                add(Verb::Resolve, GRAPH);
                add(Verb::Principal, PRINCIPAL);
            }
            Verb::Resolve | Verb::Control | Verb::Token | Verb::Machine | Verb::Reported => add(*verb, subject),
        }
        // An application gets its tokens from the login host.
        if application && matches!(verb, Verb::Token | Verb::Login | Verb::Principal) {
            add(Verb::Resolve, LOGIN);
        }
    }
    jobs
}

fn settings(target: &Target, jobs: &[(Verb, String)]) -> Settings {
    let routes = jobs.iter().filter(|(verb, _)| *verb == Verb::Reach).filter_map(|(_, subject)| {
        let host = match subject.as_str() {
            LOGIN => target.cloud.login_host.clone(),
            GRAPH => target.cloud.graph_host.clone(),
            other => own_host(other).ok()?.0.to_owned(),
        };
        let route = target.proxies.route(&host);
        Some(RouteChosen {
            subject: subject.clone(),
            proxy: route.proxy.map(Proxy::shown),
            why: route.why.to_owned(),
            variable: route.variable.to_owned(),
            host,
        })
    });
    let mut routes: Vec<RouteChosen> = routes.collect();
    if let Some(server) = &target.server {
        routes.push(RouteChosen {
            subject: SERVER.to_owned(),
            host: server.host.clone(),
            proxy: None,
            why: "never-proxied".to_owned(),
            variable: String::new(),
        });
    }
    Settings {
        cloud: target.cloud.name.clone(),
        cloud_text: target.cloud.text.clone(),
        login_host: target.cloud.login_host.clone(),
        graph_host: target.cloud.graph_host.clone(),
        resource: target.cloud.resource.clone(),
        server: target.server.as_ref().map(|server| server.host.clone()),
        port: target.server.as_ref().map_or(5432, |server| server.port),
        user: target.user.clone(),
        principal: target.principal.clone(),
        database: target.database.clone(),
        role: target.role.clone(),
        topology: target.topology,
        credential: target.credential.name().to_owned(),
        credential_notes: target.source_notes.clone(),
        credential_unused: target.unused.clone(),
        client_id: target.client_id.clone(),
        object_id: target.object_id.clone(),
        resource_id: target.resource_id.clone(),
        tenant: target.tenant.clone(),
        own_nameservers: target.nameservers.is_some(),
        nameservers: target.asked_nameservers(),
        timeout_ms: crate::evidence::millis(target.timeout),
        deadline_ms: crate::evidence::millis(target.deadline),
        platform: Some(std::env::consts::OS.to_owned()),
        roots_file: target.roots_file.clone(),
        ca_file: target.ca_file.clone(),
        token_file: target.token_file.clone(),
        only: target.only.clone(),
        skip: target.skip.clone(),
        control: jobs.iter().find(|(verb, _)| *verb == Verb::Control).map(|(_, subject)| subject.clone()),
        routes,
    }
}

fn stamp(started: time::OffsetDateTime, recorder: &Recorder) -> Stamp {
    let started_at = started.replace_millisecond(started.millisecond()).unwrap_or(started);
    Stamp {
        tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        // Unique enough to tell two reports of one machine apart; it identifies nobody.
        run_id: format!("{:x}-{:x}", started.unix_timestamp_nanos(), std::process::id()),
        started_at: started_at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default(),
        duration_ms: crate::evidence::millis(recorder.elapsed()),
    }
}

/// Seconds since 1970, by this machine's clock.
fn clock() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_that_panics_costs_only_itself() {
        let (recorder, slot) = (Recorder::new(), Arc::new(Slot::<u8>::new()));
        let (mut probes, mut named) = (JoinSet::new(), HashMap::new());
        let begun = |subject: &str| {
            let note = ProbeNote { probe: "reach".to_owned(), note: "seen".to_owned() };
            recorder.begin(subject, "", Detail::Probe(note))
        };
        let (pending, other, giving) = (begun(LOGIN), begun(GRAPH), slot.clone());
        let broken = probes.spawn(async move {
            let (_pending, _giver) = (pending, giving.giver());
            panic!("with a secret in hand");
        });
        named.insert(broken.id(), ("reach", LOGIN.to_owned()));
        let whole = probes.spawn(async move {
            // It waits for the one that panics, learns that nothing comes, and goes on.
            assert_eq!(slot.wait().await, None);
            other.end(Outcome::Ok, None);
        });
        named.insert(whole.id(), ("reach", GRAPH.to_owned()));
        all(&mut probes, &named, &recorder).await;
        let mut seen: Vec<(String, Outcome)> =
            recorder.observations().into_iter().map(|seen| (seen.subject, seen.outcome)).collect();
        seen.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = [(GRAPH, Outcome::Ok), (LOGIN, Outcome::CutShort), (LOGIN, Outcome::Panicked)];
        assert_eq!(seen, expected.map(|(subject, outcome)| (subject.to_owned(), outcome)));
        assert!(!format!("{:?}", recorder.observations()).contains("secret"));
    }
}
