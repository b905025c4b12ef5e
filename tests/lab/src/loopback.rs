//! Loopback as ground: ports of the system's choosing, and the program led to them by its public options.
//!
//! Every address that a name can resolve to gets a rule of `--connect-to`. The last rule sends whatever is left to a silent port, so that
//! nothing leaves loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::command::Command;
use crate::ground::{Ears, Ground, listen, receive};
use crate::names::Names;
use crate::plan::{Fate, Plan, Role};
use crate::scenario::{Answers, Nameserver, Scenario, Tcp};
use crate::silence::{Refusal, Silence, UdpRefusal};

pub(crate) struct Loopback {
    silence: (Silence, u16),
    refusal: (Refusal, u16),
    services: Vec<(Role, u16)>,
    nameservers: Vec<(u16, Guard)>,
    metadata: Option<u16>,
    proxy: Option<u16>,
    beside_pooler: Option<u16>,
    plans: Vec<Plan>,
    /// What a connection beside the proxy meets.
    direct: Tcp,
    /// What other ports at the same addresses do: the server's 5432 or 6432, and TCP 80 of Entra's hosts.
    other_ports: Vec<(Role, Tcp)>,
}

/// What holds a nameserver's port beside its tasks.
enum Guard {
    None,
    Silent { _tcp: Silence },
    Refused { _tcp: Refusal },
    Closed { _udp: UdpRefusal, _tcp: Refusal },
}

impl Loopback {
    pub(crate) fn new() -> io::Result<Loopback> {
        let (silence, refusal) = (Silence::new(0)?, Refusal::new(0)?);
        let (silent, refused) = (silence.port()?, refusal.port()?);
        Ok(Loopback {
            silence: (silence, silent),
            refusal: (refusal, refused),
            services: Vec::new(),
            nameservers: Vec::new(),
            metadata: None,
            proxy: None,
            beside_pooler: None,
            plans: Vec::new(),
            direct: Tcp::Ok,
            other_ports: Vec::new(),
        })
    }

    /// The port of a service, or of what stands in its place.
    fn port(&self, role: Role, place: usize, fate: Tcp) -> u16 {
        let mut services = self.services.iter().filter(|(known, _)| *known == role).map(|(_, port)| *port);
        match fate {
            Tcp::Ok => services.clone().nth(place).or_else(|| services.next()).unwrap_or(self.silence.1),
            Tcp::Refused => self.refusal.1,
            _ => self.silence.1,
        }
    }

    /// Whither a connection is led. The kernel refuses the first two itself, and nothing is sent: a broadcast address has no route for TCP, a
    /// link-local address without its interface is invalid.
    fn target(&self, role: Role, fate: &Fate) -> String {
        match fate.tcp {
            Tcp::NoRoute => "127.255.255.255:9".to_owned(),
            Tcp::Denied => "[fe80::1]:9".to_owned(),
            tcp => here(self.port(role, fate.place, tcp)).to_string(),
        }
    }

    /// The port of a service with this fate, and its listener if it listens.
    fn peer(&self, fate: Tcp) -> io::Result<(u16, Option<TcpListener>)> {
        match fate {
            Tcp::Ok => {
                let listener = listen(here(0))?;
                Ok((listener.local_addr()?.port(), Some(listener)))
            }
            Tcp::Refused => Ok((self.refusal.1, None)),
            _ => Ok((self.silence.1, None)),
        }
    }
}

impl Ground for Loopback {
    fn lay(&mut self, scenario: &Scenario, _names: &Names, plans: &[Plan]) -> io::Result<()> {
        self.direct = scenario.proxy.as_ref().map_or(Tcp::Ok, |proxy| proxy.direct);
        let silent = |fate: Option<Tcp>| fate.unwrap_or(Tcp::Silent);
        self.other_ports =
            vec![(Role::Login, silent(scenario.login.other_port)), (Role::Graph, silent(scenario.graph.other_port))];
        if scenario.server.beside.is_none() {
            self.other_ports.push((Role::Server, scenario.server.other_port));
        }
        self.plans = plans.to_vec();
        Ok(())
    }

    fn nameserver(&mut self, _place: usize, behaviour: &Nameserver) -> io::Result<Ears> {
        let (port, guard, ears) = nameserver(behaviour)?;
        self.nameservers.push((port, guard));
        Ok(ears)
    }

