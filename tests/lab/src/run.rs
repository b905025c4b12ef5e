//! Runs the real program in a world, with nothing in its environment but what the world needs, and compares.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::judge;
use crate::scenario::{Expect, Scenario, patience};
use crate::secrets;
use crate::story::Story;
use crate::waits;
use crate::world::World;

/// A run may print and end for so long after its deadline.
const GRACE: Duration = Duration::from_secs(2);
/// After that it is killed.
const KILL: Duration = Duration::from_secs(15);

/// What the program did.
#[derive(Serialize, Deserialize)]
pub struct Run {
    pub seed: u64,
    /// The command line, to be repeated by hand while the world stands.
    pub command: String,
    /// The user's own checks: a replay needs them too.
    pub checks: Vec<(String, String)>,
    pub exit: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub took: Duration,
    pub report: Option<Value>,
    /// Everything that is not as it should be, in sentences. Empty: the story came true.
    pub mismatches: Vec<String>,
}

/// Plays one story with the program and judges its report.
///
/// # Errors
/// When the world cannot be started, or the program cannot.
pub fn story(program: &Path, story: &Story, seed: u64) -> Result<Run, String> {
    let world = World::start(&story.scenario, seed)
        .map_err(|error| format!("{}: the world does not start: {error}", story.name))?;
    in_world(program, &world, &story.scenario, &["--format", "json"])
}

/// Runs the program in a world that stands; `more` comes after the world's arguments and makes it print JSON.
///
/// # Errors
/// When the program cannot be started.
pub fn in_world(program: &Path, world: &World, scenario: &Scenario, more: &[&str]) -> Result<Run, String> {
    let mut command = prepare(program, world, more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let deadline = patience(&scenario.world.deadline).unwrap_or(Duration::from_secs(30));
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{} does not start: {error}", program.display()))?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    feed(&mut child, world);
    let (exit, killed) = wait(&mut child, started, deadline + KILL);
    let took = started.elapsed();
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    let (report, mut mismatches) = judged(&scenario.expect, &stdout, &stderr, exit);
    if killed {
        mismatches.push("the run did not end and was killed".to_owned());
    } else if took > deadline + GRACE {
        mismatches.push(format!(
            "the run took {:.1} s and outlived its deadline of {}",
            took.as_secs_f64(),
            scenario.world.deadline
        ));
    }
    // Independent things are waited for at once: a fault costs the time limit of what failed, and no more.
    let waits = report.as_ref().map(waits::in_a_row).unwrap_or_default();
    if waits.len() > 1 {
        mismatches.push(format!("it waited in vain for one thing after the other: {}", waits.join(", then ")));
    }
    mismatches.extend(secrets::leaks(
        world.secrets(),
        &[("standard output", &stdout), ("standard error", &stderr)],
        &world.received(),
    ));
    let (seed, command, checks) = (world.seed, shown(program, world, more), world.checks.clone());
    Ok(Run { seed, command, checks, exit, stdout, stderr, took, report, mismatches })
}

/// Runs the program with its page on this terminal and its report in a file; returns the exit status and the report's text.
///
/// # Errors
/// When the program cannot be started.
pub fn on_terminal(program: &Path, world: &World, more: &[String]) -> Result<(Option<i32>, Vec<u8>), String> {
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let json = format!("json={}", file.path().display());
    let mut arguments = vec!["--format", "text", "--format", &json];
    arguments.extend(more.iter().map(String::as_str));
    let mut command = prepare(program, world, &arguments);
    for name in ["TERM", "COLORTERM", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let mut child = command.spawn().map_err(|error| format!("{} does not start: {error}", program.display()))?;
    feed(&mut child, world);
    let (exit, _) = wait(&mut child, Instant::now(), Duration::from_secs(600));
    Ok((exit, std::fs::read(file.path()).unwrap_or_default()))
}

/// The report's differences from a story and from the contract.
pub fn judged(expect: &Expect, stdout: &[u8], stderr: &[u8], exit: Option<i32>) -> (Option<Value>, Vec<String>) {
    let mut mismatches = Vec::new();
    if let Some(byte) = stdout.iter().chain(stderr).find(|byte| byte.is_ascii_control() && !b"\n\t".contains(byte)) {
        mismatches.push(format!("a raw control character ({byte:#04x}) was printed"));
    }
    if String::from_utf8_lossy(stderr).contains("panicked at") {
        mismatches.push("the program panicked".to_owned());
    }
    let report = serde_json::from_slice::<Value>(stdout).ok();
    match &report {
        Some(report) => {
            mismatches.extend(judge::against_story(expect, report, exit));
            mismatches.extend(judge::against_contract(report, exit));
        }
        None if expect.verdict.is_none() => {
            if expect.exit != exit {
                mismatches.push(format!("the exit status is {exit:?}, expected {:?}", expect.exit));
            }
        }
        None => {
            let said = String::from_utf8_lossy(stderr);
            mismatches.push(format!(
                "standard output is not one JSON document (exit status {exit:?}); standard error: {}",
                said.trim()
            ));
        }
    }
    (report, mismatches)
}

fn prepare(program: &Path, world: &World, more: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().args(&world.args).args(more);
    command.envs(world.env.iter().map(|(name, value)| (name, value)));
    if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
        command.env("LLVM_PROFILE_FILE", profile);
    }
    #[cfg(target_os = "linux")]
    if world.humble {
        crate::namespaces::humble(&mut command);
    }
    command.stdin(if world.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command
}

fn feed(child: &mut Child, world: &World) {
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), world.stdin.clone()) {
        // In a thread of its own: a program that does not read its input must not hold up its own time limit.
        thread::spawn(move || {
            let _ = pipe.write_all(&bytes);
        });
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(64 * 1024 * 1024).read_to_end(&mut bytes);
        }
        bytes
    })
}

/// The exit status, and whether the program had to be killed.
fn wait(child: &mut Child, started: Instant, limit: Duration) -> (Option<i32>, bool) {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return (status.code(), false),
            Ok(None) if started.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return (None, true);
            }
        }
    }
}

/// A command line without its secrets: those are in files and in the environment, never in arguments.
fn shown(program: &Path, world: &World, more: &[&str]) -> String {
    let quoted = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@=[]".contains(&byte));
        if plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    let words = world.args.iter().map(String::as_str).chain(more.iter().copied()).map(quoted);
    std::iter::once(quoted(&program.to_string_lossy())).chain(words).collect::<Vec<_>>().join(" ")
}
