//! The three names of a run: what they are aliases of, their addresses, and what a connection to each address meets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use crate::names::{Names, distinct, letters, more, sql_address};
use crate::scenario::{Answers, Ipv6, Named, Nameserver, Scenario, Tcp, Topology};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Login,
    Graph,
    Server,
    /// The control destination.
    Control,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Login, Role::Graph, Role::Server, Role::Control];

    pub fn name(self) -> &'static str {
        match self {
            Role::Login => "login",
            Role::Graph => "graph",
            Role::Server => "server",
            Role::Control => "control",
        }
    }

    /// What a nameserver does with the questions about this name.
    pub fn answers(self, nameserver: &Nameserver) -> Answers {
        let own = match self {
            Role::Login => nameserver.login,
            Role::Graph => nameserver.graph,
            Role::Server => nameserver.server,
            Role::Control => None,
        };
        own.unwrap_or(nameserver.all)
    }
}

/// What a connection to one address meets.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    pub address: IpAddr,
    /// Which of the name's addresses it is.
    pub place: usize,
    pub tcp: Tcp,
}

/// One name and everything that any nameserver may say of it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub role: Role,
    pub name: String,
    pub port: u16,
    /// What the name is an alias of, hop by hop.
    pub chain: Vec<String>,
    /// The zone of the last name, and its server: what a negative answer's SOA says.
    pub zone: (String, String),
    pub v4: Vec<Ipv4Addr>,
    pub v6: Vec<Ipv6Addr>,
    pub tcp: Tcp,
    pub tcp_of: Vec<Tcp>,
    pub ipv6: Ipv6,
    pub privates: [Ipv4Addr; 2],
    pub cgnat: Ipv4Addr,
    pub agent: Ipv4Addr,
    pub elsewhere: Ipv4Addr,
    pub public: Ipv4Addr,
    /// Names of the server's other endpoints: public alias, privatelink alias.
    pub public_alias: String,
    pub privatelink: String,
    /// The internal nameserver that claims a zone which is not its own.
    pub shadow: String,
}

impl Plan {
    /// What a connection to each address meets. An address that is not here is met by silence.
    pub fn fates(&self) -> Vec<Fate> {
        let of = |place: usize| self.tcp_of.get(place).copied().unwrap_or(self.tcp);
        let fate = |address: IpAddr, place: usize, tcp: Tcp| Fate { address, place, tcp };
        let mut fates: Vec<Fate> =
            self.v4.iter().enumerate().map(|(place, address)| fate((*address).into(), place, of(place))).collect();
        let v6 = match self.ipv6 {
            Ipv6::Absent => None,
            Ipv6::Ok => Some(Tcp::Ok),
            Ipv6::Silent => Some(Tcp::Silent),
            Ipv6::Refused => Some(Tcp::Refused),
        };
        fates.extend(v6.into_iter().flat_map(|tcp| {
            self.v6.iter().enumerate().map(move |(place, address)| fate((*address).into(), place, tcp))
        }));
        // An agent's answer works on its machine; an address outside the tag and a public endpoint are the same service by another way.
        for address in [self.cgnat, self.agent, self.elsewhere, self.public] {
            fates.push(fate(address.into(), 0, of(0)));
        }
        fates.extend(self.privates.map(|address| fate(address.into(), 0, Tcp::Silent)));
        fates
    }
}

