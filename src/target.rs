//! What a run is asked to do: options and environment, validated, before anything is contacted.

pub(crate) mod assertion;
pub mod connect_to;
pub mod destination;
pub mod environment;
pub mod proxy;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use crate::cloud::Cloud;
use crate::evidence::CaFile;
use crate::rules::{check_host, clip};
use crate::secret::Secret;
use crate::terms::Topology;
use crate::verb::{CONTROL, GRAPH, LOGIN, SERVER, own_host};
use connect_to::ConnectTo;
use proxy::Proxies;

pub const TIMEOUT: Duration = Duration::from_secs(5);
pub const DEADLINE: Duration = Duration::from_secs(30);
pub const METADATA: &str = "http://169.254.169.254";

/// Everything that probes need to know.
pub struct Target {
    pub cloud: Cloud,
    pub server: Option<Server>,
    pub user: Option<String>,
    /// Whom Microsoft Graph is asked for.
    pub principal: Option<String>,
    pub database: String,
    /// Another role to look up in the session.
    pub role: Option<String>,
    pub topology: Option<Topology>,
    pub credential: Credential,
    pub source: Source,
    /// In `auto`: why it is this source and none before it.
    pub source_notes: Vec<String>,
    /// Variables of other credentials that are set too, and were not used.
    pub unused: Vec<String>,
    pub client_id: Option<String>,
    /// Which managed identity, by other ids than the client id.
    pub object_id: Option<String>,
    pub resource_id: Option<String>,
    pub tenant: Option<String>,
    /// With `--nameserver`: these replace the system's resolution altogether.
    pub nameservers: Option<Vec<SocketAddr>>,
    pub connect_to: Vec<ConnectTo>,
    pub proxies: Proxies,
    pub roots: Vec<CertificateDer<'static>>,
    /// Where roots are: this machine's, and those of `--ca-file`.
    pub roots_file: Option<String>,
    pub ca_file: Option<CaFile>,
    /// `--token-file`, if it is one.
    pub token_file: Option<String>,
    /// Base URL of the managed identity endpoint, without a final slash.
    pub metadata: String,
    pub timeout: Duration,
    pub deadline: Duration,
    pub only: Vec<String>,
    pub skip: Vec<String>,
    pub reported: Option<Reported>,
    pub inherited: environment::Inherited,
    /// The nameservers of /etc/resolv.conf, and what is odd there.
    pub system_nameservers: Vec<SocketAddr>,
    pub resolver_notes: Vec<String>,
    /// What a stub among them asks in its turn.
    pub stub_upstreams: Vec<SocketAddr>,
}

impl Target {
    /// The nameservers to ask: those given, else the system's.
    pub fn asked_nameservers(&self) -> Vec<SocketAddr> {
        self.nameservers.clone().unwrap_or_else(|| self.system_nameservers.clone())
    }

    /// The host and port of a subject, when it has one.
    pub fn host(&self, subject: &str) -> Option<(String, u16)> {
        match subject {
            LOGIN => Some((self.cloud.login_host.clone(), 443)),
            GRAPH => Some((self.cloud.graph_host.clone(), 443)),
            CONTROL => self.cloud.control_host.clone().map(|host| (host, 443)),
            SERVER => self.server.as_ref().map(|server| (server.host.clone(), server.port)),
            other => own_host(other).ok().map(|(host, port)| (host.to_owned(), port)),
        }
    }

    /// What must never be shown.
    pub fn secrets(&self) -> Vec<&Secret> {
        let source = match &self.source {
            Source::Given(given) => Some(&given.secret),
            Source::Application { proof: Proof::Secret(secret), .. } => Some(secret),
            Source::AppService { header, .. } => Some(header),
            _ => None,
        };
        source.into_iter().chain(self.proxies.proxy.iter().filter_map(proxy::Proxy::password)).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
}

impl Server {
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// What `--credential` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    Auto,
    TokenFile,
    ClientSecret,
    ClientCertificate,
    WorkloadIdentity,
    ManagedIdentity,
    AzureCli,
    None,
}

impl Credential {
    pub fn name(self) -> &'static str {
        match self {
            Credential::Auto => "auto",
            Credential::TokenFile => "token-file",
            Credential::ClientSecret => "client-secret",
            Credential::ClientCertificate => "client-certificate",
            Credential::WorkloadIdentity => "workload-identity",
            Credential::ManagedIdentity => "managed-identity",
            Credential::AzureCli => "azure-cli",
            Credential::None => "none",
        }
    }
}

/// Where the token comes from, with what it takes to get it.
pub enum Source {
    Given(GivenToken),
    /// An application at the token endpoint of its tenant.
    Application {
        client_id: String,
        tenant: String,
        proof: Proof,
    },
    ManagedIdentity,
    /// App Service, Functions, Container Apps: an endpoint of the platform, with a header that is a secret.
    AppService {
        endpoint: String,
        header: Secret,
    },
    /// Azure Arc: the agent's endpoint on this machine, which asks for a key that only its users can read.
    Arc {
        endpoint: String,
    },
    AzureCli,
    /// A managed identity where there is one, else the Azure CLI where it is installed.
    Whatever,
    None,
}

