//! The lines that the report says to sign in with, run by a shell and the real psql against a real PostgreSQL.

use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::bench::{self, Bench};
use super::process::{find, missing};
use super::roles;

const WHO: &str = "\\pset format unaligned\n\\pset tuples_only on\nselect session_user;\n";

/// Standard output and what went wrong, of a client that is asked who it is.
fn asked(command: &mut Command) -> Output {
    use std::io::Write;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a client");
    let _ = child.stdin.take().expect("its input").write_all(WHO.as_bytes());
    child.wait_with_output().expect("its end")
}

fn plain(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("LC_ALL", "C.UTF-8").env("HOME", "/nonexistent").env("PSQLRC", "/nonexistent");
    command
}

fn line<'a>(report: &'a Value, client: &str, platform: &str) -> &'a str {
    let lines = report["sign_in"].as_array().expect("lines to sign in with");
    let found = lines.iter().find(|line| line["client"] == client && line["platform"] == platform);
    found.and_then(|line| line["run"].as_str()).expect("a line of this client")
}

#[test]
fn psql_signs_in_by_the_lines_that_are_printed() {
    if find("psql").or_else(|| missing("psql")).is_none() {
        return;
    }
    let Some(mut bench) = Bench::start("healthy/user-token", |_| ()) else { return };
    let token = bench.token().to_owned();
    let own = bench.user();
    let mut wrong = Vec::new();
    for name in roles::ODD.iter().copied().chain([own.as_str(), bench::GROUP]) {
        let report = bench.report(name, "postgres");
        let text = report.to_string();
        assert!(!text.contains(&token), "the token is in the report");
        for (client, platform) in [("psql", "linux"), ("psql", "macos"), ("conninfo", "any"), ("uri", "any")] {
            let run = line(&report, client, platform);
            // macOS keeps its roots elsewhere.
            let roots = |run: &str| run.replace("PGSSLROOTCERT=/etc/ssl/cert.pem", "PGSSLROOTCERT=\"$ROOTS\"");
            let output = match client {
                "psql" => {
                    let file = line(&report, "conninfo", "any").rsplit("sslrootcert=").next().unwrap_or_default();
                    asked(plain("bash").env("ROOTS", file).args(["-c", &roots(run)]))
                }
                _ => asked(plain("psql").env("PGPASSWORD", &token).arg(run)),
            };
            let said = String::from_utf8_lossy(&output.stdout);
            if said.lines().last() != Some(name) {
                let error = String::from_utf8_lossy(&output.stderr);
                wrong.push(format!("{name:?} by {client} for {platform}: {run}\n  {said}{error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// PowerShell is not to be had here, so its line is read by PowerShell's grammar: each variable is given one verbatim string, which is the name.
#[test]
fn powershell_reads_the_names_that_were_meant() {
    let Some(mut bench) = Bench::start("healthy/user-token", |_| ()) else { return };
    for name in roles::ODD {
        let report = bench.report(name, "postgres");
        let run = line(&report, "psql", "windows");
        for (variable, meant) in [("$env:PGUSER=", name), ("$env:PGDATABASE=", "postgres"), ("$env:PGPORT=", "")] {
            let (_, after) = run.split_once(variable).expect(variable);
            let (text, rest) = verbatim(after).unwrap_or_else(|| panic!("{name}: no verbatim string: {run}"));
            assert!(meant.is_empty() || text == meant, "{name}: PowerShell reads {text}");
            assert!(rest.starts_with("; "), "{name}: the string goes on: {run}");
        }
    }
}

/// A verbatim string and what follows it: any two single quotes within, straight or typographic, stand for the first of them (Windows PowerShell Language
/// Specification, 2.3.5.2).
fn verbatim(text: &str) -> Option<(String, &str)> {
    let is_quote = |letter: char| matches!(letter, '\'' | '\u{2018}'..='\u{201b}');
    let mut letters = text.char_indices().peekable();
    letters.next().filter(|(_, letter)| is_quote(*letter))?;
    let mut read = String::new();
    while let Some((_, letter)) = letters.next() {
        if is_quote(letter) && letters.next_if(|(_, next)| is_quote(*next)).is_none() {
            let rest = letters.peek().map_or("", |(place, _)| &text[*place..]);
            return Some((read, rest));
        }
        read.push(letter);
    }
    None
}

/// The command that prints a token is one that prints a token: curl asks a metadata service, and the Azure CLI is asked for no more than it can do.
#[test]
fn the_printed_token_commands_print_the_token() {
    for program in ["psql", "curl"] {
        if find(program).or_else(|| missing(program)).is_none() {
            return;
        }
    }
    let metadata = |scenario: &mut lab::scenario::Scenario| scenario.token.from = lab::scenario::From::Metadata;
    let Some(mut bench) = Bench::start("healthy/user-token", metadata) else { return };
    let user = bench.user();
    let report = bench.report(&user, "postgres");
    let output = asked(plain("bash").args(["-c", line(&report, "psql", "linux")]));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some(user.as_str()), "{output:?}");

    let directory = tempfile::tempdir().expect("a directory");
    let token = bench.token().to_owned();
    let expected = "account get-access-token --resource https://ossrdbms-aad.database.windows.net --query accessToken --output tsv";
    let script = format!("#!/bin/sh\n[ \"$*\" = '{expected}' ] || exit 64\necho '{token}'\n");
    let mut file = std::fs::OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o700).open(directory.path().join("az")).expect("a script");
    std::io::Write::write_all(&mut file, script.as_bytes()).expect("its text");
    drop(file);
    let (before, after) = line(&report, "psql", "linux").split_once("$(").expect("a command for the token");
    let end = after.rfind(")\"").expect("its end");
    let run = format!("{before}$(az {expected}{}", &after[end..]);
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap_or_default());
    let output = asked(plain("bash").env("PATH", path).args(["-c", &run]));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some(user.as_str()), "{output:?}");
}
