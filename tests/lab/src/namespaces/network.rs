//! The network as it is built: three namespaces, two cables, real addresses and ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::layout::{self, Layout, SUBNET_V6, UPLINK, UPLINK_V6, alone};
use super::link::{self, Way};
use super::machine::{self, Machine};
use super::namespace::Namespace;
use super::{apart, hub, postgres, real, resolver, tools};
use crate::ca::Chain;
use crate::command::Command;
use crate::ground::{self, Ears, Ground, listen};
use crate::names::Names;
use crate::plan::{Plan, Role};
use crate::scenario::{Answers, From, Key, Link, Nameserver, Peer, Proxy, Real, Scenario, Tcp};

/// A cable carries within this time, or the machine is not fit for namespaces.
const SETTLED: Duration = Duration::from_secs(10);
/// Where Azure Arc's agent listens.
const ARC: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 40342);

/// Three namespaces: the client's is the process's own, the world's sockets are made in the services', the router stands between.
pub(super) struct Network {
    client: Namespace,
    router: Namespace,
    pub(super) services: Namespace,
    built: Option<(Layout, TempDir)>,
    seed: u64,
    plans: Vec<Plan>,
    real: Vec<Real>,
    /// Whether the endpoint of managed identity is that of Azure Arc's agent, on the machine itself.
    arc: bool,
    /// The directories of real servers.
    dirs: Vec<TempDir>,
}

impl Network {
    /// Three empty namespaces; fails where the first of them leads anywhere.
    pub(super) fn new(seed: u64) -> io::Result<Network> {
        let (client, router, services) = (Namespace::here()?, Namespace::new()?, Namespace::new()?);
        let network = Network {
            client,
            router,
            services,
            built: None,
            seed,
            plans: Vec::new(),
            real: Vec::new(),
            arc: false,
            dirs: Vec::new(),
        };
        for namespace in [&network.client, &network.router, &network.services] {
            namespace.has_only(&[])?;
        }
        Ok(network)
    }

    /// How the services' cable is laid, in lines of `ip` for the router: an ordinary one, or the lab's forwarder with its two devices.
    fn cable(&self, link: Option<&Link>, plans: &[Plan]) -> io::Result<String> {
        let Some(link) = link.filter(|link| link.needs_forwarder()) else {
            let services = self.services.path();
            return Ok(format!("link add services type veth peer name eth0\nlink set eth0 netns {services}"));
        };
        let way = Way {
            delay: link.delay(),
            loss: link.loss,
            mtu: if link.tells { 0 } else { link.mtu },
            of: addresses(plans, &link.of),
            never: layout::ON_THE_HOST.map(IpAddr::from).to_vec(),
            seed: link.seed.unwrap_or(self.seed),
        };
        let near = self.router.within(|| apart::tunnel("services"))?;
        let far = self.services.within(|| apart::tunnel("eth0"))?;
        link::forward(near, far, way)?;
        Ok(String::new())
    }

    /// Cables, addresses and routes. No device sends several segments as one packet, so that a rule sees packets as a wire would.
    fn connect(&self, layout: &Layout, names: &Names, cable: &str) -> io::Result<()> {
        let router = self.router.path();
        let gateway = layout::gateway(names);
        let (vm, [up, down], mtu) = (names.vm_address, UPLINK, layout.mtu);
        let mut client = lines(&format!(
            "link add eth0 type veth peer name client
             link set client netns {router}
             link set lo up
             link set eth0 gso_max_segs 1 up"
        ));
        if layout.ipv4 {
            client.extend(lines(&format!("address add {vm}/24 dev eth0\nroute add default via {gateway}")));
        }
        let mut between = lines(&format!(
            "{cable}
             link set lo up
             address add {gateway}/24 dev client
             address add {up}/30 dev services
             link set client up
             link set services mtu {mtu} up
             route add default via {down}"
        ));
        let mut behind = lines(&format!(
            "link set lo up
             address add {down}/30 dev eth0
             link set eth0 gso_max_segs 1 mtu {mtu} up
             route add default via {up}"
        ));
        if layout.ipv6 {
            let ([near, far], [up, down]) = (SUBNET_V6, UPLINK_V6);
            client.extend(lines(&format!("address add {far}/64 dev eth0 nodad\nroute add ::/0 via {near}")));
            between.extend(lines(&format!(
                "address add {near}/64 dev client nodad
                 address add {up}/64 dev services nodad
                 route add ::/0 via {down}"
            )));
            behind.extend(lines(&format!("address add {down}/64 dev eth0 nodad\nroute add ::/0 via {up}")));
        }
        for address in layout.addresses.iter().filter(|address| layout.ipv6 || address.is_ipv4()) {
            let at_once = if address.is_ipv6() { " nodad" } else { "" };
            behind.push(format!("address add {} dev lo{at_once}", alone(*address)));
        }
        if layout.ipv6 {
            for namespace in [&self.client, &self.router, &self.services] {
                namespace.within(trust_neighbours)?;
            }
        }
        client.extend(layout.routes.iter().map(|route| format!("route {route}")));
        self.client.within(|| tools::ip(&client))?;
        self.router.within(|| {
            tools::ip(&between)?;
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
            if layout.ipv6 {
                std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1")?;
            }
            // Else the kernel spares every second refusal.
            let _ = std::fs::write("/proc/sys/net/ipv4/icmp_ratelimit", "0");
            tools::nft(&layout.ruleset())
        })?;
        self.services.within(|| {
            let _ = std::fs::write("/proc/sys/net/ipv4/icmp_ratelimit", "0");
            // Real servers are no root, and listen on 53.
            let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
            tools::ip(&behind)
        })
    }

