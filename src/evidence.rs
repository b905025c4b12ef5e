//! Everything that was seen, in the order in which it was finished: enough to judge again.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::Outcome;

mod claims;
mod recorder;

pub use claims::{Claims, Validity, skew};
pub(crate) use recorder::millis;
pub use recorder::{Pending, Recorder};

/// The note of a probe whose proxy's own name could not be resolved.
pub(crate) const PROXY_UNRESOLVED: &str = "the proxy's name cannot be resolved";

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

/// Who looked, and when: what a report says of its run and evidence does not.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub tool: Tool,
    pub run_id: String,
    /// RFC 3339.
    pub started_at: String,
    pub duration_ms: u64,
}

/// One observation: an operation on a subject, how it ended, when, and what was seen.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Whose stage this is: `login`, `graph`, `server`, `metadata`, `token`, `machine`, `run`, or a check's own host.
    pub subject: String,
    pub outcome: Outcome,
    /// The errno, rustls or protocol error in its own words, when there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Milliseconds since the run began.
    pub at_ms: u64,
    pub duration_ms: u64,
    /// How many tries this outcome took.
    pub attempts: u32,
    pub operation: Operation,
    pub detail: Detail,
}

/// What was done. The detail of an observation has one member of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Settings,
    Machine,
    SystemLookup,
    DnsQuery,
    TcpConnect,
    ProxyConnect,
    TlsHandshake,
    Comparison,
    HttpExchange,
    Metadata,
    TokenRequest,
    Claims,
    SslRequest,
    Startup,
    Password,
    Session,
    Probe,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Detail {
    Settings(Box<Settings>),
    Machine(Box<Machine>),
    SystemLookup(SystemLookup),
    DnsQuery(DnsQuery),
    TcpConnect(TcpConnect),
    ProxyConnect(ProxyConnect),
    TlsHandshake(TlsHandshake),
    Comparison(Comparison),
    HttpExchange(HttpExchange),
    Metadata(MetadataReply),
    TokenRequest(Box<TokenRequest>),
    Claims(Claims),
    SslRequest(SslRequest),
    Startup(Startup),
    Password(PasswordReply),
    Session(Session),
    Probe(ProbeNote),
}

impl Detail {
    pub fn operation(&self) -> Operation {
        match self {
            Detail::Settings(_) => Operation::Settings,
            Detail::Machine(_) => Operation::Machine,
            Detail::SystemLookup(_) => Operation::SystemLookup,
            Detail::DnsQuery(_) => Operation::DnsQuery,
            Detail::TcpConnect(_) => Operation::TcpConnect,
            Detail::ProxyConnect(_) => Operation::ProxyConnect,
            Detail::TlsHandshake(_) => Operation::TlsHandshake,
            Detail::Comparison(_) => Operation::Comparison,
            Detail::HttpExchange(_) => Operation::HttpExchange,
            Detail::Metadata(_) => Operation::Metadata,
            Detail::TokenRequest(_) => Operation::TokenRequest,
            Detail::Claims(_) => Operation::Claims,
            Detail::SslRequest(_) => Operation::SslRequest,
            Detail::Startup(_) => Operation::Startup,
            Detail::Password(_) => Operation::Password,
            Detail::Session(_) => Operation::Session,
            Detail::Probe(_) => Operation::Probe,
        }
    }
}

/// What the run was asked to do: judging needs it, so it is evidence.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub cloud: String,
    /// The text of a cloud file that is not built in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cloud_text: Option<String>,
    pub login_host: String,
    pub graph_host: String,
    pub resource: String,
    pub server: Option<String>,
    pub port: u16,
    pub user: Option<String>,
    pub database: String,
    pub topology: Option<crate::terms::Topology>,
    /// `auto`, or what `--credential` says.
    pub credential: String,
    /// In `auto`: why none of the credentials before the chosen one was taken.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub credential_notes: Vec<String>,
    pub client_id: Option<String>,
    pub tenant: Option<String>,
    /// True with `--nameserver`: the system's resolver was not asked.
    pub own_nameservers: bool,
    pub nameservers: Vec<SocketAddr>,
    pub timeout_ms: u64,
    pub deadline_ms: u64,
    pub only: Vec<String>,
    pub skip: Vec<String>,
    /// How each host is reached, and what decided it.
    pub routes: Vec<RouteChosen>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteChosen {
    pub subject: String,
    pub host: String,
    /// Scheme, host and port; never the credentials.
    pub proxy: Option<String>,
    /// A word of the fact `route.why`.
    pub why: String,
    /// The variable or option that decided.
    pub variable: String,
}

