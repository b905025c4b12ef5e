//! What is said of the way to a host: route, TCP, proxy, TLS, HTTP.

use super::{Fact, declare};

pub(super) const FACTS: &[Fact] = &[
    declare("route", "how the host is reached", &["direct", "proxy"]),
    declare("route.why", "what chose the route", &["option", "variable", "no-proxy", "no-variable", "never-proxied"]),
    declare(
        "tcp.reach",
        "how many of the addresses accept TCP; by-family = all of one of IPv4/IPv6 and none of the other",
        &["all", "some", "by-family", "none", "undetermined"],
    ),
    declare(
        "tcp.failure",
        "how the addresses that do not accept TCP fail: no answer to SYN, RST, ICMP unreachable, no local route, refused by the local kernel",
        &["silent", "refused", "unreachable", "no-route", "denied", "mixed"],
    ),
    declare(
        "proxy.reach",
        "whether the proxy itself accepts TCP",
        &["ok", "silent", "refused", "unreachable", "unresolved", "undetermined"],
    ),
    declare(
        "proxy.reply",
        "what the proxy answers to CONNECT",
        &[
            "ok",
            "auth-required",
            "auth-rejected",
            "denied",
            "bad-gateway",
            "not-a-proxy",
            "unavailable",
            "silent",
            "closed",
            "undetermined",
        ],
    ),
    declare(
        "tls.handshake",
        "how the TLS handshake ends; the certificate is judged by the platform's roots and the host's name",
        &[
            "verified",
            "silent",
            "reset",
            "closed",
            "alert",
            "not-tls",
            "untrusted",
            "wrong-name",
            "expired",
            "not-yet-valid",
            "bad-certificate",
            "failed",
            "undetermined",
        ],
    ),
    declare("tls.issuer", "who signed the chain, by the word list of issuers", &["public", "inspector", "unknown"]),
    declare(
        "inspection",
        "whether the names in the chain are an inspecting middlebox's, and whether this machine trusts it",
        &["none", "trusted", "untrusted"],
    ),
    declare(
        "small-segments",
        "the same handshake in segments of 536 bytes, beside one that stalls",
        &["answers", "same"],
    ),
    declare(
        "other-name",
        "another server name to the same address, beside a handshake that stalls or is cut",
        &["answers", "same"],
    ),
    declare(
        "http.reply",
        "what the application answers",
        &[
            "expected",
            "block-page",
            "azure-firewall",
            "foreign-redirect",
            "html",
            "throttled",
            "unavailable",
            "denied",
            "unexpected",
            "silent",
            "closed",
            "not-http",
            "too-large",
            "undetermined",
        ],
    ),
    declare(
        "reach.result",
        "the host's own application answered over verified TLS; partly = some addresses do not connect",
        &["expected", "partly", "inspected", "failed", "undetermined"],
    ),
];
