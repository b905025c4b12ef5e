//! entra-preflight: will Microsoft Entra sign-in to Azure Database for PostgreSQL work from here?
//!
//! The map of the house. Data flows one way, and each floor knows only what stands above it here:
//!
//! - words: [`stage`], [`failure`], [`secret`], [`cloud`], [`verb`], [`terms`], [`words`], [`prose`], [`rules`], [`target`] say what there is;
//! - keeping: [`evidence`] holds what was seen;
//! - looking: `net` and [`probe`] fill it, and give no advice;
//! - reading: [`fact`] says in words what the evidence shows;
//! - judging: [`catalogue`] and [`diagnosis`] find causes, and do no I/O;
//! - telling: [`report`] and [`page`] show what was judged;
//! - the door: [`cli`] turns arguments into a target and opens what the pages are written to.

pub mod catalogue;
pub mod cli;
pub mod cloud;
pub mod diagnosis;
pub mod evidence;
pub mod fact;
pub mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod net;
pub mod page;
pub mod probe;
pub mod prose;
pub mod report;
pub mod rules;
pub mod secret;
pub mod stage;
pub mod target;
pub mod terms;
pub mod verb;
pub mod words;

use catalogue::Catalogue;
use evidence::{Observation, Recorder, Stamp};
use report::Report;
use target::Target;
use target::destination::Destination;
use verb::Verb;

/// Keeps this process's memory to itself: no core files, no debugger. Call it before a secret is read.
pub fn guard_memory() {
    net::host::guard_memory();
}

/// Remembers SIGINT and SIGTERM instead of ending. Call it before anything slow, and listen to [`held_signal`] as soon as there is something to tell.
pub fn hold_signals() {
    net::host::hold_signals();
}

/// Lets signals end this program again: for who waits for a user.
pub fn release_signals() {
    net::host::release_signals();
}

/// The signal that came while they were held.
pub fn held_signal() -> Option<u8> {
    net::host::held_signal()
}

/// Looks at the world and judges what was seen. It ends by the target's deadline, or when `stop` does.
pub async fn check(
    target: Target,
    catalogue: &Catalogue,
    recorder: &Recorder,
    stop: impl Future<Output = ()>,
) -> Report {
    let asked = asked(&target, catalogue);
    let stamp = probe::look(target, &asked, recorder, stop).await;
    judge(stamp, recorder.observations(), catalogue)
}

/// Every destination that `check` may contact with this target; nothing is contacted.
pub fn plan(target: Target, catalogue: &Catalogue) -> Vec<Destination> {
    let asked = asked(&target, catalogue);
    probe::plan(target, &asked)
}

fn asked(target: &Target, catalogue: &Catalogue) -> Vec<(Verb, String)> {
    let chosen = catalogue.chosen(&target.only, &target.skip);
    chosen.into_iter().map(|check| (check.probe, check.target.clone())).collect()
}

/// The straight line from evidence to report: no socket, no file, no clock, so a saved report can be judged again.
pub fn judge(stamp: Stamp, evidence: Vec<Observation>, catalogue: &Catalogue) -> Report {
    let facts = fact::read(&evidence, &catalogue.lore());
    let judgement = diagnosis::judge(&facts, catalogue);
    report::assemble(stamp, &facts, judgement, catalogue, evidence)
}
