//! Network namespaces as ground (Linux): real names, Azure's real addresses, ports 53, 80, 443 and 5432, a kernel's own routes and filters.
//!
//! The program gets no option that points it at the lab: resolv.conf, hosts file and route table do. A world stands in a process of its own, which
//! leaves the host's network before it opens its first socket; this module starts that process and brings back what it saw.

mod apart;
mod hub;
mod layout;
mod link;
mod machine;
mod namespace;
mod network;
mod postgres;
mod real;
mod resolver;
mod signed;
mod tools;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;

use serde::{Deserialize, Serialize};

use self::network::Network;
use crate::paste;
use crate::run::{self, Run};
use crate::scenario::{Link, Scenario};
use crate::story::{self, Story};
use crate::world::World;

/// The variable by which a process learns that it is inside, and what for.
const ORDER: &str = "LAB_INSIDE";

/// What a process inside is to do.
#[derive(Serialize, Deserialize)]
struct Order {
    /// The network that it must not be in.
    outside: String,
    /// Without a job it does what its arguments say.
    job: Option<Job>,
}

#[derive(Serialize, Deserialize)]
struct Job {
    program: PathBuf,
    /// Without one it only builds the network.
    story: Option<String>,
    /// Whether the printed line of psql is pasted into a shell afterwards.
    paste: bool,
    seed: u64,
    answer: PathBuf,
}

/// Why worlds cannot stand in namespaces here; `None` if they can. `door` are arguments that lead this executable to [`inside`].
pub fn refused(door: &[&str]) -> Option<&'static str> {
    static REFUSED: OnceLock<Option<String>> = OnceLock::new();
    REFUSED.get_or_init(|| send(Path::new(""), None, 0, door).err()).as_deref()
}

/// The first thing beyond namespaces that a story wants and this machine lacks: a real server, or tunnel devices.
pub fn missing(scenario: &Scenario) -> Option<&'static str> {
    if scenario.link.as_ref().is_some_and(Link::needs_forwarder) && !apart::has_tunnels() {
        return Some("tun");
    }
    if scenario.metadata.installed && std::env::current_exe().is_ok_and(|me| me.starts_with(machine::HIDDEN)) {
        return Some("a build outside /opt");
    }
    scenario.world.real.iter().find(|real| real.program().is_none()).map(|real| real.name())
}

/// Plays one story with the program and judges its report.
///
/// # Errors
/// When the world cannot be started, or the program cannot.
pub fn story(program: &Path, story: &Story, seed: u64, door: &[&str]) -> Result<Run, String> {
    told(program, story, false, seed, door)
}

/// Plays a story that ends in a sign-in, and pastes the line that is printed for psql into a shell of its machine.
///
/// # Errors
/// As [`story`].
pub fn pasted(program: &Path, story: &Story, seed: u64, door: &[&str]) -> Result<Run, String> {
    told(program, story, true, seed, door)
}

fn told(program: &Path, story: &Story, paste: bool, seed: u64, door: &[&str]) -> Result<Run, String> {
    let run = send(program, Some((&story.name, paste)), seed, door)?;
    run.ok_or_else(|| format!("{}: the world gave no answer", story.name))
}

/// Sends a process inside and waits for its answer.
fn send(program: &Path, story: Option<(&str, bool)>, seed: u64, door: &[&str]) -> Result<Option<Run>, String> {
    let answer = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let job = Job {
        program: program.to_owned(),
        story: story.map(|(name, _)| name.to_owned()),
        paste: story.is_some_and(|(_, paste)| paste),
        seed,
        answer: answer.path().to_owned(),
    };
    let mut command = again(Some(job))?;
    command.args(door).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().map_err(|error| format!("new namespaces are refused: {error}"))?;
    let text = std::fs::read_to_string(answer.path()).map_err(|error| error.to_string())?;
    if text.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the process inside ended ({}) without an answer: {}", output.status, said.trim()));
    }
    serde_json::from_str::<Result<Option<Run>, String>>(&text).map_err(|error| error.to_string())?
}

/// Runs this executable again, inside, with these arguments and this terminal.
///
/// # Errors
/// When namespaces are refused.
pub fn rerun(arguments: &[String]) -> Result<ExitStatus, String> {
    let mut command = again(None)?;
    // Inside there is nothing to build anything from.
    command.args(arguments).env_remove("CARGO");
    command.status().map_err(|error| format!("new namespaces are refused: {error}"))
}

fn again(job: Option<Job>) -> Result<Command, String> {
    let order = Order { outside: namespace::name().map_err(|error| error.to_string())?, job };
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(me);
    command.env(ORDER, serde_json::to_string(&order).map_err(|error| error.to_string())?);
    apart::apart(&mut command);
    Ok(command)
}

/// Makes the program run as an ordinary user of the world's machine.
pub(crate) fn humble(command: &mut Command) {
    apart::humble(command);
}

/// Whether this process stands inside, to do what its arguments say.
pub fn is_inside() -> bool {
    order().is_some()
}

/// Does the job that this process was sent for, if it was.
pub fn inside() {
    let Some(Order { job: Some(job), .. }) = order() else { return };
    let answer = act(&job);
    let text = serde_json::to_string(&answer).unwrap_or_default();
    if let Err(error) = std::fs::write(&job.answer, text) {
        panic!("the answer cannot be written: {error}");
    }
}

fn act(job: &Job) -> Result<Option<Run>, String> {
    let Some(name) = &job.story else {
        start(&Scenario::healthy(), job.seed).map_err(|error| format!("the world does not start: {error}"))?;
        return Ok(None);
    };
    let story = story::named(&story::directory(), name)?;
    let world = start(&story.scenario, job.seed).map_err(|error| format!("the world does not start: {error}"))?;
    let mut run = run::in_world(&job.program, &world, &story.scenario, &["--format", "json"])?;
    if let Some(report) = run.report.as_ref().filter(|_| job.paste) {
        run.mismatches.extend(paste::mismatches(&world, report).map_err(|error| error.to_string())?);
    }
    Ok(Some(run))
}

fn order() -> Option<Order> {
    serde_json::from_str(&std::env::var(ORDER).ok()?).ok()
}

/// Starts a world around this process, which must stand inside.
///
/// # Errors
/// When this process is in the network that it came from, or something cannot be had.
pub fn start(scenario: &Scenario, seed: u64) -> io::Result<World> {
    let order = order().ok_or_else(|| io::Error::other("this process stands in the host's network"))?;
    if namespace::name()? == order.outside {
        return Err(io::Error::other("this process did not leave the host's network"));
    }
    let network = Network::new(seed)?;
    let services = network.services.clone();
    let there = services.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || there.enter().expect("the services' namespace"))
        .build()?;
    thread::scope(|scope| {
        let built = scope.spawn(|| {
            services.enter()?;
            World::on(Box::new(network), runtime, scenario, seed)
        });
        built.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the lab panicked")))
    })
}
