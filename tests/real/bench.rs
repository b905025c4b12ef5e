//! A world of the lab in which the database server and the nameservers are real, and the program's runs in it.

use std::io::{self, Write};
use std::path::Path;

use fastrand::Rng;
use lab::ca::{Authorities, Chain};
use lab::scenario::{Scenario, Tls};
use lab::world::World;
use lab::{run, story};
use serde_json::Value;

use super::Case;
use super::pooler::{Beside, PgBouncer};
use super::postgres::{self, Postgres};
use super::process::{find, missing};
use super::resolver::{Record, Resolver};
use super::roles;
use super::rules::{Peer, Rules};

/// Roles that PostgreSQL knows besides the token's own.
pub const GROUP: &str = "Orders Readers (Prod)";
pub const OTHER: &str = "id-of-another-principal";
pub const ORDINARY: &str = "ordinary";
pub const NO_LOGIN: &str = "id-without-login";
/// A database into which only its owner may, and one for which pg_hba.conf has no entry.
pub const CLOSED: &str = "closed";
pub const UNLISTED: &str = "unlisted";

/// pg_hba.conf: an Entra role is asked for its token in clear, inside TLS only; an ordinary one is not.
const ENTRIES: &str = "hostssl postgres postgres 127.0.0.1/32 trust\n\
                       hostssl all ordinary 127.0.0.1/32 scram-sha-256\n\
                       hostssl postgres,closed,nowhere all 127.0.0.1/32 password\n";

pub struct Bench {
    world: World,
    scenario: Scenario,
    /// The lab's arguments with the real server in its place, without user and nameservers.
    args: Vec<String>,
    pub nameservers: Vec<u16>,
    pub postgres: Postgres,
    pub resolvers: Vec<Resolver>,
    chain: Chain,
    /// Before PostgreSQL, where the story's server is on 6432.
    pub pooler: Option<PgBouncer>,
    pub beside: Beside,
}

impl Bench {
    /// The world of a story whose token is in a file. Nothing, when a program is missing that nobody requires.
    pub fn start(name: &str, change: impl FnOnce(&mut Scenario)) -> Option<Bench> {
        let bin = postgres::programs().or_else(|| missing("postgres"));
        let (unbound, dnsmasq) = (find("unbound").or_else(|| missing("unbound")), find("dnsmasq"));
        let bin = bin.filter(|_| unbound.is_some() || dnsmasq.is_some())?;
        let mut scenario = story::named(&story::directory(), name).expect("a story").scenario;
        change(&mut scenario);
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let _ = writeln!(io::stderr(), "real servers in the world of {name}, seed {seed}");
        let mut rng = Rng::with_seed(seed);
        let mut world = World::start(&scenario, seed).expect("a world");

        let names = &world.names;
        let authorities = Authorities::make(&mut rng, &names.company, scenario.world.appliance).expect("authorities");
        let certified = [names.server.clone()];
        let chain = authorities.chain(&mut rng, &certified, "", Tls::Ok).expect("a certificate");
        let token = world.secrets()[0].text.clone();
        let statements =
            [statements(&names.user, &token), roles::statements(&names.user, &token, &names.object_id)].concat();
        let postgres = Postgres::start(bin, &chain, ENTRIES, &statements).expect("PostgreSQL");

        let rules = Rules::of(&world.args);
        let chains = [names.cloud.login_chain(&mut rng), names.cloud.graph_chain(&mut rng)];
        let hosts = [names.cloud.login, names.cloud.graph].into_iter().zip(chains).zip(rules.peers("443"));
        let mut records: Vec<Record> = hosts
            .map(|((name, chain), peer)| Record { name: name.to_owned(), chain, addresses: peer.addresses })
            .collect();
        let [server] = <[Peer; 1]>::try_from(rules.peers(&scenario.server.port.to_string())).ok().expect("one server");
        records.push(Record {
            name: names.server.clone(),
            chain: vec![names.server_private_alias.clone()],
            addresses: server.addresses[..1].to_vec(),
        });
        let mut resolvers = Vec::new();
        resolvers.extend(unbound.map(|program| Resolver::unbound(&program, &records).expect("unbound")));
        resolvers.extend(dnsmasq.map(|program| Resolver::dnsmasq(&program, &records).expect("dnsmasq")));

        trust(&world.args, &authorities);
        let from = format!(":{}:{}", scenario.server.port, server.target);
        let to = format!(":{}:127.0.0.1:{}", scenario.server.port, postgres.port);
        let args = without(&std::mem::take(&mut world.args), &["--nameserver", "--user"]);
        let args =
            args.into_iter().map(|arg| arg.strip_suffix(&from).map_or(arg.clone(), |head| format!("{head}{to}")));
        let args = args.collect();
        let nameservers = vec![resolvers[0].port];
        let (pooler, beside) = (None, Beside::Nobody);
        Some(Bench { world, scenario, args, nameservers, postgres, resolvers, chain, pooler, beside })
    }