/// How an application proves that it is itself.
pub enum Proof {
    Secret(Secret),
    Certificate(Box<SigningKey>),
    /// A file with an assertion of another issuer; read anew for each request, for it is replaced while it is valid.
    Federated(std::path::PathBuf),
}

impl Proof {
    /// The credential that it makes, as `--credential` calls it.
    pub fn credential(&self) -> &'static str {
        match self {
            Proof::Secret(_) => "client-secret",
            Proof::Certificate(_) => "client-certificate",
            Proof::Federated(_) => "workload-identity",
        }
    }
}

/// A certificate with its private key, for client assertions.
pub struct SigningKey {
    pub certificate: CertificateDer<'static>,
    /// PKCS #8.
    pub key: zeroize::Zeroizing<Vec<u8>>,
}

/// An error text that somebody else got, without what has the shape of a secret.
#[derive(Clone)]
pub struct Reported {
    /// How many bytes were handed in.
    pub bytes: usize,
    pub text: String,
}

/// A token that somebody already has.
pub struct GivenToken {
    /// `token-file` or `environment`.
    pub source: &'static str,
    pub secret: Secret,
}

/// Bad input: what was given, the rule, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// `HOST[:PORT]`, IPv6 in brackets when a port follows.
///
/// # Errors
/// A sentence that names the text and the rule.
pub fn parse_server(text: &str, default_port: u16) -> Result<Server, Invalid> {
    // What holds a user may hold a password.
    let shown = if text.contains('@') && text.contains(':') {
        "(not repeated: it holds an @)".to_owned()
    } else {
        format!("`{}`", clip(text))
    };
    let wrong = |rule: &str| {
        Invalid(format!(
            "the server {} of --server (PGHOST) {rule}; give it as HOST or HOST:PORT, for example orders.postgres.database.azure.com:5432",
            shown
        ))
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Server { host: address.to_string(), port: default_port });
    }
    if text.contains("://") {
        return Err(wrong("is a URL"));
    }
    if text.contains('@') {
        return Err(wrong("holds an @: the user belongs to --user"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| wrong("opens a bracket that it does not close"))?;
            let port = match port {
                "" => None,
                port => Some(
                    port.strip_prefix(':').ok_or_else(|| wrong("has something else than a port after the bracket"))?,
                ),
            };
            host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong("has no IPv6 address between its brackets"))?;
            (host, port)
        }
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(default_port), |port| parse_port(port, "the server's port"))?;
    if !host.contains(':') {
        check_host(host).map_err(|rule| wrong(&rule))?;
    }
    Ok(Server { host: host.trim_end_matches('.').to_ascii_lowercase(), port })
}

pub fn parse_port(text: &str, what: &str) -> Result<u16, Invalid> {
    crate::rules::port(text)
        .ok_or_else(|| Invalid(format!("{what} `{}` is not a port; ports are 1 to 65535", clip(text))))
}

/// `ADDR[:PORT]` of a nameserver.
pub fn parse_nameserver(text: &str) -> Result<SocketAddr, Invalid> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, 53));
    }
    text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0).ok_or_else(|| {
        Invalid(format!(
            "the nameserver `{}` is not an address; give ADDR or ADDR:PORT, IPv6 in brackets before a port",
            clip(text)
        ))
    })
}

/// `5s`, `300ms`, `2m`, or seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len()));
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{}` is not a time; write 300ms, 5s or 2m", clip(text))),
    };
    let seconds =
        number.parse::<f64>().map_err(|_| format!("`{}` is not a time; write 300ms, 5s or 2m", clip(text)))? * scale;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err(format!("`{}` is out of range; a time lies between 1ms and 24h", clip(text)));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_servers() {
        let server = |text: &str| {
            parse_server(text, 5432).map(|server| (server.host, server.port)).map_err(|error| error.to_string())
        };
        assert_eq!(
            server("Orders.postgres.database.azure.com."),
            Ok(("orders.postgres.database.azure.com".to_owned(), 5432))
        );
        assert_eq!(server("orders:6432"), Ok(("orders".to_owned(), 6432)));
        assert_eq!(server("[fd00::1]:5433"), Ok(("fd00::1".to_owned(), 5433)));
        assert_eq!(server("10.0.0.4"), Ok(("10.0.0.4".to_owned(), 5432)));
        for bad in ["", "https://x.y", "a b", "host:0", "host:99999", "u@host", "-x.y", "a..b", "[fd00::1", "x,y"] {
            assert!(server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_times() {
        assert_eq!(parse_duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_duration("5"), Ok(Duration::from_secs(5)));
        for bad in ["", "-1s", "1e308", "NaN", "5 s", "0", "0s", "99h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
