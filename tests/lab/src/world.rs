//! Starts everything that a scenario describes, and says how the program is pointed at it.
//!
//! The program is led by its public options only: `--nameserver`, and `--connect-to` for every address that a name can resolve to. The last
//! rule sends whatever is left to a silent port, so that nothing leaves loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::ca::Authorities;
use crate::dns;
use crate::entra::Entra;
use crate::host::Host;
use crate::metadata::Service;
use crate::names::{self, Names};
use crate::plan::{self, Fate, Plan, Role};
use crate::postgres::Postgres;
use crate::proxy::{Proxy, Tunnel};
use crate::scenario::{
    Asks, Credentials, Form, From, MetadataMode, Named, Nameserver, ProxyMode, Scenario, Ssl, Tcp, Tenant, Tls,
};
use crate::secrets::Secret;
use crate::silence::{Refusal, Silence};
use crate::tap::{Ledger, lock};
use crate::tls::Side;
use crate::token::{self, Made};

/// A running world. It ends when it is dropped.
pub struct World {
    pub seed: u64,
    pub names: Names,
    /// Arguments of the program, from `check` on, without `--format`.
    pub args: Vec<String>,
    /// The whole environment of the program.
    pub env: Vec<(String, String)>,
    /// What the program gets on standard input.
    pub stdin: Option<Vec<u8>>,
    secrets: Vec<Secret>,
    ledger: Ledger,
    passwords: Arc<Mutex<Vec<Vec<u8>>>>,
    _held: Held,
    runtime: Option<Runtime>,
}

/// What must live as long as the world and is never asked.
struct Held {
    _dir: TempDir,
    _silence: Silence,
    _refusal: Refusal,
    _nameservers: Vec<dns::Guard>,
    _tasks: JoinSet<()>,
}

