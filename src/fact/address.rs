//! Addresses by class: public, inside the cloud's service tag, private, and the kinds that nobody can route to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::cloud::{Cloud, beyond_nat64};

/// Azure's resolver: the same address in every cloud.
pub(crate) const AZURE_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));

/// The primary server that the SOA of every Azure private zone names.
pub(super) const AZURE_PRIVATE: &str = "azureprivatedns.net";

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
    let address = beyond_nat64(address.to_canonical());
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

/// A nameserver, with its port if that is not 53.
pub(super) fn shown(nameserver: SocketAddr) -> String {
    if nameserver.port() == 53 { nameserver.ip().to_string() } else { nameserver.to_string() }
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

pub(super) fn place(address: IpAddr) -> &'static str {
    match address {
        AZURE_RESOLVER => "azure",
        address if address.is_loopback() => "loopback",
        IpAddr::V4(four) if four.is_private() || four.is_link_local() => "private",
        IpAddr::V6(six) if six.is_unique_local() || six.is_unicast_link_local() => "private",
        _ => "public",
    }
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
            ("64:ff9b::20.1.1.1", "public"),
            ("64:ff9b::10.0.0.1", "private"),
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
