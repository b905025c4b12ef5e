//! What a nameserver does with each question.

use std::net::Ipv4Addr;

use serde::Deserialize;

use super::host::Tcp;

/// What a nameserver does with a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    #[default]
    Honest,
    Nxdomain,
    Nodata,
    Servfail,
    Refused,
    Silent,
    Closed,
    Malformed,
    Truncated,
    TruncatedSilent,
    TruncatedClosed,
    Private,
    OtherPrivate,
    Loopback,
    Unspecified,
    Cgnat,
    Agent,
    PublicElsewhere,
    Dangling,
    DanglingPrivatelink,
    PrivatelinkPublic,
    Loop,
    Forged,
    TwoPrivates,
    Mixed,
    AaaaSilent,
    Slow,
    /// Takes every question, over UDP and TCP, and answers none.
    Hangs,
    /// Hears no UDP.
    TcpOnly,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nameserver {
    /// Where it is; only with namespaces.
    pub address: Option<Ipv4Addr>,
    pub all: Answers,
    pub login: Option<Answers>,
    pub graph: Option<Answers>,
    pub server: Option<Answers>,
}

impl Nameserver {
    /// What its TCP port does.
    pub fn tcp(&self) -> Tcp {
        let all = [Some(self.all), self.login, self.graph, self.server];
        let does = |answers: Answers| all.contains(&Some(answers));
        if self.all == Answers::Closed {
            Tcp::Refused
        } else if self.all == Answers::Silent || does(Answers::TruncatedSilent) {
            Tcp::Silent
        } else if does(Answers::TruncatedClosed) {
            Tcp::Refused
        } else {
            Tcp::Ok
        }
    }
}
