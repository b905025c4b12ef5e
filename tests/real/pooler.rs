//! A real PgBouncer before the real PostgreSQL, on 6432 beside 5432: each run must end as the story of that name does.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::ca::Chain;
use lab::scenario::{From, Kind, Scenario};

use super::bench::{self, Bench};
use super::postgres::certified;
use super::process::{Ground, Server, find, missing, on_free_port};
use super::roles::quoted;

/// What stands on 5432.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Postgres,
    Nobody,
}

/// One run through the pooler: the story that it must end like.
struct Case<'a> {
    story: &'static str,
    user: &'a str,
    database: &'static str,
    beside: Beside,
}

pub struct PgBouncer {
    pub port: u16,
    server: Server,
    /// The directory goes last, after its server.
    _ground: Ground,
}

/// Its program.
pub fn program() -> Option<PathBuf> {
    find("pgbouncer").or_else(|| missing("pgbouncer"))
}

impl PgBouncer {
    /// It asks for passwords in clear, knows those of `users`, and waits so many seconds for PostgreSQL.
    pub fn start(
        program: &Path,
        chain: &Chain,
        postgres: u16,
        users: &[(&str, &str)],
        wait: u32,
    ) -> io::Result<PgBouncer> {
        let ground = Ground::new()?;
        let (certificate, key) = certified(&ground, chain)?;
        let list: String = users.iter().map(|(name, token)| format!("{} \"{token}\"\n", quoted(name))).collect();
        let list = ground.write("users", &list)?;
        let (port, server) = on_free_port(|port| {
            let settings = format!(
                "[databases]\n* = host=127.0.0.1 port={postgres}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = plain\nauth_file = {}\nclient_tls_sslmode = require\nclient_tls_cert_file = {}\nclient_tls_key_file = {}\n\
                 server_tls_sslmode = require\nserver_login_retry = 1\nquery_wait_timeout = {wait}\n",
                list.display(),
                certificate.display(),
                key.display()
            );
            let settings = ground.write("settings", &settings)?;
            let mut command: Command = ground.command(program);
            command.arg(settings);
            Ok((port, Server::start(command, ground.path().join("log"), |log| log.contains("process up"))?))
        })?;
        Ok(PgBouncer { port, server, _ground: ground })
    }

    pub fn log(&self) -> String {
        self.server.said()
    }
}

fn bench(wait: u32, change: impl FnOnce(&mut Scenario)) -> Option<Bench> {
    let program = program()?;
    let mut bench = Bench::start("healthy/pgbouncer", change)?;
    bench.pool(&program, wait);
    Some(bench)
}

fn play(bench: &mut Bench, case: &Case<'_>) -> Option<String> {
    bench.beside = case.beside;
    bench.through_the_pooler(case.story, case.user, case.database)
}

#[test]
fn pgbouncer_ends_sign_ins_as_the_stories_do() {
    // More patience than the pooler has, so that it is heard.
    let Some(mut bench) = bench(1, |scenario| scenario.world.timeout = "5s".to_owned()) else { return };
    let user = bench.user();
    let case = |story, user, database, beside| Case { story, user, database, beside };
    let cases = [
        case("healthy/pgbouncer", user.as_str(), "postgres", Beside::Postgres),
        case("healthy/pgbouncer", &user, "postgres", Beside::Nobody),
        // The pooler asks a user whom it does not know for a password as well, and refuses whatever comes.
        case("login/pooler-refused", bench::GROUP, "postgres", Beside::Postgres),
        case("login/pooler-refused", bench::GROUP, "postgres", Beside::Nobody),
        case("login/pooler-refused-no-role", bench::ORDINARY, "postgres", Beside::Postgres),
        case("login/pooler-no-database", &user, "nowhere", Beside::Postgres),
    ];
    let mut wrong: Vec<String> = cases.iter().filter_map(|case| play(&mut bench, case)).collect();
    // A pooler that was connected lets in whom it remembers, and only then finds that nobody is behind it; a new one finds it before.
    bench.postgres.stop();
    wrong.extend(play(&mut bench, &case("login/pooler-server-lost", &user, "postgres", Beside::Nobody)));
    bench.pool(&program().expect("PgBouncer"), 1);
    wrong.extend(play(&mut bench, &case("login/pooler-server-down", &user, "postgres", Beside::Nobody)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// By default it waits two minutes, and nobody else does.
#[test]
fn pgbouncer_waits_in_silence_for_a_server_that_is_down() {
    let Some(mut bench) = bench(120, |_| ()) else { return };
    bench.postgres.stop();
    let user = bench.user();
    let silent = Case { story: "login/token-silent-pooler", user: &user, database: "postgres", beside: Beside::Nobody };
    assert_eq!(play(&mut bench, &silent), None);
}

/// PgBouncer as Debian 12 has it keeps 2047 bytes of a password, and reads messages of 4096.
#[test]
fn pgbouncer_takes_no_token_that_is_too_long() {
    let Some(version) = program().and_then(|program| version(&program)) else { return };
    // The longer limit came in July 2026; which of the releases about then have it is not known here.
    if version >= (1, 25) {
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: PgBouncer {version:?} may take long tokens; that older ones do not was not tested"
        );
        return;
    }
    for (size, story) in [(2500, "login/pooler-refused"), (4500, "login/partial-packet")] {
        let long = |scenario: &mut Scenario| {
            scenario.token.from = From::File;
            scenario.token.kind = Kind::User;
            scenario.token.size = size;
        };
        let Some(mut bench) = bench(1, long) else { return };
        let user = bench.user();
        let case = Case { story, user: &user, database: "postgres", beside: Beside::Postgres };
        assert_eq!(play(&mut bench, &case), None, "{size} bytes, PgBouncer {version:?}");
    }
}

fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().nth(1)?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
