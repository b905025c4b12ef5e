//! Who has which address, and what befalls a packet to it: the whole network on paper.
//!
//! The client is one machine of a VNet. Its only way out is the router, where network security groups and route tables take effect. Behind it is
//! everything else: nameservers, Azure's platform addresses, the proxy, the server, the internet. What is nobody's address there is silent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::names::Names;
use crate::plan::{Plan, Role};
use crate::scenario::{Answers, Ipv6, Nameserver, Scenario, Tcp};

/// Azure's own resolver.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Answered by the VM's own host: no link lies between.
pub(super) const ON_THE_HOST: [Ipv4Addr; 2] = [RESOLVER, METADATA];

pub(super) fn is_on_the_host(address: IpAddr) -> bool {
    ON_THE_HOST.iter().any(|known| address == *known)
}

/// Between router and services.
pub(super) const UPLINK: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
pub(super) const UPLINK_V6: [&str; 2] = ["fd00:db8:ff::1", "fd00:db8:ff::2"];
/// Between client and router.
pub(super) const SUBNET_V6: [&str; 2] = ["fd00:db8::1", "fd00:db8::4"];

#[derive(Debug)]
pub(super) struct Layout {
    /// Addresses that exist behind the router.
    pub addresses: Vec<IpAddr>,
    /// Who listens where.
    pub services: Vec<(Role, usize, SocketAddr)>,
    /// Every nameserver, in the machine's order; the last may be Azure's own, which is not in its resolv.conf.
    pub nameservers: Vec<(IpAddr, Nameserver)>,
    /// How many of them resolv.conf names.
    listed: usize,
    pub metadata: SocketAddr,
    pub proxy: SocketAddr,
    /// Rules of the router, each to be hit by what comes from the client.
    pub rules: Vec<String>,
    /// Routes of the client beside its default.
    pub routes: Vec<String>,
    pub ipv6: bool,
    pub ipv4: bool,
    /// Of the devices between router and services.
    pub mtu: usize,
}

impl Layout {
    pub(super) fn of(scenario: &Scenario, names: &Names, plans: &[Plan]) -> Layout {
        let mut layout = Layout {
            addresses: Vec::new(),
            services: Vec::new(),
            nameservers: Vec::new(),
            listed: scenario.nameserver.len().max(1),
            metadata: (METADATA, 80).into(),
            proxy: (in_vnet(names, 3, 4), 3128).into(),
            rules: Vec::new(),
            routes: Vec::new(),
            mtu: scenario.link.as_ref().filter(|link| link.tells && link.mtu > 0).map_or(1500, |link| link.mtu),
            ipv6: scenario.world.ipv6 && (!scenario.world.ipv4 || plans.iter().any(|plan| plan.ipv6 != Ipv6::Absent)),
            ipv4: scenario.world.ipv4,
        };
        let direct = scenario.proxy.as_ref().map_or(Tcp::Ok, |proxy| proxy.direct);
        let mut known = Vec::new();
        for plan in plans {
            for fate in plan.fates() {
                // As with rules: an address that two names share is the first one's.
                if known.contains(&fate.address) {
                    continue;
                }
                known.push(fate.address);
                if fate.tcp == Tcp::Ok {
                    layout.services.push((plan.role, fate.place, SocketAddr::new(fate.address, plan.port)));
                }
                let beside = plan.role != Role::Server && direct != Tcp::Ok;
                if beside && matches!(fate.tcp, Tcp::Ok | Tcp::Refused) {
                    layout.addresses.push(fate.address);
                }
                layout.befalls(fate.address, if beside { direct } else { fate.tcp });
            }
        }
        for (address, behaviour) in nameservers(scenario, names) {
            layout.nameserver(address, &behaviour);
            layout.nameservers.push((address, behaviour));
        }
        layout.befalls(layout.metadata.ip(), scenario.metadata_fate());
        if scenario.world.in_azure {
            // Azure's DHCP server hands out both beside the default route.
            layout.routes.extend([RESOLVER, METADATA].map(|address| format!("add {address} via {}", gateway(names))));
        }
        if let Some(proxy) = &scenario.proxy {
            layout.befalls(layout.proxy.ip(), proxy.fate());
        }
        layout
    }

