//! The proxy.

use serde::Deserialize;

use super::host::Tcp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyMode {
    #[default]
    Ok,
    Auth,
    Denied,
    BadGateway,
    Unavailable,
    Silent,
    Closed,
    WebServer,
    Garbage,
    HangsUp,
    Stalls,
    /// SOCKS5 only: refuses names, takes addresses.
    NoNames,
}

/// How it is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyKind {
    #[default]
    Http,
    Socks5,
    Socks5h,
}

impl ProxyKind {
    pub fn scheme(self) -> &'static str {
        match self {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
            ProxyKind::Socks5h => "socks5h",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credentials {
    #[default]
    None,
    Right,
    Wrong,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    pub kind: ProxyKind,
    pub mode: ProxyMode,
    pub credentials: Credentials,
    pub variable: String,
    /// The variable names it by a name of this run, which the nameservers know.
    pub named: bool,
    pub no_proxy: String,
    pub direct: Tcp,
    /// How many requests `mode` spoils before all is well; 0: all.
    pub times: u32,
}

impl Default for Proxy {
    fn default() -> Proxy {
        Proxy {
            kind: ProxyKind::Http,
            mode: ProxyMode::Ok,
            credentials: Credentials::None,
            variable: "HTTPS_PROXY".to_owned(),
            named: false,
            no_proxy: String::new(),
            direct: Tcp::Silent,
            times: 0,
        }
    }
}

impl Proxy {
    /// What a connection to it meets.
    pub fn fate(&self) -> Tcp {
        match self.mode {
            ProxyMode::Silent => Tcp::Silent,
            ProxyMode::Closed => Tcp::Refused,
            _ => Tcp::Ok,
        }
    }
}
