//! What names showed: the system's resolver, each nameserver, and comparisons beside a doubtful answer.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::IcmpError;

/// getaddrinfo: what applications see.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemLookup {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    pub canonical_name: Option<String>,
    /// The EAI code by name, when it failed.
    pub eai: Option<String>,
    /// A second lookup, where the first one and the nameservers contradict each other.
    #[serde(skip_serializing_if = "is_false", default)]
    pub again: bool,
}

/// One question to one nameserver, with its retries and the TCP retry after truncation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsQuery {
    pub nameserver: SocketAddr,
    pub name: String,
    pub record_type: String,
    /// `udp` or `tcp`: what the last answer or failure came over.
    pub transport: String,
    pub truncated: bool,
    pub rcode: Option<String>,
    pub authoritative: bool,
    pub recursion_available: bool,
    pub addresses: Vec<IpAddr>,
    /// The CNAME targets in order.
    pub chain: Vec<String>,
    pub ttl_s: Option<u32>,
    /// Owner and MNAME of the SOA in a negative answer.
    pub soa_zone: Option<String>,
    pub soa_server: Option<String>,
    /// Seconds for which the negative answer may be kept: the lesser of the SOA's TTL and its MINIMUM (RFC 2308, 5).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub soa_ttl_s: Option<u32>,
    /// The SOA stood in the additional section, where response policies put the zone that rewrote the answer.
    #[serde(skip_serializing_if = "is_false", default)]
    pub soa_additional: bool,
    /// No answer but the names of other servers: this one does not resolve for us.
    #[serde(skip_serializing_if = "is_false", default)]
    pub referral: bool,
    /// What the server added on its own account (RFC 8914).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extended_errors: Vec<ExtendedError>,
    /// Set when only a question without EDNS was answered (RFC 6891): `dropped` or `rejected` is what befell those with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub edns: Option<String>,
    /// The kernel has no route to the nameserver: nothing was sent.
    #[serde(skip_serializing_if = "is_false", default)]
    pub unsent: bool,
    /// The ICMP error that came instead of an answer. Absent where the kernel does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<IcmpError>,
    /// TCP 53 beside an unanswered UDP question: `answers`, `connects`, `silent` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tcp: Option<String>,
}

/// An Extended DNS Error: its INFO-CODE and EXTRA-TEXT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendedError {
    pub code: u16,
    pub extra_text: String,
}

/// A second question beside a doubtful answer, with one thing changed: it tells causes apart and decides nothing alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsComparison {
    pub changed: DnsChanged,
    pub query: DnsQuery,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsChanged {
    /// Nothing: the same question once more.
    Again,
    /// Nothing: another reply to one and the same question.
    SecondReply,
    OverTcp,
    /// The server is asked not to validate (the CD bit, RFC 4035).
    CheckingDisabled,
    /// A random name beside the host's own.
    SameZone,
    /// A random name of another zone.
    OtherZone,
    /// The name: one that this nameserver answered before in this run, while it does not answer another.
    AnsweredName,
    /// The nameserver: an address at which there is none (192.0.2.53, RFC 5737).
    Unroutable,
}

fn is_false(value: &bool) -> bool {
    !value
}
