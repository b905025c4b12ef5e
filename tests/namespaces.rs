//! The stories that change the machine or need a router, each in network namespaces of its own: with real names, addresses and ports, and
//! without any option that points the program at the lab.
#![cfg(target_os = "linux")]

use std::io::Write;

use lab::namespaces;
use lab::scenario::Carrier;
use lab::story::Story;

use crate::stories;

const AT_ONCE: usize = 4;
/// Arguments that lead this executable to the function below.
const DOOR: [&str; 3] = ["namespaces::inside", "--exact", "--nocapture"];

/// The door of a process that was sent inside. To anybody else it is closed, and nothing happens.
#[test]
fn inside() {
    namespaces::inside();
}

/// Whether worlds can stand here. A skip is said past the capture of test output, for nobody should take it for a success.
fn allowed() -> bool {
    let Some(why) = namespaces::refused(&DOOR) else { return true };
    let required = std::env::var("PREFLIGHT_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word.trim() == "namespaces"),
        "namespaces are required (PREFLIGHT_REQUIRE={required}) and refused: {why}"
    );
    let _ = writeln!(std::io::stderr(), "SKIPPED: no story was told in network namespaces: {why}");
    false
}

/// Whether this machine has what a story needs beyond namespaces; a skip is said, and whether it is a failure decides `PREFLIGHT_REQUIRE`.
fn has_what_it_needs(story: &Story) -> bool {
    let Some(name) = namespaces::missing(&story.scenario) else { return true };
    let required = std::env::var("PREFLIGHT_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word.trim() == name),
        "{} needs {name}, which PREFLIGHT_REQUIRE={required} asks for and is not to be had",
        story.name
    );
    let _ = writeln!(std::io::stderr(), "SKIPPED: {} was not told: {name} is not to be had", story.name);
    false
}

/// The sign-in goes on with what the second nameserver says, while the first one is still waited for.
#[test]
fn a_dead_first_nameserver_holds_up_no_sign_in() {
    if !allowed() {
        return;
    }
    let _turn = stories::turn();
    let story = lab::story::named(&lab::story::directory(), "dns/nameserver-silent-first").expect("a story");
    let run = namespaces::story(stories::program(), &story, stories::seed(), &DOOR).expect("a run");
    let report = run.report.expect("a report");
    let ended = |operation: &str, outcome: &str| {
        let evidence = report["evidence"].as_array().into_iter().flatten();
        let mine = evidence.filter(|one| one["operation"] == operation && one["outcome"] == outcome);
        mine.filter_map(|one| Some(one["at_ms"].as_u64()? + one["duration_ms"].as_u64()?)).min()
    };
    let session = ended("session", "ok").expect("a session");
    let silence = ended("dns-query", "timeout").expect("a silent nameserver");
    assert!(session < silence, "the session came after {session} ms, the nameserver was given up after {silence} ms");
}

/// `STORY=name` chooses, `SEED=n` repeats; `CARRIER=namespaces` tells the stories of loopback here as well.
#[test]
fn every_story_comes_true() {
    let all = std::env::var("CARRIER").is_ok_and(|carrier| carrier == "namespaces");
    let mine: Vec<Story> =
        stories::chosen().into_iter().filter(|story| all || story.scenario.carrier != Carrier::Loopback).collect();
    if mine.is_empty() || !allowed() {
        return;
    }
    let mine: Vec<Story> = mine.into_iter().filter(has_what_it_needs).collect();
    let seed = stories::seed();
    stories::tell(&mine, seed, AT_ONCE, |story| namespaces::story(stories::program(), story, seed, &DOOR));
}

/// What the report prints for psql gets the token of this world, by every credential and way; and no secret stands in the line or in an argument.
#[test]
fn the_printed_lines_fetch_the_token() {
    if !allowed() {
        return;
    }
    if let Some(name) = lab::paste::missing() {
        let required = std::env::var("PREFLIGHT_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|word| word.trim() == name), "PREFLIGHT_REQUIRE asks for {name}");
        let _ = writeln!(std::io::stderr(), "SKIPPED: no printed line was pasted: {name} is not to be had");
        return;
    }
    let names = [
        "arc",
        "arc-installed",
        "app-service",
        "azure-cli",
        "client-certificate",
        "client-secret",
        "client-secret-proxy",
        "identity-by-object-id",
        "laptop-client-secret",
        "socks5-client-secret",
        "token-environment",
        "token-file-line-ends",
        "usgov-client-secret",
        "vnet",
        "workload-identity",
    ];
    let mine: Vec<Story> = names
        .into_iter()
        .map(|name| lab::story::named(&lab::story::directory(), &format!("healthy/{name}")).expect("a story"))
        .collect();
    let seed = stories::seed();
    stories::tell(&mine, seed, AT_ONCE, |story| namespaces::pasted(stories::program(), story, seed, &DOOR));
}
