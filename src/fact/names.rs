//! Names: what each nameserver says, what applications get, and whether the two agree.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Row, Seen, listed};
use crate::cloud::Cloud;
use crate::evidence::{Detail, DnsQuery, HostsEntry, Observation};
use crate::failure::Outcome;
use crate::verb::SERVER;

/// Azure's resolver: the same address in every cloud.
pub(crate) const AZURE_RESOLVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(168, 63, 129, 16));

/// One nameserver's answer to one name, A and AAAA together.
struct Answer<'a> {
    nameserver: SocketAddr,
    word: &'static str,
    addresses: Vec<IpAddr>,
    query: Option<&'a DnsQuery>,
    tcp: Option<&'static str>,
    evidence: Vec<usize>,
}

/// Words that say: this server answered the question.
fn answered(word: &str) -> bool {
    is_address(word) || matches!(word, "nxdomain" | "nodata")
}

pub(super) fn is_address(word: &str) -> bool {
    matches!(
        word,
        "public"
            | "in-tag"
            | "private"
            | "loopback"
            | "unspecified"
            | "link-local"
            | "cgnat"
            | "agent"
            | "mixed-classes"
            | "literal"
    )
}

/// The same answer: a prefix list that is a little old must not make two answers out of one.
fn same(one: &str, other: &str) -> bool {
    let plain = |word: &str| if word == "in-tag" { "public".to_owned() } else { word.to_owned() };
    plain(one) == plain(other)
}

/// Whether two answers contradict each other. Public names have many addresses and rotate them; a private record has one.
fn differ(one: &Answer<'_>, other: &Answer<'_>) -> bool {
    let disjoint = || !one.addresses.iter().any(|address| other.addresses.contains(address));
    !same(one.word, other.word) || (one.word == "private" && disjoint())
}

pub(super) fn read(seen: &Seen<'_>, row: &mut Row) {
    let subject = row.subject.clone();
    let Some(host) = seen.host(&subject) else { return };
    row.quote("host", &host);
    row.quote("nameservers", listed(&seen.settings.nameservers));
    if host.parse::<IpAddr>().is_ok() {
        row.say("dns.result", "literal");
        row.account("dns.result", format!("{host} is an address, not a name"), Vec::new());
        return;
    }
    let answers = answers(seen, &subject);
    let system = system(seen, &subject);
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
    hosts_file(seen, row, &host);
    if let Some(tcp) = listed_servers.iter().find_map(|answer| answer.tcp) {
        row.say("dns.tcp", tcp);
    }

    let deciding = listed_servers.iter().find(|answer| answered(answer.word));
    let (word, addresses, mut evidence) = match &system {
        Some((index, word, addresses)) => {
            row.say("dns.system", word);
            (refined(word, together, &listed_servers), addresses.clone(), vec![*index])
        }
        None => match deciding {
            Some(answer) => (answer.word, answer.addresses.clone(), Vec::new()),
            None => (common(&listed_servers).unwrap_or("try-again"), Vec::new(), Vec::new()),
        },
    };
    row.say("dns.result", word);
    if let Some(query) = deciding.and_then(|answer| answer.query) {
        row.say("dns.chain", chain(seen, &subject, query, &addresses));
        row.quote("chain_end", query.chain.last().cloned().unwrap_or_default());
    }
    if subject == SERVER {
        private_endpoint(seen, row, word);
    }
    row.quote("addresses", listed(&addresses));
    row.quote("remote_address", addresses.first().map(ToString::to_string).unwrap_or_default());
    row.quote("answer", told(word, &addresses));
    evidence.extend(listed_servers.iter().flat_map(|answer| answer.evidence.iter().copied()));
    row.account("dns.result", observed(word, &addresses, &listed_servers, together), evidence);
}

