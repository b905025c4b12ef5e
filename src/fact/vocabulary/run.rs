//! What the whole run shows.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
    declare(
        "run.entra",
        "which of the Entra hosts (login, Graph) answer as expected",
        &["both", "one", "none", "undetermined"],
    ),
    declare(
        "run.other-443",
        "what the control destination (another public host, TCP 443) does on the same path; accepts = TCP, and no TLS",
        &["answers", "accepts", "silent", "refused", "unreachable", "undetermined", "untested"],
    ),
    declare(
        "run.egress",
        "whether any public host of this run (login, Graph, the control destination) accepts TCP 443 directly; closed = the control destination too is silent",
        &["open", "closed", "unknown"],
    ),
    declare(
        "run.proxy-variables",
        "whether the proxy variables agree: differ = two spellings with two values; plain-http-only = HTTP_PROXY without HTTPS_PROXY or ALL_PROXY",
        &["none", "agree", "differ", "plain-http-only"],
    ),
    declare(
        "run.session",
        "whether this run signed in to the database; pooled = through PgBouncer, whose connection to the server may be older than this token",
        &["ready", "pooled", "failed", "not-tried"],
    ),
    declare("run.vantage", "where this run stands, by the metadata service", &["azure-vm", "elsewhere", "unknown"]),
    declare(
        "run.clock",
        "this machine's clock against its peers' Date headers, beyond 2 minutes",
        &["right", "behind", "ahead", "unmeasured"],
    ),
    declare(
        "run.topology",
        "which of Microsoft's network requirements apply",
        &["public", "vnet", "private-endpoint", "unknown"],
    ),
    declare(
        "run.nameservers",
        "where the configured nameservers are",
        &["loopback", "azure", "private", "public", "several", "none"],
    ),
    declare(
        "run.interception",
        "whether 192.0.2.53, where there is no nameserver, answers DNS (only asked beside a doubtful answer); local = all nameservers are on this machine",
        &["intercepted", "none", "local"],
    ),
    declare(
        "run.neighbour",
        "whether news came, after seconds, that nobody answers ARP or neighbour discovery on the way to a public host: missing at this machine's own next hop, beyond a router, or one of the two",
        &["missing-here", "missing-beyond", "missing"],
    ),
    declare("run.local-network", "whether this machine has any default route", &["routed", "no-default-route"]),
];
