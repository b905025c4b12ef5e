//! What the whole run shows: facts that every subject's row has.

use super::{Row, Seen};
use crate::evidence::{Detail, skew};
use crate::terms::Topology;
use crate::verb::{GRAPH, LOGIN, SERVER};

/// A clock that is off by more than this is told; Kerberos and tokens tolerate five minutes.
const SKEW: i64 = 120;

pub(super) fn read(seen: &Seen<'_>, hosts: &[Row], control: &Row) -> Row {
    let mut row = Row::default();
    let word =
        |subject: &str, fact: &str| hosts.iter().find(|row| row.subject == subject).and_then(|row| row.word(fact));
    let reached =
        |subject: &str| word(subject, "reach.result").map(|word| matches!(word, "expected" | "partly" | "inspected"));
    row.say(
        "run.entra",
        match (reached(LOGIN), reached(GRAPH)) {
            (Some(true), Some(true)) => "both",
            (Some(false), Some(false)) => "none",
            (Some(true), Some(false)) | (Some(false), Some(true)) => "one",
            _ => "undetermined",
        },
    );
    let other = control.word("run.other-443").unwrap_or("untested");
    row.say("run.other-443", other);
    let accepts = |row: &Row| matches!(row.word("tcp.reach"), Some("all" | "some" | "by-prefix" | "by-family"));
    let open = hosts.iter().filter(|row| row.subject != SERVER).chain([control]).any(accepts);
    row.say(
        "run.egress",
        match other {
            _ if open => "open",
            "silent" => "closed",
            _ => "unknown",
        },
    );
    if let Some(account) = control.account_of("run.other-443").filter(|_| other != "untested") {
        row.quote("control", &account.observed);
    }
    row.say(
        "run.session",
        match word(SERVER, "pg.session") {
            // What a pooler was let in with before says nothing of what the server can validate today.
            Some("ready") if word(SERVER, "server.port") == Some("pgbouncer") => "pooled",
            Some("ready") => "ready",
            Some(_) => "failed",
            None if word(SERVER, "pg.token").is_some() || word(SERVER, "pg.asks").is_some() => "failed",
            None => "not-tried",
        },
    );
    let vantage = vantage(seen);
    row.say("run.vantage", vantage);
    let clock = clock(seen);
    row.say("run.clock", clock.0);
    if let Some(skew) = clock.1 {
        row.quote("skew", super::span(skew.abs()));
    }
    row.say(
        "run.topology",
        match topology(seen, hosts) {
            Topology::Public => "public",
            Topology::Vnet => "vnet",
            Topology::PrivateEndpoint => "private-endpoint",
            Topology::Unknown => "unknown",
        },
    );
    if let Some(ground) = seen.machine() {
        row.say("run.proxy-variables", super::machine::variables(ground).0);
        let routed = ground.ipv4_source.is_some() || ground.ipv6_source.is_some();
        row.say("run.local-network", if routed { "routed" } else { "no-default-route" });
    }
    if let Some((word, news)) = super::path::neighbour(seen) {
        row.say("run.neighbour", word);
        row.quote("missing_neighbour", news);
    }
    let places = super::nameservers::places(&seen.settings.nameservers);
    row.say("run.nameservers", places);
    let local = (places == "loopback").then_some("local");
    if let Some(word) = super::doubt::interception(seen).or(local) {
        row.say("run.interception", word);
    }
    for (name, value) in instance(seen) {
        row.quote(name, value);
    }
    row.quote("login_host", &seen.settings.login_host);
    row.quote("graph_host", &seen.settings.graph_host);
    row.quote("resource", &seen.settings.resource);
    row.quote("user", seen.settings.user.clone().unwrap_or_default());
    row.quote("database", &seen.settings.database);
    let server = seen.settings.server.clone().unwrap_or_default();
    row.quote(
        "server_name",
        if server.parse::<std::net::IpAddr>().is_ok() { "" } else { server.split('.').next().unwrap_or_default() },
    );
    row.quote("server", server);
    row.quote("wanted_tenant", seen.settings.tenant.clone().unwrap_or_default());
    row.quote("client_id", seen.settings.client_id.clone().unwrap_or_default());
    row
}

/// Where this run stands, by the metadata service's instance document.
fn vantage(seen: &Seen<'_>) -> &'static str {
    let mut asked = false;
    for observation in seen.evidence {
        if let Detail::Metadata(reply) = &observation.detail
            && reply.asked == "instance"
        {
            asked = true;
            if reply.instance.is_some() {
                return "azure-vm";
            }
        }
    }
    match seen.machine() {
        Some(machine) if machine.azure_asset_tag => "unknown",
        _ if asked => "elsewhere",
        _ => "unknown",
    }
}

pub(super) fn clock(seen: &Seen<'_>) -> (&'static str, Option<i64>) {
    match skew(seen.evidence) {
        None => ("unmeasured", None),
        Some(skew) if skew > SKEW => ("ahead", Some(skew)),
        Some(skew) if skew < -SKEW => ("behind", Some(skew)),
        Some(skew) => ("right", Some(skew)),
    }
}

/// What `--topology` says, else what the server's name resolves to.
pub(super) fn topology(seen: &Seen<'_>, hosts: &[Row]) -> Topology {
    if let Some(topology) = seen.settings.topology {
        return topology;
    }
    let Some(server) = hosts.iter().find(|row| row.subject == SERVER) else { return Topology::Unknown };
    match (server.word("dns.addresses"), server.word("dns.chain")) {
        (Some("private"), Some("privatelink-private")) => Topology::PrivateEndpoint,
        (Some("private"), _) => Topology::Vnet,
        (Some("public"), _) => Topology::Public,
        _ => Topology::Unknown,
    }
}

fn instance(seen: &Seen<'_>) -> Vec<(&'static str, String)> {
    let instance = seen.evidence.iter().find_map(|observation| match &observation.detail {
        Detail::Metadata(reply) => reply.instance.clone(),
        _ => None,
    });
    let Some(instance) = instance else { return Vec::new() };
    [
        ("vm", instance.vm),
        ("resource_group", instance.resource_group),
        ("subscription", instance.subscription),
        ("local_address", instance.private_address),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