impl World {
    /// Starts a world. Not to be called from asynchronous code: a world has a runtime of its own.
    ///
    /// # Errors
    /// When a port, a key or a file cannot be had.
    pub fn start(scenario: &Scenario, seed: u64) -> io::Result<World> {
        if scenario.needs_namespaces() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this story needs network namespaces; loopback cannot carry it",
            ));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut world = runtime.block_on(build(scenario, seed))?;
        world.runtime = Some(runtime);
        Ok(world)
    }

    /// What every peer received, one entry for a conversation: its name and the bytes, raw and decrypted.
    pub fn received(&self) -> Vec<(String, Vec<u8>)> {
        self.ledger.all()
    }

    /// What was planted, and who may have it.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The passwords that reached the server.
    pub fn passwords(&self) -> Vec<Vec<u8>> {
        lock(&self.passwords).clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

async fn build(scenario: &Scenario, seed: u64) -> io::Result<World> {
    let mut rng = Rng::with_seed(seed);
    let names = names::draw(&mut rng, scenario);
    let plans = Arc::new(plan::draw(&mut rng, scenario, &names));
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let token = token::make(&mut rng, &scenario.token, &names, now);
    let authorities =
        Authorities::make(&mut rng, &names.company, scenario.world.appliance).map_err(io::Error::other)?;
    let dir = tempfile::Builder::new().prefix("lab-").tempdir()?;
    let ledger = Ledger::default();
    let mut tasks = JoinSet::new();
    let server = match scenario.server.named {
        Named::Name => names.server.clone(),
        Named::Alias => names.alias.clone(),
        Named::Address => plans
            .iter()
            .find(|plan| plan.role == Role::Server)
            .and_then(|plan| plan.v4.first())
            .map(Ipv4Addr::to_string)
            .unwrap_or_default(),
    };
    let mut command = Command::new(scenario, &names, server);

    let silence = Silence::new(0)?;
    let refusal = Refusal::new(0)?;
    let mut ports = Ports { silent: silence.port()?, refused: refusal.port()?, services: Vec::new() };

    for (role, host) in [(Role::Login, &scenario.login), (Role::Graph, &scenario.graph)] {
        let chain = authorities
            .chain(&mut rng, &certificate_names(role, &names), &format!("www.{}.com", names.company), host.tls)
            .map_err(io::Error::other)?;
        let (listener, port) = listen().await?;
        let host = Host {
            role,
            name: plans.iter().find(|plan| plan.role == role).map(|plan| plan.name.clone()).unwrap_or_default(),
            side: Side::new(host.tls, chain)?,
            http: host.http,
            date_offset: scenario.date_offset(),
            entra: Entra { names: names.clone(), error: None, token: token.secret.clone() },
            ledger: ledger.clone(),
            seed: rng.u64(..),
        };
        tasks.spawn(Arc::new(host).serve(listener));
        ports.services.push((role, port));
    }

    let passwords = Arc::new(Mutex::default());
    let other = plan::other_server(&mut rng, &names);
    for tls in server_sides(scenario) {
        let chain = authorities
            .chain(&mut rng, &certificate_names(Role::Server, &names), &other, tls)
            .map_err(io::Error::other)?;
        let (listener, port) = listen().await?;
        let postgres = Postgres {
            wanted: scenario.server.clone(),
            side: Side::new(tls, chain)?,
            user: names.user.clone(),
            token: token.secret.clone(),
            ledger: ledger.clone(),
            passwords: Arc::clone(&passwords),
        };
        tasks.spawn(Arc::new(postgres).serve(listener));
        ports.services.push((Role::Server, port));
    }

    let mut nameservers = Vec::new();
    let honest = [Nameserver::default()];
    let listed = if scenario.nameserver.is_empty() { &honest[..] } else { &scenario.nameserver[..] };
    for (place, behaviour) in listed.iter().enumerate() {
        let (address, guard) =
            dns::start(&mut tasks, &ledger, &format!("nameserver {}", place + 1), behaviour, &plans).await?;
        nameservers.push(guard);
        command.option("--nameserver", &address.to_string());
    }

    let metadata = metadata(scenario, &names, &token, &ledger, &mut tasks, &ports).await?;
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &format!("http://127.0.0.1:{metadata}"));
    command.keep(metadata);

    let mut secrets = vec![Secret {
        name: "token",
        text: token.secret.clone(),
        may: if server_may_have_token(scenario, &token, now) { vec!["server"] } else { Vec::new() },
        times: 1,
    }];
    if let Some(wanted) = &scenario.proxy {
        let right = token::random(&mut rng, 33);
        let sent = if wanted.credentials == Credentials::Wrong { token::random(&mut rng, 33) } else { right.clone() };
        let port = match wanted.mode {
            ProxyMode::Silent => ports.silent,
            ProxyMode::Closed => ports.refused,
            mode => {
                let (listener, port) = listen().await?;
                let proxy = Proxy {
                    mode,
                    host: format!("proxy01.{}.internal", names.company),
                    user: names.proxy_user.clone(),
                    password: right,
                    tunnels: tunnels(&plans, &ports),
                    date_offset: scenario.date_offset(),
                    ledger: ledger.clone(),
                };
                tasks.spawn(Arc::new(proxy).serve(listener));
                port
            }
        };
        let userinfo = match wanted.credentials {
            Credentials::None => String::new(),
            Credentials::Right | Credentials::Wrong => {
                secrets.push(Secret {
                    name: "proxy password",
                    text: sent.clone(),
                    may: vec!["proxy"],
                    times: usize::MAX,
                });
                format!("{}:{sent}@", names.proxy_user)
            }
        };
        command.env(&wanted.variable, &format!("http://{userinfo}127.0.0.1:{port}"));
        if !wanted.no_proxy.is_empty() {
            command.env("NO_PROXY", &wanted.no_proxy);
        }
        command.keep(port);
    }

    command.routes(&plans, &ports, scenario);
    command.trust(dir.path(), scenario, &authorities)?;
    command.credential(dir.path(), scenario, &token)?;
    let Command { args, env, stdin, .. } = command.end(scenario);
    let held = Held { _dir: dir, _silence: silence, _refusal: refusal, _nameservers: nameservers, _tasks: tasks };
    Ok(World { seed, names, args, env, stdin, secrets, ledger, passwords, _held: held, runtime: None })
}