/// One row for each nameserver and name: a nameserver is a subject of its own.
pub(super) fn nameserver_rows(seen: &Seen<'_>, hosts: &[Row]) -> Vec<Row> {
    let mut rows = Vec::new();
    for host in hosts {
        let answers = answers(seen, &host.subject);
        let answers: Vec<&Answer<'_>> = answers.iter().filter(|answer| configured(seen, answer)).collect();
        let decides = answers.iter().position(|answer| answered(answer.word));
        for (index, answer) in answers.iter().enumerate() {
            let mut row = Row::of(&host.subject);
            row.nameserver = true;
            row.say("says", answer.word);
            row.say("nameserver.order", if decides == Some(index) { "decides" } else { "other" });
            row.say("nameserver.place", place(answer.nameserver.ip()));
            let peers: Vec<&&Answer<'_>> = answers.iter().filter(|peer| peer.nameserver != answer.nameserver).collect();
            let first = peers.iter().find(|peer| answered(peer.word));
            if let Some(first) = first {
                let agree = peers.iter().filter(|peer| answered(peer.word)).all(|peer| same(peer.word, first.word));
                if agree {
                    let other = answered(answer.word) && differ(answer, first) && same(answer.word, first.word);
                    row.say("peers.says", if other { "other-private" } else { first.word });
                    row.quote("peers_answer", told(first.word, &first.addresses));
                }
            }
            row.quote("nameserver", shown(answer.nameserver));
            row.quote("host", seen.host(&host.subject).unwrap_or_default());
            row.quote("answer", told(answer.word, &answer.addresses));
            row.quote("nameservers", listed(&seen.settings.nameservers));
            row.account("says", told(answer.word, &answer.addresses), answer.evidence.clone());
            rows.push(row);
        }
    }
    rows
}

/// The nameservers as one subject: each answers each name, and alike.
pub(super) fn all_nameservers(seen: &Seen<'_>, rows: &[Row]) -> Row {
    let mut row = Row { subject: crate::verb::NAMESERVERS.to_owned(), ..Row::default() };
    let rows: Vec<&Row> = rows.iter().filter(|row| row.nameserver).collect();
    let word = |row: &Row| row.word("says").unwrap_or("undetermined");
    let evidence =
        rows.iter().filter_map(|row| row.account_of("says")).flat_map(|account| account.evidence.clone()).collect();
    let mut servers: Vec<&str> = rows.iter().filter_map(|row| row.value("nameserver")).collect();
    servers.dedup();
    servers.sort_unstable();
    servers.dedup();
    let (result, observed) = if seen.settings.nameservers.is_empty() {
        ("none-configured", "no nameserver is configured".to_owned())
    } else if rows.is_empty() {
        return row;
    } else if rows.iter().any(|row| word(row) == "undetermined") {
        ("undetermined", "not every nameserver was heard before the run ended".to_owned())
    } else if rows.iter().all(|row| !answered(word(row))) {
        ("all-fail", format!("none of {} answers", listed(&servers)))
    } else if let Some(failing) = rows.iter().find(|row| !answered(word(row))) {
        let server = failing.value("nameserver").unwrap_or_default();
        ("some-fail", format!("{server}: {}", told(word(failing), &[])))
    } else if let Some(odd) =
        rows.iter().rfind(|row| row.word("peers.says").is_some_and(|peers| !same(peers, word(row))))
    {
        let server = odd.value("nameserver").unwrap_or_default();
        (
            "differ",
            format!(
                "{server} says of {}: {}",
                odd.value("host").unwrap_or_default(),
                odd.value("answer").unwrap_or_default()
            ),
        )
    } else {
        let count = servers.len();
        ("agree", if count == 1 { format!("{} answers", servers[0]) } else { format!("all {count} answer, and alike") })
    };
    row.say("nameservers.result", result);
    row.account("nameservers.result", observed, evidence);
    row
}

fn configured(seen: &Seen<'_>, answer: &Answer<'_>) -> bool {
    seen.settings.nameservers.contains(&answer.nameserver)
}

