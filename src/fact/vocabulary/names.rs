//! What is said of a name, and of a name at one nameserver.

use super::{Fact, declare};

/// What a name's answer can be: a class of addresses (the first ten), or a way of having none.
const ANSWER: &[&str] = &[
    "public",
    "in-tag",
    "private",
    "loopback",
    "unspecified",
    "link-local",
    "cgnat",
    "agent",
    "mixed-classes",
    "literal",
    "nxdomain",
    "nodata",
    "try-again",
    "servfail",
    "refused",
    "silent",
    "unreachable",
    "denied",
    "malformed",
    "no-nameserver",
    "late",
    "waits",
    "made-up",
    "undetermined",
];

/// The answers that are addresses.
const ADDRESSES: &[&str] = ANSWER.split_at(10).0;

/// What the other nameservers' answer can be.
const PEERS: &[&str] = &[
    "public",
    "in-tag",
    "private",
    "other-private",
    "loopback",
    "unspecified",
    "link-local",
    "cgnat",
    "agent",
    "mixed-classes",
    "nxdomain",
    "nodata",
];

pub(super) const FACTS: &[Fact] = &[
    declare(
        "dns.result",
        "what decides: getaddrinfo's answer, or with --nameserver the first server's that answers; in-tag = inside AzureActiveDirectory; agent = 6.6.0.0/16 of Global Secure Access; literal = an address was given instead of a name; waits = getaddrinfo is still silent, for a nameserver before the one that answers is; made-up = not this name's own: what names without an owner get too, or a longer name of the search list",
        ANSWER,
    ),
    declare(
        "dns.addresses",
        "the addresses that are dialled: those of dns.result, or where getaddrinfo is still silent those of the first nameserver that answers; unsaid where there are none",
        ADDRESSES,
    ),
    declare(
        "dns.direct",
        "what the nameserver that decides says when it is asked directly; unsaid where none answers",
        ANSWER,
    ),
    declare("dns.system", "what getaddrinfo says (unsaid with --nameserver)", ANSWER),
    declare(
        "dns.lookups",
        "recover = getaddrinfo failed, and asked again it has addresses, as the nameservers had whenever they were asked directly",
        &["recover"],
    ),
    declare("dns.azure", "what Azure's own resolver 168.63.129.16 says (only asked in Azure)", ANSWER),
    declare(
        "dns.nameservers",
        "what the configured nameservers say together about this name",
        &[
            "agree",
            "differ",
            "some-fail",
            "all-silent",
            "all-unreachable",
            "all-servfail",
            "all-refused",
            "all-malformed",
            "all-denied",
            "all-fail",
            "none-configured",
            "undetermined",
        ],
    ),
    declare(
        "dns.chain",
        "where the CNAME chain leads; dangling = to a name that does not exist",
        &["none", "complete", "dangling", "dangling-privatelink", "privatelink-private", "privatelink-public", "loop"],
    ),
    declare(
        "dns.services",
        "whether the hosts line of nsswitch.conf asks anybody beyond this machine (unsaid with --nameserver)",
        &["dns", "local-only"],
    ),
    declare(
        "dns.search",
        "whether getaddrinfo found the name itself, or a longer one of the search list (unsaid with --nameserver)",
        &["whole", "captured"],
    ),
    declare(
        "dns.upstream",
        "what the nameservers behind a stub on this machine say (only asked beside a doubtful answer of the stub)",
        ANSWER,
    ),
    declare("dns.hosts-file", "whether the hosts file has this name", &["overrides", "absent"]),
    declare(
        "dns.private-endpoint",
        "whether the server's name leads to a private address when --topology says that it has a private endpoint",
        &["reached", "bypassed", "not-asked", "undetermined"],
    ),
    declare("dns.tcp", "what became of the TCP retry after a truncated answer", &["answers", "silent", "refused"]),
    declare(
        "dns.authority",
        "whose zone a doubtful answer comes from, by its AA bit and SOA: policy = a zone that does not hold the name (RPZ); azure-private = an Azure private zone; root = a root zone; local-zone = one that the nameserver holds itself; override = an entry or a policy of the nameserver itself, and no zone; enclosing = another zone above the name; unnamed = it does not say",
        &["policy", "azure-private", "root", "local-zone", "override", "enclosing", "unnamed"],
    ),
    declare(
        "dns.extended-error",
        "what the nameserver itself adds to a doubtful answer (RFC 8914)",
        &["filtered", "dnssec", "upstream", "not-allowed", "stale", "other"],
    ),
    declare(
        "dns.dnssec",
        "whether a SERVFAIL becomes an answer when the nameserver is asked not to validate (CD); unproven = it does not, which does not clear validation: unbound fails either way where its forwarder strips all signatures",
        &["bogus", "unproven"],
    ),
    declare(
        "dns.repeated",
        "a doubtful question put again: two-replies = one question had two different replies; flaps = another answer; tcp-differs = another answer over TCP",
        &["same", "two-replies", "flaps", "tcp-differs"],
    ),
    declare(
        "dns.wildcard",
        "whether names that nobody has get addresses too: zone = the host's own address, for its zone; everything = in another zone as well",
        &["none", "zone", "everything"],
    ),
    declare("dns.edns", "what befalls questions with EDNS, when those without are answered", &["dropped", "rejected"]),
    // names at one nameserver: one row per name and nameserver
    declare("says", "what this one nameserver answers for the name", ANSWER),
    declare(
        "peers.says",
        "what the other nameservers answer for the same name, when they agree; other-private = private too, but another address",
        PEERS,
    ),
    declare(
        "nameservers.result",
        "all names at all configured nameservers: whether each answers, and the same; unsteady = getaddrinfo has addresses, and one that breaks off or changes its answer gives others or none",
        &["agree", "some-fail", "differ", "unsteady", "edns-dropped", "all-fail", "none-configured", "undetermined"],
    ),
    declare(
        "nameserver.tcp",
        "TCP 53 beside unanswered UDP questions; for a host: at all its nameservers alike",
        &["answers", "connects", "silent", "refused", "mixed"],
    ),
    declare(
        "nameserver.recursion",
        "whether the nameserver says that it resolves for us (RA)",
        &["available", "unavailable"],
    ),
    declare(
        "nameserver.course",
        "what becomes of a failing nameserver in the course of the run: recovers = it answers the same question when asked again; breaks-off = it does not answer any more a name that it did answer; by-name = it still answers that, and is silent for this one",
        &["recovers", "breaks-off", "by-name"],
    ),
    declare(
        "dns.icmp",
        "who sends the ICMP errors that refuse questions, where the kernel tells: the nameserver itself (nothing listens there), this machine or a router",
        &["peer", "this-machine", "router"],
    ),
    declare("nameserver.route", "none = the kernel had no route to the nameserver, and nothing was sent", &["none"]),
    declare("nameserver.place", "where the nameserver is", &["loopback", "azure", "private", "public"]),
    declare(
        "nameserver.order",
        "whether its answer is the one that applications get; awaited = they still wait for it at the timeout; overruled = it would be, or nobody gave one, but getaddrinfo has others",
        &["decides", "awaited", "overruled", "other"],
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn addresses_come_first_and_are_all_there() {
        assert_eq!(super::ADDRESSES.first(), Some(&"public"));
        assert_eq!(super::ADDRESSES.last(), Some(&"literal"));
        assert!(super::ANSWER[10..].iter().all(|word| !crate::fact::address::is_address(word)));
        assert!(super::ADDRESSES.iter().all(|word| crate::fact::address::is_address(word)));
    }
}