/// The lab's ports.
struct Ports {
    silent: u16,
    refused: u16,
    services: Vec<(Role, u16)>,
}

impl Ports {
    /// The port of a service, or of what stands in its place.
    fn of(&self, role: Role, place: usize, fate: Tcp) -> u16 {
        let mut services = self.services.iter().filter(|(known, _)| *known == role).map(|(_, port)| *port);
        match fate {
            Tcp::Ok => services.clone().nth(place).or_else(|| services.next()).unwrap_or(self.silent),
            Tcp::Refused => self.refused,
            _ => self.silent,
        }
    }

    /// Whither a connection is led. The kernel refuses the last two itself, and nothing is sent: a broadcast address has no route for TCP, a
    /// link-local address without its interface is invalid.
    fn target(&self, role: Role, fate: &Fate) -> String {
        match fate.tcp {
            Tcp::NoRoute => "127.255.255.255:9".to_owned(),
            Tcp::Denied => "[fe80::1]:9".to_owned(),
            tcp => format!("127.0.0.1:{}", self.of(role, fate.place, tcp)),
        }
    }
}

/// How the server's addresses do TLS, one by one.
fn server_sides(scenario: &Scenario) -> Vec<Tls> {
    let server = &scenario.server;
    (0..server.addresses.max(server.tls_of.len()))
        .map(|place| server.tls_of.get(place).copied().unwrap_or(server.tls))
        .collect()
}

fn certificate_names(role: Role, names: &Names) -> Vec<String> {
    let cloud = names.cloud;
    match role {
        Role::Login => [cloud.login].iter().chain(cloud.login_aliases).map(|name| (*name).to_owned()).collect(),
        Role::Graph => vec![cloud.graph.to_owned(), format!("canary.{}", cloud.graph)],
        Role::Server => vec![names.server.clone()],
    }
}

/// The port of the metadata service, or of the silence or refusal in its place.
async fn metadata(
    scenario: &Scenario,
    names: &Names,
    token: &Made,
    ledger: &Ledger,
    tasks: &mut JoinSet<()>,
    ports: &Ports,
) -> io::Result<u16> {
    match scenario.metadata.mode {
        MetadataMode::Silent => return Ok(ports.silent),
        MetadataMode::Closed => return Ok(ports.refused),
        mode if !scenario.world.in_azure && mode != MetadataMode::Foreign => return Ok(ports.silent),
        _ => {}
    }
    let (listener, port) = listen().await?;
    let service = Service {
        wanted: scenario.metadata.clone(),
        names: names.clone(),
        token: token.clone(),
        date_offset: scenario.date_offset(),
        ledger: ledger.clone(),
        asked: 0.into(),
    };
    tasks.spawn(Arc::new(service).serve(listener));
    Ok(port)
}

/// Where the proxy's tunnels may lead: by name, and by every address that works.
fn tunnels(plans: &[Plan], ports: &Ports) -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    for plan in plans.iter().filter(|plan| plan.role != Role::Server) {
        tunnels.push(Tunnel {
            destination: format!("{}:{}", plan.name, plan.port),
            port: ports.of(plan.role, 0, plan.tcp),
        });
        for fate in plan.fates() {
            tunnels.push(Tunnel {
                destination: SocketAddr::new(fate.address, plan.port).to_string(),
                port: ports.of(plan.role, fate.place, fate.tcp),
            });
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
    let asked_for = server.asks == Asks::Cleartext && server.role;
    let proven = server.ssl == Ssl::S
        && server.named == Named::Name
        && server_sides(scenario).iter().any(|tls| matches!(tls, Tls::Ok | Tls::InspectedTrusted));
    well_formed && for_postgres && in_time && asked_for && proven
}

/// The command line and the environment, as they grow.
struct Command<'a> {
    scenario: &'a Scenario,
    names: &'a Names,
    server: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Option<Vec<u8>>,
}

