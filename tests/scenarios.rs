//! Every story of `tests/scenarios`, each in a world of its own, through the real program.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::story::{self, Story};

/// Worlds mostly wait; so many at once keep two processors busy.
const AT_ONCE: usize = 8;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_entra-preflight"))
}

fn stories() -> Vec<Story> {
    let only = std::env::var("STORY").unwrap_or_default();
    let all = story::all(&story::directory()).expect("stories");
    all.into_iter().filter(|story| story.name.contains(&only)).collect()
}

/// `STORY=name` chooses, `SEED=n` repeats.
#[test]
fn every_story_comes_true() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let (mine, elsewhere): (Vec<Story>, Vec<Story>) =
        stories().into_iter().partition(|story| story.scenario.carrier != lab::scenario::Carrier::Namespaces);
    assert!(!mine.is_empty(), "no story has this name");
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(story) = mine.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let told = match lab::run::story(program(), story, seed) {
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
    println!("{} of {} stories came true (seed {seed})", mine.len() - wrong.len(), mine.len());
    if !elsewhere.is_empty() {
        println!("{} stories need network namespaces and were not told here", elsewhere.len());
    }
    assert!(wrong.is_empty(), "these did not (seed {seed}):\n\n{}\n", wrong.join("\n\n"));
}
