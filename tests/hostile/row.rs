//! A row of a table: a hostile peer, and what the report must say of it. Everything around that peer is polite.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use lab::scenario::Scenario;
use lab::secrets::{Secret, leaks};
use lab::world::World;
use serde_json::Value;

use super::act::Act;
use super::nameserver::{self, Dns};
use super::peer::{self, Conversation, Peer};
use super::program::{self, Ran, Scratch};
use super::trust::Trusted;

/// Runs mostly wait; so many at once keep two processors busy.
const AT_ONCE: usize = 6;
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Which peer is hostile.
#[derive(Clone)]
pub enum At {
    Login(Vec<Act>),
    Server(Vec<Act>),
    /// The first of the server's two addresses; the second is polite.
    OneAddress(Vec<Act>),
    Metadata(Vec<Act>),
    Proxy(Vec<Act>),
    /// A SOCKS5 proxy.
    Socks(Vec<Act>),
    /// App Service's identity endpoint, which gets the identity header.
    Platform(Vec<Act>),
    /// The login host, asked for a token by an application with a secret.
    Entra(Vec<Act>),
    /// A script in the place of the Azure CLI; `{token}` is replaced by the token.
    Cli(String),
    /// The first of two nameservers.
    Nameserver(Dns),
    Nobody,
}

pub struct Row {
    pub name: String,
    pub at: At,
    /// Checks and the status that they must have; several are joined by `|`.
    pub checks: &'static [(&'static str, &'static str)],
    /// What the report must quote, as the raw reason.
    pub says: &'static str,
}

pub fn row(
    name: impl Into<String>,
    at: At,
    checks: &'static [(&'static str, &'static str)],
    says: &'static str,
) -> Row {
    Row { name: name.into(), at, checks, says }
}

/// Plays all rows of a table, and fails with everything that went wrong.
pub fn play(table: Vec<Row>) {
    let only = std::env::var("ROW").unwrap_or_default();
    let rows: Vec<Row> = table.into_iter().filter(|row| row.name.contains(&only)).collect();
    let polite = polite();
    let _turn = crate::stories::turn();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let broken = one(row, polite);
                    if !broken.is_empty() {
                        let told = format!("{}\n    - {}", row.name, broken.join("\n    - "));
                        wrong.lock().expect("no thread panics").push(told);
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panics");
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} rows:\n\n{}\n", wrong.len(), rows.len(), wrong.join("\n\n"));
}

/// The memory of a run among polite peers.
fn polite() -> u64 {
    static POLITE: OnceLock<u64> = OnceLock::new();
    *POLITE.get_or_init(|| {
        let runs = (0..3).map(|_| {
            let stage = Stage::new(&At::Nobody);
            let ran = stage.run(&[]);
            assert_eq!(ran.exit, Some(0), "{}", String::from_utf8_lossy(&ran.page));
            ran.peak
        });
        runs.max().unwrap_or_default()
    })
}

fn one(row: &Row, polite: u64) -> Vec<String> {
    let stage = Stage::new(&row.at);
    let ran = stage.run(&[]);
    let mut broken = ran.broken(DEADLINE, Some(polite));
    broken.extend(stage.leaks(&ran));
    let broke = stage.conversations().into_iter().filter(|heard| heard.broke).filter_map(|heard| heard.ended);
    broken.extend(broke.map(|why| format!("the peer itself broke: {why}")));
    let Some(report) = &ran.report else { return broken };
    for (id, wanted) in row.checks {
        let check = report["checks"].as_array().into_iter().flatten().find(|check| check["id"] == **id);
        let status = check.and_then(|check| check["status"].as_str()).unwrap_or("absent");
        if !wanted.split('|').any(|wanted| wanted == status) {
            let observed = check.map(|check| check["observed"].to_string()).unwrap_or_default();
            broken.push(format!("{id} is {status} {observed}, expected {wanted}"));
        }
    }
    if !report.to_string().contains(row.says) && !strings(report).contains(row.says) {
        let peer: Vec<String> = stage.conversations().into_iter().filter_map(|heard| heard.ended).collect();
        let errors = errors(report);
        broken.push(format!("the report does not say `{}`; its errors: {errors}; the peer's: {peer:?}", row.says));
    }
    broken
}

fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(strings).collect(),
        Value::Object(members) => members.values().map(strings).collect(),
        _ => String::new(),
    }
}

fn errors(report: &Value) -> String {
    let evidence = report["evidence"].as_array().into_iter().flatten();
    let errors = evidence.filter(|seen| seen["outcome"] != "ok").map(|seen| {
        format!("\n        {} {} {} {}", seen["subject"], seen["operation"], seen["outcome"], seen["error"])
    });
    errors.collect()
}

/// A polite world, used by one run after another: to make one takes longer than to run in it.
pub struct Setting {
    pub world: World,
    trusted: Arc<Trusted>,
}

static IDLE: Mutex<Vec<Setting>> = Mutex::new(Vec::new());

impl Setting {
    fn take() -> Setting {
        let idle = IDLE.lock().expect("no thread panics").pop();
        idle.unwrap_or_else(|| {
            let mut scenario = Scenario::healthy();
            (scenario.world.timeout, scenario.world.deadline) = ("1s".to_owned(), "5s".to_owned());
            scenario.server.addresses = 2;
            let world = World::start(&scenario, fastrand::u64(..)).expect("a world");
            let names = [world.names.cloud.login, &world.names.server, world.names.cloud.graph];
            let trusted = Arc::new(Trusted::new(names.map(str::to_owned).to_vec()));
            Setting { world, trusted }
        })
    }
}

/// A polite world with one hostile peer in it.
pub struct Stage {
    setting: Option<Setting>,
    /// So many conversations belong to earlier runs.
    before: usize,
    peer: Option<Peer>,
    place: &'static str,
    secrets: Vec<Secret>,
    scratch: Option<Scratch>,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Stage {
    pub fn new(at: &At) -> Stage {
        let setting = Setting::take();
        let (login, server) = (setting.world.names.cloud.login.to_owned(), setting.world.names.server.clone());
        let mut stage = Stage {
            args: vec!["check".to_owned()],
            env: vec![("SSL_CERT_FILE".to_owned(), setting.trusted.roots().display().to_string())],
            secrets: setting.world.secrets().to_vec(),
            before: setting.world.received().len(),
            setting: Some(setting),
            peer: None,
            place: "",
            scratch: None,
        };
        match at {
            At::Login(script) => stage.lead("hostile login", &format!("{login}:443"), script),
            At::Server(script) => stage.lead("hostile server", &format!("{server}:5432"), script),
            At::OneAddress(script) => {
                let rules = &stage.world().args;
                let first = rules.iter().find_map(|arg| arg.split_once(":5432:")).expect("a rule for an address").0;
                let first = format!("{first}:5432");
                stage.lead("hostile server", &first, script);
            }
            At::Metadata(script) => {
                let port = stage.start("hostile metadata", script);
                stage.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://127.0.0.1:{port}"));
            }
            At::Proxy(script) | At::Socks(script) => {
                let scheme = if matches!(at, At::Socks(_)) { "socks5h" } else { "http" };
                let port = stage.start("hostile proxy", script);
                let password = stage.secret("proxy password", "hostile proxy in clear");
                stage.set("HTTPS_PROXY", format!("{scheme}://someone:{password}@127.0.0.1:{port}"));
            }
            At::Platform(script) => {
                let port = stage.start("hostile platform", script);
                let header = stage.secret("identity header", "hostile platform in clear");
                stage.set("IDENTITY_ENDPOINT", format!("http://127.0.0.1:{port}/msi/token"));
                stage.set("IDENTITY_HEADER", header);
            }
            At::Entra(script) => {
                stage.lead("hostile login", &format!("{login}:443"), script);
                let secret = stage.secret("client secret", "hostile login in TLS");
                stage.set("AZURE_CLIENT_SECRET", secret);
                for name in ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"] {
                    stage.set(name, "8d0c8b0e-0000-4000-8000-000000000001".to_owned());
                }
            }
            At::Cli(script) => {
                let scratch = Scratch::new();
                let script = script.replace("{token}", &stage.secrets[0].text);
                let script = script.replace("{directory}", &scratch.file(".").display().to_string());
                scratch.program("az", &format!("#!/bin/sh\n{script}\n"));
                stage.set("PATH", format!("{}:/usr/bin:/bin", scratch.file(".").display()));
                stage.args(&["--credential", "azure-cli"]);
                stage.scratch = Some(scratch);
            }
            At::Nameserver(dns) => {
                let peer = nameserver::start(dns, stage.trusted());
                stage.args.extend(["--nameserver".to_owned(), format!("127.0.0.1:{}", peer.port)]);
                (stage.peer, stage.place) = (Some(peer), "hostile nameserver");
            }
            At::Nobody => {}
        }
        // A hostile server may have the token once, inside TLS that proved its name.
        if stage.place == "hostile server" {
            stage.secrets[0].may.push("hostile server in TLS");
        }
        stage
    }

