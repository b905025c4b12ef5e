//! `cargo run -p lab`: the program in a miniature Azure, healthy or broken as a story tells.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a demo speaks to its terminal")]

mod scoring;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lab::judge;
use lab::run;
use lab::scenario::Scenario;
use lab::story::{self, Story};
use lab::world::World;

const PROGRAM: &str = "entra-preflight";
/// What the world is called that no story tells.
const HEALTHY: &str = "healthy";
/// The argument that leads this program inside, when it was sent there.
const INSIDE: &str = "--inside";
const USAGE: &str = "\
Usage: cargo run -p lab -- [--seed N] [--namespaces] [NAME [ARGUMENTS OF check...]]
       cargo run -p lab -- --list
       cargo run -p lab -- --score [--seeds N] [--seed FIRST] [--namespaces] [PART OF A NAME]

Without NAME the world is healthy. NAME is a story of tests/scenarios, for example dns/nameserver-lies.
A story that loopback cannot carry is played in network namespaces (Linux); with --namespaces, any story is.

--score tells all stories (or those with this part in their name) and prints how good the diagnoses were and which control was reported
for which; with --namespaces, those that need a router as well. The exit status is 1 when anything is not as the stories say.";

fn main() -> ExitCode {
    match demo() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::from(2)
        }
    }
}

fn demo() -> Result<ExitCode, String> {
    let mut seed = None;
    let mut name = None;
    let mut apart = false;
    let mut scored = false;
    let mut seeds = 1;
    let mut arguments = std::env::args().skip(1);
    while name.is_none() {
        let Some(argument) = arguments.next() else { break };
        match argument.as_str() {
            "--list" => return list(),
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            "--seed" => seed = Some(number("--seed", arguments.next())?),
            "--seeds" => seeds = number("--seeds", arguments.next())?,
            "--namespaces" => apart = true,
            "--score" => scored = true,
            #[cfg(target_os = "linux")]
            INSIDE => {
                lab::namespaces::inside();
                return Ok(ExitCode::SUCCESS);
            }
            option if option.starts_with('-') => {
                return Err(format!("`{option}` is not an option of the lab\n{USAGE}"));
            }
            name_of_story => name = Some(name_of_story.to_owned()),
        }
    }
    let more: Vec<String> = arguments.collect();
    if scored {
        let first = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        return scoring::score(&name.unwrap_or_default(), first, seeds, apart);
    }
    let story = match &name {
        Some(name) => story::named(&story::directory(), name)?,
        None => Story { name: HEALTHY.to_owned(), scenario: Scenario::healthy() },
    };
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    if apart || story.scenario.needs_namespaces() { play_apart(&story, seed, &more) } else { play(&story, seed, &more) }
}

fn number(option: &str, given: Option<String>) -> Result<u64, String> {
    let text = given.ok_or_else(|| format!("{option} needs a number"))?;
    text.parse().map_err(|_| format!("`{text}` is no whole number: {option} takes one"))
}

#[cfg(target_os = "linux")]
fn play_apart(story: &Story, seed: u64, more: &[String]) -> Result<ExitCode, String> {
    use lab::namespaces;
    let program = program()?;
    if namespaces::is_inside() {
        let world =
            namespaces::start(&story.scenario, seed).map_err(|error| format!("the world does not start: {error}"))?;
        return play_in(&program, &world, story, "in network namespaces", more);
    }
    let mut arguments = vec!["--seed".to_owned(), seed.to_string(), "--namespaces".to_owned()];
    if story.name != HEALTHY {
        arguments.push(story.name.clone());
    }
    arguments.extend_from_slice(more);
    let status = namespaces::rerun(&arguments)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(not(target_os = "linux"))]
fn play_apart(story: &Story, _seed: u64, _more: &[String]) -> Result<ExitCode, String> {
    Err(format!("the story {} needs the network namespaces of Linux", story.name))
}

fn list() -> Result<ExitCode, String> {
    let stories = story::all(&story::directory())?;
    let width = stories.iter().map(|story| story.name.len()).max().unwrap_or(0);
    for story in stories {
        println!("{:width$}  {}", story.name, story.scenario.story);
    }
    Ok(ExitCode::SUCCESS)
}

fn play(story: &Story, seed: u64, more: &[String]) -> Result<ExitCode, String> {
    let program = program()?;
    let world = World::start(&story.scenario, seed).map_err(|error| format!("the world does not start: {error}"))?;
    play_in(&program, &world, story, "on loopback", more)
}

fn play_in(program: &Path, world: &World, story: &Story, place: &str, more: &[String]) -> Result<ExitCode, String> {
    println!("lab: `{PROGRAM} check` in a miniature Azure {place} (story {}, seed {})", story.name, world.seed);
    println!("     {}\n", story.scenario.story);
    let (exit, report) = run::on_terminal(program, world, more)?;
    let Ok(report) = serde_json::from_slice(&report) else {
        println!("\nlab: there is no report to judge (exit status {exit:?})");
        return Ok(ExitCode::FAILURE);
    };
    let mut wrong = judge::against_story(&story.scenario.expect, &report, exit);
    wrong.extend(lab::secrets::leaks(
        world.secrets(),
        &[("the report", report.to_string().as_bytes())],
        &world.received(),
    ));
    if wrong.is_empty() {
        println!("\nlab: the report is what the story expects. {}", story.scenario.why);
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nlab: the report is not what the story expects:");
    for difference in wrong {
        println!("     - {difference}");
    }
    Ok(ExitCode::FAILURE)
}

/// The program beside this one, built anew when cargo started us.
fn program() -> Result<PathBuf, String> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = me.parent().ok_or("this program has no directory")?;
    let path = beside.join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build
            .args(["build", "--quiet", "--bin", PROGRAM, "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
        if let Some(target) = beside.parent() {
            build.arg("--target-dir").arg(target);
        }
        if beside.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().map_err(|error| format!("cargo does not start: {error}"))?;
        if !status.success() {
            return Err(format!("{PROGRAM} does not build"));
        }
    }
    if path.is_file() { Ok(path) } else { Err(format!("{} is missing: build it with `cargo build`", path.display())) }
}
