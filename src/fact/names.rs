//! Names: what applications get, and whether the nameservers agree with it.

use std::net::IpAddr;

use super::address::{AZURE_RESOLVER, class, is_address};
use super::answer::{Answer, answered, answers, awaited, configured, differ, told};
use super::lookup::Lookup;
use super::{Row, Seen, listed};
use crate::evidence::{Detail, DnsQuery, HostsEntry};
use crate::verb::SERVER;

pub(super) fn read(seen: &Seen<'_>, row: &mut Row) {
    let subject = row.subject.clone();
    let Some(host) = seen.host(&subject) else { return };
    row.quote("host", &host);
    row.quote("nameservers", listed(&seen.settings.nameservers));
    if host.parse::<IpAddr>().is_ok() {
        row.say("dns.result", "literal");
        row.say("dns.addresses", "literal");
        row.account("dns.result", format!("{host} is an address, not a name"), Vec::new());
        return;
    }
    let answers = answers(seen, &subject);
    let system = Lookup::of(seen, &subject, false);
    if answers.is_empty() && system.is_none() {
        return;
    }
    let azure = answers.iter().find(|answer| answer.nameserver.ip() == AZURE_RESOLVER && !configured(seen, answer));
    let listed_servers: Vec<&Answer<'_>> = answers.iter().filter(|answer| configured(seen, answer)).collect();
    if let Some(azure) = azure {
        row.say("dns.azure", azure.word);
    }
    let together = together(seen, &listed_servers);
    row.say("dns.nameservers", together);
    icmp(row, &listed_servers);
    hosts_file(seen, row, &host);
    super::lookup::read(seen, row, &host, &listed_servers);
    let mut beside: Vec<&str> = listed_servers.iter().filter_map(|answer| answer.beside).collect();
    beside.dedup();
    match beside.as_slice() {
        [] => {}
        [one] => row.say("nameserver.tcp", one),
        _ => row.say("nameserver.tcp", "mixed"),
    }
    if let Some(tcp) = listed_servers.iter().find_map(|answer| answer.tcp) {
        row.say("dns.tcp", tcp);
    }

    let said = system.as_ref().map(|lookup| lookup.word);
    let deciding = super::answer::deciding(seen, &listed_servers, said).map(|index| listed_servers[index]);
    let dialled = deciding.map(|answer| answer.addresses.clone()).unwrap_or_default();
    let (word, addresses, mut evidence) = match &system {
        Some(lookup) => {
            row.say("dns.system", lookup.word);
            let addresses = if lookup.word == "silent" { dialled.clone() } else { lookup.addresses.clone() };
            (refined(seen, &subject, lookup.word, together, &listed_servers), addresses, vec![lookup.index])
        }
        None => match deciding {
            Some(answer) => (answer.word, dialled.clone(), Vec::new()),
            None => (common(&listed_servers).unwrap_or("try-again"), Vec::new(), Vec::new()),
        },
    };
    let made_up = deciding.is_some_and(|answer| super::doubt::made_up(seen, answer.nameserver, &addresses));
    let captured = row.word("dns.search") == Some("captured");
    let word = if made_up || captured { "made-up" } else { word };
    row.say("dns.result", word);
    if let Some(answer) = deciding {
        row.say("dns.direct", answer.word);
    }
    if !addresses.is_empty() && word != "made-up" {
        row.say("dns.addresses", class(&addresses, seen.cloud));
    }
    // Where none answers, the first speaks for all.
    if let Some(answer) = deciding.or(listed_servers.first().copied()) {
        super::doubt::read(seen, row, answer);
        super::nameservers::name(row, answer.nameserver);
    }
    if let Some(query) = deciding.and_then(|answer| answer.query) {
        row.say("dns.chain", chain(seen, &subject, query, &addresses));
        row.quote("chain_end", query.chain.last().cloned().unwrap_or_default());
    }
    if subject == SERVER {
        private_endpoint(seen, row, row.word("dns.addresses").unwrap_or(word));
    }
    row.quote("addresses", listed(&addresses));
    row.quote("remote_address", addresses.first().map(ToString::to_string).unwrap_or_default());
    row.quote("answer", told(word, &addresses));
    evidence.extend(listed_servers.iter().flat_map(|answer| answer.evidence.iter().copied()));
    row.account("dns.result", observed(word, &addresses, &listed_servers, together), evidence);
}

/// getaddrinfo has one code for silence, SERVFAIL and REFUSED; the nameservers themselves say which it was.
fn refined(
    seen: &Seen<'_>,
    subject: &str,
    system: &'static str,
    together: &str,
    answers: &[&Answer<'_>],
) -> &'static str {
    match system {
        "try-again" if together == "none-configured" => "no-nameserver",
        "try-again" | "servfail" => common(answers).unwrap_or(system),
        "nxdomain" if !answers.is_empty() && answers.iter().all(|answer| answer.word == "nodata") => "nodata",
        "silent" => match answers.iter().position(|answer| answered(answer.word)) {
            // That applications wait is no news beside what they will then get.
            Some(first) if super::doubt::is_odd(subject, answers[first].word) => answers[first].word,
            Some(first) if (0..answers.len()).any(|index| awaited(seen, answers, index, first)) => "waits",
            Some(_) => "late",
            None => "silent",
        },
        other => other,
    }
}

