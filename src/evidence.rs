//! Everything that was seen, in the order in which it was finished: enough to judge again.

use schemars::JsonSchema;

use serde::{Deserialize, Serialize};

use crate::failure::Outcome;

mod claims;
mod identity;
mod names;
mod network;
mod postgres;
mod principal;
mod recorder;
mod reported;
mod settings;

pub use claims::{Claims, Validity, skew};
pub use identity::{Instance, MetadataReply, TokenRequest};
pub use names::{DnsChanged, DnsComparison, DnsQuery, ExtendedError, SystemLookup};
pub use network::{Certificate, Changed, Comparison, HttpExchange, IcmpError, ProxyConnect, TcpConnect, TlsHandshake};
pub use postgres::{DatabaseRole, Mapping, PasswordReply, Refusal, Roles, ServerError, Session, SslRequest, Startup};
pub use principal::{DirectoryObject, GraphQuestion, PrincipalLookup};
pub(crate) use recorder::millis;
pub use recorder::{Pending, Recorder};
pub use reported::Reported;
pub use settings::{CaFile, HostsEntry, Machine, RouteChosen, Setting, Settings};

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
    /// Whose stage this is: `login`, `graph`, `server`, `metadata`, `token`, `principal`, `machine`, `run`, or a check's own host.
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
    DnsComparison,
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
    Principal,
    Reported,
    Roles,
    Probe,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Detail {
    Settings(Box<Settings>),
    Machine(Box<Machine>),
    SystemLookup(SystemLookup),
    DnsQuery(DnsQuery),
    DnsComparison(Box<DnsComparison>),
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
    Principal(PrincipalLookup),
    Reported(Reported),
    Roles(Roles),
    Probe(ProbeNote),
}

impl Detail {
    pub fn operation(&self) -> Operation {
        match self {
            Detail::Settings(_) => Operation::Settings,
            Detail::Machine(_) => Operation::Machine,
            Detail::SystemLookup(_) => Operation::SystemLookup,
            Detail::DnsQuery(_) => Operation::DnsQuery,
            Detail::DnsComparison(_) => Operation::DnsComparison,
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
            Detail::Principal(_) => Operation::Principal,
            Detail::Reported(_) => Operation::Reported,
            Detail::Roles(_) => Operation::Roles,
            Detail::Probe(_) => Operation::Probe,
        }
    }
}

/// A probe that could not go on, or a defect of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeNote {
    pub probe: String,
    pub note: String,
}