impl<'a> Command<'a> {
    fn new(scenario: &'a Scenario, names: &'a Names, server: String) -> Command<'a> {
        let mut command =
            Command { scenario, names, server, args: vec!["check".to_owned()], env: Vec::new(), stdin: None };
        if scenario.world.server {
            let port = scenario.server.port;
            let server = if port == 5432 { command.server.clone() } else { format!("{}:{port}", command.server) };
            command.option("--server", &server);
        }
        if scenario.world.user {
            command.option("--user", &names.user);
        }
        command.option("--timeout", &scenario.world.timeout);
        command.option("--deadline", &scenario.world.deadline);
        command
    }

    fn option(&mut self, name: &str, value: &str) {
        self.args.extend([name.to_owned(), value.to_owned()]);
    }

    fn env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// A port of the lab that is dialled as it is.
    fn keep(&mut self, port: u16) {
        self.option("--connect-to", &format!("127.0.0.1:{port}:127.0.0.1:{port}"));
    }

    /// Every address gets its fate; what is left is silence.
    fn routes(&mut self, plans: &[Plan], ports: &Ports, scenario: &Scenario) {
        let direct = scenario.proxy.as_ref().map_or(Tcp::Ok, |proxy| proxy.direct);
        for plan in plans {
            for mut fate in plan.fates() {
                if direct != Tcp::Ok && plan.role != Role::Server {
                    fate.tcp = direct;
                }
                let to = ports.target(plan.role, &fate);
                let from = match fate.address {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("[{address}]"),
                };
                self.option("--connect-to", &format!("{from}:{}:{to}", plan.port));
            }
            for local in ["127.0.0.1", "0.0.0.0"] {
                self.option("--connect-to", &format!("{local}:{}:127.0.0.1:{}", plan.port, ports.refused));
            }
        }
        self.option("--connect-to", &format!("::127.0.0.1:{}", ports.silent));
    }

    fn trust(&mut self, dir: &Path, scenario: &Scenario, authorities: &Authorities) -> io::Result<()> {
        let mut roots = authorities.root.pem();
        if [scenario.login.tls, scenario.graph.tls].contains(&Tls::InspectedTrusted)
            || server_sides(scenario).contains(&Tls::InspectedTrusted)
        {
            roots.push_str(&authorities.appliance.pem());
        }
        let (mine, platform) = (dir.join("roots.pem"), dir.join("platform.pem"));
        std::fs::write(&mine, roots)?;
        std::fs::write(&platform, authorities.unrelated.pem())?;
        if scenario.world.ca_file {
            self.option("--ca-file", &mine.to_string_lossy());
        }
        self.env("SSL_CERT_FILE", &platform.to_string_lossy());
        Ok(())
    }

    fn credential(&mut self, dir: &Path, scenario: &Scenario, token: &Made) -> io::Result<()> {
        match scenario.token.from {
            From::Metadata => {}
            From::None => self.option("--credential", "none"),
            From::Environment => self.env("PGPASSWORD", &token.handed),
            From::Stdin => {
                self.option("--token-file", "-");
                self.stdin = Some(token.handed.clone().into_bytes());
            }
            From::File => {
                let path = dir.join("token");
                let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
                io::Write::write_all(&mut file, token.handed.as_bytes())?;
                self.option("--token-file", &path.to_string_lossy());
            }
        }
        if scenario.token.tenant == Tenant::Other && !scenario.world.args.iter().any(|arg| arg.starts_with("--tenant"))
        {
            let tenant = self.names.tenant.clone();
            self.option("--tenant", &tenant);
        }
        Ok(())
    }

    /// The scenario's own arguments and variables come last.
    fn end(mut self, scenario: &Scenario) -> Command<'a> {
        let args: Vec<String> = scenario.world.args.iter().map(|arg| self.filled(arg)).collect();
        self.args.extend(args);
        for (name, value) in &self.scenario.world.env {
            let value = self.filled(value);
            self.env(name, &value);
        }
        self
    }

    fn filled(&self, text: &str) -> String {
        let names = self.names;
        let values = [
            ("{server}", self.server.as_str()),
            ("{user}", &names.user),
            ("{database}", "postgres"),
            ("{login}", names.cloud.login),
            ("{graph}", names.cloud.graph),
            ("{tenant}", &names.tenant),
            ("{client_id}", &names.client_id),
        ];
        values.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}
