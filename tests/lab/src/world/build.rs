//! Starts the peers of a world, one after the other, on whatever ground carries them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Held, World};
use crate::ca::Authorities;
use crate::catalogs::Catalogs;
use crate::command::Command;
use crate::directory::{self, Directory};
use crate::dns;
use crate::entra::Entra;
use crate::graph::Graph;
use crate::ground::Ground;
use crate::host::Host;
use crate::metadata::Service;
use crate::names::{self, Names, guid};
use crate::plan::{self, Plan, Role};
use crate::postgres::Postgres;
use crate::proof::Proof;
use crate::proxy::{Proxy, Tunnel};
use crate::scenario::{Asks, Credentials, Form, From, GraphMode, Key, Kind, Named, Scenario, Server, Ssl, Tls, Token};
use crate::secrets::Secret;
use crate::tap::Ledger;
use crate::tls::Side;
use crate::token::{self, Made};

pub(super) async fn world(ground: Box<dyn Ground>, scenario: &Scenario, seed: u64) -> io::Result<World> {
    let mut rng = Rng::with_seed(seed);
    let names = names::draw(&mut rng, scenario);
    let plans = Arc::new(plan::draw(&mut rng, scenario, &names));
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let token = token::make(&mut rng, &scenario.token, &names, now);
    let directory = directory::draw(&mut rng, scenario, &names);
    let for_graph = Token { audience: "graph".to_owned(), ..Token::default() };
    let graph_token = token::make(&mut rng, &for_graph, &names, now);
    let authorities =
        Authorities::make(&mut rng, &names.company, scenario.world.appliance).map_err(io::Error::other)?;
    let secret = Secret {
        name: "token",
        text: token.secret.clone(),
        may: if server_may_have_token(scenario, &token, now) { vec!["server"] } else { Vec::new() },
        times: 1,
    };
    let proof = Proof::draw(&mut rng, scenario.token.from, &names, now)?;
    let header = (scenario.token.from == From::AppService).then(|| token::random(&mut rng, 32));
    let key = (scenario.metadata.key != Key::None).then(|| token::random(&mut rng, 64));
    let verified = matches!(scenario.graph.tls, Tls::Ok | Tls::InspectedTrusted);
    let of_graph = Secret {
        name: "Graph token",
        text: graph_token.secret.clone(),
        may: if verified { vec!["graph"] } else { Vec::new() },
        times: usize::MAX,
    };
    let mut secrets = vec![secret, of_graph];
    secrets.extend(Secret::of_proof(&proof));
    secrets.extend(header.clone().map(|text| Secret::of_endpoint("identity header", text)));
    secrets.extend(key.clone().map(|text| Secret::of_endpoint("key of Azure Arc", text)));
    let mut site = Site {
        scenario,
        command: Command::new(scenario, names.clone(), directory.clone(), server(scenario, &names, &plans)),
        names: names.clone(),
        plans,
        token,
        graph_token,
        directory,
        authorities,
        rng,
        ground,
        dir: tempfile::Builder::new().prefix("lab-").tempdir()?,
        ledger: Ledger::default(),
        tasks: JoinSet::new(),
        passwords: Arc::default(),
        secrets,
        proof,
        header,
        key,
    };
    site.ground.lay(scenario, &site.names, &site.plans)?;
    site.entra()?;
    site.server()?;
    let proxy = site.proxy()?;
    site.nameservers(proxy)?;
    site.metadata()?;
    site.ground.point(&mut site.command);
    site.command.trust(site.dir.path(), scenario, &site.authorities)?;
    site.command.credential(site.dir.path(), scenario, (&site.token, &site.graph_token), &site.proof)?;
    if !scenario.reported.text.is_empty() {
        let password = token::random(&mut site.rng, 24);
        site.command.reported(site.dir.path(), &password)?;
        site.secrets.push(Secret { name: "reported password", text: password, may: Vec::new(), times: 0 });
    }
    let checks = site.command.checks(site.dir.path())?;
    site.command.platform(site.header.as_deref());
    let Command { args, env, stdin, .. } = site.command.end(scenario);
    Ok(World {
        seed,
        names,
        args,
        checks,
        env,
        stdin,
        secrets: site.secrets,
        ledger: site.ledger,
        passwords: site.passwords,
        humble: scenario.metadata.key == Key::Unreadable,
        _held: Held { _dir: site.dir, _ground: site.ground, _tasks: site.tasks },
        runtime: None,
    })
}

