//! The world around the peers: topology, cloud, the program's arguments, and what is changed on the machine itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cloud;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    Vnet,
    Public,
    PrivateEndpoint,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    pub topology: Topology,
    pub cloud: cloud::Named,
    pub appliance: Appliance,
    pub args: Vec<String>,
    /// Checks and causes of the user's own, by their path: a directory for `--checks`.
    pub checks: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
    pub timeout: String,
    pub deadline: String,
    pub server: bool,
    pub user: bool,
    pub in_azure: bool,
    /// Whether the machine has an IPv6 route, where a host has IPv6 addresses. From here on: the machine itself; only with namespaces.
    pub ipv6: bool,
    /// Whether the machine has IPv4.
    pub ipv4: bool,
    /// Whether names without IPv6 addresses get translated ones, of 64:ff9b::/96, behind which a NAT64 stands.
    pub dns64: bool,
    pub resolv_conf: Option<String>,
    pub nsswitch: Option<String>,
    /// What systemd-resolved says it asks.
    pub upstreams: Vec<String>,
    pub hosts: Vec<String>,
    pub routes: Vec<String>,
    pub router_routes: Vec<String>,
    pub nft: Vec<String>,
    pub router_nft: Vec<String>,
    /// Whether the lab's roots are given at all.
    pub ca_file: bool,
    pub real: Vec<Real>,
}

impl Setup {
    pub(super) fn changes_machine(&self) -> bool {
        let lines = [&self.upstreams, &self.hosts, &self.routes, &self.router_routes, &self.nft, &self.router_nft];
        !self.ipv6
            || !self.ipv4
            || self.dns64
            || !self.real.is_empty()
            || self.resolv_conf.is_some()
            || self.nsswitch.is_some()
            || lines.into_iter().any(|lines| !lines.is_empty())
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            topology: Topology::Vnet,
            cloud: cloud::Named::Public,
            appliance: Appliance::Sourced,
            args: Vec::new(),
            checks: BTreeMap::new(),
            env: BTreeMap::new(),
            timeout: "1s".to_owned(),
            deadline: "10s".to_owned(),
            server: true,
            user: true,
            in_azure: true,
            ipv6: true,
            ipv4: true,
            dns64: false,
            resolv_conf: None,
            nsswitch: None,
            upstreams: Vec::new(),
            hosts: Vec::new(),
            routes: Vec::new(),
            router_routes: Vec::new(),
            nft: Vec::new(),
            router_nft: Vec::new(),
            ca_file: true,
            real: Vec::new(),
        }
    }
}

/// A real server in the place of the lab's own; in namespaces only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Real {
    Squid,
    Unbound,
    Dnsmasq,
    Postgres,
}

impl Real {
    /// The name of its program, and what `PREFLIGHT_REQUIRE` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Real::Squid => "squid",
            Real::Unbound => "unbound",
            Real::Dnsmasq => "dnsmasq",
            Real::Postgres => "postgres",
        }
    }
}

/// How well the name is known that an inspecting appliance gives its authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Appliance {
    #[default]
    Sourced,
    Recalled,
}
