//! ICMP errors that ended connection attempts: who sent them, and what they say.

use super::super::{Row, Seen};
use crate::evidence::{Detail, IcmpError, TcpConnect};
use crate::failure::Outcome;
use crate::verb::SERVER;

/// Two tries and the pause between them take no longer, milliseconds, when a router says no; ARP and neighbour discovery give up after
/// three seconds.
const AT_ONCE: u64 = 2_000;

/// Whether somebody else than this machine said no.
pub(super) fn is_foreign(connect: &TcpConnect) -> bool {
    connect.icmp.is_some_and(|icmp| connect.local.is_some_and(|local| local != icmp.from))
}

/// What all ICMP errors of a host's attempts agree on.
pub(super) fn read<'a>(row: &mut Row, failed: impl Iterator<Item = &'a TcpConnect>) {
    let errors: Vec<_> = failed.filter_map(|connect| connect.icmp.map(|icmp| (icmp, connect))).collect();
    let Some((first, _)) = errors.first() else { return };
    if let Some(word) = common(errors.iter().map(|(icmp, connect)| sender(icmp, connect))) {
        row.say("icmp.sender", word);
    }
    if let Some(word) = common(errors.iter().map(|(icmp, _)| says(icmp))) {
        row.say("icmp.says", word);
    }
    let mut senders: Vec<String> = errors.iter().map(|(icmp, _)| icmp.from.to_string()).collect();
    senders.sort();
    senders.dedup();
    row.quote("icmp", told(first, &senders.join(", ")));
}

fn told(icmp: &IcmpError, from: &str) -> String {
    format!("ICMP type {}, code {} ({}), from {from}", icmp.kind, icmp.code, meaning(icmp))
}

/// Whether the way to the hosts of this run lacks a neighbour, whose it is, and the news of it. Whoever looks for a neighbour keeps a few
/// packets for it and drops the others in silence, so this is a matter of the run and not of each host.
pub(in super::super) fn neighbour(seen: &Seen<'_>) -> Option<(&'static str, String)> {
    let late = seen
        .evidence
        .iter()
        .filter(|observation| observation.outcome == Outcome::HostUnreachable && observation.duration_ms > AT_ONCE);
    let news: Vec<&TcpConnect> = late
        .filter(|observation| observation.subject != SERVER)
        .filter_map(|observation| match &observation.detail {
            Detail::TcpConnect(connect) if !connect.proxy => Some(connect),
            _ => None,
        })
        .collect();
    let [first, _, ..] = news.as_slice() else { return None };
    let sent = news.iter().map(|connect| connect.icmp.as_ref().map_or("nobody", |icmp| sender(icmp, connect)));
    let word = match common(sent) {
        Some("this-machine") => "missing-here",
        Some("router") => "missing-beyond",
        _ => "missing",
    };
    Some((word, first.icmp.map_or_else(String::new, |icmp| told(&icmp, &icmp.from.to_string()))))
}

fn common(mut words: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let first = words.next()?;
    words.all(|word| word == first).then_some(first)
}

fn sender(icmp: &IcmpError, connect: &TcpConnect) -> &'static str {
    if connect.local == Some(icmp.from) {
        "this-machine"
    } else if icmp.from == connect.dialled.ip() {
        "peer"
    } else {
        "router"
    }
}

/// The registered meanings, as far as they tell causes apart.
fn says(icmp: &IcmpError) -> &'static str {
    match (icmp.from.is_ipv4(), icmp.kind, icmp.code) {
        (true, 3, 9 | 10 | 13) | (false, 1, 1 | 5 | 6) => "prohibited",
        (true, 3, 3) | (false, 1, 4) => "port",
        (true, 3, _) | (false, 1, _) => "unreachable",
        (true, 11, 0) | (false, 3, 0) => "loop",
        _ => "other",
    }
}

/// In words, for the page.
fn meaning(icmp: &IcmpError) -> &'static str {
    match (icmp.from.is_ipv4(), icmp.kind, icmp.code) {
        (true, 3, 0) | (false, 1, 0) => "no route to that network",
        (true, 3, 1) | (false, 1, 3) => "host unreachable",
        (true, 3, 3) | (false, 1, 4) => "port unreachable",
        (true, 3, 9) => "network prohibited",
        (true, 3, 10) => "host prohibited",
        (true, 3, 13) | (false, 1, 1) => "administratively prohibited",
        (false, 1, 5) => "source address prohibited",
        (false, 1, 6) => "reject route",
        (true, 3, _) | (false, 1, _) => "unreachable",
        (true, 11, 0) | (false, 3, 0) => "time exceeded in transit",
        _ => "another error",
    }
}

#[cfg(test)]
mod tests {
    use super::{IcmpError, TcpConnect, says, sender};

    fn icmp(from: &str, kind: u8, code: u8) -> IcmpError {
        IcmpError { from: from.parse().expect("an address"), kind, code }
    }

    #[test]
    fn codes_are_read_by_their_family() {
        assert_eq!(says(&icmp("10.0.0.1", 3, 13)), "prohibited");
        assert_eq!(says(&icmp("fd00::1", 1, 1)), "prohibited");
        assert_eq!(says(&icmp("10.0.0.1", 3, 3)), "port");
        assert_eq!(says(&icmp("fd00::1", 1, 4)), "port");
        assert_eq!(says(&icmp("10.0.0.1", 3, 4)), "unreachable");
        assert_eq!(says(&icmp("fd00::1", 3, 0)), "loop");
        assert_eq!(says(&icmp("10.0.0.1", 11, 0)), "loop");
        assert_eq!(says(&icmp("10.0.0.1", 5, 1)), "other");
    }

    #[test]
    fn the_sender_is_this_machine_the_peer_or_a_router() {
        let peer = "40.126.1.1:443".parse().expect("an address");
        let connect = TcpConnect { peer, dialled: peer, local: "10.0.0.4".parse().ok(), proxy: false, icmp: None };
        assert_eq!(sender(&icmp("10.0.0.4", 3, 1), &connect), "this-machine");
        assert_eq!(sender(&icmp("40.126.1.1", 3, 3), &connect), "peer");
        assert_eq!(sender(&icmp("10.0.0.1", 3, 1), &connect), "router");
    }
}