    /// What the story itself changes on the router and on the client.
    /// Waits until every cable carries: the kernel opens a device's queue some time after its other end is up, and drops until then.
    fn settle(&self) -> io::Result<()> {
        for namespace in [&self.client, &self.router, &self.services] {
            let until = Instant::now() + SETTLED;
            loop {
                let waits = namespace.within(tools::not_carrying)?;
                if waits.is_empty() {
                    break;
                }
                if Instant::now() > until {
                    return Err(io::Error::other(format!("the cables do not carry: {}", waits.join("; "))));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    fn spoil(&self, scenario: &Scenario, fill: &(impl Fn(&str) -> String + Sync)) -> io::Result<()> {
        let world = &scenario.world;
        let routes =
            |routes: &[String]| routes.iter().map(|route| format!("route {}", fill(route))).collect::<Vec<_>>();
        self.router.within(|| {
            tools::ip(&routes(&world.router_routes))?;
            tools::nft(&fill(&world.router_nft.join("\n")))
        })?;
        self.client.within(|| {
            tools::ip(&routes(&world.routes))?;
            tools::nft(&fill(&world.nft.join("\n")))
        })
    }

    fn layout(&self) -> io::Result<&Layout> {
        let built = self.built.as_ref().ok_or_else(|| io::Error::other("the network is not built yet"))?;
        Ok(&built.0)
    }
}

impl Ground for Network {
    fn lay(&mut self, scenario: &Scenario, names: &Names, plans: &[Plan]) -> io::Result<()> {
        let layout = Layout::of(scenario, names, plans);
        let fill = |text: &str| layout::filled(text, names, plans, &layout);
        let cable = self.cable(scenario.link.as_ref(), plans)?;
        self.connect(&layout, names, &cable)?;
        self.settle()?;
        self.spoil(scenario, &fill)?;
        hub::accept(&self.router, &addresses(plans, scenario.appliance.iter().flat_map(|hub| &hub.accepts)))?;
        self.client.has_only(&["eth0"])?;
        self.router.has_only(&["client", "services"])?;
        self.services.has_only(&["eth0"])?;
        let world = &scenario.world;
        let own = format!("127.0.0.1 localhost\n::1 localhost ip6-localhost\n{} {}\n", names.vm_address, names.vm);
        let machine = Machine {
            resolv_conf: world.resolv_conf.as_deref().map_or_else(|| layout.resolv_conf(), fill),
            hosts: world.hosts.iter().fold(own, |text, line| text + &fill(line) + "\n"),
            nsswitch: world.nsswitch.clone().unwrap_or_else(|| "hosts: files dns".to_owned()) + "\n",
            upstreams: world.upstreams.iter().map(|address| format!("nameserver {}\n", fill(address))).collect(),
            in_azure: world.in_azure,
        };
        let files = machine.furnish()?;
        self.built = Some((layout, files));
        self.arc = scenario.token.from == From::Arc;
        if scenario.metadata.installed {
            machine::agent()?;
        }
        (self.plans, self.real) = (plans.to_vec(), world.real.clone());
        Ok(())
    }

    fn nameservers(&self, _scenario: &Scenario) -> Vec<Nameserver> {
        let layout = self.layout().ok();
        layout
            .map(|layout| layout.nameservers.iter().map(|(_, behaviour)| behaviour.clone()).collect())
            .unwrap_or_default()
    }

    fn nameserver(&mut self, place: usize, behaviour: &Nameserver) -> io::Result<Ears> {
        let Some((address, _)) = self.layout()?.nameservers.get(place) else { return Ok(Ears::default()) };
        let address = SocketAddr::from((*address, 53));
        match behaviour.all {
            Answers::Closed => return Ok(Ears::default()),
            Answers::Silent if address.ip().is_loopback() => {
                return Err(io::Error::other(format!("no router stands before {address}: it cannot be silent")));
            }
            Answers::Silent => return Ok(Ears::default()),
            _ => {}
        }
        let real = self.real.iter().find(|real| matches!(real, Real::Unbound | Real::Dnsmasq)).copied();
        if let Some(real) = real.filter(|_| !address.ip().is_loopback() && !layout::is_on_the_host(address.ip())) {
            self.dirs.push(resolver::start_one(&self.services, real, address, &self.plans, behaviour)?);
            return Ok(Ears::default());
        }
        // A stub resolver is on the machine itself.
        let place = if address.ip().is_loopback() { &self.client } else { &self.services };
        let (udp, tcp) = place.within(|| {
            let tcp = if behaviour.tcp() == Tcp::Ok { Some(std::net::TcpListener::bind(address)?) } else { None };
            Ok((std::net::UdpSocket::bind(address)?, tcp))
        })?;
        Ok(Ears { udp: Some(ground::udp(udp)?), tcp: tcp.map(ground::tcp).transpose()? })
    }

    fn service(&mut self, role: Role, place: Option<usize>) -> io::Result<Vec<TcpListener>> {
        let layout = self.layout()?;
        let wanted = layout.services.iter().filter(|(whose, which, address)| {
            *whose == role && place.is_none_or(|place| place == *which) && (layout.ipv6 || address.is_ipv4())
        });
        wanted.map(|(_, _, address)| listen(*address)).collect()
    }

    fn metadata(&mut self, fate: Tcp) -> io::Result<Option<TcpListener>> {
        if self.arc {
            return match fate {
                Tcp::Ok => {
                    self.client.within(|| std::net::TcpListener::bind(ARC)).and_then(|ear| ground::tcp(ear).map(Some))
                }
                Tcp::Refused => Ok(None),
                _ => Err(io::Error::other("no router stands before the machine itself: its agent cannot be silent")),
            };
        }
        let address = self.layout()?.metadata;
        if fate == Tcp::Ok { listen(address).map(Some) } else { Ok(None) }
    }

    fn key(&mut self, key: Key, text: &str, realm: &str) -> io::Result<()> {
        machine::key(key, text, Path::new(realm))
    }

    fn proxy(&mut self, fate: Tcp) -> io::Result<(SocketAddr, Option<TcpListener>)> {
        let address = self.layout()?.proxy;
        Ok((address, if fate == Tcp::Ok { Some(listen(address)?) } else { None }))
    }

    fn real_proxy(&mut self, wanted: &Proxy, named: (&str, &str, &str)) -> io::Result<Option<SocketAddr>> {
        if !self.real.contains(&Real::Squid) {
            return Ok(None);
        }
        let layout = self.layout()?;
        let address = layout.proxy;
        let nameserver = layout.nameservers.last().map_or(address.ip(), |(address, _)| *address);
        self.dirs.push(real::squid(&self.services, address, wanted, named, nameserver)?);
        Ok(Some(address))
    }

    fn real_server(&mut self, place: usize, chain: &Chain, user: &str, token: &str) -> io::Result<bool> {
        if !self.real.contains(&Real::Postgres) {
            return Ok(false);
        }
        let at = |services: &[(Role, usize, SocketAddr)]| {
            services
                .iter()
                .find(|(role, which, _)| *role == Role::Server && *which == place)
                .map(|(_, _, address)| *address)
        };
        let Some(address) = at(&self.layout()?.services) else { return Ok(false) };
        self.dirs.push(postgres::start(&self.services, address, chain, user, token)?);
        Ok(true)
    }

    fn behind_proxy(&self, plan: &Plan, address: Option<IpAddr>) -> SocketAddr {
        let first = || plan.v4.first().map(|address| IpAddr::from(*address));
        SocketAddr::new(address.or_else(first).unwrap_or(IpAddr::from([192, 0, 2, 9])), plan.port)
    }

    /// Nothing to say: names, addresses and ports are the real ones.
    fn point(&self, _command: &mut Command<'_>) {}
}

/// Every address of these peers.
fn addresses<'a>(plans: &[Plan], of: impl IntoIterator<Item = &'a Peer>) -> Vec<IpAddr> {
    let role = |peer: &Peer| match peer {
        Peer::Login => Role::Login,
        Peer::Graph => Role::Graph,
        Peer::Server => Role::Server,
    };
    let wanted: Vec<Role> = of.into_iter().map(role).collect();
    let mine = plans.iter().filter(|plan| wanted.contains(&plan.role));
    mine.flat_map(Plan::fates).map(|fate| fate.address).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Without this every new IPv6 address waits a second for a neighbour that might have it already.
fn trust_neighbours() -> io::Result<()> {
    ["all", "default"]
        .into_iter()
        .try_for_each(|devices| std::fs::write(format!("/proc/sys/net/ipv6/conf/{devices}/accept_dad"), "0"))
}