/// What `--server` says.
fn server(scenario: &Scenario, names: &Names, plans: &[Plan]) -> String {
    match scenario.server.named {
        Named::Name => names.server.clone(),
        Named::Alias => names.alias.clone(),
        Named::Address => plans
            .iter()
            .find(|plan| plan.role == Role::Server)
            .and_then(|plan| plan.v4.first())
            .map(Ipv4Addr::to_string)
            .unwrap_or_default(),
    }
}

/// A world as it grows.
struct Site<'a> {
    scenario: &'a Scenario,
    names: Names,
    plans: Arc<Vec<Plan>>,
    token: Made,
    graph_token: Made,
    directory: Directory,
    authorities: Authorities,
    rng: Rng,
    ground: Box<dyn Ground>,
    command: Command<'a>,
    dir: TempDir,
    ledger: Ledger,
    tasks: JoinSet<()>,
    passwords: Arc<Mutex<Vec<Vec<u8>>>>,
    secrets: Vec<Secret>,
    proof: Proof,
    /// App Service's header.
    header: Option<String>,
    /// Of Azure Arc's agent.
    key: Option<String>,
}

impl Site<'_> {
    fn entra(&mut self) -> io::Result<()> {
        let hosts = [
            (Role::Login, &self.scenario.login),
            (Role::Graph, &self.scenario.graph),
            (Role::Control, &self.scenario.control),
        ];
        for (role, host) in hosts {
            let other = format!("www.{}.com", self.names.company);
            let name = self.plans.iter().find(|plan| plan.role == role).map(|plan| plan.name.clone());
            let host = Arc::new(Host {
                role,
                name: name.unwrap_or_default(),
                side: self.side(role, &other, host.tls)?.for_times(host.times),
                http: host.http,
                times: host.times,
                asked: 0.into(),
                date_offset: self.scenario.date_offset(),
                entra: Entra {
                    names: self.names.clone(),
                    wanted: self.scenario.entra.clone(),
                    proof: self.proof.clone(),
                    token: self.token.secret.clone(),
                    graph_token: self.graph_token.secret.clone(),
                    date_offset: self.scenario.date_offset(),
                    asked: 0.into(),
                },
                graph: Graph {
                    host: self.names.cloud.graph,
                    token: self.graph_token.secret.clone(),
                    directory: self.directory.clone(),
                    mode: self.scenario.principal.as_ref().map_or(GraphMode::NoPermission, |wanted| wanted.graph),
                    asked: Mutex::default(),
                },
                ledger: self.ledger.clone(),
                seed: self.rng.u64(..),
            });
            for listener in self.ground.service(role, None)? {
                self.tasks.spawn(host.clone().serve(listener));
            }
        }
        Ok(())
    }

    fn server(&mut self) -> io::Result<()> {
        let other = plan::other_server(&mut self.rng, &self.names);
        let kind = if self.scenario.token.kind == Kind::App { "service" } else { "user" };
        let principal = (self.names.object_id.as_str(), kind);
        let another = guid(&mut self.rng);
        let names = &self.names;
        let catalogs = Catalogs::new(&self.scenario.database, &names.user, principal, &names.tenant, &another);
        for (place, tls) in self.scenario.server.sides().into_iter().enumerate() {
            let certified = certificate_names(Role::Server, &self.names);
            let chain = self.authorities.chain(&mut self.rng, &certified, &other, tls).map_err(io::Error::other)?;
            if self.ground.real_server(place, &chain, &self.names.user, &self.token.secret)? {
                continue;
            }
            let postgres = Arc::new(Postgres {
                wanted: self.scenario.server.at(place),
                side: self.side(Role::Server, &other, tls)?,
                user: self.names.user.clone(),
                catalogs: catalogs.clone(),
                token: self.token.secret.clone(),
                ledger: self.ledger.clone(),
                passwords: Arc::clone(&self.passwords),
                connected: 0.into(),
            });
            for listener in self.ground.service(Role::Server, Some(place))? {
                self.tasks.spawn(postgres.clone().serve(listener));
            }
        }
        if let Some(asks) = self.scenario.server.beside {
            let postgres = Arc::new(Postgres {
                wanted: Server { asks, ..Server::default() },
                side: self.side(Role::Server, &other, Tls::Ok)?,
                user: self.names.user.clone(),
                catalogs,
                token: self.token.secret.clone(),
                ledger: self.ledger.clone(),
                passwords: Arc::clone(&self.passwords),
                connected: 0.into(),
            });
            for listener in self.ground.beside_pooler()? {
                self.tasks.spawn(postgres.clone().serve(listener));
            }
        }
        Ok(())
    }

    fn side(&mut self, role: Role, other: &str, tls: Tls) -> io::Result<Side> {
        let chain = self
            .authorities
            .chain(&mut self.rng, &certificate_names(role, &self.names), other, tls)
            .map_err(io::Error::other)?;
        // An appliance filters a name wherever it is asked for.
        let scenario = self.scenario;
        let all =
            [(Role::Login, scenario.login.tls), (Role::Graph, scenario.graph.tls), (Role::Server, scenario.server.tls)];
        let by_name = |role: Role| {
            all.iter().any(|(one, tls)| *one == role && matches!(tls, Tls::SilentByName | Tls::ResetByName))
        };
        let filtered = self.plans.iter().filter(|plan| by_name(plan.role)).map(|plan| plan.name.clone()).collect();
        Ok(Side::new(tls, chain)?.filtering(filtered))
    }

    fn nameservers(&mut self, proxy: Option<(String, IpAddr)>) -> io::Result<()> {
        for (place, behaviour) in self.ground.nameservers(self.scenario).into_iter().enumerate() {
            let ears = self.ground.nameserver(place, &behaviour)?;
            let server = Arc::new(dns::Server {
                behaviour,
                plans: self.plans.clone(),
                proxy: proxy.clone(),
                ledger: self.ledger.clone(),
                peer: format!("nameserver {}", place + 1),
                turns: Mutex::default(),
            });
            if let Some(socket) = ears.udp {
                self.tasks.spawn(server.clone().udp(socket));
            }
            if let Some(listener) = ears.tcp {
                self.tasks.spawn(server.tcp(listener));
            }
        }
        Ok(())
    }

    fn metadata(&mut self) -> io::Result<()> {
        let wanted = &self.scenario.metadata;
        if let Some(key) = &self.key {
            self.ground.key(wanted.key, key, &wanted.realm)?;
        }
        if let Some(listener) = self.ground.metadata(self.scenario.metadata_fate())? {
            let service = Service {
                wanted: self.scenario.metadata.clone(),
                names: self.names.clone(),
                token: self.token.clone(),
                graph_token: self.graph_token.clone(),
                header: self.header.clone(),
                key: self.key.clone(),
                date_offset: self.scenario.date_offset(),
                ledger: self.ledger.clone(),
                asked: 0.into(),
            };
            self.tasks.spawn(Arc::new(service).serve(listener));
        }
        Ok(())
    }

    /// The proxy; its name and address where the variable has its name.
    fn proxy(&mut self) -> io::Result<Option<(String, IpAddr)>> {
        let Some(wanted) = &self.scenario.proxy else { return Ok(None) };
        let right = token::random(&mut self.rng, 33);
        let sent =
            if wanted.credentials == Credentials::Wrong { token::random(&mut self.rng, 33) } else { right.clone() };
        let host = format!("proxy01.{}.internal", self.names.company);
        let (address, listener) = match self.ground.real_proxy(wanted, (&host, &self.names.proxy_user, &right))? {
            Some(address) => (address, None),
            None => self.ground.proxy(wanted.fate())?,
        };
        if let Some(listener) = listener {
            let proxy = Proxy {
                kind: wanted.kind,
                mode: wanted.mode,
                times: wanted.times,
                asked: 0.into(),
                host: host.clone(),
                user: self.names.proxy_user.clone(),
                password: right,
                tunnels: tunnels(&self.plans, &*self.ground),
                date_offset: self.scenario.date_offset(),
                ledger: self.ledger.clone(),
            };
            self.tasks.spawn(Arc::new(proxy).serve(listener));
        }
        let userinfo = match wanted.credentials {
            Credentials::None => String::new(),
            Credentials::Right | Credentials::Wrong => {
                let userinfo = format!("{}:{sent}@", self.names.proxy_user);
                self.secrets.push(Secret { name: "proxy password", text: sent, may: vec!["proxy"], times: usize::MAX });
                userinfo
            }
        };
        let place = if wanted.named { format!("{host}:{}", address.port()) } else { address.to_string() };
        self.command.env(&wanted.variable, &format!("{}://{userinfo}{place}", wanted.kind.scheme()));
        if !wanted.no_proxy.is_empty() {
            self.command.env("NO_PROXY", &wanted.no_proxy);
        }
        Ok(wanted.named.then_some((host, address.ip())))
    }
}

