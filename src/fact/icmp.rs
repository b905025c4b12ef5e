//! One ICMP error: who sent it, and what it says.

use std::net::IpAddr;

use crate::evidence::IcmpError;

pub(super) fn sender(icmp: &IcmpError, peer: IpAddr) -> &'static str {
    if icmp.from == peer {
        "peer"
    } else if icmp.to == Some(icmp.from) {
        "this-machine"
    } else {
        "router"
    }
}

/// The word that all share.
pub(super) fn common(mut words: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let first = words.next()?;
    words.all(|word| word == first).then_some(first)
}

pub(super) fn told(icmp: &IcmpError, from: &str) -> String {
    format!("ICMP type {}, code {} ({}), from {from}", icmp.kind, icmp.code, meaning(icmp))
}

/// The registered meanings, as far as they tell causes apart.
pub(super) fn says(icmp: &IcmpError) -> &'static str {
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
    use super::{IcmpError, says, sender};

    fn icmp(from: &str, kind: u8, code: u8) -> IcmpError {
        IcmpError { from: from.parse().expect("an address"), to: "10.0.0.4".parse().ok(), kind, code }
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
    fn the_sender_is_the_peer_this_machine_or_a_router() {
        let peer = "40.126.1.1".parse().expect("an address");
        assert_eq!(sender(&icmp("40.126.1.1", 3, 3), peer), "peer");
        assert_eq!(sender(&icmp("10.0.0.4", 3, 1), peer), "this-machine");
        assert_eq!(sender(&icmp("10.0.0.1", 3, 1), peer), "router");
    }
}
