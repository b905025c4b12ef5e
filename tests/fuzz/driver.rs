//! One target for its time: inputs that go somewhere new are kept and changed further; one that panics or takes too long ends the test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::coverage::Coverage;
use super::mutate::mutate;

/// Counters are the process's own, and so is the processor's time.
static TURN: Mutex<()> = Mutex::new(());
/// Every parser is done long before this: its peers never wait.
const SLOW: Duration = Duration::from_secs(2);
/// Without counters, so many of the last inputs are changed further beside the seeds.
const KEPT: usize = 64;

/// Runs a target on `seeds` as they are, then on changes of them; `words` are pieces that its grammar is made of.
pub fn fuzz(name: &str, seeds: Vec<Vec<u8>>, words: &[&[u8]], target: impl Fn(&[u8])) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let (seconds, seed) = (number("FUZZ_SECONDS"), number("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000)));
    let mut rng = Rng::with_seed(seed);
    let started = Instant::now();
    let longest = Duration::from_secs(seconds.unwrap_or(1));
    let mut coverage = Coverage::default();
    let mut corpus = seeds.clone();
    let mut executions = 0_u64;
    let mut execute = |input: &[u8]| {
        executions += 1;
        Coverage::reset();
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| target(input)));
        let new = coverage.learns();
        // The first one makes what is made once: patterns, tables. On a busy machine any may stand still; the same one will not do so twice.
        let again = || {
            let begun = Instant::now();
            let _ = catch_unwind(AssertUnwindSafe(|| target(input)));
            begun.elapsed() > SLOW
        };
        let slow = executions > 1 && begun.elapsed() > SLOW && again();
        if result.is_err() || slow {
            let file = std::env::temp_dir().join(format!("fuzz-{name}-{seed}"));
            let _ = std::fs::write(&file, input);
            let what = if slow { "took too long" } else { "panicked" };
            panic!("{name} {what} at execution {executions} (FUZZ_SEED={seed}); its input is in {}", file.display());
        }
        new
    };
    if let Some(file) = std::env::var_os("FUZZ_INPUT") {
        execute(&seeds[0]);
        execute(&std::fs::read(file).expect("FUZZ_INPUT names a file"));
        return;
    }
    for input in &seeds {
        execute(input);
    }
    let mut turn = 0;
    while started.elapsed() < longest {
        // What came last is often near to something new.
        let place =
            if rng.bool() { corpus.len() - 1 - rng.usize(..corpus.len().min(8)) } else { rng.usize(..corpus.len()) };
        let input = mutate(&mut rng, &corpus[place], &corpus, words);
        let blind = turn % 16 == 0 && corpus.len() < seeds.len() + KEPT;
        if execute(&input) || blind {
            corpus.push(input);
        }
        turn += 1;
    }
    if seconds.is_some() {
        let line = format!(
            "{name}: {executions} executions, {} inputs kept, {} edges (seed {seed})\n",
            corpus.len(),
            coverage.len()
        );
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }
}