    pub fn world(&self) -> &World {
        &self.setting.as_ref().expect("a setting, until the end").world
    }

    pub fn trusted(&self) -> &Arc<Trusted> {
        &self.setting.as_ref().expect("a setting, until the end").trusted
    }

    /// One more secret of this run, and who may have it.
    fn secret(&mut self, name: &'static str, may: &'static str) -> String {
        let text: String = (0..40).map(|_| fastrand::alphanumeric()).collect();
        self.secrets.push(Secret { name, text: text.clone(), may: vec![may], times: usize::MAX });
        text
    }

    /// A file of the stage's own directory.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.scratch.as_ref().expect("a stage with a directory").file(name)
    }

    pub fn set(&mut self, name: &str, value: String) {
        self.env.push((name.to_owned(), value));
    }

    fn start(&mut self, place: &'static str, script: &[Act]) -> u16 {
        let peer = peer::start(script.to_vec(), self.trusted());
        let port = peer.port;
        (self.peer, self.place) = (Some(peer), place);
        port
    }

    fn lead(&mut self, place: &'static str, from: &str, script: &[Act]) {
        let port = self.start(place, script);
        self.redirect(from, port);
    }

    /// More arguments, before the world's.
    pub fn args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(ToString::to_string));
    }

    pub fn redirect(&mut self, from: &str, port: u16) {
        self.args.extend(["--connect-to".to_owned(), format!("{from}:127.0.0.1:{port}")]);
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(program::path());
        command.env_clear().envs(self.world().env.iter().map(|(name, value)| (name, value)));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(&self.args).args(&self.world().args[1..]).args(more);
        command
    }

    pub fn run(&self, more: &[&str]) -> Ran {
        program::run(self.command(more), self.world().stdin.as_deref(), DEADLINE)
    }

    pub fn conversations(&self) -> Vec<Conversation> {
        self.peer.as_ref().map(|peer| peer.heard.all()).unwrap_or_default()
    }

    /// What was shown or told to those who must not have it.
    pub fn leaks(&self, ran: &Ran) -> Vec<String> {
        let mut received = self.world().received().split_off(self.before);
        for conversation in self.conversations() {
            received.push((format!("{} in clear", self.place), conversation.clear));
            received.push((format!("{} in TLS", self.place), conversation.inside));
        }
        leaks(&self.secrets, &[("JSON", &ran.stdout), ("page", &ran.page), ("standard error", &ran.stderr)], &received)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Ok(mut idle) = IDLE.lock() {
            idle.extend(self.setting.take());
        }
    }
}