    /// Puts a pooler before PostgreSQL that knows the token's own role, and waits so many seconds for a connection.
    pub fn pool(&mut self, program: &Path, wait: u32) {
        let users = [(self.world.names.user.as_str(), self.token())];
        let pooler = PgBouncer::start(program, &self.chain, self.postgres.port, &users, wait).expect("PgBouncer");
        let before = self.pooler.as_ref().map_or(self.postgres.port, |pooler| pooler.port);
        let (from, to) = (format!("127.0.0.1:{before}"), format!("127.0.0.1:{}", pooler.port));
        for arg in &mut self.args {
            if let Some(head) = arg.strip_suffix(&from) {
                *arg = format!("{head}{to}");
            }
        }
        self.pooler = Some(pooler);
    }

    /// Runs the program through the pooler; says in what the run differs from its story.
    pub fn through_the_pooler(&mut self, story: &str, user: &str, database: &str) -> Option<String> {
        self.world.args = self.arguments(user, database, None);
        if self.beside == Beside::Postgres {
            let names = &self.world.names;
            // The first rule that fits is taken.
            let rule = format!("{}:5432:127.0.0.1:{}", names.server, self.postgres.port);
            self.world.args.splice(1..1, ["--connect-to".to_owned(), rule]);
        }
        self.scenario.expect = story::named(&story::directory(), story).expect("a story").scenario.expect;
        let program = Path::new(env!("CARGO_BIN_EXE_entra-preflight"));
        let run = run::in_world(program, &self.world, &self.scenario, &["--format", "json"]).expect("a run");
        let log = format!("{}\n{}", self.pooler.as_ref().map(PgBouncer::log).unwrap_or_default(), self.postgres.log());
        let mut wrong = run.mismatches;
        for secret in self.world.secrets() {
            let found = secret.found(log.as_bytes());
            wrong.extend(found.map(|how| format!("the {} is in a server's log ({how})", secret.name)));
        }
        let told = || {
            format!(
                "{story} as {user} to {database}, beside it {:?}:\n  - {}\n  {}\n{log}",
                self.beside,
                wrong.join("\n  - "),
                run.command
            )
        };
        (!wrong.is_empty()).then(told)
    }

    /// The role of the principal that the token names.
    pub fn user(&self) -> String {
        self.world.names.user.clone()
    }

    /// How many passwords reached the lab's own server.
    pub fn passwords_elsewhere(&self) -> usize {
        self.world.passwords().len()
    }

    /// A run's report, for one user and database.
    pub fn report(&mut self, user: &str, database: &str) -> Value {
        self.world.args = self.arguments(user, database, None);
        let program = Path::new(env!("CARGO_BIN_EXE_entra-preflight"));
        let run = run::in_world(program, &self.world, &self.scenario, &["--format", "json"]).expect("a run");
        run.report.expect("a report")
    }

    /// The token of this world.
    pub fn token(&self) -> &str {
        &self.world.secrets()[0].text
    }

