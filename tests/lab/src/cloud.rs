//! The clouds that a story can take place in: hosts, resources and a few address ranges of each.

use std::net::{Ipv4Addr, Ipv6Addr};

use fastrand::Rng;
use serde::Deserialize;

use crate::names::pick;

/// A cloud of Microsoft's.
#[derive(Debug)]
pub struct Cloud {
    pub login: &'static str,
    pub login_aliases: &'static [&'static str],
    pub graph: &'static str,
    /// What discovery calls the cloud.
    pub instance: &'static str,
    /// Issuer of version 1 tokens.
    pub sts: &'static str,
    /// PostgreSQL's resource, and another cloud's.
    pub resource: &'static str,
    pub foreign_resource: &'static str,
    /// ARM's and Graph's resources.
    pub arm: &'static str,
    /// What servers' names end in.
    pub suffix: &'static str,
    /// What the metadata service calls the cloud.
    pub environment: &'static str,
    /// Address ranges inside the service tag AzureActiveDirectory: first and last address.
    ranges: &'static [(Ipv4Addr, Ipv4Addr)],
    ranges_v6: &'static [[u16; 4]],
    /// An address range inside the service tag AzureResourceManager.
    arm_range: (Ipv4Addr, Ipv4Addr),
    /// Possible chains of aliases.
    login_chains: &'static [&'static [&'static str]],
    graph_chains: &'static [&'static [&'static str]],
}

/// A cloud by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    #[default]
    Public,
    Usgov,
    China,
}

impl Named {
    pub fn cloud(self) -> &'static Cloud {
        match self {
            Named::Public => &PUBLIC,
            Named::Usgov => &USGOV,
            Named::China => &CHINA,
        }
    }
}

impl Cloud {
    /// A public address of Entra.
    pub fn address(&self, rng: &mut Rng) -> Ipv4Addr {
        let place = rng.usize(..self.ranges.len());
        self.address_in(place, rng)
    }

    /// A public address of Entra, from one range after the other.
    pub fn address_in(&self, place: usize, rng: &mut Rng) -> Ipv4Addr {
        let (first, last) = self.ranges[place % self.ranges.len()];
        Ipv4Addr::from_bits(rng.u32(first.to_bits() + 1..last.to_bits()))
    }

    /// A public address of Azure Resource Manager.
    pub fn arm_address(&self, rng: &mut Rng) -> Ipv4Addr {
        let (first, last) = self.arm_range;
        Ipv4Addr::from_bits(rng.u32(first.to_bits() + 1..last.to_bits()))
    }

    pub fn address_v6(&self, rng: &mut Rng) -> Ipv6Addr {
        let [a, b, c, d] = *pick(rng, self.ranges_v6);
        Ipv6Addr::new(a, b, c, d, 0, 0, 0, rng.u16(1..200) + 0x700)
    }

    pub fn login_chain(&self, rng: &mut Rng) -> Vec<String> {
        chain(rng, self.login_chains)
    }

    pub fn graph_chain(&self, rng: &mut Rng) -> Vec<String> {
        chain(rng, self.graph_chains)
    }
}

fn chain(rng: &mut Rng, chains: &[&[&str]]) -> Vec<String> {
    pick(rng, chains).iter().map(|hop| (*hop).to_owned()).collect()
}

const fn four(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

static PUBLIC: Cloud = Cloud {
    login: "login.microsoftonline.com",
    login_aliases: &["login.windows.net", "login.microsoft.com", "stamp2.login.microsoftonline.com"],
    graph: "graph.microsoft.com",
    instance: "microsoftonline.com",
    sts: "https://sts.windows.net",
    resource: "https://ossrdbms-aad.database.windows.net",
    foreign_resource: "https://ossrdbms-aad.database.usgovcloudapi.net",
    arm: "https://management.azure.com",
    suffix: "postgres.database.azure.com",
    environment: "AzurePublicCloud",
    ranges: &[(four(20, 190, 128, 0), four(20, 190, 191, 255)), (four(40, 126, 0, 0), four(40, 126, 63, 255))],
    ranges_v6: &[[0x2603, 0x1027, 1, 0x28], [0x2603, 0x1037, 1, 0x10], [0x2603, 0x1026, 0x3000, 0x98]],
    arm_range: (four(4, 150, 240, 0), four(4, 150, 241, 255)),
    login_chains: &[
        &["login.mso.msidentity.com", "ak.privatelink.msidentity.com", "www.tm.a.prd.aadg.trafficmanager.net"],
        &["login.mso.msidentity.com", "ak.privatelink.msidentity.com", "www.tm.a.prd.aadg.akadns.net"],
        &["login.mso.msidentity.com", "ak.privatelink.msidentity.com", "www.tm.ak.prd.aadg.trafficmanager.net"],
    ],
    graph_chains: &[
        &["ags.privatelink.msidentity.com", "www.tm.prd.ags.trafficmanager.net"],
        &["ags.privatelink.msidentity.com", "www.tm.prd.ags.akadns.net"],
    ],
};

// The chains of the other clouds are invented in the likeness of the public ones.
static USGOV: Cloud = Cloud {
    login: "login.microsoftonline.us",
    login_aliases: &["login.usgovcloudapi.net"],
    graph: "graph.microsoft.us",
    instance: "microsoftonline.us",
    sts: "https://sts.windows.net",
    resource: "https://ossrdbms-aad.database.usgovcloudapi.net",
    foreign_resource: "https://ossrdbms-aad.database.windows.net",
    arm: "https://management.usgovcloudapi.net",
    suffix: "postgres.database.usgovcloudapi.net",
    environment: "AzureUSGovernmentCloud",
    ranges: &[(four(20, 140, 232, 0), four(20, 140, 233, 255)), (four(52, 127, 176, 0), four(52, 127, 183, 255))],
    ranges_v6: &[[0x2001, 0x489a, 0x3500, 0]],
    arm_range: (four(20, 140, 54, 0), four(20, 140, 55, 255)),
    login_chains: &[&["usgov.privatelink.msidentity.us", "www.tm.usgov.aadg.usgovtrafficmanager.net"]],
    graph_chains: &[&["ags.privatelink.msidentity.us", "www.tm.usgov.ags.usgovtrafficmanager.net"]],
};

static CHINA: Cloud = Cloud {
    login: "login.partner.microsoftonline.cn",
    login_aliases: &["login.chinacloudapi.cn"],
    graph: "microsoftgraph.chinacloudapi.cn",
    instance: "partner.microsoftonline.cn",
    sts: "https://sts.chinacloudapi.cn",
    resource: "https://ossrdbms-aad.database.chinacloudapi.cn",
    foreign_resource: "https://ossrdbms-aad.database.windows.net",
    arm: "https://management.chinacloudapi.cn",
    suffix: "postgres.database.chinacloudapi.cn",
    environment: "AzureChinaCloud",
    ranges: &[(four(40, 72, 70, 0), four(40, 72, 71, 255)), (four(52, 130, 17, 192), four(52, 130, 17, 255))],
    ranges_v6: &[[0x2406, 0xe500, 0x5500, 0]],
    arm_range: (four(40, 73, 142, 0), four(40, 73, 143, 255)),
    login_chains: &[&["login.privatelink.msidentity.cn", "www.tm.cn.aadg.trafficmanager.cn"]],
    graph_chains: &[&["ags.privatelink.msidentity.cn", "www.tm.cn.ags.trafficmanager.cn"]],
};
