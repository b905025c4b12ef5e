//! A host of Entra, and what befalls a connection to it.

use serde::Deserialize;

use super::span::Span;

/// What becomes of a SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tcp {
    #[default]
    Ok,
    Silent,
    Refused,
    /// ICMP host unreachable, which takes a router.
    Unreachable,
    /// The local kernel has no route.
    NoRoute,
    /// The local kernel refuses to send.
    Denied,
}

/// AAAA records, and what their addresses do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv6 {
    #[default]
    Absent,
    Ok,
    Silent,
    Refused,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    #[default]
    Ok,
    Silent,
    Reset,
    Closed,
    Alert,
    PlainHttp,
    Inspected,
    InspectedTrusted,
    UnknownIssuer,
    SelfSigned,
    WrongName,
    Expired,
    NotYetValid,
    Incomplete,
    /// Well, with a thousand other names.
    ManyNames,
    /// Silence to a handshake that names this host; other names are answered.
    SilentByName,
    /// A reset, likewise.
    ResetByName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Http {
    #[default]
    Ok,
    Html,
    BlockPage,
    AzureFirewall,
    Redirect,
    #[serde(rename = "403")]
    Forbidden,
    #[serde(rename = "404")]
    NotFound,
    #[serde(rename = "429")]
    TooManyRequests,
    #[serde(rename = "500")]
    InternalError,
    #[serde(rename = "503")]
    Unavailable,
    Silent,
    Closed,
    Garbage,
    Huge,
    Drip,
    EmptyJson,
}

/// A host of Entra.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    pub tcp: Tcp,
    pub tcp_of: Vec<Tcp>,
    pub ipv6: Ipv6,
    /// What TCP 80 at the same addresses does; on loopback only.
    pub other_port: Option<Tcp>,
    pub tls: Tls,
    pub http: Http,
    pub date: Option<Span>,
    /// How many conversations `tls` (from silent to plain-http) and requests `http` spoil before all is well; 0: all.
    pub times: u32,
}