fn answers<'a>(seen: &'a Seen<'_>, subject: &'a str) -> Vec<Answer<'a>> {
    let mut answers: Vec<Answer<'a>> = Vec::new();
    let queries: Vec<(usize, &Observation, &DnsQuery)> = seen
        .of(subject)
        .filter_map(|(index, observation)| match &observation.detail {
            Detail::DnsQuery(query) => Some((index, observation, query)),
            _ => None,
        })
        .collect();
    let mut servers: Vec<SocketAddr> = seen.settings.nameservers.clone();
    for (_, _, query) in &queries {
        if !servers.contains(&query.nameserver) {
            servers.push(query.nameserver);
        }
    }
    for nameserver in servers {
        let of_server: Vec<_> = queries.iter().filter(|(_, _, query)| query.nameserver == nameserver).collect();
        let Some((_, first, a)) = of_server.iter().find(|(_, _, query)| query.record_type == "A").or(of_server.first())
        else {
            continue;
        };
        let addresses: Vec<IpAddr> =
            of_server.iter().flat_map(|(_, _, query)| query.addresses.iter().copied()).collect();
        let word = if addresses.is_empty() { failure(first, a) } else { class(&addresses, seen.cloud) };
        let tcp = a.truncated.then(|| match first.outcome {
            Outcome::Ok | Outcome::Rejected => "answers",
            Outcome::Timeout => "silent",
            _ => "refused",
        });
        let evidence = of_server.iter().map(|(index, _, _)| *index).collect();
        answers.push(Answer { nameserver, word, addresses, query: Some(a), tcp, evidence });
    }
    answers
}

fn failure(observation: &Observation, query: &DnsQuery) -> &'static str {
    match observation.outcome {
        Outcome::Ok => "nodata",
        Outcome::Rejected => match query.rcode.as_deref() {
            Some("NXDOMAIN") => "nxdomain",
            Some("REFUSED") => "refused",
            _ => "servfail",
        },
        Outcome::Timeout => "silent",
        Outcome::Denied => "denied",
        Outcome::CutShort | Outcome::Panicked => "undetermined",
        Outcome::Garbage => "malformed",
        _ => "unreachable",
    }
}

fn system(seen: &Seen<'_>, subject: &str) -> Option<(usize, &'static str, Vec<IpAddr>)> {
    let (index, observation, lookup) = seen.of(subject).find_map(|(index, observation)| match &observation.detail {
        Detail::SystemLookup(lookup) => Some((index, observation, lookup)),
        _ => None,
    })?;
    let word = match (observation.outcome, lookup.eai.as_deref()) {
        (Outcome::Ok, _) => class(&lookup.addresses, seen.cloud),
        (Outcome::Timeout, _) => "silent",
        (Outcome::CutShort | Outcome::Panicked, _) => "undetermined",
        (_, Some("EAI_NONAME")) => "nxdomain",
        (_, Some("EAI_NODATA")) => "nodata",
        (_, Some("EAI_FAIL")) => "servfail",
        _ => "try-again",
    };
    Some((index, word, lookup.addresses.clone()))
}

/// getaddrinfo has one code for silence, SERVFAIL and REFUSED; the nameservers themselves say which it was.
fn refined(system: &'static str, together: &str, answers: &[&Answer<'_>]) -> &'static str {
    match system {
        "try-again" if together == "none-configured" => "no-nameserver",
        "try-again" | "servfail" => common(answers).unwrap_or(system),
        "nxdomain" if !answers.is_empty() && answers.iter().all(|answer| answer.word == "nodata") => "nodata",
        "silent" if answers.iter().any(|answer| answered(answer.word)) => "late",
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

/// The class of a set of addresses.
pub(super) fn class(addresses: &[IpAddr], cloud: &Cloud) -> &'static str {
    let mut classes: Vec<&'static str> = addresses.iter().map(|address| class_of(*address, cloud)).collect();
    classes.sort_unstable();
    classes.dedup();
    match classes.as_slice() {
        [] => "nodata",
        [one] => one,
        ["in-tag", "public"] => "public",
        _ => "mixed-classes",
    }
}