fn certificate_names(role: Role, names: &Names) -> Vec<String> {
    let cloud = names.cloud;
    match role {
        Role::Login => [cloud.login].iter().chain(cloud.login_aliases).map(|name| (*name).to_owned()).collect(),
        Role::Graph => vec![cloud.graph.to_owned(), format!("canary.{}", cloud.graph)],
        Role::Server => vec![names.server.clone()],
        Role::Control => vec![cloud.arm.trim_start_matches("https://").to_owned()],
    }
}

/// Where the proxy's tunnels may lead: by name, and by every address.
fn tunnels(plans: &[Plan], ground: &dyn Ground) -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    for plan in plans.iter().filter(|plan| plan.role != Role::Server) {
        let to = ground.behind_proxy(plan, None);
        tunnels.push(Tunnel { destination: format!("{}:{}", plan.name, plan.port), to });
        for fate in plan.fates() {
            let destination = SocketAddr::new(fate.address, plan.port).to_string();
            tunnels.push(Tunnel { destination, to: ground.behind_proxy(plan, Some(fate.address)) });
        }
    }
    tunnels
}

/// The contract's rules for sending the token to the server.
fn server_may_have_token(scenario: &Scenario, token: &Made, now: i64) -> bool {
    let server = &scenario.server;
    let cloud = scenario.world.cloud.cloud();
    let well_formed = matches!(scenario.token.form, Form::Jwt | Form::LineEnds);
    let for_postgres = scenario.token.audience.starts_with("postgres")
        || token::audience(&scenario.token.audience, cloud)
            .is_some_and(|audience| audience.trim_end_matches('/') == cloud.resource);
    let in_time = token.expires > now + scenario.date_offset();
    let recovers = server.times > 0;
    let asked_for = recovers || (server.asks == Asks::Cleartext && server.role);
    let verified = |(place, tls): (usize, Tls)| {
        server.at(place).ssl == Ssl::S && matches!(tls, Tls::Ok | Tls::InspectedTrusted | Tls::ManyNames)
    };
    let proven = server.named == Named::Name && (recovers || server.sides().into_iter().enumerate().any(verified));
    well_formed && for_postgres && in_time && asked_for && proven
}