    fn service(&mut self, role: Role, _place: Option<usize>) -> io::Result<Vec<TcpListener>> {
        let listener = listen(here(0))?;
        self.services.push((role, listener.local_addr()?.port()));
        Ok(vec![listener])
    }

    fn beside_pooler(&mut self) -> io::Result<Vec<TcpListener>> {
        let listener = listen(here(0))?;
        self.beside_pooler = Some(listener.local_addr()?.port());
        Ok(vec![listener])
    }

    fn metadata(&mut self, fate: Tcp) -> io::Result<Option<TcpListener>> {
        let (port, listener) = self.peer(fate)?;
        self.metadata = Some(port);
        Ok(listener)
    }

    fn proxy(&mut self, fate: Tcp) -> io::Result<(SocketAddr, Option<TcpListener>)> {
        let (port, listener) = self.peer(fate)?;
        self.proxy = Some(port);
        Ok((here(port), listener))
    }

    fn behind_proxy(&self, plan: &Plan, address: Option<IpAddr>) -> SocketAddr {
        let fate = plan.fates().into_iter().find(|fate| Some(fate.address) == address);
        here(fate.map_or_else(|| self.port(plan.role, 0, plan.tcp), |fate| self.port(plan.role, fate.place, fate.tcp)))
    }

    fn point(&self, command: &mut Command<'_>) {
        for (port, _) in &self.nameservers {
            command.option("--nameserver", &here(*port).to_string());
        }
        if let Some(port) = self.metadata {
            command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &format!("http://{}", here(port)));
        }
        // The lab's own ports are dialled as they are.
        for port in [self.metadata, self.proxy].into_iter().flatten() {
            command.option("--connect-to", &format!("{0}:{0}", here(port)));
        }
        for (role, fate) in &self.other_ports {
            for plan in self.plans.iter().filter(|plan| plan.role == *role) {
                let other = match (role, plan.port) {
                    (Role::Server, 6432) => 5432,
                    (Role::Server, _) => 6432,
                    _ => 80,
                };
                for from in plan.fates() {
                    let to = here(self.port(*role, from.place, *fate));
                    command.option("--connect-to", &format!("{}:{to}", SocketAddr::new(from.address, other)));
                }
            }
        }
        for plan in &self.plans {
            for mut fate in plan.fates() {
                if self.direct != Tcp::Ok && plan.role != Role::Server {
                    fate.tcp = self.direct;
                }
                if let (Some(port), Role::Server) = (self.beside_pooler, plan.role) {
                    command.option("--connect-to", &format!("{}:{}", SocketAddr::new(fate.address, 5432), here(port)));
                }
                let from = SocketAddr::new(fate.address, plan.port);
                command.option("--connect-to", &format!("{from}:{}", self.target(plan.role, &fate)));
            }
            for local in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
                command.option("--connect-to", &format!("{local}:{}:{}", plan.port, here(self.refusal.1)));
            }
        }
        command.option("--connect-to", &format!("::{}", here(self.silence.1)));
    }
}

/// A nameserver's port, one for UDP and TCP.
fn nameserver(behaviour: &Nameserver) -> io::Result<(u16, Guard, Ears)> {
    // A port is free for UDP before it is known to be free for TCP: try until it is both.
    for _ in 0..50 {
        if behaviour.all == Answers::Closed {
            let udp = UdpRefusal::new()?;
            let port = udp.port()?;
            let Ok(tcp) = Refusal::new(port) else { continue };
            return Ok((port, Guard::Closed { _udp: udp, _tcp: tcp }, Ears::default()));
        }
        let udp = receive(here(0))?;
        let port = udp.local_addr()?.port();
        let (guard, tcp) = match behaviour.tcp() {
            Tcp::Ok => match listen(here(port)) {
                Ok(listener) => (Guard::None, Some(listener)),
                Err(_) => continue,
            },
            Tcp::Refused => match Refusal::new(port) {
                Ok(refusal) => (Guard::Refused { _tcp: refusal }, None),
                Err(_) => continue,
            },
            _ => match Silence::new(port) {
                Ok(silence) => (Guard::Silent { _tcp: silence }, None),
                Err(_) => continue,
            },
        };
        return Ok((port, guard, Ears { udp: Some(udp), tcp }));
    }
    Err(io::Error::other("no port is free for both UDP and TCP"))
}

fn here(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