/// Ground truth of this machine, read without a packet.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Address lines of the hosts file for the names of this run: name and address.
    pub hosts_entries: Vec<HostsEntry>,
    pub resolver_notes: Vec<String>,
    pub trusted_roots: usize,
    pub trust_notes: Vec<String>,
    /// Source addresses that the kernel would choose, when it has a route.
    pub ipv4_source: Option<IpAddr>,
    pub ipv6_source: Option<IpAddr>,
    /// Proxy variables that are set, without credentials.
    pub proxy_variables: Vec<Setting>,
    pub no_proxy: Option<String>,
    /// Whether NO_PROXY exempts the metadata address.
    pub metadata_exempt: bool,
    /// libpq variables that bear on a sign-in (never PGPASSWORD).
    pub libpq: Vec<Setting>,
    /// From the firmware: the asset tag of Azure.
    pub azure_asset_tag: bool,
    /// Seconds since 1970 when the run began.
    pub clock: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostsEntry {
    pub name: String,
    pub address: IpAddr,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

/// getaddrinfo: what applications see.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemLookup {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    pub canonical_name: Option<String>,
    /// The EAI code by name, when it failed.
    pub eai: Option<String>,
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
    /// TCP 53 beside an unanswered UDP question: `answers`, `connects`, `silent` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tcp: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpConnect {
    pub peer: SocketAddr,
    /// Where `--connect-to` led instead.
    pub dialled: SocketAddr,
    pub local: Option<IpAddr>,
    /// True when the peer is a proxy.
    pub proxy: bool,
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
}

/// A second handshake beside a doubtful one, with one thing changed: it tells causes apart and decides nothing alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub changed: Changed,
    pub peer: SocketAddr,
    /// The server name that was sent.
    pub name: String,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Changed {
    /// Both sides send small segments only.
    SmallSegments,
    /// Another server name to the same address.
    OtherName,
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

/// What a managed identity or instance metadata endpoint answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataReply {
    /// `instance` or `token`.
    pub asked: String,
    pub url: String,
    pub status: Option<u16>,
    pub server: Option<String>,
    pub content_type: Option<String>,
    pub error: Option<String>,
    pub description: Option<String>,
    pub quote: Option<String>,
    pub instance: Option<Instance>,
    pub token_received: bool,
    pub date: Option<i64>,
    pub clock: i64,
}

/// What the token endpoint of Entra, or the Azure CLI in front of it, answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `client-secret`, `client-certificate`, `workload-identity` or `azure-cli`.
    pub credential: String,
    /// The endpoint's address, or the command.
    pub asked: String,
    pub status: Option<u16>,
    pub error: Option<String>,
    /// AADSTS numbers, from `error_codes` or else from the description.
    pub codes: Vec<String>,
    pub description: Option<String>,
    pub trace_id: Option<String>,
    pub correlation_id: Option<String>,
    pub quote: Option<String>,
    pub token_received: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub environment: Option<String>,
    pub vm: Option<String>,
    pub resource_group: Option<String>,
    pub subscription: Option<String>,
    pub location: Option<String>,
    pub private_address: Option<String>,
    pub subnet_prefix: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SslRequest {
    pub peer: SocketAddr,
    /// `S`, `N`, `E`, or what else came, escaped.
    pub answer: Option<String>,
    pub server_error: Option<ServerError>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Startup {
    pub user: String,
    pub database: String,
    /// `cleartext`, `scram`, `md5`, `nothing` or what else the server asked for.
    pub asks: Option<String>,
    pub server_error: Option<ServerError>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReply {
    /// True once the token left this machine.
    pub sent: bool,
    pub authenticated: bool,
    pub server_error: Option<ServerError>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub current_user: Option<String>,
    pub current_database: Option<String>,
    pub server_version: Option<String>,
    pub tls: Option<bool>,
    pub server_error: Option<ServerError>,
}

/// An ErrorResponse, whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerError {
    pub severity: String,
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub routine: Option<String>,
}

/// A probe that could not go on, or a defect of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeNote {
    pub probe: String,
    pub note: String,
}
