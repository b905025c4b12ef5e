//! The nameservers: each with what it says of each name, and all of them together.

use std::net::SocketAddr;

use super::address::{is_address, place, shown};
use super::answer::{Answer, answered, answers, awaited, configured, differ, same, told};
use super::{Row, Seen, listed};

/// One row for each nameserver and name: a nameserver is a subject of its own.
pub(super) fn nameserver_rows(seen: &Seen<'_>, hosts: &[Row]) -> Vec<Row> {
    let mut rows = Vec::new();
    for host in hosts {
        let answers = answers(seen, &host.subject);
        let answers: Vec<&Answer<'_>> = answers.iter().filter(|answer| configured(seen, answer)).collect();
        let decides = super::answer::deciding(seen, &answers, host.word("dns.system"));
        let confirmed = |system: &str| answers.iter().any(|answer| same(system, answer.word));
        for (index, answer) in answers.iter().enumerate() {
            let mut row = Row::of(&host.subject);
            row.nameserver = true;
            row.say("says", answer.word);
            let awaited = host.word("dns.result") == Some("waits")
                && decides.is_some_and(|decides| awaited(seen, &answers, index, decides));
            let decides_here = decides == Some(index);
            let order = match host.word("dns.system").filter(|word| is_address(word)) {
                // Whoever gave getaddrinfo its addresses, applications do not get this answer.
                Some(system) if !same(system, answer.word) && (decides_here || !confirmed(system)) => "overruled",
                _ if decides_here => "decides",
                _ => "other",
            };
            row.say("nameserver.order", if awaited { "awaited" } else { order });
            if let Some(file) = host.word("dns.hosts-file") {
                row.say("dns.hosts-file", file);
            }
            if let Some(beside) = answer.beside {
                row.say("nameserver.tcp", beside);
            }
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
            super::doubt::read(seen, &mut row, answer);
            name(&mut row, answer.nameserver);
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
    // What the hosts file says and a nameserver does not is no nameserver's to say.
    let pinned = |row: &Row| {
        row.word("nameserver.order") == Some("overruled") && row.word("dns.hosts-file") == Some("overrides")
    };
    let rows: Vec<&Row> = rows.iter().filter(|row| row.nameserver && !pinned(row)).collect();
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
    } else if let Some(turned) = rows.iter().find(|row| turned(row)) {
        let name = |name: &str| turned.value(name).unwrap_or_default();
        let (server, host) = (name("nameserver"), name("host"));
        ("unsteady", format!("{server} says of {host}: {}; getaddrinfo got an address", name("answer")))
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
    } else if let Some(deaf) = rows.iter().find(|row| row.word("dns.edns") == Some("dropped")) {
        let server = deaf.value("nameserver").unwrap_or_default();
        for name in ["nameserver", "nameserver_address", "nameserver_port"] {
            row.quote(name, deaf.value(name).unwrap_or_default());
        }
        ("edns-dropped", format!("{server} answers no question with EDNS; those without are answered"))
    } else {
        let count = servers.len();
        ("agree", if count == 1 { format!("{} answers", servers[0]) } else { format!("all {count} answer, and alike") })
    };
    row.say("nameservers.result", result);
    row.account("nameservers.result", observed, evidence);
    row
}

/// Whether getaddrinfo got this name's addresses, and the nameserver that has broken off or changed its answer says otherwise.
fn turned(row: &Row) -> bool {
    let changed = row.word("nameserver.course") == Some("breaks-off") || row.word("dns.repeated") == Some("flaps");
    changed && row.word("nameserver.order") == Some("overruled")
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

/// Quotes a nameserver, for prose and for commands.
pub(super) fn name(row: &mut Row, nameserver: SocketAddr) {
    row.quote("nameserver", shown(nameserver));
    row.quote("nameserver_address", nameserver.ip().to_string());
    row.quote("nameserver_port", nameserver.port().to_string());
}
