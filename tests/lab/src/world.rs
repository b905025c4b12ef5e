//! A running world: everything that a scenario describes, and how the program is pointed at it.

mod build;

use std::io;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::ground::Ground;
use crate::loopback::Loopback;
use crate::names::Names;
use crate::scenario::Scenario;
use crate::secrets::Secret;
use crate::tap::{Ledger, lock};

/// A running world. It ends when it is dropped.
pub struct World {
    pub seed: u64,
    pub names: Names,
    /// Arguments of the program, from `check` on, without `--format`.
    pub args: Vec<String>,
    /// The user's own checks, by their path; the arguments name a directory of them.
    pub checks: Vec<(String, String)>,
    /// The whole environment of the program.
    pub env: Vec<(String, String)>,
    /// What the program gets on standard input.
    pub stdin: Option<Vec<u8>>,
    /// Whether the program runs as a user who is not root.
    pub(crate) humble: bool,
    secrets: Vec<Secret>,
    ledger: Ledger,
    passwords: Arc<Mutex<Vec<Vec<u8>>>>,
    _held: Held,
    runtime: Option<Runtime>,
}

/// What must live as long as the world and is never asked.
struct Held {
    _dir: TempDir,
    _ground: Box<dyn Ground>,
    _tasks: JoinSet<()>,
}

impl World {
    /// Starts a world on loopback. Not to be called from asynchronous code: a world has a runtime of its own.
    ///
    /// # Errors
    /// When a port, a key or a file cannot be had.
    pub fn start(scenario: &Scenario, seed: u64) -> io::Result<World> {
        if scenario.needs_namespaces() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this story needs network namespaces; loopback cannot carry it",
            ));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        World::on(Box::new(Loopback::new()?), runtime, scenario, seed)
    }

    /// Starts a world on this ground. Its sockets are made by this thread and by the runtime's.
    pub(crate) fn on(ground: Box<dyn Ground>, runtime: Runtime, scenario: &Scenario, seed: u64) -> io::Result<World> {
        let mut world = runtime.block_on(build::world(ground, scenario, seed))?;
        world.runtime = Some(runtime);
        Ok(world)
    }

    /// What every peer received, one entry for a conversation: its name and the bytes, raw and decrypted.
    pub fn received(&self) -> Vec<(String, Vec<u8>)> {
        self.ledger.all()
    }

    /// What was planted, and who may have it.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The passwords that reached the server.
    pub fn passwords(&self) -> Vec<Vec<u8>> {
        lock(&self.passwords).clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
