//! `--score`: many worlds at once, and what became of them.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use lab::run::{self, Run};
use lab::scenario::Carrier;
use lab::score::{self, Row};
use lab::story::{self, Story};

/// So many worlds at once: they mostly wait.
const ON_LOOPBACK: usize = 8;
const APART: usize = 4;

/// Tells the stories whose name contains `part`, each with every seed, and prints the score.
pub fn score(part: &str, first: u64, seeds: u64, apart: bool) -> Result<ExitCode, String> {
    let program = super::program()?;
    let mut stories = story::all(&story::directory())?;
    stories.retain(|story| story.name.contains(part));
    let count = stories.len();
    let seeds: Vec<u64> = (0..seeds).map(|more| first + more).collect();
    let started = Instant::now();
    let mut rows = told(&stories, &seeds, false, ON_LOOPBACK, &|story, seed| run::story(&program, story, seed));
    if apart {
        rows.extend(score_apart(&program, stories, &seeds)?);
    }
    if rows.is_empty() {
        return Err(format!("no story has `{part}` in its name (those that need a router take --namespaces)"));
    }
    println!(
        "{} runs of {} stories, {} seeds from {first}, {:.0} s\n\n{}",
        rows.len(),
        count,
        seeds.len(),
        started.elapsed().as_secs_f64(),
        score::printed(&rows)
    );
    Ok(if rows.iter().all(|row| row.grade.is_right()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(target_os = "linux")]
fn score_apart(program: &Path, stories: Vec<Story>, seeds: &[u64]) -> Result<Vec<Row>, String> {
    use lab::namespaces;
    if let Some(why) = namespaces::refused(&[super::INSIDE]) {
        return Err(format!("network namespaces are refused here: {why}"));
    }
    let (stories, missing): (Vec<Story>, Vec<Story>) =
        stories.into_iter().partition(|story| namespaces::missing(&story.scenario).is_none());
    for story in missing {
        eprintln!("lab: {} is left out: it needs what is not to be had here", story.name);
    }
    Ok(told(&stories, seeds, true, APART, &|story, seed| namespaces::story(program, story, seed, &[super::INSIDE])))
}

#[cfg(not(target_os = "linux"))]
fn score_apart(_program: &Path, _stories: Vec<Story>, _seeds: &[u64]) -> Result<Vec<Row>, String> {
    Err("network namespaces are Linux's".to_owned())
}

/// Plays what one carrier can carry, so many worlds at once, and says on standard error how far it is.
fn told(
    stories: &[Story],
    seeds: &[u64],
    apart: bool,
    at_once: usize,
    play: &(dyn Fn(&Story, u64) -> Result<Run, String> + Sync),
) -> Vec<Row> {
    let other = if apart { Carrier::Loopback } else { Carrier::Namespaces };
    let mine: Vec<&Story> = stories.iter().filter(|story| story.scenario.carrier != other).collect();
    let jobs: Vec<(&Story, u64)> = seeds.iter().flat_map(|seed| mine.iter().map(|story| (*story, *seed))).collect();
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((story, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = Row::of(&story.name, &story.scenario, apart, *seed, play(story, *seed));
                    if !row.grade.is_right() {
                        let why = row.wrong.first().map_or("", String::as_str);
                        eprintln!("lab: {} with seed {} is not right: {why}", row.story, row.seed);
                    }
                    let mut rows = rows.lock().expect("no thread panics");
                    rows.push(row);
                    if rows.len() % 100 == 0 || rows.len() == jobs.len() {
                        let right = rows.iter().filter(|row| row.grade.is_right()).count();
                        eprintln!("lab: {} of {} runs, {} not right", rows.len(), jobs.len(), rows.len() - right);
                    }
                }
            });
        }
    });
    rows.into_inner().expect("no thread panics")
}
