//! What connections, handshakes and HTTP showed.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Setting;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpConnect {
    pub peer: SocketAddr,
    /// Where `--connect-to` led instead.
    pub dialled: SocketAddr,
    pub local: Option<IpAddr>,
    /// True when the peer is a proxy.
    pub proxy: bool,
    /// The ICMP error that ended it. Absent after a reset, after silence, and where the kernel does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<IcmpError>,
}

/// An ICMP error as it came back (RFC 792, RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IcmpError {
    /// Who sent it: a router, the peer, or this machine itself.
    pub from: IpAddr,
    /// The address of this machine to which it came.
    pub to: Option<IpAddr>,
    #[serde(rename = "type")]
    pub kind: u8,
    pub code: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyConnect {
    /// Scheme, host and port; never the credentials.
    pub proxy: String,
    pub variable: String,
    pub destination: String,
    pub credentials_sent: bool,
    pub status: Option<u16>,
    pub headers: Vec<Setting>,
    pub quote: Option<String>,
    /// What a SOCKS5 proxy said no with, as a word (RFC 1928, section 6).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub socks: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsHandshake {
    pub peer: Option<SocketAddr>,
    pub name: String,
    pub version: Option<String>,
    pub cipher: Option<String>,
    pub group: Option<String>,
    /// Leaf first, as the peer sent it, also when verification failed.
    pub chain: Vec<Certificate>,
    /// Of a handshake without an answer: whether the peer's TCP had acknowledged what was sent. Absent where the kernel does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledged: Option<bool>,
}

/// A second handshake beside a doubtful one, with one thing changed: it tells causes apart and decides nothing alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub changed: Changed,
    pub peer: SocketAddr,
    /// The server name that was sent.
    pub name: String,
    /// How many hops the SYN was allowed, where that was changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hops: Option<u32>,
    /// The ICMP error that ended it, where that was listened for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<IcmpError>,
    /// What a PostgreSQL there asked the user for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asks: Option<String>,
}

impl Comparison {
    pub(crate) fn new(changed: Changed, peer: SocketAddr, name: impl Into<String>) -> Comparison {
        Comparison { changed, peer, name: name.into(), hops: None, icmp: None, asks: None }
    }
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Changed {
    /// Both sides send small segments only.
    SmallSegments,
    /// Nothing: the same handshake once more.
    Nothing,
    /// Another server name to the same address.
    OtherName,
    /// Through the proxy from which NO_PROXY exempts the host.
    ThroughProxy,
    /// Directly, beside a proxy that fails.
    BesideProxy,
    /// A SYN that may pass few hops, beside a refusal.
    FewHops,
    /// The same address again, from another source port.
    OtherFlow,
    /// The server's other port at the same address, or TCP 80 at one of a silent host.
    OtherPort,
    /// PostgreSQL on 5432 beside PgBouncer on 6432, up to the question for a password.
    PastPooler,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpExchange {
    pub url: String,
    pub status: Option<u16>,
    pub content_type: Option<String>,
    pub server: Option<String>,
    /// Scheme and host of a redirect.
    pub location: Option<String>,
    /// Whether the body is what this application says (OpenID discovery, Graph's error).
    pub expected: bool,
    pub error_code: Option<String>,
    pub headers: Vec<Setting>,
    pub quote: Option<String>,
    /// The peer's Date and our clock at that moment, seconds since 1970.
    pub date: Option<i64>,
    pub clock: i64,
}
