//! The leak table: psql as it is installed here, with the token as its password, beside this program.

use std::process::{Command, Output, Stdio};

use lab::secrets::Secret;

use super::Trust;
use super::ours;
use super::postgres::{Got, Impostor, ROWS, Row};
use crate::stories;

const MODES: [&str; 5] = ["disable", "allow", "prefer", "require", "verify-full"];

/// What is in a cell: nothing, or what was given away. Capitals are leaks. Small letters are none: a peer that would have been verified, and
/// a hash, which of a password could be guessed at, but not of a token.
fn cell(got: Got, row: Row, verifies: bool, printed: bool) -> String {
    let mut words = Vec::new();
    if got.clear {
        words.push("CLEAR");
    }
    if got.inside {
        words.push(match (row.may_have_it(), verifies) {
            (true, true) => "verified",
            (true, false) => "tls",
            (false, _) => "TLS",
        });
    }
    if got.derived {
        words.push("hash");
    }
    if printed {
        words.push("PRINTED");
    }
    if words.is_empty() { "-".to_owned() } else { words.join("+") }
}

fn leaked(cell: &str) -> bool {
    cell.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn psql(mode: &str, host: &str, port: u16, trust: &Trust, token: &Secret) -> Output {
    let roots = trust.roots().display();
    // With a root file, `require` verifies the chain as `verify-ca` does; users of `require` have none.
    let roots = if mode == "verify-full" { format!(" sslrootcert={roots}") } else { String::new() };
    let target = format!(
        "host={host} hostaddr=127.0.0.1 port={port} user=app dbname=postgres sslmode={mode}{roots} connect_timeout=5"
    );
    let mut command = Command::new("psql");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", trust.home());
    command.env("PGPASSWORD", &token.text).args(["-X", "-w", &target, "-c", "select 1"]);
    command.stdin(Stdio::null()).output().expect("psql starts")
}

fn version() -> Option<String> {
    let output = Command::new("psql").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).split_whitespace().nth(2)?.to_owned())
}

fn against_psql(row: Row, mode: &str, host: &str, trust: &Trust, token: &Secret) -> String {
    let impostor = Impostor::start(row, host, trust);
    let output = psql(mode, host, impostor.port, trust, token);
    let printed = [&output.stdout, &output.stderr].into_iter().any(|bytes| token.found(bytes).is_some());
    cell(impostor.got(token), row, mode == "verify-full", printed)
}

#[test]
fn leak_table() {
    let trust = Trust::new();
    let _turn = stories::turn();
    let world = ours::world("environment");
    let token = world.secrets().iter().find(|secret| secret.name == "token").expect("a token");
    let host = &world.names.server;
    let version = version();
    let required = std::env::var("PREFLIGHT_REQUIRE").is_ok_and(|list| list.split(',').any(|one| one == "psql"));
    assert!(version.is_some() || !required, "PREFLIGHT_REQUIRE asks for psql, which is not installed");
    let mut table = Vec::new();
    let mut leaks = [0; MODES.len() + 1];
    for row in ROWS {
        let mut cells: Vec<String> = MODES
            .iter()
            .map(|mode| version.as_ref().map_or("?".to_owned(), |_| against_psql(row, mode, host, &trust, token)))
            .collect();
        let (got, wrong) = ours::meet(&world, &trust, row);
        assert!(wrong.is_empty(), "{}: {}", row.name, wrong.join("\n"));
        cells.push(cell(got, row, true, false));
        for (count, cell) in leaks.iter_mut().zip(&cells) {
            *count += usize::from(leaked(cell));
        }
        table.push(line(row.name, &cells));
    }
    let heads = MODES.iter().map(|mode| (*mode).to_owned()).chain(["entra-preflight".to_owned()]);
    table.insert(0, line("who answers", &heads.collect::<Vec<_>>()));
    table.push(line("leaks", &leaks.map(|count| format!("{count} of {}", ROWS.len()))));
    let title = version.map_or("psql is not installed".to_owned(), |version| format!("psql {version}"));
    // Past the test harness, which would swallow it.
    let text = format!(
        "\nWhat impostors got of a token; capitals are leaks ({title} by sslmode, and ours)\n{}\n",
        table.join("\n")
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    assert_eq!(leaks[MODES.len()], 0, "ours");
}

fn line(name: &str, cells: &[String]) -> String {
    cells.iter().fold(format!("{name:<28}"), |line, cell| format!("{line} | {cell:<17}")).trim_end().to_owned()
}
