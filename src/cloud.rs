//! A cloud: its hosts, its PostgreSQL resource, and the address ranges of its service tag. Data, read from `checks/clouds`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    pub name: String,
    pub login_host: String,
    #[serde(default)]
    pub login_aliases: Vec<String>,
    pub graph_host: String,
    /// A public host of this cloud beside Entra: what it does tells a closed network from a closed destination.
    pub control_host: Option<String>,
    pub resource: String,
    pub server_suffixes: Vec<String>,
    #[serde(default)]
    pub known_resources: KnownResources,
    pub tag: Option<Tag>,
    /// The text of a file that a user gave, so that a report can be judged elsewhere.
    #[serde(skip)]
    pub text: Option<String>,
}

/// Audiences that other services' tokens carry, by the word that names them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownResources {
    #[serde(default)]
    pub arm: Vec<String>,
    #[serde(default)]
    pub graph: Vec<String>,
    #[serde(default)]
    pub cosmos: Vec<String>,
    #[serde(default)]
    pub other_cloud: Vec<String>,
    /// Other spellings of this cloud's own PostgreSQL resource: its application id.
    #[serde(default)]
    pub postgres: Vec<String>,
}

/// The ranges of `AzureActiveDirectory`, with the day they were published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    pub name: String,
    #[serde(default)]
    pub change_number: u32,
    #[serde(default)]
    pub date: String,
    pub prefixes: Vec<IpNet>,
}

impl Cloud {
    /// A cloud that a file describes.
    ///
    /// # Errors
    /// The parser's message, which names the line.
    pub fn parse(text: &str) -> Result<Cloud, String> {
        let cloud: Cloud = toml::from_str(text).map_err(|error| error.to_string())?;
        for host in [&cloud.login_host, &cloud.graph_host].into_iter().chain(&cloud.control_host) {
            crate::rules::check_host(host).map_err(|rule| format!("the host `{host}` {rule}"))?;
        }
        Ok(cloud)
    }

    /// A cloud of which only these hosts are known: judging goes on with what a report says.
    pub fn bare(login_host: &str, graph_host: &str, resource: &str) -> Cloud {
        Cloud {
            name: String::new(),
            login_host: login_host.to_owned(),
            login_aliases: Vec::new(),
            graph_host: graph_host.to_owned(),
            control_host: None,
            resource: resource.to_owned(),
            server_suffixes: Vec::new(),
            known_resources: KnownResources::default(),
            tag: None,
            text: None,
        }
    }

    /// Whether an audience is this cloud's PostgreSQL, with or without a final slash.
    pub fn is_postgres(&self, audience: &str) -> bool {
        let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        bare(audience) == bare(&self.resource)
            || self.known_resources.postgres.iter().any(|known| bare(known) == bare(audience))
    }

    pub fn has_server(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.server_suffixes
            .iter()
            .any(|suffix| host.strip_suffix(suffix.as_str()).is_some_and(|stem| stem.ends_with('.')))
    }

    pub fn has_authority(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.login_host == host || self.login_aliases.contains(&host)
    }

    pub fn in_tag(&self, address: IpAddr) -> bool {
        let address = beyond_nat64(address);
        self.tag.as_ref().is_some_and(|tag| tag.prefixes.iter().any(|prefix| prefix.contains(&address)))
    }
}

/// The IPv4 address that an IPv6 one stands for where a NAT64 translates with the well-known prefix 64:ff9b::/96 (RFC 6052); else the address itself.
pub(crate) fn beyond_nat64(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) if six.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = six.octets();
            IpAddr::from([a, b, c, d])
        }
        other => other,
    }
}
