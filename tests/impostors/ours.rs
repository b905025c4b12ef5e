//! This program against the impostors of the server, with each way to come by a token.

use std::process::{Command, Stdio};

use lab::scenario::Scenario;
use lab::secrets::leaks;
use lab::world::World;

use super::Trust;
use super::postgres::{Got, Impostor, ROWS, Row};
use crate::contract::told;
use crate::stories;

/// Where the token comes from, as stories name it.
pub const CREDENTIALS: [&str; 7] =
    ["file", "environment", "metadata", "client-secret", "client-certificate", "workload-identity", "app-service"];

/// A world whose token comes from there.
pub fn world(from: &str) -> World {
    let text = told(&format!("[token]\nfrom = \"{from}\"\n[world]\ntimeout = \"3s\"\ndeadline = \"12s\""));
    World::start(&Scenario::parse(&text).expect("a story"), stories::seed()).expect("a world")
}

/// What one run said.
pub struct Said {
    pub exit: Option<i32>,
    places: Vec<(&'static str, Vec<u8>)>,
}

impl Said {
    pub fn places(&self) -> Vec<(&'static str, &[u8])> {
        self.places.iter().map(|(place, bytes)| (*place, &bytes[..])).collect()
    }
}

/// Runs in the world, with some connections led elsewhere and these roots instead of the platform's.
pub fn run(world: &World, trust: &Trust, lead: &[String]) -> Said {
    let directory = tempfile::tempdir().expect("a directory");
    let page = directory.path().join("page");
    let mut command = Command::new(stories::program());
    command.env_clear().envs(world.env.iter().map(|(name, value)| (name, value)));
    command.env("SSL_CERT_FILE", trust.roots()).arg("check");
    for rule in lead {
        command.args(["--connect-to", rule]);
    }
    command.args(&world.args[1..]).args(["-vv", "--format", "json", "--format"]);
    command.arg(format!("text={}", page.display())).stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    let page = std::fs::read(&page).expect("a page");
    let places = vec![("the report", output.stdout), ("standard error", output.stderr), ("the page", page)];
    Said { exit: output.status.code(), places }
}

/// What one run gave away, as sentences, and what the impostor got.
pub fn meet(world: &World, trust: &Trust, row: Row) -> (Got, Vec<String>) {
    let host = &world.names.server;
    let impostor = Impostor::start(row, host, trust);
    let said = run(world, trust, &[format!("{host}:5432:127.0.0.1:{}", impostor.port)]);
    let token = world.secrets().iter().find(|secret| secret.name == "token").expect("a token");
    let mut wrong = Vec::new();
    let got = impostor.got(token);
    let may = Got { inside: row.may_have_it(), ..Got::default() };
    if got != may {
        wrong.push(format!("the impostor got {got:?} instead of {may:?}"));
    }
    if impostor.times(token) > 1 {
        wrong.push("the token was sent twice".to_owned());
    }
    if impostor.met() == 0 {
        wrong.push("nobody came to the impostor".to_owned());
    }
    if said.exit != Some(1) {
        wrong.push(format!("status {:?}: an impostor is no server", said.exit));
    }
    wrong.extend(leaks(world.secrets(), &said.places(), &[]));
    (got, wrong)
}

#[test]
fn no_impostor_of_the_server_gets_a_token_that_it_must_not_have() {
    let trust = Trust::new();
    let _turn = stories::turn();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let trust = &trust;
        let threads: Vec<_> = CREDENTIALS
            .chunks(2)
            .map(|some| {
                scope.spawn(move || {
                    let mut wrong = Vec::new();
                    for from in some {
                        let world = world(from);
                        for row in ROWS {
                            let (_, told) = meet(&world, trust, row);
                            wrong.extend(told.into_iter().map(|told| format!("{} x {from}: {told}", row.name)));
                        }
                        // The true server of this world was never asked, and no other peer got what it must not have.
                        wrong.extend(once_a_run(&world, ROWS.len()).into_iter().map(|told| format!("{from}: {told}")));
                    }
                    wrong
                })
            })
            .collect();
        for thread in threads {
            wrong.extend(thread.join().expect("a run"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The leaks of so many runs in one world: what may be sent once may be sent once a run.
pub fn once_a_run(world: &World, runs: usize) -> Vec<String> {
    let secrets: Vec<_> = world
        .secrets()
        .iter()
        .map(|secret| {
            let mut secret = secret.clone();
            secret.times = secret.times.saturating_mul(runs);
            secret
        })
        .collect();
    leaks(&secrets, &[], &world.received())
}
