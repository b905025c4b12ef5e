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
    AaaaOnly,
    Slow,
    /// Takes every question, over UDP and TCP, and answers none.
    Hangs,
    /// Hears no UDP.
    TcpOnly,
    /// An address of its own for every name of the zone, or of the world.
    WildcardZone,
    Everything,
    /// Questions with EDNS are lost, or answered with FORMERR.
    EdnsDropped,
    EdnsFormerr,
    /// SERVFAIL unless it is asked not to validate: a wrong signature, none where one is due, one that is past its end.
    Bogus,
    Unsigned,
    Expired,
    /// The truth, with a signature that holds.
    Signed,
    EdeBlocked,
    EdeFiltered,
    EdeUnreachable,
    /// NXDOMAIN of a response policy, of a zone of its own, of an Azure private zone, of a root of its own.
    Policy,
    PolicyNodata,
    PolicyPrivate,
    /// As unbound's `rpz-signal-nxdomain-ra`: without RA.
    PolicyQuiet,
    /// Data of its own for this one name: AA, no SOA.
    Override,
    LocalZone,
    AzureZone,
    OwnRoot,
    /// A private address that it holds itself.
    LocalPrivate,
    NoRecursion,
    Referral,
    /// NXDOMAIN, then the truth, then NXDOMAIN…; silence, then the truth…; SERVFAIL, then the truth for good.
    Flaps,
    EverySecond,
    Recovers,
    /// Silence twice, REFUSED once, REFUSED twice, SERVFAIL twice, then the truth for good.
    SilentTwice,
    RefusesOnce,
    RefusesTwice,
    FailsTwice,
    /// The truth once, then silence, or REFUSED, for good.
    Once,
    OnceThenRefuses,
    /// As a nameserver that changes between getaddrinfo, which asks without EDNS, and this program's own questions: the truth once to those
    /// without, then (and to those with it) silence, REFUSED or NXDOMAIN; or first silence, SERVFAIL twice, NXDOMAIN to those without, then the truth.
    PlainOnce,
    PlainOnceThenRefuses,
    PlainOnceThenDenies,
    PlainSilentOnce,
    PlainFailsTwice,
    PlainDeniesOnce,
    /// A forged reply before the true one.
    Injected,
    /// A private address over UDP, the truth over TCP.
    UdpForged,
}

impl Answers {
    /// Whether questions without EDNS are counted apart.
    pub fn counts_plain(self) -> bool {
        use Answers::{PlainDeniesOnce, PlainFailsTwice, PlainOnce, PlainSilentOnce};
        use Answers::{PlainOnceThenDenies, PlainOnceThenRefuses};
        let once = matches!(self, PlainOnce | PlainOnceThenRefuses | PlainOnceThenDenies);
        once || matches!(self, PlainSilentOnce | PlainFailsTwice | PlainDeniesOnce)
    }
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