fn class_of(address: IpAddr, cloud: &Cloud) -> &'static str {
    let address = address.to_canonical();
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            match (a, b) {
                (0, _) => "unspecified",
                (127, _) => "loopback",
                (169, 254) => "link-local",
                (100, 64..128) => "cgnat",
                (6, 6) => "agent",
                _ if four.is_private() => "private",
                _ if cloud.in_tag(address) => "in-tag",
                _ => "public",
            }
        }
        IpAddr::V6(six) if six == Ipv6Addr::UNSPECIFIED => "unspecified",
        IpAddr::V6(six) if six == Ipv6Addr::LOCALHOST => "loopback",
        IpAddr::V6(six) if six.is_unique_local() => "private",
        IpAddr::V6(six) if six.is_unicast_link_local() => "link-local",
        IpAddr::V6(_) if cloud.in_tag(address) => "in-tag",
        IpAddr::V6(_) => "public",
    }
}

fn place(address: IpAddr) -> &'static str {
    match address {
        AZURE_RESOLVER => "azure",
        address if address.is_loopback() => "loopback",
        IpAddr::V4(four) if four.is_private() || four.is_link_local() => "private",
        IpAddr::V6(six) if six.is_unique_local() || six.is_unicast_link_local() => "private",
        _ => "public",
    }
}

fn shown(nameserver: SocketAddr) -> String {
    if nameserver.port() == 53 { nameserver.ip().to_string() } else { nameserver.to_string() }
}

/// Where the configured nameservers are, together.
pub(super) fn places(nameservers: &[SocketAddr]) -> &'static str {
    let mut places: Vec<&'static str> = nameservers.iter().map(|nameserver| place(nameserver.ip())).collect();
    places.dedup();
    match places.as_slice() {
        [] => "none",
        [one] => one,
        _ => "several",
    }
}

/// A word of the answer vocabulary, for people.
fn told(word: &str, addresses: &[IpAddr]) -> String {
    let what = match word {
        "in-tag" => "public addresses inside AzureActiveDirectory",
        "public" => "public addresses",
        "private" => "private addresses",
        "loopback" => "loopback addresses",
        "unspecified" => "the unspecified address",
        "link-local" => "link-local addresses",
        "cgnat" => "addresses of 100.64.0.0/10",
        "agent" => "addresses of 6.6.0.0/16 (Global Secure Access)",
        "mixed-classes" => "public and private addresses",
        "nxdomain" => return "NXDOMAIN: the name does not exist".to_owned(),
        "nodata" => return "no address records".to_owned(),
        "servfail" => return "SERVFAIL".to_owned(),
        "refused" => return "REFUSED".to_owned(),
        "silent" => return "no answer".to_owned(),
        "unreachable" => return "nothing listens there (refused or unreachable)".to_owned(),
        "denied" => return "this machine's kernel refused to send".to_owned(),
        "malformed" => return "an answer that is not DNS".to_owned(),
        "try-again" => return "temporary failure (EAI_AGAIN)".to_owned(),
        "no-nameserver" => return "no nameserver is configured".to_owned(),
        "late" => return "getaddrinfo is still silent although a nameserver answered".to_owned(),
        other => return other.to_owned(),
    };
    if addresses.is_empty() { what.to_owned() } else { format!("{what}: {}", listed(addresses)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_addresses() {
        let cloud = Cloud::bare("login.example", "graph.example", "https://resource.example");
        let of = |text: &str| class_of(text.parse().expect(text), &cloud);
        for (address, expected) in [
            ("20.1.1.1", "public"),
            ("10.1.1.1", "private"),
            ("172.31.0.1", "private"),
            ("172.32.0.1", "public"),
            ("192.168.9.9", "private"),
            ("100.64.0.1", "cgnat"),
            ("100.128.0.1", "public"),
            ("6.6.0.7", "agent"),
            ("0.0.0.0", "unspecified"),
            ("127.0.0.53", "loopback"),
            ("169.254.1.1", "link-local"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("fd12::1", "private"),
            ("fe80::1", "link-local"),
            ("2603:1026:3000::1", "public"),
            ("::ffff:10.0.0.1", "private"),
        ] {
            assert_eq!(of(address), expected, "{address}");
        }
        let set = |texts: &[&str]| {
            class(&texts.iter().map(|text| text.parse().expect("address")).collect::<Vec<_>>(), &cloud)
        };
        assert_eq!(set(&["20.1.1.1", "10.0.0.1"]), "mixed-classes");
        assert_eq!(set(&[]), "nodata");
    }
}