    fn arguments(&self, user: &str, database: &str, role: Option<&str>) -> Vec<String> {
        let mut arguments = self.args.clone();
        let options = self.nameservers.iter().map(|port| ("--nameserver", format!("127.0.0.1:{port}")));
        let options = options.chain([("--user", user.to_owned()), ("--database", database.to_owned())]);
        let options = options.chain(role.map(|role| ("--role", role.to_owned())));
        arguments.extend(options.flat_map(|(name, value)| [name.to_owned(), value]));
        arguments
    }

    /// Runs the program; says in what the run differs from its story, or the server's log from the case.
    pub fn play(&mut self, case: &Case) -> Option<String> {
        self.world.args = self.arguments(&case.user, case.database, case.role.as_deref());
        self.scenario.expect = story::named(&story::directory(), case.story).expect("a story").scenario.expect;

        let before = self.postgres.log().len();
        let program = Path::new(env!("CARGO_BIN_EXE_entra-preflight"));
        let run = run::in_world(program, &self.world, &self.scenario, &["--format", "json"]).expect("a run");
        let log = self.postgres.log().split_off(before);

        let mut wrong = run.mismatches;
        if let (Some((check, text)), Some(report)) = (case.says, &run.report) {
            let checks = report["checks"].as_array().into_iter().flatten();
            let observed: Vec<&str> =
                checks.filter(|row| row["id"] == check).filter_map(|row| row["observed"].as_str()).collect();
            if !observed.iter().any(|line| line.contains(text)) {
                wrong.push(format!("{check} says {observed:?}, expected {text}"));
            }
        }
        // The server cuts names at 63 bytes.
        let user = &case.user[..case.user.len().min(63)];
        let of_user = format!("user={user} database={} application_name=entra-preflight SSL enabled", case.database);
        let proven: Vec<&str> = log.lines().filter(|line| line.contains("connection authorized: ")).collect();
        if proven.len() != case.proven || !proven.iter().all(|line| line.contains(&of_user)) {
            wrong.push(format!("{} connections authorized, expected {} with {of_user}", proven.len(), case.proven));
        }
        let refused = log.matches("password authentication failed").count();
        if refused != case.refused {
            wrong.push(format!("{refused} passwords refused, expected {}", case.refused));
        }
        if !log.contains(case.logged) {
            wrong.push(format!("the server's log does not say: {}", case.logged));
        }
        for secret in self.world.secrets() {
            wrong.extend(
                secret.found(log.as_bytes()).map(|how| format!("the {} is in the server's log ({how})", secret.name)),
            );
        }
        let told = || {
            format!(
                "{} as {} to {}:\n  - {}\n  {}\n{log}",
                case.story,
                case.user,
                case.database,
                wrong.join("\n  - "),
                run.command
            )
        };
        (!wrong.is_empty()).then(told)
    }
}

/// What makes the roles. As with Entra, whoever holds the token may be any role that is mapped to its principal.
fn statements(user: &str, token: &str) -> Vec<String> {
    let role = |name: &str, more: &str| format!("create role \"{name}\" {more}");
    vec![
        role(user, &format!("login password '{token}'")),
        role(GROUP, &format!("login password '{token}'")),
        role(OTHER, "login password 'the token of somebody else'"),
        role(ORDINARY, "login password 'an ordinary password'"),
        role(NO_LOGIN, &format!("nologin password '{token}'")),
        format!("create database {CLOSED}"),
        format!("revoke connect on database {CLOSED} from public"),
    ]
}

/// Adds the real server's root to those that the program is given.
fn trust(args: &[String], authorities: &Authorities) {
    let place = args.iter().position(|arg| arg == "--ca-file").expect("roots are given");
    let mut file = std::fs::OpenOptions::new().append(true).open(&args[place + 1]).expect("the roots");
    file.write_all(authorities.root.pem().as_bytes()).expect("one more root");
}

/// Arguments without some options and their values.
fn without(args: &[String], options: &[&str]) -> Vec<String> {
    let mut left = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if options.contains(&arg.as_str()) {
            args.next();
        } else {
            left.push(arg.clone());
        }
    }
    left
}
