//! What the run was asked to do, and this machine's ground truth.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// The principal that `--principal` names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub principal: Option<String>,
    pub database: String,
    /// `--role`: another role to look up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    pub topology: Option<crate::terms::Topology>,
    /// `auto`, or what `--credential` says.
    pub credential: String,
    /// In `auto`: why none of the credentials before the chosen one was taken.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub credential_notes: Vec<String>,
    /// Variables of other credentials that are set too, and were not used.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub credential_unused: Vec<String>,
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub object_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource_id: Option<String>,
    pub tenant: Option<String>,
    /// True with `--nameserver`: the system's resolver was not asked.
    pub own_nameservers: bool,
    pub nameservers: Vec<SocketAddr>,
    pub timeout_ms: u64,
    pub deadline_ms: u64,
    /// `linux`, `macos` or `windows`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<String>,
    /// A file of this machine that holds its trusted roots.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub roots_file: Option<String>,
    /// `--ca-file`, and whom its certificates name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ca_file: Option<CaFile>,
    /// `--token-file`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_file: Option<String>,
    pub only: Vec<String>,
    pub skip: Vec<String>,
    /// The subject of the control destination, when the run may ask one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<String>,
    /// How each host is reached, and what decided it.
    pub routes: Vec<RouteChosen>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaFile {
    pub path: String,
    pub subjects: Vec<String>,
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
    /// The `search`, `domain` and `options` lines of resolv.conf.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resolver_lines: Vec<String>,
    /// Where getaddrinfo looks, in order: the words of the `hosts` line of nsswitch.conf. Empty where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub name_services: Vec<String>,
    /// The nameservers that a stub on this machine asks in its turn, where it says so.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stub_upstreams: Vec<SocketAddr>,
    pub trusted_roots: usize,
    pub trust_notes: Vec<String>,
    /// Source addresses that the kernel would choose, when it has a route.
    pub ipv4_source: Option<IpAddr>,
    pub ipv6_source: Option<IpAddr>,
    /// Proxy variables that are set, without credentials.
    pub proxy_variables: Vec<Setting>,
    pub no_proxy: Option<String>,
    /// Pairs of spellings that are both set, with different values.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub proxy_conflicts: Vec<String>,
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