/// Draws the three plans of a scenario.
pub fn draw(rng: &mut Rng, scenario: &Scenario, names: &Names) -> Vec<Plan> {
    let shadow = format!("dc{:02}.{}.internal", rng.u8(1..9), names.company);
    // No address has two names.
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    let mut entra = |rng: &mut Rng, role: Role, host: &crate::scenario::Host| {
        let (name, chain) = match role {
            Role::Graph => (names.cloud.graph, names.cloud.graph_chain(rng)),
            Role::Login | Role::Server | Role::Control => (names.cloud.login, names.cloud.login_chain(rng)),
        };
        let mut plan = blank(rng, role, name, 443, chain, &shadow);
        for place in 0..8 {
            more(&mut v4, 1, || names.cloud.address_in(place, rng));
        }
        more(&mut v6, 8, || names.cloud.address_v6(rng));
        plan.v4 = v4[v4.len() - 8..].to_vec();
        plan.v6 = v6[v6.len() - 8..].to_vec();
        (plan.tcp, plan.tcp_of, plan.ipv6) = (host.tcp, host.tcp_of.clone(), host.ipv6);
        plan.public = names.cloud.address(rng);
        plan
    };
    let login = entra(rng, Role::Login, &scenario.login);
    let graph = entra(rng, Role::Graph, &scenario.graph);

    let wanted = &scenario.server;
    let alias = if scenario.world.topology == Topology::Public {
        &names.server_public_alias
    } else {
        &names.server_private_alias
    };
    let mut server = blank(rng, Role::Server, &names.server, wanted.port, vec![alias.clone()], &shadow);
    if wanted.named == Named::Alias {
        server.name.clone_from(&names.alias);
        server.chain.insert(0, names.server.clone());
    }
    let subnet = names.vm_address.octets();
    server.v4 = match scenario.world.topology {
        Topology::Public => distinct(wanted.addresses, || sql_address(rng)),
        Topology::Vnet | Topology::PrivateEndpoint => {
            distinct(wanted.addresses, || Ipv4Addr::new(subnet[0], subnet[1], 1, rng.u8(4..250)))
        }
    };
    server.v6 = distinct(wanted.addresses, || Ipv6Addr::new(0xfd00, 0xdb8, 1, 0, 0, 0, 0, rng.u16(1..)));
    (server.tcp, server.tcp_of, server.ipv6) = (wanted.tcp, wanted.tcp_of.clone(), wanted.ipv6);
    server.public = sql_address(rng);
    server.public_alias.clone_from(&names.server_public_alias);
    server.privatelink = format!("{}.privatelink.{}", names.server_name, names.cloud.suffix);
    server.zone = match scenario.world.topology {
        Topology::Public => (names.cloud.suffix.to_owned(), "ns1-01.azure-dns.com".to_owned()),
        Topology::Vnet | Topology::PrivateEndpoint => {
            let zone = alias.split_once('.').map_or(alias.as_str(), |(_, zone)| zone);
            (zone.to_owned(), "azureprivatedns.net".to_owned())
        }
    };
    let name = names.cloud.arm.trim_start_matches("https://");
    let chain = vec![
        format!("management.privatelink.{}", name.trim_start_matches("management.")),
        "arm-frontdoor-prod.trafficmanager.net".to_owned(),
    ];
    let mut control = blank(rng, Role::Control, name, 443, chain, &shadow);
    control.v4 = distinct(2, || names.cloud.arm_address(rng));
    (control.tcp, control.tcp_of, control.ipv6) =
        (scenario.control.tcp, scenario.control.tcp_of.clone(), scenario.control.ipv6);
    control.public = names.cloud.arm_address(rng);
    let mut plans = vec![login, graph, server, control];
    if scenario.world.dns64 {
        for plan in plans.iter_mut().filter(|plan| plan.ipv6 == Ipv6::Absent) {
            plan.v6 = plan.v4.iter().map(|address| translated(*address)).collect();
            plan.ipv6 = Ipv6::Ok;
        }
    }
    plans
}

/// The address by which a NAT64 with the well-known prefix is asked for this one (RFC 6052).
fn translated(address: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits((0x64_ff9b << 96) | u128::from(address.to_bits()))
}

fn blank(rng: &mut Rng, role: Role, name: &str, port: u16, chain: Vec<String>, shadow: &str) -> Plan {
    let last = chain.last().map_or(name, String::as_str);
    let zone = if last.contains("akadns.net") {
        ("akadns.net", "internal.akadns.net")
    } else {
        ("trafficmanager.net", "tm1.dns-tm.com")
    };
    Plan {
        role,
        name: name.to_owned(),
        port,
        zone: (zone.0.to_owned(), zone.1.to_owned()),
        v4: Vec::new(),
        v6: Vec::new(),
        tcp: Tcp::Ok,
        tcp_of: Vec::new(),
        ipv6: Ipv6::Absent,
        privates: [
            Ipv4Addr::new(10, rng.u8(200..=254), rng.u8(..), rng.u8(4..250)),
            Ipv4Addr::new(172, rng.u8(16..32), rng.u8(..), rng.u8(4..250)),
        ],
        cgnat: Ipv4Addr::new(100, rng.u8(64..128), rng.u8(..), rng.u8(1..255)),
        agent: Ipv4Addr::new(6, 6, 0, rng.u8(2..250)),
        elsewhere: Ipv4Addr::new(104, rng.u8(16..24), rng.u8(..), rng.u8(1..255)),
        public: Ipv4Addr::UNSPECIFIED,
        public_alias: chain.first().cloned().unwrap_or_default(),
        privatelink: chain.iter().find(|hop| hop.contains("privatelink")).cloned().unwrap_or_default(),
        chain,
        shadow: shadow.to_owned(),
    }
}

/// A name of the same zone that is not this server's.
pub fn other_server(rng: &mut Rng, names: &Names) -> String {
    format!("psql-other-{}.{}", letters(rng, 5), names.cloud.suffix)
}