    /// Says what a packet from the client to this address meets.
    fn befalls(&mut self, address: IpAddr, fate: Tcp) {
        let to = to(address);
        match fate {
            Tcp::Ok | Tcp::Refused => {
                if !self.addresses.contains(&address) {
                    self.addresses.push(address);
                }
            }
            Tcp::Silent => self.rules.push(format!("{to} drop")),
            Tcp::Unreachable => {
                let why = match address {
                    IpAddr::V4(_) => "icmp type host-unreachable",
                    IpAddr::V6(_) => "icmpv6 type addr-unreachable",
                };
                self.rules.push(format!("{to} reject with {why}"));
            }
            // A table that ends here, and a route that forbids: the kernel says ENETUNREACH and EACCES, and nothing is sent.
            Tcp::NoRoute => self.routes.push(format!("add throw {address}")),
            Tcp::Denied => self.routes.push(format!("add prohibit {address}")),
        }
    }

    fn nameserver(&mut self, address: IpAddr, behaviour: &Nameserver) {
        if address.is_loopback() {
            return;
        }
        if behaviour.all == Answers::Silent {
            self.rules.push(format!("{} drop", to(address)));
            return;
        }
        self.addresses.push(address);
        if behaviour.tcp() == Tcp::Silent {
            self.rules.push(format!("{} tcp dport 53 drop", to(address)));
        }
    }

    /// The router's whole ruleset: a network security group, as it were.
    pub(super) fn ruleset(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(|rule| format!("iifname \"client\" {rule}\n")).collect();
        // What belongs to nobody would come back to us.
        format!(
            "table inet lab {{\nchain forward {{\ntype filter hook forward priority 0;\niifname \"services\" oifname \"services\" drop\n{}}}\n}}\n",
            rules.concat()
        )
    }

    /// What resolv.conf says unless the story says otherwise.
    pub(super) fn resolv_conf(&self) -> String {
        let mut text: String =
            self.nameservers.iter().take(self.listed).map(|(address, _)| format!("nameserver {address}\n")).collect();
        text.push_str("search reddog.microsoft.com\n");
        text
    }
}

/// The machine's nameservers, and Azure's own one behind them if the machine is Azure's.
fn nameservers(scenario: &Scenario, names: &Names) -> Vec<(IpAddr, Nameserver)> {
    let listed = &scenario.nameserver;
    let place = |place: u8| {
        if scenario.world.ipv4 { in_vnet(names, 2, place).into() } else { IpAddr::from(nameserver_v6(place)) }
    };
    let mut all: Vec<(IpAddr, Nameserver)> = listed
        .iter()
        .zip(4u8..)
        .map(|(behaviour, number)| (behaviour.address.map_or_else(|| place(number), IpAddr::from), behaviour.clone()))
        .collect();
    if all.is_empty() {
        let address = if scenario.world.in_azure { RESOLVER.into() } else { place(4) };
        all.push((address, Nameserver::default()));
    }
    if scenario.world.in_azure && all.iter().all(|(address, _)| *address != RESOLVER) {
        all.push((RESOLVER.into(), Nameserver::default()));
    }
    all
}

/// A nameserver of a network without IPv4.
fn nameserver_v6(place: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0xdb8, 0x53, 0, 0, 0, 0, place.into())
}

/// What a rule says of packets to this address.
fn to(address: IpAddr) -> String {
    let family = if address.is_ipv4() { "ip" } else { "ip6" };
    format!("{family} daddr {address}")
}

/// An address of the client's network: subnet and machine.
fn in_vnet(names: &Names, subnet: u8, machine: u8) -> Ipv4Addr {
    let [first, second, ..] = names.vm_address.octets();
    Ipv4Addr::new(first, second, subnet, machine)
}

/// Where the client's default route leads.
pub(super) fn gateway(names: &Names) -> Ipv4Addr {
    in_vnet(names, 0, 1)
}