/// The word of failure that all share.
fn common(answers: &[&Answer<'_>]) -> Option<&'static str> {
    let first = answers.first()?;
    (!answered(first.word) && answers.iter().all(|answer| answer.word == first.word)).then_some(first.word)
}

fn together(seen: &Seen<'_>, answers: &[&Answer<'_>]) -> &'static str {
    if seen.settings.nameservers.is_empty() {
        return "none-configured";
    }
    let Some(first) = answers.first() else { return "undetermined" };
    let all = |word: &str| answers.iter().all(|answer| answer.word == word);
    if answers.iter().any(|answer| answer.word == "undetermined") {
        return "undetermined";
    }
    for (word, whole) in [
        ("silent", "all-silent"),
        ("unreachable", "all-unreachable"),
        ("servfail", "all-servfail"),
        ("refused", "all-refused"),
        ("malformed", "all-malformed"),
        ("denied", "all-denied"),
    ] {
        if all(word) {
            return whole;
        }
    }
    if answers.iter().all(|answer| !answered(answer.word)) {
        "all-fail"
    } else if answers.iter().any(|answer| !answered(answer.word)) {
        "some-fail"
    } else if !answers.iter().any(|answer| differ(answer, first)) {
        "agree"
    } else {
        "differ"
    }
}

/// Who sends the ICMP errors, where every nameserver is refused in that way.
fn icmp(row: &mut Row, answers: &[&Answer<'_>]) {
    let refused = answers.iter().filter(|answer| answer.word == "unreachable");
    let heard: Vec<_> =
        refused.filter_map(|answer| answer.query?.icmp.map(|icmp| (icmp, answer.nameserver.ip()))).collect();
    if heard.len() == answers.len()
        && let Some(word) = super::icmp::common(heard.iter().map(|(icmp, peer)| super::icmp::sender(icmp, *peer)))
        && let Some((first, _)) = heard.first()
    {
        row.say("dns.icmp", word);
        row.quote("icmp", super::icmp::told(first, &first.from.to_string()));
    }
}

fn private_endpoint(seen: &Seen<'_>, row: &mut Row, result: &str) {
    let asked = seen.settings.topology == Some(crate::terms::Topology::PrivateEndpoint);
    let (word, observed) = match result {
        _ if !asked => ("not-asked", "not asked for: --topology private-endpoint would"),
        "private" => ("reached", "a private address"),
        "public" | "in-tag" => ("bypassed", "a public address: the private endpoint is passed by"),
        _ => ("undetermined", "no address to judge by"),
    };
    row.say("dns.private-endpoint", word);
    row.account("dns.private-endpoint", observed, Vec::new());
}

fn hosts_file(seen: &Seen<'_>, row: &mut Row, host: &str) {
    if seen.settings.own_nameservers {
        // With --nameserver nobody looks into the hosts file.
        row.say("dns.hosts-file", "absent");
        return;
    }
    let machine = seen.evidence.iter().find_map(|observation| match &observation.detail {
        Detail::Machine(machine) => Some(machine),
        _ => None,
    });
    let Some(machine) = machine else { return };
    let overrides = |entry: &&HostsEntry| entry.name.eq_ignore_ascii_case(host);
    let found: Vec<IpAddr> = machine.hosts_entries.iter().filter(overrides).map(|entry| entry.address).collect();
    row.say("dns.hosts-file", if found.is_empty() { "absent" } else { "overrides" });
}

fn chain(seen: &Seen<'_>, subject: &str, query: &DnsQuery, addresses: &[IpAddr]) -> &'static str {
    let Some(last) = query.chain.last() else { return "none" };
    if query.chain.iter().filter(|name| *name == last).count() > 1 {
        return "loop";
    }
    // Entra's own chains go through names with `privatelink` in them: only the server's zone says something.
    let private_link = |name: &String| {
        subject == SERVER
            && seen.cloud.server_suffixes.iter().any(|suffix| name.ends_with(&format!(".privatelink.{suffix}")))
    };
    if addresses.is_empty() && query.addresses.is_empty() {
        return if private_link(last) { "dangling-privatelink" } else { "dangling" };
    }
    if query.chain.iter().any(private_link) {
        let word = class(if addresses.is_empty() { &query.addresses } else { addresses }, seen.cloud);
        return if matches!(word, "public" | "in-tag") { "privatelink-public" } else { "privatelink-private" };
    }
    "complete"
}

fn observed(word: &str, addresses: &[IpAddr], answers: &[&Answer<'_>], together: &str) -> String {
    let mut text = match (word, addresses) {
        (word, [one]) if is_address(word) => match word {
            "in-tag" => format!("{one}, in AzureActiveDirectory"),
            "public" => format!("{one}, public"),
            "private" => format!("{one}, private"),
            _ => told(word, addresses),
        },
        ("in-tag", many) => format!("{} public addresses, in AzureActiveDirectory", many.len()),
        ("public", many) => format!("{} public addresses", many.len()),
        _ => told(word, addresses),
    };
    let good = answers.iter().filter(|answer| answered(answer.word)).count();
    if answers.len() > 1 {
        let alike = if together == "differ" { "answer, not alike" } else { "answer" };
        text.push_str(&format!("; {good} of {} nameservers {alike}", answers.len()));
    }
    text
}
