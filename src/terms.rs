//! The closed lists of the contract: the words in which a report is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Who changes what there is to change: the teams among which remedies are handed out.
pub const OWNERS: [&str; 5] = ["network", "identity", "database", "platform", "machine"];

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proven {
    Yes,
    No,
    NotFromHere,
    NotTested,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommandKind {
    Read,
    Change,
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
