//! What was judged, in the shape of the contract: computed once, printed by any page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Observation;

mod assemble;
mod saved;

pub use assemble::assemble;
pub use saved::{saved, schema};

pub const SCHEMA: &str = "entra-preflight/report/1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Skip,
    Pass,
    Warn,
    Unknown,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Warn,
    Unknown,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Warn,
    Fail,
}

/// What there is to change: the closed list of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    Nsg,
    RouteTable,
    Firewall,
    Proxy,
    TlsInspection,
    Dns,
    Identity,
    Role,
    Server,
    Host,
    Service,
}

impl Control {
    pub const ALL: [Control; 11] = [
        Control::Nsg,
        Control::RouteTable,
        Control::Firewall,
        Control::Proxy,
        Control::TlsInspection,
        Control::Dns,
        Control::Identity,
        Control::Role,
        Control::Server,
        Control::Host,
        Control::Service,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Control::Nsg => "nsg",
            Control::RouteTable => "route_table",
            Control::Firewall => "firewall",
            Control::Proxy => "proxy",
            Control::TlsInspection => "tls_inspection",
            Control::Dns => "dns",
            Control::Identity => "identity",
            Control::Role => "role",
            Control::Server => "server",
            Control::Host => "host",
            Control::Service => "service",
        }
    }

    /// The control's name in prose.
    pub fn says(self) -> &'static str {
        match self {
            Control::Nsg => "NSG",
            Control::RouteTable => "route table",
            Control::Firewall => "firewall",
            Control::Proxy => "proxy",
            Control::TlsInspection => "TLS inspection",
            Control::Dns => "DNS",
            Control::Identity => "identity",
            Control::Role => "database role",
            Control::Server => "server",
            Control::Host => "this machine",
            Control::Service => "Microsoft's service",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// One control, established.
    Certain,
    /// Several controls fit the evidence.
    Narrowed,
    Suspected,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always `entra-preflight/report/1`.
    pub schema: SchemaId,
    pub tool: Tool,
    pub run_id: String,
    /// RFC 3339.
    pub started_at: String,
    pub duration_ms: u64,
    pub verdict: Verdict,
    pub counts: Counts,
    pub target: TargetSection,
    pub vantage: Vantage,
    pub requirements: Vec<Requirement>,
    pub checks: Vec<CheckResult>,
    pub diagnoses: Vec<Diagnosis>,
    pub suppressed: Vec<Suppressed>,
    pub evidence: Vec<Observation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaId {
    #[serde(rename = "entra-preflight/report/1")]
    One,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub skip: usize,
    pub unknown: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSection {
    pub cloud: String,
    pub server: Option<String>,
    pub port: u16,
    pub user: Option<String>,
    pub database: String,
    pub topology: Topology,
    /// The credential that was used, or `none`.
    pub credential: String,
}

/// Which of Microsoft's network requirements apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    Public,
    Vnet,
    PrivateEndpoint,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Where {
    AzureVm,
    Elsewhere,
    Unknown,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vantage {
    #[serde(rename = "where")]
    pub place: Where,
    pub nameservers: Vec<String>,
    pub proxy: Option<String>,
    pub azure: Option<AzureVm>,
    pub statement: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureVm {
    pub vm: Option<String>,
    pub resource_group: Option<String>,
    pub subscription: Option<String>,
    pub location: Option<String>,
    pub private_address: Option<String>,
    pub subnet_prefix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proven {
    Yes,
    No,
    NotFromHere,
    NotTested,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    pub id: String,
    pub text: String,
    pub applies: bool,
    pub proven: Proven,
    pub by: Vec<String>,
    pub source: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    pub id: String,
    pub title: String,
    pub status: Status,
    pub duration_ms: u64,
    /// One line for a person.
    pub observed: String,
    pub blocked_by: Vec<String>,
    /// Places in the report's `evidence`.
    pub evidence: Vec<usize>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    pub cause: String,
    pub severity: Severity,
    /// What to change, most likely first.
    pub controls: Vec<Control>,
    pub certainty: Certainty,
    pub summary: String,
    /// Observed facts that led here.
    pub because: Vec<String>,
    /// What the observations mean: why this is a problem.
    pub means: String,
    pub explains: Vec<String>,
    pub ruled_out: Vec<Control>,
    /// The one test that would separate the remaining controls.
    pub next: Option<String>,
    pub remarks: Vec<String>,
    pub remedies: Vec<Remedy>,
    /// How to see that it is mended.
    pub verify: String,
    pub sources: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    pub control: Control,
    pub owner: String,
    pub title: String,
    pub steps: Vec<String>,
    pub commands: Vec<Command>,
    pub docs: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommandKind {
    Read,
    Change,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    pub run: String,
    pub kind: CommandKind,
    pub language: Language,
}

/// What a command is to be typed into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    #[default]
    Shell,
    Sql,
    #[serde(rename = "powershell")]
    PowerShell,
}

/// A consequence of a cause above, named but not repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppressed {
    pub cause: String,
    pub by: String,
}
