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

/// Whether the real servers of a story are installed; a skip is said, and whether it is a failure decides `PREFLIGHT_REQUIRE`.
fn has_what_is_real(story: &Story) -> bool {
    let Some(name) = namespaces::missing(&story.scenario) else { return true };
    let required = std::env::var("PREFLIGHT_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word.trim() == name),
        "{} needs {name}, which PREFLIGHT_REQUIRE={required} asks for and is not installed",
        story.name
    );
    let _ = writeln!(std::io::stderr(), "SKIPPED: {} was not told: {name} is not installed", story.name);
    false
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
    let mine: Vec<Story> = mine.into_iter().filter(has_what_is_real).collect();
    let seed = stories::seed();
    stories::tell(&mine, seed, AT_ONCE, |story| namespaces::story(stories::program(), story, seed, &DOOR));
}
