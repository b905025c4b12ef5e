//! Tells stories, several at once, judges each report again, and fails with everything that did not come true.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use lab::run::Run;
use lab::story::{self, Story};

pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_entra-preflight"))
}

/// Worlds have time limits: whoever starts many of them, or waits for one, does so alone.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The stories whose name contains `STORY`, all without it.
pub fn chosen() -> Vec<Story> {
    let only = std::env::var("STORY").unwrap_or_default();
    let all = story::all(&story::directory()).expect("stories");
    all.into_iter().filter(|story| story.name.contains(&only)).collect()
}

/// `SEED`, or one of its own.
pub fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or_else(|| fastrand::u64(..1_000_000))
}

pub fn tell(stories: &[Story], seed: u64, at_once: usize, play: impl Fn(&Story) -> Result<Run, String> + Sync) {
    let _turn = turn();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = play(story).and_then(|mut run| {
                        run.mismatches.extend(lab::replay::differences(program(), &run)?);
                        Ok(run)
                    });
                    let told = match played {
                        Ok(run) if run.mismatches.is_empty() => continue,
                        Ok(run) => format!("{}\n    - {}", story.name, run.mismatches.join("\n    - ")),
                        Err(error) => format!("{}\n    - {error}", story.name),
                    };
                    wrong.lock().expect("no thread panics").push(told);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panics");
    wrong.sort();
    let score = format!("{} of {} stories came true (seed {seed})\n", stories.len() - wrong.len(), stories.len());
    // Past the test harness, which would swallow it: the score is what a person wants to see.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), score.as_bytes());
    assert!(wrong.is_empty(), "these did not (seed {seed}):\n\n{}\n", wrong.join("\n\n"));
}
