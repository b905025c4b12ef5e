//! This machine: its clock, its proxy variables, IPv6, libpq's variables and its trusted roots.

use super::address::class;
use super::{Row, Seen};
use crate::evidence::{Detail, Machine};
use crate::failure::Outcome;
use crate::verb::MACHINE;

pub(super) fn read(seen: &Seen<'_>, hosts: &[Row]) -> Row {
    let mut row = Row::of(MACHINE);
    let (word, skew) = super::run::clock(seen);
    row.say("clock", word);
    let dated = seen.evidence.iter().enumerate().filter(|(_, observation)| match &observation.detail {
        Detail::HttpExchange(exchange) => exchange.date.is_some(),
        Detail::Metadata(reply) => reply.date.is_some(),
        _ => false,
    });
    let evidence = dated.map(|(index, _)| index).collect();
    row.account(
        "clock",
        match skew {
            Some(skew) if word == "right" => format!("within {} of the Date headers", super::span(skew.abs().max(1))),
            Some(skew) => format!("{} {word}, by the Date headers", super::span(skew.abs())),
            None => "no peer gave a Date".to_owned(),
        },
        evidence,
    );
    let Some((index, machine)) =
        seen.evidence.iter().enumerate().find_map(|(index, observation)| match &observation.detail {
            Detail::Machine(machine) => Some((index, &**machine)),
            _ => None,
        })
    else {
        return row;
    };
    proxy(&mut row, machine, index);
    let (word, observed) = variables(machine);
    row.say("run.proxy-variables", word);
    if word == "differ" {
        row.quote("settings", machine.proxy_conflicts.join(", "));
    }
    row.account("run.proxy-variables", observed, vec![index]);
    libpq(&mut row, machine, index);
    ipv6(seen, &mut row, machine, index, hosts);
    row.say("roots", if machine.trusted_roots == 0 { "none" } else { "present" });
    row.account("roots", format!("{} trusted roots", machine.trusted_roots), vec![index]);
    row
}

fn proxy(row: &mut Row, machine: &Machine, index: usize) {
    // HTTPS_PROXY cannot carry http://169.254.169.254; these two can.
    let carrying =
        machine.proxy_variables.iter().find(|setting| !setting.name.to_ascii_lowercase().starts_with("https"));
    let (word, observed) = match carrying {
        None => ("no-proxy", "no variable sends plain HTTP through a proxy".to_owned()),
        Some(setting) if machine.metadata_exempt => {
            ("exempt", format!("{} is set, NO_PROXY exempts 169.254.169.254", setting.name))
        }
        Some(setting) => ("exposed", format!("{} is set, NO_PROXY does not exempt 169.254.169.254", setting.name)),
    };
    row.say("proxy.metadata", word);
    if let Some(setting) = carrying {
        row.quote("variable", &setting.name);
        row.quote("proxy", &setting.value);
    }
    row.account("proxy.metadata", observed, vec![index]);
}

/// Whether the spellings of the proxy variables agree.
pub(super) fn variables(machine: &Machine) -> (&'static str, String) {
    let names: Vec<String> = machine.proxy_variables.iter().map(|setting| setting.name.to_ascii_lowercase()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    if !machine.proxy_conflicts.is_empty() {
        ("differ", format!("{} differ", machine.proxy_conflicts.join(", ")))
    } else if names.is_empty() {
        ("none", "no proxy variable is set".to_owned())
    } else if has("http_proxy") && !has("https_proxy") && !has("all_proxy") {
        ("plain-http-only", "HTTP_PROXY is set, HTTPS_PROXY is not: HTTPS goes direct".to_owned())
    } else {
        ("agree", "no two spellings differ".to_owned())
    }
}

fn libpq(row: &mut Row, machine: &Machine, index: usize) {
    let value =
        |name: &str| machine.libpq.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str());
    let host = match value("PGHOST") {
        None => "absent",
        Some(host) if host.contains(',') => "list",
        Some(host) if host.starts_with('/') || host.starts_with('@') => "socket",
        Some(_) => "plain",
    };
    row.say("libpq.host", host);
    row.say("libpq.hostaddr", if value("PGHOSTADDR").is_some() { "set" } else { "absent" });
    row.say(
        "libpq.sslmode",
        match value("PGSSLMODE") {
            None => "absent",
            Some("verify-full") => "verifying",
            Some(_) => "weak",
        },
    );
    row.say("libpq.auth", value("PGREQUIREAUTH").map_or("absent", require_auth));
    row.say(
        "libpq.channel-binding",
        match value("PGCHANNELBINDING") {
            None => "absent",
            Some("require") => "required",
            Some(_) => "optional",
        },
    );
    let harmful = [
        ("libpq.host", ["list", "socket"].as_slice(), "PGHOST"),
        ("libpq.hostaddr", &["set"], "PGHOSTADDR"),
        ("libpq.sslmode", &["weak"], "PGSSLMODE"),
        ("libpq.auth", &["excludes-password"], "PGREQUIREAUTH"),
        ("libpq.channel-binding", &["required"], "PGCHANNELBINDING"),
    ];
    let found: Vec<String> = harmful
        .iter()
        .filter(|(fact, words, _)| row.word(fact).is_some_and(|word| words.contains(&word)))
        .filter_map(|(_, _, name)| Some(format!("{name}={}", value(name)?)))
        .collect();
    row.say("libpq.result", if found.is_empty() { "clean" } else { "harmful" });
    if !found.is_empty() {
        row.quote("settings", found.join(", "));
    }
    row.account(
        "libpq.result",
        if found.is_empty() { "no harmful PG* variable".to_owned() } else { found.join(", ") },
        vec![index],
    );
}

