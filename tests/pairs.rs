//! Random pairs of single faults of different layers in one world: worlds that no rule was written for.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use lab::pairs::{Fault, differences};
use lab::run::Run;
use lab::story::{self, Story};

use crate::stories;

const AT_ONCE: usize = 8;
/// How many pairs a run draws; `PAIRS` draws more.
const PAIRS: usize = 24;

fn faults() -> Vec<Fault> {
    let directory = story::directory();
    let read = |story: Story| {
        let text = std::fs::read_to_string(directory.join(format!("{}.toml", story.name))).expect("a story");
        Fault::of(story, &text)
    };
    story::all(&directory).expect("stories").into_iter().filter_map(read).collect()
}

/// `SEED=n` repeats.
#[test]
fn two_faults_are_told_as_two() {
    let _turn = stories::turn();
    let faults = faults();
    assert!(faults.len() > 100, "{} stories have one fault", faults.len());
    let seed = stories::seed();
    let wanted = std::env::var("PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(PAIRS);
    let mut rng = Rng::with_seed(seed);
    let mut pairs = Vec::new();
    while pairs.len() < wanted {
        let (one, other) = (&faults[rng.usize(..faults.len())], &faults[rng.usize(..faults.len())]);
        pairs.extend(one.beside(other).map(|both| (one, other, both)));
    }
    let next = AtomicUsize::new(0);
    let (wrong, alone) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((one, other, both)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = match lab::run::story(stories::program(), both, seed) {
                        Ok(Run { report: Some(report), .. }) => {
                            let one_hides = report["diagnoses"].as_array().is_none_or(|told| told.len() < 2);
                            alone.fetch_add(usize::from(one_hides), Ordering::Relaxed);
                            differences(one, other, &report)
                        }
                        Ok(_) => vec!["there is no report".to_owned()],
                        Err(error) => vec![error],
                    };
                    if !differences.is_empty() {
                        wrong.lock().expect("no thread panics").push(format!(
                            "{}\n    - {}",
                            both.name,
                            differences.join("\n    - ")
                        ));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panics");
    wrong.sort();
    let score = format!(
        "{} of {} pairs of faults were told as they should be, {} of them as one that hides the other (seed {seed})\n",
        pairs.len() - wrong.len(),
        pairs.len(),
        alone.into_inner()
    );
    let _ = std::io::stderr().write_all(score.as_bytes());
    assert!(wrong.is_empty(), "these were not (seed {seed}):\n\n{}\n", wrong.join("\n\n"));
}