/// Replaces what a story cannot know: the addresses of this run.
pub(super) fn filled(text: &str, names: &Names, plans: &[Plan], layout: &Layout) -> String {
    let list = |role: Role| {
        let plan = plans.iter().filter(|plan| plan.role == role);
        plan.flat_map(|plan| &plan.v4).map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ")
    };
    let first = |role: Role| list(role).split(',').next().unwrap_or_default().to_owned();
    let nameserver = |place: usize| layout.nameservers.get(place).map(|(address, _)| address.to_string());
    let values = [
        ("{login}", names.cloud.login.to_owned()),
        ("{graph}", names.cloud.graph.to_owned()),
        ("{server}", names.server.clone()),
        ("{login_addresses}", list(Role::Login)),
        ("{graph_addresses}", list(Role::Graph)),
        ("{server_addresses}", list(Role::Server)),
        ("{login_address}", first(Role::Login)),
        ("{graph_address}", first(Role::Graph)),
        ("{server_address}", first(Role::Server)),
        ("{nameserver}", nameserver(0).unwrap_or_default()),
        ("{nameserver_2}", nameserver(1).unwrap_or_default()),
        ("{gateway}", gateway(names).to_string()),
        // Azure keeps the first four addresses of a subnet to itself: this one is no machine's.
        ("{nobody}", in_vnet(names, 0, 3).to_string()),
        ("{vm}", names.vm_address.to_string()),
    ];
    values.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
}

/// An address with the length of its prefix, alone.
pub(super) fn alone(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}/{}", Ipv4Addr::BITS),
        IpAddr::V6(address) => format!("{address}/{}", Ipv6Addr::BITS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    fn layout(more: &str) -> (Layout, Names, Vec<Plan>) {
        let text = format!(
            "story = ''\nquestion = 'https'\nwhy = ''\ncarrier = 'namespaces'\n{more}\n[expect]\nverdict = 'pass'\n"
        );
        let scenario = Scenario::parse(&text).expect("a scenario");
        let mut rng = Rng::with_seed(5);
        let names = crate::names::draw(&mut rng, &scenario);
        let plans = crate::plan::draw(&mut rng, &scenario, &names);
        (Layout::of(&scenario, &names, &plans), names, plans)
    }

    #[test]
    fn a_healthy_network_has_azures_addresses() {
        let (layout, names, plans) = layout("");
        for address in [RESOLVER, METADATA, plans[0].v4[0], plans[2].v4[0]] {
            assert!(layout.addresses.contains(&address.into()), "{address}");
        }
        assert_eq!(layout.resolv_conf(), "nameserver 168.63.129.16\nsearch reddog.microsoft.com\n");
        assert_eq!(filled("{server_address}", &names, &plans, &layout), plans[2].v4[0].to_string());
        assert!(!layout.ipv6);
    }

    #[test]
    fn every_fate_has_its_place() {
        let (layout, _, plans) =
            layout("[login]\ntcp = 'no-route'\ntcp_of = ['silent', 'unreachable', 'denied', 'refused', 'ok']");
        let address = |place: usize| plans[0].v4[place].to_string();
        let ruleset = layout.ruleset();
        assert!(ruleset.contains(&format!("iifname \"client\" ip daddr {} drop", address(0))), "{ruleset}");
        assert!(
            ruleset.contains(&format!("ip daddr {} reject with icmp type host-unreachable", address(1))),
            "{ruleset}"
        );
        assert!(layout.routes.contains(&format!("add prohibit {}", address(2))));
        assert!(layout.routes.contains(&format!("add throw {}", address(5))));
        let listens = |place: usize| layout.services.iter().any(|(_, _, at)| at.ip() == plans[0].v4[place]);
        assert!(layout.addresses.contains(&plans[0].v4[3].into()) && !listens(3) && listens(4) && !listens(0));
    }

    #[test]
    fn custom_nameservers_leave_azures_own_in_place() {
        let (layout, names, _) =
            layout("[[nameserver]]\nall = 'truncated-silent'\n[[nameserver]]\naddress = '127.0.0.53'\nall = 'closed'");
        let first = in_vnet(&names, 2, 4);
        assert_eq!(
            layout.resolv_conf(),
            format!("nameserver {first}\nnameserver 127.0.0.53\nsearch reddog.microsoft.com\n")
        );
        assert!(layout.addresses.contains(&RESOLVER.into()));
        assert!(layout.ruleset().contains(&format!("ip daddr {first} tcp dport 53 drop")));
    }
}
