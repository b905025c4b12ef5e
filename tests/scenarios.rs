//! Every story of `tests/scenarios` that loopback can carry, each in a world of its own, through the real program.

use lab::scenario::Carrier;
use lab::story::Story;

use crate::stories;

/// Worlds mostly wait; so many at once keep two processors busy.
const AT_ONCE: usize = 8;

/// `STORY=name` chooses, `SEED=n` repeats.
#[test]
fn every_story_comes_true() {
    let chosen = stories::chosen();
    assert!(!chosen.is_empty(), "no story has this name");
    let mine: Vec<Story> = chosen.into_iter().filter(|story| story.scenario.carrier != Carrier::Namespaces).collect();
    let seed = stories::seed();
    stories::tell(&mine, seed, AT_ONCE, |story| lab::run::story(stories::program(), story, seed));
}
