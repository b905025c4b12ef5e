//! A scenario as its file writes it. The format is documented in `tests/scenarios/README.md`; unknown keys are refused.

mod az;
mod database;
mod entra;
mod expect;
mod host;
mod link;
mod metadata;
mod nameserver;
mod principal;
mod proxy;
mod reported;
mod server;
mod setup;
mod span;
mod token;

use serde::Deserialize;

pub use az::{Az, Printed};
pub use database::{Database, MoreRole, Oid, Reads};
pub use entra::{Entra, EntraMode};
pub use expect::{Expect, ExpectedDiagnosis};
pub use host::{Host, Http, Ipv6, Tcp, Tls};
pub use link::{Hub, Link, Peer};
pub use metadata::{Key, Metadata, MetadataMode};
pub use nameserver::{Answers, Nameserver};
pub use principal::{GraphMode, Principal, Who, Written};
pub use proxy::{Credentials, Proxy, ProxyKind, ProxyMode};
pub use reported::{Channel, Reported};
pub use server::{After, Asks, At, Named, PgError, Received, Server, Ssl};
pub use setup::{Appliance, Real, Setup, Topology};
pub use span::{Span, patience};
pub use token::{Form, From, Kind, Tenant, Token};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub story: String,
    pub question: Question,
    pub why: String,
    #[serde(default)]
    pub carrier: Carrier,
    #[serde(default)]
    pub world: Setup,
    #[serde(default)]
    pub nameserver: Vec<Nameserver>,
    #[serde(default)]
    pub login: Host,
    #[serde(default)]
    pub graph: Host,
    /// The control destination.
    #[serde(default)]
    pub control: Host,
    pub proxy: Option<Proxy>,
    pub link: Option<Link>,
    pub appliance: Option<Hub>,
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub entra: Entra,
    #[serde(default)]
    pub az: Az,
    #[serde(default)]
    pub token: Token,
    pub principal: Option<Principal>,
    #[serde(default)]
    pub server: Server,
    #[serde(default)]
    pub reported: Reported,
    #[serde(default)]
    pub database: Database,
    pub expect: Expect,
}

impl Scenario {
    /// # Errors
    /// The parser's message, which names the line, or the rule that the file breaks.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// A world in which nothing is wrong.
    pub fn healthy() -> Scenario {
        let text = "story = 'Everything works.'\nquestion = 'healthy'\nwhy = 'Nothing is wrong.'\n[expect]\nverdict = 'pass'\n";
        toml::from_str(text).expect("the healthy scenario is valid")
    }

    /// Whether loopback cannot carry this story: it changes the machine itself, or needs a router.
    pub fn needs_namespaces(&self) -> bool {
        self.carrier == Carrier::Namespaces || self.needs_router()
    }

    fn needs_router(&self) -> bool {
        let fates = [&self.login, &self.graph, &self.control]
            .into_iter()
            .flat_map(|host| host.tcp_of.iter().chain([&host.tcp]));
        let mut fates = fates.chain(&self.server.tcp_of).chain([&self.server.tcp]);
        fates.any(|fate| *fate == Tcp::Unreachable)
    }