/// PGREQUIREAUTH is a list of methods, or of methods after `!` that are excluded (libpq 16).
fn require_auth(value: &str) -> &'static str {
    let methods: Vec<&str> = value.split(',').map(str::trim).collect();
    let allows = if methods.iter().any(|method| method.starts_with('!')) {
        !methods.contains(&"!password")
    } else {
        methods.contains(&"password")
    };
    if allows { "allows-password" } else { "excludes-password" }
}

fn ipv6(seen: &Seen<'_>, row: &mut Row, machine: &Machine, index: usize, hosts: &[Row]) {
    // Only what lies beyond this machine and its site tells of an IPv6 route: a filter's `::` is answered by the own kernel.
    let global = |peer: std::net::IpAddr| peer.is_ipv6() && matches!(class(&[peer], seen.cloud), "public" | "in-tag");
    // One server's dead address may be the server's; Entra's many addresses convict this machine.
    let entra = hosts.iter().filter(|host| host.subject != crate::verb::SERVER);
    let connects = entra.clone().flat_map(|host| seen.of(&host.subject)).filter_map(|(place, observation)| {
        match &observation.detail {
            Detail::TcpConnect(connect) if global(connect.peer.ip()) && !connect.proxy => {
                Some((place, observation.outcome))
            }
            _ => None,
        }
    });
    let connects: Vec<(usize, Outcome)> = connects.collect();
    let mut evidence: Vec<usize> = connects.iter().map(|(place, _)| *place).collect();
    evidence.push(index);
    let works = connects.iter().any(|(_, outcome)| outcome.is_ok());
    let (word, observed) = if works {
        ("works", "IPv6 addresses answer")
    } else if connects.is_empty() {
        (if machine.ipv6_source.is_some() { "untested" } else { "absent" }, "no IPv6 destination was dialled")
    } else if connects.iter().all(|(_, outcome)| *outcome == Outcome::NetworkUnreachable) {
        ("absent", "no IPv6 route: nobody would use it")
    } else if connects
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::CutShort | Outcome::Panicked | Outcome::Exhausted))
    {
        ("untested", "IPv6 destinations were not heard before the run ended")
    } else {
        ("dead", "an IPv6 route leads nowhere: no IPv6 destination answers")
    };
    // A dead route is only a matter of this machine when the same hosts answer over IPv4.
    let four =
        entra.clone().any(|host| matches!(host.word("tcp.reach"), Some("by-family" | "by-prefix" | "all" | "some")));
    let word = if word == "dead" && !four { "untested" } else { word };
    row.say("ipv6", word);
    row.account("ipv6", observed, evidence);
}

#[cfg(test)]
mod tests {
    use super::require_auth;

    #[test]
    fn require_auth_lists() {
        for (value, expected) in [
            ("password", "allows-password"),
            ("scram-sha-256", "excludes-password"),
            ("password,scram-sha-256", "allows-password"),
            ("!password", "excludes-password"),
            ("!md5", "allows-password"),
            ("none", "excludes-password"),
        ] {
            assert_eq!(require_auth(value), expected, "{value}");
        }
    }
}
