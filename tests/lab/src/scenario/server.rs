//! The flexible server, stage by stage.

use serde::Deserialize;

use super::host::{Ipv6, Tcp, Tls};

/// The answer to SSLRequest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Ssl {
    #[default]
    S,
    N,
    E,
    #[serde(rename = "silent")]
    Silent,
    #[serde(rename = "closed")]
    Closed,
    #[serde(rename = "reset")]
    Reset,
    #[serde(rename = "http")]
    Http,
    #[serde(rename = "ssh")]
    Ssh,
    #[serde(rename = "extra-bytes")]
    ExtraBytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    #[default]
    Cleartext,
    Scram,
    Md5,
    Gss,
    Nothing,
    Silent,
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    #[default]
    Ready,
    Silent,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    BeforeToken,
    AfterToken,
    AfterAuthentication,
}

/// What becomes of the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Received {
    #[default]
    Answered,
    Silent,
    Closed,
}

/// What `--server` says: Azure's name, its first address, or an alias of the company's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    #[default]
    Name,
    Address,
    Alias,
}

/// An ErrorResponse; an empty table is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PgError {
    pub sqlstate: String,
    pub message: String,
    pub at: Option<At>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    pub addresses: usize,
    pub port: u16,
    pub tcp: Tcp,
    pub tcp_of: Vec<Tcp>,
    /// What 6432 does beside 5432, and 5432 beside 6432; on loopback only.
    pub other_port: Tcp,
    pub ipv6: Ipv6,
    pub named: Named,
    pub tls: Tls,
    pub tls_of: Vec<Tls>,
    pub ssl: Ssl,
    pub ssl_of: Vec<Ssl>,
    pub asks: Asks,
    pub token: Received,
    pub error: PgError,
    pub after: After,
    pub role: bool,
    /// With port 6432: what PostgreSQL asks for on 5432; nothing: it is silent there.
    pub beside: Option<Asks>,
    /// How many connections are answered so before all is well; 0: all.
    pub times: u32,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            addresses: 1,
            port: 5432,
            tcp: Tcp::Ok,
            tcp_of: Vec::new(),
            other_port: Tcp::Silent,
            ipv6: Ipv6::Absent,
            named: Named::Name,
            tls: Tls::Ok,
            tls_of: Vec::new(),
            ssl: Ssl::S,
            ssl_of: Vec::new(),
            asks: Asks::Cleartext,
            token: Received::Answered,
            error: PgError::default(),
            after: After::Ready,
            role: true,
            beside: None,
            times: 0,
        }
    }
}

impl Server {
    /// As it is at one of its addresses.
    pub fn at(&self, place: usize) -> Server {
        Server { ssl: self.ssl_of.get(place).copied().unwrap_or(self.ssl), ..self.clone() }
    }

    /// As it is once all is well.
    pub fn well(&self) -> Server {
        Server { addresses: self.addresses, port: self.port, ..Server::default() }
    }

    /// How its addresses do TLS, one by one.
    pub fn sides(&self) -> Vec<Tls> {
        (0..self.addresses.max(self.tls_of.len()))
            .map(|place| self.tls_of.get(place).copied().unwrap_or(self.tls))
            .collect()
    }
}