    fn check(&self) -> Result<(), String> {
        let moved = self.nameserver.iter().any(|nameserver| nameserver.address.is_some());
        if self.carrier != Carrier::Namespaces && (moved || self.world.changes_machine()) {
            return Err("ipv6, ipv4, dns64, resolv_conf, nsswitch, hosts, routes, router_routes, nft, router_nft, real and a nameserver's address change the \
                        machine or its router: they need carrier = \"namespaces\""
                .to_owned());
        }
        if self.carrier != Carrier::Namespaces && self.needs_router() {
            return Err("`unreachable` takes a router: it needs carrier = \"namespaces\"".to_owned());
        }
        if self.carrier != Carrier::Namespaces && (self.link.is_some() || self.appliance.is_some()) {
            return Err("[link] and [appliance] lie on the way: they need carrier = \"namespaces\"".to_owned());
        }
        if self.carrier != Carrier::Namespaces && (self.metadata.key != Key::None || self.metadata.installed) {
            return Err(
                "Azure Arc's agent and its keys lie in directories of the machine: they need carrier = \"namespaces\""
                    .to_owned(),
            );
        }
        if !self.world.ipv4 && (self.world.in_azure || !self.world.ipv6 || self.proxy.is_some()) {
            return Err("a machine without IPv4 needs ipv6 and in_azure = false, for Azure has none such (each NIC has an IPv4 address), and no [proxy]"
                .to_owned());
        }
        self.link.as_ref().map_or(Ok(()), Link::check)?;
        for nameserver in &self.nameserver {
            let overrides = [nameserver.login, nameserver.graph, nameserver.server];
            if nameserver.all != Answers::Closed && overrides.contains(&Some(Answers::Closed)) {
                return Err("`closed` is a matter of the whole nameserver: write all = \"closed\"".to_owned());
            }
        }
        if !(1..=8).contains(&self.server.addresses) {
            return Err(format!("server.addresses = {} is out of range: 1 to 8", self.server.addresses));
        }
        if self.reported.from == Channel::Stdin && self.token.from == From::Stdin {
            return Err("standard input has the token already: report from a file".to_owned());
        }
        let error = &self.server.error;
        if error.at.is_none() && !(error.sqlstate.is_empty() && error.message.is_empty()) && self.server.ssl != Ssl::E {
            return Err("server.error needs an `at`: before-token, after-token or after-authentication".to_owned());
        }
        if self.token.from == From::Environment && self.token.form == Form::LineEnds {
            return Err(
                "the environment keeps line ends poorly; tell this story with from = \"file\" or \"stdin\"".to_owned()
            );
        }
        if self.expect.verdict.is_none() && self.expect.exit.is_none() {
            return Err("expect needs a verdict (or, where nothing is probed, an exit status)".to_owned());
        }
        Ok(())
    }

    /// What a connection to the metadata address meets.
    pub fn metadata_fate(&self) -> Tcp {
        match self.metadata.mode {
            MetadataMode::Silent => Tcp::Silent,
            MetadataMode::Closed => Tcp::Refused,
            // Azure Arc's agent is on the machine itself, wherever that stands.
            _ if self.token.from == From::Arc => Tcp::Ok,
            mode if !self.world.in_azure && mode != MetadataMode::Foreign => Tcp::Silent,
            _ => Tcp::Ok,
        }
    }

    /// How far all Date headers are off.
    pub fn date_offset(&self) -> i64 {
        [self.login.date, self.graph.date].into_iter().flatten().next().map_or(0, |span| span.0)
    }
}

/// What carries the packets: sockets on loopback, or network namespaces with a kernel's routes and filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    #[default]
    Loopback,
    Namespaces,
    /// The story is told twice.
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    Dns,
    Https,
    Token,
    Login,
    Healthy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_healthy() {
        let scenario = Scenario::healthy();
        assert_eq!(scenario.server.port, 5432);
        assert_eq!(scenario.token.expires, Span(86_400));
        assert!(scenario.world.in_azure && scenario.server.role);
        assert!(scenario.check().is_ok());
    }

    #[test]
    fn unknown_keys_and_words_are_refused() {
        let with = |more: &str| {
            Scenario::parse(&format!("story = ''\nquestion = 'dns'\nwhy = ''\n{more}\n[expect]\nverdict = 'fail'\n"))
        };
        assert!(with("[login]\ntls = 'alert'\nhttp = '403'\ndate = '-20m'").is_ok());
        for bad in [
            "[login]\nssl = 'S'",
            "[login]\ntls = 'odd'",
            "[token]\nexpires = 'soon'",
            "[server]\nhttp = 'ok'",
            "[[nameserver]]\nlogin = 'closed'",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
