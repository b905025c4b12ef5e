//! Every destination that a run may contact, and for what: read off the same jobs that the run is made of.

use super::compare::PORTS;
use super::jobs;
use super::pooler::{PGBOUNCER, POSTGRES};
use crate::target::connect_to::possible;
use crate::target::destination::Destination;
use crate::target::{Proof, Source, Target};
use crate::verb::{GRAPH, SERVER, Verb, own_host};

/// What a run with this target may contact, in the order in which it begins; no packet is sent.
pub fn plan(mut target: Target, asked: &[(Verb, String)]) -> Vec<Destination> {
    super::find_nameservers(&mut target);
    let jobs = jobs(&target, asked);
    let mut plan = names(&target, &jobs);
    plan.push(Destination::new("http", authority(&target.metadata), "whether this is an Azure VM, and which"));
    if jobs.iter().any(|(verb, _)| *verb == Verb::Token) {
        plan.extend(token(&target));
    }
    for (verb, subject) in &jobs {
        match verb {
            Verb::Reach => plan.extend(https(&target, subject)),
            Verb::Control => plan.extend(control(&target, subject)),
            Verb::Server => plan.extend(server(&target, &jobs)),
            Verb::Principal => plan.extend(principal(&target)),
            _ => {}
        }
    }
    merged(plan)
}

/// Who is met twice is named once, for both.
fn merged(all: Vec<Destination>) -> Vec<Destination> {
    let mut plan: Vec<Destination> = Vec::new();
    for one in all {
        let same = plan.iter_mut().find(|known| known.meets(&one));
        match same {
            Some(known) => known.purpose = format!("{}; {}", known.purpose, one.purpose),
            None => plan.push(one),
        }
    }
    plan
}

fn names(target: &Target, jobs: &[(Verb, String)]) -> Vec<Destination> {
    let resolved = jobs.iter().filter(|(verb, _)| *verb == Verb::Resolve);
    let names: Vec<String> = resolved
        .filter_map(|(_, subject)| target.host(subject).map(|(host, _)| host))
        .filter(|host| host.parse::<std::net::IpAddr>().is_err())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let purpose = format!("the addresses of {}", names.join(", "));
    let mut plan: Vec<Destination> = Vec::new();
    for nameserver in target.asked_nameservers() {
        plan.push(Destination::new("dns", nameserver.to_string(), purpose.clone()));
    }
    if target.asked_nameservers().iter().any(|nameserver| !nameserver.ip().is_loopback()) {
        let purpose =
            "one question to an address at which there is no nameserver: whether somebody on the path answers";
        let nobody = Destination::new("dns", super::doubt::NOBODY.to_string(), purpose);
        plan.push(Destination { only: Some("beside a doubtful answer"), ..nobody });
    }
    for upstream in &target.stub_upstreams {
        let behind =
            Destination::new("dns", upstream.to_string(), format!("{purpose}, where the stub on this machine asks"));
        plan.push(Destination { only: Some("beside a doubtful answer"), ..behind });
    }
    if target.nameservers.is_none() {
        plan.push(Destination::new("command", "getaddrinfo", format!("{purpose}, as the system resolves them")));
        let azure = super::resolve::AZURE_RESOLVER;
        if !target.asked_nameservers().contains(&azure) {
            let witness =
                Destination::new("dns", azure.to_string(), format!("{purpose}, as Azure's own resolver sees them"));
            plan.push(Destination { only: Some("in Azure"), ..witness });
        }
    }
    plan
}

fn https(target: &Target, subject: &str) -> Vec<Destination> {
    let Some((host, port)) = target.host(subject) else { return Vec::new() };
    let route = target.proxies.route(&host);
    let purpose = match own_host(subject) {
        Ok(_) => "whether it answers over verified TLS",
        Err(_) => "whether it answers as itself over verified TLS; no token is sent",
    };
    let mut plan = Vec::new();
    if let Some(proxy) = target.proxies.proxy.as_ref().filter(|_| route.proxy.is_none()) {
        let purpose = format!("the way to {host}:{port}, for comparison");
        let exempted = Destination::new("connect", format!("{}:{}", proxy.host, proxy.port), purpose);
        plan.push(Destination { only: Some("when an exempted host is in doubt"), ..exempted });
    }
    if route.proxy.is_some() {
        let direct = Destination::new("https", format!("{host}:{port}"), "the direct way, for comparison");
        plan.push(Destination {
            dialled: possible(&target.connect_to, &host, port),
            only: Some("when the proxy fails"),
            ..direct
        });
    }
    if let Some(proxy) = route.proxy {
        plan.push(Destination::new(
            "connect",
            format!("{}:{}", proxy.host, proxy.port),
            format!("the way to {host}:{port}"),
        ));
    }
    if route.proxy.is_none() && super::compare::asks_plain(target, &host, port) {
        let purpose = "whether TCP 80 at the same addresses is silent too; nothing is sent";
        let plain = Destination::new("http", format!("{host}:{}", super::compare::PLAIN), purpose);
        plan.push(Destination {
            dialled: possible(&target.connect_to, &host, super::compare::PLAIN),
            only: Some("when no address answers"),
            ..plain
        });
    }
    plan.push(Destination {
        dialled: possible(&target.connect_to, &host, port),
        through: route.proxy.map(crate::target::proxy::Proxy::shown),
        ..Destination::new("https", format!("{host}:{port}"), purpose)
    });
    plan
}

fn control(target: &Target, subject: &str) -> Option<Destination> {
    let (host, port) = target.host(subject)?;
    if target.proxies.route(&host).proxy.is_some() {
        return None;
    }
    Some(Destination {
        dialled: possible(&target.connect_to, &host, port),
        only: Some("when a host of Entra is in doubt"),
        ..Destination::new("https", format!("{host}:{port}"), "whether another public host answers on the same path")
    })
}

fn token(target: &Target) -> Vec<Destination> {
    let metadata = || Destination::new("http", authority(&target.metadata), "a token of the managed identity");
    let cli = || {
        Destination::new(
            "command",
            "az account get-access-token",
            "a token of its account; the Azure CLI contacts Entra by itself",
        )
    };
    match &target.source {
        Source::Given(_) | Source::None => Vec::new(),
        Source::Application { proof, .. } => {
            let host = &target.cloud.login_host;
            let proof = match proof {
                Proof::Secret(_) => "its secret",
                Proof::Certificate(_) => "an assertion signed by its certificate",
                Proof::Federated(_) => "a federated assertion",
            };
            vec![Destination {
                dialled: possible(&target.connect_to, host, 443),
                through: target.proxies.route(host).proxy.map(crate::target::proxy::Proxy::shown),
                ..Destination::new("https", format!("{host}:443"), format!("a token of the application, for {proof}"))
            }]
        }
        Source::ManagedIdentity => vec![metadata()],
        Source::AppService { endpoint, .. } => {
            vec![Destination::new("http", authority(endpoint), "a token of the platform's managed identity")]
        }
        Source::Arc { endpoint } => {
            vec![Destination::new("http", authority(endpoint), "a token of Azure Arc's managed identity")]
        }
        Source::AzureCli => vec![cli()],
        Source::Whatever => vec![
            Destination { only: Some("in Azure, or where there is no Azure CLI"), ..metadata() },
            Destination { only: Some("outside Azure, where the Azure CLI is installed"), ..cli() },
        ],
    }
}

/// The directory is asked for `--principal`; for `--user` only after a sign-in that failed.
fn principal(target: &Target) -> Vec<Destination> {
    if matches!(target.source, Source::Given(_) | Source::None) {
        return Vec::new();
    }
    let (purpose, only) = match (&target.principal, &target.user) {
        (Some(principal), _) => (format!("the directory's entry of {principal}, with a token for Graph"), None),
        (None, Some(user)) => {
            let only = Some("after a sign-in whose failure it may explain");
            (format!("the directory's entry of {user}, with a token for Graph"), only)
        }
        (None, None) => return Vec::new(),
    };
    let for_graph = token(target).into_iter().map(|one| Destination {
        only: one.only.or(only),
        purpose: "a token for Graph".to_owned(),
        ..one
    });
    let mut plan: Vec<Destination> = for_graph.collect();
    plan.extend(https(target, GRAPH).into_iter().map(|one| match one.protocol {
        "https" => Destination { only, purpose: purpose.clone(), ..one },
        _ => one,
    }));
    plan
}

fn server(target: &Target, jobs: &[(Verb, String)]) -> Vec<Destination> {
    let Some((host, port)) = target.host(SERVER) else { return Vec::new() };
    let purpose = match &target.user {
        Some(user) if jobs.iter().any(|(verb, _)| *verb == Verb::Login) => {
            format!("verified TLS at every address, then one sign-in as {user}")
        }
        _ => "verified TLS at every address; no sign-in".to_owned(),
    };
    let to = |port: u16, purpose: &str, only| Destination {
        dialled: possible(&target.connect_to, &host, port),
        only,
        ..Destination::new("postgresql", format!("{host}:{port}"), purpose)
    };
    let mut plan = vec![to(port, &purpose, None)];
    if let Some(other) = PORTS.into_iter().find(|other| *other != port).filter(|_| PORTS.contains(&port)) {
        plan.push(to(other, "whether its other port accepts TCP", Some("when the server's port does not answer")));
    }
    if port == PGBOUNCER && target.user.is_some() {
        let purpose = "what it asks the same user for; no token is sent";
        plan.push(to(POSTGRES, purpose, Some("when the pooler asks for no token, or refuses it")));
    }
    plan
}

/// `HOST:PORT` of a URL without a user.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { authority.to_owned() } else { format!("{authority}:80") }
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn a_url_is_planned_by_its_host_and_port() {
        assert_eq!(authority("http://169.254.169.254"), "169.254.169.254:80");
        assert_eq!(authority("http://127.0.0.1:41564/msi/token?x"), "127.0.0.1:41564");
        assert_eq!(authority("http://[fd00::1]/x"), "[fd00::1]:80");
    }
}
